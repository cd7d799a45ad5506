/* No message repeats anything of the place: of a malformed one nobody knows what is the password. */
#include "address.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/secret.h"
#include "common/words.h"

static avout_status refuse(const char *why)
{
    return avout_fail(AVOUT_EINVAL, "place: %s", why);
}

/* Decodes "user:password" of that length. */
static avout_status read_credentials(avout__http_address *address, const char *text, size_t length)
{
    const char *colon = memchr(text, ':', length);
    size_t user = colon ? (size_t)(colon - text) : length;
    size_t rest = colon ? length - user - 1 : 0;
    address->user = malloc(length + 1);
    address->password = malloc(length + 1);
    if (!address->user || !address->password) return avout__plugin_no_memory();
    bool fine = avout__plugin_unescape(address->user, length + 1, text, user) &&
                avout__plugin_unescape(address->password, length + 1, text + length - rest, rest);
    /* Basic authentication has no way to say it. */
    if (!fine || strchr(address->user, ':')) return refuse("its credentials are malformed");
    return AVOUT_OK;
}

static bool has_odd_characters(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f || strchr("\"<>\\^`{|}", *text))
            return true;
    return false;
}

/* Whether libcurl can make something of host and port. */
static bool is_url(const char *text)
{
    CURLU *url = curl_url();
    bool fine = url && !curl_url_set(url, CURLUPART_URL, text, 0);
    curl_url_cleanup(url);
    return fine;
}

static avout_status make_base(avout__http_address *address, const char *host, size_t host_length,
                              const char *path)
{
    size_t size = strlen(path) + host_length + 12;
    address->base = malloc(size);
    if (!address->base) return avout__plugin_no_memory();
    const char *scheme = address->secure ? "https" : "http";
    address->root =
        (size_t)snprintf(address->base, size, "%s://%.*s/", scheme, (int)host_length, host);
    path += *path == '/';
    size_t length = strlen(path);
    snprintf(address->base + address->root, size - address->root, "%s%s", path,
             length && path[length - 1] != '/' ? "/" : "");
    return is_url(address->base) ? AVOUT_OK : refuse("host and port cannot be");
}

static avout_status read_parts(avout__http_address *address, const char *rest)
{
    size_t length = strcspn(rest, "/?#");
    const char *path = rest + length, *host = rest;
    for (const char *at = rest; at < path; at++)
        if (*at == '@') host = at + 1;
    if (host == path) return refuse("a host is expected behind http:// or https://");
    /* Else a password with a slash in it would be taken for host and path. */
    if (strchr(path, '@')) return refuse("an @ in the path is written %40, a / in a password %2F");
    if (strpbrk(path, "?#")) return refuse("a query or a fragment cannot be");
    if (has_odd_characters(path)) return refuse("there are characters in it that need %XX");
    avout_status status = AVOUT_OK;
    if (host > rest) status = read_credentials(address, rest, (size_t)(host - rest - 1));
    return status ? status : make_base(address, host, (size_t)(path - host), path);
}

avout_status avout__http_address_read(avout__http_address *address, const char *place)
{
    *address = (avout__http_address){0};
    if (!place) return refuse("none is given");
    address->secure = !strncasecmp(place, "https://", 8);
    if (!address->secure && strncasecmp(place, "http://", 7) != 0)
        return refuse("http://HOST/... or https://HOST/... is expected");
    avout_status status = read_parts(address, place + (address->secure ? 8 : 7));
    if (status) avout__http_address_release(address);
    return status;
}

void avout__http_address_release(avout__http_address *address)
{
    free(address->base);
    free(address->user);
    free(address->password);
    *address = (avout__http_address){0};
}
