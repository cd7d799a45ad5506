/* All options of all commands in one table, and their parser.
 *
 * getopt is not used because `avout swap /n + -5` must take -5 for what it is: a number. */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum option_kind { FLAG, TEXT, TEXTS, NUMBER, STATUS, DURATION, CODEC } option_kind;

typedef struct option {
    unsigned bit;
    char letter; /* 0: none */
    const char *name;
    const char *argument; /* NULL: none */
    const char *help;
    option_kind kind;
    size_t offset;
} option;

#define IN(field) offsetof(cli_settings, field)

static const option options[] = {
    {CLI_JSON, 'j', "json", NULL, "print JSON", FLAG, IN(json)},
    {CLI_RAW, 0, "raw", NULL, "print strings without quotes, bytes as they are", FLAG, IN(raw)},
    {CLI_PRETTY, 0, "pretty", NULL, "print EDN indented for people", FLAG, IN(pretty)},
    {CLI_OLD, 0, "old", NULL, "print the value that was replaced, not the new one", FLAG, IN(old)},
    {CLI_INIT, 0, "init", "EDN", "start from this value if the name does not exist", TEXT,
     IN(init)},
    {CLI_CODEC, 0, "codec", "CODEC",
     "how the value lies in the store: edn (the default), json or bytes", CODEC, IN(codec)},
    {CLI_EXISTING, 0, "existing", NULL, "fail with status 3 if the name does not exist", FLAG,
     IN(existing)},
    {CLI_NEW, 0, "new", NULL, "fail with status 1 if the name exists", FLAG, IN(fresh)},
    {CLI_STRICT, 0, "strict", NULL, "not older than anything confirmed to anybody before", FLAG,
     IN(strict)},
    {CLI_QUIET, 'q', "quiet", NULL,
     "cas: say nothing when another value was there; repl: no greeting", FLAG, IN(quiet)},
    {CLI_COUNT, 'c', "count", "N", "end after N changes", NUMBER, IN(count)},
    {CLI_INITIAL, 'i', "initial", NULL, "begin with the present value (not counted)", FLAG,
     IN(initial)},
    {CLI_NO_VALUES, 0, "no-values", NULL, "names only", FLAG, IN(no_values)},
    {CLI_ALL, 'a', "all", NULL, "also removed names whose traces are not cleared away yet", FLAG,
     IN(all)},
    {CLI_RECURSIVE, 'r', "recursive", NULL, "everything below a directory", FLAG, IN(recursive)},
    {CLI_DRY_RUN, 'n', "dry-run", NULL, "print what would be removed, remove nothing", FLAG,
     IN(dry_run)},
    {CLI_FORCE, 'f', "force", NULL, "a name that does not exist is no error", FLAG, IN(force)},

    {CLI_FILE, 'f', "file", NULL, "the program is in the file of that name; - is standard input",
     FLAG, IN(file)},

    {CLI_STEPS, 0, "steps", "N",
     "calls, turns of loops, elements made that a form may take (dosync: all forms)", NUMBER,
     IN(steps)},

    {CLI_KEEP_GOING, 'k', "keep-going", NULL,
     "standard input: go on after an error, and end with status 1", FLAG, IN(keep_going)},

    {CLI_LOCKING, 0, "write", NULL, "hold it alone (the default)", FLAG, IN(write)},
    {CLI_LOCKING, 0, "read", NULL, "share it with others that read", FLAG, IN(read)},
    {CLI_LOCKING, 0, "try", NULL, "do not wait", FLAG, IN(try_only)},
    {CLI_LOCKING, 'E', "busy-status", "N", "exit status when it is not obtained (75)", STATUS,
     IN(busy_status)},
    {CLI_EXEC, 0, "exec", "COMMAND",
     "run it for each change, through sh; the value is its standard input", TEXT, IN(exec)},
    {CLI_KILL_AFTER, 0, "kill-after", "TIME",
     "how long the command may take to end when it has to, before KILL (10s)", DURATION,
     IN(kill_after_ms)},

    {CLI_TOP, 0, "once", NULL, "look twice, print the table and end", FLAG, IN(once)},
    {CLI_TOP, 0, "interval", "TIME", "time between two looks (1s)", DURATION, IN(interval_ms)},
    {CLI_TOP, 0, "sort", "ORDER", "by name (the default), changes, time, watchers, queue or lock",
     TEXT, IN(sort)},
    {CLI_TOP, 0, "filter", "TEXT", "only names in which TEXT is found, in whatever case", TEXT,
     IN(filter)},
    {CLI_TOP, 0, "rows", "N", "with --once: the first N rows", NUMBER, IN(rows)},

    {CLI_GC, 0, "container", "KIND:PLACE",
     "where values are, as its library takes it; may be given several times", TEXTS,
     IN(containers)},
    {CLI_GC, 0, "delete", NULL, "delete what was found", FLAG, IN(remove)},
    {CLI_GC, 0, "older", "TIME", "of names that are gone: pieces of at least that age (168h)",
     DURATION, IN(older_ms)},

    {CLI_GLOBAL, 's', "store", "URL", "lmdb:PATH, a path with a slash, zk://HOST:PORT[,...][/DIR]",
     TEXT, IN(store)},
    {CLI_GLOBAL, 't', "timeout", "TIME",
     "how long to wait for the store: 5, 1.5s, 200ms, 2m; 10 to connect, then 30", DURATION,
     IN(timeout_ms)},
    {CLI_GLOBAL, 'u', "user", "USER", "ZooKeeper user; the password is in AVOUT_PASSWORD", TEXT,
     IN(user)},
    {CLI_GLOBAL, 0, "acl", "WHO", "who may use what is created: open, owner, owner-writes", TEXT,
     IN(acl)},
    {CLI_GLOBAL, 'v', "verbose", NULL, "tell on standard error what the connection does", FLAG,
     IN(verbose)},
    {CLI_GLOBAL, 'h', "help", NULL, "explain the command", FLAG, IN(help)},
    {CLI_GLOBAL, 0, "version", NULL, "print the version", FLAG, IN(version)},
};
enum { OPTION_COUNT = sizeof options / sizeof *options };

