/* Help texts, made from the tables of commands, options, functions and exit statuses. */
#include "cli.h"

#include <string.h>

static void print_exits(FILE *out)
{
    fputs("\nExit status:\n", out);
#define PRINT(name, number, text) fprintf(out, "  %d  %s\n", (number), (text));
    CLI_EXIT_LIST(PRINT)
#undef PRINT
}

enum { LEFT_COLUMN = 30 };

void cli_print_overview(FILE *out)
{
    fputs(
        "usage: avout [-s URL] COMMAND [ARGUMENT...]\n"
        "\n"
        "Reads and changes atoms and refs: named values that are shared between threads,\n"
        "processes and machines. Values are written as EDN: 5, \"text\", :keyword, [1 2], {:a 1}.\n"
        "\n",
        out);
    const cli_command *command;
    for (size_t i = 0; (command = cli_command_at(i)); i++) {
        char left[80];
        snprintf(left, sizeof left, "%s %s", command->name, command->usage);
        /* A usage that reaches into the next column has a line of its own. */
        if (strlen(left) > LEFT_COLUMN) {
            fprintf(out, "  %s\n", left);
            *left = '\0';
        }
        fprintf(out, "  %-*s %s\n", LEFT_COLUMN, left, command->summary);
    }
    fputs("\nOptions of every command:\n", out);
    cli_print_options(out, CLI_GLOBAL);
    fputs(
        "\nWithout -s the store is the one AVOUT_STORE names, else an embedded one in your state\n"
        "directory. `avout help COMMAND` says more; so does the manual, avout(1).\n",
        out);
    print_exits(out);
}

void cli_print_command(FILE *out, const cli_command *command)
{
    fprintf(out, "usage: avout [-s URL] %s%s %s\n\n%s: %s.\n", command->name,
            command->options ? " [OPTION...]" : "", command->usage, command->name,
            command->summary);
    fputs(command->help, out);
    if (command->options) {
        fputs("\nOptions:\n", out);
        cli_print_options(out, command->options);
    }
    fputs("\nOptions of every command:\n", out);
    cli_print_options(out, CLI_GLOBAL);
    print_exits(out);
}

void cli_print_functions(FILE *out)
{
    fputs("Functions for swap. The value itself is the first argument and is left out:\n"
          "`avout swap NAME conj 5` makes the value (conj value 5).\n\n",
          out);
    const avout_function_info *function;
    for (size_t i = 0; (function = avout_function_at(i)); i++) {
        char left[60];
        snprintf(left, sizeof left, "%s %s", function->name, function->arguments);
        fprintf(out, "  %-32s %s\n", left, function->summary);
    }
}

/* ---- near names ------------------------------------------------------------------------------ */

void cli_near(cli_nearest *nearest, const char *candidate)
{
    size_t distance = avout_word_distance(nearest->word, candidate);
    if (distance == SIZE_MAX || (nearest->best && distance >= nearest->distance)) return;
    nearest->best = candidate;
    nearest->distance = distance;
}
