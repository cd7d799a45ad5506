/* The nodes of barriers: what they say, and looking at them from outside. */
#include "lock/barrier.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "lock/look.h"
#include "base/banned.h"

/* ---- texts --------------------------------------------------------------------------------------- */

void avout__barrier_write(char text[AVOUT__BARRIER_TEXT], const avout__barrier_state *state)
{
    snprintf(text, AVOUT__BARRIER_TEXT,
             "{:parties %" PRIu32 ", :generation %" PRIu64 ", :through %" PRId64 "%s}",
             state->parties, state->generation, state->through,
             state->broken ? ", :broken true" : "");
}

/* The number behind the key; 0 where there is none. */
static int64_t number_of(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at ? strtoll(at + strlen(key), NULL, 10) : 0;
}

static void copy_text(char text[AVOUT__BARRIER_TEXT], const avout_reply *reply)
{
    size_t length = reply->length < AVOUT__BARRIER_TEXT ? reply->length : 0;
    if (length) memcpy(text, reply->bytes, length);
    text[length] = '\0';
}

/* Only exactly what this library writes. */
avout_status avout__barrier_parse(avout__barrier_state *state, const avout_reply *reply,
                                  const char *name)
{
    char copy[AVOUT__BARRIER_TEXT], again[AVOUT__BARRIER_TEXT];
    copy_text(copy, reply);
    *state = (avout__barrier_state){.parties = (uint32_t)number_of(copy, ":parties "),
                                    .generation = (uint64_t)number_of(copy, ":generation "),
                                    .through = number_of(copy, ":through "),
                                    .broken = strstr(copy, ":broken true") != NULL,
                                    .version = reply->stat.version,
                                    .children = reply->stat.children};
    avout__barrier_write(again, state);
    bool sane = state->parties && state->through >= -1 && state->through <= INT32_MAX;
    if (sane && avout__reply_says(reply, again)) return AVOUT_OK;
    return avout_fail(AVOUT_EDATA, "%s: what is in its node is no barrier", name);
}

void avout__pass_write(char text[AVOUT__BARRIER_TEXT], const avout_pass *pass)
{
    snprintf(text, AVOUT__BARRIER_TEXT, "{:released %" PRIu64 ", :arrival %" PRIu32 "}",
             pass->generation, pass->arrival);
}

bool avout__pass_parse(avout_pass *pass, const avout_reply *reply)
{
    char copy[AVOUT__BARRIER_TEXT], again[AVOUT__BARRIER_TEXT];
    copy_text(copy, reply);
    *pass = (avout_pass){.generation = (uint64_t)number_of(copy, ":released "),
                         .arrival = (uint32_t)number_of(copy, ":arrival ")};
    avout__pass_write(again, pass);
    return avout__reply_says(reply, again);
}

avout_status avout__barrier_removed(const char *name)
{
    return avout_fail(AVOUT_ENOTFOUND, "%s: there is no such barrier", name);
}

static avout_status look(avout__barrier_state *state, avout_point *created, avout__watcher *watcher,
                         bool watch)
{
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_request get = {.kind = AVOUT_REQUEST_GET, .path = watcher->path};
    avout_status status =
        watch ? avout__watcher_look(watcher, &reply) : avout__watcher_call(watcher, &reply, &get);
    if (!status) status = avout__barrier_parse(state, &reply.is, watcher->name);
    *created = reply.is.stat.created;
    avout__reply_release(&reply);
    return status;
}

avout_status avout__barrier_look(avout__barrier_state *state, avout__watcher *watcher)
{
    avout_point created;
    avout_status status = look(state, &created, watcher, true);
    return status == AVOUT_ENOTFOUND ? avout__barrier_removed(watcher->name) : status;
}

static avout_status read_barrier(void *state, avout_point *created, avout__watcher *watcher)
{
    return look(state, created, watcher, false);
}

const avout__named_kind avout__barriers = {AVOUT__BARRIERS_PATH, "barrier", read_barrier};

/* ---- entries ----------------------------------------------------------------------------------------- */

static int by_sequence(const void *a, const void *b)
{
    const avout__arrival *left = a, *right = b;
    return avout__sequence_compare(left->sequence, right->sequence);
}

avout_status avout__barrier_arrivals(avout__arrival **out, size_t *count, const avout_reply *list,
                                     int64_t through)
{
    avout__arrival *arrivals = avout__calloc(list->name_count + 1, sizeof *arrivals);
    *out = arrivals;
    *count = 0;
    if (!arrivals) return AVOUT_ENOMEM;
    for (size_t i = 0; i < list->name_count; i++) {
        avout__claim_name name;
        if (!avout__name_parse(&name, 'p', list->names[i]) || name.sequence <= through) continue;
        arrivals[(*count)++] = (avout__arrival){name.sequence, list->names[i]};
    }
    qsort(arrivals, *count, sizeof *arrivals, by_sequence);
    return AVOUT_OK;
}

