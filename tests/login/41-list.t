#!/bin/bash
# nsboxctl list and show: who is in which box, as the kernel knows it.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service sshd
pam_service su
pam_service session
start_sshd
configure <<'END'
[policy shared]
Users    = bob
Services = session
Scope    = user
NoNewPrivileges = yes
CapabilityBoundingSet = CAP_KILL, CAP_CHOWN

[policy students]
Users    = alice, bob
END

# json EXPRESSION: what the Perl expression finds in the list's JSON, an array @b
json() {
    nsboxctl list --json | perl -MJSON::PP -0777 -e '@b = @{decode_json(<STDIN>)->{boxes}}; print eval($ARGV[0]) // "undef"' "$1"
}

boxes_are() {
    [ "$(nsboxctl list --noheadings -o BOX | wc -l)" = "$1" ]
}

is "$(nsboxctl list)" "" "without a box the list is empty"
is "$(json 'scalar @b')" 0 "... and as JSON an empty array"
snapshot

# --- A login over ssh ---

ssh_as alice -tt 'echo $NSBOX $(tty); exec sleep 4341' >"$T/ssh" 2>&1 </dev/null &
ssh=$!
wait_for_text "$T/ssh" pts
read -r id _ < <(tr -d '\r' <"$T/ssh")
is "$(nsboxctl list --noheadings -o BOX,USER,POLICY,SERVICE,FROM,LEASES,PROCS,HOSTNAME | xargs)" \
    "$id alice students sshd 127.0.0.1 1 2 host-alice" "list shows a login over ssh, where it comes from, and what is in it"
like "$(nsboxctl list --noheadings -o TTY)" '^(ssh|pts/[0-9]+|/dev/pts/[0-9]+)$' "... and the terminal that PAM was told"
is "$(nsboxctl list | head -1 | xargs)" "BOX USER POLICY SERVICE FROM TTY SINCE LEASES PROCS HOSTNAME PID" \
    "the columns are those that are promised"
pid=$(nsboxctl list --noheadings -o PID | xargs)
is "$(cat "/proc/$pid/comm")" nsbox-init "PID is that of nsbox-init on the host"
is "$(json '$b[0]{box}')" "$id" "--json tells the box"
is "$(json 'join " ", map { $b[0]{$_} // "null" } qw(user policy service from leases procs hostname pid state scope)')" \
    "alice students sshd 127.0.0.1 1 2 host-alice $pid live login" "--json has every column"
is "$(json 'ref(\$b[0]{pid}) . " " . (encode_json([$b[0]{pid}]) =~ /^\[\d+\]$/ ? "number" : "string")')" "SCALAR number" \
    "numbers are numbers in it"
is "$(json '$b[0]{changed} ? "changed" : "same"')" same "... and changed is a truth value"
since=$(nsboxctl list --noheadings -o SINCE | xargs)
at_most $(($(date +%s) - $(date -d "$since" +%s))) 30 "SINCE is the time of the login"

# --- More of them ---

box_open bob
bob=$(box_do 'echo $NSBOX')
su alice -c 'echo $NSBOX; exec sleep 4342' >"$T/su" &
su=$!
wait_for_text "$T/su" .
is "$(nsboxctl list --noheadings -o BOX | xargs)" "$id $bob $(cat "$T/su")" "every live box is in the list, the oldest first"
session --user bob -- sh -c 'echo $NSBOX; exec sleep 4343' >"$T/second" 2>/dev/null &
second=$!
wait_for_text "$T/second" .
is "$(cat "$T/second")" "$bob" "bob's second login shares the box"
is "$(nsboxctl list --noheadings -o BOX,LEASES | grep "$bob" | xargs)" "$bob 2" "... which then has two leases"
is "$(nsboxctl list --noheadings -o user,scope | xargs)" "alice login bob user alice login" "column names may be small"

# --- Where they are registered ---

is "$(grep -c ":$(stat -c %i /run/nsbox) " /proc/locks)" 1 \
    "bob's box has a lock where shared ones are looked for; the others, of which a host may have thousands, are not in its way"
strace -qq -f -o "$T/strace" -e trace=openat su alice -c true
is "$(sed -n 's,.*AT_FDCWD\, "/run/nsbox".* = ,,p' "$T/strace")" 4 \
    "... nor are those in theirs: who closed a descriptor of that folder would go through all of its locks"
for files in 4 5; do # one for the register, one for /proc, one for a process
    prlimit --nofile=$files nsboxctl list >"$T/out" 2>"$T/err" 3>&-
    like "$? $(cat "$T/err")" '^1 nsboxctl list: the live boxes cannot be told: Too many open files$' \
        "who cannot look at all processes says so, and shows no part ($files descriptors)"
