#!/bin/bash
# nsboxctl try: a real box, made as a login would get it, with nothing changed in /etc/pam.d.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

configure <<'END'
[policy try]
Users    = alice
Services = nsboxctl-try
Hostname = tried-%u

[policy ssh]
Users      = alice
Services   = sshd
Hostname   = ssh-%u
PrivateTmp = yes
CapabilityBoundingSet = CAP_KILL
NoNewPrivileges = yes

[policy off]
Users   = bob
Services = sshd
Enabled = no

[policy broken]
Users    = bob
Services = login
Hostnam  = x
END
not_ok "no stack of /etc/pam.d names the module" grep -rqs pam_nsbox /etc/pam.d
snapshot

# --- The box is real ---

is "$(nsboxctl try alice -- hostname)" tried-alice "the command runs in a box with the policy's hostname"
is "$(nsboxctl try alice -- sh -c 'cat /proc/1/comm')" nsbox-init "PID 1 there is nsbox-init"
is "$(nsboxctl try alice -- sh -c 'ps -e -o comm= | grep -vE "^(nsbox-init|sh|ps|grep)$"')" "" \
    "nobody else's process is seen"
is "$(nsboxctl try alice -- id)" "$(su alice -c id 2>/dev/null)" "it runs with the user's ids and groups"
is "$(nsboxctl try alice -- sh -c 'echo $HOME $USER $LOGNAME $SHELL; pwd')" \
    "$(home_of alice) alice alice /bin/bash
$(home_of alice)" "environment and directory are those of su -"
like "$(nsboxctl try alice -- sh -c 'echo $NSBOX')" '^[a-z2-7]{10}$' "NSBOX tells the box's id"
is "$(SECRET=1 nsboxctl try alice -- env | grep SECRET)" "" "nothing of the administrator's environment gets in"
is "$(echo 'echo "$0 $(hostname)"; shopt -q login_shell && echo login' | nsboxctl try alice 2>&1)" \
    "-bash tried-alice
login" "without a command it is the login shell"
is "$(cd /root && nsboxctl try alice -- pwd)" "$(home_of alice)" "where the administrator stands does not matter"

# --- The policy is that of the service ---

is "$(nsboxctl try alice --service sshd -- hostname)" ssh-alice "--service chooses the policy"
is "$(nsboxctl try alice --service SSHD -- hostname)" ssh-alice "... in whatever case it is written, as libpam takes it"
touch /tmp/outside
is "$(nsboxctl try alice --service sshd -- ls -A /tmp)" "" "PrivateTmp takes effect"
is "$(nsboxctl try alice --service sshd -- sh -c 'grep -E "^(CapBnd|NoNewPrivs)" /proc/self/status')" \
    "$(printf 'CapBnd:\t0000000000000020\nNoNewPrivs:\t1')" "bounding set and no_new_privs take effect"
rm /tmp/outside
cat >"$T/other.conf" <<'END'
[default]
Hostname = draft
END
is "$(nsboxctl try alice --conf "$T/other.conf" -- hostname)" draft "--conf tries a configuration before it is installed"
is "$(nsboxctl try alice --service sudo -- sh -c 'cat /proc/1/comm')" "$(cat /proc/1/comm)" \
    "as for sudo itself there is no PID namespace"

# --- What comes back ---

for status in 0 1 42 255; do
    nsboxctl try alice -- sh -c "exit $status"
    is $? "$status" "exit status $status of the command comes back"
done
nsboxctl try alice -- sh -c 'kill -KILL $$'
is $? 137 "a signal comes back as 128 and its number"
nsboxctl try alice -- /no/such/program 2>"$T/err"
is $? 127 "a command that is not there is 127"
like "$(cat "$T/err")" "^nsboxctl try: /no/such/program cannot be run in the box: No such file" "... and said so"

# --- Signals ---

nsboxctl try alice -- sh -c 'trap "echo got; exit 9" TERM; echo ready; while :; do sleep 0.05; done' >"$T/out" &
pid=$!
wait_for_text "$T/out" ready
kill -TERM $pid
wait $pid
is "$? $(tail -1 "$T/out")" "9 got" "SIGTERM is passed on to the command"
nsboxctl try alice -- sleep 4331 &
pid=$!
until_ok 5 pgrep -f 'sleep 4331' >/dev/null
kill -KILL $pid
wait $pid 2>/dev/null
nothing_left "after a SIGKILL of nsboxctl nothing is left"

# --- What is refused ---

is "$(nsboxctl try bob --service sshd -- true 2>&1); $?" \
    "nsboxctl try: a login of bob by sshd would not be boxed: its policy says Enabled = no; nothing was run; 1" \
    "a login that is not boxed is said to be so, and nothing runs"
like "$(nsboxctl try bob --service login -- echo ran 2>&1; echo "status $?")" \
    "^nsboxctl try: a login of bob by login would be refused \(OnError = deny\): /etc/security/nsbox.conf:[0-9]+: .*Hostnam.*status 1$" \
    "a refusal tells file, line and reason"
like "$(nsboxctl try root -- true 2>&1; echo "status $?")" "would not be boxed: uid 0 .*status 1$" "root is not boxed"
like "$(nsboxctl try nobody-of-that-name -- true 2>&1; echo "status $?")" "nobody-of-that-name.*status 1$" \
    "an unknown user is said to be so"
mv /usr/local/libexec/nsbox/nsbox-init "$T/nsbox-init"
like "$(nsboxctl try alice -- echo ran 2>&1; echo "status $?")" \
    "no box could be made for alice: step=.*nsbox-init.*reinstall pam_nsbox.*status 1$" \
    "an nsbox-init that is missing is said with step, path and mend"
mv "$T/nsbox-init" /usr/local/libexec/nsbox/nsbox-init
like "$(setpriv --reuid alice --clear-groups nsboxctl try alice -- id 2>&1; echo "status $?")" \
    "only root can do this.*status 1$" "it is root's alone"

# --- The call ---

for call in "try" "try --nonsense alice" "try --service" "nonsense" "--nonsense" ""; do
    # shellcheck disable=SC2086
    nsboxctl $call >"$T/out" 2>"$T/err"
    is "$? $(wc -l <"$T/err") $(wc -c <"$T/out")" "2 1 0" "a wrong call is exit status 2 and one line on stderr: nsboxctl $call"
done
is "$(nsboxctl --version)" "nsboxctl $(cat "$REPO/VERSION")" "--version"
ok "--help lists try" grep -q '^  try ' <(nsboxctl --help)
nsboxctl try --help >/dev/full 2>/dev/null || true
nsboxctl list >/dev/null
nothing_left "trying leaves nothing"

done_testing
