/* Functions of strings, names and characters. */
#include "lang/core_text.h"

#include <stdlib.h>
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

/* As str has it: nil is nothing, strings are themselves. */
bool avout__lang_text_str(lang_run *run, avout__buffer *buffer, avout_value value)
{
    if (avout_value_type(value) == AVOUT_TYPE_NIL) return true;
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

/* A string or a character as text. */
static bool needle_of(lang_run *run, const char *name, avout__buffer *buffer, avout_value value)
{
    avout_type type = avout_value_type(value);
    if (type != AVOUT_TYPE_STRING && type != AVOUT_TYPE_CHAR)
        return avout__lang_wrong(run, name, "a string or character", value).bits;
    return avout__lang_print(run, buffer, value, PRINT_PLAIN);
}

static avout_value index_of(lang_run *run, const char *name, avout_value *args, bool last)
{
    const char *text, *found = NULL;
    size_t length;
    avout__buffer needle = AVOUT__BUFFER_INIT;
    if (!avout__lang_text_of(run, name, &text, &length, args[0]) ||
        !needle_of(run, name, &needle, args[1])) {
        avout__buffer_release(&needle);
        return AVOUT_NONE;
    }
    const char *wanted = needle.data ? needle.data : "";
    for (size_t at = 0; at + needle.length <= length; at++) {
        const char *here = memmem(text + at, length - at, wanted, needle.length);
        if (here) found = here;
        if (!here || !last) break;
        at = (size_t)(here - text);
    }
    avout__buffer_release(&needle);
    return found ? avout_int(avout__lang_text_points(text, (size_t)(found - text))) : avout_nil();
}

CORE(find_first)
{
    return index_of(run, "index-of", args, false);
}

CORE(find_last)
{
    return index_of(run, "last-index-of", args, true);
}

static avout_value has_part(lang_run *run, const char *name, avout_value *args, char where)
{
    const char *text, *part;
    size_t length, size;
    if (!avout__lang_text_of(run, name, &text, &length, args[0]) ||
        !avout__lang_text_of(run, name, &part, &size, args[1]))
        return AVOUT_NONE;
    if (size > length) return avout_bool(false);
    if (where == '<') return avout_bool(!memcmp(text, part, size));
    if (where == '>') return avout_bool(!memcmp(text + length - size, part, size));
    return avout_bool(memmem(text, length, part, size) != NULL);
}

CORE(starts_with)
{
    return has_part(run, "starts-with?", args, '<');
}

CORE(ends_with)
{
    return has_part(run, "ends-with?", args, '>');
}

CORE(includes)
{
    return has_part(run, "includes?", args, '?');
}

/* ---- changed --------------------------------------------------------------------------------------------------- */

/* ASCII, and Latin-1, Greek and Cyrillic where both cases have the same length in UTF-8. */
static uint32_t change_case(uint32_t c, bool up)
{
    bool lower = (c >= 'a' && c <= 'z') || (c >= 0xe0 && c <= 0xfe && c != 0xf7) ||
                 (c >= 0x3b1 && c <= 0x3c9 && c != 0x3c2) || (c >= 0x430 && c <= 0x44f);
    bool upper = (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) ||
                 (c >= 0x391 && c <= 0x3a9 && c != 0x3a2) || (c >= 0x410 && c <= 0x42f);
    if (up && lower) return c - 32;
    if (!up && upper) return c + 32;
    if (c >= 0x450 && c <= 0x45f && up) return c - 80;
    if (c >= 0x400 && c <= 0x40f && !up) return c + 80;
    return c;
}

/* Characters from `from` on, of two bytes at most, are changed; `rest` is what the others become. */
static avout_value recase(lang_run *run, const char *name, avout_value value, int first, int rest)
{
    const char *text;
    size_t length;
    if (!avout__lang_text_of(run, name, &text, &length, value)) return AVOUT_NONE;
    char *copy = avout__memdup(text, length + 1);
    if (!copy) return avout__lang_failed(run, AVOUT_ENOMEM);
    bool begin = true;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)copy[i];
        int way = begin ? first : rest;
        begin = false;
        if (c < 0x80) {
            copy[i] = (char)change_case(c, way > 0);
        } else if (c >= 0xc0 && c < 0xe0 && i + 1 < length) {
            uint32_t changed = change_case((c & 0x1fu) << 6 | (copy[i + 1] & 0x3fu), way > 0);
            copy[i] = (char)(0xc0 | changed >> 6);
            copy[++i] = (char)(0x80 | (changed & 0x3f));
        }
    }
    avout_value changed = lang_step_bytes(run, length) ? avout_string_n(copy, length) : AVOUT_NONE;
    avout__free(copy);
    return run->status ? AVOUT_NONE : avout__lang_made(run, changed);
}

CORE(upper_case)
{
    return recase(run, "upper-case", args[0], 1, 1);
}

CORE(lower_case)
{
    return recase(run, "lower-case", args[0], 0, 0);
}

