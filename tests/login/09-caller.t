#!/bin/bash
# What the caller of open_session notices: no child that it did not make, and after close_session nothing at all.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
configure <<'END'
[policy unboxed]
Users   = bob
Enabled = no
END
snapshot

told() {
    cat "$T/session"
}

# --- wait() ---

timeout 20 session --user alice --wait-all -- sh -c 'exit 7' 2>"$T/session"
is $? 7 "a caller that waits until it has no child any more is done when the shell is, and has its exit status"
unlike "$(told)" stranger "waitpid(-1) until ECHILD never sees the holder"
timeout 20 session --user alice --wait-all -- sh -c 'sleep 4901 & exit 7' 2>"$T/session"
is $? 7 "nor does it wait for what the shell leaves behind"
session --user alice -- sh -c 'exit 8' 2>"$T/session"
is $? 8 "a caller that takes the first wait() for its shell has the shell's exit status"
unlike "$(told)" stranger "wait() does not return the holder"
session --user alice --block-signals --wait-all -- sh -c 'kill -TERM $$' 2>"$T/session"
is $? 143 "a signal that ended the shell is told to the caller"
nothing_left "nothing is left"

# What the caller may see of the holder while the session lasts: not as a child of its own.
box_open alice
holder=$(holders)
like "$holder" '^[0-9]+$' "one holder keeps the box" || bail_out "there is no box to look at"
is "$(awk '{ print $4 }' "/proc/$holder/stat")" 1 "the holder is a child of the host's init"
unlike " $(cat "/proc/$BOX_PID"/task/*/children) " " $holder " "the caller does not have it among its children"
is "$(readlink "/proc/$BOX_PID/ns/mnt")" "$(readlink "/proc/$holder/ns/mnt")" "the caller is inside while the session lasts"

# The holder keeps nothing of the caller's, or anybody's: the contract of nsbox-init.
is "$(tr -d '\0' <"/proc/$holder/environ")" "" "the holder has no environment"
is "$(awk '{ print $7 }' "/proc/$holder/stat")" 0 "the holder has no terminal"
unlike "$(ls -l "/proc/$holder/fd")" "$T|pipe:" "the holder has no descriptor of the caller's"
is "$(tr '\0' ' ' <"/proc/$holder/cmdline" | sed 's/ *$//')" "$HOLDER" "the holder's command line is its name"
# Pages of the program that one box alone has mapped count as private as well: let there be two.
session --user alice -- sleep 4900 >"$T/out" 2>&1 3>&- &
second=$!
until_ok 5 has_holders 2
private=$(awk '/^Private_/ { kib += $2 } END { print kib }' "/proc/$holder/smaps_rollup")
if with_counts; then
    skip "the holder has at most 16 KiB of private memory" "it counts its lines in more"
else
    at_most "$private" 16 "the holder has at most 16 KiB of private memory"
fi
kill $second
wait $second 2>/dev/null
box_close

# --- exec in place ---

session --user alice --exec -- sh -c 'echo $NSBOX; hostname; sh -c "readlink /proc/1/exe /proc/self/ns/pid; cat /proc/1/comm"; :' \
    >"$T/out" 2>"$T/session"
is $? 0 "a caller that execs the shell without a fork works"
like "$(head -1 "$T/out")" '^[a-z2-7]{10}$' "exec in place: the shell has its box"
is "$(sed -n 2p "$T/out")" host-alice "exec in place: it has the hostname"
is "$(tail -1 "$T/out")" "$HOLDER" "exec in place: its children have the process tree of the box"
nothing_left "exec in place: when the shell ends the box ends, without a close"

session --user alice --exec -- sh -c 'sh -c "sleep 4902 &"; exec sleep 4903' >"$T/out" 2>"$T/session" &
caller=$!
until_ok 5 has_holders 1
until_ok 5 pgrep -fx 'sleep 4902' >/dev/null
kill -KILL $caller
wait $caller 2>/dev/null
nothing_left "exec in place: the same when the shell is killed"

# --- The state of the caller ---

unchanged() {
    local claim=$1
    shift
    session --user alice --state "$@" >"$T/out" 2>"$T/session"
    local status=$?
    if [ $status -eq 0 ] && grep -q 'session: state: unchanged' "$T/session" &&
        ! grep -q 'open_session: [^0]' "$T/session"; then
        pass "after close the caller is what it was before open: $claim"
    else
        fail "after close the caller is what it was before open: $claim" "exit status $status" "$(told)"
    fi
}

boxed='test -n "$NSBOX"'
unchanged "a plain one" -- sh -c "$boxed"
unchanged "one that waits for all" --wait-all -- sh -c "$boxed"
unchanged "one with many descriptors" --descriptors 200 -- sh -c "$boxed"
unchanged "one with 128 MiB of memory" --hold 128 -- sh -c "$boxed"
unchanged "one with threads" --threads 3 -- sh -c "$boxed"
unchanged "one with blocked signals and handlers" --block-signals -- sh -c "$boxed"
unchanged "one that runs the account phase too" --account -- sh -c "$boxed"
unchanged "one that has a terminal and a remote host to tell" --tty pts/7 --rhost client.example --silent -- sh -c "$boxed"
unchanged "one whose command stays root" --root -- sh -c "$boxed"
unchanged "one that runs no command" --
unchanged "one that opens twice and closes twice" --open 2 --close 2 -- sh -c "$boxed"
nothing_left "none of these leaves anything"

# cd(1) of a shell keeps the logical path; the kernel's is what counts.
for folder in / /tmp "$T" "$(home_of alice)" /proc/sys /dev/pts; do
    cd "$folder" || exit 1
    unchanged "one whose working directory is $folder" -- sh -c "$boxed && test \"\$(readlink /proc/self/cwd)\" = '$folder'"
done
cd / || exit 1

session --user alice --open 0 --state -- true 2>"$T/session"
like "$(told)" 'state: unchanged' "a close without an open changes nothing"
session --user alice --open 2 --close 1 -- true 2>"$T/session"
session --user alice --open 1 --close 3 --state -- true 2>"$T/session"
like "$(told)" 'state: unchanged' "a second and a third close change nothing"
nothing_left "opens and closes that do not match leave nothing when the caller has ended"

# --- The descriptors of the shell ---

descriptors() {
    session --user "$1" -- find /proc/self/fd -type l -printf '%f %l\n' 2>"$T/session" 3>&- </dev/null |
        sed 's/\[[0-9]*\]//; s,/proc/[0-9]*/fd,/proc/self/fd,' | sort
}
descriptors bob >"$T/unboxed"
descriptors alice >"$T/boxed"
is "$(cat "$T/boxed")" "$(cat "$T/unboxed")" "the shell has the descriptors that it has without a box, and no other"
# Its own /proc/self an exec'd shell does not have: ask from outside.
for user in bob alice; do
    session --user $user --exec -- sleep 4904 >/dev/null 2>"$T/session" 3>&- </dev/null &
    caller=$!
    until_ok 5 grep -q nanosleep "/proc/$caller/wchan" # it has closed what it read at its start
    find "/proc/$caller/fd" -type l -printf '%f %l\n' | sed 's/\[[0-9]*\]//' | sort >"$T/exec-$user"
    kill $caller
    wait $caller 2>/dev/null
done
isnt "$(cat "$T/exec-alice")" "" "a shell that was exec'd in place can be looked at"
is "$(cat "$T/exec-alice")" "$(cat "$T/exec-bob")" "a shell that was exec'd in place has no other descriptor either"
nothing_left "nothing is left at the end"

done_testing
