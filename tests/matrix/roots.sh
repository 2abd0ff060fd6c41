# shellcheck shell=bash
# The systems' file trees, as layers of overlays: what is kept is only ever a lower layer.
#
#   CACHE/SYSTEM-DIGEST/base    made by mmdebstrap: the system with the applications of the matrix
#   CACHE/SYSTEM-DIGEST/build   over it: what the package's build needs
#   CACHE/SYSTEM-DIGEST/vm      over it: the system's kernel and its initial RAM disk
#   CACHE/SYSTEM-DIGEST/selinux over that: SELinux with the system's policy
#
# DIGEST is of recipe.sh: with another recipe the layers are made anew. A layer that is not whole has another name.

CACHE=${XDG_CACHE_HOME:-/var/cache}/pam_nsbox-matrix

. "$HERE/recipe.sh"

system_suite() {
    awk -v name="$1" '$1 == name { print $2 }' "$HERE/systems"
}

system_folder() {
    echo "$CACHE/$1-$(sha256sum "$HERE/recipe.sh" | cut -c 1-12)"
}

# mount_layers TARGET UPPER_AND_WORK LOWER...: the first lower layer is the uppermost
mount_layers() {
    local target=$1 upper=$2 IFS=:
    shift 2
    mkdir -p "$target" "$upper/upper" "$upper/work"
    mount -t overlay -o "lowerdir=$*,upperdir=$upper/upper,workdir=$upper/work,index=off" overlay "$target"
}

# in_root ROOT COMMAND...: with the network of this machine, and nothing else of it
in_root() {
    local root=$1
    shift
    # Private mounts and processes: whatever a package's script starts or mounts ends with it.
    unshare --mount --pid --fork --kill-child --propagation private bash -ceu '
        root=$1; shift
        mount --rbind /dev "$root/dev"
        mount -t proc proc "$root/proc"
        mount -t tmpfs tmpfs "$root/run"
        mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
        if [ -e /etc/resolv.conf ]; then
            rm -f "$root/etc/resolv.conf"
            cat /etc/resolv.conf >"$root/etc/resolv.conf"
        fi
        printf "#!/bin/sh\nexit 101\n" >"$root/usr/sbin/policy-rc.d"
        chmod 755 "$root/usr/sbin/policy-rc.d"
        status=0
        chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
            DEBIAN_FRONTEND=noninteractive "$@" || status=$?
        rm -f "$root/usr/sbin/policy-rc.d"
        exit $status
    ' in_root "$root" "$@"
}

make_base() {
    local folder=$1 suite=$2 IFS=,
    mmdebstrap --quiet --variant=minbase --include="${BASE_PACKAGES[*]}" "${DPKG_OPTIONS[@]}" \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Retries "3"' \
        "$suite" "$folder/base.new"
    in_root "$folder/base.new" bash -c '
        apt-get -qq -o Acquire::Check-Valid-Until=false update
        mkdir -p /opt/extracted && cd /tmp
        for package; do
            if apt-cache show "$package" >/dev/null 2>&1; then
                apt-get -qq -o APT::Sandbox::User=root download "$package" && dpkg -x "$package"_*.deb /opt/extracted
            fi
        done
        rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin' extract "${EXTRACTED_PACKAGES[@]}"
    mv "$folder/base.new" "$folder/base"
}

# make_layer FOLDER NAME LOWER COMMAND...: what the command changes in the lower layers becomes a layer. LOWER is a list
# in one word, the uppermost first.
make_layer() {
    local folder=$1 name=$2 lower=$3
    shift 3
    rm -rf "$folder/$name.new"
    mkdir -p "$folder/$name.new"
    (
        set -e
        # shellcheck disable=SC2086 # several
        mount_layers "$folder/mnt.$name" "$folder/$name.new" $lower
        trap 'umount "$folder/mnt.$name" && rmdir "$folder/mnt.$name"' EXIT
        in_root "$folder/mnt.$name" "$@"
    ) || return 1
    mv "$folder/$name.new/upper" "$folder/$name"
    rm -rf "$folder/$name.new"
}

# prepare_system NAME LAYER...: makes what is not there yet
prepare_system() {
    local name=$1 folder suite layer
    folder=$(system_folder "$name")
    suite=$(system_suite "$name")
    shift
    mkdir -p "$folder"
    exec 5>"$folder/lock"
    flock 5
    rm -rf "$folder"/*.new
    [ -d "$folder/base" ] || make_base "$folder" "$suite" || return 1
    for layer; do
        [ ! -d "$folder/$layer" ] || continue
        case $layer in
        build) make_layer "$folder" build "$folder/base" bash -euc "$(install_packages "${BUILD_PACKAGES[@]}")" ;;
        vm) make_layer "$folder" vm "$folder/base" bash -euc "$(vm_commands)" ;;
        selinux) make_layer "$folder" selinux "$folder/vm $folder/base" bash -euc "$(install_packages "${SELINUX_PACKAGES[@]}")" ;;
        esac || return 1
    done
    exec 5>&-
}

# The layers of other recipes, which nobody will use again.
forget_old_layers() {
    local name folder
    for name in $(awk '!/^#/ { print $1 }' "$HERE/systems"); do
        for folder in "$CACHE/$name"-*; do
            [ "$folder" = "$(system_folder "$name")" ] || rm -rf --one-file-system "$folder"
        done
    done
}
