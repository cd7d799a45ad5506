# Every public header compiles alone, as C17 and as C++17, without a warning, and declares what it
# needs itself.
. tests/support/tap.sh

warnings='-Wall -Wextra -Wpedantic -Werror'

compiles() # HEADER
{
    echo "#include \"$1\"" >"$scratch/alone.c"
    cp "$scratch/alone.c" "$scratch/alone.cpp"
    for compiler in gcc clang; do
        command -v $compiler >/dev/null || continue
        # shellcheck disable=SC2086
        $compiler -std=c17 $warnings -I "$include" -fsyntax-only "$scratch/alone.c" || return 1
    done
    for compiler in g++ clang++; do
        command -v $compiler >/dev/null || continue
        # shellcheck disable=SC2086
        $compiler -std=c++17 $warnings -I "$include" -fsyntax-only "$scratch/alone.cpp" || return 1
    done
}

include=include
for header in $(cd include && find . -name '*.h' | sort); do
    check "${header#./}" compiles "${header#./}"
done

# The check itself: each of these must not get through.
include=$scratch
echo 'typedef struct here { size_t size; } here;' >"$scratch/needs.h"
refuse a_header_that_needs_another size_t compiles needs.h
echo 'typedef struct here { int class; } here;' >"$scratch/cpp.h"
refuse a_header_that_is_not_cpp class compiles cpp.h
echo 'static int here(int unused) { return 0; }' >"$scratch/warns.h"
refuse a_header_that_warns unused compiles warns.h

finish
