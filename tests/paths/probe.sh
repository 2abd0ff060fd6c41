#!/bin/sh
# What lies at each of the paths below /srv/t:
#   gone            nothing
#   closed          a folder that nobody may enter, or a file that nobody may read, made for that
#   CONTENT:FLAGS   the folder that is named so, or a file with that text; empty for a folder without a name.
#                   w: one can write there; x: run a program there
# in one line: PATH=STATE ...

line=
for path; do
    at=/srv/t/$path
    if [ ! -e "$at" ]; then
        state=gone
    elif [ "$(stat -c %a "$at")" = 0 ]; then
        state=closed
    elif [ -d "$at" ]; then
        state=$(cat "$at/name" 2>/dev/null):
        if (: >"$at/.probe") 2>/dev/null; then
            rm -f "$at/.probe"
            state=${state}w
        fi
        if "$at/run" 2>/dev/null; then
            state=${state}x
        fi
    else
        state=$(cat "$at" 2>/dev/null):
        if (: >>"$at") 2>/dev/null; then
            state=${state}w
        fi
    fi
    line="$line $path=$state"
done
echo "${line# }"
