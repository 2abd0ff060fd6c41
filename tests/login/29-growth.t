#!/bin/bash
# What policies cost a real login: 100 at most 0.5 ms more than none, 1,000 at most 5, 10,000 at most 50. A machine that
# does other things at the same time gets three times as long; the figures are printed.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

# policies NUMBER: none of them is alice's, so that each is asked
policies() {
    rm -f "$CONF"
    awk -v number="$1" 'BEGIN {
        print "[default]\nPropagation = rslave"
        for (i = 0; i < number; i++)
            printf "\n[policy department-%d]\nUsers = user%d, *-guest%d, !visitor%d\nGroups = department %d, staff-%d-*\n" \
                "Services = session, login\nHostname = %%l-%d-%%u\nPrivateTmp = yes\n", i, i, i, i, i, i, i
    }' >"$CONF"
    chmod 644 "$CONF"
}

# open_median: of real openings, in microseconds: by the clock in CLOCK, of processor time in WORK
open_median() {
    read -r CLOCK WORK < <(open-time alice session "$(rounds 31 301)" 2>"$T/err")
    [ -n "$WORK" ] || bail_out "$(<"$T/err")"
}

pam_service session
while read -r number bound; do
    policies 0
    open_median
    none_clock=$CLOCK none_work=$WORK
    policies "$number"
    open_median
    diag "$number policies: $((CLOCK - none_clock)) us more by the clock, $((WORK - none_work)) us of work, than a" \
        "login's $none_clock us; the bound is $bound us"
    at_most "$((WORK - none_work))" $((3 * bound)) "$number policies add at most $bound us to a login, thrice that on a busy machine"
done <<'END'
100 500
1000 5000
10000 50000
END
ok "no box is left" until_ok 10 has_holders 0

done_testing
