/* Errors as `avout: what: why`, exit statuses, and the connection. */
#include "cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

cli_exit cli_exit_of(avout_status status)
{
    switch (status) {
    case AVOUT_OK: return CLI_DONE;
    case AVOUT_ECONFLICT:
    case AVOUT_EEXISTS: return CLI_NO;
    case AVOUT_EINVAL:
    case AVOUT_EUTF8:
    case AVOUT_ESYNTAX:
    case AVOUT_ENAME:
    case AVOUT_EURL: return CLI_USAGE;
    case AVOUT_ENOTFOUND: return CLI_ABSENT;
    case AVOUT_ETYPE:
    case AVOUT_ERANGE:
    case AVOUT_EDIVZERO:
    case AVOUT_ELIMIT:
    case AVOUT_ENOPRINT:
    case AVOUT_ESTATE:
    case AVOUT_EDATA:
    case AVOUT_EBUSY:
    case AVOUT_ENOTHELD:
    case AVOUT_ELOST:
    case AVOUT_EDEADLOCK:
    case AVOUT_EBROKEN:
    case AVOUT_ETHROWN:
    case AVOUT_EVALIDATOR: return CLI_REFUSED;
    case AVOUT_ENOTSUP:
    case AVOUT_EFORMAT:
    case AVOUT_ENOSPACE:
    case AVOUT_EPERM:
    case AVOUT_EAUTH:
    case AVOUT_EIO:
    case AVOUT_ENOTEMPTY:
    case AVOUT_ECONNECTION:
    case AVOUT_ESESSION: return CLI_STORE;
    case AVOUT_ETIMEOUT:
    case AVOUT_ERETRIES: return CLI_TIMEOUT;
    case AVOUT_UNKNOWN: return CLI_UNKNOWN;
    default: return CLI_SYSTEM;
    }
}

/* Names and EDN may contain anything; a line stays a line. */
static void put_line(const char *what, const char *why)
{
    char line[2200];
    snprintf(line, sizeof line - 1, "avout: %s%s%s", what ? what : "", what ? ": " : "", why);
    for (char *p = line; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f) *p = ' ';
    strcat(line, "\n");
    fflush(stdout);
    fputs(line, stderr);
}

cli_exit cli_error(cli_exit status, const char *what, const char *format, ...)
{
    char why[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    put_line(what, why);
    return status;
}

cli_exit cli_failed(cli_session *session, const char *name, avout_status status)
{
    const char *detail = avout_error_detail();
    const char *why = *detail ? detail : avout_status_text(status);
    char what[1100];
    /* Most details name the thing already; twice in one line would only hide the reason. */
    bool named = !name || strstr(why, name);
    snprintf(what, sizeof what, "%s%s%s", session->command->name, named ? "" : " ",
             named ? "" : name);
    return cli_error(cli_exit_of(status), what, "%s", why);
}

static void show_event(avout_event event, void *payload)
{
    (void)payload;
    fprintf(stderr, "avout: connection: %s\n", avout_event_name(event));
}

static void show_log(avout_log_level level, const char *message, void *payload)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    (void)payload;
    fprintf(stderr, "avout: %s: %s\n", names[level], message);
}

static bool acl_of(avout_acl *acl, const char *name)
{
    static const char *const names[] = {"open", "owner", "owner-writes"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name)) return *acl = (avout_acl)i, true;
    return false;
}

cli_exit cli_options(avout_options *options, const cli_session *session)
{
    const cli_settings *s = &session->settings;
    *options = (avout_options){
        .connect_timeout_ms = s->timeout_ms,
        .timeout_ms = s->timeout_ms,
        .user = s->user,
        .password = s->user ? getenv("AVOUT_PASSWORD") : NULL,
    };
    if (s->user && !options->password)
        return cli_error(CLI_USAGE, session->command->name,
                         "--user needs the password in the environment's AVOUT_PASSWORD");
    if (s->acl && !acl_of(&options->acl, s->acl))
        return cli_error(CLI_USAGE, session->command->name,
                         "--acl: \"%s\" is none of open, owner, owner-writes", s->acl);
    if (s->verbose) {
        options->on_event = show_event;
        options->on_log = show_log;
    }
    return CLI_DONE;
}

cli_exit cli_connect(cli_session *session, const avout_options *options)
{
    avout_status st = avout_connect(session->settings.store, options, &session->client);
    if (!st) return CLI_DONE;
    /* Nobody there within the time is the store's state, not a deadline of the change. */
    cli_exit status = cli_failed(session, NULL, st);
    return st == AVOUT_ETIMEOUT ? CLI_STORE : status;
}

cli_exit cli_open(cli_session *session)
{
    avout_options options;
    cli_exit wrong = cli_options(&options, session);
    return wrong ? wrong : cli_connect(session, &options);
}
