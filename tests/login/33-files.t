#!/bin/bash
# What the policy says of files: the effect seen from inside a real login, its absence outside.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service sshd
pam_service session
start_sshd
mount -t tmpfs -o mode=755 srv /srv
mkdir -p /srv/data/sub /srv/other
echo data >/srv/data/file
echo other >/srv/other/file
printf '#!/bin/sh\necho ran\n' >/srv/data/run
chmod 755 /srv/data/run
chmod 1777 /srv/data /srv/data/sub /srv/other

# policy LINE...: for alice
policy() {
    {
        printf '[policy test]\nUsers = alice\n'
        printf '%s\n' "$@"
    } | configure
}
# both COMMAND: what alice sees inside, and what bob, whose policy says nothing, sees: "INSIDE / OUTSIDE"
both() {
    echo "$(ssh_as alice "$1" 2>/dev/null | xargs) / $(ssh_as bob "$1" 2>/dev/null | xargs)"
}

# --- every key on its own ---

mounts=$(cat /proc/self/mountinfo)
policy 'ReadOnlyPaths = /srv/data'
is "$(both ': >/srv/data/x && echo written; rm -f /srv/data/x')" " / written" "ReadOnlyPaths: the path cannot be written inside"
policy 'ReadOnlyPaths = /srv' 'ReadWritePaths = /srv/data/sub'
is "$(both 'for i in /srv/data /srv/data/sub; do : >$i/x && echo $i; rm -f $i/x; done')" "/srv/data/sub / /srv/data /srv/data/sub" \
    "ReadWritePaths: below a read-only path this one can"
policy 'InaccessiblePaths = /srv/data, /srv/other/file'
is "$(both 'cat /srv/data/file /srv/other/file; cd /srv/data && echo in')" " / data other in" "InaccessiblePaths: nobody gets in"
policy 'NoExecPaths = /srv'
is "$(both '/srv/data/run')" " / ran" "NoExecPaths: no program can be run there"
policy 'NoExecPaths = /srv' 'ExecPaths = /srv/data'
is "$(both '/srv/data/run')" "ran / ran" "ExecPaths: below such a path programs can be run again"
policy 'NoExecPaths = /' 'ExecPaths = -/usr, -/bin, -/sbin, -/lib, -/lib64'
is "$(both '/srv/data/run; id -un')" "alice / ran bob" "NoExecPaths = /: programs are run in ExecPaths alone, and the login is not refused"
policy 'BindPaths = /srv/other:/srv/data/sub'
is "$(both 'cat /srv/data/sub/file; : >/srv/data/sub/x && echo written; rm -f /srv/data/sub/x')" "other written / written" \
    "BindPaths: another folder lies there and can be written"
policy 'BindReadOnlyPaths = /srv/other:/srv/data/sub'
is "$(both 'cat /srv/data/sub/file; : >/srv/data/sub/x && echo written; rm -f /srv/data/sub/x')" "other / written" \
    "BindReadOnlyPaths: another folder lies there and cannot"
policy 'BindPaths = /srv/other/file:/srv/data/file'
is "$(both 'cat /srv/data/file')" "other / data" "BindPaths: a file on a file"
policy 'PrivateTmp = yes' 'BindPaths = /srv/other:/tmp/a/b, /srv/other/file:/var/tmp/file' 'TemporaryFileSystem = /tmp/t:mode=1777'
is "$(both 'cat /tmp/a/b/file /var/tmp/file; : >/tmp/t/x && echo written; stat -c "%a %U" /tmp/a')" "other other written 755 root / " \
    "BindPaths: in a /tmp of the box's own the place is made"
not_ok "... and not in the host's" test -e /tmp/a
policy 'BindPaths = -/srv/none:/srv/data, -/srv/other:/srv/none' 'ReadOnlyPaths = -/srv/none'
is "$(both 'cat /srv/data/file; ls -d /srv/none')" "data / data" 'a leading "-" leaves out what does not exist'
policy 'TemporaryFileSystem = /srv/data'
is "$(both 'ls /srv/data; stat -f -c %T /srv/data; stat -c "%a %U" /srv/data')" "tmpfs 755 root / file run sub tmpfs 1777 root" \
    "TemporaryFileSystem: an empty one lies there, with mode 0755"
