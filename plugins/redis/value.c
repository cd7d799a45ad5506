/* The Redis container without versions: one string, replaced as a whole, and KEY:token beside it, the fencing
 * token of who wrote it.
 *
 *   set      a script, which Redis runs as one step: nothing where the token that is there is greater, else both
 *   get      GET, and ROLE behind it: what a server has that was made a replica meanwhile may be old
 *   destroy  UNLINK of both
 *
 * Setting the same with the same token again does no harm, so it is tried again on another connection; once an
 * attempt was not answered, a failure leaves it open whether the value is there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avout/redis.h>
#include <avout/sys/container.h>

#include "common/coded.h"
#include "common/deadline.h"
#include "common/words.h"
#include "server.h"

#define TOKEN ":token"

/* Tokens as text have one length, and their bytes sort as they grow; Lua's own comparison of texts follows the
 * server's locale. */
static const char script[] = "local t, n = redis.call('GET', KEYS[2]), ARGV[2]\n"
                             "if t and #t == #n then\n"
                             "  for i = 1, #n do\n"
                             "    local was, is = t:byte(i), n:byte(i)\n"
                             "    if was > is then return 0 end\n"
                             "    if was < is then break end\n"
                             "  end\n"
                             "end\n"
                             "redis.call('SET', KEYS[1], ARGV[1])\n"
                             "redis.call('SET', KEYS[2], ARGV[2])\n"
                             "return 1";

typedef struct value_container {
    avout_container is; /* first */
    avout__plugin_shared *pool;
    avout__redis_address address;
    avout_codec codec;
    char token_key[AVOUT__REDIS_TEXT + sizeof TOKEN];
    char *place;
} value_container;

typedef struct value_step {
    avout__plugin_step is; /* first */
    const value_container *in;
    avout__plugin_text text; /* to be set */
    char token[AVOUT_TOKEN_SIZE];
    bool is_doubtful;  /* it may be set, or get there yet */
    avout_value value; /* got */
} value_step;

static value_container *cast(avout_container *container)
{
    return (value_container *)container;
}

static avout_status call(value_step *step, avout_status (*run)(avout__plugin_step *, void *),
                         int64_t deadline_ms)
{
    step->is.run = run;
    step->is.deadline_ms = deadline_ms;
    return avout__plugin_pool_call(avout__plugin_shared_object(step->in->pool), &step->is);
}

/* ---- setting ------------------------------------------------------------------------------------------ */

static avout_status run_set(avout__plugin_step *step, void *connection)
{
    value_step *s = (value_step *)step;
    const char *key = s->in->address.prefix;
    const char *words[] = {"EVAL", script, "2", key, s->in->token_key, s->text.bytes, s->token};
    const size_t lengths[] = {4,
                              sizeof script - 1,
                              1,
                              strlen(key),
                              strlen(s->in->token_key),
                              s->text.length,
                              strlen(s->token)};
    redisReply *reply;
    avout_status status =
        avout__redis_command(&reply, connection, 7, words, lengths, step->deadline_ms);
    if (status && !avout__redis_was_answered(connection)) s->is_doubtful = true;
    if (status) return status;
    bool done = reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;
    bool refused = reply->type == REDIS_REPLY_INTEGER && reply->integer == 0;
    freeReplyObject(reply);
    if (refused)
        return avout_fail(AVOUT_EVERSION, "somebody with a later fencing token has written %s (%s)",
                          key, s->in->token_key);
    if (done) status = avout__redis_wait_durable(connection, step->deadline_ms);
    else status = avout__redis_strange(connection);
    if (status) s->is_doubtful = true;
    return status;
}

static avout_status set_state(avout_container *container, avout_value value, avout_token token,
                              int64_t timeout_ms)
{
    int64_t deadline_ms = avout__plugin_deadline(timeout_ms); /* encoding takes of it, too */
    value_step step = {.in = cast(container)};
    avout_token_text(step.token, token);
    avout_status status = avout__plugin_encode(&step.text, value, &step.in->codec);
    if (!status) status = avout__redis_check_size(step.text.length);
    if (!status) status = call(&step, run_set, deadline_ms);
    free(step.text.bytes);
    if (status && step.is_doubtful) return avout_fail(AVOUT_UNKNOWN, "%s", avout_error_detail());
    return status;
}

