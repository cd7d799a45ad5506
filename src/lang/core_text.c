/* Text of values and values of text; names and characters. clojure.string is in core_string.c. */
#include "lang/core_text.h"

#include <string.h>

#include "base/alloc.h"
#include "base/banned.h"

bool avout__lang_text_of(lang_run *run, const char *name, const char **text, size_t *length,
                         avout_value value)
{
    if (avout_value_type(value) == AVOUT_TYPE_STRING)
        return !avout_value_to_text(text, length, value);
    return avout__lang_wrong(run, name, "a string", value).bits;
}

/* The buffer's text as a string; it is released. */
avout_value avout__lang_text_value(lang_run *run, avout__buffer *buffer, bool fine)
{
    avout_value string = AVOUT_NONE;
    if (fine && lang_step_bytes(run, buffer->length))
        string =
            avout__lang_made(run, avout_string_n(buffer->data ? buffer->data : "", buffer->length));
    avout__buffer_release(buffer);
    return string;
}

bool avout__lang_text_add(lang_run *run, avout__buffer *buffer, const char *text, size_t length)
{
    avout_status status = avout__buffer_add(buffer, text, length);
    if (status) avout__lang_failed(run, status);
    return !status;
}

/* "ExceptionInfo: message {:a 1}" */
static bool add_error(lang_run *run, avout__buffer *buffer, const lang_error *error)
{
    const char *name = error->class_name ? error->class_name : "";
    bool message = !error->mute && *error->message, both = *name && message;
    return avout__lang_text_add(run, buffer, name, strlen(name)) &&
           avout__lang_text_add(run, buffer, ": ", both ? 2 : 0) &&
           avout__lang_text_add(run, buffer, error->message,
                                message ? strlen(error->message) : 0) &&
           (!error->data.bits || (avout__lang_text_add(run, buffer, " ", 1) &&
                                  avout__lang_print(run, buffer, error->data, PRINT_READABLY)));
}

/* The text of a #uuid; AVOUT_NONE: it is none. */
static avout_value uuid_text(avout_value value)
{
    const char *tag;
    avout_value form;
    bool uuid = avout_value_type(value) == AVOUT_TYPE_TAGGED &&
                !avout_value_to_tagged(&tag, &form, value) && !strcmp(tag, "uuid") &&
                avout_value_type(form) == AVOUT_TYPE_STRING;
    return uuid ? form : AVOUT_NONE;
}

/* As str has it: nil is nothing, strings are themselves. */
bool avout__lang_text_str(lang_run *run, avout__buffer *buffer, avout_value value)
{
    if (avout_value_type(value) == AVOUT_TYPE_NIL) return true;
    const lang_error *error = avout__lang_object_of(value, LANG_ERROR);
    if (error) return add_error(run, buffer, error);
    avout_value uuid = uuid_text(value);
    if (uuid.bits) value = uuid;
    bool outside = avout_value_type(value) == AVOUT_TYPE_STRING ||
                   avout_value_type(value) == AVOUT_TYPE_CHAR ||
                   avout__lang_object_of(value, LANG_REGEX);
    size_t before = buffer->length;
    if (!avout__lang_print(run, buffer, value, outside ? PRINT_PLAIN : PRINT_READABLY))
        return false;
    /* Numbers go without what tells their type to a reader. */
    avout_type type = avout_value_type(value);
    bool marked = type == AVOUT_TYPE_BIGINT || type == AVOUT_TYPE_DECIMAL;
    if (marked && buffer->length > before) buffer->data[--buffer->length] = '\0';
    if (type == AVOUT_TYPE_FLOAT && buffer->length > before + 2 && buffer->data[before] == '#') {
        char name[16];
        snprintf(name, sizeof name, "%s", buffer->data + before + 2);
        buffer->length = before;
        bool nan = !strcmp(name, "NaN"), minus = *name == '-';
        return avout__lang_text_add(run, buffer,
                                    nan     ? "NaN"
                                    : minus ? "-Infinity"
                                            : "Infinity",
                                    nan     ? 3
                                    : minus ? 9
                                            : 8);
    }
    return true;
}

