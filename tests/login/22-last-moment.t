#!/bin/bash
# Joining a box in its last moment: it is joined alive or a new one is made, and no user ever sees an error.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
times=$(rounds 300 10000)

# race WHAT MICROSECONDS: three callers open and close until all have done it often enough
race() {
    local seed=$RANDOM n failed=0 pids=()
    diag "seed $seed"
    for n in 1 2 3; do
        reopen session alice $((times / 3)) "$2" $((seed + n)) >"$T/ids-$n" 2>"$T/errors-$n" 3>&- &
        pids+=($!)
    done
    for n in "${pids[@]}"; do
        wait "$n" || failed=$((failed + 1))
    done
    is "$(cat "$T"/errors-?)" '' "$1: no user sees an error in $times tries"
    is "$failed" 0 "$1: every session is opened and closed"
    boxes=$(sort -u "$T"/ids-? | wc -l)
    sessions=$(cat "$T"/ids-? | wc -l)
    diag "$sessions sessions in $boxes boxes"
}

configure <<END
[default]
Scope = user
END
snapshot
race 'boxes that end' 300
at_most "$boxes" "$((sessions - 1))" 'some sessions joined a box that was there'
at_least "$boxes" 2 'some sessions had to make a new one'
nothing_left 'boxes that end: nothing is left'

# A process that ignores every signal holds the box in its grace period, so that sessions meet it there.
configure <<END
[default]
Scope = user
TimeoutStopSec = 20ms
END
snapshot
(
    for ((i = 0; i < times / 20; i++)); do
        session --user alice -- bash -c 'trap "" TERM HUP; (sleep 0.03 &) ; exec true' 2>&1
    done
) >"$T/stubborn" 3>&- &
stubborn=$!
race 'boxes in their grace period' 20000
wait "$stubborn"
unlike "$(cat "$T/stubborn")" 'refused|System error' 'nor do those whose processes are stubborn'
nothing_left 'boxes in their grace period: nothing is left'

done_testing
