/* A user's codec as a container: values in the cell's own node, as the codec writes them. */
#ifndef AVOUT_STATE_CODEC_H
#define AVOUT_STATE_CODEC_H

#include "avout/codec.h"
#include "state/container.h"

typedef struct avout__coded {
    avout__container is; /* first */
    avout_codec codec;
    struct avout__coded *next; /* of its owner's */
} avout__coded;

/* AVOUT_EINVAL: the codec. To be freed with avout__free. */
avout_status avout__coded_new(avout__coded **coded, const avout_codec *codec);
/* The default codec is the inline container, which needs no object. */
bool avout__codec_is_default(const avout_codec *codec);

#endif
