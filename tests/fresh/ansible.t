#!/bin/bash
# The Ansible role, against three systems booted with systemd at once: in, again without a change, back where a login
# fails, and out.
#
# It makes a system and boots it three times in systemd-nspawn: only with SOAK=1.

set -u

HERE=$(cd "$(dirname "$0")" && pwd)
REPO=$(cd "$HERE/../.." && pwd)
HOSTS='shell1 shell2 shell3'
PROGRAMS=(mmdebstrap dpkg-buildpackage dh systemd-nspawn ansible-playbook)
. "$HERE/fresh.sh"
export HOME=$work/home # where these programs would leave something of their own
mkdir "$HOME"

# The system is fetched outside; what follows has a network, mounts and process numbers of the test's own: what it starts
# ends with it, and no port is anybody else's.
if [ "${NSBOX_ANSIBLE:-}" != "$(readlink /proc/self/ns/net)" ]; then
    PACKAGES=systemd,systemd-sysv,dbus,libpam-systemd,libpam-runtime,openssh-server,openssh-client,python3,python3-apt
    PACKAGES+=,iproute2,procps,libcap2,libiniparser1,libjansson4,libsmartcols1
    make_tar
    # shellcheck disable=SC2016
    unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private \
        sh -c 'ip link set lo up; NSBOX_ANSIBLE=$(readlink /proc/self/ns/net) exec "$@"' sh "$HERE/ansible.t" >&3
    exit
fi

undo() {
    local name
    for name in $HOSTS; do
        umount -l "$work/$name/root" 2>/dev/null
    done
    umount -l "$work/upper" 2>/dev/null
}

# --- Three systems ---

mkdir "$work/base" "$work/upper"
mount -t tmpfs tmpfs "$work/upper"
tar -C "$work/base" -xf "$NSBOX_FRESH_TAR" || bail_out "no system"
"$REPO/packaging/build-deb" "$work/deb" >"$work/log" 2>&1 || bail_out "no package: $(tail -5 "$work/log")"
package=$(ls "$work"/deb/libpam-nsbox_*.deb)
ssh-keygen -q -t ed25519 -N '' -f "$work/key"

