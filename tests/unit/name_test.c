/* Names of atoms, refs and locks. */
#include "support/test.h"

#include <stdlib.h>

#include "store/store.h"

TEST(good_names)
{
    static const char *const good[] = {
        "/a",
        "/a/b",
        "/a.b",
        "/..a",
        "/a..",
        "/...",
        "/.a/b.",
        "/a b",
        "/\xc3\xa4/\xe2\x82\xac",
        "/\xef\xa4\x80" /* U+F900 */,
        "/\xef\xbf\xaf" /* U+FFEF */,
        "/\xed\x9f\xbf" /* U+D7FF */,
        "/\xc2\xa0",
        "/~",
        "/a:b",
        "/zookeeper",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) CHECK_OK(avout__name_check(good[i]));
}

static void refused(const char *name, const char *why)
{
    avout_status status = avout__name_check(name);
    if (status != AVOUT_ENAME)
        test_failed(__FILE__, __LINE__, "\"%s\" is %s", name, avout_status_name(status));
    CHECK_CONTAINS(why, avout_error_detail());
}

TEST(bad_names)
{
    refused(NULL, "NULL");
    refused("", "empty");
    refused("/", "root");
    refused("a", "\"a\": does not begin with a slash at byte 0");
    refused("a/b", "slash at byte 0");
    refused("//", "empty segment at byte 1");
    refused("/a//b", "empty segment at byte 3");
    refused("/a/", "slash at the end at byte 2");
    refused("/.", "segment \".\" at byte 1");
    refused("/a/./b", "segment \".\" at byte 3");
    refused("/a/..", "segment \"..\" at byte 3");
    refused("/../a", "segment \"..\" at byte 1");
}

TEST(bad_characters)
{
    refused("/a\n", "name \"/a\\x0a\": control character at byte 2");
    refused("/a\x1f", "control character at byte 2");
    refused("/\x7f", "control character at byte 1");
    refused("/\xc2\x80", "name \"/\\xc2\\x80\": control character at byte 1");
    refused("/\xc2\x9f", "control character");
    refused("/\xee\x80\x80", "ZooKeeper does not allow in names at byte 1"); /* U+E000 */
    refused("/\xef\xa3\xbf", "ZooKeeper");                                   /* U+F8FF */
    refused("/\xef\xbf\xb0", "ZooKeeper");                                   /* U+FFF0 */
    refused("/\xef\xbf\xbd", "ZooKeeper");                                   /* U+FFFD */
    refused("/a\xf0\x9f\x98\x80", "ZooKeeper does not allow in names at byte 2");
}

TEST(bad_utf8)
{
    refused("/\xff", "name \"/\\xff\": not valid UTF-8 at byte 1");
    refused("/ab\x80", "UTF-8 at byte 3");
    refused("/\xc0\xaf", "UTF-8 at byte 1");         /* overlong slash */
    refused("/\xe0\x80\xaf", "UTF-8 at byte 1");     /* overlong */
    refused("/\xed\xa0\x80", "UTF-8 at byte 1");     /* surrogate */
    refused("/\xf4\x90\x80\x80", "UTF-8 at byte 1"); /* beyond U+10FFFF */
    refused("/\xe2\x82", "UTF-8 at byte 1");         /* cut off */
    refused("/\xf0\x9f\x98", "UTF-8 at byte 1");
}

TEST(longest_name)
{
    char name[AVOUT__NAME_MAX + 2];
    memset(name, 'x', sizeof name);
    name[0] = '/';
    name[AVOUT__NAME_MAX] = '\0';
    CHECK_OK(avout__name_check(name));
    name[AVOUT__NAME_MAX] = 'x';
    name[AVOUT__NAME_MAX + 1] = '\0';
    refused(name, "...: 1025 bytes, more than the limit of 1024");
}

TEST(quote_is_safe)
{
    char out[AVOUT__QUOTE_SIZE];
    CHECK_TEXT("\"/\xc3\xa4\\x22\\x5c\\x1b\"", avout__quote(out, "/\xc3\xa4\"\\\x1b"));
    char text[1000];
    for (int fill = 0; fill < 3; fill++) {
        memset(text, "a\xff\n"[fill], sizeof text);
        text[sizeof text - 1] = '\0';
        avout__quote(out, text);
        CHECK(strlen(out) < sizeof out);
        CHECK_TEXT("\"...", out + strlen(out) - 4);
    }
    CHECK_TEXT("\"\"", avout__quote(out, ""));
}
