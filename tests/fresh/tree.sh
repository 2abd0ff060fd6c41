# shellcheck shell=bash

# tree ROOT: every file of a system with all that it is, but what dpkg and apt remember, and what is logged
tree() {
    local left_out=(\( -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log -o -path ./proc
        -o -path ./sys -o -path ./dev -o -path ./root -o -path ./tmp -o -path ./run -o -path ./etc/ld.so.cache \) -prune)
    (
        cd "$1" || exit
        find . -xdev "${left_out[@]}" -o -printf '%p %y %m %u %g %l\n' | sort
        find . -xdev "${left_out[@]}" -o -type f -print0 | sort -z | xargs -0 sha256sum
    )
}
