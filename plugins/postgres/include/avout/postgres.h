/* A state container that keeps values in PostgreSQL (11 and later): each version a row of a table, with the
 * EDN text, which is what counts, and jsonb beside it, for people and queries:
 *
 *     version | put | edn                      | doc                          | written
 *     v-1     | ... | {:name "Ann" :state :on} | {"name": "Ann", "state": "on"} | 2026-03-01 09:30:00+00
 *
 * doc is NULL where jsonb cannot hold the value (NUL characters, numbers and nesting beyond its limits, more
 * than 64 MiB). Values are smaller than 1 GB.
 *
 *     cc program.c $(pkg-config --cflags --libs avout-postgres) */
#ifndef AVOUT_POSTGRES_H
#define AVOUT_POSTGRES_H

#include <avout/distributed.h>

AVOUT_BEGIN

/* A container for the values of one atom or ref. `place` is a connection string or URI as libpq takes it,
 * with two parameters more: `table`, also with its schema (default: avout), and `pool_size`, how many
 * connections there may be (default: 8):
 *
 *     postgresql://user:password@host:5432/database?sslmode=verify-full&sslrootcert=/etc/ca.pem&table=app.plans
 *     host=db1,db2 dbname=plans table=members
 *
 * What is not said comes from libpq's environment variables, service and password files. Any number of
 * identities may share a table; each knows its own versions. It is made when it is not there; the user needs
 * SELECT, INSERT, UPDATE and DELETE on it, and CREATE in the schema only to make it. The database's encoding
 * has to be UTF8. All containers of the process with the same string, but for the table, share one pool of
 * connections. The string is copied; its password is in no message.
 *
 * Reads and writes go to a server that takes writes (target_session_attrs=read-write, whatever stands there),
 * and a write is confirmed when it is on the disk of it, and of its synchronous standbys
 * (synchronous_commit is at least `on`). So nothing confirmed is lost in a failover, where standbys are
 * synchronous. Between us and the server there may be a pooler that keeps sessions, not one that only keeps
 * transactions. An unlogged table is refused: AVOUT_ENOTSUP.
 * Of several hosts the next one is asked where one is away, takes no writes, or is refused by TLS (AVOUT_EAUTH, where
 * all are); a server that does not accept the user or the password ends the search.
 *
 * Does not connect. Later calls keep their deadlines, but for the resolution of names, and go on when
 * connections break; a server that cannot be connected to is waited for no longer than connect_timeout
 * (default: 30 seconds). AVOUT_EINVAL (the string), AVOUT_ENOMEM. */
AVOUT_API avout_status avout_postgres_container(avout_versioned_container **container,
                                                const char *place);

AVOUT_END

#endif
