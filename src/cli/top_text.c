/* Columns and lines of the table. The value is the last column and takes what is left of the line. */
#include "top.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

enum { NAME_LEAST = 12, NAME_MOST = 48 };

/* ---- text in columns --------------------------------------------------------------------------- */

/* The next character's bytes and columns. What is not printable is shown as one character. */
static size_t character(size_t *columns, const char **shown, const char *text)
{
    wchar_t c;
    mbstate_t state = {0};
    size_t length = mbrtowc(&c, text, MB_CUR_MAX, &state);
    int width = length == 0 || length > 16 ? -1 : wcwidth(c);
    if (length == 0 || length > 16) length = 1;
    *shown = width < 0 ? ((unsigned char)*text < ' ' ? " " : "?") : NULL;
    *columns = width < 0 ? 1 : (size_t)width;
    return length;
}

static size_t columns_of(const char *text)
{
    size_t columns = 0, width;
    const char *shown;
    while (*text) {
        text += character(&width, &shown, text);
        columns += width;
    }
    return columns;
}

/* The byte behind what fits into so many columns. */
static const char *cut_at(const char *text, size_t columns)
{
    size_t width;
    const char *shown;
    while (*text) {
        size_t length = character(&width, &shown, text);
        if (width > columns) break;
        columns -= width;
        text += length;
    }
    return text;
}

static void put(char line[TOP_LINE_SIZE], const char *bytes, size_t length)
{
    size_t used = strlen(line);
    if (used + length >= TOP_LINE_SIZE) return;
    memcpy(line + used, bytes, length);
    line[used + length] = '\0';
}

void top_append(char line[TOP_LINE_SIZE], const char *text, size_t columns, size_t pad)
{
    bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
    bool fits = columns_of(text) <= columns;
    const char *end = fits ? text + strlen(text) : cut_at(text, columns ? columns - 1 : 0);
    size_t used = 0, width;
    const char *shown;
    while (text < end) {
        size_t length = character(&width, &shown, text);
        put(line, shown ? shown : text, shown ? 1 : length);
        text += length;
        used += width;
    }
    if (!fits && columns) {
        put(line, utf8 ? "…" : "~", utf8 ? strlen("…") : 1);
        used++;
    }
    for (; used < pad; used++) put(line, " ", 1);
}

/* ---- cells --------------------------------------------------------------------------------------- */

enum { CELL_SIZE = 40 };

/* "-": not known. Names alone have one, not locks. */
static void rate_text(char text[CELL_SIZE], const top_row *row)
{
    if (!row->rated || row->stat.status) snprintf(text, CELL_SIZE, "-");
    else snprintf(text, CELL_SIZE, row->rate > 0 && row->rate < 100 ? "%.1f" : "%.0f", row->rate);
}

static void time_text(char text[CELL_SIZE], const top_row *row)
{
    if (!row->looked || row->stat.status) snprintf(text, CELL_SIZE, "-");
    else cli_time_text(text, row->stat.changed_ms);
}

static void count_text(char text[CELL_SIZE], const top_row *row, int64_t count)
{
    if (!row->looked || row->stat.status || count < 0) snprintf(text, CELL_SIZE, "-");
    else snprintf(text, CELL_SIZE, "%lld", (long long)count);
}

/* "1+3": one has it, three wait; "r2": two read. */
static void lock_text(char text[CELL_SIZE], const top_row *row)
{
    if (!row->lock_looked) snprintf(text, CELL_SIZE, "-");
    else if (!row->holders && !row->waiting) snprintf(text, CELL_SIZE, "free");
    else if (!row->waiting)
        snprintf(text, CELL_SIZE, "%s%zu", row->shared ? "r" : "", row->holders);
    else snprintf(text, CELL_SIZE, "%s%zu+%zu", row->shared ? "r" : "", row->holders, row->waiting);
}

/* ---- lines ----------------------------------------------------------------------------------------- */

enum { RATE, TIME, WATCHERS, QUEUE, LOCK, CELLS };
static const struct {
    const char *title;
    size_t width;
} cells[CELLS] = {[RATE] = {"CHANGES/S", 9},
                  [TIME] = {"LAST CHANGE", 19},
                  [WATCHERS] = {"WATCHERS", 8},
                  [QUEUE] = {"QUEUE", 5},
                  [LOCK] = {"LOCK", 5}};

top_layout top_layout_for(const top_rows *view, size_t first, size_t count, size_t width)
{
    top_layout layout = {.name = NAME_LEAST, .width = width};
    for (size_t i = first; i < view->count && i - first < count; i++) {
        size_t columns = columns_of(view->at[i]->name);
        if (columns > layout.name) layout.name = columns;
    }
    if (width && layout.name > NAME_MOST) layout.name = NAME_MOST;
    if (width && layout.name > width / 3)
        layout.name = width / 3 > NAME_LEAST ? width / 3 : NAME_LEAST;
    return layout;
}

/* All but numbers stand on the left of their columns. */
static void put_cells(char line[TOP_LINE_SIZE], char texts[CELLS][CELL_SIZE])
{
    for (size_t i = 0; i < CELLS; i++) {
        size_t columns = columns_of(texts[i]), width = cells[i].width;
        put(line, "  ", 2);
        for (size_t k = columns; i != TIME && k < width; k++) put(line, " ", 1);
        put(line, texts[i], strlen(texts[i]));
        for (size_t k = columns; i == TIME && k < width; k++) put(line, " ", 1);
    }
    put(line, "  ", 2);
}

/* The value; a line is never longer than the terminal is wide. */
static void put_last(char line[TOP_LINE_SIZE], const top_layout *layout, const char *text)
{
    size_t used = columns_of(line);
    if (!layout->width) return;
    if (used < layout->width) top_append(line, text, layout->width - used, 0);
    else line[cut_at(line, layout->width) - line] = '\0';
}

void top_line(char line[TOP_LINE_SIZE], const top_layout *layout, const top_row *row)
{
    char texts[CELLS][CELL_SIZE];
    char why[200];
    rate_text(texts[RATE], row);
    time_text(texts[TIME], row);
    count_text(texts[WATCHERS], row, row->stat.watchers);
    count_text(texts[QUEUE], row, row->stat.queued);
    lock_text(texts[LOCK], row);
    *line = '\0';
    top_append(line, row->name, layout->name, layout->name);
    put_cells(line, texts);
    const char *unreadable = row->why;
    if (!unreadable && row->looked && row->stat.status && row->is_name &&
        row->stat.status != AVOUT_ENOTFOUND)
        unreadable = avout_status_text(row->stat.status);
    snprintf(why, sizeof why, "? %.190s", unreadable ? unreadable : "");
    put_last(line, layout, unreadable ? why : row->text ? row->text : "");
}

void top_head(char line[TOP_LINE_SIZE], const top_layout *layout)
{
    char texts[CELLS][CELL_SIZE];
    for (size_t i = 0; i < CELLS; i++) snprintf(texts[i], CELL_SIZE, "%s", cells[i].title);
    *line = '\0';
    top_append(line, "NAME", layout->name, layout->name);
    put_cells(line, texts);
    put_last(line, layout, "VALUE");
}
