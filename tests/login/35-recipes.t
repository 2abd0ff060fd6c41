#!/bin/bash
# The recipes in conf/recipes, as they stand there, each in real logins.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service sshd
start_sshd
groupadd students
usermod -aG students alice
useradd --create-home --no-log-init --shell /bin/bash --password '*' guest
# A home of its own, whatever the file system of the machine that runs this can be the lower layer of.
mount -t tmpfs -o mode=755 homes /home
for user in alice bob guest; do
    install -d -m 700 -o "$user" -g "$user" "$(home_of "$user")" "$(home_of "$user")/.ssh"
    install -m 600 -o "$user" "$T/key.pub" "$(home_of "$user")/.ssh/authorized_keys"
done

recipe() {
    configure <"$REPO/conf/recipes/$1.conf"
    snapshot
    from_here
}

home=$(home_of alice)
echo 'of alice' >"$home/file"
echo 'of bob' >"$(home_of bob)/file"
chmod 755 "$(home_of alice)" "$(home_of bob)"
chmod 644 "$home/file" "$(home_of bob)/file"

# terminal USER COMMAND: with a terminal, for which sshd does more
terminal() {
    ssh_as "$1" -tt "$2" 2>&1 </dev/null | tr -d '\r'
}

# --- own-home ---

recipe own-home
is "$(ssh_as alice ls /home)" alice "own-home: a user sees only one home"
is "$(ssh_as bob ls /home)" bob "own-home: another sees only another"
is "$(ssh_as alice "cat $home/file; pwd")" "of alice
$home" "own-home: it is the user's own, and where the login starts"
ok "own-home: it can be written" ssh_as alice "echo new >$home/new"
is "$(cat "$home/new")" new "own-home: what is written there stays"
not_ok "own-home: nothing can be put beside it" ssh_as alice 'mkdir /home/other 2>/dev/null'
is "$(echo /home/*)" "/home/alice /home/bob /home/guest" "own-home: outside all homes are there"
is "$(ssh_as root ls /home | xargs)" "alice bob guest" "own-home: root, who is not boxed, sees all"
rm "$home/new"
nothing_left "own-home: nothing is left"

# --- read-only-system ---

# Folders in which alice could write without the policy.
mount -t tmpfs -o mode=755 srv /srv
mkdir -m 1777 /usr/local/open /etc/open /srv/open
read -r -d '' try <<'END'
for folder in / /etc/open /usr/local/open /srv/open /var/lib /run /opt; do
    (: >$folder/.try) 2>/dev/null && echo "$folder"
done
:
END
is "$(su alice -s /bin/sh -c "$try" | xargs)" "/etc/open /usr/local/open /srv/open" \
    "read-only-system: without it there is more that can be written"
rm -f /srv/open/.try /usr/local/open/.try /etc/open/.try
recipe read-only-system
is "$(ssh_as alice "$try")" "" "read-only-system: no folder of the system can be written"
like "$(ssh_as alice ': >/etc/open/x' 2>&1)" 'Read-only file system' "read-only-system: because it is read-only, and not for want of rights"
is "$(ssh_as alice 'for folder in ~ /tmp /var/tmp /dev/shm; do : >$folder/.try && echo yes; rm $folder/.try; done' | xargs)" \
    "yes yes yes yes" "read-only-system: home and /tmp can"
is "$(terminal alice 'stat -c "%U" "$(tty)"; echo seen >"$(tty)"')" "alice
seen" "read-only-system: a terminal belongs to its user"
nothing_left "read-only-system: nothing is left"

# --- guest ---

recipe guest
guest=$(home_of guest)
echo 'as it was' >"$guest/file"
chown guest "$guest/file"
tree() {
    find "$guest" /tmp /var/tmp /dev/shm -printf '%p %y %m %u %s %T@\n' | LC_ALL=C sort
}
before=$(tree)
is "$(ssh_as guest 'cat file; echo changed >file; rm .bashrc 2>/dev/null; mkdir new; echo x >new/x; cat file new/x
    echo x >/tmp/x; echo x >/var/tmp/x; echo x >/dev/shm/x; ls /tmp /var/tmp /dev/shm | grep -c x' | xargs)" \
    "as it was changed x 3" "guest: a guest can change home and /tmp"
