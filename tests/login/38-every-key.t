#!/bin/bash
# Every key of the table in policy/keys.c: what it does is seen from inside a real login, and not without it, nor outside;
# a wrong value refuses the logins that its section decides, and no others, and the log names file and line. A key of the
# table that has no row here fails. What a key does in more detail has tests of its own (20 to 37).

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session 'account required pam_nsbox.so' "session required $BUILD/tests/pam_items.so $T/items" \
    'session required pam_nsbox.so'

# What keys can tell apart: a folder that everybody may write to, a program, a setuid program, a network namespace.
mount -t tmpfs -o mode=755 srv /srv
mkdir -m 1777 /srv/data /srv/other
mkdir /srv/late
echo data >/srv/data/file
echo other >/srv/other/file
printf '#!/bin/sh\necho ran\n' >/srv/data/run
chmod 755 /srv/data/run
cp "$(command -v id)" /srv/setuid-id
chmod 4755 /srv/setuid-id
: >/tmp/of-host
ip netns add alice
groupadd students
usermod --append --groups students alice

network=$(readlink /proc/self/ns/net)
named_network=$(ip netns exec alice readlink /proc/self/ns/net)
capabilities=$(awk '/^CapBnd/ { print $2 }' /proc/self/status)

policy() {
    printf '%s\n' '; a comment' '[policy test]' "$@" | configure
}

# --- How what a key does is seen, where a command inside cannot tell; each is for a login of the user ---

see_Propagation() {
    box_open "$1"
    mount -t tmpfs late /srv/late
    box_do 'findmnt -no SOURCE /srv/late'
    umount /srv/late
    box_close
}

see_Scope() {
    local box
    box_open "$1"
    box=$(box_do 'echo $NSBOX')
    session --user "$1" -- sh -c "[ \$NSBOX = $box ] && echo same || echo another" 2>"$T/session"
    box_close
}

see_Linger() {
    session --user "$1" -- sh -c 'sleep 4338 >/dev/null 2>&1 &' 2>"$T/session"
    session --user "$1" -- pgrep -cfx 'sleep 4338' 2>"$T/session"
    stop_boxes
}

see_TimeoutStopSec() {
    session --user "$1" -- bash -c 'trap "" TERM HUP; echo $BASHPID >/srv/data/pid; while :; do read -rt 1; done <> <(:) &
        until [ -s /srv/data/pid ]; do sleep 0.02; done' >/dev/null 2>"$T/session"
    if until_ok 4 has_holders 0; then
        echo killed
    else
        echo left
    fi
    until_ok 10 has_holders 0
    rm -f /srv/data/pid
}

see_EphemeralPaths() {
    session --user "$1" -- sh -c 'echo mine >/srv/data/mine && cat /srv/data/file /srv/data/mine' 2>"$T/session"
    ls /srv/data/mine 2>/dev/null && rm /srv/data/mine
}

# What a module in the place of pam_systemd reads; tests/matrix has the real one, and 32-limits.t what comes without it.
see_limit() {
    session --account --user "$1" -- true 2>"$T/session"
    cat "$T/items"
}
for key in TasksMax MemoryMax CPUWeight IOWeight RuntimeMaxSec; do
    eval "see_$key() { see_limit \"\$@\"; }"
done

stop_boxes() {
    nsboxctl list --noheadings -o BOX | xargs --no-run-if-empty nsboxctl stop --now >/dev/null 2>&1
    until_ok 5 has_holders 0
}

# --- The rows ---

declare -A rows=()

# key KEY WRONG VALUE PROBE INSIDE WITHOUT OUTSIDE [LINE...]: under a policy of these lines and KEY = VALUE a login sees
# INSIDE, under these lines alone WITHOUT. OUTSIDE is what the host sees at the same time; or, for a key that has a function
# above, what the login of somebody sees whom the policy is not for.
key() {
    local key=$1 wrong=$2 value=$3 probe=$4 inside=$5 without=$6 outside=$7 see=command_inside seen
    shift 7
    rows[$key]=1
    case $key in Users | Groups | Services) ;; *) set -- 'Users = alice' "$@" ;; esac
    ! declare -F "see_$key" >/dev/null || see=see_$key
    policy "$@"
    is "$($see alice "$probe" | xargs)" "$without" "$key: without it a login sees \"$without\""
    policy "$key = $value" "$@"
    is "$($see alice "$probe" | xargs)" "$inside" "$key = $value: a login sees \"$inside\"" || diag "$(tail -n 2 "$LOG")"
    if [ "$see" = command_inside ]; then
        box_open alice
        seen=$(setpriv --reuid alice --regid alice --init-groups sh -c "$probe" 2>/dev/null | xargs)
        box_close
    else
        seen=$($see bob "$probe" | xargs)
    fi
    is "$seen" "$outside" "$key = $value: outside \"$outside\" is seen"
    is_wrong "$key" "$wrong"
}

command_inside() {
    session --user "$1" -- sh -c "$2" 2>"$T/session"
}

