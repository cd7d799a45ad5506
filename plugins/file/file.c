/* The file container. A version V is the file DIRECTORY/V, which holds the EDN text and a newline.
 *
 *   set     write V.new, which nobody else writes (versions are used once) -> fsync -> link to V, which
 *           fails where V is: put-if-absent -> fsync of the directory -> unlink V.new
 *   delete  unlink V and V.new
 *   list    V for each V and V.new
 *
 * A file named V is whole, whenever the process dies: it gets its name when its bytes are on the disk.
 * What dies before leaves V.new, which is listed, so the collector deletes it. Somebody may delete V.new,
 * or the empty directory, while it is being written: then it is written again, for nothing else would be
 * true of the answer (the version is collected, so its commit will be refused). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "avout/edn.h"
#include "avout/file.h"
#include "avout/sys/container.h"

#define NEW ".new"

typedef struct file_container {
    avout_versioned_container is;
    char directory[];
} file_container;

/* ---- paths and failures ---------------------------------------------------------------------- */

typedef struct path {
    char *text; /* to be freed; NULL: no memory */
} path;

static path path_of(const file_container *at, const char *version, const char *suffix)
{
    size_t size = strlen(at->directory) + strlen(version) + strlen(suffix) + 2;
    path made = {malloc(size)};
    if (made.text) snprintf(made.text, size, "%s/%s%s", at->directory, version, suffix);
    return made;
}

static avout_status no_memory(void)
{
    return avout_fail(AVOUT_ENOMEM, "out of memory");
}

/* What the system's error is among ours. */
static avout_status failed(int number, const char *doing)
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

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t deadline_of(int64_t timeout_ms)
{
    return timeout_ms == AVOUT_FOREVER ? INT64_MAX : now_ms() + timeout_ms;
}

/* ---- the directory ----------------------------------------------------------------------------- */

static avout_status sync_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return failed(errno, "opening the directory");
    avout_status status = fsync(fd) ? failed(errno, "syncing the directory") : AVOUT_OK;
    close(fd);
    return status;
}

/* Makes the directory whose path is text[0..length), and syncs the one above it. */
static avout_status make_one(char *text, size_t length)
{
    char after = text[length];
    text[length] = '\0';
    avout_status status = AVOUT_OK;
    if (!mkdir(text, 0777)) {
        char *slash = strrchr(text, '/');
        if (slash && slash != text) *slash = '\0';
        status = sync_directory(!slash ? "." : slash == text ? "/" : text);
        if (slash && slash != text) *slash = '/';
    } else if (errno != EEXIST) {
        status = failed(errno, "making the directory");
    }
    text[length] = after;
    return status;
}

static avout_status make_directory(const file_container *at)
{
    char *text = strdup(at->directory);
    if (!text) return no_memory();
    size_t length = strlen(text);
    avout_status status = AVOUT_OK;
    for (size_t i = 1; !status && i <= length; i++)
        if ((text[i] == '/' && text[i - 1] != '/') || i == length) status = make_one(text, i);
    free(text);
    return status;
}

static avout_status init(avout_versioned_container *container, int64_t timeout_ms)
{
    const file_container *at = (file_container *)container;
    (void)timeout_ms;
    struct stat found;
    if (stat(at->directory, &found)) return make_directory(at);
    if (S_ISDIR(found.st_mode)) return AVOUT_OK;
    return avout_fail(AVOUT_EIO, "there is something that is no directory");
}

/* Fails where there is anything in it, which is what is wanted. */
static avout_status destroy(avout_versioned_container *container, int64_t timeout_ms)
{
    const file_container *at = (file_container *)container;
    (void)timeout_ms;
    if (!rmdir(at->directory) || errno == ENOTEMPTY || errno == EEXIST || errno == ENOENT)
        return AVOUT_OK;
    return failed(errno, "removing the directory");
}

/* ---- writing ------------------------------------------------------------------------------------ */

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

/* 0 or the error's number. Some file systems tell of a full disk only when the file is closed. */
static int write_file(const char *name, const char *text, size_t length)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return errno;
    int number = write_all(fd, text, length);
    if (!number) number = write_all(fd, "\n", 1);
    if (!number && fsync(fd)) number = errno;
    if (close(fd) && !number) number = errno;
    return number;
}

/* A link whose answer was lost on the way (NFS sends it again) says EEXIST though it was made. */
static bool is_linked(const char *name)
{
    struct stat found;
    return !stat(name, &found) && found.st_nlink == 2;
}

/* One try: 0, or the error's number; V.new is then gone, unless it is another's. */
static int put(const char *name, const char *fresh, const char *text, size_t length)
{
    struct stat found;
    if (!stat(name, &found)) return EEXIST;
    int number = write_file(fresh, text, length);
    if (number == EEXIST) return number;
    if (!number && link(fresh, name)) {
        number = errno;
        if (is_linked(fresh)) number = 0;
    }
    if (number) unlink(fresh);
    return number;
}

static avout_status set_text(const file_container *at, const char *name, const char *fresh,
                             const char *text, size_t length, int64_t timeout_ms)
{
    int64_t deadline_ms = deadline_of(timeout_ms);
    for (;;) {
        int number = put(name, fresh, text, length);
        if (!number) break;
        if (number == EEXIST) return avout_fail(AVOUT_EEXISTS, "there is a version of that name");
        avout_status status = failed(number, "writing a file");
        /* The directory or V.new was deleted under our hands. */
        if (number == ENOENT && now_ms() < deadline_ms) status = make_directory(at);
        if (status) return status;
    }
    avout_status status = sync_directory(at->directory);
    unlink(fresh);
    return status;
}

