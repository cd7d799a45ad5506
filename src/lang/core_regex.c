/* Functions of regular expressions, and those of strings that take one. */
#include <string.h>

#include "base/alloc.h"
#include "lang/regex.h"
#include "lang/core_text.h"
#include "base/banned.h"

/* What a function works with: a pattern and a text. */
typedef struct search {
    lang_run *run;
    const lang_regex *regex;
    const char *text;
    size_t length;
    size_t at; /* where the next match is looked for; behind the length: nowhere */
    regex_match match;
} search;

static bool start(search *s, lang_run *run, const char *name, avout_value regex, avout_value text)
{
    *s = (search){.run = run, .regex = avout__lang_object_of(regex, LANG_REGEX)};
    if (!s->regex)
        return avout__lang_wrong(run, name, "a regular expression, as #\"a+\"", regex).bits;
    return avout__lang_text_of(run, name, &s->text, &s->length, text);
}

/* After a match of nothing the search goes on one character later. */
static bool next(search *s)
{
    if (s->at > s->length ||
        !avout__lang_regex_find(&s->match, s->run, s->regex, s->text, s->length, s->at, false))
        return false;
    s->at = s->match.at[1];
    if (s->match.at[0] == s->match.at[1]) {
        if (s->at < s->length) (void)avout__lang_regex_decode(s->text, &s->at);
        else s->at++;
    }
    return true;
}

static avout_value group_of(const search *s, uint32_t group)
{
    size_t from = s->match.at[2 * group], to = s->match.at[2 * group + 1];
    if (from == SIZE_MAX || to == SIZE_MAX) return avout_nil();
    return avout__lang_made(s->run, avout_string_n(s->text + from, to - from));
}

/* The text that matched, or the vector of it and its groups. */
static avout_value found(const search *s)
{
    lang_items items = {0};
    if (!s->regex->groups) return group_of(s, 0);
    bool fine = true;
    for (uint32_t i = 0; i <= s->regex->groups && fine; i++)
        fine = avout__lang_add(s->run, &items, group_of(s, i));
    if (fine) return avout__lang_vector(s->run, &items);
    avout__lang_drop(&items);
    return AVOUT_NONE;
}

static avout_value none(const lang_run *run)
{
    return run->status ? AVOUT_NONE : avout_nil();
}

CORE(re_pattern)
{
    const char *text;
    size_t length;
    if (avout__lang_object_of(args[0], LANG_REGEX)) return lang_take(&args[0]);
    if (!avout__lang_text_of(run, "re-pattern", &text, &length, args[0])) return AVOUT_NONE;
    return avout__lang_regex_new(run, text, length);
}

CORE(re_find)
{
    search s;
    if (!start(&s, run, "re-find", args[0], args[1])) return AVOUT_NONE;
    return next(&s) ? found(&s) : none(run);
}

CORE(re_matches)
{
    search s;
    if (!start(&s, run, "re-matches", args[0], args[1])) return AVOUT_NONE;
    if (avout__lang_regex_find(&s.match, run, s.regex, s.text, s.length, 0, true)) return found(&s);
    return none(run);
}

CORE(re_seq)
{
    search s;
    lang_items items = {0};
    if (!start(&s, run, "re-seq", args[0], args[1])) return AVOUT_NONE;
    bool fine = true;
    while (fine && next(&s)) fine = avout__lang_add(run, &items, found(&s));
    if (fine && !run->status && items.count) return avout__lang_list(run, &items);
    avout__lang_drop(&items);
    return fine ? none(run) : AVOUT_NONE;
}

/* ---- replace ------------------------------------------------------------------------------------------------ */

static bool add(lang_run *run, avout__buffer *buffer, const char *text, size_t length)
{
    avout_status status = length ? avout__buffer_add(buffer, text, length) : AVOUT_OK;
    if (status) avout__lang_failed(run, status);
    return !status && lang_step_bytes(run, length);
}

