/* The http container. A version V is the resource BASE/V.edn:
 *
 *     EDN text
 *     ; avout CHECKSUM PUT
 *
 * CHECKSUM is of the text (FNV-1a, 64 bits), PUT new for each call that writes: so a PUT whose answer got
 * lost is recognised when it is repeated and the resource is found to be there.
 *
 * With another codec BASE/V.CODEC has that codec's bytes and nothing else, and BASE/V.seal what is needed beside:
 *
 *     avout CHECKSUM PUT CODEC
 *
 *   set     PUT, If-None-Match: *    412: it is there; of V.edn or V.seal, behind which V.CODEC is PUT by who
 *                                    has the seal, and nobody else
 *   get     GET                      404, 410: it is not there
 *   delete  DELETE; the seal last. Who collects need not know the codec: the seal tells it, and of what came
 *           late, when its seal had been collected, the list
 *   list    PROPFIND, Depth: 1       207; 405, 501 and others: the server has no list
 *   init    MKCOL, if need be from above; then, once per place and process, PUT, GET, PUT, DELETE of
 *           BASE/avout-probe-N: whether the server keeps what it gets, and heeds If-None-Match
 *
 * Where the condition is ignored (nginx), making a collection is what only one can do:
 *
 *   set     MKCOL BASE/V.claim/      405: it is there
 *           PUT of all, without condition
 *   delete  DELETE of all, then of BASE/V.claim/
 *
 * so V.claim or V.seal alone is what somebody left half made; the list has both. Sending such a PUT again is
 * harmless: who has the claim is the only one who writes. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avout/sys/container.h>

#include "avout/http.h"
#include "common/coded.h"
#include "common/deadline.h"
#include "common/words.h"
#include "listing.h"
#include "resource.h"
#include "seal.h"

enum { NAME_SIZE = AVOUT_VERSION_MAX + 40, MAKINGS = 3 };

/* What is known of a place. */
typedef struct knowledge {
    _Atomic int conditions; /* UNKNOWN, HEEDED, IGNORED */
} knowledge;

enum { UNKNOWN, HEEDED, IGNORED };

typedef struct http_container {
    avout_versioned_container is;
    avout__http_server server;
    avout__plugin_shared *place;
    avout_codec codec;
    char suffix[40]; /* ".edn" */
    char *shown;
} http_container;

typedef struct resource {
    char text[NAME_SIZE];
} resource;

static resource with_suffix(const char *version, const char *suffix)
{
    resource made;
    snprintf(made.text, sizeof made.text, "%.*s%s", AVOUT_VERSION_MAX, version, suffix);
    return made;
}

static resource claim_of(const char *version)
{
    return with_suffix(version, AVOUT__HTTP_CLAIM "/");
}

/* ---- what the server can ------------------------------------------------------------------------------------- */

static avout_status make_known(void **object, const char *address, const void *payload)
{
    (void)address, (void)payload;
    *object = calloc(1, sizeof(knowledge));
    return *object ? AVOUT_OK : avout__plugin_no_memory();
}

static const avout__plugin_sharing sharing = {make_known, free};

static knowledge *known(const http_container *at)
{
    return avout__plugin_shared_object(at->place);
}

static const char probe_text[] = "avout asks what this server does with it\n";

static avout_status put_probe(avout__http_answer *answer, const http_container *at,
                              const char *probe, int64_t deadline_ms)
{
    avout__http_request request = {.method = "PUT",
                                   .name = probe,
                                   .body = probe_text,
                                   .length = sizeof probe_text - 1,
                                   .type = avout__http_type_of(avout_codec_edn()),
                                   .if_absent = true};
    return avout__http_call(answer, &at->server, &request, deadline_ms);
}

