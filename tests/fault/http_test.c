/* The HTTP container on a real server and on one made for it: the contract, what lies on the server, what the
 * server refuses, TLS, addresses.
 * Test-tags: threads */
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../plugins/container-test/conformance.h"
#include "avout/edn.h"
#include "avout/http.h"
#include "avout/memory.h"
#include "http/request.h"
#include "support/coded.h"
#include "support/edn_random.h"
#include "support/http_script.h"
#include "support/output.h"
#include "support/test.h"
#include "support/value.h"
#include "support/webdav.h"

enum { TIMEOUT_MS = 20000 };

static avout_versioned_container *new_at(const char *place)
{
    avout_versioned_container *container;
    CHECK_OK(avout_http_container(&container, place));
    return container;
}

static avout_versioned_container *open_at(const char *place)
{
    avout_versioned_container *container = new_at(place);
    CHECK_OK(container->ops->init(container, TIMEOUT_MS));
    return container;
}

static avout_versioned_container *open_on(const test_server *server, const char *path)
{
    char place[TEST_PLACE];
    return open_at(test_webdav_place(place, server, path));
}

static avout_status set_text(avout_versioned_container *c, const char *version, const char *edn)
{
    avout_value value = test_edn(edn);
    avout_status status = c->ops->set_state_at(c, version, value, TIMEOUT_MS);
    avout_release(value);
    return status;
}

static avout_status get_text(char text[256], avout_versioned_container *c, const char *version)
{
    avout_value value;
    avout_status status = c->ops->get_state_at(&value, c, version, TIMEOUT_MS);
    if (status) return status;
    char *printed;
    CHECK_OK(avout_edn_text(&printed, NULL, value));
    snprintf(text, 256, "%s", printed);
    avout_edn_free(printed);
    avout_release(value);
    return AVOUT_OK;
}

static void check_text(avout_versioned_container *c, const char *version, const char *edn)
{
    char text[256];
    CHECK_OK(get_text(text, c, version));
    CHECK_TEXT(edn, text);
}

static avout_status list(char names[256], avout_versioned_container *c);

/* ---- the contract ---------------------------------------------------------------------------------- */

static int conform(const char *place)
{
    output turned = output_to_stderr();
    int failures = conformance_run(avout_http_container, place);
    output_back(&turned);
    return failures;
}

TEST_WITHIN(it_conforms_where_conditions_are_ignored, 120)
{
    char place[TEST_PLACE];
    test_server *server = test_webdav_start();
    CHECK_INT(0, conform(test_webdav_place(place, server, "dav/a/b/c")));
    CHECK_INT(0, avout_memory_blocks());
}

TEST_WITHIN(it_conforms_where_conditions_are_heeded, 120)
{
    http_script *script = http_script_start(NULL);
    CHECK_INT(0, conform(http_script_place(script)));
    CHECK(http_script_count(script, "PUT") > 10);
    CHECK(http_script_count(script, "MKCOL") == 0);
    http_script_end(script);
    CHECK_INT(0, avout_memory_blocks());
}

