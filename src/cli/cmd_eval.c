/* avout eval: programs in the language, from the command line or a file; avout dosync: one transaction. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static cli_exit print_result(const cli_program *p, avout_value value)
{
    const cli_settings *s = &p->session->settings;
    if (avout_value_type(value) == AVOUT_TYPE_NIL) return CLI_DONE;
    if (s->json || s->raw || s->pretty) return cli_print_value(p->session, NULL, value);
    return cli_program_print(p, value);
}

static cli_exit run(cli_program *p, const char *text, size_t length)
{
    avout_lang_error error = {0};
    avout_value value;
    avout_status st = avout_lang_eval(&value, p->lang, text, length, &error);
    if (p->exits) {
        if (!st) avout_release(value);
        return (cli_exit)p->exit_status;
    }
    if (st) return cli_program_failed(p, st, &error);
    cli_exit status = p->name ? CLI_DONE : print_result(p, value);
    avout_release(value);
    return status;
}

static cli_exit read_all(char **text, size_t *length, const cli_program *p)
{
    FILE *file = strcmp(p->name, "-") != 0 ? fopen(p->name, "r") : stdin;
    char part[8192];
    size_t got = 0;
    *length = 0;
    if (!file)
        return cli_error(CLI_USAGE, p->session->command->name, "%s: %s", p->name, strerror(errno));
    cli_exit status = CLI_DONE;
    while (!status && (got = fread(part, 1, sizeof part, file)) > 0) {
        char *larger = realloc(*text, *length + got);
        if (!larger) {
            status = cli_error(CLI_SYSTEM, p->session->command->name, "out of memory");
            break;
        }
        *text = larger;
        memcpy(*text + *length, part, got);
        *length += got;
    }
    if (!status && ferror(file))
        status =
            cli_error(CLI_USAGE, p->session->command->name, "%s: %s", p->name, strerror(errno));
    if (file != stdin) fclose(file);
    return status;
}

cli_exit cli_eval(cli_session *session)
{
    cli_program p;
    const char *program = session->words.at[0];
    char *text = NULL;
    size_t length = strlen(program);
    cli_exit status = cli_program_open(&p, session, 1, NULL, NULL);
    if (!status && session->settings.file) {
        p.name = program;
        status = read_all(&text, &length, &p);
        program = text ? text : "";
    }
    if (!status) status = run(&p, program, length);
    cli_program_close(&p);
    free(text);
    return status;
}

/* The forms are read inside of the transaction, so that places in errors are those of the argument. */
cli_exit cli_dosync(cli_session *session)
{
    static const char transaction[] = "(dosync!! (connect) (load-string *forms*))";
    cli_program p;
    cli_exit status = cli_program_open(&p, session, 1, NULL, NULL);
    if (!status) {
        avout_status st = avout_lang_define(p.lang, "*forms*", avout_string(session->words.at[0]));
        status = st ? cli_failed(session, NULL, st) : run(&p, transaction, sizeof transaction - 1);
    }
    cli_program_close(&p);
    return status;
}