/* An answer to the second one with nothing changed by it is what is wanted. */
static avout_status probe_conditions(int *conditions, const http_container *at, const char *probe,
                                     int64_t deadline_ms)
{
    avout__http_answer answer;
    avout_status status = put_probe(&answer, at, probe, deadline_ms);
    if (!status && !avout__http_is_done(answer.code) && !(answer.code == 412 && answer.repeated))
        status = answer.code == 412 ? avout_fail(AVOUT_EIO, "the server answers 412 to what is new")
                                    : avout__http_refused(&answer, "PUT");
    avout__http_answer_release(&answer);
    if (status) return status;
    status = avout__http_ask(&answer, &at->server, "GET", probe, deadline_ms);
    if (!status && (answer.code != 200 || answer.length != sizeof probe_text - 1 ||
                    memcmp(answer.body, probe_text, answer.length) != 0))
        status = avout_fail(AVOUT_EIO,
                            "the server does not keep what it is given: to GET behind a "
                            "PUT it answers %ld with %zu bytes",
                            answer.code, answer.length);
    avout__http_answer_release(&answer);
    if (status) return status;
    status = put_probe(&answer, at, probe, deadline_ms);
    *conditions = !status && answer.code == 412 ? HEEDED : IGNORED;
    if (!status && answer.code != 412 && !avout__http_is_done(answer.code))
        status = avout__http_refused(&answer, "PUT");
    avout__http_answer_release(&answer);
    return status;
}

static avout_status probe_claim(const http_container *at, const char *claim, int64_t deadline_ms)
{
    avout__http_answer answer;
    avout_status status = avout__http_ask(&answer, &at->server, "MKCOL", claim, deadline_ms);
    if (!status && answer.code != 201 && !(answer.code == 405 && answer.repeated))
        status =
            avout_fail(AVOUT_ENOTSUP,
                       "the server ignores If-None-Match: *, and answers %ld to MKCOL: there is "
                       "no way to write only what is not there",
                       answer.code);
    avout__http_answer_release(&answer);
    return status ? status : avout__http_delete(NULL, &at->server, claim, deadline_ms);
}

static avout_status look_what_it_can(const http_container *at, int64_t deadline_ms)
{
    char probe[48];
    int conditions = UNKNOWN;
    snprintf(probe, sizeof probe, AVOUT__HTTP_PROBE "%016llx",
             (unsigned long long)avout__http_random());
    avout_status status = probe_conditions(&conditions, at, probe, deadline_ms);
    if (!status && conditions == IGNORED)
        status = probe_claim(at, claim_of(probe).text, deadline_ms);
    char detail[300];
    snprintf(detail, sizeof detail, "%s", avout_error_detail());
    avout_status deleted = avout__http_delete(NULL, &at->server, probe, deadline_ms);
    if (status) return avout_fail(status, "%s", detail);
    if (!deleted) atomic_store(&known(at)->conditions, conditions);
    return deleted;
}

static avout_status init(avout_versioned_container *container, int64_t timeout_ms)
{
    const http_container *at = (http_container *)container;
    int64_t deadline_ms = avout__plugin_deadline(timeout_ms);
    avout_status status = avout__http_make_place(&at->server, deadline_ms);
    if (status || atomic_load(&known(at)->conditions)) return status;
    return look_what_it_can(at, deadline_ms);
}

/* DELETE of a collection takes what is in it. */
static avout_status destroy(avout_versioned_container *container, int64_t timeout_ms)
{
    (void)container, (void)timeout_ms;
    return AVOUT_OK;
}

/* ---- what lies there ----------------------------------------------------------------------------------------------- */

/* One version, as it is put: what is there first decides whose it is. */
typedef struct parcel {
    const http_container *at;
    const char *version;
    avout__plugin_text value; /* sealed where it is EDN */
    char seal[AVOUT__HTTP_SEAL_SIZE];
    int64_t deadline_ms;
} parcel;

static bool is_edn(const http_container *at)
{
    return avout__plugin_is_edn(&at->codec);
}

/* `value` of it is to be freed. */
static avout_status pack(parcel *p, avout_value value)
{
    const avout_codec *codec = &p->at->codec;
    uint64_t number = avout__http_random();
    avout_status status = avout__plugin_encode(&p->value, value, codec);
    if (status) return status;
    if (is_edn(p->at)) return avout__http_seal_add(&p->value, number);
    avout__http_seal_write(p->seal, p->value.bytes, p->value.length, number, codec->name);
    return AVOUT_OK;
}

static resource value_name(const http_container *at, const char *version)
{
    return with_suffix(version, at->suffix);
}

static resource seal_name(const char *version)
{
    return with_suffix(version, AVOUT__HTTP_SEAL);
}

static avout__http_request put_value(const parcel *p, const resource *name)
{
    return (avout__http_request){.method = "PUT",
                                 .name = name->text,
                                 .body = p->value.bytes,
                                 .length = p->value.length,
                                 .type = avout__http_type_of(&p->at->codec)};
}

