# shellcheck shell=bash
# The applications: how each is made to run `probe NAME`. has_NAME says why not where a system does not have it.

# name, user, what is expected, PAM service
APPLICATIONS=(
    'ssh alice box sshd'
    'ssh_pty alice box sshd'
    'sftp alice box sshd'
    'ssh_keyboard alice box sshd'
    'login alice box login'
    'su alice box su'
    'su_login alice box su-l'
    'su_pty alice box su'
    'runuser alice box runuser'
    'runuser_login alice box runuser-l'
    'sudo alice no-pid sudo'
    'sudo_pty alice no-pid sudo'
    'sudo_login alice no-pid sudo(-i)?'
    'cron alice box cron'
    'cronie alice box cron(ie)?'
    'atd alice box atd'
    'systemd_run alice no-box matrix'
    'run0 alice no-box systemd-run0'
)

declare -A CLAIMS=(
    [ssh]='sshd without a terminal'
    [ssh_pty]='sshd with a terminal'
    [sftp]='sshd, sftp'
    [ssh_keyboard]='sshd, keyboard-interactive'
    [login]='login on a pseudo-terminal'
    [su]='su'
    [su_login]='su -'
    [su_pty]='su --pty'
    [runuser]='runuser'
    [runuser_login]='runuser -'
    [sudo]='sudo without use_pty (no PID namespace)'
    [sudo_pty]='sudo with use_pty (no PID namespace)'
    [sudo_login]='sudo -i (no PID namespace)'
    [cron]='cron'
    [cronie]='cronie'
    [atd]='atd'
    [systemd_run]='systemd-run -p PAMName= (not boxed, and says so)'
    [run0]='run0 (not boxed, and says so)'
)

# has PROGRAM: or why not
has() {
    command -v "$1" >/dev/null || { echo "this system has no $1"; return 1; }
}

has_ssh() { :; }
run_ssh() { ssh_as alice /usr/local/bin/probe "$1"; }

has_ssh_pty() { :; }
run_ssh_pty() { on_pty ssh "${SSH_OPTIONS[@]}" -tt alice@127.0.0.1 /usr/local/bin/probe "$1"; }

# sftp runs no command: what it uploads is what it sees. Its /proc shows where it is.
has_sftp() { :; }
run_sftp() {
    local name=$1 box
    printf '%s\n' "get /proc/1/comm $T/comm" "get /proc/sys/kernel/hostname $T/hostname" |
        timeout $((30 * SLOW)) sftp "${SSH_OPTIONS[@]}" -a -b - alice@127.0.0.1
    # The rest of a box's facts cannot be read by sftp; they are taken from the log, which names the namespaces.
    box=different
    log_has 'opened .*namespaces="mount,uts,ipc,pid"' || box=unknown
    {
        printf '%s\n' "mnt=$box" "uts=$box" "ipc=$box" "pid=$box" user=alice
        echo "hostname=$(cat "$T/hostname")"
        echo "init=$(cat "$T/comm")"
    } >"$PROBES/$name.new"
    [ ! -s "$T/comm" ] || mv "$PROBES/$name.new" "$PROBES/$name"
    rm -f "$T/comm" "$T/hostname"
}

has_ssh_keyboard() { :; }
run_ssh_keyboard() {
    printf '#!/bin/sh\necho secret-of-alice\n' >"$T/askpass"
    chmod 700 "$T/askpass"
    SSH_ASKPASS=$T/askpass SSH_ASKPASS_REQUIRE=force DISPLAY=none timeout $((30 * SLOW)) setsid --wait \
        ssh "${SSH_OPTIONS[@]}" -o PreferredAuthentications=keyboard-interactive -o PubkeyAuthentication=no \
        alice@127.0.0.1 /usr/local/bin/probe "$1"
}

# login hangs its terminal up and opens it again. If nobody had it open in between, that would be its end for expect.
has_login() { :; }
run_login() {
    timeout $((40 * SLOW)) expect -c "
        set timeout $((15 * SLOW))
        spawn -noecho login alice
        set keeper [exec sleep 1000 <\$spawn_out(slave,name) &]
        expect {assword:}
        exec kill \$keeper
        send secret-of-alice\r
        expect -re {[$] ?$} { send \"/usr/local/bin/probe $1\r\" }
        sleep 1
        expect -re {[$] ?$} { send exit\r }
        expect eof"
}

has_su() { :; }
run_su() { timeout $((30 * SLOW)) su alice -c "/usr/local/bin/probe $1"; }

has_su_login() { :; }
run_su_login() { timeout $((30 * SLOW)) su - alice -c "/usr/local/bin/probe $1"; }

has_su_pty() { :; }
run_su_pty() { on_pty su --pty alice -c "/usr/local/bin/probe $1"; }

has_runuser() { :; }
run_runuser() { timeout $((30 * SLOW)) runuser alice -c "/usr/local/bin/probe $1"; }

has_runuser_login() { :; }
run_runuser_login() { timeout $((30 * SLOW)) runuser - alice -c "/usr/local/bin/probe $1"; }

has_sudo() { :; }
run_sudo() {
    printf '%s\n' 'Defaults !fqdn, !use_pty' >/etc/sudoers.d/matrix
    on_pty sudo -u alice /usr/local/bin/probe "$1"
}

has_sudo_pty() { :; }
run_sudo_pty() {
    printf '%s\n' 'Defaults !fqdn, use_pty' >/etc/sudoers.d/matrix
    on_pty sudo -u alice /usr/local/bin/probe "$1"
}

has_sudo_login() { :; }
run_sudo_login() { timeout $((30 * SLOW)) sudo -i -u alice /usr/local/bin/probe "$1"; }

# run_crontab DAEMON NAME: cron's @reboot jobs run as soon as it starts, and nobody need wait for the next minute
run_crontab() {
    local daemon=$1 pid
    systemctl stop cron
    rm -f /run/crond.reboot /run/cron.reboot
    echo "@reboot /usr/local/bin/probe $2" >"$T/crontab"
    crontab -u alice "$T/crontab"
    case $daemon in
    cron) systemctl start cron ;;
    *) "$daemon" -n -p & pid=$! ;;
    esac
    until_ok $((10 * SLOW)) decided "$2"
    crontab -u alice -r
    if [ -n "${pid:-}" ]; then
        kill "$pid"
        wait "$pid"
        systemctl start cron
    fi
}

has_cron() { :; }
run_cron() { run_crontab cron "$1"; }

has_cronie() {
    [ -e /opt/extracted/usr/sbin/crond ] || { echo "this system has no cronie"; return 1; }
}
run_cronie() { run_crontab /opt/extracted/usr/sbin/crond "$1"; }

has_atd() { :; }
run_atd() {
    echo "/usr/local/bin/probe $1" >"$T/job"
    # As alice, but outside of a box of hers.
    setpriv --reuid alice --regid alice --init-groups env HOME=/home/alice USER=alice LOGNAME=alice \
        sh -c "cd /; at now" <"$T/job"
    until_ok $((20 * SLOW)) decided "$1"
}

has_systemd_run() { :; }
run_systemd_run() { timeout $((30 * SLOW)) systemd-run --quiet --wait -p PAMName=matrix -p User=alice /usr/local/bin/probe "$1"; }

has_run0() { has run0; }
run_run0() { on_pty run0 --user=alice /usr/local/bin/probe "$1"; }
