/* Deadlines of each call on pooled connections. libmongoc 1.x knows one socket timeout for the whole pool;
 * a stream around its own gives reads, writes and connecting the time that the calling thread has left. */
#ifndef PLUGINS_MONGO_TIMED_H
#define PLUGINS_MONGO_TIMED_H

#include <mongoc/mongoc.h>

#include <avout/api.h>

/* Until when this thread's calls may take, from now on; what it was before. INT64_MAX: no deadline. */
int64_t avout__mongo_until(int64_t deadline_ms);

/* Connections that this client makes from now on keep the deadlines of the threads that use them. */
void avout__mongo_time(mongoc_client_t *client);

/* False: this libmongoc does not let us; only the pool's socketTimeoutMS ends calls then. */
bool avout__mongo_can_time(void);

#endif
