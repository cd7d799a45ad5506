/* Barriers.
 *
 *   /avout/barriers/a:/b:/c                       {:parties 3, :generation 7, :through 41}; {... :broken true}
 *   /avout/barriers/a:/b:/c/p-CLIENT-N-SEQUENCE   ephemeral: a party; who made it, and once it is released
 *                                                 {:released 8, :arrival 2}
 *
 *             multi[create entry, set slot]
 *     away ----------------------------------> waits --trip: entry set--------------> released
 *      ^                                        |  |
 *      |            session lost, undecided     |  +--reset: through >= it----------> told EBROKEN
 *      +----------------------------------------+  +--broken: multi[node checked, delete entry]--> told EBROKEN
 *                                                  +--deadline: multi[node broken, delete entry]--> left
 *
 * Invariants:
 *
 *  B1  A generation is released by one multi, the *trip*: it sets the barrier's node at its version (generation +
 *      1, through = the last one's number) and sets the entries of exactly as many parties as it takes, the first
 *      ones that are undecided. An entry that is gone refuses it. So who is released together is decided at one
 *      point, with all of them there, once.
 *  B2  An entry is undecided while its number is beyond `through` and the barrier is whole. `through` grows
 *      only; a trip decides in favour of those whose entries it sets, a reset and the breaking against all
 *      others. What was decided of an entry its owner reads in the node first, then in the entry: that it was
 *      released is said there, and stays until the owner deletes it.
 *  B3  Breaking and tripping both set the node at the version they were computed from: one of them is refused. So
 *      nobody is released together with somebody who has left. Tried again after an unclear outcome they take
 *      effect once, since they go on from what they find. Who finds it broken takes its entry back at that
 *      version, before it tells: a reset decides against those it has listed, who came after that would be left
 *      behind undecided, for a trip to count with nobody there.
 *  B4  Arrivals refuse nobody: they set nothing that others set. Whoever is the last of a generation has a number
 *      at least `parties` beyond `through` and makes the trip; until a list has told it that there are
 *      too few, it goes on. Only who has such a number lists, so in a generation without deaths one does.
 *  B5  Who waits watches the node, which a generation changes once: N parties cost N events and reads.
 *  B6  The entry is a deed (deed.c). One that its thread has not waited for is deleted as soon as it is known. */
#include "lock/barrier.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

enum { ENTRY_PATH = AVOUT__NODE_MAX + AVOUT__CLAIM_NAME };

/* ---- a party --------------------------------------------------------------------------------------- */

typedef struct party {
    avout_barrier *barrier;
    avout__watcher watcher;
    avout__barrier_state seen; /* of the node */
    uint64_t before;           /* the generation when it was last known to be undecided */
    uint64_t number;
    bool came;      /* its entry may have been made, */
    bool present;   /* was, and has not been given up */
    bool withdrawn; /* it may have been taken back, as the barrier was broken */
    bool breaking;  /* or with the breaking of it, at that version of the node */
    int64_t breaking_at;
    int64_t sequence;             /* of its entry; -1: not known */
    char name[AVOUT__CLAIM_NAME]; /* "": not known */
    avout__litter *litter;
} party;

static avout_status look(party *p)
{
    avout_status status = avout__barrier_look(&p->seen, &p->watcher);
    if (status) return status;
    avout__locks_lock(p->barrier->is.room);
    if (p->seen.generation > p->barrier->generation) p->barrier->generation = p->seen.generation;
    avout__locks_unlock(p->barrier->is.room);
    return AVOUT_OK;
}

/* Whether the session of its entry has ended. */
static bool is_lost(party *p)
{
    avout__locks_lock(p->barrier->is.room);
    bool is = p->watcher.lost;
    avout__locks_unlock(p->barrier->is.room);
    return is;
}

static bool is_decided(const party *p)
{
    return p->sequence <= p->seen.through;
}

static avout_status broken(const party *p)
{
    return avout_fail(AVOUT_EBROKEN, "%s: %s", p->barrier->is.name,
                      p->seen.broken ? "a party has left; it is broken until it is reset"
                                     : "it was reset meanwhile");
}

static avout_status lost(const party *p)
{
    return avout_fail(AVOUT_ELOST,
                      "%s: the session has ended and the others have gone on, with this party or "
                      "without it",
                      p->barrier->is.name);
}

