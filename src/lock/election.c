/* Elections: handles, candidates and their terms, callbacks, waits. Who leads is looked for in observe.c. */
#include "lock/election.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "lock/look.h"
#include "store/check.h"
#include "base/banned.h"

/* ---- waiting for a change --------------------------------------------------------------------------- */

void avout__electors_wake(avout__electorate *all)
{
    AVOUT__LIST_EACH(link, &all->electors)
    avout__latch_open(&AVOUT__LINK_OF(link, avout__elector, link)->latch);
}

/* Waits until `ready` answers true, with the status to be answered. Mutex held, and given up meanwhile. */
static avout_status await(avout_election *election,
                          bool (*ready)(avout_election *election, avout_status *status),
                          avout_cancel *cancel, int64_t deadline_ns)
{
    avout__locks *room = election->pool->room;
    for (bool last = false;;) {
        avout_status status = AVOUT_OK;
        if (atomic_load(&room->closed)) return avout_fail(AVOUT_ECLOSED, "the client is closed");
        if (ready(election, &status)) return status;
        const char *name = election->pool->name;
        if (last && avout_cancel_is_set(cancel))
            return avout_fail(AVOUT_ECANCELLED, "%s: the wait was cancelled", name);
        if (last)
            return avout_fail(
                avout__late(), "%s: %s", name,
                avout__late_text(room->connected
                                     ? "nothing of the kind before the deadline"
                                     : "no connection to the store before the deadline"));
        avout__elector elector = {.latch = AVOUT__LATCH_INIT};
        avout__cancel_entry entry;
        avout__list_append(&election->pool->electorate->electors, &elector.link);
        avout__bids_unlock(room);
        avout__cancel_enter(cancel, &entry, &elector.latch);
        last = !avout__latch_wait(&elector.latch, deadline_ns);
        avout__cancel_leave(cancel, &entry);
        last = last || avout_cancel_is_set(cancel);
        avout__locks_lock(room);
        avout__link_remove(&elector.link);
    }
}

/* ---- terms -------------------------------------------------------------------------------------------- */

static avout_election *election_of(avout__bidder *bidder)
{
    return AVOUT__LINK_OF(bidder, avout_election, bidder);
}

static void term_changed(avout_election *election)
{
    if (election->term) avout__notice_post(election->pool->room, &election->term_notice);
    avout__electors_wake(election->pool->electorate);
}

static void end_term(avout_election *election)
{
    if (!election->leads) return;
    election->leads = false;
    avout__node_check_unref(election->check);
    election->check = NULL;
    term_changed(election);
}

static void placed(avout__bidder *bidder)
{
    avout_election *election = election_of(bidder);
    if (election->settled) return;
    election->settled = true;
    avout__electors_wake(election->pool->electorate);
}

static void granted(avout__bidder *bidder)
{
    avout_election *election = election_of(bidder);
    election->leads = true;
    election->token = (avout_token){bidder->bid->point, 0};
    term_changed(election);
}

static void failed(avout__bidder *bidder, avout_status status, const char *detail)
{
    avout_election *election = election_of(bidder);
    if (election->settled) {
        avout__retry_later(bidder->pool->room, &election->retry); /* it goes on being a candidate */
        return;
    }
    election->settled = true;
    election->status = status;
    snprintf(election->detail, sizeof election->detail, "%s", detail);
    avout__electors_wake(election->pool->electorate);
}

static void lost(avout__bidder *bidder)
{
    avout_election *election = election_of(bidder);
    end_term(election);
    if (election->enrolled) avout__bidder_start(bidder);
}

static const avout__bidder_ops candidate_ops = {
    .placed = placed, .granted = granted, .failed = failed, .lost = lost};

