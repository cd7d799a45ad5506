/* avout repl: the language typed in. On a terminal a shell with editing, history and completion; else every form
 * of standard input is evaluated as it comes, and its value printed.
 *
 * Whatever a form ends with, the shell goes on: an error, an interruption, a store that is lost. */
#include "repl.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

/* Text that is not evaluated yet, from the beginning of a line on. */
typedef struct pending {
    char *text;
    size_t length, room;
    size_t position; /* up to here it has been evaluated */
    size_t line;     /* lines before it */
} pending;

static bool pending_add(pending *p, const char *text, size_t length)
{
    if (p->length + length + 1 > p->room) {
        size_t room = p->room ? p->room : 4096;
        while (p->length + length + 1 > room) room *= 2;
        char *larger = realloc(p->text, room);
        if (!larger) return false;
        p->text = larger;
        p->room = room;
    }
    memcpy(p->text + p->length, text, length);
    p->text[p->length += length] = '\0';
    return true;
}

static void pending_clear(pending *p)
{
    p->length = p->position = p->line = 0;
    if (p->text) *p->text = '\0';
}

/* ---- standard input that is no terminal ----------------------------------------------------------- */

/* Forgets the lines that are done with, so that finding a place does not take longer and longer. */
static void drop_lines(pending *p)
{
    const char *newline = p->position ? memrchr(p->text, '\n', p->position) : NULL;
    if (!newline) return;
    size_t done = (size_t)(newline + 1 - p->text);
    for (size_t i = 0; i < done; i++) p->line += p->text[i] == '\n';
    memmove(p->text, p->text + done, p->length - done + 1);
    p->length -= done;
    p->position -= done;
}

typedef struct reading {
    cli_program program;
    pending pending;
    bool failed; /* some form has */
} reading;

/* What cannot be read has no end at which one could go on: the next line is tried. */
static void skip_unreadable(pending *p, const avout_lang_error *error)
{
    const char *at = p->text;
    for (size_t line = 0; line < error->line && at; line++) {
        at = memchr(at, '\n', p->length - (size_t)(at - p->text));
        if (at) at++;
    }
    size_t next = at ? (size_t)(at - p->text) : p->length;
    if (next > p->position) p->position = next;
}

/* *over: the text is used up, or what is left is not whole. */
static cli_exit evaluate_one(reading *r, size_t length, bool end, bool *over)
{
    cli_program *p = &r->program;
    pending *text = &r->pending;
    avout_lang_error error = {0};
    avout_value value;
    size_t before = text->position;
    avout_status st =
        avout_lang_eval_next(&value, p->lang, text->text, length, &text->position, &error);
    *over = (!st && avout_is_none(value)) || (st && error.unfinished);
    if (!st && *over) return CLI_DONE;
    if (st && error.unfinished && !end) return CLI_DONE;
    if (p->exits) {
        if (!st) avout_release(value);
        return CLI_DONE;
    }
    if (!st) {
        cli_exit unprinted = cli_program_print(p, value), unwritten = cli_flush();
        avout_release(value);
        *over = cli_unread();
        if (!unprinted || unwritten) return unwritten;
    } else {
        if (text->position == before) skip_unreadable(text, &error);
        if (error.line) error.line += text->line;
        cli_program_failed(p, st, &error);
    }
    r->failed = true;
    return p->session->settings.keep_going ? CLI_DONE : CLI_NO;
}

/* All forms that end in the text; only whole lines count before its end, as a number may go on. */
static cli_exit evaluate_text(reading *r, bool end)
{
    cli_exit status = CLI_DONE;
    const char *newline =
        r->pending.length ? memrchr(r->pending.text, '\n', r->pending.length) : NULL;
    size_t length = end ? r->pending.length : newline ? (size_t)(newline + 1 - r->pending.text) : 0;
    bool over = length <= r->pending.position;
    while (!status && !over && !r->program.exits) status = evaluate_one(r, length, end, &over);
    drop_lines(&r->pending);
    return status;
}

