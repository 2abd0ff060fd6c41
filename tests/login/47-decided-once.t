#!/bin/bash
# The account phase decides on the policy, and the session phase acts on that: one login has its limits and its box from one
# policy, and what changes in between is for the next.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

policy_named() {
    configure <<END
[policy $1]
Users = alice, bob
Hostname = $1
TasksMax = 77
END
}

# Between the two phases the configuration changes, or the user, or ten seconds pass.
cat >"$T/between" <<'END'
#!/bin/bash
[ "$PAM_TYPE" = open_session ] || exit 0
cat /run/test/between.conf >/etc/security/nsbox.conf
[ ! -e /run/test/sleep ] || sleep "$(cat /run/test/sleep)"
END
chmod 755 "$T/between"
pam_service sshd 'account required pam_nsbox.so' "session required $T/bin/pam_items.so $T/items" \
    "session required pam_exec.so quiet $T/between" 'session required pam_nsbox.so'
pam_service session 'account required pam_nsbox.so' "session required pam_exec.so quiet $T/between" \
    'session required pam_nsbox.so'
start_sshd 'KbdInteractiveAuthentication yes'

policy_named later
cp "$CONF" "$T/between.conf"

policy_named sooner
is "$(ssh_as alice hostname)" sooner "sshd: the box is the one that the account phase decided on"
like "$(cat "$T/items")" 'systemd.tasks_max=77' "... and its limits are there for pam_systemd"
is "$(ssh_as alice hostname)" later "sshd: the next login has what the configuration says by then"

# It runs authentication and account phase of such a login in a process of their own (sshpam_thread() in auth-pam.c), whose
# decision the monitor, which opens the session, never hears of. root's sshd needs no answer from pam_rootok.
policy_named sooner
is "$(ssh -o BatchMode=no -o PreferredAuthentications=keyboard-interactive -o PubkeyAuthentication=no \
    "${SSH_OPTIONS[@]}" -p "$SSH_PORT" alice@127.0.0.1 hostname </dev/null)" later \
    "sshd, keyboard-interactive: the session phase decides"
unlike "$(cat "$T/items")" 'tasks_max=77' "... and pam_systemd does not learn of the limits, as pam_nsbox(8) says"

policy_named sooner
is "$(session --account --user alice -- hostname 2>/dev/null)" sooner "a caller of our own: likewise"
policy_named sooner
is "$(session --user alice -- hostname 2>/dev/null)" later "without an account phase the session phase decides"
policy_named sooner
is "$(session --account --switch bob --user alice -- hostname 2>/dev/null)" later \
    "what was decided for one user is not another's"

policy_named sooner
is "$(session --account --open 2 --close 2 --user alice -- hostname 2>/dev/null)" sooner \
    "a session that is opened twice has one decision"

policy_named sooner
ids=$(session --account --children 2 --user alice -- sh -c 'echo "$NSBOX"' 2>/dev/null)
like "$ids" $'^[a-z2-7]{10}\n[a-z2-7]{10}$' "two children of a caller that forks after the account phase get a box each"
isnt "${ids%$'\n'*}" "${ids#*$'\n'}" "... of its own name"

# The account phase has looked for the host's procfs, too.
cat >"$T/mount" <<'END'
#!/bin/bash
[ "$PAM_TYPE" = open_session ] && mount --bind /proc /srv/proc
exit 0
END
chmod 755 "$T/mount"
mkdir /srv/proc
pam_service mounting 'account required pam_nsbox.so' "session required pam_exec.so quiet $T/mount" \
    'session required pam_nsbox.so'
policy_named sooner
is "$(session --service mounting --account --user alice -- sh -c 'hostname; ls /srv/proc' 2>/dev/null)" sooner \
    "a procfs that is mounted between the two phases cannot be reached"
isnt "$(ls /srv/proc)" "" "(it is there for the host)"
is "$(session --account --user alice -- sh -c 'ls /srv/proc' 2>/dev/null)" "" "nor can one that was there before both"
umount /srv/proc
pam_service apart 'account required pam_nsbox.so' "session required $T/bin/apart.so /srv/proc" \
    'session required pam_nsbox.so'
policy_named sooner
is "$(session --service apart --account --user alice -- sh -c 'hostname; ls /srv/proc' 2>/dev/null)" sooner \
    "nor one of another mount namespace, into which a module goes between the phases"
(cd / && session --service apart --account --user alice -- sh -c 'hostname; ls /srv/proc') >"$T/out" 2>/dev/null
is "$? $(cat "$T/out")" "0 sooner" "nor of one into which a caller in / goes"
rmdir /srv/proc