void avout__electorate_resume(avout__pool *pool)
{
    avout__electorate *all = pool->electorate;
    if (!all) return;
    AVOUT__LIST_EACH(link, &all->handles)
    {
        avout_election *election = AVOUT__LINK_OF(link, avout_election, link);
        bool candidate = election->enrolled && election->settled && !election->status;
        bool now = avout__retry_now(pool->room, &election->retry);
        if (now && candidate && !election->bidder.bid) avout__bidder_start(&election->bidder);
    }
    if (avout__retry_now(pool->room, &all->retry)) avout__observe(pool);
}

void avout__electorate_close(avout__pool *pool)
{
    avout__electorate *all = pool->electorate;
    if (!all) return;
    AVOUT__LIST_EACH(link, &all->handles)
    {
        avout_election *election = AVOUT__LINK_OF(link, avout_election, link);
        election->enrolled = election->leads = false;
    }
    avout__electors_wake(all);
}

void avout__electorate_free(avout__electorate *all)
{
    if (all) avout_candidate_free(all->leader);
    avout__free(all);
}

/* ---- callbacks: on the teller's thread ------------------------------------------------------------------- */

/* False: the callback has closed the handle. */
static bool go_on(avout__locks *room, avout_election *election, avout__pool *pool)
{
    avout__locks_lock(room);
    avout__pool_drop(pool);
    return room->told_owner == election;
}

static bool tell_one_term(avout__locks *room, avout_election *election)
{
    avout__pool *pool = election->pool;
    avout_term_fn term = election->term;
    void *payload = election->term_payload;
    bool over = election->told_term &&
                (!election->leads || avout_token_compare(election->told_token, election->token));
    bool begun = !election->told_term && election->leads;
    if (!term || (!over && !begun)) return false;
    if (begun) election->told_token = election->token;
    election->told_term = begun;
    avout_token token = election->told_token;
    pool->refs++;
    avout__bids_unlock(room);
    term(pool->name, begun, token, payload);
    return go_on(room, election, pool);
}

static void tell_term(avout__locks *room, avout__notice *notice)
{
    avout_election *election = AVOUT__LINK_OF(notice, avout_election, term_notice);
    while (tell_one_term(room, election)) continue;
}

static bool tell_one_leader(avout__locks *room, avout_election *election)
{
    avout__pool *pool = election->pool;
    avout__electorate *all = pool->electorate;
    avout_leader_fn told = election->leader;
    void *payload = election->leader_payload;
    if (!told || election->told_leader == all->changes) return false;
    avout_candidate *leader = all->leader ? avout__candidate_ref(all->leader) : NULL;
    election->told_leader = all->changes;
    pool->refs++;
    avout__bids_unlock(room);
    told(pool->name, leader, payload);
    avout_candidate_free(leader);
    return go_on(room, election, pool);
}

static void tell_leader(avout__locks *room, avout__notice *notice)
{
    avout_election *election = AVOUT__LINK_OF(notice, avout_election, leader_notice);
    while (tell_one_leader(room, election)) continue;
}

/* Both are looked at again: what is pending may have been taken out with the callback that is replaced. */
static void post_both(avout_election *election)
{
    avout__locks *room = election->pool->room;
    if (election->term) avout__notice_post(room, &election->term_notice);
    if (election->leader) avout__notice_post(room, &election->leader_notice);
}

avout_status avout_election_on_term(avout_election *election, avout_term_fn term, void *payload)
{
    avout__locks *room = election->pool->room;
    avout_status status = avout__locks_usable(room);
    if (status) return status;
    avout__locks_lock(room);
    if (term) status = avout__teller_need(room);
    if (!status) {
        election->term = NULL;
        avout__notices_end(room, election);
        election->term = term;
        election->term_payload = payload;
        election->told_term = false;
        post_both(election);
    }
    avout__bids_unlock(room);
    return status;
}

/* ---- observers -------------------------------------------------------------------------------------------- */

static void observer_add(avout__pool *pool)
{
    avout__electorate *all = pool->electorate;
    if (!all->observers++ && !all->waiting) {
        avout_candidate_free(all->leader); /* of long ago */
        all->leader = NULL;
        all->known = false;
    }
    avout__observe(pool);
}

