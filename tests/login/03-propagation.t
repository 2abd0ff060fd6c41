#!/bin/bash
# What is mounted inside stays inside; what the host mounts is seen inside as Propagation says. / is shared, as
# systemd makes it: with lib/machine it is.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
pam_service sshd

like "$(findmnt -no PROPAGATION /)" shared "/ is shared on this machine, or none of this would prove anything"

# policy PROPAGATION: root is boxed, as root is who can mount
policy() {
    configure <<END
[policy administrators]
Users       = root
Propagation = $1
END
}

mkdir "$T/inside" "$T/before" "$T/after"

for propagation in rslave rprivate; do
    policy "$propagation"
    mount -t tmpfs early "$T/before"
    snapshot
    box_open root --state
    like "$(box_do 'echo $NSBOX')" '^[a-z2-7]{10}' "$propagation: root, named by a policy, is in a box"

    ok "$propagation: root in the box can mount a tmpfs" box_do "mount -t tmpfs within $T/inside"
    like "$(box_do "findmnt -no SOURCE $T/inside")" within "$propagation: the tmpfs is seen inside"
    is "$(findmnt -no SOURCE "$T/inside")" "" "$propagation: the tmpfs mounted inside is not seen outside"

    box_do "umount $T/before" >/dev/null
    is "$(findmnt -no SOURCE "$T/before")" early "$propagation: a mount taken away inside stays outside"

    mount -t tmpfs late "$T/after"
    seen=$(box_do "findmnt -no SOURCE $T/after")
    if [ "$propagation" = rslave ]; then
        like "$seen" late "rslave: a mount made outside afterwards is seen inside"
    else
        unlike "$seen" late "rprivate: a mount made outside afterwards is not seen inside"
    fi
    umount "$T/after"
    unlike "$(box_do "findmnt -no SOURCE $T/after")" late "$propagation: it is not seen inside once it is unmounted outside"

    box_close
    nothing_left "$propagation: nothing is left"
    umount "$T/before"
done

# The other direction of an unmount: the mount is there when the box is made.
for propagation in rslave rprivate; do
    policy "$propagation"
    mount -t tmpfs early "$T/before"
    box_open root
    umount "$T/before"
    seen=$(box_do "findmnt -no SOURCE $T/before")
    if [ "$propagation" = rslave ]; then
        unlike "$seen" early "rslave: an unmount made outside is seen inside"
    else
        like "$seen" early "rprivate: an unmount made outside is not seen inside"
    fi
    box_close
    until_ok 10 has_holders 0
done

configure <<'END'
[policy students]
Users       = alice
Propagation = rshared
END
until_ok 5 has_holders 0
snapshot
from_here
session --user alice --state -- true 2>"$T/session"
is $? 120 "rshared: the login that the policy decides is refused"
like "$(cat "$T/session")" 'state: unchanged' "rshared: the caller is what it was"
like "$(cat "$T/session")" 'conversation: .+' "rshared: the user is told"
logged 'rshared' "rshared: the log names the value"
logged "$CONF:3" "rshared: the log names file and line"
logged 'host' "rshared: the log says why it cannot be had: the host would see the mounts"
is "$(session --user bob -- hostname 2>"$T/session")" host-bob "rshared: a login that the policy does not decide goes on"
nothing_left "rshared: nothing is left"

# The whole of the host's /proc and mount table, after many logins.
policy rslave
start_sshd
from_here
snapshot
mounts=$(cat /proc/self/mountinfo)
sessions=$(rounds 100 5000)
failed=0
for ((i = 0; i < sessions; i++)); do
    session --user alice -- sh -c 'test -n "$NSBOX"' 2>>"$T/session" || failed=$((failed + 1))
done
is "$failed" 0 "$sessions sessions on a shared / all work, each in a box"
is "$(cat /proc/self/mountinfo)" "$mounts" "the mount table of the host is the same after $sessions sessions"
is "$(cat /proc/self/comm)" cat "/proc/self of the host is whole after $sessions sessions"
is "$(cat /proc/1/comm)" reaper "/proc shows the host's own PID 1 after $sessions sessions"
is "$(ps -p $$ -o pid= | tr -d ' ')" $$ "ps works on the host after $sessions sessions"
ok "sshd still takes logins after $sessions sessions" ssh_as alice true
nothing_left "nothing is left after $sessions sessions"

done_testing