# It has seen that the caller is in no chroot, and how it did so leaves nothing behind.
setns_calls() {
    (cd "$1" && strace -qq -o "$T/strace" -e trace=setns session --service plain "${@:2}" --user alice -- true) 2>/dev/null
    grep -c '^setns' "$T/strace"
}
pam_service plain 'account required pam_nsbox.so' 'session required pam_nsbox.so'
is "$(setns_calls / --account) $(setns_calls / ) $(setns_calls /srv --account)" "6 6 6" \
    "the root is looked at once, in the account phase if the caller is in /, or in the session phase"
# Nothing of systemd's @mount: who asks for the account alone may be a service that is killed for that
# (SystemCallFilter=@system-service). strace shows calls that it does not know in any case.
strace -f -qq -o "$T/strace" -e trace=mount,umount2,fsopen,fsconfig,fsmount,fspick,move_mount,open_tree,mount_setattr,pivot_root,chroot,unshare \
    session --service plain --account --open 0 --close 0 --user alice 2>"$T/session"
is "$(grep -c 'acct_mgmt: 0' "$T/session") $(grep -v syscall_0x "$T/strace")" "1 " "the account phase makes no call that a hardened service may not make"
is "$(setns_calls / --account --open 0 --close 0) $(setns_calls /srv --account --open 0 --close 0)" "1 0" \
    "... where that moves nothing"
for where in / /srv; do
    for how in '' '--in-thread' '--threads 3' '--threads 3 --in-thread'; do
        # shellcheck disable=SC2086 # several words
        (cd $where && session --service plain --account --state --end $how --user alice -- true) >"$T/open" 2>&1
        is "$? $(grep -c 'state: unchanged' "$T/open")" "0 1" "a caller in $where is after both phases what it was before${how:+ ($how)}" ||
            diag "$(cat "$T/open")"
        # shellcheck disable=SC2086
        (cd $where && session --service plain --account --state --end --open 0 --close 0 $how --user alice) >"$T/open" 2>&1
        is "$(grep -c 'state: unchanged' "$T/open")" 1 "and after the account phase alone" || diag "$(cat "$T/open")"
    done
done
mkdir -p /srv/root
mount --rbind / /srv/root
mount --make-rprivate /srv/root
from_here
chroot /srv/root session --service plain --account --state --end --user alice -- true >"$T/open" 2>&1
is "$? $(grep -c 'state: unchanged' "$T/open")" "120 1" "a caller in a chroot is refused, and stays in it, as it was"
logged 'step=root.*chroot' "the log says why"
chroot /srv/root session --service plain --account --state --end --open 0 --close 0 --user alice -- true >"$T/open" 2>&1
like "$(cat "$T/open")" 'state: unchanged' "so it does if it opens no session"
elsewhere() {
    pam_service elsewhere 'account required pam_nsbox.so' "session required $T/bin/apart.so /srv/root $1" \
        'session required pam_nsbox.so'
    from_here
    (cd / && unshare --mount session --service elsewhere --account --user alice -- true) >/dev/null 2>&1
    is $? 120 "one that goes elsewhere between the phases is refused ($1)"
    logged "$2" "and the log says why"
}
elsewhere chroot 'step=root.*chroot'
elsewhere over 'step=root.*chroot'

# Who has been led out of his chroot and cannot go back into it must not go on, and least of all be let in.
{
    cat "$T/between.conf"
    echo 'OnError = allow'
} >"$CONF"
astray() {
    from_here
    strace -qq -o "$T/strace" -e trace=chroot -e inject=chroot:error=EACCES:when=2 chroot /srv/root \
        sh -c "cd $1 && exec session --service plain --account --user alice ${2:-} -- true" >"$T/open" 2>&1
}
astray /srv
is $? 120 "who cannot be taken back into his chroot is refused, OnError=allow or not"
logged 'refused \(its process could not be taken back to where it was\).*root could not be restored' "and the log says why"
astray / '--open 0 --close 0'
like "$(cat "$T/open")" 'acct_mgmt: 4 ' "so he is by the account phase, if it is that which has led him out"
logged 'refused \(its process could not be taken back to where it was\).*root could not be restored' "and the log says why"
from_here
strace -qq -o "$T/strace" -e trace=fchdir -e inject=fchdir:error=EIO:when=2 chroot /srv/root \
    sh -c 'cd /srv && exec session --service plain --account --user alice -- pwd' >"$T/open" 2>/dev/null
