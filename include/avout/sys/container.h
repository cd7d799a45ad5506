/* State containers: values that live somewhere else (a database, a directory, a service) and take part
 * in the same transactions as those in the store.
 *
 * A container is an object behind a table of functions, one object for the place of one atom's or ref's
 * values. Two kinds:
 *
 *   versioned    keeps values under version names that are used once. The library writes a new value
 *                under a new version, moves the pointer in the coordination store, and deletes the old
 *                version later. So one transaction spans any containers and is atomic without any of
 *                them knowing of the others. avout_distributed_ref and avout_distributed_atom
 *                (avout/distributed.h) take one.
 *   unversioned  keeps one value that is overwritten. It cannot take part in transactions.
 *                avout_unversioned_atom takes one.
 *
 * What holds for every slot of both tables:
 *
 *  C1  Threads. Any thread but the store's delivery thread, with no lock of the library held; several
 *      calls of one object may run at the same time.
 *  C2  Time. A call may block, at most timeout_ms (> 0; AVOUT_FOREVER: as long as it takes), and then
 *      answers AVOUT_ETIMEOUT. Who stays longer keeps that one caller waiting, nobody else.
 *  C3  Errors. The detail is set with avout_fail; the library puts the name, the kind and the place in
 *      front. Answer AVOUT_ECONNECTION, AVOUT_ETIMEOUT, AVOUT_EAUTH, AVOUT_EPERM, AVOUT_ENOSPACE,
 *      AVOUT_ELIMIT, AVOUT_ENOPRINT, AVOUT_EDATA, AVOUT_EFORMAT, AVOUT_ENOTSUP, AVOUT_ESYSTEM,
 *      AVOUT_ENOMEM or AVOUT_EIO, and what a slot names beside; anything else reaches the user as
 *      AVOUT_EIO. Never a password in a detail. Whoever touched the container in a transaction gets the
 *      status; nothing of the transaction has happened.
 *  C4  Repeating. The library may repeat init, destroy, get, delete and list at any time, also after a
 *      failure that had its effect. set_state_at is never repeated with the same version.
 *  C5  Values are handed over as values, so that a container can use its system's own types. What is
 *      read must be equal to what was written and print as the same EDN text: 1.0 is not 1, 1.00M is
 *      not 1.0M, a list is not a vector. Where its system has no such types a container keeps the EDN
 *      text (avout/edn.h).
 *
 * `avout-container-test` runs the conformance suite on any container. */
#ifndef AVOUT_SYS_CONTAINER_H
#define AVOUT_SYS_CONTAINER_H

#include "../distributed.h"
#include "../lock.h"

AVOUT_BEGIN

/* ---- versioned ------------------------------------------------------------------------------- */

/* The container's own struct begins with this. Both fields are set before it is handed over and stay. */
struct avout_versioned_container {
    const struct avout_versioned_container_ops *ops;
    const char *place; /* for messages, without credentials: "/var/lib/app/config", "db.members" */
};

/* A version's name: 1 to AVOUT_VERSION_MAX characters of [0-9a-z-]. The library makes it from the
 * identity's name, the client's random number and a counter: no two values ever get the same. */
enum { AVOUT_VERSION_MAX = 79 };

/* Called for each version found; anything but AVOUT_OK ends the listing with that status. */
typedef avout_status (*avout_version_fn)(const char *version, void *payload);

#define AVOUT_VERSIONED_CONTAINER_OPS_VERSION 1u

