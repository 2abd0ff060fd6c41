#!/bin/bash
# Hostile callers and hostile names: what a user can hand to su or to sshd leads nowhere.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
printf '%s\n' 'auth required pam_permit.so' 'account required pam_permit.so' 'session required pam_nsbox.so' >/etc/pam.d/su
configure </dev/null
install -d -m 1777 "$T/out"
snapshot

# as NAME COMMAND...: outside of any box, with all that a user may hand to a setuid program
as() {
    local name=$1
    shift
    setpriv --reuid "$name" --regid "$name" --init-groups --inh-caps=-all -- "$@"
}

# --- A link in the place of the working directory, at just the right moment ---

install -d -m 700 /srv/closed
install -d -m 755 /srv/closed/open
echo closed >/srv/closed/open/secret
cat >"$T/swap" <<'END'
# The folder and a link to somebody's closed one change places for as long as this runs.
chdir "/tmp/race";
symlink "/srv/closed", "link";
for (;;) {
    rename "here", "aside";
    rename "link", "here";
    select undef, undef, undef, 0.0005;
    rename "here", "link";
    rename "aside", "here";
    select undef, undef, undef, 0.0005;
}
END
install -d -o alice /tmp/race /tmp/race/here /tmp/race/here/open
cd /tmp/race/here/open || exit 1
setpriv --reuid alice --regid alice --init-groups perl "$T/swap" 3>&- &
swapper=$!
# Most logins find neither, and are refused; on a busy machine, very many.
opened=0 entered=0 turns=$(rounds 150 2000)
for ((i = 0; i < turns || (entered < 10 && i < 20 * turns); i++)); do
    got=$(as alice su alice -c 'cat secret; echo in' 2>"$T/null")
    case $got in *closed*) opened=$((opened + 1)) ;; esac
    case $got in *in) entered=$((entered + 1)) ;; esac
done
cd / || exit 1
kill $swapper
wait $swapper 2>/dev/null
is "$opened" 0 "a link that takes the place of the working directory is never followed into somebody's closed folder"
at_least "$entered" 10 "and there were logins all the while"
rm -r /tmp/race /srv/closed
nothing_left "nothing is left of them"

# --- su runs with its user's real uid, limits, priority and descriptors ---

cat >"$T/hostile-su" <<'END'
#!/bin/bash
ulimit -S -n 40
ulimit -S -i 3
ulimit -S -t 1000
ulimit -S -s 60
exec 30</etc/hostname 31>/dev/null
nice -n 15 chrt --idle 0 su bob -c 'sleep 4911 & echo $!; ulimit -S -t; wait'
END
chmod 755 "$T/hostile-su"
as alice "$T/hostile-su" >"$T/told" 2>&1 3>&- &
job=$!
until_ok 10 pgrep -fx 'sleep 4911' >/dev/null
holder=$(holders)
is "$(awk '/^Uid|^Gid/ { print $2, $3, $4, $5 }' "/proc/$holder/status" | xargs)" "0 0 0 0 0 0 0 0" \
    "su: nsbox-init has root's identity, not that of the user who called"
is "$(awk '/^Groups/ { print $2 }' "/proc/$holder/status")" "" "su: and none of his groups"
at_least "$(awk '/^Max open files/ { print $4 }' "/proc/$holder/limits")" 1024 "su: nsbox-init is not bound by his limit of descriptors"
is "$(awk '/^Max cpu time/ { print $4 }' "/proc/$holder/limits")" unlimited "su: nor by his limit of CPU time"
at_least "$(awk '/^Max stack size/ { print $4 }' "/proc/$holder/limits")" 65536 "su: nor by his limit of the stack"
is "$(ps -o ni= -p "$holder" | xargs)" 0 "su: nor does it run at his priority"
is "$(ps -o cls= -p "$holder" | xargs)" B "su: nor under his scheduling policy, by which it might never run; nor does it take the processor from a login"
unlike "$(readlink "/proc/$holder"/fd/*)" 'hostname' "su: it has no descriptor of his"
is "$(tail -n 1 "$T/told")" 1000 "su: what he limits for himself is limited inside"
for signal in TERM STOP KILL QUIT 40; do
    not_ok "su: he cannot send it SIG$signal" as alice kill -$signal "$holder"
done
pkill -fx 'sleep 4911'
wait $job
nothing_left "su: nothing is left"

