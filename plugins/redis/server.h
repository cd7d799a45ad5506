/* The pool of connections to a Redis server that all containers of the process share, and commands with a
 * deadline on them. */
#ifndef PLUGINS_REDIS_SERVER_H
#define PLUGINS_REDIS_SERVER_H

#include <hiredis/hiredis.h>

#include "address.h"
#include "common/pool.h"
#include "common/shared.h"

typedef struct avout__redis_connection avout__redis_connection;

avout_status avout__redis_share(avout__plugin_shared **shared, const avout__redis_address *address);

/* Sends a command, of texts or of bytes (`lengths`, may be NULL), and waits for its answer, which is to be
 * freed with freeReplyObject. What Redis's failure is among ours, its message as the detail. */
avout_status avout__redis_command(redisReply **reply, avout__redis_connection *connection,
                                  int count, const char **words, const size_t *lengths,
                                  int64_t deadline_ms);

/* AVOUT_ELIMIT: more than Redis takes for one string. */
avout_status avout__redis_check_size(size_t length);

/* Whether the last command was answered, if by a refusal. One that was not may have had its effect, or have it
 * later. */
bool avout__redis_was_answered(const avout__redis_connection *connection);

/* Waits until what was written on this connection is as durable as the address asks for. */
avout_status avout__redis_wait_durable(avout__redis_connection *connection, int64_t deadline_ms);

/* AVOUT_ECONNECTION: it is no primary any more, and what it knows may be old. */
avout_status avout__redis_check_primary(avout__redis_connection *connection, int64_t deadline_ms);

/* It answers what it should not. */
avout_status avout__redis_strange(avout__redis_connection *connection);

#endif
