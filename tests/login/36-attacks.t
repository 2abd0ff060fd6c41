#!/bin/bash
# What users did to pam_namespace (CVE-2024-22365, CVE-2025-6020), and more of the kind: where a path of the policy leads
# through a folder of theirs, nobody gains a file, a mount or a hang.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
pam_service sshd
start_sshd
mount -t tmpfs -o mode=755 homes /home
for user in alice bob; do
    install -d -m 755 -o "$user" -g "$user" "$(home_of "$user")" "$(home_of "$user")/.ssh"
    install -m 600 -o "$user" "$T/key.pub" "$(home_of "$user")/.ssh/authorized_keys"
done
home=$(home_of alice)
mount -t tmpfs -o mode=755 srv /srv
mkdir /srv/target /srv/secret
echo secret >/srv/secret/file
chmod 700 /srv/secret

policy() {
    {
        printf '[policy test]\nUsers = alice\n'
        printf '%s\n' "$@"
    } | configure
}

# refused WHAT ERROR: the login is refused for that, soon, and leaves nothing
refused() {
    local start
    snapshot
    from_here
    start=$(milliseconds)
    session --user alice --state -- true 2>"$T/session"
    is $? 120 "$1: the login is refused"
    at_most $(($(milliseconds) - start)) 15000 "$1: it does not hang"
    like "$(cat "$T/session")" 'state: unchanged' "$1: the caller is what it was"
    logged "step=(paths|directory).*$2" "$1: the log says why"
    nothing_left "$1: nothing is left"
}
as() {
    session --user alice -- "$@" 2>"$T/session"
}

# --- a FIFO where a folder belongs, and other kinds of file ---

su alice -c "mkfifo $home/fifo"
for rule in "BindPaths = $home/fifo:/srv/target" "EphemeralPaths = $home/fifo" "TemporaryFileSystem = $home/fifo"; do
    policy "$rule"
    refused "a FIFO for ${rule%% *}" '(d|D)irectory'
done
policy "ReadOnlyPaths = $home/fifo" "InaccessiblePaths = -$home/fifo"
is "$(as stat -c '%F %a' "$home/fifo")" "regular empty file 0" "a FIFO that is made inaccessible does not hang either"
policy "BindPaths = /srv/target:$home/fifo"
refused "a FIFO under a bind" 'directory'
policy "BindPaths = $home/fifo/x:/srv/target"
refused "a FIFO for a folder on the way" 'directory'

# --- symbolic links of the user's ---

su alice -c "ln -s /srv/secret $home/link; ln -s /etc/shadow $home/file-link; mkdir -p $home/deep; ln -s ../../../srv $home/deep/up"
for rule in "BindPaths = $home/link:/srv/target" "BindReadOnlyPaths = $home/file-link:/srv/target" "EphemeralPaths = $home/link" \
    "ReadWritePaths = $home/link" "BindPaths = /srv/target:$home/link" "TemporaryFileSystem = $home/link:mode=777" \
    "BindPaths = $home/deep/up/secret:/srv/target" "BindPaths = /srv/target:$home/deep/up/secret" "InaccessiblePaths = $home/link"; do
    policy "$rule"
    refused "$rule, a user's symbolic link" 'symbolic link'
done
policy "BindPaths = -$home/link:/srv/target"
refused 'a leading "-" does not excuse a symbolic link' 'symbolic link'
ln -s /srv/target /srv/link
policy 'BindPaths = /home:/srv/link'
is "$(as ls /srv/target | xargs)" "alice bob" "a symbolic link of root's, where nobody else can write, is followed"
chown alice /srv
policy 'BindPaths = /home:/srv/link'
refused "the same link in a folder that is a user's" 'symbolic link'
chown root /srv

# --- a path that a user controls through a specifier ---

# nameless NAME: the user database can hold any name; this one is no folder's
nameless() {
    echo "$1:x:4711:4711::/home/alice:/bin/sh" >>/etc/passwd
    configure <<'END'
[default]
BindPaths = /home/%u:/srv/target
END
    from_here
    session --user "$1" --state -- cat /srv/target/file >"$T/out" 2>"$T/session"
    is $? 120 "a user named \"$1\" in a path is refused"
    logged '/etc/security/nsbox.conf:2.*%u' "the log says so with file and line"
    like "$(cat "$T/session")" 'state: unchanged' "the caller is what it was"
    sed -i '$d' /etc/passwd
}
nameless ..
nameless .
nameless ../srv/secret
echo 'dots:x:4711:4711::/home/../srv/secret:/bin/sh' >>/etc/passwd
configure <<'END'
[default]
BindPaths = %h:/srv/target
END
from_here
session --user dots --state -- true 2>"$T/session"
is $? 120 'a home with ".." in a path is refused'
logged '/etc/security/nsbox.conf:2' "the log says so with file and line"
sed -i '$d' /etc/passwd

# --- a symbolic link swapped in a race ---

