/* The structs behind the public handles. */
#ifndef AVOUT_STM_HANDLES_H
#define AVOUT_STM_HANDLES_H

#include "avout/atom.h"
#include "avout/ref.h"
#include "stm/stm.h"

/* Atoms and refs are the same but for their functions. */
typedef struct avout__handle {
    avout__cell *cell; /* counted, and held */
} avout__handle;

struct avout_atom {
    avout__handle is;
};

struct avout_ref {
    avout__handle is;
};

struct avout_client {
    avout__stm *stm;
    struct avout__locks *locks; /* src/lock: a room of its own, on the same store */
    char *url;
};

/* As avout__update_open, avout__update_create and avout__cell_local. The handle is allocated before
 * anything else: what has been done in the store could not be answered with AVOUT_ENOMEM. */
avout_status avout__handle_open(avout__handle **handle, avout__stm *stm, const char *name,
                                const avout__container *container);
avout_status avout__handle_create(avout__handle **handle, avout__stm *stm, const char *name,
                                  const avout__container *container, avout_value value, bool reset,
                                  bool *created);
/* Whether there is a value is not looked at. */
avout_status avout__handle_held(avout__handle **handle, avout__stm *stm, const char *name,
                                avout__held *held);
avout_status avout__handle_local(avout__handle **handle, avout__stm *stm, avout_value initial);
void avout__handle_close(avout__handle *handle);

#endif