CORE(capitalize)
{
    return recase(run, "capitalize", args[0], 1, 0);
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
}

static avout_value trimmed(lang_run *run, const char *name, avout_value value, bool left,
                           bool right)
{
    const char *text;
    size_t length, from = 0;
    if (!avout__lang_text_of(run, name, &text, &length, value)) return AVOUT_NONE;
    while (left && from < length && is_blank(text[from])) from++;
    while (right && length > from && is_blank(text[length - 1])) length--;
    return avout__lang_made(run, avout_string_n(text + from, length - from));
}

CORE(trim)
{
    return trimmed(run, "trim", args[0], true, true);
}

CORE(triml)
{
    return trimmed(run, "triml", args[0], true, false);
}

CORE(trimr)
{
    return trimmed(run, "trimr", args[0], false, true);
}

CORE(is_all_blank)
{
    const char *text;
    size_t length;
    if (avout_value_type(args[0]) == AVOUT_TYPE_NIL) return avout_bool(true);
    if (!avout__lang_text_of(run, "blank?", &text, &length, args[0])) return AVOUT_NONE;
    while (length && is_blank(text[length - 1])) length--;
    return avout_bool(!length);
}

CORE(reverse)
{
    const char *text;
    size_t length;
    avout__buffer buffer = AVOUT__BUFFER_INIT;
    if (!avout__lang_text_of(run, "clojure.string/reverse", &text, &length, args[0]))
        return AVOUT_NONE;
    bool fine = true;
    for (size_t end = length; end > 0 && fine;) {
        size_t start = end - 1;
        while (start > 0 && (text[start] & 0xc0) == 0x80) start--;
        fine = avout__lang_text_add(run, &buffer, text + start, end - start);
        end = start;
    }
    return avout__lang_text_value(run, &buffer, fine);
}

CORE(join)
{
    avout__buffer buffer = AVOUT__BUFFER_INIT;
    lang_walk walk;
    avout_value item;
    bool fine = avout__lang_walk(&walk, run, "join", args[count - 1]), first = true;
    if (!fine) return AVOUT_NONE;
    while (fine && avout__lang_walk_next(&walk, &item)) {
        if (!first && count == 2) fine = avout__lang_text_str(run, &buffer, args[0]);
        fine = fine && avout__lang_text_str(run, &buffer, item);
        first = false;
        avout_release(item);
    }
    fine = avout__lang_walk_end(&walk) && fine;
    return avout__lang_text_value(run, &buffer, fine);
}

/* A string for a string, or a character for a character. */
static avout_value replaced(lang_run *run, const char *name, avout_value *args, bool all)
{
    const char *text;
    size_t length;
    avout__buffer buffer = AVOUT__BUFFER_INIT, from = AVOUT__BUFFER_INIT, to = AVOUT__BUFFER_INIT;
    if (avout__lang_object_of(args[1], LANG_REGEX))
        return avout__lang_regex_replace(run, name, args, all);
    bool fine = avout__lang_text_of(run, name, &text, &length, args[0]) &&
                needle_of(run, name, &from, args[1]) && needle_of(run, name, &to, args[2]);
    const char *wanted = from.data ? from.data : "";
    size_t at = 0;
    while (fine) {
        const char *found = memmem(text + at, length - at, wanted, from.length);
        /* Nothing is found before every character and at the end, as in Java. */
        if (!found || (!from.length && at > length)) break;
        size_t here = (size_t)(found - text), next = here + from.length;
        fine = avout__lang_text_add(run, &buffer, text + at, here - at) &&
               (!to.length || avout__lang_text_add(run, &buffer, to.data, to.length)) &&
               lang_step_bytes(run, to.length);
        if (!from.length && next < length) do
                fine = fine && avout__lang_text_add(run, &buffer, text + next, 1);
            while (++next < length && (text[next] & 0xc0) == 0x80);
        else if (!from.length) next = length + 1;
        at = next;
        if (!all || at > length) break;
    }
    if (fine && at < length) fine = avout__lang_text_add(run, &buffer, text + at, length - at);
    avout__buffer_release(&from);
    avout__buffer_release(&to);
    return avout__lang_text_value(run, &buffer, fine);
}

CORE(replace)
{
    return replaced(run, "replace", args, true);
}

CORE(replace_first)
{
    return replaced(run, "replace-first", args, false);
}

/* Adds the pieces of text between what separates them; those that are empty at the end are left out. */
static avout_value pieces(lang_run *run, const char *text, size_t length, const char *separator,
                          size_t size, int64_t most)
{
    lang_items items = {0};
    size_t at = 0;
    bool fine = lang_step_bytes(run, length);
    while (fine) {
        const char *found = NULL;
        if (most <= 0 || (int64_t)items.count + 1 < most)
            found = size ? memmem(text + at, length - at, separator, size) : NULL;
        size_t end = found ? (size_t)(found - text) : length;
        fine = lang_step(run, 1) &&
               avout__lang_add(run, &items,
                               avout__lang_made(run, avout_string_n(text + at, end - at)));
        if (!found) break;
        at = end + size;
    }
    size_t left;
    while (fine && most == 0 && items.count > 1 &&
           !avout_value_count(&left, items.at[items.count - 1]) && !left)
        avout_release(items.at[--items.count]);
    if (fine) return avout__lang_vector(run, &items);
    avout__lang_drop(&items);
    return AVOUT_NONE;
}

