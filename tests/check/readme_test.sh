# The README's C example, word for word: the first block of C behind the line <!-- example -->.
. tests/support/tap.sh

example() # README
{
    awk '/^<!-- example -->/ { marked = 1 }
         /^```/ && inside { exit }
         inside { print }
         marked && /^```c$/ { inside = 1 }' "$1"
}

build()
{
    example README.md >"$scratch/example.c"
    [ -s "$scratch/example.c" ] || { echo 'README.md has no example in C'; return 1; }
    # shellcheck disable=SC2046
    ${CC:-cc} -std=c17 -Wall -Wextra -Wpedantic -Werror -Iinclude "$scratch/example.c" \
        -o "$scratch/example" "$built/libavout.a" $(sed -n 's/^LIBS := //p' Makefile)
}
check it_compiles build
check it_has_at_most_thirty_lines sh -c "[ \$(wc -l <$scratch/example.c) -le 30 ]"
run() { AVOUT_STORE=lmdb:$scratch/store XDG_STATE_HOME=$scratch/state "$scratch/example"; }
check it_runs run
check it_runs_again run

finish
