/* The engine's tests run on every store: a program of a few lines each (tests/history/NAME_STORE_test.c)
 * says which store, the tests themselves are in tests/suites/NAME.c. */
#ifndef TESTS_SUPPORT_SUITE_H
#define TESTS_SUPPORT_SUITE_H

#include "avout.h"
#include "support/test.h"

/* The address of a store that is this test's alone; the same one at each call of a process. */
void suite_use(const char *(*url)(void));
const char *suite_url(void);
/* Ready-made for suite_use. */
const char *suite_mem_url(void);
const char *suite_lmdb_url(void); /* not synced: what power loss leaves is not what is tested */

/* Connects with no memory in use before; ends the test when it cannot. */
avout_client *suite_connect(void);
avout_client *suite_connect_with(const avout_options *options);
/* Closes the client; when it was the last thing open, checks that no memory is left (I10). */
void suite_close(avout_client *client);
void suite_check_memory(void);

/* Everything decided before has been delivered to the client, what it has asked the store because of that has been
 * answered, and what it has asked because of the answers: so that nothing has happened can be said then. */
void suite_settle(avout_client *client);
enum { SUITE_SETTLE_REQUESTS = 3 }; /* which take so many requests */

/* For what goes through names: adds each to the text that is the payload, with "/" if it is a directory, and a
 * space. */
avout_status suite_add_name(const char *name, bool directory, void *payload);

/* What is no name of anything. */
enum { SUITE_NO_NAMES = 8 };
extern const char *const suite_no_names[SUITE_NO_NAMES];

/* A change function: adds *(int64_t *)payload to an integer. */
avout_status suite_plus(avout_value *value, void *payload);
extern int64_t suite_one, suite_minus_one;

int64_t suite_atom_int(avout_atom *atom);
int64_t suite_ref_int(avout_ref *ref);
/* As the store has them now. */
int64_t suite_atom_strict_int(avout_atom *atom);
int64_t suite_ref_strict_int(avout_ref *ref);
/* Read inside a body. */
avout_status suite_txn_int(int64_t *number, avout_txn *txn, avout_ref *ref);

#endif
