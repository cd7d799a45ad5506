/* Errors: values with a status, a class for catch, a message, a place and the form. */
#include <string.h>

#include "avout/edn.h"
#include "base/alloc.h"
#include "base/error.h"
#include "lang/lang.h"
#include "base/banned.h"

/* ---- classes ---------------------------------------------------------------------------------------- */

/* What Clojure programs catch by. Each class is also those behind it, up to Throwable. */
static const struct class
{
    const char *name, *parent;
} classes[] = {
    {"Throwable", NULL},
    {"Exception", "Throwable"},
    {"Error", "Throwable"},
    {"RuntimeException", "Exception"},
    {"ArithmeticException", "RuntimeException"},
    {"ClassCastException", "RuntimeException"},
    {"IllegalArgumentException", "RuntimeException"},
    {"NumberFormatException", "IllegalArgumentException"},
    {"ArityException", "IllegalArgumentException"},
    {"IllegalStateException", "RuntimeException"},
    {"IndexOutOfBoundsException", "RuntimeException"},
    {"StringIndexOutOfBoundsException", "IndexOutOfBoundsException"},
    {"NullPointerException", "RuntimeException"},
    {"UnsupportedOperationException", "RuntimeException"},
    {"ExceptionInfo", "RuntimeException"},
    {"AssertionError", "Error"},
    {"StackOverflowError", "Error"},
    {"TimeoutException", "Exception"},
    {"InterruptedException", "Exception"},
    {"ExecutionException", "Exception"},
    {"CancellationException", "IllegalStateException"},
};

static const struct class *class_of(const char *name)
{
    /* clojure.lang.ExceptionInfo, java.lang.Exception */
    const char *dot = strrchr(name, '.');
    if (dot && (!strncmp(name, "java.lang.", 10) || !strncmp(name, "clojure.lang.", 13) ||
                !strncmp(name, "java.util.", 10)))
        name = dot + 1;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (!strcmp(classes[i].name, name)) return &classes[i];
    return NULL;
}

/* The library's errors do not always tell which of Java's they would be: then both fit. */
static const char *const *names_of(avout_status status)
{
    static const char *const type[] = {"ClassCastException", "IllegalArgumentException",
                                       "NullPointerException", "UnsupportedOperationException",
                                       NULL};
    static const char *const range[] = {"ArithmeticException", "IndexOutOfBoundsException",
                                        "IllegalArgumentException", NULL};
    static const char *const zero[] = {"ArithmeticException", NULL};
    static const char *const argument[] = {"IllegalArgumentException", "ArityException",
                                           "NumberFormatException", NULL};
    static const char *const state[] = {"IllegalStateException", NULL};
    static const char *const deep[] = {"StackOverflowError", NULL};
    static const char *const other[] = {"RuntimeException", NULL};
    switch (status) {
    case AVOUT_ETYPE: return type;
    case AVOUT_ERANGE: return range;
    case AVOUT_EDIVZERO: return zero;
    case AVOUT_EINVAL:
    case AVOUT_EEXISTS:
    case AVOUT_ENAME: return argument;
    case AVOUT_EVALIDATOR:
    case AVOUT_ESTATE: return state;
    case AVOUT_ELIMIT: return deep;
    default: return other;
    }
}

static bool descends(const char *name, const char *ancestor)
{
    while (name && strcmp(name, ancestor)) name = class_of(name)->parent;
    return name != NULL;
}

bool avout__lang_error_is(const lang_error *error, const char *class_name, bool *known)
{
    const struct class *wanted = class_of(class_name);
    *known = wanted != NULL;
    if (!error || !wanted) return false;
    if (error->class_name) return descends(error->class_name, wanted->name);
    for (const char *const *name = names_of(error->status); *name; name++)
        if (descends(*name, wanted->name)) return true;
    return false;
}

/* ---- making ------------------------------------------------------------------------------------------ */

avout_value avout__lang_error_new(const char *class_name, const char *message, size_t length,
                                  avout_value data, avout_value cause)
{
    lang_error *error = avout__calloc(1, sizeof *error);
    char *text = error ? avout__alloc(length + 1) : NULL;
    if (!text) {
        avout__free(error);
        avout_release(data);
        avout_release(cause);
        return AVOUT_NONE;
    }
    memcpy(text, message, length);
    text[length] = '\0';
    error->object.kind = LANG_ERROR;
    error->status = AVOUT_ETHROWN;
    error->class_name = class_name;
    error->message = text;
    error->data = data;
    error->cause = cause;
    return avout__lang_box(error);
}

