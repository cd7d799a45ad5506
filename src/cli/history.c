/* The shell's history: a text file, an entry a line, the oldest first; a newline inside of an entry is \n, a
 * backslash \\. Entries are appended as they are made, so that shells side by side do not take them from each
 * other, and one that is killed loses nothing. A file that has become long is replaced by its end. */
#include "repl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEPT = 1000, MOST = 2 * KEPT };

static int file = -1;

/* AVOUT_HISTORY, or beside the store that is used when none is named; NULL: none. To be freed. */
static char *file_name(void)
{
    const char *named = getenv("AVOUT_HISTORY"), *state = getenv("XDG_STATE_HOME"),
               *home = getenv("HOME");
    char *name = NULL;
    if (named) return *named ? strdup(named) : NULL;
    int length = -1;
    if (state && *state == '/') length = asprintf(&name, "%s/avout/history", state);
    else if (home && *home) length = asprintf(&name, "%s/.local/state/avout/history", home);
    return length < 0 ? NULL : name;
}

static void make_directories(char *name)
{
    for (char *slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(name, 0700);
        *slash = '/';
    }
}

/* In place. */
static void unescape(char *line)
{
    char *to = line;
    for (const char *from = line; *from; from++) {
        if (*from == '\\' && from[1]) *to++ = *++from == 'n' ? '\n' : *from;
        else *to++ = *from;
    }
    *to = '\0';
}

static char *read_whole(size_t *length)
{
    struct stat about;
    if (fstat(file, &about) || !S_ISREG(about.st_mode)) return NULL;
    char *text = malloc((size_t)about.st_size + 1);
    ssize_t got = text ? pread(file, text, (size_t)about.st_size, 0) : -1;
    *length = got < 0 ? 0 : (size_t)got;
    if (text) text[*length] = '\0';
    return text;
}

/* The last KEPT lines. A line without an end is of one who was killed while writing it: it goes. */
static char *last_lines(char *text, size_t length, size_t *lines)
{
    size_t count = 0;
    while (length && text[length - 1] != '\n') text[--length] = '\0';
    for (const char *at = text; (at = strchr(at, '\n')); at++) count++;
    *lines = count;
    for (; count > KEPT; count--) text = strchr(text, '\n') + 1;
    return text;
}

/* Under the lock, in place: who has it open goes on appending to it. */
static void replace(const char *text)
{
    size_t length = strlen(text);
    if (pwrite(file, text, length, 0) == (ssize_t)length && ftruncate(file, (off_t)length))
        return; /* it stays long */
}

void history_load(void (*each)(const char *entry, void *payload), void *payload)
{
    char *name = file_name(), *next;
    size_t length = 0, lines = 0;
    if (!name) return;
    make_directories(name);
    file = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (file < 0)
        fprintf(stderr, "avout: repl: %s: %s; there is no history\n", name, strerror(errno));
    free(name);
    if (file < 0) return;
    flock(file, LOCK_EX);
    char *text = read_whole(&length);
    char *line = text ? last_lines(text, length, &lines) : NULL;
    if (lines > MOST) replace(line);
    flock(file, LOCK_UN);
    for (; line && (next = strchr(line, '\n')); line = next + 1) {
        *next = '\0';
        unescape(line);
        if (*line) each(line, payload);
    }
    free(text);
}

void history_keep(const char *entry)
{
    char *line = file < 0 ? NULL : malloc(2 * strlen(entry) + 2), *to = line;
    if (!line) return;
    for (; *entry; entry++) {
        if (*entry == '\\' || *entry == '\n') *to++ = '\\';
        *to++ = *entry == '\n' ? 'n' : *entry;
    }
    *to++ = '\n';
    flock(file, LOCK_EX);
    /* Behind what is there now, which may be less than there was. */
    off_t end = lseek(file, 0, SEEK_END);
    ssize_t written = end < 0 ? -1 : pwrite(file, line, (size_t)(to - line), end);
    if (written >= 0 && written < to - line && ftruncate(file, end)) written = -1;
    flock(file, LOCK_UN);
    free(line);
}

void history_release(void)
{
    if (file >= 0) close(file);
    file = -1;
}
