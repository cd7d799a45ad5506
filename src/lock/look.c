#include "lock/look.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/banned.h"

/* ---- one call, over broken connections -------------------------------------------------------------- */

bool avout__try_again(avout_status status, int64_t deadline_ns)
{
    if (status != AVOUT_ECONNECTION && status != AVOUT_ESESSION) return false;
    if (avout__deadline_passed(deadline_ns)) return false;
    _Atomic uint32_t word = 0;
    int64_t pause = avout__deadline_in_ms(20);
    avout__futex_wait(&word, 0, pause < deadline_ns ? pause : deadline_ns, false);
    return true;
}

avout_status avout__no_connection(avout_status status, const char *name)
{
    if (status != AVOUT_ECONNECTION && status != AVOUT_ESESSION) return status;
    return avout_fail(avout__late(), "%s: %s", name,
                      avout__late_text("no connection to the store before the deadline"));
}

/* A request that may be repeated. */
avout_status avout__room_call(avout__reply *reply, avout__locks *room, const char *name,
                              const avout_request *request, int64_t deadline_ns)
{
    avout_status status;
    do {
        if (reply) avout__reply_release(reply);
        status = avout__store_call(reply, &room->door, request, deadline_ns);
    } while (avout__try_again(status, deadline_ns));
    return avout__no_connection(status, name);
}

avout_status avout__room_list(avout__reply *reply, avout__locks *room, const char *name,
                              const char *path, int64_t deadline_ns)
{
    avout_request request = {.kind = AVOUT_REQUEST_LIST, .path = path};
    return avout__room_call(reply, room, name, &request, deadline_ns);
}

/* ---- many gets at once -------------------------------------------------------------------------------- */

static avout_status look_once(avout__looks **out, avout__locks *room, const char *path,
                              const char *const *names, size_t count, int64_t deadline_ns)
{
    const char **nodes = avout__calloc(count + 1, sizeof *nodes);
    size_t room_for_paths = 1;
    for (size_t i = 0; i < count; i++) room_for_paths += strlen(path) + strlen(names[i]) + 2;
    char *paths = avout__alloc(room_for_paths), *at = paths;
    avout_status status = nodes && paths ? AVOUT_OK : AVOUT_ENOMEM;
    for (size_t i = 0; !status && i < count; i++) {
        nodes[i] = at;
        at += snprintf(at, room_for_paths - (size_t)(at - paths), "%s/%s", path, names[i]) + 1;
    }
    if (!status)
        status = avout__store_look(out, &room->door, AVOUT_REQUEST_GET, nodes, count, deadline_ns);
    avout__free(nodes);
    avout__free(paths);
    return status;
}

/* The first failure that is not "gone meanwhile". */
static avout_status looks_status(const avout__looks *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (all->items[i].status && all->items[i].status != AVOUT_ENOTFOUND)
            return all->items[i].status;
    return AVOUT_OK;
}

avout_status avout__look_at(avout__looks **out, avout__locks *room, const char *path,
                            const char *const *names, size_t count, int64_t deadline_ns)
{
    for (;;) {
        avout_status status = look_once(out, room, path, names, count, deadline_ns);
        if (status) return status;
        status = looks_status(*out, count);
        if (!status) return AVOUT_OK;
        avout__looks_unref(*out);
        *out = NULL;
        if (avout__try_again(status, deadline_ns)) continue;
        status = avout__no_connection(status, path);
        if (status == AVOUT_ETIMEOUT || status == AVOUT_ECANCELLED) return status;
        return avout_fail(status, "%s: %s", path, avout_status_text(status));
    }
}

void avout__owner_read(int64_t *pid_out, char host[AVOUT__HOST_SIZE], const char *text)
{
    const char *quoted = strstr(text, ":host \""), *pid = strstr(text, ":pid ");
    host[0] = '\0';
    if (quoted) {
        quoted += strlen(":host \"");
        size_t length = strcspn(quoted, "\"");
        if (quoted[length] && length < AVOUT__HOST_SIZE) {
            memcpy(host, quoted, length);
            host[length] = '\0';
        }
    }
    char *end;
    errno = 0;
    long long number = pid ? strtoll(pid + strlen(":pid "), &end, 10) : 0;
    *pid_out = errno || number < 0 ? 0 : number;
}
