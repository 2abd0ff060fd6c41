# shellcheck shell=bash
# The project's package, built in the system that it is for.

# The tree as a version of it would be published, but for the tests, which the package does without: no build products,
# nothing ignored. The same tree is the same bytes. A file that somebody deletes meanwhile is none.
pack_tree() {
    (cd "$REPO" && git ls-files -z --cached --others --exclude-standard | sort -z |
        tar -c --null --ignore-failed-read --owner=0 --group=0 --mtime=@1500000000 --exclude='tests/*' -T - 2>/dev/null)
}

# build_package NAME FOLDER WORK: leaves *.deb in FOLDER. WORK is a scratch folder. What was built from the same tree is
# kept beside the system's layers. Without packaging/debian, what
# `make install` installs becomes a package with nothing around it.
build_package() {
    local name=$1 to=$2 work=$3 layers kept
    layers=$(system_folder "$name")
    mkdir -p "$to" "$work"
    kept=$layers/package-$(pack_tree | sha256sum | cut -c 1-16)
    if [ -d "$kept" ]; then
        cp "$kept"/*.deb "$to"
        return
    fi
    mount_layers "$work/root" "$work" "$layers/build" "$layers/base" || return 1
    mkdir -p "$work/root/build/tree" "$work/root/build/out"
    pack_tree | tar -x -C "$work/root/build/tree"
    if [ -d "$REPO/packaging/debian" ]; then
        in_root "$work/root" bash -euc '
            cd /build/tree
            cp -r packaging/debian debian
            dpkg-buildpackage -b -us -uc
            mv ../*.deb ../out'
    else
        in_root "$work/root" bash -euc '
            cd /build/tree
            make -j2 PREFIX=/usr SYSCONFDIR=/etc
            make install PREFIX=/usr SYSCONFDIR=/etc DESTDIR=/build/tree/pkg
            mkdir pkg/DEBIAN
            printf "%s\n" "Package: libpam-nsbox" "Version: $(cat VERSION)" "Architecture: amd64" \
                "Maintainer: nobody <nobody@localhost>" "Description: what make install installs" >pkg/DEBIAN/control
            printf "%s\n" /etc/security/nsbox.conf >pkg/DEBIAN/conffiles
            dpkg-deb --root-owner-group -b pkg ../out'
    fi || { umount "$work/root"; return 1; }
    cp "$work"/root/build/out/*.deb "$to"
    rm -rf "$layers"/package-*
    cp -r "$to" "$kept.new" && mv "$kept.new" "$kept"
    umount "$work/root"
    rm -rf --one-file-system "$work"
}
