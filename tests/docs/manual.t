#!/bin/bash
# The manual pages say what is: their keys, commands, options and files are the programs' own.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

MAN=/usr/local/share/man

for page in man8/pam_nsbox.8 man5/nsbox.conf.5 man8/nsboxctl.8 man8/nsbox-init.8; do
    ok "make install installs ${page#*/}" test -s "$MAN/$page"
    not_ok "${page#*/} has nothing left to fill in" grep -Eq '@[A-Z]+@' "$MAN/$page"
    if command -v mandoc >"$T/null"; then
        # Whether other packages' pages are installed is not this page's fault.
        is "$(MANPATH=$MAN: mandoc -T lint "$MAN/$page" 2>"$T/null" | grep -v 'referenced manual not found')" '' \
            "mandoc has no complaint about ${page#*/}"
    else
        skip "mandoc has no complaint about ${page#*/}" "mandoc is not installed"
    fi
done

# --- nsbox.conf(5) ---

# Every row of the table is an item of the page: each key is accepted by a configuration that is tried out, and a key
# that the page does not have is refused with the nearest that there is.
page=$MAN/man5/nsbox.conf.5
is "$(sed -n 's/^\.It Cm //p' "$page")" "$(sed -n 's/.*\.name = "\([A-Za-z]*\)".*/\1/p;
    s/.*_ROW( *"\([A-Za-z]*\)".*/\1/p; /_ROW($/{n;s/^[[:space:]]*"\([A-Za-z]*\)".*/\1/p}' "$REPO/pam_nsbox/policy/keys.c")" \
    "nsbox.conf(5) has the keys of the table, in its order"

# The examples of the page are configurations that check accepts.
awk '/^\.Bd/ { on = 1; n++; next } /^\.Ed/ { on = 0 } on { print > ("'"$T"'/example" n ".conf") }' "$page"
for file in "$T"/example*.conf; do
    is "$(nsboxctl check "$file" 2>&1)" '' "check accepts the example in nsbox.conf(5): $(grep -m 1 -o 'policy [a-z]*' "$file")"
done

# What it says of names: the group of this name is matched by this item.
while IFS='|' read -r group item; do
    printf '%s:x:7001:alice\n' "$group" >>/etc/group
    printf '[policy a]\nGroups = %s\n' "$item" >"$T/names.conf"
    is "$(nsboxctl check "$T/names.conf" 2>&1)" '' "check accepts the groups $item"
    like "$(nsboxctl explain alice --conf "$T/names.conf" 2>&1)" 'by policy "a"' "they match a member of $group"
    sed -i '$d' /etc/group
done <<'END'
[IT] Trainees|students, [[]IT] Trainees
C# Devs|"C# Devs, C++ Devs"
C# Devs|'C++ Devs, C# Devs' ; and a comment
O'Brien|O'Brien
DOM\users|DOM\users
DOM\users|DOM\*
a, b|a? b
END

# And of what cannot be written.
while IFS='|' read -r what line; do
    printf '[policy a]\nUsers = alice\n%b\n' "$line" >"$T/names.conf"
    isnt "$(nsboxctl check "$T/names.conf" 2>&1)" '' "check does not accept $what"
done <<END
a comment behind a value without a blank|Hostname = x;y
one item of a list in quotes|ReadOnlyPaths = /srv, "/opt;1"
a backslash in quotes|ReadOnlyPaths = "/srv\\\\"
a line that is continued|ReadOnlyPaths = /srv, \\\\
a line of 1023 bytes|;$(printf '%1022s' '')
a policy's name of 65 bytes|[policy $(printf '%065d' 0)]\nUsers = bob
a policy's name with a dot before it|[policy .b]\nUsers = bob
a policy's name with a slash|[policy b/c]\nUsers = bob
a policy's name with a quotation mark|[policy b"c]\nUsers = bob
a policy of the name default|[policy Default]\nUsers = bob
END
printf '[policy %s]\nUsers = alice\n;%s\n' "$(printf '%064d' 0)" "$(printf '%1021s' '')" >"$T/names.conf"
is "$(nsboxctl check "$T/names.conf" 2>&1)" '' "it accepts a name of 64 bytes, and a line of 1022"

# --- nsboxctl(8) ---

page=$MAN/man8/nsboxctl.8
commands=$(nsboxctl --print-commands | sed 's/\t\t/\t-\t/')
# The synopsis: a command's lines begin with .Nm and .Cm
synopsis=$(awk '/^\.Sh SYNOPSIS/ { on = 1; next } /^\.Sh/ { on = 0 } on' "$page")
is "$(sed -n 's/^\.Cm //p' <<<"$synopsis")" "$(cut -f 1 <<<"$commands")" "nsboxctl(8) has the commands, in their order"
while IFS=$'\t' read -r command arguments _ options; do
    shown=$(awk -v command="$command" '$1 == ".Cm" { on = $2 == command } on' <<<"$synopsis")
    for option in $options; do
        name=${option%%=*}
        name=${name##*|}
        letter=${option%%|*}
        if [[ $letter == -? ]]; then
            ok "nsboxctl(8): $command takes $letter" grep -q -- "^\.Op Fl ${letter#-}\b" <<<"$shown"
        else
            ok "nsboxctl(8): $command takes $name" grep -q -- "^\.Op Fl -${name#--}\b" <<<"$shown"
        fi
    done
    is "$(grep -Ec '^\.Op Fl -?[a-z]' <<<"$shown")" "$(wc -w <<<"$options")" "nsboxctl(8): $command takes no other option"
    for word in ${arguments//[^A-Z -]/}; do
        [[ $word == *[A-Z]* ]] || continue
        ok "nsboxctl(8): $command is called with $word" grep -q "\b$word\b" <<<"$shown"
    done
    ok "nsboxctl(8) tells about $command" grep -q "^\.It Cm $command\b" "$page"
done <<<"$commands"
columns=$(sed -n '/^These columns/,/^\./p' "$page" | grep -v '^\.' | tr '\n' ' ' | grep -o '[A-Z]\{3,\}' | sort)
is "$columns" "$(nsboxctl --print-columns | sort)" "nsboxctl(8) has the columns of list"
is "$(nsboxctl --version)" "nsboxctl $(cat "$REPO/VERSION")" "nsboxctl --version prints VERSION"
like "$(head -1 "$REPO/packaging/debian/changelog")" "^pam-nsbox \($(cat "$REPO/VERSION")\)" "the Debian package has that version"
is "$(sed -n 's/^Version: *//p' "$REPO/packaging/rpm/pam_nsbox.spec")" "$(cat "$REPO/VERSION")" "the RPM package has it"
ok "CHANGELOG.md tells about it" grep -q "^## $(cat "$REPO/VERSION")\$" "$REPO/CHANGELOG.md"
nsboxctl nothing >"$T/null" 2>&1
is "$?" 2 "a wrong call exits with 2"

# --- pam_nsbox(8) and nsbox-init(8) ---

page=$MAN/man8/pam_nsbox.8
for word in conf debug open close; do
    ok "pam_nsbox(8) has the argument $word" grep -q "^\.It Cm $word\b" "$page"
done
configure </dev/null
pam_service session "session required pam_nsbox.so nonsense"
from_here
as_alice true
logged 'unknown argument .nonsense. .*known are conf=PATH, debug, open, close$' "and the module knows these alone"
pam_service session
like "$(as_alice printenv NSBOX)" '^[a-z2-7]{10}$' "NSBOX is as pam_nsbox(8) says"
/usr/local/libexec/nsbox/nsbox-init 3>&-
is "$?" 2 "nsbox-init exits with 2 if it was not started by its maker"
# The events are the first words of what the sources log.
for event in 'not boxed' 'not limited' refused 'let in without a box' 'closing failed' closed; do
    ok "pam_nsbox(8) has the event $event" grep -Eq "^\.It Li (.*, )?$event( ,.*)?\$" "$MAN/man8/pam_nsbox.8"
    ok "and the module logs it" grep -q "\"$event" "$REPO/pam_nsbox/pam_nsbox.c"
done
is "$(sed -nE 's/.*(line_begin|tell_of_lease)\(.*, "([a-z]*)".*;/\2/p' "$REPO/pam_nsbox/init/nsbox-init.c" | sort)" \
    "$(awk '/^\.Sh DIAG/ { on = 1 } on' "$MAN/man8/nsbox-init.8" | sed -n 's/^\.It Li //p' | sed 's/ , /\n/' | sort)" \
    "nsbox-init(8) has the events that nsbox-init logs"
for event in opened left stopped; do
    ok "nsbox-init(8) has the event $event" grep -q "^\.It Li $event" "$MAN/man8/nsbox-init.8"
    logged "nsbox-init: $event box=" "and it is logged"
done

# --- What all of them say ---

# Every command that a page shows is run. pam_nsbox(8) says of its own that no file of /etc/pam.d names the module.
pam_service sshd
for page in "$MAN"/man*/*nsbox*; do
    while read -r line; do
        ok "${page##*/}'s command runs: $line" bash -c "$line" </dev/null >"$T/null" 2>&1
    done < <(sed -nE 's/^(\.Dl )?# //p' "$page")
    while read -r line; do
        printf '[default]\n%s\n' "$line" >"$T/line.conf"
        is "$(nsboxctl check "$T/line.conf" 2>&1)" '' "${page##*/}'s line is accepted: $line"
    done < <(sed -n 's/^\.Dl \([A-Z]\)/\1/p' "$page")
done
is "$(sed -n '/^\.Sh EXAMPLES/,/^\.Ed/p' "$MAN/man8/pam_nsbox.8" | grep pam_nsbox.so)" \
    "$(grep -v '^#' "$REPO/conf/pam.d/sshd")" "pam_nsbox(8)'s example is conf/pam.d/sshd"
echo 'Nonsense' >"$T/line.conf"
like "$(nsboxctl check "$T/line.conf" 2>&1)" "^$T/line.conf:1: [^ ]" "what check says has the form file:line: message, as nsboxctl(8) says"

# Every path that a page names is there, made by what the page says, or known here to be somebody else's.
configure <<'END'
[default]
PrivateTmp = user
END
as_alice true
while read -r path; do
    case $path in
    FILE.d/\*.conf)
        mkdir "$T/line.conf.d"
        : >"$T/line.conf"
        echo 'Nonsense' >"$T/line.conf.d/x.conf"
        like "$(nsboxctl check "$T/line.conf" 2>&1)" "^$T/line.conf.d/x.conf:1: " "check FILE reads $path"
        ;;
    .d | nsbox.conf.d) ok "a path of the pages is there: $path" test -d "$CONF.d" ;;
    /etc/netns) ok "the box's code names $path of ip-netns(8)" grep -q "\"$path" "$REPO/pam_nsbox/box/network.c" ;;
    *\*.conf) ok "a path of the pages is there: ${path%/*}" test -d "${path%/*}" ;;
    /run/nsbox) is "$(stat -c '%U %a' "$path"; ls -A "$path")" 'root 700' "$path is root's, and holds no files" ;;
    /*) ok "a path of the pages is there: $path" test -e "$path" ;;
    *) fail "a path of the pages: $path" "nothing here tries it" ;;
    esac
done < <(sed -n 's/^\.\(It \)\{0,1\}Pa //p; s/.* Ns Pa \([^ ]*\).*/\1/p' "$MAN"/man*/*nsbox* | sed 's/ , Pa /\n/g; s/ [.,:]$//' | sort -u)

done_testing