static cli_exit read_stdin(reading *r)
{
    char part[65536];
    cli_exit status = CLI_DONE;
    ssize_t got = 1;
    while (!status && got && !r->program.exits && !cli_unread()) {
        got = read(STDIN_FILENO, part, sizeof part);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cli_error(CLI_SYSTEM, "repl", "standard input: %s", strerror(errno));
        if (!pending_add(&r->pending, part, (size_t)got))
            return cli_error(CLI_SYSTEM, "repl", "out of memory");
        status = evaluate_text(r, !got);
    }
    if (r->program.exits) return (cli_exit)r->program.exit_status;
    return status ? status : r->failed ? CLI_NO : CLI_DONE;
}

static cli_exit follow_stdin(cli_session *session)
{
    reading r = {0};
    cli_exit status = cli_program_open(&r.program, session, 0, NULL, NULL);
    if (!status && cli_program_define_exits(&r.program))
        status = cli_failed(session, NULL, AVOUT_ENOMEM);
    if (!status) status = read_stdin(&r);
    cli_program_close(&r.program);
    free(r.pending.text);
    return status;
}

/* ---- the shell -------------------------------------------------------------------------------------- */

typedef struct shell {
    cli_program program;
    editor *editor;
    pending pending;
    avout_value last[3]; /* *1 *2 *3 */
} shell;

static const char PROMPT[] = "user=> ", MORE[] = "  #_=> ";

/* Display columns of the first `characters` of the text; a control character takes none. */
static size_t columns_of(const char *text, const char *end, size_t characters)
{
    size_t columns = 0;
    mbstate_t state = {0};
    while (characters-- && text < end) {
        wchar_t wide;
        size_t bytes = mbrtowc(&wide, text, (size_t)(end - text), &state);
        if (!bytes || bytes > (size_t)-3) bytes = 1, wide = L'?', state = (mbstate_t){0};
        int width = wcwidth(wide);
        columns += width > 0 ? (size_t)width : 0;
        text += bytes;
    }
    return columns;
}

/* The beginning of that character. */
static const char *character(const char *text, const char *end, size_t number)
{
    for (; text < end && number; number--) do
            text++;
        while (text < end && ((unsigned char)*text & 0xc0) == 0x80);
    return text;
}

/* Whether the form, with its blanks as the error has them, is what stands there: an error may come from a
 * function that was defined long ago, whose places are those of another text. */
static bool stands_there(const char *text, const char *end, const char *form)
{
    bool blank = false;
    for (; *form && strcmp(form, "...") != 0; text++) {
        if (text == end) return false;
        bool is_blank = (unsigned char)*text <= ' ';
        if (is_blank && blank) continue;
        if (is_blank ? *form != ' ' : *form != *text) return false;
        blank = is_blank;
        form++;
    }
    return true;
}

/* The line of the place with a caret below it; a long line around the place only. */
static void show_place(const pending *p, const avout_lang_error *error)
{
    const char *begin = p->text, *all = p->text + p->length;
    for (size_t line = error->line; line > 1 && begin; line--) {
        begin = memchr(begin, '\n', (size_t)(all - begin));
        if (begin) begin++;
    }
    if (!begin || !error->line) return;
    const char *end = memchr(begin, '\n', (size_t)(all - begin));
    if (!end) end = all;
    const char *place = character(begin, end, error->column - 1);
    if (*error->form && !stands_there(place, all, error->form)) return;
    size_t width = (size_t)edit_width() - 8, first = 0, before = error->column - 1;
    if (before > width / 2) first = before - width / 2;
    const char *shown = character(begin, end, first), *last = character(shown, end, width);
    fprintf(stderr, "  %.*s\n  %*s^\n", (int)(last - shown), shown,
            (int)columns_of(shown, end, before - first), "");
}

static void show_error(const shell *s, avout_status st, const avout_lang_error *error)
{
    edit_fresh_line();
    fflush(stdout);
    if (st == AVOUT_ECANCELLED) {
        fputs("\ninterrupted\n", stderr); /* behind the terminal's own ^C */
        return;
    }
    fputs("error: ", stderr);
    if (error->line) fprintf(stderr, "line %zu, column %zu: ", error->line, error->column);
    fprintf(stderr, "%s%s%s\n", error->message, *error->form ? ", in " : "", error->form);
    show_place(&s->pending, error);
}

static void remember_value(shell *s, avout_value value)
{
    static const char *const names[] = {"*1", "*2", "*3"};
    avout_release(s->last[2]);
    s->last[2] = s->last[1];
    s->last[1] = s->last[0];
    s->last[0] = value;
    for (int i = 0; i < 3; i++)
        (void)avout_lang_define(s->program.lang, names[i], avout_share(s->last[i]));
}

