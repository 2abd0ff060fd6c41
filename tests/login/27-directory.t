#!/bin/bash
# Users and groups of a real directory (slapd, asked through nslcd): names with spaces and capitals, a user of five hundred
# groups, and a directory that is down, or hangs, at the very moment of a login. Such a login is refused, or let in
# where OnError says so, within the resolver's time; it is never boxed by a guess.

# shellcheck source=../lib/directory.sh
. "$(dirname "$0")/../lib/directory.sh"
# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

# group NAME NUMBER [MEMBER...], user NAME NUMBER GROUP: entries
group() {
    printf 'dn: cn=%s,dc=example\nobjectClass: posixGroup\ncn: %s\ngidNumber: %s\n' "$1" "$1" "$2"
    shift 2
    [ $# -eq 0 ] || printf 'memberUid: %s\n' "$@"
    echo
}

user() {
    printf 'dn: uid=%s,dc=example\nobjectClass: account\nobjectClass: posixAccount\nuid: %s\ncn: %s\n' "$1" "$1" "$1"
    printf 'uidNumber: %s\ngidNumber: %s\nhomeDirectory: /home/%s\nloginShell: /bin/bash\n\n' "$2" "$3" "$1"
}

start_directory < <(
    printf 'dn: dc=example\nobjectClass: domain\ndc: example\n\n'
    group 'Domain Users' 60000 alice
    group 'Staff of Building B' 60001 mona
    user lena 50001 60000
    user mona 50002 60002
    group 'mixed Case' 60002
    user Nora 50003 60002
    user max 50004 60002
    for ((i = 0; i < 500; i++)); do
        group "$(printf 'Unit %03d' "$i")" "$((61000 + i))" max
    done
)

configure <<'END'
[policy local]
Users    = bob
Hostname = local

[policy wrong-case]
Groups   = domain users, MIXED CASE, unit 499
Hostname = wrong

[policy domain]
Groups   = Domain Users, Staff of *
Hostname = domain

[policy last-unit]
Groups   = Unit 499
Hostname = unit

[policy mixed]
Groups   = mixed Case
Users    = Nora
Hostname = nora
END
pam_service session

# hostname_of USER: as its login finds it
hostname_of() {
    session --user "$1" -- hostname 2>"$T/session" 3>&-
}

# --- The directory answers ---

is "$(hostname_of lena)" domain "a primary group with a space and capitals fits, and in its own case alone"
is "$(hostname_of mona)" domain "a glob fits a group with spaces by membership"
is "$(hostname_of alice)" domain "a user of this host is in a group of the directory"
is "$(hostname_of Nora)" nora "a user's name with a capital fits"
is "$(session --user max -- id -G 2>/dev/null 3>&- | wc -w)" 501 "a user has 501 groups in the box"
is "$(hostname_of max)" unit "of 501 groups the last one decides"
# The fastest of three: a machine that is busy with something else only adds to it.
fastest=
for _ in 1 2 3; do
    start=$(milliseconds)
    hostname_of max >/dev/null
    elapsed=$(($(milliseconds) - start))
    [ -n "$fastest" ] && [ "$fastest" -le "$elapsed" ] || fastest=$elapsed
done
at_most "$fastest" 3000 "a login of a user of 501 groups takes at most 3 s"
like "$(nsboxctl explain max --service session)" 'Groups: .*Unit 000, .*Unit 499' "explain names all groups"
is "$(nsboxctl explain lena --service session --json | grep -c '"Domain Users"')" 1 "explain has the group as the directory writes it"

# --- The directory is away ---

# away HOW SECONDS USER...: what becomes of logins then; each in its time, and none in a box
away() {
    local how=$1 limit=$2 user start elapsed
    shift 2
    for user; do
        until_ok 5 has_holders 0
        start=$(milliseconds)
        from_here
        hostname_of "$user" >"$T/out"
        is "$? $(<"$T/out")" "120 " "$how: a login of $user is refused"
        elapsed=$(($(milliseconds) - start))
        at_most "$elapsed" $((limit * 1000)) "$how: ... within $limit s"
        diag "$how: $user: $elapsed ms: $(log | grep -m 1 -o 'no policy: .*')"
        logged "refused.*user=\"$user\".*no policy: .*(ldap|nsswitch|directory|no user)" "$how: ... and the log says why"
        is "$(count_holders)" 0 "$how: ... and no box was made"
    done
    is "$(session --user root -- echo in 2>/dev/null 3>&-)" in "$how: root gets in"
    is "$(hostname_of bob)" local "$how: a policy that needs no groups decides as ever"
}

# let_in HOW USER...: with OnError = allow in every section
let_in() {
    local how=$1 user
    shift
    cp "$CONF" "$T/kept.conf"
    sed -i 's/^Hostname.*/&\nOnError = allow/' "$CONF"
    printf '[default]\nOnError = allow\n' >>"$CONF"
    for user; do
        is "$(session --user "$user" -- hostname 2>/dev/null 3>&-)" host.example "$how: with OnError = allow $user is let in, unboxed"
    done
    # One policy that may decide, and says deny, is enough.
    sed -i '/policy last-unit/,/OnError/s/OnError.*/OnError = deny/' "$CONF"
    for user; do
        is "$(session --user "$user" -- hostname 2>/dev/null 3>&-; echo $?)" 120 "$how: ... unless one policy that may be the user's says deny"
    done
    cp "$T/kept.conf" "$CONF"
}

back() {
    ok "$1: when it is back a login is as before" until_ok 15 is_domain
}

is_domain() {
    [ "$(hostname_of alice)" = domain ] && [ "$(hostname_of lena)" = domain ]
}

kill "$SLAPD"
until_ok 5 gone "$SLAPD"
away "slapd is down" 5 alice lena
let_in "slapd is down" alice
start_slapd
back "slapd was down"

kill -STOP "$SLAPD"
away "slapd hangs" 10 alice lena
let_in "slapd hangs" alice
kill -CONT "$SLAPD"
back "slapd hung"

kill "$NSLCD"
wait "$NSLCD" 2>/dev/null
away "nslcd is down" 5 alice lena
let_in "nslcd is down" alice
start_nslcd
back "nslcd was down"

# nslcd's own client waits a minute for an answer, for each question (nss-pam-ldapd, nss/common.h), so these two wait
# side by side; nothing else in the stack asks.
echo 'session required pam_nsbox.so' >/etc/pam.d/bare
kill -STOP "$NSLCD"
waiting=()
for user in alice lena; do
    (
        start=$(milliseconds)
        session --service bare --user "$user" -- hostname >"$T/hang.$user" 2>/dev/null 3>&-
        echo "$? $(<"$T/hang.$user")" >"$T/status.$user"
        echo $(($(milliseconds) - start)) >"$T/time.$user"
    ) &
    waiting+=($!)
done
is "$(hostname_of bob)" local "nslcd hangs: a policy that needs no groups decides as ever"
wait "${waiting[@]}"
kill -CONT "$NSLCD"
for user in alice lena; do
    is "$(<"$T/status.$user")" "120 " "nslcd hangs: a login of $user is refused"
    at_most "$(<"$T/time.$user")" 70000 "nslcd hangs: ... after its time limit, once"
    diag "nslcd hangs: $user: $(<"$T/time.$user") ms"
done
back "nslcd hung"

ok "no box is left" until_ok 10 has_holders 0

done_testing
