#!/bin/bash
# nsboxctl edit: a copy is edited, checked and installed in one step. Whatever dies, and whenever, the configuration is
# the old one or the new one, whole.

# shellcheck source=../lib/login.sh
. "$(dirname "$0")/../lib/login.sh"

# editor NAME <<'END': a program that edits the file it is given; $1 there is the file
editor() {
    { echo '#!/bin/bash'; cat; } >"$T/$1"
    chmod 755 "$T/$1"
}

# edit EDITOR [ARGUMENT...]: with the answers on standard input; status, standard output in $T/out, error in $T/err
edit() {
    EDITOR="$T/$1" nsboxctl edit "${@:2}" >"$T/out" 2>"$T/err"
}

old='[policy old]
Users = alice'
new='[policy new]
Users    = alice
Hostname = new'
both=$(dirname "$CONF")

# restore: the old configuration
restore() {
    configure <<<"$old"
}

leftovers() {
    find "$both" -path '*edit*'
}

printf '%s\n' "$new" >"$T/new.conf"
editor install-new <<<"cat $T/new.conf >\"\$1\""
editor nothing <<<":"
editor broken <<<'printf "[policy broken]\nUsers = alice\nHostnam = x\n" >"$1"'
editor second-try <<END
if [ -e $T/tried ]; then cat $T/new.conf >"\$1"; else touch $T/tried; echo nonsense >"\$1"; fi
END

# --- A good edit ---

restore
chown root:adm "$CONF"
chmod 640 "$CONF"
edit install-new </dev/null
is "$? $(<"$CONF")" "0 $new" "a good configuration is installed"
is "$(stat -c '%U:%G %a' "$CONF")" "root:adm 640" "owner, group and mode stay"
is "$(<"$T/out")$(<"$T/err")" "$CONF is installed." "... and it is said in one line"
is "$(leftovers)" "" "nothing is left beside it"
edit nothing </dev/null
is "$? $(<"$T/out")" "0 $CONF is unchanged." "an edit that changes nothing installs nothing"
chmod 666 "$CONF"
editor append <<<'printf "; seen\n" >>"$1"'
edit append </dev/null
is "$? $(stat -c %a "$CONF")" "0 644" "what others may write is not so after an edit"
rm "$CONF"
edit install-new </dev/null
is "$? $(<"$CONF") $(stat -c '%U %a' "$CONF")" "0 $new root 644" "a file that was not there is made"
VISUAL="sh -c 'cat $T/new.conf >\"\$1\"' sh" nsboxctl edit >"$T/out" 2>&1
is "$? $(<"$T/out")" "0 $CONF is unchanged." "VISUAL may be several words of the shell"
restore
EDITOR=false VISUAL="$T/install-new" nsboxctl edit >"$T/out" 2>&1
is "$? $(<"$CONF")" "0 $new" "VISUAL comes before EDITOR"
editor renames <<<"cp $T/new.conf \"\$1.tmp\"; mv \"\$1.tmp\" \"\$1\"; touch \"\$1~\" \"\$(dirname \"\$1\")/.swp\""
restore
edit renames </dev/null
is "$? $(<"$CONF") $(leftovers)" "0 $new " "an editor may save by renaming, and leave files of its own"
restore
EDITOR='' VISUAL='' PATH=$T/path nsboxctl --version >/dev/null 2>&1
EDITOR=/no/such/editor nsboxctl edit >"$T/out" 2>"$T/err" </dev/null
is "$? $(<"$CONF")" "1 $old" "an editor that is not there changes nothing"
like "$(<"$T/err")" "editor was not found; set VISUAL or EDITOR" "... and is said to be so"

# --- An invalid one ---

