#!/bin/bash
# With SELinux on: what the module does about contexts, and what the policy would not allow.
. ./lib.sh

MOUNTS_BEFORE=$(host_mounts)
claims=("the shell in a box has the context that pam_selinux gave it"
    "nsbox-init stays in the domain of the program that opened the session"
    "Debian's policy would allow nsbox-init what it does")
if [ ! -e /sys/fs/selinux/enforce ]; then
    for claim in "${claims[@]}"; do
        skip "$claim" "SELinux is on in one column only"
    done
    done_testing
fi
session_open alice
inside=$(session_do 'id -Z')
holder=$(holders)
domain=$(tr -d '\0' <"/proc/$holder/attr/current")
monitor=$(tr -d '\0' <"/proc/$(pgrep -f 'sshd: alice \[priv\]')/attr/current")
session_close
sed -i '/pam_nsbox/d' /etc/pam.d/sshd
outside=$(ssh_as alice id -Z)
is "$inside" "$outside" "${claims[0]}"
is "$domain" "$monitor" "${claims[1]}"
diag "note: SELinux contexts: shell $inside, nsbox-init: $domain, sshd: $monitor"
is "$(dmesg | grep 'avc: *denied' | grep 'comm="nsbox-init"')" "" "${claims[2]}"
# What the callers are not allowed to do is Debian's policy to grant; written down here.
dmesg | grep 'avc: *denied' | sed -n 's/.*{ \(.*\) }.*comm=\("[^"]*"\).*scontext=[^:]*:[^:]*:\([^:]*\).*tclass=\(.*\) permissive.*/\2 as \3: \4 \1/p' |
    sort | uniq -c | while read -r line; do diag "note: SELinux would deny: $line"; done
done_testing