void cli_print_options(FILE *out, unsigned bits)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const option *o = &options[i];
        if (!(o->bit & bits)) continue;
        char left[40];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->argument ? " " : "",
                 o->argument ? o->argument : "");
        if (o->letter) fprintf(out, "  -%c, %-18s %s\n", o->letter, left, o->help);
        else fprintf(out, "      %-18s %s\n", left, o->help);
    }
}

bool cli_option_at(size_t index, cli_option_info *info)
{
    if (index >= OPTION_COUNT) return false;
    const option *o = &options[index];
    *info = (cli_option_info){o->bit, o->letter, o->name, o->argument, o->help};
    return true;
}

static bool number_of(int64_t *number, const char *text)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno || end == text || *end || n < 1) return false;
    *number = n;
    return true;
}

static bool status_of(int64_t *status, const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (end == text || *end || n < 0 || n > 255) return false;
    *status = n;
    return true;
}

/* At least a millisecond, at most a few years: beyond that the unit was mistaken. */
static bool milliseconds_of(int64_t *ms, const char *text)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"", 1}, {"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    char *end;
    double number = strtod(text, &end);
    if (end == text) return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        double seconds = number * units[i].seconds;
        if (strcmp(end, units[i].name) || !(seconds >= 0.001 && seconds <= 1e8)) continue;
        *ms = (int64_t)llround(seconds * 1000);
        return true;
    }
    return false;
}

static bool texts_add(cli_texts *texts, const option *o, const char *argument)
{
    if (texts->count == CLI_TEXTS_MOST)
        return !cli_error(CLI_USAGE, NULL, "--%s: at most %d of them", o->name, CLI_TEXTS_MOST);
    texts->at[texts->count++] = argument;
    return true;
}

static bool option_set(cli_settings *settings, const option *o, const char *argument)
{
    char *field = (char *)settings + o->offset;
    bool fine = true;
    switch (o->kind) {
    case FLAG: memcpy(field, &(bool){true}, sizeof(bool)); break;
    case TEXT: memcpy(field, &argument, sizeof argument); break;
    case TEXTS: return texts_add((cli_texts *)(void *)field, o, argument);
    case NUMBER: {
        int64_t number = 0;
        fine = number_of(&number, argument);
        memcpy(field, &number, sizeof number);
        break;
    }
    case STATUS: {
        int64_t number = 0;
        fine = status_of(&number, argument);
        memcpy(field, &number, sizeof number);
        break;
    }
    case DURATION: {
        int64_t ms = 0;
        fine = milliseconds_of(&ms, argument);
        memcpy(field, &ms, sizeof ms);
        break;
    }
    case CODEC: {
        const avout_codec *codec = avout_codec_named(argument);
        fine = codec != NULL;
        memcpy(field, &codec, sizeof codec);
        break;
    }
    }
    static const char *const wanted[] = {[CODEC] = "a codec: edn, json or bytes",
                                         [NUMBER] = "a whole number from 1 on",
                                         [STATUS] = "a number from 0 to 255",
                                         [DURATION] =
                                             "a time of a millisecond or more: seconds, or "
                                             "with a unit of ms, s, m, h, d"};
    if (!fine)
        cli_error(CLI_USAGE, NULL, "--%s: \"%s\" is not %s", o->name, argument, wanted[o->kind]);
    return fine;
}

