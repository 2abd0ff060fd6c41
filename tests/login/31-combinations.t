#!/bin/bash
# Nested and overlapping paths in one policy, in any order: tests/paths/combinations.tsv says what comes of them.
# tests/paths/against-systemd asks systemd about the same rules.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
mount -t tmpfs -o mode=755 srv /srv
sh "$REPO/tests/paths/tree.sh"
cp "$REPO/tests/paths/probe.sh" "$T/probe.sh"

# policy RULES [reverse]: the rules, one line a key, forwards or backwards
policy() {
    local -A values=()
    local rules=() keys=() key i
    IFS=';' read -ra rules <<<"$1"
    for ((i = 0; i < ${#rules[@]}; i++)); do
        local rule=${rules[i]# }
        key=${rule%%=*}
        if [ -z "${values[$key]+set}" ]; then
            keys+=("$key")
            values[$key]=${rule#*=}
        elif [ "${2:-}" = reverse ]; then
            values[$key]="${rule#*=}, ${values[$key]}"
        else
            values[$key]+=", ${rule#*=}"
        fi
    done
    {
        printf '[policy combination]\nUsers = root\n'
        for ((i = 0; i < ${#keys[@]}; i++)); do
            key=${keys[i]}
            [ "${2:-}" != reverse ] || key=${keys[${#keys[@]} - 1 - i]}
            echo "$key = ${values[$key]}"
        done
    } | configure
}

tree() {
    find /srv/t -printf '%p %y %m %u %s %F\n' | LC_ALL=C sort
    grep ' /srv' /proc/self/mountinfo
}

before=$(tree)
rows=0
while IFS=$'\t' read -r rules expected _; do
    case $rules in '' | '#'*) continue ;; esac
    probes=$(sed 's/=[^ ]*//g; s/^refused$/a/' <<<"$expected")
    for order in forwards reverse; do
        [ "$order" = forwards ] || [[ $rules == *[\;,]* ]] || continue
        policy "$rules" "$order"
        from_here
        # shellcheck disable=SC2086
        seen=$(session --user root --root -- sh "$T/probe.sh" $probes 2>"$T/session")
        # Root is let in all the same, but not into a box that is not what the rules say.
        [ "$expected" != refused ] || ! until_ok 2 log_has 'opening failed: step=paths' || seen=refused
        is "$seen" "$expected" "$rules ($order)" || diag "$(tail -2 "$LOG")"
    done
    rows=$((rows + 1))
done <"$REPO/tests/paths/combinations.tsv"
at_least "$rows" 80 "$rows combinations were tried"
is "$(tree)" "$before" "the host's tree is as it was"

done_testing
