/* Store addresses and the registry of adapters. */
#include "support/test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store.h"

static char opened_with[1024];
static avout_store fake_store;

static avout_status fake_open(avout_store **store, const char *address,
                              const avout_options *options, const avout_listener *listener)
{
    CHECK(options != NULL);
    (void)listener;
    snprintf(opened_with, sizeof opened_with, "%s", address);
    *store = &fake_store;
    return AVOUT_OK;
}
static void fake_close(avout_store *store)
{
    opened_with[0] = '\0';
    (void)store;
}
static avout_status fake_submit(avout_store *store, const avout_request *requests, size_t count)
{
    (void)store, (void)requests, (void)count;
    return AVOUT_ECLOSED;
}
static void fake_info(avout_store *store, avout_store_info *info)
{
    (void)store;
    *info = (avout_store_info){0};
}

#define FAKE(scheme)                                                                               \
    {                                                                                              \
        AVOUT_STORE_OPS_VERSION, sizeof(avout_store_ops), scheme, fake_open, fake_close,           \
            fake_submit, fake_info, NULL                                                           \
    }
static const avout_store_ops zk = FAKE("zk"), lmdb = FAKE("lmdb"), mem = FAKE("mem");

static void register_all(void)
{
    CHECK_OK(avout__store_register(&lmdb));
    CHECK_OK(avout__store_register(&mem));
    CHECK_OK(avout__store_register(&zk));
}

static void is(const char *text, const char *scheme, const char *address)
{
    avout__url url;
    avout_status status = avout__url_parse(&url, text);
    if (status) test_failed(__FILE__, __LINE__, "%s: %s", text, avout_error_detail());
    CHECK_TEXT(scheme, url.scheme);
    CHECK_TEXT(address, url.address);
    avout__url_release(&url);
}

