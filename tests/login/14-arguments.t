#!/bin/bash
# The words behind pam_nsbox.so in a PAM stack, and lines of kinds that the module has nothing to do in.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

configure </dev/null

pam_service session
as_alice true
until_ok 5 log_has 'left box='
unlike "$(log)" ' closed box=' "without debug the log says nothing of closing"
from_here
pam_service session 'session required pam_nsbox.so debug'
as_alice true
logged 'pam_nsbox.*: closed box="[a-z2-7]{10}" policy="default" user="alice"' "with debug it does"

from_here
pam_service session 'session required pam_nsbox.so debgu'
as_alice hostname >"$T/out"
is "$(cat "$T/out")" host-alice "an unknown word does not keep anybody from his box"
logged 'unknown argument "debgu" is ignored; known are conf=PATH, debug, open, close' "... and the log names it"

pam_service session 'session required pam_nsbox.so open'
session --user alice -- hostname >"$T/out" 2>&1
like "$(cat "$T/out")" host-alice "with open alone the line opens"
pam_service session 'session required pam_nsbox.so close'
session --user alice -- hostname >"$T/out" 2>&1
like "$(cat "$T/out")" host.example "with close alone it does not"

# setcred belongs to auth, of which the module has nothing else.
printf '%s\n' 'auth required pam_permit.so' 'auth required pam_nsbox.so' >/etc/pam.d/credentials
ok "credentials are none of its business" pamtester credentials root 'setcred(PAM_ESTABLISH_CRED)'
not_ok "it authenticates nobody" pamtester credentials alice authenticate

until_ok 5 has_holders 0
is "$(count_holders)" 0 "no box is left"

done_testing
