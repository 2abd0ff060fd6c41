#!/bin/bash
# Whatever is missing, exhausted, broken or odd: a clear sentence in the log, no half-made box, the caller as it was;
# and the login refused, or let in without a box where OnError = allow says so.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
INIT=/usr/local/libexec/nsbox/nsbox-init
cp -p "$INIT" "$T/nsbox-init"
where='echo "box=$NSBOX $(hostname) $(readlink /proc/self/ns/uts)"'
# What is run in front of the caller, and who logs in.
around=()
user=alice

attempt() {
    from_here
    timeout 60 "${around[@]}" session --user "$user" --state -- sh -c "${1:-$where}" >"$T/out" 2>"$T/session" 3>&-
    status=$?
    told=$(cat "$T/session")
}

# policy ON-ERROR [LINE...]
policy() {
    local answer=$1
    shift
    {
        printf '%s\n' '[default]' "OnError = $answer"
        [ $# -eq 0 ] || printf '%s\n' "$@"
    } | configure
}

# is_refused TITLE REGEX: the login is refused as it should be, and REGEX is in the log
is_refused() {
    snapshot
    attempt
    is "$status" 120 "$1: the login is refused" || diag "$told" "$(cat "$T/out")"
    is "$(grep -c 'session: conversation: .*refused' <<<"$told")" 1 "$1: the user is told so in one sentence"
    like "$told" 'open_session: (4|26) ' "$1: with PAM_SYSTEM_ERR or PAM_ABORT, which sudo takes for an error as well"
    like "$told" 'state: unchanged' "$1: the caller is what it was"
    logged "pam_nsbox.*refused.*$2" "$1: the log says what failed"
    nothing_left "$1: no half-made box is left"
}

# is_let_in TITLE REGEX: without a box, and logged as such
is_let_in() {
    local outside
    snapshot
    outside=$("${around[@]}" hostname)
    attempt
    is "$status" 0 "$1, OnError=allow: the login is let in" || diag "$told"
    like "$(cat "$T/out")" "^box= $outside " "$1, OnError=allow: without a box"
    like "$told" 'state: unchanged' "$1, OnError=allow: the caller is what it was"
    logged "pam_nsbox.*without a box.*OnError=allow.*$2" "$1, OnError=allow: the log says that, and what failed"
    nothing_left "$1, OnError=allow: nothing is left"
}

# bad TITLE REGEX [POLICY-LINE...]: both
bad() {
    policy deny "${@:3}"
    is_refused "$1" "$2"
    policy allow "${@:3}"
    is_let_in "$1" "$2"
}

# good TITLE: the very same way is open when nothing is bad
good() {
    policy deny
    snapshot
    attempt
    like "$(cat "$T/out")" '^box=[a-z2-7]{10} host-' "$1: a box" || diag "$told" "$(log)"
    like "$told" 'state: unchanged' "$1: the caller is what it was"
    nothing_left "$1: nothing is left"
}

# --- nsbox-init ---

good "nsbox-init in its place"
rm "$INIT"
bad "nsbox-init is missing" "$INIT: No such file"
cp "$T/nsbox-init" "$INIT"
chmod 644 "$INIT"
bad "nsbox-init is not executable" "$INIT: Permission denied"
rm "$INIT"
cp "$T/bin/broken-init" "$INIT"
bad "nsbox-init crashes" "$INIT"
rm "$INIT"
cp /bin/true "$INIT"
bad "nsbox-init is another program, which ends" "$INIT"
echo 'not a program' >"$INIT"
bad "nsbox-init is no program" "$INIT: Exec format error"
: >"$INIT"
bad "nsbox-init is empty" "$INIT: Exec format error"
rm "$INIT"
mkdir "$INIT"
bad "nsbox-init is a folder" "$INIT"
rmdir "$INIT"
cp -p "$T/nsbox-init" "$INIT"
chown bob "$INIT"
bad "nsbox-init is somebody else's" "step=init .*on $INIT: .*mend owner and mode of $INIT"
chown root "$INIT"
for mode in 775 757; do
    chmod $mode "$INIT"
    bad "nsbox-init can be written by others (mode $mode)" "step=init .*on $INIT: .*mend owner and mode of $INIT"
done
rm "$INIT"

cp "$T/bin/broken-init" "$INIT"
: >"$T/hang"
start=$(milliseconds)
policy deny
is_refused "nsbox-init hangs" "$INIT"
at_most $(($(milliseconds) - start)) 11000 "nsbox-init hangs: the login waits 10 seconds at most"
rm "$T/hang" "$INIT"
cp -p "$T/nsbox-init" "$INIT"
good "nsbox-init is back"

# --- A box that failed and that its process cannot leave: OnError = allow would let the user into the half of it ---

mkdir /srv/hidden
policy allow 'TemporaryFileSystem = /srv' 'Scope = user'
snapshot
box_open alice
from_here
(cd /srv/hidden && strace -f -qq -o "$T/strace" -e trace=setns -e inject=setns:error=ENOMEM:when=3+ session --user alice -- true) \
    >"$T/out" 2>"$T/session" 3>&-
is $? 120 "a process that cannot go back: the login is refused, OnError=allow or not"
logged 'refused \(its process could not be taken back to where it was\) .*step=directory .* on /srv/hidden: ' "and the log says why"
box_close
nothing_left "and nothing is left when it has ended"
rmdir /srv/hidden

# --- Namespaces that are used up, in a user namespace of our own: the limits of this machine stay as they are ---

if in-userns true 2>/dev/null; then
    around=(in-userns -l max_pid_namespaces=100 "$LIB/own-root" reaper --orphans)
    good "namespaces to spare"
    for kind in pid mnt uts ipc; do
        around=(in-userns -l "max_${kind}_namespaces=1" "$LIB/own-root" reaper)
        bad "user.max_${kind}_namespaces is exhausted" "user\\.max_${kind}_namespaces"
    done
    around=()
else
    skip "user.max_pid_namespaces, max_mnt_namespaces exhausted" "no user namespaces here, and the machine's own limits stay untouched"
fi

# --- No CAP_SYS_ADMIN ---

around=(setpriv --bounding-set -sys_admin --inh-caps -sys_admin)
bad "no CAP_SYS_ADMIN" "CAP_SYS_ADMIN"
around=()

# --- The configuration ---

# A file that cannot be trusted says nothing that counts: OnError = allow in it neither.
whole_file() {
    is_refused "$1" "$CONF$2"
}

printf '[default\nOnError = allow\n' | configure
whole_file "a section without its bracket" ':1: '
printf '[default]\nOnError = allow\nno key and no section\n' | configure
whole_file "a line that is nothing" ':3: '
head -c 100000 /dev/urandom | configure
whole_file "a file of noise" ':[0-9]+: '
policy allow
chmod 666 "$CONF"
whole_file "a world-writable file" '.*(write|chmod)'
policy allow
chgrp bob "$CONF"
chmod 664 "$CONF"
whole_file "a file that a group may write" '.*(write|chmod)'
policy allow
chown bob "$CONF"
whole_file "a file of somebody else" '.*(belongs|chown)'
rm "$CONF"
mkdir "$CONF"
whole_file "a folder in its place" ''
rmdir "$CONF"
ln -s /nowhere "$CONF"
whole_file "a symbolic link to nowhere" ''
rm "$CONF"
policy allow
mkdir -p "$CONF.d"
echo '[default' >"$CONF.d/10-broken.conf"
whole_file "a broken file beside it" '\.d/10-broken\.conf:1: '
printf '[policy more]\nUsers = alice\n' >"$CONF.d/10-broken.conf"
chmod 666 "$CONF.d/10-broken.conf"
whole_file "a world-writable file beside it" '\.d/10-broken\.conf'
rm "$CONF.d/10-broken.conf"
chmod 777 "$CONF.d"
whole_file "a world-writable folder beside it" '\.d'
chmod 755 "$CONF.d"

bad "an unknown key" "$CONF:3: .*Hostnme.*Hostname" 'Hostnme = box'
bad "a bad value" "$CONF:3: .*Namespaces" 'Namespaces = mount, nothing'
bad "a value that is refused for its danger" "$CONF:3: .*rshared" 'Propagation = rshared'
policy deny '[policy of-bob]' 'Users = bob' 'Hostnme = box'
snapshot
attempt
like "$(cat "$T/out")" '^box=[a-z2-7]{10} ' "an unknown key of a policy for others does not touch this login"
until_ok 5 has_holders 0
user=bob
is_refused "an unknown key of one's own policy" "$CONF:5: "
user=alice

# --- A configuration that the line in the stack names ---

policy allow 'Hostname = standard'
mkdir "$T/etc"
printf '[default]\nHostname = named\n' >"$T/etc/named.conf"

# by CONF: the configuration that both lines of the stack name
by() {
    pam_service session "account required pam_nsbox.so conf=$1" "session required pam_nsbox.so conf=$1"
}

by "$T/etc/named.conf"
is "$(session --user alice -- hostname 2>/dev/null)" named "conf= names another configuration"
cd "$T/etc" || exit 1
for conf in "$T/etc/none.conf" "$T/none/named.conf" named.conf ./named.conf ''; do
    by "$conf"
    is_refused "conf=${conf/$T/}" "no policy: $conf:1: "
    from_here
    like "$(session --user alice --account -- true 2>&1)" 'acct_mgmt: 4 ' "conf=${conf/$T/}: the account phase refuses"
    logged "refused.*no policy: $conf:1: " "conf=${conf/$T/}: and the log says why"
    from_here
    is "$(session --user root --account -- hostname 2>"$T/session")" host.example "conf=${conf/$T/}: root gets in"
    logged "not boxed .*user=\"root\".*$conf:1: " "conf=${conf/$T/}: and the log says that there is no configuration"
done
cd / || exit 1
mkdir "$T/etc/none.conf.d"
by "$T/etc/none.conf"
is_refused "conf= with a folder of drop-ins beside it that is empty" "$T/etc/none.conf:1: "
mv "$T/etc/named.conf" "$T/etc/none.conf.d"
is "$(session --user alice -- hostname 2>/dev/null)" named "conf= with a drop-in beside it, which is a configuration"
like "$(cd "$T/etc" && nsboxctl explain alice --conf none.conf)" "Hostname +named +named +$T/etc/none.conf.d/named.conf:2" \
    "nsboxctl takes a name from where it is run"
pam_service session

# --- Hostnames ---

bad "a template of signs that no hostname has" "$CONF:3: .*Hostname" 'Hostname = ___'
bad "a template with an unknown specifier" "$CONF:3: .*Hostname.*%Q" 'Hostname = %Q'
policy deny "Hostname = $(printf 'long%.0s' {1..50})"
attempt hostname
like "$(cat "$T/out")" '^(long)+$' "a template of 200 bytes is cut"
at_most "$(tr -d '\n' <"$T/out" | wc -c)" 64 "to 64 bytes"
policy deny 'Hostname = under_score and space.%u.'
attempt hostname
like "$(cat "$T/out")" '^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$' "a template with odd signs is cleaned"

# --- User names ---

odd=('a b' '%u' '%s%n%s' 'ünïcode' '../../etc' 'a;reboot' '$(reboot)' '"quoted"' "it's" 'back\slash' 'tab	ulator' 'x'
    '[policy]' '*x*' 'alice ' 'ROOT' '@%h' "$(printf 'long%.0s' {1..60})")
number=3000
for name in "${odd[@]}"; do
    number=$((number + 1))
    printf '%s:*:%d:%d::/:/bin/sh\n' "$name" $number $number >>/etc/passwd
done
for name in '___' '.' '-'; do
    number=$((number + 1))
    printf '%s:*:%d:%d::/:/bin/sh\n' "$name" $number $number >>/etc/passwd
done

policy deny 'Hostname = %u'
until_ok 5 has_holders 0
snapshot
for name in "${odd[@]}"; do
    user=$name
    attempt 'echo "box=$NSBOX $(hostname) $(id -u)"'
    # A name that the library functions themselves do not find is no user.
    if ! getent passwd -- "$name" >/dev/null; then
        is "$status" 120 "a login as \"$name\", whom nobody knows, is refused"
    else
        like "$(cat "$T/out")" '^box=[a-z2-7]{10} [A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])? [0-9]+$' \
            "a user by the name of \"$name\" has a box and a valid hostname" || diag "$told"
    fi
    unlike "$(log | grep nsbox)" '\{\{' "the log of \"$name\" has no control character"
done
nothing_left "odd names leave nothing"
for name in '___' '.'; do
    user=$name
    bad "a user by the name of \"$name\", of whom a template makes no hostname" "$CONF:3: .*Hostname" 'Hostname = %u'
done
for name in 'nobody-of-that-name' $'alice\nmallory' $'\e[2Jalice' '-r' '+' ''; do
    user=$name
    title="a login of $(printf '%q' "$name"), who is no user"
    policy deny
    snapshot
    attempt
    is "$status" 120 "$title: it is refused"
    like "$told" 'state: unchanged' "$title: the caller is what it was"
    logged 'pam_nsbox.*refused' "$title: the log says so"
    unlike "$(log | grep pam_nsbox)" '\{\{' "$title: the log has no control character"
    nothing_left "$title: nothing is left"
done
user=alice

# --- Working directories ---

# deep LENGTH: a directory in /tmp whose path has that length; leaves the shell in it
deep() {
    local name length
    name=$(printf 'd%.0s' {1..199})
    cd /tmp || return
    length=4
    while [ $((length + 200)) -le $(($1 - 2)) ]; do
        mkdir -p "$name" && cd "$name" || return
        length=$((length + 200))
    done
    name=$(printf 'e%.0s' $(seq $(($1 - length - 1))))
    mkdir -p "$name" && cd "$name" || return
}

for length in 1000 4000 4095; do
    deep $length
    policy deny
    snapshot
    attempt 'echo "box=$NSBOX"; readlink /proc/self/cwd | tr -d "\n" | wc -c; stat -c %i .'
    if [ "$status" = 120 ] && [ $length -gt 4000 ]; then
        # PATH_MAX counts the final NUL: at this length one may refuse, but cleanly.
        like "$told" 'state: unchanged' "a working directory of $length bytes: refused, the caller is what it was"
        logged 'too long' "a working directory of $length bytes: the log says so"
    else
        like "$(cat "$T/out")" "^box=[a-z2-7]{10}" "a working directory of $length bytes: a box" || diag "$told"
        is "$(sed -n 3p "$T/out")" "$(stat -c %i .)" "a working directory of $length bytes: it is kept"
        like "$told" 'state: unchanged' "a working directory of $length bytes: the caller is what it was"
    fi
    nothing_left "a working directory of $length bytes: nothing is left"
    cd / && rm -rf /tmp/ddd*
done
for length in 4096 5000; do
    deep $length
    bad "a working directory of $length bytes" 'too long'
    cd / && rm -rf /tmp/ddd*
done

mkdir /dev/shm/only-outside
cd /dev/shm/only-outside || exit 1
bad "a working directory that does not exist inside, under /dev/shm" '/dev/shm/only-outside'
cd / && rmdir /dev/shm/only-outside
mkdir /tmp/removed
cd /tmp/removed || exit 1
rmdir /tmp/removed
bad "a working directory that is removed" 'directory'
cd / || exit 1
good "after all of this"

done_testing