static avout__http_request put_seal(const parcel *p, const resource *name)
{
    return (avout__http_request){.method = "PUT",
                                 .name = name->text,
                                 .body = p->seal,
                                 .length = strlen(p->seal),
                                 .type = "text/plain"};
}

/* ---- getting ----------------------------------------------------------------------------------------------------- */

/* AVOUT_ENOTFOUND: it is not there. To be released. */
static avout_status get_resource(avout__http_answer *answer, const http_container *at,
                                 const char *name, int64_t deadline_ms)
{
    avout_status status = avout__http_ask(answer, &at->server, "GET", name, deadline_ms);
    if (!status && avout__http_is_absent(answer->code))
        return avout_fail(AVOUT_ENOTFOUND, "the server answers %ld", answer->code);
    return !status && answer->code != 200 ? avout__http_refused(answer, "GET") : status;
}

static avout_status not_whole(void)
{
    return avout_fail(AVOUT_EDATA, "what is there is not whole, or not written by this container");
}

static avout_status check_seal(size_t *length, const http_container *at, const char *version,
                               const avout__http_answer *value, int64_t deadline_ms)
{
    avout__http_answer seal;
    *length = value->length;
    if (is_edn(at))
        return avout__http_seal_check(length, value->body, value->length) ? AVOUT_OK : not_whole();
    avout_status status = get_resource(&seal, at, seal_name(version).text, deadline_ms);
    if (!status && !avout__http_seal_is_of(seal.body, value->body, value->length))
        status = not_whole();
    avout__http_answer_release(&seal);
    return status;
}

static avout_status get_state_at(avout_value *value, avout_versioned_container *container,
                                 const char *version, int64_t timeout_ms)
{
    const http_container *at = (http_container *)container;
    int64_t deadline_ms = avout__plugin_deadline(timeout_ms);
    avout__http_answer answer;
    size_t length;
    avout_status status = get_resource(&answer, at, value_name(at, version).text, deadline_ms);
    if (!status) status = check_seal(&length, at, version, &answer, deadline_ms);
    if (!status) status = avout__plugin_decode(value, answer.body, length, &at->codec);
    avout__http_answer_release(&answer);
    return status;
}

/* ---- setting ----------------------------------------------------------------------------------------------------- */

static avout_status there_is_one(void)
{
    return avout_fail(AVOUT_EEXISTS, "there is a version of that name");
}

/* Of one's own, whose answer got lost? */
static avout_status check_own(const parcel *p, const avout__http_request *put)
{
    avout__http_answer answer;
    avout_status status =
        avout__http_ask(&answer, &p->at->server, "GET", put->name, p->deadline_ms);
    bool own = !status && answer.code == 200 && answer.length == put->length &&
               !memcmp(answer.body, put->body, put->length);
    avout__http_answer_release(&answer);
    return status || own ? status : there_is_one();
}

/* Somebody, perhaps this call before its answer got lost, has claimed it. */
static avout_status check_claimed(const parcel *p, const char *first, bool doubtful)
{
    avout__http_answer answer;
    if (!doubtful) return there_is_one();
    avout_status status = avout__http_ask(&answer, &p->at->server, "GET", first, p->deadline_ms);
    if (!status && answer.code == 200) status = there_is_one();
    else if (!status && !avout__http_is_absent(answer.code))
        status = avout__http_refused(&answer, "GET");
    avout__http_answer_release(&answer);
    return status;
}

/* *again: the place was not there, and has been made. */
static avout_status claim(bool *again, const parcel *p, const char *first)
{
    avout__http_answer answer;
    avout_status status = avout__http_ask(&answer, &p->at->server, "MKCOL",
                                          claim_of(p->version).text, p->deadline_ms);
    long code = answer.code;
    bool doubtful = answer.repeated;
    if (!status && code != 201 && code != 405) status = avout__http_refused(&answer, "MKCOL");
    avout__http_answer_release(&answer);
    *again = code == 409 || code == 404;
    if (*again) return avout__http_make_place(&p->at->server, p->deadline_ms);
    return !status && code == 405 ? check_claimed(p, first, doubtful) : status;
}

