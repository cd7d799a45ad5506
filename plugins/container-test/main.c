/* avout-container-test [--unversioned] OBJECT FUNCTION PLACE
 *
 * Loads a shared object and runs the conformance suite on the containers that FUNCTION of it makes:
 * avout_status FUNCTION(avout_versioned_container **container, const char *place), or with avout_container.
 * PLACE is empty, or does not exist yet. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "conformance.h"

static int wrong(const char *what)
{
    fprintf(stderr, "avout-container-test: %s\n", what);
    return 2;
}

int main(int argc, char **argv)
{
    bool unversioned = argc > 1 && !strcmp(argv[1], "--unversioned");
    if (unversioned) argc--, argv++;
    if (argc != 4) {
        fprintf(stderr,
                "usage: avout-container-test [--unversioned] OBJECT FUNCTION PLACE\n"
                "       avout-container-test libavout-file.so avout_file_container /tmp/empty\n"
                "Checks whether the state containers that FUNCTION of the shared object makes\n"
                "keep what avout/sys/container.h asks; TAP on standard output.\n");
        return 2;
    }
    void *object = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!object) return wrong(dlerror());
    void *function = dlsym(object, argv[2]);
    if (!function) return wrong(dlerror());
    if (unversioned) {
        conformance_open_unversioned_fn open_unversioned;
        memcpy(&open_unversioned, &function, sizeof open_unversioned);
        return conformance_run_unversioned(open_unversioned, argv[3]) ? 1 : 0;
    }
    conformance_open_fn open;
    memcpy(&open, &function, sizeof open); /* C has no cast from data to functions */
    return conformance_run(open, argv[3]) ? 1 : 0;
}