is "$? $(cat "$T/open")" "0 /" "who is back in his chroot and not in his directory is in its root"
logged "let in without a box.*step=root.*caller's directory could not be restored" "and the log says why"
# Whose root lies below another mount is at the root of his paths all the same, and not where setns(2) leads.
pam_service elsewhere 'account required pam_nsbox.so' "session required $T/bin/apart.so / detach" 'session required pam_nsbox.so'
policy_named sooner
echo 'Scope = user' >>"$CONF"
unshare --mount sh -c 'mount --rbind /srv/root / && cd /.. && exec "$@"' - \
    session --service plain --account --state --end --open 0 --close 0 --user alice >"$T/open" 2>&1
like "$(cat "$T/open")" 'state: unchanged' "a caller below a mount over / stays in the directory over it"
unshare --mount sh -c 'mount --rbind /srv/root / && exec chroot /.. "$@"' - \
    sh -c 'cd / && { session --service plain --user alice -- sleep 2 & } && sleep 1 && session --service elsewhere --account --user alice -- true
        echo "it ended with $?"; wait' >"$T/open" 2>&1
like "$(cat "$T/open")" 'it ended with 120' "one whose root is detached between the phases is refused"
umount -lR /srv/root
elsewhere user-namespace 'step=save .*user namespace'
rmdir /srv/root

# A child that is forked between the phases has no part in what was found out.
printf '%s\n' '#!/bin/sh' 'ls -l /proc/$PPID/fd' >"$T/descriptors"
chmod 755 "$T/descriptors"
pam_service listed 'account required pam_nsbox.so' 'session required pam_nsbox.so' "session optional pam_exec.so quiet log=$T/fds $T/descriptors"
policy_named sooner
rm -f "$T/fds"
session --service listed --account --children 1 --user alice -- true >/dev/null 2>&1
unlike "$(cat "$T/fds")" mountinfo "nor a descriptor of it"

pam_service closed 'account required pam_nsbox.so' "session required $T/bin/apart.so 3 close" 'session required pam_nsbox.so'
policy_named sooner
is "$(session --service closed --account --user alice -- hostname 2>/dev/null)" sooner \
    "a caller that closes all descriptors between the phases gets its box"

# Nor has it anything to do with what a program opens that has closed all that it does not know.
pam_service reopened 'account required pam_nsbox.so' "session required $T/bin/apart.so /proc/thread-self/mountinfo reopen" \
    'session required pam_nsbox.so'
policy_named sooner
session --service reopened --account --state --user alice -- hostname >"$T/open" 2>&1
is "$(grep -c '^sooner' "$T/open") $(grep -cE 'state: \+ descriptor.*mountinfo' "$T/open")" "1 1" \
    "what a program has opened at the number of such a descriptor stays its own" || diag "$(cat "$T/open")"

policy_named sooner
pam_service twice 'account required pam_nsbox.so' "account required pam_exec.so quiet $T/disable" \
    'account required pam_nsbox.so' 'session required pam_nsbox.so'
cat >"$T/disable" <<'END'
#!/bin/bash
sed -i '$ a Enabled = no' /etc/security/nsbox.conf
END
chmod 755 "$T/disable"
is "$(session --service twice --account --user alice -- hostname 2>/dev/null)" host.example \
    "of two account phases the second holds"

policy_named sooner
pam_service nowhere 'account required pam_nsbox.so' 'session required pam_nsbox.so conf='
session --service nowhere --account --user alice -- true 2>/dev/null
is $? 120 "what was decided by the built-in configuration is not for a line that names none"

policy_named sooner
echo 11 >"$T/sleep"
is "$(session --account --user alice -- hostname 2>/dev/null)" later "after ten seconds it is decided anew"
rm "$T/sleep"

# It has found the box that serves the scope, too, and whom to ask there.
cat >"$T/happens" <<'END'
#!/bin/bash
[ "$PAM_TYPE" = open_session ] || exit 0
eval "$(cat /run/test/what)"
END
chmod 755 "$T/happens"
pam_service happening 'account required pam_nsbox.so' "session required pam_exec.so quiet $T/happens" \
    'session required pam_nsbox.so'
