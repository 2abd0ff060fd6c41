#!/bin/bash
# Two hundred logins at once through sshd: all succeed, each in a box of its own, and nothing is left.
# Runs alone: it takes all of two processors.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service sshd
pam_service session
# The clients are root's and the logins alice's; a limit on processes of the distribution must not decide this.
start_sshd 'LoginGraceTime 300'
logins=$(rounds 200 500)
snapshot
from_here

# Every login stays until it is told to go, so that all boxes are there at the same moment.
cat >"$T/stay" <<'END'
#!/bin/bash
echo "$NSBOX $(readlink /proc/self/ns/pid) $(readlink /proc/self/ns/mnt) $(hostname) $(cat /proc/1/comm)" \
    "$(ps -eo comm= | grep -cvE '^(ps|grep|stay)$')"
echo stays
until [ -e /run/test/go ]; do sleep 1; done
END
chmod 755 "$T/stay"
mkdir "$T/crowd"

clients=()
for ((i = 1; i <= logins; i++)); do
    ssh "${SSH_OPTIONS[@]}" -o ConnectTimeout=250 -p "$SSH_PORT" alice@127.0.0.1 "$T/stay" >"$T/crowd/$i" 2>&1 3>&- </dev/null &
    clients+=($!)
done
all_stay() {
    [ "$(cat "$T"/crowd/* | grep -c '^stays')" -eq "$logins" ]
}
until_ok 240 all_stay
is "$(count_holders)" "$logins" "$logins boxes live at the same moment"
: >"$T/go"
failed=0
for client in "${clients[@]}"; do
    wait "$client" || failed=$((failed + 1))
done
is "$failed" 0 "all $logins logins succeed" || diag "$(grep -hv -e stays -e ' host-alice ' "$T"/crowd/* | sort | uniq -c | head)"

grep -h host-alice "$T"/crowd/* >"$T/views"
is "$(cut -d' ' -f1 "$T/views" | grep -E '^[a-z2-7]{10}$' | sort -u | wc -l)" "$logins" "each has a box id of its own"
is "$(cut -d' ' -f2 "$T/views" | sort -u | wc -l)" "$logins" "each has a PID namespace of its own"
is "$(cut -d' ' -f3 "$T/views" | sort -u | wc -l)" "$logins" "each has a mount namespace of its own"
is "$(cut -d' ' -f4,5 "$T/views" | sort -u)" "host-alice $HOLDER" "each has its hostname and nsbox-init as PID 1"
# nsbox-init and sshd's process for the user, beside those that look.
is "$(cut -d' ' -f6 "$T/views" | sort -u)" 2 "none sees a process of another"
nothing_left "nothing is left of $logins logins" 30
logged_times "$logins" ' opened box=' "the log tells of $logins boxes opened"
logged_times "$logins" ' stopped box=' "the log tells of $logins boxes stopped"

# --- A system log whose queue is full: it holds as few as ten messages ---

# end_thirty SECONDS: thirty callers are killed while the log takes nothing for so long
end_thirty() {
    local callers=() i
    rm -f "$T"/callers/*
    for ((i = 1; i <= 30; i++)); do
        session --user alice -- /bin/sleep 300 2>"$T/callers/$i" 3>&- &
        callers+=($!)
    done
    until_ok 60 eval '[ "$(count_holders)" -eq 30 ] && [ "$(from_here_opened)" -eq 30 ]'
    pkill -STOP -x logsink
    kill -KILL "${callers[@]}"
    wait "${callers[@]}" 2>/dev/null
    sleep "$1"
}
from_here_opened() {
    log | grep -c ' opened box='
}

mkdir "$T/callers"
from_here
end_thirty 0.3
pkill -CONT -x logsink
nothing_left "nothing is left of thirty boxes that ended while the log was busy" 30
until_ok 10 eval '[ "$(log | grep -c " stopped box=")" -eq 30 ]'
is "$(log | grep -c ' stopped box=')" 30 "the log tells of all of them, once it takes messages again"

from_here
end_thirty 0
nothing_left "boxes end although the log takes no messages at all" 30
pkill -CONT -x logsink

done_testing
