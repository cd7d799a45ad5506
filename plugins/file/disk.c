#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/deadline.h"
#include "common/words.h"

enum { STALE_PAUSE_MS = 10 };

/* ---- failures ------------------------------------------------------------------------------------ */

avout_status avout__disk_failed(int number, const char *doing)
{
    avout_status status = AVOUT_EIO;
    switch (number) {
    case ENOSPC:
    case EDQUOT: status = AVOUT_ENOSPACE; break;
    case EACCES:
    case EPERM:
    case EROFS: status = AVOUT_EPERM; break;
    case ENOMEM: status = AVOUT_ENOMEM; break;
    case EFBIG: status = AVOUT_ELIMIT; break;
    case EMFILE:
    case ENFILE: status = AVOUT_ESYSTEM; break;
    case ETIMEDOUT: status = AVOUT_ETIMEOUT; break;
    default: break;
    }
    char text[128];
    return avout_fail(status, "%s: %s", doing, strerror_r(number, text, sizeof text));
}

avout_status avout__disk_sync_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return avout__disk_failed(errno, "opening the directory");
    avout_status status = fsync(fd) ? avout__disk_failed(errno, "syncing the directory") : AVOUT_OK;
    close(fd);
    return status;
}

static avout_status sync_above(char *text)
{
    char *slash = strrchr(text, '/');
    if (slash && slash != text) *slash = '\0';
    avout_status status = avout__disk_sync_directory(!slash ? "." : slash == text ? "/" : text);
    if (slash && slash != text) *slash = '/';
    return status;
}

static bool is_directory(const char *path)
{
    struct stat found;
    return !stat(path, &found) && S_ISDIR(found.st_mode);
}

/* Makes the directory whose path is text[0..length), and syncs the one above it: also where it is there, since who
 * made it may have died before it was on the disk, but then as far as we may. */
static avout_status make_one(char *text, size_t length)
{
    char after = text[length];
    text[length] = '\0';
    avout_status status = AVOUT_OK;
    if (!mkdir(text, 0777)) {
        status = sync_above(text);
    } else {
        int number = errno;
        if (is_directory(text)) (void)sync_above(text);
        else if (number == EEXIST)
            status = avout_fail(AVOUT_EIO, "there is something that is no directory");
        else status = avout__disk_failed(number, "making the directory");
    }
    text[length] = after;
    return status;
}

avout_status avout__disk_make_directory(const char *directory)
{
    char *text = strdup(directory);
    if (!text) return avout__plugin_no_memory();
    size_t length = strlen(text);
    avout_status status = AVOUT_OK;
    for (size_t i = 1; !status && i <= length; i++)
        if ((text[i] == '/' && text[i - 1] != '/') || i == length) status = make_one(text, i);
    free(text);
    return status;
}

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return errno;
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

/* Only the superuser gives files away; whoever else writes it owns it, and keeps the group where he is in it. Where he
 * is not the group is his, which must not get what the other one had: no more than everybody has. */
static int make_like(int fd, const struct stat *like)
{
    mode_t mode = like->st_mode & 0777;
    if (fchown(fd, like->st_uid, like->st_gid) && fchown(fd, (uid_t)-1, like->st_gid))
        mode = (mode & 0707) | (mode & (mode << 3) & 0070);
    return fchmod(fd, mode) ? errno : 0;
}

/* Some file systems tell of a full disk only when the file is closed. */
int avout__disk_write(const char *name, const char *text, size_t length, bool line,
                      const struct stat *like)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, like ? 0600 : 0666);
    if (fd < 0) return errno;
    int number = like ? make_like(fd, like) : 0;
    if (!number) number = write_all(fd, text, length);
    if (!number && line) number = write_all(fd, "\n", 1);
    if (!number && fsync(fd)) number = errno;
    if (close(fd) && !number) number = errno;
    return number;
}

static int read_all(char **bytes, size_t *length, int fd)
{
    struct stat found;
    if (fstat(fd, &found)) return errno;
    size_t size = (size_t)found.st_size;
    char *to = malloc(size ? size : 1);
    if (!to) return ENOMEM;
    size_t filled = 0;
    while (filled < size) {
        ssize_t got = read(fd, to + filled, size - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            int number = got ? errno : EIO;
            free(to);
            return number;
        }
        filled += (size_t)got;
    }
    *bytes = to;
    *length = filled;
    return 0;
}

int avout__disk_read(char **bytes, size_t *length, const char *name, int64_t deadline_ms)
{
    int number;
    for (;;) {
        int fd = open(name, O_RDONLY | O_CLOEXEC);
        number = fd < 0 ? errno : read_all(bytes, length, fd);
        if (fd >= 0) close(fd);
        if (number != ESTALE || avout__plugin_passed(deadline_ms)) return number;
        /* A handle that the server has forgotten is asked for again. */
        avout__plugin_pause(STALE_PAUSE_MS, deadline_ms);
    }
}
