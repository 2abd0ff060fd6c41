#!/bin/bash
# README.md does what it says: every command of its console blocks is run in their order, as root in the folder of the
# sources, and prints what stands below it; every file that it shows is that file.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"
# shellcheck source=../lib/console.sh
. "$LIB/console.sh"

cd "$REPO" || bail_out "no $REPO"

# The machine of README: shell1, with a running sshd, whose users log in by key, and a group of students.
hostname shell1.example
printf '127.0.0.1 localhost\n127.0.1.1 shell1.example shell1\n' >/etc/hosts
groupadd students
usermod --append --groups students alice
pam_service sshd 'session required pam_permit.so'
sed -i '/pam_nsbox/d' /etc/pam.d/sshd
cp /etc/pam.d/sshd "$T/sshd.stack"
ssh_by_key alice
ssh-keygen -A >"$T/null" 2>&1
mkdir -p /run/sshd
printf 'UsePAM yes\nPidFile /run/sshd.pid\n' >/etc/ssh/sshd_config
/usr/sbin/sshd || bail_out "no sshd"
until_ok 10 ssh alice@localhost true || bail_out "nobody can log in"

# A package of the same name as make install's files must not be what is tested.
make -s uninstall >"$T/null" 2>&1
rm -rf "$CONF" "$CONF.d"

# --- The commands ---

# What a test that fetches nothing, and is itself a part of make check, can try of the first commands. They run as they
# are printed, in a minimal system, in tests/fresh/minimal.t.
readme_command() {
    local etc_before
    case $1 in
    apt-get*)
        if command -v apt-get >"$T/null"; then
            ok "README: $1 (simulated)" eval "${1/apt-get update && apt-get/apt-get --simulate}" >"$T/null"
        else
            skip "README: $1" "this is no Debian"
        fi
        ;;
    'make demo')
        etc_before=$(find /etc -printf '%p %s %T@ %m\n' | sort)
        if make demo >"$T/demo" 2>&1; then
            pass "README: $1"
        else
            fail "README: $1" "$(cat "$T/demo")"
        fi
        is "$(demo_shape <"$T/demo")" "$(block demo | demo_shape)" "the demo prints what README shows"
        is "$(find /etc -printf '%p %s %T@ %m\n' | sort)" "$etc_before" "the demo changes nothing in /etc"
        ;;
    'make check')
        # It ends with tests/run, whose last line has README's form. One test of each kind:
        like "$(make --dry-run check | tail -1)" '^NSBOX_TEST_POLICY=[^ ]* tests/run$' "README: $1 (what it ends with)"
        mkdir -p "$T/three/tests/lib"
        cp tests/run "$T/three/tests/run"
        cp tests/lib/capture "$T/three/tests/lib/"
        printf '#!/bin/sh\nprintf "1..3\\nok 1\\nnot ok 2\\nok 3 # SKIP no\\n"\n' >"$T/three/test.t"
        chmod 755 "$T/three/test.t"
        is "$("$T/three/tests/run" ./test.t 2>"$T/null" | tail -1)" \
            "$(grep -o '`N passed, N failed, N skipped`' README.md | tr -d '`' | sed 's/N/1/g')" \
            "the last line counts, in the form that README shows"
        ;;
    *) check_command "$@" ;;
    esac
}
console_commands readme_command <README.md

is "$(cat /etc/pam.d/sshd)" "$(cat "$T/sshd.stack")" "after README's way out the stack of sshd is what it was"
not_ok "after README's way out no configuration is left" test -e "$CONF" -o -e "$CONF.d"
is "$(find /etc /usr /var/lib /run -xdev -name '*nsbox*' ! -path "$REPO/*" ! -path /run/nsbox 2>/dev/null)" '' \
    "after README's way out no file of the project is left"

# --- The files that README shows ---

for file in conf/examples/*.conf conf/recipes/guest.conf; do
    is "$(block "$file")" "$(cat "$file")" "README shows $file as it is"
done

# Made from docs/boxes.dot by graphviz, which is not there to draw it again
is "$(sed -n 's/.*<text[^>]*>\(.*\)<\/text>/\1/p' docs/boxes.svg | sed 's/&#45;/-/g; s/ *$//' | while read -r text; do
    grep -qF "$text" docs/boxes.dot || echo "$text"
done)" '' "the picture says nothing that its source does not"

is "$(block bars)" "$(sed -n '/^bars/,/^$/p' tests/bench/results/results.txt)" "README shows the bars of the last measurement"
is "$(grep -o 'about [0-9]* KiB of the machine' README.md | tr -dc 0-9)" \
    "$(sed -n 's/.*of the machine for each of .* boxes: \([0-9]*\) KiB.*/\1/p' tests/bench/results/results.txt)" \
    "README has the memory of the last measurement"

