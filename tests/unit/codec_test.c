/* Codecs: what lies in the store is what they write, and everything else is as it was. */
#include <string.h>

#include "base/clock.h"
#include "store/mem/mem.h"
#include "store/store.h"
#include "support/suite.h"
#include "support/value.h"

__attribute__((constructor)) static void use(void)
{
    suite_use(suite_mem_url);
}

static avout_store *store(void)
{
    return avout__mem_handle(suite_url() + 4, 0);
}

static void check_node(const char *name, const char *bytes, size_t length)
{
    char path[200];
    snprintf(path, sizeof path, "/avout/cells%s", name);
    avout_request get = {.kind = AVOUT_REQUEST_GET, .path = path};
    avout__reply reply;
    CHECK_OK(avout__store_call(&reply, store(), &get, avout__deadline_in_ms(10000)));
    CHECK_INT((int64_t)length, (int64_t)reply.is.length);
    CHECK(!memcmp(bytes, reply.is.bytes, length));
    avout__reply_release(&reply);
}

static void put_node(const char *name, const char *bytes)
{
    char path[200];
    snprintf(path, sizeof path, "/avout/cells%s", name);
    avout_op op = {.kind = AVOUT_OP_SET,
                   .path = path,
                   .version = AVOUT_VERSION_ANY,
                   .bytes = bytes,
                   .length = strlen(bytes)};
    avout_request request = {.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1};
    CHECK_OK(avout__store_call(NULL, store(), &request, avout__deadline_in_ms(10000)));
}

TEST(json_lies_in_the_store_as_json)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_ref *ref, *seen;
    avout_value value;
    CHECK_OK(avout_ref_create_coded(&ref, client, "/config", avout_codec_json(),
                                    test_edn("{\"port\" 8080}"), NULL));
    check_node("/config", "{\"port\":8080}", 13);
    CHECK_OK(avout_ref_open_coded(&seen, other, "/config", avout_codec_json()));
    put_node("/config", " {\"port\": 9090, \"hosts\": [\"a\"]}\n");
    CHECK_OK(avout_ref_deref_strict(&value, seen, 0));
    avout_value expected = test_edn("{\"port\" 9090 \"hosts\" [\"a\"]}");
    CHECK(avout_value_equal(value, expected));
    avout_release(value);
    avout_release(expected);
    put_node("/config", "{\"port\": }");
    CHECK_STATUS(AVOUT_EDATA, avout_ref_deref_strict(&value, seen, 0));
    CHECK_CONTAINS("/config: codec json: decoding: stored bytes are not JSON: line 1, column 10",
                   avout_error_detail());
    avout_ref_close(ref);
    avout_ref_close(seen);
    avout_close(other);
    suite_close(client);
    suite_check_memory();
}

TEST(what_json_cannot_bring_back_is_not_committed)
{
    avout_client *client = suite_connect();
    avout_atom *atom;
    avout_value value;
    CHECK_STATUS(AVOUT_ENOPRINT, avout_atom_create_coded(&atom, client, "/a", avout_codec_json(),
                                                         test_edn("{:a 1}"), NULL));
    CHECK_CONTAINS("a key that is a keyword", avout_error_detail());
    CHECK_OK(
        avout_atom_create_coded(&atom, client, "/a", avout_codec_json(), test_edn("[]"), NULL));
    CHECK_STATUS(AVOUT_ENOPRINT, avout_reset(atom, test_edn("(1 2)"), NULL));
    CHECK_CONTAINS("codec json: encoding: a list", avout_error_detail());
    CHECK_OK(avout_atom_deref(&value, atom));
    avout_value empty = test_edn("[]");
    CHECK(avout_value_equal(empty, value));
    avout_release(value);
    avout_release(empty);
    avout_atom_close(atom);
    suite_close(client);
    suite_check_memory();
}

/* Some of these bytes are what the library itself writes into nodes, and must not be taken for it. */
TEST(bytes_lie_in_the_store_as_they_are)
{
    static const char *const texts[] = {"\377\001 raw", "", "nil",
                                        "#avout/state {:kind \"chunks\", :version \"0-0\"}",
                                        "#avout/state {:kind \"file\", :version \"0-0\"}"};
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_atom *atom, *seen;
    CHECK_OK(avout_atom_create_coded(&atom, client, "/raw", avout_codec_bytes(),
                                     avout_bytes("first", 5), NULL));
    check_node("/raw", "first", 5);
    CHECK_OK(avout_atom_open_coded(&seen, other, "/raw", avout_codec_bytes()));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        avout_value value, expected = avout_bytes(texts[i], strlen(texts[i]));
        CHECK_OK(avout_reset(atom, avout_share(expected), NULL));
        CHECK_OK(avout_atom_deref_strict(&value, seen, 0));
        CHECK(avout_value_equal(value, expected));
        avout_release(value);
        avout_release(expected);
        if (!i) check_node("/raw", texts[i], strlen(texts[i]));
    }
    CHECK_STATUS(AVOUT_ENOPRINT, avout_reset(atom, avout_string("text"), NULL));
    avout_atom_close(atom);
    avout_atom_close(seen);
    avout_close(other);
    suite_close(client);
    suite_check_memory();
}

