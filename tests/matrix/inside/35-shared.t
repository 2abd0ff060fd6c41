#!/bin/bash
# A box that several sessions share, and logind's scopes: nsbox-init stays in that of the session that made the box. What
# ends that scope ends the box, politely and for everybody; what ends another session's does not. nsbox.conf(5) says so.
. ./lib.sh

cp /etc/security/nsbox.conf "$T/nsbox.conf"
printf '[default]\nScope = user\n' >/etc/security/nsbox.conf
MOUNTS_BEFORE=$(host_mounts)

session_of() {
    sed -n 's|.*/session-\([^/]*\)\.scope.*|\1|p' "/proc/$1/cgroup" | head -n 1
}

# in_box NAME: alice's login by that name, which says in which box and session it is, and ends when it is asked to; second
# is asked by nsbox-init, and at once by systemd too, with SIGHUP, when logind ends its session with KillUserProcesses
declare -A CLIENT=()
in_box() {
    local hangup=
    rm -f "$T/$1" "$PROBES/asked-$1"
    [ "$1" != second ] || hangup='trap "" HUP;'
    # bash writes "Terminated" of its child, to an sshd that is gone, and would die of it.
    ssh "${SSH_OPTIONS[@]}" -o BatchMode=yes alice@127.0.0.1 "exec 2>/dev/null; $hangup trap 'echo asked >$PROBES/asked-$1; exit' TERM;" \
        'echo "box $NSBOX $XDG_SESSION_ID"; while :; do sleep 0.1; done' >"$T/$1" 2>&1 3>&- &
    CLIENT[$1]=$!
    until_ok $((30 * SLOW)) grep -q '^box ' "$T/$1"
}

field() {
    awk -v field="$2" '/^box / { print $field }' "$T/$1"
}

is_out() {
    not_there "${CLIENT[$1]}"
}

all_out() {
    local name
    for name in "${!CLIENT[@]}"; do
        kill "${CLIENT[$name]}" 2>/dev/null
        until_ok $((20 * SLOW)) is_out "$name"
    done
    CLIENT=()
    until_ok $((20 * SLOW)) nothing_left
}

until_ok $((40 * SLOW)) test ! -e "/run/user/$(id -u alice)"

# --- the session that made the box logs out ---

in_box first
in_box second
is "$(field second 2)" "$(field first 2)" "a second login through sshd shares the box"
isnt "$(field second 3)" "$(field first 3)" "and has a session of its own"
is "$(session_of "$(holders)")" "$(field first 3)" "nsbox-init is in the scope of the session that made the box"
kill "${CLIENT[first]}"
until_ok $((20 * SLOW)) is_out first
sleep 1
not_ok "the session that made the box logs out, and the other goes on in it" is_out second
is "$(count_holders)" 1 "the box is there"
in_box third
is "$(field third 2)" "$(field second 2)" "and a later login joins it"

# --- a session that joined is terminated ---

loginctl terminate-session "$(field third 3)"
ok "loginctl terminate-session ends a session that joined" until_ok $((20 * SLOW)) is_out third
sleep 1
not_ok "and nobody else's in the box" is_out second
all_out

# --- the session that made the box is terminated ---

until_ok $((40 * SLOW)) test ! -e "/run/user/$(id -u alice)"
in_box first
in_box second
began=$SECONDS
log_here
loginctl terminate-session "$(field first 3)"
ok "loginctl terminate-session of the session that made the box ends it for the other too" until_ok $((20 * SLOW)) is_out second
at_most $((SECONDS - began)) $((4 * SLOW)) "at once"
ok "and politely" until_ok "$SLOW" test -s "$PROBES/asked-second"
all_out
is "$(what_is_left)" "" "nothing is left of it"

# --- KillUserProcesses=yes ---

# Before logind is restarted, for then it forgets that alice's service manager was to end in ten seconds.
until_ok $((40 * SLOW)) test ! -e "/run/user/$(id -u alice)"
mkdir -p /etc/systemd/logind.conf.d
printf '[Login]\nKillUserProcesses=yes\n' >/etc/systemd/logind.conf.d/matrix.conf
systemctl restart systemd-logind
like "$(nsboxctl doctor)" KillUserProcesses=yes "with KillUserProcesses=yes and shared boxes doctor says what follows"
in_box first
in_box second
kill "${CLIENT[first]}"
ok "then the logout of the session that made the box ends it for all" until_ok $((20 * SLOW)) is_out second
ok "politely" until_ok "$SLOW" test -s "$PROBES/asked-second"
in_box third
isnt "$(field third 2)" "$(field second 2)" "and the next login makes a new one"
all_out
is "$(what_is_left)" "" "nothing is left of them"
rm /etc/systemd/logind.conf.d/matrix.conf
systemctl restart systemd-logind
cp "$T/nsbox.conf" /etc/security/nsbox.conf
done_testing
