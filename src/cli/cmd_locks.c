/* avout locks: which locks there are, who has them and who waits. */
#include "cli.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct showing {
    cli_session *session;
    cli_exit status;
    bool found; /* anything of that name */
    bool first; /* nothing printed yet */
} showing;

static void put(const char *text)
{
    cli_put(text, strlen(text));
}

/* ---- for people ------------------------------------------------------------------------------ */

static void print_entry(const avout_lock_entry *entry)
{
    char line[600], since[40];
    const char *what = entry->holds ? (entry->shared ? "read by" : "held by")
                                    : (entry->shared ? "waiting to read:" : "waiting:");
    snprintf(line, sizeof line, "  %s process %" PRId64 " on %s, since %s\n", what, entry->pid,
             *entry->host ? entry->host : "?", cli_time_text(since, entry->since_ms));
    put(line);
}

static void print_lock(const char *name, const avout_lock_report *report)
{
    put(name);
    put(report->count ? "\n" : "  free\n");
    for (size_t i = 0; i < report->count; i++) print_entry(&report->entries[i]);
    for (size_t i = 0; i < report->foreign_count; i++) {
        put("  not ours: ");
        put(report->foreign[i]);
        put("\n");
    }
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static cli_exit print_json_entry(cli_session *session, const avout_lock_entry *entry)
{
    char text[160], token[AVOUT_TOKEN_SIZE];
    put("{\"host\":");
    cli_exit status = cli_print_json_string(session, entry->host);
    snprintf(text, sizeof text,
             ",\"pid\":%" PRId64 ",\"shared\":%s,\"since_ms\":%" PRId64 ",\"token\":\"%s\"}",
             entry->pid, entry->shared ? "true" : "false", entry->since_ms,
             avout_token_text(token, entry->token));
    put(text);
    return status;
}

static cli_exit print_json_entries(cli_session *session, const avout_lock_report *report,
                                   bool holds)
{
    cli_exit status = CLI_DONE;
    bool first = true;
    put("[");
    for (size_t i = 0; i < report->count && !status; i++) {
        if (report->entries[i].holds != holds) continue;
        if (!first) put(",");
        first = false;
        status = print_json_entry(session, &report->entries[i]);
    }
    put("]");
    return status;
}

static cli_exit print_json_lock(cli_session *session, const char *name,
                                const avout_lock_report *report)
{
    put("{\"name\":");
    cli_exit status = cli_print_json_string(session, name);
    put(",\"holders\":");
    if (!status) status = print_json_entries(session, report, true);
    put(",\"waiting\":");
    if (!status) status = print_json_entries(session, report, false);
    put(",\"foreign\":[");
    for (size_t i = 0; i < report->foreign_count && !status; i++) {
        if (i) put(",");
        status = cli_print_json_string(session, report->foreign[i]);
    }
    put("]}");
    return status;
}

/* ---- looking --------------------------------------------------------------------------------- */

static void show_lock(showing *s, const char *name)
{
    avout_lock_report *report = NULL;
    avout_status st = avout_lock_inspect(&report, s->session->client, name);
    if (st) {
        s->status = cli_failed(s->session, name, st);
        return;
    }
    const cli_settings *settings = &s->session->settings;
    if (report->count || report->foreign_count || settings->all) {
        if (settings->json) {
            put(s->first ? "[" : ",\n ");
            s->status = print_json_lock(s->session, name, report);
        } else {
            print_lock(name, report);
        }
        s->first = false;
    }
    avout_lock_report_free(report);
}

static avout_status show_below(showing *s, const char *directory);

/* What is shown is asked for one after the other: a lock that goes meanwhile was free. */
static avout_status show_one(const char *name, bool directory, void *payload)
{
    showing *s = payload;
    s->found = true;
    if (!directory) show_lock(s, name);
    if (s->status) return AVOUT_ECANCELLED; /* reported */
    return directory ? show_below(s, name) : AVOUT_OK;
}

static avout_status show_below(showing *s, const char *directory)
{
    avout_status st = avout_locks_each(s->session->client, directory, show_one, s);
    return st == AVOUT_ENOTFOUND ? AVOUT_OK : st;
}

typedef struct sought {
    const char *name;
    bool lock;
} sought;

static avout_status find_one(const char *name, bool directory, void *payload)
{
    sought *wanted = payload;
    wanted->lock = wanted->lock || (!directory && !strcmp(name, wanted->name));
    return AVOUT_OK;
}

/* A lock is known by its directory; one that was never made is no lock. */
static avout_status find_lock(bool *found, cli_session *session, const char *name)
{
    sought wanted = {.name = name};
    char *directory = strdup(name);
    if (!directory) return AVOUT_ENOMEM;
    char *slash = strrchr(directory, '/');
    if (slash) slash[slash == directory] = '\0';
    avout_status st = avout_locks_each(session->client, directory, find_one, &wanted);
    free(directory);
    *found = wanted.lock;
    return st == AVOUT_ENOTFOUND ? AVOUT_OK : st;
}

cli_exit cli_locks(cli_session *session)
{
    showing s = {.session = session, .first = true};
    char *start = cli_directory(session, session->words.count ? session->words.at[0] : "/");
    if (!start) return CLI_SYSTEM;
    s.status = cli_open(session);
    avout_status st = AVOUT_OK;
    bool top = !strcmp(start, "/"), lock = false;
    if (!s.status && !top) st = find_lock(&lock, session, start);
    if (!s.status && !st && lock) st = show_one(start, false, &s);
    if (!s.status && !st) st = show_below(&s, start);
    if (!s.status && st) s.status = cli_failed(session, start, st);
    if (!s.status && (top || s.found) && session->settings.json) put(s.first ? "[]\n" : "]\n");
    if (!s.status && !top && !s.found)
        s.status = cli_error(CLI_ABSENT, "locks", "%s: there is no lock of that name, nor below it",
                             start);
    free(start);
    return s.status;
}
