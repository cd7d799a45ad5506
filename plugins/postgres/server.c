#include "server.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/deadline.h"
#include "common/secret.h"
#include "common/words.h"

/* WAIT_MS: how long a server is waited for where the address does not say. From CHECK_VERSION on a server can
 * look whether the client of a running statement is still there. */
enum { WAIT_MS = 30000, CHECK_VERSION = 140000, PART_SIZE = 1024, OPTIONS = 80 };

typedef struct server {
    PQconninfoOption *options;
    int hosts;
} server;

typedef struct connection {
    PGconn *pg;
    int64_t statement_ms; /* the server's statement_timeout; 0: none */
    bool unconfirmed;     /* what was called done is not on a synchronous standby */
    bool refused_by_tls;  /* when it was to be made */
} connection;

/* ---- failures ----------------------------------------------------------------------------------------- */

/* By SQLSTATE, PostgreSQL's appendix A. */
static avout_status status_of(const char *code)
{
    static const struct {
        const char *prefix;
        avout_status status;
    } table[] = {
        {"08", AVOUT_ECONNECTION},    /* connection exception */
        {"0A", AVOUT_ENOTSUP},        /* feature not supported */
        {"25006", AVOUT_ECONNECTION}, /* read-only: no primary any more */
        {"28", AVOUT_EAUTH},          /* invalid authorization */
        {"40", AVOUT_ECONNECTION},    /* rolled back: serialization, deadlock */
        {"42501", AVOUT_EPERM},       /* insufficient privilege */
        {"53100", AVOUT_ENOSPACE},    /* disk full */
        {"53", AVOUT_ECONNECTION},    /* too many connections, no memory */
        {"54", AVOUT_ELIMIT},         /* program limit exceeded */
        {"55P03", AVOUT_ETIMEOUT},    /* lock not available */
        {"57014", AVOUT_ETIMEOUT},    /* cancelled by statement_timeout */
        {"57P04", AVOUT_EIO},         /* database dropped */
        {"57", AVOUT_ECONNECTION},    /* shutdown, starting up */
        {"XX001", AVOUT_EDATA},       /* data corrupted */
        {"XX002", AVOUT_EDATA},       /* index corrupted */
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strncmp(code, table[i].prefix, strlen(table[i].prefix))) return table[i].status;
    return AVOUT_EIO;
}

static avout_status say(avout_status status, PGconn *pg, const char *message)
{
    char text[500];
    avout__plugin_hide(text, sizeof text, message, PQpass(pg));
    return avout_fail(status, "%s", *text ? text : "the connection broke");
}

static avout_status too_late(void)
{
    return avout_fail(AVOUT_ETIMEOUT, "no answer in time");
}

/* libpq tells the SQLSTATE of a connection that was refused in the message alone, and only in verbose
 * ones: "...FATAL:  28P01: password authentication failed ...\nLOCATION: ...". NULL: there is none. */
static const char *code_in(const char *message)
{
    for (const char *at = strstr(message, ":  "); at; at = strstr(at + 3, ":  ")) {
        size_t length = strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (length == 5 && !strncmp(at + 8, ": ", 2)) return at + 3;
    }
    return NULL;
}

/* libpq has no code for it: that TLS refuses the server's certificate or its name, the server ours, or that one
 * of the files cannot be used. In another language than libpq's own (LC_MESSAGES) OpenSSL's words are found. */
static bool tells_of_tls(const char *text)
{
    return strstr(text, "certificate") || strstr(text, "private key") ||
           strstr(text, "alert unknown ca");
}

/* The name of the host stands in most messages, once for each of its addresses: where it has those words itself
 * it does not count. */
static bool is_refused_by_tls(PGconn *pg)
{
    const char *message = PQerrorMessage(pg), *host = PQhost(pg);
    char text[4096];
    if (!host || !tells_of_tls(host)) return tells_of_tls(message);
    avout__plugin_hide(text, sizeof text, message, host);
    return tells_of_tls(text);
}

static avout_status connecting_failed(connection *c)
{
    PGconn *pg = c->pg;
    const char *message = PQerrorMessage(pg), *code = code_in(message);
    char line[400];
    if (code) {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(code + 7, "\n"), code + 7);
        return say(status_of(code), pg, line);
    }
    c->refused_by_tls = is_refused_by_tls(pg);
    bool refused = PQconnectionNeedsPassword(pg) || c->refused_by_tls;
    return say(refused ? AVOUT_EAUTH : AVOUT_ECONNECTION, pg, message);
}

