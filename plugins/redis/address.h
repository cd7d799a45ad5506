/* Addresses of Redis servers: redis://USER:PASSWORD@HOST:PORT/DB?PARAMETERS, rediss://... with TLS,
 * unix://USER:PASSWORD@/PATH. */
#ifndef PLUGINS_REDIS_ADDRESS_H
#define PLUGINS_REDIS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include <avout/status.h>

enum { AVOUT__REDIS_TEXT = 256 };

/* Decoded; "" is what was not said. */
typedef struct avout__redis_address {
    bool is_unix, is_tls;
    char host[AVOUT__REDIS_TEXT]; /* or the socket's path */
    int port, db, pool_size, wait_seconds;
    char user[AVOUT__REDIS_TEXT], password[AVOUT__REDIS_TEXT];
    char prefix[AVOUT__REDIS_TEXT]; /* of keys; of one value: the key */
    /* Names of files, for TLS. */
    char ca[AVOUT__REDIS_TEXT], certificate[AVOUT__REDIS_TEXT], certificate_key[AVOUT__REDIS_TEXT];
    bool durable;
    char shown[3 * AVOUT__REDIS_TEXT];  /* "host:port/db/prefix", or with the key */
    char shared[8 * AVOUT__REDIS_TEXT]; /* the same for all that may share connections; secret */
} avout__redis_address;

/* Of versions, or of `one` value, which needs the parameter `key` in the place of `prefix`. AVOUT_EINVAL, with
 * nothing of the text in the detail. */
avout_status avout__redis_read_address(avout__redis_address *address, const char *place, bool one);

#endif
