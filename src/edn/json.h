/* JSON that reads back as what it was written from (avout_json_read). */
#ifndef AVOUT_EDN_JSON_H
#define AVOUT_EDN_JSON_H

#include "avout/edn.h"

/* As avout_json_text; AVOUT_ENOPRINT for what would not come back as it is, AVOUT_ELIMIT. */
avout_status avout__json_exact(char **text, size_t *length, avout_value value);

#endif
