/* The structs behind the public handles. */
#ifndef AVOUT_STM_HANDLES_H
#define AVOUT_STM_HANDLES_H

#include "avout/atom.h"
#include "avout/ref.h"
#include "stm/stm.h"

struct avout_atom {
    avout__cell *cell; /* counted */
};

struct avout_ref {
    avout__cell *cell; /* counted */
};

struct avout_client {
    avout__stm *stm;
    char *url;
};

static inline avout__stm *avout__client_stm(avout_client *client)
{
    return client->stm;
}

#endif
