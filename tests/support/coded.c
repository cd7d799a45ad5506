#include "support/coded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../plugins/container-test/conformance.h"
#include "avout/edn.h"
#include "support/output.h"
#include "support/test.h"

/* ---- a codec of one's own --------------------------------------------------------------------------- */

static avout_status own_encode(avout_value value, avout_edn_sink add, void *to, void *payload)
{
    const char *text;
    size_t length;
    (void)payload;
    avout_status status = avout_value_to_text(&text, &length, value);
    char *turned = malloc(length + 1);
    CHECK(turned);
    for (size_t i = 0; !status && i < length; i++) turned[i] = (char)(text[i] + 1);
    if (!status) status = add(turned, length, to);
    free(turned);
    return status;
}

static avout_status own_decode(avout_value *value, const char *bytes, size_t length, void *payload)
{
    (void)payload;
    char *text = malloc(length + 1);
    CHECK(text);
    for (size_t i = 0; i < length; i++) text[i] = (char)(bytes[i] - 1);
    avout_status status = avout_put(value, avout_string_n(text, length));
    free(text);
    return status;
}

const avout_codec *coded_own(void)
{
    static const avout_codec own = {"own", own_encode, own_decode, NULL};
    return &own;
}

/* ---- in and out -------------------------------------------------------------------------------------- */

static const avout_codec *used;
static coded_open_fn open_inner;
static coded_open_one_fn open_inner_one;

static bool is_edn(void)
{
    return used == avout_codec_edn();
}

static avout_value pack(avout_value value)
{
    char *text;
    size_t length;
    if (is_edn()) return avout_share(value);
    CHECK_OK(avout_edn_text(&text, &length, value));
    avout_value packed =
        used == avout_codec_bytes() ? avout_bytes(text, length) : avout_string_n(text, length);
    avout_edn_free(text);
    return packed;
}

/* Consumes it. */
static avout_value unpack(avout_value packed)
{
    const char *text;
    size_t length;
    avout_value value;
    if (is_edn()) return packed;
    CHECK_OK(avout_value_to_text(&text, &length, packed));
    CHECK_OK(avout_edn_read(&value, text, length, NULL, NULL));
    avout_release(packed);
    return value;
}

/* ---- versioned ---------------------------------------------------------------------------------------- */

typedef struct wrapped {
    avout_versioned_container is;
    avout_versioned_container_ops ops;
    avout_versioned_container *inner;
} wrapped;

static avout_versioned_container *inner_of(avout_versioned_container *c)
{
    return ((wrapped *)c)->inner;
}

static avout_status init(avout_versioned_container *c, int64_t timeout_ms)
{
    return inner_of(c)->ops->init(inner_of(c), timeout_ms);
}

static avout_status destroy(avout_versioned_container *c, int64_t timeout_ms)
{
    return inner_of(c)->ops->destroy(inner_of(c), timeout_ms);
}

static avout_status get(avout_value *value, avout_versioned_container *c, const char *version,
                        int64_t timeout_ms)
{
    avout_value packed;
    avout_status status = inner_of(c)->ops->get_state_at(&packed, inner_of(c), version, timeout_ms);
    if (!status) *value = unpack(packed);
    return status;
}

static avout_status set(avout_versioned_container *c, const char *version, avout_value value,
                        int64_t timeout_ms)
{
    avout_value packed = pack(value);
    avout_status status = inner_of(c)->ops->set_state_at(inner_of(c), version, packed, timeout_ms);
    avout_release(packed);
    return status;
}

static avout_status drop(avout_versioned_container *c, const char *version, int64_t timeout_ms)
{
    return inner_of(c)->ops->delete_state_at(inner_of(c), version, timeout_ms);
}

static avout_status list(avout_versioned_container *c, avout_version_fn found, void *payload,
                         int64_t timeout_ms)
{
    return inner_of(c)->ops->list_versions(inner_of(c), found, payload, timeout_ms);
}

