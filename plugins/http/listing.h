/* The answer to PROPFIND: which versions there are. */
#ifndef PLUGINS_HTTP_LISTING_H
#define PLUGINS_HTTP_LISTING_H

#include <avout/sys/container.h>

#define AVOUT__HTTP_SUFFIX ".edn"
#define AVOUT__HTTP_CLAIM ".claim"
#define AVOUT__HTTP_SEAL ".seal"
#define AVOUT__HTTP_PROBE "avout-probe-" /* is no version, whatever is behind it */

enum { AVOUT__HTTP_CODEC = 31 }; /* characters of a codec's name */

/* Calls `found` for each version among the hrefs of a multistatus document, once: VERSION.WORD, whatever codec's
 * name, claim or seal the word is; the rest is passed over. With `only`, a version, `found` is called with what
 * there is of that one instead: its suffixes, ".json". The text has a NUL behind it. AVOUT_EDATA: it is no such
 * document, or not a whole one; AVOUT_ENOMEM; what `found` answers. */
avout_status avout__http_listing(const char *text, size_t length, const char *only,
                                 avout_version_fn found, void *payload);

#endif
