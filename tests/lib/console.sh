# shellcheck shell=bash
# README.md's console blocks, run as they are printed, as root in the folder of the sources. To be sourced after tap.sh.

# console_commands FUNCTION <FILE: calls FUNCTION COMMAND EXPECTED for every command, in their order. A command begins
# with "# "; a line that is neither one nor part of a here-document is output that is expected of it.
console_commands() {
    local function=$1 line command='' expected='' in_block=0 until_line=''
    flush() {
        [ -z "$command" ] || "$function" "$command" "$expected" </dev/null
        command='' expected=''
    }
    while IFS= read -r line; do
        case $in_block:$line in
        '0:```console') in_block=1 ;;
        '1:```')
            in_block=0
            flush
            ;;
        1:*)
            if [ -n "$until_line" ]; then
                command+=$'\n'$line
                [ "$line" != "$until_line" ] || until_line=''
            elif [[ $line == '# '* ]]; then
                flush
                command=${line#'# '}
                [[ $command != *"<<'END'"* ]] || until_line=END
            else
                expected+=${expected:+$'\n'}$line
            fi
            ;;
        esac
    done
}

# OpenSSH 9.8 and later takes the PAM service's name as an option, which README says too.
modern_sshd() {
    /usr/sbin/sshd -G -o PAMServiceName=x >/dev/null 2>&1 || /usr/sbin/sshd -T -o PAMServiceName=x >/dev/null 2>&1
}

# check_command COMMAND EXPECTED: it succeeds, and prints that
check_command() {
    local command=$1 expected=$2 claim="README: ${1%%$'\n'*}" output status
    if modern_sshd; then
        [[ $command != /usr/local/sbin/sshd-try* ]] || command=$(grep -o '`/usr/sbin/sshd [^`]*`' README.md | tr -d '`')
        expected=${expected//sshd-try/sshd-session}
    fi
    # A server's children would hold a pipe open.
    output=$(mktemp)
    eval "$command" >"$output" 2>&1 </dev/null
    status=$?
    # A server that was started listens a moment later.
    case $command in
    *sshd*2222*) until_ok 10 test -s /run/sshd-try.pid ;;
    esac
    if [ "$status" -ne 0 ]; then
        fail "$claim" "exit status $status" "$(cat "$output")"
    elif [ -z "$expected" ] && [[ $command == make* ]]; then
        # make tells what it does, and it is not worth a line. All else that is shown without output prints nothing.
        pass "$claim"
    else
        is "$(sed 's/[[:space:]]*$//' "$output" | tr -s ' ')" "$(tr -s ' ' <<<"$expected")" "$claim"
    fi
    rm -f "$output"
}

# block MARK: the block of README.md behind the line <!-- MARK -->
block() {
    awk -v mark="<!-- $1 -->" '$0 == mark { found = 1; next } found && /^```/ { if (inside++) exit; next } inside' README.md
}

# demo_shape <OUTPUT: what the demo shows, without what differs from run to run: numbers, times, hosts' names and first
# processes
demo_shape() {
    sed -nE '/this machine/,/^Both/p' | sed -E 's/process 1 .*/process 1/; s/^host name .*/host name/
        s/[0-9]{2}:[0-9]{2}(:[0-9]{2})?/TIME/g; s/[0-9]+/N/g; s/ +/ /g; s/ $//'
}

# ssh_by_key USER...: root logs in as these with ssh, by a key and without a question
ssh_by_key() {
    local user home
    install -d -m 700 /root/.ssh
    rm -f /root/.ssh/id_ed25519
    ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
    for user; do
        home=$(getent passwd "$user" | cut -d: -f6)
        install -d -m 700 -o "$user" "$home/.ssh"
        install -m 600 -o "$user" /root/.ssh/id_ed25519.pub "$home/.ssh/authorized_keys"
    done
    printf '%s\n' 'Host localhost' ' HostName 127.0.0.1' ' UserKnownHostsFile /dev/null' ' StrictHostKeyChecking no' \
        ' LogLevel ERROR' ' BatchMode yes' >/root/.ssh/config
}
