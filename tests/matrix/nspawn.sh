# shellcheck shell=bash
# Boots a system with systemd in systemd-nspawn, on this machine's kernel and without this machine's systemd.

# run_nspawn ROOT OUT SECONDS: ROOT is the system's tree, OUT a folder for what it says. Ends when the system does.
#
# systemd-nspawn takes its own cgroup for the machine's if it need not ask systemd-machined (--register=no) nor systemd
# (--keep-unit) for one. It finds the unified hierarchy only at /sys/fs/cgroup (systemd's cg_unified_cached), which on
# a machine with both versions is a tmpfs; so this mount namespace of our own gets one there. Controllers that version 1
# has taken are missing in it.
run_nspawn() {
    local root=$1 out=$2 seconds=$3
    : >"$out/tap"
    : >"$out/console"
    echo /matrix/shared/tap >"$root/matrix/out"
    mkdir -p "$root/matrix/shared"
    unshare --mount --propagation private bash -euc '
        root=$1 out=$2 seconds=$3
        if [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; then
            umount -lR /sys/fs/cgroup
            mount -t cgroup2 cgroup2 /sys/fs/cgroup
        fi
        name=$(basename "$(dirname "$root")")
        group=/sys/fs/cgroup/$(basename "$MATRIX_WORK").$name
        mkdir "$group"
        (
            # The group of whoever reads this, not of this shell, for that is the number 0.
            echo 0 >"$group/cgroup.procs"
            mount -t tmpfs -o mode=755 tmpfs /run
            mkdir -p /run/systemd
            export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_USE_CGNS=1
            exec timeout --kill-after=10 "$seconds" systemd-nspawn --quiet --boot --directory="$root" \
                --machine="$name" --register=no --keep-unit --private-users=no --private-network \
                --resolv-conf=off --timezone=off --link-journal=no --capability=all --console=pipe \
                --bind=/dev/fuse --bind=/dev/autofs --bind="$out:/matrix/shared" \
                systemd.log_target=console </dev/null >"$out/console" 2>&1
        ) || echo "systemd-nspawn returned $?" >>"$out/console"
    ' run_nspawn "$root" "$out" "$seconds"
}
