/* avout complete: what may stand at the end of a command line; the shells' completions ask it.
 *
 * A line for each candidate, behind a tab what it is. ":files" and ":commands" mean that the shell knows
 * better. What is wrong in the line so far is no error here: then there is less to say. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 2000, LOOK_MOST = 2000 };

typedef struct completing {
    cli_session *session;
    const char *word; /* the one to complete */
    const cli_command *command;
    int position;           /* of that word among those of the command; 1 is the first */
    bool only_words;        /* no option can come any more */
    bool file;              /* -f of eval stands before */
    cli_option_info option; /* the word is its argument; name NULL: it is not */
    char **settings;        /* options of every command, for the connection */
    int setting_count;
} completing;

static void offer(const completing *c, const char *candidate, const char *what)
{
    if (strncmp(candidate, c->word, strlen(c->word)) != 0) return;
    cli_put(candidate, strlen(candidate));
    if (what) {
        cli_put("\t", 1);
        cli_put(what, strlen(what));
    }
    cli_put("\n", 1);
}

static void ask_shell(const char *kind)
{
    cli_put(kind, strlen(kind));
    cli_put("\n", 1);
}

/* ---- what the line says so far ------------------------------------------------------------------- */

static void keep_setting(completing *c, const char *word)
{
    c->settings[c->setting_count++] = (char *)(uintptr_t)word;
}

/* The option a word is or ends with, and whether its argument is still to come. */
static bool wants_argument(cli_option_info *found, const completing *c, const char *word)
{
    cli_option_info info;
    bool is_long = word[1] == '-';
    const char *name = word + 2, *equals = is_long ? strchr(name, '=') : NULL;
    for (size_t i = 0; cli_option_at(i, &info); i++) {
        if (is_long) {
            size_t length = equals ? (size_t)(equals - name) : strlen(name);
            if (strlen(info.name) != length || strncmp(info.name, name, length) != 0) continue;
            *found = info;
            return info.argument && !equals;
        }
        /* A letter may be another option for another command. */
        unsigned bits = (c->command ? c->command->options : 0) | CLI_GLOBAL;
        if (!info.letter || info.letter != word[strlen(word) - 1] || !(info.bit & bits)) continue;
        *found = info;
        return info.argument != NULL;
    }
    return false;
}

static void take_option(completing *c, int *at)
{
    const cli_arguments *words = &c->session->words;
    const char *word = words->at[*at];
    cli_option_info info = {0};
    bool wants = wants_argument(&info, c, word);
    bool global = info.bit & CLI_GLOBAL;
    if (info.name && !strcmp(info.name, "file")) c->file = true;
    if (wants && *at + 1 == words->count - 1) c->option = info;
    else if (global && info.argument) {
        keep_setting(c, word);
        if (wants) keep_setting(c, words->at[*at + 1]);
    }
    *at += wants;
}

static void read_line(completing *c)
{
    const cli_arguments *words = &c->session->words;
    for (int i = 0; i < words->count - 1; i++) {
        const char *word = words->at[i];
        if (!c->only_words && !strcmp(word, "--")) {
            c->only_words = true;
        } else if (!c->only_words && cli_is_option(word)) {
            take_option(c, &i);
        } else if (!c->command) {
            c->command = cli_command_find(word);
            if (!c->command) return;
        } else {
            c->position++;
            if (c->command->own == c->position) c->only_words = true;
        }
    }
    c->position++;
    /* The -- in front of another program's command line. */
    const char *last = words->count > 1 ? words->at[words->count - 2] : "";
    if (c->command && c->command->own && !strcmp(last, "--")) c->position = c->command->own + 1;
}

/* ---- commands, options and their arguments ---------------------------------------------------------- */

static void offer_commands(const completing *c)
{
    const cli_command *command;
    for (size_t i = 0; (command = cli_command_at(i)); i++)
        offer(c, command->name, command->summary);
}

static void offer_options(const completing *c)
{
    cli_option_info info;
    char text[60];
    unsigned bits = (c->command ? c->command->options : 0) | CLI_GLOBAL;
    for (size_t i = 0; cli_option_at(i, &info); i++) {
        if (!(info.bit & bits)) continue;
        snprintf(text, sizeof text, "--%s", info.name);
        offer(c, text, info.help);
    }
}

