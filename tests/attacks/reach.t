#!/bin/bash
# What can be reached of the host from inside a box: by the user, by a program that is setuid root, by root. Each attack
# is tried as well in a box whose policy takes its defence out, and must succeed there.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
install -d -m 1777 "$T/out"
cp "$T/bin/attack" /usr/local/bin/setuid-attack
chmod 4755 /usr/local/bin/setuid-attack
chmod 755 "$T" "$T/bin"

# The host: a process of alice's with everything that one can have, and one of root's.
install -d -m 1777 /run/open
su_alice() {
    exec setpriv --reuid alice --regid alice --init-groups "$@" 3>&-
}
su_alice "$T/bin/attack" victim @victim >"$T/out/abstract" &
su_alice "$T/bin/attack" victim /tmp/victim >"$T/out/named" &
named=$!
(su_alice "$T/bin/ipc-objects" make victim) >/dev/null
sleep 5011 3>&- &
roots=$!
disown -a
ok "the victims are there" until_ok 5 grep -q ready "$T/out/abstract" "$T/out/named"
snapshot

# inside WHO COMMAND...: in a login of alice's, whose policy is the last one; what it prints
inside() {
    local who=$1
    shift
    case $who in
    user) session --user alice -- "$@" ;;
    setuid) session --user alice -- "${@/#attack/setuid-attack}" ;;
    root) session --user alice --root -- "$@" ;;
    esac 2>"$T/why"
}

# defended WHAT BY-DEFAULT POLICY-WITHOUT ATTACK...: nobody gets there in the box of the first policy (lines, or none), and
# everybody in that of the second
defended() {
    local what=$1 with=$2 without=$3 who
    shift 3
    printf '[default]\n%b\n' "$with" | configure
    for who in user setuid root; do
        not_ok "$what: not reached by ${title[$who]}" inside $who "$@"
    done
    printf '[default]\n%b\n' "$without" | configure
    for who in user setuid root; do
        ok "$what: but for the defence ($without) it is, by ${title[$who]}" inside $who "$@" || diag "$(cat "$T/why")"
    done
}
declare -A title=([user]='the user' [setuid]='a setuid program' [root]='root')

# --- Processes, their descriptors, their memory ---

defended "a process of the user's on the host" '' 'Namespaces = mount, uts, ipc' attack signal $named
defended "to trace it" '' 'Namespaces = mount, uts, ipc' attack trace $named
defended "its descriptors" '' 'Namespaces = mount, uts, ipc' attack descriptor $named 9
printf '[default]\n' | configure
not_ok "its environment is not seen in /proc by the user" inside user cat "/proc/$named/environ"
not_ok "nor its root and directory by root" inside root ls "/proc/$named/root/" "/proc/$named/cwd/"
for who in user root; do
    inside $who sh -c 'echo $(attack count) $(ls -d /proc/[0-9]* | wc -l)' >"$T/out/count"
    read -r answered seen <"$T/out/count"
    at_least "$answered" 2 "of all numbers that the host gives, some answer to $who"
    # The shell that counts has another child for each number.
    at_most "$answered" "$seen" "and these are the processes of the box"
done
session --user alice -- sh -c 'kill -KILL -1' >"$T/why" 2>&1
session --user alice --root -- sh -c 'kill -KILL -1' >"$T/why" 2>&1
ok "who kills everybody kills nobody on the host" kill -0 $named $roots

# --- Sockets, IPC ---

all='Namespaces = mount, uts, ipc, pid, net'
defended "an abstract socket of the host's" "$all" '' attack connect @victim
defended "a named socket in /tmp" 'PrivateTmp = yes' '' attack connect /tmp/victim
for kind in sysv-segment sysv-queue posix-segment posix-queue; do
    printf '[default]\n' | configure
    for who in user root; do
        unlike "$(inside $who ipc-objects see victim)" "$kind" "a $kind of the user's on the host: not reached by ${title[$who]}"
    done
    printf '[default]\nNamespaces = mount, uts, pid\n' | configure
    like "$(inside user ipc-objects see victim)" "$kind" "a $kind of the user's on the host: but for the IPC namespace it is"
done

# --- Mounts ---

printf '[default]\nPrivateTmp = yes\nInaccessiblePaths = /srv\n' | configure
echo secret >/srv/secret
uncover='attack uncover /tmp; attack uncover /srv; [ -e /tmp/victim ] || [ -e /srv/secret ]'
not_ok "what lies under a mount of the policy's: not reached by the user" inside user sh -c "$uncover"
if unshare --user true 2>/dev/null; then
    not_ok "nor where he is root of a user namespace" inside user unshare --user --map-root-user --mount sh -c "$uncover"
else
    skip "nor where he is root of a user namespace" "there are none here"
fi
ok "root does take it off, whom no box holds" inside root sh -c "$uncover"
printf '[default]\nPrivateTmp = yes\nInaccessiblePaths = /srv\nCapabilityBoundingSet = ~CAP_SYS_ADMIN\n' | configure
not_ok "unless CAP_SYS_ADMIN is taken from him" inside root sh -c "$uncover"
rm /srv/secret
printf '[default]\n' | configure
mount -t tmpfs of-the-host /opt
inside root attack uncover /opt
is "$(findmnt -no SOURCE /opt)" of-the-host "what root unmounts inside stays mounted on the host"
umount /opt

