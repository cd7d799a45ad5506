/* What atoms and refs have in common: opening, and the transactions on one cell. */
#ifndef AVOUT_STM_UPDATE_H
#define AVOUT_STM_UPDATE_H

#include "stm/stm.h"

/* Opens the cell of an existing value; AVOUT_ENOTFOUND. `container` as for avout__cell_open. */
avout_status avout__update_open(avout__cell **cell, avout__stm *stm, const char *name,
                                const avout__container *container);
/* Opens it, creating it with `value` where nothing is, or, with `reset`, whatever is there. Consumes
 * `value`. *created may be NULL. */
avout_status avout__update_create(avout__cell **cell, avout__stm *stm, const char *name,
                                  const avout__container *container, avout_value value, bool reset,
                                  bool *created);
avout_status avout__update_destroy(avout__cell *cell);
/* Linearizable reading: a transaction that asks the store. */
avout_status avout__update_deref_strict(avout_value *value, avout__cell *cell, int64_t timeout_ms);
avout_status avout__update_deref(avout_value *value, avout__cell *cell, int64_t timeout_ms);
avout_value avout__update_peek(avout__cell *cell);
/* Runs a body of the library's own as a transaction of the cell's engine. */
avout_status avout__update_run(avout__cell *cell, avout_txn_fn body, void *payload,
                               const avout_call_options *options);

#endif
