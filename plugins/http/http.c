/* The http container. A version V is the resource BASE/V.edn:
 *
 *     EDN text
 *     ; avout CHECKSUM PUT
 *
 * CHECKSUM is of the text (FNV-1a, 64 bits), PUT new for each call that writes: so a PUT whose answer got
 * lost is recognised when it is repeated and the resource is found to be there.
 *
 *   set     PUT, If-None-Match: *    412: it is there
 *   get     GET                      404, 410: it is not there
 *   delete  DELETE
 *   list    PROPFIND, Depth: 1       207; 405, 501 and others: the server has no list
 *   init    MKCOL, if need be from above; then, once per place and process, PUT, GET, PUT, DELETE of
 *           BASE/avout-probe-N: whether the server keeps what it gets, and heeds If-None-Match
 *
 * Where the condition is ignored (nginx), making a collection is what only one can do:
 *
 *   set     MKCOL BASE/V.claim/      405: it is there
 *           PUT
 *   delete  DELETE BASE/V.edn, then of BASE/V.claim/
 *
 * so V.claim without V.edn is what somebody left half made; the list has both. Sending such a PUT again is
 * harmless: who has the claim is the only one who writes. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <avout/edn.h>
#include <avout/sys/container.h>

#include "avout/http.h"
#include "common/deadline.h"
#include "listing.h"
#include "request.h"

enum { NAME_SIZE = AVOUT_VERSION_MAX + 16, SEAL_LENGTH = 43, MAKINGS = 3 };

#define TEXT_TYPE "application/edn"

/* What is known of a place. */
typedef struct knowledge {
    _Atomic int conditions; /* UNKNOWN, HEEDED, IGNORED */
} knowledge;

enum { UNKNOWN, HEEDED, IGNORED };

typedef struct http_container {
    avout_versioned_container is;
    avout__http_server server;
    avout__plugin_shared *place;
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

static resource name_of(const char *version)
{
    return with_suffix(version, AVOUT__HTTP_SUFFIX);
}

static resource claim_of(const char *version)
{
    return with_suffix(version, AVOUT__HTTP_CLAIM "/");
}

static avout_status no_memory(void)
{
    return avout_fail(AVOUT_ENOMEM, "out of memory");
}

/* ---- answers ------------------------------------------------------------------------------------------ */

static bool is_done(long code)
{
    return code == 200 || code == 201 || code == 204;
}

static bool is_absent(long code)
{
    return code == 404 || code == 410;
}

static avout_status status_of(long code)
{
    switch (code) {
    case 401:
    case 407: return AVOUT_EAUTH;
    case 403: return AVOUT_EPERM;
    case 405:
    case 501: return AVOUT_ENOTSUP;
    case 408: return AVOUT_ETIMEOUT;
    case 412: return AVOUT_EEXISTS;
    case 413: return AVOUT_ELIMIT;
    case 507: return AVOUT_ENOSPACE;
    default: return AVOUT_EIO;
    }
}

static avout_status refused(const avout__http_answer *answer, const char *method)
{
    return avout_fail(status_of(answer->code), "the server answers %ld to %s", answer->code,
                      method);
}

static avout_status call(avout__http_answer *answer, const http_container *at, const char *method,
                         const char *name, int64_t deadline_ms)
{
    avout__http_request request = {.method = method,
                                   .name = name,
                                   .follow = !strcmp(method, "GET") || !strcmp(method, "HEAD")};
    return avout__http_call(answer, &at->server, &request, deadline_ms);
}

static avout_status put(avout__http_answer *answer, const http_container *at, const char *name,
                        const char *body, size_t length, bool if_absent, int64_t deadline_ms)
{
    avout__http_request request = {.method = "PUT",
                                   .name = name,
                                   .body = body,
                                   .length = length,
                                   .type = TEXT_TYPE,
                                   .if_absent = if_absent};
    return avout__http_call(answer, &at->server, &request, deadline_ms);
}

/* ---- the text --------------------------------------------------------------------------------------------- */

static uint64_t checksum(const char *text, size_t length)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    return hash;
}

static uint64_t random64(void)
{
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, 0) == sizeof number) return number;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_nsec * UINT64_C(6364136223846793005) + (uint64_t)now.tv_sec;
}

