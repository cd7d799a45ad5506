/* The command `avout`: what its files share. It is built on the public headers alone, as a
 * stranger's program would be.
 *
 *   main.c      from argv to the command that does it
 *   options.c   one table of all options, and the parser
 *   help.c      help texts, made from the tables; near names for mistyped ones
 *   report.c    errors on stderr and exit statuses; the connection
 *   values.c    EDN arguments in, values out
 *   listing.c   the names in a directory
 *   cell.c      opening atoms as the settings say; kinds of containers
 *   child.c     a command that runs under our eyes
 *   top_*.c     the parts of cmd_top.c (top.h)
 *   program.c   what eval, dosync and repl share; files.c gives their programs files
 *   edit.c terminal.c history.c complete.c   the parts of cmd_repl.c (repl.h)
 *   commands.c  the table of commands; each is a cmd_*.c
 *
 * A new command is a cmd_NAME.c and a line in commands.c. */
#ifndef AVOUT_CLI_CLI_H
#define AVOUT_CLI_CLI_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "avout.h"

/* What scripts rely on: never renumbered. Help and manual print this list. */
#define CLI_EXIT_LIST(X)                                                                           \
    X(CLI_DONE, 0, "done")                                                                         \
    X(CLI_NO, 1,                                                                                   \
      "no: cas found another value, reset --new an existing name, a command of watch failed")      \
    X(CLI_USAGE, 2, "the command line is wrong: option, name, EDN, store address")                 \
    X(CLI_ABSENT, 3, "no such name in the store")                                                  \
    X(CLI_REFUSED, 4, "the value refuses: wrong type, overflow, too large, no EDN in the store")   \
    X(CLI_STORE, 5, "the store cannot be reached, or refuses: permission, space, format")          \
    X(CLI_TIMEOUT, 6, "the deadline passed; nothing was changed")                                  \
    X(CLI_UNKNOWN, 7, "the deadline passed; the change may or may not have taken effect")          \
    X(CLI_SYSTEM, 8, "this machine: out of memory, output cannot be written")

typedef enum cli_exit {
#define CLI_EXIT_ENUM(name, number, text) name = (number),
    CLI_EXIT_LIST(CLI_EXIT_ENUM)
#undef CLI_EXIT_ENUM
} cli_exit;

/* What `avout lock` ends with when it is not the status of the command it ran. */
enum {
    CLI_LOCK_BUSY = 75,    /* not obtained; --busy-status sets another */
    CLI_LOCK_LOST = 76,    /* lost while the command ran */
    CLI_LOCK_FAILED = 125, /* something else kept the command from running */
    CLI_LOCK_NO_EXEC = 126,
    CLI_LOCK_NO_COMMAND = 127,
    CLI_LOCK_SIGNAL = 128, /* plus the number of the signal that ended the command */
};

/* ---- options.c ------------------------------------------------------------------------------ */

/* What is said of an option that may be given several times. */
enum { CLI_TEXTS_MOST = 64 };
typedef struct cli_texts {
    size_t count;
    const char *at[CLI_TEXTS_MOST];
} cli_texts;

typedef struct cli_settings {
    const char *store;
    const char *user;
    const char *acl;
    int64_t timeout_ms; /* 0: the library's defaults */
    bool verbose;
    bool help;
    bool version;

    bool json;
    bool raw;
    bool pretty;

    bool old;
    const char *init;
    bool existing;
    bool fresh;
    bool strict;
    bool quiet;
    int64_t count; /* 0: no limit */
    bool initial;
    bool no_values;
    bool all;
    bool recursive;
    bool dry_run;
    bool force;

    bool file;
    int64_t steps; /* 0: no limit */
    bool keep_going;
    bool read;
    bool write;
    bool try_only;
    int64_t busy_status; /* CLI_LOCK_BUSY unless given */
    int64_t kill_after_ms;

    bool once;
    int64_t interval_ms;
    const char *sort;
    const char *filter;
    int64_t rows; /* 0: all */

    const char *exec;

    const avout_codec *codec; /* NULL: EDN */

    cli_texts containers;
    bool remove;
    int64_t older_ms; /* 0: the library's default */
} cli_settings;

