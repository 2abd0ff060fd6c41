#!/bin/bash
# pam_systemd runs before the module: what it promises holds in a box too.
. ./lib.sh

MOUNTS_BEFORE=$(host_mounts)

session_ids() {
    loginctl list-sessions --no-legend | awk '$3 == "alice" { print $1 }'
}

# Not every session of a user's is a login: the user's service manager has one, in newer versions of systemd.
login_session() {
    local id
    for id in $(session_ids); do
        [[ $(loginctl show-session "$id" -p Class --value) == manager* ]] || echo "$id"
    done | head -n 1
}

no_session() {
    [ -z "$(login_session)" ]
}

scope_gone() {
    [ "$(systemctl show -p ActiveState --value "$1")" = inactive ]
}

# An earlier session's service manager stays for ten seconds; in a virtual machine until now.
loginctl disable-linger alice
until_ok $((40 * SLOW)) test ! -e "/run/user/$(id -u alice)"
log_here
session_open alice
session=$(login_session)
scope=session-$session.scope

runtime=$(session_do 'echo $XDG_RUNTIME_DIR')
is "$runtime" "/run/user/$(id -u alice)" "XDG_RUNTIME_DIR is set in a box"
ok "XDG_RUNTIME_DIR can be written in a box" session_do "echo x >\$XDG_RUNTIME_DIR/x && test -s \$XDG_RUNTIME_DIR/x"
is "$(session_do 'echo $XDG_SESSION_ID')" "$session" "a box has the session's number"

leader=$(loginctl show-session "$session" -p Leader --value)
like "$(tr '\0' ' ' <"/proc/$leader/cmdline")" '^sshd.*alice' "loginctl shows the session with the process that opened it as leader"
is "$(loginctl show-session "$session" -p State --value)" active "loginctl shows the session as active"

# systemctl connects to the manager's own socket, and wants to know the process behind it: getpeercred() in systemd's
# socket-util.c gives ENODATA for a process that has no number in this PID namespace. That is the documented limit.
claim="systemctl --user works in a box, or says that it cannot tell who its manager is (the documented limit)"
text=$(session_do 'systemctl --user show -p Version')
like "$text" '^Version=|No data available' "$claim"
ok "the user's service manager is not boxed, and the log says so" \
    until_ok 5 log_has 'not boxed .*service="systemd-user"'

is "$(systemctl show -p TasksMax --value "$scope")" 321 "TasksMax of the policy is the session scope's"
is "$(systemctl show -p MemoryMax --value "$scope")" $((777 * 1024 * 1024)) "MemoryMax of the policy is the session scope's"
is "$(systemctl show -p CPUWeight --value "$scope")" 77 "CPUWeight of the policy is the session scope's"
is "$(systemctl show -p IOWeight --value "$scope")" 33 "IOWeight of the policy is the session scope's"
is "$(systemctl show -p RuntimeMaxUSec --value "$scope")" 5h "RuntimeMaxSec of the policy is the session scope's"
group=/sys/fs/cgroup$(systemctl show -p ControlGroup --value "$scope")
claim="the kernel holds the session's cgroup to TasksMax and MemoryMax"
if [ -e "$group/pids.max" ] && [ -e "$group/memory.max" ]; then
    is "$(cat "$group/pids.max") $(cat "$group/memory.max")" "321 $((777 * 1024 * 1024))" "$claim"
else
    skip "$claim" "the machine outside has these controllers in a cgroup hierarchy of version 1"
fi

holder=$(holders)
like "$(cat "/proc/$holder/cgroup")" "$scope" "a box's first process is in the session's scope"
session_close
ok "the session is gone after logout" until_ok $((15 * SLOW)) no_session
ok "the session's scope is empty and gone after logout" until_ok $((15 * SLOW)) scope_gone "$scope"
ok "XDG_RUNTIME_DIR is gone after logout" until_ok $((40 * SLOW)) test ! -e "$runtime"
ok "nothing of the session is left" until_ok $((10 * SLOW)) nothing_left

# --- terminate-user ---

session_open alice
session_do "(trap '' HUP; trap 'echo asked >/var/lib/probe/terminated; exit' TERM; while :; do sleep 0.1; done) </dev/null >/dev/null 2>&1 & sleep $SLOW" >/dev/null
rm -f /var/lib/probe/terminated
began=$SECONDS
log_here
loginctl terminate-user alice
until_ok $((20 * SLOW)) no_session
until_ok $((20 * SLOW)) nothing_left
took=$((SECONDS - began))
claim="loginctl terminate-user asks processes in a box to end"
if [ -e /var/lib/probe/terminated ]; then
    pass "$claim"
else
    fail "$claim" "$(log | tail -n 5)" "$(journalctl -q -b -o short-precise -n 15)"
fi
# TimeoutStopSec is longer: nobody waits for its end.
at_most "$took" $((3 * SLOW)) "loginctl terminate-user ends a box at once"
is "$(what_is_left)" "" "loginctl terminate-user leaves nothing"
session_close
until_ok $((20 * SLOW)) test ! -e "$runtime"

# --- where no systemd runs ---

# So it looks, to sd_booted(3), without /run/systemd/system. Linux has a kernel.pid_max of each PID namespace's own since
# 6.14; before that nobody is left to keep TasksMax.
kernel=$(uname -r)
major=${kernel%%.*} minor=${kernel#*.} minor=${minor%%[!0-9]*}
cp /etc/security/nsbox.conf "$T/nsbox.conf"
cat >/etc/security/nsbox.conf <<'END'
[policy limited]
Users = alice
TasksMax = 1000
MemoryMax = 777M
END
log_here
begin without-systemd
pid_max=$(timeout $((30 * SLOW)) unshare --mount --propagation private bash -c '
    mkdir "$1" && mount -t tmpfs tmpfs "$1" && mkdir "$1/journal" && mount --bind /run/systemd/journal "$1/journal" &&
        mount --move "$1" /run/systemd && exec su alice -c "cat /proc/sys/kernel/pid_max"' su "$T/without" 2>"$T/out")
if [ $((major * 100 + minor)) -ge 614 ]; then
    wanted=1300 unkept=MemoryMax
else
    wanted=$(cat /proc/sys/kernel/pid_max) unkept='TasksMax, MemoryMax'
fi
claim="without systemd the box keeps TasksMax (from Linux 6.14 on), and the log names what nothing keeps"
if [ "$pid_max" = "$wanted" ] && until_ok 5 log_has "not limited .*nothing enforces $unkept here"; then
    pass "$claim"
else
    fail "$claim" "kernel.pid_max: $pid_max, expected $wanted" "$(cat "$T/out")" "$(log)"
fi
cp "$T/nsbox.conf" /etc/security/nsbox.conf
ok "nothing of a box without systemd is left" until_ok $((10 * SLOW)) nothing_left
done_testing
