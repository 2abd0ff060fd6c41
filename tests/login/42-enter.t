#!/bin/bash
# nsboxctl enter: a command, or a working terminal, in somebody's live box, with what the box allows itself.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
configure <<'END'
[policy confined]
Users = bob
NoNewPrivileges = yes
CapabilityBoundingSet = CAP_CHOWN, CAP_SETUID, CAP_SETGID, CAP_KILL
Namespaces = mount, uts, ipc, pid, net

[policy alone]
Users = alice
PrivateTmp = yes
END
# box_gone: the box has ended, and its login with it
box_gone() {
    exec 7>&- 8<&-
    wait 2>/dev/null
}
snapshot
box_open alice
id=$(box_do 'echo $NSBOX')
box_do 'echo from inside >/tmp/note'
box_do 'echo $PPID $$ >/tmp/pids; sleep 4351 & :'
holder=$(nsboxctl list --noheadings -o PID | xargs)

# --- A command ---

is "$(nsboxctl enter "$id" -- hostname)" host-alice "the command runs in the box: its hostname"
is "$(nsboxctl enter "$id" -- cat /tmp/note)" "from inside" "... its files"
is "$(nsboxctl enter "$id" -- ps -e -o comm= | sort | xargs)" "bash nsbox-init ps sleep" "... its processes"
for kind in mnt uts ipc pid pid_for_children; do
    is "$(nsboxctl enter "$id" -- readlink "/proc/self/ns/$kind")" "$(readlink "/proc/$holder/ns/${kind%_for*}")" "... its namespace: $kind"
done
is "$(nsboxctl enter "${id:0:7}" -- id -un)" root "it is root, where nobody else is named; the beginning of the id will do"
is "$(nsboxctl enter "$id" -u alice -- id)" "$(su alice -c id 2>/dev/null)" "-u: that user with its groups"
is "$(nsboxctl enter "$id" -u alice -- sh -c 'echo $HOME $USER $NSBOX; pwd' | xargs)" \
    "$(home_of alice) alice $id $(home_of alice)" "... and its environment"
is "$(echo through | nsboxctl enter "$id" -- cat)" through "standard input and output go through"
is "$(nsboxctl enter "$id" -- sh -c 'echo error >&2' 2>&1 >/dev/null)" error "standard error is apart"
for status in 0 3 255; do
    nsboxctl enter "$id" -- sh -c "exit $status"
    is $? "$status" "exit status $status comes back"
done
nsboxctl enter "$id" -- sh -c 'kill -TERM $$'
is $? 143 "a signal comes back as 128 and its number"
nsboxctl enter "$id" -- /no/such/program 2>/dev/null
is $? 127 "a command that is not there is 127"
is "$(nsboxctl enter "$id" -- sh -c 'ls /proc/self/fd | xargs')" "0 1 2 3" "no descriptor of the host gets in (3 is ls's own)"
like "$(nsboxctl enter "$id" -u nobody-of-that-name -- id 2>&1; echo "status $?")" "there is no user.*status 1$" \
    "an unknown user is said to be so"

logged "joined box=\"$id\" policy=\"alone\" user=\"alice\" service=\"nsboxctl\" from=\"\" tty=.* lease=[0-9]+ leases=2$" "the log tells who enters"
logged_times 0 "joined .*service=\"nsboxctl\".*note=" "... a box whose policy is as it was"

# --- It holds the box ---

nsboxctl enter "$id" -- sh -c 'echo in; sleep 4352' >"$T/out" &
enter=$!
wait_for_text "$T/out" in
is "$(nsboxctl list --noheadings -o LEASES | xargs)" 2 "whoever enters has a lease"
box_close
is "$(nsboxctl list --noheadings -o BOX,LEASES | xargs)" "$id 1" "the login ends, and the box stays as long as somebody has entered it"
kill -TERM $enter
wait $enter
is $? 143 "SIGTERM is passed on to the command"
nothing_left "then the box ends, and nothing is left"

# --- With what the box allows itself ---

ulimit -S -n 321
ulimit -c 0
box_open bob
ulimit -S -n 1024
id=$(box_do 'echo $NSBOX')
confined=$(nsboxctl enter "$id" -- sh -c 'grep -E "^(CapBnd|CapEff|NoNewPrivs)" /proc/self/status; ulimit -S -n' 2>"$T/err")
is "$confined" "$(printf 'CapEff:\t00000000000000e1\nCapBnd:\t00000000000000e1\nNoNewPrivs:\t1\n321')" \
    "the bounding set, no_new_privs and the limits are the box's"
is "$(nsboxctl enter "$id" -- ls /sys/class/net 2>/dev/null | xargs) $(nsboxctl enter "$id" -- readlink /proc/self/ns/net)" \
    "$(nsboxctl enter "$id" -- ls /sys/class/net | xargs) $(readlink "/proc/$(nsboxctl list --noheadings -o PID | xargs)/ns/net")" \
    "a network namespace is joined too"
