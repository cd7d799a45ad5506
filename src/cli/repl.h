/* The shell of the language: what the files of cmd_repl.c share.
 *
 *   terminal.c  the terminal's state and the signals
 *   edit.c      reads a line with libedit; shows meanwhile what others print
 *   history.c   what was entered in former runs
 *   complete.c  what a word before the cursor could become
 *
 * All of it is for the main thread, but for the signal handlers and what says otherwise. */
#ifndef AVOUT_CLI_REPL_H
#define AVOUT_CLI_REPL_H

#include "cli.h"

/* ---- terminal.c ------------------------------------------------------------------------------ */

/* What has happened, until it is taken. */
typedef enum terminal_event {
    TERMINAL_INTERRUPT = 1, /* Ctrl-C */
    TERMINAL_END = 2,       /* told to end, or hung up: terminal_end_signal */
    TERMINAL_RESIZE = 4,
    TERMINAL_STOP = 8,      /* Ctrl-Z, while editing */
    TERMINAL_CONTINUE = 16, /* and back */
    TERMINAL_OUTPUT = 32,   /* terminal_raise: somebody prints */
} terminal_event;

/* Remembers the terminal's state, and takes the signals: those that interrupt or end also interrupt `lang`.
 * A signal that ends the process, whatever it is, leaves the terminal as it was. Reports. */
cli_exit terminal_open(avout_lang *lang);
/* Gives both back. */
void terminal_close(void);
/* Readable when something has happened. */
int terminal_fd(void);
unsigned terminal_take(void);
/* Without taking it. */
bool terminal_happened(terminal_event event);
void terminal_raise(terminal_event event); /* any thread */
/* While a line is edited Ctrl-Z comes as TERMINAL_STOP, as the terminal has to be put in order first. */
void terminal_editing(bool editing);
/* Stops this process until it is continued. */
void terminal_stop(void);
/* The one that ended it; 0: none. The process is to end by it, so that whoever waits for it sees that. */
int terminal_end_signal(void);

/* ---- history.c ------------------------------------------------------------------------------- */

/* Calls `each` with the entries of former runs, the oldest first. Where they cannot be read, or are not wanted
 * (AVOUT_HISTORY is empty), there are none. */
void history_load(void (*each)(const char *entry, void *payload), void *payload);
/* Keeps an entry for later runs, at once. */
void history_keep(const char *entry);
void history_release(void);

/* ---- complete.c ------------------------------------------------------------------------------ */

typedef struct completion {
    char **words; /* what the word may become; sorted, each once */
    size_t count, room;
    size_t length; /* bytes of the word, before the cursor */
    size_t
        shown; /* bytes of each word that need not be shown: the directory of names in the store */
} completion;

/* `text` ends at the cursor. Asks the store when the cursor is in a string that begins with a slash; what fails
 * completes nothing. */
void complete(completion *c, cli_program *program, const char *text);
void completion_release(completion *c);
/* Bytes that all words have in common. */
size_t completion_common(const completion *c);

/* ---- edit.c ---------------------------------------------------------------------------------- */

typedef struct editor editor;

typedef enum edit_result { EDIT_LINE, EDIT_END, EDIT_INTERRUPTED, EDIT_ENDED } edit_result;

/* Reports. */
cli_exit edit_open(editor **editor, cli_program *program);
void edit_close(editor *editor);
/* *line: with its newline, as long as no other is read. `before` is the text of the form that the line goes on
 * with. EDIT_END: Ctrl-D; EDIT_INTERRUPTED: Ctrl-C; EDIT_ENDED: TERMINAL_END. */
edit_result edit_read(editor *editor, const char **line, const char *prompt, const char *before);
/* For Ctrl-P and the like, and for later runs. */
void edit_remember(editor *editor, const char *entry);
/* Prints, above the line that is edited if one is. An avout_edn_sink; any thread. */
avout_status edit_print(const char *text, size_t length, void *payload);
/* What is printed next begins a line. */
void edit_fresh_line(void);
int edit_width(void);

#endif
