#!/bin/bash
# The Debian package: built twice, the same bytes; nothing for lintian to say; its autopkgtest passes; and on a fresh
# minimal Debian it comes and goes without a trace.
#
# It fetches packages: only with SOAK=1.

set -u

HERE=$(cd "$(dirname "$0")" && pwd)
REPO=$(cd "$HERE/../.." && pwd)
PROGRAMS=(mmdebstrap dpkg-buildpackage dh lintian)
. "$HERE/fresh.sh"

# --- The package itself ---

"$REPO/packaging/build-deb" "$work/one" >"$work/output" 2>&1 || bail_out "no package: $(cat "$work/output")"
TZ=Pacific/Kiritimati LC_ALL=C "$REPO/packaging/build-deb" "$work/two/further/down" >"$work/output" 2>&1
package=$(cd "$work/one" && echo libpam-nsbox_*.deb)
is "$(sha256sum <"$work/one/$package")" "$(sha256sum <"$work/two/further/down/$package")" \
    "the package is the same, byte for byte, when it is built again elsewhere"
is "$(lintian --allow-root "$work"/one/*.changes 2>&1)" '' "lintian finds no error and gives no warning"
is "$(lintian --allow-root --show-overrides "$work"/one/*.changes 2>&1 | grep -c '^O:')" \
    "$(grep -c '^libpam-nsbox:' "$REPO/packaging/debian/libpam-nsbox.lintian-overrides")" "every override is used"
is "$(dpkg-deb -f "$work/one/$package" Version)" "$(cat "$REPO/VERSION")" "its version is VERSION"
is "$(sed -n '/^License: BSD-3-clause$/,/^$/s/^ //p' "$REPO/packaging/debian/copyright" | sed 's/^\.$//')" \
    "$(sed 1,2d "$REPO/LICENSE")" "its copyright file has the licence as LICENSE has it"
is "$(sed -n '/^License: Expat$/,/^$/s/^ //p' "$REPO/packaging/debian/copyright" | sed 's/^\.$//')" \
    "$(sed 1,5d "$REPO/LICENSE.musl")" "and that of musl"

# --- In and out ---

# list: what is compared: every file, the packages, and what is remembered of this one
list() {
    tree "$work/package"
    dpkg-query --admindir "$work/package/var/lib/dpkg" -W
    grep -rl nsbox "$work/package/var/lib/dpkg" "$work/package/var/lib/pam" "$work/package/var/cache/debconf" | grep -v -- '-old$'
}
fresh package
echo '127.0.1.1 fresh' >"$work/package/etc/hosts"
inside package 'apt-get update -qq && apt-get install -qq procps' || bail_out "$(tail -3 "$work/output")"
list >"$work/before"
cp "$work/one/$package" "$work/package/root/"
stacks=$(cat "$work"/package/etc/pam.d/*)
ok "apt installs the package" inside package "apt-get install -qq --no-install-recommends /root/$package"
is "$(cat "$work"/package/etc/pam.d/*)" "$stacks" "no PAM stack is changed by that"
ok "nsboxctl doctor says what is next" inside package 'nsboxctl doctor'
like "$(cat "$work/output")" 'mend: add "session required pam_nsbox.so" as the last line of a service' "namely the line under a service"
ok "dpkg finds every file as it was packed" inside package 'test -z "$(dpkg --verify libpam-nsbox)"'
ok "a changed conffile is kept when the package is installed anew" inside package \
    "echo '; mine' >>/etc/security/nsbox.conf && apt-get install -qq --reinstall /root/$package && tail -1 /etc/security/nsbox.conf | grep -q mine"
ok "it is kept when the package is removed" inside package \
    'apt-get remove -qq libpam-nsbox && grep -q mine /etc/security/nsbox.conf'
ok "apt purges it, with what came along and an edit that was cut off" inside package \
    'mkdir /run/nsbox && mkdir -p /etc/security/.nsbox.conf.edit/check && apt-get purge -qq --autoremove libpam-nsbox && apt-get autoremove --purge -qq && test ! -e /run/nsbox'
list >"$work/after"
is "$(diff "$work/before" "$work/after")" '' "after purge the machine is what it was before: files, packages, PAM stacks"
rm -rf --one-file-system "${work:?}/package"

# --- Its autopkgtest ---

fresh tests
cp "$work/one/$package" "$work/tests/root/"
inside tests 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends autopkgtest' ||
    bail_out "$(tail -3 "$work/output")"
cp -r "$REPO/packaging/debian" "$work/tests/root/pam_nsbox/debian"
# This system is the one that is tried, so no other is made: the backend null.
ok "autopkgtest passes" inside tests \
    "autopkgtest --no-built-binaries --user=root /root/$package /root/pam_nsbox/ -- null"
is "$(sed -n '/@ summary$/,$p' "$work/output" | grep -c ' PASS')" \
    "$(grep -c '^Tests:' "$REPO/packaging/debian/tests/control")" "all of its tests ran, and passed" || diag "$(cat "$work/output")"
while read -r line; do diag "$line"; done < <(grep -E '^(ok|not ok)' "$work/output")

done_testing
