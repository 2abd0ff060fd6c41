#!/bin/bash
# Two programs that people copy from the web, and what goes wrong with them on a machine whose / is shared. Each
# failure is first reproduced without the module, in a mount namespace of its own with a shared / (the second
# one ruins /proc), and then shown not to happen with it.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
configure <<'END'
[policy administrators]
Users      = root
Namespaces = mount, uts, ipc, pid, net
END

# on_a_shared_host SCRIPT: a host to break. Its / is shared with nobody else; PIDs and /proc are its own.
on_a_shared_host() {
    unshare --mount --pid --fork --kill-child --mount-proc --propagation private \
        sh -c "mount --make-rshared / && $1"
}

mkdir "$T/mount"

# --- A shell cloned into new namespaces, then a tmpfs ---

seen=$(on_a_shared_host "clone-shell 'mount -t tmpfs leaked $T/mount'; findmnt -no SOURCE $T/mount; true")
is "$seen" leaked "without the module: a tmpfs that the cloned shell mounts is seen by the host"
is "$(findmnt -no SOURCE "$T/mount")" "" "the experiment did not reach this machine"

snapshot
box_open root
ok "with the module: root in the box mounts a tmpfs" box_do "mount -t tmpfs leaked $T/mount"
is "$(box_do "findmnt -no SOURCE $T/mount")" leaked "with the module: the tmpfs is there, inside"
is "$(findmnt -no SOURCE "$T/mount")" "" "with the module: the host does not see it"
for name in mnt uts ipc pid; do
    isnt "$(box_do "readlink /proc/self/ns/$name")" "$(readlink "/proc/self/ns/$name")" \
        "with the module: the shell has the $name namespace that the program set out to make"
done
box_close
is "$(findmnt -no SOURCE "$T/mount")" "" "with the module: nor after the end"
nothing_left "with the module: nothing is left of the shell"

# --- A container with network namespace, hostname and procfs, without the line that makes mounts private ---

count='set -- /proc/[0-9]*; [ -e "$1" ] && echo $# || echo 0'
before=$(on_a_shared_host "$count")
after=$(on_a_shared_host "mini-container true; $count")
isnt "$before" 0 "without the module: /proc of the host shows processes before the container"
is "$after" 0 "without the module: /proc of the host shows no PID directory after the container"
ok "the experiment did not reach this machine's /proc" test -d /proc/self

snapshot
numbers=(/proc/[0-9]*)
box_open root
isnt "$(box_do 'readlink /proc/self/ns/net')" "$(readlink /proc/self/ns/net)" \
    "with the module: the login has the network namespace that the program set out to make"
is "$(box_do hostname)" host-root "with the module: it has the hostname"
is "$(box_do 'cat /proc/1/comm')" "$HOLDER" "with the module: it has its own procfs"
ok "with the module: it can mount a procfs again" box_do 'mount -t proc proc /proc'
ok "/proc of the host is whole meanwhile" test -d "/proc/$$"
box_close
# PID 1 may take its time to reap nsbox-init.
has_all_processes() {
    numbers_after=(/proc/[0-9]*)
    [ "${numbers_after[*]}" = "${numbers[*]}" ]
}
until_ok 3 has_all_processes
is "${numbers_after[*]}" "${numbers[*]}" "with the module: /proc of the host shows all its processes after the end"
is "$(cat /proc/1/comm)" reaper "with the module: and its own PID 1"
nothing_left "with the module: nothing is left of the container"

done_testing
