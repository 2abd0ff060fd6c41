#!/bin/bash
# With a configuration that is broken nobody knows what a login should be; so there is none, whichever application asks.
. ./lib.sh
. ./applications.sh

cp -a /etc/pam.d "$T/pam.d"
cp /etc/security/nsbox.conf "$T/nsbox.conf"

# refused NAME CLAIM: the application runs nothing, and the log has a line
refused() {
    local name=$1 service=$2 claim=$3 wrong=''
    begin "$name"
    "run_$name" "$name" >"$T/out" 2>&1 3>&-
    until_ok 5 log_has "refused .*service=\"$service\"" || wrong+="the log does not say that it was refused"
    sleep 0.5
    ! probe_ready "$name" || wrong+=$'\n'"it ran all the same"
    until_ok $((15 * SLOW)) nothing_left || wrong+=$'\n'$(what_is_left)
    if [ -z "$wrong" ]; then
        pass "$claim"
    else
        fail "$claim" "$wrong" "$(tail -n 5 "$T/out")" "log: $(log | tail -n 5)"
    fi
}

# sudo 1.9.16p2 (Debian 13) ends with a segmentation fault when any module refuses the session of `sudo` on a terminal
# with use_pty, pam_debug.so too; nothing runs then either.

# Without its line in the account phase, only opening the session can refuse.
sed -i '/^account.*pam_nsbox/d' /etc/pam.d/*
echo '[policy' >>/etc/security/nsbox.conf
for application in "${APPLICATIONS[@]}"; do
    read -r name user expected service <<<"$application"
    [ "$expected" != no-box ] || continue
    claim="refused with a broken configuration: ${CLAIMS[$name]}"
    if ! reason=$("has_$name"); then
        skip "$claim" "$reason"
        continue
    fi
    refused "$name" "$service" "$claim"
done

rm -rf /etc/pam.d
cp -a "$T/pam.d" /etc/pam.d
sed -i '/^session.*pam_nsbox/d' /etc/pam.d/*
refused ssh sshd "refused in the account phase already: sshd"
refused su su "refused in the account phase already: su"

rm -rf /etc/pam.d
cp -a "$T/pam.d" /etc/pam.d
cp "$T/nsbox.conf" /etc/security/nsbox.conf
done_testing
