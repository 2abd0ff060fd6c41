#!/bin/bash
# Callers in a user namespace below the machine's, as in a container: they get their box, or are refused before they have
# gone where there is no way back from.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
if ! in-userns true 2>"$T/why"; then
    skip "a caller in a user namespace" "there are none here: $(cat "$T/why")"
    done_testing
fi

# attempt COMMAND...: in front of the caller; what the login sees is in $T/seen
attempt() {
    from_here
    "$@" session --user alice --state -- sh "$T/look" >"$T/seen" 2>"$T/session" 3>&-
    status=$?
}
cat >"$T/look" <<'END'
echo "name $(hostname)"
echo "first $(cat /proc/1/comm)"
echo "processes $(ls -d /proc/[0-9]* | wc -l)"
# Whoever makes a user namespace has all rights in a copy of the mounts, and takes off what he can.
unshare --user --map-root-user --mount sh -c 'while attack uncover /proc 2>/dev/null; do :; done
    echo "uncovered $(cat /proc/1/comm)"'
END
chmod 755 "$T/look"

# --- A procfs that is locked, because it came with the mount namespace ---

configure </dev/null
snapshot
for root in '' "$LIB/own-root"; do
    what="a caller whose procfs lies over a locked one"
    [ -z "$root" ] || what="a caller whose procfs is the only one"
    # shellcheck disable=SC2086
    attempt in-userns $root reaper
    is "$status" 0 "$what: the login is let in" || diag "$(cat "$T/session")" "$(log)"
    like "$(cat "$T/session")" 'state: unchanged' "$what: the caller is what it was"
    like "$(cat "$T/seen")" "name host-alice
first $HOLDER
processes [2-5]
uncovered $HOLDER" "$what: it sees its own processes, and cannot uncover others"
    nothing_left "$what: nothing is left"
done
is "$(in-userns reaper session --user alice --root -- sh -c 'attack uncover /proc; attack uncover /proc; cat /proc/1/comm' 2>"$T/session")" \
    reaper "root in a box over a locked procfs, whom no box holds, does uncover it"

# --- Namespaces that belong to a user namespace above ---

for kind in uts ipc; do
    configure </dev/null
    snapshot
    attempt in-userns -s $kind "$LIB/own-root" reaper
    is "$status" 120 "the $kind namespace of a user namespace above: the login is refused, since nobody could leave the box"
    like "$(cat "$T/session")" 'state: unchanged' "the $kind namespace of a user namespace above: the caller is what it was"
    logged "refused.*step=save .*/ns/$kind.*belongs to a user namespace above" "the $kind namespace of a user namespace above: the log says why"
    nothing_left "the $kind namespace of a user namespace above: nothing is left"
    printf '[default]\nNamespaces = mount, pid\n' | configure
    snapshot
    attempt in-userns -s $kind "$LIB/own-root" reaper
    is "$status" 0 "without it in Namespaces the login is let in" || diag "$(log)"
    like "$(cat "$T/session")" 'state: unchanged' "and comes back"
    nothing_left "nothing is left of it"
done

done_testing
