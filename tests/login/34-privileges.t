#!/bin/bash
# Privileges, /proc, names: what a login may do and see, and what the host's root in a box may.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service sshd
pam_service session
start_sshd

# policy USER LINE...
policy() {
    {
        printf '[policy test]\nUsers = %s\n' "$1"
        shift
        printf '%s\n' "$@"
    } | configure
}

# --- NoNewPrivileges, CapabilityBoundingSet ---

bits() {
    ssh_as "$1" "awk '/^CapBnd/ { print \$2 }' /proc/self/status"
}
all=$(awk '/^CapBnd/ { print $2 }' /proc/self/status)
state() {
    ssh_as "$1" 'grep NoNewPrivs /proc/self/status' | tr -dc '01'
}
policy alice 'NoNewPrivileges = yes'
is "$(state alice)$(state bob)" 10 "NoNewPrivileges: yes for the one whose policy says so, and not for another"
cp "$(command -v id)" /usr/local/bin/setuid-id
chmod 4755 /usr/local/bin/setuid-id
is "$(ssh_as alice 'setuid-id -u'; ssh_as bob 'setuid-id -u')" "$(id -u alice)
0" "NoNewPrivileges: a setuid program gains nothing"
from_here
session --user alice --state -- true 2>"$T/session"
like "$(sed 's/NoNewPrivs.*//' "$T/session")" 'open_session: 0' "NoNewPrivileges: the login works"
policy alice 'CapabilityBoundingSet = CAP_CHOWN, CAP_KILL'
is "$(bits alice)" 0000000000000021 "CapabilityBoundingSet: these and no others"
is "$(bits bob)" "$all" "CapabilityBoundingSet: somebody else keeps all"
policy alice 'CapabilityBoundingSet = ~CAP_NET_RAW, CAP_SYS_ADMIN'
is "$(bits alice)" "$(printf '%016x' $((0x$all & ~(1 << 13) & ~(1 << 21))))" "CapabilityBoundingSet: ~ takes these away from all"
policy alice 'CapabilityBoundingSet = ~CAP_SYS_ADMIN'
is "$(ssh_as alice 'setuid-id -u; exec 2>&1; setpriv --nnp true; awk "/^CapPrm/ { print \$2 }" /proc/self/status' | xargs)" \
    "0 0000000000000000" "CapabilityBoundingSet: setuid programs still run as their owner"
policy root 'CapabilityBoundingSet = CAP_SETUID, CAP_SETGID, CAP_CHOWN, CAP_SYS_CHROOT, CAP_DAC_OVERRIDE'
is "$(ssh_as root 'mount -t tmpfs x /mnt 2>&1 | grep -c -i "denied\|permitted\|superuser"; awk "/^CapEff/ { print \$2 }" /proc/self/status')" \
    "$(printf '1\n00000000000400c3')" "CapabilityBoundingSet: root in a box has no more than that"
rm /usr/local/bin/setuid-id

# What leaves the bounding set never comes back, so a caller who may not drop all of it drops nothing.
policy alice 'CapabilityBoundingSet = CAP_CHOWN'
until_ok 5 has_holders 0
from_here
setpriv --bounding-set -setpcap session --user alice --state -- true >"$T/out" 2>"$T/session"
is $? 120 "CapabilityBoundingSet: a caller without CAP_SETPCAP is refused"
like "$(cat "$T/session")" 'state: unchanged' "and keeps its own bounding set"
logged 'refused.*step=bounding-set .* on CAP_SETPCAP: ' "and the log says why"
unlike "$(log)" 'nsbox-init: opened ' "before there was a box"
policy alice 'CapabilityBoundingSet = ~CAP_SETPCAP'
setpriv --bounding-set -setpcap session --user alice --state -- true >"$T/out" 2>"$T/session"
is $? 0 "it is let in where there is nothing to drop any more" || diag "$(cat "$T/session")"
like "$(cat "$T/session")" 'state: unchanged' "and is what it was"

# Nor does a process that has opened such a session make another, which would be nobody's policy.
pam_service pamtester
policy alice 'CapabilityBoundingSet = CAP_CHOWN'
snapshot
from_here
pamtester pamtester alice open_session close_session open_session >"$T/out" 2>&1
isnt $? 0 "CapabilityBoundingSet: a second session of the same process is refused"
logged_times 1 ' opened box=' "the first one was opened"
logged 'refused.*step=bounding-set .* on CAP_SYS_ADMIN: .*CapabilityBoundingSet of an earlier session' "the log says why"
nothing_left "nothing is left of it"
policy alice 'CapabilityBoundingSet = ~CAP_NET_RAW'
pamtester pamtester alice open_session close_session open_session close_session >"$T/out" 2>&1
is $? 0 "one that keeps what nsbox-init needs may open any number" || diag "$(cat "$T/out")"

