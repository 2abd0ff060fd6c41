#!/bin/bash
# IPC objects do not pass the wall of a box, in either direction: System V, POSIX segments, POSIX queues.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session

declare -A title=(
    [sysv-segment]='a System V segment'
    [sysv-queue]='a System V message queue'
    [posix-segment]='a POSIX shared memory object'
    [posix-queue]='a POSIX message queue'
)

snapshot
is "$(ipc-objects make outside | wc -l)" 4 "the host makes one object of each kind"
box_open alice
is "$(box_do "$T/bin/ipc-objects make inside" | grep -c .)" 4 "the login makes one object of each kind"

inside=$(box_do "$T/bin/ipc-objects see inside")
inside_of_outside=$(box_do "$T/bin/ipc-objects see outside")
outside=$(ipc-objects see outside)
outside_of_inside=$(ipc-objects see inside)
for kind in sysv-segment sysv-queue posix-segment posix-queue; do
    like "$inside" "$kind" "${title[$kind]} made inside is seen inside"
    like "$outside" "$kind" "${title[$kind]} made outside is seen outside"
    unlike "$inside_of_outside" "$kind" "${title[$kind]} made outside is not seen inside"
    unlike "$outside_of_inside" "$kind" "${title[$kind]} made inside is not seen outside"
done
for folder in /dev/shm /dev/mqueue; do
    like "$(box_do "stat -c '%a %u' $folder")" '^1777 0' "$folder inside is fresh, and everybody may write to it"
done

box_close
ipc-objects remove outside >/dev/null
nothing_left "every object made inside ends with the box"

done_testing
