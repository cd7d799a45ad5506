/* A user's versioned container as the container of one cell, and the pointer that the cell's node holds:
 *
 *     #avout/state {:kind "file", :version "HASH-CLIENT-N"}
 *
 * exactly so, byte by byte. A version is made of the hash of the cell's name (so that two cells which
 * were given the same place leave each other's versions alone), the client's random number and a
 * counter: it is used once, ever.
 *
 * Everything here may block for the container, up to the deadline, and is called without locks and not
 * on the delivery thread, except what says so. Failures carry the name, the kind and the place. */
#ifndef AVOUT_STATE_FOREIGN_H
#define AVOUT_STATE_FOREIGN_H

#include <pthread.h>
#include <stdatomic.h>

#include "avout/sys/container.h"
#include "state/container.h"

enum {
    AVOUT__VERSION_SIZE = AVOUT_VERSION_MAX + 1,
    AVOUT__POINTER_MOST = 160, /* bytes of a pointer */
};

/* The kind of values in the store itself that are in pieces (stm/chunks.c); nobody else's. */
#define AVOUT__CHUNKS_KIND "chunks"

typedef struct avout__foreign {
    avout__container is; /* first */
    _Atomic uint32_t refs;
    avout_versioned_container *container; /* owned */
    char prefix[18];                      /* of its versions: "HASH-" */
    /* What was read last: the pointer may move without the version (the collector does that), and
     * several threads may want the same version at once. */
    pthread_mutex_t lock;
    pthread_cond_t loaded;
    bool loading;
    char loading_version[AVOUT__VERSION_SIZE];
    char known_version[AVOUT__VERSION_SIZE];
    avout_value known;
    char name[];
} avout__foreign;

/* Of a name; it stands in versions, so it never changes. */
uint64_t avout__foreign_hash(const char *name);
/* Takes over the container, on failure too. AVOUT_EINVAL: its table. */
avout_status avout__foreign_new(avout__foreign **foreign, avout_versioned_container *container,
                                const char *name);
avout__foreign *avout__foreign_ref(avout__foreign *foreign);
void avout__foreign_unref(avout__foreign *foreign); /* the last one closes the container */
/* Of a cell's container; NULL: it is not foreign. Any thread, locks. */
avout__foreign *avout__foreign_of(const avout__container *container);
/* The same for all containers of one kind. Any thread, locks. */
const void *avout__foreign_kind(const avout__foreign *foreign);
/* Whether two objects are of the same kind and place. Any thread, locks. */
bool avout__foreign_same(const avout__foreign *one, const avout__foreign *other);

avout_status avout__foreign_init(avout__foreign *foreign, int64_t deadline_ns);
/* Writes the value under a fresh version and appends the pointer's bytes. */
avout_status avout__foreign_stage(avout__buffer *bytes, avout__foreign *foreign, avout_value value,
                                  const char *client_id, uint64_t number, int64_t deadline_ns);
/* The value that the pointer names, owned. AVOUT_ENOTFOUND: that version is not there. AVOUT_EDATA:
 * the bytes are no pointer of this kind. */
avout_status avout__foreign_load(avout_value *value, avout__foreign *foreign, const char *bytes,
                                 size_t length, int64_t deadline_ns);
avout_status avout__foreign_delete(avout__foreign *foreign, const char *version,
                                   int64_t deadline_ns);
/* Of this cell's only. AVOUT_ENOTSUP. */
avout_status avout__foreign_list(avout__foreign *foreign, avout_version_fn found, void *payload,
                                 int64_t deadline_ns);
avout_status avout__foreign_destroy(avout__foreign *foreign, int64_t deadline_ns);

/* Whether the bytes are a pointer at all; and one of a certain kind. Any thread, locks. */
bool avout__pointer_is(const char *bytes, size_t length);
bool avout__pointer_is_of(const char *bytes, size_t length, const char *kind);
/* The kind of container that the bytes name; "": they name none. Whether it has versions. Any thread, locks. */
bool avout__pointer_kind(char kind[AVOUT_KIND_SIZE], const char *bytes, size_t length);
/* AVOUT_EDATA, for whom is not to read or replace it. */
avout_status avout__pointer_refused(const char *bytes, size_t length);
/* What there is instead of what was expected; may replace the thread's detail. */
void avout__pointer_tell(char *why, size_t size, const char *bytes, size_t length);
/* The version that the bytes name, if they are a pointer of this container's kind. Any thread, locks. */
bool avout__pointer_version(char version[AVOUT__VERSION_SIZE], const avout__foreign *foreign,
                            const void *bytes, size_t length);
/* AVOUT_EDATA if they are not. */
avout_status avout__pointer_check(const avout__foreign *foreign, const void *bytes, size_t length);

#endif
