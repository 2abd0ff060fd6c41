#!/bin/bash
# AppArmor stays on as shipped, and has refused nothing in all that was done before.
. ./lib.sh

on="AppArmor is on, with the profiles that the system ships"
quiet="AppArmor has refused nothing to boxes and to those who open them"
if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] && [ -r /sys/kernel/security/apparmor/profiles ]; then
    at_least "$(wc -l </sys/kernel/security/apparmor/profiles)" 1 "$on"
    is "$(journalctl -q -b -k -o cat -g 'apparmor="DENIED"')" "" "$quiet"
else
    skip "$on" "the kernel is not the system's own, or has SELinux on"
    skip "$quiet" "the kernel is not the system's own, or has SELinux on"
fi
done_testing
