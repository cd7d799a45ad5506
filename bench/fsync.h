/* What the disk does: every durable commit waits for it. */
#ifndef BENCH_FSYNC_H
#define BENCH_FSYNC_H

#include "server.h"

/* Notes the time of a sync in the temporary directory, and what the server says of its own. */
void fsync_notes(const server *s);

#endif
