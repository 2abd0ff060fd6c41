#!/bin/bash
# A mistake in one policy does not lock out the users of another, and nothing at all locks out root.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
pam_service account 'account required pam_nsbox.so'

# in_as USER [SESSION_OPTION...]: whether the login succeeds; root's is outside any box
in_as() {
    [ "$(session --user "$1" "${@:2}" -- echo in 2>"$T/session" 3>&-)" = in ]
}

root_is_in() {
    in_as root && in_as root --service account --account && [ "$(count_holders)" = 0 ]
}

# --- Nothing locks out root ---

locked=() count=0
for broken in "$REPO"/tests/policy/broken/[0-9]*.conf; do
    [ -f "$broken" ] || continue
    rm -rf "$CONF" "$CONF.d"
    cp "$broken" "$CONF"
    chmod 644 "$CONF"
    if [ -d "$broken.d" ]; then
        cp -r "$broken.d" "$CONF.d"
        chmod -R go-w "$CONF.d"
    fi
    count=$((count + 1))
    root_is_in || locked+=("${broken##*/}: $(tail -n 1 "$T/session")")
done
rm -rf "$CONF" "$CONF.d"
is "${locked[*]}" "" "none of the $count broken files locks out root"
at_least "$count" 60 "... and they are 60 and more"

# as_root_with CLAIM: root is in; alice is not, so that the fault does reach logins
as_root_with() {
    ok "root is let in: $1" root_is_in
    not_ok "... and nobody else" in_as alice
    rm -rf "$CONF" "$CONF.d"
}

mkfifo "$CONF"
as_root_with "a FIFO in place of the file"
mkdir "$CONF"
as_root_with "a folder in place of the file"
ln -s /etc/passwd "$CONF"
as_root_with "a symbolic link in place of the file"
echo '[default]' >"$CONF"
chmod 666 "$CONF"
as_root_with "a file that everybody may write"
echo '[default]' >"$CONF"
chown alice "$CONF"
as_root_with "a file of somebody else"
head -c 9000000 /dev/zero | tr '\0' x >"$CONF"
as_root_with "nine megabytes of one line"
mkdir -m 777 "$CONF.d"
chmod 777 "$CONF.d"
as_root_with "a folder of drop-ins that everybody may write"
mkdir -m 755 "$CONF.d"
mkfifo "$CONF.d/10-x.conf"
as_root_with "a FIFO among the drop-ins"
: >"$CONF.d" || true
as_root_with "a file in place of the folder of drop-ins"
echo '[default' >"$CONF"
mv /usr/local/libexec/nsbox/nsbox-init "$T/nsbox-init"
as_root_with "a syntax error, and nsbox-init missing"
mv "$T/nsbox-init" /usr/local/libexec/nsbox/nsbox-init

# Even a policy that names root: its box may be impossible to make.
for line in 'ReadOnlyPaths = /no/such/folder' 'BindPaths = /no/such/folder:/mnt' 'NetworkNamespacePath = /no/such/netns' \
    'Scope = nonsense'; do
    configure <<END
[policy zero]
Users = root, alice
OnError = deny
$line
END
    as_root_with "a policy that names root with $line"
done

# --- One policy's mistake is one policy's ---

# mistakes: one line each, as it would stand in alice's policy
while IFS= read -r line; do
    configure <<END
[policy alices]
Users = alice
$line

[policy bobs]
Users    = bob
Hostname = bobs
END
    if ! in_as alice && [ "$(session --user bob -- hostname 2>/dev/null 3>&-)" = bobs ] && in_as daemon; then
        pass "a mistake in alice's policy refuses alice alone: $line"
    else
        fail "a mistake in alice's policy refuses alice alone: $line" "$(log | tail -n 3)"
    fi
done <<'END'
Hostnam = x
Scope = sesion
Users = carol
PrivateTmp = "yes
PrivateTmp = yes#really
Namespaces = mount, users
TimeoutStopSec = soon
ReadOnlyPaths = usr
BindPaths = /srv/%y
CapabilityBoundingSet = CAP_EVERYTHING
END

configure <<'END'
[policy alices]
Users = alice

[polcy alices]
Users = alice

[policy bobs]
Users = bob
[policy bobs]
Users = bob
END
ok "a section whose header is mistyped behind alice's does not concern alice" in_as alice
not_ok "a section given twice refuses those whom it decides" in_as bob
ok "... and nobody else" in_as daemon

# Stops before a good policy is reached only if it may be meant for this user.
configure <<'END'
[polcy alices]
Users = alice

[policy rest]
Users    = *
Hostname = rest
END
not_ok "a section whose header is mistyped refuses whom it names" in_as alice
is "$(session --user bob -- hostname 2>/dev/null 3>&-)" rest "... and nobody else"
ok "no box is left" until_ok 10 has_holders 0

done_testing
