# shellcheck shell=bash
# The systems' file trees, as layers of overlays: what is kept is only ever a lower layer.
#
#   CACHE/SYSTEM/base-DIGEST    made by mmdebstrap: the system with the applications of the matrix
#   CACHE/SYSTEM/build-DIGEST   over it: what the package's build needs
#   CACHE/SYSTEM/vm-DIGEST      over it: the system's kernel and an initial RAM disk
#   CACHE/SYSTEM/selinux-DIGEST over that: SELinux with the system's policy
#   CACHE/SYSTEM/package-DIGEST the project's package, built from a tree of that digest
#
# DIGEST is of the layer's recipe and those of the layers below it: what has another recipe is made anew. A layer that
# is not whole has another name.

CACHE=${XDG_CACHE_HOME:-/var/cache}/pam_nsbox-matrix

. "$HERE/recipe.sh"

system_suite() {
    awk -v name="$1" '$1 == name { print $2 }' "$HERE/systems"
}

# Where a system's layers lie.
system_folder() {
    echo "$CACHE/$1"
}

recipe_of() {
    case $1 in
    base) declare -p BASE_PACKAGES EXTRACTED_PACKAGES DPKG_OPTIONS && declare -f make_base ;;
    build) recipe_of base && declare -p BUILD_PACKAGES ;;
    vm) recipe_of base && vm_commands ;;
    selinux) recipe_of vm && declare -p SELINUX_PACKAGES ;;
    esac
}

# layer SYSTEM NAME: its folder
layer() {
    echo "$(system_folder "$1")/$2-$(recipe_of "$2" | sha256sum | cut -c 1-12)"
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

# mmdebstrap has a hook of apt's write to a descriptor of its own by "cat >&N", for which dash takes one digit. The locks
# that are held here would make it two.
with_no_descriptors() {
    bash -c 'for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            [ "$fd" -lt 3 ] || eval "exec $fd>&-"
        done
        exec "$@"' with_no_descriptors "$@"
}

make_base() {
    local folder=$1 suite=$2 IFS=,
    rm -rf "$folder.new"
    with_no_descriptors mmdebstrap --quiet --variant=minbase --include="${BASE_PACKAGES[*]}" "${DPKG_OPTIONS[@]}" \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Retries "3"' \
        "$suite" "$folder.new" || return 1
    in_root "$folder.new" bash -c '
        apt-get -qq -o Acquire::Check-Valid-Until=false update
        mkdir -p /opt/extracted && cd /tmp
        for package; do
            if apt-cache show "$package" >/dev/null 2>&1; then
                apt-get -qq -o APT::Sandbox::User=root download "$package" && dpkg -x "$package"_*.deb /opt/extracted
            fi
        done
        rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin' extract "${EXTRACTED_PACKAGES[@]}"
    mv "$folder.new" "$folder"
}

# make_layer FOLDER LOWER COMMAND...: what the command changes in the lower layers becomes the layer FOLDER. LOWER is a
# list in one word, the uppermost first.
make_layer() {
    local folder=$1 lower=$2
    shift 2
    mkdir -p "$folder.new"
    # shellcheck disable=SC2086 # several
    mount_layers "$folder.new/root" "$folder.new" $lower || return 1
    in_root "$folder.new/root" "$@" || { umount "$folder.new/root"; return 1; }
    umount "$folder.new/root" || return 1
    mv "$folder.new/upper" "$folder"
    rm -rf "$folder.new"
}

# prepare_system NAME LAYER...: makes what is not there yet
prepare_system() {
    local name=$1 folder kind layer base vm
    folder=$(system_folder "$name")
    base=$(layer "$name" base) vm=$(layer "$name" vm)
    shift
    mkdir -p "$folder"
    exec 5>"$folder/lock"
    flock 5
    rm -rf "$folder"/*.new
    [ -d "$base" ] || make_base "$base" "$(system_suite "$name")" || return 1
    for kind; do
        layer=$(layer "$name" "$kind")
        [ ! -d "$layer" ] || continue
        case $kind in
        build) make_layer "$layer" "$base" bash -euc "$(install_packages "${BUILD_PACKAGES[@]}")" ;;
        vm) make_layer "$layer" "$base" bash -euc "$(vm_commands)" ;;
        selinux) make_layer "$layer" "$vm $base" bash -euc "$(install_packages "${SELINUX_PACKAGES[@]}")" ;;
        esac || return 1
    done
    exec 5>&-
}

# use_cache: until this process ends nobody forgets a layer. Those of other recipes are forgotten now, and those that have
# grown old: unstable moves on, and the others get their updates. Another process that uses the cache keeps all of them.
use_cache() {
    local name layer kind wanted=()
    mkdir -p "$CACHE"
    exec 4>"$CACHE/used"
    if flock --nonblock 4; then
        for name in $(awk '!/^#/ { print $1 }' "$HERE/systems"); do
            for kind in base build vm selinux; do
                wanted+=("$(layer "$name" "$kind")")
            done
        done
        for layer in "$CACHE"/*/*-*; do
            if [[ ${layer##*/} != package-* && " ${wanted[*]} " != *" $layer "* ]] ||
                [ -n "$(find "$layer" -maxdepth 0 -mtime +30)" ]; then
                rm -rf --one-file-system "$layer"
            fi
        done
    fi
    flock --shared 4
}
