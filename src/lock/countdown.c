/* Countdown latches.
 *
 *   /avout/latches/a:/b:/c             {:count 3, :id "..."}, and {:count 3, :id "...", :open true} in the end
 *   /avout/latches/a:/b:/c/left-ID     what is left, in decimal
 *
 * Invariants:
 *
 *  C1  Counting is a deed that lasts: multi[set `left` at the version it was computed from, and if that makes it
 *      zero set the latch's node, set a slot]. So a count is in force at one point of the store or never, its
 *      client knows which, also when its session has ended (deed.c), and what opens the latch is that same multi:
 *      nobody has to live on for it.
 *  C2  Who waits watches the latch's node, which changes once: W waiters cost W events, whatever the count.
 *  C3  The identity is made up with the latch. A handle means that latch and no later one of its name; a multi
 *      that comes late finds no node of that name.
 *
 * Threads that count through one handle at the same time are one deed: the first carries what has gathered while
 * the one before was on its way. Clients that count at the same time refuse each other, one of them gets
 * through each time, and the others wait a random moment that grows. */
#include "lock/countdown.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "lock/named.h"
#include "base/banned.h"

enum { ID_SIZE = 17, TEXT_SIZE = 96, PAUSE_MAX_MS = 32 };

struct avout_latch {
    avout__named is;
    uint32_t total;
    char id[ID_SIZE];
    /* Under the room's mutex. */
    bool known; /* what `left` says, and its version, unless somebody else has counted since */
    uint32_t left;
    int64_t version;
    bool carrying;
    avout__link counts; /* that wait to be carried */
    char *tally;        /* the node of what is left */
};

/* ---- what the nodes say -------------------------------------------------------------------------- */

typedef struct latch_text {
    uint32_t total;
    char id[ID_SIZE];
    bool open;
} latch_text;

static void text_write(char text[TEXT_SIZE], const latch_text *is)
{
    snprintf(text, TEXT_SIZE, "{:count %" PRIu32 ", :id \"%s\"%s}", is->total, is->id,
             is->open ? ", :open true" : "");
}

static avout_status foreign(const char *name)
{
    return avout_fail(AVOUT_EDATA, "%s: what is in its node is no latch", name);
}

/* Only exactly what this library writes. */
static avout_status text_parse(latch_text *is, const avout_reply *reply, const char *name)
{
    char copy[TEXT_SIZE], again[TEXT_SIZE], *end;
    if (!reply->length || reply->length >= sizeof copy) return foreign(name);
    memcpy(copy, reply->bytes, reply->length);
    copy[reply->length] = '\0';
    const char *count = strstr(copy, ":count "), *id = strstr(copy, ":id \"");
    if (!count || !id || strlen(id) < strlen(":id \"") + ID_SIZE) return foreign(name);
    *is = (latch_text){.total = (uint32_t)strtoul(count + strlen(":count "), &end, 10),
                       .open = strstr(copy, ":open true") != NULL};
    memcpy(is->id, id + strlen(":id \""), ID_SIZE - 1);
    text_write(again, is);
    bool hex = strspn(is->id, "0123456789abcdef") == ID_SIZE - 1;
    return hex && avout__reply_says(reply, again) ? AVOUT_OK : foreign(name);
}

static avout_status tally_parse(uint32_t *left, const avout_reply *reply, const char *name)
{
    char copy[12] = "", again[12], *end;
    if (reply->length && reply->length < sizeof copy) memcpy(copy, reply->bytes, reply->length);
    *left = (uint32_t)strtoul(copy, &end, 10);
    snprintf(again, sizeof again, "%" PRIu32, *left);
    return avout__reply_says(reply, again) && *left <= INT32_MAX ? AVOUT_OK : foreign(name);
}

static avout_status removed(const char *name)
{
    return avout_fail(AVOUT_ENOTFOUND, "%s: the latch has been removed", name);
}

/* ---- opening --------------------------------------------------------------------------------------- */

