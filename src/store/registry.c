/* Which adapters there are. The room knows none by itself: the client registers the ones that the
 * library was built with, tests their own. */
#include "store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/banned.h"

enum { ADAPTERS_MAX = 16 };

/* Append-only, under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const avout_store_ops *adapters[ADAPTERS_MAX];
static size_t adapter_count;

static const avout_store_ops *find_locked(const char *scheme)
{
    for (size_t i = 0; i < adapter_count; i++)
        if (!strcasecmp(adapters[i]->scheme, scheme)) return adapters[i];
    return NULL;
}

const avout_store_ops *avout__store_find(const char *scheme)
{
    pthread_mutex_lock(&lock);
    const avout_store_ops *found = find_locked(scheme);
    pthread_mutex_unlock(&lock);
    return found;
}

const char *avout__store_schemes(char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < adapter_count && at < size; i++) {
        int written = snprintf(out + at, size - at, "%s%s", at ? ", " : "", adapters[i]->scheme);
        at += written < 0 ? 0 : (size_t)written;
    }
    pthread_mutex_unlock(&lock);
    return out;
}

static bool good_scheme(const char *scheme)
{
    static const char digits[] = "0123456789", letters[] = "abcdefghijklmnopqrstuvwxyz";
    if (!scheme || !*scheme || !strchr(letters, *scheme)) return false;
    for (; *scheme; scheme++)
        if (!strchr(letters, *scheme) && !strchr(digits, *scheme)) return false;
    return true;
}

static avout_status check(const avout_store_ops *ops)
{
    if (!ops) return avout_fail(AVOUT_EINVAL, "store adapter: NULL");
    if (ops->version != AVOUT_STORE_OPS_VERSION)
        return avout_fail(AVOUT_EINVAL, "store adapter: version %u, this library has %u",
                          ops->version, AVOUT_STORE_OPS_VERSION);
    if (ops->size != sizeof *ops)
        return avout_fail(AVOUT_EINVAL, "store adapter: size %u, this library has %zu", ops->size,
                          sizeof *ops);
    if (!good_scheme(ops->scheme))
        return avout_fail(AVOUT_EINVAL, "store adapter: scheme is not of the form [a-z][a-z0-9]*");
    const char *missing = !ops->open     ? "open"
                          : !ops->close  ? "close"
                          : !ops->submit ? "submit"
                          : !ops->info   ? "info"
                                         : NULL;
    if (missing)
        return avout_fail(AVOUT_EINVAL, "store adapter %s: %s is missing", ops->scheme, missing);
    return AVOUT_OK;
}

avout_status avout__store_register(const avout_store_ops *ops)
{
    avout_status status = check(ops);
    if (status) return status;
    pthread_mutex_lock(&lock);
    const avout_store_ops *there = find_locked(ops->scheme);
    if (there && there != ops)
        status = avout_fail(AVOUT_EINVAL, "store adapter %s: there is one already", ops->scheme);
    else if (!there && adapter_count == ADAPTERS_MAX)
        status =
            avout_fail(AVOUT_ELIMIT, "store adapter %s: more than %d", ops->scheme, ADAPTERS_MAX);
    else if (!there) adapters[adapter_count++] = ops;
    pthread_mutex_unlock(&lock);
    return status;
}

avout_status avout__store_open(avout_store **store, const char *url, const avout_options *options,
                               const avout_listener *listener)
{
    static const avout_options defaults = AVOUT_OPTIONS_INIT;
    avout__url parsed = {0};
    *store = NULL;
    avout_status status = avout__url_parse(&parsed, url);
    if (status) return status;
    const avout_store_ops *ops = avout__store_find(parsed.scheme);
    if (!ops) {
        char known[128], quoted[AVOUT__QUOTE_SIZE];
        status = avout_fail(AVOUT_EURL, "unknown kind of store %s; known: %s",
                            avout__quote(quoted, parsed.scheme),
                            avout__store_schemes(known, sizeof known));
    } else {
        status = ops->open(store, parsed.address, options ? options : &defaults, listener);
    }
    avout__url_release(&parsed);
    return status;
}

void avout__store_close(avout_store *store)
{
    if (store) store->ops->close(store);
}
