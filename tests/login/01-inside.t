#!/bin/bash
# A login through each door finds itself alone in its own namespaces, before its shell starts.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

for service in session su sshd; do
    pam_service "$service"
done
pam_service login 'auth sufficient pam_permit.so'
pam_service pamtester 'session required pam_nsbox.so' "session required pam_exec.so $T/look"
start_sshd

# What one sees from inside. It stays until the test on the host has looked as well.
cat >"$T/look" <<END
#!/bin/sh
[ "\${PAM_TYPE:-open_session}" = open_session ] || exit 0
exec >$T/out/view 2>&1
ps -eo pid=,ppid=,comm= >$T/out/processes
sed 's/^/process /' $T/out/processes
echo "hostname \$(hostname)"
echo "resolves \$(getent hosts "\$(hostname)")"
echo "box \$NSBOX"
for name in mnt uts ipc pid net user cgroup; do
    echo "namespace \$name \$(readlink /proc/self/ns/\$name)"
done
sed 's/^/mount /' /proc/self/mountinfo
echo "numbers" /proc/[0-9]*
echo end
exec sleep 4242
END
chmod 755 "$T/look"
install -d -m 1777 "$T/out"

door_su() {
    su alice -c "$T/look"
}

door_sshd() {
    ssh_as alice "$T/look"
}

door_login() {
    expect_script <<END
spawn login -f alice
want "\\\\$ "
send "$T/look\r"
want "Terminated"
send "exit\r"
finish
END
}

door_pamtester() {
    pamtester pamtester alice open_session close_session
}

view() {
    sed -n "s/^$1 //p" "$T/out/view"
}

sleeper() {
    pgrep -fx 'sleep 4242'
}

# The names of the processes inside, PID 1 and the "ps" that looks apart.
declare -A own=(
    [su]='look'
    [sshd]='look sshd(-session)?'
    [login]='bash look'
    [pamtester]='look'
)

snapshot
for door in su sshd login pamtester; do
    rm -f "$T/out"/*
    "door_$door" </dev/null >"$T/door" 2>&1 &
    job=$!
    if ! wait_for_text "$T/out/view" '^end$' || ! until_ok 5 sleeper >/dev/null; then
        fail "$door: the login works" "$(cat "$T/door" "$T/out/view" "$T/expect.out" 2>&1)"
        kill $job
        wait $job
        continue
    fi

    like "$(view process | awk '$1 == 1 { print $3 }')" "^$HOLDER\$" "$door: PID 1 inside is nsbox-init"
    like "$(view process | awk '$1 != 1 && $3 != "ps" { print $3 }' | LC_ALL=C sort | xargs)" "^${own[$door]}\$" \
        "$door: ps shows the login's own processes and nothing else"
    at_most "$(view numbers | wc -w)" 6 "$door: /proc has no number of anybody else"
    is "$(view hostname)" host-alice "$door: the hostname inside is the template's"
    isnt "$(view resolves)" "" "$door: the hostname inside resolves inside"
    like "$(view box)" '^[a-z2-7]{10}$' "$door: NSBOX names the box"
    for name in mnt uts ipc pid; do
        isnt "$(view "namespace $name")" "$(readlink "/proc/self/ns/$name")" "$door: the $name namespace is its own"
    done
    for name in net user cgroup; do
        is "$(view "namespace $name")" "$(readlink "/proc/self/ns/$name")" "$door: the $name namespace is the host's"
    done
    proc=$(view mount | grep ' - proc ')
    is "$(grep -c ' /proc ' <<<"$proc")" 1 "$door: one procfs lies on /proc, the host's is not below it"
    like "$proc" 'nosuid,nodev,noexec' "$door: the procfs is nosuid, nodev and noexec"

    is "$(hostname)" host.example "$door: the hostname outside is unchanged while the login lasts"
    for pid in $(sleeper) $(holders); do
        is "$(readlink "/proc/$pid/ns/pid")" "$(view 'namespace pid')" "$door: the host sees process $(cat "/proc/$pid/comm") in the box"
    done
    like "$(ps -ef)" "$HOLDER" "$door: ps -ef on the host shows nsbox-init"

    pkill -fx 'sleep 4242'
    wait $job
    is "$(hostname)" host.example "$door: the hostname outside is unchanged after close"
    nothing_left "$door: nothing is left after the logout"
done

done_testing
