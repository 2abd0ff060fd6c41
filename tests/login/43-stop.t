#!/bin/bash
# nsboxctl stop: polite first, and it waits until the box is gone.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
pam_service sshd
pam_service sudo
start_sshd
configure <<'END'
[policy slow]
Users = bob
TimeoutStopSec = 2s
END
# box_gone: the box has ended, and its login with it
box_gone() {
    exec 7>&- 8<&-
    wait 2>/dev/null
}
snapshot
home=$(home_of alice)

# open_ssh USER: a shell over ssh on a terminal, whose box is in $id
open_ssh() {
    rm -f "$T/ssh"
    coproc SSH { exec ssh "${SSH_OPTIONS[@]}" -tt -p "$SSH_PORT" "$1@127.0.0.1" >"$T/ssh" 2>&1; }
    exec 7>&"${SSH[1]}"
    ssh=$SSH_PID
    printf 'echo "box=$NSBOX."\n' >&7
    wait_for_text "$T/ssh" 'box=[a-z2-7]{10}\.'
    id=$(grep -Eo 'box=[a-z2-7]{10}\.' "$T/ssh" | head -1)
    id=${id#box=} id=${id%.}
}

# --- Polite ---

rm -f "$home/.bash_history"
written=0 rounds=$(rounds 5 20)
for round in $(seq "$rounds"); do
    open_ssh alice
    printf ': remember %d; echo ty""ped\n' "$round" >&7
    wait_for_text "$T/ssh" 'typed'
    nsboxctl stop "$id" >"$T/out" 2>"$T/err" || diag "$(cat "$T/err")"
    grep -q ": remember $round;" "$home/.bash_history" && written=$((written + 1))
    exec 7>&-
    wait "$ssh" 2>/dev/null
done
is $written "$rounds" "bash writes its history before stop returns, $rounds of $rounds times"
like "$(cat "$T/out")" "^$id: stopped after [0-9.]+ s$" "stop says what it did"
nothing_left "nothing is left of a box that was stopped"

# stop_one USER CODE: stops a box in which a process has run that and goes on; leaves $status, $took (milliseconds) and $listed,
# what was live right afterwards
stop_one() {
    box_open "$1"
    id=$(box_do 'echo $NSBOX')
    box_do "($2; while :; do sleep 0.05; done) & :" >/dev/null
    local start
    start=$(milliseconds)
    nsboxctl stop "${id:0:8}" >"$T/out"
    status=$? took=$(($(milliseconds) - start)) listed=$(nsboxctl list)
    box_gone
}

# saved USER: what its process has saved
saved() {
    cat "$(home_of "$1")/saved"
    rm -f "$(home_of "$1")/saved"
}

stop_one alice 'trap "trap \"\" TERM; read -r -t 0.5 <>/dev/ptmx; echo saved >~/saved; exit" TERM'
is "$(saved alice)" saved "stop waits for a process that has something to save, and sends it no other signal meanwhile"
at_least $took 450 "... for as long as it takes"
at_most $took 3000 "... and not for the whole of TimeoutStopSec"
stop_one alice 'trap "" TERM; trap "echo hung up >~/saved; exit" HUP'
is "$(saved alice)" "hung up" "one that ignores SIGTERM, as interactive shells do, is hung up"
at_most $took 1500 "... soon"
stop_one bob 'trap : TERM; trap "echo hung up >~/saved; exit" HUP'
is "$(saved bob)" "hung up" "one that catches it and goes on is, too"
at_least $took 950 "... when half of TimeoutStopSec is over"
stop_one bob 'trap "" TERM HUP'
is $status 0 "a process that does not listen is ended by force"
at_least $took 1900 "... after TimeoutStopSec"
at_most $took 4000 "... and no later"
is "$listed" "" "stop returns when the box is gone"

# --- At once ---

box_open bob
id=$(box_do 'echo $NSBOX')
box_do '(trap "" TERM HUP; while :; do sleep 0.05; done) & :' >/dev/null
start=$(milliseconds)
is "$(nsboxctl stop --now "$id" | sed 's/[0-9.]* s$//')" "$id: ended after " "--now says what it did"
at_most $(($(milliseconds) - start)) 1000 "--now asks nobody"
box_gone
box_open bob
id=$(box_do 'echo $NSBOX')
kill -STOP "$(holders)"
nsboxctl stop --now "$id" >"$T/out" 2>"$T/err"
is "$? $(count_holders)" "0 0" "--now ends a box whose nsbox-init does not act, by its full id" || diag "$(cat "$T/err")"
box_gone

# --- What the kernel still waits for: a process that ended, and whose parent outside has not reaped it ---

box_open bob
id=$(box_do 'echo $NSBOX')
inside=$(pgrep -P "$BOX_PID") holder=$(holders) parent=$BOX_PID
kill -STOP "$parent"
until_ok 5 grep -q "^State:.T" "/proc/$parent/status"
nsboxctl stop "$id" >"$T/out" 2>"$T/err"
is "$? $(wc -c <"$T/out")" "1 0" "a box that does not end is not said to have"
keeper="its process $inside \"bash\" has ended, and its parent, $parent \"session\", has not taken note of that, for it is stopped \(kill -CONT\)"
like "$(cat "$T/err")" "box $id has not ended after [0-9]+ s: $keeper$" "... but what keeps it, and what to do"
nsboxctl list --noheadings -o PID,STATE,BOX,NOTE >"$T/out" 2>"$T/err"
is "$? $(xargs <"$T/out")" "0 $holder ended nsbox-init has ended, and waits for a process" "the list shows it"
like "$(cat "$T/err")" "PID $holder has ended, and its box has not: $keeper$" "... with the same"
nsboxctl stop --now "$id" >"$T/out" 2>"$T/err"
like "$? $(cat "$T/err")" "^1 .*no live box has an id" "nobody can end it any more"
exec 7>&- 8<&-
box_open alice 2>/dev/null
is "$(nsboxctl show "$(box_do 'echo $NSBOX' | cut -c1-8)" | awk '$1 == "User" { print $2 }')" alice "it is in no other box's way"
box_do 'exit' >/dev/null 2>&1
exec 7>&- 8<&-
kill -CONT "$parent"
wait
is "$(nsboxctl list)" "" "it ends when it has been reaped"

box_open bob
id=$(box_do 'echo $NSBOX')
inside=$(pgrep -P "$BOX_PID")
strace -qq -o /dev/null -p "$inside" &
tracer=$!
until_ok 5 grep -q "^TracerPid:.$tracer$" "/proc/$inside/status"
kill -STOP "$tracer"
like "$(nsboxctl stop "$id" 2>&1)" "process $inside \"bash\" has ended, and its tracer, $tracer \"strace\", has not taken note.*stopped" \
    "a tracer keeps a box, too"
kill -KILL "$tracer"
box_gone

# What its parent inside has not reaped keeps nothing.
box_open bob
id=$(box_do 'echo $NSBOX')
box_do '(sleep 0 & exec sleep 4362) </dev/null >/dev/null 2>&1 & :'
until_ok 5 pgrep -xf 'sleep 4362' >"$T/out"
until_ok 5 grep -q '^State:.Z' "/proc/$(pgrep -P "$(cat "$T/out")")/status"
kill -STOP "$(holders)"
like "$(nsboxctl stop "$id" 2>&1)" "its nsbox-init, PID $(holders), does not act; try nsboxctl stop --now$" \
    "nsbox-init that does not act is not mistaken for it"
nsboxctl stop --now "$id" >"$T/out" 2>&1
is $? 0 "... and what is advised helps"
box_gone

# --- Several ---

# One that hangs takes nothing from the patience with those that are asked after it.
box_open bob
slow=$(box_do 'echo $NSBOX')
hangs=$(holders)
session --user bob -- sh -c 'echo $NSBOX; trap "" TERM HUP; while :; do sleep 0.05; done' >"$T/one" 2>/dev/null &
wait_for_text "$T/one" .
kill -STOP "$hangs"
like "$(nsboxctl stop "$slow" "$(cat "$T/one")" 2>/dev/null)" "^$(cat "$T/one"): stopped after" "a box is waited for from when it was asked"
kill -KILL "$hangs"
box_gone
rm "$T/one"

ids=()
for user in bob bob bob; do
    session --user $user -- bash -c 'echo $NSBOX; trap "" TERM HUP; while :; do sleep 0.05; done' >"$T/one" 2>/dev/null &
    wait_for_text "$T/one" .
    ids+=("$(cat "$T/one")")
    rm "$T/one"
done
start=$(milliseconds)
is "$(nsboxctl stop "${ids[@]}" | cut -d: -f1 | xargs)" "${ids[*]}" "several boxes are stopped"
at_most $(($(milliseconds) - start)) 4500 "... at the same time"
wait
box_open alice
id=$(box_do 'echo $NSBOX')
nsboxctl stop nosuchboxy "$id" >"$T/out" 2>"$T/err"
is "$? $(cut -d: -f1 "$T/out") $(wc -l <"$T/err")" "1 $id 1" "one that is none does not keep the others"
box_gone

# --- What it cannot stop ---

session --user alice --service sudo -- sh -c 'echo $NSBOX; sleep 4361' >"$T/one" 2>/dev/null &
wait_for_text "$T/one" .
nsboxctl stop "$(cat "$T/one")" >"$T/out" 2>"$T/err"
is "$? $(wc -c <"$T/out")" "1 0" "a box without a PID namespace cannot be stopped"
like "$(cat "$T/err")" "has no PID namespace" "... and that is said"
kill "$(pgrep -f 'sleep 4361$' | tail -1)"
wait

rm -f "$home/.bash_history"
nothing_left "stopping leaves nothing" 10

done_testing
