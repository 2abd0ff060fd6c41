#!/bin/bash
# With SELinux on: what the module does about contexts, what Debian's policy would not allow, and what comes of that when
# it is enforced.
. ./lib.sh

MOUNTS_BEFORE=$(host_mounts)
claims=("the shell in a box has the context that pam_selinux gave it"
    "nsbox-init stays in the domain of the program that opened the session"
    "no denial of SELinux's is missing in the log"
    "with Debian's policy enforced a login without a box goes on as before"
    "with Debian's policy enforced a login is boxed, or refused with a sentence in the log"
    "nothing of it is left")
if [ ! -e /sys/fs/selinux/enforce ]; then
    for claim in "${claims[@]}"; do
        skip "$claim" "SELinux is on in one column only"
    done
    done_testing
fi

# denials: who in which domain would have been refused what: "PROGRAM as DOMAIN: CLASS of TYPE: PERMISSION..."
denials() {
    dmesg | sed -n 's/.*avc: *denied *{ \(.*\) } .*comm="\([^"]*\)".*scontext=[^:]*:[^:]*:\([^: ]*\).*tcontext=[^:]*:[^:]*:\([^: ]*\).*tclass=\([^ ]*\).*/\2 as \3: \5 of \4:|\1/p' |
        sort -u | awk -F '|' '{ permissions[$1] = permissions[$1] " " $2 } END { for (who in permissions) print who permissions[who] }' | sort
}

session_open alice
inside=$(session_do 'id -Z')
holder=$(holders)
domain=$(tr -d '\0' <"/proc/$holder/attr/current")
monitor=$(tr -d '\0' <"/proc/$(pgrep -f 'sshd: alice \[priv\]')/attr/current")
session_close
until_ok $((15 * SLOW)) nothing_left
cp -a /etc/pam.d/sshd "$T/sshd"
sed -i '/pam_nsbox/d' /etc/pam.d/sshd
outside=$(ssh_as alice id -Z)
is "$inside" "$outside" "${claims[0]}"
is "$domain" "$monitor" "${claims[1]}"
diag "note: SELinux contexts: shell $inside, nsbox-init: $domain, sshd: $monitor"
is "$(dmesg | grep -E 'audit_lost|callbacks suppressed')" "" "${claims[2]}"
denials | while read -r line; do
    diag "note: SELinux would deny $line"
done

# --- enforced ---

setenforce 1
ok "${claims[3]}" ssh_as alice true
cp -a "$T/sshd" /etc/pam.d/sshd
begin enforced
ssh_as alice /usr/local/bin/probe enforced >"$T/out" 2>&1
setenforce 0
if probe_ready enforced; then
    is "$(wrong_with enforced alice box)" "" "${claims[4]}"
else
    like "$(log)" 'refused .*service="sshd"' "${claims[4]}"
fi
diag "note: SELinux enforced: $(log | sed 's/.*pam_nsbox(/pam_nsbox(/' | tail -n 3)"
until_ok $((15 * SLOW)) nothing_left
is "$(what_is_left)" "" "${claims[5]}"
done_testing
