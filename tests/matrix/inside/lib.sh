# shellcheck shell=bash
# What the checks inside a system share.

. /matrix/lib/tap.sh

# A key exchange that is safe from quantum computers is all that an emulated processor does for seconds.
SSH_OPTIONS=(-F /dev/null -o KexAlgorithms=curve25519-sha256 -i /root/.ssh-key -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no
    -o IdentitiesOnly=yes -o LogLevel=ERROR -o ConnectTimeout=120)
PROBES=/var/lib/probe
T=$(mktemp -d /root/check.XXXXXX)
# How many times as long as at best things may take: ten in software emulation. There, to look is what takes the time.
SLOW=$(cat /matrix/slow)
TAP_POLL=0.02
[ "$SLOW" -lt 10 ] || TAP_POLL=0.5

ssh_as() {
    local user=$1
    shift
    timeout $((30 * SLOW)) ssh "${SSH_OPTIONS[@]}" -o BatchMode=yes "$user@127.0.0.1" "$@"
}

# --- the state of the host ---

holders() {
    grep -lx nsbox-init /proc/[0-9]*/comm 2>/dev/null | cut -d / -f 3
}

count_holders() {
    holders | wc -l
}

# Mounts but those that logind makes and takes away.
host_mounts() {
    awk '$5 !~ "^/run/user/" { print $5, $9, $10 }' /proc/self/mountinfo | sort
}

# what_is_left: a line for everything that a closed box must not leave; nothing, if all is well
what_is_left() {
    local holders mounts
    holders=$(holders)
    [ -z "$holders" ] || echo "nsbox-init is still there: $holders"
    mounts=$(diff <(echo "$MOUNTS_BEFORE") <(host_mounts) | grep '^[<>]')
    [ -z "$mounts" ] || echo "mounts: $mounts"
    [ "$(cat /proc/1/comm)" = systemd ] || echo "/proc is not the host's"
    [ ! -d /run/nsbox ] || find /run/nsbox -mindepth 1
}

nothing_left() {
    [ -z "$(what_is_left)" ]
}

# --- the log ---

log_here() {
    LOG_FROM=$(($(stat -c %s /var/log/auth.log 2>/dev/null || echo 0) + 1))
}

log() {
    tail -c "+$LOG_FROM" /var/log/auth.log | grep nsbox
}

log_has() {
    log | grep -Eq -- "$1"
}

# --- one application ---

probe_ready() {
    [ -e "$PROBES/$1" ]
}

# decided NAME: a job that nobody waits for has run, or was refused
decided() {
    probe_ready "$1" || log_has 'refused .*user="alice"'
}

fact() {
    sed -n "s/^$2=//p" "$PROBES/$1" 2>/dev/null
}

# begin NAME: before the application runs
begin() {
    rm -f "$PROBES/$1"
    MOUNTS_BEFORE=$(host_mounts)
    log_here
}

# wrong_with NAME USER EXPECTED: a line for everything that is not as promised about a probe. EXPECTED is box, no-pid (a
# box without a PID namespace) or no-box.
wrong_with() {
    local name=$1 user=$2 expected=$3 kind inside
    if ! until_ok $((10 * SLOW)) probe_ready "$name"; then
        echo "nothing ran"
        return
    fi
    [ "$(fact "$name" user)" = "$user" ] || echo "ran as $(fact "$name" user)"
    case $name in
    *_pty | login | run0) [[ $(fact "$name" tty) == /dev/pts/* ]] || echo "its terminal is $(fact "$name" tty)" ;;
    ssh | cron | cronie | atd) [ "$(fact "$name" tty)" = 'not a tty' ] || echo "it has a terminal: $(fact "$name" tty)" ;;
    esac
    for kind in mnt uts ipc pid; do
        inside=$(fact "$name" $kind)
        if [ "$expected" = no-box ] || { [ "$expected" = no-pid ] && [ $kind = pid ]; }; then
            [ "$inside" = "$(readlink /proc/self/ns/$kind)" ] || echo "$kind is not the host's"
        else
            [ -n "$inside" ] && [ "$inside" != "$(readlink /proc/self/ns/$kind)" ] || echo "$kind is the host's"
        fi
    done
    case $expected in
    box)
        [ "$(fact "$name" init)" = nsbox-init ] || echo "process 1 is $(fact "$name" init)"
        ;;&
    box | no-pid)
        [ "$(fact "$name" hostname)" = "matrix-host-$user" ] || echo "the host name is $(fact "$name" hostname)"
        ;;
    no-box)
        [ "$(fact "$name" hostname)" = matrix-host ] || echo "the host name is $(fact "$name" hostname)"
        ;;
    esac
}

# after NAME USER EXPECTED SERVICE CLAIM: the verdict, as one claim
after() {
    local name=$1 user=$2 expected=$3 service=$4 claim=$5 wrong
    wrong=$(wrong_with "$name" "$user" "$expected")
    if ! until_ok $((15 * SLOW)) nothing_left; then
        wrong+=$'\n'$(what_is_left)
    fi
    case $expected in
    box) until_ok 5 log_has "opened .*service=\"$service\"" || wrong+=$'\n'"the log has no line about its opening" ;;
    no-pid)
        until_ok 5 log_has "opened .*service=\"$service\".*no PID namespace" ||
            wrong+=$'\n'"the log does not say that it has no PID namespace"
        ;;
    no-box)
        until_ok 5 log_has "not boxed .*service=\"$service\"" || wrong+=$'\n'"the log does not say that it is not boxed"
        ;;
    esac
    [ "$expected" = no-box ] || until_ok 5 log_has 'nsbox-init.*stopped ' || wrong+=$'\n'"the log has no line about the end"
    if [ -z "${wrong//$'\n'/}" ]; then
        pass "$claim"
    else
        fail "$claim" "${wrong#$'\n'}" "$(tail -n 15 "$T/out" 2>/dev/null)" "log: $(log | tail -n 5)"
    fi
}

# on_pty COMMAND...: on a pseudo-terminal of its own
on_pty() {
    timeout $((30 * SLOW)) ./on-pty $((25 * SLOW)) "$@"
}

# --- a session that stays ---

# session_open USER [COMMAND...]: a login whose shell takes commands from session_do
session_open() {
    local user=$1
    shift
    rm -f "$T/in" "$T/session"
    mkfifo "$T/in"
    : >"$T/session"
    if [ $# -eq 0 ]; then
        set -- ssh "${SSH_OPTIONS[@]}" -o BatchMode=yes "$user@127.0.0.1" bash --norc
    fi
    "$@" <"$T/in" >>"$T/session" 2>&1 3>&- &
    SESSION_PID=$!
    exec 6>"$T/in"
    session_do :
}

# session_do COMMAND: prints what it prints, returns its status; 255 if it does not end in time
session_do() {
    local mark=$RANDOM$RANDOM status
    printf '{ %s\n} 2>&1; echo ":end %s $?"\n' "$1" "$mark" >&6 || return 255
    until_ok $((30 * SLOW)) grep -q "^:end $mark " "$T/session" || return 255
    status=$(sed -n "s/^:end $mark //p" "$T/session")
    sed "/^:end $mark /,\$d" "$T/session"
    : >"$T/session"
    return "$status"
}

# session_close: returns whether it ended in time
session_close() {
    exec 6>&-
    until_ok $((20 * SLOW)) not_there "$SESSION_PID"
}

not_there() {
    ! kill -0 "$1" 2>/dev/null
}
