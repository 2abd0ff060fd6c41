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
    truncate -s 3G "$image"
    nice mke2fs -q -F -t ext4 -O ^has_journal -d "$root" "$image" || return 1
    timeout --kill-after=10 "$seconds" qemu-system-x86_64 -machine q35 -accel tcg -cpu max -smp 1 -m 1536 \
        -no-reboot -display none -monitor none -nic none -device virtio-rng-pci \
        -drive "file=$image,if=virtio,format=raw,cache=unsafe" \
        -kernel "$(ls "$root"/boot/vmlinuz-* | tail -n 1)" -initrd "$(ls "$root"/boot/initrd.img-* | tail -n 1)" \
        -append "root=/dev/vda rw console=ttyS0 systemd.show_status=0 mitigations=off ${VM_APPEND:-}" \
        -serial "file:$out/console" -serial "file:$out/tap" </dev/null
    rm -f "$image"
}
