#!/bin/bash
# A machine that has nothing left: no room or no right to write where the register lies, no PID, no namespace. The login
# is refused with the reason in the log and leaves nothing; with one more of what is missing it is let in.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
cp "$T/bin/session" "$T/bin/reaper" /usr/local/bin
configure </dev/null

# attempt COMMAND...: in front of the caller, which runs no command
attempt() {
    from_here
    "$@" /usr/local/bin/session --user alice --state -- >"$T/out" 2>&1 3>&-
    status=$?
}

refused() {
    is "$status" 120 "$1: the login is refused" || diag "$(cat "$T/out")" "$(log)"
    like "$(cat "$T/out")" 'state: unchanged' "$1: the caller is what it was"
    logged "pam_nsbox.*refused.*$2" "$1: the log says what failed"
    nothing_left "$1: nothing is left"
}

let_in() {
    is "$status" 0 "$1: the login is let in" || diag "$(cat "$T/out")" "$(log)"
    like "$(cat "$T/out")" 'state: unchanged' "$1: the caller is what it was"
    logged 'nsbox-init: opened ' "$1: into a box"
    nothing_left "$1: nothing is left"
}

# --- /run/nsbox ---

# with_run OPTIONS COMMANDS: the caller sees another /run
with_run() {
    attempt unshare --mount --propagation private sh -c "mount -t tmpfs -o mode=755,$1 run /run; $2; exec \"\$@\"" sh
}
for scope in user login; do
    configure <<<"[default]
Scope = $scope"
    snapshot
    with_run nr_inodes=1 :
    refused "no inode left for the register, Scope=$scope" 'step=registry .* on /run/nsbox: No space left on device'
done
with_run size=4k,nr_inodes=2 'mkdir -m 700 /run/nsbox'
let_in "a register that is there on a full disk"
with_run size=4k 'mount -o remount,ro /run'
refused "a read-only disk without a register" 'step=registry .* on /run/nsbox: Read-only file system'
with_run size=4k 'mkdir -m 700 /run/nsbox; mount -o remount,ro /run'
let_in "a register that is there on a read-only disk"

# --- PIDs ---

# As many processes as there are numbers, but for some, as long as the command lives. In a PID namespace the first 300 are
# given out once only.
cat >"$T/fill" <<'END'
my $room = shift;
open my $max, ">", "/proc/sys/kernel/pid_max" or die; print $max 330; close $max or die;
my @children;
$^F = 255;
pipe my $end, my $held or die;
for (;;) {
    my $child = fork;
    last if !defined $child;
    if (!$child) { close $held; readline $end; exit }
    push @children, $child;
}
for (1 .. $room) {
    my $child = pop @children;
    kill "KILL", $child;
    waitpid $child, 0;
}
exec @ARGV;
END
if [ "$(printf '%s\n' 6.14 "$(uname -r)" | sort -V | head -1)" = 6.14 ]; then
    for room in 0 1 2; do
        snapshot
        attempt unshare --mount-proc --pid --fork --kill-child reaper --orphans perl "$T/fill" $room
        if [ $room -lt 2 ]; then
            refused "$room PIDs are free" 'step=clone .*: Resource temporarily unavailable'
        else
            let_in "$room PIDs are free"
        fi
    done
else
    skip "no PID is free" "before Linux 6.14 kernel.pid_max is the machine's own"
fi

# --- Namespaces: user.max_* in a user namespace of our own ---

if in-userns true 2>/dev/null; then
    for kind in mnt uts ipc pid net cgroup; do
        # The old cgroup file systems of such a machine are locked, and their place cannot be had for new ones.
        case $kind in
        cgroup) namespaces='uts, ipc, cgroup' ;;
        *) namespaces='mount, uts, ipc, pid, net' ;;
        esac
        printf '[default]\nNamespaces = %s\n' "$namespaces" | configure
        # Of each kind the machine that is made here has one.
        for room in 0 1 2 3 4 5 6; do
            snapshot
            attempt in-userns -l "max_${kind}_namespaces=$((1 + room))" "$LIB/own-root" unshare --net --cgroup reaper --orphans
            [ $status -ne 0 ] || break
            refused "user.max_${kind}_namespaces has room for $room" "step=(clone|sysfs|paths) .*user\.max_${kind}_namespaces"
        done
        let_in "user.max_${kind}_namespaces has room for $room"
        at_least $room 1 "user.max_${kind}_namespaces has room for $room, which is more than none"
    done
else
    skip "user.max_*_namespaces" "no user namespaces here, and the machine's own limits stay untouched"
fi

done_testing
