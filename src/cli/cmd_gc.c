/* avout gc: what nothing leads to, in containers and among the pieces of large values. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

typedef struct collecting {
    cli_session *session;
    bool told;  /* something stands on standard output */
    bool found; /* a name of the argument's */
    size_t orphans;
    cli_exit worst;
} collecting;

/* What was found of one name. */
typedef struct finding {
    const char *name;
    char kind[AVOUT_KIND_SIZE]; /* of its container, or "chunks" */
    size_t orphans;
    bool missing; /* no container was given that it could be in */
    avout_status status;
} finding;

static void put(const char *text)
{
    cli_put(text, strlen(text));
}

static void put_number(size_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%zu", number);
    put(text);
}

static void note(collecting *c, cli_exit status)
{
    if (!c->worst) c->worst = status;
}

/* ---- telling ------------------------------------------------------------------------------------- */

static void put_json_string(collecting *c, const char *text)
{
    note(c, cli_print_json_string(c->session, text));
}

static void tell_json(collecting *c, const finding *f)
{
    put(c->told ? ",\n " : "{\"names\":[");
    put("{\"name\":");
    put_json_string(c, f->name);
    put(",\"kind\":");
    put_json_string(c, f->kind);
    put(",\"orphans\":");
    if (f->missing || f->status) put("null");
    else put_number(f->orphans);
    put(f->missing ? ",\"missing\":true,\"error\":" : ",\"missing\":false,\"error\":");
    if (f->status) put_json_string(c, avout_status_name(f->status));
    else put("null");
    put("}");
}

/* Everything stands behind the number, so that names may contain anything. */
static void tell_line(const finding *f)
{
    if (f->status || f->missing) put("-");
    else put_number(f->orphans);
    put("  ");
    put(f->kind);
    put("  ");
    put(f->name);
    if (f->missing) {
        put("  (to look there: --container ");
        put(f->kind);
        put(":PLACE)");
    }
    put("\n");
}

/* Reports a failure, too; the other names are looked at all the same. */
static void tell(collecting *c, const finding *f)
{
    if (f->status) note(c, cli_failed(c->session, f->name, f->status));
    c->orphans += f->orphans;
    bool plain = !strcmp(f->kind, "chunks");
    if (plain && !f->orphans && !f->status) return;
    if (c->session->settings.json) tell_json(c, f);
    else tell_line(f);
    c->told = true;
}

/* ---- looking ------------------------------------------------------------------------------------- */

/* Whether a container was given of that kind; its place. */
static const char *place_of(const char *container, const char *kind)
{
    size_t length = strlen(kind);
    return strncmp(container, kind, length) || container[length] != ':' ? NULL
                                                                        : container + length + 1;
}

static avout_status collect_in(size_t *orphans, cli_session *session, const char *name,
                               const char *kind, const char *place)
{
    avout_versioned_container *container;
    avout_status st = avout_container_open(&container, kind, place);
    if (st) return st;
    return avout_distributed_collect_in(orphans, session->client, name, container,
                                        session->settings.remove, 0);
}

/* Of several places of the kind one is the name's: the others do not have the version that counts. */
static void look_in_its_container(collecting *c, finding *f)
{
    const cli_texts *given = &c->session->settings.containers;
    f->missing = true;
    for (size_t i = 0; i < given->count; i++) {
        const char *place = place_of(given->at[i], f->kind);
        if (!place) continue;
        f->missing = false;
        f->status = collect_in(&f->orphans, c->session, f->name, f->kind, place);
        if (f->status != AVOUT_EIO) break;
    }
    tell(c, f);
}

static void look_at_pieces(collecting *c, finding *f)
{
    f->status = avout_distributed_collect(&f->orphans, c->session->client, f->name,
                                          c->session->settings.remove, 0);
    tell(c, f);
}

/* Nobody knows any more where its values were. */
static void look_everywhere(collecting *c, const char *name)
{
    const cli_texts *given = &c->session->settings.containers;
    finding pieces = {.name = name, .kind = "chunks"};
    look_at_pieces(c, &pieces);
    for (size_t i = 0; i < given->count; i++) {
        finding f = {.name = name};
        const char *colon = strchr(given->at[i], ':');
        snprintf(f.kind, sizeof f.kind, "%.*s", (int)(colon - given->at[i]), given->at[i]);
        f.status = collect_in(&f.orphans, c->session, name, f.kind, colon + 1);
        if (f.orphans || f.status) tell(c, &f);
    }
}

/* A name that was destroyed is known by its directory; one that never was is none. */
static bool is_listed(cli_session *session, const char *name)
{
    const char *last = strrchr(name, '/');
    char *directory = strndup(name, last > name ? (size_t)(last - name) : 1);
    avout_value names = AVOUT_NONE;
    bool listed = false;
    avout_status st = last && directory ? avout_ls(&names, session->client, directory) : AVOUT_OK;
    avout_iterator it = avout_value_iterate(names);
    while (!st && !listed && avout_iterator_next(&it)) {
        const char *text;
        size_t length;
        if (avout_value_to_text(&text, &length, it.item)) break;
        listed = length == strlen(last + 1) && !memcmp(text, last + 1, length);
    }
    avout_release(names);
    free(directory);
    return listed;
}

