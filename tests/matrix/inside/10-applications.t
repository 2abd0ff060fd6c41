#!/bin/bash
# Every application, with the policy in force: it opens a box, isolates, closes it and leaves nothing; or says that it
# must not be boxed.
. ./lib.sh
. ./applications.sh

for application in "${APPLICATIONS[@]}"; do
    read -r name user expected service <<<"$application"
    claim="${CLAIMS[$name]}"
    if ! reason=$("has_$name"); then
        skip "$claim" "$reason"
        continue
    fi
    begin "$name"
    "run_$name" "$name" >"$T/out" 2>&1 3>&-
    after "$name" "$user" "$expected" "$service" "$claim"
done
done_testing
