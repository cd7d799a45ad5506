#include "address.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/pool.h"
#include "common/secret.h"
#include "common/words.h"

enum { VALUE_SIZE = 2 * AVOUT__POSTGRES_NAME + 8, POOL_MOST = 1000 };

/* What is ours in the string, decoded. */
typedef struct ours {
    char table[VALUE_SIZE], pool_size[VALUE_SIZE];
    bool fits;
} ours;

static char *place_of(ours *o, const char *name, size_t length)
{
    if (length == 5 && !memcmp(name, "table", 5)) return o->table;
    if (length == 9 && !memcmp(name, "pool_size", 9)) return o->pool_size;
    return NULL;
}

/* ---- the two forms -------------------------------------------------------------------------------- */

/* Where the parameters of a URI begin: its first ? behind the user and the password, which may have one;
 * NULL: it has none. Both are found as libpq finds them. */
static const char *query_of(const char *uri)
{
    const char *start = strstr(uri, "://") + 3, *end = start + strcspn(start, "@/");
    return strchr(*end == '@' ? end : start, '?');
}

/* Copies the URI to `out` without ours. */
static void split_uri(char *out, ours *o, const char *uri)
{
    const char *query = query_of(uri);
    if (!query) {
        strcpy(out, uri);
        return;
    }
    size_t filled = (size_t)(query - uri);
    memcpy(out, uri, filled);
    char separator = '?';
    for (const char *at = query; *at;) {
        const char *name = at + 1;
        size_t length = strcspn(name, "&"), name_length = strcspn(name, "=&");
        char *mine = place_of(o, name, name_length);
        if (mine && name[name_length] == '=') {
            o->fits = o->fits && avout__plugin_unescape(mine, VALUE_SIZE, name + name_length + 1,
                                                        length - name_length - 1);
        } else {
            out[filled++] = separator;
            memcpy(out + filled, name, length);
            filled += length;
            separator = '&';
        }
        at = name + length;
    }
    out[filled] = '\0';
}

static void add(char *value, size_t *filled, bool *fits, char c)
{
    if (!value) return;
    if (*filled + 1 < VALUE_SIZE) value[(*filled)++] = c;
    else *fits = false;
    value[*filled] = '\0';
}

static const char *skip_spaces(const char *at)
{
    return at + strspn(at, " \t\r\n\f\v");
}

/* Behind the value at `at`: 'quoted', or up to a space; \ before any character is that. `value` (may be
 * NULL) is what it says. */
static const char *read_word(char *value, bool *fits, const char *at)
{
    size_t filled = 0;
    bool quoted = *at == '\'';
    if (value) *value = '\0';
    for (at += quoted; *at; at++) {
        if (quoted ? *at == '\'' : strchr(" \t\r\n\f\v", *at) != NULL) break;
        if (*at == '\\' && at[1]) at++;
        add(value, &filled, fits, *at);
    }
    return at + (quoted && *at);
}

/* Copies "key = value key='value'" to `out` without ours. What is malformed stays, for libpq to say. */
static void split_words(char *out, ours *o, const char *text)
{
    size_t filled = 0;
    for (const char *at = skip_spaces(text); *at; at = skip_spaces(at)) {
        const char *start = at;
        size_t length = strcspn(at, "= \t\r\n\f\v");
        at = skip_spaces(at + length);
        char *mine = *at == '=' ? place_of(o, start, length) : NULL;
        if (*at == '=') at = read_word(mine, &o->fits, skip_spaces(at + 1));
        if (mine) continue;
        memcpy(out + filled, start, (size_t)(at - start));
        filled += (size_t)(at - start);
        out[filled++] = ' ';
    }
    out[filled] = '\0';
}

/* libpq ends a password at the first @ and a host at the first /, also where a password that is not encoded
 * goes on behind it: what follows would be shown. */
static bool splits_password(const char *uri)
{
    const char *start = strstr(uri, "://") + 3, *at = start + strcspn(start, "@/");
    const char *query = query_of(uri), *second = strchr(*at == '@' ? at + 1 : start, '@');
    return second && (!query || second < query);
}

static bool is_port(const char *port)
{
    return !port || port[strspn(port, "0123456789,")] == '\0';
}

static bool is_uri(const char *text)
{
    return !strncmp(text, "postgresql://", 13) || !strncmp(text, "postgres://", 11);
}

/* ---- names ------------------------------------------------------------------------------------------ */

static bool is_name(const char *name, size_t length)
{
    return *name && length && length <= AVOUT__POSTGRES_NAME;
}

