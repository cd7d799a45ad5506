/* One value in one file: what a rename answers whose own answer was lost, as on NFS. The rename is ours here, and fails as it is told. Test-tags: single */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "avout/file.h"
#include "avout/sys/container.h"
#include "support/server.h"
#include "support/test.h"
#include "support/value.h"

enum { TIMEOUT_MS = 5000 };

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
