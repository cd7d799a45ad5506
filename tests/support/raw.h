/* The store behind the library's back: what a stranger would do there, and what he would see. Any handle on it
 * will do, a client's own too: &client->stm->door. All calls wait, and fail the test where they are not
 * answered. */
#ifndef TESTS_SUPPORT_RAW_H
#define TESTS_SUPPORT_RAW_H

#include "store/store.h"

/* `bytes`, unless there is a length, are a text. */
avout_status raw_do(avout_store *store, avout_op op);
/* Whatever its version. */
avout_status raw_delete(avout_store *store, const char *path);

/* How many nodes are below it; -1: it is not there. */
int64_t raw_children(avout_store *store, const char *path);
/* Their names, in reply->is; to be released. None: it is not there, or there are none. */
size_t raw_list(avout__reply *reply, avout_store *store, const char *path);

/* The path of one of them: the only one, or the one with the first or the last number. */
typedef enum raw_which { RAW_ONLY, RAW_FIRST, RAW_LAST } raw_which;
enum { RAW_PATH = 512 };
void raw_child(char path[RAW_PATH], avout_store *store, const char *parent, raw_which which);

#endif
