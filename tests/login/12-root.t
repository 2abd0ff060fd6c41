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

# --- root in a box ---

configure <<'END'
[policy root]
Users          = root
TimeoutStopSec = 1s
END
box_open root --root
for signal in TERM QUIT INT HUP USR1; do
    box_do "kill -$signal 1" >/dev/null
done
# With rt_sigqueueinfo(2) a sender says himself who he is, and here that he is nobody (0), as from outside.
forge='my $info = pack("i3 x4 i2 x104", 15, 0, -1, 0, 0); syscall(129, 1, 15, $info);'
[ "$(uname -m)" != x86_64 ] || box_do "perl -e '$forge'" >/dev/null
sleep 0.2
is "$(box_do 'cat /proc/1/comm')" nsbox-init "no signal from inside has an effect on nsbox-init"
box_close

# --- a user's limit for files, under which su runs ---

configure <<'END'
[default]
Scope = login
END
for size in 0 1; do
    if with_counts; then
        skip "with RLIMIT_FSIZE=$size a login is in its box" "the counts of coverage are files, too"
        continue
    fi
    # Not even what is said may go to a file then.
    bash -c "ulimit -S -f $size; session --user alice --state -- bash -c 'ulimit -f; hostname'" 2>&1 | cat >"$T/session"
    like "$(xargs <"$T/session")" "Success $size host-alice .*state: unchanged" \
        "with RLIMIT_FSIZE=$size a login is in its box, has that limit there, and the caller is what it was"
done
setpriv --bounding-set -sys_resource bash -c 'ulimit -f 0; session --user alice --state -- true; echo "ended with $?"' 2>&1 | cat >"$T/session"
like "$(xargs <"$T/session")" 'state: unchanged.*ended with 1' "who may not raise it is refused, and not ended by SIGXFSZ"

done_testing
