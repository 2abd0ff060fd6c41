#!/bin/bash
# Leases: one session's end never touches another's, whatever the order in which nsbox-init hears of them; and nobody
# but root can forge, steal or disturb one.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

for service in session su; do
    pam_service "$service"
done
# One whose other modules say nothing to the log.
printf '%s\n' 'account required pam_permit.so' 'session required pam_nsbox.so' >/etc/pam.d/quiet
configure <<'END'
[default]
Scope = user
TimeoutStopSec = 1s
END
snapshot

# member NUMBER: a session of alice's that lasts until its pipe is written to
declare -A MEMBER=()
member() {
    rm -f "$T/go-$1" "$T/out/in-$1"
    mkfifo "$T/go-$1"
    chmod 666 "$T/go-$1"
    session --user alice -- sh -c "echo in >$T/out/in-$1; read -r line <$T/go-$1; exit 7" >"$T/member-$1" 2>&1 3>&- &
    MEMBER[$1]=$!
}

is_in() {
    wait_for_text "$T/out/in-$1" in 10
}

# leave NUMBER: the session ends, wholly, its process too. It may be a zombie.
leave() {
    echo go >"$T/go-$1"
    until_ok 10 gone "${MEMBER[$1]}"
}

install -d -m 1777 "$T/out"

# --- Many end while one begins, and nsbox-init hears of all of it at once ---

# Numbers are given in ascending order. The one that leaves last has the number that the newcomer will get.
for number in 0 1 2 3; do
    member "$number"
    is_in "$number"
done
holder=$(holders)
kill -STOP "$holder"
for number in 1 3 2; do
    leave "$number"
done
from_here
member 4
sleep 0.3 # until it has connected and asked
kill -CONT "$holder"
ok "a session that begins while others end gets in" is_in 4
sleep 0.5
ok "its lease is not taken for one of theirs: its box lives" kill -0 "${MEMBER[4]}"
is "$(holders)" "$holder" "and is the one that it joined"
unlike "$(log)" 'why="exited"' "who has closed his session and then exited has closed it, whatever was heard first"
leave 4
wait "${MEMBER[4]}"
is $? 7 "its shell was not killed"
leave 0
nothing_left "then nothing is left"

# --- Two begin at once ---

member 1
is_in 1
holder=$(holders)
from_here
kill -STOP "$holder"
member 2
member 3
sleep 0.3
kill -CONT "$holder"
is_in 2
is_in 3
logged_times 2 ' joined ' "two sessions join at once"
unlike "$(log)" 'lease=0 ' "neither gets a lease that cannot be given back"
for number in 1 2 3; do
    leave "$number"
done
nothing_left "then nothing is left"

# --- No number left ---

member 1
is_in 1
holder=$(holders)
used=$(find "/proc/$holder/fd" -mindepth 1 | wc -l)
# A client needs a number, and his lease another.
prlimit --pid "$holder" --nofile=$((used + 2)):
member 2
is_in 2
for room in 2 1; do
    from_here
    prlimit --pid "$holder" --nofile=$((used + room)):
    start=$(milliseconds)
    session --user alice -- true >"$T/third" 2>&1
    is $? 120 "a session for which the box has no room is refused ($((room - 1)) numbers left)"
    at_most $(($(milliseconds) - start)) 3000 "at once"
    logged 'refused.*step=join.*it holds as many sessions as it can' "the log says why, and what to do"
done
before=$(awk '{ print $14 + $15 }' "/proc/$holder/stat")
sleep 0.5
prlimit --pid "$holder" --nofile=$((used + 2)):
at_most $(($(awk '{ print $14 + $15 }' "/proc/$holder/stat") - before)) 5 "nsbox-init does not spin meanwhile"
leave 2
until_ok 5 log_has 'left .*leases=1'
member 3
ok "when one has left there is room again" is_in 3
leave 1
leave 3
nothing_left "then nothing is left"

# --- A system log that is slow ---

# All the lines of whoever leaves at once go to a log that takes one a second, which any user's flood can bring about.
leaving=()
for ((number = 1; number <= 30; number++)); do
    member "$number"
    is_in "$number"
    [ "$number" -eq 1 ] || leaving+=("${MEMBER[$number]}")
done
: >"$T/slow-log"
kill -KILL "${leaving[@]}"
wait "${leaving[@]}" 2>/dev/null
session --service quiet --user alice -- true >"$T/newcomer" 2>&1
is $? 0 "whoever joins while nsbox-init has much to say to a slow log is not kept out"
rm "$T/slow-log"
leave 1
nothing_left "then nothing is left" 30

# --- Forging ---

member 1
is_in 1
holder=$(holders)
from_here
# As alice, from outside and from inside.
cat >"$T/forge" <<END
#!/bin/bash
# Every place and every signal by which a lease could be reached. What works is said.
pid=\$1
for path in /run/nsbox /proc/\$pid/cwd /proc/\$pid/fd /proc/\$pid/root /proc/\$pid/environ /proc/\$pid/mem; do
    ls "\$path/" && echo "seen: \$path"
    cat "\$path" && echo "read: \$path"