/* ---- statements ------------------------------------------------------------------------------------------ */

static bool flush(PGconn *pg, int64_t deadline_ms, bool *in_time)
{
    int unsent;
    while ((unsent = PQflush(pg)) > 0) {
        *in_time = avout__plugin_poll(PQsocket(pg), POLLIN | POLLOUT, deadline_ms);
        /* A server that cannot send may not read, either. */
        if (!*in_time || !PQconsumeInput(pg)) return false;
    }
    return !unsent;
}

/* The next result; NULL: there is none, or the deadline has passed. */
static PGresult *next_result(PGconn *pg, int64_t deadline_ms, bool *in_time)
{
    while (PQisBusy(pg)) {
        *in_time = avout__plugin_poll(PQsocket(pg), POLLIN, deadline_ms);
        if (!*in_time) return NULL;
        if (!PQconsumeInput(pg)) break;
    }
    return PQgetResult(pg);
}

static avout_status failed(avout__postgres_query *q, PGconn *pg, bool in_time)
{
    const char *code = q->result ? PQresultErrorField(q->result, PG_DIAG_SQLSTATE) : NULL;
    if (!in_time) return too_late();
    if (!code) return say(AVOUT_ECONNECTION, pg, PQerrorMessage(pg));
    snprintf(q->code, sizeof q->code, "%s", code);
    const char *message = PQresultErrorField(q->result, PG_DIAG_MESSAGE_PRIMARY);
    return say(status_of(code), pg, message ? message : code);
}

