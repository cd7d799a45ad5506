# What `make install` puts down is enough to build and run a program with, by pkg-config alone, with
# the shared and with the static library; `make uninstall` takes it all away.
. tests/support/tap.sh

into="BUILD=$(dirname "$built") prefix=/opt/avout DESTDIR=$scratch/root"
place=$scratch/root/opt/avout
export PKG_CONFIG_PATH="$place/lib/pkgconfig"
export PKG_CONFIG_SYSROOT_DIR="$scratch/root"

# shellcheck disable=SC2086
check install make $into install
check version_is_known sh -c '[ "$(pkg-config --modversion avout)" = 0.1.0 ]'
check soname_links sh -c "[ \"\$(readlink $place/lib/libavout.so)\" = libavout.so.0 ] &&
    [ \"\$(readlink $place/lib/libavout.so.0)\" = libavout.so.0.1.0 ] &&
    readelf -d $place/lib/libavout.so | grep -q 'SONAME.*libavout.so.0\\]'"
all_headers() { (cd include && find . -name '*.h') | while read -r h; do [ -r "$place/include/$h" ] || exit 1; done; }
check all_headers all_headers
for page in man/*.[1-7]; do
    [ -e "$page" ] || continue
    check "manual_page_$(basename "$page")" test -r "$place/share/man/man${page##*.}/$(basename "$page")"
done

for file in bash-completion/completions/avout zsh/site-functions/_avout fish/vendor_completions.d/avout.fish; do
    check "completion_$(dirname "$(dirname "$file")")" test -s "$place/share/$file"
done

cat >"$scratch/stranger.c" <<'END'
#include <avout/status.h>
#include <avout/memory.h>
#include <stdio.h>

int main(void)
{
    printf("%s, %zu\n", avout_status_name(AVOUT_RETRY), avout_memory_blocks());
    return 0;
}
END
stranger() # SOURCE [--static]
{
    # shellcheck disable=SC2046
    (cd "$scratch" && ${CC:-cc} -std=c17 -Wall -Werror "$1" -o stranger ${2:+-Wl,-Bstatic} \
        $(pkg-config --cflags --libs avout) \
        ${2:+-Wl,-Bdynamic $(pkg-config --static --libs-only-l --libs-only-other avout | sed 's/-lavout//')})
}
runs() # OUTPUT [LIBRARY-PATH]
{
    [ "$(LD_LIBRARY_PATH=${2:-} "$scratch/stranger")" = "$1" ]
}
check build_with_the_shared_library stranger stranger.c
check run_with_the_shared_library runs 'AVOUT_RETRY, 0' "$place/lib"
refuse it_is_the_shared_library_that_is_used 'libavout.so.0' "$scratch/stranger"
check build_with_the_static_library stranger stranger.c --static
check run_with_the_static_library runs 'AVOUT_RETRY, 0'

# A thread that has used the library runs a function of the library's when it ends, also when
# whoever loaded the library has let go of it.
cat >"$scratch/guest.c" <<'END'
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

typedef struct value { uintptr_t bits; } value;
static value (*string)(const char *text);
static void (*release)(value value);
static pthread_barrier_t meeting;

static void *use(void *none)
{
    release(string("text"));
    pthread_barrier_wait(&meeting);
    pthread_barrier_wait(&meeting); /* the library has been closed */
    return none;
}

int main(int count, char **arguments)
{
    pthread_t thread;
    void *library = count == 2 ? dlopen(arguments[1], RTLD_NOW) : NULL;
    if (!library) return 2;
    *(void **)&string = dlsym(library, "avout_string");
    *(void **)&release = dlsym(library, "avout_release");
    if (!string || !release || pthread_barrier_init(&meeting, NULL, 2)) return 3;
    if (pthread_create(&thread, NULL, use, NULL)) return 4;
    pthread_barrier_wait(&meeting);
    if (dlclose(library)) return 5;
    pthread_barrier_wait(&meeting);
    return pthread_join(thread, NULL) ? 6 : 0;
}
END
check build_a_guest ${CC:-cc} -std=gnu17 -pthread -o "$scratch/guest" "$scratch/guest.c" -ldl
check threads_end_after_the_library_was_closed "$scratch/guest" "$place/lib/libavout.so"

for example in examples/*.c; do
    [ -e "$example" ] || continue
    cp "$example" "$scratch"
    check "build_$(basename "$example" .c)_outside_the_tree" stranger "$(basename "$example")"
done

cat >"$scratch/filed.c" <<'END'
#include <avout.h>
#include <avout/file.h>
#include <avout/sys/container.h>

int main(void)
{
    avout_versioned_container *container;
    avout_status status = avout_file_container(&container, "/nowhere");
    if (!status) container->ops->close(container);
    return status != AVOUT_OK;
}
END
filed()
{
    # shellcheck disable=SC2046
    (cd "$scratch" && ${CC:-cc} -std=c17 -Wall -Werror filed.c -o filed \
        $(pkg-config --cflags --libs avout-file)) && LD_LIBRARY_PATH=$place/lib "$scratch/filed"
}
check the_file_container_is_a_library_of_its_own filed
refuse the_conformance_suite_runs 'usage: avout-container-test' "$place/bin/avout-container-test"

if [ -e src/cli/main.c ]; then
    check the_command_runs "$place/bin/avout" --help
fi

# shellcheck disable=SC2086
check uninstall make $into uninstall
check nothing_is_left sh -c "[ -z \"\$(find $scratch/root -type f -o -type l)\" ]"

finish
