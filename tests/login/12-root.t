#!/bin/bash
# The administrator is not boxed unless a policy names root in so many letters, whatever else is written or broken.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

for service in session sshd su login; do
    pam_service "$service"
done
start_sshd
# A second name of uid 0 is root as well.
echo 'toor:*:0:0:root:/root:/bin/bash' >>/etc/passwd
outside="$(readlink /proc/self/ns/pid) $(readlink /proc/self/ns/mnt) host.example"
where='echo $(readlink /proc/self/ns/pid) $(readlink /proc/self/ns/mnt) $(hostname)'

not_boxed() {
    is "$(session --user root --state -- sh -c "$where" 2>"$T/session")" "$outside" "$1: root is not boxed" &&
        like "$(cat "$T/session")" 'state: unchanged' "$1: and the caller is what it was"
}

snapshot
rm -f "$CONF"
not_boxed "no configuration"
is "$(ssh_as root "$where")" "$outside" "no configuration: root over ssh is not boxed"
is "$(su root -c "$where")" "$outside" "no configuration: su to root is not boxed"
is "$(session --user toor -- sh -c "$where" 2>/dev/null)" "$outside" "no configuration: another name of uid 0 is not boxed"
isnt "$(as_alice sh -c "$where")" "$outside" "no configuration: everybody else is"

configure <<'END'
[policy everybody]
Users = *
END
not_boxed "a policy for *"
configure <<'END'
[policy everybody]
Users = r*t, ro??, [r]oot, *oot
END
not_boxed "a policy whose globs match root"
configure <<'END'
[policy by-group]
Groups = root
END
not_boxed "a policy for root's group"
configure <<'END'
[policy by-service]
Services = *
END
not_boxed "a policy for all services"
configure <<'END'
[policy everybody]
Users = *, root
END
is "$(session --user root -- hostname 2>/dev/null)" host-root "a policy that names root boxes root"
is "$(ssh_as root "hostname; cat /proc/1/comm" | xargs)" "host-root $HOLDER" "a policy that names root boxes root over ssh"

# No mistake locks the administrator out.
configure <<'END'
[policy broken
Users = *
END
not_boxed "a syntax error"
configure <<'END'
[policy everybody]
Users    = *
Hostname = %Z
END
not_boxed "a bad value"
configure <<'END'
[policy everybody]
Users = *
END
chmod 666 "$CONF"
not_boxed "a file that everybody may write"
chown bob "$CONF"
not_boxed "a file that is not root's"
rm -f "$CONF"
mv /usr/local/libexec/nsbox/nsbox-init "$T/aside"
not_boxed "no nsbox-init"
mv "$T/aside" /usr/local/libexec/nsbox/nsbox-init
nothing_left_but_conf() {
    nothing_left_now || [ "$(diff <(echo "$SNAPSHOT") <(echo "$HOST_STATE") | grep '^[<>]' | grep -cv "/etc/security")" -eq 0 ]
}
ok "nothing is left" until_ok 5 nothing_left_but_conf

done_testing
