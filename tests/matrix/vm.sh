# shellcheck shell=bash
# Boots a system as a virtual machine under qemu, with the system's own kernel.

# Software emulation only: /dev/kvm may be there, open, and then fail at a register that its own host does not let through.
#
# run_vm ROOT OUT SECONDS: as run_nspawn. The first serial line is the console, the second what the checks say.
run_vm() {
    local root=$1 out=$2 seconds=$3 image=$2/disk
    prepare_vm "$root" "$out"
    make_image "$root" "$image" && start_qemu "$root" "$out" "$image" "$seconds"
    rm -f "$image"
}

# run_selinux ROOT OUT SECONDS: the same with SELinux in place of AppArmor, and with Debian's policy. The tree gets its
# labels here. The policy is not enforced, so that one run finds everything that it would not allow.
run_selinux() {
    local root=$1 out=$2 seconds=$3 image=$2/disk
    prepare_vm "$root" "$out"
    printf '%s\n' 10 80 >"$root/matrix/only"
    printf '%s\n' SELINUX=permissive SELINUXTYPE=default >"$root/etc/selinux/config"
    # Without -m it would leave out a file system of which the kernel says nothing about labels, as one without SELinux.
    # It reaches each file by /proc/self/fd, and the folders below what is mounted by another place of the tree.
    unshare --mount --propagation private bash -ceu 'mount --bind "$1" "$1/mnt"
        mount -t proc proc "$1/proc"
        chroot "$1" setfiles -m -F -r /mnt /etc/selinux/default/contexts/files/file_contexts /mnt' setfiles "$root" &&
        make_image "$root" "$image" && start_qemu "$root" "$out" "$image" "$seconds" security=selinux selinux=1 log_buf_len=4M
    rm -f "$image"
}

# What the checks do without is left out, for in emulation each of these takes as long as several logins: looking for
# devices, prompts for logins, and the start of alice's service manager at each login.
prepare_vm() {
    local root=$1 out=$2 unit
    : >"$out/tap"
    echo /dev/ttyS1 >"$root/matrix/out"
    # Without udev no device is ever there for systemd: nothing may depend on one.
    : >"$root/etc/fstab"
    for unit in systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket \
        systemd-udevd-kernel.socket systemd-udevd-varlink.socket getty@tty1.service serial-getty@ttyS0.service \
        serial-getty@ttyS1.service e2scrub_reap.service; do
        ln -sf /dev/null "$root/etc/systemd/system/$unit"
    done
    mkdir -p "$root/var/lib/systemd/linger"
    touch "$root/var/lib/systemd/linger/alice"
}

make_image() {
    truncate -s 2G "$2"
    mke2fs -q -F -t ext4 -O ^has_journal -d "$1" "$2"
}

# start_qemu ROOT OUT IMAGE SECONDS APPEND...
#
# The machine's clock counts instructions, and jumps when all sleep (-icount): it neither waits nor does it matter what
# else runs on this machine, for nothing in it times out sooner. So its disk must need no time but the processor's, and
# is memory. The processor is without what is slow to emulate (five levels of page tables) or to look for
# (virtualization). The kernel starts where its unpacked code begins. Its own tests of its ciphers take as long as a boot.
# What its security module refuses is in its log, however much that is.
start_qemu() {
    local root=$1 out=$2 image=$3 seconds=$4
    shift 4
    timeout --kill-after=10 "$seconds" qemu-system-x86_64 -nodefaults -machine q35,hpet=off,nvdimm=on -accel tcg \
        -icount shift=0,sleep=off -rtc clock=vm -cpu max,-svm,-la57 -smp 1 -m 1536,slots=1,maxmem=5G \
        -no-reboot -display none -device nvdimm,memdev=disk \
        -object "memory-backend-file,id=disk,share=on,mem-path=$image,size=2G" \
        -kernel "$root/boot/matrix.kernel" -initrd "$root/boot/matrix.initrd" \
        -append "root=/dev/pmem0 rw console=ttyS0 systemd.show_status=0 mitigations=off cryptomgr.notests sysctl.kernel.printk_ratelimit=0 $*" \
        -serial "file:$out/console" -serial "file:$out/tap" </dev/null
}