/* ---- one's own ------------------------------------------------------------------------------------------ */

typedef struct shift {
    unsigned char by;
    avout_status fails;
} shift;

static avout_status shift_encode(avout_value value, avout_edn_sink add, void *to, void *payload)
{
    const shift *s = payload;
    const char *text;
    size_t length;
    if (s->fails) return avout_fail(s->fails, "on purpose");
    avout_status status = avout_value_to_text(&text, &length, value);
    for (size_t i = 0; !status && i < length; i++) {
        char c = (char)(text[i] + s->by);
        status = add(&c, 1, to);
    }
    return status;
}

static avout_status shift_decode(avout_value *value, const char *bytes, size_t length,
                                 void *payload)
{
    const shift *s = payload;
    char text[64];
    if (s->fails) return s->fails;
    for (size_t i = 0; i < length && i < sizeof text; i++) text[i] = (char)(bytes[i] - s->by);
    return avout_put(value, avout_string_n(text, length < sizeof text ? length : sizeof text));
}

static avout_status decode_to_nothing(avout_value *value, const char *bytes, size_t length,
                                      void *payload)
{
    (void)value, (void)bytes, (void)length, (void)payload;
    return AVOUT_OK;
}

TEST(a_codec_of_ones_own)
{
    shift s = {1, AVOUT_OK}, wrong = {1, AVOUT_RETRY};
    avout_codec codec = {"shift", shift_encode, shift_decode, &s};
    avout_codec failing = {"failing", shift_encode, shift_decode, &wrong};
    const avout_codec empty = {"empty", shift_encode, decode_to_nothing, &s};
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_ref *ref, *again, *seen;
    avout_value value;
    CHECK_OK(avout_ref_create_coded(&ref, client, "/s", &codec, avout_string("HAL"), NULL));
    check_node("/s", "IBM", 3);
    /* The same way again is the same ref; another way it is not opened. */
    CHECK_OK(avout_ref_open_coded(&again, client, "/s", &codec));
    avout_ref_close(again);
    CHECK_OK(avout_ref_open(&again, client, "/s"));
    avout_ref_close(again);
    CHECK_STATUS(AVOUT_ESTATE, avout_ref_open_coded(&again, client, "/s", avout_codec_json()));
    CHECK_STATUS(AVOUT_ESTATE, avout_ref_open_coded(&again, client, "/s", avout_codec_edn()));
    CHECK_OK(avout_ref_open_coded(&seen, other, "/s", &codec));
    CHECK_OK(avout_ref_deref(&value, seen));
    const char *text;
    CHECK_OK(avout_value_to_text(&text, NULL, value));
    CHECK_TEXT("HAL", text);
    avout_release(value);
    avout_ref_close(seen);
    /* What a codec answers is a codec's failure, whatever it is. */
    CHECK_OK(avout_ref_open_coded(&seen, other, "/s", &failing));
    CHECK_STATUS(AVOUT_EDATA, avout_ref_deref(&value, seen));
    CHECK_CONTAINS("/s: codec failing: decoding", avout_error_detail());
    avout_ref_close(seen);
    CHECK_OK(avout_ref_open_coded(&seen, other, "/s", &empty));
    CHECK_STATUS(AVOUT_EDATA, avout_ref_deref(&value, seen));
    CHECK_CONTAINS("/s: codec empty: decoding", avout_error_detail());
    avout_ref_close(seen);
    CHECK_STATUS(AVOUT_ENOPRINT,
                 avout_ref_create_coded(&seen, other, "/t", &failing, avout_string("x"), NULL));
    CHECK_CONTAINS("codec failing: encoding: on purpose", avout_error_detail());
    avout_ref_close(ref);
    avout_close(other);
    suite_close(client);
    suite_check_memory();
}

TEST(a_codec_that_is_none_is_refused)
{
    avout_client *client = suite_connect();
    avout_ref *ref;
    const avout_codec bad[] = {
        {"Shift", shift_encode, shift_decode, NULL},
        {"shift it", shift_encode, shift_decode, NULL},
        {"a-name-of-one-letter-more-than-it-m", shift_encode, shift_decode, NULL},
        {"", shift_encode, shift_decode, NULL},
        {NULL, shift_encode, shift_decode, NULL},
        {"x", NULL, shift_decode, NULL},
        {"x", shift_encode, NULL, NULL}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_STATUS(AVOUT_EINVAL,
                     avout_ref_create_coded(&ref, client, "/x", &bad[i], avout_int(1), NULL));
    CHECK_STATUS(AVOUT_EINVAL, avout_ref_open_coded(&ref, client, "/x", NULL));
    suite_close(client);
    suite_check_memory();
}
