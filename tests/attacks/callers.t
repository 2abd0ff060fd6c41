#!/bin/bash
# Callers that are odd on purpose or by bad luck: without descriptors, with threads, interrupted, in their user's limits.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
printf '%s\n' 'auth required pam_permit.so' 'account required pam_permit.so' 'session required pam_nsbox.so' >/etc/pam.d/su
configure </dev/null
install -d -m 1777 "$T/out"
snapshot

# --- Without standard input, output and error ---

# What the caller opens next takes their numbers, and programs read and write there.
mkdir /tmp/folder
cd /tmp/folder || exit 1
session --user alice --bare -- sleep 4914 3>&- &
caller=$!
until_ok 10 pgrep -fx 'sleep 4914' >/dev/null
is "$(readlink "/proc/$caller"/fd/[012])" '' "a caller without standard descriptors: the way back lies beyond their numbers"
like "$(readlink "/proc/$caller"/fd/*)" 'mnt:.*/tmp/folder|/tmp/folder.*mnt:' "a caller without standard descriptors: it has one"
unlike "$(readlink "/proc/$(pgrep -fx 'sleep 4914')"/fd/*)" '(mnt|uts|ipc|pid):|/tmp/folder' "a caller without standard descriptors: its shell has nothing of it"
pkill -fx 'sleep 4914'
wait $caller
cd / && rmdir /tmp/folder
nothing_left "nothing is left of it"

# --- Threads ---

# places PID: where each thread is, in lines "TID root cwd namespaces"
places() {
    local task
    for task in "/proc/$1"/task/*; do
        echo "${task##*/} $(readlink "$task/cwd") $(stat -Lc %d:%i "$task/root") $(readlink "$task"/ns/{mnt,uts,ipc,pid_for_children} | xargs)"
    done
}
mkdir /tmp/here
cd /tmp/here || exit 1
outside="/tmp/here $(stat -Lc %d:%i /) $(readlink /proc/self/ns/{mnt,uts,ipc,pid} | xargs)"
for how in '--threads 3' '--threads 2 --in-thread'; do
    # shellcheck disable=SC2086
    session --user alice $how --state -- sleep 4915 >"$T/out/threads" 2>&1 3>&- &
    caller=$!
    until_ok 10 pgrep -fx 'sleep 4915' >/dev/null
    is "$(places $caller | cut -d' ' -f2- | grep -cxF "$outside")" 3 "a caller with $how: the other three are where they were while the session lasts" ||
        diag "$(places $caller)"
    is "$(places $caller | cut -d' ' -f2- | grep -cvxF "$outside")" 1 "a caller with $how: the one that opened it is in the box"
    pkill -fx 'sleep 4915'
    wait $caller
    like "$(cat "$T/out/threads")" 'open_session: 0 .*close_session: 0 .*state: unchanged' "a caller with $how: it opens, closes, and is what it was"
done
cd / && rmdir /tmp/here
nothing_left "nothing is left of threads"

# --- Interrupted ---

configure <<'END'
[default]
Scope = user
END
snapshot
session --user alice -- sleep 4916 >"$T/out/first" 2>&1 3>&- &
first=$!
until_ok 10 pgrep -fx 'sleep 4916' >/dev/null
holder=$(holders)
from_here
# As long as nsbox-init does not answer, the caller waits, and its handler runs.
kill -STOP "$holder"
session --user alice --alarm 20 --state -- sleep 4917 >"$T/out/second" 2>&1 3>&- &
second=$!
sleep 0.5
kill -CONT "$holder"
ok "a caller whose handler runs while it waits gets in" until_ok 10 pgrep -fx 'sleep 4917' >/dev/null
until_ok 2 log_has ' joined '
is "$(log | grep -o ' joined .* leases=.*' | grep -o 'leases=[0-9]*')" leases=2 "and took one lease"
pkill -fx 'sleep 4917'
wait $second
until_ok 5 log_has 'left .*leases=1'
logged_times 1 ' left ' "which it gives back, and has no other"
like "$(cat "$T/out/second")" 'state: unchanged' "and is what it was"
pkill -fx 'sleep 4916'
wait $first
nothing_left "nothing is left of interruptions"

