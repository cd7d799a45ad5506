/* avout tree: everything below a directory. */
#include "cli.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

typedef struct drawing {
    cli_session *session;
    const char *branch, *last_branch, *trunk, *blank; /* each 4 columns wide */
    const char *cut;
    size_t width; /* of the terminal; 0: none, nothing is cut */
    bool first;   /* JSON: no comma yet */
    cli_exit unreadable;
} drawing;

static void drawing_init(drawing *d, cli_session *session)
{
    bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
    struct winsize size;
    *d = (drawing){
        .session = session,
        .branch = utf8 ? "├── " : "|-- ",
        .last_branch = utf8 ? "└── " : "`-- ",
        .trunk = utf8 ? "│   " : "|   ",
        .blank = "    ",
        .cut = utf8 ? "…" : "~",
        .first = true,
    };
    if (isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size)) d->width = size.ws_col;
}

static void put(const char *text)
{
    cli_put(text, strlen(text));
}

static size_t columns(const char *text)
{
    size_t count = 0;
    for (; *text; text++) count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

/* Cuts at `room` columns, never inside a character. */
static void put_cut(const drawing *d, const char *text, size_t room)
{
    if (!d->width || columns(text) <= room) {
        put(text);
        return;
    }
    const char *end = text;
    for (size_t left = room; *end; end++)
        if (((unsigned char)*end & 0xC0) != 0x80 && left-- <= 1) break;
    cli_put(text, (size_t)(end - text));
    put(d->cut);
}

/* Who asks for names only does not care. */
static bool is_unreadable(const drawing *d, const cli_entry *entry)
{
    return entry->why && !d->session->settings.no_values;
}

static void complain(drawing *d, const cli_entry *entry)
{
    d->unreadable = CLI_REFUSED;
    cli_error(CLI_REFUSED, "tree", "%s%s%s", strstr(entry->why, entry->path) ? "" : entry->path,
              strstr(entry->why, entry->path) ? "" : ": ", entry->why);
}

static cli_exit draw_value(drawing *d, const cli_entry *entry, size_t used)
{
    char *text;
    size_t length;
    avout_status st = cli_text_of(&text, &length, &d->session->settings, entry->value);
    if (st) return cli_failed(d->session, entry->path, st);
    put("  ");
    put_cut(d, text, d->width > used + 12 ? d->width - used - 2 : 10);
    avout_edn_free(text);
    return CLI_DONE;
}

static cli_exit draw(drawing *d, const char *directory, const char *prefix, const char *head);

static cli_exit draw_entry(drawing *d, const cli_entry *entry, const char *prefix, bool last)
{
    cli_exit status = CLI_DONE;
    put(prefix);
    put(last ? d->last_branch : d->branch);
    put(entry->name);
    if (is_unreadable(d, entry)) put("  ?");
    else if (!entry->directory && !d->session->settings.no_values)
        status = draw_value(d, entry, columns(prefix) + 4 + columns(entry->name));
    put("\n");
    if (is_unreadable(d, entry)) complain(d, entry);
    if (!entry->directory || status) return status;
    const char *more = last ? d->blank : d->trunk;
    size_t size = strlen(prefix) + strlen(more) + 1;
    char *below = malloc(size);
    if (!below) return cli_error(CLI_SYSTEM, "tree", "out of memory");
    snprintf(below, size, "%s%s", prefix, more);
    status = draw(d, entry->path, below, NULL);
    free(below);
    return status;
}

/* `head`: the line above it, which is not shown for a directory that is not there; NULL: none. */
static cli_exit draw(drawing *d, const char *directory, const char *prefix, const char *head)
{
    cli_listing listing;
    cli_exit status = cli_list(&listing, d->session, directory, false);
    if (!status && head) put(head), put("\n");
    for (size_t i = 0; i < listing.count && !status; i++)
        status = draw_entry(d, &listing.at[i], prefix, i + 1 == listing.count);
    cli_list_release(&listing);
    return status;
}

static cli_exit write_json(drawing *d, const char *directory);

static cli_exit write_json_entry(drawing *d, const cli_entry *entry)
{
    if (entry->directory) return write_json(d, entry->path);
    if (is_unreadable(d, entry)) return complain(d, entry), CLI_DONE;
    put(d->first ? "" : ",");
    d->first = false;
    cli_exit status = cli_print_json_string(d->session, entry->path);
    if (status || d->session->settings.no_values) return status;
    char *text;
    size_t length;
    avout_status st = avout_json_text(&text, &length, entry->value);
    if (st) return cli_failed(d->session, entry->path, st);
    put(":");
    cli_put(text, length);
    avout_edn_free(text);
    return CLI_DONE;
}

static cli_exit write_json(drawing *d, const char *directory)
{
    cli_listing listing;
    cli_exit status = cli_list(&listing, d->session, directory, false);
    for (size_t i = 0; i < listing.count && !status; i++)
        status = write_json_entry(d, &listing.at[i]);
    cli_list_release(&listing);
    return status;
}

cli_exit cli_tree(cli_session *session)
{
    drawing d;
    drawing_init(&d, session);
    bool names_only = session->settings.no_values;
    char *directory = cli_directory(session, session->words.count ? session->words.at[0] : "/");
    if (!directory) return CLI_SYSTEM;
    cli_exit status = cli_open(session);
    if (!status && session->settings.json) {
        put(names_only ? "[" : "{");
        status = write_json(&d, directory);
        put(names_only ? "]\n" : "}\n");
    } else if (!status) {
        status = draw(&d, directory, "", directory);
    }
    free(directory);
    return status ? status : d.unreadable;
}
