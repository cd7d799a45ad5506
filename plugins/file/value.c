/* The file container without versions: one file, replaced as a whole.
 *
 *   set    write FILE.new-TOKEN, which nobody else writes (tokens are used once; what a try of the same has
 *          left is deleted first) -> fsync -> rename to FILE -> fsync of the directory. A rename that may
 *          have happened, or may not be durable, is AVOUT_UNKNOWN: the same is written again
 *
 * A file named FILE is whole, whenever the process dies. What dies before the rename leaves FILE.new-TOKEN,
 * which is deleted by the first write of the next process. Old tokens are not refused: a file system cannot look
 * and rename in one step. */
#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "avout/file.h"
#include "avout/sys/container.h"
#include "common/coded.h"
#include "common/deadline.h"
#include "common/words.h"
#include "disk.h"

typedef struct value_container {
    avout_container is;
    avout_codec codec;
    atomic_bool is_swept; /* of what dead writers have left */
    char *directory;      /* of the file */
    char *place;
    char file[];
} value_container;

#define NEW ".new-"

static const char *name_in_directory(const value_container *at)
{
    const char *slash = strrchr(at->file, '/');
    return slash ? slash + 1 : at->file;
}

/* By who has the lock: whoever else is still writing has lost it, and fails. Only what is not FILE.new-TOKEN stays. */
static void sweep(const value_container *at)
{
    DIR *directory = opendir(at->directory);
    if (!directory) return;
    const char *name = name_in_directory(at);
    size_t length = strlen(name);
    for (const struct dirent *entry; (entry = readdir(directory));) {
        const char *found = entry->d_name;
        if (strncmp(found, name, length) || strncmp(found + length, NEW, strlen(NEW))) continue;
        avout_token token;
        if (!avout_token_parse(&token, found + length + strlen(NEW)))
            (void)unlinkat(dirfd(directory), found, 0);
    }
    closedir(directory);
}

static avout_status init(avout_container *container, int64_t timeout_ms)
{
    const value_container *at = (value_container *)container;
    (void)timeout_ms;
    return avout__disk_make_directory(at->directory);
}

static avout_status destroy(avout_container *container, int64_t timeout_ms)
{
    const value_container *at = (value_container *)container;
    (void)timeout_ms;
    sweep(at);
    if (!unlink(at->file) || errno == ENOENT) return AVOUT_OK;
    return avout__disk_failed(errno, "deleting the file");
}

static avout_status get_state(avout_value *value, avout_container *container, int64_t timeout_ms)
{
    const value_container *at = (value_container *)container;
    char *bytes = NULL;
    size_t length = 0;
    int number = avout__disk_read(&bytes, &length, at->file, avout__plugin_deadline(timeout_ms));
    if (number == ENOENT || number == ENOTDIR)
        return avout_fail(AVOUT_ENOTFOUND, "there is no file of that name");
    if (number) return avout__disk_failed(number, "reading the file");
    avout_status status = avout__plugin_decode(value, bytes, length, &at->codec);
    free(bytes);
    return status;
}

/* What a rename answers that has not happened. Any other number may be what a server says to a rename that is sent
 * again, as its first answer was lost (NFS: ENOENT), or of one that nobody has waited for (EIO, EINTR). */
static bool is_refusal(int number)
{
    static const int refusals[] = {EACCES, EPERM,   EROFS, ENOSPC,       EDQUOT, EISDIR,
                                   EBUSY,  ENOTDIR, EXDEV, ENAMETOOLONG, ELOOP};
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (number == refusals[i]) return true;
    return false;
}

/* 0, or the error's number: then it is not known, unless it is a refusal, whether FILE is the new one. What is left
 * of that is deleted, so that it does not get there later. */
static int move(const char *fresh, const char *file)
{
    struct stat made, found;
    bool is_known = !stat(fresh, &made);
    if (!rename(fresh, file)) return 0;
    int number = errno;
    if (is_known && !stat(file, &found) && found.st_dev == made.st_dev &&
        found.st_ino == made.st_ino)
        return 0;
    (void)unlink(fresh);
    return number;
}

