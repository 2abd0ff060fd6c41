# shellcheck shell=bash
# What the systems are made of. The layers in the cache are named by the digest of this file.

# What an application of the matrix needs, in the system as it ships. libiniparser has another name with every
# version of its interface, so it is a pattern; fuse is fuse3 by now.
BASE_PACKAGES=(systemd systemd-sysv dbus libpam-systemd libpam-modules libpam-runtime openssh-server openssh-client
    openssh-sftp-server sudo cron at util-linux login passwd procps iproute2 kmod udev apparmor autofs bindfs fuse3
    rsyslog strace expect libcap2 libcap2-bin libsmartcols1 libjansson4 '?name(^libiniparser[0-9]+$)')

# cron's other face: its package cannot be installed beside cron, so only its program is taken.
EXTRACTED_PACKAGES=(cronie)

BUILD_PACKAGES=(build-essential debhelper musl-tools libpam0g-dev libiniparser-dev libcap-dev libsmartcols-dev
    libjansson-dev pkg-config)

VM_PACKAGES=(linux-image-amd64 initramfs-tools)

# The policy's package labels nothing and enforces nothing until the system is told to.
SELINUX_PACKAGES=(selinux-policy-default selinux-basics policycoreutils selinux-utils)

# The documentation would be a third of it all.
DPKG_OPTIONS=(--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*'
    --dpkgopt='path-exclude=/usr/share/man/*')

# A snapshot of a suite that moves (unstable) can be older than its date of expiry; its signature is checked.
APT_OPTIONS=(-o 'Acquire::Check-Valid-Until=false' -o 'APT::Install-Recommends=false' -o 'Acquire::Retries=3')

install_packages() {
    echo "apt-get -qq ${APT_OPTIONS[*]} update && apt-get -qq ${APT_OPTIONS[*]} -o Dpkg::Use-Pty=0 install -y $* &&
        rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb"
}

# The virtual machine has one disk, of a kind that is named here: an initial RAM disk with all drivers would take longer
# to unpack in software emulation than everything else that it does.
vm_commands() {
    cat <<'END'
mkdir -p /etc/initramfs-tools/conf.d
echo MODULES=list >/etc/initramfs-tools/conf.d/matrix
echo COMPRESS=gzip >>/etc/initramfs-tools/conf.d/matrix
printf '%s\n' virtio_pci virtio_blk ext4 crc32c_generic crc32c >>/etc/initramfs-tools/modules
END
    install_packages "${VM_PACKAGES[@]}"
}
