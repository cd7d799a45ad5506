/* What batch.c (gathering and sending) and outcome.c (what became of it) share. Lock held. */
#ifndef AVOUT_STM_BATCH_H
#define AVOUT_STM_BATCH_H

#include "stm/stm.h"

static inline bool avout__writes_store(const avout__batch_cell *cell)
{
    return cell->written && cell->cell->container->in_store;
}

/* Whether the entry makes its transaction wait for others of the same cell. */
static inline bool avout__entry_counts(const avout__entry *entry)
{
    return entry->written || entry->checked || entry->dependent;
}

/* Its transactions are elsewhere. */
void avout__batch_free(avout__batch *batch);
/* The reply of the multi. */
void avout__batch_done(const avout_reply *reply, void *payload);

#endif
