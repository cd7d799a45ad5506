# The conformance suite as an author runs it: a program, a shared object, a function, a place.
. tests/support/tap.sh

tool=$built/bin/avout-container-test
object=$built/lib/libavout-file.so

conforms() { "$tool" "$object" avout_file_container "$scratch/place" >"$scratch/out" && grep -qx '1\.\.16' "$scratch/out"; }
check files_conform conforms
# avout_file_value_container takes a codec, too.
cat >"$scratch/value.c" <<'END'
#include <avout/file.h>
#include <avout/sys/container.h>
__attribute__((visibility("default"))) avout_status value(avout_container **c, const char *place);
avout_status value(avout_container **c, const char *place)
{ return avout_file_value_container(c, place, NULL); }
END
check a_container_of_one_value_compiles "${CC:-cc}" -std=c17 -Wall -Werror -Iinclude -Iplugins/file/include \
    -shared -fPIC "$scratch/value.c" -o "$scratch/value.so" -L"$built/lib" -lavout-file -Wl,-rpath,"$(realpath "$built/lib")"
one_value_conforms() { "$tool" --unversioned "$scratch/value.so" value "$scratch/place/one" >"$scratch/out" && grep -qx '1\.\.11' "$scratch/out"; }
check one_value_conforms one_value_conforms
rmdir "$scratch/place"
check nothing_is_left sh -c "[ ! -e '$scratch/place' ] || [ -z \"\$(ls -A '$scratch/place')\" ]"
refuse no_arguments 'usage: avout-container-test' "$tool"
refuse no_object 'cannot open shared object' "$tool" "$scratch/none.so" f place
refuse no_function 'undefined symbol: f' "$tool" "$object" f place

# A container that answers that all is well: the suite does not.
cat >"$scratch/lazy.c" <<'END'
#include <avout/sys/container.h>
typedef avout_versioned_container container;
static avout_status yes(container *c, int64_t ms) { return (void)c, (void)ms, AVOUT_OK; }
static avout_status get(avout_value *v, container *c, const char *n, int64_t ms)
{ return (void)c, (void)n, (void)ms, *v = avout_nil(), AVOUT_OK; }
static avout_status set(container *c, const char *n, avout_value v, int64_t ms)
{ return (void)c, (void)n, (void)v, (void)ms, AVOUT_OK; }
static avout_status drop(container *c, const char *n, int64_t ms) { return (void)n, yes(c, ms); }
static void end(container *c) { (void)c; }
static const avout_versioned_container_ops ops = {AVOUT_VERSIONED_CONTAINER_OPS_VERSION, sizeof ops,
    "lazy", yes, yes, get, set, drop, NULL, end};
static container only = {&ops, "nowhere"};
__attribute__((visibility("default"))) avout_status lazy(container **c, const char *place);
avout_status lazy(container **c, const char *place) { return (void)place, *c = &only, AVOUT_OK; }
END
check a_lazy_container_compiles "${CC:-cc}" -std=c17 -Wall -Werror -Iinclude -shared -fPIC "$scratch/lazy.c" \
    -o "$scratch/lazy.so"
refuse a_lazy_container_fails 'not ok 4 values_of_all_kinds' "$tool" "$scratch/lazy.so" lazy nowhere

# Only its own functions get out of a plugin.
exports()
{
    functions=$(nm -D --defined-only "$built/lib/libavout-$1.so" | awk '$2 == "T" { print $3 }')
    echo "$functions" | grep -qx "avout_$1_container@@AVOUT_0" &&
        ! echo "$functions" | grep -qv "^avout_$1_[a-z_]*container[a-z_]*@@AVOUT_0$"
}
for plugin in plugins/*/include; do
    plugin=$(basename "${plugin%/include}")
    check "the_${plugin}_plugin_exports_its_functions_only" exports "$plugin"
done

finish
