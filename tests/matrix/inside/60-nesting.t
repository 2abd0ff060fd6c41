#!/bin/bash
# su in a box in a box, until the kernel allows no more.
. ./lib.sh

MOUNTS_BEFORE=$(host_mounts)

cat >/usr/local/bin/nest <<'END'
#!/bin/bash
# nest N: writes down how deep it is, and goes one deeper
echo "$1 $(readlink /proc/self/ns/pid) $(readlink /proc/self/ns/mnt) $(</proc/1/comm)" >>/var/lib/probe/nest
exec su alice -c "/usr/local/bin/nest $(($1 + 1))" 2>>/var/lib/probe/nest.err
END
chmod 755 /usr/local/bin/nest
: >"$PROBES/nest"
: >"$PROBES/nest".err
chmod 666 $PROBES/nest $PROBES/nest.err
log_here
timeout $((60 * SLOW)) su alice -c '/usr/local/bin/nest 1' >"$T/out" 2>&1
depth=$(tail -n 1 $PROBES/nest | cut -d ' ' -f 1)
at_least "${depth:-0}" 25 "a box within a box within a box, down to the kernel's limit of 32 PID namespaces"
at_most "${depth:-0}" 32 "the kernel's limit is the end"
is "$(cut -d ' ' -f 2 $PROBES/nest | sort -u | wc -l) $(cut -d ' ' -f 3 $PROBES/nest | sort -u | wc -l)" "$depth $depth" \
    "each of them has namespaces of its own"
like "$(log | grep refused)" 'step=clone.*(nest|32)' "the refusal names the limit in the log"
like "$(cat $PROBES/nest.err)" 'refused because' "the refusal is told to the user"
ok "all of them end, and leave nothing" until_ok $((20 * SLOW)) nothing_left
diag "$(log | grep refused | tail -n 1)"
done_testing
