#!/bin/bash
# Every system call of a login fails once, and every moment is the last of the caller, the intermediate process and the
# holder: the login is refused, or whole, and nothing is left. SOAK=1 tries every call with every error of its manual
# page; without it every call fails in one way, and of the rest a part is tried.
# May take 900 seconds.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
printf '%s\n' 'account required pam_nsbox.so' 'session required pam_nsbox.so' >/etc/pam.d/faults

# faults_are_clean CLAIM OPTION... MODE
faults_are_clean() {
    local claim=$1
    shift
    faults "$@" >"$T/faults" 2>&1
    local status=$?
    if [ "$status" -eq 0 ]; then
        pass "$claim: $(tail -n 1 "$T/faults")"
    else
        fail "$claim: $(tail -n 1 "$T/faults")" "$(grep -av '^#\|^iniparser: ' "$T/faults" | cut -c 1-400 | head -n 20)"
    fi
}

# most: in the short test one error a call, and of allocations a part
every=$(rounds 2 1)
if [ -n "$SOAK" ]; then
    most=()
    part=()
elif with_counts; then
    most=(--one-error)
    part=(--one-error)
    every=1
else
    most=(--one-error --every 2)
    part=(--one-error --every 7)
fi

configure </dev/null
faults_are_clean "a login by the built-in policy: every call fails" "${most[@]}" errors
for role in caller intermediate holder; do
    faults_are_clean "every moment is the last of the $role" --role "$role" --every "$(rounds 3 1)" kill
done
if with_sanitizers; then
    skip "every allocation fails" "AddressSanitizer has its own malloc(3)"
else
    faults_are_clean "every allocation fails" --every "$every" memory
fi
faults_are_clean "every small limit of descriptors" descriptors
faults_are_clean "every other resource limit is small" limits
faults_are_clean "the intermediate process is stopped" --role intermediate --every "$(rounds 3 1)" stop
faults_are_clean "the holder is stopped" --role holder --every "$(rounds 90 5)" stop

faults_are_clean "a login that the account phase decides: every call fails" --account "${part[@]}" errors
with_sanitizers || faults_are_clean "every allocation fails" --account --every "$every" memory

# A policy that goes by groups, in a file of its own. What the C library cannot read it passes over: no group may be lost by
# that.
gpasswd --add alice users >"$T/out"
mkdir -p /etc/security/nsbox.conf.d
cat >/etc/security/nsbox.conf.d/users.conf <<'END'
[policy users]
Groups = users
Enabled = yes
Hostname = %l-%g
TasksMax = 50%
END
printf '[default]\nEnabled = no\n' | configure
faults_are_clean "a login that is boxed for its group: every call fails" --account "${part[@]}" errors
rm /etc/security/nsbox.conf.d/users.conf

# A policy whose paths go by symbolic links: a box is made twice.
mkdir -p /srv/real
ln -s real /srv/led
printf '[default]\nReadOnlyPaths = /srv/led\n' | configure
faults_are_clean "a login by a policy with links on its paths: every call fails" "${part[@]}" errors

# All that a policy can ask for.
mkdir -p /srv/tool /srv/secret
configure < <(cat "$LIB/everything.conf" - <<'END'
NoNewPrivileges = yes
CapabilityBoundingSet = CAP_CHOWN
END
)
faults_are_clean "a login by a policy with everything: every call fails" --confined "${part[@]}" errors
faults_are_clean "every moment of it is the last" --confined --every "$(rounds 11 1)" kill

configure <<'END'
[default]
OnError = allow
END
faults_are_clean "with OnError=allow, a login is let in as it is" --allow "${part[@]}" errors

# A box that is there.
configure <<'END'
[default]
Scope = user
Hostname = shared
END
box_open alice
faults_are_clean "a login that joins a box: every call fails" "${most[@]}" errors
faults_are_clean "every moment of it is the last" --role caller --every "$(rounds 3 1)" kill
faults_are_clean "a login that joins a box that the account phase has found: every call fails" --account "${part[@]}" errors
is "$(box_do hostname)" shared "the box that was joined, and left in all these ways, is as it was"
box_close
until_ok 5 has_holders 0
is "$(count_holders)" 0 "then no box is left"

done_testing