restore
before=$(stat -c '%i %Y' "$CONF")
edit broken </dev/null
is "$? $(<"$CONF") $(stat -c '%i %Y' "$CONF")" "1 $old $before" "an invalid configuration is not installed"
like "$(<"$T/err")" "$CONF:3: the key \"Hostnam\" is not known; did you mean Hostname\?" "the mistake is told with the file's own name and line"
like "$(<"$T/out")" "e: edit again, q: quit and install nothing" "it asks what now"
unlike "$(<"$T/out")" "i: install" "... and does not offer to install it"
is "$(leftovers)" "" "nothing is left beside it"
edit broken <<<$'i\nx\n\nq'
is "$? $(<"$CONF")" "1 $old" "no answer installs it"
edit second-try <<<e
is "$? $(<"$CONF")" "0 $new" "after e it is edited again, and then installed"
restore
editor note <<<'printf "[policy n]\nUsers = alice\nScope = policy\nHostname = %%u\n" >"$1"'
edit note <<<q
is "$? $(<"$CONF")" "1 $old" "what is only noted can be left"
edit note <<<i
like "$? $(<"$CONF")" "^0 .policy n." "... or installed"
restore
editor fails <<<"cat $T/new.conf >\"\$1\"; exit 3"
edit fails </dev/null
is "$? $(<"$CONF")" "1 $old" "what an editor leaves that fails is not installed"
editor removes <<<'rm "$1"'
edit removes </dev/null
is "$? $(<"$CONF")" "1 $old" "an editor that removes the file removes only the copy"
editor links <<<'ln -sf /etc/passwd "$1"'
edit links </dev/null
is "$? $(<"$CONF")" "1 $old" "a link in place of the copy is not followed"
editor half <<<'head -c 14 '"$T/new.conf"' >"$1"; kill -KILL $$'
edit half </dev/null
is "$? $(<"$CONF")" "1 $old" "an editor that is killed has installed nothing, be its half a valid file"
like "$(<"$T/err")" "ended by signal 9" "... and it is said so"

# --- Drop-ins ---

restore
edit install-new 10-team </dev/null
is "$? $(<"$CONF.d/10-team.conf") $(stat -c %a "$CONF.d/10-team.conf")" "0 $new 644" "a drop-in is made by its name"
edit nothing 10-team.conf </dev/null
is "$? $(<"$T/out")" "0 $CONF.d/10-team.conf is unchanged." "... which may have its .conf"
is "$(<"$CONF")" "$old" "... and nsbox.conf is as it was"
editor twin <<<"printf '%s\n' '$old' >\"\$1\""
edit twin 20-twin </dev/null
is "$? $(ls "$CONF.d")" "1 10-team.conf" "a drop-in is checked together with the other files"
like "$(head -n 1 "$T/err")" "^$CONF.d/20-twin.conf:1: the section \"old\" is given twice; it stands first at $CONF:1\$" "... and told where the other is"
printf 'nonsense\n' >"$CONF.d/30-broken.conf"
edit append 10-team </dev/null
is "$?" 0 "a mistake elsewhere does not keep a good file from being installed"
edit install-new 30-broken </dev/null
is "$?" 1 "... but a section that is there already does"
printf '[policy mended]\nUsers = bob\n' >"$T/mended.conf"
editor mend <<<"cat $T/mended.conf >\"\$1\""
edit mend 30-broken </dev/null
is "$? $(nsboxctl check 2>&1)" "0 " "... and a broken file can be mended"
printf '[policy old]\nUsers = bob\n' >"$CONF.d/30-broken.conf"
printf '[policy other]\nUsers = bob\n' >"$CONF.d/40-other.conf"
editor longer <<<'sed -i "1i ; one line more" "$1"'
edit longer </dev/null
is "$? $(head -n 1 "$CONF")" "0 ; one line more" "... nor one that has to do with it, wherever its lines are now"
restore
editor swap <<<'printf "[policy other]\nUsers = alice\n" >"$1"'
edit swap </dev/null
is "$? $(<"$CONF")" "1 $old" "a mistake elsewhere that is new keeps it from being installed, be another one gone"
like "$(<"$T/err")" "$CONF.d/40-other.conf:1: the section \"other\" is given twice" "... and is said"
unlike "$(<"$T/out")" "i: install" "... with no offer to install it"
rm "$CONF.d/40-other.conf"
edit swap </dev/null
is "$? $(nsboxctl check 2>&1)" "0 " "one that goes does not"
restore
rm "$CONF.d/30-broken.conf"
for name in ../passwd .hidden a/b ''; do
    edit nothing "$name" </dev/null
    is "$?" 2 "\"$name\" is no name of a drop-in"
