# The shared library exports what the public headers declare: nothing more, nothing less.
. tests/support/tap.sh

library=$built/lib/libavout.so
exports() { sh scripts/check-exports.sh "$@"; }

check exports_are_declarations exports "$library"

# Small libraries of our own, each with one mistake.
mkdir -p "$scratch/include"
cat >"$scratch/include/x.h" <<'END'
#define API __attribute__((visibility("default")))
#define LIST(X) X(avout_three)
typedef struct avout_handle avout_handle;
API int avout_one(int (*call)(int number), void *payload) __attribute__((warn_unused_result));
API const avout_handle *avout_two(void);
#define DECLARE(name) API void name(void);
LIST(DECLARE)
END
cat >"$scratch/as_declared.c" <<'END'
#include "x.h"
int avout_one(int (*call)(int number), void *payload) { return payload ? call(1) : 0; }
const avout_handle *avout_two(void) { return 0; }
void avout_three(void) {}
END
build() # NAME MAP EXTRA-SOURCE
{
    { cat "$scratch/as_declared.c"; echo "$3"; } >"$scratch/$1.c"
    ${CC:-cc} -shared -fPIC -fvisibility=hidden -I"$scratch/include" "$scratch/$1.c" \
        -o "$scratch/$1.so" ${2:+-Wl,--version-script="$2"}
}
ours() { build "$1" "$2" "$3" && exports "$scratch/$1.so" "$scratch/include"; }
check a_library_as_declared ours good src/avout.map ''
refuse an_export_too_many 'avout_four: exported, but no' ours more src/avout.map \
    'API int avout_four(void) { return 4; }'
refuse an_export_without_version 'avout_one: exported without a version' ours bare '' ''
echo 'API int avout_five(void);' >>"$scratch/include/x.h"
refuse an_export_missing 'avout_five: declared in a public header, but' ours less src/avout.map ''
check private_names_stay_inside build private src/avout.map \
    'API int avout_five(void) { return 5; } API int avout__six(void) { return 6; }'
check private_names_are_not_exported exports "$scratch/private.so" "$scratch/include"

finish
