/* The pool of connections to an address's servers that all containers of the process share, and queries with
 * a deadline on them. libpq is used without blocking throughout. */
#ifndef PLUGINS_POSTGRES_SERVER_H
#define PLUGINS_POSTGRES_SERVER_H

#include <libpq-fe.h>

#include "address.h"
#include "common/pool.h"
#include "common/shared.h"

/* One for each container of the process with that address; AVOUT_ENOMEM. */
avout_status avout__postgres_share(avout__plugin_shared **shared,
                                   const avout__postgres_address *address);

enum { AVOUT__POSTGRES_PARAMETERS = 4 };

/* One statement, its own transaction. It is sent again when the connection breaks: so it must find out
 * whether it had its effect. */
typedef struct avout__postgres_query {
    avout__plugin_step is; /* first */
    const char *sql;
    const char *parameters[AVOUT__POSTGRES_PARAMETERS]; /* texts; NULL: null */
    int count;
    bool plain;       /* no parameters, and may be several statements */
    PGresult *result; /* of the last of them; to be cleared, also after a failure */
    char code[6];     /* SQLSTATE of the failure; "" */
} avout__postgres_query;

/* What PostgreSQL's failure is among ours, its message as the detail. */
avout_status avout__postgres_call(avout__plugin_shared *shared, avout__postgres_query *query,
                                  int64_t deadline_ms);

#endif