policy 'TemporaryFileSystem = /srv/data:size=1M,nr_inodes=20,mode=1777'
is "$(both 'stat -c %a /srv/data')" "1777 / 1777" "TemporaryFileSystem: mode="
seen=$(ssh_as alice 'head -c 3000000 /dev/zero >/srv/data/x 2>/dev/null; stat -c %s /srv/data/x')
at_most "$seen" 1048576 "TemporaryFileSystem: size= is the most that it takes"
at_least "$seen" 900000 "TemporaryFileSystem: and that it does take"
at_most "$(ssh_as alice 'for i in $(seq 40); do : >/srv/data/$i; done 2>/dev/null; ls /srv/data | wc -l')" 19 \
    "TemporaryFileSystem: nr_inodes= is the most files"
policy 'TemporaryFileSystem = /srv/data:ro,size=1M'
is "$(both ': >/srv/data/x && echo written; rm -f /srv/data/x')" " / written" "TemporaryFileSystem: ro"
policy 'TemporaryFileSystem = /srv/data:noexec,nosuid,nodev,rw,mode=1777'
is "$(both 'cp /bin/true /srv/data/x && echo copied; /srv/data/x && echo ran; rm -f /srv/data/x')" "copied / copied ran" \
    "TemporaryFileSystem: noexec; the others are so anyway"
policy 'EphemeralPaths = /srv/data'
is "$(both 'cat /srv/data/file; echo new >/srv/data/x && cat /srv/data/x && test -O /srv/data/x && echo own')" "data new own / data new own" \
    "EphemeralPaths: the path can be written"
is "$(ssh_as alice 'echo mine >/srv/data/y; cat /srv/data/y'; echo /srv/data/*)" "mine
/srv/data/file /srv/data/run /srv/data/sub /srv/data/x" "EphemeralPaths: what is written is seen inside alone"
is "$(ssh_as alice 'cat /srv/data/y 2>&1' | grep -c 'No such')" 1 "EphemeralPaths: and is gone at the end of the box"
rm -f /srv/data/x
is "$(stat -c '%a %U' /srv/data) $(ssh_as alice 'stat -c "%a %U" /srv/data')" "1777 root 1777 root" "EphemeralPaths: owner and mode are the folder's"
if setfacl -m u:alice:rwx,d:u:alice:rwx /srv/other 2>/dev/null; then
    policy 'EphemeralPaths = /srv/other'
    is "$(ssh_as alice 'getfacl -cp /srv/other')" "$(getfacl -cp /srv/other)" "EphemeralPaths: access lists are the folder's"
    setfacl -b /srv/other
else
    skip "EphemeralPaths: access lists are the folder's" "no setfacl on this machine"
fi
cp "$(command -v id)" /srv/data/setuid-id
chmod 4755 /srv/data/setuid-id
policy 'EphemeralPaths = /srv/data'
is "$(both '/srv/data/setuid-id -u')" "0 / 0" "EphemeralPaths: setuid programs work where they did"
mount -o remount,nosuid,nodev,noexec /srv
is "$(ssh_as alice 'findmnt -no OPTIONS /srv/data' | grep -o 'nosuid,nodev,noexec')" nosuid,nodev,noexec "EphemeralPaths: and not where they did not"
mount -o remount,suid,dev,exec /srv
rm /srv/data/setuid-id
mount -t tmpfs -o mode=1777 deeper /srv/data/sub
echo deep >/srv/data/sub/file
is "$(ssh_as alice 'cat /srv/data/sub/file; echo x >/srv/data/sub/x; ls /srv/data/sub | xargs'; ls /srv/data/sub)" "deep
file x
file" "EphemeralPaths: what is mounted below is there, and its changes vanish too"
umount /srv/data/sub
mount --bind /srv/other/file /srv/data/file
is "$(both 'cat /srv/data/file; echo new >/srv/data/file && echo written')" "other / other" \
    "EphemeralPaths: a file that is mounted below is there, and cannot be written, for that would stay"
