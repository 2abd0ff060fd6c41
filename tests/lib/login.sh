# shellcheck shell=bash
# What every login test sources first. The test starts itself again inside a machine of its own (lib/machine)
# and goes on below only there.
#
# Set from outside:
#   SOAK=1                  full length: the rounds of rounds()
#   NSBOX_TEST_MODULE=FILE  a shared object to install in place of pam_nsbox.so. With pam_permit.so every claim
#                           that rests on the module must fail: the way to see that a test can.
#   NSBOX_TEST_BUILD=FOLDER the build to test, within the checkout: "build" without this

set -u
umask 022

LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(cd "$LIB/../.." && pwd)
BUILD=$REPO/${NSBOX_TEST_BUILD:-build}

if [ "${NSBOX_TEST_MACHINE:-}" != "$(readlink /proc/self/ns/mnt)" ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "1..0 # SKIP only root can make a machine to log in to"
        exit 0
    fi
    if [ ! -x "$BUILD/tests/reaper" ]; then
        echo "Bail out! $BUILD/tests is not built: make tests-tools"
        exit 1
    fi
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root USER=root LOGNAME=root \
        SHELL=/bin/bash TERM=xterm LC_ALL=C.UTF-8 SOAK="${SOAK:-}" NSBOX_TEST_MODULE="${NSBOX_TEST_MODULE:-}" \
        NSBOX_TEST_BUILD="${NSBOX_TEST_BUILD:-build}" \
        unshare --mount --uts --ipc --net --pid --fork --kill-child \
        "$BUILD/tests/reaper" "$LIB/machine" "$(readlink /proc/self/ns/mnt)" \
        "$(cd "$(dirname "$0")" && pwd)/$(basename "$0")" "$@"
fi

# shellcheck source=tap.sh
. "$LIB/tap.sh"
# shellcheck source=state.sh
. "$LIB/state.sh"

T=/run/test                 # the test's own scratch folder: root's, and no part of what must be unchanged
LOG=$T/syslog               # all that was said to /dev/log
CONF=/etc/security/nsbox.conf
SSH_PORT=2222
HOLDER=nsbox-init

# Builds for which not every claim can be made: that of make sanitize, and that of make coverage.
with_sanitizers() {
    [ -e "$BUILD/sanitizers.so" ]
}

with_counts() {
    [ -e "$BUILD/counts.o" ]
}

# rounds SHORT LONG: how often to repeat something random; LONG with SOAK=1
rounds() {
    if [ -n "$SOAK" ]; then
        echo "$2"
    else
        echo "$1"
    fi
}

# configure <<'EOF': a new /etc/security/nsbox.conf
configure() {
    rm -f "$CONF"
    cat >"$CONF"
    chmod 644 "$CONF"
}

# pam_service NAME [LINE...]: a PAM stack of the usual modules; the lines follow, and where none of them names
# the module, the module's line is last
pam_service() {
    local name=$1
    shift
    {
        printf '%s\n' \
            'auth     sufficient pam_rootok.so' \
            'auth     required   pam_unix.so' \
            'account  required   pam_unix.so' \
            'session  required   pam_unix.so'
        [ $# -eq 0 ] || printf '%s\n' "$@"
        case "$*" in
        *pam_nsbox.so*) ;;
        *) echo 'session  required   pam_nsbox.so' ;;
        esac
    } >"/etc/pam.d/$name"
}

# as_alice COMMAND...: a login of alice by the test's own PAM application; what the session told is in $T/session
as_alice() {
    session --user alice -- "$@" 2>"$T/session" 3>&-
}

# box_open USER [SESSION_OPTION...]: a login that stays, with a shell that takes commands from box_do until box_close
box_open() {
    coproc BOX { exec session --user "$@" -- bash --norc 2>"$T/box" 3>&-; }
    # A command substitution does not see the descriptors of a coprocess, only ordinary ones.
    exec 7>&"${BOX[1]}" 8<&"${BOX[0]}"
    box_do :
}

# box_do COMMAND: runs it in that shell, prints what it prints, returns its status
box_do() {
    local line text=''
    # A shell that is gone closes its pipe, which is no reason for the test to end.
    (
        trap '' PIPE
        printf '%s\nprintf "\\n:end %%d\\n" $?\n' "$1" 2>/dev/null >&7
    ) || return 255
    while IFS= read -r -t 20 -u 8 line; do
        if [[ $line == ':end '* ]]; then
            text=${text%$'\n'}
            printf '%s' "$text"
            return "${line#:end }"
        fi
        text+=$line$'\n'
    done
    return 255
}

# box_close: the shell reads its end of file, the login ends; returns what the session returned
box_close() {
    local pid=$BOX_PID input=${BOX[1]}
    exec {input}>&- 7>&-
    wait "$pid"
    local status=$?
    exec 8<&-
    return "$status"
}

# --- The log ---

# from_here: log() shows only what comes after this
from_here() {
    LOG_FROM=$(($(stat -c %s "$LOG") + 1))
}

log() {
    tail -c "+$LOG_FROM" "$LOG"
}

