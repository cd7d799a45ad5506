/* A state container that keeps values in Redis (6.0 and later): each version one string, the EDN text.
 *
 *     avout:v-1    {:name "Ann" :age 42} ;5f1c9a0e...      (the number behind ; is of the call that wrote it)
 *
 * A write is confirmed when it is on the disk: the server has to keep an append-only file (appendonly yes), and
 * either knows WAITAOF (7.2 and later) or has appendfsync always. Any other server is refused, AVOUT_ENOTSUP,
 * and so is one that evicts keys (maxmemory-policy allkeys-...). With `durable=no` in the address it is taken
 * as it is: what was confirmed may be gone when the server dies, and then the refs whose values it kept answer
 * AVOUT_EIO until they are set again. The server's settings are looked at when a connection is made, not when they are
 * changed while it lasts. Replicas of Redis are asynchronous: what was confirmed may be gone after a
 * failover, whatever is set.
 *
 *     cc program.c $(pkg-config --cflags --libs avout-redis) */
#ifndef AVOUT_REDIS_H
#define AVOUT_REDIS_H

#include <avout/codec.h>
#include <avout/distributed.h>

AVOUT_BEGIN

/* A container for the values of one atom or ref. `place` is
 *
 *     redis://user:password@host:6379/0?prefix=plans:       the defaults: port 6379, database 0, avout:
 *     rediss://user:password@host?cacert=/etc/redis/ca.crt  with TLS
 *     redis://:password@host                                the password of the user `default`
 *     unix:///run/redis/redis.sock?db=2                     with user:password@ before the path, if need be
 *
 * with the parameters prefix (of the keys), db, pool_size (1 to 1000 connections, default 8), and durable (yes,
 * no). Special characters are written %XX; control characters are refused. Any number of identities may share a
 * prefix; each knows its own versions. All containers of the process with the same address, but for the prefix,
 * share one pool of connections. The string is copied; its password is in no message.
 *
 * With TLS (1.2 and later) the server's certificate is verified, always, with the host's name or number: against
 * the authorities in the file that `cacert` names (PEM), else those of the system, which SSL_CERT_FILE and
 * SSL_CERT_DIR in the environment replace. `cert` and `cert_key` name, together, the files with our own certificate and its
 * key, without a passphrase, where the server asks for one (Redis does, unless tls-auth-clients is no). They are read
 * for each connection. AVOUT_EAUTH: a certificate is refused, or a file cannot be used.
 *
 * The server is asked directly, and has to be the primary; it may have replicas. Redis Cluster and Sentinel
 * are not supported. Values have less than 512 MB, the server's limit.
 *
 * The user needs, on keys with the prefix, GET, MGET, SET, MSETNX (with a codec), UNLINK and SCAN; ROLE; SELECT where
 * the database is not 0; and unless `durable` is no INFO, and WAITAOF or CONFIG GET.
 *
 * Does not connect. Later calls keep their deadlines, but for the resolution of names, and go on when
 * connections break; a server that cannot be connected to is waited for for 30 seconds at most (parameter
 * `wait`, in seconds). AVOUT_EINVAL (the string), AVOUT_ENOMEM. */
AVOUT_API avout_status avout_redis_container(avout_versioned_container **container,
                                             const char *place);

/* The same with another codec than EDN (copied; its name and payload must stay as long as the container):
 * everybody who opens the identity uses the same. NULL: EDN. With avout_codec_json() a version is a string that is
 * the JSON and nothing else:
 *
 *     avout:v-1       {"name":"Ann","age":42}
 *     avout:v-1.put   5f1c9a0e...                 the number of the call that wrote it */
AVOUT_API avout_status avout_redis_container_coded(avout_versioned_container **container,
                                                   const char *place, const avout_codec *codec);

/* A container without versions: one string, which other programs may read at any time, GET app:config. To be
 * handed to avout_unversioned_atom. `place` is as above, but has the parameter `key` (needed) and no prefix:
 *
 *     redis://user:password@host/0?key=app%3Aconfig
 *
 * `codec` as above: the string is what it writes, with NULL the EDN text. What is there before, of whatever
 * origin, is the atom's first value; others must not write it afterwards. Beside it the key KEY:token has the
 * fencing token of who wrote last, and who comes with a smaller one is refused (AVOUT_EVERSION): no change
 * is lost, also when a holder of the atom's lock was stopped past its session. Where the store itself was begun anew, and
 * its tokens with it, changes answer AVOUT_EIO until KEY:token is deleted by hand.
 *
 * The user needs EVAL, SET, GET and UNLINK on both keys; the rest as above. AVOUT_EINVAL (place, codec),
 * AVOUT_ENOMEM. */
AVOUT_API avout_status avout_redis_value_container(avout_container **container, const char *place,
                                                   const avout_codec *codec);

AVOUT_END

#endif
