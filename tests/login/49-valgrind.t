#!/bin/bash
# The module in callers that run under valgrind, from the account phase to the end of PAM, with boxes that are really
# made. The intermediate process and the holder run outside of it (tests/tools/modules/valgrind.c).

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

if ! grep -q VALGRIND "$T/bin/valgrind.so"; then
    skip "valgrind finds nothing wrong where boxes are made" "clone(2) is taken out of valgrind on x86-64 only"
    done_testing
fi
if with_sanitizers; then
    skip "valgrind finds nothing wrong where boxes are made" "valgrind does not run what AddressSanitizer runs"
    done_testing
fi

# The module, in its stack alone: what other modules lose is not its doing.
for service in session account twice leaky; do
    printf '%s\n' 'auth required pam_permit.so' 'account required pam_permit.so' 'session required pam_nsbox.so' \
        >"/etc/pam.d/$service"
done
sed -i 's/account required .*/account required pam_nsbox.so/' /etc/pam.d/account
echo 'session required pam_nsbox.so' >>/etc/pam.d/twice
echo "session required $T/bin/leak.so memory" >>/etc/pam.d/leaky

# run_checked COMMAND...: 99 is what valgrind returns where it has found something
run_checked() {
    from_here
    LD_PRELOAD=$T/bin/valgrind.so valgrind --quiet --error-exitcode=99 --leak-check=full --sim-hints=lax-ioctls \
        --errors-for-leak-kinds=definite,indirect,possible --keep-debuginfo=yes --log-file="$T/valgrind" \
        "$@" >"$T/out" 2>&1
}

# checked CLAIM STATUS LOG COMMAND...: it ends with that status, which is not valgrind's, and the log has that line, or
# nothing of a box
checked() {
    local claim=$1 status=$2 line=$3
    shift 3
    run_checked "$@"
    is $? "$status" "valgrind finds nothing wrong where $claim" || diag "$(cat "$T/out" "$T/valgrind")"
    if [ -n "$line" ]; then
        logged "$line" "(the log says so: $line)"
    else
        unlike "$(log)" 'nsbox-init: (opened|joined)|pam_nsbox.*refused' "(the log knows of no box)"
    fi
}

configure </dev/null
checked "a box is made and left" 0 'nsbox-init: opened ' pamtester session alice open_session close_session
checked "a command runs in it" 0 'nsbox-init: opened ' session --user alice --state -- hostname
is "$(head -n 2 "$T/out" | tail -n 1)" host-alice "the command ran in the box"
checked "the box is left by the end of PAM alone" 0 'left .* leases=0' pamtester session alice open_session
checked "it is opened and closed twice" 0 'second opening' \
    pamtester twice alice open_session open_session close_session close_session
checked "the account phase decides" 0 'nsbox-init: opened ' pamtester account alice acct_mgmt open_session close_session
checked "a thread opens it" 0 'nsbox-init: opened ' session --user alice --in-thread -- true
checked "root gets no box" 0 '' pamtester account root acct_mgmt open_session close_session

# As much of a policy as there is.
mkdir -p /srv/tool /srv/secret
configure < <(cat "$LIB/everything.conf" - <<'END'
NoNewPrivileges = yes
CapabilityBoundingSet = ~CAP_CHOWN
TasksMax = 50%
MemoryMax = 1G
CPUWeight = 10
IOWeight = 10
RuntimeMaxSec = 1h
END
)
checked "a policy says all that it can" 0 'nsbox-init: opened ' pamtester account alice acct_mgmt open_session close_session

# What fails, in the holder, in the caller, in the configuration, and not at all.
printf '[default]\nInaccessiblePaths = /nothing\n' | configure
checked "a step in the box fails" 1 'refused .*step=paths' pamtester account alice acct_mgmt open_session
printf '[default]\nInaccessiblePaths = /nothing\nOnError = allow\n' | configure
checked "it fails, and OnError lets in" 0 'let in .*step=paths' pamtester account alice acct_mgmt open_session close_session
printf '[default]\nNetworkNamespacePath = /nothing\n' | configure
checked "there is no such network" 1 'refused .*step=network' pamtester session alice open_session
install -d -m 755 /run/nsbox
chmod 755 /run/nsbox
configure </dev/null
checked "the register is not root's alone" 1 'refused .*step=registry' pamtester session alice open_session
chmod 700 /run/nsbox
printf '[default]\nHostnam = x\n' | configure
checked "the configuration has a mistake" 1 'refused .*Hostnam' pamtester account alice acct_mgmt
printf '[default]\nEnabled = no\n' | configure
checked "no box is wanted" 0 '' pamtester account alice acct_mgmt open_session close_session
cp "$T/bin/broken-init" /usr/local/libexec/nsbox/nsbox-init.broken
mount --bind /usr/local/libexec/nsbox/nsbox-init.broken /usr/local/libexec/nsbox/nsbox-init
configure </dev/null
checked "nsbox-init does not answer" 1 'refused .*step=ready' pamtester session alice open_session
umount /usr/local/libexec/nsbox/nsbox-init

# A box that is there.
printf '[default]\nScope = user\nTimeoutStopSec = 0\n' | configure
box_open alice
checked "a box is joined and left" 0 'nsbox-init: joined .* leases=2' pamtester account alice acct_mgmt open_session close_session
checked "a command runs in it" 0 'nsbox-init: joined .* leases=2' session --user alice --state -- hostname
box_close
until_ok 5 has_holders 0

# None of this means anything unless it would be seen.
configure </dev/null
run_checked pamtester leaky alice open_session close_session
is $? 99 "what a module loses is found"
like "$(cat "$T/valgrind")" 'definitely lost' "... and told"

is "$(count_holders)" 0 "no box is left"

done_testing
