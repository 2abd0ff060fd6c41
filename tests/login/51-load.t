#!/bin/bash
# Two hundred live boxes at once, and sixty logins at once on a host with a thousand mounts: all succeed, and nothing is
# left. SOAK=1 is 2,000 boxes and 500 logins.
# Runs alone: it takes all of two processors.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
pam_service sshd
start_sshd 'LoginGraceTime 0' # a slow machine is no reason
boxes=$(rounds 200 2000)
logins=$(rounds 60 500)
mounts=1000

# stay: says what is seen, and then lasts as long as somebody could write to the pipe
cat >"$T/stay" <<END
#!/bin/bash
echo "in \$NSBOX \$(readlink /proc/self/ns/pid) \$(</proc/sys/kernel/hostname) \$(</proc/1/comm) \$(grep -c ' /srv/' /proc/self/mountinfo)"
read -r line <$T/pipe
exit 0
END
chmod 755 "$T/stay"
mkdir "$T/out"

# begin NUMBER AT_ONCE COMMAND...: that many, each running stay; no more than AT_ONCE are on their way in
begin() {
    local number=$1 at_once=$2 i
    shift 2
    rm -rf "$T/out" "$T/pipe"
    mkdir "$T/out"
    mkfifo -m 644 "$T/pipe"
    exec 6<>"$T/pipe" # opened for both, which waits for nobody
    exec 5>"$T/pipe" 6>&-
    started=()
    for ((i = 1; i <= number; i++)); do
        "$@" "$T/stay" >"$T/out/$i" 2>&1 3>&- 5>&- </dev/null &
        started+=($!)
        [ $((i % at_once)) -ne 0 ] || until_ok $((at_once * 4)) are_in "$i" || return
    done
}

views() {
    cat "$T/out"/* | grep '^in '
}

are_in() {
    [ "$(views | wc -l)" -eq "$1" ]
}

# end_all: closes the pipe; how many did not succeed is in $failed
end_all() {
    local pid
    exec 5>&-
    failed=0
    for pid in "${started[@]}"; do
        wait "$pid" || failed=$((failed + 1))
    done
}

# why_not: what else was said
why_not() {
    diag "$(cat "$T/out"/* | grep -v -e '^in ' -e '^session: [a-z_]*: 0 Success' | sort | uniq -c | head)" "$(log | grep -E ' (refused|failed)' | tail -n 3)"
}

# --- Many live boxes ---

snapshot
start=$(milliseconds)
begin "$boxes" 50 session --user alice --
diag "$boxes boxes were open after $(($(milliseconds) - start)) ms"
is "$(count_holders)" "$boxes" "$boxes boxes are live at the same moment" || why_not
is "$(views | cut -d' ' -f2 | sort -u | wc -l) $(views | cut -d' ' -f3 | sort -u | wc -l)" "$boxes $boxes" \
    "each has an id and a PID namespace of its own"
is "$(views | cut -d' ' -f4- | sort -u)" "host-alice $HOLDER 0" "each has its hostname and nsbox-init as PID 1"
start=$(milliseconds)
nsboxctl list --noheadings -o BOX,STATE,LEASES | awk '{ print $1, $2, $3 }' | sort >"$T/list"
took=$(($(milliseconds) - start))
is "$(cat "$T/list")" "$(views | cut -d' ' -f2 | sed 's/$/ live 1/' | sort)" "nsboxctl list has all $boxes, and no other"
at_most $took $((boxes * 20)) "... within 20 ms for each"
diag "nsboxctl list took $took ms"
start=$(milliseconds)
is "$(ssh_as alice 'hostname')" host-alice "one more login through sshd gets its box"
diag "ssh host true took $(($(milliseconds) - start)) ms"
one=$(views | head -n 1 | cut -d' ' -f2)
like "$(nsboxctl stop "$one")" "^$one: stopped after" "one of them is stopped"
is "$(nsboxctl list --noheadings -o BOX | xargs -n 1 | sort)" "$(views | cut -d' ' -f2 | grep -vx "$one" | sort)" "... and no other"
end_all
is "$failed" 1 "all but that one end as if they had been alone" || why_not
nothing_left "nothing is left of $boxes boxes" 60

# --- Many mounts on the host ---

mkdir /srv/mounts
mount -t tmpfs tmpfs /srv/mounts
for ((i = 1; i < mounts; i++)); do
    mkdir "/srv/mounts/$i"
done
for ((i = 1; i < mounts; i++)); do
    echo "/srv/mounts/$i"
done | xargs -n 1 mount -t tmpfs -o size=4k tmpfs
is "$(grep -c ' /srv/mounts' /proc/self/mountinfo)" "$mounts" "the host has $mounts mounts more"
snapshot
start=$(milliseconds)
begin "$logins" "$logins" ssh "${SSH_OPTIONS[@]}" -o ConnectTimeout=2000 -p "$SSH_PORT" alice@127.0.0.1
diag "$logins logins were in after $(($(milliseconds) - start)) ms"
is "$(count_holders)" "$logins" "$logins logins at once through sshd, with $mounts mounts on the host: all get in" || why_not
is "$(views | cut -d' ' -f4- | sort -u)" "host-alice $HOLDER $mounts" "each sees them all"
end_all
is "$failed" 0 "all $logins logins end as they should" || why_not
nothing_left "nothing is left of $logins logins, and the host's mounts are what they were" 60

# With a few boxes open, what the host takes away is gone inside.
begin 10 10 session --user alice --
start=$(milliseconds)
umount /srv/mounts/* /srv/mounts
diag "the host took $mounts mounts away within $(($(milliseconds) - start)) ms"
rmdir /srv/mounts
left=0
for pid in $(holders); do
    left=$((left + $(grep -c ' /srv/' "/proc/$pid/mountinfo")))
done
is "$left" 0 "what the host takes away with 10 boxes open is gone in each"
end_all
is "$failed" 0 "they end as they should" || why_not
until_ok 10 has_holders 0

stop_sshd
done_testing
