# shellcheck shell=bash
# The project's package, built in the system that it is for.

# The tree as a version of it would be published, but for the tests, which the package does without, and what was built.
# The same tree is the same bytes. A file that somebody deletes meanwhile is none.
pack_tree() {
    (cd "$REPO" && find . \( -path ./.git -o -path ./build -o -path ./tests \) -prune -o ! -type d -print0 | sort -z |
        tar -c --null --ignore-failed-read --owner=0 --group=0 --mtime=@1500000000 -T - 2>/dev/null)
}

# build_package NAME FOLDER WORK: leaves *.deb in FOLDER. WORK is a scratch folder. What was built from the same tree is
# kept beside the system's layers.
build_package() {
    local name=$1 to=$2 work=$3 kept
    mkdir -p "$to" "$work"
    kept=$(system_folder "$name")/package-$(pack_tree | sha256sum | cut -c 1-16)
    exec 5>"$(system_folder "$name")/lock"
    flock 5
    if [ -d "$kept" ]; then
        cp "$kept"/*.deb "$to"
        return
    fi
    mount_layers "$work/root" "$work" "$(layer "$name" build)" "$(layer "$name" base)" || return 1
    mkdir -p "$work/root/build/tree" "$work/root/build/out"
    pack_tree | tar -x -C "$work/root/build/tree"
    in_root "$work/root" bash -euc '
        cd /build/tree
        cp -r packaging/debian debian
        DEB_BUILD_OPTIONS=noautodbgsym dpkg-buildpackage -b -us -uc
        mv ../*.deb ../out' || { umount "$work/root"; return 1; }
    cp "$work"/root/build/out/*.deb "$to"
    rm -rf "$(system_folder "$name")"/package-*
    cp -r "$to" "$kept.new" && mv "$kept.new" "$kept"
    umount "$work/root"
    rm -rf --one-file-system "$work"
}