/* Options given are remembered by bit, so that they can be checked against the command's, which may
 * be named later on the line. */
typedef struct parser {
    cli_settings *settings;
    int argc;
    char **argv;
    int at;
    const option *given[OPTION_COUNT];
    size_t given_count;
} parser;

static bool take_option(parser *p, const option *o, const char *attached)
{
    const char *argument = attached;
    if (o->argument && !argument) {
        if (p->at + 1 >= p->argc)
            return !cli_error(CLI_USAGE, NULL, "--%s needs an argument: %s", o->name, o->argument);
        argument = p->argv[++p->at];
    }
    if (!o->argument && argument)
        return !cli_error(CLI_USAGE, NULL, "--%s takes no argument", o->name);
    bool seen = false;
    for (size_t i = 0; i < p->given_count; i++) seen = seen || p->given[i] == o;
    if (!seen) p->given[p->given_count++] = o;
    return option_set(p->settings, o, argument);
}

static bool parse_long(parser *p, const char *text)
{
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    cli_nearest nearest = {.word = text};
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strlen(options[i].name) == length && !strncmp(options[i].name, text, length))
            return take_option(p, &options[i], equals ? equals + 1 : NULL);
        cli_near(&nearest, options[i].name);
    }
    if (nearest.best)
        cli_error(CLI_USAGE, NULL, "no option --%.*s; did you mean --%s?", (int)length, text,
                  nearest.best);
    else cli_error(CLI_USAGE, NULL, "no option --%.*s; see avout help", (int)length, text);
    return false;
}

/* A letter may be another option for another command; before the command is named, the first one. */
static const option *find_letter(char letter, const cli_command *command)
{
    const option *found = NULL;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const option *o = &options[i];
        if (o->letter != letter) continue;
        if (!found || (command && o->bit & command->options)) found = o;
    }
    return found;
}

/* -rn is -r -n; -sURL is -s URL. */
static bool parse_letters(parser *p, const char *letters, const cli_command *command)
{
    for (; *letters; letters++) {
        const option *o = find_letter(*letters, command);
        if (!o) return !cli_error(CLI_USAGE, NULL, "no option -%c; see avout help", *letters);
        if (o->argument) return take_option(p, o, letters[1] ? letters + 1 : NULL);
        if (!take_option(p, o, NULL)) return false;
    }
    return true;
}

bool cli_is_option(const char *text)
{
    return text[0] == '-' && text[1] && !(text[1] >= '0' && text[1] <= '9');
}

static bool check_given(const parser *p, const cli_command *command)
{
    const char *output = NULL;
    for (size_t i = 0; i < p->given_count; i++) {
        const option *o = p->given[i];
        if (!(o->bit & (command->options | CLI_GLOBAL)))
            return !cli_error(CLI_USAGE, command->name, "takes no option --%s; see avout help %s",
                              o->name, command->name);
        if (!(o->bit & CLI_OUTPUT)) continue;
        if (output)
            return !cli_error(CLI_USAGE, command->name, "--%s and --%s exclude each other", output,
                              o->name);
        output = o->name;
    }
    return true;
}

static const cli_command *find_or_suggest(const char *name)
{
    const cli_command *command = cli_command_find(name);
    if (command) return command;
    cli_nearest nearest = {.word = name};
    for (size_t i = 0; (command = cli_command_at(i)); i++) cli_near(&nearest, command->name);
    if (nearest.best) cli_error(CLI_USAGE, name, "no such command; did you mean %s?", nearest.best);
    else cli_error(CLI_USAGE, name, "no such command; see avout help");
    return NULL;
}

bool cli_parse(cli_settings *settings, const cli_command **command, cli_arguments *words, int argc,
               char **argv)
{
    parser p = {.settings = settings, .argc = argc, .argv = argv};
    bool only_words = false;
    *command = NULL;
    words->count = 0;
    for (p.at = 1; p.at < argc; p.at++) {
        const char *text = argv[p.at];
        if (!only_words && !strcmp(text, "--")) {
            only_words = true;
        } else if (!only_words && cli_is_option(text)) {
            if (!(text[1] == '-' ? parse_long(&p, text + 2)
                                 : parse_letters(&p, text + 1, *command)))
                return false;
        } else if (!*command) {
            if (!(*command = find_or_suggest(text))) return false;
        } else {
            words->at[words->count++] = text;
            /* A command that runs another: that one's options are its own. */
            if ((*command)->own == words->count) {
                if (p.at + 1 < argc && !strcmp(argv[p.at + 1], "--")) p.at++;
                only_words = true;
            }
        }
    }
    return !*command || check_given(&p, *command);
}
