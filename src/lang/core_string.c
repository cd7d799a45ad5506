/* clojure.string, but for what regular expressions do in it (core_regex.c). */
#include "lang/core_text.h"

#include <string.h>

#include "base/alloc.h"
#include "lang/regex.h"
#include "base/banned.h"

/* A string or a character as text. */
static bool needle_of(lang_run *run, const char *name, avout__buffer *buffer, avout_value value)
{
    avout_type type = avout_value_type(value);
    if (type != AVOUT_TYPE_STRING && type != AVOUT_TYPE_CHAR)
        return avout__lang_wrong(run, name, "a string or character", value).bits;
    return avout__lang_print(run, buffer, value, PRINT_PLAIN);
}

/* args: text, part, from where on; last: the last one that begins there or before. */
static avout_value index_of(lang_run *run, const char *name, size_t count, avout_value *args,
                            bool last)
{
    const char *text, *found = NULL;
    size_t length;
    int64_t from = last ? INT64_MAX : 0;
    avout__buffer needle = AVOUT__BUFFER_INIT;
    if (!avout__lang_text_of(run, name, &text, &length, args[0]) ||
        (count == 3 && !avout__lang_integer(run, name, &from, args[2])) ||
        !needle_of(run, name, &needle, args[1]) || !lang_step_bytes(run, length)) {
        avout__buffer_release(&needle);
        return AVOUT_NONE;
    }
    const char *wanted = needle.data ? needle.data : "";
    /* Behind the end: nothing is found from there on, but everything before it. */
    size_t begin = avout__lang_text_offset(text, length, from < 0 && !last ? 0 : from);
    size_t at = last ? 0 : begin, most = last ? (begin == SIZE_MAX ? length : begin) : length;
    if (last && from < 0) at = length + 1;
    for (; at <= most && at + needle.length <= length; at++) {
        const char *here = memmem(text + at, length - at, wanted, needle.length);
        if (!here || here > text + most) break;
        found = here;
        if (!last) break;
        at = (size_t)(here - text);
    }
    avout__buffer_release(&needle);
    return found ? avout_int(avout__lang_text_points(text, (size_t)(found - text))) : avout_nil();
}

CORE(find_first)
{
    return index_of(run, "index-of", count, args, false);
}

CORE(find_last)
{
    return index_of(run, "last-index-of", count, args, true);
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

/* White space as Java has it: no spaces that hold words together. */
static bool is_blank(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f) || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a && c != 0x2007) || c == 0x2028 || c == 0x2029 ||
           c == 0x205f || c == 0x3000;
}

/* The bytes of white space a text begins with. */
static size_t blanks_before(const char *text, size_t length)
{
    size_t at = 0, next = 0;
    while (next < length && is_blank(avout__lang_regex_decode(text, &next))) at = next;
    return at;
}

/* The length of a text without the white space it ends with. */
static size_t without_blanks(const char *text, size_t length)
{
    for (size_t end = length; end > 0; length = end) {
        do end--;
        while (end > 0 && (text[end] & 0xc0) == 0x80);
        size_t next = end;
        if (!is_blank(avout__lang_regex_decode(text, &next))) break;
    }
    return length;
}

static avout_value trimmed(lang_run *run, const char *name, avout_value value, bool left,
                           bool right)
{
    const char *text;
    size_t length;
    if (!avout__lang_text_of(run, name, &text, &length, value) || !lang_step_bytes(run, length))
        return AVOUT_NONE;
    size_t from = left ? blanks_before(text, length) : 0;
    if (right && from < length) length = without_blanks(text, length);
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
    return avout_bool(blanks_before(text, length) == length);
}

CORE(trim_newline)
{
    const char *text;
    size_t length;
    if (!avout__lang_text_of(run, "trim-newline", &text, &length, args[0])) return AVOUT_NONE;
    while (length && (text[length - 1] == '\n' || text[length - 1] == '\r')) length--;
    return avout__lang_made(run, avout_string_n(text, length));
}

/* (escape s f): f of a character is what it becomes, or nil. */
CORE(escape)
{
    lang_walk walk;
    avout_value item;
    avout__buffer buffer = AVOUT__BUFFER_INIT;
    const char *text;
    size_t length;
    if (!avout__lang_text_of(run, "escape", &text, &length, args[0]) ||
        !avout__lang_walk(&walk, run, "escape", args[0]))
        return AVOUT_NONE;
    bool fine = true;
    while (fine && avout__lang_walk_next(&walk, &item)) {
        avout_value made = avout__lang_call1(run, args[1], avout_share(item));
        bool same = avout_value_type(made) == AVOUT_TYPE_NIL;
        fine = made.bits && avout__lang_text_str(run, &buffer, same ? item : made);
        avout_release(made);
        avout_release(item);
    }
    fine = avout__lang_walk_end(&walk) && fine;
    return avout__lang_text_value(run, &buffer, fine);
}

/* \ and $ mean something in what replaces a match. */
CORE(quote_replacement)
{
    const char *text;
    size_t length;
    avout__buffer buffer = AVOUT__BUFFER_INIT;
    bool fine = avout__lang_text_of(run, "re-quote-replacement", &text, &length, args[0]);
    for (size_t i = 0; fine && i < length; i++) {
        bool special = text[i] == '\\' || text[i] == '$';
        fine = avout__lang_text_add(run, &buffer, "\\", special) &&
               avout__lang_text_add(run, &buffer, text + i, 1);
    }
    return avout__lang_text_value(run, &buffer, fine);
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

const lang_core avout__lang_strings[] = {
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
    {"clojure.string/index-of", "s part from?", "where part is first (from from on), or nil", 2, 3,
     find_first, NULL},
    {"clojure.string/last-index-of", "s part from?",
     "where part is last (from from backwards), or nil", 2, 3, find_last, NULL},
    {"clojure.string/trim-newline", "s", "without line ends at the end", 1, 1, trim_newline, NULL},
    {"clojure.string/escape", "s f",
     "with what f, or a map, has for each character that is not nil", 2, 2, escape, NULL},
    {"clojure.string/re-quote-replacement", "s",
     "as replace must be given what is to be there as it is", 1, 1, quote_replacement, NULL},
    LANG_END,
};