static char *quote(char *out, const char *name, size_t length)
{
    *out++ = '"';
    for (size_t i = 0; i < length; i++) {
        if (name[i] == '"') *out++ = '"';
        *out++ = name[i];
    }
    *out++ = '"';
    *out = '\0';
    return out;
}

/* "table" or "schema.table". */
static bool read_table(char *table, const char *name)
{
    const char *dot = strchr(name, '.');
    size_t schema = dot ? (size_t)(dot - name) : 0;
    const char *last = dot ? dot + 1 : name;
    if (!is_name(last, strlen(last)) || (dot && !is_name(name, schema)) || strchr(last, '.'))
        return false;
    if (dot) {
        table = quote(table, name, schema);
        *table++ = '.';
    }
    quote(table, last, strlen(last));
    return true;
}

static bool read_size(size_t *size, const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);
    *size = (size_t)number;
    return *text >= '1' && *text <= '9' && !*end && number <= POOL_MOST;
}

/* ---- messages ----------------------------------------------------------------------------------------- */

const char *avout__postgres_option(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword; options++)
        if (!strcmp(options->keyword, keyword)) return options->val;
    return NULL;
}

/* Of a string that cannot be read nobody knows what of it is the password. */
static avout_status refuse(const char *place, const char *message)
{
    if (strchr(place, '@') || strstr(place, "pass") || strstr(place, "%"))
        message = "is no connection string or URI of PostgreSQL's";
    char text[300];
    avout__plugin_hide(text, sizeof text, message, NULL);
    return avout_fail(AVOUT_EINVAL, "place: %s", text);
}

/* What libpq would take where the string says nothing. */
static const char *effective(const avout__postgres_address *address,
                             const PQconninfoOption *defaults, const char *keyword)
{
    const char *value = avout__postgres_option(address->options, keyword);
    if (!value || !*value) value = defaults ? avout__postgres_option(defaults, keyword) : NULL;
    return value && *value ? value : NULL;
}

static char *show(const avout__postgres_address *address, const char *table)
{
    PQconninfoOption *defaults = PQconndefaults();
    const char *host = effective(address, defaults, "host");
    if (!host) host = effective(address, defaults, "hostaddr");
    const char *port = effective(address, defaults, "port");
    const char *database = effective(address, defaults, "dbname");
    if (!host) host = "local";
    if (!port) port = "5432";
    if (!database) database = "";
    size_t size = strlen(host) + strlen(port) + strlen(database) + strlen(table) + 4;
    char *text = malloc(size);
    if (text) snprintf(text, size, "%s:%s/%s.%s", host, port, database, table);
    PQconninfoFree(defaults);
    return text;
}

/* ---- reading -------------------------------------------------------------------------------------------- */

static avout_status read_options(avout__postgres_address *address, const char *place,
                                 const char *table)
{
    char *error = NULL;
    address->options = PQconninfoParse(address->text, &error);
    if (!address->options) {
        avout_status status = error ? refuse(place, error) : avout__plugin_no_memory();
        PQfreemem(error);
        return status;
    }
    if (!is_port(avout__postgres_option(address->options, "port")))
        return refuse(place, "the port is no number");
    address->shown = show(address, table);
    return address->shown ? AVOUT_OK : avout__plugin_no_memory();
}

avout_status avout__postgres_read_address(avout__postgres_address *address, const char *place)
{
    ours o = {.table = "avout", .pool_size = "", .fits = true};
    *address = (avout__postgres_address){.text = malloc(strlen(place) + 2),
                                         .pool_size = AVOUT__PLUGIN_POOL_MOST};
    if (!address->text) return avout__plugin_no_memory();
    if (is_uri(place)) split_uri(address->text, &o, place);
    else split_words(address->text, &o, place);
    avout_status status;
    if (is_uri(place) && splits_password(place))
        status =
            avout_fail(AVOUT_EINVAL, "place: @ and / in a password are written as %%40 and %%2F");
    else if (!o.fits || !read_table(address->table, o.table))
        status = avout_fail(AVOUT_EINVAL, "place: table: a name of 1 to %d bytes is expected",
                            AVOUT__POSTGRES_NAME);
    else if (*o.pool_size && !read_size(&address->pool_size, o.pool_size))
        status = avout_fail(AVOUT_EINVAL, "place: pool_size: 1 to %d is expected", POOL_MOST);
    else status = read_options(address, place, o.table);
    if (status) avout__postgres_release_address(address);
    return status;
}

void avout__postgres_release_address(avout__postgres_address *address)
{
    PQconninfoFree(address->options);
    free(address->text);
    free(address->shown);
    *address = (avout__postgres_address){0};
}
