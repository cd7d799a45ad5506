/* The Redis container. A version V is the string PREFIX V, which holds
 *
 *   EDN ;NUMBER          the comment is for us: a number that is new in each call of set
 *
 * With another codec it holds that codec's bytes and nothing else, and PREFIX V.put the number: which of the two has
 * written V is seen by that.
 *
 *   set     SET NX, or MSETNX of both, which is put-if-absent. Where V is there with our own number, another
 *           attempt of this call has put it there, without having been told: it is written once more, so that
 *           this connection can wait for it
 *   delete  UNLINK of both, whatever the codec: who collects need not know it
 *   list    SCAN, all of it on one connection: a server that was started again counts otherwise
 *
 * Nothing is called absent before the server has said that it still is the primary. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <avout/redis.h>
#include <avout/sys/container.h>

#include "common/coded.h"
#include "common/deadline.h"
#include "common/words.h"
#include "server.h"

#define PUT ".put"

enum {
    NUMBER = 16, /* bytes */
    DIGITS = 2 * NUMBER,
    KEY_SIZE = AVOUT__REDIS_TEXT + AVOUT_VERSION_MAX + sizeof PUT
};

typedef struct redis_container {
    avout_versioned_container is; /* first */
    avout__plugin_shared *pool;
    avout__redis_address address;
    avout_codec codec;
    char *place;
} redis_container;

static redis_container *cast(avout_versioned_container *container)
{
    return (redis_container *)container;
}

/* What the calls about one version do. */
typedef struct version_step {
    avout__plugin_step is; /* first */
    const redis_container *in;
    char key[KEY_SIZE], put_key[KEY_SIZE];
    const char *version;
    avout__plugin_text text; /* to be set */
    char number[DIGITS + 1];
    avout_value value; /* got */
} version_step;

static avout_status call(const redis_container *c, avout__plugin_step *step,
                         avout_status (*run)(avout__plugin_step *, void *), int64_t deadline_ms)
{
    step->run = run;
    step->deadline_ms = deadline_ms;
    return avout__plugin_pool_call(avout__plugin_shared_object(c->pool), step);
}

static version_step step_of(const redis_container *c, const char *version)
{
    version_step step = {.in = c, .version = version};
    snprintf(step.key, sizeof step.key, "%s%s", c->address.prefix, version);
    snprintf(step.put_key, sizeof step.put_key, "%s%s" PUT, c->address.prefix, version);
    return step;
}

static bool has_comment(const version_step *s)
{
    return avout__plugin_is_edn(&s->in->codec);
}

/* ---- setting ------------------------------------------------------------------------------------------ */

/* *done: it was set, which `how`, NX or XX, left to be decided. */
static avout_status set_if(bool *done, const version_step *s, void *connection, const char *how)
{
    redisReply *reply;
    const char *words[] = {"SET", s->key, s->text.bytes, how};
    const size_t lengths[] = {3, strlen(s->key), s->text.length, 2};
    avout_status status =
        avout__redis_command(&reply, connection, 4, words, lengths, s->is.deadline_ms);
    if (status) return status;
    *done = reply->type == REDIS_REPLY_STATUS;
    if (!*done && reply->type != REDIS_REPLY_NIL) status = avout__redis_strange(connection);
    freeReplyObject(reply);
    return status;
}

static avout_status set_both(bool *done, const version_step *s, void *connection)
{
    redisReply *reply;
    const char *words[] = {"MSETNX", s->key, s->text.bytes, s->put_key, s->number};
    const size_t lengths[] = {6, strlen(s->key), s->text.length, strlen(s->put_key), DIGITS};
    avout_status status =
        avout__redis_command(&reply, connection, 5, words, lengths, s->is.deadline_ms);
    if (status) return status;
    *done = reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;
    if (reply->type != REDIS_REPLY_INTEGER) status = avout__redis_strange(connection);
    freeReplyObject(reply);
    return status;
}

static avout_status is_ours(bool *ours, const version_step *s, void *connection)
{
    redisReply *reply;
    const char *expected = has_comment(s) ? s->text.bytes : s->number;
    size_t length = has_comment(s) ? s->text.length : DIGITS;
    const char *words[] = {"GET", has_comment(s) ? s->key : s->put_key};
    avout_status status =
        avout__redis_command(&reply, connection, 2, words, NULL, s->is.deadline_ms);
    if (status) return status == AVOUT_EDATA ? AVOUT_OK : status; /* no string: another's */
    *ours = reply->type == REDIS_REPLY_STRING && reply->len == length &&
            !memcmp(reply->str, expected, length);
    freeReplyObject(reply);
    return AVOUT_OK;
}

static avout_status run_set(avout__plugin_step *step, void *connection)
{
    const version_step *s = (version_step *)step;
    bool done = false, ours = false;
    avout_status status =
        has_comment(s) ? set_if(&done, s, connection, "NX") : set_both(&done, s, connection);
    if (!status && !done) status = is_ours(&ours, s, connection);
    if (!status && ours) status = set_if(&done, s, connection, "XX");
    if (status) return status;
    if (!done) return avout_fail(AVOUT_EEXISTS, "there is a version of that name");
    return avout__redis_wait_durable(connection, step->deadline_ms);
}