static avout_latch *latch_new(const avout__watcher *watcher, const latch_text *is)
{
    avout_latch *latch = avout__named_new(sizeof *latch, watcher);
    if (!latch) return NULL;
    latch->tally = avout__format("%s/left-%s", latch->is.path, is->id);
    latch->total = is->total;
    memcpy(latch->id, is->id, ID_SIZE);
    latch->known = is->open; /* zero */
    avout__list_init(&latch->counts);
    if (latch->tally) return latch;
    avout__named_free(&latch->is);
    return NULL;
}

void avout_latch_close(avout_latch *latch)
{
    if (!latch) return;
    avout__free(latch->tally);
    avout__named_free(&latch->is);
}

const char *avout_latch_name(const avout_latch *latch)
{
    return latch->is.name;
}

uint32_t avout_latch_total(const avout_latch *latch)
{
    return latch->total;
}

static avout_status read_latch(void *out, avout_point *created, avout__watcher *watcher)
{
    latch_text *is = out;
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_request get = {.kind = AVOUT_REQUEST_GET, .path = watcher->path};
    avout_status status = avout__watcher_call(watcher, &reply, &get);
    if (!status) status = text_parse(is, &reply.is, watcher->name);
    *created = reply.is.stat.created;
    avout__reply_release(&reply);
    return status;
}

static const avout__named_kind latches = {AVOUT__LATCHES_PATH, "latch", read_latch};

/* Makes it, or finds one. */
static avout_status make_latch(latch_text *is, avout__watcher *watcher, bool *made)
{
    char text[TEXT_SIZE], left[12];
    char *tally = avout__format("%s/left-%s", watcher->path, is->id);
    if (!tally) return AVOUT_ENOMEM;
    text_write(text, is);
    snprintf(left, sizeof left, "%" PRIu32, is->total);
    avout_op ops[2] = {
        {.kind = AVOUT_OP_CREATE, .path = watcher->path, .bytes = text, .length = strlen(text)},
        {.kind = AVOUT_OP_CREATE, .path = tally, .bytes = left, .length = strlen(left)}};
    avout_status status = avout__named_make(is, made, watcher, &latches, ops, 2);
    avout__free(tally);
    return status;
}

avout_status avout__countdown_create(avout_latch **out, avout__locks *room, const char *name,
                                     uint32_t count)
{
    char path[AVOUT__NODE_MAX];
    avout__watcher watcher;
    avout_latch *latch = NULL;
    latch_text is = {.total = count, .open = !count};
    bool made = false;
    avout_status status = avout__named_begin(&watcher, path, room, &latches, name);
    if (status) return status;
    snprintf(is.id, sizeof is.id, "%016" PRIx64, avout__random64());
    if (count > INT32_MAX)
        status = avout_fail(AVOUT_ERANGE, "%s: a count of %" PRIu32 ", at most %d", name, count,
                            INT32_MAX);
    if (!status) status = make_latch(&is, &watcher, &made);
    if (!status && is.total != count)
        status = avout_fail(AVOUT_ECONFLICT,
                            "%s: there is one that began with %" PRIu32 ", not %" PRIu32, name,
                            is.total, count);
    if (!status && !(latch = latch_new(&watcher, &is))) status = AVOUT_ENOMEM;
    avout__watcher_end(&watcher);
    if (status) return status;
    latch->known = latch->known || made;
    if (made) latch->left = count;
    *out = latch;
    return AVOUT_OK;
}

avout_status avout__countdown_open(avout_latch **out, avout__locks *room, const char *name)
{
    char path[AVOUT__NODE_MAX];
    avout__watcher watcher;
    latch_text is;
    avout_status status = avout__named_begin(&watcher, path, room, &latches, name);
    if (status) return status;
    status = avout__named_read(&is, &watcher, &latches);
    if (!status && !(*out = latch_new(&watcher, &is))) status = AVOUT_ENOMEM;
    avout__watcher_end(&watcher);
    return status;
}

/* ---- counting ------------------------------------------------------------------------------------------ */

/* A thread that counts. On its stack. */
typedef struct count {
    avout__link link; /* in latch->counts, until it is carried */
    avout__watcher *watcher;
    uint32_t by;
    bool taken, done; /* is carried by a thread; has been */
    avout_status status;
    uint32_t left;
    char detail[256];
} count;