static void look_at_name(collecting *c, const char *name)
{
    finding f = {.name = name};
    bool versioned;
    avout_status st = avout_distributed_kind(f.kind, &versioned, c->session->client, name, 0);
    if (!st) c->found = true;
    if (st == AVOUT_ENOTFOUND && is_listed(c->session, name)) {
        c->found = true;
        look_everywhere(c, name);
    } else if (st == AVOUT_ENOTFOUND) {
        return;
    } else if (st) {
        note(c, cli_failed(c->session, name, st));
    } else if (versioned && strcmp(f.kind, "chunks") != 0) {
        look_in_its_container(c, &f);
    } else if (versioned || !*f.kind) {
        snprintf(f.kind, sizeof f.kind, "chunks");
        look_at_pieces(c, &f);
    }
}

/* Destroyed names are listed, too: what is left of them is nobody's. */
static void look_below(collecting *c, const char *directory)
{
    cli_listing listing;
    cli_exit status = cli_list(&listing, c->session, directory, true);
    note(c, status);
    for (size_t i = 0; !status && i < listing.count; i++) {
        c->found = true;
        if (listing.at[i].directory) look_below(c, listing.at[i].path);
        else look_at_name(c, listing.at[i].path);
    }
    cli_list_release(&listing);
}

static void look_at_gone(collecting *c)
{
    const cli_settings *settings = &c->session->settings;
    size_t orphans = 0;
    avout_status st = avout_distributed_collect_gone(&orphans, c->session->client,
                                                     settings->older_ms, settings->remove, 0);
    if (st) note(c, cli_failed(c->session, NULL, st));
    c->orphans += orphans;
    if (settings->json) {
        put(c->told ? "],\n \"gone\":" : "{\"names\":[],\n \"gone\":");
        put_number(orphans);
    } else if (orphans) {
        put_number(orphans);
        put("  chunks  (of names that are gone)\n");
    }
}

/* At the name and below it. */
static void look_at(collecting *c, const char *argument)
{
    char *name = cli_directory(c->session, argument);
    if (!name) {
        note(c, CLI_SYSTEM);
        return;
    }
    bool top = !strcmp(name, "/");
    c->found = top;
    avout_value below = AVOUT_NONE;
    avout_status st = avout_ls(&below, c->session->client, name);
    avout_release(below);
    if (st && st != AVOUT_ENOTFOUND) note(c, cli_failed(c->session, name, st));
    if (!top && (!st || st == AVOUT_ENOTFOUND)) look_at_name(c, name);
    if (!st) look_below(c, name);
    free(name);
}

/* ---- the command ----------------------------------------------------------------------------------- */

/* The kinds there are, for messages. */
static void list_kinds(char text[200])
{
    const char *kind;
    *text = '\0';
    for (size_t i = 0; (kind = cli_kind_at(i)); i++) {
        if (i) strcat(text, ", ");
        strcat(text, kind);
    }
}

static bool is_known(const char *kind)
{
    const char *known;
    for (size_t i = 0; (known = cli_kind_at(i)); i++)
        if (!strcmp(known, kind)) return true;
    return false;
}

/* What stands behind the colon may be secret. */
static cli_exit check_container(const char *given)
{
    const char *colon = strchr(given, ':');
    size_t length = colon ? (size_t)(colon - given) : 0;
    if (!length || length >= AVOUT_KIND_SIZE)
        return cli_error(CLI_USAGE, "gc",
                         "--container: a kind and a place are needed, as in file:/srv/plans");
    char kind[AVOUT_KIND_SIZE], kinds[200];
    snprintf(kind, sizeof kind, "%.*s", (int)length, given);
    if (!avout_container_load(kind)) return CLI_DONE;
    if (is_known(kind)) return cli_error(CLI_USAGE, "gc", "--container: %s", avout_error_detail());
    list_kinds(kinds);
    return cli_error(CLI_USAGE, "gc",
                     "--container: there are no containers of kind \"%s\": %s, or others whose "
                     "library libavout-KIND.so.0 is installed",
                     kind, kinds);
}

static cli_exit check_containers(const cli_session *session)
{
    const cli_texts *given = &session->settings.containers;
    cli_exit status = CLI_DONE;
    for (size_t i = 0; !status && i < given->count; i++) status = check_container(given->at[i]);
    return status;
}

static void tell_end(const collecting *c, bool everything)
{
    const cli_settings *settings = &c->session->settings;
    if (settings->json) {
        if (!everything) put(c->told ? "],\n \"gone\":null" : "{\"names\":[],\n \"gone\":null");
        put(",\"orphans\":");
        put_number(c->orphans);
        put(settings->remove ? ",\"deleted\":true}\n" : ",\"deleted\":false}\n");
        return;
    }
    put_number(c->orphans);
    put(settings->remove ? " in all, deleted\n" : " in all\n");
}

cli_exit cli_gc(cli_session *session)
{
    collecting c = {.session = session};
    cli_exit status = check_containers(session);
    if (!status) status = cli_open(session);
    if (status) return status;
    bool everything = !session->words.count;
    for (int i = 0; i < session->words.count; i++) {
        look_at(&c, session->words.at[i]);
        everything = everything || !session->words.at[i][strspn(session->words.at[i], "/")];
        if (!c.found && !c.worst)
            note(&c, cli_error(CLI_ABSENT, "gc", "%s: there is no such name, nor any below it",
                               session->words.at[i]));
    }
    if (!session->words.count) look_at(&c, "/");
    if (everything) look_at_gone(&c);
    if (!c.worst || c.told || everything) tell_end(&c, everything);
    return c.worst;
}
