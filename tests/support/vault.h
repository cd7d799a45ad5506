/* A versioned container for tests: its places live in this process, and can be told to misbehave. Values
 * are kept as EDN text in memory that is not the library's. */
#ifndef TESTS_SUPPORT_VAULT_H
#define TESTS_SUPPORT_VAULT_H

#include "avout/sys/container.h"

typedef enum vault_call {
    VAULT_INIT,
    VAULT_DESTROY,
    VAULT_GET,
    VAULT_SET,
    VAULT_DELETE,
    VAULT_LIST,
    VAULT_CALLS
} vault_call;

typedef struct vault_fault {
    vault_call call;
    int nth;             /* 1 (or 0): the next; once, unless ... */
    bool lasting;        /* ... from then on, until vault_mend */
    avout_status status; /* 0: no failure, only the delay */
    bool after;          /* the effect takes place */
    int64_t delay_ms;    /* AVOUT_FOREVER: until the call's time is over; mending ends it */
    bool late;           /* the delay comes after the effect, not before */
    int64_t timeout_ms;  /* the vault's own */
} vault_fault;

/* Its kind is "vault". */
avout_status vault_open(avout_versioned_container **container, const char *place);
avout_status vault_open_other(avout_versioned_container **container,
                              const char *place); /* "other" */
void vault_break(const char *place, vault_fault fault);
void vault_mend(const char *place);
/* Forgets all that is kept there, as a broken database would. */
void vault_lose(const char *place);
void vault_put(const char *place, const char *version, const char *text);
size_t vault_count(const char *place); /* versions there */
bool vault_has(const char *place, const char *version);
int vault_called(const char *place, vault_call call);
int vault_objects(void); /* not closed yet */
/* Releases everything; checks that no object is open. */
void vault_end(void);

#endif
