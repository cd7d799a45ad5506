/* An unversioned container for tests: its places live in this process, and can be told to misbehave. Values
 * are kept as EDN text in memory that is not the library's. */
#ifndef TESTS_SUPPORT_SHELF_H
#define TESTS_SUPPORT_SHELF_H

#include "avout/sys/container.h"

typedef enum shelf_call { SHELF_INIT, SHELF_DESTROY, SHELF_GET, SHELF_SET, SHELF_CALLS } shelf_call;

typedef struct shelf_fault {
    shelf_call call;
    int nth;             /* 1 (or 0): the next; once, unless ... */
    bool lasting;        /* ... from then on, until shelf_mend */
    avout_status status; /* 0: no failure, only the delay */
    bool after;          /* the effect takes place */
    int64_t delay_ms;    /* before the effect */
} shelf_fault;

/* Its kind is "shelf". */
avout_status shelf_open(avout_container **container, const char *place);
/* It refuses tokens smaller than the greatest it has seen. */
void shelf_checks_tokens(const char *place);
/* It has seen this one. */
void shelf_saw(const char *place, avout_token token);
void shelf_break(const char *place, shelf_fault fault);
void shelf_mend(const char *place);
void shelf_put(const char *place, const char *text); /* NULL: nothing */
bool shelf_is(const char *place, const char *text);
/* What was last answered with AVOUT_UNKNOWN and without effect gets there after all; whether it has one. */
bool shelf_arrive(const char *place);
int shelf_called(const char *place, shelf_call call);
int shelf_objects(void); /* not closed yet */
/* Releases everything; checks that no object is open. */
void shelf_end(void);

#endif
