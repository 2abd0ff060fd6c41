#!/bin/bash
# What people do over ssh works in a box as it does without: commands, terminals with job control, file transfer,
# many channels over one connection, forwarding.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service sshd
start_sshd
home=$(home_of alice)
snapshot

# --- Commands ---

is "$(ssh_as alice 'test -n "$NSBOX" && hostname')" host-alice "a command runs in a box"
is "$(echo through | ssh_as alice cat)" through "standard input and output go through"
is "$(ssh_as alice 'echo error >&2' 2>&1 >/dev/null)" error "standard error is apart"
for status in 0 1 7 127 255; do
    ssh_as alice "exit $status"
    is $? "$status" "exit status $status of a command comes back"
done
is "$(head -c 20000000 /dev/zero | ssh_as alice 'cat >big; wc -c <big; rm big')" 20000000 "twenty megabytes arrive"
is "$(ssh_as alice 'pwd')" "$home" "the command starts in the home directory"
nothing_left "commands leave nothing"

# --- A terminal with job control ---

job_control() {
    expect_script <<END
spawn ssh ${SSH_OPTIONS[*]} -tt -p $SSH_PORT alice@127.0.0.1
send "PS1='prom''pt> '; stty cols 91; echo box=\\\$NSBOX.\r"
want "box=\[a-z2-7\]{10}\\\\."
want "prompt> "
send "tty; stty size; ps -o tty= -p \\\$\\\$\r"
want "/dev/pts/\[0-9\]+"
want " 91"
want "pts/\[0-9\]+"
want "prompt> "

send "sleep 4301\r"
sleep 0.3
send "\032"
want "Stopped"
want "prompt> "
send "jobs\r"
want "Stopped +sleep 4301"
want "prompt> "
send "fg\r"
want "sleep 4301"
sleep 0.3
send "\003"
want "prompt> "
send "echo status=\\\$?.\r"
want "status=130\\\\."
want "prompt> "

send "sleep 4302 &\r"
want "prompt> "
send "kill %1; wait %1; echo killed=\\\$?.\r"
want "killed=143\\\\."
want "prompt> "
send "exit 5\r"
finish
END
}
job_control
is $? 5 "a terminal: Ctrl-Z stops, fg continues, Ctrl-C interrupts, a background job can be killed; the exit status is the shell's" ||
    diag "$(cat "$T/expect.out")"
nothing_left "a terminal session leaves nothing"

# --- File transfer ---

head -c 3000000 /dev/urandom >"$T/file"
mkdir -p "$T/tree/one/two"
cp "$T/file" "$T/tree/one/two/file"
echo small >"$T/tree/small"

sftp -q "${SSH_OPTIONS[@]}" -P "$SSH_PORT" -b - alice@127.0.0.1 >/dev/null <<END
put $T/file by-sftp
get by-sftp $T/from-sftp
rm by-sftp
END
is $? 0 "sftp puts and gets a file"
ok "sftp brings it back unchanged" cmp "$T/file" "$T/from-sftp"

remote=alice@127.0.0.1
ok "scp copies a file to the box" scp -q "${SSH_OPTIONS[@]}" -P "$SSH_PORT" "$T/file" "$remote:by-scp"
ok "scp copies it back" scp -q "${SSH_OPTIONS[@]}" -P "$SSH_PORT" "$remote:by-scp" "$T/from-scp"
ok "scp brings it back unchanged" cmp "$T/file" "$T/from-scp"
ok "scp by the old protocol as well" scp -O -q "${SSH_OPTIONS[@]}" -P "$SSH_PORT" "$remote:by-scp" "$T/from-scp-old"
ok "it is unchanged too" cmp "$T/file" "$T/from-scp-old"

shell="ssh ${SSH_OPTIONS[*]} -p $SSH_PORT"
ok "rsync copies a tree to the box" rsync -a -e "$shell" "$T/tree/" "$remote:tree/"
ok "rsync copies it back" rsync -a -e "$shell" "$remote:tree/" "$T/tree-back/"
ok "rsync brings it back unchanged" diff -r "$T/tree" "$T/tree-back"
is "$(stat -c %U "$home/tree/small")" alice "what is transferred belongs to the user"
nothing_left "file transfer leaves nothing"

