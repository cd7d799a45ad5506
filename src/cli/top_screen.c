/* The live table. The looker, a thread of its own, asks the store and waits for it as long as that takes;
 * this thread reads keys and draws, and never waits for anything but keys. So the table can be read, moved
 * and ended while the store does not answer. */
#include "top.h"

#include <errno.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    HEAD_LINES = 3, /* what it is, how the store is, the columns' names */
    FOOT_LINES = 1,
    WALK_MS = 150, /* of listing directories in one round */
    LEAST_INTERVAL_MS = 100,
    MOST_INTERVAL_MS = 3600 * 1000,
    GRACE_MS = 300, /* how long the looker's end is waited for */
};

typedef struct screen {
    top_model *model;
    pthread_t looker;
    /* Under the model's lock: */
    pthread_cond_t poke;
    bool stop, poked;
    int64_t interval_ms;
    size_t first, page; /* rows of the view that are on the screen */
    char trouble[300];  /* why the last round failed; "": it did not */
    bool lived;         /* a round was completed */
    /* This thread's: */
    bool quit, typing;
} screen;

/* What the connection's thread and signal handlers tell; `wake` is read by this thread's poll. */
static _Atomic int wake = -1;
static _Atomic int last_event = AVOUT_EVENT_CONNECTED;
static _Atomic int64_t event_time; /* seconds */
static volatile sig_atomic_t signalled;

static void wake_up(void)
{
    uint64_t one = 1;
    if (wake >= 0 && write(wake, &one, sizeof one) < 0) return; /* full: it is awake anyway */
}

void top_event(avout_event event, void *payload)
{
    (void)payload;
    atomic_store(&event_time, (int64_t)time(NULL));
    atomic_store(&last_event, (int)event);
    wake_up();
}

static void on_signal(int number)
{
    int saved = errno;
    signalled = number;
    wake_up();
    errno = saved;
}

/* ---- the looker --------------------------------------------------------------------------------- */

/* Values of what is on the screen now, which may have moved since the round began. */
static avout_status read_shown(screen *s)
{
    pthread_mutex_lock(&s->model->lock);
    size_t first = s->first, page = s->page;
    pthread_mutex_unlock(&s->model->lock);
    return top_read(s->model, first, page);
}

static avout_status look_once(screen *s)
{
    top_model *model = s->model;
    pthread_mutex_lock(&model->lock);
    size_t first = s->first, page = s->page;
    pthread_mutex_unlock(&model->lock);
    avout_status st = top_walk(model, WALK_MS * INT64_C(1000000));
    if (!st) st = top_look(model, first, page, false);
    if (!st) st = top_look_at_locks(model, first, page, false);
    return st ? st : read_shown(s);
}

static void tell(screen *s, avout_status st)
{
    const char *why = st ? avout_error_detail() : "";
    if (st && !*why) why = avout_status_text(st);
    pthread_mutex_lock(&s->model->lock);
    snprintf(s->trouble, sizeof s->trouble, "%s", why);
    if (!st) s->lived = true;
    pthread_mutex_unlock(&s->model->lock);
    wake_up();
}

static void add_ms(struct timespec *at, int64_t ms)
{
    at->tv_sec += ms / 1000;
    at->tv_nsec += ms % 1000 * 1000000;
    if (at->tv_nsec < 1000000000) return;
    at->tv_sec++;
    at->tv_nsec -= 1000000000;
}

/* Until the next round is due. In between, what has come onto the screen is read at once. */
static bool rest(screen *s, struct timespec began)
{
    top_model *model = s->model;
    pthread_mutex_lock(&model->lock);
    for (;;) {
        struct timespec due = began;
        add_ms(&due, s->interval_ms);
        int waited = s->stop || s->poked ? 0 : pthread_cond_timedwait(&s->poke, &model->lock, &due);
        if (s->stop || waited == ETIMEDOUT) break;
        if (!s->poked) continue;
        s->poked = false;
        pthread_mutex_unlock(&model->lock);
        tell(s, read_shown(s));
        pthread_mutex_lock(&model->lock);
    }
    bool go_on = !s->stop;
    pthread_mutex_unlock(&model->lock);
    return go_on;
}

static void *look(void *payload)
{
    screen *s = payload;
    struct timespec began;
    do {
        clock_gettime(CLOCK_MONOTONIC, &began);
        tell(s, look_once(s));
    } while (rest(s, began));
    return NULL;
}

/* ---- drawing: under the lock ---------------------------------------------------------------------- */

