/* One value in one file: what a rename answers whose own answer was lost, as on NFS, and for whom the file is when
 * another than its owner replaces it. The rename is ours here, and fails as it is told. Test-tags: single */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "avout/file.h"
#include "avout/sys/container.h"
#include "support/server.h"
#include "support/test.h"
#include "support/value.h"

enum { TIMEOUT_MS = 5000, NOBODY = 65534, SHARED_GROUP = 4242 };

static struct {
    int number; /* 0: no failure */
    bool happens;
} broken;

int rename(const char *from, const char *to)
{
    int number = broken.number;
    if (number) broken.number = 0;
    if ((!number || broken.happens) && renameat(AT_FDCWD, from, AT_FDCWD, to)) return -1;
    errno = number;
    return number ? -1 : 0;
}

static const char *path(void)
{
    return test_server_text("%s/value", test_directory());
}

static avout_container *open_file(void)
{
    avout_container *container;
    CHECK_OK(avout_file_value_container(&container, path(), NULL));
    CHECK_OK(container->ops->init(container, TIMEOUT_MS));
    return container;
}

static avout_status set(avout_container *container, int number)
{
    char text[AVOUT_TOKEN_SIZE];
    avout_token token = {.point = (uint64_t)number, .count = 1};
    avout_status status =
        container->ops->set_state(container, avout_int(number), token, TIMEOUT_MS);
    CHECK(access(test_server_text("%s.new-%s", path(), avout_token_text(text, token)), F_OK));
    return status;
}

static void check_is(avout_container *container, int number)
{
    avout_value value;
    CHECK_OK(container->ops->get_state(&value, container, TIMEOUT_MS));
    CHECK_INT(number, test_take_int(value));
}

/* The server has made it, and says so to nobody: what was asked once more finds nothing to rename. */
TEST(a_rename_whose_answer_was_lost_has_happened)
{
    static const int numbers[] = {ENOENT, EIO, ETIMEDOUT, ESTALE, EINTR, EACCES};
    avout_container *container = open_file();
    CHECK_OK(set(container, 1));
    for (int i = 0; i < 6; i++) {
        broken.number = numbers[i], broken.happens = true;
        CHECK_OK(set(container, 10 + i));
        check_is(container, 10 + i);
    }
    container->ops->close(container);
}

/* It may still be on its way: what was to be renamed is taken away. */
TEST(a_rename_that_may_have_happened_is_unknown)
{
    static const int numbers[] = {ENOENT, EIO, ETIMEDOUT, ESTALE, EINTR};
    avout_container *container = open_file();
    CHECK_OK(set(container, 1));
    for (int i = 0; i < 5; i++) {
        broken.number = numbers[i], broken.happens = false;
        CHECK_STATUS(AVOUT_UNKNOWN, set(container, 10 + i));
        CHECK_CONTAINS("replacing the file", avout_error_detail());
        check_is(container, i ? 9 + i : 1);
        CHECK_OK(set(container, 10 + i));
        check_is(container, 10 + i);
    }
    container->ops->close(container);
}

TEST(a_rename_that_is_refused_has_not_happened)
{
    static const struct {
        int number;
        avout_status status;
    } refusals[] = {{EACCES, AVOUT_EPERM},    {EPERM, AVOUT_EPERM},     {EROFS, AVOUT_EPERM},
                    {ENOSPC, AVOUT_ENOSPACE}, {EDQUOT, AVOUT_ENOSPACE}, {EISDIR, AVOUT_EIO}};
    avout_container *container = open_file();
    CHECK_OK(set(container, 1));
    for (int i = 0; i < 6; i++) {
        broken.number = refusals[i].number, broken.happens = false;
        CHECK_STATUS(refusals[i].status, set(container, 2));
        check_is(container, 1);
    }
    container->ops->close(container);
}

/* ---- for whom it is -------------------------------------------------------------------------------------- */

static void make(avout_container *container, mode_t mode, gid_t group)
{
    CHECK_OK(set(container, 1));
    if (!geteuid()) CHECK(!chown(path(), 0, group));
    CHECK(!chmod(path(), mode));
}

static void check_kept(avout_container *container, mode_t mode, uid_t owner, gid_t group)
{
    struct stat found;
    CHECK_OK(set(container, 2));
    CHECK(!stat(path(), &found));
    CHECK_INT(mode, found.st_mode & 0777);
    CHECK_INT(owner, found.st_uid);
    CHECK_INT(group, found.st_gid);
    CHECK(!unlink(path()));
}

/* As a service in the group does that is not the owner. */
static void become_nobody(void)
{
    const gid_t shared = SHARED_GROUP;
    CHECK(!chmod(test_directory(), 0777));
    CHECK(!setgroups(1, &shared) && !setegid(NOBODY) && !seteuid(NOBODY));
}

static void become_root(void)
{
    CHECK(!seteuid(0) && !setegid(0));
}

TEST(permissions_stay)
{
    avout_container *container = open_file();
    make(container, 0640, getegid());
    check_kept(container, 0640, geteuid(), getegid());
    if (!geteuid()) {
        make(container, 0660, SHARED_GROUP);
        check_kept(container, 0660, 0, SHARED_GROUP);
    }
    container->ops->close(container);
}

TEST(who_cannot_keep_the_owner_keeps_the_group)
{
    avout_container *container = open_file();
    if (!geteuid()) {
        make(container, 0660, SHARED_GROUP);
        become_nobody();
        check_kept(container, 0660, NOBODY, SHARED_GROUP);
        become_root();
    }
    container->ops->close(container);
}

TEST(a_group_that_cannot_be_kept_leaves_nothing_to_another)
{
    static const mode_t modes[][2] = {{0660, 0600}, {0664, 0644}, {0666, 0666},
                                      {0640, 0600}, {0626, 0626}, {0606, 0606}};
    avout_container *container = open_file();
    for (int i = 0; !geteuid() && i < 6; i++) {
        make(container, modes[i][0], SHARED_GROUP + 1);
        become_nobody();
        check_kept(container, modes[i][1], NOBODY, NOBODY);
        become_root();
    }
    container->ops->close(container);
}