static bool succeeded(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

static avout_status run_query(avout__postgres_query *q, PGconn *pg, int64_t deadline_ms)
{
    bool in_time = true, good = true;
    PQclear(q->result);
    q->result = NULL;
    *q->code = '\0';
    int sent = q->plain
                   ? PQsendQuery(pg, q->sql)
                   : PQsendQueryParams(pg, q->sql, q->count, NULL, q->parameters, NULL, NULL, 0);
    if (!sent || !flush(pg, deadline_ms, &in_time)) return failed(q, pg, in_time);
    for (PGresult *one; (one = next_result(pg, deadline_ms, &in_time));) {
        ExecStatusType kind = PQresultStatus(one);
        if (!good || kind == PGRES_COPY_IN || kind == PGRES_COPY_OUT || kind == PGRES_COPY_BOTH) {
            PQclear(one); /* the first failure counts */
            if (good) return say(AVOUT_EIO, pg, "the server answers what was not asked");
            continue;
        }
        PQclear(q->result);
        q->result = one;
        good = succeeded(one);
    }
    return in_time && good && q->result && PQstatus(pg) == CONNECTION_OK ? AVOUT_OK
                                                                         : failed(q, pg, in_time);
}

static avout_status run_plain(PGconn *pg, const char *sql, int64_t deadline_ms)
{
    avout__postgres_query q = {.sql = sql, .plain = true};
    avout_status status = run_query(&q, pg, deadline_ms);
    PQclear(q.result);
    return status;
}

/* What nobody waits for any more ends on the server, too: a power of two of milliseconds, so that it is
 * seldom set. */
static avout_status limit_statements(connection *c, int64_t deadline_ms)
{
    int64_t left_ms = avout__plugin_left_ms(deadline_ms, 1, INT32_MAX), limit_ms = 1024;
    while (limit_ms < left_ms) limit_ms *= 2;
    if (limit_ms > INT32_MAX) limit_ms = 0;
    if (limit_ms == c->statement_ms) return AVOUT_OK;
    char sql[64];
    snprintf(sql, sizeof sql, "SET statement_timeout = %d", (int)limit_ms);
    avout_status status = run_plain(c->pg, sql, deadline_ms);
    if (!status) c->statement_ms = limit_ms;
    return status;
}

static avout_status run(avout__plugin_step *step, void *used)
{
    connection *c = used;
    avout_status status = limit_statements(c, step->deadline_ms);
    c->unconfirmed = false;
    if (!status) status = run_query((avout__postgres_query *)step, c->pg, step->deadline_ms);
    if (status || !c->unconfirmed) return status;
    return avout_fail(AVOUT_ECONNECTION, "the wait for a synchronous standby was ended");
}

avout_status avout__postgres_call(avout__plugin_shared *shared, avout__postgres_query *query,
                                  int64_t deadline_ms)
{
    query->is = (avout__plugin_step){run, deadline_ms};
    return avout__plugin_pool_call(avout__plugin_shared_object(shared), &query->is);
}

/* ---- connecting ------------------------------------------------------------------------------------------ */

/* Item `number` of a list, or the only one. */
static bool pick(char part[PART_SIZE], const char *list, int number)
{
    if (strchr(list, ','))
        for (; number; number--) list += strcspn(list, ",") + (strchr(list, ',') != NULL);
    size_t length = strcspn(list, ",");
    if (length >= PART_SIZE) return false;
    memcpy(part, list, length);
    part[length] = '\0';
    return true;
}

typedef struct parameters {
    const char *keywords[OPTIONS + 1], *values[OPTIONS + 1];
    char parts[3][PART_SIZE];
    int count;
} parameters;

static void set(parameters *p, const char *keyword, const char *value)
{
    if (p->count == OPTIONS) return;
    p->keywords[p->count] = keyword;
    p->values[p->count++] = value;
    p->keywords[p->count] = p->values[p->count] = NULL;
}

/* Of the address, for one of its hosts, and what must be so whatever it says. */
static bool set_all(parameters *p, const server *s, int host)
{
    static const char *const lists[] = {"host", "hostaddr", "port"};
    p->count = 0;
    for (const PQconninfoOption *o = s->options; o->keyword; o++) {
        const char *value = o->val;
        for (int i = 0; value && i < 3; i++) {
            if (strcmp(o->keyword, lists[i])) continue;
            if (!pick(p->parts[i], value, host)) return false;
            value = p->parts[i];
        }
        if (value) set(p, o->keyword, value);
    }
    set(p, "target_session_attrs", "read-write"); /* the last one counts */
    set(p, "client_encoding", "UTF8");
    set(p, "fallback_application_name", "avout");
    return p->count < OPTIONS;
}

static avout_status finish_connecting(connection *c, int64_t deadline_ms)
{
    PGconn *pg = c->pg;
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    if (PQstatus(pg) == CONNECTION_BAD) return connecting_failed(c);
    while (next != PGRES_POLLING_OK) {
        if (!avout__plugin_poll(PQsocket(pg), next == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                                deadline_ms))
            return too_late();
        next = PQconnectPoll(pg);
        if (next == PGRES_POLLING_FAILED) return connecting_failed(c);
    }
    if (PQsetnonblocking(pg, 1)) return connecting_failed(c);
    return AVOUT_OK;
}

/* A role or database may have been given another synchronous_commit, and the server may be, later: what the
 * session says counts. */
static avout_status set_up(PGconn *pg, int64_t deadline_ms)
{
    const char *encoding = PQparameterStatus(pg, "server_encoding");
    if (encoding && strcmp(encoding, "UTF8"))
        return avout_fail(AVOUT_ENOTSUP, "the database's encoding is %.40s, UTF8 is needed",
                          encoding);
    avout_status status =
        run_plain(pg,
                  "SELECT set_config('synchronous_commit', CASE "
                  "current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' "
                  "ELSE 'on' END, false)",
                  deadline_ms);
    /* Where the server's system cannot look it says so, and does not. */
    if (!status && PQserverVersion(pg) >= CHECK_VERSION)
        (void)run_plain(pg, "SET client_connection_check_interval = 1000", deadline_ms);
    return status;
}

/* libpq would print them. Where somebody ends a commit's wait for its standbys the server calls it done, with a
 * warning, which has no code of its own. */
static void take_notice(void *payload, const PGresult *notice)
{
    const char *function = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);
    if (function && !strcmp(function, "SyncRepWaitForLSN"))
        ((connection *)payload)->unconfirmed = true;
}

