#!/bin/bash
# Thousands of logins, by callers that live as long, by pamtester and through sshd, into boxes of every scope: nothing
# grows. SOAK=1 is 20,000 of the first two kinds and 2,000 through sshd.
# Runs alone: the kernel's memory is everybody's.
#
# What is called flat: after a warm-up, no descriptor, process, mount, namespace or lock more than before, however many
# logins came in between; no caller and no nsbox-init that is larger by more than 128 KiB, which malloc(3) may waste
# once; and no more than 2 MiB of the kernel's memory, once it has given back what it can, which moves by half a MiB by
# itself. Were one of its smallest objects left behind by each login, 20,000 logins would take more.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

logins=$(rounds 500 20000)
ssh_logins=$(rounds 24 2000)
blocks=$(rounds 1 20)

groupadd team
for user in carol dave erin; do
    useradd --create-home --no-log-init --shell /bin/bash --password '*' "$user"
done
usermod -aG team carol
usermod -aG team dave
configure <<'END'
[default]
PrivateTmp     = yes
EphemeralPaths = %h
TimeoutStopSec = 2s

[policy shared]
Users = bob
Scope = user

[policy team]
Groups     = team
Scope      = policy
Namespaces = mount, uts, ipc, pid, net, cgroup

[policy lingering]
Users  = erin
Scope  = user
Linger = yes
END
pam_service session
pam_service sshd
for what in descriptor memory process mount namespace hidden; do
    pam_service "leaky-$what" 'session required pam_nsbox.so' "session required $T/bin/leak.so $what"
done
start_sshd
for user in dave erin; do
    install -d -m 700 -o "$user" "$(home_of "$user")/.ssh"
    install -m 600 -o "$user" "$T/key.pub" "$(home_of "$user")/.ssh/authorized_keys"
done

# --- What is measured ---

declare -A LIVES=() # by name, the processes that live through it all

# charged: bytes of the kernel's memory that this test's own cgroup has, whatever else the machine does; where nobody
# counts that, all of it but stacks and page tables, which are their processes'
version_1=/sys/fs/cgroup/memory$(sed -n 's/^[0-9]*:\([a-z_]*,\)*memory\(,[a-z_]*\)*://p' /proc/self/cgroup)
version_2=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
if [ "$version_1" != /sys/fs/cgroup/memory/ ] && [ -e "$version_1/memory.kmem.usage_in_bytes" ]; then
    charged() { cat "$version_1/memory.kmem.usage_in_bytes"; }
elif [ "$version_2" != /sys/fs/cgroup/ ] && grep -qs '^kernel ' "$version_2/memory.stat"; then
    charged() { awk '$1 == "kernel" { print $2 }' "$version_2/memory.stat"; }
else
    charged() { awk '/^(Slab|Percpu):/ { sum += $2 * 1024 } END { print sum }' /proc/meminfo; }
fi

# kernel_memory: KiB that it does not give back, which takes more than one try
kernel_memory() {
    local last now=0
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        last=$now
        echo 3 >/proc/sys/vm/drop_caches
        sleep 0.3
        now=$(($(charged) / 1024))
        [ $((last - now)) -gt 100 ] || [ "$last" -eq 0 ] || break
    done
    echo "kernel $now"
}

