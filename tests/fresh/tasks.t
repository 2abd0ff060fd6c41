#!/bin/bash
# On a fresh minimal Debian with make alone, each task that looks for faults installs what it needs, and does its work.
# May take 3600 seconds.
#
# It takes a quarter of an hour, and fetches packages: only with SOAK=1.

set -u

HERE=$(cd "$(dirname "$0")" && pwd)
REPO=$(cd "$HERE/../.." && pwd)
PROGRAMS=(mmdebstrap)
. "$HERE/fresh.sh"
cd "$REPO" || exit 1

# task COMMAND: in a system of its own, as root
task() {
    local name=${1%% *}
    fresh "$name"
    ok "make $1" inside "$name" "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq make >/dev/null &&
        cd /root/pam_nsbox && make $1" || diag "$(tail -n 40 "$work/output")"
    rm -rf --one-file-system "${work:?}/$name"
}

task 'fuzz FUZZ_TIME=1'
task 'sanitize SANITIZE_TESTS=tests/login/01-inside.t'
task 'coverage COVERAGE_TESTS=tests/login/01-inside.t'
task lint

done_testing
