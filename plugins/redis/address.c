#include "address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/pool.h"
#include "common/secret.h"

enum { PORT = 6379, WAIT_SECONDS = 30, DB_MOST = 1000000, POOL_MOST = 1000 };

static bool read_number(int *number, const char *text, int least, int most)
{
    char *end;
    if (*text < '0' || *text > '9') return false;
    long read = strtol(text, &end, 10);
    *number = (int)read;
    return !*end && read >= least && read <= most;
}

/* Control characters are refused: in `shared` a line's end is where the next field begins. */
static bool decode(char out[AVOUT__REDIS_TEXT], const char *text, size_t length)
{
    if (!avout__plugin_unescape(out, AVOUT__REDIS_TEXT, text, length)) return false;
    for (; *out; out++)
        if ((unsigned char)*out < ' ' || *out == 0x7f) return false;
    return true;
}

/* "USER:PASSWORD" */
static bool read_user(avout__redis_address *a, const char *text, size_t length)
{
    const char *colon = memchr(text, ':', length);
    size_t user = colon ? (size_t)(colon - text) : length;
    if (!decode(a->user, text, user)) return false;
    return !colon || decode(a->password, colon + 1, length - user - 1);
}

/* "HOST:PORT", "[::1]:PORT" */
static bool read_host(avout__redis_address *a, const char *text, size_t length)
{
    char port[8];
    bool bracketed = length && *text == '[';
    const char *end = text + length, *colon = bracketed ? memchr(text, ']', length) : text;
    if (!colon) return false;
    if (bracketed) text++;
    size_t host = bracketed ? (size_t)(colon++ - text) : strcspn(text, ":/?");
    if (!bracketed) colon = text + host;
    if (!host || host >= (size_t)(end - text) + 1 || !decode(a->host, text, host)) return false;
    if (colon == end) return true;
    size_t digits = (size_t)(end - colon) - 1;
    if (*colon != ':' || digits >= sizeof port) return false;
    memcpy(port, colon + 1, digits);
    port[digits] = '\0';
    return read_number(&a->port, port, 1, 65535);
}

/* Where the parameter's text goes; NULL: there is none of that name. Files are for TLS alone. `keys`: what
 * the keys' parameter is called. */
static char *text_of(avout__redis_address *a, const char *keys, const char *name, size_t length)
{
    const struct {
        const char *name;
        char *text;
    } texts[] = {{keys, a->prefix},
                 {"cacert", a->ca},
                 {"cert", a->certificate},
                 {"cert_key", a->certificate_key}};
    for (size_t i = 0; i < (a->is_tls ? sizeof texts / sizeof *texts : 1); i++)
        if (strlen(texts[i].name) == length && !memcmp(texts[i].name, name, length))
            return texts[i].text;
    return NULL;
}

static bool read_parameter(avout__redis_address *a, const char *keys, const char *text,
                           size_t length)
{
    char value[AVOUT__REDIS_TEXT];
    const char *equals = memchr(text, '=', length);
    if (!equals) return false;
    size_t name = (size_t)(equals - text);
    if (!decode(value, equals + 1, length - name - 1)) return false;
    if (name == 2 && !memcmp(text, "db", 2)) return read_number(&a->db, value, 0, DB_MOST);
    if (name == 4 && !memcmp(text, "wait", 4))
        return read_number(&a->wait_seconds, value, 1, 1000000);
    if (name == 9 && !memcmp(text, "pool_size", 9))
        return read_number(&a->pool_size, value, 1, POOL_MOST);
    if (name == 7 && !memcmp(text, "durable", 7)) {
        a->durable = !strcmp(value, "yes");
        return a->durable || !strcmp(value, "no");
    }
    char *to = text_of(a, keys, text, name);
    if (to) strcpy(to, value);
    return to != NULL;
}

static bool read_parameters(avout__redis_address *a, const char *keys, const char *query)
{
    while (*query) {
        size_t length = strcspn(++query, "&");
        if (!read_parameter(a, keys, query, length)) return false;
        query += length;
    }
    return true;
}

/* "/DB" or nothing. */
static bool read_db(avout__redis_address *a, const char *path, size_t length)
{
    char number[16];
    if (length <= 1) return true;
    if (length > sizeof number) return false;
    memcpy(number, path + 1, length - 1);
    number[length - 1] = '\0';
    return read_number(&a->db, number, 0, DB_MOST);
}

/* The last @ before the path ends the password, which may have others. */
static bool read_all(avout__redis_address *a, const char *keys, const char *start)
{
    const char *query = strchr(start, '?');
    if (!query) query = start + strlen(start);
    const char *at = memrchr(start, '@', (size_t)(query - start));
    if (at && !read_user(a, start, (size_t)(at - start))) return false;
    const char *host = at ? at + 1 : start, *path = memchr(host, '/', (size_t)(query - host));
    if (!path) path = query;
    if (!read_parameters(a, keys, query)) return false;
    if (a->is_unix)
        return path == host && path < query && decode(a->host, path, (size_t)(query - path));
    return read_host(a, host, (size_t)(path - host)) && read_db(a, path, (size_t)(query - path));
}

avout_status avout__redis_read_address(avout__redis_address *a, const char *place, bool one)
{
    *a = (avout__redis_address){.port = PORT,
                                .pool_size = AVOUT__PLUGIN_POOL_MOST,
                                .wait_seconds = WAIT_SECONDS,
                                .durable = true};
    if (!one) strcpy(a->prefix, "avout:");
    a->is_unix = !strncmp(place, "unix://", 7);
    a->is_tls = !strncmp(place, "rediss://", 9);
    if ((!a->is_unix && !a->is_tls && strncmp(place, "redis://", 8) != 0) ||
        !read_all(a, one ? "key" : "prefix", strstr(place, "://") + 3))
        return avout_fail(AVOUT_EINVAL,
                          "place: redis[s]://[USER:PASSWORD@]HOST[:PORT][/DB][?PARAMETERS] or "
                          "unix://[USER:PASSWORD@]/PATH[?PARAMETERS] is expected, with "
                          "special characters written %%XX");
    if (one && !*a->prefix)
        return avout_fail(AVOUT_EINVAL, "place: it does not say in which key: ?key=NAME");
    if (!*a->certificate != !*a->certificate_key)
        return avout_fail(AVOUT_EINVAL, "place: cert and cert_key are given together");
    if (a->is_unix) snprintf(a->shown, sizeof a->shown, "%s/%d/%s", a->host, a->db, a->prefix);
    else snprintf(a->shown, sizeof a->shown, "%s:%d/%d/%s", a->host, a->port, a->db, a->prefix);
    snprintf(a->shared, sizeof a->shared, "%d\n%d\n%s\n%d\n%d\n%d\n%d\n%d\n%s\n%s\n%s\n%s\n%s",
             a->is_unix, a->is_tls, a->host, a->port, a->db, a->pool_size, a->wait_seconds,
             a->durable, a->ca, a->certificate, a->certificate_key, a->user, a->password);
    return AVOUT_OK;
}
