#!/bin/bash
# The log tells the life of a box, a line each with all that it promises; and a lease ends with its session, however that
# ends and whatever the user does.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

for service in session sshd su; do
    pam_service "$service"
done
pam_service login 'auth sufficient pam_permit.so'
# The same uid under two names is two users.
useradd --no-log-init --non-unique --uid "$(id -u alice)" --gid "$(id -g alice)" --no-create-home \
    --home-dir "$(home_of alice)" --shell /bin/bash --password '*' alias
cat >"$T/story.conf" <<'END'
[policy shared]
Users = alice, alias
Scope = user
Linger = yes
TimeoutStopSec = 500ms

[policy alone]
Users = bob
TimeoutStopSec = 500ms
END
configure <"$T/story.conf"
start_sshd
snapshot

# the_line EVENT: what the log says of it
the_line() {
    until_ok 5 log_has "nsbox-init: $1 "
    log | sed -n "s/^<86>\(nsbox-init: $1 .*\)/\1/p"
}

# --- One box's life, word for word ---

from_here
box_open alice --rhost client.example --tty pts/7
id=$(box_do 'echo $NSBOX')
is "$(the_line opened | sed 's/lease=[0-9]*/lease=N/')" "nsbox-init: opened box=\"$id\" policy=\"shared\" user=\"alice\" service=\"session\" \
from=\"client.example\" tty=\"pts/7\" namespaces=\"mount,uts,ipc,pid\" hostname=\"host-alice\" lease=N leases=1" \
    "opened: box, policy, user, service, from where, terminal, namespaces, hostname, leases"
ssh_as alice "cat /proc/1/comm; sleep 4971 </dev/null >/dev/null 2>&1 & sh -c 'trap \"\" TERM HUP; exec sleep 4971' </dev/null >/dev/null 2>&1 & sleep 0.3" >"$T/out"
is "$(the_line joined | sed 's/lease=[0-9]*/lease=N/')" "nsbox-init: joined box=\"$id\" policy=\"shared\" user=\"alice\" service=\"sshd\" \
from=\"127.0.0.1\" tty=\"ssh\" namespaces=\"mount,uts,ipc,pid\" hostname=\"host-alice\" lease=N leases=2" \
    "joined: the same"
is "$(the_line left | sed 's/lease=[0-9]*/lease=N/')" "nsbox-init: left box=\"$id\" user=\"alice\" policy=\"shared\" lease=N why=\"closed\" leases=1" \
    "left: which box, whose, why, and how many stay"
box_close
is "$(the_line lingering)" "nsbox-init: lingering box=\"$id\" user=\"alice\" policy=\"shared\" processes=2" \
    "lingering: with how many processes"
from_here
nsboxctl stop "$id" >"$T/out"
like "$(the_line stopped)" "^nsbox-init: stopped box=\"$id\" user=\"alice\" policy=\"shared\" after_ms=([5-9][0-9][0-9]|[0-9]{4}) ended_by_force=1\$" \
    "stopped: after how long, and how many processes were ended by force"
unlike "$(log)" "nsbox.*{{" "no line holds a control character"
nothing_left "then nothing is left"

# --- A lease ends with its session ---

# One login stays; another comes and goes.
box_open alice
box_do 'sleep 4972 & :' # what keeps a box that lingers

# leaves WHY CLAIM: within a moment one lease is left, and the log tells once that another ended, and why
leaves() {
    until_ok 5 log_has ' left .*leases=1'
    is "$(log | grep -o ' left .*' | grep -o 'why="[a-z]*" leases=[0-9]*')" "why=\"$1\" leases=1" "$2"
    is "$(nsboxctl list --noheadings -o LEASES | xargs)" 1 "... and nsboxctl list agrees"
}

from_here
session --user alice -- true 2>"$T/session"
leaves closed "close_session gives the lease back"
from_here
session --user alice --close 0 --end -- true 2>"$T/session"
leaves closed "pam_end without close_session gives it back"
from_here
session --user alice --exec -- true 2>"$T/session"
leaves exited "a caller that is replaced by the command holds it until the command exits"
session --user alice --exec -- sleep 4973 2>"$T/session" 3>&- &
until_ok 5 pgrep -fx 'sleep 4973' >"$T/out"
is "$(nsboxctl list --noheadings -o LEASES | xargs)" 2 "... which is there as long as it lasts"
from_here
kill -KILL $!
wait $! 2>/dev/null
leaves exited "and ends with it, by SIGKILL too"
session --user alice -- sleep 4974 2>"$T/session" 3>&- &
until_ok 5 pgrep -fx 'sleep 4974' >"$T/out"
from_here
kill -KILL $!
wait $! 2>/dev/null
leaves exited "a caller that is killed by SIGKILL loses it"
from_here
su alice -c true
leaves closed "su gives it back"
from_here
ssh_as alice -f 'sleep 4975' >"$T/out" 2>&1 3>&-
until_ok 5 pgrep -fx 'sleep 4975' >"$T/out"
# The user's own sshd may be killed by the user; the session's lease is the monitor's.
kill -KILL "$(pgrep -f '^sshd(-session)?: alice@')"
leaves closed "a user who kills the own sshd loses the session, in good order"
from_here
expect_script <<'END'
spawn login -f alice
want "\\$ "
send "echo box-\$NSBOX-\$((40 + 2)); exit\r"
want "box-\[a-z2-7\]+-42"
finish
END
is "$(grep -aoE 'box-[a-z2-7]+-42' "$T/expect.out")" "box-$(box_do 'echo $NSBOX')-42" "login joins the box"
leaves closed "login gives the lease back"

