#!/bin/bash
# A network of the box's own, or a named one, with a /sys that fits and nothing of the host's network in sight.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
pam_service sshd

configure <<'END'
[policy offline]
Users      = alice
Namespaces = mount, uts, ipc, pid, net

[policy root]
Users      = root
Namespaces = mount, uts, ipc, pid, net

[policy named]
Users                = bob
NetworkNamespacePath = /run/netns/%u
END

# device NAME [NETNS]: some device; kernels differ in what they offer
device() {
    ip ${2:+-n "$2"} link add "$1" type dummy 2>/dev/null || ip ${2:+-n "$2"} link add "$1" type bridge
}

# What an administrator has on /sys: file systems of the kernel, one on another.
mount -t tmpfs -o mode=755 early /sys/fs/bpf
mkdir /sys/fs/bpf/deeper
mount -t tmpfs -o mode=755 late /sys/fs/bpf/deeper
echo found >/sys/fs/bpf/deeper/file
mount -t tmpfs -o mode=755 hidden /sys/kernel/debug
mount -t tmpfs -o mode=755 shown /sys/kernel/debug
mount -t sysfs again /sys/kernel/security
device outside
start_sshd
snapshot

# --- net: a loopback and nothing else ---

mounts_on_sys='awk "\$5 ~ /^\/sys(\/|\$)/ { print \$5, \$(NF-2) }" /proc/self/mountinfo | LC_ALL=C sort'
sees() {
    ssh_as alice "$@" 2>&1
}

is "$(sees 'ip -o link' | awk -F': ' '{ print $2 }')" lo "net: the loopback is the only device"
like "$(sees 'ip -o addr show lo')" '127\.0\.0\.1/8' "net: the loopback has its address"
like "$(sees '(exec 3<>/dev/tcp/127.0.0.1/9) 2>&1')" refused \
    "net: the loopback answers"
unlike "$(sees "(exec 3<>/dev/tcp/127.0.0.1/$SSH_PORT) && echo reached")" reached \
    "net: a server on the host's loopback is out of reach"
is "$(sees 'ls /sys/class/net')" lo "net: /sys shows the box's devices and not the host's"
is "$(sees "$mounts_on_sys" | grep -c '^/sys sysfs$')" 1 "net: one sysfs lies on /sys, the host's is not below it"
is "$(sees "$mounts_on_sys" | grep -c ' sysfs$')" 1 "net: nor is it anywhere else below /sys"
like "$(sees 'findmnt -no OPTIONS /sys')" 'nosuid,nodev,noexec' "net: the sysfs is nosuid, nodev and noexec"
is "$(sees 'cat /sys/fs/bpf/deeper/file')" found "net: what is mounted on /sys is carried over, and what is mounted on that"
is "$(sees 'findmnt -no SOURCE /sys/kernel/debug')" shown "net: of two mounts on one folder the one that is seen is carried over"
is "$(sees "$mounts_on_sys" | grep -v ' sysfs$')" \
    "$(eval "$mounts_on_sys" | grep -v ' sysfs$' | awk '!seen[$0]++')" "net: every mount on /sys is there, and nothing else"
is "$(sees 'ls /sys/fs/cgroup')" "$(ls /sys/fs/cgroup)" "net: the cgroups are there"

box_open root --state
is "$(box_do 'ls /sys/class/net')" lo "net: root in a box has such a /sys too"
mount -t tmpfs afterwards /sys/fs/bpf
is "$(box_do 'findmnt -no SOURCE /sys/fs/bpf' | tail -1)" afterwards "net: what the host mounts later on a carried mount is seen inside"
umount /sys/fs/bpf
box_do 'umount -R /sys/fs/bpf'
ok "net: what root unmounts inside stays outside" test -e /sys/fs/bpf/deeper/file
is "$(box_do 'while umount /sys 2>/dev/null; do :; done; umount -lR /sys; ls /sys/class/net 2>/dev/null; ls -A /sys')" "" \
    "net: not even root finds the host's sysfs below"
box_close
nothing_left "net: nothing is left"

# --- NetworkNamespacePath ---

ip netns add bob
ip -n bob link set lo up
device inner bob
mkdir -p /etc/netns/bob
echo 'nameserver 192.0.2.53' >/etc/netns/bob/resolv.conf
printf '127.0.0.1 localhost\n192.0.2.1 only-in-bob\n' >/etc/netns/bob/hosts
echo unused >/etc/netns/bob/nowhere
[ -e /etc/resolv.conf ] || : >/etc/resolv.conf
before=$(cat /etc/resolv.conf)
snapshot
sees() {
    ssh_as bob "$@" 2>&1
}
is "$(sees 'readlink /proc/self/ns/net')" "$(ip netns exec bob readlink /proc/self/ns/net)" \
    "NetworkNamespacePath: the login is in the named network namespace"
