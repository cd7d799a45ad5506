#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/deadline.h"
#include "common/words.h"

/* ---- the socket: OpenSSL's own way to write to it would raise SIGPIPE ------------------------------------- */

static int socket_of(BIO *bio)
{
    return *(int *)BIO_get_data(bio);
}

static int bio_end(BIO *bio, ssize_t moved, void (*again)(BIO *))
{
    BIO_clear_retry_flags(bio);
    if (moved < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) again(bio);
    return (int)moved;
}

static void again_write(BIO *bio)
{
    BIO_set_retry_write(bio);
}

static void again_read(BIO *bio)
{
    BIO_set_retry_read(bio);
}

static int bio_write(BIO *bio, const char *bytes, int length)
{
    return bio_end(bio, send(socket_of(bio), bytes, (size_t)length, MSG_NOSIGNAL), again_write);
}

static int bio_read(BIO *bio, char *bytes, int length)
{
    return bio_end(bio, recv(socket_of(bio), bytes, (size_t)length, 0), again_read);
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int bio_free(BIO *bio)
{
    OPENSSL_free(BIO_get_data(bio));
    return 1;
}

static BIO_METHOD *quiet; /* for the life of the process, as OpenSSL itself; NULL: no memory */

static void make_quiet(void)
{
    quiet = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "avout");
    if (!quiet) return;
    BIO_meth_set_write(quiet, bio_write);
    BIO_meth_set_read(quiet, bio_read);
    BIO_meth_set_ctrl(quiet, bio_control);
    BIO_meth_set_destroy(quiet, bio_free);
}

static bool use_socket(SSL *tls, int fd)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_quiet);
    BIO *bio = quiet ? BIO_new(quiet) : NULL;
    int *kept = bio ? OPENSSL_malloc(sizeof *kept) : NULL;
    if (!kept) {
        BIO_free(bio);
        return false;
    }
    *kept = fd;
    BIO_set_data(bio, kept);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls, bio, bio);
    return true;
}

/* ---- failures ----------------------------------------------------------------------------------------------- */

/* What the server has told us of our certificate, or that we have none. */
static bool is_refusal(unsigned long error)
{
    switch (ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET) {
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED: return true;
    default: return false;
    }
}

static const char *reason_of(unsigned long error, const char *otherwise)
{
    const char *reason = error && !ERR_SYSTEM_ERROR(error) ? ERR_reason_error_string(error) : NULL;
    if (ERR_SYSTEM_ERROR(error)) reason = strerrordesc_np(ERR_GET_REASON(error));
    return reason ? reason : otherwise;
}

static avout_status failed(const SSL *tls)
{
    unsigned long error = ERR_get_error();
    long verified = SSL_get_verify_result(tls);
    if (verified != X509_V_OK)
        return avout_fail(AVOUT_EAUTH, "the server's certificate: %s",
                          X509_verify_cert_error_string(verified));
    avout_status status =
        ERR_GET_LIB(error) == ERR_LIB_SSL && is_refusal(error) ? AVOUT_EAUTH : AVOUT_ECONNECTION;
    return avout_fail(status, "TLS: %s", reason_of(error, "the connection broke"));
}

/* Which of the files it is: what is in them is in no message. */
static avout_status bad_file(const char *parameter)
{
    return avout_fail(AVOUT_EAUTH, "the file that %s names cannot be used: %s", parameter,
                      reason_of(ERR_get_error(), "OpenSSL does not say why"));
}

/* ---- connecting ------------------------------------------------------------------------------------------------ */

/* Files are read for each connection: what replaces them counts from the next one on. */
static avout_status load_files(SSL_CTX *context, const avout__redis_address *a)
{
    if (!*a->ca) SSL_CTX_set_default_verify_paths(context);
    else if (!SSL_CTX_load_verify_file(context, a->ca)) return bad_file("cacert");
    if (*a->certificate && SSL_CTX_use_certificate_chain_file(context, a->certificate) != 1)
        return bad_file("cert");
    if (*a->certificate_key &&
        SSL_CTX_use_PrivateKey_file(context, a->certificate_key, SSL_FILETYPE_PEM) != 1)
        return bad_file("cert_key");
    return AVOUT_OK;
}

static bool is_number(const char *host)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static bool expect_host(SSL *tls, const char *host)
{
    if (is_number(host)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) == 1;
    char name[AVOUT__REDIS_TEXT]; /* OpenSSL's macro takes no const */
    snprintf(name, sizeof name, "%s", host);
    SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS); /* w*.host: RFC 9525 has none */
    return SSL_set1_host(tls, host) == 1 && SSL_set_tlsext_host_name(tls, name) == 1;
}

/* A key with a passphrase would be asked for on the terminal. */
static int no_passphrase(char *text, int size, int writes, void *payload)
{
    (void)text, (void)size, (void)writes, (void)payload;
    return -1;
}

static avout_status prepare(SSL **tls, int fd, const avout__redis_address *a)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context) return avout__plugin_no_memory();
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    avout_status status = load_files(context, a);
    *tls = status ? NULL : SSL_new(context);
    SSL_CTX_free(context);
    if (status) return status;
    return *tls && use_socket(*tls, fd) && expect_host(*tls, a->host) ? AVOUT_OK
                                                                      : avout__plugin_no_memory();
}

/* Whether it is to be tried again, when *wanted is there. */
static bool must_wait(short *wanted, const SSL *tls, int result)
{
    int error = SSL_get_error(tls, result);
    *wanted = error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static avout_status shake_hands(SSL *tls, int fd, int64_t deadline_ms)
{
    for (;;) {
        short wanted;
        ERR_clear_error();
        int result = SSL_connect(tls);
        if (result == 1) return AVOUT_OK;
        if (!must_wait(&wanted, tls, result)) return failed(tls);
        if (!avout__plugin_poll(fd, wanted, deadline_ms))
            return avout_fail(AVOUT_ETIMEOUT, "no answer in time");
    }
}

avout_status avout__redis_tls_connect(SSL **tls, int fd, const avout__redis_address *address,
                                      int64_t deadline_ms)
{
    SSL *made = NULL;
    ERR_clear_error();
    avout_status status = prepare(&made, fd, address);
    if (!status) status = shake_hands(made, fd, deadline_ms);
    if (status) SSL_free(made);
    else *tls = made;
    ERR_clear_error();
    return status;
}

void avout__redis_tls_free(SSL *tls)
{
    SSL_free(tls);
}

avout_status avout__redis_tls_move(size_t *moved, short *wanted, SSL *tls, void *bytes,
                                   size_t length, bool sends)
{
    *moved = 0;
    ERR_clear_error();
    int result =
        sends ? SSL_write_ex(tls, bytes, length, moved) : SSL_read_ex(tls, bytes, length, moved);
    if (result == 1 || must_wait(wanted, tls, result)) return AVOUT_OK;
    avout_status status = failed(tls);
    ERR_clear_error();
    return status;
}
