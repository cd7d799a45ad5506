/* The socket of the connection, so that we can end a connection the library still believes in.
 *
 * The library offers no way to do that: zookeeper_close ends the session as well, and the socket is
 * its own. zookeeper_interest tells the socket, but belongs to the I/O thread. So it is asked on
 * that thread, from within the log callback (log.c), when a connection has just come about: the
 * library calls it there itself for each round of its loop, and with the connection up it computes
 * timeouts and no more. What we keep is a duplicate: shutdown() on it ends that very connection,
 * never another one that got its number meanwhile. The I/O thread then reads the end of the stream
 * and does what it does for any lost connection.
 *
 * A connection is on trial from the moment when the server, or its kernel, has taken it until the server
 * has answered with a session.
 *
 * A duplicate keeps the connection open after the library closed its own, so it is given up when the
 * loss is delivered; on trial, when the library says that it failed, or the supervisor that it takes too
 * long. The loss may be delivered after the next connection was made: connections are counted on both
 * sides, the event of an older loss leaves a newer connection alone. */
#include "store/zk/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/banned.h"

/* The header hides it from programs that use the threaded library. */
int zookeeper_interest(zhandle_t *zh, int *fd, int *interest, struct timeval *tv);

void avout__zk_link_init(avout__zk *zk)
{
    pthread_mutex_init(&zk->link.lock, NULL);
    zk->link.fd = zk->link.original = -1;
}

static bool same_socket(int one, int other)
{
    struct stat a, b;
    return !fstat(one, &a) && !fstat(other, &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* The first connection may be there before zookeeper_init has returned and told us the handle. */
static zhandle_t *await_handle(avout__zk *zk)
{
    pthread_mutex_lock(&zk->lock);
    while (!zk->zh) pthread_cond_wait(&zk->changed, &zk->lock);
    zhandle_t *zh = zk->zh;
    pthread_mutex_unlock(&zk->lock);
    return zh;
}

void avout__zk_link_made(avout__zk *zk)
{
    zhandle_t *zh = await_handle(zk);
    int state = zoo_state(zh), fd = -1, interest = 0;
    struct timeval tv;
    if (state != ZOO_CONNECTED_STATE && state != ZOO_ASSOCIATING_STATE) return;
    if (zookeeper_interest(zh, &fd, &interest, &tv) != ZOK || fd < 0) return;
    pthread_mutex_lock(&zk->link.lock);
    if (zk->link.fd < 0 || !same_socket(fd, zk->link.fd)) {
        if (zk->link.fd >= 0) close(zk->link.fd);
        zk->link.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        zk->link.original = fd;
        zk->link.connection = ZK_ON_TRIAL;
        zk->link.trial_ns = avout__now_ns();
    }
    if (state == ZOO_CONNECTED_STATE && zk->link.connection == ZK_ON_TRIAL) {
        zk->link.connection = ++zk->link.made;
        zk->link.given_up = 0;
    }
    pthread_mutex_unlock(&zk->link.lock);
    if (state == ZOO_CONNECTED_STATE) return;
    /* The supervisor keeps the time of the trial. */
    pthread_mutex_lock(&zk->lock);
    pthread_cond_broadcast(&zk->changed);
    pthread_mutex_unlock(&zk->lock);
}

int64_t avout__zk_link_trial(avout__zk *zk, int *given_up)
{
    pthread_mutex_lock(&zk->link.lock);
    bool trial = zk->link.fd >= 0 && zk->link.connection == ZK_ON_TRIAL;
    int64_t since_ns = trial ? zk->link.trial_ns : AVOUT__NEVER;
    *given_up = zk->link.given_up;
    pthread_mutex_unlock(&zk->link.lock);
    return since_ns;
}

/* link.lock held. */
static bool end_trial(avout__zk *zk, bool broken)
{
    if (zk->link.fd < 0 || zk->link.connection != ZK_ON_TRIAL) return false;
    if (broken) shutdown(zk->link.fd, SHUT_RDWR);
    close(zk->link.fd);
    zk->link.fd = -1;
    return true;
}

bool avout__zk_link_give_up(avout__zk *zk)
{
    pthread_mutex_lock(&zk->link.lock);
    bool ended = end_trial(zk, true);
    zk->link.given_up += ended;
    pthread_mutex_unlock(&zk->link.lock);
    return ended;
}

void avout__zk_link_failed(avout__zk *zk)
{
    pthread_mutex_lock(&zk->link.lock);
    end_trial(zk, false);
    pthread_mutex_unlock(&zk->link.lock);
}

void avout__zk_link_delivered(avout__zk *zk)
{
    pthread_mutex_lock(&zk->link.lock);
    zk->link.delivered++;
    pthread_mutex_unlock(&zk->link.lock);
}

void avout__zk_link_lost(avout__zk *zk)
{
    int fd = -1;
    pthread_mutex_lock(&zk->link.lock);
    if (zk->link.connection <= zk->link.delivered) {
        fd = zk->link.fd;
        zk->link.fd = -1;
    }
    pthread_mutex_unlock(&zk->link.lock);
    if (fd >= 0) close(fd);
}

void avout__zk_link_reset(avout__zk *zk)
{
    pthread_mutex_lock(&zk->link.lock);
    if (zk->link.fd >= 0) close(zk->link.fd);
    zk->link.fd = -1;
    zk->link.connection = zk->link.made = zk->link.delivered = 0;
    pthread_mutex_unlock(&zk->link.lock);
}

bool avout__zk_link_break(avout__zk *zk)
{
    pthread_mutex_lock(&zk->link.lock);
    bool known = zk->link.fd >= 0 && zk->link.connection != ZK_ON_TRIAL;
    if (known) shutdown(zk->link.fd, SHUT_RDWR);
    pthread_mutex_unlock(&zk->link.lock);
    return known;
}

void avout__zk_link_release(avout__zk *zk, bool forked)
{
    /* In a child nobody else will close the library's own descriptor, and while it is open the
     * server does not notice the death of the parent. Plain close: a shutdown would end the parent's
     * connection. */
    if (forked && zk->link.fd >= 0 && same_socket(zk->link.fd, zk->link.original))
        close(zk->link.original);
    if (zk->link.fd >= 0) close(zk->link.fd);
    zk->link.fd = -1;
    if (!forked) pthread_mutex_destroy(&zk->link.lock);
}
