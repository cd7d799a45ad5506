/* avout eval: programs in the language, from the command line or a file; avout dosync: one transaction.
 *
 * The program runs without a limit of steps, as it is the user's own; what it prints goes the way of
 * all output. (System/exit n) ends it at once from anywhere: no catch sees it, as it travels as a
 * cancellation. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct evaluation {
    cli_session *session;
    avout_lang *lang;
    avout_options options; /* of its connections */
    const char *name;      /* of the file; NULL: the command line */
    bool exits;
    int exit_status;
} evaluation;

static avout_status print(const char *text, size_t length, void *payload)
{
    (void)payload;
    cli_put(text, length);
    return AVOUT_OK;
}

/* (connect) is the store of the command, (connect url) another one with the same options. */
static avout_status connect_as_told(avout_client **client, const char *url, void *payload)
{
    const evaluation *e = payload;
    return avout_connect(url ? url : e->session->settings.store, &e->options, client);
}

/* (System/exit status) */
static avout_status exit_with(avout_value *result, size_t count, const avout_value *arguments,
                              void *payload)
{
    evaluation *e = payload;
    int64_t status = 0;
    (void)result, (void)count;
    if (avout_value_to_int(&status, arguments[0]) || status < 0 || status > 255)
        return avout_fail(AVOUT_EINVAL, "System/exit: expected a number from 0 to 255");
    e->exits = true;
    e->exit_status = (int)status;
    return AVOUT_ECANCELLED;
}

/* What stands behind the program, as a list of strings; nil if nothing does, as in Clojure. */
static avout_status define_arguments(evaluation *e)
{
    const cli_arguments *words = &e->session->words;
    avout_value list = avout_list(0, NULL);
    avout_status st = AVOUT_OK;
    for (int i = words->count; i-- > 1 && !st;) st = avout_conj(&list, avout_string(words->at[i]));
    if (st || words->count < 2) {
        avout_release(list);
        list = avout_nil();
    }
    if (!st) st = avout_lang_define(e->lang, "*command-line-args*", list);
    return st;
}

static avout_status prepare(evaluation *e)
{
    const avout_lang_options options = {
        .max_steps = UINT64_MAX, .print = print, .connect = connect_as_told, .connect_payload = e};
    avout_status st = avout_lang_open(&e->lang, &options);
    if (!st) st = define_arguments(e);
    if (!st) st = avout_lang_define_function(e->lang, "System/exit", 1, 1, exit_with, e, NULL);
    return st;
}

/* FILE:LINE:COLUMN: as compilers have it, for a file; with words for the command line. */
static cli_exit failed(const evaluation *e, avout_status st, const avout_lang_error *error)
{
    char where[400] = "";
    if (e->name && error->line)
        snprintf(where, sizeof where, "%.300s:%zu:%zu: ", e->name, error->line, error->column);
    else if (e->name) snprintf(where, sizeof where, "%.300s: ", e->name);
    else if (error->line)
        snprintf(where, sizeof where, "line %zu, column %zu: ", error->line, error->column);
    return cli_error(cli_exit_of(st), e->session->command->name, "%s%s%s%s", where, error->message,
                     *error->form ? ", in " : "", error->form);
}

static cli_exit print_result(const evaluation *e, avout_value value)
{
    const cli_settings *s = &e->session->settings;
    if (avout_value_type(value) == AVOUT_TYPE_NIL) return CLI_DONE;
    if (s->json || s->raw || s->pretty) return cli_print_value(e->session, NULL, value);
    char *text;
    size_t length;
    avout_status st = avout_lang_text(&text, &length, e->lang, value);
    if (st) return cli_failed(e->session, NULL, st);
    cli_put(text, length);
    cli_put("\n", 1);
    avout_edn_free(text);
    return CLI_DONE;
}

static cli_exit run(evaluation *e, const char *text, size_t length)
{
    avout_lang_error error = {0};
    avout_value value;
    avout_status st = avout_lang_eval(&value, e->lang, text, length, &error);
    if (e->exits) {
        if (!st) avout_release(value);
        return (cli_exit)e->exit_status;
    }
    if (st) return failed(e, st, &error);
    cli_exit status = e->name ? CLI_DONE : print_result(e, value);
    avout_release(value);
    return status;
}

static cli_exit read_all(char **text, size_t *length, const evaluation *e)
{
    FILE *file = strcmp(e->name, "-") != 0 ? fopen(e->name, "r") : stdin;
    char part[8192];
    size_t got = 0;
    *length = 0;
    if (!file)
        return cli_error(CLI_USAGE, e->session->command->name, "%s: %s", e->name, strerror(errno));
    cli_exit status = CLI_DONE;
    while (!status && (got = fread(part, 1, sizeof part, file)) > 0) {
        char *larger = realloc(*text, *length + got);
        if (!larger) {
            status = cli_error(CLI_SYSTEM, e->session->command->name, "out of memory");
            break;
        }
        *text = larger;
        memcpy(*text + *length, part, got);
        *length += got;
    }
    if (!status && ferror(file))
        status =
            cli_error(CLI_USAGE, e->session->command->name, "%s: %s", e->name, strerror(errno));
    if (file != stdin) fclose(file);
    return status;
}

static cli_exit begin(evaluation *e)
{
    cli_exit wrong = cli_options(&e->options, e->session);
    if (wrong) return wrong;
    avout_status st = prepare(e);
    return st ? cli_failed(e->session, NULL, st) : CLI_DONE;
}

cli_exit cli_eval(cli_session *session)
{
    evaluation e = {.session = session};
    const char *program = session->words.at[0];
    char *text = NULL;
    size_t length = strlen(program);
    cli_exit status = begin(&e);
    if (!status && session->settings.file) {
        e.name = program;
        status = read_all(&text, &length, &e);
        program = text ? text : "";
    }
    if (!status) status = run(&e, program, length);
    avout_lang_close(e.lang);
    free(text);
    return status;
}

/* The forms are read inside of the transaction, so that places in errors are those of the argument. */
cli_exit cli_dosync(cli_session *session)
{
    static const char transaction[] = "(dosync!! (connect) (load-string *forms*))";
    evaluation e = {.session = session};
    cli_exit status = begin(&e);
    if (!status) {
        avout_status st = avout_lang_define(e.lang, "*forms*", avout_string(session->words.at[0]));
        status = st ? cli_failed(session, NULL, st) : run(&e, transaction, sizeof transaction - 1);
    }
    avout_lang_close(e.lang);
    return status;
}
