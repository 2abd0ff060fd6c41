#!/bin/bash
# Limits: handed to pam_systemd where it stands in the stack; where there is no systemd, the box keeps TasksMax itself and
# the log names what nothing keeps.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service sshd
pam_service sudo
pam_service session 'account required pam_nsbox.so' "session required $BUILD/tests/pam_items.so $T/items" \
    'session required pam_nsbox.so'
start_sshd

# items VALUES...: what a module in the place of pam_systemd reads
items() {
    configure <<END
[policy limited]
Users = alice
$1
END
    rm -f "$T/items"
    session --account --user alice -- true 2>"$T/session"
    cat "$T/items"
}

is "$(items '')" "" "a policy without limits hands over nothing"
is "$(items 'TasksMax = 77
MemoryMax = 300M
CPUWeight = 50
IOWeight = 20
RuntimeMaxSec = 8h')" "systemd.memory_max=300M
systemd.tasks_max=77
systemd.cpu_weight=50
systemd.io_weight=20
systemd.runtime_max_sec=8h" "each limit is handed over under the name that pam_systemd(8) gives"
is "$(items 'TasksMax = infinity
MemoryMax = infinity
CPUWeight = idle
RuntimeMaxSec = infinity')" "systemd.memory_max=infinity
systemd.tasks_max=infinity
systemd.cpu_weight=idle
systemd.runtime_max_sec=infinity" "so are the words that stand for numbers"
is "$(items 'MemoryMax = 10%')" "systemd.memory_max=10%" "a share of the memory is handed over as such"
like "$(items 'TasksMax = 10%')" '^systemd.tasks_max=[1-9][0-9]*$' \
    "a share of the tasks is handed over as a number, for pam_systemd reads no other"
items 'MemoryMax = 300M' >/dev/null
session --account --user bob -- true 2>"$T/session"
is "$(cat "$T/items")" "" "somebody else's policy hands over nothing"

# --- without memory for what pam_systemd is told ---

for on_error in deny allow; do
    printf '%s\n' '[policy limited]' 'Users = alice' 'MemoryMax = 300M' "OnError = $on_error" | configure
    from_here
    LD_PRELOAD=$BUILD/tests/no_data.so session --account --user alice -- sh -c 'echo "$NSBOX"' >"$T/out" 2>"$T/session"
    status=$?
    if [ "$on_error" = deny ]; then
        like "$(cat "$T/session")" 'acct_mgmt: 4 ' "no memory to hand a limit over: the login is refused"
        logged 'refused \(OnError=deny\) .*user="alice".*: no limits: there is no memory' "and the log says why"
    else
        like "$status $(cat "$T/out")" '^0 [a-z2-7]{10}$' "with OnError=allow it is let in, in its box"
        logged 'not limited \(OnError=allow\) .*user="alice".*: there is no memory' "and the log says what it lacks"
    fi
done

# --- without systemd ---

[ ! -e /run/systemd/system ] || bail_out "this machine was to have no systemd"
configure <<'END'
[policy limited]
Users         = alice
TasksMax      = 100
MemoryMax     = 300M
CPUWeight     = 50
IOWeight      = 20
RuntimeMaxSec = 8h

[policy few]
Users    = bob
TasksMax = 1
END

kernel=$(uname -r)
major=${kernel%%.*} minor=${kernel#*.} minor=${minor%%[!0-9]*}
before=$(cat /proc/sys/kernel/pid_max)
snapshot
from_here
if [ "$major" -gt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -ge 14 ]; }; then
    is "$(ssh_as alice cat /proc/sys/kernel/pid_max)" 400 "TasksMax sets the box's own kernel.pid_max"
    logged 'not limited box=".*user="alice".*nothing enforces MemoryMax, CPUWeight, IOWeight, RuntimeMaxSec here' \
        "one line of the log names what nothing enforces"
    unlike "$(log)" 'enforces TasksMax' "and not what the box enforces itself"
    is "$(log | grep -c 'not limited')" 1 "it is one line"
    # Numbers below 300 are given out once; then the limit is exact.
    seen=$(ssh_as alice "$T/bin/fork-count 700")
    at_most "$seen" 400 "TasksMax=100: no more than 300 beyond that can ever run at once"
    at_least "$seen" 97 "TasksMax=100: as many as are allowed can"
    seen=$(ssh_as alice "$T/bin/fork-count 700 700")
    at_most "$seen" 100 "TasksMax=100: when numbers are given out again, no more than that can run at once"
    at_least "$seen" 95 "TasksMax=100: and as many as that can, with the shell and sshd among them"
    is "$(ssh_as bob 'echo one' 2>&1 | grep -c one)" 1 "TasksMax=1 lets a login in"
    is "$(ssh_as bob cat /proc/sys/kernel/pid_max)" 301 "TasksMax=1 is the least that the kernel takes"
else
    ssh_as alice true
    logged 'nothing enforces TasksMax, MemoryMax, CPUWeight, IOWeight, RuntimeMaxSec here' \
        "one line of the log names what nothing enforces"
fi
# To an older kernel, as this personality makes it look, kernel.pid_max would be the host's own.
from_here
is "$(setarch --uname-2.6 session --user alice -- cat /proc/sys/kernel/pid_max 2>"$T/session")" "$before" \
    "before Linux 6.14 kernel.pid_max inside is what it is"
logged 'not limited box=".*user="alice".*nothing enforces TasksMax, MemoryMax, CPUWeight, IOWeight, RuntimeMaxSec here' \
    "before Linux 6.14 the log names TasksMax among what nothing enforces"
from_here
ok "without a PID namespace TasksMax does not keep anybody out" session --user alice --service sudo -- true 2>"$T/session"
logged 'nothing enforces TasksMax, MemoryMax, ' "and the log names it among what nothing enforces"
is "$(cat /proc/sys/kernel/pid_max)" "$before" "kernel.pid_max of the host is what it was"
nothing_left "nothing is left"

mkdir -p /run/systemd/system
from_here
is "$(ssh_as alice cat /proc/sys/kernel/pid_max)" "$(ssh_as root cat /proc/sys/kernel/pid_max)" \
    "where systemd runs, limits are left to it"
unlike "$(log)" 'not limited' "and the log does not say that they are not kept"

done_testing
