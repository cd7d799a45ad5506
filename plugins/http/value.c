/* The http container without versions: one resource.
 *
 *   set      PUT, with the fencing token in a header    412: a service that looks at it refuses it
 *   get      GET                                        404, 410: there is none
 *   destroy  DELETE
 *
 * The same PUT with the same token may be carried out again. Once one was not answered, or with what does not
 * say that nothing was done, a failure leaves it open whether the value is there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avout/sys/container.h>

#include "avout/http.h"
#include "common/coded.h"
#include "common/deadline.h"
#include "common/words.h"
#include "resource.h"

typedef struct value_container {
    avout_container is;
    avout__http_server server;
    char *name; /* behind the base */
    avout_codec codec;
    char *shown;
} value_container;

/* ---- reading -------------------------------------------------------------------------------------------- */

static avout_status get(avout__http_answer *answer, const value_container *at, int64_t deadline_ms)
{
    avout__http_request request = {.method = "GET",
                                   .name = at->name,
                                   .wants = avout__http_type_of(&at->codec),
                                   .follow = true};
    avout_status status = avout__http_call(answer, &at->server, &request, deadline_ms);
    if (!status && avout__http_is_absent(answer->code))
        return avout_fail(AVOUT_ENOTFOUND, "the server answers %ld", answer->code);
    return !status && answer->code != 200 ? avout__http_refused(answer, "GET") : status;
}

static avout_status get_state(avout_value *value, avout_container *container, int64_t timeout_ms)
{
    const value_container *at = (value_container *)container;
    avout__http_answer answer;
    avout_status status = get(&answer, at, avout__plugin_deadline(timeout_ms));
    if (!status && answer.endless)
        status = avout_fail(AVOUT_EIO, "the server does not say how long its answer is: it may "
                                       "be cut");
    if (!status) status = avout__plugin_decode(value, answer.body, answer.length, &at->codec);
    avout__http_answer_release(&answer);
    return status;
}

/* Whether the server is there and lets us in; what it has may be to be set anew. */
static avout_status init(avout_container *container, int64_t timeout_ms)
{
    const value_container *at = (value_container *)container;
    int64_t deadline_ms = avout__plugin_deadline(timeout_ms);
    avout__http_answer answer;
    avout_status status = get(&answer, at, deadline_ms);
    avout__http_answer_release(&answer);
    return status == AVOUT_ENOTFOUND ? avout__http_make_place(&at->server, deadline_ms) : status;
}

/* ---- writing -------------------------------------------------------------------------------------------- */

/* What servers answer when there is no such collection; the last one is nginx's. */
static bool has_no_place(long code)
{
    return code == 409 || code == 404 || code == 500;
}

/* *again: the place was not there, and has been made. *doubtful: it may be there, or get there yet. */
static avout_status put(bool *again, bool *doubtful, const value_container *at,
                        const avout__http_request *request, int64_t deadline_ms)
{
    avout__http_answer answer;
    avout_status status = avout__http_call(&answer, &at->server, request, deadline_ms);
    long code = answer.code;
    *doubtful = *doubtful || answer.lost;
    if (!status && code == 412)
        status = avout_fail(AVOUT_EVERSION, "the server answers 412: somebody with a later fencing "
                                            "token has written it");
    else if (!status && !avout__http_is_done(code)) status = avout__http_refused(&answer, "PUT");
    avout__http_answer_release(&answer);
    if (!*again || !has_no_place(code)) {
        *again = false;
        return status;
    }
    return avout__http_make_place(&at->server, deadline_ms);
}

static avout_status set_state(avout_container *container, avout_value value, avout_token token,
                              int64_t timeout_ms)
{
    const value_container *at = (value_container *)container;
    int64_t deadline_ms = avout__plugin_deadline(timeout_ms);
    avout__plugin_text body = {0};
    char text[AVOUT_TOKEN_SIZE];
    avout_status status = avout__plugin_encode(&body, value, &at->codec);
    if (status) return status;
    avout__http_request request = {.method = "PUT",
                                   .name = at->name,
                                   .body = body.bytes,
                                   .length = body.length,
                                   .type = avout__http_type_of(&at->codec),
                                   .token = avout_token_text(text, token)};
    bool again = true, doubtful = false;
    status = put(&again, &doubtful, at, &request, deadline_ms);
    if (!status && again) {
        again = false;
        status = put(&again, &doubtful, at, &request, deadline_ms);
    }
    free(body.bytes);
    return status && doubtful ? avout_fail(AVOUT_UNKNOWN, "%s", avout_error_detail()) : status;
}

static avout_status destroy(avout_container *container, int64_t timeout_ms)
{
    const value_container *at = (value_container *)container;
    return avout__http_delete(NULL, &at->server, at->name, avout__plugin_deadline(timeout_ms));
}

/* ---- life ------------------------------------------------------------------------------------------------ */

static void close_container(avout_container *container)
{
    value_container *at = (value_container *)container;
    avout__http_close(&at->server);
    free(at->name);
    free(at->shown);
    free(at);
}

static const avout_container_ops value_ops = {
    .version = AVOUT_CONTAINER_OPS_VERSION,
    .size = sizeof(avout_container_ops),
    .kind = "http",
    .init = init,
    .destroy = destroy,
    .get_state = get_state,
    .set_state = set_state,
    .close = close_container,
};

/* The base has become a collection's, with a slash at its end; its last part is the resource. */
static avout_status take_name(value_container *at)
{
    avout__http_address *address = &at->server.address;
    size_t length = strlen(address->base);
    address->base[length - 1] = '\0';
    at->shown = avout__plugin_coded_place(address->base, &at->codec);
    char *slash = strrchr(address->base, '/');
    at->name = strdup(slash + 1);
    slash[1] = '\0';
    return at->name && at->shown ? AVOUT_OK : avout__plugin_no_memory();
}

avout_status avout_http_value_container(avout_container **container, const char *place,
                                        const avout_codec *codec)
{
    value_container *made = calloc(1, sizeof *made);
    if (!made) return avout__plugin_no_memory();
    avout_status status = avout__plugin_codec(&made->codec, codec);
    if (!status) status = avout__http_open(&made->server, place);
    if (status) {
        free(made);
        return status;
    }
    const avout__http_address *address = &made->server.address;
    bool named = address->base[address->root] && place[strlen(place) - 1] != '/';
    status = named ? take_name(made)
                   : avout_fail(AVOUT_EINVAL, "place: it names no resource, but a server or a "
                                              "collection");
    made->is = (avout_container){&value_ops, made->shown};
    if (status) close_container(&made->is);
    else *container = &made->is;
    return status;
}
