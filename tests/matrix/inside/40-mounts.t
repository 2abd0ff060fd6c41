#!/bin/bash
# Mounts go the ways that the policy says: from the host into a box with rslave, never out of it.
. ./lib.sh

MOUNTS_BEFORE=$(host_mounts)

mounted_here() {
    grep -q " $1 " /proc/self/mountinfo
}

mounted_inside() {
    session_do "grep -q ' $1 ' /proc/self/mountinfo"
}

not() {
    ! "$@"
}

# --- what is mounted on demand ---

mkdir -p /mnt/demand /mnt/disk
cat >/etc/systemd/system/mnt-demand.mount <<'END'
[Mount]
What=tmpfs
Where=/mnt/demand
Type=tmpfs
Options=mode=1777
END
cat >/etc/systemd/system/mnt-demand.automount <<'END'
[Automount]
Where=/mnt/demand
END
systemctl daemon-reload
claim="a systemd automount is triggered from inside a box, and seen inside and outside"
if systemctl start mnt-demand.automount; then
    session_open alice
    if session_do "echo x >/mnt/demand/x && cat /mnt/demand/x" >"$T/out" && [ "$(cat /mnt/demand/x)" = x ]; then
        pass "$claim"
    else
        fail "$claim" "$(cat "$T/out")" "$(systemctl status mnt-demand.mount mnt-demand.automount)"
    fi
    systemctl stop mnt-demand.automount
    ok "the host takes away an automount while a box is open" not mounted_here /mnt/demand
    not_ok "... and it is gone in the box too" mounted_inside /mnt/demand
    session_close
else
    skip "$claim" "no automount here: $(journalctl -q -b -o cat -n 1 -u mnt-demand.automount)"
    systemctl stop mnt-demand.mount
fi
until_ok $((10 * SLOW)) nothing_left

claim="autofs is triggered from inside a box, and seen inside and outside"
echo '/auto /etc/auto.matrix --timeout=600' >/etc/auto.master.d/matrix.autofs
echo 'place -fstype=tmpfs,mode=1777 :tmpfs' >/etc/auto.matrix
systemctl restart autofs
if until_ok 10 mounted_here /auto; then
    session_open alice
    if session_do "echo x >/auto/place/x && cat /auto/place/x" >"$T/out" && [ "$(cat /auto/place/x)" = x ]; then
        pass "$claim"
    else
        fail "$claim" "$(cat "$T/out")" "$(systemctl status autofs)"
    fi
    session_close
else
    skip "$claim" "automount does not run here: $(journalctl -q -b -o cat -n 3 -u autofs | tr '\n' ' ')"
fi
systemctl stop autofs
rm /etc/auto.master.d/matrix.autofs
until_ok $((10 * SLOW)) nothing_left

# --- what the user mounts ---

session_open alice
if text=$(session_do 'mkdir -p ~/a ~/b && echo x >~/a/x && bindfs --no-allow-other ~/a ~/b && cat ~/b/x && grep " $HOME/b " /proc/self/mountinfo'); then
    pass "a user mounts a FUSE file system inside"
else
    fail "a user mounts a FUSE file system inside" "$text" "$(session_do 'ls -l /dev/fuse $(which fusermount3); grep Cap /proc/self/status')"
fi
not_ok "a FUSE file system mounted inside is not seen outside" mounted_here /home/alice/b
pid=$(pgrep -x bindfs)
session_close
ok "a FUSE file system mounted inside is gone after logout, with its process" \
    until_ok $((10 * SLOW)) not_there "${pid:-1}"
ok "nothing of the FUSE file system is left" until_ok $((10 * SLOW)) nothing_left

# --- what the host unmounts ---

mount -t tmpfs tmpfs /mnt/disk
session_open alice
ok "a box sees what the host has mounted (rslave)" mounted_inside /mnt/disk
ok "the host unmounts while a box is open (rslave)" umount /mnt/disk
not_ok "... and the box does not keep the file system (rslave)" mounted_inside /mnt/disk
mount -t tmpfs tmpfs /mnt/disk
ok "a box sees what the host mounts later (rslave)" mounted_inside /mnt/disk
session_close

session_open bob
umount /mnt/disk
ok "a box keeps a file system that the host unmounts (rprivate)" mounted_inside /mnt/disk
mount -t tmpfs tmpfs /mnt/disk
umount /mnt/disk
session_close
ok "after logout nobody keeps it" until_ok $((10 * SLOW)) nothing_left

# Whether a file system is in use shows at its device.
claim="a device is free as soon as the host unmounts it (rslave), and only after logout with rprivate"
truncate -s 8M "$T/disk"
if systemd-detect-virt --quiet --container; then
    skip "$claim" "no loop devices in a container"
elif mke2fs -q -F "$T/disk" 2>"$T/out" && device=$(losetup -f --show "$T/disk" 2>"$T/out"); then
    wrong=''
    for user in alice bob; do
        mount "$device" /mnt/disk
        session_open $user
        umount /mnt/disk
        # The device can be had for oneself alone only when no file system is mounted from it.
        if e2fsck -n "$device" >"$T/out" 2>&1 && ! grep -q 'is mounted\|in use' "$T/out"; then
            free=yes
        else
            free=no
        fi
        [ "$user $free" = 'alice yes' ] || [ "$user $free" = 'bob no' ] || wrong+="$user: free $free: $(cat "$T/out") "
        session_close
    done
    until_ok $((10 * SLOW)) nothing_left
    losetup -d "$device"
    is "$wrong" "" "$claim"
else
    fail "$claim" "$(cat "$T/out")"
fi
done_testing
