#!/bin/bash
# README.md does what it says: every command of its console blocks is run in their order, as root in the folder of the
# sources, and prints what stands below it; every file that it shows is that file.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

cd "$REPO" || bail_out "no $REPO"

# The machine of README: shell1, with a running sshd, whose users log in by key, and a group of students.
hostname shell1.example
printf '127.0.0.1 localhost\n127.0.1.1 shell1.example shell1\n' >/etc/hosts
groupadd students
usermod --append --groups students alice
pam_service sshd 'session required pam_permit.so'
sed -i '/pam_nsbox/d' /etc/pam.d/sshd
cp /etc/pam.d/sshd "$T/sshd.stack"
start_sshd
stop_sshd
mkdir -p /etc/ssh /root/.ssh
sed '/^Port/d; /^PidFile/d' "$T/sshd_config" >/etc/ssh/sshd_config
cat >"$T/ssh_config" <<END
Host localhost
    HostName 127.0.0.1
    IdentityFile $T/key
    UserKnownHostsFile /dev/null
    StrictHostKeyChecking no
    LogLevel ERROR
    BatchMode yes
END
install -m 600 "$T/ssh_config" /root/.ssh/config
/usr/sbin/sshd || bail_out "no sshd"
until_ok 10 ssh alice@localhost true || bail_out "nobody can log in"

# A package of the same name as make install's files must not be what is tested.
make -s uninstall >/dev/null 2>&1
rm -rf "$CONF" "$CONF.d"

# OpenSSH 9.8 and later takes the PAM service's name as an option, which README says too.
modern_sshd() {
    /usr/sbin/sshd -G -o PAMServiceName=x >/dev/null 2>&1 || /usr/sbin/sshd -T -o PAMServiceName=x >/dev/null 2>&1
}

# What this test does not run again, and why
is_left_out() {
    case $1 in
    apt-get*) REASON='tests do not fetch packages' ;;
    'make demo') REASON='it has a test of its own below' ;;
    'make check') REASON='this is a part of it' ;;
    *) return 1 ;;
    esac
}

# run COMMAND: what it prints in OUTPUT
run() {
    local command=$1
    if modern_sshd && [[ $command == /usr/local/sbin/sshd-try* ]]; then
        command="/usr/sbin/sshd ${command#* } -o PAMServiceName=sshd-try"
    fi
    eval "$command" >"$T/output" 2>&1 </dev/null
    STATUS=$?
    OUTPUT=$(sed 's/[[:space:]]*$//' "$T/output")
    # A server that was started listens a moment later.
    case $command in
    *sshd*2222*) until_ok 10 test -s /run/sshd-try.pid ;;
    esac
}

check_command() {
    local command=$1 expected=$2 claim="README: ${1%%$'\n'*}"
    if is_left_out "$command"; then
        skip "$claim" "$REASON"
        return
    fi
    run "$command"
    if [ "$STATUS" -ne 0 ]; then
        fail "$claim" "exit status $STATUS" "$OUTPUT"
        return
    fi
    # Most commands that are shown without output print nothing; make tells what it does, and it is not worth a line.
    if [ -z "$expected" ] && [[ $command == make* ]]; then
        pass "$claim"
        return
    fi
    if modern_sshd; then
        expected=${expected//sshd-try/sshd-session}
    fi
    is "$(tr -s ' ' <<<"$OUTPUT")" "$(tr -s ' ' <<<"$expected")" "$claim"
}

# Commands begin with "# "; a line that is neither one nor part of a here-document is expected output.
command='' expected='' in_block=0 until_line=''
flush() {
    [ -z "$command" ] || check_command "$command" "$expected"
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
done <README.md
flush

is "$(cat /etc/pam.d/sshd)" "$(cat "$T/sshd.stack")" "after README's way out the stack of sshd is what it was"
not_ok "after README's way out no configuration is left" test -e "$CONF" -o -e "$CONF.d"
is "$(find /etc /usr /var/lib /run -xdev -name '*nsbox*' ! -path "$REPO/*" ! -path /run/nsbox 2>/dev/null)" '' \
    "after README's way out no file of the project is left"

# --- The files that README shows ---

# block MARK: the block behind the line <!-- MARK -->
block() {
    awk -v mark="<!-- $1 -->" '$0 == mark { found = 1; next } found && /^```/ { if (inside++) exit; next } inside' README.md
}
for file in conf/examples/*.conf conf/recipes/guest.conf; do
    is "$(block "$file")" "$(cat "$file")" "README shows $file as it is"
done

is "$(block bars)" "$(sed -n '/^bars/,/^$/p' tests/bench/results/results.txt)" "README shows the bars of the last measurement"
is "$(grep -o 'about [0-9]* KiB of the machine' README.md | tr -dc 0-9)" \
    "$(sed -n 's/.*of the machine for each of .* boxes: \([0-9]*\) KiB.*/\1/p' tests/bench/results/results.txt)" \
    "README has the memory of the last measurement"

while read -r link; do
    ok "README's link leads somewhere: $link" test -e "${link%%#*}"
done < <(grep -o '](\([^)]*\))' README.md | sed 's/^](//; s/)$//' | grep -v '^http' | sort -u)

# --- The demo ---

# shape: what stays the same from run to run: no numbers, times, names of hosts and first processes
shape() {
    sed -E 's/process 1 .*/process 1/; s/^host name .*/host name/; s/[0-9]{2}:[0-9]{2}(:[0-9]{2})?/TIME/g; s/[0-9]+/N/g; s/ +/ /g; s/ $//'
}
etc_before=$(find /etc -printf '%p %s %T@ %m\n' | sort)
if packaging/demo >"$T/demo" 2>&1; then
    pass "the demo runs through"
else
    fail "the demo runs through" "$(cat "$T/demo")"
fi
is "$(sed -n '/this machine/,/^Both/p' "$T/demo" | shape)" "$(block demo | shape)" "the demo prints what README shows"
is "$(find /etc -printf '%p %s %T@ %m\n' | sort)" "$etc_before" "the demo changes nothing in /etc"

done_testing
