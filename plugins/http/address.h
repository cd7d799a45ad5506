/* The place of a container of the http kind, taken apart. */
#ifndef PLUGINS_HTTP_ADDRESS_H
#define PLUGINS_HTTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include <avout/status.h>

typedef struct avout__http_address {
    char *base;     /* "https://host:8443/plans/": without credentials, with a slash at its end */
    size_t root;    /* length of "https://host:8443/" in it */
    char *user;     /* decoded; NULL: none */
    char *password; /* never shown */
    bool secure;    /* https */
} avout__http_address;

/* On failure nothing is left to be released. AVOUT_EINVAL, AVOUT_ENOMEM. */
avout_status avout__http_address_read(avout__http_address *address, const char *place);
void avout__http_address_release(avout__http_address *address);

#endif
