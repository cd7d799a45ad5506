/* Pieces of large values whose cells are gone: not destroyed, which leaves a tombstone, but removed by
 * somebody from the store. The directory of pieces bears the hash of the name alone, so what is looked for
 * is a directory that no cell's name leads to.
 *
 * There is no pointer that could be bumped here (F2 in foreign.c): a value may have been staged for a cell
 * that is about to be created. Such a one is told by its age alone, which is therefore to be far beyond any
 * transaction's deadline: as with commit records, whoever stops for a week is given up. A piece written
 * meanwhile is not touched: what is deleted are the nodes that were looked at. */
#include "stm/stm.h"

#include <stdlib.h>
#include <string.h>

#include "avout/distributed.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "stm/handles.h"
#include "base/text.h"
#include "base/banned.h"

#define KEPT_MS ((int64_t)7 * 24 * 3600 * 1000)

/* Of pieces: the names of directories are hashes. */
enum { HASH_LENGTH = 16 };

typedef struct home {
    char path[sizeof AVOUT__CHUNKS + 1 + HASH_LENGTH];
} home;

typedef struct gone {
    avout__stm *stm;
    int64_t deadline_ns;
    int64_t older_ms;
    bool remove;
    int64_t now_ms;       /* 0: not known yet */
    avout__buffer hashes; /* uint64_t: of all cells' names */
    size_t orphans;
} gone;

static avout_status call(avout__reply *reply, const gone *g, const avout_request *request)
{
    const char *about = request->op_count ? request->ops->path : request->path;
    return avout__call_repeated(reply, &g->stm->back_door, request, about, g->deadline_ns);
}

static avout_status list(avout__reply *reply, const gone *g, const char *path)
{
    avout_request request = {.kind = AVOUT_REQUEST_LIST, .path = path};
    *reply = (avout__reply)AVOUT__REPLY_INIT;
    return call(reply, g, &request);
}

static avout_status change(avout__reply *reply, const gone *g, const avout_op *op)
{
    avout_request request = {.kind = AVOUT_REQUEST_MULTI, .ops = op, .op_count = 1};
    *reply = (avout__reply)AVOUT__REPLY_INIT;
    avout_status status = call(reply, g, &request);
    return status == AVOUT_UNKNOWN ? AVOUT_ETIMEOUT : status;
}

/* ---- the names there are --------------------------------------------------------------------------- */

/* Directories end in a colon and have cells below them; a cell has only its queue. */
static avout_status add_children(avout__buffer *directories, gone *g, const char *parent,
                                 const avout__reply *reply)
{
    avout_status status = AVOUT_OK;
    for (size_t i = 0; !status && i < reply->is.name_count; i++) {
        char path[AVOUT__PATH_MAX], name[AVOUT__PATH_MAX];
        int length = snprintf(path, sizeof path, "%s/%s", parent, reply->is.names[i]);
        if (length >= (int)sizeof path) continue; /* nothing of ours */
        if (path[length - 1] == ':') {
            status = avout__buffer_add(directories, path, (size_t)length + 1);
        } else if (avout__layout_name(name, path)) {
            uint64_t hash = avout__foreign_hash(name);
            status = avout__buffer_add(&g->hashes, &hash, sizeof hash);
        }
    }
    return status;
}

static int by_number(const void *one, const void *other)
{
    uint64_t a, b;
    memcpy(&a, one, sizeof a);
    memcpy(&b, other, sizeof b);
    return (a > b) - (a < b);
}

static avout_status read_names(gone *g)
{
    avout__buffer directories = AVOUT__BUFFER_INIT;
    avout_status status = avout__buffer_add(&directories, AVOUT__CELLS, sizeof AVOUT__CELLS);
    for (size_t at = 0; !status && at < directories.length;) {
        char path[AVOUT__PATH_MAX];
        avout__reply reply;
        at += (size_t)snprintf(path, sizeof path, "%s", directories.data + at) + 1;
        status = list(&reply, g, path);
        if (!status) status = add_children(&directories, g, path, &reply);
        avout__reply_release(&reply);
        if (status == AVOUT_ENOTFOUND) status = AVOUT_OK;
    }
    avout__buffer_release(&directories);
    if (g->hashes.length)
        qsort(g->hashes.data, g->hashes.length / sizeof(uint64_t), sizeof(uint64_t), by_number);
    return status;
}

/* What is no hash is nothing of ours. */
static bool leads_somewhere(const gone *g, const char *directory)
{
    char *end;
    uint64_t hash = strtoull(directory, &end, 16);
    if (strlen(directory) != HASH_LENGTH || *end) return true;
    return g->hashes.length &&
           bsearch(&hash, g->hashes.data, g->hashes.length / sizeof hash, sizeof hash, by_number);
}

/* ---- pieces ------------------------------------------------------------------------------------------ */

