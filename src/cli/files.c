/* What programs of eval, dosync and repl have beside the language: files and the environment. The language itself
 * knows neither, as it also runs inside of programs that do not want their files to be read by update functions. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PART = 1 << 16, MOST_BYTES = 1 << 28 };

extern char **environ;

static avout_status text_of(const char *function, const char **text, size_t *length,
                            avout_value value)
{
    if (!avout_value_to_text(text, length, value) && avout_value_type(value) == AVOUT_TYPE_STRING &&
        strlen(*text) == *length)
        return AVOUT_OK;
    return avout_fail(AVOUT_ETYPE, "%s: expected a name, which is a string", function);
}

/* A file that cannot be read, of whatever kind. */
static avout_status no_file(const char *function, const char *name, int error)
{
    return avout_fail(error == ENOENT ? AVOUT_ENOTFOUND : AVOUT_EIO, "%s: %s: %s", function, name,
                      strerror(error));
}

/* - is standard input. *fd is -1 on failure. */
static avout_status open_to_read(int *fd, const cli_program *p, const char *name)
{
    struct stat stat;
    bool input = !strcmp(name, "-");
    *fd = input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                : open(name, O_RDONLY | O_CLOEXEC | (p->typed ? O_NONBLOCK : 0));
    if (*fd < 0) return no_file("slurp", name, errno);
    /* Ctrl-C is for the language there: it could not end a read. */
    if (p->typed && (fstat(*fd, &stat) || !S_ISREG(stat.st_mode)))
        return avout_fail(AVOUT_ENOTSUP, "slurp: %s: only regular files can be read here", name);
    return AVOUT_OK;
}

static avout_status read_all(char **text, size_t *length, int fd, const char *name)
{
    for (size_t room = 0;;) {
        if (room - *length < PART) {
            char *more = realloc(*text, room = room ? room * 2 : PART);
            if (!more) return AVOUT_ENOMEM;
            *text = more;
        }
        ssize_t got = read(fd, *text + *length, room - *length);
        if (!got) return AVOUT_OK;
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return no_file("slurp", name, errno);
        *length += (size_t)got;
        if (*length > MOST_BYTES)
            return avout_fail(AVOUT_ELIMIT, "slurp: %s: more than %d MiB", name, MOST_BYTES >> 20);
    }
}

/* (slurp file): all of it, as a string */
static avout_status slurp(avout_value *result, size_t count, const avout_value *arguments,
                          void *payload)
{
    const char *name;
    char *text = NULL;
    size_t length = 0;
    int fd = -1;
    (void)count;
    avout_status st = text_of("slurp", &name, &length, arguments[0]);
    if (!st) st = open_to_read(&fd, payload, name);
    length = 0;
    if (!st) st = read_all(&text, &length, fd, name);
    if (!st) {
        *result = avout_string_n(text, length);
        if (avout_is_none(*result)) st = avout_none_status();
        if (st == AVOUT_EUTF8) st = avout_fail(st, "slurp: %s: no UTF-8, so no text", name);
    }
    if (fd >= 0) close(fd);
    free(text);
    return st;
}

static avout_status write_all(int fd, const char *name, const char *text, size_t length)
{
    while (length) {
        ssize_t put = write(fd, text, length);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return no_file("spit", name, errno);
        text += put;
        length -= (size_t)put;
    }
    return AVOUT_OK;
}

/* :append true. False: something else. */
static bool read_append(bool *append, size_t count, const avout_value *arguments)
{
    const char *word;
    if (count == 2) return true;
    if (count != 4 || avout_value_type(arguments[2]) != AVOUT_TYPE_KEYWORD ||
        avout_value_to_text(&word, NULL, arguments[2]) || strcmp(word, "append") != 0)
        return false;
    *append = avout_value_truthy(arguments[3]);
    return true;
}

/* (spit file x), (spit file x :append true): a string as it is, nil as nothing, others as pr-str has them */
static avout_status spit(avout_value *result, size_t count, const avout_value *arguments,
                         void *payload)
{
    const cli_program *p = payload;
    const char *name, *text;
    char *made = NULL;
    size_t length;
    bool append = false;
    avout_status st = text_of("spit", &name, &length, arguments[0]);
    if (!st && !read_append(&append, count, arguments))
        st = avout_fail(AVOUT_EINVAL, "spit: expected a file, a value, and perhaps :append true");
    if (st) return st;
    avout_type type = avout_value_type(arguments[1]);
    if (type == AVOUT_TYPE_NIL) {
        text = "";
        length = 0;
    } else if (type == AVOUT_TYPE_STRING) {
        avout_value_to_text(&text, &length, arguments[1]);
    } else {
        st = avout_lang_text(&made, &length, p->lang, arguments[1]);
        if (st) return st;
        text = made;
    }
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666);
    st = fd < 0 ? no_file("spit", name, errno) : write_all(fd, name, text, length);
    /* Some file systems tell only then that there was no space. */
    if (fd >= 0 && close(fd) && !st) st = no_file("spit", name, errno);
    avout_edn_free(made);
    if (!st) *result = avout_nil();
    return st;
}

/* (System/getenv "HOME"), or nil; (System/getenv): a map of all */
static avout_status get_environment(avout_value *result, size_t count, const avout_value *arguments,
                                    void *payload)
{
    const char *name;
    size_t length;
    (void)payload;
    avout_status st = AVOUT_OK;
    if (count) {
        if ((st = text_of("System/getenv", &name, &length, arguments[0])) != AVOUT_OK) return st;
        const char *value = getenv(name);
        *result = value ? avout_string(value) : avout_nil();
        return avout_is_none(*result) ? avout_none_status() : AVOUT_OK;
    }
    avout_value map = avout_map(0, NULL);
    for (char **at = environ; *at && !st; at++) {
        const char *equals = strchr(*at, '=');
        if (!equals) continue;
        avout_value key = avout_string_n(*at, (size_t)(equals - *at));
        avout_value value = avout_is_none(key) ? AVOUT_NONE : avout_string(equals + 1);
        /* What is no text is nothing that could be said here. */
        if (avout_is_none(value) && avout_none_status() == AVOUT_EUTF8) avout_release(key);
        else st = avout_assoc(&map, key, value);
    }
    if (st) avout_release(map);
    else *result = map;
    return st;
}

avout_status cli_program_define_files(cli_program *p)
{
    avout_status st = avout_lang_define_function(p->lang, "slurp", 1, 1, slurp, p, NULL);
    if (!st) st = avout_lang_define_function(p->lang, "spit", 2, 4, spit, p, NULL);
    if (!st)
        st = avout_lang_define_function(p->lang, "System/getenv", 0, 1, get_environment, p, NULL);
    return st;
}
