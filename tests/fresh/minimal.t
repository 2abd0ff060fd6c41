#!/bin/bash
# On a fresh minimal Debian, as a new user would: README's two commands run as they are printed, and what follows them
# leads to an isolated ssh login for one group, and out again.
#
# It takes about ten minutes, and fetches packages: only with SOAK=1.

set -u

HERE=$(cd "$(dirname "$0")" && pwd)
REPO=$(cd "$HERE/../.." && pwd)
PROGRAMS=(mmdebstrap)
. "$HERE/fresh.sh"
. "$REPO/tests/lib/console.sh"
cd "$REPO" || exit 1

two_commands() {
    local line
    [ -z "$over" ] || return 0
    case $1 in
    'make demo')
        ok "README: $1" inside minimal "cd /root/pam_nsbox && $1"
        at_most $((EPOCHSECONDS - begin)) 120 "from nothing to the demo's end it takes less than two minutes"
        is "$(demo_shape <"$work/output")" "$(block demo | demo_shape)" "the demo shows what README shows"
        ;;
    'make check')
        begin=$EPOCHSECONDS
        ok "README: $1" inside minimal "cd /root/pam_nsbox && $1"
        diag "it took $((EPOCHSECONDS - begin)) s: $(tail -1 "$work/output")"
        like "$(tail -1 "$work/output")" '^[0-9]+ passed, 0 failed, [0-9]+ skipped$' "its last line counts the tests"
        (cd "$work/minimal/root/pam_nsbox/build/tests/tap" && grep -A 5 '^not ok' ./*.t
            grep -L '^1\.\.' ./*.t | sed 's/$/: fell silent/'
            grep '# SKIP' ./*.t) >"$work/failed"
        while read -r line; do diag "$line"; done <"$work/failed"
        over=yes
        ;;
    *) ok "README: $1" inside minimal "cd /root/pam_nsbox && $1" ;;
    esac
}

fresh minimal
begin=$EPOCHSECONDS over=
console_commands two_commands <README.md
is "$over" yes "README has its two commands"

# The rest needs no network but loopback, where its servers listen.
inside minimal 'printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d &&
    DEBIAN_FRONTEND=noninteractive apt-get install -qq openssh-server openssh-client && rm /usr/sbin/policy-rc.d' ||
    bail_out "no sshd: $(tail -3 "$work/output")"
inside_offline minimal /root/pam_nsbox/tests/fresh/follow-readme
relay

done_testing