umount /srv/data/file
# A socket is found by its inode, which is the overlay's own (unix_find_bsd() in the kernel).
"$T/bin/logsink" /srv/data/socket "$T/heard"
policy 'EphemeralPaths = /srv/data'
is "$(both 'test -S /srv/data/socket && echo seen; logger -u /srv/data/socket "ephemeral $(hostname)"')" "seen / seen" \
    "EphemeralPaths: a server's socket is seen there"
policy 'ReadOnlyPaths = /srv/data'
ssh_as alice 'logger -u /srv/data/socket read-only'
wait_for_text "$T/heard" read-only
is "$(grep -Eo 'ephemeral.*|read-only' "$T/heard" | xargs)" "ephemeral host-bob read-only" \
    "EphemeralPaths: and cannot be reached; ReadOnlyPaths: it can"
rm /srv/data/socket
for propagation in rslave rprivate; do
    policy 'ReadOnlyPaths = /srv/data' "Propagation = $propagation"
    mkdir -p /srv/data/late /srv/data/proc
    box_open alice
    mount -t tmpfs -o mode=1777 late /srv/data/late
    mount -t proc proc /srv/data/proc
    seen=$(box_do 'cat /srv/data/proc/1/comm; : >/srv/data/late/x; ls /srv/data/late' 2>/dev/null | xargs)
    umount /srv/data/late /srv/data/proc
    box_close
    if [ "$propagation" = rslave ]; then
        is "$seen" "$(cat /proc/1/comm) x" "rslave: what the host mounts later is seen as it is: written below a read-only path, and a procfs with its processes"
    else
        is "$seen" "" "rprivate: and is not seen at all"
    fi
    rmdir /srv/data/late /srv/data/proc
done
for specifier in "%u alice" "%U $(id -u alice)" "%g alice" "%H host.example" "%l host" "%s sshd" "%% %"; do
    mkdir -p "/srv/other/${specifier#* }"
    echo "${specifier#* }" >"/srv/other/${specifier#* }/name"
    policy "BindPaths = /srv/other/${specifier% *}:/srv/data/sub"
    is "$(ssh_as alice 'cat /srv/data/sub/name')" "${specifier#* }" "${specifier% *} in a path stands for ${specifier#* }"
