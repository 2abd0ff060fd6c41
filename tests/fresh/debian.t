#!/bin/bash
# On a fresh minimal Debian: README's two commands run as printed, and the package comes and goes without a trace.
#
# It takes about ten minutes and a gibibyte, and fetches packages: only with SOAK=1.
#
#   NSBOX_RELEASE=NAME   another release than bookworm

set -u
LC_ALL=C
export LC_ALL

HERE=$(cd "$(dirname "$0")" && pwd)
REPO=$(cd "$HERE/../.." && pwd)
RELEASE=${NSBOX_RELEASE:-bookworm}

if [ -z "${SOAK:-}" ]; then
    echo "1..0 # SKIP only with SOAK=1: it makes a fresh system"
    exit 0
fi
for program in mmdebstrap dpkg-buildpackage dh lintian; do
    if ! command -v "$program" >/dev/null; then
        echo "1..0 # SKIP $program is not installed"
        exit 0
    fi
done

# shellcheck source=../lib/tap.sh
. "$HERE/../lib/tap.sh"

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT

# fresh NAME: a new system in $work/NAME, with the sources in /root/pam_nsbox
fresh() {
    if [ ! -s "$work/fresh.tar" ]; then
        mmdebstrap --quiet --variant=apt "$RELEASE" "$work/fresh.tar" >"$work/log" 2>&1 || bail_out "mmdebstrap: $(tail -3 "$work/log")"
    fi
    mkdir "$work/$1"
    tar -C "$work/$1" -xf "$work/fresh.tar"
    mkdir -p "$work/$1/root/pam_nsbox"
    tar -C "$REPO" -c --exclude=./build --exclude=./.git . | tar -C "$work/$1/root/pam_nsbox" -x
    cp /etc/resolv.conf "$work/$1/etc/resolv.conf"
}

# inside NAME COMMAND
inside() {
    "$HERE/machine" "$work/$1" "$2" >"$work/output" 2>&1
}

# --- README's two commands ---

# The console blocks up to the second command, as printed
commands=$(awk '/^```/ { on = /console/ } on && sub(/^# /, "") { print } /make check/ { exit }' "$REPO/README.md")
fresh readme
begin=$EPOCHSECONDS
ok "README's way to make demo runs in a fresh minimal system" inside readme "cd /root/pam_nsbox && set -e
$(sed '/make check/d' <<<"$commands")"
at_most $((EPOCHSECONDS - begin)) 120 "it takes less than two minutes, with all that is installed"
like "$(cat "$work/output")" 'process 1 +[^ ]+ +nsbox-init +nsbox-init' "it shows the isolation"
begin=$EPOCHSECONDS
ok "make check passes in it" inside readme "cd /root/pam_nsbox && $(grep 'make check' <<<"$commands")"
diag "make check took $((EPOCHSECONDS - begin)) s: $(tail -1 "$work/output")"
grep -E '^(not ok|#|.*Failed)' "$work/output" | head -20 | while read -r line; do diag "$line"; done
like "$(tail -1 "$work/output")" '^[0-9]+ passed, 0 failed, [0-9]+ skipped$' "its last line counts the tests"
rm -rf --one-file-system "${work:?}/readme"

# --- The package ---

"$REPO/packaging/build-deb" "$work/one" >"$work/output" 2>&1 || bail_out "no package: $(cat "$work/output")"
"$REPO/packaging/build-deb" "$work/two/further/down" >"$work/output" 2>&1
package=$(cd "$work/one" && echo libpam-nsbox_*.deb)
is "$(sha256sum <"$work/one/$package")" "$(sha256sum <"$work/two/further/down/$package")" \
    "the package is the same, byte for byte, when it is built again elsewhere"
is "$(lintian --allow-root "$work"/one/*.changes 2>&1 | grep -E '^[EW]:')" '' "lintian finds no error and gives no warning"

# Everything but what dpkg and apt remember, and what they log
list() {
    (cd "$work/package" && find . -xdev \( -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log \
        -o -path ./root/pam_nsbox -o -path ./tmp -o -path ./run -o -path ./etc/ld.so.cache \) -prune \
        -o -printf '%p %y %m %u %g %s %l\n' | sort)
    (cd "$work/package/etc" && find . -type f ! -name ld.so.cache -exec sha256sum {} + | sort)
}
fresh package
inside package 'apt-get update -qq && apt-get install -qq procps' || bail_out "$(tail -3 "$work/output")"
list >"$work/before"
cp "$work/one/$package" "$work/package/root/"
ok "apt installs the package" inside package "apt-get install -qq --no-install-recommends /root/$package"
ok "dpkg finds every file as it was packed" inside package 'test -z "$(dpkg --verify libpam-nsbox)"'
ok "a changed conffile is kept when the package is installed anew" inside package \
    "echo '; mine' >>/etc/security/nsbox.conf && apt-get install -qq --reinstall /root/$package && tail -1 /etc/security/nsbox.conf | grep -q mine"
ok "it is kept when the package is removed" inside package \
    'apt-get remove -qq libpam-nsbox && grep -q mine /etc/security/nsbox.conf'
ok "apt purges it, with what came along" inside package 'apt-get purge -qq --autoremove libpam-nsbox; apt-get autoremove --purge -qq'
rm -f "$work/package/root/$package"
list >"$work/after"
is "$(diff "$work/before" "$work/after")" '' "after purge the machine is what it was before"

# In a system of its own, for they make users, and useradd leaves backups in /etc.
fresh tests
cp "$work/one/$package" "$work/tests/root/"
inside tests "apt-get update -qq && apt-get install -qq --no-install-recommends procps /root/$package" ||
    bail_out "$(tail -3 "$work/output")"
for test in login in-and-out; do
    ok "its autopkgtest passes: $test" inside tests "/root/pam_nsbox/packaging/debian/tests/$test"
    while read -r line; do diag "$line"; done < <(grep -E '^(ok|not ok)' "$work/output")
done

done_testing
