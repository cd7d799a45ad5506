/* Where the engine and the locks meet: a transaction that is conditional on a lock, a lease, or on leading. */
#include "avout/lock.h"

#include "base/error.h"
#include "client/handles.h"
#include "lock/election.h"
#include "lock/semaphore.h"
#include "stm/stm.h"
#include "base/banned.h"

/* With the room's mutex, if it answers AVOUT_OK. */
static avout_status enter(avout_txn *txn, avout__locks *room, const char *name)
{
    avout_status status = avout__locks_usable(room);
    if (status) return status;
    avout__locks_lock(room);
    if (room->store == &txn->stm->door) return AVOUT_OK;
    avout__locks_unlock(room);
    return avout_fail(AVOUT_EINVAL, "%s: of another client than the transaction", name);
}

static avout_status require(avout_txn *txn, avout__lock *lock, avout_token token)
{
    avout__node_check *check;
    avout_status status = enter(txn, lock->room, lock->name);
    if (status) return status;
    status = avout__hold_check(&check, lock, token);
    if (!status) status = avout__txn_require(txn, check);
    avout__locks_unlock(lock->room);
    return status;
}

avout_status avout_txn_require(avout_txn *txn, avout_lock *lock, avout_token token)
{
    return require(txn, lock->handle.lock, token);
}

avout_status avout_txn_require_rw(avout_txn *txn, avout_rwlock *lock, avout_token token)
{
    return require(txn, lock->handle.lock, token);
}

avout_status avout_txn_require_lease(avout_txn *txn, avout_lease *lease)
{
    avout__pool *pool = lease->bidder.pool;
    avout__node_check *check;
    avout_status status = enter(txn, pool->room, pool->name);
    if (status) return status;
    status = avout__lease_check(&check, lease);
    if (!status) status = avout__txn_require(txn, check);
    avout__bids_unlock(pool->room);
    return status;
}

avout_status avout_txn_require_leader(avout_txn *txn, avout_election *election, avout_token token)
{
    avout__pool *pool = election->pool;
    avout__node_check *check;
    avout_status status = enter(txn, pool->room, pool->name);
    if (status) return status;
    status = avout__election_check(&check, election, token);
    if (!status) status = avout__txn_require(txn, check);
    avout__bids_unlock(pool->room);
    return status;
}
