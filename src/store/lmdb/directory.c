#include "store/lmdb/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

static const char FORMAT_FILE[] = "avout.format";
static const char FORMAT_NEW[] = "avout.format.new";
static const char FORMAT_TEXT[] = "avout embedded store, format ";

static avout_status fail(int error, const char *what, const char *path)
{
    avout_status status = AVOUT_ESYSTEM;
    switch (error) {
    case EACCES:
    case EPERM:
    case EROFS: status = AVOUT_EPERM; break;
    case ENOSPC:
    case EDQUOT: status = AVOUT_ENOSPACE; break;
    case ENOMEM: status = AVOUT_ENOMEM; break;
    case EIO: status = AVOUT_EIO; break;
    case ENOTDIR: status = AVOUT_EFORMAT; break;
    case ENAMETOOLONG:
    case ELOOP:
    case EINVAL: status = AVOUT_EURL; break;
    }
    return avout__fail_errno(status, error, "%s %s", what, path);
}

/* As mkdir -p does. Somebody else may be doing the same. */
static avout_status make(const char *path)
{
    if (!mkdir(path, 0700) || errno == EEXIST) return AVOUT_OK;
    if (errno != ENOENT) return fail(errno, "cannot create the directory", path);
    char *part = avout__strdup(path);
    if (!part) return AVOUT_ENOMEM;
    avout_status status = AVOUT_OK;
    for (char *slash = strchr(part + 1, '/'); slash && !status; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0700) && errno != EEXIST)
            status = fail(errno, "cannot create the directory", part);
        *slash = '/';
    }
    if (!status && mkdir(part, 0700) && errno != EEXIST)
        status = fail(errno, "cannot create the directory", part);
    avout__free(part);
    return status;
}

/* Locks and shared memory do not work there, or only within one machine while others write too. */
static const char *network_name(unsigned long type)
{
    switch (type & 0xFFFFFFFFul) {
    case 0x6969: return "NFS";
    case 0x517B:
    case 0xFF534D42:
    case 0xFE534D42: return "SMB";
    case 0x5346414F:
    case 0x6B414653: return "AFS";
    case 0x73757245: return "Coda";
    case 0x564C: return "NCP";
    case 0x00C36400: return "Ceph";
    case 0x01021997: return "9P";
    case 0x0BD00BD0: return "Lustre";
    }
    return NULL;
}

static avout_status check_file_system(int file, const char *path)
{
    struct statfs about;
    if (fstatfs(file, &about)) return fail(errno, "cannot examine", path);
    const char *network = network_name((unsigned long)about.f_type);
    if (network)
        return avout_fail(
            AVOUT_ENOTSUP,
            "%s is on a network file system (%s): the embedded store needs a local one", path,
            network);
    return AVOUT_OK;
}

/* AVOUT_ENOTFOUND (without detail) when there is no format file. */
static avout_status check_format(int directory, const char *path)
{
    int file = openat(directory, FORMAT_FILE, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT ? AVOUT_ENOTFOUND
                               : fail(errno, "cannot read the format file of", path);
    char text[128];
    ssize_t length = read(file, text, sizeof text - 1);
    int error = errno;
    close(file);
    if (length < 0) return fail(error, "cannot read the format file of", path);
    text[length] = '\0';
    size_t prefix = sizeof FORMAT_TEXT - 1;
    char *end = text;
    unsigned long format = 0;
    if (!strncmp(text, FORMAT_TEXT, prefix)) format = strtoul(text + prefix, &end, 10);
    if (format == 0 || *end != '\n')
        return avout_fail(AVOUT_EFORMAT, "%s/%s is not an Avout store's", path, FORMAT_FILE);
    if (format > AVOUT__LMDB_FORMAT)
        return avout_fail(AVOUT_EFORMAT,
                          "%s has format %lu, this library knows formats up to %d: it is too old",
                          path, format, AVOUT__LMDB_FORMAT);
    return AVOUT_OK;
}

/* Without a format file only the remains of an opening that never got that far may be there, and the shell's
 * history, which is kept in the directory of the default store. */
static avout_status check_foreign(int directory, const char *path)
{
    int file = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = file < 0 ? NULL : fdopendir(file);
    if (!entries) {
        int error = errno;
        if (file >= 0) close(file);
        return fail(error, "cannot list", path);
    }
    avout_status status = AVOUT_OK;
    struct dirent *entry;
    while (!status && (errno = 0, entry = readdir(entries))) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") && strcmp(name, "..") && strcmp(name, "sessions") &&
            strcmp(name, FORMAT_NEW) && strcmp(name, FORMAT_FILE) &&
            strncmp(name, "history", strlen("history")))
            status =
                avout_fail(AVOUT_EFORMAT, "%s is not an Avout store: it contains %s", path, name);
    }
    closedir(entries);
    return status;
}

avout_status avout__lmdb_directory_open(avout__lmdb_directory *directory, const char *path)
{
    struct stat about;
    if (!*path) return avout_fail(AVOUT_EURL, "the path of the embedded store is empty");
    avout_status status = make(path);
    if (status) return status;
    int file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return fail(errno, "cannot open the directory", path);
    if (fstat(file, &about)) {
        status = fail(errno, "cannot examine", path);
        goto done;
    }
    status = check_file_system(file, path);
    if (status) goto done;
    status = check_format(file, path);
    if (status == AVOUT_ENOTFOUND) {
        status = check_foreign(file, path);
        /* It may have become a store between the two looks. */
        if (status && !faccessat(file, FORMAT_FILE, F_OK, 0)) status = check_format(file, path);
    }
    if (status) goto done;
    directory->path = avout__strdup(path);
    if (!directory->path) {
        status = AVOUT_ENOMEM;
        goto done;
    }
    directory->device = about.st_dev;
    directory->inode = about.st_ino;
    directory->file = file;
    file = -1;
done:
    if (file >= 0) close(file);
    return status;
}

avout_status avout__lmdb_directory_format(const avout__lmdb_directory *directory)
{
    avout_status status = check_format(directory->file, directory->path);
    if (status != AVOUT_ENOTFOUND) return status;
    char text[64];
    size_t length = (size_t)snprintf(text, sizeof text, "%s%d\n", FORMAT_TEXT, AVOUT__LMDB_FORMAT);
    int file = openat(directory->file, FORMAT_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return fail(errno, "cannot write to", directory->path);
    ssize_t written = write(file, text, length);
    if (written >= 0 && (size_t)written < length) errno = ENOSPC;
    bool failed = written != (ssize_t)length || fsync(file);
    int error = errno;
    close(file);
    if (!failed) {
        failed = renameat(directory->file, FORMAT_NEW, directory->file, FORMAT_FILE) ||
                 fsync(directory->file);
        error = errno;
    }
    return failed ? fail(error, "cannot write to", directory->path) : AVOUT_OK;
}

void avout__lmdb_directory_close(avout__lmdb_directory *directory)
{
    if (directory->file >= 0) close(directory->file);
    avout__free(directory->path);
    *directory = (avout__lmdb_directory)AVOUT__LMDB_DIRECTORY_INIT;
}
