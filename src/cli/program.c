/* What eval, dosync and repl share: an environment of the language whose (connect) is the command's store.
 *
 * Programs run without a limit of steps, unless --steps sets one, as they are the user's own. (System/exit n) ends one at once from
 * anywhere: no catch sees it, as it travels as a cancellation. */
#include "cli.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static avout_status put(const char *text, size_t length, void *payload)
{
    (void)payload;
    cli_put(text, length);
    if (!length) (void)cli_flush(); /* (flush): what fails is told there */
    return AVOUT_OK;
}

static bool keep_client(cli_program *p, avout_client *client)
{
    pthread_mutex_lock(&p->lock);
    avout_client **more = realloc(p->clients, (p->client_count + 1) * sizeof *more);
    if (more) {
        p->clients = more;
        more[p->client_count++] = client;
    }
    pthread_mutex_unlock(&p->lock);
    return more;
}

/* (connect) is the store of the command, (connect url) another one with the same options. */
static avout_status connect_as_told(avout_client **client, const char *url, void *payload)
{
    cli_program *p = payload;
    avout_status st = avout_connect(url ? url : p->session->settings.store, &p->options, client);
    if (st || keep_client(p, *client)) return st;
    avout_close(*client);
    *client = NULL;
    return AVOUT_ENOMEM;
}

/* (System/exit status). On whatever thread that is said, the one that evaluates ends what it waits for. */
static avout_status exit_with(avout_value *result, size_t count, const avout_value *arguments,
                              void *payload)
{
    cli_program *p = payload;
    int64_t status = 0;
    (void)result;
    if (count && (avout_value_to_int(&status, arguments[0]) || status < 0 || status > 255))
        return avout_fail(AVOUT_EINVAL, "exit: expected a number from 0 to 255");
    if (atomic_exchange(&p->asked, true)) return AVOUT_ECANCELLED;
    p->exit_status = (int)status;
    p->exits = true;
    avout_lang_interrupt(p->lang);
    return AVOUT_ECANCELLED;
}

/* What stands behind the program, as a list of strings; nil if nothing does, as in Clojure. */
static avout_status define_arguments(cli_program *p, int first)
{
    const cli_arguments *words = &p->session->words;
    avout_value list = avout_list(0, NULL);
    avout_status st = AVOUT_OK;
    for (int i = words->count; i-- > first && !st;)
        st = avout_conj(&list, avout_string(words->at[i]));
    if (st || words->count <= first) {
        avout_release(list);
        list = avout_nil();
    }
    if (!st) st = avout_lang_define(p->lang, "*command-line-args*", list);
    return st;
}

cli_exit cli_program_open(cli_program *p, cli_session *session, int first, avout_edn_sink print,
                          void *payload)
{
    *p = (cli_program){.session = session, .lock = PTHREAD_MUTEX_INITIALIZER};
    cli_exit wrong = cli_options(&p->options, session);
    if (wrong) return wrong;
    int64_t steps = session->settings.steps;
    const avout_lang_options options = {.max_steps = steps ? (uint64_t)steps : UINT64_MAX,
                                        .print = print ? print : put,
                                        .payload = payload,
                                        .connect = connect_as_told,
                                        .connect_payload = p};
    avout_status st = avout_lang_open(&p->lang, &options);
    if (!st) st = define_arguments(p, first);
    if (!st) st = avout_lang_define_function(p->lang, "System/exit", 1, 1, exit_with, p, NULL);
    if (!st) st = cli_program_define_files(p);
    return st ? cli_failed(session, NULL, st) : CLI_DONE;
}

avout_status cli_program_define_exits(cli_program *p)
{
    avout_status st = avout_lang_define_function(p->lang, "exit", 0, 1, exit_with, p, NULL);
    if (!st) st = avout_lang_define_function(p->lang, "quit", 0, 1, exit_with, p, NULL);
    return st;
}

void cli_program_close(cli_program *p)
{
    avout_lang_close(p->lang);
    p->lang = NULL;
    free(p->clients);
    p->clients = NULL;
}

/* FILE:LINE:COLUMN: as compilers have it, for a file; with words for the command line. */
cli_exit cli_program_failed(const cli_program *p, avout_status st, const avout_lang_error *error)
{
    char where[400] = "";
    if (p->name && error->line)
        snprintf(where, sizeof where, "%.300s:%zu:%zu: ", p->name, error->line, error->column);
    else if (p->name) snprintf(where, sizeof where, "%.300s: ", p->name);
    else if (error->line)
        snprintf(where, sizeof where, "line %zu, column %zu: ", error->line, error->column);
    return cli_error(cli_exit_of(st), p->session->command->name, "%s%s%s%s", where, error->message,
                     *error->form ? ", in " : "", error->form);
}

cli_exit cli_program_print(const cli_program *p, avout_value value)
{
    char *text;
    size_t length;
    avout_status st = avout_lang_text(&text, &length, p->lang, value);
    if (st) return cli_failed(p->session, NULL, st);
    cli_put(text, length);
    cli_put("\n", 1);
    avout_edn_free(text);
    return CLI_DONE;
}