/* What decides. *again: as above. */
static avout_status put_first(bool *again, const parcel *p, avout__http_request *put)
{
    avout__http_answer answer;
    bool heeded = atomic_load(&known(p->at)->conditions) == HEEDED;
    avout_status status = AVOUT_OK;
    *again = false;
    if (!heeded) status = claim(again, p, put->name);
    if (status || *again) return status;
    put->if_absent = heeded;
    status = avout__http_call(&answer, &p->at->server, put, p->deadline_ms);
    long code = answer.code;
    bool doubtful = code == 412 && answer.repeated;
    if (!status && !avout__http_is_done(code) && !doubtful)
        status = avout__http_refused(&answer, "PUT");
    avout__http_answer_release(&answer);
    *again = heeded && (code == 409 || code == 404);
    if (*again) return avout__http_make_place(&p->at->server, p->deadline_ms);
    return doubtful ? check_own(p, put) : status;
}

/* Whose it is has been decided. */
static avout_status put_behind(const parcel *p, const avout__http_request *put)
{
    avout__http_answer answer;
    avout_status status = avout__http_call(&answer, &p->at->server, put, p->deadline_ms);
    if (!status && !avout__http_is_done(answer.code)) status = avout__http_refused(&answer, "PUT");
    avout__http_answer_release(&answer);
    return status;
}

static avout_status put_all(const parcel *p)
{
    const resource value = value_name(p->at, p->version), seal = seal_name(p->version);
    avout__http_request behind = put_value(p, &value),
                        first = is_edn(p->at) ? behind : put_seal(p, &seal);
    avout_status status = AVOUT_OK;
    bool again = true;
    for (int i = 0; !status && again && i < MAKINGS; i++) status = put_first(&again, p, &first);
    if (!status && again)
        return avout_fail(AVOUT_EIO, "the server does not find the place, though it was made");
    return status || is_edn(p->at) ? status : put_behind(p, &behind);
}

static avout_status set_state_at(avout_versioned_container *container, const char *version,
                                 avout_value value, int64_t timeout_ms)
{
    parcel p = {.at = (http_container *)container,
                .version = version,
                .deadline_ms = avout__plugin_deadline(timeout_ms)};
    avout_status status = pack(&p, value);
    if (!status) status = put_all(&p);
    free(p.value.bytes);
    return status;
}

/* ---- listing ------------------------------------------------------------------------------------------------------ */

/* All versions, or (`only`) what there is of one. */
static avout_status list(const http_container *at, const char *only, avout_version_fn found,
                         void *payload, int64_t deadline_ms)
{
    static const char wanted[] =
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
        "<propfind xmlns=\"DAV:\"><prop><resourcetype/></prop></propfind>\n";
    avout__http_request request = {.method = "PROPFIND",
                                   .name = "",
                                   .body = wanted,
                                   .length = sizeof wanted - 1,
                                   .type = "application/xml",
                                   .children = true};
    avout__http_answer answer;
    avout_status status = avout__http_call(&answer, &at->server, &request, deadline_ms);
    if (!status && answer.code == 207)
        status = avout__http_listing(answer.body, answer.length, only, found, payload);
    else if (!status && (answer.code == 400 || avout__http_is_done(answer.code)))
        status = avout_fail(AVOUT_ENOTSUP, "the server answers %ld to PROPFIND: it has no list",
                            answer.code);
    else if (!status && !avout__http_is_absent(answer.code))
        status = avout__http_refused(&answer, "PROPFIND");
    avout__http_answer_release(&answer);
    return status;
}

static avout_status list_versions(avout_versioned_container *container, avout_version_fn found,
                                  void *payload, int64_t timeout_ms)
{
    const http_container *at = (http_container *)container;
    return list(at, NULL, found, payload, avout__plugin_deadline(timeout_ms));
}

/* ---- deleting ----------------------------------------------------------------------------------------------------- */

typedef struct deletion {
    const http_container *at;
    const char *version;
    bool any; /* there was something */
    int64_t deadline_ms;
} deletion;

static avout_status delete_one(deletion *d, const char *suffix)
{
    bool absent;
    avout_status status = avout__http_delete(&absent, &d->at->server,
                                             with_suffix(d->version, suffix).text, d->deadline_ms);
    if (!status && !absent) d->any = true;
    return status;
}

/* What another codec has written, as the seal says. Also where our own was there: some servers say so of what was
 * not. */