while read -r link; do
    ok "README's link leads somewhere: $link" test -e "${link%%#*}"
done < <(grep -o '](\([^)]*\))' README.md | sed 's/^](//; s/)$//' | grep -v '^http' | sort -u)

# --- What is said in passing ---

# Every code span and every path between the blocks is tried here. One that this does not know fails.
make -s install >"$T/null" 2>&1
prose=$(awk '/^```/ { on = !on; next } !on' README.md)
accepts() {
    printf '%s\n' "$@" >"$T/said.conf"
    [ -z "$(nsboxctl check "$T/said.conf" 2>&1)" ]
}
echo 'session required pam_nsbox.so' >>/etc/pam.d/sshd
pam_service session
while IFS= read -r span; do
    claim="README says \`$span\`"
    case $span in
    'make '*) like "$(make help)" "  $span +" "$claim" ;;
    'nsboxctl explain alice --service sshd') like "$($span)" '^A login of "alice" by "sshd" gets a box by .*built-in' "$claim" ;;
    'nsboxctl list')
        box_open alice
        like "$($span)" '^BOX +USER .*'$'\n''[a-z2-7]{10} +alice ' "$claim"
        box_close
        ;;
    'nsboxctl check' | 'nsboxctl doctor') is "$($span 2>&1)" '' "$claim" ;;
    'man -l '*) ok "$claim" mandoc -T ascii "${span#man -l }" >"$T/null" ;;
    '/usr/sbin/sshd '*)
        is "$span" "/usr/sbin/sshd$(sed -n 's/^# \/usr\/local\/sbin\/sshd-try//p' README.md) -o PAMServiceName=sshd-try" \
            "$claim, which is the command shown with one option more"
        ;;
    'N passed, N failed, N skipped') ;; # above
    '--quick') ok "$claim" grep -q -- "$span" tests/bench/run ;;
    # This takes systemd.
    'KillUserProcesses=yes' | 'loginctl terminate-session') ok "$claim" grep -q -- "$span" tests/matrix/inside/35-shared.t ;;
    'account required pam_nsbox.so') like "$(tr -s ' ' <conf/pam.d/sshd)" "$span" "$claim" ;;
    students) ok "$claim" getent group students >"$T/null" ;;
    '[default]') ok "$claim" accepts "$span" ;;
    mount | pid | net) ok "$claim" accepts '[default]' "Namespaces = $span" ;;
    *' = '*) ok "$claim" accepts '[default]' "$span" ;;
    'systemctl --user') ok "$claim, which the matrix tries, with systemd" grep -q "$span" tests/matrix/inside/30-systemd.t ;;
    *) fail "$claim" "nothing here tries it" ;;
    esac
done < <(grep -o '`[^`]*`' <<<"$prose" | tr -d '`' | sort -u)
# shellcheck disable=SC2016
while read -r path; do
    ok "README's path is there: $path" test -e "$path"
done < <(sed 's/`[^`]*`//g; s/](\([^)]*\))//g' <<<"$prose" | grep -oE '(^|[ (])/[a-z][a-z./-]*[a-z]' | tr -d ' (' | sort -u)
while read -r page; do
    ok "README's manual page is there: $page" test -s "build/man/$(tr '(' . <<<"${page%)}")"
done < <(grep -oE '[a-z_.-]*nsbox[a-z.-]*\([0-9]\)' README.md | sort -u)
sed -i '/pam_nsbox.so/d' /etc/pam.d/sshd

# Of what is not promised, what no other test has
box_open alice
box_do 'sleep 4021 & disown'
ok "README: outside, a process of the same user may signal those inside" \
    setpriv --reuid alice --regid alice --init-groups pkill -xf 'sleep 4021'
box_close

done_testing