static avout_status make_number(char number[DIGITS + 1])
{
    unsigned char bytes[NUMBER];
    if (getrandom(bytes, NUMBER, 0) != NUMBER)
        return avout_fail(AVOUT_ESYSTEM, "no random numbers");
    for (size_t i = 0; i < NUMBER; i++) snprintf(number + 2 * i, 3, "%02x", bytes[i]);
    return AVOUT_OK;
}

/* As it will lie there; `text` is to be freed. */
static avout_status write_text(version_step *s, avout_value value)
{
    avout_status status = make_number(s->number);
    if (!status) status = avout__plugin_encode(&s->text, value, &s->in->codec);
    if (!status && has_comment(s)) status = avout__plugin_add(" ;", 2, &s->text);
    if (!status && has_comment(s)) status = avout__plugin_add(s->number, DIGITS, &s->text);
    return status ? status : avout__redis_check_size(s->text.length);
}

static avout_status set_state_at(avout_versioned_container *container, const char *version,
                                 avout_value value, int64_t timeout_ms)
{
    int64_t deadline_ms = avout__plugin_deadline(timeout_ms); /* encoding takes of it, too */
    version_step step = step_of(cast(container), version);
    avout_status status = write_text(&step, value);
    if (!status) status = call(cast(container), &step.is, run_set, deadline_ms);
    free(step.text.bytes);
    return status;
}

/* ---- getting, deleting ---------------------------------------------------------------------------------- */

/* Bytes of another codec may be ones that ours can read. */
static avout_status read_text(version_step *s, const redisReply *reply, bool coded)
{
    if (coded == has_comment(s))
        return avout_fail(AVOUT_EDATA, "%s: another codec has written it", s->version);
    avout_status status = avout__plugin_decode(&s->value, reply->str, reply->len, &s->in->codec);
    if (status != AVOUT_EDATA) return status;
    return avout_fail(status, "%s: %s", s->version, avout_error_detail());
}

/* MGET says of what is no string that it is not there. */
static avout_status check_absent(const version_step *s, void *connection)
{
    redisReply *reply;
    const char *words[] = {"GET", s->key};
    avout_status status =
        avout__redis_command(&reply, connection, 2, words, NULL, s->is.deadline_ms);
    freeReplyObject(reply);
    if (!status) status = avout__redis_check_primary(connection, s->is.deadline_ms);
    return status ? status : avout_fail(AVOUT_ENOTFOUND, "there is no such key");
}

static avout_status run_get(avout__plugin_step *step, void *connection)
{
    version_step *s = (version_step *)step;
    redisReply *reply;
    const char *words[] = {"MGET", s->key, s->put_key};
    avout_status status =
        avout__redis_command(&reply, connection, 3, words, NULL, s->is.deadline_ms);
    if (status) return status;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
        status = avout__redis_strange(connection);
    else if (reply->element[0]->type == REDIS_REPLY_STRING)
        status = read_text(s, reply->element[0], reply->element[1]->type == REDIS_REPLY_STRING);
    else if (reply->element[0]->type == REDIS_REPLY_NIL) status = check_absent(s, connection);
    else status = avout__redis_strange(connection);
    freeReplyObject(reply);
    return status;
}

static avout_status get_state_at(avout_value *value, avout_versioned_container *container,
                                 const char *version, int64_t timeout_ms)
{
    version_step step = step_of(cast(container), version);
    avout_status status =
        call(cast(container), &step.is, run_get, avout__plugin_deadline(timeout_ms));
    if (!status) *value = step.value;
    return status;
}

static avout_status run_delete(avout__plugin_step *step, void *connection)
{
    const version_step *s = (const version_step *)step;
    redisReply *reply;
    const char *words[] = {"UNLINK", s->key, s->put_key};
    avout_status status =
        avout__redis_command(&reply, connection, 3, words, NULL, step->deadline_ms);
    if (!status && reply->type != REDIS_REPLY_INTEGER) status = avout__redis_strange(connection);
    freeReplyObject(reply);
    return status;
}

static avout_status delete_state_at(avout_versioned_container *container, const char *version,
                                    int64_t timeout_ms)
{
    version_step step = step_of(cast(container), version);
    return call(cast(container), &step.is, run_delete, avout__plugin_deadline(timeout_ms));
}

/* ---- listing -------------------------------------------------------------------------------------------- */

typedef char name[AVOUT_VERSION_MAX + 1];

typedef struct list_step {
    avout__plugin_step is; /* first */
    const char *prefix;
    char pattern[2 * AVOUT__REDIS_TEXT + 2];
    name *names; /* to be freed */
    size_t count, room;
} list_step;

/* What means something in patterns, does not in a prefix. */
static void write_pattern(char *pattern, const char *prefix)
{
    for (; *prefix; prefix++) {
        if (strchr("*?[]\\^-", *prefix)) *pattern++ = '\\';
        *pattern++ = *prefix;
    }
    memcpy(pattern, "*", 2);
}