# --- Terminals ---

# A terminal on the host is a file that its owner can open, in a box or not: there is no defence but its mode. What no box
# has is one that others left behind.
expect_script <<'END' &
spawn -noecho sh -c "tty >/run/test/out/tty; chown bob `tty`; chmod 620 `tty`; exec sleep 5012"
want "never"
END
terminal=$!
ok "somebody has a terminal on the host" wait_for_text "$T/out/tty" pts 5
tty=$(cat "$T/out/tty")
until_ok 5 pgrep -fx 'sleep 5012' >/dev/null
not_ok "a terminal of another user's: not reached by the user" inside user sh -c "echo x >$tty"
not_ok "nor does he type into it" inside user attack type "$tty"
chown alice "$tty"
ok "his own is a file like others" inside user sh -c "echo x >$tty"
is "$(session --user alice --root -- sh -c 'ls -l /proc/1/fd; ps -o tty= -p 1' 2>/dev/null | grep -E 'pts|tty[0-9S]')" "" \
    "nsbox-init has no terminal that one could take over"
pkill -fx 'sleep 5012'
wait $terminal

# Keys of the caller's terminal signal whoever is in the foreground there, and SIGQUIT is what ends a box at once. Whoever
# made a box that others share must not have that in his hand.
printf '[policy team]\nUsers = alice, bob\nScope = policy\n' | configure
cat >"$T/at-terminal" <<'END'
ps -o tty=,pgid=,sid= -p 1 >/run/test/out/holder
exec sleep 5013
END
expect_script <<'END' &
spawn -noecho session --user alice -- sh /run/test/at-terminal
want "open_session: 0"
while {![file exists /run/test/out/quit]} { after 20 }
send "\034"
finish
END
terminal=$!
ok "a login at a terminal makes a box" until_ok 5 test -s "$T/out/holder"
is "$(xargs <"$T/out/holder")" "? 1 1" "its nsbox-init has no terminal, and a session and a process group of its own"
box_open bob
from_here
touch "$T/out/quit"
wait $terminal
logged 'left .*why="exited" leases=1' "the key ends whoever has made it"
is "$(box_do hostname)" host-alice "but not the box, in which others are"
box_close

# --- nsbox-init ---

not_ok "nsbox-init: not traced by the user" inside user attack trace 1
not_ok "nsbox-init: nor are its descriptors taken" inside user attack descriptor 1 1
for file in environ mem maps fd/ cwd/ root/ exe; do
    not_ok "nsbox-init: /proc/1/$file is not read by the user" inside user sh -c "if [ -d /proc/1/$file ]; then ls /proc/1/$file; else head -c 1 /proc/1/$file; fi"
done
for who in setuid root; do
    ok "nsbox-init: ${title[$who]} does trace it, whom no box holds" inside $who attack trace 1
    ok "nsbox-init: and takes its descriptors, so that he has a hold on the caller outside" inside $who attack descriptor 1 1
done
printf '[default]\nCapabilityBoundingSet = ~CAP_SYS_PTRACE\n' | configure
not_ok "nsbox-init: unless CAP_SYS_PTRACE is taken from him" inside root attack trace 1
not_ok "nsbox-init: and its descriptors with it" inside root attack descriptor 1 1
printf '[default]\n' | configure
# Starving it: more orphans and more load than it has patience for must not keep a box from ending.
cat >"$T/starve" <<'END'
for i in $(seq 8); do
    (while :; do :; done) &
done
perl -e 'for (1 .. 1000) { my $child = fork // next; if (!$child) { fork; exit } waitpid $child, 0 }'
echo orphans
END
session --user alice -- sh "$T/starve" >"$T/out/starve" 2>"$T/why"
is "$(cat "$T/out/starve")" orphans "eight busy loops and a thousand orphans are the user's right"
ok "and their box ends all the same" until_ok 20 has_holders 0

# --- What root can do in a default box, as README says: whatever needs no number of a process ---

# alike WHAT COMMAND...: root succeeds or fails inside as outside
alike() {
    local what=$1
    shift
    "$@" >"$T/out/outside" 2>&1
    local outside=$?
    inside root "$@" >"$T/out/inside" 2>&1
    is $? $outside "root in a default box: $what, as outside (status $outside)"
}
alike "writes to files of the host's" sh -c 'echo x >>/etc/crontab.try && rm /etc/crontab.try'
alike "makes device nodes and opens them" sh -c 'rm -f /usr/local/null; attack device /usr/local/null'
alike "may load modules" attack module
alike "may set what the whole kernel does" test -w /proc/sys/kernel/core_pattern
alike "reaches the system's sockets" attack connect /tmp/victim
rm -f /usr/local/null
policy='CapabilityBoundingSet = ~CAP_SYS_ADMIN, CAP_SYS_MODULE, CAP_MKNOD'
printf '[default]\n%s\n' "$policy" | configure
not_ok "$policy: no device nodes" inside root attack device /usr/local/null
not_ok "$policy: no modules" inside root attack module

configure </dev/null
rm -f /usr/local/bin/setuid-attack
kill $roots
pkill -f "attack victim"
rm -f /tmp/victim
ipc-objects remove victim >/dev/null
until_ok 5 has_holders 0
is "$(count_holders)" 0 "no box is left"

done_testing