done
for signal in TERM QUIT KILL STOP CONT HUP 40; do
    kill -\$signal \$pid && echo "sent: \$signal"
done
for lease in 7 8 9 10 11 12; do
    /bin/kill -q \$lease -s 40 \$pid && echo "left: \$lease"
done
mkdir /run/nsbox && echo "made: /run/nsbox"
perl -e 'use Socket; socket(S, AF_UNIX, SOCK_SEQPACKET, 0); connect(S, sockaddr_un("/proc/\$ARGV[0]/cwd/lease")) and print "connected\n"' \$pid
exit 0
END
chmod 755 "$T/forge"
is "$(setpriv --reuid alice --regid alice --clear-groups "$T/forge" "$holder" 2>/dev/null)" "" \
    "a user outside reaches neither the register nor the lease socket nor nsbox-init"
is "$(setpriv --reuid bob --regid bob --clear-groups "$T/forge" "$holder" 2>/dev/null)" "" "nor does another user"
is "$(as_alice "$T/forge" 1 2>/dev/null)" "" "nor does the user inside"
ok "the box is still there" kill -0 "$holder"
unlike "$(log)" 'why="closed" leases=0' "and has its lease"

# Root inside may end the box, as the manual says; but a lease is given back from outside only.
from_here
session --user alice --root -- sh -c 'for lease in 6 7 8 9 10 11 12; do /bin/kill -q $lease -s 40 1; done' >"$T/root" 2>&1
sleep 0.2
logged_times 1 ' left ' "root inside cannot give back the lease of a session (the one that left is his own)"
session --user alice --root -- sh -c 'kill -KILL 1; kill -STOP 1; sleep 0.2' >"$T/root" 2>&1
ok "root inside can neither kill nor stop nsbox-init" kill -0 "$holder"
unlike "$(cat "/proc/$holder/status")" 'State:.T' "it runs"
session --user alice -- true >"$T/fourth" 2>&1
is $? 0 "and answers"
leave 1
nothing_left "then nothing is left"

# --- The register ---

chmod 755 /run/nsbox
from_here
session --user alice -- true >"$T/open" 2>&1
is $? 120 "a register that others can open is not used"
logged "refused.*step=registry.*must be root's folder with mode 0700" "the log says so"
chmod 700 /run/nsbox
chown alice /run/nsbox
session --user alice -- true >"$T/open" 2>&1
is $? 120 "nor one that is not root's"
chown root /run/nsbox
rmdir /run/nsbox
ln -s /tmp /run/nsbox
session --user alice -- true >"$T/open" 2>&1
is $? 120 "nor a symbolic link"
rm /run/nsbox
session --user alice -- true >"$T/open" 2>&1
is $? 0 "one that is not there is made"
nothing_left "and nothing is left"

# A process that answers in the place of a box that has ended, with the number that the register had told, must have
# root's credentials. Here root himself plays the box, badly: a lock, a socket, and no right to either.
cat >"$T/impostor" <<'END'
use Socket;
use Fcntl;
chdir "/tmp/impostor" or die;
socket(S, AF_UNIX, SOCK_SEQPACKET, 0) or die;
unlink "lease";
bind(S, sockaddr_un("lease")) or die;
# Registered by root, listening as alice: as if the number were another process's now.
open(R, "<", "/run/nsbox") or sysopen(R, "/run/nsbox", O_RDONLY | O_DIRECTORY) or die;
$lock = pack("s s x4 q q i x4", F_RDLCK, 0, 0, 1 << 62, 0); # every scope
fcntl(R, F_SETLK, $lock) or die;
$> = (getpwnam "alice")[2];
listen(S, 5) or die;
$| = 1;
print "ready\n";
accept(C, S) and do { recv(C, $message, 10000, 0); print "asked: ", length($message), "\n" };
sleep 100;
END
if [ "$(getconf LONG_BIT)" = 64 ]; then
    mkdir -m 777 /tmp/impostor
    perl "$T/impostor" >"$T/impostor.out" 2>&1 3>&- &
    impostor=$!
    wait_for_text "$T/impostor.out" ready 5 || diag "$(cat "$T/impostor.out")"
    timeout 30 session --user alice -- true >"$T/against" 2>&1
    is $? 120 "a process that is not root's is not taken for a box" || diag "$(log | tail -n 5)" "$(cat /proc/locks)"
    unlike "$(cat "$T/impostor.out")" 'asked: [1-9]' "and is not told a thing"
    kill $impostor
    wait $impostor 2>/dev/null
    rm -r /tmp/impostor
    session --user alice -- true >"$T/after" 2>&1
    is $? 0 "when it is gone, logins work"
fi
nothing_left "nothing is left at the end"

done_testing
