#!/bin/bash
# A login enters its box before it has heard that it may: what it hears, and what others do meanwhile, is what counts.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
mkdir /srv/hidden /srv/squashed
echo "of the host" >/srv/hidden/secret
echo "of the host" >/tmp/from-the-host

# --- A box that is still being made ---

configure <<'END'
[default]
Scope = user
PrivateTmp = yes
TemporaryFileSystem = /srv
END
snapshot
from_here
strace -f -qq -o "$T/strace" -e trace=open_tree -e inject=open_tree:delay_enter=700000:when=1 \
    session --user alice -- sleep 2 >"$T/first" 2>&1 3>&- &
first=$!
until_ok 10 pgrep -x session >/dev/null
until_ok 10 grep -q POSIX /proc/locks # it is registered, and may be joined
(cd /srv/hidden && session --user alice -- cat secret) >"$T/hidden" 2>&1 3>&- &
hidden=$!
(cd /tmp && session --user alice -- sh -c 'ls; pwd') >"$T/tmp" 2>&1 3>&-
is "$? $(grep -v '^session: ' "$T/tmp")" "0 /tmp" "who joins a box that is still being made has its /tmp for a working directory, not the host's"
wait $hidden
is "$? $(grep -c 'of the host' "$T/hidden")" "120 0" "and is refused from a directory that the policy is about to hide"
wait $first
is "$(grep -v "^session: " "$T/first")" "" "the first login is not disturbed"
nothing_left "a box that is joined while it is made leaves nothing"

# --- A maker who cannot come along ---

configure <<'END'
[default]
Scope = policy
END
snapshot
strace -qq -o "$T/strace" -e trace=setns -e inject=setns:error=EPERM:delay_enter=1500000:when=2 \
    session --user alice -- true >"$T/first" 2>&1 3>&- &
first=$!
until_ok 10 has_holders 1
session --user bob -- sh -c 'sleep 2.5; echo worked' >"$T/bob" 2>"$T/session" 3>&-
is "$? $(cat "$T/bob")" "0 worked" "who has joined stays in a box whose maker could not enter it"
wait $first
is $? 120 "and the maker is refused"
nothing_left "nothing is left of that box"

# --- A caller who cannot go back ---

configure <<'END'
[default]
Scope = user
OnError = allow
Namespaces = mount
TemporaryFileSystem = /srv
END
snapshot
box_open alice
holder=$(holders)
kill -STOP "$holder"
from_here
rm -f "$T/strace"
strace -f -qq -o "$T/strace" -e trace=setns -e inject=setns:error=ENOMEM:when=3+ session --user alice -- true \
    >"$T/out" 2>"$T/session" 3>&- &
joiner=$!
until_ok 5 eval '[ "$(grep -c "setns(.* = 0" "$T/strace" 2>/dev/null)" = 2 ]' # the look at the root, and the entry
kill -KILL "$holder"
wait $joiner
is $? 120 "who cannot leave a box that died before it answered is refused, OnError=allow or not"
logged 'refused \(its process could not be taken back to where it was\)' "and the log says why"
box_close
nothing_left "nothing is left of it"

configure <<'END'
[default]
OnError = allow
END
snapshot
from_here
strace -qq -o "$T/strace" -E LD_PRELOAD="$BUILD/tests/no_data.so" -E NO_DATA=nsbox -e trace=setns \
    -e inject=setns:error=ENOMEM:when=3+ session --user alice -- true >"$T/out" 2>"$T/session"
is $? 120 "so is who cannot leave the box that PAM has no memory to keep"
logged 'refused \(its process could not be taken back to where it was\).*step=keep' "and the log says why"
nothing_left "nothing is left of that either"

# --- A directory that root may not enter again ---

if fuse-home /srv/squashed "$(id -u alice)" squash,allow_other; then
    configure <<'END'
[policy root]
Users = root
Scope = user
END
    cat >"$T/as-alice" <<'END'
# setfsuid(2): in the directory with alice's rights, as su and sudo keep it
syscall 122, shift() + 0; chdir "/srv/squashed" or die "chdir: $!"; syscall 122, 0;
exec @ARGV;
END
    for how in create join; do
        [ $how = create ] || box_open root
        from_here
        perl "$T/as-alice" "$(id -u alice)" session --user root -- true >"$T/out" 2>&1 3>&-
        is $? 0 "$how: root is let in from a directory that he may not enter again" || diag "$(cat "$T/out")" "$(log)"
        unlike "$(log)" 'cannot leave' "$how: for he is out of the box"
    done
    box_close
    umount /srv/squashed
else
    skip "root in a directory that he may not enter again" "no FUSE here"
fi

rm -r /srv/hidden
rmdir /srv/squashed

done_testing