# What a user can do to keep one: a process that outlives the session, ignores every signal and has each descriptor that
# there was.
cat >"$T/keep" <<'END'
#!/bin/bash
trap '' TERM HUP INT QUIT USR1 USR2 PIPE ALRM
setsid sleep 4976 </dev/null >/dev/null 2>&1 &
echo kept
END
chmod 755 "$T/keep"
from_here
is "$(ssh_as alice "$T/keep")" kept "a user leaves a process behind that keeps all it can"
leaves closed "... which keeps no lease"
ok "... but lives on as long as the box does" pgrep -fx 'sleep 4976' >"$T/out"

# A lease is known by the number of a descriptor, and where there is neither a procfs of its own nor a log nsbox-init has
# fewer of them.
box_do 'pkill -KILL sleep'
box_close
until_ok 5 has_holders 0
printf '[default]\nScope = user\nNamespaces = uts\n' | configure
mv /dev/log /dev/no-log
box_open alice
session --user alice -- true 2>"$T/session"
ok "a lease is given back where nsbox-init has neither a procfs nor a log" \
    until_ok 5 sh -c '[ "$(nsboxctl list --noheadings -o LEASES | xargs)" = 1 ]'
session --user alice --exec -- true 2>"$T/session"
ok "... and ends with its process" until_ok 5 sh -c '[ "$(nsboxctl list --noheadings -o LEASES | xargs)" = 1 ]'
mv /dev/no-log /dev/log
box_close
until_ok 5 has_holders 0

# --- The same uid under another name ---

configure <"$T/story.conf"
snapshot
box_open alice
box_do 'sleep 4972 & :'
# From a box of their own, and from outside of all.
cat >"$T/spy" <<END
#!/bin/bash
holder=\$1
pgrep -f 'sleep 497[26]'
for path in /run/nsbox /proc/\$holder/cwd /proc/\$holder/root /proc/\$holder/fd; do
    ls "\$path/" && echo "seen: \$path"
done
for signal in TERM QUIT KILL STOP 40; do
    kill -\$signal \$holder && echo "sent: \$signal"
done
nsenter --target \$holder --mount --pid true && echo entered
nsboxctl list && echo listed
nsboxctl stop $(box_do 'echo $NSBOX') && echo stopped
exit 0
END
chmod 755 "$T/spy"
holder=$(holders)
isnt "$(session --user alias -- sh -c 'echo $NSBOX' 2>"$T/session")" "$(box_do 'echo $NSBOX')" "the same uid under another name has another box"
is "$(session --user alias -- "$T/spy" 1 2>"$T/session")" "" "from there it sees nothing of the first, and stops nothing"
is "$(session --user alias -- "$T/spy" "$holder" 2>"$T/session")" "" "nor by the number that its first process has outside"
is "$(setpriv --reuid alias --regid alice --clear-groups bash -c "'$T/spy' $holder | grep -v '^[0-9]*$'" 2>"$T/out")" "" \
    "from outside of all boxes it can neither enter nor stop it"
ok "the box is still there" kill -0 "$holder"
is "$(nsboxctl list --noheadings -o USER,LEASES | xargs)" "alice 1" "with its lease"
box_do 'pkill -KILL sleep'
box_close
nothing_left "nothing is left"

# --- Nobody gets more than their policy by a chain of logins ---

cat >/etc/pam.d/su <<'END'
auth     sufficient pam_permit.so
account  required   pam_permit.so
session  required   pam_nsbox.so
END
mkdir -m 1777 /srv/kept
configure <<'END'
[policy alice]
Users = alice
Scope = user
ReadOnlyPaths = /srv/kept
CapabilityBoundingSet = CAP_SETUID, CAP_SETGID, CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_SYS_CHROOT, CAP_KILL, CAP_AUDIT_WRITE, CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE

[policy bob]
Users = bob
Scope = user
END
snapshot
box_open alice
cat >"$T/look" <<'END'
#!/bin/bash
echo "$(id -un) $(hostname) $(touch /srv/kept/by-$$ 2>/dev/null && echo writes || echo reads) $(sed -n 's/^CapBnd:\t*//p' /proc/self/status)"
END
chmod 755 "$T/look"
first=$(box_do "$T/look")
chain=$(box_do "su bob -c '$T/look; su alice -c $T/look' </dev/null")
readarray -t lines <<<"$chain"
like "$first" '^alice host-alice reads [0-9a-f]*$' "alice's policy lets her read a folder"
is "${lines[0]}" "bob host-alice-bob reads ${first##* }" "alice, who is bob by su, gets what both policies allow"
is "${lines[1]}" "alice host-alice-bob-alice reads ${first##* }" "and as alice again no more than at first"
is "$(session --user bob -- "$T/look" 2>"$T/session" | cut -d' ' -f1-3)" "bob host-bob writes" "(bob himself may write there)"
box_close
rm -rf /srv/kept
until_ok 10 has_holders 0

stop_sshd
done_testing
