/* Store addresses: which adapter, and what it is told.
 *
 * A text without a scheme that both a host list and a path could be ("host:2181/a") is refused with
 * both ways to say it: guessing wrong would silently make a directory, or connect nowhere. */
#include "store/store.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/banned.h"

enum { ZOOKEEPER_PORT = 2181 };

static avout_status refuse(const char *text, const char *why)
{
    /* Where credentials may be, nothing is shown. */
    if (strchr(text, '@')) return avout_fail(AVOUT_EURL, "store address: %s", why);
    char quoted[AVOUT__QUOTE_SIZE];
    return avout_fail(AVOUT_EURL, "store address %s: %s", avout__quote(quoted, text), why);
}

void avout__url_release(avout__url *url)
{
    avout__free(url->scheme);
    avout__free(url->address);
    *url = (avout__url){0};
}

/* Length of "scheme" if the text begins with "scheme:", else 0. */
static size_t scheme_length(const char *text)
{
    size_t length = 0;
    if (!isalpha((unsigned char)*text)) return 0;
    while (isalnum((unsigned char)text[length]) || (text[length] && strchr("+-.", text[length])))
        length++;
    return text[length] == ':' ? length : 0;
}

/* ---- hosts ----------------------------------------------------------------------------------- */

/* Reads ":port" at *at, up to a comma or `end`; without one it is the default. */
static avout_status parse_port(const char *text, const char **at, const char *end, unsigned *port)
{
    *port = ZOOKEEPER_PORT;
    if (*at == end || **at == ',') return AVOUT_OK;
    if (**at != ':') return refuse(text, "characters after the bracket of an IPv6 address");
    const char *digit = ++*at;
    unsigned number = 0;
    for (; digit < end && isdigit((unsigned char)*digit) && number < 65536; digit++)
        number = number * 10 + (unsigned)(*digit - '0');
    if (digit == *at || (digit < end && *digit != ',') || number == 0 || number > 65535)
        return refuse(text, "the port is not a number from 1 to 65535");
    *at = digit;
    *port = number;
    return AVOUT_OK;
}

/* "[...]" at *at. */
static avout_status parse_ipv6(const char *text, const char **at, const char *end)
{
    const char *start = *at, *stop = memchr(start, ']', (size_t)(end - start));
    if (!stop) return refuse(text, "the bracket of an IPv6 address is not closed");
    size_t digits = strspn(start + 1, "0123456789abcdefABCDEF:.");
    if (digits < 2 || (start[1 + digits] != '%' && start + 1 + digits != stop))
        return refuse(text, "not an IPv6 address in the brackets");
    *at = stop + 1;
    return AVOUT_OK;
}

/* A host's name or IPv4 address at *at. */
static avout_status parse_host_name(const char *text, const char **at, const char *end)
{
    const char *start = *at, *stop = start;
    while (stop < end && (isalnum((unsigned char)*stop) || strchr("-._", *stop))) stop++;
    if (stop < end && *stop != ':' && *stop != ',')
        return refuse(text, "character that cannot be in a host name");
    const char *last = stop + strcspn(stop, ",/");
    if (stop < last && memchr(stop + 1, ':', (size_t)(last - stop - 1)))
        return refuse(text, "an IPv6 address needs brackets, as in [::1]:2181");
    if (stop == start) return refuse(text, "a host name is missing");
    *at = stop;
    return AVOUT_OK;
}

/* One "host[:port]" at *at, added to the list with its port. */
static avout_status parse_host(const char *text, const char **at, const char *end,
                               avout__buffer *list)
{
    const char *start = *at;
    unsigned port;
    avout_status status =
        *start == '[' ? parse_ipv6(text, at, end) : parse_host_name(text, at, end);
    if (status) return status;
    int length = (int)(*at - start);
    status = parse_port(text, at, end, &port);
    if (status) return status;
    return avout__buffer_add_format(list, "%s%.*s:%u", list->length ? "," : "", length, start,
                                    port);
}

static avout_status parse_chroot(const char *path, avout__buffer *out)
{
    avout_status status = avout__name_check(path);
    if (!status) return avout__buffer_add_text(out, path);
    return avout_fail(AVOUT_EURL, "store address: the part after the hosts: %s",
                      avout_error_detail());
}

/* "host[:port],...[/chroot]" to the same with every port. */
static avout_status parse_hosts(avout__url *url, const char *text, const char *address)
{
    if (strchr(address, '@'))
        return refuse(text, "credentials belong into the options, not into the address");
    avout__buffer out = AVOUT__BUFFER_INIT;
    avout_status status;
    const char *end = address + strcspn(address, "/"), *at = address;
    for (;;) {
        status = parse_host(text, &at, end, &out);
        if (status) goto done;
        if (at == end) break;
        at++; /* the comma */
    }
    if (end[0] == '/' && end[1]) status = parse_chroot(end, &out);
    if (status) goto done;
    url->scheme = avout__strdup("zk");
    url->address = url->scheme ? avout__buffer_take(&out) : NULL;
    if (!url->address) status = AVOUT_ENOMEM;
done:
    avout__buffer_release(&out);
    return status;
}