box_close

# --- A terminal ---

box_open alice
id=$(box_do 'echo $NSBOX')
terminal() {
    expect_script <<END
spawn bash --norc
send "PS1='out''side> '; stty cols 83 rows 31; before=\\\$(stty -g)\r"
want "outside> "
send "nsboxctl enter $id -u alice -- bash --norc\r"
want "\\\\$ "
send "PS1='in''side> '; stty size; tty; ps -o tty= -p \\\$\\\$; stat -c %U \\\$(tty)\r"
want "31 83"
want "/dev/pts/\[0-9\]+"
want "pts/\[0-9\]+"
want "alice"
want "inside> "

send "trap 'stty size' WINCH\r"
want "inside> "
# Two changes: bash may not come to act on the second by itself.
stty rows 40 columns 120 < \$spawn_out(slave,name)
want "40 (83|120)"
send "stty size\r"
want "40 120"

send "sleep 4353\r"
sleep 0.3
send "\032"
want "Stopped"
want "inside> "
send "fg\r"
want "sleep 4353"
sleep 0.3
send "\003"
want "inside> "
send "echo status=\\\$?.\r"
want "status=130\\\\."
want "inside> "
send "cat\r"
sleep 0.2
send "typed\r\004"
want "typed\[\r\n\]+typed"
want "inside> "
send "exit 7\r"
want "outside> "
send "echo status=\\\$?.; test \"\\\$(stty -g)\" = \"\\\$before\" && echo sa''me\r"
want "status=7\\\\."
want "same"

# The box ends under somebody who is in it.
send "nsboxctl enter $id -- sh\r"
want "# "
exec nsboxctl stop --now $id
want "outside> "
send "echo status=\\\$?.; test \"\\\$(stty -g)\" = \"\\\$before\" && echo sa''me\r"
want "status=137\\\\."
want "same"
send "exit 5\r"
finish
END
}
terminal
is $? 5 "a terminal: of the user's own, with window size and its changes, Ctrl-Z, fg, Ctrl-C, Ctrl-D; and the outer one is as before, also when the box is stopped" ||
    diag "$(cat "$T/expect.out")"
box_gone
nothing_left "entering by a terminal leaves nothing"

box_open alice
id=$(box_do 'echo $NSBOX')
killed() {
    expect_script <<END
spawn nsboxctl enter $id -u alice -- sh -c {sleep 4354 & sleep 4355}
sleep 0.5
exec kill -KILL [exp_pid]
finish
END
}
killed
ok "nsboxctl killed: what it ran ends with its terminal" until_ok 5 not pgrep -f 'sleep 4355'
is "$(box_do 'echo alive')" alive "... and the login goes on"
script -qec "nsboxctl enter $id -u alice -- tty" /dev/null >"$T/out" </dev/null
like "$(cat "$T/out")" '/dev/pts/[0-9]+' "a terminal that sends nothing will do"
script -qec "nsboxctl enter $id -- sh -c 'test -t 0 && test ! -t 1 && stat -Lc %d:%i /dev/fd/1' >$T/redirected" /dev/null </dev/null >/dev/null
is "$(cat "$T/redirected")" "$(stat -c %d:%i "$T/redirected")" "output that was redirected stays so, beside a terminal on standard input"
echo typed by root | script -qec "nsboxctl enter $id -u alice -- sh -c 'tty; head -c 5 <&1; head -c 5 <&2; echo there' </dev/null" /dev/null >"$T/out"
is "$(tr -d '\r' <"$T/out" | grep -Ev '^typed by root$|Bad file descriptor')" "not a tty
there" "without a terminal on standard input it cannot read from that on the others"
is "$(setsid -w script -qec "setsid -w nsboxctl enter $id -- echo through </dev/null >/dev/tty" /dev/null </dev/null | tr -d '\r')" through \
    "... where it can write alone nothing is changed"
big=$(script -qec "nsboxctl enter $id -- sh -c 'stty -opost; head -c 300000 /dev/zero | tr \\\\0 x'" /dev/null </dev/null | tr -cd x | wc -c)
is "$big" 300000 "nothing of a long output is lost at its end"
box_close

# --- What cannot be entered ---

like "$(nsboxctl enter aaaaaaaaaa -- true 2>&1; echo "status $?")" "no live box.*status 1$" "a box that is none"
box_open alice
id=$(box_do 'echo $NSBOX')
kill -STOP "$(nsboxctl list --noheadings -o PID | xargs)"
like "$(nsboxctl enter "$id" -- true 2>&1; echo "status $?")" "^nsboxctl enter: .*does not answer.*status 1$" "a box that does not answer"
kill -KILL "$(holders)"
box_gone
nothing_left "entering leaves nothing"

done_testing
