/* Refs: identities that change together, in transactions (txn.h).
 *
 * The state lives in the store under the ref's name and is shared by all clients; that of a local
 * ref lives in this process. Inside a transaction's body avout_ref_deref answers the value in that
 * transaction. */
#ifndef AVOUT_REF_H
#define AVOUT_REF_H

#include "txn.h"

AVOUT_BEGIN

/* ---- opening ------------------------------------------------------------------------------------
 * Names are absolute paths ("/app/config"); AVOUT_ENAME says what is wrong with one. Every handle is
 * closed with avout_ref_close. The same name may be opened many times; all handles of a client
 * share one cached state. All ask the store when the name is not cached. */

/* Opens an existing one; AVOUT_ENOTFOUND if there is none. */
AVOUT_API avout_status avout_ref_open(avout_ref **ref, avout_client *client, const char *name);
/* Creates it with `initial` if there is none, else opens it as it is. *created (may be NULL) tells.
 * Consumes `initial`, whatever the outcome. */
AVOUT_API avout_status avout_ref_create(avout_ref **ref, avout_client *client, const char *name,
                                        avout_value initial, bool *created);
/* Creates it, or resets the existing one, to `value` (consumed). */
AVOUT_API avout_status avout_ref_create_or_reset(avout_ref **ref, avout_client *client,
                                                 const char *name, avout_value value);
/* A ref without a name, whose value lives in this process and takes part in the same transactions;
 * one over local refs alone sends nothing. Boxes are allowed in it. Consumes `initial`. */
AVOUT_API avout_status avout_ref_local(avout_ref **ref, avout_client *client, avout_value initial);
/* Gives the handle back; the state in the store stays. NULL is accepted. Watches and the validator
 * set through any handle end with the last handle of that name. */
AVOUT_API void avout_ref_close(avout_ref *ref);
/* Destroys the state in the store for everybody; handles stay valid and answer AVOUT_ENOTFOUND until
 * somebody creates it again. */
AVOUT_API avout_status avout_ref_destroy(avout_ref *ref);
/* Borrowed, as long as the handle. */
AVOUT_API const char *avout_ref_name(const avout_ref *ref);

/* ---- reading --------------------------------------------------------------------------------- */

/* The value now; owned. A read of memory when cached, else it asks the store (client's timeout_ms).
 * Never unconfirmed, never older than what this client has seen or done. AVOUT_ENOTFOUND
 * (destroyed), AVOUT_EDATA (somebody wrote bytes that are no value). */
AVOUT_API avout_status avout_ref_deref(avout_value *value, avout_ref *ref);
/* The same with a deadline of its own. */
AVOUT_API avout_status avout_ref_deref_within(avout_value *value, avout_ref *ref,
                                              int64_t timeout_ms);
/* Linearizable: not older than anything confirmed to anybody before the call. One round trip. */
AVOUT_API avout_status avout_ref_deref_strict(avout_value *value, avout_ref *ref,
                                              int64_t timeout_ms);
/* The cached value, borrowed until avout_guard_leave; AVOUT_NONE when avout_ref_deref would have
 * to wait or to answer an error. Only inside a guard. Knows of no transaction. */
AVOUT_API avout_value avout_ref_peek(avout_ref *ref);
/* The values of several refs of one client at one point in time; values[i] is refs[i]'s, owned. On
 * an error none is written. */
AVOUT_API avout_status avout_refs_deref(avout_value *values, avout_ref *const *refs, size_t count);

/* ---- validators and watches --------------------------------------------------------------------
 * Both belong to this client's picture of the ref: other clients have their own. */

/* Sets the validator (NULL: none). Answers the validator's status, and sets nothing, if it refuses
 * the value now. `destroy` (may be NULL) is called with the payload once, when the validator is
 * replaced or the last handle closed, or before an error is answered. */
AVOUT_API avout_status avout_ref_set_validator(avout_ref *ref, avout_validator_fn validator,
                                               void *payload, void (*destroy)(void *payload));
/* Calls `watch` after every change, the last one always; a watch of that key is replaced. Starts
 * from the value at the time of the call. `destroy` as above. */
AVOUT_API avout_status avout_ref_add_watch(avout_ref *ref, const char *key, avout_watch_fn watch,
                                           void *payload, void (*destroy)(void *payload));
/* After it returned the watch is not running (unless it is the caller) and not called again.
 * AVOUT_ENOTFOUND. */
AVOUT_API avout_status avout_ref_remove_watch(avout_ref *ref, const char *key);

AVOUT_END

#endif
