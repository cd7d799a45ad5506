/* The names in a directory, with their values. What was removed leaves a trace in the store for a
 * while (and directories stay); neither is worth showing to somebody who asks what there is. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static cli_exit no_memory(cli_session *session)
{
    return cli_error(CLI_SYSTEM, session->command->name, "out of memory");
}

static char *join(const char *directory, const char *name, size_t length)
{
    if (!strcmp(directory, "/")) directory = "";
    size_t size = strlen(directory) + 1 + length + 1;
    char *path = malloc(size);
    if (path) snprintf(path, size, "%s/%.*s", directory, (int)length, name);
    return path;
}

char *cli_directory(cli_session *session, const char *argument)
{
    size_t length = strlen(argument);
    while (length > 1 && argument[length - 1] == '/') length--;
    char *name = strndup(argument, length);
    if (!name) no_memory(session);
    return name;
}

static void entry_release(cli_entry *entry)
{
    free(entry->name);
    free(entry->path);
    free(entry->why);
    avout_release(entry->value);
}

void cli_list_release(cli_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) entry_release(&listing->at[i]);
    free(listing->at);
    *listing = (cli_listing){0};
}

static cli_exit entry_init(cli_entry *entry, cli_session *session, const char *directory,
                           avout_value name)
{
    const char *text;
    size_t length;
    avout_status st = avout_value_to_text(&text, &length, name);
    if (st) return cli_failed(session, directory, st);
    entry->directory = length && text[length - 1] == '/';
    entry->name = strndup(text, length);
    entry->path = join(directory, text, length - entry->directory);
    return entry->name && entry->path ? CLI_DONE : no_memory(session);
}

static avout_status deref(avout_value *value, cli_session *session, const char *path)
{
    avout_atom *atom = NULL;
    avout_status st = avout_atom_open(&atom, session->client, path);
    if (!st) st = avout_atom_deref(value, atom);
    avout_atom_close(atom);
    return st;
}

/* *there: false for a name that was removed. */
static cli_exit look_at_value(bool *there, cli_entry *entry, cli_session *session)
{
    avout_status st = deref(&entry->value, session, entry->path);
    *there = st != AVOUT_ENOTFOUND;
    if (!st || !*there) return CLI_DONE;
    if (st != AVOUT_EDATA && st != AVOUT_EPERM && st != AVOUT_ELIMIT)
        return cli_failed(session, entry->path, st);
    entry->why = strdup(*avout_error_detail() ? avout_error_detail() : avout_status_text(st));
    return entry->why ? CLI_DONE : no_memory(session);
}

/* Whether any name is left below: looks until it finds the first. */
static cli_exit look_below(bool *there, cli_entry *entry, cli_session *session)
{
    avout_value names = AVOUT_NONE;
    *there = false;
    avout_status st = avout_ls(&names, session->client, entry->path);
    if (st) return st == AVOUT_ENOTFOUND ? CLI_DONE : cli_failed(session, entry->path, st);
    cli_exit status = CLI_DONE;
    avout_iterator it = avout_value_iterate(names);
    while (!status && !*there && avout_iterator_next(&it)) {
        cli_entry below = {0};
        status = entry_init(&below, session, entry->path, it.item);
        if (!status)
            status = (below.directory ? look_below : look_at_value)(there, &below, session);
        entry_release(&below);
    }
    avout_release(names);
    return status;
}

static cli_exit fill(cli_listing *listing, cli_session *session, const char *directory,
                     avout_value names, bool all)
{
    size_t count = 0;
    avout_value_count(&count, names);
    listing->at = calloc(count + 1, sizeof *listing->at);
    if (!listing->at) return no_memory(session);
    cli_exit status = CLI_DONE;
    avout_iterator it = avout_value_iterate(names);
    while (!status && avout_iterator_next(&it)) {
        cli_entry *entry = &listing->at[listing->count];
        bool there = true;
        status = entry_init(entry, session, directory, it.item);
        if (!status && !all)
            status = (entry->directory ? look_below : look_at_value)(&there, entry, session);
        if (status || !there) {
            entry_release(entry);
            *entry = (cli_entry){0};
        } else {
            listing->count++;
        }
    }
    return status;
}

cli_exit cli_list(cli_listing *listing, cli_session *session, const char *directory, bool all)
{
    *listing = (cli_listing){0};
    avout_value names = AVOUT_NONE;
    avout_status st = avout_ls(&names, session->client, directory);
    if (st) return cli_failed(session, directory, st);
    cli_exit status = fill(listing, session, directory, names, all);
    avout_release(names);
    if (status) cli_list_release(listing);
    return status;
}
