# shellcheck shell=bash
# Boots a system as a virtual machine under qemu, with the system's own kernel.

# Software emulation only: /dev/kvm may be there, open, and then fail at a register that its own host does not let through.
#
# run_vm ROOT OUT SECONDS: as run_nspawn. The first serial line is the console, the second what the checks say.
run_vm() {
    local root=$1 out=$2 seconds=$3 image=$2/disk
    : >"$out/tap"
    echo /dev/ttyS1 >"$root/matrix/out"
    echo '/dev/vda / ext4 rw 0 1' >"$root/etc/fstab"
    # Of the machine there is nothing to be seen on a screen; a login prompt on the checks' line would answer them.
    ln -sf /dev/null "$root/etc/systemd/system/serial-getty@ttyS1.service"
    echo 10 >"$root/matrix/slow"
    make_image "$root" "$image" && start_qemu "$root" "$out" "$image" "$seconds" mitigations=off
    rm -f "$image"
}

# run_selinux ROOT OUT SECONDS: the same with SELinux in place of AppArmor, and with Debian's policy. A tree that is not
# labelled must be labelled by a kernel that has the policy, so the machine starts twice: it restarts when that is done.
# The policy is not enforced, so that one run finds everything that it would not allow.
run_selinux() {
    local root=$1 out=$2 seconds=$3 image=$2/disk
    : >"$out/tap"
    echo /dev/ttyS1 >"$root/matrix/out"
    echo '/dev/vda / ext4 rw 0 1' >"$root/etc/fstab"
    ln -sf /dev/null "$root/etc/systemd/system/serial-getty@ttyS1.service"
    echo 10 >"$root/matrix/slow"
    printf '%s\n' 10 80 >"$root/matrix/only"
    printf '%s\n' SELINUX=permissive SELINUXTYPE=default >"$root/etc/selinux/config"
    : >"$root/.autorelabel"
    make_image "$root" "$image" &&
        start_qemu "$root" "$out" "$image" "$seconds" security=selinux selinux=1 &&
        start_qemu "$root" "$out" "$image" "$seconds" security=selinux selinux=1
    rm -f "$image"
}

make_image() {
    truncate -s 3G "$2"
    mke2fs -q -F -t ext4 -O ^has_journal -d "$1" "$2"
}

# start_qemu ROOT OUT IMAGE SECONDS APPEND...
start_qemu() {
    local root=$1 out=$2 image=$3 seconds=$4
    shift 4
    timeout --kill-after=10 "$seconds" qemu-system-x86_64 -machine q35 -accel tcg -cpu max,-svm -smp 1 -m 1536 \
        -no-reboot -display none -monitor none -nic none -device virtio-rng-pci \
        -drive "file=$image,if=virtio,format=raw,cache=unsafe" \
        -kernel "$(ls "$root"/boot/vmlinuz-* | tail -n 1)" -initrd "$(ls "$root"/boot/initrd.img-* | tail -n 1)" \
        -append "root=/dev/vda rw console=ttyS0 systemd.show_status=0 $*" \
        -serial "file:$out/console" -serial "file:$out/tap" </dev/null
}