static bool is_zero(avout_latch *latch)
{
    avout__locks_lock(latch->is.room);
    bool zero = latch->known && !latch->left;
    avout__locks_unlock(latch->is.room);
    return zero;
}

static void note(avout_latch *latch, bool known, uint32_t left, int64_t version)
{
    avout__locks_lock(latch->is.room);
    if (!latch->known || latch->left) { /* zero is for ever */
        latch->known = known;
        latch->left = left;
        latch->version = version;
    }
    avout__locks_unlock(latch->is.room);
}

static avout_status read_tally(uint32_t *left, avout_latch *latch, avout__watcher *watcher)
{
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_request get = {.kind = AVOUT_REQUEST_GET, .path = latch->tally};
    avout_status status = avout__watcher_call(watcher, &reply, &get);
    if (status == AVOUT_ENOTFOUND) status = removed(latch->is.name);
    if (!status) status = tally_parse(left, &reply.is, latch->is.name);
    if (!status) note(latch, true, *left, reply.is.stat.version);
    avout__reply_release(&reply);
    return status;
}

/* What has become of the deed that was to leave so many. AVOUT_RETRY: it had no effect. */
static avout_status carried(avout_latch *latch, const avout__errand *errand, uint32_t left)
{
    const char *name = latch->is.name;
    bool done = errand->end == AVOUT__DEED_DONE;
    note(latch, done && (errand->replied || !left), left, errand->version);
    switch (errand->end) {
    case AVOUT__DEED_DONE: return AVOUT_OK;
    case AVOUT__DEED_LOST:
        return avout_fail(AVOUT_UNKNOWN, "%s: nobody can tell what became of it", name);
    case AVOUT__DEED_NOT: return AVOUT_RETRY;
    case AVOUT__DEED_REFUSED: break;
    }
    if (errand->status == AVOUT_EVERSION) return AVOUT_RETRY;
    if (errand->status == AVOUT_ENOTFOUND) return removed(name);
    return avout_fail(errand->status, "%s: %s", name, errand->detail);
}

/* One deed, from what is known. AVOUT_RETRY: it had no effect. */
static avout_status carry_once(uint32_t *left, avout_latch *latch, avout__watcher *watcher,
                               uint64_t by)
{
    char number[12], text[TEXT_SIZE];
    latch_text open = {.total = latch->total, .open = true};
    avout__errand *errand = avout__calloc(1, sizeof *errand);
    if (!errand) return AVOUT_ENOMEM;
    avout__locks_lock(latch->is.room);
    uint32_t before = latch->left;
    int64_t version = latch->version;
    avout__locks_unlock(latch->is.room);
    *left = by < before ? before - (uint32_t)by : 0;
    memcpy(open.id, latch->id, ID_SIZE);
    text_write(text, &open);
    snprintf(number, sizeof number, "%" PRIu32, *left);
    avout_op ops[2] = {{.kind = AVOUT_OP_SET,
                        .path = latch->tally,
                        .version = version,
                        .bytes = number,
                        .length = strlen(number)},
                       {.kind = AVOUT_OP_SET,
                        .path = latch->is.path,
                        .version = AVOUT_VERSION_ANY,
                        .bytes = text,
                        .length = strlen(text)}};
    bool sent;
    errand->deed.lasting = true;
    avout_status status = avout__errand_send(errand, watcher, ops, *left ? 1 : 2, &sent);
    if (status && sent) {
        note(latch, false, 0, 0);
        avout__errand_leave(errand);
        return avout_fail(AVOUT_UNKNOWN, "%s: %s while it was on its way", latch->is.name,
                          status == AVOUT_ECLOSED ? "the client was closed"
                                                  : "the deadline passed");
    }
    if (!status) status = carried(latch, errand, *left);
    avout__free(errand);
    return status;
}

