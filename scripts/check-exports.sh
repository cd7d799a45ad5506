#!/bin/sh
# Holds what the shared library exports against what the public headers declare with AVOUT_API: the
# two lists must be the same, and every symbol must carry its version.
#
#     check-exports.sh LIBRARY [INCLUDE-DIRECTORY]
#
# Prints each difference, and exits with 1 if there is one.
set -eu
library=$1
include=${2:-include}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP

# The compiler expands the macros, whatever makes the declarations. What is declared is the last
# name before the first parenthesis, or, for data, before the semicolon or bracket.
(cd "$include" && find . -name '*.h' | sort | sed 's|^\./\(.*\)|#include "\1"|') >"$folder/all.c"
"${CC:-cc}" -std=c17 -E -P -I"$include" "$folder/all.c" | tr '\n' ' ' |
    sed 's/__attribute__((visibility("default")))/\n@/g' | sed -n 's/^@//p' |
    sed -E 's/__attribute__ *\(\([^()]*(\([^()]*\))?[^()]*\)\)//g' |
    sed -E 's/[([;].*//; s/ *$//; s/.*[ *]//' | sort -u >"$folder/declared"

nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sort -u >"$folder/versioned"
sed 's/@.*//' "$folder/versioned" | sort -u >"$folder/exported"

status=0
tell() # FILE MESSAGE
{
    [ -s "$1" ] || return 0
    sed "s/\$/: $2/" "$1"
    status=1
}
comm -13 "$folder/declared" "$folder/exported" >"$folder/extra"
comm -23 "$folder/declared" "$folder/exported" >"$folder/missing"
grep -v '@@AVOUT_[0-9]*$' "$folder/versioned" >"$folder/bare" || true
tell "$folder/extra" 'exported, but no public header declares it'
tell "$folder/missing" 'declared in a public header, but not exported'
tell "$folder/bare" 'exported without a version'
[ -s "$folder/declared" ] || { echo "no declarations found in $include"; status=1; }
exit $status