static void put_line(int at, int attributes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void put_line(int at, int attributes, const char *format, ...)
{
    char text[1000], line[TOP_LINE_SIZE] = "";
    if (at < 0 || at >= LINES) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t width = (size_t)COLS;
    top_append(line, text, width, attributes & A_REVERSE ? width : 0);
    attrset(attributes);
    mvaddstr(at, 0, line);
    attrset(A_NORMAL);
}

/* How the store is: what the connection said last, else what the last round met. */
static void put_state(const screen *s)
{
    int event = atomic_load(&last_event);
    bool away = event == AVOUT_EVENT_SUSPENDED || event == AVOUT_EVENT_LOST;
    char since[40];
    cli_time_text(since, atomic_load(&event_time) * 1000);
    if (away) put_line(1, A_REVERSE, "THE STORE IS AWAY since %s: what is shown is of then", since);
    else if (*s->trouble) put_line(1, A_REVERSE, "THE STORE DOES NOT ANSWER: %s", s->trouble);
    else if (event == AVOUT_EVENT_RESUMED || event == AVOUT_EVENT_REESTABLISHED)
        put_line(1, A_NORMAL, "the store is back since %s", since);
}

static void put_summary(const screen *s)
{
    const top_model *model = s->model;
    double rate = 0;
    for (size_t i = 0; i < model->view.count; i++)
        if (model->view.at[i]->rated) rate += model->view.at[i]->rate;
    put_line(0, A_BOLD, "avout top %s  %zu names%s, %.1f changes/s  by %s%s  every %.9gs%s%s  %s",
             model->directory, model->view.count, model->walked && !model->unseen ? "" : " so far",
             rate, top_order_name(model->order), model->reversed ? " reversed" : "",
             (double)s->interval_ms / 1000, *model->filter ? "  with " : "", model->filter,
             avout_client_url(model->client));
}

static void put_rows(const screen *s)
{
    const top_rows *view = &s->model->view;
    char line[TOP_LINE_SIZE];
    top_layout layout = top_layout_for(view, s->first, s->page, (size_t)COLS);
    top_head(line, &layout);
    put_line(HEAD_LINES - 1, A_REVERSE, "%s", line);
    for (size_t i = 0; i < s->page && s->first + i < view->count; i++) {
        const top_row *row = view->at[s->first + i];
        top_line(line, &layout, row);
        attrset(row->rated && row->rate > 0 ? A_BOLD : A_NORMAL);
        mvaddstr(HEAD_LINES + (int)i, 0, line);
        attrset(A_NORMAL);
    }
    if (!view->count && s->lived) put_line(HEAD_LINES, A_NORMAL, "nothing to show");
}

/* The rows that fit; what is shown stays within the view. */
static void fit(screen *s)
{
    int rows = LINES - HEAD_LINES - FOOT_LINES;
    size_t page = rows > 0 ? (size_t)rows : 0, count = s->model->view.count;
    size_t last = count > page ? count - page : 0;
    bool moved = page > s->page;
    s->page = page;
    if (s->first > last) {
        s->first = last;
        moved = true;
    }
    if (moved) {
        s->poked = true;
        pthread_cond_signal(&s->poke);
    }
}

static void draw(screen *s)
{
    pthread_mutex_lock(&s->model->lock);
    fit(s);
    erase();
    put_summary(s);
    put_state(s);
    put_rows(s);
    if (s->typing)
        put_line(LINES - 1, A_NORMAL, "filter: %s_  (Enter, Esc: none)", s->model->filter);
    else
        put_line(LINES - 1, A_DIM,
                 "q end  / filter  sort: n name c changes t time w watchers u queue l lock  "
                 "r reverse  +/- interval  arrows move");
    pthread_mutex_unlock(&s->model->lock);
    refresh();
}

/* ---- keys: under the lock --------------------------------------------------------------------------- */

static void move_by(screen *s, int64_t rows)
{
    size_t count = s->model->view.count, last = count > s->page ? count - s->page : 0;
    int64_t first = (int64_t)s->first + rows;
    s->first = first < 0 ? 0 : (size_t)first > last ? last : (size_t)first;
    s->poked = true;
}

static void view_changed(screen *s)
{
    s->first = 0;
    s->poked = true;
    top_view_make(s->model);
}

static void change_interval(screen *s, bool longer)
{
    int64_t ms = longer ? s->interval_ms * 2 : s->interval_ms / 2;
    if (ms >= LEAST_INTERVAL_MS && ms <= MOST_INTERVAL_MS) s->interval_ms = ms;
}

static void type_filter(screen *s, int key)
{
    char *filter = s->model->filter;
    size_t length = strlen(filter);
    if (key == '\n' || key == '\r' || key == KEY_ENTER) {
        s->typing = false;
    } else if (key == 27) {
        s->typing = false;
        *filter = '\0';
    } else if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
        while (length && ((unsigned char)filter[--length] & 0xC0) == 0x80) continue;
        filter[length] = '\0';
    } else if (key >= ' ' && key < 256 && length + 1 < TOP_FILTER_SIZE) {
        filter[length] = (char)key; /* a character of several bytes comes byte by byte */
        filter[length + 1] = '\0';
    }
    view_changed(s);
}