static void write_seal(char seal[SEAL_LENGTH + 1], const char *text, size_t length, uint64_t number)
{
    snprintf(seal, SEAL_LENGTH + 1, "\n; avout %016llx %016llx\n",
             (unsigned long long)checksum(text, length), (unsigned long long)number);
}

/* To be freed. */
static avout_status encode(char **body, size_t *length, avout_value value)
{
    char *text = NULL;
    avout_status status = avout_edn_text(&text, length, value);
    if (status) return status;
    *body = malloc(*length + SEAL_LENGTH + 1);
    if (*body) {
        memcpy(*body, text, *length);
        write_seal(*body + *length, text, *length, random64());
        *length += SEAL_LENGTH;
    }
    avout_edn_free(text);
    return *body ? AVOUT_OK : no_memory();
}

static bool is_whole(size_t *length, const char *body, size_t all)
{
    char seal[SEAL_LENGTH + 1];
    if (all <= SEAL_LENGTH) return false;
    *length = all - SEAL_LENGTH;
    write_seal(seal, body, *length, 0);
    /* All of it but the number at its end. */
    return !memcmp(body + *length, seal, SEAL_LENGTH - 17) && body[all - 1] == '\n';
}

static avout_status decode(avout_value *value, const avout__http_answer *answer)
{
    size_t length;
    avout_edn_error where;
    if (!is_whole(&length, answer->body, answer->length))
        return avout_fail(AVOUT_EDATA,
                          "what is there is not whole, or not written by this container");
    avout_status status = avout_edn_read(value, answer->body, length, NULL, &where);
    if (!status || status == AVOUT_ENOMEM) return status;
    return avout_fail(AVOUT_EDATA, "line %zu, column %zu: %s", where.line, where.column,
                      where.message);
}

/* ---- collections -------------------------------------------------------------------------------------------- */

/* 405: it is there, or the server has no collections and needs none; who may not make one may still be
 * allowed to write into it. */
static avout_status make_collection(long *code, const http_container *at, size_t path,
                                    int64_t deadline_ms)
{
    avout__http_request request = {.method = "MKCOL", .name = "", .path = path};
    avout__http_answer answer;
    avout_status status = avout__http_call(&answer, &at->server, &request, deadline_ms);
    if (!status && answer.code == 401) status = refused(&answer, "MKCOL");
    *code = answer.code;
    avout__http_answer_release(&answer);
    return status;
}

static avout_status make_place(const http_container *at, int64_t deadline_ms)
{
    const avout__http_address *address = &at->server.address;
    long code;
    if (!address->base[address->root]) return AVOUT_OK;
    avout_status status = make_collection(&code, at, strlen(address->base), deadline_ms);
    if (status || (code != 409 && code != 404)) return status;
    for (size_t i = address->root; !status && address->base[i]; i++)
        if (address->base[i] == '/' && i > address->root)
            status = make_collection(&code, at, i + 1, deadline_ms);
    return status;
}

/* ---- what the server can ------------------------------------------------------------------------------------- */

static avout_status make_known(void **object, const char *address, const void *payload)
{
    (void)address, (void)payload;
    *object = calloc(1, sizeof(knowledge));
    return *object ? AVOUT_OK : no_memory();
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
    return put(answer, at, probe, probe_text, sizeof probe_text - 1, true, deadline_ms);
}

/* An answer to the second one with nothing changed by it is what is wanted. */
static avout_status probe_conditions(int *conditions, const http_container *at, const char *probe,
                                     int64_t deadline_ms)
{
    avout__http_answer answer;
    avout_status status = put_probe(&answer, at, probe, deadline_ms);
    if (!status && !is_done(answer.code) && !(answer.code == 412 && answer.repeated))
        status = answer.code == 412 ? avout_fail(AVOUT_EIO, "the server answers 412 to what is new")
                                    : refused(&answer, "PUT");
    avout__http_answer_release(&answer);
    if (status) return status;
    status = call(&answer, at, "GET", probe, deadline_ms);
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
    if (!status && answer.code != 412 && !is_done(answer.code)) status = refused(&answer, "PUT");
    avout__http_answer_release(&answer);
    return status;
}

static avout_status delete_resource(const http_container *at, const char *name, int64_t deadline_ms)
{
    avout__http_answer answer;
    avout_status status = call(&answer, at, "DELETE", name, deadline_ms);
    if (!status && !is_done(answer.code) && !is_absent(answer.code))
        status = refused(&answer, "DELETE");
    avout__http_answer_release(&answer);
    return status;
}