static void offer_functions(const completing *c)
{
    const avout_function_info *function;
    for (size_t i = 0; (function = avout_function_at(i)); i++)
        offer(c, function->name, function->summary);
}

static void offer_kinds(const completing *c)
{
    const char *kind;
    char text[AVOUT_KIND_SIZE + 1];
    for (size_t i = 0; (kind = cli_kind_at(i)); i++) {
        snprintf(text, sizeof text, "%s:", kind);
        offer(c, text, NULL);
    }
}

static void offer_argument(const completing *c)
{
    static const struct {
        const char *option, *choice;
    } choices[] = {{"acl", "open"},      {"acl", "owner"},    {"acl", "owner-writes"},
                   {"sort", "name"},     {"sort", "changes"}, {"sort", "time"},
                   {"sort", "watchers"}, {"sort", "queue"},   {"sort", "lock"},
                   {"codec", "edn"},     {"codec", "json"},   {"codec", "bytes"},
                   {"exec", NULL},       {"store", "lmdb:"},  {"store", "zk://"}};
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        if (strcmp(choices[i].option, c->option.name) != 0) continue;
        if (choices[i].choice) offer(c, choices[i].choice, NULL);
        else ask_shell(":commands");
    }
    if (!strcmp(c->option.name, "store")) ask_shell(":files");
    if (!strcmp(c->option.name, "container")) offer_kinds(c);
}

/* ---- names --------------------------------------------------------------------------------------------- */

static cli_exit connect_quickly(completing *c)
{
    cli_session *session = c->session;
    const cli_command *none;
    cli_arguments rest = {.at = calloc((size_t)c->setting_count + 1, sizeof *rest.at)};
    if (!rest.at) return CLI_SYSTEM;
    bool fine = cli_parse(&session->settings, &none, &rest, c->setting_count, c->settings);
    free(rest.at);
    if (!fine) return CLI_USAGE;
    if (!session->settings.timeout_ms) session->settings.timeout_ms = PATIENCE_MS;
    avout_options options;
    if (cli_options(&options, session)) return CLI_USAGE;
    /* Not reported: who completes a line has not asked for the store. */
    return cli_exit_of(avout_connect(session->settings.store, &options, &session->client));
}

/* The directory the word is in, "/" or without a slash at its end. */
static char *directory_of(const char *word)
{
    const char *slash = strrchr(word, '/');
    return slash && slash != word ? strndup(word, (size_t)(slash - word)) : strdup("/");
}

/* Candidates as they were found: names and, with a slash, directories. */
typedef struct found {
    completing *completing;
    const char *directory;
    char **at;
    size_t count, room;
    bool names, failed;
} found;

static void add(found *f, const char *text, size_t length, bool directory)
{
    const completing *c = f->completing;
    bool top = !strcmp(f->directory, "/");
    size_t size = strlen(f->directory) + length + 3;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%.*s%s", top ? "" : f->directory, (int)length, text,
                 directory ? "/" : "");
    if (f->count == f->room && path) {
        size_t room = f->room ? 2 * f->room : 64;
        char **larger = realloc(f->at, room * sizeof *larger);
        if (larger) {
            f->at = larger;
            f->room = room;
        }
    }
    if (path && f->count < f->room && !strncmp(path, c->word, strlen(c->word)))
        f->at[f->count++] = path;
    else free(path);
}

static avout_status find_names(found *f)
{
    avout_value names = AVOUT_NONE;
    avout_status st = avout_ls(&names, f->completing->session->client, f->directory);
    avout_iterator it = avout_value_iterate(names);
    while (!st && avout_iterator_next(&it)) {
        const char *text;
        size_t length;
        if (avout_value_to_text(&text, &length, it.item)) break;
        bool directory = length && text[length - 1] == '/';
        if (directory || f->names) add(f, text, length - directory, directory);
    }
    avout_release(names);
    return st;
}