static void entry_path(char path[ENTRY_PATH], const party *p)
{
    snprintf(path, ENTRY_PATH, "%s/%s", p->barrier->is.path, p->name);
}

/* ---- arriving ---------------------------------------------------------------------------------------- */

static avout_status name_entry(party *p, const char *name)
{
    avout__claim_name parsed = {0};
    snprintf(p->name, sizeof p->name, "%s", name);
    avout__name_parse(&parsed, 'p', name);
    p->sequence = parsed.sequence;
    if (parsed.sequence < INT32_MAX) return AVOUT_OK;
    return avout_fail(AVOUT_ELIMIT,
                      "%s: its numbers are used up; they begin anew when nobody is there",
                      p->barrier->is.name);
}

/* What was created while the connection was lost. */
static avout_status find_entry(party *p)
{
    avout__reply list = AVOUT__REPLY_INIT;
    avout_request request = {.kind = AVOUT_REQUEST_LIST, .path = p->barrier->is.path};
    avout__claim_name parsed;
    avout_status status = avout__watcher_call(&p->watcher, &list, &request);
    const char *name =
        status ? NULL
               : avout__entry_find(&parsed, &list.is, p->barrier->is.room->client_id, p->number);
    if (name) status = name_entry(p, name);
    else if (!status) status = is_lost(p) ? AVOUT_RETRY : lost(p); /* or removed by a stranger */
    avout__reply_release(&list);
    return status;
}

static avout_status arrived(party *p, const avout__errand *errand)
{
    switch (errand->end) {
    case AVOUT__DEED_DONE:
        p->came = p->present = true;
        return errand->replied ? name_entry(p, errand->created) : AVOUT_OK;
    case AVOUT__DEED_NOT: avout__watcher_rest(&p->watcher, 20); return AVOUT_RETRY;
    case AVOUT__DEED_LOST: p->came = true; return AVOUT_RETRY;
    case AVOUT__DEED_REFUSED: break;
    }
    if (errand->status == AVOUT_ENOTFOUND) return avout__barrier_removed(p->barrier->is.name);
    return avout_fail(errand->status, "%s: %s", p->barrier->is.name, errand->detail);
}

static void extend(party *p)
{
    avout__watcher_extend(&p->watcher, avout__deadline_in_ms(p->barrier->is.room->timeout_ms));
}

static avout_status unknown(const party *p)
{
    return avout_fail(
        AVOUT_UNKNOWN,
        "%s: the store has not answered before the deadline; the others may have been "
        "released with this party",
        p->barrier->is.name);
}

/* Who is to leave while the arrival is on its way has to know of it first (B3). */
static avout_status arrive_late(party *p, avout__errand *errand, avout_status reason)
{
    char detail[256];
    snprintf(detail, sizeof detail, "%s", avout_error_detail());
    extend(p);
    avout_status status = avout__errand_wait(errand);
    if (status) {
        errand->litter = p->litter;
        p->litter = NULL;
        avout__errand_leave(errand);
        return status == AVOUT_ECLOSED ? status : unknown(p);
    }
    arrived(p, errand);
    avout__free(errand);
    return avout_fail(reason, "%s", detail);
}

/* AVOUT_RETRY: it is not there, and may try again. */
static avout_status arrive(party *p)
{
    avout__locks *room = p->barrier->is.room;
    char path[ENTRY_PATH];
    bool sent;
    avout__errand *errand = avout__calloc(1, sizeof *errand);
    if (!p->litter) p->litter = avout__litter_new(room, p->barrier->is.path);
    if (!errand || !p->litter) {
        avout__free(errand);
        return AVOUT_ENOMEM;
    }
    avout__locks_lock(room);
    p->number = errand->number = ++room->numbers;
    avout__locks_unlock(room);
    p->sequence = -1;
    p->name[0] = '\0';
    snprintf(path, sizeof path, "%s/p-%s-%" PRIu64 "-", p->barrier->is.path, room->client_id,
             p->number);
    avout_op op = {.kind = AVOUT_OP_CREATE,
                   .ephemeral = true,
                   .sequential = true,
                   .path = path,
                   .bytes = room->self,
                   .length = strlen(room->self)};
    avout_status status = avout__errand_send(errand, &p->watcher, &op, 1, &sent);
    if (status && sent) return arrive_late(p, errand, status);
    if (!status) status = arrived(p, errand);
    avout__free(errand);
    return status;
}

