/* What both containers of files do with the disk. */
#ifndef AVOUT_PLUGINS_FILE_DISK_H
#define AVOUT_PLUGINS_FILE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <avout/status.h>

/* What the system's error is among ours. */
avout_status avout__disk_failed(int number, const char *doing);

avout_status avout__disk_sync_directory(const char *directory);
/* Makes the directory, with those above it, or finds them; they are on the disk then. AVOUT_EIO: there is
 * something else of that name. */
avout_status avout__disk_make_directory(const char *directory);

/* Writes a new file and syncs it; its name is not. With a newline behind it where `line`, and for whom a file `like`
 * that is, or for fewer (NULL: as the process makes files). 0 or the error's number: EEXIST when there is one. */
int avout__disk_write(const char *name, const char *text, size_t length, bool line,
                      const struct stat *like);
/* The whole of a file, to be freed. 0 or the error's number. */
int avout__disk_read(char **bytes, size_t *length, const char *name, int64_t deadline_ms);

#endif
