#include "report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

enum { LINES_MAX = 64, LINE_SIZE = 240 };

static bool as_json, any;
static char notes[LINES_MAX][LINE_SIZE];
static int note_count;
static struct {
    char row[32];
    comparison costs;
} costs[LINES_MAX];
static int cost_count;

void report_open(bool json)
{
    as_json = json;
    if (json) printf("{\"rows\": [");
    else
        printf("%-22s %-46s %13s %13s %8s  %-12s %s\n", "row", "what", "raw", "ours", "ratio",
               "goal", "met");
    fflush(stdout);
}

static int digits_after_point(double number)
{
    if (number >= 1000) return 0;
    return number >= 100 ? 1 : number >= 1 ? 2 : 4;
}

static void show(char *text, size_t size, double number, const char *unit)
{
    if (isnan(number)) snprintf(text, size, "-");
    else
        snprintf(text, size, "%.*f%s%s", digits_after_point(number), number,
                 unit[0] && unit[0] != '/' ? " " : "", unit);
}

static void show_goal(char *text, size_t size, const result *r)
{
    if (r->bound == NO_GOAL) snprintf(text, size, "-");
    else
        snprintf(text, size, "%s %g%s%s", r->bound == AT_MOST ? "<=" : ">=", r->goal,
                 r->absolute ? (r->unit[0] == '/' ? "" : " ") : " x", r->absolute ? r->unit : "");
}

static const char *met(const result *r)
{
    double number = r->absolute ? r->ours : r->ratio;
    if (r->bound == NO_GOAL || isnan(number)) return NULL;
    return (r->bound == AT_MOST ? number <= r->goal : number >= r->goal) ? "yes" : "NO";
}

static void json_number(const char *name, double number)
{
    if (isnan(number)) printf(", \"%s\": null", name);
    else printf(", \"%s\": %.6g", name, number);
}

static void print_json(const result *r)
{
    const char *is_met = met(r);
    printf("%s\n  {\"row\": \"%s\", \"what\": \"%s\", \"unit\": \"%s\"", any ? "," : "", r->row,
           r->what, r->unit);
    json_number("raw", r->raw);
    json_number("ours", r->ours);
    json_number("ratio", r->ratio);
    json_number("goal", r->bound == NO_GOAL ? NAN : r->goal);
    printf(", \"bound\": \"%s%s\"",
           r->bound == AT_MOST    ? "<="
           : r->bound == AT_LEAST ? ">="
                                  : "",
           r->bound == NO_GOAL ? ""
           : r->absolute       ? " ours"
                               : " ratio");
    printf(", \"met\": %s", !is_met ? "null" : !strcmp(is_met, "yes") ? "true" : "false");
    if (r->costs) {
        json_number("raw_cpu_us", r->costs->raw_cpu_us);
        json_number("ours_cpu_us", r->costs->ours_cpu_us);
        json_number("raw_server_us", r->costs->raw_server_us);
        json_number("ours_server_us", r->costs->ours_server_us);
    }
    printf("}");
}

static void print_line(const result *r)
{
    char raw[32], ours[32], ratio[32], goal[32];
    const char *is_met = met(r);
    show(raw, sizeof raw, r->raw, r->unit);
    show(ours, sizeof ours, r->ours, r->unit);
    show(ratio, sizeof ratio, r->ratio, "");
    show_goal(goal, sizeof goal, r);
    printf("%-22s %-46s %13s %13s %8s  %-12s %s\n", r->row, r->what, raw, ours, ratio, goal,
           is_met ? is_met : "-");
}

void report(const result *r)
{
    if (as_json) print_json(r);
    else print_line(r);
    fflush(stdout);
    any = true;
    if (!r->costs || cost_count == LINES_MAX) return;
    snprintf(costs[cost_count].row, sizeof costs[cost_count].row, "%s", r->row);
    costs[cost_count++].costs = *r->costs;
}

void report_latency(const char *row, const char *what, comparison *c, double goal)
{
    bool short_ones = 1 / c->ours < 1e-5;
    double scale = short_ones ? 1e9 : 1e3;
    report(&(result){.row = row,
                     .what = what,
                     .unit = short_ones ? "ns" : "ms",
                     .raw = scale / c->raw,
                     .ours = scale / c->ours,
                     .ratio = 1 / c->ratio,
                     .bound = AT_MOST,
                     .goal = goal,
                     .costs = short_ones ? NULL : c});
}

void report_rate(const char *row, const char *what, comparison *c, double goal)
{
    report(&(result){.row = row,
                     .what = what,
                     .unit = "/s",
                     .raw = c->raw,
                     .ours = c->ours,
                     .ratio = c->ratio,
                     .bound = AT_LEAST,
                     .goal = goal,
                     .costs = c});
}

void report_note(const char *format, ...)
{
    if (note_count == LINES_MAX) fail("too many notes");
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(notes[note_count++], LINE_SIZE, format, arguments);
    va_end(arguments);
}

static void close_json(void)
{
    printf("\n], \"notes\": [");
    for (int i = 0; i < note_count; i++) printf("%s\n  \"%s\"", i ? "," : "", notes[i]);
    printf("\n]}\n");
}

static void print_costs(const char *row, const comparison *c)
{
    const double numbers[] = {c->raw_cpu_us, c->ours_cpu_us, c->raw_server_us, c->ours_server_us};
    printf("%-22s", row);
    for (int i = 0; i < 4; i++) {
        if (numbers[i] > 0) printf(" %14.1f", numbers[i]);
        else printf(" %14s", "-"); /* not a number either */
    }
    printf("\n");
}

void report_close(void)
{
    if (as_json) {
        close_json();
        return;
    }
    if (cost_count)
        printf("\n%-22s %s\n%-22s %14s %14s %14s %14s\n", "", "processor time an operation, us", "",
               "raw", "ours", "server, raw", "server, ours");
    for (int i = 0; i < cost_count; i++) print_costs(costs[i].row, &costs[i].costs);
    if (note_count) printf("\n");
    for (int i = 0; i < note_count; i++) printf("%s\n", notes[i]);
}
