#!/bin/bash
# A wrong value of any key refuses the logins that its section decides, and no others; the log names file and line.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

pam_service session

# KEY|VALUE
while IFS='|' read -r key value; do
    configure <<END
; a comment
[policy wrong]
Users = alice
$key = $value
END
    from_here
    session --user alice --state -- true 2>"$T/session"
    is $? 120 "$key = $value: the login is refused"
    like "$(cat "$T/session")" 'state: unchanged' "$key = $value: the caller is what it was"
    logged "$CONF:4: .*$key" "$key = $value: the log names file, line and key"
    is "$(session --user bob -- hostname 2>/dev/null)" host-bob "$key = $value: somebody else gets in"
done <<'END'
Enabled|perhaps
Namespaces|mount, time
Propagation|rshared
Hostname|%x
ProtectProc|hidden
ProcSubset|none
Scope|group
Linger|sometimes
TimeoutStopSec|soon
OnError|panic
PrivateTmp|shared
TemporaryFileSystem|/srv:size=lots
BindPaths|srv:/mnt
BindReadOnlyPaths|/srv:/mnt:sideways
ReadOnlyPaths|usr
ReadWritePaths|/home/../etc
InaccessiblePaths|/etc,,/usr
NoExecPaths|/tmp:/x
ExecPaths|-
EphemeralPaths|~/x
NetworkNamespacePath|blue
NoNewPrivileges|2
CapabilityBoundingSet|CAP_EVERYTHING
TasksMax|0
MemoryMax|-1
CPUWeight|0
IOWeight|10001
RuntimeMaxSec|forever
END
ok "no box is left" until_ok 5 has_holders 0

done_testing
