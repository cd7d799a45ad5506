/* Atoms: identities that change one at a time.
 *
 * The state lives in the store under the atom's name and is shared by all clients; changes are
 * confirmed by the store before the call returns. */
#ifndef AVOUT_ATOM_H
#define AVOUT_ATOM_H

#include "txn.h"

AVOUT_BEGIN

typedef struct avout_atom avout_atom;

/* ---- opening ------------------------------------------------------------------------------------
 * Names are absolute paths ("/app/config"); AVOUT_ENAME says what is wrong with one. Every handle is
 * closed with avout_atom_close. The same name may be opened many times; all handles of a client
 * share one cached state. All ask the store when the name is not cached. */

/* Opens an existing one; AVOUT_ENOTFOUND if there is none. */
AVOUT_API avout_status avout_atom_open(avout_atom **atom, avout_client *client, const char *name);
/* Creates it with `initial` if there is none, else opens it as it is. *created (may be NULL) tells.
 * Consumes `initial`, whatever the outcome. */
AVOUT_API avout_status avout_atom_create(avout_atom **atom, avout_client *client, const char *name,
                                         avout_value initial, bool *created);
/* Creates it, or resets the existing one, to `value` (consumed). */
AVOUT_API avout_status avout_atom_create_or_reset(avout_atom **atom, avout_client *client,
                                                  const char *name, avout_value value);
/* Gives the handle back; the state in the store stays. NULL is accepted. Watches and the validator
 * set through any handle end with the last handle of that name. */
AVOUT_API void avout_atom_close(avout_atom *atom);
/* Destroys the state in the store for everybody; handles stay valid and answer AVOUT_ENOTFOUND until
 * somebody creates it again. */
AVOUT_API avout_status avout_atom_destroy(avout_atom *atom);
/* Borrowed, as long as the handle. */
AVOUT_API const char *avout_atom_name(const avout_atom *atom);

/* ---- reading --------------------------------------------------------------------------------- */

/* The value now; owned. A read of memory when cached, else it asks the store (client's timeout_ms).
 * Never unconfirmed, never older than what this client has seen or done. AVOUT_ENOTFOUND
 * (destroyed), AVOUT_EDATA (somebody wrote bytes that are no value). */
AVOUT_API avout_status avout_atom_deref(avout_value *value, avout_atom *atom);
/* The same with a deadline of its own. */
AVOUT_API avout_status avout_atom_deref_within(avout_value *value, avout_atom *atom,
                                               int64_t timeout_ms);
/* Linearizable: not older than anything confirmed to anybody before the call. One round trip. */
AVOUT_API avout_status avout_atom_deref_strict(avout_value *value, avout_atom *atom,
                                               int64_t timeout_ms);
/* The cached value, borrowed until avout_guard_leave; AVOUT_NONE when avout_atom_deref would have
 * to wait or to answer an error. Only inside a guard. Knows of no transaction. */
AVOUT_API avout_value avout_atom_peek(avout_atom *atom);

/* ---- changing -----------------------------------------------------------------------------------
 * `options` may be NULL. All block until the store has confirmed. Statuses as of avout_dosync. */

/* The value becomes change(value); `change` may run several times. *old_value and *new_value (each
 * may be NULL) get owned values: what was exchanged for what. */
AVOUT_API avout_status avout_swap(avout_atom *atom, avout_change_fn change, void *payload,
                                  avout_value *old_value, avout_value *new_value,
                                  const avout_call_options *options);
/* Consumes `value`. */
AVOUT_API avout_status avout_reset(avout_atom *atom, avout_value value,
                                   const avout_call_options *options);
/* Sets `value` (consumed) if the value now equals `expected` (borrowed); AVOUT_ECONFLICT if not. */
AVOUT_API avout_status avout_compare_and_set(avout_atom *atom, avout_value expected,
                                             avout_value value, const avout_call_options *options);

/* old_value and new_value are borrowed, AVOUT_NONE on failure; otherwise as avout_finished_fn. */
typedef void (*avout_swapped_fn)(avout_status status, avout_value old_value, avout_value new_value,
                                 const char *detail, void *payload);
/* As avout_swap; `change` and `finished` run on a thread of the client's. Does not block. */
AVOUT_API avout_status avout_swap_async(avout_atom *atom, avout_change_fn change, void *payload,
                                        const avout_call_options *options,
                                        avout_swapped_fn finished, void *finished_payload);

/* ---- validators and watches --------------------------------------------------------------------
 * Both belong to this client's picture of the atom: other clients have their own. */

/* Sets the validator (NULL: none). Answers the validator's status, and sets nothing, if it refuses
 * the value now. `destroy` (may be NULL) is called with the payload once, when the validator is
 * replaced or the last handle closed, or before an error is answered. */
AVOUT_API avout_status avout_atom_set_validator(avout_atom *atom, avout_validator_fn validator,
                                                void *payload, void (*destroy)(void *payload));
/* Calls `watch` after every change, the last one always; a watch of that key is replaced. Starts
 * from the value at the time of the call. `destroy` as above. */
AVOUT_API avout_status avout_atom_add_watch(avout_atom *atom, const char *key, avout_watch_fn watch,
                                            void *payload, void (*destroy)(void *payload));
/* After it returned the watch is not running (unless it is the caller) and not called again.
 * AVOUT_ENOTFOUND. */
AVOUT_API avout_status avout_atom_remove_watch(avout_atom *atom, const char *key);

AVOUT_END

#endif
