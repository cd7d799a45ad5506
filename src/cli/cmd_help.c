/* avout help: the overview, a command, the functions of swap. */
#include "cli.h"

#include <string.h>

cli_exit cli_help(cli_session *session)
{
    if (!session->words.count) {
        cli_print_overview(stdout);
        return CLI_DONE;
    }
    const char *topic = session->words.at[0];
    const cli_command *command = cli_command_find(topic);
    if (command) {
        cli_print_command(stdout, command);
        return CLI_DONE;
    }
    if (!strcmp(topic, "functions")) {
        cli_print_functions(stdout);
        return CLI_DONE;
    }
    cli_nearest nearest = {.word = topic};
    for (size_t i = 0; (command = cli_command_at(i)); i++) cli_near(&nearest, command->name);
    cli_near(&nearest, "functions");
    if (nearest.best)
        return cli_error(CLI_USAGE, "help", "nothing about %s; did you mean %s?", topic,
                         nearest.best);
    return cli_error(CLI_USAGE, "help", "nothing about %s; see avout help", topic);
}
