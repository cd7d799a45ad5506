/* Printing, and time. */
#include "lang/core.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "lang/wait.h"
#include "base/banned.h"

/* ---- printing --------------------------------------------------------------------------------------------- */

static bool all(lang_run *run, avout__buffer *buffer, size_t count, avout_value *args,
                lang_style style, bool line)
{
    bool fine = true;
    avout_status status = AVOUT_OK;
    for (size_t i = 0; i < count && fine; i++) {
        if (i) status = avout__buffer_add_char(buffer, ' ');
        fine = !status && avout__lang_print(run, buffer, args[i], style);
    }
    if (fine && line) status = avout__buffer_add_char(buffer, '\n');
    if (status) avout__lang_failed(run, status);
    return fine && !status;
}

static avout_status to_stdout(const char *text, size_t length)
{
    if (fwrite(text, 1, length, stdout) == length) return AVOUT_OK;
    return avout_fail(AVOUT_EIO, "standard output: %s", strerror(errno));
}

/* To where with-out-str collects, where the program around us wants it, or standard output. */
static avout_value output(lang_run *run, size_t count, avout_value *args, lang_style style,
                          bool line)
{
    avout__buffer buffer = AVOUT__BUFFER_INIT;
    const avout_lang_options *options = &run->lang->options;
    avout_value result = avout_nil();
    avout_status status = AVOUT_OK;
    if (!all(run, &buffer, count, args, style, line)) {
        result = AVOUT_NONE;
    } else if (buffer.length) {
        if (run->collect) status = avout__buffer_add(run->collect, buffer.data, buffer.length);
        else if (options->print)
            status = options->print(buffer.data, buffer.length, options->payload);
        else status = to_stdout(buffer.data, buffer.length);
    }
    avout__buffer_release(&buffer);
    return status ? avout__lang_failed(run, status) : result;
}

CORE(println)
{
    return output(run, count, args, PRINT_PLAIN, true);
}

CORE(print)
{
    return output(run, count, args, PRINT_PLAIN, false);
}

CORE(prn)
{
    return output(run, count, args, PRINT_READABLY, true);
}

CORE(pr)
{
    return output(run, count, args, PRINT_READABLY, false);
}

CORE(newline)
{
    return output(run, 0, args, PRINT_PLAIN, true);
}

CORE(flush)
{
    const avout_lang_options *options = &run->lang->options;
    if (options->print) return lang_done(run, options->print("", 0, options->payload), avout_nil());
    if (fflush(stdout))
        return avout__lang_fail(run, AVOUT_EIO, "standard output: %s", strerror(errno));
    return avout_nil();
}

static avout_value text_of(lang_run *run, size_t count, avout_value *args, lang_style style,
                           bool line)
{
    avout__buffer buffer = AVOUT__BUFFER_INIT;
    avout_value text = AVOUT_NONE;
    if (all(run, &buffer, count, args, style, line))
        text = avout__lang_made(run, avout_string_n(buffer.data ? buffer.data : "", buffer.length));
    avout__buffer_release(&buffer);
    return text;
}

CORE(pr_str)
{
    return text_of(run, count, args, PRINT_READABLY, false);
}

CORE(prn_str)
{
    return text_of(run, count, args, PRINT_READABLY, true);
}

CORE(print_str)
{
    return text_of(run, count, args, PRINT_PLAIN, false);
}

CORE(println_str)
{
    return text_of(run, count, args, PRINT_PLAIN, true);
}

CORE(with_out_str)
{
    avout__buffer buffer = AVOUT__BUFFER_INIT, *outer = run->collect;
    run->collect = &buffer;
    avout_value value = avout__lang_call(run, args[0], 0, NULL), text = AVOUT_NONE;
    run->collect = outer;
    if (value.bits)
        text = avout__lang_made(run, avout_string_n(buffer.data ? buffer.data : "", buffer.length));
    avout_release(value);
    avout__buffer_release(&buffer);
    return text;
}

/* ---- time --------------------------------------------------------------------------------------------------- */

static int64_t nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

CORE(current_time)
{
    return avout__lang_made(run, avout_int(nanoseconds(CLOCK_REALTIME) / 1000000));
}

CORE(nano_time)
{
    return avout__lang_made(run, avout_int(nanoseconds(CLOCK_MONOTONIC)));
}

CORE(sleep_for)
{
    int64_t left;
    if (!avout__lang_integer(run, "Thread/sleep", &left, args[0])) return AVOUT_NONE;
    if (left < 0) return avout__lang_fail(run, AVOUT_EINVAL, "Thread/sleep: a negative time");
    avout__latch never = AVOUT__LATCH_INIT;
    lang_waited waited = avout__lang_wait(run, &never, avout__deadline_in_ms(left));
    return waited == WAIT_LATE ? avout_nil() : AVOUT_NONE;
}

CORE(timed)
{
    char text[64];
    int64_t start = nanoseconds(CLOCK_MONOTONIC);
    avout_value value = avout__lang_call(run, args[0], 0, NULL);
    if (!value.bits) return AVOUT_NONE;
    snprintf(text, sizeof text, "\"Elapsed time: %.6f msecs\"",
             (double)(nanoseconds(CLOCK_MONOTONIC) - start) / 1e6);
    avout_value line = avout_string(text);
    avout_value printed = line.bits ? output(run, 1, &line, PRINT_PLAIN, true)
                                    : avout__lang_failed(run, AVOUT_ENOMEM);
    avout_release(line);
    if (printed.bits) return value;
    avout_release(value);
    return AVOUT_NONE;
}