TEST_WITHIN(it_conforms_with_codecs, 120)
{
    char place[TEST_PLACE];
    test_server *server = test_webdav_start();
    CHECK_INT(0, coded_conform(avout_http_container_coded,
                               test_webdav_place(place, server, "dav/coded")));
    CHECK_INT(0, coded_conform_one(avout_http_value_container,
                                   test_webdav_place(place, server, "dav/deep/er/one")));
    http_script *script = http_script_start(NULL);
    CHECK_INT(0, coded_conform(avout_http_container_coded, http_script_place(script)));
    CHECK(http_script_count(script, "MKCOL") == 0);
    http_script_end(script);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(random_values_come_back)
{
    test_server *server = test_webdav_start();
    avout_versioned_container *c = open_on(server, "dav/random");
    edn_random random = {.seed = 11};
    for (int i = 0; i < 150; i++) {
        char version[32], *text = edn_random_text(&random);
        avout_value value = test_edn(text), back;
        snprintf(version, sizeof version, "random-%d", i);
        CHECK_OK(c->ops->set_state_at(c, version, value, TIMEOUT_MS));
        CHECK_OK(c->ops->get_state_at(&back, c, version, TIMEOUT_MS));
        test_check_same(value, back);
        avout_release(back);
        avout_release(value);
        free(text);
    }
    c->ops->close(c);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(values_of_several_megabytes_come_back)
{
    enum { SIZE = 9 << 20 };
    test_server *server = test_webdav_start();
    avout_versioned_container *c = open_on(server, "dav/large");
    char *text = malloc(SIZE);
    CHECK(text);
    for (size_t i = 0; i < SIZE; i++) text[i] = (char)('a' + i % 23);
    avout_value value = avout_string_n(text, SIZE), back;
    CHECK_OK(c->ops->set_state_at(c, "large-1", value, TIMEOUT_MS));
    CHECK_OK(c->ops->get_state_at(&back, c, "large-1", TIMEOUT_MS));
    CHECK(avout_value_equal(value, back));
    avout_release(back);
    avout__http_limit.answer = SIZE; /* its text and what stands behind it are more */
    CHECK_STATUS(AVOUT_ELIMIT, c->ops->get_state_at(&back, c, "large-1", TIMEOUT_MS));
    avout_release(value);
    free(text);
    c->ops->close(c);
}

/* ---- what lies there ---------------------------------------------------------------------------------- */

static void path_on(char path[400], const test_server *server, const char *name)
{
    snprintf(path, 400, "%s/files/%s", test_server_directory(server), name);
}

static void rewrite(const char *path, const char *text, size_t length)
{
    FILE *file = fopen(path, "w");
    CHECK(file && fwrite(text, 1, length, file) == length && !fclose(file));
}

static size_t read_file(char text[256], const char *path)
{
    FILE *file = fopen(path, "r");
    CHECK(file);
    size_t length = fread(text, 1, 255, file);
    fclose(file);
    text[length] = '\0';
    return length;
}

TEST(any_edn_reader_reads_it_and_what_was_altered_is_refused)
{
    char path[400], text[256], seen[256];
    test_server *server = test_webdav_start();
    avout_versioned_container *c = open_on(server, "dav/people");
    CHECK_OK(set_text(c, "ann-1", "{:name \"Ann\", :age 42}"));
    path_on(path, server, "dav/people/ann-1.edn");
    size_t length = read_file(text, path);
    CHECK_CONTAINS("{:name \"Ann\", :age 42}\n; avout ", text);
    avout_value value;
    CHECK_OK(avout_edn_read(&value, text, length, NULL, NULL));
    avout_release(value);
    /* Cut anywhere, or another digit. */
    for (size_t cut = 0; cut < length; cut++) {
        rewrite(path, text, cut);
        CHECK_STATUS(AVOUT_EDATA, get_text(seen, c, "ann-1"));
    }
    *strchr(text, '4') = '3';
    rewrite(path, text, length);
    CHECK_STATUS(AVOUT_EDATA, get_text(seen, c, "ann-1"));
    CHECK_CONTAINS("not whole", avout_error_detail());
    *strchr(text, '3') = '4';
    rewrite(path, text, length);
    check_text(c, "ann-1", "{:name \"Ann\", :age 42}");
    c->ops->close(c);
}

static avout_status add_name(const char *version, void *payload)
{
    strcat(strcat(payload, version), " ");
    return AVOUT_OK;
}

static avout_status list(char names[256], avout_versioned_container *c)
{
    *names = '\0';
    return c->ops->list_versions(c, add_name, names, TIMEOUT_MS);
}

TEST(strangers_are_not_listed)
{
    static const char *const strangers[] = {
        "readme",   "read me.txt", "Not-a-version.edn",   "a b.edn",
        ".edn",     "a%41.edn",    "x.edn.bak",           "probe",
        "v-2.Json", "v-2.json~",   "avout-probe-1.claim", "avout-probe-2.edn"};
    char path[400], names[256];
    test_server *server = test_webdav_start();
    avout_versioned_container *c = open_on(server, "dav/mixed");
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        char name[100];
        snprintf(name, sizeof name, "dav/mixed/%s", strangers[i]);
        path_on(path, server, name);
        rewrite(path, "1", 1);
    }
    CHECK_OK(list(names, c));
    CHECK_TEXT("", names);
    CHECK_OK(set_text(c, "v-1", "1"));
    CHECK_OK(list(names, c));
    CHECK_TEXT("v-1 ", names);
    c->ops->close(c);
}

/* Nothing else is left of opening it. */
TEST(opening_leaves_nothing_behind_and_the_place_may_go)
{
    char path[400];
    test_server *server = test_webdav_start();
    avout_versioned_container *c = open_on(server, "dav/deep/er/place/");
    path_on(path, server, "dav/deep/er/place");
    CHECK(!rmdir(path));
    CHECK_OK(set_text(c, "v-1", "7"));
    check_text(c, "v-1", "7");
    CHECK_OK(c->ops->delete_state_at(c, "v-1", TIMEOUT_MS));
    CHECK(!rmdir(path));
    char names[256];
    CHECK_OK(list(names, c));
    CHECK_TEXT("", names);
    c->ops->close(c);
}

/* ---- codecs ---------------------------------------------------------------------------------------------- */

static avout_versioned_container *json_on(const test_server *server, const char *path)
{
    char place[TEST_PLACE];
    avout_versioned_container *c;
    CHECK_OK(
        avout_http_container_coded(&c, test_webdav_place(place, server, path), avout_codec_json()));
    CHECK_OK(c->ops->init(c, TIMEOUT_MS));
    return c;
}

static bool is_file(const test_server *server, const char *name)
{
    char path[400];
    path_on(path, server, name);
    return !access(path, F_OK);
}

TEST(resources_are_what_the_codec_writes)
{
    char path[400], text[256], seal[256], names[256];
    test_server *server = test_webdav_start();
    avout_versioned_container *c = json_on(server, "dav/j"), *plain = open_on(server, "dav/j");
    CHECK_CONTAINS("/dav/j/ (json)", c->place);
    CHECK_OK(set_text(c, "v-1", "{\"port\" {}}"));
    path_on(path, server, "dav/j/v-1.json");
    size_t length = read_file(text, path);
    CHECK_TEXT("{\"port\":{}}", text);
    check_text(c, "v-1", "{\"port\" {}}");
    /* Cut anywhere, altered, sealed with something else. */
    for (size_t cut = 0; cut < length; cut++) {
        rewrite(path, text, cut);
        CHECK_STATUS(AVOUT_EDATA, get_text(seal, c, "v-1"));
        CHECK_CONTAINS("not whole", avout_error_detail());
    }
    rewrite(path, "{\"pork\":{}}", length);
    CHECK_STATUS(AVOUT_EDATA, get_text(seal, c, "v-1"));
    rewrite(path, text, length);
    path_on(path, server, "dav/j/v-1.seal");
    size_t sealed = read_file(seal, path);
    CHECK_CONTAINS(" json\n", seal);
    rewrite(path, seal, 3);
    CHECK_STATUS(AVOUT_EDATA, get_text(text, c, "v-1"));
    rewrite(path, seal, sealed);
    check_text(c, "v-1", "{\"port\" {}}");
    /* Whatever the codec, one who collects finds it once, and takes all of it. */
    CHECK_OK(list(names, plain));
    CHECK_TEXT("v-1 ", names);
    CHECK_STATUS(AVOUT_ENOTFOUND, get_text(text, plain, "v-1"));
    CHECK_OK(plain->ops->delete_state_at(plain, "v-1", TIMEOUT_MS));
    CHECK(!is_file(server, "dav/j/v-1.json") && !is_file(server, "dav/j/v-1.seal"));
    CHECK(!is_file(server, "dav/j/v-1.claim"));
    CHECK_OK(list(names, c));
    CHECK_TEXT("", names);
    /* What the codec does not keep is not written. */
    CHECK_STATUS(AVOUT_ENOPRINT, set_text(c, "v-2", ":key"));
    CHECK_CONTAINS("codec json: encoding: ", avout_error_detail());
    CHECK_OK(list(names, plain));
    CHECK_TEXT("", names);
    c->ops->close(c);
    plain->ops->close(plain);
    CHECK_INT(0, avout_memory_blocks());
}

static void put_file(const test_server *server, const char *name, const char *text)
{
    char path[400];
    path_on(path, server, name);
    rewrite(path, text, strlen(text));
}

/* Who collects takes what any codec has written, or left, all of it, and is told of it by the list. */
TEST(who_collects_need_not_know_the_codec)
{
    static const char sealed[] = "avout 0123456789abcdef 0123456789abcdef own\n";
    char names[256];
    test_server *server = test_webdav_start();
    avout_versioned_container *plain = open_on(server, "dav/c"), *json = json_on(server, "dav/c");
    avout_versioned_container *const both[] = {plain, json};
    for (size_t i = 0; i < 2; i++) {
        avout_versioned_container *c = both[i];
        CHECK_OK(set_text(plain, "v-1", "1"));
        CHECK_OK(set_text(json, "v-2", "2"));
        put_file(server, "dav/c/v-3.own", "3");
        put_file(server, "dav/c/v-3.seal", sealed);
        put_file(server, "dav/c/v-4.own", "late");
        put_file(server, "dav/c/v-4x.own", "another one");
        put_file(server, "dav/c/v-5.seal", "av");
        CHECK_OK(list(names, c));
        CHECK_TEXT("v-1 v-2 v-3 v-4 v-4x v-5 ", names);
        static const char *const versions[] = {"v-1", "v-2", "v-3", "v-4", "v-5", "v-6"};
        for (size_t j = 0; j < sizeof versions / sizeof *versions; j++)
            CHECK_OK(c->ops->delete_state_at(c, versions[j], TIMEOUT_MS));
        CHECK_OK(list(names, c));
        CHECK_TEXT("v-4x ", names);
        CHECK_OK(c->ops->delete_state_at(c, "v-4x", TIMEOUT_MS));
        CHECK_OK(list(names, c));
        CHECK_TEXT("", names);
    }
    plain->ops->close(plain);
    json->ops->close(json);
}

/* Some servers answer to DELETE of what is not there as if it had been. */
static http_script_deed delete_always(int fd, const http_script_request *request)
{
    const char *suffix = strrchr(request->path, '.');
    if (strcmp(request->method, "DELETE") || !suffix || strcmp(suffix, ".edn")) return HTTP_SERVE;
    http_script_answer(fd, 204, "", "");
    return HTTP_ANSWERED;
}

TEST(what_is_sealed_is_collected_though_the_server_calls_nothing_absent)
{
    char names[256];
    http_script *script = http_script_start(delete_always);
    avout_versioned_container *plain, *json;
    CHECK_OK(avout_http_container(&plain, http_script_place(script)));
    CHECK_OK(avout_http_container_coded(&json, http_script_place(script), avout_codec_json()));
    CHECK_OK(json->ops->init(json, TIMEOUT_MS));
    CHECK_OK(set_text(json, "v-1", "1"));
    CHECK_OK(plain->ops->delete_state_at(plain, "v-1", TIMEOUT_MS));
    CHECK_OK(list(names, json));
    CHECK_TEXT("", names);
    plain->ops->close(plain);
    json->ops->close(json);
    http_script_end(script);
}

static avout_container *one_on(const char *place, const avout_codec *codec)
{
    avout_container *c;
    CHECK_OK(avout_http_value_container(&c, place, codec));
    return c;
}

static avout_status set_one(avout_container *c, const char *edn, uint64_t point)
{
    avout_value value;
    CHECK_OK(avout_edn_read(&value, edn, strlen(edn), NULL, NULL));
    avout_status status = c->ops->set_state(c, value, (avout_token){point, 0}, TIMEOUT_MS);
    avout_release(value);
    return status;
}

static avout_status get_one(char text[256], avout_container *c)
{
    avout_value value;
    char *printed;
    avout_status status = c->ops->get_state(&value, c, TIMEOUT_MS);
    if (status) return status;
    CHECK_OK(avout_edn_text(&printed, NULL, value));
    snprintf(text, 256, "%s", printed);
    avout_edn_free(printed);
    avout_release(value);
    return AVOUT_OK;
}

TEST(one_value_is_a_resource_that_others_read)
{
    char path[400], text[256], place[TEST_PLACE];
    test_server *server = test_webdav_start();
    avout_container *c =
        one_on(test_webdav_place(place, server, "dav/deep/er/app.json"), avout_codec_json());
    CHECK_CONTAINS("/dav/deep/er/app.json (json)", c->place);
    CHECK_OK(c->ops->init(c, TIMEOUT_MS));
    CHECK_STATUS(AVOUT_ENOTFOUND, get_one(text, c));
    CHECK_OK(set_one(c, "[1 nil]", 1)); /* makes the place */
    path_on(path, server, "dav/deep/er/app.json");
    read_file(text, path);
    CHECK_TEXT("[1,null]", text);
    rewrite(path, " [2 , true] ", 12);
    CHECK_OK(get_one(text, c));
    CHECK_TEXT("[2 true]", text);
    rewrite(path, "{", 1);
    CHECK_STATUS(AVOUT_EDATA, get_one(text, c));
    CHECK_CONTAINS("codec json: decoding: ", avout_error_detail());
    CHECK_OK(c->ops->init(c, TIMEOUT_MS));
    CHECK_STATUS(AVOUT_ENOPRINT, set_one(c, "(1)", 2));
    CHECK_OK(set_one(c, "3", 3));
    CHECK_OK(c->ops->destroy(c, TIMEOUT_MS));
    CHECK(!is_file(server, "dav/deep/er/app.json"));
    c->ops->close(c);
    c = one_on(test_webdav_place(place, server, "reading/app.json"), NULL);
    CHECK_OK(c->ops->init(c, TIMEOUT_MS));
    CHECK_STATUS(AVOUT_EPERM, set_one(c, "3", 3));
    c->ops->close(c);
    c = one_on(test_webdav_place(place, server, "secret/app.json"), NULL);
    CHECK_STATUS(AVOUT_EAUTH, c->ops->init(c, TIMEOUT_MS));
    c->ops->close(c);
    CHECK_INT(0, avout_memory_blocks());
}

/* Looks at tokens, as a service should; keeps what the last request's head had. */
static char last_head[600], greatest[40];

static http_script_deed look_at_token(int fd, const http_script_request *request)
{
    snprintf(last_head, sizeof last_head, "%s", request->head);
    const char *token = strcasestr(request->head, "\r\nAvout-Token: ");
    if (!token) return HTTP_SERVE;
    if (strncmp(token + 15, greatest, 33) < 0) {
        http_script_answer(fd, 412, "", "");
        return HTTP_ANSWERED;
    }
    snprintf(greatest, 34, "%s", token + 15);
    return HTTP_SERVE;
}

TEST(requests_for_one_value_say_what_and_by_whom)
{
    char text[256], place[100];
    http_script *script = http_script_start(look_at_token);
    static const struct {
        const avout_codec *(*codec)(void);
        const char *type, *value;
    } cases[] = {{avout_codec_edn, "application/edn", "1"},
                 {avout_codec_json, "application/json", "1"},
                 {avout_codec_bytes, "application/octet-stream", "#avout/bytes \"\""}};
    for (size_t i = 0; i < 3; i++) {
        snprintf(place, sizeof place, "%sone-%zu", http_script_place(script), i);
        avout_container *c = one_on(place, cases[i].codec());
        CHECK_OK(set_one(c, cases[i].value, 4 * i + 2));
        CHECK_CONTAINS(cases[i].type, strcasestr(last_head, "\r\nContent-Type: "));
        CHECK_OK(get_one(text, c));
        CHECK_TEXT(cases[i].value, text);
        CHECK_CONTAINS(cases[i].type, strcasestr(last_head, "\r\nAccept: "));
        CHECK_STATUS(AVOUT_EVERSION, set_one(c, cases[i].value, 4 * i + 1));
        CHECK_CONTAINS("token", avout_error_detail());
        CHECK_OK(set_one(c, cases[i].value, 4 * i + 2));
        c->ops->close(c);
    }
    http_script_end(script);
}

TEST(what_is_no_codec_or_no_resource_is_refused)
{
    avout_versioned_container *c;
    avout_container *one;
    static const char *const names[] = {"Own", "", "edn", "claim", "seal", NULL};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        avout_codec codec = *coded_own();
        codec.name = names[i];
        CHECK_STATUS(AVOUT_EINVAL, avout_http_container_coded(&c, "http://h/", &codec));
        CHECK_CONTAINS("codec", avout_error_detail());
    }
    for (size_t i = 3; i < 5; i++) { /* whatever it writes */
        avout_codec codec = *avout_codec_edn();
        codec.name = names[i];
        CHECK_STATUS(AVOUT_EINVAL, avout_http_container_coded(&c, "http://h/", &codec));
    }
    avout_codec lame = {"own", coded_own()->encode, NULL, NULL};
    CHECK_STATUS(AVOUT_EINVAL, avout_http_value_container(&one, "http://h/x", &lame));
    static const char *const places[] = {"http://u:sesame@h", "http://u:sesame@h/",
                                         "http://u:sesame@h/x/", "http://u:sesame@h/x?y", ""};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        CHECK_STATUS(AVOUT_EINVAL, avout_http_value_container(&one, places[i], NULL));
        CHECK(!strstr(avout_error_detail(), "sesame"));
    }
    CHECK_STATUS(AVOUT_EINVAL, avout_http_value_container(&one, NULL, NULL));
    one = one_on("http://ann:sesame@h:81/x/y.json", NULL);
    CHECK_TEXT("http://h:81/x/y.json", one->place);
    one->ops->close(one);
    CHECK_INT(0, avout_memory_blocks());
}

