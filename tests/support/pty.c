#include "support/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

#include "support/test.h"

enum { ROWS = 60, COLUMNS = 100, CELL = 8, NUMBERS = 8, WAIT_SECONDS = 30 };

typedef char cell[CELL]; /* a character in UTF-8; empty: a blank */

struct pty {
    int fd;
    int held; /* the program's side: kept open, so that the terminal's state outlives the program */
    pid_t process;
    bool gone;
    int status; /* then */
    cell screen[ROWS][COLUMNS];
    int row, column, columns;
    int seen;          /* rows above were waited for */
    char sequence[64]; /* that is not complete yet */
    size_t sequence_length;
    bool inserting;
};

/* ---- the screen ------------------------------------------------------------------------------------- */

static void scroll(pty *p)
{
    memmove(p->screen[0], p->screen[1], sizeof p->screen[0] * (ROWS - 1));
    memset(p->screen[ROWS - 1], 0, sizeof p->screen[0]);
    if (p->seen) p->seen--;
}

static void line_feed(pty *p)
{
    if (p->row + 1 < ROWS) p->row++;
    else scroll(p);
}

static void clear_cells(pty *p, int row, int from, int to)
{
    if (to > from) memset(p->screen[row][from], 0, sizeof(cell) * (size_t)(to - from));
}

static void erase_below(pty *p, int kind)
{
    int from = kind == 2 ? 0 : p->row + 1;
    if (kind != 2) clear_cells(p, p->row, p->column, COLUMNS);
    for (int row = from; row < ROWS; row++) clear_cells(p, row, 0, COLUMNS);
}

static void shift(pty *p, int count, bool insert)
{
    cell *row = p->screen[p->row];
    int room = COLUMNS - p->column;
    if (count > room) count = room;
    size_t kept = sizeof(cell) * (size_t)(room - count);
    cell *here = &row[p->column], *there = here + count;
    if (insert) memmove(there, here, kept);
    else memmove(here, there, kept);
    if (insert) clear_cells(p, p->row, p->column, p->column + count);
    else clear_cells(p, p->row, COLUMNS - count, COLUMNS);
}

static void put(pty *p, const char *character, size_t length)
{
    if (p->column == p->columns) {
        p->column = 0;
        line_feed(p);
    }
    if (p->inserting) shift(p, 1, true);
    memset(p->screen[p->row][p->column], 0, CELL);
    memcpy(p->screen[p->row][p->column++], character, length);
}

static int limit(int value, int most)
{
    return value < 0 ? 0 : value > most ? most : value;
}

/* CSI: numbers, and a letter. What only concerns colours and modes is nothing to us. */
static void control(pty *p, const int numbers[NUMBERS], char letter)
{
    int n = numbers[0] ? numbers[0] : 1;
    switch (letter) {
    case 'A': p->row = limit(p->row - n, ROWS - 1); break;
    case 'B': p->row = limit(p->row + n, ROWS - 1); break;
    case 'C': p->column = limit(p->column + n, p->columns - 1); break;
    case 'D': p->column = limit(p->column - n, p->columns - 1); break;
    case 'G': p->column = limit(n - 1, p->columns - 1); break;
    case 'd': p->row = limit(n - 1, ROWS - 1); break;
    case 'H':
        p->row = limit(n - 1, ROWS - 1);
        p->column = limit(numbers[1] - 1, p->columns - 1);
        break;
    case 'J': erase_below(p, numbers[0]); break;
    case 'K': clear_cells(p, p->row, p->column, COLUMNS); break;
    case 'P': shift(p, n, false); break;
    case '@': shift(p, n, true); break;
    case 'h':
    case 'l':
        if (numbers[0] == 4) p->inserting = letter == 'h';
        break;
    case 'X': clear_cells(p, p->row, p->column, limit(p->column + n, COLUMNS)); break;
    default: break;
    }
}

