/* Signals to a condition: for how many waiters there has to be one more, and the sweeping of those that are
 * nobody's. On the caller's thread, which holds the lock. */
#include "lock/condition.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "lock/look.h"
#include "base/banned.h"

enum { SIGNALS_A_MULTI = 256 };

/* ---- nodes ------------------------------------------------------------------------------------------- */

char *avout__condition_path(const avout__lock *lock, const char *name)
{
    return avout__format("%s%s%s", lock->path, AVOUT__CONDITION_MARK, name);
}

bool avout__signal_parse(int64_t *sequence, const char *name)
{
    if (name[0] != 's' || name[1] != '-' || !name[2] || strlen(name) >= AVOUT__CLAIM_NAME)
        return false;
    char *end;
    errno = 0;
    long long parsed = strtoll(name + 2, &end, 10);
    if (errno || *end) return false;
    *sequence = parsed < 0 ? INT32_MAX : parsed; /* as those of claims, at the end of the range */
    return true;
}

avout_status avout__condition_not_held(const avout__lock *lock, const avout__hold *hold)
{
    if (!hold || !hold->writes)
        return avout_fail(AVOUT_ENOTHELD, "%s: this thread does not hold it", lock->name);
    return avout_fail(AVOUT_ELOST, "%s: this thread had acquired it and lost it", lock->name);
}

/* ---- who has one, and who has not ---------------------------------------------------------------------- */

typedef struct numbered {
    int64_t sequence;
    const char *signal; /* NULL: a waiter */
} numbered;

static int by_sequence(const void *a, const void *b)
{
    const numbered *left = a, *right = b;
    return avout__sequence_compare(left->sequence, right->sequence);
}

static size_t parse_all(numbered *all, const avout_reply *list)
{
    size_t count = 0;
    for (size_t i = 0; i < list->name_count; i++) {
        avout__claim_name waiter;
        const char *name = list->names[i];
        if (avout__name_parse(&waiter, 't', name))
            all[count++] = (numbered){.sequence = waiter.sequence};
        else if (avout__signal_parse(&all[count].sequence, name)) all[count++].signal = name;
    }
    return count;
}

/* In the order of their numbers each signal is for the first waiter before it that has none: how many have
 * none. Those that are for nobody are swept. */
static size_t match(avout__locks *room, const char *path, const numbered *all, size_t count)
{
    size_t without = 0;
    avout__locks_lock(room);
    for (size_t i = 0; i < count; i++) {
        if (!all[i].signal) without++;
        else if (without) without--;
        else avout__node_sweep(room, path, all[i].signal);
    }
    avout__locks_unlock(room);
    return without;
}

/* How many signals there have to be more. */
static avout_status count_missing(size_t *missing, avout__lock *lock, const char *path, bool all,
                                  int64_t deadline_ns)
{
    avout__reply list = AVOUT__REPLY_INIT;
    avout_status status = avout__room_list(&list, lock->room, lock->name, path, deadline_ns);
    if (status == AVOUT_ENOTFOUND) status = AVOUT_OK; /* nobody has ever waited */
    numbered *sorted = avout__calloc(list.is.name_count + 1, sizeof *sorted);
    if (!status && !sorted) status = AVOUT_ENOMEM;
    *missing = 0;
    if (!status && list.is.name_count) {
        size_t count = parse_all(sorted, &list.is);
        qsort(sorted, count, sizeof *sorted, by_sequence);
        *missing = match(lock->room, path, sorted, count);
        if (!all && *missing) *missing = 1;
    }
    avout__free(sorted);
    avout__reply_release(&list);
    return status;
}

/* ---- sending ------------------------------------------------------------------------------------------- */

/* Only who still has the lock may: the check of its claim says so. Sent twice it is one signal too many,
 * which may end a wait without a reason; sent too seldom it would be a lost one. */
static avout_status send_signals(avout__lock *lock, const char *claim, const char *path,
                                 size_t count, bool *sent, int64_t deadline_ns)
{
    char signal[AVOUT__CONDITION_PATH];
    snprintf(signal, sizeof signal, "%s/s-", path);
    avout_op *ops = avout__calloc(count + 1, sizeof *ops);
    if (!ops) return AVOUT_ENOMEM;
    ops[0] = (avout_op){.kind = AVOUT_OP_CHECK, .path = claim, .version = 0};
    for (size_t i = 1; i <= count; i++)
        ops[i] = (avout_op){.kind = AVOUT_OP_CREATE, .sequential = true, .path = signal};
    avout_request request = {.kind = AVOUT_REQUEST_MULTI, .ops = ops, .op_count = count + 1};
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_status status;
    do {
        avout__reply_release(&reply);
        status = avout__store_call(&reply, &lock->room->door, &request, deadline_ns);
        *sent = *sent || !status || reply.is.maybe_done;
    } while (avout__try_again(status, deadline_ns));
    bool lost = status == AVOUT_ENOTFOUND && reply.is.failed_op == 0;
    avout__reply_release(&reply);
    avout__free(ops);
    if (lost) return avout_fail(AVOUT_ELOST, "%s: its claim has been removed", lock->name);
    return status == AVOUT_ENOTFOUND ? AVOUT_OK
                                     : status; /* the condition was removed: nobody waits */
}

avout_status avout__condition_signal(avout__lock_handle *handle, const char *name, bool all)
{
    avout__lock *lock = handle->lock;
    avout__locks *room = lock->room;
    char claim[AVOUT__CONDITION_PATH];
    avout_status status = avout__locks_usable(room);
    if (status) return status;
    avout__locks_lock(room);
    avout__hold *hold = avout__hold_of_thread(lock);
    if (hold && hold->writes && avout__lease_holds(room) && hold->claim)
        snprintf(claim, sizeof claim, "%s/%s", lock->path, hold->claim->name);
    else status = avout__condition_not_held(lock, hold);
    avout__locks_unlock(room);
    if (status) return status;
    char *path = avout__condition_path(lock, name);
    if (!path) return AVOUT_ENOMEM;
    int64_t deadline_ns = avout__deadline_in_ms(room->timeout_ms);
    size_t missing = 0;
    bool sent = false;
    status = count_missing(&missing, lock, path, all, deadline_ns);
    while (!status && missing) {
        size_t count = missing < SIGNALS_A_MULTI ? missing : SIGNALS_A_MULTI;
        status = send_signals(lock, claim, path, count, &sent, deadline_ns);
        missing -= count;
    }
    avout__free(path);
    if (status != AVOUT_ECONNECTION && status != AVOUT_ESESSION) return status;
    return avout_fail(sent ? AVOUT_UNKNOWN : AVOUT_ETIMEOUT,
                      "%s: no connection to the store before the deadline", lock->name);
}