/* ---- what the server refuses ---------------------------------------------------------------------------- */

static void check_init(avout_status expected, const char *place)
{
    avout_versioned_container *c = new_at(place);
    CHECK_STATUS(expected, c->ops->init(c, TIMEOUT_MS));
    CHECK(*avout_error_detail());
    CHECK(!strstr(avout_error_detail(), "sesame") && !strstr(c->place, "sesame"));
    CHECK(!strstr(c->place, "ann"));
    c->ops->close(c);
}

TEST(refusals_are_told)
{
    char place[TEST_PLACE], names[256];
    test_server *server = test_webdav_start();
    check_init(AVOUT_EAUTH, test_webdav_place(place, server, "secret/"));
    snprintf(place, sizeof place, "http://ann:close%%20sesame@127.0.0.1:%d/secret/",
             test_server_port(server));
    check_init(AVOUT_EAUTH, place);
    snprintf(place, sizeof place, "http://ann:open%%20sesame@127.0.0.1:%d/secret/here",
             test_server_port(server));
    avout_versioned_container *c = open_at(place);
    CHECK_OK(set_text(c, "v-1", "1"));
    check_text(c, "v-1", "1");
    c->ops->close(c);
    check_init(AVOUT_EPERM, test_webdav_place(place, server, "reading/"));
    c = open_on(server, "small/");
    char large[1200];
    snprintf(large, sizeof large, "\"%01100d\"", 0);
    CHECK_STATUS(AVOUT_ELIMIT, set_text(c, "v-1", large));
    CHECK_CONTAINS("413", avout_error_detail());
    CHECK_OK(list(names, c));
    CHECK_TEXT("v-1 ", names); /* half made, to be deleted */
    CHECK_OK(c->ops->delete_state_at(c, "v-1", TIMEOUT_MS));
    CHECK_OK(set_text(c, "v-1", "1"));
    c->ops->close(c);
    c = open_on(server, "plain/");
    CHECK_OK(set_text(c, "v-1", "1"));
    CHECK_STATUS(AVOUT_ENOTSUP, list(names, c));
    c->ops->close(c);
}

