#!/bin/bash
# The package is upgraded and removed while boxes are open.
. ./lib.sh

MOUNTS_BEFORE=$(host_mounts)
package=$(ls /matrix/packages/libpam-nsbox_*.deb)

# The same package as a later version.
newer() {
    dpkg-deb -R "$package" "$T/newer" &&
        sed -i 's/^Version: .*/&+matrix1/' "$T/newer/DEBIAN/control" &&
        dpkg-deb --root-owner-group -b "$T/newer" "$T/newer.deb"
}

lives() {
    [ "$(session_do 'cat /proc/1/comm; uname -n')" = $'nsbox-init\nmatrix-host-alice' ]
}

closes() {
    session_close && until_ok $((10 * SLOW)) nothing_left
}

newer >"$T/out" 2>&1 || bail_out "$(cat "$T/out")"
log_here
session_open alice
if dpkg -i "$T/newer.deb" >"$T/out" 2>&1; then
    pass "the package is upgraded while a box is open"
else
    fail "the package is upgraded while a box is open" "$(tail -n 5 "$T/out")"
fi
ok "a box lives on when the package is upgraded" lives
begin upgraded
ssh_as alice /usr/local/bin/probe upgraded
is "$(fact upgraded init)" nsbox-init "... a login afterwards gets a box of the new version"
ok "a box closes cleanly after an upgrade" closes
ok "... and says in the log that it ended" until_ok 5 log_has 'stopped '

session_open alice
if dpkg -r libpam-nsbox >"$T/out" 2>&1; then
    fail "the package is not removed while files of /etc/pam.d name the module" "$(tail -n 5 "$T/out")"
else
    like "$(cat "$T/out")" 'pam_nsbox' "the package is not removed while files of /etc/pam.d name the module"
fi
cp -a /etc/pam.d "$T/pam.d"
sed -i '/pam_nsbox/d' /etc/pam.d/*
if dpkg -r libpam-nsbox >"$T/out" 2>&1; then
    pass "the package is removed while a box is open, once they do not"
else
    fail "the package is removed while a box is open, once they do not" "$(tail -n 5 "$T/out")"
fi
ok "a box lives on when the package is removed" lives
begin removed
ssh_as alice /usr/local/bin/probe removed
is "$(fact removed init)" systemd "... a login afterwards is one without a box"
ok "a box closes cleanly after the removal" closes
dpkg -i "$package" >"$T/out" 2>&1
rm -rf /etc/pam.d
cp -a "$T/pam.d" /etc/pam.d
done_testing
