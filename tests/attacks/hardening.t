#!/bin/bash
# What is built is hardened, and exports nothing but what PAM calls.

# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

B=$(dirname "$0")/../../build

is "$(nm --dynamic --defined-only "$B/pam_nsbox.so" | awk '$2 ~ /[TWDBVi]/ { print $3 }' | sort | xargs)" \
    "pam_sm_acct_mgmt pam_sm_close_session pam_sm_open_session pam_sm_setcred" "the module exports the functions that PAM calls, and no other"
for file in pam_nsbox.so nsboxctl; do
    [ -e "$B/$file" ] || continue
    headers=$(readelf --wide --program-headers --dynamic "$B/$file")
    like "$headers" 'GNU_RELRO' "$file: relocations are read-only"
    like "$headers" 'BIND_NOW|FLAGS_1.*NOW' "$file: and bound at once, so that all of them are"
    like "$(grep GNU_STACK <<<"$headers")" ' RW +0x' "$file: the stack is not executable"
    unlike "$headers" ' RWE ' "$file: no segment can be written and executed"
    unlike "$headers" 'TEXTREL|RPATH|RUNPATH' "$file: no relocations in code, and no search path of its own"
    symbols=$(nm --dynamic --undefined-only "$B/$file")
    like "$symbols" '__stack_chk_fail' "$file: stack protector"
    like "$symbols" '_chk(@|$|'$'\n'')' "$file: FORTIFY"
    like "$(readelf --file-header "$B/$file")" 'DYN' "$file: position-independent"
done

# PID 1 is static, and small: memory for it is paid by every login. It has no interpreter and no library that could be
# replaced, reads nothing that a user can write to but fixed-size records, and is neither position-independent nor stack
# protected, which would need the C library's start-up.
headers=$(readelf --wide --program-headers "$B/nsbox-init")
like "$(grep GNU_STACK <<<"$headers")" ' RW +0x' "nsbox-init: the stack is not executable"
unlike "$headers" ' RWE ' "nsbox-init: no segment can be written and executed"
unlike "$headers" 'INTERP' "nsbox-init: it is static"

done_testing
