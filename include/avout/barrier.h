/* Barriers: so many parties wait for each other, again and again; threads, processes and machines of one store.
 *
 *     avout_barrier *round;
 *     avout_status st = avout_barrier_create(&round, client, "/job/round", 3);
 *     while (!st) {
 *         ... this round's part of the work ...
 *         st = avout_barrier_await(NULL, round, NULL);    all three have done theirs
 *     }
 *     avout_barrier_close(round);
 *
 * A barrier is where its name says (names as those of atoms, in a space of their own), in the store until it is
 * removed. Each call of avout_barrier_await is one party, of whatever thread, process or machine. When as many
 * as it takes are there, they are released together, at one point of the store and with one number, the
 * *generation*; the next ones are the next generation. More may come than are needed: the first ones go, in the
 * order of their arrival, the others are the first of the next generation.
 *
 * Who leaves. All or none, as with java.util.concurrent.CyclicBarrier: a party whose wait ends without the
 * others (deadline, cancelled) *breaks* the barrier. All who wait, and all who come later, are told AVOUT_EBROKEN
 * at once, until somebody calls avout_barrier_reset: they all have to learn that this round has failed, and only
 * the program knows when they have. Whether a party was released or has broken the barrier is decided at one
 * point of the store: nobody is released counting on somebody who was told AVOUT_ETIMEOUT.
 *
 * Who dies. A party's place ends with its session (at once on the embedded store, when the session times out on
 * ZooKeeper), and that alone does not break the barrier: the place is free again, and whoever is started in the
 * dead one's stead takes it. A crash is not a decision, and to a supervisor that starts the process again the
 * round is not lost; nobody is ever released counting on the dead, since the store lets a generation go only if
 * all of its parties are there at that point. Those who wait have a deadline for the case that nobody comes.
 * A party whose session ends while the process lives arrives again by itself.
 *
 * All functions: as those of latches (latch.h), but that AVOUT_ETIMEOUT promises nothing where nothing is
 * said. */
#ifndef AVOUT_BARRIER_H
#define AVOUT_BARRIER_H

#include "lock.h"

AVOUT_BEGIN

typedef struct avout_barrier avout_barrier;

/* Opens the barrier of that name, and makes it if it is not there: all parties may say the same and nobody has
 * to be first. One round trip if it is new, else two.
 * AVOUT_ETIMEOUT: it may have been made. AVOUT_ECONFLICT: it is there, for another number of parties. AVOUT_ERANGE: no party at all. AVOUT_ELIMIT: more
 * than the store can release at once (thousands on ZooKeeper; the detail says how many). AVOUT_ENAME,
 * AVOUT_EINVAL (NULL). */
AVOUT_API avout_status avout_barrier_create(avout_barrier **barrier, avout_client *client,
                                            const char *name, uint32_t parties);
/* Opens one that is there. AVOUT_ENOTFOUND, AVOUT_ENAME, AVOUT_EINVAL. */
AVOUT_API avout_status avout_barrier_open(avout_barrier **barrier, avout_client *client,
                                          const char *name);
/* Gives the handle back, when no call uses it any more. NULL is accepted. */
AVOUT_API void avout_barrier_close(avout_barrier *barrier);
/* Borrowed, as long as the handle. */
AVOUT_API const char *avout_barrier_name(const avout_barrier *barrier);
/* How many it takes. */
AVOUT_API uint32_t avout_barrier_parties(const avout_barrier *barrier);

/* How a party was released. */
typedef struct avout_pass {
    uint64_t
        generation;   /* 1, 2, 3 ...: the same for all who were released together, for no others */
    uint32_t arrival; /* 0 .. parties - 1, each once a generation: 0 came first */
} avout_pass;

/* Arrives, and waits until as many as it takes are there. *pass (may be NULL) says how it was released. `options`
 * may be NULL. The cost for each party: its arrival, two reads, and its leaving, whoever else comes and goes;
 * and for the last one to arrive one list and one multi that releases all.
 * AVOUT_EBROKEN: somebody has left, or the barrier was reset meanwhile; nobody of this generation is released.
 * AVOUT_ETIMEOUT, AVOUT_ECANCELLED: this party has left, and broken the barrier if it had arrived at all (without
 * a connection it has not). That takes one more round trip, which is waited for at most the client's
 * timeout_ms: AVOUT_UNKNOWN if there is no answer by then; the others may have been released with this party.
 * AVOUT_ELOST: the session ended, and the others have gone on before there was another: whether with this party
 * or with somebody in its place nobody can know. AVOUT_ENOTFOUND: the barrier has been removed. */
AVOUT_API avout_status avout_barrier_await(avout_pass *pass, avout_barrier *barrier,
                                           const avout_wait_options *options);
/* Begins anew: those who wait now are told AVOUT_EBROKEN, and the barrier is not broken any more. Changes nothing
 * if nobody waits and it is whole. AVOUT_ENOTFOUND: it has been removed; AVOUT_UNKNOWN. */
AVOUT_API avout_status avout_barrier_reset(avout_barrier *barrier);

/* ---- inspection -------------------------------------------------------------------------------- */

/* A party that has arrived and waits. */
typedef struct avout_barrier_entry {
    bool mine;        /* of this client */
    int64_t pid;      /* 0: not known */
    const char *host; /* of the process; "" where not known */
    int64_t since_ms; /* arrived then; the store's wall clock, Unix time */
    int64_t session;  /* of its client */
} avout_barrier_entry;

typedef struct avout_barrier_report {
    uint32_t parties;
    uint64_t generation; /* how many were released */
    bool broken;
    const avout_barrier_entry *entries; /* in the order of their arrival */
    size_t count;
} avout_barrier_report;

/* Who waits. Asks the store: two reads, and one for each entry as one run; entries that go meanwhile are left
 * out. Free the report with avout_barrier_report_free. AVOUT_ENOTFOUND, AVOUT_ENAME, AVOUT_EINVAL. */
AVOUT_API avout_status avout_barrier_inspect(avout_barrier_report **report, avout_client *client,
                                             const char *name);
AVOUT_API void avout_barrier_report_free(avout_barrier_report *report); /* NULL is accepted */
/* Removes the barrier from the store. AVOUT_ENOTFOUND, AVOUT_ENAME; AVOUT_EBUSY: somebody waits (or was released
 * just now and has not left yet); AVOUT_ENOTEMPTY: there are nodes below it that are not this library's (the
 * detail names one): nothing is removed. AVOUT_UNKNOWN: the store has not answered in time. */
AVOUT_API avout_status avout_barrier_remove(avout_client *client, const char *name);

AVOUT_END

#endif
