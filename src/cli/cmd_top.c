/* avout top: which names change, how often, and who wants them; live, or once. */
#include "top.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { INTERVAL_MS = 1000, PATIENCE_MS = 5000 };

static void put(const char *text)
{
    cli_put(text, strlen(text));
}

/* ---- once, as a table --------------------------------------------------------------------------- */

static size_t terminal_width(void)
{
    struct winsize size;
    return isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ? size.ws_col : 0;
}

static void print_line(const char *line, const char *rest)
{
    put(line);
    put(rest);
    put("\n");
}

static void print_row(const top_layout *layout, const top_row *row)
{
    char line[TOP_LINE_SIZE];
    const char *value = row->text ? row->text : "";
    top_line(line, layout, row);
    if (!layout->width && row->why) {
        put(line);
        print_line("? ", row->why);
    } else {
        print_line(line, layout->width ? "" : value);
    }
}

/* ---- once, as JSON ------------------------------------------------------------------------------- */

static void put_number(const char *key, bool known, int64_t number)
{
    char text[80];
    if (known) snprintf(text, sizeof text, ",\"%s\":%" PRId64, key, number);
    else snprintf(text, sizeof text, ",\"%s\":null", key);
    put(text);
}

static void put_rate(const top_row *row, bool known)
{
    char text[80];
    snprintf(text, sizeof text, ",\"changes_per_second\":%.3f", row->rate);
    put(known && row->rated ? text : ",\"changes_per_second\":null");
}

static void put_lock(const top_row *row)
{
    char text[120];
    snprintf(text, sizeof text, ",\"lock\":{\"holders\":%zu,\"waiting\":%zu,\"shared\":%s}}",
             row->holders, row->waiting, row->holders && row->shared ? "true" : "false");
    put(row->lock_looked ? text : ",\"lock\":null}");
}

static cli_exit print_json_row(cli_session *session, const top_row *row)
{
    bool known = row->is_name && row->looked && !row->stat.status;
    const char *why = row->why;
    if (!why && row->looked && row->stat.status && row->stat.status != AVOUT_ENOTFOUND)
        why = avout_status_text(row->stat.status);
    put("{\"name\":");
    cli_exit status = cli_print_json_string(session, row->name);
    put(",\"value\":");
    put(row->text ? row->text : "null");
    put(",\"error\":");
    if (!status && why) status = cli_print_json_string(session, why);
    else put("null");
    put_number("version", known, row->stat.version);
    put_rate(row, known);
    put_number("changed_ms", known, row->stat.changed_ms);
    put_number("size", known, (int64_t)row->stat.size);
    put_number("watchers", known && row->stat.watchers >= 0, row->stat.watchers);
    put_number("queue", known, row->stat.queued);
    put_lock(row);
    return status;
}

static cli_exit print_json_head(cli_session *session, const top_model *model, int64_t interval_ms)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    put("{\"store\":");
    cli_exit status = cli_print_json_string(session, avout_client_url(model->client));
    put(",\"directory\":");
    if (!status) status = cli_print_json_string(session, model->directory);
    put_number("time_ms", true, now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000);
    put_number("interval_ms", true, interval_ms);
    put(",\"names\":[");
    return status;
}

/* ---- once ------------------------------------------------------------------------------------------ */

static void wait_ms(int64_t ms)
{
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&rest, &rest)) continue;
}

/* A value is read, shown and given up: there may be more of them than fit into memory. */
static cli_exit print_rows(top_model *model, const top_layout *layout)
{
    const cli_settings *s = &model->session->settings;
    size_t most = s->rows ? (size_t)s->rows : SIZE_MAX;
    cli_exit status = CLI_DONE;
    for (size_t i = 0; i < model->view.count && i < most && !status; i++) {
        top_row *row = model->view.at[i];
        avout_status st = s->no_values ? AVOUT_OK : top_read_row(model, row);
        if (st) return cli_failed(model->session, row->name, st);
        if (s->json) {
            put(i ? ",\n " : "\n ");
            status = print_json_row(model->session, row);
        } else {
            print_row(layout, row);
        }
        top_forget_row(row);
    }
    return status;
}

