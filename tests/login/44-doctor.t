#!/bin/bash
# nsboxctl doctor finds every fault that is planted, nothing else, and has nothing to say on a good system.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

INIT=/usr/local/libexec/nsbox/nsbox-init
MODULE=$PAMDIR/pam_nsbox.so

# examine [COMMAND...]: doctor, run by the command; the findings are in $FOUND as "check file:line" (notes in brackets)
examine() {
    "$@" nsboxctl doctor --json >"$T/json" 2>"$T/err"
    STATUS=$?
    FOUND=$(perl -MJSON::PP -0777 -e '
        my $all = decode_json(<STDIN>);
        my @found = map {
            my $place = ($_->{file} // "-") . ($_->{line} ? ":$_->{line}" : "");
            $_->{what} && $_->{why} && $_->{mend} or die "a finding without what, why or mend";
            $_->{severity} eq "note" ? "[$_->{check} $place]" : "$_->{check} $place";
        } @{$all->{findings}};
        print join "; ", sort @found;' <"$T/json" 2>&1)
}

# finds EXPECTED CLAIM [COMMAND...]: just that; the exit status is 1, or 0 if there are only notes
finds() {
    local expected=$1 claim=$2 status=1
    shift 2
    [[ $expected != \[* && -n $expected ]] || status=0
    examine "$@"
    is "$STATUS $FOUND" "$status $expected" "$claim" || diag "$(cat "$T/err")"
}

# stack LINE...: the service "doctor" is these lines
stack() {
    printf '%s\n' "$@" >/etc/pam.d/doctor
}

session='session required pam_nsbox.so'
D=/etc/pam.d/doctor

# --- A good system ---

configure <<'END'
[policy students]
Users = alice
END
rm -rf /etc/systemd/logind.conf /etc/systemd/logind.conf.d
finds "[pam-unused /etc/pam.d]" "a system on which no service names the module has a note, and no fault"
pam_service sshd 'session required pam_limits.so' 'session optional pam_systemd.so'
pam_service login 'account required pam_nsbox.so'
cat >/etc/pam.d/su <<'END'
@include common-auth
account include common-account
session required pam_nsbox.so close
session required \
        pam_env.so
session [success=ok default=bad] pam_nsbox.so open debug conf=/etc/security/nsbox.conf # the last
session required pam_permit.so
END
snapshot
nsboxctl doctor >"$T/out" 2>&1
is "$? $(cat "$T/out")" "0 " "on a good system doctor is silent"
finds "" "... as JSON, too"
is "$(perl -MJSON::PP -0777 -e '$_ = decode_json(<STDIN>); print join " ", "@{$_->{system}{services}}", $_->{system}{root_propagation}, $_->{healthy} ? "healthy" : "ill"' <"$T/json")" \
    "login sshd su su-l shared healthy" "... with facts: the services that name the module, and how / propagates"
nothing_left "examining leaves nothing"
rm /etc/pam.d/su /etc/pam.d/login

# --- What is printed ---

stack "$session" 'session optional pam_motd.so'
nsboxctl doctor >"$T/out"
is "$(head -1 "$T/out")" "$D:2: fault: pam_motd.so stands after pam_nsbox.so ($D:1)" "a finding says where, and what"
is "$(sed -n '2,$s/:.*//p' "$T/out" | xargs)" "why mend" "... why it matters, and the mend"

# --- The session stack ---

finds "pam-order $D:2" "a module that stands after"
stack "$session" 'session optional pam_systemd.so'
finds "pam-systemd-after $D:2" "pam_systemd that stands after"
for module in pam_loginuid.so 'pam_selinux.so open' pam_limits.so pam_namespace.so pam_mkhomedir.so; do
    stack "$session" "session required $module"
    finds "pam-order $D:2" "$module that stands after"
done
stack 'session required pam_unix.so' "$session" '@include doctor-more' 'session include doctor-more'
printf '%s\n' '# a comment' 'auth required pam_unix.so' 'session \' ' optional pam_mail.so' >/etc/pam.d/doctor-more
finds "pam-order /etc/pam.d/doctor-more:3" "a module that stands after in a file that is included, twice, is told once"
stack 'session substack doctor-more'
echo "$session" >/etc/pam.d/doctor-more
echo 'session optional pam_lastlog.so' >>"$D"
finds "pam-order $D:2" "a module that stands after a substack that names ours"
rm /etc/pam.d/doctor-more
stack "$session" 'session include doctor-none'
finds "pam-include $D:2" "an included file that is not there"
stack "$session open"
finds "pam-halves $D:1" "open without close"
stack "$session close"
finds "pam-halves $D:1" "close without open"
stack "$session" "$session"
finds "pam-twice $D:1" "the module twice"
stack 'session sufficient pam_unix.so' "$session"
finds "pam-shortcut $D:1" "a sufficient module before it"
stack 'session [success=done default=ignore] pam_succeed_if.so quiet uid < 1000' "$session"
finds "pam-shortcut $D:1" "a module before it whose success is done"
stack 'session substack doctor-more' "$session"
echo 'session sufficient pam_unix.so' >/etc/pam.d/doctor-more
finds "" "... but not in a substack, of which alone it ends the rest"
stack 'session substack doctor-more'
printf '%s\n' 'session sufficient pam_unix.so' 'session substack doctor-inner' >/etc/pam.d/doctor-more
echo "$session" >/etc/pam.d/doctor-inner
finds "pam-shortcut /etc/pam.d/doctor-more:1" "... unless the module is in a substack of that rest"
rm /etc/pam.d/doctor-more
for control in success=1 default=1 'success=ok auth_err=2'; do
    stack "session [$control ignore=ignore] pam_unix.so" "$session" 'session required pam_permit.so'
    finds "pam-shortcut $D:1" "a module before it that jumps over it ($control)"
done
stack 'session [success=2 default=ignore] pam_unix.so' 'account required pam_unix.so' \
    'session required pam_unix.so' 'auth required pam_unix.so' "$session"
finds "pam-shortcut $D:1" "... over lines of the session stack, as libpam counts them"
stack 'session [success=2 default=ignore] pam_unix.so' 'session substack doctor-more' 'session include doctor-inner'
printf '%s\n' 'session required pam_unix.so' 'session substack doctor-none' >/etc/pam.d/doctor-more
echo 'session required pam_env.so' >/etc/pam.d/doctor-none
finds "pam-shortcut $D:1" "... over a substack, which counts as one line"
stack 'session [success=1 default=ignore] pam_unix.so' 'session substack doctor-inner'
finds "pam-shortcut $D:1" "... over a substack that names ours"
stack '@include doctor-more' 'session required pam_env.so' "$session"
printf '%s\n' 'session [success=1 default=ignore] pam_succeed_if.so service in crond quiet use_uid' \
    'session required pam_unix.so' 'session [default=1] pam_permit.so' 'session requisite pam_deny.so' \
    'session required pam_permit.so' >/etc/pam.d/doctor-more
finds "" "... but not before it, as distributions do"
stack 'session substack doctor-more' "$session"
echo 'session [success=5 default=ignore] pam_unix.so' >/etc/pam.d/doctor-more
finds "" "... nor in a substack, which no jump leaves"
rm /etc/pam.d/doctor-more /etc/pam.d/doctor-inner /etc/pam.d/doctor-none

# --- The line itself ---

for control in optional sufficient '[success=ok default=ignore]' '[default=bad system_err=ignore]'; do
    stack "session $control pam_nsbox.so"
    finds "pam-control $D:1" "the control flag $control, which lets logins in without a box"
done
stack "-$session"
finds "pam-control $D:1" "a type with \"-\" before it"
stack "$session nonsense"
finds "pam-argument $D:1" "an unknown argument"
stack "$session conf=/etc/security/no-such.conf"
finds "pam-conf $D:1" "conf= and no such file"
printf '[default]\nHostnam = x\n' >/etc/security/other.conf
stack "$session conf=/etc/security/other.conf"
finds "configuration /etc/security/other.conf:2" "an error in the file that conf= names"
rm /etc/security/other.conf
stack 'auth required pam_nsbox.so' "$session"
finds "pam-type $D:1" "the module in the auth stack"
stack 'password required pam_nsbox.so' "$session"
finds "pam-type $D:1" "the module in the password stack"
for type in sesion requird -sesion; do
    stack "$type required pam_nsbox.so"
    finds "pam-type $D:1" "a type that libpam does not know: $type"
done
stack 'auth include doctor-more' 'account include doctor-more' 'session include doctor-more'
echo 'sesion required pam_nsbox.so' >/etc/pam.d/doctor-more
finds "pam-type /etc/pam.d/doctor-more:1" "... in a file that is included for several types, is told once"
stack 'session [success=1 default=ignore] pam_unix.so' 'session include doctor-more' "$session"
echo 'sesion required pam_unix.so' >/etc/pam.d/doctor-more
finds "" "... is nothing of ours where it is another module's, but libpam counts it as a line"
rm /etc/pam.d/doctor-more
stack "session required $T/no/pam_nsbox.so"
finds "module $D:1" "a module file that is not there"
for name in pam_nsbox pam_Nsbox.so 'pam_nsbox.so,' pam_nsbx.so pam-nsbox.so nsbox.so "$PAMDIR/pam_nsbox" pam_nsbox.so$'\r'; do
    stack "session required $name"
    finds "module $D:1" "a module name that is almost ours, and is not there: ${name%$'\r'}"
done
stack 'session optional pam_xbx.so' 'session optional pam_box_of_somebody_else_with_a_long_name.so' "$session"
finds "" "... but not one that is less near"
cp "$MODULE" "$PAMDIR/pam_nsbox2.so"
stack 'session optional pam_nsbox2.so' "$session"
finds "" "... nor one that is there"
rm "$PAMDIR/pam_nsbox2.so"
rm "$D"

# --- Services that are special ---

mv /etc/pam.d/sudo /etc/pam.d/sudo-i /etc/pam.d/systemd-user "$T" 2>/dev/null
echo "$session" >/etc/pam.d/sudo
finds "[pam-no-pid-namespace /etc/pam.d/sudo:1]" "sudo has no PID namespace, which is no fault"
mv /etc/pam.d/sudo /etc/pam.d/sudo-i
finds "[pam-no-pid-namespace /etc/pam.d/sudo-i:1]" "sudo -i neither"
mv /etc/pam.d/sudo-i /etc/pam.d/systemd-user
finds "[pam-not-boxed /etc/pam.d/systemd-user:1]" "systemd-user is not boxed"
rm /etc/pam.d/systemd-user
cp /etc/pam.d/sshd /etc/pam.d/sshd.dpkg-old
echo 'session optional pam_nsbox.so' >>/etc/pam.d/sshd.dpkg-old
finds "" "what a package manager left behind is no service"
rm /etc/pam.d/sshd.dpkg-old

# --- The module and nsbox-init ---

chown alice "$MODULE"
finds "module $MODULE" "a module that is not root's"
chown root "$MODULE"
chmod o+w "$MODULE"
finds "module $MODULE" "a module that others may write"
chmod o-w "$MODULE"
mv "$MODULE" "$T/module"
finds "module $MODULE" "a module that is missing"
echo nonsense >"$MODULE"
finds "module $MODULE" "a module that cannot be loaded"
mv "$T/module" "$MODULE"

mv "$INIT" "$T/init"
finds "nsbox-init $INIT" "an nsbox-init that is missing"
mkdir "$INIT"
finds "nsbox-init $INIT" "an nsbox-init that is a folder"
rmdir "$INIT"
echo nonsense >"$INIT"
chmod 755 "$INIT"
finds "nsbox-init $INIT" "an nsbox-init that does not run"
mv "$T/init" "$INIT"
chmod 644 "$INIT"
finds "nsbox-init $INIT" "an nsbox-init that is not executable"
chmod 755 "$INIT"
chown alice "$INIT"
finds "nsbox-init $INIT" "an nsbox-init that is not root's"
chown root "$INIT"
chmod g+w "$INIT"
finds "nsbox-init $INIT" "an nsbox-init that others may write"
chmod 755 "$INIT"
mount --bind "${INIT%/*}" "${INIT%/*}"
mount -o remount,bind,noexec "${INIT%/*}"
finds "nsbox-init $INIT" "an nsbox-init on a file system without execution"
umount "${INIT%/*}"

chmod 755 /run/nsbox
finds "register /run/nsbox" "a register that others may use"
chmod 700 /run/nsbox
chown alice /run/nsbox
finds "register /run/nsbox" "a register that is not root's"
chown root /run/nsbox

# --- The configuration and its surroundings ---

configure <<'END'
[policy students]
Users = alice
PrivateTpm = yes
END
finds "configuration $CONF:3" "an error in the configuration, with its line"
configure <<'END'
[policy students]
Users = alice
TasksMax = 100
END
finds "pam-account /etc/pam.d/sshd:7" "TasksMax without an account line"
sed -i 's/^session/account required pam_nsbox.so\n&/;/pam_systemd/d' /etc/pam.d/sshd
finds "pam-systemd-missing /etc/pam.d/sshd:$(grep -n 'session.*pam_nsbox' /etc/pam.d/sshd | cut -d: -f1)" "TasksMax without pam_systemd"
mkdir -p /etc/systemd/logind.conf.d
printf '[Login]\n#KillUserProcesses=no\nKillUserProcesses=yes\n' >/etc/systemd/logind.conf.d/kill.conf
configure <<'END'
[policy students]
Users = alice
Scope = user
Linger = yes
END
finds "logind /etc/systemd/logind.conf.d/kill.conf:3" "KillUserProcesses=yes with boxes that are kept"
echo KillUserProcesses=no >>/etc/systemd/logind.conf.d/kill.conf
finds "" "... but not where a later line takes it back"
mkdir -p /run/systemd/logind.conf.d /usr/local/lib/systemd/logind.conf.d
mv /etc/systemd/logind.conf.d/kill.conf /etc/systemd/logind.conf.d/10-keep.conf
for word in yes y True T on 1; do
    echo "KillUserProcesses=$word" >/run/systemd/logind.conf.d/50-kill.conf
    finds "logind /run/systemd/logind.conf.d/50-kill.conf:1" "... where the drop-in whose name is last says $word, in whatever folder"
done
echo KillUserProcesses=perhaps >>/run/systemd/logind.conf.d/50-kill.conf
finds "logind /run/systemd/logind.conf.d/50-kill.conf:1" "... and a word that systemd does not take changes nothing"
ln -s /dev/null /etc/systemd/logind.conf.d/50-kill.conf
finds "" "... but not where an equal name in /etc hides it"
rm /etc/systemd/logind.conf.d/50-kill.conf
echo KillUserProcesses=n >/usr/local/lib/systemd/logind.conf.d/60-keep.conf
finds "" "... nor where a later name takes it back"
rm /usr/local/lib/systemd/logind.conf.d/60-keep.conf /run/systemd/logind.conf.d/50-kill.conf /etc/systemd/logind.conf.d/10-keep.conf
echo KillUserProcesses=yes >/usr/local/lib/systemd/logind.conf
finds "logind /usr/local/lib/systemd/logind.conf:1" "... as where the vendor's logind.conf says so"
echo '[Login]' >/etc/systemd/logind.conf
finds "" "... unless there is one in /etc, which is read in its place"
rm /usr/local/lib/systemd/logind.conf /etc/systemd/logind.conf
configure </dev/null
mv /etc/hosts "$T/hosts"
cp /etc/nsswitch.conf "$T/nsswitch.conf"
sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf
finds "hostname /etc/hosts" "a box whose name does not resolve, without an /etc/hosts"
mv "$T/hosts" /etc/hosts
sed -i 's/^hosts:.*/hosts: dns/' /etc/nsswitch.conf
finds "hostname /etc/nsswitch.conf" "a box whose name does not resolve, for files are not looked at"
cp "$T/nsswitch.conf" /etc/nsswitch.conf
finds "" "all is well again"

# --- The kernel ---

finds "kernel-version kernel" "a kernel that is too old" setarch --uname-2.6
for capability in sys_admin sys_ptrace sys_chroot; do
    examine setpriv --bounding-set "-$capability"
    like "$STATUS $FOUND" "^1 .*capability kernel" "root without CAP_${capability^^}"
done
for limit in max_pid_namespaces=0 max_mnt_namespaces=10; do
    finds "namespace-limit /proc/sys/user/${limit%=*}" "user.$limit" in-userns -l "$limit"
done
echo 40 >"$T/mount-max"
mount --bind "$T/mount-max" /proc/sys/fs/mount-max
finds "mount-limit /proc/sys/fs/mount-max" "an fs.mount-max that the host's mounts nearly reach"
umount /proc/sys/fs/mount-max
nested() {
    if [ "$1" -eq 0 ]; then
        exec nsboxctl doctor --json
    fi
    exec unshare --pid --fork --mount-proc bash -c "$(declare -f nested); nested $(($1 - 1))"
}
nested_doctor() {
    bash -c "$(declare -f nested); nested 29"
}
nested_doctor >"$T/json"
like "$(tr -d '\n' <"$T/json")" '"check": "nesting".*"only [0-2] more PID namespaces' "PID namespaces that lie in each other too deep"

like "$(setpriv --reuid alice --clear-groups nsboxctl doctor 2>&1; echo "status $?")" "only root.*status 1$" "it is root's alone"

done_testing