LOG_FROM=1

# logged REGEX CLAIM: a line of the log matches; the log is a datagram away, so wait for it a moment
logged() {
    if until_ok 2 log_has "$1"; then
        pass "$2"
    else
        fail "$2" "expected in the log: $1" "the log: $(log)"
    fi
}

log_has() {
    log | grep -Eqi -- "$1"
}

# logged_times N REGEX CLAIM: as logged, of N lines
logged_times() {
    until_ok 2 log_has_times "$1" "$2"
    is "$(log | grep -Eci -- "$2")" "$1" "$3"
}

log_has_times() {
    [ "$(log | grep -Eci -- "$2")" -eq "$1" ]
}

# --- sshd ---

# start_sshd [SSHD_CONFIG_LINE...]: a server of our own on 127.0.0.1; the PAM service is sshd
start_sshd() {
    local sftp name
    sftp=$(ls /usr/lib/openssh/sftp-server /usr/libexec/openssh/sftp-server /usr/lib/ssh/sftp-server 2>/dev/null)
    if [ ! -e "$T/hostkey" ]; then
        ssh-keygen -q -t ed25519 -N '' -f "$T/hostkey"
        ssh-keygen -q -t ed25519 -N '' -f "$T/key"
        for name in root alice bob; do
            install -d -m 700 -o "$name" "$(home_of "$name")/.ssh"
            install -m 600 -o "$name" "$T/key.pub" "$(home_of "$name")/.ssh/authorized_keys"
        done
    fi
    {
        printf '%s\n' "$@"
        cat <<END
Port $SSH_PORT
ListenAddress 127.0.0.1
HostKey $T/hostkey
PidFile $T/sshd.pid
UsePAM yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PrintMotd no
PrintLastLog no
UseDNS no
X11Forwarding no
AcceptEnv LANG
MaxStartups 500:30:1000
MaxSessions 50
LogLevel INFO
Subsystem sftp ${sftp%%$'\n'*}
END
    } >"$T/sshd_config"
    mkdir -p /run/sshd
    rm -f "$T/sshd.pid"
    # sshd runs itself again by its absolute name.
    "$(command -v sshd)" -f "$T/sshd_config" </dev/null >"$T/sshd.out" 2>&1 || bail_out "sshd: $(cat "$T/sshd.out")"
    # It writes its PID only when it listens; a connection to try it would be a process in the next snapshot.
    until_ok 10 test -s "$T/sshd.pid" || bail_out "sshd does not come up: $(cat "$T/sshd.out")"
    SSH_OPTIONS=(-F /dev/null -i "$T/key" -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no
        -o IdentitiesOnly=yes -o LogLevel=ERROR -o BatchMode=yes -o ConnectTimeout=60)
}

stop_sshd() {
    local pid
    pid=$(cat "$T/sshd.pid")
    kill "$pid"
    until_ok 10 gone "$pid"
    rm -f "$T/sshd.pid"
}

# ssh_as USER [SSH_ARGUMENT...]
ssh_as() {
    local user=$1
    shift
    ssh "${SSH_OPTIONS[@]}" -p "$SSH_PORT" "$user@127.0.0.1" "$@"
}

# --- Odds and ends ---

not() {
    ! "$@"
}

home_of() {
    getent passwd "$1" | cut -d: -f6
}

# holders: the PIDs of all boxes' first processes, as the host sees them. One that has ended and waits for its parent to
# notice is none: its box is gone. nothing_left() sees it.
holders() {
    local file stat
    for file in /proc/[0-9]*/stat; do
        { read -r stat <"$file"; } 2>/dev/null || continue
        case $stat in
        *" ($HOLDER) Z "*) ;;
        *" ($HOLDER) "*) echo "${stat%% *}" ;;
        esac
    done
}

count_holders() {
    holders | wc -l
}

has_holders() {
    [ "$(count_holders)" -eq "$1" ]
}

gone() {
    [ ! -d "/proc/$1" ] || grep -q '^State:	Z' "/proc/$1/status" 2>/dev/null
}

# wait_for_text FILE REGEX [SECONDS]
wait_for_text() {
    until_ok "${3:-10}" grep -Eqs -- "$2" "$1"
}

# milliseconds: a clock
milliseconds() {
    echo $((${EPOCHREALTIME/./} / 1000))
}

# expect_script [NAME=VALUE...]: an expect(1) program on standard input; text that
# does not come in time, or an end too early, makes it fail. What it saw is in $T/expect.out.
expect_script() {
    {
        cat <<'END'
set timeout 20
proc want {pattern} {
    expect {
        -re $pattern { return $expect_out(0,string) }
        timeout { puts "\n--- expected in time: $pattern"; exit 101 }
        eof { puts "\n--- ended before: $pattern"; exit 102 }
    }
}
proc finish {} {
    expect {
        eof {}
        timeout { puts "\n--- does not end"; exit 103 }
    }
    exit [lindex [wait] 3]
}
END
        cat
    } >"$T/expect.tcl"
    env "$@" expect -f "$T/expect.tcl" >"$T/expect.out" 2>&1
}
