/* Connection strings with parameters of ours between libpq's. */
#ifndef PLUGINS_POSTGRES_ADDRESS_H
#define PLUGINS_POSTGRES_ADDRESS_H

#include <stddef.h>

#include <libpq-fe.h>

#include <avout/status.h>

enum { AVOUT__POSTGRES_NAME = 63 }; /* bytes; PostgreSQL cuts off what is longer */

typedef struct avout__postgres_address {
    char *text;                /* the string without ours */
    PQconninfoOption *options; /* what it says, in libpq's words */
    char *shown;               /* "host:port/database.table" */
    /* The table's name, quoted, with its schema if that was said; as SQL. */
    char table[4 * AVOUT__POSTGRES_NAME + 8];
    size_t pool_size;
} avout__postgres_address;

/* On failure nothing is left to be released. AVOUT_EINVAL, without anything secret in the detail;
 * AVOUT_ENOMEM. */
avout_status avout__postgres_read_address(avout__postgres_address *address, const char *place);
void avout__postgres_release_address(avout__postgres_address *address);

/* The parameter's value in the string; NULL: it says nothing of it. */
const char *avout__postgres_option(const PQconninfoOption *options, const char *keyword);

#endif