/* One bit an option; a command says which it takes beside the global ones. */
typedef enum cli_option_bits {
    CLI_GLOBAL = 1 << 0,
    CLI_JSON = 1 << 1,
    CLI_RAW = 1 << 2,
    CLI_PRETTY = 1 << 3,
    CLI_OUTPUT = CLI_JSON | CLI_RAW | CLI_PRETTY,
    CLI_OLD = 1 << 4,
    CLI_INIT = 1 << 5,
    CLI_EXISTING = 1 << 6,
    CLI_NEW = 1 << 7,
    CLI_STRICT = 1 << 8,
    CLI_QUIET = 1 << 9,
    CLI_COUNT = 1 << 10,
    CLI_INITIAL = 1 << 11,
    CLI_NO_VALUES = 1 << 12,
    CLI_ALL = 1 << 13,
    CLI_RECURSIVE = 1 << 14,
    CLI_DRY_RUN = 1 << 15,
    CLI_FORCE = 1 << 16,
    CLI_FILE = 1 << 17,
    CLI_KEEP_GOING = 1 << 18,
    CLI_LOCKING = 1 << 20, /* all of `lock` but the next */
    CLI_BUSY_STATUS = 1 << 21,
    CLI_STEPS = 1 << 22,
    CLI_TOP = 1 << 24, /* all that only `top` has */
    CLI_EXEC = 1 << 25,
    CLI_KILL_AFTER = 1 << 26,
    CLI_GC = 1 << 27, /* all that only `gc` has */
    CLI_CODEC = 1 << 28,
} cli_option_bits;

/* What is left of the command line: the arguments that are no options, in their order. */
typedef struct cli_arguments {
    int count;
    const char **at;
} cli_arguments;

struct cli_command;

/* Reads argv[1...] into *settings and *words (whose array has room for argc). The first word that is
 * no option names the command, found with cli_command_find and stored in *command, NULL if there is
 * none; it is not among the words. Options may stand anywhere; what looks like a negative number is
 * no option; behind "--" nothing is. False: reported. */
bool cli_parse(cli_settings *settings, const struct cli_command **command, cli_arguments *words,
               int argc, char **argv);
void cli_print_options(FILE *out, unsigned bits);

typedef struct cli_option_info {
    unsigned bit;
    char letter; /* 0: none */
    const char *name;
    const char *argument; /* NULL: none */
    const char *help;
} cli_option_info;
/* False past the last. */
bool cli_option_at(size_t index, cli_option_info *info);
/* Whether a word of the command line is one or more options, as long as no "--" came. */
bool cli_is_option(const char *text);

/* ---- commands.c ------------------------------------------------------------------------------ */

/* What a command works with. `client` is opened by cli_open. */
typedef struct cli_session {
    const struct cli_command *command;
    cli_settings settings;
    cli_arguments words;
    avout_client *client;
    bool stdin_used;
} cli_session;

typedef struct cli_command {
    const char *name;
    const char *usage; /* the words behind the name */
    const char *summary;
    const char *help; /* paragraphs and examples, ended with a newline */
    unsigned options;
    int least; /* words */
    int most;  /* -1: any number */
    cli_exit (*run)(cli_session *session);
    int own; /* behind that many words nothing is an option of ours; 0: options stand anywhere */
} cli_command;

const cli_command *cli_command_at(size_t index); /* NULL past the last */
const cli_command *cli_command_find(const char *name);

cli_exit cli_get(cli_session *session);
cli_exit cli_reset(cli_session *session);
cli_exit cli_swap(cli_session *session);
cli_exit cli_cas(cli_session *session);
cli_exit cli_watch(cli_session *session);
cli_exit cli_ls(cli_session *session);
cli_exit cli_tree(cli_session *session);
cli_exit cli_top(cli_session *session);
cli_exit cli_rm(cli_session *session);
cli_exit cli_gc(cli_session *session);
cli_exit cli_eval(cli_session *session);
cli_exit cli_dosync(cli_session *session);
cli_exit cli_repl(cli_session *session);
cli_exit cli_lock(cli_session *session);
cli_exit cli_locks(cli_session *session);
cli_exit cli_complete(cli_session *session);
cli_exit cli_help(cli_session *session);