/* $1 is a group, \$ a dollar. */
static bool add_template(search *s, avout__buffer *buffer, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '\\' && i + 1 < length) {
            if (!add(s->run, buffer, &text[++i], 1)) return false;
        } else if (c == '$') {
            uint32_t group = i + 1 < length ? (uint32_t)(unsigned char)text[i + 1] - '0' : 100;
            if (group > 9 || group > s->regex->groups)
                return avout__lang_fail(s->run, AVOUT_ERANGE,
                                        "replace: there is no such group: %.2s", text + i)
                    .bits;
            size_t from = s->match.at[2 * group], to = s->match.at[2 * group + 1];
            if (from != SIZE_MAX && to != SIZE_MAX &&
                !add(s->run, buffer, s->text + from, to - from))
                return false;
            i++;
        } else if (!add(s->run, buffer, &c, 1)) {
            return false;
        }
    }
    return true;
}

static bool add_replacement(search *s, avout__buffer *buffer, avout_value with)
{
    const char *text;
    size_t length;
    if (avout_value_type(with) == AVOUT_TYPE_STRING) {
        avout_value_to_text(&text, &length, with);
        return add_template(s, buffer, text, length);
    }
    avout_value made = avout__lang_call1(s->run, with, found(s));
    bool fine = made.bits && avout__lang_text_of(s->run, "replace", &text, &length, made) &&
                add(s->run, buffer, text, length);
    avout_release(made);
    return fine;
}

avout_value avout__lang_regex_replace(lang_run *run, const char *name, avout_value *args, bool all)
{
    search s;
    avout__buffer buffer = AVOUT__BUFFER_INIT;
    size_t done = 0;
    if (!start(&s, run, name, args[1], args[0])) return AVOUT_NONE;
    bool fine = true;
    while (fine && next(&s)) {
        fine = add(run, &buffer, s.text + done, s.match.at[0] - done) &&
               add_replacement(&s, &buffer, args[2]);
        done = s.match.at[1];
        if (!all) break;
    }
    fine = fine && !run->status && add(run, &buffer, s.text + done, s.length - done);
    avout_value made = AVOUT_NONE;
    if (fine)
        made = avout__lang_made(run, avout_string_n(buffer.data ? buffer.data : "", buffer.length));
    avout__buffer_release(&buffer);
    return made;
}

/* ---- split -------------------------------------------------------------------------------------------------- */

/* As Java has it: nothing is split off before the first character by a match of nothing, and without a
 * limit empty parts at the end are left out. */
avout_value avout__lang_regex_split(lang_run *run, avout_value text, avout_value regex,
                                    int64_t most)
{
    search s;
    lang_items items = {0};
    size_t done = 0, left;
    if (!start(&s, run, "split", regex, text)) return AVOUT_NONE;
    bool fine = true;
    while (fine && (most <= 0 || (int64_t)items.count + 1 < most) && next(&s)) {
        if (s.match.at[1] == 0 || (s.match.at[0] == s.match.at[1] && s.match.at[0] == s.length))
            continue;
        fine = avout__lang_add(
            run, &items,
            avout__lang_made(run, avout_string_n(s.text + done, s.match.at[0] - done)));
        done = s.match.at[1];
    }
    fine = fine && !run->status &&
           avout__lang_add(run, &items,
                           avout__lang_made(run, avout_string_n(s.text + done, s.length - done)));
    while (fine && most == 0 && items.count > 1 &&
           !avout_value_count(&left, items.at[items.count - 1]) && !left)
        avout_release(items.at[--items.count]);
    if (fine) return avout__lang_vector(run, &items);
    avout__lang_drop(&items);
    return AVOUT_NONE;
}

const lang_core avout__lang_regexes[] = {
    {"re-pattern", "s", "the regular expression of a text; also #\"...\"", 1, 1, re_pattern, NULL},
    {"re-find", "regex s", "the first match, or nil; with groups a vector", 2, 2, re_find, NULL},
    {"re-matches", "regex s", "the match of the whole text, or nil", 2, 2, re_matches, NULL},
    {"re-seq", "regex s", "all matches", 2, 2, re_seq, NULL},
    LANG_END,
};
