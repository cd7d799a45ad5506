/* Locks and conditions as values of the language, under the names of java.util.concurrent.locks that the
 * original Avout gives them.
 *
 * A lock is held by a thread: of the program around us, or of a future. What a future does not release it
 * holds until the client is closed. */
#ifndef AVOUT_LANG_LOCK_H
#define AVOUT_LANG_LOCK_H

#include "avout/lock.h"
#include "lang/core.h"

typedef enum lang_lock_mode {
    LOCK_ALL,   /* a lock, or the writing one of two */
    LOCK_READ,  /* the reading one of two */
    LOCK_WHICH, /* the two: what .readLock and .writeLock are asked of */
} lang_lock_mode;

typedef struct lang_lock {
    lang_object object;
    lang_lock_mode mode;
    avout_lock *lock;   /* LOCK_ALL */
    avout_rwlock *rw;   /* the others */
    avout_value client; /* the box of its client */
} lang_lock;

typedef struct lang_condition {
    lang_object object;
    avout_condition *condition;
    char *name;
    avout_value lock; /* the box of its lock */
} lang_condition;

const char *avout__lang_lock_name(const lang_lock *lock);
void avout__lang_lock_destroy(lang_lock *lock);
void avout__lang_condition_destroy(lang_condition *condition);

/* How long `count` of a unit (TimeUnit/SECONDS) is, rounded up. False: the error is set. */
bool avout__lang_milliseconds(lang_run *run, const char *name, int64_t *ms, avout_value count,
                              avout_value unit);
/* The value of TimeUnit/SECONDS and its siblings, perhaps behind java.util.concurrent. NULL: no unit. */
const char *avout__lang_unit_of(const char *name);

#endif