/* ---- help ------------------------------------------------------------------------------------------------------ */

static const avout_function_info *info_of(const char *name)
{
    const avout_function_info *info;
    for (size_t i = 0; (info = avout_lang_function_at(i)); i++)
        if (!strcmp(info->name, name)) return info;
    return NULL;
}

/* What the program has said of a name of its own, or what its value is; AVOUT_NONE: there is no such name. */
static avout_value own_doc(lang_run *run, const char *name, avout_value symbol)
{
    lang_var *var = avout__lang_var(run->lang, symbol, false);
    avout_value doc = var ? avout__lang_var_doc(var) : AVOUT_NONE;
    avout_value value = var && !doc.bits ? avout__lang_var_get(var) : AVOUT_NONE;
    if (!value.bits) return doc;
    char text[400], glimpse[200];
    avout__lang_glimpse(glimpse, sizeof glimpse, value);
    snprintf(text, sizeof text, "%.100s\n  %s (%s)", name, glimpse, avout__lang_type_name(value));
    avout_release(value);
    return avout_string(text);
}

/* (doc map) */
CORE(doc_of)
{
    const char *name;
    char text[400];
    if (avout_value_to_text(&name, NULL, args[0]))
        return avout__lang_wrong(run, "doc", "a name", args[0]);
    avout_value own = own_doc(run, name, args[0]);
    if (own.bits) {
        avout_value done = output(run, 1, &own, PRINT_PLAIN, true);
        avout_release(own);
        return done;
    }
    const avout_function_info *info = info_of(name);
    if (!info)
        return avout__lang_fail(run, AVOUT_ENOTFOUND, "doc: nothing is known of %.100s", name);
    snprintf(text, sizeof text, "(%s%s%s)\n  %s", info->name, *info->arguments ? " " : "",
             info->arguments, info->summary);
    avout_value line = avout__lang_made(run, avout_string(text));
    avout_value printed = line.bits ? output(run, 1, &line, PRINT_PLAIN, true) : AVOUT_NONE;
    avout_release(line);
    return printed;
}

/* The names of the program's own. */
static bool add_own(lang_run *run, lang_items *items, const char *text)
{
    avout_value names;
    const char *name;
    bool fine = true;
    avout_status status = avout_lang_names(&names, run->lang);
    if (status) return avout__lang_failed(run, status).bits;
    avout_iterator at = avout_value_iterate(names);
    while (fine && avout_iterator_next(&at))
        if (!avout_value_to_text(&name, NULL, at.item) && strstr(name, text))
            fine = avout__lang_add(run, items, avout__lang_made(run, avout_symbol(name)));
    avout_release(names);
    return fine;
}

CORE(apropos)
{
    const char *text;
    size_t length;
    lang_items items = {0};
    const avout_function_info *info;
    if (!avout__lang_text_of(run, "apropos", &text, &length, args[0])) return AVOUT_NONE;
    bool fine = true;
    for (size_t i = 0; fine && (info = avout_lang_function_at(i)); i++)
        if (strstr(info->name, text))
            fine = avout__lang_add(run, &items, avout__lang_made(run, avout_symbol(info->name)));
    fine = fine && add_own(run, &items, text);
    if (!fine) {
        avout__lang_drop(&items);
        return AVOUT_NONE;
    }
    avout_value names = avout__lang_list(run, &items), sorted = AVOUT_NONE;
    if (names.bits) sorted = avout__lang_core_call(run, "sort", 1, &names);
    avout_release(names);
    return sorted;
}

const lang_core avout__lang_output[] = {
    {"println", "x ...", "prints for people, and a line's end", 0, LANG_MANY, println, NULL},
    {"print", "x ...", "prints for people", 0, LANG_MANY, print, NULL},
    {"prn", "x ...", "prints so that it can be read again, and a line's end", 0, LANG_MANY, prn,
     NULL},
    {"pr", "x ...", "prints so that it can be read again", 0, LANG_MANY, pr, NULL},
    {"newline", "", "prints a line's end", 0, 0, newline, NULL},
    {"flush", "", "pushes out what was printed", 0, 0, flush, NULL},
    {"pr-str", "x ...", "what pr prints, as a string", 0, LANG_MANY, pr_str, NULL},
    {"prn-str", "x ...", "what prn prints, as a string", 0, LANG_MANY, prn_str, NULL},
    {"print-str", "x ...", "what print prints, as a string", 0, LANG_MANY, print_str, NULL},
    {"println-str", "x ...", "what println prints, as a string", 0, LANG_MANY, println_str, NULL},
    {"Thread/sleep", "milliseconds", "waits that long; nil", 1, 1, sleep_for, NULL},
    {"doc*", "symbol", "", 1, 1, doc_of, NULL},
    {"apropos", "text", "the names that contain the text", 1, 1, apropos, NULL},
    {"with-out-str*", "f", "", 1, 1, with_out_str, NULL},
    {"time*", "f", "", 1, 1, timed, NULL},
    {"System/currentTimeMillis", "", "milliseconds since 1970", 0, 0, current_time, NULL},
    {"System/nanoTime", "", "nanoseconds since some moment", 0, 0, nano_time, NULL},
    LANG_END,
};
