#!/bin/bash
# What a box does where the kernel lacks calls that are newer than Linux 5.10: a seccomp filter lets them fail as they fail
# there.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
mount -t tmpfs -o mode=755 srv /srv
sh "$REPO/tests/paths/tree.sh"
cp "$REPO/tests/paths/probe.sh" "$T/probe.sh"

old() {
    "$T/bin/old-kernel" session --user root --root -- "$@" 2>"$T/session"
}

policy() {
    {
        printf '[policy old]\nUsers = root\n'
        printf '%s\n' "$@"
    } | configure
}

rows=0
while IFS=$'\t' read -r rules expected _; do
    case $rules in *ReadOnly* | *NoExec* | *:ro*) ;; *) continue ;; esac
    case $rules in '#'*) continue ;; esac
    declare -A values=()
    IFS=';' read -ra list <<<"$rules"
    for rule in "${list[@]}"; do
        rule=${rule# }
        values[${rule%%=*}]+=${values[${rule%%=*}]:+, }${rule#*=}
    done
    lines=()
    for key in "${!values[@]}"; do
        lines+=("$key = ${values[$key]}")
    done
    policy "${lines[@]}"
    probes=$(sed 's/=[^ ]*//g; s/^refused$/a/' <<<"$expected")
    from_here
    # shellcheck disable=SC2086
    seen=$(old sh "$T/probe.sh" $probes)
    # Root is let in all the same, but not into a box that is not what the rules say.
    [ "$expected" != refused ] || ! until_ok 2 log_has 'opening failed: step=paths' || seen=refused
    is "$seen" "$expected" "without mount_setattr(2): $rules" || diag "$(tail -1 "$LOG")"
    rows=$((rows + 1))
done <"$REPO/tests/paths/combinations.tsv"
at_least "$rows" 40 "$rows combinations were tried"
like "$("$T/bin/old-kernel" grep Seccomp: /proc/self/status)" 'Seccomp:.*2' \
    "(the calls are filtered)"

# The flags that a mount has are kept, those of a file's mount, too.
mount -t tmpfs -o nosuid,nodev,noexec,mode=755 flags /srv/t/y
: >/srv/t/file
policy 'ReadOnlyPaths = /srv/t, /srv/t/file'
is "$(old findmnt -no OPTIONS /srv/t/y | grep -o '^ro,nosuid,nodev,noexec')" ro,nosuid,nodev,noexec \
    "without mount_setattr(2): a mount keeps its other flags"
is "$(old sh -c ': >>/srv/t/file && echo written' 2>/dev/null)" "" "without mount_setattr(2): a file becomes read-only"
# One without flags that lies hidden below does not take them away from the one on top.
mount -t tmpfs plain /srv/t/x
mount -t tmpfs -o nosuid,nodev,noexec flags /srv/t/x
is "$(old findmnt -nro OPTIONS /srv/t/x | tail -1 | grep -o '^ro,nosuid,nodev,noexec')" ro,nosuid,nodev,noexec \
    "without mount_setattr(2): of two mounts on each other the upper keeps its flags"

mkdir /srv/proc
mount -t proc proc /srv/proc
policy 'Hostname = old'
is "$(old sh -c 'ls -A /srv/proc; grep -c " - proc " /proc/self/mountinfo')" 1 \
    "without statmount(2): a procfs elsewhere is found and detached"
mkdir '/srv/a place'
mount -t proc proc '/srv/a place'
is "$(old sh -c 'ls -A "/srv/a place"; grep -c " - proc " /proc/self/mountinfo')" 1 \
    "without statmount(2): and one at a place whose name the table of mounts writes otherwise"
umount '/srv/a place'

mount -t tmpfs -o mode=755 early /sys/fs/bpf
mkdir /sys/fs/bpf/deeper
mount -t tmpfs -o mode=755 late /sys/fs/bpf/deeper
echo found >/sys/fs/bpf/deeper/file
policy 'Hostname = old' 'Namespaces = mount, uts, ipc, pid, net, cgroup'
is "$(old sh -c 'cat /sys/fs/bpf/deeper/file; ls /sys/class/net')" $'found\nlo' \
    "without statmount(2): what is mounted on /sys is carried over, and what is mounted on that"
is "$(old awk '$5 ~ /^\/sys\// && $(NF-2) ~ /^cgroup/ && $4 != "/"' /proc/self/mountinfo)" "" \
    "without statmount(2): no cgroup file system shows more than the box's cgroups"
umount -R /sys/fs/bpf

mount -t tmpfs -o mode=755 ephemeral /srv/t/y
policy 'EphemeralPaths = /srv/t'
is "$(old sh -c ': >/srv/t/y/new && ls /srv/t/y')" new "without statmount(2): a mount on an ephemeral path can be written"
is "$(ls /srv/t/y)" "" "without statmount(2): and nothing of that reaches the mount itself"

policy 'Hostname = old' 'Scope = user'
box_open root --root
is "$(old sh -c 'echo "$NSBOX"')" "$(box_do 'echo "$NSBOX"')" \
    "a shared box is found by the same name, whether the kernel tells of namespaces by pidfd or not"
box_close
policy 'Hostname = old' 'Namespaces = mount, uts, ipc, pid, net, cgroup'
"$T/bin/old-kernel" session --user root --root --state -- true 2>"$T/session"
like "$(cat "$T/session")" 'state: unchanged' "the way back is remembered by path, and the caller is what it was"
ok "no box is left" until_ok 5 has_holders 0

done_testing