static avout_status note(list_step *s, const redisReply *key)
{
    size_t prefix = strlen(s->prefix);
    if (key->type != REDIS_REPLY_STRING || key->len <= prefix) return AVOUT_OK;
    const char *version = key->str + prefix;
    size_t length = avout__plugin_version(version), rest = key->len - prefix - length;
    bool put = rest == strlen(PUT) && !memcmp(version + length, PUT, rest);
    if (!length || (rest && !put)) return AVOUT_OK;
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 64;
        name *grown = realloc(s->names, room * sizeof *grown);
        if (!grown) return avout__plugin_no_memory();
        s->names = grown;
        s->room = room;
    }
    memcpy(s->names[s->count], version, length);
    s->names[s->count++][length] = '\0';
    return AVOUT_OK;
}

/* *cursor: where the next page begins; "0": there is none. */
static avout_status scan_page(list_step *s, char cursor[32], void *connection)
{
    redisReply *reply;
    const char *words[] = {"SCAN", cursor, "MATCH", s->pattern, "COUNT", "1000"};
    avout_status status =
        avout__redis_command(&reply, connection, 6, words, NULL, s->is.deadline_ms);
    if (status) return status;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING || reply->element[0]->len >= 32 ||
        reply->element[1]->type != REDIS_REPLY_ARRAY) {
        status = avout__redis_strange(connection);
    } else {
        strcpy(cursor, reply->element[0]->str);
        for (size_t i = 0; !status && i < reply->element[1]->elements; i++)
            status = note(s, reply->element[1]->element[i]);
    }
    freeReplyObject(reply);
    return status;
}

static avout_status run_list(avout__plugin_step *step, void *connection)
{
    list_step *s = (list_step *)step;
    char cursor[32] = "0";
    avout_status status;
    s->count = 0;
    do status = scan_page(s, cursor, connection);
    while (!status && strcmp(cursor, "0"));
    return status ? status : avout__redis_check_primary(connection, step->deadline_ms);
}

static int compare(const void *one, const void *other)
{
    return strcmp(one, other);
}

/* A key may come more than once, and a version may have two. */
static avout_status list_versions(avout_versioned_container *container, avout_version_fn found,
                                  void *payload, int64_t timeout_ms)
{
    list_step step = {.prefix = cast(container)->address.prefix};
    write_pattern(step.pattern, step.prefix);
    avout_status status =
        call(cast(container), &step.is, run_list, avout__plugin_deadline(timeout_ms));
    if (step.count) qsort(step.names, step.count, sizeof *step.names, compare);
    for (size_t i = 0; !status && i < step.count; i++)
        if (!i || strcmp(step.names[i], step.names[i - 1])) status = found(step.names[i], payload);
    free(step.names);
    return status;
}

/* ---- life ------------------------------------------------------------------------------------------------- */

/* There is nothing to be made: whether the server is there, and one that will do. */
static avout_status init(avout_versioned_container *container, int64_t timeout_ms)
{
    avout_value value;
    avout_status status = get_state_at(&value, container, "0", timeout_ms);
    if (!status) avout_release(value);
    return status == AVOUT_ENOTFOUND || status == AVOUT_EDATA ? AVOUT_OK : status;
}

static avout_status destroy(avout_versioned_container *container, int64_t timeout_ms)
{
    (void)container, (void)timeout_ms;
    return AVOUT_OK;
}

static void close_container(avout_versioned_container *container)
{
    redis_container *c = cast(container);
    avout__plugin_unshare(c->pool);
    free(c->place);
    free(c);
}

static const avout_versioned_container_ops redis_ops = {
    .version = AVOUT_VERSIONED_CONTAINER_OPS_VERSION,
    .size = sizeof(avout_versioned_container_ops),
    .kind = "redis",
    .init = init,
    .destroy = destroy,
    .get_state_at = get_state_at,
    .set_state_at = set_state_at,
    .delete_state_at = delete_state_at,
    .list_versions = list_versions,
    .close = close_container,
};

avout_status avout_redis_container_coded(avout_versioned_container **container, const char *place,
                                         const avout_codec *codec)
{
    avout_codec used;
    avout_status status = avout__plugin_codec(&used, codec);
    if (status) return status;
    if (!place) return avout_fail(AVOUT_EINVAL, "place: NULL");
    redis_container *made = calloc(1, sizeof *made);
    if (!made) return avout__plugin_no_memory();
    made->codec = used;
    status = avout__redis_read_address(&made->address, place, false);
    if (!status) made->place = avout__plugin_coded_place(made->address.shown, &used);
    if (!status && !made->place) status = avout__plugin_no_memory();
    if (!status) status = avout__redis_share(&made->pool, &made->address);
    if (status) {
        free(made->place);
        free(made);
        return status;
    }
    made->is = (avout_versioned_container){&redis_ops, made->place};
    *container = &made->is;
    return AVOUT_OK;
}

avout_status avout_redis_container(avout_versioned_container **container, const char *place)
{
    return avout_redis_container_coded(container, place, NULL);
}
