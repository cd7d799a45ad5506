/* The containers there are keep the contract, and the conformance suite finds those that do not. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../plugins/container-test/conformance.h"
#include "avout/file.h"
#include "support/test.h"
#include "support/vault.h"

/* Its lines are for people; here the number of failures counts. */
static int run_on(conformance_open_fn open_container, const char *place)
{
    fflush(stdout);
    int out = dup(1), nowhere = open("/dev/null", O_WRONLY);
    CHECK(out >= 0 && nowhere >= 0);
    if (!getenv("CONFORMANCE_SHOWN")) dup2(nowhere, 1);
    int failures = conformance_run(open_container, place);
    fflush(stdout);
    dup2(out, 1);
    close(out);
    close(nowhere);
    return failures;
}

static const char *place_in(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", test_directory(), name);
    return path;
}

TEST(files_conform)
{
    CHECK_INT(0, run_on(avout_file_container, place_in("deep/below/values/")));
    CHECK_INT(0, avout_memory_blocks());
}

TEST(the_containers_of_the_tests_conform)
{
    CHECK_INT(0, run_on(vault_open, "place"));
    vault_end();
}

static const avout_versioned_container_ops *good;

static avout_status set_over(avout_versioned_container *c, const char *version, avout_value value,
                             int64_t timeout_ms)
{
    good->delete_state_at(c, version, timeout_ms);
    return good->set_state_at(c, version, value, timeout_ms);
}

static avout_status get_nil(avout_value *value, avout_versioned_container *c, const char *version,
                            int64_t timeout_ms)
{
    avout_status status = good->get_state_at(value, c, version, timeout_ms);
    if (status != AVOUT_ENOTFOUND) return status;
    *value = avout_nil();
    return AVOUT_OK;
}

static avout_status set_inexact(avout_versioned_container *c, const char *version,
                                avout_value value, int64_t timeout_ms)
{
    if (avout_value_type(value) != AVOUT_TYPE_DECIMAL)
        return good->set_state_at(c, version, value, timeout_ms);
    avout_value other = avout_float(1.5);
    avout_status status = good->set_state_at(c, version, other, timeout_ms);
    avout_release(other);
    return status;
}

static avout_status list_nothing(avout_versioned_container *c, avout_version_fn found,
                                 void *payload, int64_t timeout_ms)
{
    (void)c, (void)found, (void)payload, (void)timeout_ms;
    return AVOUT_OK;
}

static avout_status keep(avout_versioned_container *c, const char *version, int64_t timeout_ms)
{
    (void)c, (void)version, (void)timeout_ms;
    return AVOUT_OK;
}

static avout_versioned_container_ops bad;

static avout_status open_bad(avout_versioned_container **container, const char *place)
{
    avout_status status = vault_open(container, place);
    if (!status) (*container)->ops = &bad;
    return status;
}

TEST(the_suite_finds_what_is_wrong)
{
    avout_versioned_container *container;
    CHECK_OK(vault_open(&container, "place"));
    good = container->ops;
    container->ops->close(container);
    for (int i = 0; i < 6; i++) {
        bad = *good;
        if (i == 0) bad.set_state_at = set_over;
        if (i == 1) bad.get_state_at = get_nil;
        if (i == 2) bad.set_state_at = set_inexact;
        if (i == 3) bad.list_versions = list_nothing;
        if (i == 4) bad.delete_state_at = keep;
        if (i == 5) bad.kind = "No Word";
        vault_lose("place");
        if (!run_on(open_bad, "place"))
            test_failed(__FILE__, __LINE__, "bad container %d passes", i);
    }
}

TEST(a_directory_that_cannot_be_is_reported)
{
    avout_versioned_container *container;
    CHECK_STATUS(AVOUT_EINVAL, avout_file_container(&container, ""));
    const char *path = place_in("file");
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0);
    close(fd);
    CHECK_OK(avout_file_container(&container, path));
    CHECK_STATUS(AVOUT_EIO, container->ops->init(container, 1000));
    CHECK_CONTAINS("no directory", avout_error_detail());
    container->ops->close(container);
    CHECK_OK(avout_file_container(&container, "/proc/none/below"));
    CHECK(container->ops->init(container, 1000) != AVOUT_OK);
    container->ops->close(container);
}

TEST(bytes_that_are_no_value_are_reported_with_their_place)
{
    avout_versioned_container *container;
    avout_value value;
    char file[300];
    CHECK_OK(avout_file_container(&container, place_in("values")));
    CHECK_OK(container->ops->init(container, 1000));
    snprintf(file, sizeof file, "%s/1-2-3", container->place);
    FILE *out = fopen(file, "w");
    CHECK(out && fputs("{:a\n 1 :b}", out) >= 0 && !fclose(out));
    CHECK_STATUS(AVOUT_EDATA, container->ops->get_state_at(&value, container, "1-2-3", 1000));
    CHECK_CONTAINS("line 2", avout_error_detail());
    container->ops->close(container);
}