# nsbox-init gets no more than the caller has.
until_ok 5 has_holders 0
policy alice 'Hostname = boxed' 'TimeoutStopSec = 1s'
snapshot
setpriv --bounding-set -kill session --user alice -- sleep 4931 >"$T/out" 2>&1 3>&- &
job=$!
until_ok 5 pgrep -fx 'sleep 4931' >/dev/null
is "$(awk '/^Cap(Prm|Eff)/ { print $2 }' "/proc/$(holders)/status" | xargs)" "0000000000000000 0000000000000000" \
    "a box of a caller without CAP_KILL: nsbox-init keeps no other capability either"
pkill -fx 'sleep 4931'
wait $job
nothing_left "and ends"

# --- /proc ---

policy alice 'ProtectProc = default'
others='for i in /proc/[0-9]*; do [ "$(stat -c %U $i 2>/dev/null)" = root ] && echo x; done | wc -l'
at_least "$(ssh_as alice "$others")" 1 "ProtectProc=default: others' processes of the box are seen"
policy alice 'ProtectProc = invisible'
is "$(ssh_as alice "$others")" 0 "ProtectProc=invisible: others' processes are not seen"
like "$(ssh_as alice 'findmnt -no OPTIONS /proc')" 'hidepid=invisible' "ProtectProc=invisible: it is the procfs's own doing"
is "$(ssh_as alice "grep -c . /proc/1/status 2>/dev/null; echo" | xargs)" "" "ProtectProc=invisible: PID 1 can neither be seen nor read"
policy alice 'ProtectProc = noaccess'
is "$(ssh_as alice 'ls -d /proc/1; cat /proc/1/status 2>&1 | grep -c "not permitted"' | xargs)" "/proc/1 1" \
    "ProtectProc=noaccess: they are seen and cannot be read"
policy alice 'ProtectProc = ptraceable'
is "$(ssh_as alice 'ls -d /proc/1 /proc/self 2>/dev/null')" /proc/self "ProtectProc=ptraceable: what cannot be traced is not seen"
policy alice 'ProcSubset = pid'
is "$(ssh_as alice 'ls -d /proc/meminfo /proc/sys /proc/self 2>/dev/null')" /proc/self "ProcSubset=pid: processes and nothing else"
policy alice 'ProcSubset = pid' 'ProtectProc = invisible'
is "$(ssh_as alice 'ls -d /proc/meminfo /proc/1 /proc/self 2>/dev/null')" /proc/self "both at once"
ok "the host's /proc is not changed by any of it" test -e /proc/meminfo -a -e /proc/1
unlike "$(findmnt -no OPTIONS /proc)" 'hidepid|subset' "nor are its options"
policy alice 'Namespaces = mount' 'ProtectProc = invisible'
is "$(ssh_as alice "$others")" 0 "ProtectProc works without a PID namespace, too"
is "$(ssh_as alice 'grep -c " - proc " /proc/self/mountinfo')" 1 "and the host's procfs is not below it"

# The host's procfs, at every place where an administrator may have one: on each other, with submounts, elsewhere, in part.
mount -t tmpfs srv /srv
mkdir -p /srv/root/proc /srv/part /srv/deep /srv/above/proc
: >/srv/version
mount --bind /proc/version /srv/version
mount -t proc proc /srv/above/proc
mount -t tmpfs cover /srv/above
mount -t proc proc /srv/root/proc
mount --bind /proc/sys /srv/part
mount -t proc proc /srv/deep
mount -t tmpfs cover /srv/deep
mount -t tmpfs second /srv/deep
mkdir -p /srv/three/levels/proc
mount -t proc proc /srv/three/levels/proc
: >/srv/cpu
: >/srv/cover
mount --bind /proc/cpuinfo /srv/cpu
mount --bind /srv/cover /srv/cpu
for covered in /srv/three/levels/proc /srv/three/levels /srv/three; do mount -t tmpfs cover "$covered"; done
: >/srv/deep/second
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc 2>/dev/null || mount -t tmpfs cover /proc/sys/fs
mount --rbind /proc /proc
mount -t proc third /proc
mount -t tmpfs cover /proc/bus
policy root 'Hostname = boxed'
snapshot
box_open root
procs=$(box_do 'grep " - proc " /proc/self/mountinfo | cut -d" " -f5')
is "$procs" /proc "of the host's many procfs mounts none is in the box: one fresh one is"
is "$(box_do 'cat /srv/version; ls /srv/deep; findmnt -no SOURCE /srv/above')" "second
cover" "what was mounted over them is still there"
is "$(box_do 'ls -A /srv/root/proc /srv/part | xargs')" "/srv/part: /srv/root/proc:" "where others were there are empty folders"
is "$(box_do 'findmnt -no TARGET,SOURCE /srv/three; cat /srv/three/* 2>/dev/null')" "/srv/three cover" "... at each level"
box_do 'umount -l /srv/deep; umount -l /srv/deep; umount -l /srv/above; for i in /srv/three /srv/three/levels /srv/three/levels/proc; do umount $i; done' >/dev/null 2>&1
is "$(box_do 'find /srv -name meminfo')" "" "nor is there one below what lies on it"
box_do 'while umount -l /proc; do :; done' >/dev/null 2>&1
is "$(box_do 'find /proc -name meminfo')" "" "below the new one not even root finds the old ones"
box_close
nothing_left "the host has all of its own again"
umount -l /srv
umount -lR /proc
until_ok 5 test -e /proc/self || mount -t proc -o nosuid,nodev,noexec proc /proc

