#!/bin/bash
# nsboxctl check and explain as an administrator calls them.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

# check FILE...: its standard error in $T/err; prints its status and how much it wrote to standard output
check() {
    local status
    nsboxctl check "$@" >"$T/out" 2>"$T/err"
    status=$?
    echo "$status $(wc -c <"$T/out")"
}

# --- The corpus of broken files ---

cp -r "$REPO/tests/policy/broken" "$T/broken"
cd "$T/broken" || bail_out "no corpus"
count=0
for conf in [0-9]*.conf; do
    [ -f "$conf" ] || continue
    count=$((count + 1))
    is "$(check "$conf") $(<"$T/err")" "1 0 $(<"${conf%.conf}.expected")" "check says exactly what is wrong: ${conf%.conf}"
done
at_least "$count" 60 "the corpus has 60 files and more"

if with_sanitizers; then
    skip "valgrind finds nothing wrong in check" "valgrind does not run what AddressSanitizer runs"
elif command -v valgrind >/dev/null; then
    for conf in 001* 013* 034* 052* 069* 079* 097* 098* 100* 102* 103* 105* 106*; do
        case $conf in *.conf) ;; *) continue ;; esac
        [ -f "$conf" ] || continue
        valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect,possible \
            --log-file="$T/valgrind" nsboxctl check "$conf" >/dev/null 2>"$T/err"
        is "$? $(<"$T/valgrind")" "1 " "valgrind finds nothing wrong in check: ${conf%.conf}"
    done
    valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect,possible \
        --log-file="$T/valgrind" nsboxctl explain alice >/dev/null 2>"$T/err"
    is "$? $(<"$T/valgrind")" "0 " "valgrind finds nothing wrong in explain"
else
    skip "valgrind finds nothing wrong in check" "no valgrind"
fi
cd / || exit 1

# --- Which file ---

rm -f "$CONF"
is "$(check)" "0 0" "without a file nothing is wrong"
configure <<'END'
[policy a]
Users = alice
END
is "$(check)" "0 0" "of a good configuration check says nothing and exits with 0"
is "$(check "$CONF")" "0 0" "... by its name, too"
printf '[policy b]\nUsers = bob\nScpoe = user\n' >"$CONF.d/10-b.conf"
is "$(check) $(<"$T/err")" "1 0 $CONF.d/10-b.conf:3: the key \"Scpoe\" is not known; did you mean Scope?" \
    "a drop-in's mistake is found"
rm "$CONF.d/10-b.conf"
chmod 666 "$CONF"
like "$(check) $(<"$T/err")" "^1 0 $CONF:1: others than root may write the file \(mode 0666\)" "of the installed file it matters who may write it"
like "$(check "$CONF") $(<"$T/err")" "^1 0 $CONF:1: others than root may write" "... by its name, too"
chmod 644 "$CONF"
mkdir -m 777 "$T/drafts"
printf '[policy a]\nUsers = alice\n' >"$T/drafts/draft.conf"
chown alice "$T/drafts/draft.conf"
is "$(check "$T/drafts/draft.conf")" "0 0" "a draft may belong to anybody"
printf '[policy a]\nUsers = alice\nScope = x\n' >"$T/drafts/bad.conf"
is "$(check "$T/drafts/draft.conf" "$T/drafts/bad.conf" "$T/drafts/none.conf") $(wc -l <"$T/err")" "1 0 2" "each of several files is checked"
like "$(<"$T/err")" "none.conf cannot be checked: No such file" "a file that is named and not there is said to be so"
mkfifo "$T/drafts/fifo"
like "$(check "$T/drafts/fifo") $(<"$T/err")" "^1 0 $T/drafts/fifo:1: it is a FIFO" "a FIFO is refused, not waited for"
printf 'x\n' >"$T/drafts/"$'evil\e[31m\n.conf'
is "$(check "$T/drafts/"$'evil\e[31m\n.conf') $(wc -l <"$T/err") $(tr -d '\n' <"$T/err" | tr -dc '\000-\037' | wc -c)" "1 0 1 0" \
    "a file's name cannot write to the terminal"
