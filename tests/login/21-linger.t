#!/bin/bash
# Linger: what outlives a login, and how the next one finds it.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
pam_service sshd
configure <<END
[default]
Scope = user
Linger = yes
PrivateTmp = yes
TimeoutStopSec = 20s
END
start_sshd
snapshot

processes() {
    find /proc -maxdepth 1 -name '[0-9]*' | wc -l
}

context_switches() {
    awk '/ctxt_switches/ { sum += $2 } END { print sum }' "/proc/$1/status"
}

# --- ssh, tmux, cut the connection, ssh, tmux attach ---

from_here
expect_script USER_OPTIONS="${SSH_OPTIONS[*]}" <<END
spawn -noecho ssh ${SSH_OPTIONS[*]} -tt -p $SSH_PORT alice@127.0.0.1
want "\\\\$ "
send "tmux -f /dev/null new-session -s work\r"
want "0:"
send "echo in-\\\$((40 + 2)) \\\$NSBOX\r"
want "in-42 (\[a-z2-7\]+)"
set ssh [exp_pid]
exec kill -KILL \$ssh
exit 0
END
is $? 0 'a user starts tmux over ssh, and the connection is cut'
first=$(grep -ao 'in-42 [a-z2-7]*' "$T/expect.out" | head -n 1)
logged 'lingering .*processes=' 'the log says that the box lingers'
is "$(count_holders)" 1 'the box lingers as long as a process lives in it'
holder=$(holders)
before=$(context_switches "$holder")
sleep 3
is "$(context_switches "$holder")" "$before" 'a lingering box never wakes up'
expect_script <<END
spawn -noecho ssh ${SSH_OPTIONS[*]} -tt -p $SSH_PORT alice@127.0.0.1
want "\\\\$ "
send "echo now-\\\$((40 + 2)) \\\$NSBOX; tmux attach -t work\r"
want "now-42 (\[a-z2-7\]+)"
want "in-42 (\[a-z2-7\]+)"
send "exit\r"
want "exited"
send "exit\r"
finish
END
is $? 0 'the user logs in again and attaches to tmux'
is "$(grep -ao 'now-42 [a-z2-7]*' "$T/expect.out" | head -n 1)" "now-${first#in-}" 'in the same box, with the same private /tmp'
nothing_left 'when its last process has ended, the lingering box ends'
logged 'stopped .*ended_by_force=0' 'and the log says that nothing was ended by force'

# --- without a login, without a process ---

as_alice true
nothing_left 'a box with Linger=yes and nothing in it ends with its last login'

# A process whose parent lies outside the box: no SIGCHLD tells of its end.
session --user alice -- sh -c 'echo $NSBOX; exec sleep 4910' >"$T/out" 2>&1 3>&- &
caller=$!
until_ok 5 pgrep -f '^sleep 4910' >"$T/found"
kill -KILL "$caller"
wait "$caller" 2>/dev/null
sleep 1.5
is "$(count_holders)" 1 'a box lingers for a process whose login was killed'
pkill -f '^sleep 4910'
nothing_left 'and ends when that process does'

# --- stopped by hand ---

as_alice sh -c 'setsid sleep 4911 >/dev/null 2>&1 </dev/null &'
is "$(count_holders)" 1 'a job that was left behind keeps its box'
start=$(milliseconds)
kill -TERM "$(holders)"
nothing_left 'a lingering box can be stopped'
at_most $(($(milliseconds) - start)) 10000 'at once, if its processes end when they are asked'

stop_sshd
# --- nsbox-init has no descriptor left ---

configure <<'END'
[default]
Scope = user
Linger = yes
END
snapshot
box_open alice
holder=$(holders)
id=$(box_do 'setsid sleep 4913 >/dev/null 2>&1 & echo $NSBOX')
until_ok 5 pgrep -fx 'sleep 4913' >/dev/null
from_here
prlimit --pid "$holder" --nofile=8: # of its nine
box_close
sleep 2
ok 'an nsbox-init that cannot look whether anybody lives in its box does not end it' pgrep -fx 'sleep 4913' >/dev/null
prlimit --pid "$holder" --nofile=1024:
logged "lingering box=\"$id\"" 'it looks again'
is "$(session --user alice -- printenv NSBOX 2>/dev/null)" "$id" 'and the next login joins it'
pkill -fx 'sleep 4913'
nothing_left 'it ends when nobody lives in it any more'

done_testing