static void show_value(shell *s, avout_value value)
{
    char *text;
    size_t length;
    avout_status st = avout_lang_text(&text, &length, s->program.lang, value);
    edit_fresh_line();
    if (st) {
        fflush(stdout);
        fprintf(stderr, "error: %s\n", avout_error_detail());
    } else {
        cli_put(text, length);
        cli_put("\n", 1);
        avout_edn_free(text);
    }
    remember_value(s, value);
}

/* Evaluates what is whole. False: more of it is needed. */
static bool evaluate_entry(shell *s)
{
    pending *p = &s->pending;
    while (!s->program.exits && !terminal_happened(TERMINAL_INTERRUPT | TERMINAL_END)) {
        avout_lang_error error = {0};
        avout_value value;
        avout_status st =
            avout_lang_eval_next(&value, s->program.lang, p->text, p->length, &p->position, &error);
        if (st && error.unfinished) return false;
        if (st && s->program.exits) break;
        if (st) {
            show_error(s, st, &error);
            break;
        }
        if (avout_is_none(value)) break;
        show_value(s, value);
    }
    return true;
}

static void end_entry(shell *s)
{
    size_t length = s->pending.length;
    while (length && strchr(" \t\r\n", s->pending.text[length - 1]))
        s->pending.text[--length] = '\0';
    if (length) edit_remember(s->editor, s->pending.text);
    pending_clear(&s->pending);
}

static cli_exit loop(shell *s)
{
    const char *line;
    while (!s->program.exits) {
        bool more = s->pending.length > 0;
        edit_result result =
            edit_read(s->editor, &line, more ? MORE : PROMPT, more ? s->pending.text : "");
        if (result == EDIT_ENDED || (result == EDIT_END && !more)) break;
        if (result != EDIT_LINE) {
            pending_clear(&s->pending);
            continue;
        }
        if (!pending_add(&s->pending, line, strlen(line)))
            return cli_error(CLI_SYSTEM, "repl", "out of memory");
        if (evaluate_entry(s)) end_entry(s);
        if (terminal_happened(TERMINAL_END)) break;
        /* What came too late to interrupt anything is over. */
        if (terminal_happened(TERMINAL_INTERRUPT)) terminal_take();
    }
    return s->program.exits ? (cli_exit)s->program.exit_status : CLI_DONE;
}

static void greet(const cli_session *session)
{
    const char *store = session->settings.store;
    if (!store || !*store) store = getenv("AVOUT_STORE");
    printf("Avout. (connect) is %s.\n"
           "(doc NAME) and (apropos \"PART\") explain; TAB completes; Ctrl-C interrupts; Ctrl-D "
           "ends.\n",
           store && *store ? store : "the store in your state directory");
}

/* The language's text is UTF-8, whatever the locale. */
static void use_utf8(void)
{
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
}

static cli_exit open_shell(shell *s, cli_session *session)
{
    cli_exit status = cli_program_open(&s->program, session, 0, edit_print, NULL);
    s->program.typed = true;
    if (status) return status;
    avout_status st = cli_program_define_exits(&s->program);
    if (!st) st = avout_lang_define(s->program.lang, "*e", avout_nil());
    if (st) return cli_failed(session, NULL, st);
    for (int i = 0; i < 3; i++) remember_value(s, avout_nil());
    status = terminal_open(s->program.lang);
    return status ? status : edit_open(&s->editor, &s->program);
}

static cli_exit run_shell(cli_session *session)
{
    shell s = {0};
    use_utf8();
    cli_exit status = open_shell(&s, session);
    if (!status && !session->settings.quiet) greet(session);
    if (!status) status = loop(&s);
    edit_close(s.editor);
    cli_program_close(&s.program);
    terminal_close();
    for (int i = 0; i < 3; i++) avout_release(s.last[i]);
    free(s.pending.text);
    if (terminal_end_signal()) {
        cli_flush();
        raise(terminal_end_signal());
    }
    return status;
}

cli_exit cli_repl(cli_session *session)
{
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? run_shell(session)
                                                         : follow_stdin(session);
}
