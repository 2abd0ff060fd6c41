#!/bin/bash
# The modules that stand before and after this one in a session stack work as they do without it, on open and on
# close.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

# pam_exec runs this: which half of the session, in front of or behind the module, and where it finds itself.
cat >"$T/look" <<'END'
#!/bin/sh
[ "$PAM_TYPE" = open_session ] || [ "$PAM_TYPE" = close_session ] || exit 0
echo "$PAM_TYPE $1 $(hostname) $(cat /proc/1/comm)${NSBOX:+ NSBOX}" >>/run/test/looked
END
chmod 755 "$T/look"

looked() {
    rm -f "$T/looked"
    session "$@" 2>"$T/session" 3>&-
    cat "$T/looked"
}

# --- pam_exec: where a module stands says what it sees ---

look="session required pam_exec.so $T/look"
pam_service plain "$look before" 'session required pam_nsbox.so' "$look after"
snapshot
is "$(looked --service plain --user alice -- true)" "open_session before host.example reaper
open_session after host-alice $HOLDER NSBOX
close_session before host-alice $HOLDER NSBOX
close_session after host.example reaper" \
    "one line: what is before it opens outside and closes inside, what is after it opens inside and closes outside"
is "$(grep -c 'non-existent' "$LOG")" 0 "NSBOX is in PAM's environment from its opening to its closing, and libpam has nothing to remark"
nothing_left "one line: nothing is left"

pam_service split 'session required pam_nsbox.so close' "$look before" 'session required pam_nsbox.so open' "$look after"
snapshot
is "$(looked --service split --user alice -- true)" "open_session before host.example reaper
open_session after host-alice $HOLDER NSBOX
close_session before host.example reaper
close_session after host.example reaper" \
    "close first and open last: every module closes outside"
nothing_left "close first and open last: nothing is left"

pam_service half 'session required pam_nsbox.so open'
snapshot
session --service half --user alice -- sh -c 'test -n "$NSBOX"' 2>"$T/session"
is $? 0 "a line with open alone opens"
nothing_left "a line with open alone: the box ends with its caller"

# PAM has opened ours when a module after it refuses, and an application has nothing to close then: the end of the PAM
# handle has to do it.
pam_service refused 'session required pam_nsbox.so' 'session required pam_deny.so'
snapshot
session --service refused --user alice --state --end -- true 2>"$T/session"
is $? 120 "a module behind this one refuses the login"
like "$(cat "$T/session")" 'state: unchanged' "then the end of the PAM handle brings the caller back" ||
    diag "$(cat "$T/session")"
nothing_left "a login that a later module refuses leaves nothing"

# --- The modules that most stacks have ---

cat >/etc/security/limits.conf <<'END'
alice soft nofile 100
alice soft nproc 150
END
cat >/etc/security/pam_env.conf <<'END'
FROM_PAM_ENV DEFAULT=set_by_@{PAM_USER}
END
echo 'FROM_ENVIRONMENT=yes' >/etc/environment
pam_service usual \
    'session required pam_loginuid.so' \
    'session required pam_limits.so' \
    'session required pam_env.so' \
    'session optional pam_keyinit.so force revoke' \
    'session optional pam_umask.so umask=0027' \
    'session required pam_nsbox.so' \
    'session required pam_env.so readenv=1' \
    'session optional pam_mail.so nopen'

# What one has with the stack around the module, and with the same stack without it.
grep -v pam_nsbox /etc/pam.d/usual >/etc/pam.d/without
usual() {
    session --service "$1" --user alice -- sh -c '
        echo "limits $(ulimit -Sn) $(ulimit -Su 2>/dev/null)"
        echo "environment $FROM_PAM_ENV $FROM_ENVIRONMENT $MAIL"
        echo "umask $(umask)"
        cat /proc/self/loginuid 2>/dev/null' 2>"$T/session" 3>&-
}
snapshot
# The number is written once only and then inherited: a process of our own for each.
with=$( (usual usual) )
without=$( (usual without) )
is "$(session --service usual --user alice -- hostname 2>"$T/session")" host-alice "the usual stack opens a box"
like "$with" 'limits 100' "pam_limits before it sets the limits of the login"
like "$with" 'environment set_by_alice yes' "pam_env before and after it sets the environment of the login"
like "$with" 'umask 0?027' "pam_umask before it sets the umask"
is "$with" "$without" "limits, environment, umask and loginuid are what they are without it"
if [ -e /proc/self/loginuid ]; then
    is "$(tail -1 <<<"$with")" "$(id -u alice)" "pam_loginuid before it sets the loginuid, and it is seen inside"
else
    skip "pam_loginuid before it sets the loginuid, and it is seen inside" "this kernel has no /proc/self/loginuid"
fi
nothing_left "the usual stack leaves nothing"

# sshd and its own stack, as the distribution ships it, with one line more.
if [ -e /etc/pam.d/sshd ] && grep -q pam_limits /etc/pam.d/sshd; then
    echo 'session required pam_nsbox.so' >>/etc/pam.d/sshd
    start_sshd
    : >/run/motd.dynamic
    snapshot
    is "$(ssh_as alice 'echo $(hostname) $(ulimit -Sn) $(cat /proc/1/comm)')" "host-alice 100 $HOLDER" \
        "sshd with the distribution's stack and one line more"
    nothing_left "the distribution's stack leaves nothing"
    stop_sshd
else
    skip "sshd with the distribution's stack and one line more" "this distribution has no /etc/pam.d/sshd of the usual kind"
fi

# --- pam_namespace beside it: a /tmp of one's own on disk, made by the other module ---

if [ -e "$PAMDIR/pam_namespace.so" ]; then
    mkdir -p /etc/security/namespace.d
    mkdir -m 0 "/var/instances"
    echo '/tmp /var/instances/ user root' >/etc/security/namespace.conf
    printf '#!/bin/sh\nexit 0\n' >/etc/security/namespace.init
    chmod 755 /etc/security/namespace.init
    pam_service instances 'session required pam_namespace.so' 'session required pam_nsbox.so'
    pam_service instances-split 'session required pam_nsbox.so close' 'session required pam_namespace.so' \
        'session required pam_nsbox.so open'
    pam_service instances-alone 'session required pam_namespace.so' 'session required pam_permit.so pam_nsbox.so'
    echo host >/tmp/of-the-host
    snapshot
    for service in instances-alone instances instances-split; do
        session --service "$service" --user alice --state -- sh -c 'ls /tmp; echo $(hostname); echo alice >/tmp/of-alice' \
            >"$T/out" 2>"$T/session" 3>&-
        case $service in
        instances-alone)
            # It leaves the caller in another mount namespace: that is its way, and is no different with us.
            by_itself=$(grep -c 'state: [-+] namespace' "$T/session")
            unlike "$(cat "$T/out")" of-the-host "pam_namespace alone gives the login a /tmp of its own"
            ;;
        *)
            is "$(cat "$T/out")" "of-alice"$'\n'"host-alice" "$service: pam_namespace's /tmp and our box together"
            is "$(grep -c 'state: [-+] namespace' "$T/session")" "$by_itself" \
                "$service: the caller differs afterwards in no more namespaces than by pam_namespace alone"
            is "$(sed -n 's/^session: close_session: \([0-9]*\).*/\1/p' "$T/session")" 0 "$service: both close without an error"
            ;;
        esac
        ok "$service: the host's /tmp is untouched" test -e /tmp/of-the-host -a ! -e /tmp/of-alice
        nothing_left "$service: nothing is left"
    done
else
    skip "pam_namespace beside it" "this system has no pam_namespace"
fi

done_testing