TEST(redirections_are_followed_for_reading_alone)
{
    char place[TEST_PLACE], text[256];
    test_server *server = test_webdav_start();
    avout_versioned_container *c = open_on(server, "dav/"),
                              *moved = new_at(test_webdav_place(place, server, "moved/"));
    CHECK_OK(set_text(c, "v-1", "1"));
    CHECK_OK(get_text(text, moved, "v-1"));
    CHECK_STATUS(AVOUT_EIO, moved->ops->init(moved, TIMEOUT_MS));
    CHECK_CONTAINS("302", avout_error_detail());
    moved->ops->close(moved);
    c->ops->close(c);
}

/* ---- TLS ---------------------------------------------------------------------------------------------------- */

TEST(certificates_are_verified)
{
    char place[TEST_PLACE], certificate[400];
    test_server *server = test_webdav_start_tls();
    snprintf(place, sizeof place, "https://127.0.0.1:%d/dav/", test_server_port(server));
    unsetenv("CURL_CA_BUNDLE");
    unsetenv("SSL_CERT_FILE");
    check_init(AVOUT_EAUTH, place);
    CHECK_CONTAINS("certificate", avout_error_detail());
    snprintf(certificate, sizeof certificate, "%s/ca", test_server_directory(server));
    setenv("CURL_CA_BUNDLE", certificate, 1);
    avout_versioned_container *c = open_at(place);
    CHECK_OK(set_text(c, "v-1", "1"));
    check_text(c, "v-1", "1");
    c->ops->close(c);
}