static void sort_by(screen *s, int key)
{
    for (top_order order = 0; order < TOP_ORDERS; order++) {
        if (top_order_key(order) != key) continue;
        s->model->order = order;
        s->model->reversed = false;
        view_changed(s);
    }
}

static void take_key(screen *s, int key)
{
    int64_t page = s->page ? (int64_t)s->page : 1;
    switch (key) {
    case 'q':
    case 3: s->quit = true; break;
    case '/': s->typing = true; break;
    case 'r':
        s->model->reversed = !s->model->reversed;
        view_changed(s);
        break;
    case '+': change_interval(s, true); break;
    case '-': change_interval(s, false); break;
    case KEY_UP: move_by(s, -1); break;
    case KEY_DOWN: move_by(s, 1); break;
    case KEY_PPAGE: move_by(s, -page); break;
    case KEY_NPAGE:
    case ' ': move_by(s, page); break;
    case KEY_HOME: move_by(s, -(int64_t)s->first); break;
    case KEY_END: move_by(s, (int64_t)s->model->view.count); break;
    default: sort_by(s, key); break;
    }
}

static void take_keys(screen *s)
{
    for (int key; (key = getch()) != ERR;) {
        pthread_mutex_lock(&s->model->lock);
        if (s->typing && key != KEY_RESIZE) type_filter(s, key);
        else take_key(s, key);
        pthread_cond_signal(&s->poke);
        pthread_mutex_unlock(&s->model->lock);
    }
}

/* ---- begin and end ------------------------------------------------------------------------------------ */

static cli_exit follow(screen *s)
{
    while (!s->quit && !signalled) {
        draw(s);
        struct pollfd waits[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                 {.fd = wake, .events = POLLIN}};
        if (poll(waits, 2, -1) < 0 && errno != EINTR)
            return cli_error(CLI_SYSTEM, "top", "poll: %s", strerror(errno));
        uint64_t wakes;
        while (read(wake, &wakes, sizeof wakes) > 0) continue;
        if (waits[0].revents & (POLLHUP | POLLERR | POLLNVAL)) break; /* the terminal is gone */
        take_keys(s);
    }
    return CLI_DONE;
}

static void take_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGQUIT, &action, NULL);
}

/* Signals are this thread's. */
static int start_looker(screen *s)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&s->looker, NULL, look, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* The looker may be waiting for a store that does not answer. Nothing is lost with it: the process ends. */
static void end_looker(screen *s, cli_exit status)
{
    struct timespec until;
    pthread_mutex_lock(&s->model->lock);
    s->stop = true;
    pthread_cond_signal(&s->poke);
    pthread_mutex_unlock(&s->model->lock);
    clock_gettime(CLOCK_REALTIME, &until);
    add_ms(&until, GRACE_MS);
    if (pthread_timedjoin_np(s->looker, NULL, &until)) _exit(status);
}

static cli_exit show(screen *s)
{
    SCREEN *terminal = newterm(NULL, stdout, stdin);
    if (!terminal)
        return cli_error(CLI_SYSTEM, "top", "the terminal \"%s\" is not known here",
                         getenv("TERM") ? getenv("TERM") : "");
    cbreak();
    noecho();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    set_escdelay(50);
    curs_set(0);
    take_signals();
    s->page = LINES > HEAD_LINES + FOOT_LINES ? (size_t)(LINES - HEAD_LINES - FOOT_LINES) : 0;
    int error = start_looker(s);
    cli_exit status = error ? CLI_SYSTEM : follow(s);
    endwin();
    if (error) cli_error(CLI_SYSTEM, "top", "%s", strerror(error));
    else end_looker(s, status);
    delscreen(terminal);
    return status;
}

cli_exit top_screen(top_model *model, int64_t interval_ms)
{
    screen s = {.model = model, .interval_ms = interval_ms};
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s.poke, &monotonic);
    pthread_condattr_destroy(&monotonic);
    wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake < 0) return cli_error(CLI_SYSTEM, "top", "%s", strerror(errno));
    cli_exit status = show(&s);
    pthread_cond_destroy(&s.poke);
    /* `wake` stays open: the connection may still tell something. */
    return status;
}