# measure: a fact a line, its name and a number
measure() {
    local name
    for name in "${!LIVES[@]}"; do
        set -- "/proc/${LIVES[$name]}/fd/"*
        echo "descriptors-of-$name $#"
        awk -v name="$name" '/^RssAnon:/ { print "memory-of-" name, $2 }' "/proc/${LIVES[$name]}/status"
    done
    set -- /proc/[0-9]*
    echo "processes $#"
    echo "mounts $(wc -l </proc/self/mountinfo)"
    readlink /proc/[0-9]*/ns/* /proc/[0-9]*/fd/* 2>/dev/null >"$T/links"
    echo "namespaces $(grep -E '^(mnt|pid|uts|ipc|net|cgroup):' "$T/links" | sort -u | wc -l)"
    echo "locks $(grep -c ' POSIX .* READ ' /proc/locks)"
    kernel_memory
}

# is_flat: or what has grown since begin is in $T/grown. No subshell: it would be a process more.
is_flat() {
    measure >"$T/after"
    awk 'NR == FNR { before[$1] = $2; next }
        { allowed = $1 ~ /^memory/ ? 128 : $1 == "kernel" ? 2048 : 0 }
        $2 > before[$1] + allowed { print $1, before[$1], "to", $2 }' "$T/before" "$T/after" >"$T/grown"
    [ ! -s "$T/grown" ]
}

begin() {
    measure >"$T/before"
}

# --- Who logs in ---

declare -A INPUT=() OUTPUT=()

# start_caller NAME SERVICE USER MICROSECONDS [COMMAND...]: a process that opens and closes as often as it is asked to
start_caller() {
    local name=$1 input output
    shift
    mkfifo "$T/$name.input" "$T/$name.output"
    exec {input}<>"$T/$name.input" {output}<>"$T/$name.output"
    reopen "$1" "$2" - "$3" 1 "${@:4}" <&"$input" >&"$output" 2>>"$T/errors" 3>&- &
    LIVES[$name]=$! INPUT[$name]=$input OUTPUT[$name]=$output
}

# ask NAME NUMBER: that many sessions, from now on
ask() {
    echo "$2" >&"${INPUT[$1]}"
}

# answer NAME: waits for its sessions, and adds their boxes to $T/boxes
answer() {
    local line
    while read -r -t 240 -u "${OUTPUT[$1]}" line; do
        case $line in
        'done 0') return ;;
        done*) echo "$1: $line" >>"$T/errors" && return ;;
        esac
        echo "$1 $line"
    done >>"$T/boxes"
    echo "$1: no answer" >>"$T/errors"
}

stop_caller() {
    local input=${INPUT[$1]} output=${OUTPUT[$1]}
    kill "${LIVES[$1]}"
    wait "${LIVES[$1]}" 2>/dev/null
    exec {input}>&- {output}<&-
    rm "$T/$1.input" "$T/$1.output"
    unset "LIVES[$1]" "INPUT[$1]" "OUTPUT[$1]"
}

# by_pamtester NUMBER USER..., by_ssh NUMBER USER...: so many logins, one after the other, the users in turn
by_pamtester() {
    local number=$1 i users=("${@:2}")
    for ((i = 0; i < number; i++)); do
        pamtester session "${users[i % ${#users[@]}]}" open_session close_session >"$T/pamtester" 2>&1 </dev/null ||
            cat "$T/pamtester" >>"$T/errors"
    done
}

by_ssh() {
    local number=$1 i users=("${@:2}")
    for ((i = 0; i < number; i++)); do
        ssh_as "${users[i % ${#users[@]}]}" true </dev/null 2>>"$T/errors" ||
            echo "ssh as ${users[i % ${#users[@]}]}: $?" >>"$T/errors"
    done
}

callers=(alone shared-1 shared-2 team lingering)

# block NUMBER SSH_NUMBER: one half of the number by pamtester and the other by the callers, and all at the same time
block() {
    local caller jobs=()
    for caller in "${callers[@]}"; do
        ask "$caller" $(($1 / 2 / ${#callers[@]}))
    done
    by_pamtester $(($1 / 2)) alice bob dave erin 3>&- &
    jobs+=($!)
    by_ssh $(($2 / 2)) alice bob 3>&- &
    jobs+=($!)
    by_ssh $(($2 / 2)) dave erin 3>&- &
    jobs+=($!)
    for caller in "${callers[@]}"; do
        answer "$caller"
    done
    wait "${jobs[@]}"
}

# --- A leak would be seen ---

# leaks WHAT FACT NUMBER: with a module in the stack that leaks at each login, the same measure shows it
leaks() {
    start_caller leaky "leaky-$1" alice 0
    ask leaky 5
    answer leaky
    begin
    ask leaky "$3"
    answer leaky
    is_flat
    like "$(cat "$T/grown")" "(^|"$'\n'")$2 " "a leak at each login is seen: $1" || diag "$(cat "$T/before" "$T/after")"
    stop_caller leaky
    pkill -KILL -x reopen
    while umount /run/leak 2>/dev/null; do :; done
    rm -rf /run/leak
}

: >"$T/errors"
snapshot
leaks descriptor descriptors-of-leaky 10
leaks memory memory-of-leaky 50
leaks process processes 10
leaks mount mounts 10
leaks namespace namespaces 10
leaks hidden kernel 250
is "$(sort "$T/errors" | uniq -c)" '' 'all of these logins succeed'
nothing_left 'what was leaked on purpose is away again' 15

# --- None leaks ---

# A box that lives through it all, and that dave's logins join.
box_open carol
standing=$(box_do 'echo $NSBOX')
LIVES=([nsbox-init]=$(holders) [sshd]=$(cat "$T/sshd.pid") [carol]=$BOX_PID)
start_caller alone session alice 0
start_caller shared-1 session bob 300
start_caller shared-2 session bob 300
start_caller team session dave 0 true
start_caller lingering session erin 0 sh -c 'sleep 0.1 </dev/null >/dev/null 2>&1 &'

block $((logins / blocks / 2)) $((ssh_logins / blocks / 2)) # the warm-up
until_ok 10 has_holders 1
: >"$T/boxes"
snapshot
begin
for ((i = 1; i <= blocks; i++)); do
    block $((logins / blocks)) $((ssh_logins / blocks))
    log | grep -E ' (refused|closing failed) ' >>"$T/errors"
    : >"$LOG" # it is in memory
    if [ "$i" -lt "$blocks" ]; then
        until_ok 10 is_flat
        diag "after $((i * (logins + ssh_logins) / blocks)) logins: $(sort "$T/after" | xargs)"
    fi
done
ok "$((logins + ssh_logins)) logins: nothing grows" until_ok 30 is_flat || diag "$(cat "$T/grown")"
diag "before: $(sort "$T/before" | xargs)" "after: $(sort "$T/after" | xargs)"
is "$(sort "$T/errors" | uniq -c | head)" '' "$((logins + ssh_logins)) logins: all succeed"
nothing_left "$((logins + ssh_logins)) logins: nothing is left of them" 15

boxes_of() {
    awk -v name="$1" '$1 ~ name { print $2 }' "$T/boxes"
}
is "$(boxes_of alone | sort -u | wc -l)" "$(boxes_of alone | wc -l)" 'Scope=login: each had a box of its own'
is "$(boxes_of team | sort -u)" "$standing" 'Scope=policy: all joined the box that stayed'
for name in shared lingering; do
    at_most "$(boxes_of $name | sort -u | wc -l)" $(($(boxes_of $name | wc -l) - 1)) "$name: boxes were joined"
done

for caller in "${callers[@]}"; do
    stop_caller "$caller"
done
box_close
until_ok 10 has_holders 0
stop_sshd

# --- No namespace that nobody sees ---

# A user namespace counts those in it, whoever holds them (namespaces(7)). A hundred is enough for one box after another
# and for those that the kernel has not given back yet.
if in-userns true 2>/dev/null; then
    hundred=()
    for kind in mnt uts ipc pid net cgroup; do
        hundred+=(-l "max_${kind}_namespaces=100")
    done
    # in_a_hundred SERVICE NUMBER
    in_a_hundred() {
        in-userns "${hundred[@]}" unshare --net --cgroup "$LIB/own-root" reaper reopen "$1" alice "$2" 2000 1 \
            >"$T/boxes" 2>"$T/errors" 3>&-
    }
    # The sysfs of a network's own needs mounts that nobody has locked.
    for namespaces in 'mount, uts, ipc, pid' 'uts, ipc, net, cgroup'; do
        configure <<<"[default]"$'\n'"Namespaces = $namespaces"
        number=$(rounds 250 3000)
        in_a_hundred session "$number"
        is "$? $(wc -l <"$T/boxes")" "0 $number" "$number logins where there may be a hundred namespaces each: $namespaces" ||
            diag "$(tail -n 5 "$T/errors")" "$(log | tail -n 5)"
    done
    configure <<<'[default]'
    in_a_hundred leaky-hidden 200
    is "$? $(($(wc -l <"$T/boxes") < 100))" "1 1" "if each left one behind, there would not be enough"
else
    skip "as many logins where there may be a hundred namespaces" "no user namespaces here"
fi

done_testing