/* ---- the default place ----------------------------------------------------------------------- */

static avout_status set(avout__url *url, const char *scheme, const char *address)
{
    url->scheme = avout__strdup(scheme);
    url->address = url->scheme ? avout__strdup(address) : NULL;
    return url->address ? AVOUT_OK : AVOUT_ENOMEM;
}

/* Makes the folders above path; path itself is the adapter's. */
static avout_status make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        avout_status status = AVOUT_OK;
        if (mkdir(path, 0700) && errno != EEXIST)
            status = avout__fail_errno(AVOUT_ESYSTEM, errno, "mkdir %s", path);
        *slash = '/';
        if (status) return status;
    }
    return AVOUT_OK;
}

/* The home folder by the password file, for programs started without HOME. */
static avout_status home_of_user(char **home)
{
    struct passwd entry, *found = NULL;
    size_t size = 1024;
    char *room = NULL;
    int failed;
    do {
        size *= 4;
        avout__free(room);
        room = avout__alloc(size);
        if (!room) return AVOUT_ENOMEM;
        failed = getpwuid_r(getuid(), &entry, room, size, &found);
    } while (failed == ERANGE && size < 1024 * 1024);
    avout_status status = AVOUT_OK;
    if (!found || entry.pw_dir[0] != '/')
        status = avout_fail(AVOUT_EURL,
                            "no store address given, none of AVOUT_STORE, XDG_STATE_HOME and HOME "
                            "is set, and user %ld has no home folder",
                            (long)getuid());
    else if (!(*home = avout__strdup(entry.pw_dir))) status = AVOUT_ENOMEM;
    avout__free(room);
    return status;
}

/* XDG Base Directory Specification: a relative path in its variables is to be ignored. */
static avout_status default_place(avout__url *url)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *of_user = NULL, *path = NULL;
    avout_status status = AVOUT_OK;
    if (state && state[0] == '/') {
        path = avout__format("%s/avout", state);
    } else {
        if (!home || home[0] != '/') {
            status = home_of_user(&of_user);
            if (status) goto done;
            home = of_user;
        }
        path = avout__format("%s/.local/state/avout", home);
    }
    if (!path) status = AVOUT_ENOMEM;
    if (!status) status = make_parents(path);
    if (!status) status = set(url, "lmdb", path);
done:
    avout__free(path);
    avout__free(of_user);
    return status;
}

/* ---- all forms --------------------------------------------------------------------------------- */

static avout_status unknown_scheme(const char *text, size_t length)
{
    char known[128];
    return avout_fail(AVOUT_EURL,
                      "store address: unknown kind of store \"%.*s\"; known: %s (or a path with a "
                      "slash, or host:port)",
                      length > 64 ? 64 : (int)length, text,
                      avout__store_schemes(known, sizeof known));
}

/* "scheme:rest" of a registered adapter. */
static avout_status parse_known(avout__url *url, const char *text, const avout_store_ops *ops,
                                size_t length)
{
    const char *address = text + length + 1;
    if (address[0] == '/' && address[1] == '/') address += 2;
    if (!*address) return refuse(text, "nothing after the kind of store");
    if (!strcmp(ops->scheme, "zk")) return parse_hosts(url, text, address);
    return set(url, ops->scheme, address);
}

/* `scheme`: the length of what could be one. */
static avout_status parse_bare(avout__url *url, const char *text, size_t scheme)
{
    const char *slash = strchr(text, '/'), *colon = strchr(text, ':');
    if (slash && (!colon || slash < colon)) return set(url, "lmdb", text);
    /* "etcd:x" must not become a host with a bad port. */
    if (scheme && !isdigit((unsigned char)text[scheme + 1])) return unknown_scheme(text, scheme);
    if (slash)
        return refuse(text, "could be a path or hosts; say ./PATH, lmdb:PATH or zk://HOSTS/PATH");
    return parse_hosts(url, text, text);
}

avout_status avout__url_parse(avout__url *url, const char *text)
{
    *url = (avout__url){0};
    if (!text || !*text) text = getenv("AVOUT_STORE");
    avout_status status;
    if (!text || !*text) {
        status = default_place(url);
    } else {
        size_t length = scheme_length(text);
        char scheme[32] = "";
        if (length < sizeof scheme) memcpy(scheme, text, length);
        const avout_store_ops *ops = *scheme ? avout__store_find(scheme) : NULL;
        status = ops ? parse_known(url, text, ops, length) : parse_bare(url, text, length);
    }
    if (status) avout__url_release(url);
    return status;
}
