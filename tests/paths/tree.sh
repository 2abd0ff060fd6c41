#!/bin/sh
# Makes the tree that combinations.tsv speaks of, at /srv/t: each folder has a file "name" that names it, and a program
# "run". /srv/t/m is a file system of its own, and so is /srv/t/m/n.

set -e

folder() {
    mkdir -p "$1"
    echo "$2" >"$1/name"
    printf '#!/bin/sh\n' >"$1/run"
    chmod 755 "$1/run"
}

rm -rf /srv/t
for name in a a/b a/b/c a/b/c/d a/e x x/b x/b/c y; do
    folder "/srv/t/$name" "$name"
done
echo file >/srv/t/a/file
echo other >/srv/t/other
ln -s b /srv/t/a/link
folder /srv/t/m m-below
mount -t tmpfs -o mode=755 tree /srv/t/m
folder /srv/t/m m
folder /srv/t/m/n n-below
mount -t tmpfs -o mode=755,noexec tree /srv/t/m/n
folder /srv/t/m/n n