/* Its session has ended since it came, and its entry with that. AVOUT_OK: nobody was released counting on it, or
 * ever will be. (Numbers that began anew say nothing of it.) */
static avout_status look_back(party *p)
{
    p->present = false;
    avout_status status = look(p);
    if (status) return status;
    bool undecided = p->sequence >= 0 && !is_decided(p) && p->seen.through >= 0;
    return p->seen.generation != p->before && !undecided ? lost(p) : AVOUT_OK;
}

/* Whether it may come again, as if it never had. */
static avout_status come_again(party *p)
{
    avout_status status = look_back(p);
    if (status) return status;
    if (p->seen.broken || (p->sequence >= 0 && is_decided(p))) return broken(p);
    p->came = p->withdrawn = false;
    return AVOUT_OK;
}

/* It is there when this answers AVOUT_OK, and what the node says was read after that. */
static avout_status be_there(party *p)
{
    avout_status status = AVOUT_OK;
    if (p->came && (!p->present || is_lost(p))) status = come_again(p);
    if (!status && !p->present) status = arrive(p);
    if (!status && !*p->name) status = find_entry(p);
    if (!status) status = look(p);
    /* Told before the look was sent it would not wake again (W2). */
    if (!status && is_lost(p)) status = AVOUT_RETRY;
    return status;
}

/* ---- releasing ------------------------------------------------------------------------------------------ */

/* One trip's operations and what they point to. */
typedef struct trip {
    avout_op *ops;
    char *paths, (*texts)[AVOUT__BARRIER_TEXT];
} trip;

static avout_status trip_fill(trip *t, party *p, const avout__arrival *arrivals)
{
    uint32_t count = p->seen.parties;
    size_t size = strlen(p->barrier->is.path) + 1 + AVOUT__CLAIM_NAME;
    avout__barrier_state next = p->seen;
    t->ops = avout__calloc((size_t)count + 1, sizeof *t->ops);
    t->texts = avout__calloc((size_t)count + 1, sizeof *t->texts);
    t->paths = avout__calloc(count, size);
    if (!t->ops || !t->texts || !t->paths) return AVOUT_ENOMEM;
    next.generation++;
    next.through = arrivals[count - 1].sequence;
    avout__barrier_write(t->texts[count], &next);
    t->ops[0] = (avout_op){.kind = AVOUT_OP_SET,
                           .path = p->barrier->is.path,
                           .version = p->seen.version,
                           .bytes = t->texts[count],
                           .length = strlen(t->texts[count])};
    for (uint32_t i = 0; i < count; i++) {
        avout_pass pass = {next.generation, i};
        char *path = t->paths + i * size;
        snprintf(path, size, "%s/%s", p->barrier->is.path, arrivals[i].name);
        avout__pass_write(t->texts[i], &pass);
        t->ops[i + 1] = (avout_op){.kind = AVOUT_OP_SET,
                                   .path = path,
                                   .version = AVOUT_VERSION_ANY,
                                   .bytes = t->texts[i],
                                   .length = strlen(t->texts[i])};
    }
    return AVOUT_OK;
}

/* B1. AVOUT_OK: released, or to be looked at again. */
static avout_status release(party *p, const avout__arrival *arrivals)
{
    trip t = {0};
    size_t failed;
    avout_status status = trip_fill(&t, p, arrivals);
    if (!status)
        status = avout__watcher_multi(&p->watcher, t.ops, (size_t)p->seen.parties + 1, &failed);
    avout__free(t.ops);
    avout__free(t.texts);
    avout__free(t.paths);
    if (status == AVOUT_EVERSION || status == AVOUT_ENOTFOUND) return AVOUT_OK;
    if (avout__watcher_again(&p->watcher, &status)) return AVOUT_OK;
    if (status == AVOUT_UNKNOWN)
        return avout_fail(AVOUT_ETIMEOUT, "%s: the deadline passed", p->barrier->is.name);
    return status;
}

