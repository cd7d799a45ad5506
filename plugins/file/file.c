/* The file container. A version V is the file DIRECTORY/V, which holds what the codec writes; behind EDN text a
 * newline.
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

#include "avout/file.h"
#include "avout/sys/container.h"
#include "common/coded.h"
#include "common/deadline.h"
#include "common/words.h"
#include "disk.h"

#define NEW ".new"

typedef struct file_container {
    avout_versioned_container is;
    avout_codec codec;
    char *place;
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

static avout_status init(avout_versioned_container *container, int64_t timeout_ms)
{
    const file_container *at = (file_container *)container;
    (void)timeout_ms;
    return avout__disk_make_directory(at->directory);
}

/* Fails where there is anything in it, which is what is wanted. */
static avout_status destroy(avout_versioned_container *container, int64_t timeout_ms)
{
    const file_container *at = (file_container *)container;
    (void)timeout_ms;
    if (!rmdir(at->directory) || errno == ENOTEMPTY || errno == EEXIST || errno == ENOENT)
        return AVOUT_OK;
    return avout__disk_failed(errno, "removing the directory");
}

/* ---- writing ------------------------------------------------------------------------------------ */

/* A link whose answer was lost on the way (NFS sends it again) says EEXIST though it was made. */
static bool is_linked(const char *name)
{
    struct stat found;
    return !stat(name, &found) && found.st_nlink == 2;
}

/* One try: 0, or the error's number; V.new is then gone, unless it is another's. */
static int put(const char *name, const char *fresh, const char *text, size_t length, bool line)
{
    struct stat found;
    if (!stat(name, &found)) return EEXIST;
    int number = avout__disk_write(fresh, text, length, line, NULL);
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
    int64_t deadline_ms = avout__plugin_deadline(timeout_ms);
    for (;;) {
        /* A line, for who looks at it; other codecs' bytes are as they are. */
        int number = put(name, fresh, text, length, avout__plugin_is_edn(&at->codec));
        if (!number) break;
        if (number == EEXIST) return avout_fail(AVOUT_EEXISTS, "there is a version of that name");
        avout_status status = avout__disk_failed(number, "writing a file");
        /* The directory or V.new was deleted under our hands. */
        if (number == ENOENT && !avout__plugin_passed(deadline_ms))
            status = avout__disk_make_directory(at->directory);
        if (status) return status;
    }
    avout_status status = avout__disk_sync_directory(at->directory);
    unlink(fresh);
    return status;
}

static avout_status set_state_at(avout_versioned_container *container, const char *version,
                                 avout_value value, int64_t timeout_ms)
{
    const file_container *at = (file_container *)container;
    avout__plugin_text text = {0};
    avout_status status = avout__plugin_encode(&text, value, &at->codec);
    if (status) return status;
    path name = path_of(at, version, ""), fresh = path_of(at, version, NEW);
    status = name.text && fresh.text
                 ? set_text(at, name.text, fresh.text, text.bytes, text.length, timeout_ms)
                 : avout__plugin_no_memory();
    free(name.text);
    free(fresh.text);
    free(text.bytes);
    return status;
}

/* ---- reading -------------------------------------------------------------------------------------- */

static avout_status get_state_at(avout_value *value, avout_versioned_container *container,
                                 const char *version, int64_t timeout_ms)
{
    const file_container *at = (file_container *)container;
    path name = path_of(at, version, "");
    if (!name.text) return avout__plugin_no_memory();
    int64_t deadline_ms = avout__plugin_deadline(timeout_ms);
    char *bytes = NULL;
    size_t length = 0;
    int number = avout__disk_read(&bytes, &length, name.text, deadline_ms);
    free(name.text);
    if (number == ENOENT || number == ENOTDIR)
        return avout_fail(AVOUT_ENOTFOUND, "there is no file of that name");
    if (number) return avout__disk_failed(number, "reading a file");
    avout_status status = avout__plugin_decode(value, bytes, length, &at->codec);
    free(bytes);
    return status;
}

/* ---- deleting, listing ------------------------------------------------------------------------------ */

static avout_status remove_file(const file_container *at, const char *version, const char *suffix)
{
    path name = path_of(at, version, suffix);
    if (!name.text) return avout__plugin_no_memory();
    int number = unlink(name.text) ? errno : 0;
    free(name.text);
    return !number || number == ENOENT ? AVOUT_OK : avout__disk_failed(number, "deleting a file");
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
    size_t length = avout__plugin_version(name);
    if (!length) return AVOUT_OK;
    if (name[length] && strcmp(name + length, NEW)) return AVOUT_OK;
    memcpy(version, name, length);
    version[length] = '\0';
    return found(version, payload);
}

static avout_status list_versions(avout_versioned_container *container, avout_version_fn found,
                                  void *payload, int64_t timeout_ms)
{
    const file_container *at = (file_container *)container;
    int64_t deadline_ms = avout__plugin_deadline(timeout_ms);
    DIR *directory = opendir(at->directory);
    if (!directory)
        return errno == ENOENT ? AVOUT_OK : avout__disk_failed(errno, "listing the directory");
    avout_status status = AVOUT_OK;
    while (!status) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (!entry) {
            if (errno) status = avout__disk_failed(errno, "listing the directory");
            break;
        }
        status = tell(entry->d_name, found, payload);
        if (!status && avout__plugin_passed(deadline_ms))
            status = avout_fail(AVOUT_ETIMEOUT, "the directory is too long to be listed in time");
    }
    closedir(directory);
    return status;
}

/* ---- life --------------------------------------------------------------------------------------------- */

static void close_container(avout_versioned_container *container)
{
    free(((file_container *)container)->place);
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

avout_status avout_file_container_coded(avout_versioned_container **container,
                                        const char *directory, const avout_codec *codec)
{
    avout_codec used;
    avout_status status = avout__plugin_codec(&used, codec);
    if (status) return status;
    if (!directory || !*directory) return avout_fail(AVOUT_EINVAL, "directory: none is given");
    size_t length = strlen(directory);
    file_container *made = malloc(sizeof *made + length + 1);
    if (!made) return avout__plugin_no_memory();
    memcpy(made->directory, directory, length + 1);
    while (length > 1 && made->directory[length - 1] == '/') made->directory[--length] = '\0';
    made->codec = used;
    made->place = avout__plugin_coded_place(made->directory, &used);
    if (!made->place) {
        free(made);
        return avout__plugin_no_memory();
    }
    made->is.ops = &file_ops;
    made->is.place = made->place;
    *container = &made->is;
    return AVOUT_OK;
}

avout_status avout_file_container(avout_versioned_container **container, const char *directory)
{
    return avout_file_container_coded(container, directory, NULL);
}
