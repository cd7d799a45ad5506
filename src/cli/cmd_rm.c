/* avout rm: names and their values go away for everybody. What goes beyond the names given, below a
 * directory, is asked for with -r and told name by name. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static avout_status remove_name(cli_session *session, const char *name)
{
    if (!session->settings.dry_run) return avout_destroy(session->client, name);
    avout_atom *atom = NULL;
    avout_status st = avout_atom_open(&atom, session->client, name);
    avout_atom_close(atom);
    return st == AVOUT_EDATA ? AVOUT_OK : st;
}

static void tell(const char *name)
{
    cli_put(name, strlen(name));
    cli_put("\n", 1);
}

/* A failure does not keep the other names from being removed; the first one decides the status. */
static cli_exit remove_below(cli_session *session, const char *directory)
{
    cli_listing listing;
    cli_exit worst = cli_list(&listing, session, directory, false);
    for (size_t i = 0; i < listing.count; i++) {
        const cli_entry *entry = &listing.at[i];
        cli_exit status = CLI_DONE;
        if (entry->directory) {
            status = remove_below(session, entry->path);
        } else {
            avout_status st = remove_name(session, entry->path);
            if (!st) tell(entry->path);
            else if (st != AVOUT_ENOTFOUND) status = cli_failed(session, entry->path, st);
        }
        if (!worst) worst = status;
    }
    cli_list_release(&listing);
    return worst;
}

static bool is_directory(cli_session *session, const char *name)
{
    avout_value names = AVOUT_NONE;
    size_t count = 0;
    if (!avout_ls(&names, session->client, name)) avout_value_count(&count, names);
    avout_release(names);
    return count > 0;
}

static cli_exit remove_one(cli_session *session, const char *name)
{
    const cli_settings *settings = &session->settings;
    avout_status st = remove_name(session, name);
    if (!st && settings->dry_run) tell(name);
    if (!st) return CLI_DONE;
    if (st == AVOUT_ENOTFOUND && is_directory(session, name)) {
        if (settings->recursive) return remove_below(session, name);
        return cli_error(CLI_USAGE, "rm", "%s is a directory; -r removes everything below it",
                         name);
    }
    if (st != AVOUT_ENOTFOUND) return cli_failed(session, name, st);
    /* The detail is that of looking for a directory by now. */
    return settings->force ? CLI_DONE : cli_error(CLI_ABSENT, "rm", "%s does not exist", name);
}

cli_exit cli_rm(cli_session *session)
{
    for (int i = 0; i < session->words.count; i++)
        if (!session->words.at[i][strspn(session->words.at[i], "/")])
            return cli_error(CLI_USAGE, "rm",
                             "the top directory is not removed; name what is below it");
    cli_exit worst = cli_open(session);
    if (worst) return worst;
    for (int i = 0; i < session->words.count; i++) {
        char *name = cli_directory(session, session->words.at[i]);
        if (!name) return CLI_SYSTEM;
        cli_exit status = remove_one(session, name);
        free(name);
        if (!worst) worst = status;
    }
    return worst;
}
