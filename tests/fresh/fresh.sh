# shellcheck shell=bash
# Fresh systems for the tests in this folder. To be sourced with HERE and REPO set; without SOAK=1, or without one of the
# PROGRAMS that the test needs, it skips the test.

export LC_ALL=C.UTF-8

# shellcheck source=../lib/tap.sh
. "$REPO/tests/lib/tap.sh"
# shellcheck source=tree.sh
. "$REPO/tests/fresh/tree.sh"

# skip_all REASON
skip_all() {
    echo "1..0 # SKIP $1" >&3
    exit 0
}

[ -n "${SOAK:-}" ] || skip_all "only with SOAK=1: it takes minutes, and fetches packages"
for program in "${PROGRAMS[@]}"; do
    command -v "$program" >/dev/null || skip_all "$program is not installed"
done

#   NSBOX_RELEASE=NAME    another release than bookworm
#   NSBOX_FRESH_TAR=FILE  a minimal system that is there, in place of a new one
RELEASE=${NSBOX_RELEASE:-bookworm}

# What was made is gone at the end. A test that has more to undo says so in undo().
work=$(mktemp -d)
undo() {
    :
}
trap 'undo; rm -rf --one-file-system "$work"' EXIT

# make_tar: a minimal system, with nothing but apt and the list PACKAGES; its archive is NSBOX_FRESH_TAR
make_tar() {
    [ -z "${NSBOX_FRESH_TAR:-}" ] || return 0
    export NSBOX_FRESH_TAR=$work/fresh.tar
    mmdebstrap --quiet --variant=apt ${PACKAGES:+"--include=$PACKAGES"} "$RELEASE" "$NSBOX_FRESH_TAR" >"$work/log" 2>&1 ||
        bail_out "mmdebstrap: $(tail -3 "$work/log")"
}

# fresh NAME: a new system in $work/NAME, with the sources in /root/pam_nsbox
fresh() {
    make_tar
    mkdir "$work/$1"
    tar -C "$work/$1" -xf "$NSBOX_FRESH_TAR"
    mkdir -p "$work/$1/root/pam_nsbox"
    tar -C "$REPO" -c --exclude=./build --exclude=./.git . | tar -C "$work/$1/root/pam_nsbox" -x
    cp /etc/resolv.conf "$work/$1/etc/resolv.conf"
}

# inside NAME COMMAND: with the network of this machine; what it prints is in $work/output
inside() {
    "$HERE/machine" "$work/$1" "$2" >"$work/output" 2>&1
}

# inside_offline NAME COMMAND: with a loopback of its own alone, for servers
inside_offline() {
    unshare --net sh -c 'ip link set lo up && exec "$@"' sh "$HERE/machine" "$work/$1" "$2" >"$work/output" 2>&1
}

# relay: the claims of a test that ran inside, from what it printed; all that it planned
relay() {
    local line planned=none seen=0
    while IFS= read -r line; do
        case $line in
        'ok '*) pass "${line#ok * - }" ;;
        'not ok '*) fail "${line#not ok * - }" ;;
        '# '*) diag "${line#'# '}" ;;
        1..*) planned=${line#1..} ;;
        esac
        [[ $line != ok\ * && $line != 'not ok '* ]] || seen=$((seen + 1))
    done <"$work/output"
    is "$seen" "$planned" "it ran to its end" || diag "$(tail -3 "$work/output")"
}