done
rm -r "$CONF.d"
edit install-new 10-team </dev/null
is "$? $(stat -c '%U %a' "$CONF.d")" "0 root 755" "the folder of drop-ins is made where there is none"
rm -r "$CONF.d"

# --- Two at a time ---

restore
editor waits <<<"touch $T/waiting; while [ -e $T/waiting ]; do sleep 0.02; done; cat $T/new.conf >\"\$1\""
EDITOR="$T/waits" nsboxctl edit >"$T/first" 2>&1 </dev/null &
first=$!
until_ok 5 test -e "$T/waiting"
edit nothing </dev/null
is "$? $(<"$CONF")" "1 $old" "a second edit at the same time is refused"
like "$(<"$T/err")" "somebody else is editing the configuration" "... and told why"
is "$(stat -c '%U %a' "$both/.nsbox.conf.edit")" "root 700" "the draft is root's alone"
echo '; by another program' >>"$CONF"
rm "$T/waiting"
wait "$first"
is "$? $(tail -n 1 "$CONF")" "1 ; by another program" "what another program wrote meanwhile is not overwritten"
restore
mkdir -p "$CONF.d"
editor both <<<"cat $T/new.conf >\"\$1\"; cp $T/new.conf $CONF.d/20-same.conf"
edit both </dev/null
is "$? $(<"$CONF")" "1 $old" "the draft is checked with the other files as they are then"
like "$(<"$T/err")" "$CONF.d/20-same.conf:1: the section \"new\" is given twice" "... and it is said what does not go together"
editor apart <<<"printf '[policy apart]\nUsers = bob\n' >\"\$1\"; rm $CONF.d/20-same.conf; echo nonsense >$CONF.d/30-broken.conf"
edit apart </dev/null
is "$? $(head -n 1 "$CONF")" "0 [policy apart]" "... of whose mistakes the draft is not accused"
restore
rm "$CONF.d"/*
mkfifo "$T/answers"
EDITOR="$T/note" nsboxctl edit >"$T/first" 2>&1 <"$T/answers" &
first=$!
exec 5>"$T/answers"
until_ok 5 grep -q 'i: install' "$T/first"
printf '[policy n]\nUsers = bob\n' >"$CONF.d/20-n.conf"
echo i >&5
exec 5>&-
wait "$first"
is "$? $(<"$CONF")" "1 $old" "... nor is it installed if one of them changed before the answer came"
like "$(<"$T/first")" "somebody else changed another file meanwhile" "... and it is said why"
rm -r "$CONF.d"
restore
EDITOR="$T/waits" nsboxctl edit >"$T/first" 2>&1 </dev/null &
first=$!
until_ok 5 test -e "$T/waiting"
kill -KILL "$first"
wait "$first" 2>/dev/null
edit install-new </dev/null
is "$? $(<"$CONF") $(leftovers)" "0 $new " "what a killed nsboxctl left locks nobody out, and is swept up"
rm "$T/waiting"
# The editor of the one that was killed lives on, and must not write into somebody else's draft.
restore
EDITOR="$T/waits" nsboxctl edit >"$T/first" 2>&1 </dev/null &
first=$!
until_ok 5 test -e "$T/waiting"
kill -KILL "$first"
wait "$first" 2>/dev/null
editor meanwhile <<<"rm $T/waiting; sleep 0.3; printf '[policy mine]\nUsers = alice\n' >>\"\$1\""
edit meanwhile </dev/null
is "$? $(<"$CONF")" "0 $old
[policy mine]
Users = alice" "the editor of a nsboxctl that was killed does not reach the next one's draft"

is "$(setpriv --reuid alice --clear-groups nsboxctl edit 2>&1 </dev/null; echo $?)" \
    "nsboxctl edit: only root can do this; call it with sudo
1" "it is root's alone"

# --- Death at any moment ---

# whole: the configuration is one of the two; prints what it is otherwise
whole() {
    local text
    text=$(<"$CONF")
    [ "$text" = "$old" ] || [ "$text" = "$new" ] || echo "$1: $text"
}

# recovers: the next edit works, and nothing is left
recovers() {
    # A child of the one that was killed may hold the lock until it has become the editor.
    until_ok 5 edit nothing </dev/null || echo "$1: the next edit fails: $(<"$T/err")"
    leftovers
}

editor slowly <<END
while IFS= read -r line; do
    printf '%s\n' "\$line" >>"\$1.new"
    sleep 0.002
done <$T/new.conf
cat "\$1.new" >"\$1"
END
wrong='' count=$(rounds 60 3000) installed=0
for ((i = 0; i < count; i++)); do
    restore
    EDITOR="$T/slowly" nsboxctl edit >"$T/out" 2>&1 </dev/null &
    pid=$!
    sleep "0.0$((RANDOM % 45 + 10))"
    if ((i % 2)); then
        kill -KILL "$pid" 2>/dev/null
    else
        pkill -KILL -P "$pid"
    fi
    wait "$pid" 2>/dev/null
    wrong+=$(whole "round $i")
    wrong+=$(recovers "round $i")
    [ "$(<"$CONF")" != "$new" ] || installed=$((installed + 1))
done
is "$wrong" "" "$count edits of which nsboxctl or the editor was killed at a random moment leave the old or the new file"
diag "$installed of $count were installed"

if command -v strace >/dev/null; then
    restore
    EDITOR="$T/install-new" strace -o "$T/trace" nsboxctl edit >"$T/out" 2>&1 </dev/null
    last=$(wc -l <"$T/trace")
    like "$(grep -oE '^(fsync|rename)\(' "$T/trace" | tail -n 3 | tr -d '\n')" '^fsync\(rename\(fsync\($' \
        "the file is on the disk before it is renamed, and its folder after"
    wrong='' installed=0
    step=$(rounds 4 1)
    for ((i = 1; i <= last; i += step)); do
        restore
        { EDITOR="$T/install-new" strace -o /dev/null -e "inject=all:signal=KILL:when=$i" nsboxctl edit </dev/null; } >"$T/out" 2>&1
        # The editor may outlive it by a moment.
        until_ok 2 not pgrep -f "$T/install-new" >/dev/null
        wrong+=$(whole "call $i")
        [ "$(<"$CONF")" != "$new" ] || installed=$((installed + 1))
        wrong+=$(recovers "call $i")
    done
    is "$wrong" "" "killed at every ${step}th of its $last system calls nsboxctl leaves the old or the new file"
    diag "the new one in $installed cases"
else
    skip "killed at any of its system calls nsboxctl leaves the old or the new file" "no strace"
fi

# --- A full disk ---

restore
mount -t tmpfs -o mode=755,size=64k tmpfs /mnt
cp "$CONF" /mnt/nsbox.conf
head -c 40000 /dev/zero | tr '\0' '\n' >>/mnt/nsbox.conf
cp /mnt/nsbox.conf "$T/kept.conf"
edit append --conf /mnt/nsbox.conf </dev/null
is "$? $(cmp /mnt/nsbox.conf "$T/kept.conf")" "1 " "on a full disk the file stays as it was"
like "$(<"$T/err")" "No space left on device" "... and it is said why"
is "$(find /mnt -path '*edit*')" "" "... and nothing is left"
umount /mnt

done_testing