/* ---- addresses ------------------------------------------------------------------------------------------------ */

TEST(what_is_no_address_is_refused)
{
    static const char *const places[] = {"",
                                         "/dav",
                                         "ftp://host/",
                                         "http://",
                                         "http:///path",
                                         "http://user:sesame@",
                                         "http://user:sesame@/path",
                                         "http://user:sesame%zz@host/",
                                         "http://user:sesame%00@host/",
                                         "http://us%3Aer:sesame@host/",
                                         "http://user:12/sesame@host/",
                                         "http://user:sesame@host:port/",
                                         "http://user:sesame@host:123456/",
                                         "http://user:sesame@host/a?b=c",
                                         "http://user:sesame@host/#sesame",
                                         "http://user:sesame@host/a b",
                                         "http://user:sesame@ho st/",
                                         "http://user:sesame@host/a\r\nX-Sesame: 1"};
    avout_versioned_container *c;
    CHECK_STATUS(AVOUT_EINVAL, avout_http_container(&c, NULL));
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        CHECK_STATUS(AVOUT_EINVAL, avout_http_container(&c, places[i]));
        if (strstr(avout_error_detail(), "sesame"))
            test_failed(__FILE__, __LINE__, "%s: %s", places[i], avout_error_detail());
    }
    CHECK_OK(avout_http_container(&c, "HTTPS://ann:se@same@[::1]:8443/plans"));
    CHECK_TEXT("https://[::1]:8443/plans/", c->place);
    c->ops->close(c);
    CHECK_OK(avout_http_container(&c, "http://host"));
    CHECK_TEXT("http://host/", c->place);
    c->ops->close(c);
}

