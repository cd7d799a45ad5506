/* Bytes to and from a server, plain or with TLS, with a deadline: hiredis parses, and does not ask for
 * signals to be ignored. */
#ifndef PLUGINS_REDIS_WIRE_H
#define PLUGINS_REDIS_WIRE_H

#include <hiredis/hiredis.h>

#include "address.h"
#include "tls.h"

/* The socket is hiredis's, which closes it. */
typedef struct avout__redis_wire {
    int fd;
    SSL *tls; /* NULL: plain */
} avout__redis_wire;

/* Of a socket that is connected. AVOUT_ESYSTEM; what avout__redis_tls_connect answers. */
avout_status avout__redis_wire_open(avout__redis_wire *wire, int fd,
                                    const avout__redis_address *address, int64_t deadline_ms);
void avout__redis_wire_close(avout__redis_wire *wire);

/* After a failure the wire is of no use. AVOUT_ECONNECTION, AVOUT_ETIMEOUT, AVOUT_EAUTH. */
avout_status avout__redis_wire_send(avout__redis_wire *wire, char *bytes, size_t length,
                                    int64_t deadline_ms);
/* Some bytes, which the reader is given. */
avout_status avout__redis_wire_receive(avout__redis_wire *wire, redisReader *reader,
                                       int64_t deadline_ms);

#endif
