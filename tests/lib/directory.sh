# shellcheck shell=bash
# A directory of users and groups for a test: slapd on loopback, and nslcd, which NSS asks. To be sourced before
# login.sh: outside the private machine it gets the programs (directory-packages), inside it can start them.

DIRECTORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build/tests/directory

if [ "${NSBOX_TEST_MACHINE:-}" != "$(readlink /proc/self/ns/mnt)" ] && [ "$(id -u)" = 0 ]; then
    mkdir -p "${DIRECTORY%/*}"
    if ! why=$("$(dirname "${BASH_SOURCE[0]}")/directory-packages" "$DIRECTORY"); then
        echo "1..0 # SKIP $why"
        exit 0
    fi
fi

DIRECTORY_PORT=3890

# start_slapd: a server of what directory_data wrote
start_slapd() {
    LD_LIBRARY_PATH=$DIRECTORY_LIBRARIES "$DIRECTORY/root/usr/sbin/slapd" -f "$T/ldap/slapd.conf" \
        -h "ldap://127.0.0.1:$DIRECTORY_PORT" >"$T/ldap/slapd.out" 2>&1
    until_ok 10 test -s "$T/ldap/slapd.pid" || bail_out "slapd does not come up: $(cat "$T/ldap/slapd.out")"
    SLAPD=$(<"$T/ldap/slapd.pid")
}

# start_nslcd: what NSS asks; its time limits are the ones of the test
start_nslcd() {
    mkdir -p /run/nslcd
    rm -f /run/nslcd/*
    LD_LIBRARY_PATH=$DIRECTORY_LIBRARIES "$DIRECTORY/root/usr/sbin/nslcd" --nofork >"$T/ldap/nslcd.out" 2>&1 &
    NSLCD=$!
    until_ok 10 test -S /run/nslcd/socket || bail_out "nslcd does not come up: $(cat "$T/ldap/nslcd.out")"
}

# start_directory <LDIF: slapd with these entries, nslcd, and NSS that asks them after the files
start_directory() {
    local root=$DIRECTORY/root module schema
    module=$(dirname "$(find "$root" -name 'back_mdb*.la')")
    schema=$root/etc/ldap/schema
    DIRECTORY_LIBRARIES=$(find "$root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
    mkdir -p "$T/ldap/data"
    cat >"$T/ldap/slapd.conf" <<END
include $schema/core.schema
include $schema/cosine.schema
include $schema/nis.schema
modulepath $module
moduleload back_mdb
pidfile $T/ldap/slapd.pid
database mdb
suffix "dc=example"
rootdn "cn=admin,dc=example"
directory $T/ldap/data
index uid,memberUid,uidNumber,gidNumber,cn eq
END
    LD_LIBRARY_PATH=$DIRECTORY_LIBRARIES "$root/usr/sbin/slapadd" -q -f "$T/ldap/slapd.conf" >"$T/ldap/slapadd.out" 2>&1 ||
        bail_out "slapadd: $(cat "$T/ldap/slapadd.out")"
    cat >/etc/nslcd.conf <<END
uri ldap://127.0.0.1:$DIRECTORY_PORT
base dc=example
bind_timelimit 1
timelimit 1
reconnect_sleeptime 1
reconnect_retrytime 1
END
    chmod 600 /etc/nslcd.conf
    # Where the loader looks whoever asks; this folder is an overlay.
    cp "$(find "$root" -name 'libnss_ldap.so.2')" /usr/local/lib/
    ldconfig
    printf 'passwd: files ldap\ngroup: files ldap\nshadow: files\nhosts: files\n' >/etc/nsswitch.conf
    start_slapd
    start_nslcd
}