static avout_status connect_to(connection *c, const server *s, int host, int64_t deadline_ms)
{
    parameters p;
    if (!set_all(&p, s, host)) return avout_fail(AVOUT_ELIMIT, "the address is too long");
    c->refused_by_tls = false;
    c->pg = PQconnectStartParams(p.keywords, p.values, 0);
    if (!c->pg) return avout__plugin_no_memory();
    PQsetErrorVerbosity(c->pg, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(c->pg, take_notice, c);
    avout_status status = finish_connecting(c, deadline_ms);
    if (!status) status = set_up(c->pg, deadline_ms);
    if (status) PQfinish(c->pg);
    return status;
}

/* What all hosts together have failed with: one that is merely away may come up, and counts for more than those that
 * TLS refuses. */
typedef struct failure {
    avout_status status;
    char detail[500];
} failure;

static void keep(failure *kept, avout_status status)
{
    if (kept->status && status == AVOUT_EAUTH) return;
    kept->status = status;
    snprintf(kept->detail, sizeof kept->detail, "%s", avout_error_detail());
}

static bool ends_the_search(const connection *c, avout_status status)
{
    return status != AVOUT_ECONNECTION && status != AVOUT_ETIMEOUT && !c->refused_by_tls;
}

/* One host after the other, each with its share of the time, until one takes writes, or says no itself. One that TLS
 * refuses has not been asked: it may be another's machine, or its certificate too old. */
static avout_status connect_any(void **made, void *to, int64_t deadline_ms)
{
    const server *s = to;
    failure kept = {AVOUT_OK, ""};
    connection *c = malloc(sizeof *c);
    if (!c) return avout__plugin_no_memory();
    *c = (connection){NULL, -1, false, false};
    for (int i = 0; i < s->hosts; i++) {
        int64_t left_ms = avout__plugin_left_ms(deadline_ms, 0, INT32_MAX);
        int64_t share =
            i + 1 < s->hosts ? avout__plugin_deadline(left_ms / (s->hosts - i) + 1) : deadline_ms;
        avout_status status = connect_to(c, s, i, share);
        if (!status) {
            *made = c;
            return AVOUT_OK;
        }
        if (ends_the_search(c, status)) {
            free(c);
            return status;
        }
        keep(&kept, status);
    }
    free(c);
    return avout_fail(kept.status, "%s", kept.detail);
}

static bool is_usable(void *used)
{
    const connection *c = used;
    return PQstatus(c->pg) == CONNECTION_OK && PQtransactionStatus(c->pg) == PQTRANS_IDLE;
}

static void close_connection(void *used)
{
    connection *c = used;
    PQfinish(c->pg);
    free(c);
}

/* ---- the pool --------------------------------------------------------------------------------------------- */

static void free_server(void *made)
{
    server *s = made;
    PQconninfoFree(s->options);
    free(s);
}

static const avout__plugin_driver driver = {connect_any, is_usable, close_connection, free_server};

static int items(const char *list)
{
    int count = 1;
    for (; list && *list; list++) count += *list == ',';
    return count;
}

static int64_t wait_of(const PQconninfoOption *options)
{
    const char *seconds = avout__postgres_option(options, "connect_timeout");
    int64_t number = seconds ? strtol(seconds, NULL, 10) : 0;
    return number > 0 && number < INT32_MAX / 1000 ? number * 1000 : WAIT_MS;
}

static avout_status make_pool(void **object, const char *text, const void *payload)
{
    const avout__postgres_address *address = payload;
    avout__plugin_pool *pool;
    server *s = malloc(sizeof *s);
    if (!s) return avout__plugin_no_memory();
    s->options = PQconninfoParse(text, NULL);
    if (!s->options) {
        free(s);
        return avout__plugin_no_memory();
    }
    int named = items(avout__postgres_option(s->options, "host"));
    int numbered = items(avout__postgres_option(s->options, "hostaddr"));
    s->hosts = named > numbered ? named : numbered;
    avout_status status =
        avout__plugin_pool_new(&pool, &driver, s, address->pool_size, wait_of(s->options));
    if (!status) *object = pool;
    return status;
}

static void free_pool(void *object)
{
    avout__plugin_pool_free(object);
}

static const avout__plugin_sharing sharing = {make_pool, free_pool};

avout_status avout__postgres_share(avout__plugin_shared **shared,
                                   const avout__postgres_address *address)
{
    return avout__plugin_share(shared, &sharing, address->text, address);
}
