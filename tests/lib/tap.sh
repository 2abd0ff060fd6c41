# shellcheck shell=bash
# The Test Anything Protocol in a few functions. A claim is a sentence; what went wrong follows it as "# ".

TAP_COUNT=0
TAP_FAILED=0

# Standard output belongs to the protocol. What the programs under test print goes where the test sends it, and
# nowhere near the plan.
exec 3>&1 1>&2

diag() {
    printf '%s\n' "$*" | sed 's/^/# /' >&3
}

# pass CLAIM, fail CLAIM [WHY...]: every check returns whether its claim held
pass() {
    TAP_COUNT=$((TAP_COUNT + 1))
    printf 'ok %d - %s\n' "$TAP_COUNT" "${1//#/\\#}" >&3
}

fail() {
    local why
    TAP_COUNT=$((TAP_COUNT + 1))
    TAP_FAILED=$((TAP_FAILED + 1))
    printf 'not ok %d - %s\n' "$TAP_COUNT" "${1//#/\\#}" >&3
    shift
    for why; do
        diag "$why"
    done
    return 1
}

# skip CLAIM REASON: for what this machine makes impossible, never for what is merely inconvenient
skip() {
    TAP_COUNT=$((TAP_COUNT + 1))
    printf 'ok %d - %s # SKIP %s\n' "$TAP_COUNT" "${1//#/\\#}" "$2" >&3
}

# ok CLAIM COMMAND...: the command succeeds
ok() {
    local claim=$1 status
    shift
    "$@"
    status=$?
    if [ "$status" -eq 0 ]; then
        pass "$claim"
    else
        fail "$claim" "exit status $status: $*"
    fi
}

# not_ok CLAIM COMMAND...: the command fails
not_ok() {
    local claim=$1
    shift
    if "$@"; then
        fail "$claim" "succeeded: $*"
    else
        pass "$claim"
    fi
}

# is GOT EXPECTED CLAIM
is() {
    if [ "$1" = "$2" ]; then
        pass "$3"
    else
        fail "$3" "got:      $1" "expected: $2"
    fi
}

# isnt GOT UNEXPECTED CLAIM: nothing at all is not something else
isnt() {
    if [ -n "$1" ] && [ "$1" != "$2" ]; then
        pass "$3"
    else
        fail "$3" "got: $1"
    fi
}

# like TEXT REGEX CLAIM, unlike TEXT REGEX CLAIM: extended regular expressions, as in [[ =~ ]]
like() {
    if [[ $1 =~ $2 ]]; then
        pass "$3"
    else
        fail "$3" "got:      $1" "expected: $2"
    fi
}

unlike() {
    if [[ $1 =~ $2 ]]; then
        fail "$3" "got:          $1" "not expected: $2"
    else
        pass "$3"
    fi
}

# at_most NUMBER LIMIT CLAIM, at_least NUMBER LIMIT CLAIM
at_most() {
    if [ "$1" -le "$2" ]; then
        pass "$3"
    else
        fail "$3" "got:     $1" "at most: $2"
    fi
}

at_least() {
    if [ "$1" -ge "$2" ]; then
        pass "$3"
    else
        fail "$3" "got:      $1" "at least: $2"
    fi
}

# until_ok SECONDS COMMAND...: tries again until the command succeeds or the time is over, every TAP_POLL seconds
until_ok() {
    local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
    shift
    until "$@"; do
        [ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
        sleep "${TAP_POLL:-0.02}"
    done
}

bail_out() {
    printf 'Bail out! %s\n' "$*" >&3
    exit 1
}

# The plan stands at the end: a script that dies on the way has none, and prove counts it as failed.
done_testing() {
    # What sanitizers said, in a build that has them.
    if compgen -G "${T:-/nothing}/sanitizer.*" >/dev/null && grep -Eqs 'ERROR: |runtime error: ' "$T"/sanitizer.*; then
        fail "no sanitizer complains" "$(head -n 40 "$T"/sanitizer.*)"
    fi
    printf '1..%d\n' "$TAP_COUNT" >&3
    exit $((TAP_FAILED > 0))
}
