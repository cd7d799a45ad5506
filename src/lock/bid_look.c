/* Looking at semaphores and elections from outside: queues, removal. Everything here asks the store and waits
 * on the caller's thread; nothing knows of the bids of this client. */
#include "lock/bid_look.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "lock/election.h"
#include "lock/look.h"
#include "base/banned.h"

/* ---- a queue ------------------------------------------------------------------------------------------ */

typedef struct entry {
    avout__bid_name name;
    const char *node;
    const avout__look *look;
} entry;

typedef struct queue {
    char path[AVOUT__NODE_MAX];
    int64_t deadline_ns;
    avout__reply names;
    avout__looks *looks;
    entry *entries; /* those that are still there, in their order */
    size_t count;
    size_t foreign_count, foreign_size; /* of the texts */
} queue;

static int by_sequence(const void *a, const void *b)
{
    const entry *left = a, *right = b;
    return avout__sequence_compare(left->name.is.sequence, right->name.is.sequence);
}

static void queue_release(queue *q)
{
    avout__reply_release(&q->names);
    avout__looks_unref(q->looks);
    avout__free(q->entries);
}

static avout_status sort_names(queue *q, avout__pool_kind kind)
{
    const avout_reply *names = &q->names.is;
    q->entries = avout__calloc(names->name_count + 1, sizeof *q->entries);
    if (!q->entries) return AVOUT_ENOMEM;
    for (size_t i = 0; i < names->name_count; i++) {
        entry *e = &q->entries[q->count];
        e->node = names->names[i];
        if (avout__bid_parse(&e->name, kind, e->node)) {
            q->count++;
        } else {
            q->foreign_count++;
            q->foreign_size += strlen(e->node) + 1;
        }
    }
    if (q->count) qsort(q->entries, q->count, sizeof *q->entries, by_sequence);
    return AVOUT_OK;
}

static avout_status look_at_all(queue *q, avout__locks *room)
{
    const char **nodes = avout__calloc(q->count + 1, sizeof *nodes);
    if (!nodes) return AVOUT_ENOMEM;
    size_t all = q->count, left = 0;
    for (size_t i = 0; i < all; i++) nodes[i] = q->entries[i].node;
    avout_status status = avout__look_at(&q->looks, room, q->path, nodes, all, q->deadline_ns);
    avout__free(nodes);
    for (size_t i = 0; !status && i < all; i++) {
        q->entries[i].look = &q->looks->items[i];
        if (!q->entries[i].look->status) q->entries[left++] = q->entries[i];
    }
    q->count = left;
    return status;
}

static avout_status check_name(avout__locks *room, const char *name)
{
    avout_status status = avout__locks_usable(room);
    if (!status && !name) status = avout_fail(AVOUT_EINVAL, "the name is NULL");
    return status ? status : avout__name_check(name);
}

static void queue_path(queue *q, avout__locks *room, avout__pool_kind kind, const char *name)
{
    q->deadline_ns = avout__deadline_in_ms(room->timeout_ms);
    avout__node_path(
        q->path, kind == AVOUT__SEMAPHORE ? AVOUT__SEMAPHORES_PATH : AVOUT__ELECTIONS_PATH, name);
}

/* To be released in any case. AVOUT_ENOTFOUND: there is no such node. */
static avout_status queue_read(queue *q, avout__locks *room, avout__pool_kind kind,
                               const char *name)
{
    avout_status status = avout__room_list(&q->names, room, name, q->path, q->deadline_ns);
    if (!status) status = sort_names(q, kind);
    if (!status) status = look_at_all(q, room);
    return status;
}

static size_t copy_foreign(const char **out, char *at, const queue *q, avout__pool_kind kind)
{
    size_t count = 0;
    avout__bid_name name;
    for (size_t i = 0; i < q->names.is.name_count; i++) {
        const char *node = q->names.is.names[i];
        if (avout__bid_parse(&name, kind, node)) continue;
        size_t size = strlen(node) + 1;
        out[count++] = memcpy(at, node, size);
        at += size;
    }
    return count;
}

static const char *text_of(const entry *e)
{
    return e->look->bytes ? e->look->bytes : "";
}

/* ---- semaphores ------------------------------------------------------------------------------------------- */

/* Report, entries and texts are one block. */
static avout_status semaphore_report(avout_semaphore_report **out, const avout__locks *room,
                                     const queue *q, uint32_t permits)
{
    avout_semaphore_report *report = avout__calloc(
        1, sizeof *report + q->count * sizeof *report->entries + q->foreign_count * sizeof(char *) +
               q->count * AVOUT__HOST_SIZE + q->foreign_size);
    if (!report) return AVOUT_ENOMEM;
    avout_semaphore_entry *entries = (avout_semaphore_entry *)(void *)(report + 1);
    const char **foreign = (const char **)(void *)(entries + q->count);
    char *at = (char *)(foreign + q->foreign_count);
    uint64_t taken = 0;
    for (size_t i = 0; i < q->count; i++, at += AVOUT__HOST_SIZE) {
        const entry *e = &q->entries[i];
        taken += e->name.permits;
        entries[i] = (avout_semaphore_entry){.permits = e->name.permits,
                                             .holds = taken <= permits,
                                             .mine = !strcmp(e->name.is.client, room->client_id),
                                             .host = at,
                                             .since_ms = e->look->stat.changed_ms,
                                             .session = e->look->stat.owner,
                                             .token = {e->look->stat.created, 0}};
        avout__owner_read(&entries[i].pid, at, text_of(e));
        if (entries[i].holds) report->taken = (uint32_t)taken;
    }
    report->permits = permits;
    report->entries = entries;
    report->count = q->count;
    report->foreign = foreign;
    report->foreign_count = copy_foreign(foreign, at, q, AVOUT__SEMAPHORE);
    *out = report;
    return AVOUT_OK;
}

