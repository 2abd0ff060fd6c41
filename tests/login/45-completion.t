#!/bin/bash
# The completion of nsboxctl knows every command and option of its table, live boxes, users and columns.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session
completion=$(find /usr/local/share/bash-completion /usr/share/bash-completion -name nsboxctl 2>/dev/null | head -1)
ok "the completion is installed" test -s "$completion"

# complete WORD...: what the last word, which may be empty, can become, as one line
complete_words() {
    bash --norc -c '
        . "$1"
        shift
        COMP_WORDS=(nsboxctl "$@") COMP_CWORD=$#
        _nsboxctl nsboxctl "${@: -1}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf "%s\n" "${COMPREPLY[@]}"' complete "$completion" "$@" 2>"$T/err" | sort | xargs
    [ ! -s "$T/err" ] || diag "$(cat "$T/err")"
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
columns=$(nsboxctl --print-columns | xargs)
is "$(nsboxctl list -o "${columns// /,}"; echo $?)" 0 "every column that is offered exists"
is "$(complete_words try ali)" alice "users are offered"
is "$(complete_words enter x -u bo)" bob "... also to enter"
like "$(complete_words try --service ssh)" '(^| )sshd( |$)' "services are offered"
like "$(complete_words try alice -- hostnam)" '(^| )hostname( |$)' "behind -- commands are offered"
box_open alice
id=$(box_do 'echo $NSBOX')
for command in show enter stop; do
    is "$(complete_words "$command" "${id:0:3}")" "$id" "live boxes are offered to $command"
done
box_close
is "$(complete_words show '')" "" "... and none that has ended"

done_testing