/* Clojure takes a regular expression only; a string or character will do as well. */
CORE(split)
{
    const char *text;
    size_t length;
    int64_t most = 0;
    avout__buffer separator = AVOUT__BUFFER_INIT;
    avout_value made = AVOUT_NONE;
    if (count == 3 && !avout__lang_integer(run, "split", &most, args[2])) return AVOUT_NONE;
    if (avout__lang_object_of(args[1], LANG_REGEX))
        return avout__lang_regex_split(run, args[0], args[1], most);
    if (avout__lang_text_of(run, "split", &text, &length, args[0]) &&
        needle_of(run, "split", &separator, args[1])) {
        if (separator.length)
            made = pieces(run, text, length, separator.data, separator.length, most);
        else avout__lang_fail(run, AVOUT_EINVAL, "split: the separator is empty");
    }
    avout__buffer_release(&separator);
    return made;
}

CORE(split_lines)
{
    const char *text;
    size_t length;
    avout__buffer plain = AVOUT__BUFFER_INIT;
    if (!avout__lang_text_of(run, "split-lines", &text, &length, args[0])) return AVOUT_NONE;
    bool fine = true;
    for (size_t i = 0; i < length && fine; i++)
        if (text[i] != '\r' || i + 1 == length || text[i + 1] != '\n')
            fine = avout__lang_text_add(run, &plain, text + i, 1);
    avout_value made =
        fine ? pieces(run, plain.data ? plain.data : "", plain.length, "\n", 1, 0) : AVOUT_NONE;
    avout__buffer_release(&plain);
    return made;
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

CORE(read_string)
{
    const char *text;
    size_t length, position = 0;
    avout_value value;
    if (!avout__lang_text_of(run, "read-string", &text, &length, args[0]) ||
        !lang_step_bytes(run, length))
        return AVOUT_NONE;
    avout_status status = avout_edn_read_next(&value, text, length, &position, NULL, NULL);
    if (status) return avout__lang_failed(run, status);
    return value.bits ? value
                      : avout__lang_fail(run, AVOUT_ESYNTAX, "read-string: there is no form");
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
    {"read-string", "s", "the first value in a text", 1, 1, read_string, NULL},
    {"load-string", "s", "evaluates the forms of a text; the value of the last one", 1, 1,
     load_string, NULL},
    {"clojure.edn/read-string", "s", "the first value in a text", 1, 1, read_string, NULL},
    {"clojure.string/join", "separator? coll", "the elements as one text", 1, 2, join, NULL},
    {"clojure.string/split", "s separator limit?",
     "the vector of parts between the separators, a regular expression, string or character", 2, 3,
     split, NULL},
    {"clojure.string/split-lines", "s", "the vector of lines", 1, 1, split_lines, NULL},
    {"clojure.string/upper-case", "s", "in capital letters", 1, 1, upper_case, NULL},
    {"clojure.string/lower-case", "s", "in small letters", 1, 1, lower_case, NULL},
    {"clojure.string/capitalize", "s", "the first letter large, the others small", 1, 1, capitalize,
     NULL},
    {"clojure.string/trim", "s", "without white space at both ends", 1, 1, trim, NULL},
    {"clojure.string/triml", "s", "without white space at the beginning", 1, 1, triml, NULL},
    {"clojure.string/trimr", "s", "without white space at the end", 1, 1, trimr, NULL},
    {"clojure.string/blank?", "s", "whether it is nil or white space only", 1, 1, is_all_blank,
     NULL},
    {"clojure.string/reverse", "s", "the characters backwards", 1, 1, reverse, NULL},
    {"clojure.string/replace", "s from to",
     "with every from (regular expression, string, character) replaced", 3, 3, replace, NULL},
    {"clojure.string/replace-first", "s from to", "with the first from replaced", 3, 3,
     replace_first, NULL},
    {"clojure.string/starts-with?", "s part", "whether it begins with part", 2, 2, starts_with,
     NULL},
    {"clojure.string/ends-with?", "s part", "whether it ends with part", 2, 2, ends_with, NULL},
    {"clojure.string/includes?", "s part", "whether part is in it", 2, 2, includes, NULL},
    {"clojure.string/index-of", "s part", "where part is first, or nil", 2, 2, find_first, NULL},
    {"clojure.string/last-index-of", "s part", "where part is last, or nil", 2, 2, find_last, NULL},
    LANG_END,
};
