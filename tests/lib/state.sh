# shellcheck shell=bash
# What the host looks like, as text: one process, mount, namespace, file or IPC object a line. snapshot() keeps
# it, nothing_left() compares.

# host_state: the present state in HOST_STATE. No subshell and no pipe: they would be processes of their own.
host_state() {
    local pid link kind file lines=() known=() stat
    shopt -s nullglob

    for pid in /proc/[0-9]*; do
        [ "${pid#/proc/}" != "$$" ] || continue
        { read -r stat <"$pid/stat"; } 2>/dev/null || continue
        # The name and, as a number may be used again, the start time; not what changes all the time.
        read -ra known <<<"${stat##*) }"
        stat=${stat%)*}
        lines+=("process ${pid#/proc/} ${stat#*(} started ${known[19]}")
    done

    # A namespace lives on as a member's, as an open descriptor's or as a mount's.
    readlink /proc/[0-9]*/ns/* /proc/[0-9]*/fd/* >"$T/links" 2>/dev/null
    while read -r link; do
        case $link in
        [a-z]*:\[[0-9]*\])
            kind=${link%%:*}
            [ "$kind" = socket ] || [ "$kind" = pipe ] || [ "$kind" = anon_inode ] || lines+=("namespace $link")
            ;;
        esac
    done <"$T/links"

    while read -r link; do
        lines+=("mount $link")
    done </proc/self/mountinfo

    # The folder /run/nsbox itself stays once it is made; what is in it does not.
    find /run /tmp /dev /var/tmp /var/run -xdev \( -path "$T" -o -path /dev/pts -o -path /run/utmp \) -prune \
        -o ! -path /run/nsbox -printf 'file %p %y %m %u\n' >"$T/files" 2>/dev/null
    find /dev/shm /dev/mqueue -mindepth 1 -printf 'file %p %y %m %u\n' >>"$T/files" 2>/dev/null
    find /etc "$PAMDIR" -printf 'file %p %y %m %u %s %T@\n' >>"$T/files" 2>/dev/null
    while read -r file; do
        lines+=("$file")
    done <"$T/files"

    for file in shm msg sem; do
        while read -r link; do
            # key, id and owner; the counters after them move
            read -ra known <<<"$link"
            lines+=("ipc $file ${known[*]:0:2}")
        done <"/proc/sysvipc/$file"
    done
    lines+=("hostname $(</proc/sys/kernel/hostname)")

    shopt -u nullglob
    printf '%s\n' "${lines[@]}" | LC_ALL=C sort -u >"$T/state"
    HOST_STATE=$(<"$T/state")
}

SNAPSHOT=
HOST_STATE=

still() {
    SNAPSHOT=$HOST_STATE
    host_state
    [ "$HOST_STATE" = "$SNAPSHOT" ]
}

# snapshot: this is how it has to be again. What came before may still be ending: wait a while for nothing to move.
snapshot() {
    local tries
    host_state
    for ((tries = 0; tries < 50; tries++)); do
        sleep 0.05
        ! still || break
    done
}

nothing_left_now() {
    host_state
    [ "$HOST_STATE" = "$SNAPSHOT" ]
}

# nothing_left CLAIM [SECONDS]: the host is again as snapshot() saw it, within a moment
nothing_left() {
    if until_ok "${2:-5}" nothing_left_now; then
        pass "$1"
    else
        fail "$1" "$(diff <(echo "$SNAPSHOT") <(echo "$HOST_STATE") | grep '^[<>]' | head -n 30)"
    fi
}