static cli_exit once(top_model *model, int64_t interval_ms)
{
    cli_session *session = model->session;
    avout_status st = top_walk(model, INT64_MAX);
    if (!st) st = top_look(model, 0, 0, true);
    if (!st) {
        wait_ms(interval_ms);
        st = top_look(model, 0, 0, true);
    }
    if (!st) st = top_look_at_locks(model, 0, 0, true);
    if (st) return cli_failed(session, NULL, st);
    if (session->settings.json) {
        cli_exit status = print_json_head(session, model, interval_ms);
        if (!status) status = print_rows(model, NULL);
        put("]}\n");
        return status;
    }
    size_t rows = session->settings.rows ? (size_t)session->settings.rows : model->view.count;
    top_layout layout = top_layout_for(&model->view, 0, rows, terminal_width());
    char head[TOP_LINE_SIZE];
    top_head(head, &layout);
    print_line(head, layout.width ? "" : "VALUE");
    return print_rows(model, &layout);
}

/* ---- the command -------------------------------------------------------------------------------------- */

static avout_status ignore_lock(const char *name, bool directory, void *payload)
{
    (void)name, (void)directory, (void)payload;
    return AVOUT_OK;
}

/* A mistyped directory is told before an empty table is shown. */
static cli_exit check_directory(cli_session *session, const char *directory)
{
    avout_value names = AVOUT_NONE;
    avout_name_stat stat = {0};
    avout_status st = avout_ls(&names, session->client, directory);
    avout_release(names);
    if (st == AVOUT_ENOTFOUND) st = avout_locks_each(session->client, directory, ignore_lock, NULL);
    if (st == AVOUT_ENOTFOUND) {
        st = avout_stat_names(&stat, session->client, &directory, 1, 0);
        if (!st && stat.status == AVOUT_ENOTFOUND)
            return cli_error(CLI_ABSENT, "top", "%s: there is no such name, nor any below it",
                             directory);
    }
    return st ? cli_failed(session, directory, st) : CLI_DONE;
}

static cli_exit check_settings(top_order *order, const cli_settings *s)
{
    *order = s->sort ? top_order_find(s->sort) : TOP_BY_NAME;
    if (*order == TOP_ORDERS)
        return cli_error(CLI_USAGE, "top",
                         "--sort: \"%s\" is none of name, changes, time, watchers, queue, lock",
                         s->sort);
    if (s->filter && strlen(s->filter) >= TOP_FILTER_SIZE)
        return cli_error(CLI_USAGE, "top", "--filter: longer than %d bytes", TOP_FILTER_SIZE - 1);
    if (s->once) return CLI_DONE;
    if (s->json || s->rows || s->no_values)
        return cli_error(CLI_USAGE, "top", "--json, --rows and --no-values need --once");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return cli_error(CLI_USAGE, "top", "this is no terminal; --once prints the table once");
    return CLI_DONE;
}

static cli_exit connect_for(cli_session *session)
{
    avout_options options;
    cli_exit status = cli_options(&options, session);
    if (status) return status;
    if (!session->settings.once) {
        /* The screen is ours: what the connection does is shown there. */
        options.on_event = top_event;
        options.on_log = NULL;
        if (!options.timeout_ms) options.timeout_ms = PATIENCE_MS;
    }
    return cli_connect(session, &options);
}

cli_exit cli_top(cli_session *session)
{
    const cli_settings *s = &session->settings;
    int64_t interval_ms = s->interval_ms ? s->interval_ms : INTERVAL_MS;
    top_order order;
    cli_exit status = check_settings(&order, s);
    if (status) return status;
    char *directory = cli_directory(session, session->words.count ? session->words.at[0] : "/");
    if (!directory) return CLI_SYSTEM;
    status = connect_for(session);
    if (!status && strcmp(directory, "/") != 0) status = check_directory(session, directory);
    if (!status) {
        top_model model;
        top_model_init(&model, session, directory);
        model.order = order;
        snprintf(model.filter, sizeof model.filter, "%s", s->filter ? s->filter : "");
        status = s->once ? once(&model, interval_ms) : top_screen(&model, interval_ms);
        top_model_release(&model);
    }
    free(directory);
    return status;
}