# --- the name of the box ---

policy alice 'Hostname = %l-%u'
is "$(ssh_as alice 'getent hosts $(hostname)' | awk '{ print $2 }')" host-alice "the box's name resolves inside"
is "$(getent hosts host-alice)" "" "and not outside"
is "$(ssh_as alice 'tail -n +2 /etc/hosts')" "$(cat /etc/hosts)" "the rest of the hosts file is the host's"
is "$(ssh_as alice 'stat -c "%U %a" /etc/hosts; echo x >>/etc/hosts 2>/dev/null || echo no')" "root 644
no" "which the user cannot write"
policy alice 'Hostname ='
is "$(ssh_as alice 'hostname; cat /etc/hosts')" "host.example
$(cat /etc/hosts)" "Hostname with nothing: name and hosts file are the host's"
if command -v sudo >/dev/null; then
    for service in sudo sudo-i; do
        printf 'auth sufficient pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n' >/etc/pam.d/$service
    done
    policy alice 'Hostname = %l-%u'
    for defaults in '' 'Defaults fqdn'; do
        printf '%s\n%s\n' "$defaults" 'alice ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers
        chmod 440 /etc/sudoers
        is "$(ssh_as alice 'sudo -n id -u' 2>&1)" 0 "sudo inside works and prints no complaint${defaults:+ with $defaults}"
    done
    policy alice 'Hostname = %u.inner.example'
    is "$(ssh_as alice 'sudo -n hostname' 2>&1)" alice.inner.example "so it does with a name that has a domain"
    hosts=$(cat /etc/hosts)
    echo '127.0.0.1 localhost' >/etc/hosts
    like "$(ssh_as bob 'sudo -n -l' 2>&1; hostname unknown.example; sudo -n -u alice sudo -n id -u 2>&1)" 'unable to resolve|0' \
        "(sudo does complain where a name does not resolve)"
    hostname host.example
    echo "$hosts" >/etc/hosts
else
    skip "sudo inside prints no complaint" "there is no sudo on this machine"
fi

# --- what root in a box can do to the mounts of the host ---

policy root 'PrivateTmp = yes' 'ReadOnlyPaths = /usr' 'Namespaces = mount, uts, ipc, pid, net, cgroup'
snapshot
box_open root
for attack in \
    'mount --make-rshared /; mount -t tmpfs out /mnt' \
    'mount --make-shared /tmp; mount -t tmpfs out /tmp' \
    'mkdir -p /run/x; mount --bind / /run/x; mount --make-rshared /run/x; mount -t tmpfs out /run/x/mnt' \
    'umount -l /proc' \
    'mount -t proc proc /proc; mount -o remount,hidepid=2 /proc' \
    'mount -o remount,rw /usr' \
    'umount -l /tmp; mount -t tmpfs out /opt' \
    'unshare -m --propagation shared mount -t tmpfs out /media'; do
    box_do "$attack" >/dev/null 2>&1
done
unlike "$(cat /proc/self/mountinfo)" ' tmpfs out ' "nothing that root mounts in a box is seen outside, whatever it makes shared"
unlike "$(findmnt -no OPTIONS /proc)" hidepid "nor do the options of its procfs change the host's"
is "$(box_do 'ls /proc/1/root/run/test 2>/dev/null | grep -c syslog; nsenter -t 1 -m true 2>/dev/null && readlink /proc/1/ns/mnt')" \
    "$(printf '%s' "$(box_do 'ls /run/test 2>/dev/null | grep -c syslog; readlink /proc/self/ns/mnt')")" "PID 1 that root can enter is the box's"
box_do 'rm -rf /run/x' >/dev/null
box_close
rmdir /run/x 2>/dev/null
nothing_left "the host is what it was"

done_testing