avout_status avout_election_on_leader(avout_election *election, avout_leader_fn leader,
                                      void *payload)
{
    avout__pool *pool = election->pool;
    avout__locks *room = pool->room;
    avout_status status = avout__locks_usable(room);
    if (status) return status;
    avout__locks_lock(room);
    if (leader) status = avout__teller_need(room);
    if (!status) {
        bool observed = election->leader != NULL;
        election->leader = NULL;
        avout__notices_end(room, election);
        if (leader) observer_add(pool);
        pool->electorate->observers -= observed;
        election->leader = leader;
        election->leader_payload = payload;
        /* Who leads is told; that nobody does is not, at first. */
        election->told_leader = pool->electorate->changes;
        if (pool->electorate->leader) election->told_leader--;
        post_both(election);
    }
    avout__bids_unlock(room);
    return status;
}

static bool somebody_leads(avout_election *election, avout_status *status)
{
    (void)status;
    return election->pool->electorate->known && election->pool->electorate->leader;
}

avout_status avout_election_await_leader(avout_candidate **leader, avout_election *election,
                                         const avout_wait_options *options)
{
    avout__pool *pool = election->pool;
    avout__locks *room = pool->room;
    int64_t deadline_ns;
    avout_status status = avout__locks_usable(room);
    if (!status) status = avout__wait_deadline(&deadline_ns, options, room->timeout_ms);
    if (status) return status;
    avout__locks_lock(room);
    observer_add(pool);
    status = await(election, somebody_leads, options ? options->cancel : NULL, deadline_ns);
    if (!status && leader) *leader = avout__candidate_ref(pool->electorate->leader);
    pool->electorate->observers--;
    avout__bids_unlock(room);
    return status;
}

avout_status avout_election_leader(avout_candidate **leader, avout_election *election)
{
    avout__pool *pool = election->pool;
    avout__locks *room = pool->room;
    avout_status status = avout__locks_usable(room);
    int64_t deadline_ns = avout__deadline_in_ms(room->timeout_ms);
    for (bool gone = !status; gone;) {
        avout__reply names = AVOUT__REPLY_INIT, node = AVOUT__REPLY_INIT;
        avout__bid_name name;
        char path[AVOUT__NODE_MAX + AVOUT__CLAIM_NAME];
        status = avout__room_list(&names, room, pool->name, pool->path, deadline_ns);
        const char *first =
            status ? NULL : avout__first_candidate(&name, names.is.names, names.is.name_count);
        gone = false;
        if (first) {
            snprintf(path, sizeof path, "%s/%s", pool->path, first);
            avout_request get = {.kind = AVOUT_REQUEST_GET, .path = path};
            status = avout__room_call(&node, room, pool->name, &get, deadline_ns);
            gone = status == AVOUT_ENOTFOUND;
        } else if (!status || status == AVOUT_ENOTFOUND) {
            status = avout_fail(AVOUT_ENOTFOUND, "%s: nobody leads", pool->name);
        }
        if (!status) {
            *leader =
                avout__candidate_new(room, &name, node.is.bytes, node.is.length, &node.is.stat);
            if (*leader) (*leader)->leads = true;
            else status = AVOUT_ENOMEM;
        }
        avout__reply_release(&names);
        avout__reply_release(&node);
    }
    return status;
}

/* ---- candidates --------------------------------------------------------------------------------------------- */

static bool is_settled(avout_election *election, avout_status *status)
{
    const char *name = election->pool->name;
    if (election->settled && election->status)
        *status = avout_fail(election->status, "%s: %s", name, election->detail);
    else if (!election->settled && !election->enrolled)
        *status = avout_fail(AVOUT_ENOTHELD, "%s: it resigned before it was enrolled", name);
    return election->settled || *status;
}

