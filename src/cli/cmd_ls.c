/* avout ls: the names in a directory. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static void print_lines(const cli_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        cli_put(listing->at[i].name, strlen(listing->at[i].name));
        cli_put("\n", 1);
    }
}

static cli_exit print_json(cli_session *session, const cli_listing *listing)
{
    cli_exit status = CLI_DONE;
    cli_put("[", 1);
    for (size_t i = 0; i < listing->count && !status; i++) {
        if (i) cli_put(",", 1);
        status = cli_print_json_string(session, listing->at[i].name);
    }
    cli_put("]\n", 2);
    return status;
}

cli_exit cli_ls(cli_session *session)
{
    cli_listing listing = {0};
    char *directory = cli_directory(session, session->words.count ? session->words.at[0] : "/");
    if (!directory) return CLI_SYSTEM;
    cli_exit status = cli_open(session);
    if (!status) status = cli_list(&listing, session, directory, session->settings.all);
    if (!status && session->settings.json) status = print_json(session, &listing);
    else if (!status) print_lines(&listing);
    cli_list_release(&listing);
    free(directory);
    return status;
}