static avout_status carry(uint32_t *left, avout_latch *latch, avout__watcher *watcher, uint64_t by)
{
    for (int64_t round = 0;; round++) {
        avout__locks_lock(latch->is.room);
        bool known = latch->known;
        *left = latch->left;
        avout__locks_unlock(latch->is.room);
        avout_status status = known ? AVOUT_OK : read_tally(left, latch, watcher);
        if (status || !*left) return status;
        status = carry_once(left, latch, watcher, by);
        if (status != AVOUT_RETRY) return status;
        int64_t most_ms = round < 5 ? (int64_t)1 << round : PAUSE_MAX_MS;
        if (round)
            avout__watcher_rest(watcher, 1 + (int64_t)(avout__random64() % (uint64_t)most_ms));
    }
}

static void wake_next(avout_latch *latch)
{
    if (latch->carrying || avout__list_empty(&latch->counts)) return;
    avout__latch_open(&AVOUT__LINK_OF(latch->counts.next, count, link)->watcher->latch);
}

/* Takes what has gathered, this thread's with it, and tells those whose it is. */
static void carry_all(avout_latch *latch, avout__watcher *watcher)
{
    avout__link mine;
    avout__list_init(&mine);
    uint64_t by = 0;
    uint32_t left = 0;
    avout__locks_lock(latch->is.room);
    avout__list_splice(&mine, &latch->counts);
    AVOUT__LIST_EACH(link, &mine)
    {
        count *each = AVOUT__LINK_OF(link, count, link);
        each->taken = true;
        by += each->by;
    }
    avout__locks_unlock(latch->is.room);
    avout_status status = carry(&left, latch, watcher, by);
    avout__locks_lock(latch->is.room);
    latch->carrying = false;
    while (!avout__list_empty(&mine)) {
        count *each = AVOUT__LINK_OF(mine.next, count, link);
        avout__link_remove(&each->link);
        each->done = true;
        each->status = status;
        each->left = left;
        snprintf(each->detail, sizeof each->detail, "%s", status ? avout_error_detail() : "");
        avout__latch_open(&each->watcher->latch);
    }
    wake_next(latch);
    avout__locks_unlock(latch->is.room);
}

/* Whose count is on its way stays until that has ended: it lies on its stack. Mutex held, but while it waits. */
static void stay(count *mine, avout_latch *latch)
{
    while (!mine->done) {
        atomic_store(&mine->watcher->latch.state, 0);
        avout__locks_unlock(latch->is.room);
        avout__latch_wait(&mine->watcher->latch, AVOUT__NEVER);
        avout__locks_lock(latch->is.room);
    }
}

/* Waits until it has been carried, or until this thread is to carry. */
static avout_status gather(count *mine, avout_latch *latch)
{
    avout_status status = AVOUT_OK;
    avout__locks_lock(latch->is.room);
    mine->done = mine->taken = false;
    avout__list_append(&latch->counts, &mine->link);
    while (!mine->done && latch->carrying && !status) status = avout__watcher_pause(mine->watcher);
    if (mine->taken) {
        stay(mine, latch);
        status = AVOUT_OK;
    } else if (status) {
        avout__link_remove(&mine->link);
        wake_next(latch);
    } else {
        latch->carrying = true;
    }
    avout__locks_unlock(latch->is.room);
    return status;
}

static avout_status count_down(count *mine, avout_latch *latch)
{
    for (;;) {
        avout_status status = gather(mine, latch);
        if (!status && !mine->done) carry_all(latch, mine->watcher);
        if (status) return status;
        /* Whoever carried had less time. */
        if (mine->status == AVOUT_ETIMEOUT && avout__now_ns() < mine->watcher->deadline_ns)
            continue;
        return mine->status ? avout_fail(mine->status, "%s", mine->detail) : AVOUT_OK;
    }
}

avout_status avout_latch_count_down(uint32_t *left, avout_latch *latch, uint32_t by)
{
    avout__locks *room = latch->is.room;
    avout_status status = avout__locks_usable(room);
    if (status) return status;
    count mine = {.by = by};
    if (!by) {
        status = avout_latch_count(&mine.left, latch);
    } else if (!is_zero(latch)) {
        avout__watcher watcher;
        avout__watcher_begin(&watcher, room, latch->is.path, latch->is.name, NULL,
                             avout__deadline_in_ms(room->timeout_ms));
        mine.watcher = &watcher;
        status = count_down(&mine, latch);
        avout__watcher_end(&watcher);
    }
    if (!status && left) *left = mine.left;
    return status;
}