# --- Many channels over one connection: one box ---

multiplexed() {
    ssh_as alice -o ControlPath="$T/control" "$@"
}

multiplexed -M -N >"$T/master" 2>&1 &
until_ok 10 test -S "$T/control"
# Each waits for the other two before it looks, and again before it ends.
cat >"$T/channel" <<'END'
#!/bin/bash
together() {
    : >"$1-$2"
    until [ -e "$1-1" ] && [ -e "$1-2" ] && [ -e "$1-3" ]; do sleep 0.05; done
}
echo "$NSBOX $(readlink /proc/self/ns/pid)"
together begun "$1"
# A process that is being forked has its parent's name for a moment.
for try in 1 2 3 4 5 6 7 8 9 10; do
    seen=$(pgrep -fc "$0 [123]")
    [ "$seen" -ne 3 ] || break
    sleep 0.1
done
echo "$seen"
together seen "$1"
END
chmod 755 "$T/channel"
for channel in 1 2 3; do
    multiplexed "$T/channel $channel" >"$T/channel-$channel" 2>&1 &
    jobs[channel]=$!
done
wait "${jobs[@]}"
is "$(sort -u "$T"/channel-? | grep -c '^[a-z2-7]\{10\} pid:')" 1 "three channels of a connection are in one box"
for channel in 1 2 3; do
    is "$(tail -n 1 "$T/channel-$channel")" 3 "channel $channel sees the processes of all three"
done
is "$(count_holders)" 1 "one box serves the whole connection"
is "$(sftp -q "${SSH_OPTIONS[@]}" -o ControlPath="$T/control" -b - -P "$SSH_PORT" "$remote" <<<'pwd' | tail -1)" \
    "Remote working directory: $home" "sftp is a fourth channel"
is "$(multiplexed 'echo $NSBOX $(readlink /proc/self/ns/pid)')" "$(head -n 1 "$T/channel-1")" "a channel that comes later is in the same box"
multiplexed -O exit 2>/dev/null
wait
nothing_left "a multiplexed connection leaves nothing"

# --- Forwarding ---

eval "$(ssh-agent -s -a "$T/agent")" >/dev/null
ssh-add -q "$T/key"
is "$(ssh_as alice -A 'ssh-add -l' | cut -d' ' -f2)" "$(ssh-keygen -lf "$T/key" | cut -d' ' -f2)" \
    "agent forwarding: the agent's key is seen in the box"
is "$(ssh_as alice -A "ssh -F /dev/null -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
    -p $SSH_PORT bob@127.0.0.1 hostname")" host-bob "agent forwarding: the key opens a second login from the first"
ssh-agent -k >/dev/null
unset SSH_AUTH_SOCK SSH_AGENT_PID

ssh "${SSH_OPTIONS[@]}" -p "$SSH_PORT" -N -L 127.0.0.1:2300:127.0.0.1:"$SSH_PORT" alice@127.0.0.1 >/dev/null 2>&1 &
job=$!
answers() {
    banner=$( (exec 4<>/dev/tcp/127.0.0.1/2300 && read -r -t 5 -u 4 line && echo "$line") 2>/dev/null)
}
until_ok 10 answers
like "$banner" '^SSH-2.0' "local port forwarding: the far end is reached through the box"
is "$(ssh "${SSH_OPTIONS[@]}" -p 2300 bob@127.0.0.1 hostname)" host-bob "local port forwarding: a whole login goes through it"
kill $job
wait $job

ssh_as alice -R 127.0.0.1:2301:127.0.0.1:$SSH_PORT 'read -r -t 5 line </dev/tcp/127.0.0.1/2301; echo "$line"' >"$T/remote" 2>&1
like "$(cat "$T/remote")" '^SSH-2.0' "remote port forwarding: a process in the box reaches the near end"
nothing_left "forwarding leaves nothing"

done_testing
