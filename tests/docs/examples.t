#!/bin/bash
# The files in conf: each policy in conf/examples does what its first line says, through sshd with the lines of
# conf/pam.d, and conf/nsbox.conf has every key.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service sshd 'session required pam_permit.so'
sed -i '/pam_nsbox/d' /etc/pam.d/sshd
cat "$REPO/conf/pam.d/sshd" >>/etc/pam.d/sshd
for group in students webteam; do
    groupadd "$group"
done
getent group staff >"$T/null" || groupadd staff
useradd --create-home --no-log-init --shell /bin/bash --password '*' svc-copy 2>"$T/null"
start_sshd
install -d -m 700 -o svc-copy "$(home_of svc-copy)/.ssh"
install -m 600 -o svc-copy "$T/key.pub" "$(home_of svc-copy)/.ssh/authorized_keys"

# policy NAME: that example alone
policy() {
    rm -rf "$CONF" "$CONF.d"
    install -D -m 644 "$REPO/conf/examples/$1.conf" "$CONF.d/$1.conf"
}

policy students
usermod -aG students alice
touch /tmp/outside
is "$(ssh_as alice 'ls /home')" alice "students: the own home is the only one"
is "$(ssh_as alice 'ls -A /tmp')" '' "students: /tmp is their own"
ok "students: the own home can be written" ssh_as alice 'touch ~/mine'
ok "students: what they write at home is there" test -e "$(home_of alice)/mine"
is "$(ssh_as bob 'ls /tmp/outside')" /tmp/outside "students: others see the host's /tmp"
gpasswd -d alice students >"$T/null"

policy staff
usermod -aG staff alice
box=$(ssh_as alice 'nohup sleep 4000 >/dev/null 2>&1 & echo $NSBOX')
like "$box" '^[a-z2-7]{10}$' "staff: a login has a box"
is "$(ssh_as alice 'echo $NSBOX')" "$box" "staff: a later ssh joins the box that a nohup job keeps"
ok "staff: the job is still there" ssh_as alice 'pkill -x sleep'
ok "staff: the box ends with the job" until_ok 10 has_holders 0
gpasswd -d alice staff >"$T/null"

policy service-accounts
is "$(ssh_as svc-copy 'readlink /proc/self/ns/mnt; echo $NSBOX')" "$(readlink /proc/self/ns/mnt)" \
    "service-accounts: a service account is not boxed"
isnt "$(ssh_as alice 'echo $NSBOX')" '' "service-accounts: everybody else is"

policy team
usermod -aG webteam alice
usermod -aG webteam bob
coproc TEAM { ssh_as alice 'echo $NSBOX; sleep 60'; }
read -r -t 20 box <&"${TEAM[0]}"
is "$(ssh_as bob 'echo $NSBOX; uname -n')" "$box"$'\n'webteam "team: both are in one box, with the team's name"
like "$(ssh_as bob 'ps -eo user=,comm=')" 'alice +sleep' "team: one sees the other's processes"
kill "$TEAM_PID"
gpasswd -d alice webteam >"$T/null"
gpasswd -d bob webteam >"$T/null"
nsboxctl stop --now "$box" >"$T/null" 2>&1

for service in login su; do
    is "$(grep -v '^#' "$REPO/conf/pam.d/$service")" "$(grep -v '^#' "$REPO/conf/pam.d/sshd")" \
        "conf/pam.d/$service has the same lines"
done

# --- conf/nsbox.conf ---

# The table of keys, as nsbox.conf(5) has it
keys=$BUILD/man/keys
conf=$REPO/conf/nsbox.conf
is "$(sed -n 's/^; \([A-Z][A-Za-z]*\) *=.*/\1/p' "$conf" | sort -u)" "$(sed -n 's/^\.It Cm //p' "$keys" | sort)" \
    "nsbox.conf has every key, and no other"
is "$(sed -n '/built in ---/,/^$/s/^; \([A-Z][A-Za-z]*\) *= \(.*\)/\1=\2/p' "$conf" | sort)" \
    "$(awk '/^\.It Cm/ { key = $3 } sub(/^Built in: /, "") { gsub(/\\/, ""); sub(/\.$/, ""); print key "=" $0 }' "$keys" | sort)" \
    "nsbox.conf has the values that are built in"
rm -rf "$CONF" "$CONF.d"
cp "$conf" "$CONF"
is "$(nsboxctl check 2>&1)" '' "nsbox.conf has nothing that is wrong"
sed -i 's/^; \(\[policy\|[A-Z][A-Za-z]* *=\)/\1/' "$CONF"
is "$(nsboxctl check 2>&1)" '' "nsbox.conf with every line in force has nothing that is wrong"
for file in "$REPO"/conf/examples/*.conf; do
    is "$(nsboxctl check "$file" 2>&1)" '' "check finds nothing wrong in conf/examples/${file##*/}"
done

done_testing