/* What the program around us must get to see, whatever the language's program would do with it. */
static bool is_fatal(avout_status status)
{
    return status == AVOUT_ENOMEM || status == AVOUT_ECANCELLED || status == AVOUT_RETRY ||
           status == AVOUT_BLOCK;
}

static avout_value fail_text(lang_run *run, avout_status status, const char *text)
{
    avout_release(run->thrown);
    run->thrown = AVOUT_NONE;
    run->status = status;
    run->fatal = is_fatal(status);
    /* Whatever it was that failed because of it. */
    if (avout__interrupted()) {
        run->fatal = true;
        if (status == AVOUT_ECANCELLED) text = "interrupted";
    }
    if (status == AVOUT_ENOMEM) return AVOUT_NONE;
    run->thrown = avout__lang_error_new(NULL, text, strlen(text), AVOUT_NONE, avout_nil());
    lang_error *error = avout__lang_object_of(run->thrown, LANG_ERROR);
    if (error) {
        error->status = status;
    } else {
        run->status = AVOUT_ENOMEM;
        run->fatal = true;
    }
    return AVOUT_NONE;
}

avout_value avout__lang_fail(lang_run *run, avout_status status, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return fail_text(run, status, text);
}

avout_value avout__lang_failed(lang_run *run, avout_status status)
{
    const char *detail = avout_error_detail();
    return fail_text(run, status, *detail ? detail : avout_status_text(status));
}

avout_value avout__lang_wrong(lang_run *run, const char *name, const char *expected,
                              avout_value got)
{
    char text[80];
    avout__lang_glimpse(text, sizeof text, got);
    return avout__lang_fail(run, AVOUT_ETYPE, "%s: expected %s, got %s (%s)", name, expected, text,
                            avout__lang_type_name(got));
}

avout_value avout__lang_made(lang_run *run, avout_value made)
{
    return made.bits ? made : avout__lang_failed(run, avout_none_status());
}

avout_value avout__lang_throw(lang_run *run, avout_value value)
{
    const lang_error *error = avout__lang_object_of(value, LANG_ERROR);
    if (!value.bits) return avout__lang_failed(run, AVOUT_ENOMEM);
    if (!error) {
        avout__lang_wrong(run, "throw", "an error, as (ex-info \"why\" {})", value);
        avout_release(value);
        return AVOUT_NONE;
    }
    avout_release(run->thrown);
    run->thrown = value;
    run->status = error->status;
    run->fatal = false;
    return AVOUT_NONE;
}

avout_value avout__lang_catch(lang_run *run)
{
    avout_value error = lang_take(&run->thrown);
    run->status = AVOUT_OK;
    return error;
}

/* ---- places ------------------------------------------------------------------------------------------ */

/* The text of a form in one line, cut. */
static char *form_text(const lang_unit *unit, const lang_place *place)
{
    enum { MOST = 72 };
    char text[MOST + 8];
    size_t used = 0;
    bool space = false;
    for (size_t i = place->begin; i < place->end && i < unit->begin + unit->length; i++) {
        unsigned char c = (unsigned char)unit->source[i - unit->begin];
        if (used >= MOST - 3 && (c & 0xc0) != 0x80) {
            memcpy(text + used, "...", 3);
            used += 3;
            break;
        }
        bool blank = c <= ' ';
        if (blank && (space || !used)) continue;
        text[used++] = blank ? ' ' : (char)c;
        space = blank;
    }
    text[used] = '\0';
    return avout__memdup(text, used + 1);
}

avout_value avout__lang_place_error(lang_run *run, const lang_unit *unit, const lang_place *place)
{
    lang_error *error = run->recurring ? NULL : avout__lang_object_of(run->thrown, LANG_ERROR);
    if (error && !error->place.line && !unit->core) {
        error->place = *place;
        error->form = form_text(unit, place);
        if (!error->form) return avout__lang_failed(run, AVOUT_ENOMEM);
    }
    return AVOUT_NONE;
}