/* Where something is deleted, the clock is the store's: that of a write which changes nothing. */
static avout_status ask_time(gone *g)
{
    avout_op touch = {
        .kind = AVOUT_OP_SET, .path = AVOUT__CHUNKS, .version = AVOUT_VERSION_ANY, .bytes = ""};
    avout_request look = {.kind = AVOUT_REQUEST_EXISTS, .path = AVOUT__CHUNKS};
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_status status = AVOUT_OK;
    if (g->now_ms) return AVOUT_OK;
    if (!g->remove) {
        g->now_ms = avout__unix_ms();
        return AVOUT_OK;
    }
    status = change(&reply, g, &touch);
    avout__reply_release(&reply);
    if (!status) status = call(&reply, g, &look);
    if (!status) g->now_ms = reply.is.stat.changed_ms;
    avout__reply_release(&reply);
    return status;
}

static avout_status is_old(bool *old, gone *g, const char *path)
{
    avout_request look = {.kind = AVOUT_REQUEST_EXISTS, .path = path};
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_status status = ask_time(g);
    if (!status) status = call(&reply, g, &look);
    *old = !status && g->now_ms - reply.is.stat.changed_ms >= g->older_ms;
    avout__reply_release(&reply);
    return status == AVOUT_ENOTFOUND ? AVOUT_OK : status;
}

static avout_status delete_node(const gone *g, const char *path)
{
    avout_op op = {.kind = AVOUT_OP_DELETE, .path = path, .version = AVOUT_VERSION_ANY};
    avout__reply reply;
    avout_status status = change(&reply, g, &op);
    avout__reply_release(&reply);
    return status == AVOUT_ENOTFOUND || status == AVOUT_ENOTEMPTY ? AVOUT_OK : status;
}

/* Nodes of one value, in order: "CLIENT-N", which counts, before "CLIENT-N.I"; it goes first. The value is as
 * old as its youngest node. */
static avout_status look_at_value(bool *all_gone, gone *g, const home *in, const char *const *names,
                                  size_t count)
{
    char path[AVOUT__PATH_MAX];
    bool old = true;
    avout_status status = AVOUT_OK;
    for (size_t i = 0; !status && old && i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", in->path, names[i]);
        status = is_old(&old, g, path);
    }
    *all_gone = *all_gone && old;
    g->orphans += !status && old;
    for (size_t i = 0; !status && old && g->remove && i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", in->path, names[i]);
        status = delete_node(g, path);
    }
    return status;
}

static avout_status look_into(gone *g, const home *in)
{
    avout__reply reply;
    bool all_gone = true;
    avout_status status = list(&reply, g, in->path);
    const char **names = (const char **)(uintptr_t)reply.is.names;
    size_t count = status ? 0 : reply.is.name_count;
    if (count) qsort((void *)names, count, sizeof *names, avout__by_text);
    for (size_t i = 0, next; !status && i < count; i = next) {
        size_t length = strcspn(names[i], ".");
        for (next = i + 1; next < count; next++)
            if (strcspn(names[next], ".") != length || strncmp(names[next], names[i], length) != 0)
                break;
        status = look_at_value(&all_gone, g, in, names + i, next - i);
    }
    avout__reply_release(&reply);
    if (!status && all_gone && g->remove) status = delete_node(g, in->path);
    return status == AVOUT_ENOTFOUND ? AVOUT_OK : status;
}

avout_status avout_distributed_collect_gone(size_t *orphans, avout_client *client, int64_t older_ms,
                                            bool remove, int64_t timeout_ms)
{
    avout__stm *stm = client->stm;
    gone g = {.stm = stm,
              .deadline_ns = avout__deadline_in_ms(timeout_ms ? timeout_ms : stm->timeout_ms),
              .older_ms = older_ms ? older_ms : KEPT_MS,
              .remove = remove};
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_status status = avout__stm_usable(stm);
    if (!status && older_ms < 0) status = avout_fail(AVOUT_EINVAL, "older_ms is negative");
    /* The pieces first: a name that comes meanwhile is found then. */
    if (!status) status = list(&reply, &g, AVOUT__CHUNKS);
    if (!status && reply.is.name_count) status = read_names(&g);
    for (size_t i = 0; !status && i < reply.is.name_count; i++) {
        home in;
        if (leads_somewhere(&g, reply.is.names[i])) continue;
        snprintf(in.path, sizeof in.path, "%s/%.*s", AVOUT__CHUNKS, HASH_LENGTH, reply.is.names[i]);
        status = look_into(&g, &in);
    }
    avout__reply_release(&reply);
    avout__buffer_release(&g.hashes);
    if (status == AVOUT_ENOTFOUND) status = AVOUT_OK;
    if (status == AVOUT_ECONNECTION || status == AVOUT_ESESSION)
        status = avout_fail(AVOUT_ETIMEOUT, "no connection to the store before the deadline");
    if (!status && orphans) *orphans = g.orphans;
    return status;
}