boot() {
    local name=$1 port=$2 root=$work/$1/root
    mkdir -p "$work/upper/$name/upper" "$work/upper/$name/work" "$root"
    mount -t overlay -o "lowerdir=$work/base,upperdir=$work/upper/$name/upper,workdir=$work/upper/$name/work" overlay "$root"
    echo "$name" >"$root/etc/hostname"
    # Without one, systemd would take this for a first boot and ask for a locale.
    tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
    sed -i '/nologin/d' "$root/etc/pam.d/sshd"
    mkdir -p "$root/root/.ssh"
    cp "$work/key.pub" "$root/root/.ssh/authorized_keys"
    printf 'Port %s\nListenAddress 127.0.0.1\nPermitRootLogin yes\n' "$port" >"$root/etc/ssh/sshd_config.d/test.conf"
    chroot "$root" sh -c 'groupadd students; useradd -m -s /bin/bash -G students student; useradd -m -s /bin/bash other
        for user in student other; do mkdir /home/$user/.ssh; cp /root/.ssh/authorized_keys /home/$user/.ssh; chown -R $user /home/$user/.ssh; done
        ssh-keygen -A >/dev/null; systemctl enable ssh >/dev/null 2>&1; mkdir -p /run/sshd' </dev/null
    (
        group=/sys/fs/cgroup/ansible-$name.$$
        mkdir -p "$group" && echo 0 >"$group/cgroup.procs"
        export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_USE_CGNS=1
        exec systemd-nspawn --quiet --boot --directory="$root" --machine="$name" --register=no --keep-unit \
            --private-users=no --resolv-conf=off --timezone=off --link-journal=no --capability=all --console=pipe \
            </dev/null >"$work/$name/console" 2>&1
    ) &
}
if [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; then
    umount -lR /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd
port=22101
: >"$work/inventory"
for name in $HOSTS; do
    mkdir "$work/$name"
    boot "$name" "$port"
    echo "$name ansible_host=127.0.0.1 ansible_port=$port nsbox_test_port=$((port + 100))" >>"$work/inventory"
    port=$((port + 1))
done
cat >>"$work/inventory" <<END
[all:vars]
ansible_user=root
ansible_python_interpreter=/usr/bin/python3
ansible_ssh_private_key_file=$work/key
ansible_ssh_common_args=-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR
END

# on HOST USER COMMAND
on() {
    local host_port
    host_port=$(sed -n "s/^$1 .*ansible_port=\([0-9]*\).*/\1/p" "$work/inventory")
    ssh -F /dev/null -p "$host_port" -i "$work/key" -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no \
        -o LogLevel=ERROR -o BatchMode=yes -o ConnectTimeout=30 "$2@127.0.0.1" "$3" 2>"$work/ssh"
}
for name in $HOSTS; do
    until_ok 90 on "$name" student true || bail_out "$name does not come up: $(tail -5 "$work/$name/console") $(cat "$work/ssh")"
done

# play VARIABLES_YAML: runs the example play with these variables over its own; what it said is in $work/said
play() {
    echo "$1" >"$work/vars.yml"
    ANSIBLE_LOCALHOST_WARNING=False ANSIBLE_NOCOLOR=1 ANSIBLE_HOME=$work/.ansible ansible-playbook -i "$work/inventory" \
        -e "nsbox_package=$package" -e nsbox_test_user=student -e "@$work/vars.yml" \
        "$REPO/packaging/ansible/example.yml" >"$work/said" 2>&1
}

# recap FIELD: what each host's line of the recap says, such as 0 0 0
recap() {
    sed -n "s/^shell[0-9].*[[:space:]]$1=\([0-9]*\).*/\1/p" "$work/said" | paste -sd' '
}
stacks() {
    for name in $HOSTS; do
        on "$name" root 'sha256sum /etc/pam.d/*'
    done
}

before=$(stacks)
ok "the role runs on three systems at once" play '{}'
is "$(recap failed)" '0 0 0' "none of them fails" || diag "$(cat "$work/said")"
for name in $HOSTS; do
    like "$(on "$name" student 'echo $NSBOX; uname -n; ls -A /tmp')" "^[a-z2-7]{10}"$'\n'"$name-student\$" \
        "$name: a student's login is in a box, with its name and its own /tmp"
    is "$(on "$name" other 'echo $NSBOX')" '' "$name: somebody else's is not"
    is "$(on "$name" root 'grep ^session /etc/pam.d/sshd | tail -1 | tr -s " "')" 'session required pam_nsbox.so' \
        "$name: the line is the last of the session stack"
    is "$(on "$name" student 'systemctl --user is-system-running >/dev/null 2>&1; loginctl show-user student -p Sessions --value | wc -w')" 1 \
        "$name: logind has the session"
done
ok "the role runs again" play '{}'
is "$(recap changed)" '0 0 0' "the second time nothing changes" || diag "$(grep -B3 '^changed' "$work/said")"

within=$(stacks)
not_ok "a policy with a mistake is not put in place" play '{nsbox_policies: {students: "[policy students]\nGroups = students\nPrivatTmp = yes\n"}}'
like "$(cat "$work/said")" 'PrivateTmp' "what is said names the key that was meant"
is "$(for name in $HOSTS; do on "$name" root 'grep -c PrivateTmp /etc/security/nsbox.conf.d/students.conf'; done | paste -sd' ')" '1 1 1' \
    "the policy that was there is still there"

# arranged HOST: its stacks and its configuration, with whose they are and where links lead
arranged() {
    on "$1" root 'cd /etc && find pam.d security/nsbox.conf* -printf "%p %y %m %u %g %l\n" | sort
        find pam.d security/nsbox.conf* -type f -exec sha256sum {} + | sort'
}
# Before it fails on the second: a stack that is a link on two of them, on the third a line that goes on in the next one.
link='mv /etc/pam.d/su /etc/pam.d/su.real && ln -s su.real /etc/pam.d/su'
continue='printf "%s\n" "session required \\" "  pam_nsbox.so debug" >>/etc/pam.d/sshd'
on shell1 root "$link"
on shell2 root "$link; rm /etc/security/nsbox.conf; cd /etc/security/nsbox.conf.d; chmod 600 students.conf; chgrp students students.conf"
on shell3 root "sed -i /pam_nsbox/d /etc/pam.d/sshd; $continue"
failing=$(arranged shell2)
on shell2 root 'chmod 000 /usr/libexec/nsbox/nsbox-init'
not_ok "where a test login fails the role fails" play '{nsbox_stacks: [sshd, su]}'
is "$(recap failed)" '0 1 0' "the other systems go on"
is "$(arranged shell2)" "$failing" "the stacks and the configuration of the one that failed are what they were"
like "$(on shell1 root 'readlink /etc/pam.d/su; tail -1 /etc/pam.d/su.real')" '^su\.real.*pam_nsbox' \
    "those of the others are changed, and a stack that was a link is one"
is "$(on shell3 root 'sha256sum /etc/pam.d/sshd')" "$(grep '/sshd$' <<<"$within" | tail -1)" \
    "a line that was continued is replaced as a whole"
on shell2 root 'chmod 755 /usr/libexec/nsbox/nsbox-init'
ok "the role runs again" play '{nsbox_stacks: [sshd, su]}'
like "$(recap changed)" '^0 [1-9] 0$' "it changes what it put back, and nothing else"

on shell1 root 'touch /etc/security/nsbox.conf.rpmsave; mkdir -p /etc/security/.nsbox.conf.edit'
on shell3 root "sed -i /pam_nsbox/d /etc/pam.d/sshd; $continue"
ok "the role takes everything out" play '{nsbox_state: absent}'
for name in shell1 shell2; do
    on "$name" root 'test -L /etc/pam.d/su && mv /etc/pam.d/su.real /etc/pam.d/su'
done
is "$(stacks)" "$before" "the stacks are what they were before it was first run" || diag "$(cat "$work/said")"
is "$(for name in $HOSTS; do on "$name" root 'find /etc /usr /var /run -xdev -name "*nsbox*"'; done)" '' "no file is left"
ok "the role runs again" play '{nsbox_state: absent}'
is "$(recap changed)" '0 0 0' "the second time nothing changes"

for name in $HOSTS; do
    on "$name" root 'systemctl --no-block poweroff'
done
wait
done_testing
