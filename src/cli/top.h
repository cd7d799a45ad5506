/* avout top: what its files share.
 *
 *   cmd_top.c     the command: options, the table printed once
 *   top_names.c   the names there are, found by walking the directories a bit at a time
 *   top_look.c    what is asked of the store about them: versions, locks, values of what is shown
 *   top_view.c    which of them are shown, in which order
 *   top_text.c    columns and lines
 *   top_screen.c  the live table: a thread that looks, and one for keys and drawing
 *
 * How much is asked at a time does not grow with the store. Names are found and looked at in turn; those
 * on the screen each time. A rate is the change of the version between two looks over the time between
 * them: for names that are looked at seldom the mean of a longer time, never a guess.
 *
 * Threads: one thread, the looker, calls the store, adds and removes rows and changes them, the latter two
 * under the model's lock; others read rows under it. It reads its own rows without. */
#ifndef AVOUT_CLI_TOP_H
#define AVOUT_CLI_TOP_H

#include <pthread.h>

#include "cli.h"

typedef struct top_row {
    char *name;
    bool is_name, is_lock;             /* what there is of that name, by the last walk */
    unsigned walked_name, walked_lock; /* the walk that found it */
    bool looked;                       /* the two below are told */
    avout_name_stat stat;
    int64_t looked_ns;
    bool rated;
    double rate; /* changes a second between the last two looks */
    bool lock_looked;
    size_t holders, waiting;
    bool shared; /* held by readers */

    avout_atom *atom; /* open while shown */
    char *text;       /* of the value; NULL: not read */
    int64_t text_version;
    char *why;      /* why it cannot be read */
    unsigned shown; /* the last reading of values it was part of */
} top_row;

typedef enum top_order {
    TOP_BY_NAME,
    TOP_BY_CHANGES,
    TOP_BY_TIME,
    TOP_BY_WATCHERS,
    TOP_BY_QUEUE,
    TOP_BY_LOCK,
    TOP_ORDERS,
} top_order;

typedef struct top_rows {
    top_row **at;
    size_t count, room;
} top_rows;

/* A directory still to be listed, or a name that was found. */
typedef struct top_place {
    char *name;
    bool lock; /* of locks; else of atoms and refs */
} top_place;

typedef struct top_places {
    top_place *at;
    size_t count, room;
} top_places;

enum { TOP_FILTER_SIZE = 128 };

typedef struct top_model {
    cli_session *session;
    avout_client *client;
    const char *directory;
    pthread_mutex_t lock;

    top_rows rows; /* sorted by name */
    top_rows view; /* those that are shown, in their order */
    size_t unseen; /* names not looked at yet */
    top_order order;
    bool reversed;
    char filter[TOP_FILTER_SIZE];

    top_places to_list, found;
    unsigned walk;    /* number of the walk under way */
    bool walked;      /* one was completed */
    int64_t walk_ns;  /* spent on this one */
    int64_t again_ns; /* when the next may begin */

    top_rows open; /* rows with an atom */
    unsigned reading;
    size_t next_look, next_lock; /* where the turn is */
} top_model;

int64_t top_now_ns(void);

/* ---- top_names.c */
void top_model_init(top_model *model, cli_session *session, const char *directory);
void top_model_release(top_model *model);
bool top_rows_add(top_rows *rows, top_row *row); /* false: no memory */
/* Walks on for about that long (at least one directory; INT64_MAX: to the end), and takes what was found
 * among the rows. A walk that begins too early for the last one's cost does not. */
avout_status top_walk(top_model *model, int64_t budget_ns);

/* ---- top_look.c: by the looker */
/* Asks for the versions of the rows of the view from `first` on, and of others in turn; or of all. */
avout_status top_look(top_model *model, size_t first, size_t count, bool all);
/* The same of locks. */
avout_status top_look_at_locks(top_model *model, size_t first, size_t count, bool all);
/* Reads the values of the rows of the view from `first` on; all others are given up. */
avout_status top_read(top_model *model, size_t first, size_t count);
/* One row's value, and giving it up. */
avout_status top_read_row(top_model *model, top_row *row);
void top_forget_row(top_row *row);

/* ---- top_view.c: under the lock */
void top_view_make(top_model *model);
const char *top_order_name(top_order order);
char top_order_key(top_order order);
/* TOP_ORDERS: none of that name. */
top_order top_order_find(const char *name);

/* ---- top_text.c */
enum { TOP_LINE_SIZE = 4096 };
/* The widths of a table's first column and of its whole. With a `width` of 0 lines are as long as they are,
 * and end where the value begins, which is the caller's to write. */
typedef struct top_layout {
    size_t name, width;
} top_layout;
top_layout top_layout_for(const top_rows *view, size_t first, size_t count, size_t width);
/* One line of the table, or its head. */
void top_line(char line[TOP_LINE_SIZE], const top_layout *layout, const top_row *row);
void top_head(char line[TOP_LINE_SIZE], const top_layout *layout);
/* Appends the text to the line, cut at so many columns of the terminal and filled up to `pad`. */
void top_append(char line[TOP_LINE_SIZE], const char *text, size_t columns, size_t pad);

/* ---- top_screen.c */
cli_exit top_screen(top_model *model, int64_t interval_ms);
/* The callback of the client's events, for top_screen; its payload is the model's session. */
void top_event(avout_event event, void *payload);

#endif