/* For whom it may be to release the generation (B4). */
static avout_status count_them(party *p, bool *few)
{
    avout__reply list = AVOUT__REPLY_INIT;
    avout__arrival *arrivals = NULL;
    size_t count;
    avout_request request = {.kind = AVOUT_REQUEST_LIST, .path = p->barrier->is.path};
    avout_status status = avout__watcher_call(&p->watcher, &list, &request);
    *few = false;
    if (status == AVOUT_ENOTFOUND) status = avout__barrier_removed(p->barrier->is.name);
    if (!status && list.is.stat.version == p->seen.version) {
        status = avout__barrier_arrivals(&arrivals, &count, &list.is, p->seen.through);
        *few = !status && count < p->seen.parties;
        if (!status && !*few) status = release(p, arrivals);
    }
    avout__free(arrivals);
    avout__reply_release(&list);
    return status;
}

/* ---- waiting, leaving ------------------------------------------------------------------------------------- */

/* What was decided of it (B2). */
static avout_status outcome(party *p, avout_pass *pass)
{
    char path[ENTRY_PATH];
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_request get = {.kind = AVOUT_REQUEST_GET, .path = path};
    entry_path(path, p);
    avout_status status = avout__watcher_call(&p->watcher, &reply, &get);
    bool mine =
        (p->withdrawn || p->breaking) && !is_lost(p); /* what was released is not taken back */
    if (status == AVOUT_ENOTFOUND) status = mine ? broken(p) : lost(p); /* or by a stranger */
    else if (!status && !avout__pass_parse(pass, &reply.is)) status = broken(p);
    avout__reply_release(&reply);
    return status;
}

/* Breaks the barrier, unless it is, and takes the entry back (B3), unless that has gone with its session. AVOUT_OK:
 * done, or gone anyway. AVOUT_RETRY: look again. */
static avout_status break_it(party *p)
{
    /* An earlier attempt has got there, or never will. */
    bool done = p->breaking && p->seen.version != p->breaking_at;
    if (!p->present && (p->seen.broken || p->withdrawn || done)) return AVOUT_OK;
    char text[AVOUT__BARRIER_TEXT], path[ENTRY_PATH];
    avout__barrier_state next = p->seen;
    next.broken = true;
    avout__barrier_write(text, &next);
    entry_path(path, p);
    if (p->seen.broken) p->withdrawn = true;
    avout_op ops[2] = {{.kind = AVOUT_OP_SET,
                        .path = p->barrier->is.path,
                        .version = p->seen.version,
                        .bytes = text,
                        .length = strlen(text)},
                       {.kind = AVOUT_OP_DELETE, .path = path, .version = AVOUT_VERSION_ANY}};
    if (p->withdrawn)
        ops[0] = (avout_op){
            .kind = AVOUT_OP_CHECK, .path = p->barrier->is.path, .version = p->seen.version};
    size_t failed;
    avout_status status = avout__watcher_multi(&p->watcher, ops, p->present ? 2 : 1, &failed);
    bool no_entry = status == AVOUT_ENOTFOUND && failed == 1;
    if (!status || no_entry) p->present = false;
    if (no_entry) return p->seen.broken || p->withdrawn || done ? AVOUT_OK : AVOUT_RETRY;
    if (!status) return AVOUT_OK;
    bool unclear = status == AVOUT_ECONNECTION || status == AVOUT_ESESSION;
    if (unclear && !p->withdrawn && !p->breaking) {
        p->breaking = true;
        p->breaking_at = p->seen.version;
    }
    if (status == AVOUT_ENOTFOUND) return avout__barrier_removed(p->barrier->is.name);
    if (status == AVOUT_EVERSION || avout__watcher_again(&p->watcher, &status)) return AVOUT_RETRY;
    return status;
}

static avout_status take_part(party *p, avout_pass *pass)
{
    for (;;) {
        avout_status status = be_there(p);
        if (status == AVOUT_RETRY) continue;
        if (status) return status;
        if (is_decided(p)) return outcome(p, pass);
        if (p->seen.broken || p->withdrawn) {
            if (!p->withdrawn)
                extend(p); /* what it is told does not depend on how long that takes */
            status = break_it(p);
            if (status == AVOUT_RETRY) continue;
            return status ? status : broken(p);
        }
        p->before = p->seen.generation;
        bool few = true;
        if (p->sequence - p->seen.through >= (int64_t)p->seen.parties) status = count_them(p, &few);
        if (!status && few) status = avout__watcher_wait(&p->watcher);
        if (status) return status;
    }
}

