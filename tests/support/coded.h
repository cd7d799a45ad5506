/* The conformance suites of containers on those that take a codec: the values of the suites, which no codec but EDN
 * keeps all of, go in as what each codec does keep, with their EDN text in it, and come back out of that. */
#ifndef TESTS_SUPPORT_CODED_H
#define TESTS_SUPPORT_CODED_H

#include "avout/codec.h"
#include "avout/distributed.h"

typedef avout_status (*coded_open_fn)(avout_versioned_container **container, const char *place,
                                      const avout_codec *codec);
typedef avout_status (*coded_open_one_fn)(avout_container **container, const char *place,
                                          const avout_codec *codec);

/* Runs the suite with that one; how many checks failed. */
int coded_conform_with(const avout_codec *codec, coded_open_fn open, const char *place);
int coded_conform_one_with(const avout_codec *codec, coded_open_one_fn open, const char *place);

/* With JSON, with bytes, and with coded_own. */
int coded_conform(coded_open_fn open, const char *place);
/* The same with EDN as well. */
int coded_conform_one(coded_open_one_fn open, const char *place);

/* A codec of one's own, for strings: each byte is turned by one. */
const avout_codec *coded_own(void);

#endif
