#!/bin/bash
# The completion of nsboxctl knows every command and option of its table, live boxes, users and columns.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
completion=$(find /usr/local/share/bash-completion /usr/share/bash-completion -name nsboxctl 2>/dev/null | head -1)
ok "the completion is installed" test -s "$completion"

# complete_lines WORD...: what the last word, which may be empty, can become; complete_words: as one line
complete_lines() {
    bash --norc -c '
        . "$1"
        shift
        COMP_WORDS=(nsboxctl "$@") COMP_CWORD=$#
        _nsboxctl nsboxctl "${@: -1}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf "%s\n" "${COMPREPLY[@]}"' complete "$completion" "$@" 2>"$T/err" | sort
    [ ! -s "$T/err" ] || diag "$(cat "$T/err")"
}

complete_words() {
    complete_lines "$@" | xargs
}

# typed TEXT: what the line of a real bash has become behind a TAB
typed() {
    expect_script TYPED="$1" COMPLETION="$completion" INPUTRC=/dev/null <<'END'
spawn bash --norc --noprofile
send ". \"$env(COMPLETION)\"; bind -x '\"\\C-g\": echo \"li''ne <\$READLINE_LINE>\"; READLINE_LINE=\"\"'; PS1='rea''dy> '\r"
want "ready> "
send "$env(TYPED)\t\007"
want "line <\[^>\]*>"
send "exit\r"
finish
END
    tr -d '\r' <"$T/expect.out" | sed -n 's/.*line <\(.*\)>$/\1/p' | tail -n 1
}

# The table: what nsboxctl itself says it has.
commands=$(nsboxctl --print-commands | cut -f 1 | sort | xargs)
is "$(nsboxctl --help | sed -n 's/^  \([a-z]*\)  .*/\1/p' | sort | xargs)" "$commands" "the table has what --help lists"
is "$(complete_words '')" "$(printf '%s\n' $commands --help --version | sort | xargs)" "every command is offered"
is "$(complete_words st)" stop "... by its beginning"
for command in $commands; do
    options=$(nsboxctl --print-commands | sed -n "s/^$command\t//p" | cut -f 3- | tr '|\t' '\n\n' | sed 's/=.*//; /^$/d')
    is "$(complete_words "$command" -)" "$(printf '%s\n' --help $options | sort | xargs)" "every option of $command is offered"
    for option in $options; do
        like "$(nsboxctl "$command" --help)" "(^|[[:space:],])${option}[[:space:],]" "... and $option is in the help of $command"
    done
done
is "$(complete_words list -o HO)" HOSTNAME "columns are offered"
is "$(complete_words list -o BOX,US)" BOX,USER "... behind a comma, too"
is "$(complete_words list --output TT)" TTY "... also behind the long option"
is "$(complete_words list --output = BOX,US)" BOX,USER "... and behind its \"=\", which is a word of its own"
columns=$(nsboxctl --print-columns | xargs)
is "$(nsboxctl list -o "${columns// /,}"; echo $?)" 0 "every column that is offered exists"
is "$(complete_words try ali)" alice "users are offered"
is "$(complete_words enter x -u bo)" bob "... also to enter"
like "$(complete_words try --service ssh)" '(^| )sshd( |$)' "services are offered"
is "$(typed 'nsboxctl try --service=logi')" "nsboxctl try --service=login " "... behind a \"=\", too"
like "$(complete_words try alice -- hostnam)" '(^| )hostname( |$)' "behind -- commands are offered"
box_open alice
id=$(box_do 'echo $NSBOX')
for command in show enter stop; do
    is "$(complete_words "$command" "${id:0:3}")" "$id" "live boxes are offered to $command"
done
box_close
until_ok 5 has_holders 0
is "$(complete_words show '')" "" "... and none that has ended"

# --- Names that others chose ---

mkdir -p "$T/here/folder" "$CONF.d"
for folder in "$T/here" "$CONF.d" /etc/pam.d; do
    touch "$folder/\$(touch owned).conf" "$folder/it's.conf" "$folder/a b.conf"
done
cd "$T/here" || exit
is "$(complete_lines check '')" '$(touch owned).conf
a b.conf
folder
it'"'"'s.conf' "files are offered to check, whatever their names hold"
is "$(complete_lines edit --conf i)" "it's.conf" "... and to --conf"
is "$(complete_lines edit '')" '\$\(touch\ owned\).conf
a\ b.conf
it\'"'"'s.conf' "drop-ins are offered to edit, as they are typed"
like "$(complete_lines try --service '')" '(^|.)a\\ b.conf' "... as are services to --service"
is "$(typed 'nsboxctl check \$')" 'nsboxctl check \$\(touch\ owned\).conf ' "what is completed is no command on the line either"
is "$(typed 'nsboxctl check a\ ')" 'nsboxctl check a\ b.conf ' "what is quoted already is completed"
is "$(typed 'nsboxctl edit --conf fol')" 'nsboxctl edit --conf folder/' "behind a folder comes a slash"
is "$(typed 'nsboxctl list --conf=fol')" 'nsboxctl list --conf=folder/' "... behind a \"=\", too"
is "$(find "$T/here" "$CONF.d" /etc/pam.d -name owned)" "" "no name was run as a command"
rm -r "$CONF.d"
is "$(complete_lines edit '')" "" "without drop-ins none is offered"
mkdir -p "$T/etc/security/nsbox.conf.d"
touch "$T/etc/security/nsbox.conf.d/10-elsewhere.conf"
make -s -C "$REPO" B="$T/build" SYSCONFDIR="$T/etc" "$T/build/completion/nsboxctl" >&2
completion=$T/build/completion/nsboxctl
is "$(complete_words edit 1)" 10-elsewhere.conf "drop-ins are looked for below SYSCONFDIR"

done_testing
