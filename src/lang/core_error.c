/* Throwing, and looking at what was thrown. */
#include "lang/core.h"

#include <string.h>

#include "base/banned.h"

CORE(throw_error)
{
    return avout__lang_throw(run, lang_take(&args[0]));
}

static avout_value made_error(lang_run *run, const char *class_name, avout_value message,
                              avout_value data, avout_value cause)
{
    const char *text = "";
    size_t length = 0;
    if (avout_value_type(message) != AVOUT_TYPE_NIL &&
        !avout__lang_text_of(run, class_name, &text, &length, message)) {
        avout_release(data);
        avout_release(cause);
        return AVOUT_NONE;
    }
    avout_value made = avout__lang_error_new(class_name, text, length, data, cause);
    lang_error *error = avout__lang_object_of(made, LANG_ERROR);
    if (!error) return avout__lang_failed(run, AVOUT_ENOMEM);
    error->mute = avout_value_type(message) == AVOUT_TYPE_NIL;
    return made;
}

/* (ex-info message map cause?) */
CORE(ex_info)
{
    if (avout_value_type(args[1]) != AVOUT_TYPE_MAP)
        return avout__lang_wrong(run, "ex-info", "a map of data", args[1]);
    if (count == 3 && avout_value_type(args[2]) != AVOUT_TYPE_NIL &&
        !avout__lang_object_of(args[2], LANG_ERROR))
        return avout__lang_wrong(run, "ex-info", "an error as cause", args[2]);
    return made_error(run, "ExceptionInfo", args[0], lang_take(&args[1]),
                      count == 3 ? lang_take(&args[2]) : avout_nil());
}

/* (Exception. message? cause?) and its kin */
static avout_value exception(lang_run *run, const char *class_name, size_t count, avout_value *args)
{
    return made_error(run, class_name, count ? args[0] : avout_nil(), AVOUT_NONE,
                      count == 2 ? lang_take(&args[1]) : avout_nil());
}

#define EXCEPTION(name, class_name)                                                                \
    CORE(name)                                                                                     \
    {                                                                                              \
        return exception(run, class_name, count, args);                                            \
    }

EXCEPTION(new_exception, "Exception")
EXCEPTION(new_runtime_exception, "RuntimeException")
EXCEPTION(new_illegal_argument, "IllegalArgumentException")
EXCEPTION(new_illegal_state, "IllegalStateException")
EXCEPTION(new_arithmetic, "ArithmeticException")
EXCEPTION(new_unsupported, "UnsupportedOperationException")
EXCEPTION(new_error, "Error")

CORE(assert_failed)
{
    char text[128], message[256];
    avout__lang_glimpse(text, sizeof text, args[0]);
    const char *more = "";
    size_t length;
    if (count == 2 && avout_value_type(args[1]) == AVOUT_TYPE_STRING)
        avout_value_to_text(&more, &length, args[1]);
    snprintf(message, sizeof message, "Assert failed: %.100s%s%s", more, *more ? "\n" : "", text);
    return avout__lang_throw(run, avout__lang_error_new("AssertionError", message, strlen(message),
                                                        AVOUT_NONE, avout_nil()));
}

CORE(no_clause)
{
    char text[80];
    avout__lang_glimpse(text, sizeof text, args[0]);
    return avout__lang_fail(run, AVOUT_EINVAL, "condp: no clause for %s", text);
}

static const lang_error *error_of(avout_value value)
{
    return avout__lang_object_of(value, LANG_ERROR);
}

CORE(ex_message)
{
    const lang_error *error = error_of(args[0]);
    if (!error || error->mute) return avout_nil();
    return avout__lang_made(run, avout_string(error->message));
}

CORE(get_message)
{
    if (!error_of(args[0])) return avout__lang_wrong(run, ".getMessage", "an error", args[0]);
    return ex_message(run, count, args);
}

CORE(ex_data)
{
    const lang_error *error = error_of(args[0]);
    return error && error->data.bits ? avout_share(error->data) : avout_nil();
}

CORE(ex_cause)
{
    const lang_error *error = error_of(args[0]);
    return error ? avout_share(error->cause) : avout_nil();
}

const lang_core avout__lang_errors[] = {
    {"throw", "error", "ends what is running with the error, up to the try that catches it", 1, 1,
     throw_error, NULL},
    {"ex-info", "message map cause?", "an error with data", 2, 3, ex_info, NULL},
    {"ex-message", "error", "its message", 1, 1, ex_message, NULL},
    {"ex-data", "error", "the data of an ex-info, or nil", 1, 1, ex_data, NULL},
    {"ex-cause", "error", "the error that caused it, or nil", 1, 1, ex_cause, NULL},
    {".getMessage", "error", "its message", 1, 1, get_message, NULL},
    {"Exception.", "message? cause?", "an error", 0, 2, new_exception, NULL},
    {"RuntimeException.", "message? cause?", "an error", 0, 2, new_runtime_exception, NULL},
    {"IllegalArgumentException.", "message? cause?", "an error", 0, 2, new_illegal_argument, NULL},
    {"IllegalStateException.", "message? cause?", "an error", 0, 2, new_illegal_state, NULL},
    {"ArithmeticException.", "message?", "an error", 0, 1, new_arithmetic, NULL},
    {"UnsupportedOperationException.", "message?", "an error", 0, 2, new_unsupported, NULL},
    {"Error.", "message? cause?", "an error", 0, 2, new_error, NULL},
    {"assert-failed*", "form message?", "", 1, 2, assert_failed, NULL},
    {"no-clause*", "value", "", 1, 1, no_clause, NULL},
    LANG_END,
};