/* Or a program that is started would hold it. */
TEST(connections_are_closed_when_another_program_is_run)
{
    test_server *server = test_webdav_start();
    avout_versioned_container *c = open_on(server, "dav/");
    int found = 0;
    for (int fd = 3; fd < 1000; fd++) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &size) ||
            ntohs(peer.sin_port) != test_server_port(server))
            continue;
        CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        found++;
    }
    CHECK(found > 0);
    c->ops->close(c);
}

TEST(containers_of_one_server_share_their_connections)
{
    http_script *script = http_script_start(NULL);
    avout_versioned_container *c[10];
    char place[100];
    for (int i = 0; i < 10; i++) {
        snprintf(place, sizeof place, "%s%d", http_script_place(script), i % 2);
        c[i] = open_at(place);
        CHECK_STATUS(i < 2 ? AVOUT_OK : AVOUT_EEXISTS, set_text(c[i], "v-1", "1"));
        check_text(c[i], "v-1", "1");
    }
    CHECK_INT(1, http_script_connections(script));
    /* What a server can is asked once for each place: twice PUT, and 10 versions. */
    CHECK_INT(2 * 2 + 10, http_script_count(script, "PUT"));
    for (int i = 0; i < 10; i++) c[i]->ops->close(c[i]);
    http_script_end(script);
}
