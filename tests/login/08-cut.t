#!/bin/bash
# The connection is cut, or the caller is killed: the login ends as politely as it would have without a box, and
# then wholly.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

for service in session sshd su login; do
    pam_service "$service"
done
stop=2
configure <<END
[default]
TimeoutStopSec = ${stop}s
END
home=$(home_of alice)
start_sshd 'ClientAliveInterval 1' 'ClientAliveCountMax 2'
snapshot

# terminal N COMMAND...: an interactive bash over ssh in the background; its client is in CLIENT, its screen in
# $T/screen-N. Returns when the commands were typed and the shell has answered.
terminal() {
    local number=$1 keys
    shift
    rm -f "$T/keys-$number"
    mkfifo "$T/keys-$number"
    # Opened for both, the pipe has no end: the client shall not end by itself.
    exec {keys}<>"$T/keys-$number"
    KEYS[number]=$keys
    ssh "${SSH_OPTIONS[@]}" -tt -p "$SSH_PORT" alice@127.0.0.1 <"$T/keys-$number" >"$T/screen-$number" 2>&1 3>&- &
    CLIENT[number]=$!
    disown $!
    printf '%s\n' "HISTFILE=~/history-$number" "$@" "echo answer-$number-\$((6 * 7))" >"$T/keys-$number"
}

hang_up() {
    local number
    for number in "${!KEYS[@]}"; do
        local input=${KEYS[number]}
        exec {input}>&-
        kill -KILL "${CLIENT[number]}" 2>/dev/null
        until_ok 5 gone "${CLIENT[number]}"
    done
    KEYS=() CLIENT=()
}

answered() {
    wait_for_text "$T/screen-$1" "answer-$1-42" 60
}

monitors() {
    pgrep -f 'alice \[priv\]'
}

declare -a KEYS=() CLIENT=()
declare -A cut=(
    [client]='the connection is cut'
    [silence]='the client falls silent'
    [caller]='the caller is killed with SIGKILL'
)
times=$(rounds 20 200)

for way in client caller; do
    rm -f "$home"/history-*
    answers=0
    for ((i = 1; i <= times; i++)); do
        terminal "$i"
        # Ten at a time: two hundred is another test.
        if [ $((i % 10)) -eq 0 ] || [ "$i" -eq "$times" ]; then
            for number in "${!CLIENT[@]}"; do
                answered "$number" && answers=$((answers + 1))
            done
            case $way in
            client) kill -KILL "${CLIENT[@]}" ;;
            caller) monitors | xargs -r kill -KILL ;;
            esac
            until_ok 10 has_holders 0
            hang_up
        fi
    done
    is "$answers" "$times" "${cut[$way]}: $times shells were at work"
    written=$(grep -l '^echo answer-' "$home"/history-* 2>/dev/null | wc -l)
    is "$written" "$times" "${cut[$way]}: bash wrote its history $times of $times times"
    nothing_left "${cut[$way]}: nothing is left"
done

# Jobs that outlive their terminal: one that only ignores SIGHUP, one that ignores all that can be ignored, and one
# that uses its time to put something in order.
cat >"$T/tidy" <<'END'
#!/bin/bash
trap 'sleep 0.4; echo tidied >~/tidied; exit' TERM
echo >~/tidy-started
while :; do sleep 0.1; done
END
cat >"$T/stubborn" <<'END'
#!/bin/bash
trap '' TERM HUP INT QUIT
echo >~/stubborn-started
while :; do sleep 0.1; done
END
chmod 755 "$T/tidy" "$T/stubborn"

alive() {
    pgrep -f "$1" >/dev/null
}

# cut_off N: cuts terminal N in the way of the day; the time runs from the moment when the server knows
cut_off() {
    from_here
    case $way in
    client) kill -KILL "${CLIENT[$1]}" ;;
    caller) monitors | xargs -r kill -KILL ;;
    silence)
        kill -STOP "${CLIENT[$1]}"
        until_ok 20 log_has 'client not responding' || diag "the server does not notice"
        ;;
    esac
    start=$(milliseconds)
}

for way in client silence caller; do
    rm -f "$home"/*tid* "$home"/*-started
    # First without the stubborn one: what goes when it is asked keeps nobody waiting.
    terminal 1 'nohup sleep 4701 >/dev/null 2>&1 &'
    ok "${cut[$way]}: a shell is at work" answered 1
    ok "${cut[$way]}: a nohup job is at work" until_ok 5 alive 'sleep 4701'
    cut_off 1
    until_ok 20 not alive 'sleep 4701'
    taken=$(($(milliseconds) - start))
    at_most "$taken" $((stop * 1000)) "${cut[$way]}: the nohup job is ended within TimeoutStopSec"
    hang_up
    nothing_left "${cut[$way]}: then nothing is left"

    terminal 2 "nohup $T/stubborn >/dev/null 2>&1 &" "nohup $T/tidy >/dev/null 2>&1 &"
    answered 2
    ok "${cut[$way]}: stubborn and tidy jobs are at work" until_ok 20 test -e "$home/stubborn-started" -a -e "$home/tidy-started"
    cut_off 2
    until_ok 20 not alive "$T/stubborn"
    taken=$(($(milliseconds) - start))
    at_least "$taken" $((stop * 1000 - 300)) "${cut[$way]}: a job that ignores every signal gets TimeoutStopSec"
    at_most "$taken" $((stop * 1000 + 2000)) "${cut[$way]}: and no more" || diag "$(log)"
    is "$(cat "$home/tidied" 2>/dev/null)" tidied "${cut[$way]}: a job that puts something in order has the time for it"
    hang_up
    nothing_left "${cut[$way]}: nothing is left of stubborn jobs"
done

# Every other caller, killed.
session --user alice -- sleep 4801 >"$T/out" 2>&1 3>&- &
until_ok 5 alive 'sleep 4801'
kill -KILL $!
wait $! 2>/dev/null
nothing_left "a caller of our own is killed: nothing is left"

su alice -c 'sleep 4802; true' >"$T/out" 2>&1 3>&- &
until_ok 5 alive 'sleep 4802'
kill -KILL $!
wait $! 2>/dev/null
nothing_left "su is killed: nothing is left"

expect_script <<'END' &
spawn login -f alice
want "\\$ "
send "echo ready-\$((40 + 2)); sleep 4803\r"
want "ready-42"
want "never"
END
until_ok 10 alive 'sleep 4803'
pkill -KILL -x login
wait $!
nothing_left "login is killed: nothing is left"

session --user alice --close 0 -- true >"$T/out" 2>&1
nothing_left "a caller that ends without close_session: nothing is left"

done_testing
