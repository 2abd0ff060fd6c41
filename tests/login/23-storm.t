#!/bin/bash
# Many logins of one user at once, and anything killed at any moment.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

for service in session sshd su; do
    pam_service "$service"
done
configure <<END
[default]
Scope = user
TimeoutStopSec = 1s
END
start_sshd
snapshot

# --- fifty at once: one box, fifty leases, one end ---

from_here
mkfifo "$T/stay"
exec 6<>"$T/stay" # opened for both, it has no end
for ((i = 0; i < 50; i++)); do
    ssh_as alice "echo \$NSBOX; read wait" <"$T/stay" >"$T/ssh-$i" 2>&1 3>&- 6>&- &
done
all_in() {
    [ "$(cat "$T"/ssh-* | wc -l)" -ge 50 ]
}
ok 'fifty logins of one user at once succeed' until_ok 200 all_in
is "$(sort -u "$T"/ssh-* | wc -l)" 1 'they are in one box'
is "$(count_holders)" 1 'which has one holder'
logged 'joined .*leases=50' 'and fifty leases'
pkill -KILL -x ssh
wait
exec 6>&-
rm -f "$T/stay"
nothing_left 'then nothing is left' 15
logged_times 1 ' stopped box=' 'the box ended once'
rm -f "$T"/ssh-*

# --- random kills ---

rounds=$(rounds 12 1000)
seed=${NSBOX_TEST_SEED:-$RANDOM}
diag "NSBOX_TEST_SEED=$seed"
RANDOM=$seed
bad_open=0 split=0 unequal=0 left=0 orphan=0

# enter N DOOR: a login that writes the box's id, then stays
enter() {
    local command="echo \$NSBOX >$T/in/$1; exec sleep 4930" login
    case $2 in
    session) login=(session --user alice -- sh -c "$command") ;;
    su) login=(su alice -c "$command") ;;
    sshd) login=(ssh "${SSH_OPTIONS[@]}" -p "$SSH_PORT" alice@127.0.0.1 "$command") ;;
    esac
    "${login[@]}" </dev/null >"$T/out/$1" 2>&1 3>&- &
    CALLERS[$1]=$!
}
doors=(session su sshd)

# Logins that are there are all in one box: those of killed boxes are no more.
one_box() {
    local ids
    ids=$(for caller in /proc/[0-9]*; do
        [[ $(tr '\0' ' ' <"$caller/cmdline") == 'sleep 4930 ' ]] && tr '\0' '\n' <"$caller/environ" | grep ^NSBOX=
    done 2>/dev/null | sort -u)
    [ "$(wc -l <<<"$ids")" -le 1 ]
}

# As many leases are held as logins are there.
leases_match() {
    local n logins=0 leases
    leases=$(nsboxctl list --noheadings -o LEASES 2>/dev/null | awk '{ sum += $1 } END { print sum + 0 }')
    for n in "${!CALLERS[@]}"; do
        [ ! -s "$T/in/$n" ] || gone "${CALLERS[$n]}" || logins=$((logins + 1))
    done
    [ "$leases" -eq "$logins" ]
}

entered() {
    local n
    for n in "$@"; do
        [ -s "$T/in/$n" ] || gone "${CALLERS[$n]}" || return 1
    done
}

for ((round = 1; round <= rounds; round++)); do
    rm -rf "$T/in" "$T/out"
    mkdir "$T/in" "$T/out"
    chmod 777 "$T/in"
    chmod 711 "$T"
    declare -A CALLERS=()
    for n in 1 2 3 4 5 6; do
        enter "$n" "${doors[n % 3]}"
    done
    # Anything, at any moment: also before the logins are complete.
    sleep "0.0$((RANDOM % 90 + 10))"
    nsboxctl list >/dev/null 2>&1 3>&- &
    victim=$!
    for n in 1 2 3 4 5 6; do
        [ $((RANDOM % 2)) -eq 0 ] && kill -KILL "${CALLERS[$n]}" 2>/dev/null
    done
    [ $((RANDOM % 3)) -eq 0 ] && holders | xargs -r kill -KILL 2>/dev/null
    [ $((RANDOM % 3)) -eq 0 ] && pgrep -f '^sshd(-session)?: alice \[priv\]' | head -n 1 | xargs -r kill -KILL 2>/dev/null
    [ $((RANDOM % 3)) -eq 0 ] && pgrep -fx 'sleep 4930' | head -n $((RANDOM % 3 + 1)) | xargs -r kill -KILL 2>/dev/null
    kill -KILL "$victim" 2>/dev/null
    for n in 7 8 9; do
        enter "$n" session
    done
    # Those that nobody killed must get in.
    until_ok 12 entered 7 8 9 || bad_open=$((bad_open + 1))
    for n in 7 8 9; do
        [ -s "$T/in/$n" ] || grep -q 'open_session: 0' "$T/out/$n" || bad_open=$((bad_open + 1))
    done
    until_ok 3 one_box || split=$((split + 1))
    until_ok 5 leases_match || unequal=$((unequal + 1))
    for n in "${!CALLERS[@]}"; do
        kill -KILL "${CALLERS[$n]}" 2>/dev/null
    done
    wait 2>/dev/null
    until_ok 5 has_holders 0 || orphan=$((orphan + 1))
    [ -z "$(ls -A /run/nsbox)" ] || left=$((left + 1))
done
is "$bad_open" 0 "$rounds rounds of random kills: whoever is not killed gets in"
is "$split" 0 "$rounds rounds: never two boxes for one scope"
is "$unequal" 0 "$rounds rounds: never a lease without its login, never a login without its lease"
is "$orphan" 0 "$rounds rounds: never a box without a lease"
is "$left" 0 "$rounds rounds: /run/nsbox stays empty"
rm -rf "$T/in" "$T/out"
nothing_left 'nothing is left'

stop_sshd
done_testing
