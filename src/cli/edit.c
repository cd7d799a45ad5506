/* Reading a line from the terminal, with libedit.
 *
 * libedit asks for its characters here (EL_GETCFN), where the keyboard is waited for together with the signals
 * and with what other threads print: so a line that is being edited can be given up, and output comes above it at
 * once. */
#include "repl.h"

#include <errno.h>
#include <histedit.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { HISTORY_SIZE = 1000 };

struct editor {
    EditLine *line;
    History *history;
    cli_program *program;
    const char *prompt;
    const char *before;
    edit_result result; /* why reading ended */
    mbstate_t decoding;
};

/* What is printed while a line is edited. One terminal, one of this. */
static struct {
    pthread_mutex_t lock;
    bool editing;   /* under the lock */
    char *waiting;  /* under the lock: to be shown above the line */
    size_t length;  /* under the lock */
    bool line_open; /* under the lock: the last thing printed did not end its line */
} output = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- printing ----------------------------------------------------------------------------------- */

avout_status edit_print(const char *text, size_t length, void *payload)
{
    (void)payload;
    if (!length) return AVOUT_OK;
    avout_status st = AVOUT_OK;
    pthread_mutex_lock(&output.lock);
    if (output.editing) {
        char *more = realloc(output.waiting, output.length + length);
        if (more) memcpy(more + output.length, text, length);
        if (more) output.waiting = more, output.length += length;
        else st = AVOUT_ENOMEM;
    } else {
        cli_put(text, length);
        fflush(stdout);
        output.line_open = text[length - 1] != '\n';
    }
    bool tell = output.editing;
    pthread_mutex_unlock(&output.lock);
    if (tell) terminal_raise(TERMINAL_OUTPUT);
    return st;
}

/* Takes what waits to be shown. True: there was something; it is out. */
static bool show_waiting(const char *first)
{
    pthread_mutex_lock(&output.lock);
    bool any = output.length > 0;
    if (any) {
        cli_put(first, strlen(first));
        cli_put(output.waiting, output.length);
        if (output.waiting[output.length - 1] != '\n') cli_put("\n", 1);
        fflush(stdout);
        output.length = 0;
    }
    pthread_mutex_unlock(&output.lock);
    return any;
}

static void set_editing(bool editing)
{
    pthread_mutex_lock(&output.lock);
    output.editing = editing;
    pthread_mutex_unlock(&output.lock);
    if (!editing) show_waiting("");
}

void edit_fresh_line(void)
{
    pthread_mutex_lock(&output.lock);
    if (output.line_open) cli_put("\n", 1);
    output.line_open = false;
    pthread_mutex_unlock(&output.lock);
}

int edit_width(void)
{
    struct winsize size;
    return !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col > 20 ? size.ws_col : 80;
}

/* ---- characters --------------------------------------------------------------------------------- */

/* From the beginning of the row on, which is what libedit takes for granted. */
static void redraw(editor *e, const char *first)
{
    cli_put(first, strlen(first));
    fflush(stdout);
    el_set(e->line, EL_PREP_TERM, 1);
    el_resize(e->line);
    el_set(e->line, EL_REFRESH);
}

/* False: reading ends. */
static bool take_events(editor *e)
{
    static const char clear_line[] = "\r\033[J", no_clear[] = "\n";
    const char *terminal = getenv("TERM");
    bool dumb = !terminal || !*terminal || !strcmp(terminal, "dumb");
    unsigned events = terminal_take();
    if (events & (TERMINAL_INTERRUPT | TERMINAL_END)) {
        e->result = events & TERMINAL_END ? EDIT_ENDED : EDIT_INTERRUPTED;
        return false;
    }
    if (events & TERMINAL_STOP) {
        el_set(e->line, EL_PREP_TERM, 0);
        terminal_stop();
    }
    const char *clear = dumb ? no_clear : clear_line;
    bool shown = show_waiting(clear);
    if (shown || events & (TERMINAL_STOP | TERMINAL_CONTINUE | TERMINAL_RESIZE))
        redraw(e, shown ? "" : clear);
    return true;
}

/* Waits for a byte of the keyboard. False: reading ends. */
static bool next_byte(editor *e, char *byte)
{
    struct pollfd waits[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = terminal_fd(), .events = POLLIN}};
    for (;;) {
        int ready = poll(waits, 2, -1);
        if (ready < 0 && errno != EINTR) return false;
        if (ready < 0) continue;
        if (waits[1].revents && !take_events(e)) return false;
        if (!waits[0].revents) continue;
        ssize_t got = read(STDIN_FILENO, byte, 1);
        if (got == 1) return true;
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        return false; /* the terminal is gone */
    }
}

/* An el_rfunc_t. */
static int next_character(EditLine *line, wchar_t *character)
{
    editor *e;
    char byte;
    if (el_get(line, EL_CLIENTDATA, &e)) return -1;
    while (next_byte(e, &byte)) {
        size_t length = mbrtowc(character, &byte, 1, &e->decoding);
        if (length == (size_t)-2) continue;
        if (length != (size_t)-1) return 1;
        e->decoding = (mbstate_t){0}; /* not of this encoding: it is left out */
    }
    return -1;
}

static char *prompt_of(EditLine *line)
{
    editor *e;
    /* libedit only reads it. */
    static char text[32];
    if (!el_get(line, EL_CLIENTDATA, &e)) snprintf(text, sizeof text, "%s", e->prompt);
    return text;
}

/* ---- completing ----------------------------------------------------------------------------------- */

