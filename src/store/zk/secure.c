/* Credentials, access lists, TLS, and opening a handle of the library with them. */
#include "store/zk/internal.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

/* There only in builds of the library with OpenSSL (Debian's is without), so found when linking. */
extern zhandle_t *zookeeper_init_ssl(const char *host, const char *cert, watcher_fn watcher,
                                     int recv_timeout, const clientid_t *clientid, void *context,
                                     int flags) __attribute__((weak));

static avout_status choose_acl(avout__zk *zk, const avout_options *options)
{
    static char digest_any[] = "auth", nobody[] = "", world[] = "world", anyone[] = "anyone";
    static struct ACL owner_writes[] = {{0x1f, {digest_any, nobody}}, {0x01, {world, anyone}}};
    static const struct ACL_vector owner_writes_acl = {2, owner_writes};
    switch (options->acl) {
    case AVOUT_ACL_OPEN: zk->acl = &ZOO_OPEN_ACL_UNSAFE; break;
    case AVOUT_ACL_OWNER: zk->acl = &ZOO_CREATOR_ALL_ACL; break;
    case AVOUT_ACL_OWNER_WRITES: zk->acl = &owner_writes_acl; break;
    default: return avout_fail(AVOUT_EINVAL, "options: acl is %d", (int)options->acl);
    }
    if (options->acl != AVOUT_ACL_OPEN && !options->user)
        return avout_fail(AVOUT_EINVAL, "options: acl needs an owner, but user is not set");
    return AVOUT_OK;
}

static avout_status take_credentials(avout__zk *zk, const avout_options *options)
{
    if (!options->user) {
        if (!options->password) return AVOUT_OK;
        return avout_fail(AVOUT_EINVAL, "options: password without user");
    }
    if (!*options->user || strchr(options->user, ':'))
        return avout_fail(AVOUT_EINVAL, "options: user is empty or contains a colon");
    zk->user = avout__strdup(options->user);
    zk->credentials =
        avout__format("%s:%s", options->user, options->password ? options->password : "");
    return zk->user && zk->credentials ? AVOUT_OK : AVOUT_ENOMEM;
}

static avout_status take_tls(avout__zk *zk, const avout_options *options)
{
    if (!options->tls) return AVOUT_OK;
    if (!zookeeper_init_ssl)
        return avout_fail(AVOUT_ENOTSUP,
                          "options: tls: this libzookeeper_mt was built without TLS");
    const char *parts[] = {options->tls_ca_file, options->tls_certificate_file,
                           options->tls_key_file, options->tls_key_password};
    for (int i = 0; i < 4; i++) {
        if (i < 3 && (!parts[i] || !*parts[i]))
            return avout_fail(AVOUT_EINVAL,
                              "options: tls needs a CA, a certificate and a key file");
        if (parts[i] && strchr(parts[i], ','))
            return avout_fail(AVOUT_EINVAL,
                              "options: tls: libzookeeper takes no commas in names and passwords");
    }
    zk->tls = avout__format("%s,%s,%s%s%s", parts[0], parts[1], parts[2], parts[3] ? "," : "",
                            parts[3] ? parts[3] : "");
    return zk->tls ? AVOUT_OK : AVOUT_ENOMEM;
}

avout_status avout__zk_secure(avout__zk *zk, const avout_options *options)
{
    avout_status status = choose_acl(zk, options);
    if (!status) status = take_credentials(zk, options);
    if (!status) status = take_tls(zk, options);
    return status;
}

/* In a header of the library's that cannot be included from where Debian puts it. */
FILE *zoo_get_log_stream(void);

static void forget(char *secret)
{
    if (secret) explicit_bzero(secret, strlen(secret));
    avout__free(secret);
}

void avout__zk_secure_release(avout__zk *zk)
{
    forget(zk->credentials);
    forget(zk->tls);
    avout__free(zk->user);
    zk->credentials = zk->tls = zk->user = NULL;
}

static ssize_t swallow(void *cookie, const char *bytes, size_t length)
{
    (void)cookie, (void)bytes;
    return (ssize_t)length;
}

/* This function takes no log callback, and what it says before it returns would go to the stream the
 * process has set, by default stderr. It also takes the names apart with strtok. */
static zhandle_t *open_tls(avout__zk *zk)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&one_at_a_time);
    FILE *before = zoo_get_log_stream();
    FILE *nowhere = fopencookie(NULL, "w", (cookie_io_functions_t){.write = swallow});
    if (nowhere) zoo_set_log_stream(nowhere);
    zhandle_t *zh = zookeeper_init_ssl(zk->servers, zk->tls, avout__zk_watcher,
                                       zk->session_timeout_ms, NULL, zk, ZOO_NO_LOG_CLIENTENV);
    int number = errno;
    if (zh) zoo_set_log_callback(zh, avout__zk_log_callback(zk));
    if (nowhere) {
        zoo_set_log_stream(before);
        fclose(nowhere);
    }
    pthread_mutex_unlock(&one_at_a_time);
    errno = number;
    return zh;
}

zhandle_t *avout__zk_handle_open(avout__zk *zk)
{
    errno = 0;
    zhandle_t *zh =
        zk->tls ? open_tls(zk)
                : zookeeper_init2(zk->servers, avout__zk_watcher, zk->session_timeout_ms, NULL, zk,
                                  ZOO_NO_LOG_CLIENTENV, avout__zk_log_callback(zk));
    /* Otherwise the I/O thread resolves the servers' names in each round of its loop. When it is not
     * connected it always does, and that is when it matters. */
    if (zh) zoo_set_servers_resolution_delay(zh, -1);
    return zh;
}
