/* Looking at locks from outside: queues, names, removal. Everything here asks the store and waits on the
 * caller's thread; nothing knows of the claims of this client. */
#include "lock/inspect.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "lock/look.h"
#include "base/text.h"
#include "base/banned.h"

/* ---- a report ------------------------------------------------------------------------------------------- */

typedef struct place {
    avout__claim_name claim;
    const char *name;
} place;

static int by_sequence(const void *a, const void *b)
{
    const place *left = a, *right = b;
    return avout__sequence_compare(left->claim.sequence, right->claim.sequence);
}

static void mark_holders(avout_lock_entry *entries, size_t count)
{
    bool shared_only = true;
    for (size_t i = 0; i < count; i++) {
        entries[i].holds = i == 0 || (shared_only && entries[i].shared);
        shared_only = shared_only && entries[i].shared;
    }
}

/* Report, entries, names and texts are one block. */
static avout_status make_report(avout_lock_report **out, avout__locks *room, const place *places,
                                size_t count, const avout__looks *all, const avout_reply *names,
                                size_t foreign)
{
    size_t texts = count * AVOUT__HOST_SIZE;
    for (size_t i = 0; i < names->name_count; i++) texts += strlen(names->names[i]) + 1;
    avout_lock_report *report = avout__calloc(1, sizeof *report + count * sizeof(avout_lock_entry) +
                                                     foreign * sizeof(char *) + texts);
    if (!report) return AVOUT_ENOMEM;
    avout_lock_entry *entries = (avout_lock_entry *)(void *)(report + 1);
    const char **strangers = (const char **)(void *)(entries + count);
    char *at = (char *)(strangers + foreign);
    for (size_t i = 0; i < count; i++) {
        const avout__look *item = &all->items[i];
        if (item->status) continue;
        avout_lock_entry *entry = &entries[report->count++];
        *entry = (avout_lock_entry){.shared = places[i].claim.shared,
                                    .mine = !strcmp(places[i].claim.client, room->client_id),
                                    .since_ms = item->stat.changed_ms,
                                    .session = item->stat.owner,
                                    .token = {item->stat.created, 0}};
        avout__owner_read(&entry->pid, at, item->bytes ? item->bytes : "");
        entry->host = at;
        at += AVOUT__HOST_SIZE;
    }
    mark_holders(entries, report->count);
    for (size_t i = 0; i < names->name_count; i++) {
        if (!avout__lock_foreign(names->names[i])) continue;
        size_t size = strlen(names->names[i]) + 1;
        memcpy(at, names->names[i], size);
        strangers[report->foreign_count++] = at;
        at += size;
    }
    report->entries = entries;
    report->foreign = strangers;
    *out = report;
    return AVOUT_OK;
}

bool avout__lock_foreign(const char *name)
{
    avout__claim_name claim;
    return !avout__claim_parse(&claim, name);
}

static avout_status report_of(avout_lock_report **report, avout__locks *room, const char *path,
                              const avout_reply *names, int64_t deadline_ns)
{
    place *places = avout__calloc(names->name_count + 1, sizeof *places);
    const char **sorted = avout__calloc(names->name_count + 1, sizeof *sorted);
    avout__looks *all = NULL;
    size_t count = 0, foreign = 0;
    avout_status status = places && sorted ? AVOUT_OK : AVOUT_ENOMEM;
    for (size_t i = 0; !status && i < names->name_count; i++) {
        places[count].name = names->names[i];
        if (avout__claim_parse(&places[count].claim, names->names[i])) count++;
        else foreign += avout__lock_foreign(names->names[i]);
    }
    if (!status && count) qsort(places, count, sizeof *places, by_sequence);
    for (size_t i = 0; !status && i < count; i++) sorted[i] = places[i].name;
    if (!status) status = avout__look_at(&all, room, path, sorted, count, deadline_ns);
    if (!status) status = make_report(report, room, places, count, all, names, foreign);
    avout__looks_unref(all);
    avout__free(places);
    avout__free(sorted);
    return status;
}

avout_status avout__inspect(avout_lock_report **report, avout__locks *room, const char *name)
{
    avout_status status = avout__locks_usable(room);
    if (!status && !name) status = avout_fail(AVOUT_EINVAL, "the lock's name is NULL");
    if (!status) status = avout__name_check(name);
    if (status) return status;
    char path[AVOUT__NODE_MAX];
    avout__node_path(path, AVOUT__LOCKS_PATH, name);
    int64_t deadline_ns = avout__deadline_in_ms(room->timeout_ms);
    avout__reply names = AVOUT__REPLY_INIT;
    status = avout__room_list(&names, room, name, path, deadline_ns);
    if (status == AVOUT_ENOTFOUND) {
        *report = avout__calloc(1, sizeof **report);
        status = *report ? AVOUT_OK : AVOUT_ENOMEM;
    } else if (!status) {
        status = report_of(report, room, path, &names.is, deadline_ns);
    }
    avout__reply_release(&names);
    return status;
}

void avout_lock_report_free(avout_lock_report *report)
{
    avout__free(report);
}

/* ---- names -------------------------------------------------------------------------------------------------- */

static avout_status tell_name(const char *root, const char *path, const char *node,
                              avout_lock_each_fn each, void *payload)
{
    char whole[AVOUT__NODE_MAX], name[AVOUT__NODE_MAX];
    size_t length = strlen(node);
    bool directory = length > 1 && node[length - 1] == ':';
    int room = (int)sizeof whole;
    if (snprintf(whole, sizeof whole, "%s/%.*s", path, (int)(length - directory), node) >= room)
        return AVOUT_OK; /* nothing of ours */
    if (!avout__node_name(name, root, whole)) return AVOUT_OK;
    return each(name, directory, payload);
}

avout_status avout__names_each(avout__locks *room, const char *root, const char *directory,
                               avout_lock_each_fn each, void *payload)
{
    avout_status status = avout__locks_usable(room);
    if (!status && (!directory || !each))
        status = avout_fail(AVOUT_EINVAL, "directory or function is NULL");
    bool top = !status && !strcmp(directory, "/");
    if (!status && !top) status = avout__name_check(directory);
    if (status) return status;
    char path[AVOUT__NODE_MAX + 2];
    snprintf(path, sizeof path, "%s", root);
    if (!top) {
        /* A directory is where what is below it would be. */
        char below[AVOUT__NODE_MAX];
        memcpy(below, directory, strlen(directory) + 1);
        memcpy(below + strlen(below), "/x", 3);
        path[avout__node_path(path, root, below) - 2] = '\0';
    }
    avout__reply reply = AVOUT__REPLY_INIT;
    status =
        avout__room_list(&reply, room, directory, path, avout__deadline_in_ms(room->timeout_ms));
    if (status == AVOUT_ENOTFOUND)
        status = top ? AVOUT_OK
                     : avout_fail(AVOUT_ENOTFOUND, "%s: there is nothing below it", directory);
    const char **sorted = avout__calloc(reply.is.name_count + 1, sizeof *sorted);
    if (!status && !sorted) status = AVOUT_ENOMEM;
    size_t count = status ? 0 : reply.is.name_count;
    if (count) {
        memcpy(sorted, reply.is.names, count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, avout__by_text);
    }
    for (size_t i = 0; !status && i < count; i++)
        status = tell_name(root, path, sorted[i], each, payload);
    avout__free(sorted);
    avout__reply_release(&reply);
    return status;
}