done
setpriv --bounding-set -dac_override,-dac_read_search unshare --mount \
    sh -c "mount -t tmpfs -o mode=0 none /proc && exec nsboxctl list" >"$T/out" 2>"$T/err"
is "$? $(tail -n 1 "$T/err")" "1 nsboxctl list: the live boxes cannot be told: Permission denied" "... nor who may not look at all"
for other in 'mount -t tmpfs none /proc' 'mount --bind / /'; do
    unshare --mount --pid --fork sh -c "$other && nsboxctl list" >"$T/out" 2>"$T/err"
    is "$? $(tail -n 1 "$T/err")" "1 nsboxctl list: the live boxes cannot be told: No such process; /proc must be a procfs of this PID namespace" \
        "... nor who has no procfs, or another PID namespace's ($other)"
done

setpriv --bounding-set -sys_ptrace nsboxctl list >"$T/out" 2>"$T/err"
is "$? $(cat "$T/out" "$T/err")" "1 nsboxctl list: the live boxes cannot be told: Operation not permitted; it takes CAP_SYS_PTRACE" \
    "... nor who may not look at an nsbox-init"
setpriv --bounding-set -sys_ptrace nsboxctl show "$bob" >"$T/out" 2>"$T/err"
is "$? $(cat "$T/out" "$T/err")" "1 nsboxctl show: the live boxes cannot be told: Operation not permitted; it takes CAP_SYS_PTRACE" \
    "... also where he knows the id"
unshare --mount sh -c 'mount -t proc -o hidepid=invisible,gid=64000 proc /proc && exec setpriv --bounding-set -sys_ptrace nsboxctl list' \
    >"$T/out" 2>"$T/err"
is "$? $(cat "$T/out" "$T/err")" "1 nsboxctl list: the live boxes cannot be told: Operation not permitted; it takes CAP_SYS_PTRACE" \
    "... and where procfs hides all boxes from him"

# A container's register is another one, whatever its path.
cat >"$T/container" <<'END'
mount -t tmpfs -o mode=700 register /run/nsbox
session --user alice -- sh -c 'echo in >'"$T"'/contained; exec sleep 4344' >"$T/session" 2>&1 3>&- &
until [ -s "$T/contained" ]; do sleep 0.05; done
nsboxctl list --noheadings -o USER,PROCS | xargs >"$T/inside"
nsenter --mount=/proc/$$/ns/mnt --target 1 --mount nsboxctl list --noheadings -o BOX | xargs >"$T/outside"
pkill -f 'sleep 4344$'
wait
END
touch "$T/contained"
chmod 666 "$T/contained"
env T="$T" unshare --mount --propagation private bash "$T/container"
is "$(cat "$T/inside")" "alice 1" "in a container with a register of its own its boxes are in the list"
is "$(cat "$T/outside")" "$id $bob $(cat "$T/su")" "... and on the host those of the host"

