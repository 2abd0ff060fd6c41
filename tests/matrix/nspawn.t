#!/bin/bash
# Every application that opens sessions, in Debian 12 and 13 booted with systemd: a part of `make matrix`.
# May take 2400 seconds.

exec "$(dirname "$0")/run" --only debian12,debian13 --nspawn --tap
