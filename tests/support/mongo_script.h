/* A MongoDB server that answers what a test tells it to: what is sent can be looked at, and what only a
 * replica set, or a broken server, would say can be said. It understands the wire protocol as far as
 * libmongoc speaks it, and keeps nothing. */
#ifndef TESTS_SUPPORT_MONGO_SCRIPT_H
#define TESTS_SUPPORT_MONGO_SCRIPT_H

#include <bson/bson.h>
#include <stdbool.h>

typedef struct mongo_script mongo_script;

/* Fills in the answer, which has ok: 1 when nothing was said. `number` counts the commands of that name, from
 * 0. In a thread of the script's. False: hangs up instead. */
typedef bool (*mongo_script_fn)(bson_t *reply, const char *name, int number, const bson_t *command);

/* As a replica set's primary, or as a server by itself. */
mongo_script *mongo_script_start(mongo_script_fn answer, bool replica_set);
/* What it says of itself from now on, instead; kept by the caller. Before anybody is connected. */
void mongo_script_hello(mongo_script *script, const char *json);
/* Frees. What libmongoc asks about the server and its sessions is not told to `answer`. */
void mongo_script_end(mongo_script *script);
int mongo_script_port(const mongo_script *script);
/* How many of that name there were. */
int mongo_script_count(mongo_script *script, const char *name);
/* The n-th command of that name from 0 on, with the documents that came beside it, as MongoDB's extended
 * JSON (relaxed). Valid until the end. */
const char *mongo_script_command(mongo_script *script, const char *name, int n);

#endif
