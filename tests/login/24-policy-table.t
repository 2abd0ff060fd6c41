#!/bin/bash
# Every case of tests/policy/cases.tsv: user, groups, service and files on one side, policy and settings on the other,
# in a real login and by `nsboxctl explain`. The two never differ.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

# The table's users and groups are this machine's, and nobody else.
cp "$REPO/tests/policy/passwd" /etc/passwd
cp "$REPO/tests/policy/group" /etc/group
printf 'passwd: files\ngroup: files\nhosts: files\n' >/etc/nsswitch.conf
cp -r "$REPO/tests/policy/conf" "$T/conf"
chown -R root:root "$T/conf"
chmod -R go-w "$T/conf"

# What the policies with paths need.
mount -t tmpfs -o mode=755 tmpfs /srv
mkdir -p /srv/a /srv/b /srv/c /srv/d /srv/e /srv/scratch /srv/alice /srv/1001 /home/alice/share /home/alice/tmp /home/john\ smith
chown -R alice:alice /home/alice
ip netns add blue
ip netns add alice

start=$(milliseconds)
cases=0
while IFS=$'\t' read -r verdict claim why; do
    cases=$((cases + 1))
    if [ "$verdict" = ok ]; then
        pass "$claim"
    else
        fail "$claim" "${why//$'\t'/$'\n'}"
    fi
done < <("$LIB/policy-table" "$REPO/tests/policy/cases.tsv" "$T/conf" "$LOG" 2>"$T/err")
diag "$cases cases in $(($(milliseconds) - start)) ms"

is "$(cat "$T/err")" "" "the table was walked without an error"
is "$cases" "$(grep -vc '^#' "$REPO/tests/policy/cases.tsv")" "every case of the table was run"
at_least "$cases" 80 "the table has 80 cases and more"
ok "no box is left" until_ok 10 has_holders 0

done_testing