# The first to be killed for want of memory is whoever asked for it, and what he calls inherits that.
cat >"$T/hostile-su" <<'END'
#!/bin/bash
echo 1000 >/proc/self/oom_score_adj
exec su bob -c 'sleep 4912; true'
END
as alice "$T/hostile-su" >"$T/told" 2>&1 3>&- &
job=$!
until_ok 10 pgrep -fx 'sleep 4912' >/dev/null
is "$(cat "/proc/$(pgrep -fx 'sleep 4912')/oom_score_adj")" 1000 "su: who asks to be killed first for want of memory, will be"
ok "su: but not nsbox-init" until_ok 5 grep -qx 0 "/proc/$(holders)/oom_score_adj"
pkill -fx 'sleep 4912'
wait $job
if (echo -1000 >/proc/self/oom_score_adj) 2>/dev/null; then
    (echo -1000 >/proc/self/oom_score_adj && session --user alice -- sleep 4913) >"$T/told" 2>&1 3>&- &
    job=$!
    until_ok 10 pgrep -fx 'sleep 4913' >/dev/null
    ok "nor is it never killed, because its caller is not" until_ok 5 grep -qx 0 "/proc/$(holders)/oom_score_adj"
    pkill -fx 'sleep 4913'
    wait $job
else
    skip "nor is it never killed, because its caller is not" "root has no CAP_SYS_RESOURCE on this machine"
fi
nothing_left "su: nothing is left of these"

# --- Names and items ---

long=$(head -c 65536 /dev/zero | tr '\0' x)
forged=$'x\n<86>Jan  1 00:00:00 sshd[1]: Accepted password for root'
for item in tty rhost ruser; do
    for value in "$forged" $'\e[2J\e]0;title\a' '%s%n%n%h%u' '../../../etc/shadow' '"; box="forged' "$long" $'\x01\x7f\xff\xfe'; do
        from_here
        session --user alice --$item "$value" -- true >"$T/open" 2>&1
        status=$?
        until_ok 2 log_has '(nsbox-init: opened|pam_nsbox.*refused)'
        lines=$(log | grep -aE 'nsbox-init: opened|pam_nsbox')
        # The audit of libpam itself refuses what is too long for it.
        if { [ $status -ne 0 ] && [ ${#value} -lt 1000 ]; } || [ "$(grep -ac . <<<"$lines")" != 1 ] || LC_ALL=C grep -aq $'[\x01-\x08\x0b-\x1f\x7f]' <<<"$lines" ||
            log | grep -aq '^<86>Jan  1' || [ "$(grep -ao 'box="' <<<"$lines" | wc -l)" != 1 ]; then
            fail "$item: ${value:0:30} is one clean line of the log" "status $status" "${lines:0:600}"
        else
            pass "$item: $(printf '%q' "${value:0:30}") is one clean line of the log"
        fi
    done
done
for user in "$forged" $'al\nice' '../../alice' '%u%h' "$long" '' ' ' '-alice' 'alice/../bob'; do
    from_here
    session --user "$user" --root -- touch "$T/out/entered" >"$T/open" 2>&1
    status=$?
    if [ $status -eq 0 ] || [ -e "$T/out/entered" ] || log | grep -aq '^<86>Jan  1'; then
        fail "a user $(printf '%q' "${user:0:30}") does not get in, and writes no line of the log" "status $status" "$(log | head -c 600)"
    else
        pass "a user $(printf '%q' "${user:0:30}") does not get in, and writes no line of the log"
    fi
done
nothing_left "nothing is left of names"

# --- Callers that miss something, or have too much ---

cat >"$T/closed" <<END
#!/bin/bash
exec "\$@" <&- >&- 2>&-
END
chmod 755 "$T/closed"
"$T/closed" session --user alice -- sh -c "echo \$NSBOX; hostname >$T/out/name"
is "$(cat "$T/out/name" 2>/dev/null)" host-alice "a caller without standard input, output and error gets its box"
nothing_left "and leaves it"

mkdir -p "$T/root/proc"
mount --rbind / "$T/root" 2>/dev/null
mount --make-rprivate "$T/root"
from_here
chroot "$T/root" session --user alice --state -- true >"$T/open" 2>&1
is $? 120 "a caller in a chroot is refused"
like "$(cat "$T/open")" 'state: unchanged' "and stays in its chroot, as it was"
logged 'step=root.*chroot' "the log says why"
umount -lR "$T/root"

from_here
session --user alice --threads 4 --state -- hostname >"$T/open" 2>&1
like "$(cat "$T/open")" 'host-alice' "a caller with threads gets its box"
nothing_left "nothing is left at the end"

done_testing