static avout_status leave_once(party *p, avout_pass *pass, bool *released)
{
    bool gone = !p->present || is_lost(p);
    avout_status status = gone ? look_back(p) : AVOUT_OK;
    if (!gone && !*p->name) status = find_entry(p);
    if (!gone && !status) status = look(p);
    if (status) return status;
    if (gone && p->sequence >= 0 && is_decided(p)) return AVOUT_OK; /* it was reset */
    if (gone || !is_decided(p)) return break_it(p);
    status = outcome(p, pass);
    *released = !status;
    return status == AVOUT_EBROKEN ? AVOUT_OK : status;
}

/* The wait has ended, for this reason; unless it was released before it could leave. */
static avout_status leave(party *p, avout_pass *pass, avout_status reason)
{
    char detail[256];
    bool released = false;
    avout_status status;
    snprintf(detail, sizeof detail, "%s", avout_error_detail());
    extend(p);
    do {
        status = leave_once(p, pass, &released);
        if (status != AVOUT_ENOMEM || avout__now_ns() >= p->watcher.deadline_ns) continue;
        avout__watcher_rest(&p->watcher, 20);
        status = AVOUT_RETRY;
    } while (status == AVOUT_RETRY);
    if (released) return AVOUT_OK;
    /* Of what is no barrier nobody is released. */
    bool over = !status || status == AVOUT_ENOTFOUND || status == AVOUT_EDATA;
    if (over) return avout_fail(reason, "%s", detail);
    return status == AVOUT_ECLOSED || status == AVOUT_ELOST ? status : unknown(p);
}

/* ZooKeeper numbers a node's sequential children up to 2^31 - 1. From half of it on whoever goes makes the node
 * anew, as one: refused, as it has to be, while anybody else is below it. Its own entry goes with that: versions begin
 * anew, too, and what arrives late must not find one that fits by chance. */
static void renew(party *p)
{
    char path[ENTRY_PATH], text[AVOUT__BARRIER_TEXT];
    size_t failed;
    extend(p);
    if (look(p) || p->seen.children != 1) return;
    p->seen.through = -1;
    avout__barrier_write(text, &p->seen);
    entry_path(path, p);
    avout_op ops[3] = {
        {.kind = AVOUT_OP_DELETE, .path = path, .version = AVOUT_VERSION_ANY},
        {.kind = AVOUT_OP_DELETE, .path = p->barrier->is.path, .version = p->seen.version},
        {.kind = AVOUT_OP_CREATE,
         .path = p->barrier->is.path,
         .bytes = text,
         .length = strlen(text)}};
    if (!avout__watcher_multi(&p->watcher, ops, 3, &failed)) p->present = false;
}

static void go(party *p)
{
    avout__locks *room = p->barrier->is.room;
    avout__locks_lock(room);
    if (p->present) avout__litter_drop(p->litter, p->number, p->name);
    else avout__free(p->litter);
    avout__locks_unlock(room);
    avout__watcher_end(&p->watcher);
}

avout_status avout_barrier_await(avout_pass *pass, avout_barrier *barrier,
                                 const avout_wait_options *options)
{
    avout__locks *room = barrier->is.room;
    int64_t deadline_ns;
    avout_pass mine;
    avout_status status = avout__locks_usable(room);
    if (!status) status = avout__wait_deadline(&deadline_ns, options, room->timeout_ms);
    if (status) return status;
    party p = {.barrier = barrier, .sequence = -1};
    avout__locks_lock(room);
    p.before = barrier->generation;
    avout__locks_unlock(room);
    avout__watcher_begin(&p.watcher, room, barrier->is.path, barrier->is.name,
                         options ? options->cancel : NULL, deadline_ns);
    status = take_part(&p, &mine);
    bool over = !status || status == AVOUT_EBROKEN || status == AVOUT_ELOST ||
                status == AVOUT_ENOTFOUND || status == AVOUT_ECLOSED || status == AVOUT_UNKNOWN;
    if (!over && p.came) status = leave(&p, &mine, status);
    if (!status && p.sequence >= AVOUT__RENEW_FROM) renew(&p);
    if (!status && pass) *pass = mine;
    go(&p);
    return status;
}