/* ---- getting -------------------------------------------------------------------------------------------- */

static avout_status run_get(avout__plugin_step *step, void *connection)
{
    value_step *s = (value_step *)step;
    redisReply *reply;
    const char *words[] = {"GET", s->in->address.prefix};
    avout_status status =
        avout__redis_command(&reply, connection, 2, words, NULL, step->deadline_ms);
    if (status) return status;
    status = avout__redis_check_primary(connection, step->deadline_ms);
    if (!status && reply->type == REDIS_REPLY_STRING)
        status = avout__plugin_decode(&s->value, reply->str, reply->len, &s->in->codec);
    else if (!status && reply->type == REDIS_REPLY_NIL)
        status = avout_fail(AVOUT_ENOTFOUND, "there is no such key");
    else if (!status) status = avout__redis_strange(connection);
    freeReplyObject(reply);
    return status;
}

static avout_status get_state(avout_value *value, avout_container *container, int64_t timeout_ms)
{
    value_step step = {.in = cast(container)};
    avout_status status = call(&step, run_get, avout__plugin_deadline(timeout_ms));
    if (!status) *value = step.value;
    return status;
}

/* ---- life ------------------------------------------------------------------------------------------------- */

/* There is nothing to be made: whether the server is there, and one that will do. */
static avout_status init(avout_container *container, int64_t timeout_ms)
{
    avout_value value;
    avout_status status = get_state(&value, container, timeout_ms);
    if (!status) avout_release(value);
    return status == AVOUT_ENOTFOUND || status == AVOUT_EDATA ? AVOUT_OK : status;
}

static avout_status run_destroy(avout__plugin_step *step, void *connection)
{
    const value_step *s = (const value_step *)step;
    redisReply *reply;
    const char *words[] = {"UNLINK", s->in->address.prefix, s->in->token_key};
    avout_status status =
        avout__redis_command(&reply, connection, 3, words, NULL, step->deadline_ms);
    freeReplyObject(reply);
    return status ? status : avout__redis_wait_durable(connection, step->deadline_ms);
}

static avout_status destroy(avout_container *container, int64_t timeout_ms)
{
    value_step step = {.in = cast(container)};
    return call(&step, run_destroy, avout__plugin_deadline(timeout_ms));
}

static void close_container(avout_container *container)
{
    value_container *c = cast(container);
    avout__plugin_unshare(c->pool);
    free(c->place);
    free(c);
}

static const avout_container_ops value_ops = {
    .version = AVOUT_CONTAINER_OPS_VERSION,
    .size = sizeof(avout_container_ops),
    .kind = "redis",
    .init = init,
    .destroy = destroy,
    .get_state = get_state,
    .set_state = set_state,
    .close = close_container,
};

avout_status avout_redis_value_container(avout_container **container, const char *place,
                                         const avout_codec *codec)
{
    avout_codec used;
    avout_status status = avout__plugin_codec(&used, codec);
    if (status) return status;
    if (!place) return avout_fail(AVOUT_EINVAL, "place: NULL");
    value_container *made = calloc(1, sizeof *made);
    if (!made) return avout__plugin_no_memory();
    made->codec = used;
    status = avout__redis_read_address(&made->address, place, true);
    if (!status) {
        snprintf(made->token_key, sizeof made->token_key, "%s" TOKEN, made->address.prefix);
        made->place = avout__plugin_coded_place(made->address.shown, &used);
        if (!made->place) status = avout__plugin_no_memory();
    }
    if (!status) status = avout__redis_share(&made->pool, &made->address);
    if (status) {
        free(made->place);
        free(made);
        return status;
    }
    made->is = (avout_container){&value_ops, made->place};
    *container = &made->is;
    return AVOUT_OK;
}