static avout_status delete_sealed(deletion *d)
{
    avout__http_answer seal;
    char codec[AVOUT__HTTP_CODEC + 1], suffix[40];
    avout_status status = get_resource(&seal, d->at, seal_name(d->version).text, d->deadline_ms);
    bool known = !status && avout__http_seal_codec(codec, seal.body);
    avout__http_answer_release(&seal);
    if (status) return status == AVOUT_ENOTFOUND ? AVOUT_OK : status;
    if (known) {
        snprintf(suffix, sizeof suffix, ".%s", codec);
        if (strcmp(suffix, d->at->suffix) != 0) status = delete_one(d, suffix);
    }
    return status ? status : delete_one(d, AVOUT__HTTP_SEAL);
}

static avout_status delete_late(const char *suffix, void *payload)
{
    return strcmp(suffix, AVOUT__HTTP_CLAIM) ? delete_one(payload, suffix) : AVOUT_OK;
}

/* Nothing was where it should be: it has come late, or there is nothing. Who has no list has not told us of it. */
static avout_status look_for_late(deletion *d)
{
    avout_status status = list(d->at, d->version, delete_late, d, d->deadline_ms);
    return status == AVOUT_ENOTSUP || status == AVOUT_EPERM ? AVOUT_OK : status;
}

static avout_status delete_state_at(avout_versioned_container *container, const char *version,
                                    int64_t timeout_ms)
{
    deletion d = {.at = (http_container *)container,
                  .version = version,
                  .deadline_ms = avout__plugin_deadline(timeout_ms)};
    avout_status status = delete_one(&d, d.at->suffix);
    if (!status && !is_edn(d.at)) status = delete_one(&d, AVOUT__HTTP_SUFFIX);
    if (!status) status = delete_sealed(&d);
    if (!status && !d.any) status = look_for_late(&d);
    if (status || atomic_load(&known(d.at)->conditions) == HEEDED) return status;
    return avout__http_delete(NULL, &d.at->server, claim_of(version).text, d.deadline_ms);
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

static void close_container(avout_versioned_container *container)
{
    http_container *at = (http_container *)container;
    avout__plugin_unshare(at->place);
    avout__http_close(&at->server);
    free(at->shown);
    free(at);
}

static const avout_versioned_container_ops ops = {
    .version = AVOUT_VERSIONED_CONTAINER_OPS_VERSION,
    .size = sizeof ops,
    .kind = "http",
    .init = init,
    .destroy = destroy,
    .get_state_at = get_state_at,
    .set_state_at = set_state_at,
    .delete_state_at = delete_state_at,
    .list_versions = list_versions,
    .close = close_container,
};

/* Its name becomes a part of a resource's, and must not make it another one of ours. */
static avout_status take_codec(http_container *at, const avout_codec *codec)
{
    avout_status status = avout__plugin_codec(&at->codec, codec);
    if (status) return status;
    snprintf(at->suffix, sizeof at->suffix, ".%s", at->codec.name);
    if (strcmp(at->suffix, AVOUT__HTTP_CLAIM) && strcmp(at->suffix, AVOUT__HTTP_SEAL) &&
        (is_edn(at) || strcmp(at->suffix, AVOUT__HTTP_SUFFIX)))
        return AVOUT_OK;
    return avout_fail(AVOUT_EINVAL, "codec %s: that name is taken here", at->codec.name);
}

avout_status avout_http_container_coded(avout_versioned_container **container, const char *place,
                                        const avout_codec *codec)
{
    http_container *made = calloc(1, sizeof *made);
    if (!made) return avout__plugin_no_memory();
    avout_status status = take_codec(made, codec);
    if (!status) status = avout__http_open(&made->server, place);
    if (status) {
        free(made);
        return status;
    }
    made->shown = avout__plugin_coded_place(made->server.address.base, &made->codec);
    status = made->shown
                 ? avout__plugin_share(&made->place, &sharing, made->server.address.base, NULL)
                 : avout__plugin_no_memory();
    if (status) {
        avout__http_close(&made->server);
        free(made->shown);
        free(made);
        return status;
    }
    made->is = (avout_versioned_container){&ops, made->shown};
    *container = &made->is;
    return AVOUT_OK;
}

avout_status avout_http_container(avout_versioned_container **container, const char *place)
{
    return avout_http_container_coded(container, place, NULL);
}
