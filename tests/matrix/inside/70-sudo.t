#!/bin/bash
# sudo signals by number, as root. No number that it uses may come from another PID namespace.
. ./lib.sh

MOUNTS_BEFORE=$(host_mounts)

# What sudo runs. It is a file, for bash, when it is interrupted while it still reads its -c, may lose its place.
cat >/usr/local/bin/interruptible <<'END'
#!/bin/bash
go() {
    for ((i = 0; i < $1; i++)); do sleep 0.1; done
}
trap "echo interrupted" INT
echo "ready $$"
go "$1"
END
chmod 755 /usr/local/bin/interruptible

# How many of those whose numbers are in $T/pids are alive. One ps for all: each looks at every process there is.
alive() {
    ps -o pid= -p "$(paste -sd , "$T/pids")" | wc -l
}

# strangers TRACE: what sudo signalled that is not a process of its own, by strace's account of all forks
strangers() {
    awk '
        { pid[$1] = 1 }
        match($0, /(clone|fork|vfork|clone3)\(.*\) = [0-9]+$/) { n = split($0, word, " = "); pid[word[n]] = 1 }
        match($0, /resumed>.*\) = [0-9]+$/) { n = split($0, word, " = "); pid[word[n]] = 1 }
        match($0, /(kill|tgkill|tkill|rt_sigqueueinfo)\(-?[0-9]+/) {
            target = substr($0, RSTART, RLENGTH)
            sub(/.*\(/, "", target)
            kills[++n_kills] = target
        }
        END {
            for (i = 1; i <= n_kills; i++) {
                t = kills[i]
                sub(/^-/, "", t)
                if (!(t in pid))
                    print "kill of " kills[i]
            }
            print n_kills + 0 " kills" >"/dev/stderr"
        }' "$1" 2>"$T/kills"
}

# traced NAME COMMAND...: sudo in strace on a terminal, with what makes it send signals: stopping, ending by ^C, SIGTERM
traced() {
    local name=$1
    shift
    cat >"$T/signals.tcl" <<'END'
set timeout 120
spawn -noecho {*}$argv
expect -re {ready ([0-9]+)}
send "\x03"
expect -re {interrupted}
exec pkill -TERM -x sudo
expect eof
END
    timeout $((40 * SLOW)) expect -f "$T/signals.tcl" strace -f -q -o "$T/trace.$name" \
        -e trace=kill,tkill,tgkill,rt_sigqueueinfo,pidfd_send_signal,clone,clone3,fork,vfork \
        sudo -u alice "$@" >"$T/out" 2>&1
}

for pty in use_pty '!use_pty'; do
    echo "Defaults !fqdn, $pty" >/etc/sudoers.d/matrix
    log_here
    traced "$pty" /usr/local/bin/interruptible 300
    found=$(strangers "$T/trace.$pty")
    if [ -z "$found" ] && [ "$(cut -d ' ' -f 1 "$T/kills")" -gt 0 ]; then
        pass "every signal of sudo's goes to a process of its own ($pty)"
    else
        fail "every signal of sudo's goes to a process of its own ($pty)" "$found" "$(cat "$T/kills")" "$(tail -n 5 "$T/out")" \
            "$(log | tail -n 3)"
    fi
    until_ok $((15 * SLOW)) nothing_left
done

# --- numbers that collide ---

# With few numbers to have, nearly all taken, a process in a box has a number that a stranger has outside; if sudo ever
# took a number from inside, a stranger would be hit. kernel.pid_max is the whole system's before Linux 6.14; then the
# PID namespace's. A fresh procfs can be written where the system's own is read-only.
mkdir -p "$T/proc"
mount -t proc proc "$T/proc"
pid_max=$(cat "$T/proc/sys/kernel/pid_max")
busy=$(ls -d /proc/[0-9]* | sed 's|/proc/||' | sort -n | tail -n 1)
wanted=$(((busy / 100 + 4) * 100))
claim="sudo, on a full PID space, hits no stranger"
if [ "$wanted" -lt 20000 ] && echo "$wanted" >"$T/proc/sys/kernel/pid_max" 2>"$T/out"; then
    cat >"$T/strangers" <<'END'
#!/bin/bash
# Children that ignore nothing: whoever hits one of them ends it.
for i in $(seq 250); do sleep 10000 & done
jobs -p >$1
wait
END
    bash "$T/strangers" "$T/pids" &
    parent=$!
    until_ok $((20 * SLOW)) test -s "$T/pids"
    before=$(alive)
    for pty in use_pty '!use_pty'; do
        echo "Defaults !fqdn, $pty" >/etc/sudoers.d/matrix
        for try in 1 2 3 4 5; do
            traced collide /usr/local/bin/interruptible 50
        done
    done
    after=$(alive)
    echo "$pid_max" >"$T/proc/sys/kernel/pid_max"
    is "$before $after" "250 250" "$claim"
    xargs kill "$parent" <"$T/pids"
else
    skip "$claim" "kernel.pid_max cannot be lowered here: numbers up to $busy are in use"
fi
umount "$T/proc"

# --- a shared box ---

# A user's box has a PID namespace; sudo must not be let in.
cp /etc/security/nsbox.conf "$T/nsbox.conf"
sed -i 's/^Propagation = rslave/&\nScope = user/' /etc/security/nsbox.conf
session_open alice
begin shared
timeout $((30 * SLOW)) sudo -u alice /usr/local/bin/probe shared >"$T/out" 2>&1
is "$(wrong_with shared alice no-pid)" "" "sudo does not join the PID namespace of a box that its user shares (Scope = user)"
session_close
MOUNTS_BEFORE=$(host_mounts)
ok "nothing of a shared box and of sudo is left" until_ok $((15 * SLOW)) nothing_left
cp "$T/nsbox.conf" /etc/security/nsbox.conf
done_testing