static size_t display_width(const char *text)
{
    wchar_t wide[256];
    size_t count = mbstowcs(wide, text, sizeof wide / sizeof *wide);
    int width = count == (size_t)-1 ? -1 : wcswidth(wide, count);
    return width < 0 ? strlen(text) : (size_t)width;
}

static void show_words(const completion *c)
{
    size_t widest = 1, width = (size_t)edit_width();
    for (size_t i = 0; i < c->count; i++) {
        size_t one = display_width(c->words[i] + c->shown);
        if (one > widest) widest = one;
    }
    size_t columns = width / (widest + 2) ? width / (widest + 2) : 1;
    size_t rows = (c->count + columns - 1) / columns;
    for (size_t row = 0; row < rows; row++) {
        cli_put("\n", 1);
        for (size_t i = row; i < c->count; i += rows) {
            const char *word = c->words[i] + c->shown;
            cli_put(word, strlen(word));
            for (size_t w = display_width(word); i + rows < c->count && w < widest + 2; w++)
                cli_put(" ", 1);
        }
    }
    cli_put("\n", 1);
    fflush(stdout);
}

/* The text from the form's beginning to the cursor. */
static char *text_before(editor *e)
{
    const LineInfo *line = el_line(e->line);
    char *text;
    int length =
        asprintf(&text, "%s%.*s", e->before, (int)(line->cursor - line->buffer), line->buffer);
    return length < 0 ? NULL : text;
}

static unsigned char complete_word(EditLine *line, int key)
{
    editor *e;
    completion c;
    (void)key;
    char *text = el_get(line, EL_CLIENTDATA, &e) ? NULL : text_before(e);
    if (!text) return CC_ERROR;
    complete(&c, e->program, text);
    free(text);
    size_t common = completion_common(&c);
    unsigned char answer = CC_ERROR;
    if (common > c.length) {
        c.words[0][common] = '\0';
        answer = el_insertstr(line, c.words[0] + c.length) ? CC_ERROR : CC_REFRESH;
    } else if (c.count > 1) {
        show_words(&c);
        answer = CC_REDISPLAY;
    }
    completion_release(&c);
    return answer;
}

/* ---- open, close ------------------------------------------------------------------------------------ */

static void enter(const char *entry, void *payload)
{
    editor *e = payload;
    HistEvent event;
    history(e->history, &event, H_ENTER, entry);
}

void edit_remember(editor *e, const char *entry)
{
    enter(entry, e);
    history_keep(entry);
}

/* What terminals send for keys that libedit's own table leaves out. */
static void bind_keys(EditLine *line)
{
    static const char *const keys[][2] = {
        {"^I", "avout-complete"},          {"^R", "em-inc-search-prev"},
        {"\\e[1~", "ed-move-to-beg"},      {"\\e[4~", "ed-move-to-end"},
        {"\\e[H", "ed-move-to-beg"},       {"\\e[F", "ed-move-to-end"},
        {"\\e[3~", "ed-delete-next-char"}, {"\\e[1;5C", "em-next-word"},
        {"\\e[1;5D", "ed-prev-word"},
    };
    /* Wide, as libedit makes wide copies of others and never frees them. */
    el_wset(line, EL_ADDFN, L"avout-complete", L"Complete the name before the cursor",
            complete_word);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        el_set(line, EL_BIND, keys[i][0], keys[i][1], NULL);
}

cli_exit edit_open(editor **out, cli_program *program)
{
    HistEvent event;
    editor *e = calloc(1, sizeof *e);
    *out = e;
    if (!e) return cli_error(CLI_SYSTEM, "repl", "out of memory");
    e->program = program;
    e->prompt = e->before = "";
    e->history = history_init();
    e->line = el_init("avout", stdin, stdout, stderr);
    if (!e->history || !e->line)
        return cli_error(CLI_SYSTEM, "repl", "the terminal cannot be used for editing");
    history(e->history, &event, H_SETSIZE, HISTORY_SIZE);
    history(e->history, &event, H_SETUNIQUE, 1);
    el_set(e->line, EL_CLIENTDATA, e);
    el_set(e->line, EL_SIGNAL, 0);
    el_set(e->line, EL_PROMPT, prompt_of);
    el_set(e->line, EL_HIST, history, e->history);
    el_set(e->line, EL_EDITOR, "emacs");
    el_set(e->line, EL_GETCFN, next_character);
    bind_keys(e->line);
    el_source(e->line, NULL);
    history_load(enter, e);
    return CLI_DONE;
}

void edit_close(editor *e)
{
    if (!e) return;
    if (e->line) el_end(e->line);
    if (e->history) history_end(e->history);
    history_release();
    free(e);
    free(output.waiting);
    output.waiting = NULL;
    output.length = 0;
}

edit_result edit_read(editor *e, const char **line, const char *prompt, const char *before)
{
    int length = 0;
    e->prompt = prompt;
    e->before = before;
    e->result = EDIT_END;
    e->decoding = (mbstate_t){0};
    edit_fresh_line();
    fflush(stdout);
    terminal_editing(true);
    set_editing(true);
    /* Before the prompt is seen, as keys that come in between would be echoed and edited by the terminal. */
    el_set(e->line, EL_PREP_TERM, 1);
    el_resize(e->line);
    *line = el_gets(e->line, &length);
    terminal_editing(false);
    edit_result result = *line && length > 0 ? EDIT_LINE : e->result;
    if (result != EDIT_LINE) cli_put("\n", 1);
    set_editing(false);
    return result;
}
