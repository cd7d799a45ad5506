/* avout-container-test OBJECT FUNCTION PLACE
 *
 * Loads a shared object and runs the conformance suite on the containers that FUNCTION of it makes:
 * avout_status FUNCTION(avout_versioned_container **container, const char *place). PLACE is empty, or
 * does not exist yet. */
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
    if (argc != 4) {
        fprintf(stderr,
                "usage: avout-container-test OBJECT FUNCTION PLACE\n"
                "       avout-container-test libavout-file.so avout_file_container /tmp/empty\n"
                "Checks whether the versioned state containers that FUNCTION of the shared\n"
                "object makes keep what avout/sys/container.h asks; TAP on standard output.\n");
        return 2;
    }
    void *object = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!object) return wrong(dlerror());
    void *function = dlsym(object, argv[2]);
    if (!function) return wrong(dlerror());
    conformance_open_fn open;
    memcpy(&open, &function, sizeof open); /* C has no cast from data to functions */
    return conformance_run(open, argv[3]) ? 1 : 0;
}