static avout_status probe_claim(const http_container *at, const char *claim, int64_t deadline_ms)
{
    avout__http_answer answer;
    avout_status status = call(&answer, at, "MKCOL", claim, deadline_ms);
    if (!status && answer.code != 201 && !(answer.code == 405 && answer.repeated))
        status =
            avout_fail(AVOUT_ENOTSUP,
                       "the server ignores If-None-Match: *, and answers %ld to MKCOL: there is "
                       "no way to write only what is not there",
                       answer.code);
    avout__http_answer_release(&answer);
    return status ? status : delete_resource(at, claim, deadline_ms);
}

static avout_status look_what_it_can(const http_container *at, int64_t deadline_ms)
{
    char probe[48];
    int conditions = UNKNOWN;
    snprintf(probe, sizeof probe, "avout-probe-%016llx", (unsigned long long)random64());
    avout_status status = probe_conditions(&conditions, at, probe, deadline_ms);
    if (!status && conditions == IGNORED)
        status = probe_claim(at, claim_of(probe).text, deadline_ms);
    char detail[300];
    snprintf(detail, sizeof detail, "%s", avout_error_detail());
    avout_status deleted = delete_resource(at, probe, deadline_ms);
    if (status) return avout_fail(status, "%s", detail);
    if (!deleted) atomic_store(&known(at)->conditions, conditions);
    return deleted;
}

static avout_status init(avout_versioned_container *container, int64_t timeout_ms)
{
    const http_container *at = (http_container *)container;
    int64_t deadline_ms = avout__plugin_deadline(timeout_ms);
    avout_status status = make_place(at, deadline_ms);
    if (status || atomic_load(&known(at)->conditions)) return status;
    return look_what_it_can(at, deadline_ms);
}

/* DELETE of a collection takes what is in it. */
static avout_status destroy(avout_versioned_container *container, int64_t timeout_ms)
{
    (void)container, (void)timeout_ms;
    return AVOUT_OK;
}

/* ---- versions ------------------------------------------------------------------------------------------------------ */

static avout_status get_state_at(avout_value *value, avout_versioned_container *container,
                                 const char *version, int64_t timeout_ms)
{
    const http_container *at = (http_container *)container;
    avout__http_answer answer;
    avout_status status =
        call(&answer, at, "GET", name_of(version).text, avout__plugin_deadline(timeout_ms));
    if (!status && is_absent(answer.code))
        status = avout_fail(AVOUT_ENOTFOUND, "the server answers %ld", answer.code);
    else if (!status && answer.code != 200) status = refused(&answer, "GET");
    else if (!status) status = decode(value, &answer);
    avout__http_answer_release(&answer);
    return status;
}

static avout_status there_is_one(void)
{
    return avout_fail(AVOUT_EEXISTS, "there is a version of that name");
}

/* Of one's own, whose answer got lost? */
static avout_status check_own(const http_container *at, const char *name, const char *body,
                              size_t length, int64_t deadline_ms)
{
    avout__http_answer answer;
    avout_status status = call(&answer, at, "GET", name, deadline_ms);
    bool own = !status && answer.code == 200 && answer.length == length &&
               !memcmp(answer.body, body, length);
    avout__http_answer_release(&answer);
    return status || own ? status : there_is_one();
}

/* Somebody, perhaps this call before its answer got lost, has claimed it. */
static avout_status check_claimed(const http_container *at, const char *version, bool doubtful,
                                  int64_t deadline_ms)
{
    avout__http_answer answer;
    if (!doubtful) return there_is_one();
    avout_status status = call(&answer, at, "GET", name_of(version).text, deadline_ms);
    if (!status && answer.code == 200) status = there_is_one();
    else if (!status && !is_absent(answer.code)) status = refused(&answer, "GET");
    avout__http_answer_release(&answer);
    return status;
}