static void end(avout_versioned_container *c)
{
    inner_of(c)->ops->close(inner_of(c));
    free(c);
}

static avout_status open_wrapped(avout_versioned_container **container, const char *place)
{
    wrapped *made = calloc(1, sizeof *made);
    CHECK(made);
    avout_status status = open_inner(&made->inner, place, used);
    if (status) {
        free(made);
        return status;
    }
    made->ops = *made->inner->ops;
    made->ops.init = init;
    made->ops.destroy = destroy;
    made->ops.get_state_at = get;
    made->ops.set_state_at = set;
    made->ops.delete_state_at = drop;
    made->ops.list_versions = list;
    made->ops.close = end;
    made->is = (avout_versioned_container){&made->ops, made->inner->place};
    *container = &made->is;
    return AVOUT_OK;
}

/* ---- unversioned --------------------------------------------------------------------------------------- */

typedef struct wrapped_one {
    avout_container is;
    avout_container_ops ops;
    avout_container *inner;
} wrapped_one;

static avout_container *inner_one(avout_container *c)
{
    return ((wrapped_one *)c)->inner;
}

static avout_status init_one(avout_container *c, int64_t timeout_ms)
{
    return inner_one(c)->ops->init(inner_one(c), timeout_ms);
}

static avout_status destroy_one(avout_container *c, int64_t timeout_ms)
{
    return inner_one(c)->ops->destroy(inner_one(c), timeout_ms);
}

static avout_status get_one(avout_value *value, avout_container *c, int64_t timeout_ms)
{
    avout_value packed;
    avout_status status = inner_one(c)->ops->get_state(&packed, inner_one(c), timeout_ms);
    if (!status) *value = unpack(packed);
    return status;
}

static avout_status set_one(avout_container *c, avout_value value, avout_token token,
                            int64_t timeout_ms)
{
    avout_value packed = pack(value);
    avout_status status = inner_one(c)->ops->set_state(inner_one(c), packed, token, timeout_ms);
    avout_release(packed);
    return status;
}

static void end_one(avout_container *c)
{
    inner_one(c)->ops->close(inner_one(c));
    free(c);
}

static avout_status open_wrapped_one(avout_container **container, const char *place)
{
    wrapped_one *made = calloc(1, sizeof *made);
    CHECK(made);
    avout_status status = open_inner_one(&made->inner, place, used);
    if (status) {
        free(made);
        return status;
    }
    made->ops = *made->inner->ops;
    made->ops.init = init_one;
    made->ops.destroy = destroy_one;
    made->ops.get_state = get_one;
    made->ops.set_state = set_one;
    made->ops.close = end_one;
    made->is = (avout_container){&made->ops, made->inner->place};
    *container = &made->is;
    return AVOUT_OK;
}

/* ---- the suites ---------------------------------------------------------------------------------------- */

static int run_with(const avout_codec *codec, bool one, const char *place)
{
    output turned = output_to_stderr();
    used = codec;
    int failures = one ? conformance_run_unversioned(open_wrapped_one, place)
                       : conformance_run(open_wrapped, place);
    output_back(&turned);
    return failures;
}

int coded_conform_with(const avout_codec *codec, coded_open_fn open, const char *place)
{
    open_inner = open;
    return run_with(codec, false, place);
}

int coded_conform_one_with(const avout_codec *codec, coded_open_one_fn open, const char *place)
{
    open_inner_one = open;
    return run_with(codec, true, place);
}

int coded_conform(coded_open_fn open, const char *place)
{
    return coded_conform_with(avout_codec_json(), open, place) +
           coded_conform_with(avout_codec_bytes(), open, place) +
           coded_conform_with(coded_own(), open, place);
}

int coded_conform_one(coded_open_one_fn open, const char *place)
{
    return coded_conform_one_with(avout_codec_edn(), open, place) +
           coded_conform_one_with(avout_codec_json(), open, place) +
           coded_conform_one_with(avout_codec_bytes(), open, place) +
           coded_conform_one_with(coded_own(), open, place);
}
