/* avout-bench: what our side costs beside the raw engines, in one run; see docs/design.md. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fsync.h"
#include "report.h"
#include "rows.h"
#include "world.h"

static const struct {
    const char *name;
    void (*run)(bench *b);
} rows[] = {
    {"swap", row_swap},
    {"dosync", row_dosync},
    {"requests", row_requests},
    {"threads-one-ref", row_one_ref},
    {"threads-64-refs", row_many_refs},
    {"processes", row_processes},
    {"lock", row_lock},
    {"lock-hand-overs", row_hand_overs},
    {"containers", row_containers},
    {"deref", row_deref},
    {"embedded-swap", row_embedded_swap},
    {"embedded-threads", row_embedded_one_ref},
    {"embedded-processes", row_embedded_processes},
    {"embedded-lock", row_embedded_lock},
    {"embedded-hand-overs", row_embedded_hand_overs},
    {"edn", row_edn},
    {"values", row_values},
    {"embedded-open", row_embedded_open},
    {"open", row_open},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

/* ---- the command line ----------------------------------------------------------------------------- */

static const char usage[] =
    "usage: avout-bench [--row NAME]... [--seconds N] [--store WHERE]... [--json]\n"
    "       avout-bench --list\n"
    "\n"
    "  --row NAME      this row only; may be given several times\n"
    "  --seconds N     of measuring, a row (5)\n"
    "  --store WHERE   zk://HOST:PORT: a running ZooKeeper instead of one of our own;\n"
    "                  a directory: where the temporary stores are made (/var/tmp)\n"
    "  --json          the results as JSON\n"
    "  --list          the rows' names\n";

typedef struct arguments {
    double seconds;
    bool json;
    const char *zookeeper, *place;
    bool chosen[ROWS];
    bool some_chosen;
} arguments;

static _Noreturn void wrong(const char *what, const char *argument)
{
    fprintf(stderr, "avout-bench: %s: %s\n%s", argument, what, usage);
    exit(2);
}

static void choose(arguments *a, const char *name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (!strcmp(rows[i].name, name)) {
            a->chosen[i] = a->some_chosen = true;
            return;
        }
    wrong("there is no such row", name);
}

static void list_rows(void)
{
    for (size_t i = 0; i < ROWS; i++) puts(rows[i].name);
    exit(0);
}

static void set_seconds(arguments *a, const char *text)
{
    char *end;
    a->seconds = strtod(text, &end);
    if (*end || !(a->seconds > 0 && a->seconds <= 3600)) wrong("is no number of seconds", text);
}

static void parse(arguments *a, int count, char **texts)
{
    for (int i = 1; i < count; i++) {
        const char *option = texts[i], *value = texts[i + 1];
        bool wants_value = true;
        if (!strcmp(option, "--json")) a->json = true, wants_value = false;
        else if (!strcmp(option, "--list")) list_rows();
        else if (!strcmp(option, "--help")) fputs(usage, stdout), exit(0);
        else if (!value) wrong("unknown, or its argument is missing", option);
        else if (!strcmp(option, "--row")) choose(a, value);
        else if (!strcmp(option, "--seconds")) set_seconds(a, value);
        else if (strcmp(option, "--store")) wrong("is no option", option);
        else if (!strncmp(value, "zk://", 5)) a->zookeeper = value;
        else a->place = !strncmp(value, "lmdb:", 5) ? value + 5 : value;
        i += wants_value;
    }
}

int main(int count, char **texts)
{
    if (count > 1 && !strcmp(texts[1], "--worker")) return worker_main(count - 2, texts + 2);
    if (count > 1 && !strcmp(texts[1], "--locker")) return locker_main(count - 2, texts + 2);
    arguments a = {.seconds = 5};
    bench b = {0};
    parse(&a, count, texts);
    ssize_t length = readlink("/proc/self/exe", b.program, sizeof b.program - 1);
    if (length < 0) wrong("does not know its own path", texts[0]);
    world_open(a.place);
    b.seconds = a.seconds;
    b.zookeeper = a.zookeeper;
    report_open(a.json);
    double start = seconds_now();
    for (size_t i = 0; i < ROWS; i++)
        if (!a.some_chosen || a.chosen[i]) rows[i].run(&b);
    fsync_note();
    if (b.server && !b.restarted) fsync_note_server(b.server);
    report_note("the whole took %.0f s", seconds_now() - start);
    report_close();
    world_close();
    return 0;
}