static avout_status set_state_at(avout_versioned_container *container, const char *version,
                                 avout_value value, int64_t timeout_ms)
{
    const file_container *at = (file_container *)container;
    char *text = NULL;
    size_t length;
    avout_status status = avout_edn_text(&text, &length, value);
    if (status) return status;
    path name = path_of(at, version, ""), fresh = path_of(at, version, NEW);
    status = name.text && fresh.text ? set_text(at, name.text, fresh.text, text, length, timeout_ms)
                                     : no_memory();
    free(name.text);
    free(fresh.text);
    avout_edn_free(text);
    return status;
}

/* ---- reading -------------------------------------------------------------------------------------- */

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

static avout_status get_state_at(avout_value *value, avout_versioned_container *container,
                                 const char *version, int64_t timeout_ms)
{
    const file_container *at = (file_container *)container;
    path name = path_of(at, version, "");
    if (!name.text) return no_memory();
    int64_t deadline_ms = deadline_of(timeout_ms);
    char *bytes = NULL;
    size_t length = 0;
    int number;
    do { /* a handle that the server has forgotten is asked for again */
        int fd = open(name.text, O_RDONLY | O_CLOEXEC);
        number = fd < 0 ? errno : read_all(&bytes, &length, fd);
        if (fd >= 0) close(fd);
    } while (number == ESTALE && now_ms() < deadline_ms);
    free(name.text);
    if (number == ENOENT || number == ENOTDIR)
        return avout_fail(AVOUT_ENOTFOUND, "there is no file of that name");
    if (number) return failed(number, "reading a file");
    avout_edn_error error;
    avout_status status = avout_edn_read(value, bytes, length, NULL, &error);
    free(bytes);
    if (!status || status == AVOUT_ENOMEM) return status;
    return avout_fail(AVOUT_EDATA, "%s is not EDN: line %zu, column %zu: %s", version, error.line,
                      error.column, error.message);
}

/* ---- deleting, listing ------------------------------------------------------------------------------ */

static avout_status remove_file(const file_container *at, const char *version, const char *suffix)
{
    path name = path_of(at, version, suffix);
    if (!name.text) return no_memory();
    int number = unlink(name.text) ? errno : 0;
    free(name.text);
    return !number || number == ENOENT ? AVOUT_OK : failed(number, "deleting a file");
}

/* V.new first: while there is one, V may still get there. */
static avout_status delete_state_at(avout_versioned_container *container, const char *version,
                                    int64_t timeout_ms)
{
    const file_container *at = (file_container *)container;
    (void)timeout_ms;
    avout_status status = remove_file(at, version, NEW);
    return status ? status : remove_file(at, version, "");
}

static avout_status tell(const char *name, avout_version_fn found, void *payload)
{
    char version[AVOUT_VERSION_MAX + 1];
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (!length || length > AVOUT_VERSION_MAX) return AVOUT_OK;
    if (name[length] && strcmp(name + length, NEW)) return AVOUT_OK;
    memcpy(version, name, length);
    version[length] = '\0';
    return found(version, payload);
}

static avout_status list_versions(avout_versioned_container *container, avout_version_fn found,
                                  void *payload, int64_t timeout_ms)
{
    const file_container *at = (file_container *)container;
    int64_t deadline_ms = deadline_of(timeout_ms);
    DIR *directory = opendir(at->directory);
    if (!directory) return errno == ENOENT ? AVOUT_OK : failed(errno, "listing the directory");
    avout_status status = AVOUT_OK;
    while (!status) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (!entry) {
            if (errno) status = failed(errno, "listing the directory");
            break;
        }
        status = tell(entry->d_name, found, payload);
        if (!status && now_ms() > deadline_ms)
            status = avout_fail(AVOUT_ETIMEOUT, "the directory is too long to be listed in time");
    }
    closedir(directory);
    return status;
}

/* ---- life --------------------------------------------------------------------------------------------- */

static void close_container(avout_versioned_container *container)
{
    free(container);
}

static const avout_versioned_container_ops file_ops = {
    .version = AVOUT_VERSIONED_CONTAINER_OPS_VERSION,
    .size = sizeof(avout_versioned_container_ops),
    .kind = "file",
    .init = init,
    .destroy = destroy,
    .get_state_at = get_state_at,
    .set_state_at = set_state_at,
    .delete_state_at = delete_state_at,
    .list_versions = list_versions,
    .close = close_container,
};

avout_status avout_file_container(avout_versioned_container **container, const char *directory)
{
    if (!directory || !*directory) return avout_fail(AVOUT_EINVAL, "directory: none is given");
    size_t length = strlen(directory);
    file_container *made = malloc(sizeof *made + length + 1);
    if (!made) return no_memory();
    memcpy(made->directory, directory, length + 1);
    while (length > 1 && made->directory[length - 1] == '/') made->directory[--length] = '\0';
    made->is.ops = &file_ops;
    made->is.place = made->directory;
    *container = &made->is;
    return AVOUT_OK;
}
