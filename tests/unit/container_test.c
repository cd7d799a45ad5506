/* The containers there are keep the contract, and the conformance suite finds those that do not. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../plugins/container-test/conformance.h"
#include "avout/file.h"
#include "avout.h"
#include "support/coded.h"
#include "support/shelf.h"
#include "support/test.h"
#include "support/vault.h"

/* Its lines are for people; here the number of failures counts. */
static int silenced(void)
{
    fflush(stdout);
    int out = dup(1), nowhere = open("/dev/null", O_WRONLY);
    CHECK(out >= 0 && nowhere >= 0);
    if (!getenv("CONFORMANCE_SHOWN")) dup2(nowhere, 1);
    close(nowhere);
    return out;
}

static int shown_again(int out, int failures)
{
    fflush(stdout);
    dup2(out, 1);
    close(out);
    return failures;
}

static int run_on(conformance_open_fn open_container, const char *place)
{
    int out = silenced();
    return shown_again(out, conformance_run(open_container, place));
}

static int run_unversioned_on(conformance_open_unversioned_fn open_container, const char *place)
{
    int out = silenced();
    return shown_again(out, conformance_run_unversioned(open_container, place));
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

static avout_status open_value(avout_container **container, const char *path)
{
    return avout_file_value_container(container, path, NULL);
}

TEST(files_of_one_value_conform)
{
    const char *path = place_in("deep/one");
    CHECK_INT(0, run_unversioned_on(open_value, path));
    CHECK_INT(0, run_unversioned_on(shelf_open, "shelf"));
    shelf_end();
}

TEST(files_conform_with_codecs)
{
    const char *path = place_in("coded");
    CHECK_INT(0, coded_conform_with(coded_own(), avout_file_container_coded, path));
    CHECK_INT(0, coded_conform_one_with(avout_codec_bytes(), avout_file_value_container,
                                        place_in("coded/one")));
}

static avout_status set_keyword(avout_txn *txn, void *ref)
{
    return avout_ref_set(txn, ref, avout_keyword("k"));
}

/* A codec is a part of how a name is opened, and of what is told. */
TEST(a_codec_is_not_exchanged_for_another)
{
    avout_versioned_container *values;
    avout_client *client;
    avout_ref *ref, *again;
    avout_value map;
    CHECK_OK(avout_connect("mem:codec", NULL, &client));
    CHECK_OK(avout_edn_read(&map, "{\"a\" 1}", 7, NULL, NULL));
    CHECK_OK(avout_file_container_coded(&values, place_in("other"), avout_codec_json()));
    CHECK_CONTAINS("/other (json)", values->place);
    CHECK_OK(avout_distributed_ref(&ref, client, "/r", values, avout_share(map), NULL));
    CHECK_OK(avout_file_container(&values, place_in("other")));
    CHECK_STATUS(AVOUT_ESTATE,
                 avout_distributed_ref(&again, client, "/r", values, avout_share(map), NULL));
    CHECK_OK(avout_file_container_coded(&values, place_in("other"), avout_codec_json()));
    CHECK_OK(avout_distributed_ref(&again, client, "/r", values, avout_nil(), NULL));
    CHECK_STATUS(AVOUT_ENOPRINT, avout_dosync(client, set_keyword, ref, NULL));
    CHECK_CONTAINS("/r: container file at ", avout_error_detail());
    CHECK_CONTAINS("/other (json): writing: codec json: encoding: ", avout_error_detail());
    avout_ref_close(again);
    avout_ref_close(ref);
    avout_close(client);
    avout_release(map);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(files_are_what_the_codec_writes)
{
    avout_versioned_container *values;
    avout_container *value;
    avout_value map, read;
    char path[256], bytes[64];
    snprintf(path, sizeof path, "%s/coded", test_directory());
    CHECK_OK(avout_edn_read(&map, "{\"a\" 1}", 7, NULL, NULL));
    CHECK_OK(avout_file_container_coded(&values, path, avout_codec_json()));
    CHECK_OK(values->ops->init(values, 1000));
    CHECK_OK(values->ops->set_state_at(values, "v-1", map, 1000));
    CHECK_OK(values->ops->get_state_at(&read, values, "v-1", 1000));
    CHECK(avout_value_equal(map, read));
    avout_release(read);
    values->ops->close(values);
    snprintf(path, sizeof path, "%s/coded/one.json", test_directory());
    CHECK_OK(avout_file_value_container(&value, path, avout_codec_json()));
    CHECK_OK(value->ops->init(value, 1000));
    CHECK_OK(value->ops->set_state(value, map, (avout_token){1, 1}, 1000));
    FILE *file = fopen(path, "r");
    CHECK(file);
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    CHECK_INT(7, (int64_t)length);
    CHECK(!memcmp(bytes, "{\"a\":1}", 7));
    value->ops->close(value);
    avout_release(map);
    const avout_codec wrong = {"Own", coded_own()->encode, coded_own()->decode, NULL},
                      lame = {"own", NULL, coded_own()->decode, NULL};
    CHECK_STATUS(AVOUT_EINVAL, avout_file_container_coded(&values, path, &wrong));
    CHECK_STATUS(AVOUT_EINVAL, avout_file_value_container(&value, path, &lame));
    CHECK_STATUS(AVOUT_EINVAL, avout_file_value_container(&value, "", NULL));
    CHECK_STATUS(AVOUT_EINVAL, avout_file_value_container(&value, "/dir/", NULL));
    CHECK_INT(0, avout_memory_blocks());
}

/* ---- what is synced ---------------------------------------------------------------------------------- */

static char synced[8][256];
static _Atomic int synced_count;

/* In the place of the C library's: notes what is synced. */
int fsync(int fd)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int at = atomic_fetch_add(&synced_count, 1) % 8;
    ssize_t length = readlink(link, synced[at], sizeof synced[at] - 1);
    synced[at][length < 0 ? 0 : length] = '\0';
    return (int)syscall(SYS_fsync, fd);
}

static bool was_synced(const char *path)
{
    for (int i = 0; i < 8; i++)
        if (!strcmp(synced[i], path)) return true;
    return false;
}

/* Who made a directory may have died before it was on the disk: what is confirmed in it must not go with it. */
TEST(directories_that_others_made_are_synced)
{
    avout_versioned_container *files;
    avout_container *one;
    char top[256], a[256];
    snprintf(top, sizeof top, "%s", test_directory());
    snprintf(a, sizeof a, "%s", place_in("a"));
    CHECK(!mkdir(a, 0777) && !mkdir(place_in("a/b"), 0777));
    CHECK_OK(avout_file_container(&files, place_in("a/b")));
    CHECK_OK(files->ops->init(files, 1000));
    CHECK(was_synced(a) && was_synced(top));
    files->ops->close(files);
    memset(synced, 0, sizeof synced);
    CHECK_OK(avout_file_value_container(&one, place_in("a/b/one"), NULL));
    CHECK_OK(one->ops->init(one, 1000));
    CHECK(was_synced(a) && was_synced(top));
    one->ops->close(one);
    /* One that may only be passed through. */
    CHECK(!chmod(a, 0111));
    CHECK_OK(avout_file_container(&files, place_in("a/b")));
    CHECK_OK(files->ops->init(files, 1000));
    files->ops->close(files);
    CHECK(!chmod(a, 0700));
}

/* A file that only its owner may read is not one for everybody after a change. */
TEST(a_file_of_one_value_keeps_its_permissions)
{
    static const mode_t modes[] = {0600, 0640, 0666};
    avout_container *value;
    avout_value number = avout_int(7);
    struct stat found;
    const char *path = place_in("one");
    umask(022);
    CHECK_OK(avout_file_value_container(&value, path, NULL));
    CHECK_OK(value->ops->init(value, 1000));
    for (uint64_t i = 0; i < 3; i++) {
        FILE *file = fopen(path, "w");
        CHECK(file && fputs("1", file) >= 0 && !fclose(file));
        CHECK(!chmod(path, modes[i]));
        CHECK_OK(value->ops->set_state(value, number, (avout_token){1, i}, 1000));
        CHECK(!stat(path, &found));
        CHECK_INT((int)modes[i], (int)(found.st_mode & 07777));
    }
    CHECK(!unlink(path));
    CHECK_OK(value->ops->set_state(value, number, (avout_token){2, 0}, 1000));
    CHECK(!stat(path, &found));
    CHECK_INT(0644, (int)(found.st_mode & 07777));
    value->ops->close(value);
    avout_release(number);
}

/* Who holds the lock next deletes what one that died in the middle has left, and nothing else. */
TEST(what_a_dead_writer_left_beside_a_file_of_one_value_goes)
{
    static const char *const names[] = {"one.new-0000000000000001-0000000000000001", "one.new-x",
                                        "one", "other.new-0000000000000001-0000000000000001"};
    avout_container *value;
    avout_value number = avout_int(7);
    for (size_t i = 0; i < 4; i++) {
        FILE *file = fopen(place_in(names[i]), "w");
        CHECK(file && fputs("1", file) >= 0 && !fclose(file));
    }
    CHECK_OK(avout_file_value_container(&value, place_in("one"), NULL));
    CHECK_OK(value->ops->init(value, 1000));
    CHECK(!access(place_in(names[0]), F_OK)); /* somebody may be writing it now */
    CHECK_OK(value->ops->set_state(value, number, (avout_token){2, 1}, 1000));
    CHECK(access(place_in(names[0]), F_OK));
    for (size_t i = 1; i < 4; i++) CHECK(!access(place_in(names[i]), F_OK));
    value->ops->close(value);
    avout_release(number);
}

/* The suite finds those that are wrong. */
static const avout_container_ops *good_shelf;

static avout_status forget_value(avout_container *c, avout_value value, avout_token token,
                                 int64_t timeout_ms)
{
    (void)value;
    avout_value other = avout_int(0);
    avout_status status = good_shelf->set_state(c, other, token, timeout_ms);
    avout_release(other);
    return status;
}

static avout_status keep_on(avout_container *c, int64_t timeout_ms)
{
    (void)c, (void)timeout_ms;
    return AVOUT_OK;
}

static avout_status open_forgetful(avout_container **container, const char *place)
{
    static avout_container_ops ops;
    avout_status status = shelf_open(container, place);
    if (status) return status;
    good_shelf = (*container)->ops;
    ops = *good_shelf;
    ops.set_state = forget_value;
    (*container)->ops = &ops;
    return AVOUT_OK;
}

static avout_status open_undying(avout_container **container, const char *place)
{
    static avout_container_ops ops;
    avout_status status = shelf_open(container, place);
    if (status) return status;
    ops = *(*container)->ops;
    ops.destroy = keep_on;
    (*container)->ops = &ops;
    return AVOUT_OK;
}

TEST(containers_of_one_value_that_do_not_keep_the_contract_are_found)
{
    CHECK(run_unversioned_on(open_forgetful, "shelf") >= 4);
    CHECK_INT(1, run_unversioned_on(open_undying, "other"));
    shelf_end();
}