/* After the rename it may not be durable yet: who tries again makes it so. */
static avout_status replace(const value_container *at, const char *fresh)
{
    int number = move(fresh, at->file);
    if (number) {
        avout_status status = avout__disk_failed(number, "replacing the file");
        return is_refusal(number) ? status : avout_fail(AVOUT_UNKNOWN, "%s", avout_error_detail());
    }
    avout_status status = avout__disk_sync_directory(at->directory);
    return status ? avout_fail(AVOUT_UNKNOWN, "%s", avout_error_detail()) : AVOUT_OK;
}

static avout_status set_bytes(const value_container *at, const char *fresh, const char *bytes,
                              size_t length)
{
    struct stat found;
    const struct stat *like = stat(at->file, &found) ? NULL : &found;
    bool line = avout__plugin_is_edn(&at->codec);
    (void)unlink(fresh);
    int number = avout__disk_write(fresh, bytes, length, line, like);
    if (number == ENOENT) { /* somebody took the directory away */
        avout_status status = avout__disk_make_directory(at->directory);
        if (status) return status;
        number = avout__disk_write(fresh, bytes, length, line, like);
    }
    if (!number) return replace(at, fresh);
    (void)unlink(fresh);
    return avout__disk_failed(number, "writing a file");
}

static avout_status set_state(avout_container *container, avout_value value, avout_token token,
                              int64_t timeout_ms)
{
    value_container *at = (value_container *)container;
    avout__plugin_text bytes = {0};
    char text[AVOUT_TOKEN_SIZE];
    size_t size = strlen(at->file) + sizeof NEW + sizeof text;
    (void)timeout_ms;
    avout_status status = avout__plugin_encode(&bytes, value, &at->codec);
    if (status) return status;
    if (!atomic_exchange(&at->is_swept, true)) sweep(at);
    char *fresh = malloc(size);
    if (fresh) {
        snprintf(fresh, size, "%s" NEW "%s", at->file, avout_token_text(text, token));
        status = set_bytes(at, fresh, bytes.bytes, bytes.length);
    } else {
        status = avout__plugin_no_memory();
    }
    free(fresh);
    free(bytes.bytes);
    return status;
}

static void close_container(avout_container *container)
{
    value_container *at = (value_container *)container;
    free(at->directory);
    free(at->place);
    free(at);
}

static const avout_container_ops value_ops = {
    .version = AVOUT_CONTAINER_OPS_VERSION,
    .size = sizeof(avout_container_ops),
    .kind = "file",
    .init = init,
    .destroy = destroy,
    .get_state = get_state,
    .set_state = set_state,
    .close = close_container,
};

static char *directory_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    if (!slash) return strdup(".");
    return slash == file ? strdup("/") : strndup(file, (size_t)(slash - file));
}

avout_status avout_file_value_container(avout_container **container, const char *file,
                                        const avout_codec *codec)
{
    avout_codec used;
    avout_status status = avout__plugin_codec(&used, codec);
    if (status) return status;
    size_t length = file ? strlen(file) : 0;
    if (!length || file[length - 1] == '/')
        return avout_fail(AVOUT_EINVAL, "file: none is given, or a directory");
    value_container *made = malloc(sizeof *made + length + 1);
    char *directory = directory_of(file), *place = avout__plugin_coded_place(file, &used);
    if (!made || !directory || !place) {
        free(made);
        free(directory);
        free(place);
        return avout__plugin_no_memory();
    }
    memcpy(made->file, file, length + 1);
    atomic_init(&made->is_swept, false);
    made->directory = directory;
    made->place = place;
    made->codec = used;
    made->is.ops = &value_ops;
    made->is.place = place;
    *container = &made->is;
    return AVOUT_OK;
}