avout_status avout__barrier_read(avout__barrier_state *state, avout__reply *list,
                                 avout__watcher *watcher)
{
    avout_request get = {.kind = AVOUT_REQUEST_GET, .path = watcher->path};
    avout_request names = {.kind = AVOUT_REQUEST_LIST, .path = watcher->path};
    avout_status status;
    do {
        avout__reply reply = AVOUT__REPLY_INIT;
        status = avout__watcher_call(watcher, &reply, &get);
        if (!status) status = avout__barrier_parse(state, &reply.is, watcher->name);
        avout__reply_release(&reply);
        if (!status) status = avout__watcher_call(watcher, list, &names);
    } while (!status && list->is.stat.version != state->version);
    return status == AVOUT_ENOTFOUND ? avout__barrier_removed(watcher->name) : status;
}

/* ---- from outside --------------------------------------------------------------------------------------- */

/* Report, entries and hosts are one block. */
static avout_status make_report(avout_barrier_report **out, const avout__barrier_state *state,
                                const avout__arrival *arrivals, size_t count,
                                const avout__looks *looks, const char *client)
{
    avout_barrier_report *report =
        avout__calloc(1, sizeof *report + count * (sizeof(avout_barrier_entry) + AVOUT__HOST_SIZE));
    if (!report) return AVOUT_ENOMEM;
    avout_barrier_entry *entries = (avout_barrier_entry *)(void *)(report + 1);
    char *hosts = (char *)(entries + count);
    *report = (avout_barrier_report){.parties = state->parties,
                                     .generation = state->generation,
                                     .broken = state->broken,
                                     .entries = entries};
    for (size_t i = 0; i < count; i++) {
        const avout__look *seen = &looks->items[i];
        if (seen->status) continue;
        avout__claim_name name;
        avout__name_parse(&name, 'p', arrivals[i].name);
        avout_barrier_entry *entry = &entries[report->count];
        char *host = hosts + report->count++ * AVOUT__HOST_SIZE;
        *entry = (avout_barrier_entry){.mine = !strcmp(name.client, client),
                                       .host = host,
                                       .since_ms = seen->stat.changed_ms,
                                       .session = seen->stat.owner};
        avout__owner_read(&entry->pid, host, seen->bytes);
    }
    *out = report;
    return AVOUT_OK;
}

static avout_status look_at(avout__looks **looks, avout__watcher *watcher,
                            const avout__arrival *arrivals, size_t count)
{
    const char **names = avout__calloc(count + 1, sizeof *names);
    if (!names) return AVOUT_ENOMEM;
    for (size_t i = 0; i < count; i++) names[i] = arrivals[i].name;
    avout_status status =
        avout__look_at(looks, watcher->room, watcher->path, names, count, watcher->deadline_ns);
    avout__free(names);
    return status;
}

avout_status avout__barrier_inspect(avout_barrier_report **report, avout__locks *room,
                                    const char *name)
{
    char path[AVOUT__NODE_MAX];
    avout__watcher watcher;
    avout__barrier_state state;
    avout__reply list = AVOUT__REPLY_INIT;
    avout__arrival *arrivals = NULL;
    avout__looks *looks = NULL;
    size_t count = 0;
    avout_status status = avout__named_begin(&watcher, path, room, &avout__barriers, name);
    if (status) return status;
    status = avout__barrier_read(&state, &list, &watcher);
    if (!status) status = avout__barrier_arrivals(&arrivals, &count, &list.is, state.through);
    if (!status) status = look_at(&looks, &watcher, arrivals, count);
    if (!status) status = make_report(report, &state, arrivals, count, looks, room->client_id);
    avout__looks_unref(looks);
    avout__free(arrivals);
    avout__reply_release(&list);
    avout__watcher_end(&watcher);
    return status;
}

void avout_barrier_report_free(avout_barrier_report *report)
{
    avout__free(report);
}

/* Whoever is below the node: why it cannot be removed. */
static avout_status judge(const avout_reply *list, const char *name)
{
    for (size_t i = 0; i < list->name_count; i++) {
        avout__claim_name parsed;
        char quoted[AVOUT__QUOTE_SIZE];
        if (!avout__name_parse(&parsed, 'p', list->names[i]))
            return avout_fail(AVOUT_ENOTEMPTY, "%s: there is a node that is not ours below it: %s",
                              name, avout__quote(quoted, list->names[i]));
    }
    return avout_fail(AVOUT_EBUSY, "%s: somebody waits for the others", name);
}

static avout_status delete_barrier(void *state, avout__watcher *watcher)
{
    avout__reply list = AVOUT__REPLY_INIT;
    size_t failed;
    avout_op op = {.kind = AVOUT_OP_DELETE, .path = watcher->path, .version = AVOUT_VERSION_ANY};
    avout_status status = avout__barrier_read(state, &list, watcher);
    if (!status && list.is.name_count) {
        status = judge(&list.is, watcher->name);
    } else if (!status) {
        status = avout__watcher_multi(watcher, &op, 1, &failed);
        if (status == AVOUT_ENOTEMPTY)
            status = avout_fail(AVOUT_EBUSY, "%s: somebody waits for the others", watcher->name);
    }
    avout__reply_release(&list);
    return status;
}

avout_status avout__barrier_remove(avout__locks *room, const char *name)
{
    char path[AVOUT__NODE_MAX];
    avout__watcher watcher;
    avout__barrier_state state;
    avout_status status = avout__named_begin(&watcher, path, room, &avout__barriers, name);
    if (status) return status;
    status = avout__named_remove(&state, &watcher, &avout__barriers, delete_barrier);
    avout__watcher_end(&watcher);
    return status;
}
