/* Elections: candidates are bids for the one term there is (bid.h); observers look at the first of them. */
#ifndef AVOUT_LOCK_ELECTION_H
#define AVOUT_LOCK_ELECTION_H

#include "avout/leader.h"
#include "lock/bid.h"
#include "lock/look.h"

struct avout_election {
    avout__link link; /* in electorate->handles */
    avout__pool *pool;

    /* The candidate. */
    avout__bidder bidder;
    avout__retry retry;
    bool enrolled; /* it is to be one: whenever it has no bid it gets one */
    bool settled;  /* its first bid has been placed, or has failed with `status` */
    avout_status status;
    char detail[256];
    char *bytes; /* what its node says */
    bool leads;
    avout_token token; /* of the term */
    struct avout__node_check *check;

    avout_term_fn term;
    void *term_payload;
    bool told_term; /* that it was elected, and not yet that it is deposed */
    avout_token told_token;
    avout__notice term_notice;

    avout_leader_fn leader;
    void *leader_payload;
    uint64_t told_leader; /* electorate->changes then */
    avout__notice leader_notice;
};

/* A thread that waits for something of an election to change. On its stack. */
typedef struct avout__elector {
    avout__link link;
    avout__latch latch;
} avout__elector;

/* What all handles of an election's pool have in common: who leads, if anybody wants to know. */
typedef struct avout__electorate {
    avout__link handles;
    avout__link electors;
    uint32_t observers; /* callbacks and waits */
    bool asking;        /* on the way; `waiting`: we will be told of a change */
    bool waiting;
    uint32_t turn;
    avout__retry retry;
    char first[AVOUT__CLAIM_NAME]; /* whose node is looked at; "": nobody's */
    bool known;
    avout_candidate *leader; /* NULL: nobody */
    uint64_t changes;        /* of the leader; 0: never known */
} avout__electorate;

avout_status avout__election_open(avout_election **election, avout__locks *room, const char *name);
/* The check that the candidate leads in the term of that token. Mutex held. AVOUT_ELOST, AVOUT_ENOMEM. */
avout_status avout__election_check(struct avout__node_check **check, avout_election *election,
                                   avout_token token);

/* Something changed: those who wait look again. Mutex held. */
void avout__electors_wake(avout__electorate *electorate);

/* ---- observe.c, mutex held -------------------------------------------------------------------------- */

/* Asks who leads, if anybody wants to know and it is not known. */
void avout__observe(avout__pool *pool);
/* What the bytes of the candidate's node and its stat tell; borrows `host` and the bytes. */
avout_candidate avout__candidate_of(char host[AVOUT__HOST_SIZE], const avout__locks *room,
                                    const avout__bid_name *name, const void *bytes, size_t length,
                                    const avout_stat *stat);
/* The same with copies of them. NULL: no memory. To be freed. */
avout_candidate *avout__candidate_new(avout__locks *room, const avout__bid_name *name,
                                      const void *bytes, size_t length, const avout_stat *stat);
avout_candidate *avout__candidate_ref(avout_candidate *candidate);
/* Who leads, of a list of nodes; NULL: nobody. */
const char *avout__first_candidate(avout__bid_name *first, const char *const *names, size_t count);

#endif