done
policy 'BindPaths = %h:/srv/data/sub'
is "$(ssh_as alice 'ls -id /srv/data/sub ~ | cut -d" " -f1 | uniq | wc -l')" 1 "%h in a path stands for the home"
policy 'TemporaryFileSystem = /srv/data' 'BindPaths = /srv/other:/srv/data/%i'
is "$(ssh_as alice 'test -e /srv/data/$NSBOX/file && echo yes')" yes "%i in a path stands for the box id"
rm -rf /srv/other/*/
ok "no box is left of all that" until_ok 5 has_holders 0
is "$(cat /proc/self/mountinfo)" "$mounts" "the host's mounts are what they were"

# --- PrivateTmp ---

echo hosts >/tmp/of-host
echo hosts >/var/tmp/of-host
policy 'PrivateTmp = no'
is "$(both 'ls /tmp/of-host')" "/tmp/of-host / /tmp/of-host" "PrivateTmp=no: /tmp is the host's"
policy 'PrivateTmp = yes'
snapshot
is "$(both 'ls -A /tmp /var/tmp | grep -c of-host')" "0 / 2" "PrivateTmp=yes: /tmp and /var/tmp are fresh"
is "$(ssh_as alice 'stat -c "%a %U" /tmp /var/tmp; : >/tmp/x; : >/var/tmp/y; ls /tmp /var/tmp' | xargs)" "1777 root 1777 root /tmp: x /var/tmp: y" \
    "PrivateTmp=yes: everybody may write to them, and they are two"
not_ok "PrivateTmp=yes: nothing of it is seen outside" test -e /tmp/x -o -e /var/tmp/y
is "$(ssh_as alice 'ls /tmp')" "" "PrivateTmp=yes: it is gone with the box"
nothing_left "PrivateTmp=yes: nothing is left"

cat <<'END' | configure
[policy test]
Users      = alice, bob
PrivateTmp = user

[policy other]
Users      = root
PrivateTmp = user
Hostname   = other
END
ssh_as alice 'echo kept >/tmp/x; echo kept >/var/tmp/y'
is "$(ssh_as alice 'cat /tmp/x /var/tmp/y' | xargs)" "kept kept" "PrivateTmp=user: it is kept between logins"
is "$(ssh_as bob 'ls /tmp /var/tmp' | xargs)" "/tmp: /var/tmp:" "PrivateTmp=user: another user has another"
not_ok "PrivateTmp=user: it is not the host's" test -e /tmp/x
folder=/var/lib/nsbox/tmp/$(id -u alice)
is "$(stat -c '%U %a' /var/lib/nsbox /var/lib/nsbox/tmp "$folder" "$folder/tmp" "$folder/var-tmp" | xargs)" \
    "root 700 root 700 root 700 root 1777 root 1777" "PrivateTmp=user: its folders are root's, and nobody else gets in"
ssh_as alice 'sleep 2; cat /tmp/late' >"$T/late" &
job=$!
sleep 0.5
session --user alice -- sh -c 'echo seen >/tmp/late' 2>"$T/session"
wait $job
is "$(cat "$T/late")" seen "PrivateTmp=user: it is the same in every box of the user's, at the same time"
umask 077
ssh_as root true
umask 022
is "$(ssh_as root 'stat -c %a /tmp /var/tmp' | xargs)" "1777 1777" "PrivateTmp=user: modes do not follow the caller's umask"

# made_unsafe WHAT COMMAND: the folder is not as this program makes it
made_unsafe() {
    rm -rf /var/lib/nsbox
    mkdir -m 700 /var/lib/nsbox /var/lib/nsbox/tmp
    eval "$2"
    from_here
    session --user alice --state -- true 2>"$T/session"
    is $? 120 "PrivateTmp=user: $1 is refused"
    like "$(cat "$T/session")" 'state: unchanged' "PrivateTmp=user: $1 leaves the caller what it was"
    logged 'step=paths.*/var/lib/nsbox/tmp' "PrivateTmp=user: the log says so of $1"
}
made_unsafe "a folder that is the user's own" "mkdir $folder; chown alice $folder"
made_unsafe "a symbolic link" "ln -s /home/alice $folder"
made_unsafe "a FIFO" "mkfifo $folder"
made_unsafe "a symbolic link in the place of the inner folder" "mkdir -m 700 $folder; ln -s /etc $folder/tmp"
is "$(stat -c %a /etc)" 755 "PrivateTmp=user: where such a link leads, nothing is changed"
rm -rf /var/lib/nsbox

# --- /dev/shm and /dev/mqueue go with ipc ---

policy 'Namespaces = mount, uts, pid'
is "$(both 'echo $(stat -c %d /dev/shm)-$(stat -c %d /dev/mqueue)' | tr / '\n' | xargs -n1 | sort -u | wc -l)" 2 \
    "without ipc /dev/shm and /dev/mqueue are the host's (bob's box has its own)"