/* *again: the place was not there, and has been made. */
static avout_status claim(bool *again, const http_container *at, const char *version,
                          int64_t deadline_ms)
{
    avout__http_answer answer;
    avout_status status = call(&answer, at, "MKCOL", claim_of(version).text, deadline_ms);
    long code = answer.code;
    bool doubtful = answer.repeated;
    if (!status && code != 201 && code != 405) status = refused(&answer, "MKCOL");
    avout__http_answer_release(&answer);
    *again = code == 409 || code == 404;
    if (*again) return make_place(at, deadline_ms);
    if (!status && code == 405) return check_claimed(at, version, doubtful, deadline_ms);
    return status;
}

/* *again: as above. */
static avout_status put_version(bool *again, const http_container *at, const char *version,
                                const char *body, size_t length, int64_t deadline_ms)
{
    avout__http_answer answer;
    bool heeded = atomic_load(&known(at)->conditions) == HEEDED;
    const resource name = name_of(version);
    avout_status status = AVOUT_OK;
    *again = false;
    if (!heeded) status = claim(again, at, version, deadline_ms);
    if (status || *again) return status;
    status = put(&answer, at, name.text, body, length, heeded, deadline_ms);
    long code = answer.code;
    bool doubtful = code == 412 && answer.repeated;
    if (!status && !is_done(code) && !doubtful) status = refused(&answer, "PUT");
    avout__http_answer_release(&answer);
    *again = heeded && (code == 409 || code == 404);
    if (*again) return make_place(at, deadline_ms);
    return doubtful ? check_own(at, name.text, body, length, deadline_ms) : status;
}

static avout_status set_state_at(avout_versioned_container *container, const char *version,
                                 avout_value value, int64_t timeout_ms)
{
    const http_container *at = (http_container *)container;
    int64_t deadline_ms = avout__plugin_deadline(timeout_ms);
    char *body = NULL;
    size_t length = 0;
    avout_status status = encode(&body, &length, value);
    bool again = true;
    for (int i = 0; !status && again && i < MAKINGS; i++)
        status = put_version(&again, at, version, body, length, deadline_ms);
    if (!status && again)
        status = avout_fail(AVOUT_EIO, "the server does not find the place, though it was made");
    free(body);
    return status;
}

static avout_status delete_state_at(avout_versioned_container *container, const char *version,
                                    int64_t timeout_ms)
{
    const http_container *at = (http_container *)container;
    int64_t deadline_ms = avout__plugin_deadline(timeout_ms);
    avout_status status = delete_resource(at, name_of(version).text, deadline_ms);
    if (status || atomic_load(&known(at)->conditions) == HEEDED) return status;
    return delete_resource(at, claim_of(version).text, deadline_ms);
}

static avout_status list_versions(avout_versioned_container *container, avout_version_fn found,
                                  void *payload, int64_t timeout_ms)
{
    static const char wanted[] =
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
        "<propfind xmlns=\"DAV:\"><prop><resourcetype/></prop></propfind>\n";
    const http_container *at = (http_container *)container;
    avout__http_request request = {.method = "PROPFIND",
                                   .name = "",
                                   .body = wanted,
                                   .length = sizeof wanted - 1,
                                   .type = "application/xml",
                                   .children = true};
    avout__http_answer answer;
    avout_status status =
        avout__http_call(&answer, &at->server, &request, avout__plugin_deadline(timeout_ms));
    if (!status && answer.code == 207)
        status = avout__http_listing(answer.body, answer.length, found, payload);
    else if (!status && (answer.code == 400 || is_done(answer.code)))
        status = avout_fail(AVOUT_ENOTSUP, "the server answers %ld to PROPFIND: it has no list",
                            answer.code);
    else if (!status && !is_absent(answer.code)) status = refused(&answer, "PROPFIND");
    avout__http_answer_release(&answer);
    return status;
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

static void close_container(avout_versioned_container *container)
{
    http_container *at = (http_container *)container;
    avout__plugin_unshare(at->place);
    avout__http_close(&at->server);
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

avout_status avout_http_container(avout_versioned_container **container, const char *place)
{
    http_container *made = calloc(1, sizeof *made);
    if (!made) return no_memory();
    avout_status status = avout__http_open(&made->server, place);
    if (!status) {
        status = avout__plugin_share(&made->place, &sharing, made->server.address.base, NULL);
        if (status) avout__http_close(&made->server);
    }
    if (status) {
        free(made);
        return status;
    }
    made->is = (avout_versioned_container){&ops, made->server.address.base};
    *container = &made->is;
    return AVOUT_OK;
}
