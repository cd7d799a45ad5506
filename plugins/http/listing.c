/* Of the XML (RFC 4918) only elements with the local name href matter, whatever prefix the namespace has. The
 * names of versions are made of characters that need no escaping; what is escaped is decoded all the same. */
#include "listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"
#include "common/words.h"

/* An element's local name: <D:href ...>. *end: behind the whole tag. */
static bool is_element(const char **end, const char *tag, const char *name)
{
    const char *at = tag + 1, *close = strchr(tag, '>');
    size_t length = strlen(name), word;
    *end = close ? close + 1 : NULL;
    if (!close || close[-1] == '/') return false;
    word = strcspn(at, " \t\r\n>/");
    const char *colon = memchr(at, ':', word);
    if (colon) {
        word -= (size_t)(colon + 1 - at);
        at = colon + 1;
    }
    return word == length && !strncmp(at, name, length);
}

typedef struct version {
    char name[AVOUT_VERSION_MAX + 1];
} version;

typedef struct versions {
    const char *only; /* the suffixes of this one are wanted; NULL: versions */
    version *all;
    size_t count, room;
} versions;

static avout_status add(versions *seen, const char *name, size_t length)
{
    if (seen->count == seen->room) {
        size_t room = seen->room ? 2 * seen->room : 64;
        version *larger = realloc(seen->all, room * sizeof *larger);
        if (!larger) return avout__plugin_no_memory();
        seen->all = larger;
        seen->room = room;
    }
    snprintf(seen->all[seen->count++].name, sizeof seen->all->name, "%.*s", (int)length, name);
    return AVOUT_OK;
}

/* A codec's name, claim or seal: what there is of a version, whoever has written it. */
static bool is_suffix(const char *text)
{
    size_t length = *text == '.' ? avout__plugin_word(text + 1, AVOUT__HTTP_CODEC) : 0;
    return length && !text[1 + length];
}

/* Collections' names may have a slash at their end. */
static avout_status add_href(versions *seen, const char *href, size_t length)
{
    char name[AVOUT_VERSION_MAX + 40];
    if (length && href[length - 1] == '/') length--;
    for (size_t i = length; i > 0; i--)
        if (href[i - 1] == '/') {
            href += i;
            length -= i;
            break;
        }
    if (!avout__plugin_unescape(name, sizeof name, href, length)) return AVOUT_OK;
    size_t own = avout__plugin_version(name);
    if (!own || !is_suffix(name + own) ||
        !strncmp(name, AVOUT__HTTP_PROBE, strlen(AVOUT__HTTP_PROBE)))
        return AVOUT_OK;
    if (!seen->only) return add(seen, name, own);
    bool wanted = strlen(seen->only) == own && !memcmp(seen->only, name, own);
    return wanted ? add(seen, name + own, strlen(name + own)) : AVOUT_OK;
}

static int by_name(const void *one, const void *other)
{
    return strcmp(((const version *)one)->name, ((const version *)other)->name);
}

/* A version may be there as a resource, as a claim and with a seal. */
static avout_status tell_all(versions *seen, avout_version_fn found, void *payload)
{
    avout_status status = AVOUT_OK;
    if (seen->count) qsort(seen->all, seen->count, sizeof *seen->all, by_name);
    for (size_t i = 0; !status && i < seen->count; i++)
        if (!i || strcmp(seen->all[i].name, seen->all[i - 1].name) != 0)
            status = found(seen->all[i].name, payload);
    return status;
}

static void trim(const char **text, size_t *length)
{
    while (*length && strchr(" \t\r\n", **text)) ++*text, --*length;
    while (*length && strchr(" \t\r\n", (*text)[*length - 1])) --*length;
}

static avout_status read_hrefs(versions *seen, const char *text)
{
    bool begun = false, ended = false;
    const char *next = NULL;
    avout_status status = AVOUT_OK;
    for (const char *tag = strchr(text, '<'); tag && !status;
         tag = next ? strchr(next, '<') : NULL) {
        if (!strncmp(tag, "<!--", 4)) {
            const char *over = strstr(tag, "-->");
            next = over ? over + 3 : NULL;
        } else if (tag[1] == '/') {
            ended = is_element(&next, tag + 1, "multistatus");
        } else if (is_element(&next, tag, "href")) {
            size_t size = strcspn(next, "<");
            const char *href = next;
            trim(&href, &size);
            if (begun) status = add_href(seen, href, size);
        } else if (is_element(&next, tag, "multistatus")) {
            begun = true;
        }
    }
    if (status || (begun && ended)) return status;
    return avout_fail(AVOUT_EDATA, "the answer to PROPFIND is not a whole multistatus document");
}

avout_status avout__http_listing(const char *text, size_t length, const char *only,
                                 avout_version_fn found, void *payload)
{
    versions seen = {.only = only};
    avout_status status = read_hrefs(&seen, text && !memchr(text, '\0', length) ? text : "");
    if (!status) status = tell_all(&seen, found, payload);
    free(seen.all);
    return status;
}