# What looks like a box's nsbox-init: its name, its lock, and a socket where a box has its own. A user may open the register too,
# but by O_PATH; and what is root's by its file may become root's wholly before it closes what it has from him, as chfn(1).
cat >"$T/impostor" <<'END'
use Fcntl;
use POSIX ();
use Socket;
($name, $folder, $register, $flags, $opener) = @ARGV;
chdir $folder or die;
$^F = 255;
if ($opener) {
    # As from another process by a socket: pidfd_open(2), pidfd_getfd(2)
    pipe(A, B) or die;
    $child = fork // die;
    if ($child == 0) {
        POSIX::setgid((getpwnam $opener)[3]);
        POSIX::setuid((getpwnam $opener)[2]);
        sysopen(P, $register, oct $flags) or die "$!";
        POSIX::dup2(fileno(P), 60);
        close B;
        sleep 100;
    }
    close B;
    read(A, $nothing, 1);
    $fd = syscall(438, syscall(434, $child, 0), 60, 0);
    $fd >= 0 or die "$!";
    kill KILL => $child;
} else {
    sysopen(P, $register, oct $flags) or die "$!";
    $fd = fileno(P);
}
sysopen(R, ".", O_RDONLY | O_DIRECTORY) or die;
POSIX::dup2($fd, 61) && POSIX::dup2(fileno(R), 5) && POSIX::dup2(61, 4) or die;
open(F, "<&=5") or die;
$lock = pack("s s x4 q q i x4", F_RDLCK, 0, (1 << 62) + 1, 1, 0);
fcntl(F, F_SETLK, $lock) or die;
socket(S, AF_UNIX, SOCK_SEQPACKET, 0) && bind(S, sockaddr_un("lease")) && listen(S, 5) or die;
open(C, ">", "/proc/self/comm") && syswrite(C, $name) or die;
$| = 1;
print "ready\n";
accept(C, S) and print "asked\n";
END
impostors=()
# impostor USER ARGUMENT...
impostor() {
    local n=${#impostors[@]} user=$1

    install -d -o "$user" "$T/impostor.d$n"
    setpriv --reuid "$user" --clear-groups perl "$T/impostor" "$2" "$T/impostor.d$n" "${@:3}" >"$T/impostor.$n" 2>&1 3>&- &
    impostors+=($!)
    wait_for_text "$T/impostor.$n" .
}
path=010000000 open=0200000
impostor alice nsbox-init /run/nsbox $path
impostor alice $'\nUid:\t0\t' /run/nsbox $path
impostor root nsbox-init /run/nsbox $path
impostor root nsbox-init /tmp $open
if [ -e /dev/fuse ]; then
    mkdir "$T/fuse"
    "$T/bin/fuse-home" "$T/fuse" "$(id -u alice)"
    impostor root nsbox-init "$T/fuse" $open alice
else
    echo ready >"$T/impostor.4"
fi
is "$(nsboxctl list | wc -l) $(cat "$T"/impostor.[0-4] | xargs)" "4 ready ready ready ready ready" \
    "what only looks like a box is not in the list, and is not asked"
strace -qq -o "$T/strace" -e trace=openat nsboxctl list >/dev/null
is "$(grep -cE "/proc/(${impostors[0]}|${impostors[1]}|${impostors[3]}|${impostors[4]:-x})/fdinfo" "$T/strace") $(grep -c "/proc/$pid/fdinfo" "$T/strace")" \
    "0 2" "... and no file of its is made to speak in fdinfo, which can take as long as it likes"
impostor root nsbox-init /run/nsbox $open
nsboxctl list >/dev/null
is "$(xargs <"$T/impostor.$((${#impostors[@]} - 1))")" "ready asked" "but for what root alone can do"
kill "${impostors[@]}" 2>/dev/null
wait "${impostors[@]}" 2>/dev/null

# One of root's that ends when its descriptor has been found: the kernel says EACCES of what is not there any more.
cp "$(command -v sleep)" "$T/nsbox-init"
"$T/nsbox-init" 4344 4</dev/null &
ending=$!
wait_for_text "/proc/$ending/comm" nsbox-init
strace --quiet=all -o "$T/strace" -P "/proc/$ending/fd/4" -e trace=/^readlink -e inject=/^readlink:error=EACCES:delay_exit=3s \
    nsboxctl list >"$T/out" 2>"$T/err" &
looking=$!
wait_for_text "$T/strace" readlink
{
    kill "$ending"
    wait "$ending"
} 2>/dev/null
wait "$looking"
is "$? $(wc -l <"$T/out") $(cat "$T/err") $(grep -c INJECTED "$T/strace")" "0 4  1" "... and what ends meanwhile keeps nobody from the list"
[ ! -e /dev/fuse ] || umount --lazy "$T/fuse"

# --- show ---

evil=$'exec -a "evil\xc2\x9b31m\x9b\xc3\xa4" sleep 4345'
session --user bob -- bash -c "$evil" >"$T/null" 2>&1 &
hostile=$!
until_ok 10 pgrep -f '^evil' >"$T/null"
is "$(nsboxctl show "$bob" | grep -ao 'evil.*')" 'evil??31m?ä 4345' "no text of a process's is a control sequence of the terminal's"
session --user bob -- bash -c $'exec -a "$(printf "A%.0s" {1..158})\e" sleep 4347' >"$T/null" 2>&1 &
until_ok 10 pgrep -f ' 4347$' >"$T/null"
is "$(nsboxctl show "$bob" | grep -c $'\e')" 0 "... not even where it is cut"
pkill -f ' 4347$'
session --user alice --rhost $'far\xff\xc2\x9b\xc3\xa4\xe2\x82' -- sh -c 'echo in; exec sleep 4346' >"$T/far" 2>&1 &
wait_for_text "$T/far" in
is "$(json 'join " ", grep { /far/ } map { $_->{from} // "" } @b')" $'far???\xe4??' "the list is JSON whatever a login is called from"
pkill -PIPE -f ' 4346$'
wait "$!"
pkill -f ' 4345$'
wait "$hostile"

shown=$(nsboxctl show "$bob")
shows() {
    sed -n "s/^$1  *//p" <<<"$shown"
}
is "$(shows Box) $(shows User) $(shows Policy) $(shows Scope) $(shows State)" "$bob bob shared user live" "show tells the record"
is "$(shows NoNewPrivs) $(shows Bounding)" "yes cap_chown cap_kill" "... no_new_privs and the bounding set"
holder=$(shows PID)
is "$(shows Mount) $(shows Uts) $(shows Pid)" \
    "$(stat -Lc %i "/proc/$holder/ns/mnt" "/proc/$holder/ns/uts" "/proc/$holder/ns/pid" | xargs)" "... the namespaces' inode numbers"
is "$(shows Net)" "$(stat -Lc %i /proc/self/ns/net) (not the box's own)" "... and which of them are the host's"
is "$(shows Mounts)" "$(wc -l <"/proc/$holder/mountinfo")" "... how many mounts it has"
ok "... and its processes" grep -Eq 'bob +S +sleep 4343' <<<"$shown"
not_ok "... and nobody else's" grep -q 'sleep 434[12]' <<<"$shown"
is "$(shows Changed)" no "the configuration has not changed"
is "$(nsboxctl show "${bob:0:6}" | sed -n 's/^Box *//p')" "$bob" "a unique beginning of the id will do"
like "$(nsboxctl show zzzz9 2>&1; echo "status $?")" '^nsboxctl show: no live box has an id that begins with "zzzz9".*status 1$' \
    "an id that is none is said to be so"
nsboxctl show "" >/dev/null 2>"$T/err"
is "$? $(wc -l <"$T/err")" "1 1" "an empty id is no beginning of all"

# --- The configuration has changed since ---

cp -p "$CONF" "$T/conf"
touch -r /etc/security "$T/folder"
sed -i 's/^NoNewPrivileges = yes/NoNewPrivileges = no/' "$CONF"
is "$(nsboxctl list --noheadings | awk '$4 == "*" { print $1 }')" "$bob" "a changed policy is marked in the list"
is "$(nsboxctl list --noheadings -o BOX,NOTE | grep -c 'another configuration')" 1 "... told by the column NOTE"
is "$(json 'join " ", map { $$_{box} } grep { $$_{changed} } @b')" "$bob" "... and by --json"
is "$(json 'join " ", map { $$_{policy} } @b')" "students shared students" "... where the policy's name has no mark"
like "$(nsboxctl show "$bob" | grep ^Changed)" yes "... and by show"

cp -p "$T/conf" "$CONF"
touch -r "$T/folder" /etc/security

# --- An nsbox-init that does not answer ---

kill -STOP "$holder"
start=$(milliseconds)
nsboxctl list --noheadings -o PID,STATE >"$T/out" 2>"$T/err"
is "$? $(grep "$holder" "$T/out" | xargs)" "1 $holder unanswering" "a box that does not answer is in the list as such"
at_most $(($(milliseconds) - start)) 10000 "... after the time that it is given"
like "$(cat "$T/err")" "PID $holder does not answer.*kill -CONT" "... with what to do"
is "$(wc -l <"$T/out")" 3 "... beside all the others"
kill -CONT "$holder"

# --- No dead box ---

kill -KILL "$holder"
until_ok 5 boxes_are 2
is "$(nsboxctl list --noheadings -o BOX | grep -c "$bob")" 0 "a box whose nsbox-init was killed is not in the list"
wait $second 2>/dev/null
exec 7>&- 8<&-
# shellcheck disable=SC2046 # a list
kill $(pgrep -f 'sleep 434[12]$')
wait "$su" "$ssh" 2>/dev/null
ok "the list is empty when all have gone" until_ok 10 boxes_are 0
nothing_left "nothing is left of them"

# --- Neither missed nor dead, while boxes come and go ---

churn() {
    for _ in $(seq "$1"); do
        session --user alice -- true 2>/dev/null
    done
}
box_open alice
stays=$(box_do 'echo $NSBOX')
churn "$(rounds 40 2000)" &
first=$!
churn "$(rounds 40 2000)" &
second=$!
missed=0 failed=0
while [ -n "$(jobs -r | grep churn)" ]; do
    nsboxctl list --noheadings -o BOX,STATE >"$T/out" 2>"$T/err" || failed=$((failed + 1))
    grep -q "^$stays live" "$T/out" || missed=$((missed + 1))
done
is "$missed $failed" "0 0" "while boxes come and go the list never misses one that stays, and never fails"
wait $first $second
box_close

# --- Who may ask ---

like "$(setpriv --reuid alice --clear-groups nsboxctl list 2>&1; echo "status $?")" "only root.*status 1$" "it is root's alone"
for call in "list --nonsense" "list -o NOSUCH" "list -o" "list box" "show" "show a b" "enter" "stop" "stop --now"; do
    # shellcheck disable=SC2086
    nsboxctl $call >"$T/out" 2>"$T/err"
    is "$? $(wc -l <"$T/err") $(wc -c <"$T/out")" "2 1 0" "a wrong call is exit status 2 and one line on stderr: nsboxctl $call"
done
nothing_left "looking at boxes leaves nothing" 10

done_testing
