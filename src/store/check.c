#include "store/check.h"

#include <string.h>

#include "base/alloc.h"
#include "base/banned.h"

avout__node_check *avout__node_check_new(const char *path, int64_t version, avout_status status,
                                         const char *detail)
{
    size_t size = strlen(path) + 1;
    char *text = avout__strdup(detail);
    avout__node_check *check = text ? avout__alloc(sizeof *check + size) : NULL;
    if (!check) {
        avout__free(text);
        return NULL;
    }
    atomic_init(&check->refs, 1);
    check->version = version;
    check->status = status;
    check->detail = text;
    memcpy(check->path, path, size);
    return check;
}

void avout__node_check_unref(avout__node_check *check)
{
    if (!check || atomic_fetch_sub(&check->refs, 1) != 1) return;
    avout__free(check->detail);
    avout__free(check);
}