# --- In their user's resource limits, soft and hard, as su is ---

configure </dev/null
snapshot
from_here
opened=0 refused=0 bad=''
limits=(nofile=3 nofile=8 nofile=16 nofile=24 nofile=40 fsize=0 fsize=1 memlock=0 nproc=1 sigpending=0 core=0 cpu=1 rtprio=0
    nice=0 locks=0 msgqueue=0 rss=0)
# Of memory AddressSanitizer wants more.
with_sanitizers || limits+=(stack=16384 stack=262144 as=30000000 data=4096 data=1000000)
for limit in "${limits[@]}"; do
    for _ in 1 2; do
        prlimit --"$limit":"${limit#*=}" setpriv --reuid alice --regid alice --init-groups --inh-caps=-all -- \
            su bob -c 'echo in >/run/test/out/su; hostname' >"$T/out/said" 2>&1 3>&-
        status=$?
        if [ $status -eq 0 ] && grep -qx host-bob "$T/out/said"; then
            opened=$((opened + 1))
        elif [ -e "$T/out/su" ] && ! grep -qx host-bob "$T/out/said"; then
            # The shell itself may not have had what it needs, but not outside of a box.
            [ "$(cat "$T/out/said")" = "" ] || bad+="$limit: $(head -c 200 "$T/out/said"); "
        else
            refused=$((refused + 1))
        fi
        rm -f "$T/out/su"
    done
done
is "$bad" '' "su in its user's limits is in a box, or refused ($opened and $refused times)"
at_least "$opened" 12 "most limits do not matter to it"
nothing_left "and nothing is left"

# --- Environment ---

cat >"$T/hostile" <<'END'
$ENV{$_} = "\n<86>Jan  1 00:00:00 sshd[1]: forged\n" for "NSBOX", "HOME", "TMPDIR", "IFS", "PATH_INFO", "a\nb", "%s%n", "LANG";
$ENV{"BIG$_"} = "x" x 65536 for 1 .. 8;
$ENV{$_} = "/tmp/evil.so" for "LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "GCONV_PATH", "MALLOC_TRACE", "RESOLV_HOST_CONF";
exec @ARGV;
END
from_here
printf 'echo "$NSBOX"; hostname; tr "\\0" "\\n" </proc/1/environ | wc -c' >"$T/out/look"
setpriv --reuid alice --regid alice --init-groups --inh-caps=-all -- perl "$T/hostile" "$(command -v su)" bob -c "sh $T/out/look" >"$T/out/said" 2>&1
like "$(cat "$T/out/said")" '^[a-z2-7]{10}'$'\n''host-bob' "an environment full of malice changes neither the box nor its name"
unlike "$(log)" 'forged' "and does not reach the log"
PAM_ENV=$'user\nname' session --user alice -- sh -c 'env | grep -c ^NSBOX=' >"$T/out/said" 2>"$T/session"
is "$(cat "$T/out/said")" 1 "NSBOX is there once"

# --- A service of any name ---

cp /etc/pam.d/session /etc/pam.d/other
snapshot
for service in $'x\n<86>Jan  1 00:00:00 sshd[1]: forged' '%s%n' 'a"b\c' "$(head -c 65536 /dev/zero | tr '\0' s)"; do
    from_here
    session --service "$service" --user alice -- true >"$T/out/said" 2>&1
    until_ok 2 log_has 'pam_nsbox.*(opened|refused)'
    lines=$(log | grep -a pam_nsbox)
    if log | grep -aq '^<86>Jan  1' || [ "$(grep -ao 'box="' <<<"$lines" | wc -l)" -gt 1 ] || LC_ALL=C grep -aq $'[\x01-\x08\x0b-\x1f\x7f]' <<<"$lines"; then
        fail "a service $(printf '%q' "${service:0:30}") writes no line of its own" "$(head -c 600 <<<"$lines")"
    else
        pass "a service $(printf '%q' "${service:0:30}") writes no line of its own"
    fi
done
nothing_left "nothing is left at the end"

done_testing
