#!/bin/bash
# The RPM package builds from its spec, and holds what make install installs. With SOAK=1, for it takes a minute.

set -u

HERE=$(cd "$(dirname "$0")" && pwd)
REPO=$(cd "$HERE/../.." && pwd)

PROGRAMS=(rpmbuild rpmlint)
. "$HERE/fresh.sh"
export HOME=$work/home # where these programs would leave something of their own
mkdir "$HOME"

if "$REPO/packaging/build-rpm" "$work" >"$work/log" 2>&1; then
    pass "rpmbuild builds the package"
else
    fail "rpmbuild builds the package" "$(tail -20 "$work/log")"
fi
like "$(cd "$REPO" && rpmlint -r packaging/rpm/rpmlintrc "$work"/*.rpm packaging/rpm/pam_nsbox.spec 2>&1 | tail -1)" \
    ' 0 errors, 0 warnings' "rpmlint accepts it"

make -s -C "$REPO" install DESTDIR="$work/root" PREFIX=/usr SYSCONFDIR=/etc PAMDIR="$(rpm --eval '%{_libdir}')/security" \
    B="$work/build" >"$work/log" 2>&1
is "$(rpm -qpl "$work"/pam_nsbox-*.x86_64.rpm | grep -vE '^/usr/(share/doc|share/licenses|lib/.build-id|lib/tmpfiles.d)' | sort |
    while read -r path; do [ -d "$work/root$path" ] || echo "$path"; done)" \
    "$(cd "$work/root" && find . -type f | sed 's/^\.//' | sort)" "it holds what make install installs"
is "$(rpm -qpl "$work"/pam_nsbox-*.x86_64.rpm | sed -n 's|^/usr/share/doc/[^/]*/\([^/]*/.*\)|conf/\1|p' | sort)" \
    "$(cd "$REPO" && find conf/examples conf/recipes conf/pam.d -type f | sort)" "it holds the examples and recipes"
is "$(rpm -qp --conffiles "$work"/pam_nsbox-*.x86_64.rpm 2>/dev/null || rpm -qpc "$work"/pam_nsbox-*.x86_64.rpm)" \
    /etc/security/nsbox.conf "the configuration is a configuration file"

# removal FILE...: what the script before removal says where these files, below root/, name the module
removal() {
    rm -rf "$work/root"
    mkdir -p "$work/root/etc/pam.d" "$work/root/usr/lib/pam.d"
    for file; do
        echo 'session required pam_nsbox.so' >"$work/root$file"
    done
    rpm -qp --qf '%{PREUN}' "$work"/pam_nsbox-*.x86_64.rpm | sed -E "s|/[a-z/]*/pam\.d/|$work/root&|g" | sh -s 0 2>&1
    echo "$?"
}
for file in /etc/pam.d/sshd /usr/lib/pam.d/sshd; do
    like "$(removal "$file")" "root$file"$'\n.*\n'1$ "it is not removed while $file names it"
done
is "$(removal /etc/pam.d/sshd.rpmsave /etc/pam.d/sshd~)" 0 "it is removed where only what is no service names it"

like "$(rpm -qp --qf '%{VERSION}' "$work"/pam_nsbox-*.x86_64.rpm)" "^$(cat "$REPO/VERSION")\$" "its version is VERSION"

done_testing