# is_wrong KEY VALUE
is_wrong() {
    local match='Users = alice'
    [ "$1" != Users ] || match='Services = session'
    policy "$match" "$1 = $2"
    from_here
    session --user alice --state -- true 2>"$T/session"
    is $? 120 "$1 = $2: the login is refused"
    like "$(cat "$T/session")" 'state: unchanged' "$1 = $2: the caller is what it was"
    logged "$CONF:4: .*$1.*expected " "$1 = $2: the log names file, line and key, and what was expected"
    is "$(session --user bob -- hostname 2>/dev/null)" host-bob "$1 = $2: somebody else gets in"
}

write='echo x >/srv/data/x && echo written; rm -f /srv/data/x'

key Users 'alice,,' alice hostname chosen host-alice host.example 'Hostname = chosen'
key Groups 'students,,' students hostname chosen host-alice host.example 'Hostname = chosen'
key Services 'session,,' session hostname chosen host-alice host.example 'Hostname = chosen'
key Enabled perhaps no hostname host.example host-alice host.example
key Namespaces 'mount, time' 'mount, uts, net' "[ \$(readlink /proc/self/ns/net) = $network ] && echo host" '' host host
key Propagation rshared rprivate '' '' late late
key Hostname %x 'of-%u' hostname of-alice host-alice host.example
key ProtectProc hidden invisible 'ls -d /proc/1' '' /proc/1 /proc/1
key ProcSubset none pid 'ls -d /proc/meminfo' '' /proc/meminfo /proc/meminfo
key Scope group user '' same another another
key Linger sometimes yes '' 1 0 0 'Scope = user'
key TimeoutStopSec soon 300ms '' killed left left
key OnError panic allow hostname host.example '' host.example 'ReadOnlyPaths = /no/such/folder'
key PrivateTmp shared yes 'ls /tmp' '' of-host of-host
key TemporaryFileSystem /srv:size=lots /srv/data 'ls /srv/data' '' 'file run' 'file run'
key BindPaths srv:/mnt /srv/other:/srv/data "cat /srv/data/file; $write" 'other written' 'data written' 'data written'
key BindReadOnlyPaths /srv:/mnt:sideways /srv/other:/srv/data "cat /srv/data/file; $write" other 'data written' 'data written'
key ReadOnlyPaths usr /srv/data "$write" '' written written
key ReadWritePaths /home/../etc /srv/data "$write" written '' written 'ReadOnlyPaths = /srv'
key InaccessiblePaths /etc,,/usr /srv/data 'cat /srv/data/file' '' data data
key NoExecPaths /tmp:/x /srv /srv/data/run '' ran ran
key ExecPaths - /srv/data /srv/data/run ran '' ran 'NoExecPaths = /srv'
# shellcheck disable=SC2088 # a tilde is what is wrong with the value
key EphemeralPaths '~/x' /srv/data '' 'data mine' 'data mine /srv/data/mine' 'data mine /srv/data/mine'
key NetworkNamespacePath blue /run/netns/%u "[ \$(readlink /proc/self/ns/net) = $named_network ] && echo named" named '' ''
key NoNewPrivileges 2 yes '/srv/setuid-id -u' "$(id -u alice)" 0 0
key CapabilityBoundingSet CAP_EVERYTHING CAP_KILL "awk '/^CapBnd/ { print \$2 }' /proc/self/status" 0000000000000020 \
    "$capabilities" "$capabilities"
key TasksMax 0 77 '' systemd.tasks_max=77 '' ''
key MemoryMax -1 300M '' systemd.memory_max=300M '' ''
key CPUWeight 0 50 '' systemd.cpu_weight=50 '' ''
key IOWeight 10001 20 '' systemd.io_weight=20 '' ''
key RuntimeMaxSec forever 8h '' systemd.runtime_max_sec=8h '' ''

is "$(printf '%s\n' "${!rows[@]}" | LC_ALL=C sort)" "$(sed -n 's/^\.It Cm //p' "$BUILD/man/keys" | LC_ALL=C sort)" \
    "the rows are the keys of the table, every one"

# --- Wrong in other ways ---

while IFS='|' read -r name value; do
    is_wrong "$name" "$value"
done <<'END'
PrivateTmp|
TemporaryFileSystem|/
TemporaryFileSystem|/srv:mode=9
BindPaths|/srv:/
InaccessiblePaths|/
EphemeralPaths|/
NoNewPrivileges|
TasksMax|101%
TasksMax|0100
MemoryMax|0
MemoryMax|0%
CPUWeight|100%
IOWeight|idle
RuntimeMaxSec|0
END
policy 'Users = alice' 'EphemeralPaths = /srv, /'
from_here
session --user alice -- true 2>"$T/session"
logged "$CONF:4: .*EphemeralPaths.*/ itself cannot be replaced; name the folders in it" \
    "EphemeralPaths = /: the log says what to do instead"
ok "no box is left" until_ok 5 has_holders 0

done_testing