is "$(setpriv --reuid alice --clear-groups nsboxctl check "$CONF" 2>&1)" "" "anybody may check what anybody may read"
for call in "check --nonsense" "explain" "explain alice bob" "explain --service" "edit a b"; do
    # shellcheck disable=SC2086
    nsboxctl $call >"$T/out" 2>"$T/err"
    is "$? $(wc -l <"$T/err") $(wc -c <"$T/out")" "2 1 0" "a wrong call is exit status 2 and one line on stderr: nsboxctl $call"
done

# --- explain, as text ---

configure <<'END'
[default]
Propagation = rprivate

[policy guests]
Users = guest*

[policy door]
Services = login

[policy students]
Users      = alice
Hostname   = "%l of %u"
ReadOnlyPaths = %h/keep, -/opt
END
text=$(nsboxctl explain alice)
is "$?" 0 "explain exits with 0 for a login that would get a box"
like "$text" "^A login of \"alice\" by \"sshd\" gets a box by policy \"students\", $CONF:10\." "the first line says who decides"
like "$text" "guests +$CONF:4 +no +its Users do not fit" "each earlier policy is named, with the reason: Users"
like "$text" "door +$CONF:7 +no +its Services do not fit" "... Services"
like "$text" "students +$CONF:10 +yes +it fits" "... and the one that decides"
like "$text" "Hostname +%l of %u +host-of-alice +$CONF:12" "a setting has its value, what it is for this login, and its line"
like "$text" "ReadOnlyPaths +%h/keep, -/opt +/home/alice/keep, -/opt +$CONF:13" "paths are shown with their specifiers filled in"
like "$text" "Propagation +rprivate +rprivate +$CONF:2" "what [default] gives has [default]'s line"
like "$text" "Scope +login +login +built-in" "what nobody says is built in"
is "$(sed -n '/^SETTING/,$p' <<<"$text" | wc -l)" "$(($(nsboxctl explain alice --json | grep -c '"key"') + 1))" "text and JSON have the same settings"
like "$(nsboxctl explain alice --service sudo)" "sudo signals its command by number" "for sudo it says that there is no PID namespace"
like "$(nsboxctl explain alice --service sudo)" "Namespaces +mount, uts, ipc, pid +mount, uts, ipc +built-in" "... and shows what is left"
like "$(nsboxctl explain alice --service systemd-user)" "gets no box: a service manager" "systemd-user gets no box"
pam_service session
from_here
session --user alice --service Session -- true 2>/dev/null
logged 'policy="students" .*service="session"' "to libpam Session is session"
like "$(nsboxctl explain alice --service Session)" '^A login of "alice" by "session" ' "... and so it is to explain"
like "$(nsboxctl explain alice --caller /usr/bin/sudo)" "sudo signals" "the calling program counts, too"
like "$(nsboxctl explain root)" "gets no box: uid 0 is boxed only" "root gets no box"
nsboxctl explain nobody-of-that-name >"$T/out" 2>"$T/err"
is "$? $(wc -l <"$T/err")" "1 0" "a login that would be refused is exit status 1"
like "$(<"$T/out")" 'is refused \(OnError = deny\): no user "nobody-of-that-name"' "... and says why"
like "$(nsboxctl explain $'a\e[31m\nb')" '^A login of "a.x1b.31m.x0ab" by' "a hostile name cannot write to the terminal"
ok "JSON of a name that is no UTF-8 is JSON" \
    bash -c "nsboxctl explain --json \$'a\\xff' | perl -MJSON::PP -e 'local \$/; JSON::PP->new->utf8->decode(<STDIN>)'"
nsboxctl explain alice >/dev/full 2>"$T/err"
is "$? $(wc -l <"$T/err")" "1 1" "a full disk does not pass for success"

done_testing
