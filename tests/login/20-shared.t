#!/bin/bash
# Scope: who shares a box with whom, and when it ends.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

for service in session sshd su; do
    pam_service "$service"
done
groupadd team
usermod -aG team alice
usermod -aG team bob
# The same uid under two names is two users.
useradd --no-log-init --non-unique --uid "$(id -u alice)" --gid "$(id -g alice)" --no-create-home \
    --home-dir "$(home_of alice)" --shell /bin/bash --password '*' alias
configure <<END
[default]
Scope = user
TimeoutStopSec = 2s
END
start_sshd
snapshot

box_of() {
    ssh_as "$1" "echo \$NSBOX; ${2:-true}"
}

# --- one box a user ---

from_here
box_open alice
id=$(box_do 'echo $NSBOX')
like "$id" '^[a-z2-7]{10}$' 'a login knows the id of its box'
is "$(box_of alice)" "$id" 'a second login of the user lands in the same box, through another application'
is "$(ssh_as alice 'cat /proc/1/comm; hostname')" "$(box_do 'cat /proc/1/comm; hostname')" 'and sees the same PID 1 and host name'
box_do 'sleep 4900 & echo $! >~/sleeper' >/dev/null
is "$(ssh_as alice 'kill -0 "$(cat ~/sleeper)" && echo seen')" seen "a user's second login sees the processes of the first by the same numbers"
is "$(count_holders)" 1 'two logins, one holder'
isnt "$(box_of bob)" "$id" 'another user is in another box'
isnt "$(box_of alias)" "$id" 'the same uid under another name is in another box'
logged "joined box=\"$id\".*user=\"alice\".*service=\"sshd\".*leases=2" 'the log says that a login joined, and how many are in the box'
logged "left box=\"$id\".*why=\"closed\" leases=1" 'the log says that a login left, and how many stay'
box_do 'kill "$(cat ~/sleeper)"'
box_close
logged "stopped box=\"$id\"" 'the log says that the box stopped'
nothing_left 'with its last login the box ends'

# --- one box a policy ---

configure <<END
[policy team]
Groups = team
Scope = policy
Hostname = team
END
snapshot
box_open alice
id=$(box_do 'echo $NSBOX')
is "$(box_of bob)" "$id" 'with Scope=policy another user of the policy is in the same box'
isnt "$(box_of alias)" "$id" 'a user of another policy is not'
box_close
nothing_left 'the shared box ends with its last login'

# --- the configuration changes while a box is open ---

configure <<END
[default]
Scope = user
END
box_open alice
configure <<END
[default]
Scope = user
ProtectProc = invisible
END
from_here
snapshot
box_of alice >/dev/null
logged 'joined .*policy has changed' 'a login that joins a box of older settings is told so in the log'
box_close
until_ok 5 has_holders 0
configure <<END
[default]
Scope = user
END
snapshot

# --- a box that was made under other settings ---

other_namespaces() {
    printf '[default]\nScope = user\nOnError = allow\nNamespaces = mount, uts, pid%s\n' "$1" | configure
}
other_namespaces ', ipc'
box_open alice
id=$(box_do 'echo $NSBOX')
ipc=$(box_do 'readlink /proc/self/ns/ipc')
other_namespaces ''
from_here
(cd /srv && session --user alice --state -- sh -c 'echo $NSBOX; readlink /proc/self/ns/ipc; pwd') >"$T/out" 2>&1
is "$? $(grep -v '^[a-z_]*: ' "$T/out")" "0 $id"$'\n'"$ipc"$'\n/srv' 'who joins a box with more namespaces than the policy of today is in all of them'
like "$(cat "$T/out")" 'state: unchanged' 'and comes out of all of them'
logged 'joined .*note="this box was made under another policy, or the policy has changed since"' 'the log says that the policy has changed'
from_here
strace -qq -o "$T/strace" -e trace=setns -e inject=setns:error=ENOMEM:when=3 session --user alice -- true >"$T/out" 2>&1
is $? 120 'who cannot go out in between is refused, OnError=allow or not'
logged 'refused \(its process could not be taken back to where it was\)' 'and the log says why'
box_close
ok 'that box ends as any other' until_ok 5 has_holders 0
configure <<END
[default]
Scope = user
END
snapshot

# --- the holder is killed ---

box_open alice
id=$(box_do 'echo $NSBOX')
shell=$(box_do 'echo $PPID; cat /proc/sys/kernel/ns_last_pid' | wc -l)
is "$shell" 2 'a login is at work'
kill -KILL "$(holders)"
ok 'when the holder is killed its logins end' until_ok 5 not box_do :
exec 7>&- 8<&-
wait
new=$(box_of alice)
like "$new" '^[a-z2-7]{10}$' 'and the next login makes a box'
isnt "$new" "$id" 'which is a new one'
nothing_left 'nothing is left of a killed box'

# --- chains of su ---

cat >/etc/pam.d/su <<'END'
auth     sufficient pam_permit.so
account  required   pam_permit.so
session  required   pam_nsbox.so
END
snapshot
box_open alice
first=$(box_do 'echo $NSBOX')
chain=$(box_do 'su bob -c "echo \$NSBOX; cat /proc/1/comm; ps -e --no-headers | wc -l; su alice -c \"echo \\\$NSBOX; whoami\"" </dev/null')
readarray -t lines <<<"$chain"
isnt "${lines[0]}" "$first" 'alice, who is bob by su, is in another box'
is "${lines[1]}" "$HOLDER" 'which has a PID 1 of its own'
at_most "${lines[2]:-99}" 6 'and shows nothing of the outer box'
isnt "${lines[3]}" "$first" 'alice, bob, alice: the third is not in the first box, which lies further out'
isnt "${lines[3]}" "${lines[0]}" 'nor in the second'
is "${lines[4]}" alice 'it is the user that it should be'
isnt "$(box_of bob)" "${lines[0]}" "bob's login on the host does not land inside a box of alice's"
box_close
nothing_left 'a chain of boxes ends wholly'

# --- what users can see and do ---

box_open alice
for path in /run/nsbox /proc/1/cwd /proc/1/fd /proc/1/root /proc/1/environ; do
    not_ok "a user cannot look into $path" ssh_as alice "ls $path/ || cat $path" </dev/null
done
for signal in TERM KILL STOP QUIT 40; do
    not_ok "a user cannot send signal $signal to PID 1" ssh_as bob "kill -$signal 1" </dev/null
done
box_close
nothing_left 'nothing is left'

stop_sshd
# --- a name that is given to somebody else ---

configure <<'END'
[default]
Scope = user
END
useradd --no-log-init --uid 4301 --shell /bin/sh former
session --user former --root -- sh -c 'echo $NSBOX; exec sleep 4901' >"$T/former" 2>/dev/null &
former=$!
wait_for_text "$T/former" .
userdel --force former >"$T/null" 2>&1
useradd --no-log-init --uid 4302 --shell /bin/sh former
isnt "$(session --user former --root -- sh -c 'echo $NSBOX' 2>/dev/null)" "$(cat "$T/former")" 'the same name of another uid, too'
pkill -f 'sleep 4901$'
wait "$former"
userdel former

done_testing