/* True: the sequence is complete. */
static bool escape(pty *p)
{
    const char *text = p->sequence;
    size_t length = p->sequence_length;
    int numbers[NUMBERS] = {0}, at = 0;
    if (length < 2) return false;
    char last = text[length - 1];
    if (strchr("()", text[1])) return length == 3;
    if (text[1] == ']') return last == '\a';
    if (text[1] != '[') return true;
    if (length == 2 || (unsigned char)last < 0x40) return false;
    for (size_t i = 2; i + 1 < length; i++) {
        if (text[i] == ';' && at + 1 < NUMBERS) at++;
        else if (text[i] >= '0' && text[i] <= '9') numbers[at] = numbers[at] * 10 + text[i] - '0';
    }
    if (text[2] != '?') control(p, numbers, last);
    return true;
}

static size_t bytes_of(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static void take(pty *p, char byte)
{
    unsigned char c = (unsigned char)byte;
    if (p->sequence_length || c == 033 || c >= 0x80) {
        if (p->sequence_length + 1 < sizeof p->sequence) p->sequence[p->sequence_length++] = byte;
        if (p->sequence[0] == 033 ? !escape(p)
                                  : p->sequence_length < bytes_of((unsigned char)p->sequence[0]))
            return;
        if (p->sequence[0] != 033) put(p, p->sequence, p->sequence_length);
        p->sequence_length = 0;
        return;
    }
    switch (c) {
    case '\r': p->column = 0; break;
    case '\n': line_feed(p); break;
    case '\b': p->column = limit(p->column - 1, COLUMNS); break;
    case '\t': p->column = limit((p->column / 8 + 1) * 8, p->columns - 1); break;
    default:
        if (c >= ' ' && c != 0x7f) put(p, &byte, 1);
    }
}

static const char *row_text(const pty *p, int row, bool trim)
{
    static char text[COLUMNS * CELL + 1];
    size_t length = 0, end = 0;
    for (int column = 0; column < COLUMNS; column++) {
        const char *character = p->screen[row][column];
        if (!trim && row == p->row && column == p->column) end = length;
        length += (size_t)snprintf(text + length, CELL, "%.7s", *character ? character : " ");
        if (trim && *character && *character != ' ') end = length;
    }
    text[end] = '\0';
    return text;
}

static void print_screen(const pty *p)
{
    int last = ROWS - 1;
    while (last > 0 && !*row_text(p, last, true)) last--;
    for (int row = 0; row <= last; row++)
        fprintf(stderr, "# %s%s\n", row == p->row ? ">" : "|", row_text(p, row, true));
}

/* ---- waiting ------------------------------------------------------------------------------------------ */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool has_ended(pty *p)
{
    if (!p->gone) p->gone = waitpid(p->process, &p->status, WNOHANG) == p->process;
    return p->gone;
}

/* Draws what comes within that time; false: nothing came. */
static bool draw(pty *p, int within_ms)
{
    char bytes[4096];
    struct pollfd wait = {.fd = p->fd, .events = POLLIN};
    if (poll(&wait, 1, within_ms) < 1) return false;
    ssize_t got = read(p->fd, bytes, sizeof bytes);
    for (ssize_t i = 0; i < got; i++) take(p, bytes[i]);
    return got > 0;
}

typedef bool (*holds_fn)(pty *p, const char *text);

static void await(pty *p, holds_fn holds, const char *what, const char *text)
{
    for (int64_t end = now_ms() + WAIT_SECONDS * 1000; !holds(p, text);) {
        bool over = has_ended(p) || now_ms() > end;
        if (draw(p, 50) || !over) continue;
        print_screen(p);
        test_failed(__FILE__, __LINE__, "the terminal never showed %s \"%s\"%s", what, text,
                    p->gone ? ": the program has ended" : "");
    }
}

static bool has_row(pty *p, const char *text)
{
    for (int row = p->seen; row < ROWS; row++) {
        if (strcmp(row_text(p, row, true), text) != 0) continue;
        p->seen = row;
        return true;
    }
    return false;
}

static bool has_part(pty *p, const char *text)
{
    for (int row = p->seen; row < ROWS; row++) {
        if (!strstr(row_text(p, row, true), text)) continue;
        p->seen = row;
        return true;
    }
    return false;
}

static bool has_cursor(pty *p, const char *text)
{
    if (p->row < p->seen || strcmp(row_text(p, p->row, false), text) != 0) return false;
    p->seen = p->row;
    return true;
}

void pty_row(pty *p, const char *text)
{
    await(p, has_row, "the row", text);
}

void pty_part(pty *p, const char *text)
{
    await(p, has_part, "a row with", text);
}

void pty_cursor(pty *p, const char *text)
{
    await(p, has_cursor, "the cursor behind", text);
}

bool pty_shows(const pty *p, const char *text)
{
    for (int row = 0; row < ROWS; row++)
        if (!strcmp(row_text(p, row, true), text)) return true;
    return false;
}

void pty_clear(pty *p)
{
    while (p->row > 0) {
        scroll(p);
        p->row--;
    }
    p->seen = 0;
}

struct termios pty_termios(const pty *p)
{
    struct termios now;
    CHECK(!tcgetattr(p->fd, &now));
    return now;
}

void pty_mode(pty *p, tcflag_t flags, bool set)
{
    for (int64_t end = now_ms() + WAIT_SECONDS * 1000;; draw(p, 10)) {
        tcflag_t now = pty_termios(p).c_lflag & flags;
        if (set ? now == flags : !now) return;
        CHECK(now_ms() < end);
    }
}

/* ---- the program ---------------------------------------------------------------------------------------- */

static void run(const char *const *arguments)
{
    char path[1024];
    const char *built = getenv("AVOUT_TEST_BUILD");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setenv("TERM", "xterm", 1);
    snprintf(path, sizeof path, "%s/bin/avout", built ? built : "build/release");
    execvp(strcmp(arguments[0], "avout") ? arguments[0] : path,
           (char *const *)(uintptr_t)arguments);
    _exit(127);
}

pty *pty_start(const char *const *arguments)
{
    struct winsize size = {.ws_row = ROWS, .ws_col = COLUMNS};
    pty *p = calloc(1, sizeof *p);
    CHECK(p);
    p->columns = COLUMNS;
    CHECK(!openpty(&p->fd, &p->held, NULL, NULL, &size));
    p->process = fork();
    CHECK(p->process >= 0);
    if (!p->process) {
        close(p->fd);
        if (login_tty(p->held)) _exit(127);
        run(arguments);
    }
    CHECK(!fcntl(p->fd, F_SETFD, FD_CLOEXEC) && !fcntl(p->held, F_SETFD, FD_CLOEXEC));
    return p;
}

pid_t pty_process(const pty *p)
{
    return p->process;
}

/* What comes meanwhile is drawn: a program that waits for its output to be read does not read. */
void pty_keys(pty *p, const char *keys)
{
    size_t left = strlen(keys);
    while (left) {
        struct pollfd wait = {.fd = p->fd, .events = POLLIN | POLLOUT};
        CHECK(poll(&wait, 1, WAIT_SECONDS * 1000) == 1);
        if (wait.revents & POLLIN) draw(p, 0);
        if (!(wait.revents & POLLOUT)) continue;
        ssize_t sent = write(p->fd, keys, left);
        CHECK(sent > 0);
        keys += sent;
        left -= (size_t)sent;
    }
}

void pty_resize(pty *p, int rows, int columns)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    CHECK(columns <= COLUMNS && rows <= ROWS);
    p->columns = columns;
    CHECK(!ioctl(p->fd, TIOCSWINSZ, &size));
}

int pty_wait(pty *p)
{
    for (int64_t end = now_ms() + WAIT_SECONDS * 1000; !has_ended(p);) {
        draw(p, 10);
        if (now_ms() < end) continue;
        print_screen(p);
        test_failed(__FILE__, __LINE__, "the program does not end");
    }
    return p->status;
}

int pty_end(pty *p)
{
    int status = pty_wait(p);
    close(p->fd);
    close(p->held);
    free(p);
    return status;
}