/* {:host "h7", :pid 4711}, a line's end, and the data. */
static char *describe(const avout__locks *room, const void *data, size_t length, size_t *size)
{
    size_t self = strlen(room->self);
    char *bytes = avout__alloc(self + 1 + length);
    if (!bytes) return NULL;
    memcpy(bytes, room->self, self);
    bytes[self] = '\n';
    if (length) memcpy(bytes + self + 1, data, length);
    *size = self + 1 + length;
    return bytes;
}

/* Mutex held, and given up while it waits. Takes the bytes over. */
static avout_status enrol(avout_election *election, char *bytes, size_t size, int64_t deadline_ns)
{
    if (election->enrolled) {
        avout__free(bytes);
        return avout_fail(AVOUT_ESTATE, "%s: it is a candidate already", election->pool->name);
    }
    avout__free(election->bytes);
    election->bytes = bytes;
    election->bidder = (avout__bidder){.ops = &candidate_ops,
                                       .pool = election->pool,
                                       .permits = 1,
                                       .bytes = bytes,
                                       .length = size};
    election->enrolled = true;
    election->settled = false;
    election->status = AVOUT_OK;
    avout__bidder_start(&election->bidder);
    avout_status status = await(election, is_settled, NULL, deadline_ns);
    if (!status) return AVOUT_OK;
    election->enrolled = false;
    end_term(election);
    avout__bidder_leave(&election->bidder, NULL);
    return status;
}

avout_status avout_election_enrol(avout_election *election, const void *data, size_t length)
{
    avout__locks *room = election->pool->room;
    int64_t deadline_ns = avout__deadline_in_ms(room->timeout_ms);
    size_t size;
    avout_status status = avout__locks_usable(room);
    if (!status && length && !data) status = avout_fail(AVOUT_EINVAL, "the data is NULL");
    if (!status && length > AVOUT_CANDIDATE_MAX)
        status = avout_fail(AVOUT_ELIMIT, "%s: %zu bytes of a candidate's data: at most %d can be",
                            election->pool->name, length, AVOUT_CANDIDATE_MAX);
    if (!status) status = avout__pool_make(election->pool, NULL, 0, deadline_ns);
    if (status && status != AVOUT_EEXISTS)
        return status == AVOUT_UNKNOWN ? avout_fail(AVOUT_ETIMEOUT, "%s: no answer from the store",
                                                    election->pool->name)
                                       : status;
    char *bytes = describe(room, data, length, &size);
    if (!bytes) return AVOUT_ENOMEM;
    avout__locks_lock(room);
    if (atomic_load(&room->closed)) {
        avout__free(bytes);
        status = avout_fail(AVOUT_ECLOSED, "the client is closed");
    } else {
        status = enrol(election, bytes, size, deadline_ns);
    }
    avout__bids_unlock(room);
    return status;
}

avout_status avout_election_resign(avout_election *election)
{
    avout__locks *room = election->pool->room;
    avout__releaser releaser;
    avout_status status = avout__locks_usable(room);
    if (status) return status;
    avout__locks_lock(room);
    bool enrolled = election->enrolled, wait = false;
    if (enrolled) {
        election->enrolled = false;
        end_term(election);
        wait = avout__bidder_leave(&election->bidder, &releaser);
        avout__electors_wake(election->pool->electorate);
    }
    avout__bids_unlock(room);
    if (!enrolled)
        return avout_fail(AVOUT_ENOTHELD, "%s: it is no candidate", election->pool->name);
    if (wait) status = avout__releaser_wait(room, &releaser, election->pool->name);
    return status == AVOUT_ELOST ? AVOUT_OK : status; /* gone is gone */
}

static bool leads(avout_election *election)
{
    return election->leads && avout__bidder_holds(&election->bidder) && election->leads;
}

bool avout_election_leads(avout_election *election)
{
    avout__locks *room = election->pool->room;
    if (avout__locks_forked(room)) return false;
    avout__locks_lock(room);
    bool answer = leads(election);
    avout__bids_unlock(room);
    return answer;
}

