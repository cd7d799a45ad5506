/* The command `avout`: reads and changes atoms and refs from a shell. */
#include "cli.h"

#include <locale.h>
#include <signal.h>
#include <stdlib.h>

/* The build defines AVOUT_VERSION, without quotes. */
#define TEXT_OF(token) #token
#define VERSION_TEXT(version) TEXT_OF(version)

static cli_exit check_words(const cli_session *session)
{
    const cli_command *command = session->command;
    int count = session->words.count;
    if (count >= command->least && (command->most < 0 || count <= command->most)) return CLI_DONE;
    return cli_error(CLI_USAGE, command->name, "%s: usage: avout %s %s",
                     count < command->least ? "something is missing" : "too many arguments",
                     command->name, command->usage);
}

static cli_exit run(cli_session *session)
{
    const cli_settings *settings = &session->settings;
    if (settings->version) {
        puts("avout " VERSION_TEXT(AVOUT_VERSION));
        return cli_flush();
    }
    if (settings->help) {
        if (session->command) cli_print_command(stdout, session->command);
        else cli_print_overview(stdout);
        return cli_flush();
    }
    if (!session->command) {
        cli_print_overview(stderr);
        return CLI_USAGE;
    }
    cli_exit status = check_words(session);
    if (status) return status;
    status = session->command->run(session);
    avout_close(session->client);
    cli_exit flushed = cli_flush();
    return status ? status : flushed;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    /* A reader that goes away is seen by the write, which leaves time to end the session. */
    signal(SIGPIPE, SIG_IGN);
    cli_session session = {.settings.busy_status = CLI_LOCK_BUSY};
    session.words.at = calloc((size_t)argc + 1, sizeof *session.words.at);
    cli_exit status = CLI_USAGE;
    if (!session.words.at) status = cli_error(CLI_SYSTEM, NULL, "out of memory");
    else if (cli_parse(&session.settings, &session.command, &session.words, argc, argv))
        status = run(&session);
    free(session.words.at);
    return status;
}
