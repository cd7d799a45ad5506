/* What the disk does: every durable commit waits for it. */
#ifndef BENCH_FSYNC_H
#define BENCH_FSYNC_H

#include "server.h"

/* Notes the time of a sync in the temporary directory. */
void fsync_note(void);
/* Notes what the server says of its own. A restarted one has forgotten. */
void fsync_note_server(const server *s);

#endif