pam_service forking 'account required pam_nsbox.so' "session required $T/bin/apart.so 10 fork" 'session required pam_nsbox.so'
policy_named sooner
echo 'Scope = user' >>"$CONF"
snapshot
box_open bob --service plain
holder=$(holders)
connections() {
    strace -qq -o "$T/strace" -e trace=connect,getpgid session --service plain "$@" --user bob -- printenv NSBOX 2>/dev/null
    grep -c '/proc/.*/cwd/lease' "$T/strace"
}
is "$(connections --account)" "$(connections)" "a login joins the box by one connection, with an account phase or without one"
before=$(ls "/proc/$holder/fd")
session --service plain --account --end --open 0 --close 0 --user bob >/dev/null 2>&1
has_descriptors() { [ "$(ls "/proc/$holder/fd")" = "$1" ]; }
until_ok 5 has_descriptors "$before"
is $? 0 "a login that ends after the account phase leaves nothing in nsbox-init"

# Whatever becomes of the box between the phases, and of the connection.
id=$(box_do 'echo $NSBOX')
happening() {
    echo "$1" >"$T/what"
    session --service happening --account --user bob -- printenv NSBOX 2>/dev/null
}
is "$(happening true)" "$id" "the box is joined"
is "$(happening "nsboxctl show $id >/dev/null")" "$id" "... also if others ask it meanwhile"
is "$(session --service happening --account --children 2 --user bob -- printenv NSBOX 2>/dev/null)" "$id"$'\n'"$id" \
    "... by both children of a caller that forks"
is "$(session --service plain --account --in-thread --user bob -- printenv NSBOX 2>/dev/null)" "$id" "... by a thread"
from_here
other=$(happening "nsboxctl stop $id >/dev/null")
like "$other" '^[a-z2-7]{10}$' "a box that was stopped between the phases is not joined: a new one is made"
isnt "$other" "$id" "(it is another)"
exec 7>&- 8<&- # its shell is gone
box_open bob --service plain
holder=$(holders)
is "$? $(happening "kill -KILL $holder; sleep 0.2" | grep -cE '^[a-z2-7]{10}$')" "0 1" "nor is one that was killed"
exec 7>&- 8<&- # its shell is gone
box_open bob --service plain
holder=$(holders)
from_here
kill -STOP "$holder"
session --service forking --account --user bob -- true >/dev/null 2>&1
is $? 120 "who waits for a stopped nsbox-init for too long is refused"
kill -CONT "$holder"
logged 'left .*why="gone" leases=1' "and has no lease, though a child of his has the connection as well"
box_close
until_ok 10 not pgrep -x session >/dev/null
rm -f "$T/other"
found=$(happening "$(command -v session) --service plain --user bob -- sh -c 'echo \$NSBOX; sleep 1' >$T/other 2>/dev/null & sleep 0.5")
is "$found" "$(cat "$T/other")" "one that was made between the phases is"
nothing_left "nothing is left of all this"

# Nothing that was decided is lost or freed twice, whoever takes it. (No box comes of it: the register is not one that is
# used. valgrind may not know pidfd_open(2), of which it warns; boxes are made under it in 49-valgrind.t.)
checked() {
    local claim=$1 status=$2
    shift 2
    if with_sanitizers; then
        skip "valgrind finds nothing wrong where $claim" "valgrind does not run what AddressSanitizer runs"
        session --account --user alice "$@" 2>"$T/session"
        return
    fi
    valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect,possible \
        --keep-debuginfo=yes --log-file="$T/valgrind" session --account --user alice "$@" 2>"$T/session"
    is $? "$status" "valgrind finds nothing wrong where $claim" || diag "$(cat "$T/session" "$T/valgrind")"
}
policy_named sooner
echo 'Scope = user' >>"$CONF"
install -d -m 755 /run/nsbox
chmod 755 /run/nsbox
pam_service session 'account required pam_nsbox.so' 'session required pam_nsbox.so'
pam_service again 'account required pam_nsbox.so' 'account required pam_nsbox.so' 'session required pam_nsbox.so'
from_here
checked "nobody takes it" 0 --open 0 --close 0
checked "the session phase takes it, and fails" 120
logged 'refused.*opening failed: step=(registry|save)' "(it failed before there was a box)"
checked "it is decided twice" 120 --service again
checked "it was for somebody else" 120 --switch bob
chmod 700 /run/nsbox

pam_service session 'account required pam_nsbox.so' "session required pam_exec.so quiet $T/between" \
    'session required pam_nsbox.so'
cat >"$T/between.conf" <<'END'
[policy later]
Users = alice
Hostnam = typo
END
policy_named sooner
is "$(session --account --user alice -- hostname 2>/dev/null)" sooner \
    "a mistake that is made meanwhile refuses the next login, and not this one"
session --account --user alice -- true 2>/dev/null
is $? 120 "... the next is refused"

done_testing