CORE(str)
{
    avout__buffer buffer = AVOUT__BUFFER_INIT;
    bool fine = true;
    if (count == 1 && avout_value_type(args[0]) == AVOUT_TYPE_STRING) return lang_take(&args[0]);
    for (size_t i = 0; i < count && fine; i++) fine = avout__lang_text_str(run, &buffer, args[i]);
    return avout__lang_text_value(run, &buffer, fine);
}

/* ---- parts ------------------------------------------------------------------------------------------------ */

/* The byte where code point `index` begins; SIZE_MAX: behind the end. */
size_t avout__lang_text_offset(const char *text, size_t length, int64_t index)
{
    size_t at = 0;
    if (index < 0) return SIZE_MAX;
    for (; index > 0 && at < length; index--) do
            at++;
        while (at < length && (text[at] & 0xc0) == 0x80);
    return index ? SIZE_MAX : at;
}

CORE(subs)
{
    const char *text;
    size_t length;
    int64_t from, to;
    if (!avout__lang_text_of(run, "subs", &text, &length, args[0]) ||
        !avout__lang_integer(run, "subs", &from, args[1]) ||
        (count == 3 && !avout__lang_integer(run, "subs", &to, args[2])) ||
        !lang_step_bytes(run, length))
        return AVOUT_NONE;
    size_t start = avout__lang_text_offset(text, length, from);
    size_t end = count == 3 ? avout__lang_text_offset(text, length, to) : length;
    if (start == SIZE_MAX || end == SIZE_MAX || start > end)
        return avout__lang_fail(run, AVOUT_ERANGE, "subs: from %lld to %lld is not in the string",
                                (long long)from, (long long)(count == 3 ? to : -1));
    return avout__lang_made(run, avout_string_n(text + start, end - start));
}