/* ---- help.c ---------------------------------------------------------------------------------- */

void cli_print_overview(FILE *out);
void cli_print_command(FILE *out, const cli_command *command);
void cli_print_functions(FILE *out);

/* Finds the likeliest meant word: call cli_near for each candidate, then look at `best` (NULL when
 * nothing is near enough to be worth suggesting). */
typedef struct cli_nearest {
    const char *word;
    const char *best;
    size_t distance;
} cli_nearest;
void cli_near(cli_nearest *nearest, const char *candidate);

/* ---- report.c -------------------------------------------------------------------------------- */

/* "avout: what: why" on stderr, in one line whatever the text contains. Answers `status`. */
cli_exit cli_error(cli_exit status, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The library answered `status` about `name` (may be NULL): reports its detail. */
cli_exit cli_failed(cli_session *session, const char *name, avout_status status);
cli_exit cli_exit_of(avout_status status);

/* What the settings say of connections; reports. */
cli_exit cli_options(avout_options *options, const cli_session *session);
/* Connects with those; reports. */
cli_exit cli_connect(cli_session *session, const avout_options *options);
/* Connects as the settings say; reports. */
cli_exit cli_open(cli_session *session);

/* ---- values.c -------------------------------------------------------------------------------- */

/* The value an argument stands for: EDN text, or "-" for EDN on standard input (once); with the codec of bytes for
 * the bytes there. */
cli_exit cli_read_value(avout_value *value, cli_session *session, const char *argument);

/* As the settings say (EDN, JSON, pretty, raw), into a new text released with avout_edn_free, without
 * a newline at its end. */
avout_status cli_text_of(char **text, size_t *length, const cli_settings *settings,
                         avout_value value);
/* The same as it is shown: --raw has strings without quotes, and bytes as they are. *shown is the value's or *text, which is to
 * be released with avout_edn_free and may be NULL. */
avout_status cli_shown_text(const char **shown, char **text, size_t *length,
                            const cli_settings *settings, avout_value value);
/* Whether it is shown as bytes that are no text, and get no newline behind them. */
bool cli_is_binary(const cli_settings *settings, avout_value value);
/* The same onto stdout, with a newline (--raw: a string without quotes); reports. */
cli_exit cli_print_value(cli_session *session, const char *name, avout_value value);
/* "text", as JSON has it, onto stdout; reports. */
cli_exit cli_print_json_string(cli_session *session, const char *text);
/* A time of the store's as the local clock shows it: "2026-01-31 09:05:00". Returns `text`. */
const char *cli_time_text(char text[40], int64_t unix_ms);
/* Onto stdout; failures are remembered and reported by cli_flush. */
void cli_put(const char *text, size_t length);
/* Pushes stdout out and reports. A reader who went away had enough: that is CLI_DONE. */
cli_exit cli_flush(void);
/* The reader of stdout has gone away, as the last flush has seen. */
bool cli_unread(void);

/* ---- program.c ------------------------------------------------------------------------------- */

typedef struct cli_program {
    cli_session *session;
    avout_lang *lang;
    avout_options options; /* of its connections */
    const char *name;      /* of the file; NULL: the command line */
    bool typed;            /* by somebody at a terminal, whose Ctrl-C ends what runs */
    _Atomic bool asked;    /* to exit; the first one counts, which may be a future */
    _Atomic bool exits;    /* exit_status says with what */
    int exit_status;
    pthread_mutex_t lock;   /* guards the two below: any thread of the program may connect */
    avout_client **clients; /* those it has opened; the environment closes them */
    size_t client_count;
} cli_program;

/* words.at[first...] are the program's arguments. It prints with `print`; NULL: onto stdout. Reports;
 * to be closed in any case. */
cli_exit cli_program_open(cli_program *program, cli_session *session, int first,
                          avout_edn_sink print, void *payload);
void cli_program_close(cli_program *program);
/* (exit) and (quit), with or without a status. */
avout_status cli_program_define_exits(cli_program *program);
/* files.c: slurp, spit, System/getenv. */
avout_status cli_program_define_files(cli_program *program);
/* Reports what a form ended with, with its place. */
cli_exit cli_program_failed(const cli_program *program, avout_status status,
                            const avout_lang_error *error);
/* As pr-str has it onto stdout, with a newline; reports. */
cli_exit cli_program_print(const cli_program *program, avout_value value);

/* ---- cell.c ---------------------------------------------------------------------------------- */

/* The codec of --codec. */
const avout_codec *cli_codec(const cli_session *session);
/* The atom of that name, which must exist, with that codec. */
avout_status cli_atom_open(avout_atom **atom, cli_session *session, const char *name);
/* The same; made with the value, which is consumed, if it does not exist. */
avout_status cli_atom_create(avout_atom **atom, cli_session *session, const char *name,
                             avout_value initial, bool *created);
/* The kinds of containers that this package has; NULL past the last. */
const char *cli_kind_at(size_t index);

/* ---- child.c --------------------------------------------------------------------------------- */

/* A command that runs under our eyes: signals sent to us go on to it, and it ends with us. */
typedef struct cli_child {
    pid_t pid;
    int fd; /* of the process, for poll: readable when it has ended */
    bool ended;
    int status; /* as waitpid has it, once it has ended */
    /* To be set before it is started: */
    int input;          /* its standard input; 0: ours */
    char **environment; /* NULL: ours */
} cli_child;

/* A signal has come that ends programs; it will be passed on to the child if there is one. On a thread of its
 * own; it may not call any of these. */
typedef void (*cli_child_signal_fn)(int number, bool passed_on, void *payload);
/* Takes the signals that end programs, for our command of that name. To be called before any thread is
 * started. 0, or reported: CLI_LOCK_FAILED. */
int cli_child_prepare(const char *command, cli_child_signal_fn on_signal, void *payload);
/* Which one has come, if no child was there to get it; 0: none. */
int cli_child_interrupted(void);
/* Ends this process by that signal, so that whoever waits for it sees what happened. */
void cli_child_die(int number);
/* Starts the command, found as a shell finds it. 0, or reported: CLI_LOCK_NO_COMMAND,
 * CLI_LOCK_NO_EXEC, CLI_LOCK_FAILED. */
int cli_child_start(cli_child *child, const char *const *command);
/* Ends it and all that it has started: TERM, after `patience_ms` (0: at once) KILL; comes back when all
 * have ended. */
void cli_child_end_all(cli_child *child, int64_t patience_ms);
/* Waits for its end; its exit status, or CLI_LOCK_SIGNAL and the signal's number. */
int cli_child_wait(cli_child *child);

/* ---- watch_run.c ----------------------------------------------------------------------------- */

/* The command that --exec of `watch` names, run for one change at a time. Zero-initialised but for the
 * first two. */
typedef struct cli_run {
    cli_session *session;
    const char *name;
    cli_child child;
    int input;
    bool running;
    bool failed; /* a run of it */
} cli_run;

/* Starts it for that change (the old value may be AVOUT_NONE); reports. */
cli_exit cli_run_start(cli_run *run, avout_value old_value, avout_value new_value);
/* The child has ended: its end is told if it was a failure. */
void cli_run_ended(cli_run *run);
/* Ends it, if it runs, and all that it has started. */
void cli_run_end(cli_run *run);

/* ---- listing.c ------------------------------------------------------------------------------- */

typedef struct cli_entry {
    char *name; /* in its directory; a directory's ends with a slash */
    char *path; /* absolute, without a slash at its end */
    bool directory;
    avout_value value; /* AVOUT_NONE: of a directory, or not readable */
    char *why;         /* why not readable, else NULL */
} cli_entry;

typedef struct cli_listing {
    size_t count;
    cli_entry *at;
} cli_listing;

/* What is directly below `directory`, sorted. Names that were removed, and directories in which
 * nothing is left, are left out unless `all`, which looks at no values. Reports. */
cli_exit cli_list(cli_listing *listing, cli_session *session, const char *directory, bool all);
void cli_list_release(cli_listing *listing);
/* The argument as a directory's name: without slashes at its end. The caller frees it; NULL: no
 * memory, reported. */
char *cli_directory(cli_session *session, const char *argument);

#endif
