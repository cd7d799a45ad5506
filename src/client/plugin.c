/* Containers that are libraries of their own, loaded when they are first asked for. */
#include "avout/codec.h"

#include <dlfcn.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "state/answer.h"
#include "base/banned.h"

enum { NAME_SIZE = 96, SOVERSION = 0 };

typedef avout_status (*maker_fn)(avout_versioned_container **container, const char *place);
typedef avout_status (*coded_maker_fn)(avout_versioned_container **container, const char *place,
                                       const avout_codec *codec);
typedef avout_status (*value_maker_fn)(avout_container **container, const char *place,
                                       const avout_codec *codec);

/* Beside this library, or the program it is linked into. False: nobody can say where that is. */
static bool beside(char *path, size_t size, const char *file)
{
    Dl_info info;
    if (!dladdr((const void *)(uintptr_t)avout_container_open, &info) || !info.dli_fname)
        return false;
    const char *slash = strrchr(info.dli_fname, '/');
    if (!slash) return false;
    int length =
        snprintf(path, size, "%.*s/%s", (int)(slash - info.dli_fname), info.dli_fname, file);
    return length > 0 && (size_t)length < size;
}

/* What is beside this library is meant, whether it can be loaded or not; what is not there is looked for
 * where the loader looks. */
static avout_status open_library(void **library, const char *kind)
{
    char file[64], path[PATH_MAX];
    snprintf(file, sizeof file, "libavout-%s.so.%d", kind, SOVERSION);
    bool there = beside(path, sizeof path, file) && !access(path, F_OK);
    *library = dlopen(there ? path : file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (*library) return AVOUT_OK;
    const char *why = dlerror();
    return avout_fail(
        AVOUT_ENOTSUP,
        "the container \"%s\" is not installed: it is the library %s, beside libavout "
        "or where the loader looks (%s)",
        kind, file, why ? why : "no reason given");
}

/* A container made by another copy of the library than this one would not be one of ours. */
static bool has_another_copy(void *library)
{
    void *theirs = dlsym(library, "avout_container_open");
    return theirs && theirs != (void *)(uintptr_t)avout_container_open;
}

static avout_status load(void **library, const char *kind)
{
    if (!avout__answer_is_word(kind, AVOUT__KIND_MAX))
        return avout_fail(
            AVOUT_EINVAL,
            "container \"%.40s\": a kind is 1 to %d of the letters a to z, digits, and -", kind,
            AVOUT__KIND_MAX);
    avout_status status = open_library(library, kind);
    if (status || !has_another_copy(*library)) return status;
    return avout_fail(
        AVOUT_ENOTSUP,
        "container \"%s\": this program has libavout.a in it, and the container needs "
        "libavout.so: link with the shared library, or with the container's own",
        kind);
}

/* The function avout_KIND_`what` of the kind's library, and its name; NULL: it has none. As POSIX has it: a function's
 * address may go through void *. */
static void *find_maker(char name[NAME_SIZE], void *library, const char *kind, const char *what)
{
    snprintf(name, NAME_SIZE, "avout_%s_%s", kind, what);
    for (char *at = name; *at; at++)
        if (*at == '-') *at = '_';
    return dlsym(library, name);
}

static avout_status check_arguments(const void *container, const char *kind, const char *place,
                                    const char *function)
{
    if (container && kind && place) return AVOUT_OK;
    return avout_fail(AVOUT_EINVAL, "%s: an argument is NULL", function);
}

avout_status avout_container_load(const char *kind)
{
    void *library;
    return kind ? load(&library, kind)
                : avout_fail(AVOUT_EINVAL, "avout_container_load: an argument is NULL");
}

avout_status avout_container_open(avout_versioned_container **container, const char *kind,
                                  const char *place)
{
    char name[NAME_SIZE];
    void *library;
    avout_status status = check_arguments(container, kind, place, "avout_container_open");
    if (!status) status = load(&library, kind);
    if (status) return status;
    maker_fn maker = (maker_fn)(uintptr_t)find_maker(name, library, kind, "container");
    if (maker) return maker(container, place);
    return avout_fail(AVOUT_ENOTSUP, "container \"%s\": its library has no function %s", kind,
                      name);
}

avout_status avout_container_open_coded(avout_versioned_container **container, const char *kind,
                                        const char *place, const avout_codec *codec)
{
    char name[NAME_SIZE];
    void *library;
    if (!codec || codec == avout_codec_edn()) return avout_container_open(container, kind, place);
    avout_status status = check_arguments(container, kind, place, "avout_container_open_coded");
    if (!status) status = load(&library, kind);
    if (status) return status;
    coded_maker_fn maker =
        (coded_maker_fn)(uintptr_t)find_maker(name, library, kind, "container_coded");
    if (maker) return maker(container, place, codec);
    return avout_fail(AVOUT_ENOTSUP,
                      "container \"%s\": it takes no codec, and keeps values in a form of its own",
                      kind);
}

avout_status avout_container_open_value(avout_container **container, const char *kind,
                                        const char *place, const avout_codec *codec)
{
    char name[NAME_SIZE];
    void *library;
    avout_status status = check_arguments(container, kind, place, "avout_container_open_value");
    if (!status) status = load(&library, kind);
    if (status) return status;
    value_maker_fn maker =
        (value_maker_fn)(uintptr_t)find_maker(name, library, kind, "value_container");
    if (maker) return maker(container, place, codec);
    return avout_fail(AVOUT_ENOTSUP,
                      "container \"%s\": it keeps versions, and has none for one value that is "
                      "overwritten",
                      kind);
}
