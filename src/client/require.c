/* Where the engine and the locks meet: a transaction that is conditional on a lock. */
#include "avout/lock.h"

#include "base/error.h"
#include "client/handles.h"
#include "stm/stm.h"
#include "base/banned.h"

static avout_status require(avout_txn *txn, avout__lock *lock, avout_token token)
{
    avout__locks *room = lock->room;
    avout__node_check *check;
    avout_status status = avout__locks_usable(room);
    if (status) return status;
    avout__locks_lock(room);
    if (room->store != &txn->stm->door)
        status = avout_fail(AVOUT_EINVAL, "%s: a lock of another client", lock->name);
    if (!status) status = avout__hold_check(&check, lock, token);
    if (!status) status = avout__txn_require(txn, check);
    avout__locks_unlock(room);
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
