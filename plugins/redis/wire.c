#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "common/deadline.h"
#include "common/words.h"

enum { RECEIVED_AT_ONCE = 16384 };

avout_status avout__redis_wire_open(avout__redis_wire *wire, int fd,
                                    const avout__redis_address *address, int64_t deadline_ms)
{
    *wire = (avout__redis_wire){fd, NULL};
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
        return avout_fail(AVOUT_ESYSTEM, "fcntl failed");
    return address->is_tls ? avout__redis_tls_connect(&wire->tls, fd, address, deadline_ms)
                           : AVOUT_OK;
}

void avout__redis_wire_close(avout__redis_wire *wire)
{
    avout__redis_tls_free(wire->tls);
    wire->tls = NULL;
}

/* As avout__redis_tls_move. */
static avout_status move_plain(size_t *moved, short *wanted, int fd, void *bytes, size_t length,
                               bool sends)
{
    ssize_t done = sends ? send(fd, bytes, length, MSG_NOSIGNAL) : recv(fd, bytes, length, 0);
    *moved = done > 0 ? (size_t)done : 0;
    *wanted = sends ? POLLOUT : POLLIN;
    if (done > 0 || (done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)))
        return AVOUT_OK;
    return avout_fail(AVOUT_ECONNECTION, "%s",
                      done ? strerrordesc_np(errno) : "the server closed the connection");
}

/* One byte at least. */
static avout_status move(size_t *moved, avout__redis_wire *wire, void *bytes, size_t length,
                         bool sends, int64_t deadline_ms)
{
    for (;;) {
        short wanted;
        avout_status status =
            wire->tls ? avout__redis_tls_move(moved, &wanted, wire->tls, bytes, length, sends)
                      : move_plain(moved, &wanted, wire->fd, bytes, length, sends);
        if (status || *moved) return status;
        if (!avout__plugin_poll(wire->fd, wanted, deadline_ms))
            return avout_fail(AVOUT_ETIMEOUT, "no answer in time");
    }
}

avout_status avout__redis_wire_send(avout__redis_wire *wire, char *bytes, size_t length,
                                    int64_t deadline_ms)
{
    avout_status status = AVOUT_OK;
    for (size_t moved; !status && length; bytes += moved, length -= moved)
        status = move(&moved, wire, bytes, length, true, deadline_ms);
    return status;
}

avout_status avout__redis_wire_receive(avout__redis_wire *wire, redisReader *reader,
                                       int64_t deadline_ms)
{
    char bytes[RECEIVED_AT_ONCE];
    size_t moved;
    avout_status status = move(&moved, wire, bytes, sizeof bytes, false, deadline_ms);
    if (!status && redisReaderFeed(reader, bytes, moved) != REDIS_OK)
        status = avout__plugin_no_memory();
    return status;
}
