/* The embedded adapter's directory: created, shared, refused. */
#include "support/lmdb.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "avout/memory.h"

#define GET AVOUT_REQUEST_GET
#define EXISTS AVOUT_REQUEST_EXISTS

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CHECK(file);
    fputs(text, file);
    CHECK_INT(0, fclose(file));
}

static int entries(const char *path)
{
    DIR *directory = opendir(path);
    int count = -2;
    CHECK(directory);
    while (readdir(directory)) count++;
    closedir(directory);
    return count;
}

static void refused(avout_status status, const char *part, const char *path)
{
    lmdb_client c;
    CHECK_STATUS(status, lmdb_try_open(&c, path, NULL));
    CHECK_CONTAINS(part, avout_error_detail());
    CHECK_INT(0, avout_memory_blocks());
}

TEST(it_is_created_with_its_parents_for_its_owner_alone)
{
    lmdb_client c;
    struct stat about;
    umask(0);
    lmdb_open(&c, lmdb_path("some/where/deep"), NULL);
    CHECK_OK(contract_one(&c.client, op_create("/a", "here")));
    lmdb_close(&c);
    static const char *const made[] = {"some", "some/where", "some/where/deep"};
    for (int i = 0; i < 3; i++) {
        CHECK_INT(0, stat(lmdb_path(made[i]), &about));
        CHECK_INT(0700, about.st_mode & 07777);
    }
    CHECK_INT(0, stat(lmdb_path("some/where/deep/data.mdb"), &about));
    CHECK_INT(0600, about.st_mode & 07777);
    /* Relative, and with a slash at the end, it is the same. */
    CHECK_INT(0, chdir(lmdb_path("some")));
    lmdb_open(&c, "where/deep/", NULL);
    contract_check_text(&c.client, "/a", "here");
    lmdb_close(&c);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(an_existing_empty_directory_will_do)
{
    lmdb_client c;
    lmdb_open(&c, test_directory(), NULL);
    lmdb_close(&c);
}

TEST(foreign_content_is_refused_and_left_alone)
{
    write_file(lmdb_path("letter.txt"), "dear");
    refused(AVOUT_EFORMAT, "letter.txt", test_directory());
    CHECK_INT(1, entries(test_directory()));
    /* Another program's LMDB is foreign too. */
    CHECK_INT(0, mkdir(lmdb_path("other"), 0700));
    write_file(lmdb_path("other/data.mdb"), "x");
    refused(AVOUT_EFORMAT, "data.mdb", lmdb_path("other"));
    CHECK_INT(1, entries(lmdb_path("other")));
    refused(AVOUT_EFORMAT, "letter.txt: Not a directory", lmdb_path("letter.txt"));
    refused(AVOUT_EFORMAT, "letter.txt", lmdb_path("letter.txt/store"));
    refused(AVOUT_EURL, "empty", "");
    char name[300];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    refused(AVOUT_EURL, "nnn", name);
}

TEST(another_format_is_refused)
{
    lmdb_client c;
    lmdb_open(&c, lmdb_path("store"), NULL);
    lmdb_close(&c);
    write_file(lmdb_path("store/avout.format"), "avout embedded store, format 2\n");
    refused(AVOUT_EFORMAT, "format 2", lmdb_path("store"));
    write_file(lmdb_path("store/avout.format"), "something else\n");
    refused(AVOUT_EFORMAT, "avout.format", lmdb_path("store"));
    write_file(lmdb_path("store/avout.format"), "avout embedded store, format 1\n");
    lmdb_open(&c, lmdb_path("store"), NULL);
    lmdb_close(&c);
}

TEST(damaged_data_are_refused)
{
    lmdb_client c;
    lmdb_open(&c, lmdb_path("store"), NULL);
    lmdb_close(&c);
    int file = open(lmdb_path("store/data.mdb"), O_WRONLY);
    static const char junk[8192] = "junk";
    CHECK_INT(sizeof junk, pwrite(file, junk, sizeof junk, 0));
    close(file);
    refused(AVOUT_EFORMAT, "store", lmdb_path("store"));
    CHECK_INT(0, truncate(lmdb_path("store/data.mdb"), 100));
    refused(AVOUT_EFORMAT, "store", lmdb_path("store"));
}

/* What an opening leaves that was killed before it had written the format is no foreign content. */
TEST(the_remains_of_an_unfinished_creation_are_no_obstacle)
{
    lmdb_client c;
    CHECK_INT(0, mkdir(lmdb_path("store"), 0700));
    write_file(lmdb_path("store/sessions"), "");
    write_file(lmdb_path("store/avout.format.new"), "avout emb");
    lmdb_open(&c, lmdb_path("store"), NULL);
    lmdb_close(&c);
    CHECK_INT(0, unlink(lmdb_path("store/data.mdb")));
    CHECK_INT(0, unlink(lmdb_path("store/lock.mdb")));
    write_file(lmdb_path("store/wake"), "short");
    lmdb_open(&c, lmdb_path("store"), NULL);
    CHECK_OK(contract_one(&c.client, op_create("/a", "")));
    lmdb_close(&c);
}

TEST(without_permission)
{
    lmdb_client c;
    CHECK_INT(0, chmod(test_directory(), 0755));
    lmdb_open(&c, lmdb_path("store"), NULL);
    lmdb_close(&c);
    CHECK_INT(0, mkdir(lmdb_path("bare"), 0755));
    CHECK_INT(0, chmod(lmdb_path("bare"), 0555));
    CHECK_INT(0, chmod(lmdb_path("store"), 0555));
    CHECK_INT(0, chmod(lmdb_path("store/sessions"), 0444));
    if (geteuid() == 0) CHECK_INT(0, seteuid(65534));
    refused(AVOUT_EPERM, "store", lmdb_path("store"));
    refused(AVOUT_EPERM, "bare", lmdb_path("bare"));
    refused(AVOUT_EPERM, "bare/new", lmdb_path("bare/new"));
    if (getuid() == 0) CHECK_INT(0, seteuid(0));
    CHECK_INT(0, entries(lmdb_path("bare")));
    /* So that its owner can remove it, root or not. */
    CHECK_INT(0, chmod(lmdb_path("store"), 0755));
}

TEST(one_process_may_open_it_several_times)
{
    lmdb_client a, b, c;
    avout_store_info of_a, of_b;
    CHECK_INT(0, mkdir(lmdb_path("store"), 0700));
    CHECK_INT(0, symlink("store", lmdb_path("link")));
    lmdb_open(&a, lmdb_path("store"), NULL);
    lmdb_open(&b, lmdb_path("link"), NULL);
    a.client.store->ops->info(a.client.store, &of_a);
    b.client.store->ops->info(b.client.store, &of_b);
    CHECK(of_a.session != of_b.session);
    CHECK_INT(AVOUT_FOREVER, of_a.session_timeout_ms);
    CHECK_INT(0, of_a.max_armed);
    CHECK_OK(contract_one(&a.client, op_create("/a", "1")));
    CHECK_OK(contract_one(&a.client, op_ephemeral("/e")));
    CHECK_OK(contract_read(&b.client, NULL, GET, "/a", true));
    CHECK_OK(contract_read(&b.client, NULL, EXISTS, "/e", true));
    CHECK_OK(contract_one(&a.client, op_set("/a", "2", 0)));
    lmdb_wait_events(&b, 1);
    /* One of them closed: the others go on, and its ephemerals alone are gone. */
    CHECK_OK(contract_one(&b.client, op_ephemeral("/f")));
    lmdb_close(&a);
    lmdb_wait_events(&b, 2);
    CHECK_INT(1, atomic_load(&b.deleted));
    contract_check_text(&b.client, "/a", "2");
    lmdb_open(&c, lmdb_path("store"), NULL);
    CHECK_OK(contract_read(&c.client, NULL, EXISTS, "/f", true));
    CHECK_OK(contract_one(&b.client, op_set("/a", "3", 1)));
    contract_check_text(&c.client, "/a", "3");
    lmdb_close(&b);
    lmdb_wait_events(&c, 1);
    lmdb_close(&c);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(who_opens_and_does_not_finish_costs_others_their_timeout)
{
    lmdb_client c;
    avout_options options = {.connect_timeout_ms = 200};
    lmdb_open(&c, lmdb_path("store"), NULL);
    lmdb_close(&c);
    int file = open(lmdb_path("store/sessions"), O_RDWR);
    struct flock opening = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    CHECK_INT(0, fcntl(file, F_OFD_SETLK, &opening));
    CHECK_STATUS(AVOUT_ETIMEOUT, lmdb_try_open(&c, lmdb_path("store"), &options));
    CHECK_INT(0, avout_memory_blocks());
    close(file);
    lmdb_open(&c, lmdb_path("store"), &options);
    lmdb_close(&c);
}

static avout_point created(const char *path, const avout_options *options, bool again)
{
    lmdb_client c;
    avout__reply reply;
    lmdb_open(&c, lmdb_path("store"), options);
    avout_op op = again ? op_set(path, "", AVOUT_VERSION_ANY) : op_create(path, "");
    CHECK_OK(contract_multi(&c.client, &reply, &op, 1));
    avout_point point = reply.is.point;
    CHECK_INT(point, reply.is.results[0].stat.changed);
    avout__reply_release(&reply);
    lmdb_close(&c);
    return point;
}

/* In the lazy modes sequence numbers may repeat after a power loss: the epoch in front must not. */
TEST(points_grow_and_lazy_openings_begin_an_epoch)
{
    avout_options lazy = {.durability = AVOUT_DURABLE_LAZY},
                  none = {.durability = AVOUT_DURABLE_NONE};
    avout_point first = created("/a", NULL, false), second = created("/a", NULL, true);
    CHECK_INT(first + 1, second);
    avout_point third = created("/a", &lazy, true), fourth = created("/a", &none, true);
    CHECK_INT((second >> 40) + 1, third >> 40);
    CHECK_INT((third >> 40) + 1, fourth >> 40);
    avout_point fifth = created("/a", NULL, true), sixth = created("/a", NULL, true);
    CHECK_INT((fourth >> 40) + 1, fifth >> 40);
    CHECK_INT(fifth + 1, sixth);
}

TEST(the_strongest_durability_asked_for_holds_for_the_process)
{
    lmdb_client a, b;
    avout_options none = {.durability = AVOUT_DURABLE_NONE};
    lmdb_open(&a, lmdb_path("store"), &none);
    CHECK_OK(contract_one(&a.client, op_create("/a", "1")));
    lmdb_open(&b, lmdb_path("store"), NULL);
    CHECK_OK(contract_one(&b.client, op_set("/a", "2", 0)));
    lmdb_close(&a);
    CHECK_OK(contract_one(&b.client, op_set("/a", "3", 1)));
    lmdb_close(&b);
}

static avout_status use(void *payload)
{
    lmdb_client c;
    (void)payload;
    avout_status status = lmdb_try_open(&c, lmdb_path("store"), NULL);
    if (status) return status;
    avout_op ops[] = {op_set("/a", "x", AVOUT_VERSION_ANY), op_check("/", 0)};
    status = contract_multi(&c.client, NULL, ops, 2);
    if (!status) status = contract_read(&c.client, NULL, GET, "/a", true);
    if (!status) status = contract_read(&c.client, NULL, AVOUT_REQUEST_LIST, "/", true);
    if (!status) status = contract_one(&c.client, op_set("/a", "y", AVOUT_VERSION_ANY));
    lmdb_close(&c);
    return status;
}

/* Without memory a request fails as a whole or is done as a whole; nothing is left behind. */
TEST(each_allocation_may_fail)
{
    lmdb_client c;
    lmdb_open(&c, lmdb_path("store"), NULL);
    CHECK_OK(contract_one(&c.client, op_create("/a", "")));
    lmdb_close(&c);
    test_each_allocation_fails(use, NULL);
}
