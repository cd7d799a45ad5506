/* A state container that keeps values in Redis (6.0 and later): each version one string, the EDN text.
 *
 *     avout:v-1    {:name "Ann" :age 42} ;5f1c9a0e...      (the number behind ; is of the call that wrote it)
 *
 * A write is confirmed when it is on the disk: the server has to keep an append-only file (appendonly yes), and
 * either knows WAITAOF (7.2 and later) or has appendfsync always. Any other server is refused, AVOUT_ENOTSUP,
 * and so is one that evicts keys (maxmemory-policy allkeys-...). With `durable=no` in the address it is taken
 * as it is: what was confirmed may be gone when the server dies, and then the refs whose values it kept answer
 * AVOUT_EIO until they are set again. Replicas of Redis are asynchronous: what was confirmed may be gone after a
 * failover, whatever is set.
 *
 *     cc program.c $(pkg-config --cflags --libs avout-redis) */
#ifndef AVOUT_REDIS_H
#define AVOUT_REDIS_H

#include <avout/distributed.h>

AVOUT_BEGIN

/* A container for the values of one atom or ref. `place` is
 *
 *     redis://user:password@host:6379/0?prefix=plans:       the defaults: port 6379, database 0, avout:
 *     redis://:password@host                                the password of the user `default`
 *     unix:///run/redis/redis.sock?db=2                     with user:password@ before the path, if need be
 *
 * with the parameters prefix (of the keys), db, pool_size (1 to 1000 connections, default 8), and durable (yes,
 * no). Special characters are written %XX. Any number of identities may share a prefix; each knows its own
 * versions. All containers of the process with the same address, but for the prefix, share one pool of
 * connections. The string is copied; its password is in no message.
 *
 * The server is asked directly, and has to be the primary; it may have replicas. Redis Cluster, Sentinel and TLS
 * are not supported. Values have less than 512 MB, the server's limit.
 *
 * Does not connect. Later calls keep their deadlines, but for the resolution of names, and go on when
 * connections break; a server that cannot be connected to is waited for for 30 seconds at most (parameter
 * `wait`, in seconds). AVOUT_EINVAL (the string), AVOUT_ENOMEM. */
AVOUT_API avout_status avout_redis_container(avout_versioned_container **container,
                                             const char *place);

AVOUT_END

#endif