is "$(tree)" "$before" "guest: the changes are gone at logout"
is "$(ssh_as guest 'cat file; ls -A ~ | grep -c new')" "as it was
0" "guest: the next login finds everything as it was"
ssh_as guest 'echo one >mine; sleep 2; cat mine' >"$T/first" &
job=$!
sleep 0.5
is "$(ssh_as guest 'cat mine 2>/dev/null; echo two >mine; cat mine')" two "guest: two guests at a time do not see each other's changes"
wait $job
is "$(cat "$T/first")" one "guest: nor do they change them"
not_ok "guest: nothing else can be written" ssh_as guest ': >/srv/open/x' 2>/dev/null
is "$(ssh_as guest 'stat -c "%U %a" ~')" "guest $(stat -c %a "$guest")" "guest: owner and mode of the home are what they were"
is "$(ssh_as guest 'grep NoNewPrivs /proc/self/status' | tr -d '[:space:]')" NoNewPrivs:1 "guest: no program gains privileges to write elsewhere"
ssh_as guest 'nohup sleep 4949 >/dev/null 2>&1 & sleep 0.2'
ok "guest: no process stays" until_ok 5 not pgrep -fx 'sleep 4949'
nothing_left "guest: nothing is left"

# --- no-network ---

recipe no-network
is "$(ssh_as alice 'ip -o link' | awk -F': ' '{ print $2 }')" lo "no-network: the loopback is the only device"
not_ok "no-network: the host's loopback is out of reach" ssh_as alice "exec 3<>/dev/tcp/127.0.0.1/$SSH_PORT" 2>/dev/null
ok "no-network: somebody else reaches it" ssh_as bob "exec 3<>/dev/tcp/127.0.0.1/$SSH_PORT"
like "$(ssh_as alice 'ip route get 192.0.2.1' 2>&1)" unreachable "no-network: there is no way out"
like "$(ssh_as alice '(exec 3<>/dev/tcp/127.0.0.1/1) 2>&1')" refused "no-network: the loopback works"
nothing_left "no-network: nothing is left"

# --- no-privileges ---

cp "$(command -v id)" /usr/local/bin/setuid-id
chmod 4755 /usr/local/bin/setuid-id
cp /bin/cat /usr/local/bin/capable-cat
setcap cap_dac_read_search+ep /usr/local/bin/capable-cat
echo secret >/root/secret
recipe no-privileges
is "$(ssh_as bob 'setuid-id -u')" 0 "no-privileges: somebody else's setuid program runs as its owner"
is "$(ssh_as alice 'setuid-id -u')" "$(id -u alice)" "no-privileges: a setuid program gains nothing"
if [ "$(ssh_as bob 'capable-cat /root/secret' 2>/dev/null)" = secret ]; then
    not_ok "no-privileges: a program with file capabilities gains nothing" ssh_as alice 'capable-cat /root/secret' 2>/dev/null
else
    skip "no-privileges: a program with file capabilities gains nothing" "file capabilities do not work on this machine"
fi
like "$(ssh_as alice 'su root -c id' 2>&1 </dev/null)" 'Authentication failure|must be suid|Permission|setuid|cannot set' \
    "no-privileges: su does not get anywhere"
nothing_left "no-privileges: nothing is left"

# --- beside the file that is installed ---

mkdir -p "$CONF.d"
for file in "$REPO"/conf/recipes/*.conf "$REPO"/conf/examples/*.conf; do
    cp "$REPO/conf/nsbox.conf" "$CONF"
    cp "$file" "$CONF.d/"
    is "$(nsboxctl check 2>&1)" '' "${file#"$REPO/"} can be dropped into nsbox.conf.d"
    rm "$CONF.d/${file##*/}"
done

done_testing