su alice -c "mkdir $home/folder; echo of-alice >$home/folder/file; ln -s /srv/secret $home/swapped"
opener() {
    configure <<END
[policy root]
Users = root
$1
END
}
# race RULE CHECK CLAIM: many logins while the user swaps; CHECK exits with 42 if what must not be is
race() {
    local tries opened refused other bad
    tries=$(rounds 500 100000)
    opener "$1"
    setpriv --reuid alice --clear-groups "$T/bin/swap-race" "$home" folder swapped &
    local racer=$!
    sleep 0.1
    read -r opened refused other bad < <("$T/bin/open-often" "$tries" "$2")
    kill $racer
    wait $racer 2>/dev/null
    is "$bad" 0 "$3 ($tries tries, $opened let in, $refused refused)"
    is "$other" 0 "$3: no login ended otherwise"
    at_least "$opened" 1 "$3: it was a race: some got in"
    at_least "$refused" 1 "$3: and some did not"
}
race "BindPaths = $home/folder:/srv/target" 'if grep -q secret /srv/target/file; then exit 42; fi' \
    "the source of a bind is never what a swapped link leads to"
race "BindPaths = /srv/target:$home/folder" '[ -e /srv/secret/file ] || exit 42' \
    "nothing is mounted where a swapped link leads"
race "ReadOnlyPaths = $home/folder" ': >/srv/secret/new || exit 42' "no attribute is set where a swapped link leads"
# By find(1), which does not follow the link that this very check could meet: the secret is shorter than what is alice's.
race "EphemeralPaths = $home/folder" "[ -z \"\$(find -P $home -mindepth 2 -name file -size -8c)\" ] || exit 42" \
    "no overlay shows what a swapped link leads to"
# Two folders instead: what was made inaccessible is what lies there then.
rm -rf "$home/swapped" "$home/folder" /srv/secret/new
su alice -c "mkdir $home/folder $home/swapped; echo one >$home/folder/file; echo other >$home/swapped/file"
tries=$(rounds 500 100000)
opener "ReadOnlyPaths = $home/folder"
setpriv --reuid alice --clear-groups "$T/bin/swap-race" "$home" folder swapped &
racer=$!
sleep 0.1
# The file system of /home shows its folders by their names of the moment, both as what is mounted and as where.
read -r opened refused other bad < <("$T/bin/open-often" "$tries" 'for i in 1 2 3 4 5 6; do
        awk "\$5 ~ \"^/home/\" && \$6 ~ \"^ro\" { n++; same = \$5 == \"/home\" \$4 } END { exit !(n == 1 && same) }" \
            /proc/self/mountinfo && exit 0
    done; exit 42')
kill $racer
wait $racer 2>/dev/null
is "$other" 0 "two folders swapped in a race: no login ended otherwise ($tries tries, $opened let in, $refused refused)"
is "$bad" 0 "two folders swapped in a race: what was taken is what it was put on"
until_ok 5 has_holders 0
is "$(cat /srv/secret/file; stat -c %a /srv/secret)" "secret
700" "what all of them aimed at is untouched"

# --- a source that vanishes while the session opens ---

opener "BindPaths = $home/here:/srv/target"
(
    cd "$home" || exit
    while :; do
        mkdir here 2>/dev/null
        rmdir here 2>/dev/null
    done
) &
racer=$!
read -r opened refused other bad < <("$T/bin/open-often" "$(rounds 300 20000)" true)
kill $racer
wait $racer 2>/dev/null
is "$other" 0 "a source that comes and goes: every login is in its box or refused ($opened and $refused)"
at_least "$refused" 1 "a source that comes and goes: it was missed at times"
ok "a source that comes and goes: no box is left" until_ok 5 has_holders 0

# --- file systems that root cannot look at, or that never answer ---

if [ -e /dev/fuse ]; then
    uid=$(id -u alice)
    for how in '' hang hang,allow_other; do
        what="a home on FUSE${how:+ ($how)}"
        ok "$what can be had" "$T/bin/fuse-home" "$home" "$uid" "$how"
        for rule in "BindPaths = $home:/srv/target" "ReadOnlyPaths = /home" "InaccessiblePaths = $home" "NoExecPaths = $home" \
            "TemporaryFileSystem = /home:mode=755" "TemporaryFileSystem = /home
BindPaths = $home"; do
            opener "$rule"
            start=$(milliseconds)
            session --user root --root -- true 2>"$T/session"
            is $? 0 "$what: ${rule//$'\n'/, } does not look at it"
            at_most $(($(milliseconds) - start)) 3000 "$what: nor does it wait for it"
        done
        opener "EphemeralPaths = /home"
        start=$(milliseconds)
        is "$(session --user root --root -- findmnt -no OPTIONS "$home" 2>"$T/session" | tail -1 | cut -d, -f1)" ro \
            "$what: below an ephemeral path it cannot be written"
        at_most $(($(milliseconds) - start)) 3000 "$what: nor is it waited for there"
        # What does need an answer is refused, or refused after a while.
        for rule in "BindPaths = $home/x:/srv/target" "EphemeralPaths = $home"; do
            opener "$rule"
            from_here
            start=$(milliseconds)
            session --user root --root --state -- true 2>"$T/session"
            logged 'without a box .*opening failed: step=' "$what: $rule, which would look at it, makes no box"
            at_most $(($(milliseconds) - start)) 25000 "$what: $rule fails in time"
            like "$(cat "$T/session")" 'state: unchanged' "$what: $rule leaves the caller what it was"
        done
        umount -l "$home"
        until_ok 5 has_holders 0
    done
else
    skip "a home on FUSE" "no /dev/fuse on this machine"
fi

# A server that takes root for nobody (NFS, root_squash): the same for who has no rights but the user's.
chmod 700 "$home"
policy 'TemporaryFileSystem = /home' "BindPaths = $home" 'PrivateTmp = yes'
is "$(ssh_as alice pwd)" "$home" "the login of all this still works"

done_testing
