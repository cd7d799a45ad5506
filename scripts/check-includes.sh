#!/bin/sh
# Holds every #include against the rooms' table: dependencies point one way.
#
#     check-includes.sh [ROOT]
#
# Prints each include that breaks a rule, and exits with 1 if there is one.
set -eu
cd "${1:-$(dirname "$0")/..}"

files=$(find include src examples bench plugins -name '*.[ch]' 2>/dev/null | sort)
[ -n "$files" ] || { echo "no sources in $(pwd)" >&2; exit 1; }

# shellcheck disable=SC2086
awk '
# Who may include whom. "public" is include/avout, "sys" include/avout/sys.
BEGIN {
    allow["public"]     = "public"
    allow["sys"]        = "public sys"
    allow["base"]       = "public base"
    allow["value"]      = "public base value"
    allow["edn"]        = "public base value edn"
    allow["store"]      = "public sys base store"
    allow["store/lmdb"] = "public sys base store store/lmdb"
    allow["store/zk"]   = "public sys base store store/zk"
    allow["store/mem"]  = "public sys base store store/mem"
    allow["lock"]       = "public sys base store lock"
    allow["state"]      = "public sys base value edn state"
    allow["stm"]        = "public sys base value store state stm"
    allow["client"]     = "public sys base value edn store store/lmdb store/zk store/mem state stm lock client"
    allow["lang"]       = "public base lang"
    allow["cli"]        = "public lang cli"
    allow["examples"]   = "public sys examples"
    allow["bench"]      = "public bench"
    allow["plugin"]     = "public sys plugin"
    # An engine has one door. The benchmark measures the engines themselves beside us.
    door["lmdb.h"] = "store/lmdb bench"
    door["zookeeper.h"] = "store/zk bench"
}

function room_of(path)
{
    if (path ~ /^include\/avout\/sys\//) return "sys"
    if (path ~ /^include\//) return "public"
    if (path ~ /^plugins\//) return "plugin"
    if (path ~ /^(examples|bench)\//) return substr(path, 1, index(path, "/") - 1)
    sub(/^src\//, "", path)
    if (path ~ /^store\/[^\/]+\//) return "store/" substr(path, 7, index(substr(path, 7), "/") - 1)
    return index(path, "/") ? substr(path, 1, index(path, "/") - 1) : "?"
}

# What a name inside "" or <> stands for; "" for the system.
function target_of(name, quoted, path,    folder)
{
    if (name ~ /^avout\/sys\//) return "sys"
    if (name ~ /^avout\// || name == "avout.h") return "public"
    if (!quoted) return ""
    folder = path
    sub(/[^\/]*$/, "", folder)
    while (name ~ /^\.\.\//) {
        sub(/^\.\.\//, "", name)
        sub(/[^\/]*\/$/, "", folder)
        if (name !~ /^\.\.\//) return room_of(folder name)
    }
    if (path ~ /^plugins\// && name ~ /^common\//) return "plugin"
    # Beside the including file, or from the top of src.
    if (path ~ /^include\// || index(name, "/") == 0) return room_of(folder name)
    return room_of("src/" name)
}

function among(word, list) { return index(" " list " ", " " word " ") > 0 }

function wrong(why)
{
    printf "%s:%d: %s (%s)\n", FILENAME, FNR, $0, why
    bad = 1
}

function end_of_file()
{
    if (last_file ~ /^src\/.*\.c$/ && last_file !~ /^src\/(cli|base\/alloc\.c)/ &&
        last_include !~ /"base\/banned\.h"/) {
        printf "%s: the last include is not \"base/banned.h\"\n", last_file
        bad = 1
    }
}

FNR == 1 { if (last_file) end_of_file(); last_file = FILENAME; last_include = ""; room = room_of(FILENAME) }

/^[ \t]*#[ \t]*include[ \t]*["<]/ {
    last_include = $0
    name = $0
    sub(/^[^"<]*["<]/, "", name)
    quoted = $0 ~ /include[ \t]*"/
    sub(/[">].*$/, "", name)
    if (!(room in allow)) { wrong("no rules for the room " room); next }
    target = target_of(name, quoted, FILENAME)
    base = name
    sub(/^.*\//, "", base)
    if (target == "") {
        if ((base in door) && !among(room, door[base])) wrong("only " door[base] " may")
    } else if (!among(target, allow[room])) {
        wrong(room " must not include " target)
    }
}

END { end_of_file(); exit bad }
' $files