/* Slots marked must are never NULL. */
typedef struct avout_versioned_container_ops {
    uint32_t version; /* must: AVOUT_VERSIONED_CONTAINER_OPS_VERSION */
    uint32_t size;    /* must: sizeof(avout_versioned_container_ops) */
    /* must: "file", "mongo"; 1 to 31 characters of [a-z0-9-]. It is written into the pointer: a ref
     * whose values are in a container of another kind is not opened. */
    const char *kind;

    /* must. Makes the place ready (directory, table, collection), or finds it so. Called at least once
     * before any other slot of this object, by who opens the identity, and waits. */
    avout_status (*init)(avout_versioned_container *container, int64_t timeout_ms);

    /* must. The identity was destroyed, and its versions have been deleted one by one: gives back what
     * init made, as far as it is empty (rmdir, not rm -r). It must not delete a version: somebody may
     * be creating the identity again at this moment. set_state_at must work afterwards, without another
     * init. Background thread; failure is ignored. */
    avout_status (*destroy)(avout_versioned_container *container, int64_t timeout_ms);

    /* must. *value, owned by the caller, is what was set. AVOUT_ENOTFOUND: there is no such version,
     * for sure (a replica that lags behind must ask where it was written): the library then looks
     * whether it was replaced. On any thread that reads. */
    avout_status (*get_state_at)(avout_value *value, avout_versioned_container *container,
                                 const char *version, int64_t timeout_ms);

    /* must. Keeps `value` (borrowed) under the version, put-if-absent: AVOUT_EEXISTS if there is one of
     * that name, which stays as it is. AVOUT_OK only when it is as durable as the system can make it (fsync,
     * majority), for everybody to read. After any other answer it may be there or not, or get there
     * later: the library has given that version up. On the thread of a transaction that commits, or
     * one that helps it. */
    avout_status (*set_state_at)(avout_versioned_container *container, const char *version,
                                 avout_value value, int64_t timeout_ms);

    /* must. It is not there afterwards; AVOUT_OK also when it was not there before. Background thread,
     * when nobody needs the version any more, and the collector. */
    avout_status (*delete_state_at)(avout_versioned_container *container, const char *version,
                                    int64_t timeout_ms);

    /* may. Calls `found` for each version that was there during the whole call, at least; for those
     * that came or went meanwhile or not; what else lies in the place is passed over. What a
     * set_state_at that failed or died left half made is to be named, too, so that it gets deleted.
     * Without it what dead clients left behind stays. Background thread, and avout_distributed_collect. */
    avout_status (*list_versions)(avout_versioned_container *container, avout_version_fn found,
                                  void *payload, int64_t timeout_ms);

    /* must. Frees the object; once, when no call is under way or to come. Any thread. In a forked child
     * it is not called. */
    void (*close)(avout_versioned_container *container);
} avout_versioned_container_ops;

/* ---- unversioned ----------------------------------------------------------------------------- */

struct avout_container {
    const struct avout_container_ops *ops;
    const char *place;
};

#define AVOUT_CONTAINER_OPS_VERSION 1u

typedef struct avout_container_ops {
    uint32_t version; /* must: AVOUT_CONTAINER_OPS_VERSION */
    uint32_t size;    /* must: sizeof(avout_container_ops) */
    const char *kind; /* must: as above */

    /* must. As above. */
    avout_status (*init)(avout_container *container, int64_t timeout_ms);
    /* must. The atom was destroyed: its value and what init made are no longer needed. Afterwards
     * get_state answers AVOUT_ENOTFOUND, and set_state works without another init. On the thread that
     * destroys it; failure is ignored. */
    avout_status (*destroy)(avout_container *container, int64_t timeout_ms);
    /* must. *value, owned by the caller, is what was set last (a replica that lags behind must not be
     * asked); AVOUT_ENOTFOUND when none was ever set. On any thread that reads. */
    avout_status (*get_state)(avout_value *value, avout_container *container, int64_t timeout_ms);
    /* must. Replaces the value; AVOUT_OK when it is durable. Called by one holder of the identity's
     * lock at a time; tokens only grow, and a container that can remembers the greatest one and
     * answers AVOUT_EVERSION to a smaller one, with no effect: its caller has lost the lock without
     * knowing. AVOUT_UNKNOWN when it may have had effect, or may yet. */
    avout_status (*set_state)(avout_container *container, avout_value value, avout_token token,
                              int64_t timeout_ms);
    /* must. As above. */
    void (*close)(avout_container *container);
} avout_container_ops;

AVOUT_END

#endif
