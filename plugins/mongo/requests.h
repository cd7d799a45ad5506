/* What is asked of the server: documents by their _id, written for a majority, read so that what is said to
 * be absent is. A value larger than a document is one named as its version and parts of it, whose names sort
 * right behind it ('+' is before '-'). */
#ifndef PLUGINS_MONGO_REQUESTS_H
#define PLUGINS_MONGO_REQUESTS_H

#include <avout/sys/container.h>

#include "server.h"

enum { AVOUT__MONGO_ID_SIZE = AVOUT_VERSION_MAX + 16 };

void avout__mongo_name_part(char id[AVOUT__MONGO_ID_SIZE], const char *version, int number);

/* *found is to be destroyed, also on failure (NULL). AVOUT_ENOTFOUND: for sure. */
avout_status avout__mongo_find(bson_t **found, const avout__mongo_server *server, const char *id,
                               int64_t deadline_ms);

/* A document with an _id and, as `put`, a number of its own. AVOUT_EEXISTS: another's. *refused: the server
 * does not take such documents. */
avout_status avout__mongo_insert(bool *refused, const avout__mongo_server *server,
                                 const bson_t *document, int64_t deadline_ms);

/* The document of that version, then its parts, the first one last: while there are any, there is that. */
avout_status avout__mongo_delete(const avout__mongo_server *server, const char *version,
                                 int64_t deadline_ms);

/* Each version once that has a document or a first part. What `found` answers, if not AVOUT_OK. */
avout_status avout__mongo_list(const avout__mongo_server *server, avout_version_fn found,
                               void *payload, int64_t deadline_ms);

#endif
