/* TLS on a socket that does not block, by OpenSSL. hiredis has it in a library of its own, and not in all
 * releases. The server's certificate is verified always, with its name or number. */
#ifndef PLUGINS_REDIS_TLS_H
#define PLUGINS_REDIS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include "address.h"

/* Shakes hands. AVOUT_EAUTH: a certificate, ours or the server's, or one of the files; AVOUT_ECONNECTION;
 * AVOUT_ETIMEOUT; AVOUT_ENOMEM. The socket stays the caller's. */
avout_status avout__redis_tls_connect(SSL **tls, int fd, const avout__redis_address *address,
                                      int64_t deadline_ms);
/* NULL is accepted; does not block. */
void avout__redis_tls_free(SSL *tls);

/* Sends or receives what goes at once: *moved bytes. None: it waits for *wanted (POLLIN, POLLOUT).
 * AVOUT_ECONNECTION; AVOUT_EAUTH: the server has refused our certificate. */
avout_status avout__redis_tls_move(size_t *moved, short *wanted, SSL *tls, void *bytes,
                                   size_t length, bool sends);

#endif
