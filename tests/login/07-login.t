#!/bin/bash
# login on a pseudo-terminal: a password, a shell with job control, a logout; and a terminal that hangs up.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

# No pam_rootok: the one who types is asked for the password.
printf '%s\n' 'auth required pam_unix.so' 'account required pam_unix.so' 'session required pam_unix.so' \
    'session required pam_nsbox.so' >/etc/pam.d/login
echo alice:secret | chpasswd
snapshot
from_here

whole_login() {
    expect_script <<'END'
spawn login alice
want "assword:"
send "secret\r"
want "\\$ "
send "PS1='prom''pt> '\r"
want "prompt> "
send "echo box=\$NSBOX. host=\$(hostname).\r"
want "box=\[a-z2-7\]{10}\\. host=host-alice\\."
want "prompt> "
send "echo tty=\$(tty). first=\$(cat /proc/1/comm).\r"
want "tty=/dev/pts/\[0-9\]+\\. first=nsbox-init\\."
want "prompt> "
send "sleep 4601\r"
sleep 0.3
send "\032"
want "Stopped"
want "prompt> "
send "fg\r"
want "sleep 4601"
sleep 0.3
send "\003"
want "prompt> "
send "echo status=\$?.\r"
want "status=130\\."
want "prompt> "
send "exit\r"
finish
END
}
ok "login takes a password, opens a box, has job control and a clean end" whole_login || diag "$(cat "$T/expect.out")"
logged 'session closed for user alice' "the session was closed, so login did not wait for a stranger"
nothing_left "nothing is left after the logout"

wrong_password() {
    expect_script <<'END'
spawn login alice
want "assword:"
send "wrong\r"
want "ncorrect"
END
}
ok "a wrong password is a wrong password still" wrong_password || diag "$(cat "$T/expect.out")"
until_ok 5 not pgrep -x login >/dev/null
nothing_left "a login that failed leaves nothing"

# The expect program ends without a word: the terminal is gone, and the kernel sends SIGHUP.
hang_up() {
    expect_script <<'END'
spawn login -f alice
want "\\$ "
send "nohup sleep 4602 >/dev/null 2>&1 &\r"
want "\\$ "
send "echo ready-\$((40 + 2))\r"
want "ready-42"
exit 0
END
}
ok "a terminal hangs up" hang_up || diag "$(cat "$T/expect.out")"
nothing_left "nothing is left after the hang-up, a nohup job neither" 8

done_testing