is "$(sees 'ls /sys/class/net' | grep -c '^inner$')" 1 "NetworkNamespacePath: /sys shows its devices"
unlike "$(sees 'ls /sys/class/net')" outside "NetworkNamespacePath: and not the host's"
is "$(sees 'cat /etc/resolv.conf')" 'nameserver 192.0.2.53' "NetworkNamespacePath: files of /etc/netns/NAME lie over those of /etc"
is "$(cat /etc/resolv.conf)" "$before" "NetworkNamespacePath: not so outside"
like "$(sees 'getent hosts only-in-bob')" 192.0.2.1 "NetworkNamespacePath: its hosts file as well"
like "$(sees 'getent hosts $(hostname)')" host-bob "NetworkNamespacePath: and the box's name resolves all the same"
not_ok "NetworkNamespacePath: a file that /etc does not have is left out, as ip-netns(8) does" sees 'test -e /etc/nowhere'
nothing_left "NetworkNamespacePath: nothing is left"
is "$(ip netns list | cut -d' ' -f1)" bob "NetworkNamespacePath: the named namespace outlives the login"

# refused PATH WHAT ERROR: whatever else lies there does not let anybody in, and does not hang
refused() {
    configure <<END
[policy named]
Users                = bob
NetworkNamespacePath = $1
END
    from_here
    local start
    start=$(milliseconds)
    session --user bob --state -- true 2>"$T/session"
    is $? 120 "NetworkNamespacePath: $2 is refused"
    at_most $(($(milliseconds) - start)) 2000 "NetworkNamespacePath: $2 does not hang"
    like "$(cat "$T/session")" 'state: unchanged' "NetworkNamespacePath: $2 leaves the caller what it was"
    logged "step=network-namespace .*$1.*$3" "NetworkNamespacePath: the log says so of $2"
}
home=$(home_of bob)
refused /run/netns/missing "a namespace that is not there" 'No such file'
mkfifo "$home/fifo"
chown bob "$home/fifo"
refused "$home/fifo" "a FIFO" 'Invalid argument'
su bob -c "ln -s /run/netns/bob $home/link"
refused "$home/link" "a symbolic link of the user's" 'symbolic link'
: >/run/uts
mount --bind /proc/self/ns/uts /run/uts
refused /run/uts "a namespace of another kind" 'Invalid argument'
umount /run/uts
refused /etc/passwd "an ordinary file" 'Invalid argument'
refused /proc/1/ns/net "a link of procfs" 'No such file'
ip netns delete bob

# --- cgroup ---

as_user() {
    session --user "$1" -- "${@:2}" 2>"$T/session"
}

# Two groups, one in another, on a hierarchy that this machine has.
cgroup=$(findmnt -nlo TARGET -t cgroup2 | head -1)
group=nsbox-test-$$
if [ -n "$cgroup" ] && mkdir -p "$cgroup/$group/inner" 2>/dev/null; then
    trap 'echo 0 >"$cgroup/cgroup.procs"; rmdir "$cgroup/$group/inner" "$cgroup/$group"' EXIT
    configure <<'END'
[policy groups]
Users      = alice
Namespaces = mount, uts, ipc, pid, cgroup

[policy all]
Users      = bob
Namespaces = mount, uts, ipc, pid, net, cgroup
END
    echo 0 >"$cgroup/$group/cgroup.procs"
    for user in alice bob; do
        seen=$(session --user $user -- cat /proc/self/cgroup 2>"$T/session")
        is "$(grep ^0: <<<"$seen")" 0::/ "cgroup: $user's own group is the root of all that $user sees"
        ok "cgroup: the file system shows that root's groups to $user" as_user $user test -d "$cgroup/inner"
        not_ok "cgroup: and not those around it" as_user $user test -d "$cgroup/$group"
        is "$(session --user $user -- awk '$5 == "'"$cgroup"'" { print $4 }' /proc/self/mountinfo)" / \
            "cgroup: $user sees one cgroup file system there"
    done
    ok "cgroup: the host's file system shows everything" test -d "$cgroup/$group/inner"
    is "$(grep ^0: /proc/self/cgroup)" "0::/$group" "cgroup: the caller's group outside is what it was"
    echo 0 >"$cgroup/cgroup.procs"

    v1=$(findmnt -nlo TARGET -t cgroup | grep /pids)
    if [ -n "$v1" ]; then
        mkdir "$v1/$group"
        echo 0 >"$v1/$group/cgroup.procs"
        is "$(session --user bob -- awk '$5 == "'"$v1"'" { print $4, $NF }' /proc/self/mountinfo)" "/ rw,pids" \
            "cgroup: a hierarchy of cgroup v1 is mounted anew with its controller"
        not_ok "cgroup: and does not show what lies outside" as_user bob test -d "$v1/$group"
        echo 0 >"$v1/cgroup.procs"
        until_ok 5 rmdir "$v1/$group"
    fi
else
    skip "cgroup: a login's own group is the root of all that it sees" "this machine has no cgroup2 that can be written"
fi

done_testing
