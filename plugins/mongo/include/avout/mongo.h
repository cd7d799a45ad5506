/* A state container that keeps values in MongoDB: each version one document, in BSON's own types where
 * they are the same, so that mongosh and others can query it:
 *
 *     {_id: VERSION, put: ObjectId, value: {name: "Ann", age: 42}}
 *     {_id: VERSION, put: ObjectId, value: {state: "open"}, edn: "{:state :open}"}
 *
 * (docs/formats.md has the whole of it.) Versions are written with write concern majority and journalled,
 * and read from the primary with read concern majority; where one is not found in a replica set the
 * primary is asked again, linearizably. Replica sets, sharded clusters, single servers, and servers that
 * speak MongoDB's protocol.
 *
 *     cc program.c $(pkg-config --cflags --libs avout-mongo)
 *
 * While there is a container libmongoc keeps a thread for each server, to watch it. What a server says when a
 * connection begins libmongoc takes on trust: a malicious one can crash the program.
 *
 * libmongoc is initialised when the first container is made, and never cleaned up: the program may use it
 * for itself. Its log is turned off then, as it would go to the standard output; a program that wants it
 * sets its own handler afterwards. */
#ifndef AVOUT_MONGO_H
#define AVOUT_MONGO_H

#include <avout/distributed.h>

AVOUT_BEGIN

/* A container for the values of one atom or ref. `place` is a connection string as MongoDB writes it, with
 * the collection behind the database; both are "avout" where they are left out:
 *
 *     mongodb://user:password@host:27017/database.collection?replicaSet=rs0&tls=true&tlsCAFile=/etc/ca.pem
 *     mongodb://127.0.0.1/                          avout.avout
 *     mongodb+srv://cluster0.example.net/plans      plans.avout
 *
 * Options are MongoDB's (write concern, read concern and read preference are ours, whatever stands there).
 * Any number of identities may share a collection; each knows its own versions. All containers of the
 * process with the same string, but for the collection, share one pool of connections (maxPoolSize). The
 * string is copied; its password is in no message.
 *
 * Does not connect, but asks DNS for mongodb+srv. Later calls keep their deadlines, but for the resolution
 * of names, and go on when servers change; they wait for a server no longer than serverSelectionTimeoutMS.
 * AVOUT_EINVAL (the string), AVOUT_ECONNECTION (DNS), AVOUT_ENOMEM; libbson ends the process when it gets
 * no memory. */
AVOUT_API avout_status avout_mongo_container(avout_versioned_container **container,
                                             const char *place);

AVOUT_END

#endif
