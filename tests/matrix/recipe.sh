# shellcheck shell=bash
# What the systems are made of. The layers in the cache are named by the digest of this file.

# What an application of the matrix needs, in the system as it ships. libiniparser has another name with every
# version of its interface, so it is a pattern; fuse is fuse3 by now.
BASE_PACKAGES=(systemd systemd-sysv dbus libpam-systemd libpam-modules libpam-runtime openssh-server openssh-client
    openssh-sftp-server sudo cron at util-linux login passwd procps iproute2 kmod udev apparmor autofs bindfs fuse3
    rsyslog strace expect e2fsprogs libcap2 libcap2-bin libsmartcols1 libjansson4 '?name(^libiniparser[0-9]+$)')

# cron's other face: its package cannot be installed beside cron, so only its program is taken.
EXTRACTED_PACKAGES=(cronie)

BUILD_PACKAGES=(build-essential debhelper musl-tools libpam0g-dev libiniparser-dev libcap-dev libsmartcols-dev
    libjansson-dev pkg-config)

# Of the kernel only what this machine needs is taken: its package would bring a generator of initial RAM disks along.
VM_PACKAGES=(busybox-static xz-utils zstd)

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

# The virtual machine has one disk, in its memory, and two serial lines. In software emulation it takes longer to unpack a common initial
# RAM disk, and to load drivers, than the system takes for all else; so these are made of what this one machine needs.
vm_commands() {
    echo "apt='apt-get -qq ${APT_OPTIONS[*]} -o Dpkg::Use-Pty=0 -o APT::Sandbox::User=root'"
    echo "\$apt update; \$apt install -y ${VM_PACKAGES[*]}"
    cat <<'END'
cd "$(mktemp -d)"
needs() {
    apt-cache depends --important "$1" | sed -n "s/^ *Depends: \($2-[0-9].*\)/\1/p"
}
image=$(needs linux-image-amd64 linux-image)
$apt download "$image" $(needs "$image" 'linux-[a-z]*')
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb
for package in *.deb; do
    dpkg -x "$package" image
done
modules=$(find image -path '*lib/modules/*' -prune -type d)
release=$(basename "$modules")
rm -rf "$modules"/kernel/{sound,net/wireless,net/mac80211} \
    "$modules"/kernel/drivers/{gpu,net,media,infiniband,usb,hid,iio,staging,scsi,ata,isdn}
mkdir -p /lib/modules /boot
cp -a "$modules" /lib/modules/
depmod "$release"

# The kernel itself without what unpacks it (Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length).
kernel=$(find image -name 'vmlinuz*' -type f)
number() {
    od -A n -t "u$2" -j "$1" -N "$2" "$kernel" | tr -d ' '
}
tail -c "+$((($(number 0x1f1 1) + 1) * 512 + $(number 0x248 4) + 1))" "$kernel" |
    head -c "$(number 0x24c 4)" >payload
case $(od -A n -t x1 -N 4 payload) in
' fd 37 7a 58') xz -dcq payload ;;
' 28 b5 2f fd') zstd -dcq payload ;;
esac >/boot/matrix.kernel || true
[ "$(head -c 4 /boot/matrix.kernel)" = $'\x7fELF' ]

mkdir -p initrd/{bin,dev,root,modules}
cp /bin/busybox initrd/bin/
cat >initrd/init <<'INIT'
#!/bin/busybox sh
busybox=/bin/busybox
$busybox mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do
    $busybox insmod "$module"
done
until [ -b /dev/pmem0 ]; do
    $busybox sleep 0.1
done
$busybox mount -t ext4 -o rw /dev/pmem0 /root
$busybox mount --move /dev /root/dev
exec $busybox switch_root /root /sbin/init
INIT
chmod 755 initrd/init
number=10
for module in $(for name in nd_pmem nfit crc32c_generic ext4; do
    modprobe --set-version "$release" --show-depends "$name" || true
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'); do
    to=initrd/modules/$((number++))-$(basename "${module%.xz}")
    case $module in
    *.xz) xz -dc "$module" ;;
    *) cat "$module" ;;
    esac >"$to"
done
(cd initrd && find . | busybox cpio -o -H newc) >/boot/matrix.initrd
END
}
