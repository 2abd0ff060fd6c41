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
pam_service sshd 'account required pam_nsbox.so' "session required pam_exec.so quiet $T/between" \
    'session required pam_nsbox.so'
pam_service session 'account required pam_nsbox.so' "session required pam_exec.so quiet $T/between" \
    'session required pam_nsbox.so'
start_sshd

policy_named later
cp "$CONF" "$T/between.conf"

policy_named sooner
is "$(ssh_as alice hostname)" sooner "sshd: the box is the one that the account phase decided on"
is "$(ssh_as alice hostname)" later "sshd: the next login has what the configuration says by then"

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
echo 11 >"$T/sleep"
is "$(session --account --user alice -- hostname 2>/dev/null)" later "after ten seconds it is decided anew"
rm "$T/sleep"

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
