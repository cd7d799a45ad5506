/* avout swap: a value changed by a function of it, which is named or written in the language. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

typedef struct application {
    const char *function; /* its name, if it is one of the library's */
    avout_lang *lang;     /* else it is a value of the language */
    avout_value written;
    size_t count; /* of the arguments; behind a place for the value */
    avout_value *arguments;
} application;

static avout_status apply(avout_value *value, void *payload)
{
    const application *a = payload;
    if (!a->lang) return avout_apply(a->function, value, a->count, a->arguments + 1);
    avout_value result;
    a->arguments[0] = *value; /* borrowed */
    avout_status st =
        avout_lang_call(&result, a->lang, a->written, a->count + 1, a->arguments, NULL);
    if (st) return st;
    avout_release(*value);
    *value = result;
    return AVOUT_OK;
}

/* Before anything is connected: a mistyped function is a matter of the command line. */
static cli_exit check_function(const char *name)
{
    cli_nearest nearest = {.word = name};
    const avout_function_info *function;
    for (size_t i = 0; (function = avout_function_at(i)); i++) {
        if (!strcmp(function->name, name)) return CLI_DONE;
        cli_near(&nearest, function->name);
    }
    if (nearest.best)
        return cli_error(CLI_USAGE, "swap", "no function %s; did you mean %s?", name, nearest.best);
    return cli_error(CLI_USAGE, "swap", "no function %s; see avout help functions", name);
}

/* A function that is written, not named: "(fn [m] ...)", "#(...)", ":key". */
static bool is_written(const char *text)
{
    return *text == '(' || *text == '#' || *text == ':';
}

static cli_exit read_function(application *a, const char *text)
{
    avout_lang_error error = {0};
    if (!is_written(text)) return check_function(text);
    avout_status st = avout_lang_open(&a->lang, NULL);
    if (!st) st = avout_lang_eval(&a->written, a->lang, text, strlen(text), &error);
    if (!st) return CLI_DONE;
    /* What cannot be read or compiled is a bad command line. */
    return cli_error(st == AVOUT_ENOMEM ? CLI_SYSTEM : CLI_USAGE, "swap", "%s",
                     avout_error_detail());
}

static avout_status open_atom(avout_atom **atom, cli_session *session, avout_value *initial)
{
    const char *name = session->words.at[0];
    if (avout_is_none(*initial)) return cli_atom_open(atom, session, name);
    avout_value value = *initial;
    *initial = AVOUT_NONE;
    return cli_atom_create(atom, session, name, value, NULL);
}

static cli_exit swap(cli_session *session, application *a, avout_value *initial)
{
    const char *name = session->words.at[0];
    bool old = session->settings.old;
    avout_atom *atom = NULL;
    avout_value value = AVOUT_NONE;
    cli_exit status = cli_open(session);
    if (status) return status;
    avout_status st = open_atom(&atom, session, initial);
    if (!st) st = avout_swap(atom, apply, a, old ? &value : NULL, old ? NULL : &value, NULL);
    status = st ? cli_failed(session, name, st) : cli_print_value(session, name, value);
    avout_release(value);
    avout_atom_close(atom);
    return status;
}

cli_exit cli_swap(cli_session *session)
{
    avout_value initial = AVOUT_NONE;
    application a = {
        .function = session->words.at[1],
        .arguments = calloc((size_t)session->words.count + 1, sizeof *a.arguments),
    };
    if (!a.arguments) return cli_error(CLI_SYSTEM, "swap", "out of memory");
    cli_exit status = read_function(&a, a.function);
    for (int i = 2; i < session->words.count && !status; i++) {
        status = cli_read_value(&a.arguments[a.count + 1], session, session->words.at[i]);
        if (!status) a.count++;
    }
    if (!status && session->settings.init)
        status = cli_read_value(&initial, session, session->settings.init);
    if (!status) status = swap(session, &a, &initial);
    avout_release(initial);
    for (size_t i = 0; i < a.count; i++) avout_release(a.arguments[i + 1]);
    avout_release(a.written);
    avout_lang_close(a.lang);
    free(a.arguments);
    return status;
}
