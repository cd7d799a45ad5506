#include "support/small_disk.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "support/test.h"

static bool write_to(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (!file) return false;
    fputs(text, file);
    return !fclose(file);
}

/* We stay who we are, and may mount. */
static bool become_mounter(uid_t user, gid_t group)
{
    char line[64];
    if (!user) return !unshare(CLONE_NEWNS);
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) || !write_to("/proc/self/setgroups", "deny"))
        return false;
    snprintf(line, sizeof line, "%u %u 1\n", (unsigned)user, (unsigned)user);
    if (!write_to("/proc/self/uid_map", line)) return false;
    snprintf(line, sizeof line, "%u %u 1\n", (unsigned)group, (unsigned)group);
    return write_to("/proc/self/gid_map", line);
}

static void write_options(char options[64], int kilobytes)
{
    snprintf(options, 64, "size=%dk,mode=0777", kilobytes);
}

void test_small_disk(const char *directory, int kilobytes)
{
    static bool is_mounter;
    char options[64];
    write_options(options, kilobytes);
    if (!is_mounter) is_mounter = become_mounter(geteuid(), getegid());
    if (!is_mounter || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("small", directory, "tmpfs", 0, options))
        test_skip("no small disk: %s; root that may mount, or user namespaces, are needed",
                  strerror(errno));
}

void test_small_disk_resize(const char *directory, int kilobytes)
{
    char options[64];
    write_options(options, kilobytes);
    if (mount("small", directory, "tmpfs", MS_REMOUNT | (kilobytes ? 0 : MS_RDONLY),
              kilobytes ? options : NULL))
        test_failed(__FILE__, __LINE__, "remounting %s: %s", directory, strerror(errno));
}