static void refused(const char *text, const char *why)
{
    avout__url url;
    avout_status status = avout__url_parse(&url, text);
    if (status != AVOUT_EURL)
        test_failed(__FILE__, __LINE__, "%s is %s", text, avout_status_name(status));
    CHECK_CONTAINS(why, avout_error_detail());
    CHECK(!url.scheme && !url.address);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(paths)
{
    register_all();
    is("lmdb:x", "lmdb", "x");
    is("lmdb:/a/b", "lmdb", "/a/b");
    is("lmdb:///a/b", "lmdb", "/a/b");
    is("LMDB:x", "lmdb", "x");
    is("/a/b", "lmdb", "/a/b");
    is("./a", "lmdb", "./a");
    is("a/", "lmdb", "a/");
    is("a/b:c", "lmdb", "a/b:c");
    is("lmdb:a@b", "lmdb", "a@b");
    is("mem:x", "mem", "x");
    refused("lmdb:", "nothing after");
    refused("mem://", "nothing after");
    CHECK_INT(0, avout_memory_blocks());
}

TEST(hosts)
{
    register_all();
    is("zk://h:1", "zk", "h:1");
    is("zk://h", "zk", "h:2181");
    is("zk:h", "zk", "h:2181");
    is("zk://h/", "zk", "h:2181");
    is("zk://h/a/b", "zk", "h:2181/a/b");
    is("zk://h:1,g,127.0.0.1:65535/c", "zk", "h:1,g:2181,127.0.0.1:65535/c");
    is("zk://[::1]", "zk", "[::1]:2181");
    is("zk://[fe80::1%eth0]:9,h", "zk", "[fe80::1%eth0]:9,h:2181");
    is("localhost", "zk", "localhost:2181");
    is("localhost:2182", "zk", "localhost:2182");
    is("a:1,b:2,c", "zk", "a:1,b:2,c:2181");
    is("[::1]:2181", "zk", "[::1]:2181");
    is("10.0.0.1", "zk", "10.0.0.1:2181");
}

TEST(bad_hosts)
{
    register_all();
    refused("zk://", "nothing after");
    refused("zk:///a", "a host name is missing");
    refused("zk://h:", "port");
    refused("zk://h:0", "port");
    refused("zk://h:65536", "port");
    refused("zk://h:99999999999999999999", "port");
    refused("zk://h:21x", "port");
    refused("zk://h,", "host name is missing");
    refused("zk://,h", "host name is missing");
    refused("zk://h h", "character");
    refused("zk://::1", "brackets");
    refused("fe80::1:2", "unknown kind of store \"fe80\"");
    refused("zk://fe80::1", "brackets");
    refused("zk://[::1", "not closed");
    refused("zk://[x]", "not an IPv6 address");
    refused("zk://[::1]x", "after the bracket");
    refused("zk://h/a//b", "empty segment at byte 3");
    refused("zk://h/a/", "slash at the end");
    refused("host:99999", "port");
}

TEST(doubtful_ones)
{
    register_all();
    refused("host:2181/a", "could be a path or hosts");
    refused("[::1]:2181/a", "could be a path or hosts");
    refused("etcd://h", "unknown kind of store \"etcd\"; known: lmdb, mem, zk");
    refused("etcd:x", "unknown kind of store \"etcd\"");
    refused("etcd:x/y", "unknown kind of store \"etcd\"");
}

TEST(credentials_are_not_shown)
{
    register_all();
    refused("zk://joe:secret@h", "options");
    CHECK(!strstr(avout_error_detail(), "secret"));
    refused("joe:secret@h", "store");
    CHECK(!strstr(avout_error_detail(), "secret"));
    refused("etcd://joe:secret@h", "etcd");
    CHECK(!strstr(avout_error_detail(), "secret"));
    refused("zk:joe:secret@h/x", "options");
    CHECK(!strstr(avout_error_detail(), "secret"));
}

TEST(default_place)
{
    register_all();
    char home[256], wanted[300];
    struct stat status;
    snprintf(home, sizeof home, "%s/home", test_directory());
    mkdir(home, 0700);
    setenv("AVOUT_STORE", "zk://there", 1);
    is(NULL, "zk", "there:2181");
    is("", "zk", "there:2181");
    is("mem:x", "mem", "x");
    setenv("AVOUT_STORE", "", 1);
    setenv("XDG_STATE_HOME", home, 1);
    snprintf(wanted, sizeof wanted, "%s/avout", home);
    is(NULL, "lmdb", wanted);
    setenv("XDG_STATE_HOME", "relative", 1);
    setenv("HOME", home, 1);
    snprintf(wanted, sizeof wanted, "%s/.local/state/avout", home);
    is(NULL, "lmdb", wanted);
    CHECK(stat(wanted, &status) != 0);
    snprintf(wanted, sizeof wanted, "%s/.local/state", home);
    CHECK(stat(wanted, &status) == 0 && S_ISDIR(status.st_mode) && (status.st_mode & 0777) == 0700);
    CHECK_INT(0, avout_memory_blocks());
    setenv("HOME", "/proc/none", 1);
    avout__url url;
    CHECK_STATUS(AVOUT_ESYSTEM, avout__url_parse(&url, NULL));
    CHECK_CONTAINS("mkdir /proc/none", avout_error_detail());
}

static avout_status parse_and_release(void *text)
{
    avout__url url;
    avout_status status = avout__url_parse(&url, text);
    avout__url_release(&url);
    return status;
}

TEST(no_memory)
{
    register_all();
    static char hosts[] = "zk://h:1,g/x", path[] = "/a/b", nothing[] = "";
    char home[256];
    snprintf(home, sizeof home, "%s/home", test_directory());
    mkdir(home, 0700);
    setenv("HOME", home, 1);
    unsetenv("AVOUT_STORE");
    unsetenv("XDG_STATE_HOME");
    test_each_allocation_fails(parse_and_release, hosts);
    test_each_allocation_fails(parse_and_release, path);
    test_each_allocation_fails(parse_and_release, nothing);
}

static void not_registered(avout_store_ops ops, const char *why)
{
    CHECK_STATUS(AVOUT_EINVAL, avout__store_register(&ops));
    CHECK_CONTAINS(why, avout_error_detail());
}

TEST(incomplete_adapters_are_refused)
{
    CHECK_STATUS(AVOUT_EINVAL, avout__store_register(NULL));
    avout_store_ops ops = zk;
    ops.version = 2;
    not_registered(ops, "version 2");
    ops = zk, ops.size = 8;
    not_registered(ops, "size 8");
    ops = zk, ops.scheme = NULL;
    not_registered(ops, "scheme");
    ops = zk, ops.scheme = "Z";
    not_registered(ops, "scheme");
    ops = zk, ops.open = NULL;
    not_registered(ops, "zk: open is missing");
    ops = zk, ops.close = NULL;
    not_registered(ops, "close");
    ops = zk, ops.submit = NULL;
    not_registered(ops, "submit");
    ops = zk, ops.info = NULL;
    not_registered(ops, "info");
    CHECK_OK(avout__store_register(&zk));
    CHECK_OK(avout__store_register(&zk));
    not_registered(zk, "there is one already");
    CHECK(avout__store_find("zk") == &zk);
    CHECK(!avout__store_find("lmdb"));
}

TEST(open_by_address)
{
    avout_store *store;
    CHECK_STATUS(AVOUT_EURL, avout__store_open(&store, "/a/b", NULL, NULL));
    CHECK_CONTAINS("unknown kind of store \"lmdb\"", avout_error_detail());
    register_all();
    CHECK_OK(avout__store_open(&store, "h", NULL, NULL));
    CHECK_TEXT("h:2181", opened_with);
    fake_store.ops = &zk;
    avout__store_close(store);
    avout__store_close(NULL);
    CHECK_TEXT("", opened_with);
    CHECK_INT(0, avout_memory_blocks());
}