avout_status avout__semaphore_inspect(avout_semaphore_report **report, avout__locks *room,
                                      const char *name)
{
    queue q = {0};
    uint32_t permits = 0;
    avout__reply node = AVOUT__REPLY_INIT;
    avout_status status = check_name(room, name);
    if (status) return status;
    queue_path(&q, room, AVOUT__SEMAPHORE, name);
    avout_request get = {.kind = AVOUT_REQUEST_GET, .path = q.path};
    status = avout__room_call(&node, room, name, &get, q.deadline_ns);
    if (!status && !avout__permits_parse(&permits, node.is.bytes, node.is.length))
        status =
            avout_fail(AVOUT_EDATA, "%s: what the store has under that name is no semaphore", name);
    avout__reply_release(&node);
    if (!status) status = queue_read(&q, room, AVOUT__SEMAPHORE, name);
    if (!status) status = semaphore_report(report, room, &q, permits);
    queue_release(&q);
    if (status == AVOUT_ENOTFOUND) avout_fail(status, "%s: there is no such semaphore", name);
    return status;
}

void avout_semaphore_report_free(avout_semaphore_report *report)
{
    avout__free(report);
}

/* ---- elections ---------------------------------------------------------------------------------------------- */

/* As above. */
static avout_status election_report(avout_election_report **out, const avout__locks *room,
                                    const queue *q)
{
    size_t data = 0;
    for (size_t i = 0; i < q->count; i++) data += q->entries[i].look->length + 1;
    avout_election_report *report =
        avout__calloc(1, sizeof *report + q->count * sizeof *report->candidates +
                             q->foreign_count * sizeof(char *) + q->count * AVOUT__HOST_SIZE +
                             data + q->foreign_size);
    if (!report) return AVOUT_ENOMEM;
    avout_candidate *candidates = (avout_candidate *)(void *)(report + 1);
    const char **foreign = (const char **)(void *)(candidates + q->count);
    char *at = (char *)(foreign + q->foreign_count);
    for (size_t i = 0; i < q->count; i++) {
        const entry *e = &q->entries[i];
        candidates[i] = avout__candidate_of(at, room, &e->name, e->look->bytes, e->look->length,
                                            &e->look->stat);
        candidates[i].leads = !i;
        at += AVOUT__HOST_SIZE;
        size_t length = candidates[i].length;
        if (length) memcpy(at, candidates[i].data, length);
        candidates[i].data = at;
        at += length + 1;
    }
    report->candidates = candidates;
    report->count = q->count;
    report->foreign = foreign;
    report->foreign_count = copy_foreign(foreign, at, q, AVOUT__ELECTION);
    *out = report;
    return AVOUT_OK;
}

avout_status avout__election_inspect(avout_election_report **report, avout__locks *room,
                                     const char *name)
{
    queue q = {0};
    avout_status status = check_name(room, name);
    if (status) return status;
    queue_path(&q, room, AVOUT__ELECTION, name);
    status = queue_read(&q, room, AVOUT__ELECTION, name);
    if (!status || status == AVOUT_ENOTFOUND) status = election_report(report, room, &q);
    queue_release(&q);
    return status;
}

void avout_election_report_free(avout_election_report *report)
{
    avout__free(report);
}

/* ---- removal ---------------------------------------------------------------------------------------------------- */

static avout_status judge(const char *name, const avout_reply *names, avout__pool_kind kind)
{
    avout__bid_name bid;
    char quoted[AVOUT__QUOTE_SIZE];
    for (size_t i = 0; i < names->name_count; i++)
        if (!avout__bid_parse(&bid, kind, names->names[i]))
            return avout_fail(AVOUT_ENOTEMPTY, "%s: there is a node that is not ours below it: %s",
                              name, avout__quote(quoted, names->names[i]));
    if (!names->name_count) return AVOUT_OK;
    return avout_fail(AVOUT_EBUSY, "%s: %s", name,
                      kind == AVOUT__SEMAPHORE ? "somebody has permits, or waits for some"
                                               : "there are candidates");
}

avout_status avout__pool_remove(avout__locks *room, avout__pool_kind kind, const char *name)
{
    avout_status status = check_name(room, name);
    if (status) return status;
    queue q = {0};
    queue_path(&q, room, kind, name);
    for (avout_point tried = 0;;) {
        avout__reply names = AVOUT__REPLY_INIT;
        status = avout__room_list(&names, room, name, q.path, q.deadline_ns);
        avout_point created = names.is.stat.created;
        bool gone = status == AVOUT_ENOTFOUND || (!status && tried && created != tried);
        if (!status && !gone) status = judge(name, &names.is, kind);
        avout__reply_release(&names);
        if (gone && tried) return AVOUT_OK; /* it was us; what is there now is another */
        if (gone)
            return avout_fail(status, "%s: there is no such %s", name,
                              kind == AVOUT__SEMAPHORE ? "semaphore" : "election");
        if (status) return status;
        avout_op op = {.kind = AVOUT_OP_DELETE, .path = q.path, .version = AVOUT_VERSION_ANY};
        avout_request request = {.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1};
        status = avout__store_call(NULL, &room->door, &request, q.deadline_ns);
        if (!status) return AVOUT_OK;
        /* Somebody came, or was there first: looked at again. */
        bool again = status == AVOUT_ENOTEMPTY || status == AVOUT_ENOTFOUND;
        if (again && avout__now_ns() < q.deadline_ns) continue;
        if (!avout__try_again(status, q.deadline_ns)) return avout__no_connection(status, name);
        tried = created;
    }
}