/* Code points before `byte`. */
int64_t avout__lang_text_points(const char *text, size_t byte)
{
    int64_t n = 0;
    for (size_t i = 0; i < byte; i++) n += (text[i] & 0xc0) != 0x80;
    return n;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

CORE(name)
{
    const char *space, *text;
    size_t space_length, length;
    if (avout_value_type(args[0]) == AVOUT_TYPE_STRING) return lang_take(&args[0]);
    if (avout_value_to_name(&space, &space_length, &text, &length, args[0]))
        return avout__lang_wrong(run, "name", "a keyword, symbol or string", args[0]);
    return avout__lang_made(run, avout_string_n(text, length));
}

CORE(namespace_of)
{
    const char *space, *text;
    size_t space_length, length;
    if (avout_value_to_name(&space, &space_length, &text, &length, args[0]))
        return avout__lang_wrong(run, "namespace", "a keyword or symbol", args[0]);
    return space ? avout__lang_made(run, avout_string_n(space, space_length)) : avout_nil();
}

/* (keyword "a"), (keyword "space" "a"), (keyword 'a) */
static avout_value named(lang_run *run, const char *function, size_t count, avout_value *args,
                         avout_value (*make)(const char *, size_t))
{
    avout__buffer buffer = AVOUT__BUFFER_INIT;
    bool fine = true;
    for (size_t i = 0; i < count && fine; i++) {
        const char *text;
        size_t length;
        avout_type type = avout_value_type(args[i]);
        if (i == 0 && count == 2 && type == AVOUT_TYPE_NIL) continue;
        if (type != AVOUT_TYPE_STRING && type != AVOUT_TYPE_SYMBOL && type != AVOUT_TYPE_KEYWORD)
            fine = avout__lang_wrong(run, function, "a string, keyword or symbol", args[i]).bits;
        if (fine) fine = !avout_value_to_text(&text, &length, args[i]);
        if (fine && i == 1 && buffer.length) fine = avout__lang_text_add(run, &buffer, "/", 1);
        if (fine) fine = avout__lang_text_add(run, &buffer, text, length);
    }
    avout_value value =
        fine ? avout__lang_made(run, make(buffer.data ? buffer.data : "", buffer.length))
             : AVOUT_NONE;
    avout__buffer_release(&buffer);
    return value;
}

CORE(keyword)
{
    avout_type type = avout_value_type(args[0]);
    if (type == AVOUT_TYPE_KEYWORD && count == 1) return lang_take(&args[0]);
    if (type == AVOUT_TYPE_NIL && count == 1) return avout_nil();
    return named(run, "keyword", count, args, avout_keyword_n);
}

CORE(symbol)
{
    if (avout_value_type(args[0]) == AVOUT_TYPE_SYMBOL && count == 1) return lang_take(&args[0]);
    return named(run, "symbol", count, args, avout_symbol_n);
}

CORE(character)
{
    int64_t code;
    if (avout_value_type(args[0]) == AVOUT_TYPE_CHAR) return lang_take(&args[0]);
    if (!avout__lang_integer(run, "char", &code, args[0])) return AVOUT_NONE;
    if (code < 0 || code > UINT32_MAX)
        return avout__lang_fail(run, AVOUT_ERANGE, "char: %lld is no character", (long long)code);
    return avout__lang_made(run, avout_char((uint32_t)code));
}

/* As the language reads it: 'a is (quote a). */
CORE(read_string)
{
    const char *text;
    size_t length;
    if (!avout__lang_text_of(run, "read-string", &text, &length, args[0]) ||
        !lang_step_bytes(run, length))
        return AVOUT_NONE;
    return avout__lang_read_value(run, text, length);
}

/* As EDN says. (clojure.edn/read-string {:eof x} s): x for a text in which there is nothing. */
CORE(read_edn)
{
    const char *text;
    size_t length, position = 0;
    avout_value value, end = AVOUT_NONE;
    if (count == 2) {
        if (avout_value_type(args[0]) != AVOUT_TYPE_MAP)
            return avout__lang_wrong(run, "read-string", "a map of options", args[0]);
        avout_value key = avout_keyword("eof");
        end = avout_value_get(args[0], key);
        avout_release(key);
    }
    if (avout_value_type(args[count - 1]) == AVOUT_TYPE_NIL)
        return end.bits ? avout_share(end) : avout_nil();
    if (!avout__lang_text_of(run, "read-string", &text, &length, args[count - 1]) ||
        !lang_step_bytes(run, length))
        return AVOUT_NONE;
    avout_status status = avout_edn_read_next(&value, text, length, &position, NULL, NULL);
    if (status) return avout__lang_failed(run, status);
    if (value.bits) return value;
    if (end.bits) return avout_share(end);
    return count == 1 ? avout_nil()
                      : avout__lang_fail(run, AVOUT_ESYNTAX, "read-string: there is no form");
}

/* (eval form): of what it prints as, so that a function in it is none any more. */
CORE(eval_form)
{
    avout__buffer text = AVOUT__BUFFER_INIT;
    avout_value value = AVOUT_NONE;
    if (!lang_deep(run) && avout__lang_print(run, &text, args[0], PRINT_READABLY))
        value = avout__lang_load(run, text.data ? text.data : "", text.length);
    avout__buffer_release(&text);
    return value;
}

CORE(load_string)
{
    const char *text;
    size_t length;
    if (!avout__lang_text_of(run, "load-string", &text, &length, args[0]) || lang_deep(run) ||
        !lang_step_bytes(run, length))
        return AVOUT_NONE;
    return avout__lang_load(run, text, length);
}

const lang_core avout__lang_texts[] = {
    {"str", "x ...", "the text of all, one behind the other; nil is nothing", 0, LANG_MANY, str,
     NULL},
    {"subs", "s from to?", "the characters from from up to before to", 2, 3, subs, NULL},
    {"name", "x", "the name of a keyword or symbol, without its namespace", 1, 1, name, NULL},
    {"namespace", "x", "the namespace of a keyword or symbol, or nil", 1, 1, namespace_of, NULL},
    {"keyword", "space? name", "the keyword of that name", 1, 2, keyword, NULL},
    {"symbol", "space? name", "the symbol of that name", 1, 2, symbol, NULL},
    {"char", "n", "the character of that code", 1, 1, character, NULL},
    {"read-string", "s", "the first form in a text, as a value", 1, 1, read_string, NULL},
    {"load-string", "s", "evaluates the forms of a text; the value of the last one", 1, 1,
     load_string, NULL},
    {"eval", "form", "the value of a form, as quote and read-string make them", 1, 1, eval_form,
     NULL},
    {"clojure.edn/read-string", "{:eof x}? s",
     "the first value in a text of EDN; nil if there is none, or x", 1, 2, read_edn, NULL},
    LANG_END,
};
