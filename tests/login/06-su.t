#!/bin/bash
# su: the working directory stays, and what the command returns comes back unchanged.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

for service in session su su-l; do
    pam_service "$service"
done
configure <<'END'
[policy nobody]
Users   = bob
Enabled = no

[policy administrators]
Users = root
END
snapshot

# --- The working directory ---

is "$(su alice -c 'hostname')" host-alice "su runs its command in a box"
mkdir -p "/tmp/a folder/inner"
chmod 777 "/tmp/a folder/inner"
cd "/tmp/a folder/inner" || exit 1
is "$(su alice -c 'pwd -P')" "/tmp/a folder/inner" "su without - keeps the working directory"
is "$(su alice -c 'stat -c %d:%i .')" "$(stat -c %d:%i .)" "it is the very directory, not one of the same name"
su alice -c 'echo written >file'
is "$(cat file)" written "what the command writes there is there outside"
is "$(su - alice -c 'pwd -P')" "$(home_of alice)" "su - goes home"
is "$(pwd -P)" "/tmp/a folder/inner" "the shell that called su has not moved"
cd / || exit 1
rm -r "/tmp/a folder"

# --- Exit codes and signals: as without a box, which bob has not ---

is "$(su bob -c 'echo $NSBOX.')" . "the one to compare with has no box"
cat >"$T/compared" <<'END'
true
false
exit 7
exit 126
exit 127
exit 255
no-such-command
kill -TERM $$
kill -KILL $$
kill -INT $$
kill -HUP $$
kill -PIPE $$
kill -USR1 $$
kill -SEGV $$
sh -c 'kill -TERM $$'
sh -c 'kill -KILL $$'; exit 3
nohup true; exit 4
sleep 0.1 & wait $!; exit 5
(sleep 0.2 &) ; exit 6
END
ulimit -c 0
while read -r command; do
    su alice -c "$command" >"$T/boxed" 2>&1
    boxed=$?
    su bob -c "$command" >"$T/unboxed" 2>&1
    unboxed=$?
    is "$boxed" "$unboxed" "su returns $unboxed for: $command"
done <"$T/compared"
is "$(diff "$T/boxed" "$T/unboxed")" "" "and says the same"
nothing_left "nothing is left of any of them"

# --- Signals to su ---

for signal in TERM INT HUP QUIT; do
    for user in bob alice; do
        setsid --wait su "$user" -c 'sleep 4501' >"$T/out" 2>&1 &
        wrapper=$!
        until_ok 5 pgrep -fx 'sleep 4501' >/dev/null
        pkill "-$signal" -f "^su $user -c sleep 4501"
        sleep 0.2
        # What su ignores it ignores with and without a box; then the command is ended by hand.
        pgrep -fx 'sleep 4501' >/dev/null && ended=no || ended=yes
        pkill -KILL -fx 'sleep 4501'
        wait $wrapper
        result[${#user}]="$? $ended"
    done
    is "${result[5]}" "${result[3]}" "SIG$signal to su does what it does without a box (status ${result[3]% *}, command ended: ${result[3]#* })"
done
nothing_left "nothing is left when su is ended by a signal"

# --- A terminal of its own, a login from inside a box ---

is "$(su --pty alice -c 'tty; hostname' </dev/null | tr -d '\r' | xargs)" "/dev/pts/0 host-alice" "su --pty gives the box a terminal"
box_open root
outer=$(box_do 'echo $NSBOX $(readlink /proc/self/ns/pid)')
inner=$(box_do "su alice -c 'echo \$NSBOX \$(readlink /proc/self/ns/pid); hostname; cat /proc/1/comm'")
like "$outer" '^[a-z2-7]{10} pid' "root, named by a policy, is in a box"
isnt "${inner%% *}" "${outer%% *}" "su from inside a box makes a box of its own within"
like "$inner" $'\n'"host-root-alice"$'\n'"$HOLDER\$" "the inner box is as every box; its host is the outer one"
until_ok 5 has_holders 1
is "$(count_holders)" 1 "the inner box ends before the outer one"
box_close
nothing_left "boxes within boxes leave nothing"

done_testing