static avout_status find_lock(const char *name, bool directory, void *payload)
{
    const char *last = strrchr(name, '/') + 1;
    add(payload, last, strlen(last), directory);
    return AVOUT_OK;
}

/* Names that were removed are still listed for a while. Of a great many it does not matter. */
static void offer_found(const found *f, bool locks)
{
    avout_name_stat *stats = calloc(f->count + 1, sizeof *stats);
    const char **names = calloc(f->count + 1, sizeof *names);
    size_t count = 0;
    for (size_t i = 0; names && i < f->count; i++)
        if (f->at[i][strlen(f->at[i]) - 1] != '/') names[count++] = f->at[i];
    bool known = !locks && stats && names && count <= LOOK_MOST &&
                 !avout_stat_names(stats, f->completing->session->client, names, count, 0);
    for (size_t i = 0, name = 0; i < f->count; i++) {
        bool directory = f->at[i][strlen(f->at[i]) - 1] == '/';
        bool gone = !directory && known && stats[name].status == AVOUT_ENOTFOUND;
        name += !directory;
        if (!gone) offer(f->completing, f->at[i], NULL);
    }
    free(names);
    free(stats);
}

static void offer_names(completing *c, bool names, bool locks)
{
    if (*c->word && *c->word != '/') return;
    char *directory = directory_of(c->word);
    found f = {.completing = c, .directory = directory, .names = names};
    if (!directory || connect_quickly(c)) {
        free(directory);
        return;
    }
    avout_client *client = c->session->client;
    if (!(locks ? avout_locks_each(client, directory, find_lock, &f) : find_names(&f)))
        offer_found(&f, locks);
    for (size_t i = 0; i < f.count; i++) free(f.at[i]);
    free(f.at);
    free(directory);
}

/* ---- a command's words ------------------------------------------------------------------------------------ */

/* What the usage calls the word of that position, without brackets; the last one repeats if it does there.
 * Behind --exec stands an option's argument. */
static void usage_word(char word[32], const cli_command *command, int position)
{
    const char *at = command->usage;
    bool skip = false, repeats = false;
    *word = '\0';
    while (*at && position > 0) {
        char token[32];
        size_t length = strcspn(at, " ");
        snprintf(token, sizeof token, "%.*s", (int)length, at);
        at += length + strspn(at + length, " ");
        char *name = token + strspn(token, "[");
        repeats = strstr(name, "...");
        name[strcspn(name, "].")] = '\0';
        bool option = *name == '-' || *name == '|';
        if (!option && !skip) {
            snprintf(word, 32, "%s", name);
            position--;
        }
        skip = !strcmp(name, "--exec");
    }
    if (position > 0 && !repeats) *word = '\0';
}

static void offer_word(completing *c)
{
    char kind[32];
    usage_word(kind, c->command, c->position);
    bool locks = !strncmp(c->command->name, "lock", 4);
    if (!strcmp(c->command->name, "help")) {
        offer_commands(c);
        offer(c, "functions", "what swap knows");
    } else if (c->file || !strcmp(kind, "ARGUMENT")) ask_shell(":files");
    else if (!strcmp(kind, "NAME")) offer_names(c, true, locks);
    else if (!strcmp(kind, "DIR")) offer_names(c, false, false);
    else if (!strcmp(kind, "FUNCTION")) offer_functions(c);
    else if (!strcmp(kind, "COMMAND")) ask_shell(":commands");
}

cli_exit cli_complete(cli_session *session)
{
    if (!session->words.count) return CLI_DONE;
    completing c = {
        .session = session,
        .word = session->words.at[session->words.count - 1],
        .settings = calloc((size_t)session->words.count + 2, sizeof *c.settings),
    };
    if (!c.settings) return cli_error(CLI_SYSTEM, "complete", "out of memory");
    keep_setting(&c, "avout");
    read_line(&c);
    if (c.option.name) offer_argument(&c);
    else if (!c.only_words && *c.word == '-') offer_options(&c);
    else if (c.command) offer_word(&c);
    else if (c.position == 1) offer_commands(&c);
    free(c.settings);
    return CLI_DONE;
}