is "$(ssh_as alice 'stat -c %d /dev/shm /dev/mqueue' | xargs)" "$(stat -c %d /dev/shm /dev/mqueue | xargs)" "they are just the host's"
policy 'Namespaces = mount, ipc'
isnt "$(ssh_as alice 'stat -c %d /dev/shm')" "$(stat -c %d /dev/shm)" "with ipc alone /dev/shm is the box's"
policy 'Namespaces = mount, ipc' 'TemporaryFileSystem = /dev'
is "$(ssh_as alice 'stat -f -c %T /dev/shm /dev/mqueue' | xargs)" 'tmpfs mqueue' "both are there also where the policy replaces /dev"
policy 'Namespaces = mount, ipc' 'ReadOnlyPaths = /dev/mqueue' 'NoExecPaths = /dev/mqueue'
like "$(ssh_as alice 'grep " /dev/mqueue " /proc/self/mounts | tail -1')" 'mqueue ro,nosuid,nodev,noexec' \
    "message queues are read-only and not to be executed where the policy says so"
policy 'Namespaces = mount, ipc' 'InaccessiblePaths = /dev/mqueue/secret'
ssh_as alice true >/dev/null 2>&1
isnt $? 0 "what a rule names in the new /dev/mqueue is missed there"

# --- paths that lead by symbolic links ---

# A folder that has links in it where root alone writes, and one beside it in which others do.
mkdir -p /srv/real/deep /srv/real/open
chmod 1777 /srv/real/open
ln -s real /srv/led
ln -s ../real/deep /srv/real/up
for name in file deep/file open/file; do echo "$name" >"/srv/real/$name"; done
cp /bin/true /srv/real/run
chmod -R a+rX /srv/real
denied='cat /srv/real/file 2>/dev/null || echo denied'
for rules in 'InaccessiblePaths = /srv/led/file|ReadOnlyPaths = /srv/real' 'InaccessiblePaths = /srv/real/file|ReadOnlyPaths = /srv/led' \
    'InaccessiblePaths = /srv/led/file|ExecPaths = /srv/real' 'InaccessiblePaths = /srv/real/file|EphemeralPaths = /srv/led' \
    'InaccessiblePaths = /srv/led/file|EphemeralPaths = /srv/real' 'InaccessiblePaths = /srv/led/up/../file|ReadOnlyPaths = /srv'; do
    policy "${rules%|*}" "${rules#*|}"
    case $rules in
    *..*)
        ssh_as alice true >/dev/null 2>&1
        isnt $? 0 "a path with \"..\" is refused ($rules)"
        ;;
    *) is "$(ssh_as alice "$denied")" denied "what is inaccessible is so whatever the names of the paths ($rules)" ;;
    esac
done
policy 'ReadOnlyPaths = /srv/led' 'ReadWritePaths = /srv/real/open'
is "$(both ': >/srv/led/open/x && echo written; rm -f /srv/real/open/x')" "written / written" \
    "ReadWritePaths: below a path that is read-only by another name"
policy 'NoExecPaths = /srv/real' 'ExecPaths = /srv/led/run'
is "$(both '/srv/real/run && echo ran')" "ran / ran" "ExecPaths: below a path without programs by another name"
policy 'TemporaryFileSystem = /srv/real' 'BindPaths = /srv/other:/srv/led/place/deep'
is "$(both 'cat /srv/real/place/deep/file')" "other / " "BindPaths: into an empty folder by another name"
policy 'TemporaryFileSystem = /srv' 'BindPaths = /usr/share:/srv/led/place, /etc:/srv/real/place'
is "$(both 'test -d /srv/led/place/. && test -e /srv/real/place/passwd && test ! -L /srv/led && echo apart')" "apart / " \
    "... where no link of the host's is any more"
mount -t tmpfs -o mode=1777 below /srv/real/deep
echo below >/srv/real/deep/file
policy 'EphemeralPaths = /srv/led'
is "$(ssh_as alice 'cat /srv/real/deep/file; echo new >/srv/real/deep/new; ls /srv/real/deep | xargs'; ls /srv/real/deep)" "below
file new
file" "EphemeralPaths: what is mounted below, by another name, is ephemeral"
umount /srv/real/deep
# Which of two names comes first in the alphabet makes no difference.
ln -s real /srv/zled
ln -s /srv/data/file /srv/real/elsewhere
echo other >/srv/other/elsewhere
for name in led zled; do
    policy 'BindPaths = /srv/other:/srv/real' "InaccessiblePaths = /srv/$name/elsewhere"
    is "$(ssh_as alice 'cat /srv/real/elsewhere 2>/dev/null || echo denied; cat /srv/data/file' | xargs)" "denied data" \
        "what is bound is what is made inaccessible, and not what a link of the host's there leads to ($name)"