avout_status avout_election_token(avout_token *token, avout_election *election)
{
    avout__locks *room = election->pool->room;
    avout_status status = avout__locks_usable(room);
    if (status) return status;
    avout__locks_lock(room);
    if (leads(election)) *token = election->token;
    else status = avout_fail(AVOUT_ENOTHELD, "%s: it does not lead", election->pool->name);
    avout__bids_unlock(room);
    return status;
}

static bool has_term(avout_election *election, avout_status *status)
{
    if (leads(election)) return true;
    if (election->enrolled) return false;
    *status = avout_fail(AVOUT_ENOTHELD, "%s: it is no candidate", election->pool->name);
    return true;
}

avout_status avout_election_await_term(avout_token *token, avout_election *election,
                                       const avout_wait_options *options)
{
    avout__locks *room = election->pool->room;
    int64_t deadline_ns;
    avout_status status = avout__locks_usable(room);
    if (!status) status = avout__wait_deadline(&deadline_ns, options, room->timeout_ms);
    if (status) return status;
    avout__locks_lock(room);
    status = await(election, has_term, options ? options->cancel : NULL, deadline_ns);
    if (!status && token) *token = election->token;
    avout__bids_unlock(room);
    return status;
}

avout_status avout__election_check(avout__node_check **check, avout_election *election,
                                   avout_token token)
{
    if (!leads(election) || avout_token_compare(election->token, token) != 0)
        return avout_fail(AVOUT_ELOST, "%s: it does not lead with this token",
                          election->pool->name);
    if (!election->check)
        election->check = avout__bidder_check(&election->bidder, "the term of a leader is over");
    if (!election->check) return AVOUT_ENOMEM;
    *check = election->check;
    return AVOUT_OK;
}

/* ---- handles ----------------------------------------------------------------------------------------------------- */

avout_status avout__election_open(avout_election **out, avout__locks *room, const char *name)
{
    avout_election *election = avout__calloc(1, sizeof *election);
    if (!election) return AVOUT_ENOMEM;
    avout_status status = avout__pool_open(&election->pool, room, AVOUT__ELECTION, name);
    if (status) {
        avout__free(election);
        return status;
    }
    avout__pool *pool = election->pool;
    avout__locks_lock(room);
    if (!pool->electorate) {
        pool->electorate = avout__calloc(1, sizeof *pool->electorate);
        if (pool->electorate) {
            avout__list_init(&pool->electorate->handles);
            avout__list_init(&pool->electorate->electors);
        }
    }
    if (pool->electorate) {
        avout__list_append(&pool->electorate->handles, &election->link);
        election->bidder.pool = pool;
        election->term_notice = (avout__notice){.owner = election, .kept = true, .tell = tell_term};
        election->leader_notice =
            (avout__notice){.owner = election, .kept = true, .tell = tell_leader};
        *out = election;
    } else {
        status = AVOUT_ENOMEM;
        avout__pool_drop(pool);
    }
    avout__bids_unlock(room);
    if (status) avout__free(election);
    return status;
}

void avout_election_close(avout_election *election)
{
    if (!election) return;
    avout__pool *pool = election->pool;
    avout__locks *room = pool->room;
    if (avout__locks_forked(room)) return; /* what is the parent's stays as it is */
    atomic_fetch_add(&room->refs, 1);
    avout__locks_lock(room);
    pool->electorate->observers -= election->leader != NULL;
    election->term = NULL;
    election->leader = NULL;
    avout__notices_end(room, election);
    election->enrolled = false;
    end_term(election);
    avout__bidder_leave(&election->bidder, NULL);
    avout__node_check_unref(election->check); /* of a client that was closed */
    avout__link_remove(&election->link);
    avout__pool_drop(pool);
    avout__bids_unlock(room);
    avout__locks_unref(room);
    avout__free(election->bytes);
    avout__free(election);
}

const char *avout_election_name(const avout_election *election)
{
    return election->pool->name;
}