/* ---- looking, waiting ------------------------------------------------------------------------------------- */

avout_status avout_latch_count(uint32_t *left, avout_latch *latch)
{
    avout__locks *room = latch->is.room;
    avout_status status = avout__locks_usable(room);
    if (status) return status;
    if (is_zero(latch)) {
        *left = 0;
        return AVOUT_OK;
    }
    avout__watcher watcher;
    avout__watcher_begin(&watcher, room, latch->is.path, latch->is.name, NULL,
                         avout__deadline_in_ms(room->timeout_ms));
    status = read_tally(left, latch, &watcher);
    avout__watcher_end(&watcher);
    return status;
}

static avout_status read_open(bool *open, avout_latch *latch, avout__watcher *watcher, bool watch)
{
    latch_text is;
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_request get = {.kind = AVOUT_REQUEST_GET, .path = latch->is.path};
    avout_status status =
        watch ? avout__watcher_look(watcher, &reply) : avout__watcher_call(watcher, &reply, &get);
    if (status == AVOUT_ENOTFOUND) status = removed(latch->is.name);
    if (!status) status = text_parse(&is, &reply.is, latch->is.name);
    avout__reply_release(&reply);
    if (!status && strcmp(is.id, latch->id)) status = removed(latch->is.name);
    *open = !status && is.open;
    return status;
}

/* One that is open is not watched: nothing would ever take the watch away. */
static avout_status await_open(avout_latch *latch, avout__watcher *watcher)
{
    for (;;) {
        bool open;
        avout_status status = read_open(&open, latch, watcher, false);
        if (!status && !open) status = read_open(&open, latch, watcher, true);
        if (!status && !open) status = avout__watcher_wait(watcher);
        else if (!status) note(latch, true, 0, 0);
        if (status || open) return status;
    }
}

avout_status avout_latch_await(avout_latch *latch, const avout_wait_options *options)
{
    avout__locks *room = latch->is.room;
    int64_t deadline_ns;
    avout_status status = avout__locks_usable(room);
    if (!status) status = avout__wait_deadline(&deadline_ns, options, room->timeout_ms);
    if (status || is_zero(latch)) return status;
    avout__watcher watcher;
    avout__watcher_begin(&watcher, room, latch->is.path, latch->is.name,
                         options ? options->cancel : NULL, deadline_ns);
    status = await_open(latch, &watcher);
    avout__watcher_end(&watcher);
    return status;
}

/* ---- removal ------------------------------------------------------------------------------------------------ */

static avout_status delete_latch(void *read, avout__watcher *watcher)
{
    const latch_text *is = read;
    char *tally = avout__format("%s/left-%s", watcher->path, is->id);
    if (!tally) return AVOUT_ENOMEM;
    avout_op ops[2] = {
        {.kind = AVOUT_OP_DELETE, .path = tally, .version = AVOUT_VERSION_ANY},
        {.kind = AVOUT_OP_DELETE, .path = watcher->path, .version = AVOUT_VERSION_ANY}};
    size_t failed;
    avout_status status = avout__watcher_multi(watcher, ops, 2, &failed);
    /* The tally may be missing: removed by other means. */
    if (status == AVOUT_ENOTFOUND && failed == 0)
        status = avout__watcher_multi(watcher, ops + 1, 1, &failed);
    if (status == AVOUT_ENOTEMPTY)
        avout_fail(status, "%s: there is a node that is not ours below it", watcher->name);
    avout__free(tally);
    return status;
}

avout_status avout__countdown_remove(avout__locks *room, const char *name)
{
    char path[AVOUT__NODE_MAX];
    avout__watcher watcher;
    latch_text is;
    avout_status status = avout__named_begin(&watcher, path, room, &latches, name);
    if (status) return status;
    status = avout__named_remove(&is, &watcher, &latches, delete_latch);
    avout__watcher_end(&watcher);
    return status;
}
