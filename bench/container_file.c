/* Beside the container of files: a file written and synced, and its directory synced: whole
 * only if nobody dies meanwhile, so the container does more. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "avout/file.h"
#include "container.h"
#include "world.h"

typedef struct raw_file {
    char directory[700];
    unsigned long number;
} raw_file;

static const char *start(bench *b, char *place, size_t size)
{
    (void)b;
    snprintf(place, size, "%s/values", world_directory());
    return NULL;
}

static void *raw_open(const char *place)
{
    raw_file *raw = need_memory(sizeof *raw);
    snprintf(raw->directory, sizeof raw->directory, "%s/raw", place);
    if (mkdir(raw->directory, 0700)) fail("%s: cannot be made", raw->directory);
    return raw;
}

static void raw_write(void *payload)
{
    raw_file *raw = payload;
    char name[740], text[32];
    snprintf(name, sizeof name, "%s/%lu", raw->directory, ++raw->number);
    int length = snprintf(text, sizeof text, "%lu\n", raw->number);
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, (size_t)length) != length || fsync(fd) || close(fd))
        fail("%s: cannot be written", name);
    fd = open(raw->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) || close(fd)) fail("%s: cannot be synced", raw->directory);
}

const container_kind container_file = {"file",   start,     avout_file_container,
                                       raw_open, raw_write, free};
