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

# --- a symbolic link swapped in a race, and a source that vanishes while the session opens ---

# race NAME TRIES RULE CHECK ENTRY...: many logins while the user exchanges two entries of the folder NAME, or makes and
# removes one; CHECK exits with 42 if what must not be is. All races run at the same time, each in a folder of its own and
# by a policy of its own, for a login spends most of its time in waiting for others.
race() {
    pam_service "$1"
    printf '[policy %s]\nUsers = root\nServices = %s\n%s\n' "$1" "$1" "$3" >>"$T/races.conf"
    races+=("$(printf '%q ' "$T/bin/open-often" "$1" "$2" "$4" "$(id -u alice)" "$home/$1" "${@:5}")>$T/race.$1")
}
result() {
    read -r opened refused other bad <"$T/race.$1"
    tries="$opened let in, $refused refused"
}
races=()
rounds=$(rounds 500 100000)
su alice -c "cd && mkdir source target attribute overlay two here &&
    for name in source target attribute overlay; do
        mkdir \$name/folder && echo of-alice >\$name/folder/file && ln -s /srv/secret \$name/swapped || exit 1
    done
    mkdir two/folder two/swapped && echo one >two/folder/file && echo other >two/swapped/file" || bail_out "no folders to race for"
race source "$rounds" "BindPaths = $home/source/folder:/srv/target" \
    'read -r line </srv/target/file; [ "$line" = of-alice ] || exit 42' folder swapped
race target "$rounds" "BindPaths = /srv/target:$home/target/folder" '[ -e /srv/secret/file ] || exit 42' folder swapped
race attribute "$rounds" "ReadOnlyPaths = $home/attribute/folder" ': >/srv/secret/new || exit 42' folder swapped
race overlay "$rounds" "EphemeralPaths = $home/overlay/folder" "cd $home/overlay; for name in folder swapped; do
        [ -L \$name ] || read -r line <\$name/file; done; [ \"\$line\" = of-alice ] || exit 42" folder swapped
# The file system of /home shows its folders by their names of the moment, both as what is mounted and as where.
race two "$rounds" "ReadOnlyPaths = $home/two/folder" \
    'awk "\$5 ~ \"^/home/\" && \$6 ~ \"^ro\" { n++; same = \$5 == \"/home\" \$4 } END { exit !(n == 1 && same) }" \
        /proc/self/mountinfo || exit 42' folder swapped
race here "$(rounds 300 20000)" "BindPaths = $home/here/folder:/srv/target" true folder
configure <"$T/races.conf"
jobs=()
for race in "${races[@]}"; do
    eval "$race" &
    jobs+=($!)
done
wait "${jobs[@]}"

while IFS='|' read -r name claim; do
    result "$name"
    is "$bad" 0 "$claim ($rounds tries, $tries)"
    is "$other" 0 "$claim: no login ended otherwise"
    is "$((opened + refused + other))" "$rounds" "$claim: every login was tried"
    [ "$name" != two ] || continue
    at_least "$opened" 1 "$claim: it was a race: some got in"
    at_least "$refused" 1 "$claim: and some did not"
done <<'END'
source|the source of a bind is never what a swapped link leads to
target|nothing is mounted where a swapped link leads
attribute|no attribute is set where a swapped link leads
overlay|no overlay shows what a swapped link leads to
two|two folders swapped in a race: what was taken is what it was put on
END
is "$(cat /srv/secret/file; stat -c %a /srv/secret)" "secret
700" "what all of them aimed at is untouched"
result here
is "$other" 0 "a source that comes and goes: every login is in its box or refused ($tries)"
at_least "$opened" 1 "a source that comes and goes: it was met at times"
at_least "$refused" 1 "a source that comes and goes: it was missed at times"
ok "no box is left of all the races" until_ok 5 has_holders 0

opener() {
    configure <<END
[policy root]
Users = root
$1
END
}

# --- file systems that root cannot look at, or that never answer ---

# A server of NFS with root_squash takes root for nobody; FUSE without allow_other does not let root look either.
if [ -e /dev/fuse ]; then
    uid=$(id -u alice)
    for how in '' squash,allow_other hang hang,allow_other; do
        what="a home on FUSE${how:+ ($how)}"
        ok "$what can be had" "$T/bin/fuse-home" "$home" "$uid" "$how"
        for rule in "BindPaths = $home:/srv/target" "ReadOnlyPaths = /home" "InaccessiblePaths = $home" "NoExecPaths = $home" \
            "TemporaryFileSystem = /home:mode=755" "TemporaryFileSystem = /home
BindPaths = $home"; do
            opener "$rule"
            start=$(milliseconds)
            session --user root --root -- sh -c 'test -n "$NSBOX"' 2>"$T/session"
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
        if [[ $how != *hang* ]]; then
            not_ok "$what: root cannot look at it" ls "$home"
            policy 'TemporaryFileSystem = /home' "BindPaths = $home"
            is "$(session --user alice -- sh -c 'cd && ls && pwd; echo /home/*' 2>"$T/session")" "$home
$home" "$what: its owner's login reaches it, and sees no other home"
        fi
        if [[ $how == hang,* ]]; then
            configure <<'END'
[policy all]
Users     = root, alice
Scope     = policy
BindPaths = -%h/x:/srv/target
END
            session --user alice -- true >"$T/session" 2>&1
            isnt $? 0 "$what: who needs it is refused"
            start=$(milliseconds)
            session --user root --root -- sh -c 'test -n "$NSBOX"' 2>"$T/session"
            is $? 0 "$what: and is in nobody's way who shares the scope"
            at_most $(($(milliseconds) - start)) 3000 "$what: at once"
        fi
        # Without allow_other not even su, which is root and the user, may look (fuse_allow_current_process() in the kernel).
        if [[ $how == squash* ]]; then
            policy "ReadOnlyPaths = $home"
            mv /etc/pam.d/su "$T/su"
            printf '%s\n' 'auth sufficient pam_permit.so' 'account required pam_permit.so' 'session required pam_nsbox.so' >/etc/pam.d/su
            is "$(setpriv --reuid alice --regid alice --init-groups sh -c "cd $home && su alice -c 'test -n \"\$NSBOX\" && ls && pwd'" \
                2>"$T/session")" "$home" "$what: su there keeps the folder"
            mv "$T/su" /etc/pam.d/su
        fi
        umount -l "$home"
        until_ok 5 has_holders 0
    done
else
    skip "a home on FUSE" "no /dev/fuse on this machine"
fi

chmod 700 "$home"
policy 'TemporaryFileSystem = /home' "BindPaths = $home" 'PrivateTmp = yes'
is "$(ssh_as alice pwd)" "$home" "the login of all this still works"

done_testing
