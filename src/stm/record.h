/* A record: one state of a cell. Immutable but for its fate, and for the value, which the first
 * reader decodes from the bytes (values are never parsed on the delivery thread).
 *
 *  R1  Whoever reaches a record through a cell's atomic pointers does so inside an epoch guard and
 *      may take a reference by a plain increment: the cell's own reference is given up only by
 *      avout__record_retire, after a grace period, so the count cannot be 0 yet.
 *  R2  A cell gives up a record once, when neither `live`, `head` nor `last` leads to it.
 *  R3  `fate`, `under`, `from`, `until` and (while pending) version and point belong to the engine's
 *      lock. A pending record becomes settled or dead and stays so.
 */
#ifndef AVOUT_STM_RECORD_H
#define AVOUT_STM_RECORD_H

#include <stdatomic.h>

#include "avout/sys/store.h"
#include "avout/value.h"
#include "base/buffer.h"
#include "base/epoch.h"
#include "state/container.h"

typedef enum avout__record_kind {
    AVOUT__RECORD_VALUE,
    AVOUT__RECORD_TOMBSTONE, /* the node is there and empty: destroyed */
    AVOUT__RECORD_ABSENT,    /* no node */
} avout__record_kind;

typedef enum avout__fate {
    AVOUT__FATE_SETTLED, /* the store has confirmed it (or told us) */
    AVOUT__FATE_PENDING, /* committed here, not yet confirmed */
    AVOUT__FATE_DEAD,    /* will never be */
} avout__fate;

/* Encoded bytes, freed after a grace period once somebody has decoded them. */
typedef struct avout__blob {
    avout__retired retired;
    size_t length;
    char data[];
} avout__blob;

typedef struct avout__record avout__record;
struct avout__record {
    avout__retired retired; /* first: see record.c */
    _Atomic uint32_t refs;
    uint8_t kind;
    uint8_t fate;
    bool veiled; /* pending, and perhaps refuted by what is known already: not to be read */
    /* Foreign: its version was written by us and is certainly not what the store's pointer names, nor
     * ever will be unless it is confirmed. Of its transaction, then under the lock. */
    bool staged;
    /* A value that is somewhere else: the bytes are a pointer, and stay. */
    bool elsewhere;
    bool dirty;                /* held: the mark is; there is no value that could be kept */
    _Atomic bool no_value;     /* elsewhere: what is there is no value, as watches have been told */
    _Atomic uintptr_t value;   /* bits of an avout_value; 0: not decoded yet */
    avout__blob *_Atomic blob; /* what to decode, or to send; NULL: dropped */
    avout__record *under;      /* pending: what it replaced as head; counted */
    int64_t version;
    avout_point point;
    uint64_t from, until; /* ticks during which it was head: [from, until) */
    uint64_t lineage;     /* F1 in foreign.c */
    uint64_t settled;     /* the tick at which it was confirmed; 0: it came from the store */
};

avout__blob *avout__blob_new(const void *bytes, size_t length);

/* One reference, the creator's. The value is consumed (AVOUT_NONE: none yet), the blob taken over
 * (may be NULL), on failure too. NULL: no memory. */
avout__record *avout__record_new(avout__record_kind kind, avout_value value, avout__blob *blob);

static inline avout__record *avout__record_ref(avout__record *record)
{
    atomic_fetch_add_explicit(&record->refs, 1, memory_order_relaxed);
    return record;
}
void avout__record_unref(avout__record *record); /* NULL is accepted */
/* The same under the engine's lock and on the delivery thread, where values must not be let go: if it
 * was the last reference, that is left to the next collection. */
void avout__record_drop(avout__record *record);

/* Gives up the cell's reference after a grace period (R1). */
void avout__record_retire(avout__record *record);

/* AVOUT_ENOTFOUND: what is said of a cell without a value. */
avout_status avout__record_none(avout__record_kind kind, const char *name);
/* The record's value, borrowed as long as the record; decodes it if nobody has. AVOUT_ENOTFOUND for
 * what is absent or destroyed (detail says `name`), AVOUT_EDATA, AVOUT_ENOMEM. */
avout_status avout__record_value(avout_value *value, avout__record *record,
                                 const avout__container *container, const char *name);

/* Bytes to send; valid while the record is pending and after its blob was kept. */
void avout__record_bytes(const avout__record *record, const void **bytes, size_t *length);
/* Drops the bytes of a record that has its value. */
void avout__record_drop_bytes(avout__record *record);

#endif