done
for path in /etc/mtab /proc/net; do
    [ -L /etc/mtab ] || ln -sf ../proc/self/mounts /etc/mtab
    policy "InaccessiblePaths = $path"
    is "$(ssh_as alice 'echo in')" in "a link into the box's own /proc is no other process's ($path)"
done
ln -s "$(printf 'x/%.0s' {1..2040})" /srv/long
policy "ReadOnlyPaths = /srv/long/$(printf 'y%.0s' {1..60})"
from_here
ssh_as alice true >/dev/null 2>&1
logged 'step=links .*File name too long' "a path that gets too long by links is refused"
mv /etc/hosts /run/hosts.moved
ln -s /run/hosts.moved /etc/hosts
policy 'ReadOnlyPaths = /' 'ReadWritePaths = /run, /tmp, /home, /dev, /proc'
is "$(ssh_as alice 'getent hosts $(hostname) >/dev/null && echo resolves')" resolves "the host name resolves where /etc/hosts is a link to what a rule names"
rm /etc/hosts
mv /run/hosts.moved /etc/hosts

# --- a login cannot fill the memory ---

policy 'PrivateTmp = yes' 'EphemeralPaths = /srv/data' 'TemporaryFileSystem = /srv/other:mode=1777'
total=$(awk '/^MemTotal/ { print $2 }' /proc/meminfo)
is "$(ssh_as alice 'df -k --output=size /tmp /var/tmp /dev/shm /srv/data | tail -n +2 | sort -u | wc -l')" 1 \
    "/tmp, /var/tmp, /dev/shm and ephemeral paths share one limit"
at_most "$(ssh_as alice 'df -k --output=size /tmp | tail -1')" $((total / 10 + 4)) "it is a tenth of the memory"
at_most "$(ssh_as alice 'df -k --output=size /srv/other | tail -1')" $((total / 10 + 4)) "as it is of a TemporaryFileSystem"
at_most "$(ssh_as alice 'df --output=itotal /tmp | tail -1')" $((total / 10 < 409600 ? total / 10 : 409600)) \
    "and no more files than a tenth of the memory holds"
policy 'PrivateTmp = yes'
if [ "$total" -gt 50000000 ]; then
    skip "filled to the brim, they hold a tenth of the memory" "to fill so much takes minutes"
else
    # What file systems in memory take from the machine; how much is available depends on all else that runs.
    taken() {
        awk '/^Shmem:/ { print $2 }' /proc/meminfo
    }
    before=$(taken)
    seen=$(ssh_as alice 'for i in /tmp /dev/shm /var/tmp; do head -c 100T /dev/zero >$i/x 2>/dev/null; done
        du -skc /tmp /dev/shm /var/tmp | tail -1 | cut -f1; awk "/^Shmem:/ { print \$2 }" /proc/meminfo')
    at_most "$(head -1 <<<"$seen")" $((total / 10 + 4)) "filled to the brim, the three hold a tenth of the memory"
    at_least "$(head -1 <<<"$seen")" $((total / 11)) "(and they were filled)"
    at_most "$(tail -1 <<<"$seen")" $((before + total / 8)) "the host has the rest meanwhile"
    has_room() {
        [ "$(taken)" -le $((before + total / 50)) ]
    }
    ok "and all of it after the logout" until_ok 10 has_room
fi
seen=$(ssh_as alice "$T/bin/fill-inodes /tmp 1000000")
at_most "$seen" $((total / 10 < 409600 ? total / 10 : 409600)) "no more files than that can be made"

done_testing
