/* Tagged values. #inst and #uuid are checked and compared by what they mean, though their text stays
 * as it was written; all other tags are kept as they are.
 *
 * The hash is computed when a value is made, while that of the form below, if it is tagged too, is
 * already there: so hashing never goes down through tags. */
#include "value/tagged.h"

#include <string.h>

#include "value/build.h"
#include "value/name.h"
#include "value/text.h"

#include "base/banned.h"

static const avout__tagged *tagged_at(const avout__object *object)
{
    return (const avout__tagged *)(const void *)object;
}

/* ---- inst ---------------------------------------------------------------------------------- */

/* yyyy[-mm[-dd[Thh[:mm[:ss[.f...]]]]]][Z|(+|-)hh:mm], as clojure.instant takes it: what is left out
 * is the least there is, and the whole is UTC without an offset. */
typedef struct date_time {
    int year, month, day, hour, minute, second, nanosecond;
    int offset_hour, offset_minute;
    bool west;
} date_time;

/* Exactly `count` digits at *at. */
static bool take_digits(const char **at, int count, int *number)
{
    *number = 0;
    for (int i = 0; i < count; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9') return false;
        *number = *number * 10 + (c - '0');
    }
    *at += count;
    return true;
}

/* Digits behind the point, as many as there are; those beyond the ninth do not count. */
static bool take_fraction(const char **at, int *nanoseconds)
{
    int unit = 100000000, count = 0;
    *nanoseconds = 0;
    for (; **at >= '0' && **at <= '9'; ++*at, count++) {
        *nanoseconds += (**at - '0') * unit;
        unit /= 10;
    }
    return count > 0;
}

/* The parts in their order, as far as there are any. The text ends with a NUL, which stops all. */
static bool take_parts(const char **at, date_time *out)
{
    if (!take_digits(at, 4, &out->year)) return false;
    struct {
        char before;
        int *number;
    } parts[] = {{'-', &out->month},
                 {'-', &out->day},
                 {'T', &out->hour},
                 {':', &out->minute},
                 {':', &out->second}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        /* "2020-01:00" is a year with an offset, not a month. */
        bool offset = parts[i].before == '-' && **at == '-' && strlen(*at) == 6 && (*at)[3] == ':';
        if (**at != parts[i].before || offset) return true;
        ++*at;
        if (!take_digits(at, 2, parts[i].number)) return false;
    }
    if (**at != '.') return true;
    ++*at;
    return take_fraction(at, &out->nanosecond);
}

static bool take_offset(const char **at, date_time *out)
{
    if (**at == 'Z') {
        ++*at;
        return true;
    }
    if (**at != '+' && **at != '-') return true;
    out->west = **at == '-';
    ++*at;
    if (!take_digits(at, 2, &out->offset_hour) || **at != ':') return false;
    ++*at;
    return take_digits(at, 2, &out->offset_minute);
}

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in(int month, int year)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* The name of the first part that is out of range; NULL: all are fine. */
static const char *part_out_of_range(const date_time *at)
{
    if (at->month < 1 || at->month > 12) return "month";
    if (at->day < 1 || at->day > days_in(at->month, at->year)) return "day";
    if (at->hour > 23) return "hour";
    if (at->minute > 59) return "minute";
    if (at->second > (at->minute == 59 ? 60 : 59)) return "second"; /* 60: a leap second */
    if (at->offset_hour > 23) return "offset's hour";
    return at->offset_minute > 59 ? "offset's minute" : NULL;
}

/* In the Gregorian calendar, also before there was one (RFC 3339). */
static int64_t seconds_since_1970(const date_time *at)
{
    int64_t year = at->year + 399, days = year * 365 + year / 4 - year / 100 + year / 400;
    days -= 719162 + 146097; /* 1970-01-01 from 0001-01-01, and the 400 years added above */
    for (int month = 1; month < at->month; month++) days += days_in(month, at->year);
    days += at->day - 1;
    int64_t offset = at->offset_hour * 3600 + at->offset_minute * 60;
    return days * 86400 + at->hour * 3600 + at->minute * 60 + at->second +
           (at->west ? offset : -offset);
}

static avout_status read_inst(avout__tagged *tagged)
{
    const avout__string *string = avout__string_of(tagged->form);
    const char *at = string->text;
    date_time parts = {.month = 1, .day = 1};
    bool good = take_parts(&at, &parts) && take_offset(&at, &parts);
    if (!good || at != string->text + string->length)
        return avout_fail(AVOUT_ESYNTAX, "inst: \"%.100s\" is no date and time as in RFC 3339",
                          string->text);
    const char *wrong = part_out_of_range(&parts);
    if (wrong)
        return avout_fail(AVOUT_ESYNTAX, "inst: \"%.100s\": the %s is out of range", string->text,
                          wrong);
    tagged->high = seconds_since_1970(&parts);
    tagged->low = parts.nanosecond;
    return AVOUT_OK;
}

/* ---- uuid ---------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* 8-4-4-4-12 hexadecimal digits, as EDN asks for. */
static avout_status read_uuid(avout__tagged *tagged)
{
    const avout__string *string = avout__string_of(tagged->form);
    uint64_t halves[2] = {0, 0};
    size_t digits = 0, i = 0;
    for (; i < string->length && i < 36; i++) {
        char c = string->text[i];
        bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        int digit = hyphen ? 0 : hex_value(c);
        if (hyphen ? c != '-' : digit < 0) break;
        if (hyphen) continue;
        uint64_t *half = &halves[digits++ / 16];
        *half = *half << 4 | (uint64_t)digit;
    }
    if (i != 36 || string->length != 36)
        return avout_fail(AVOUT_ESYNTAX, "uuid: \"%.100s\" is not of the form 8-4-4-4-12",
                          string->text);
    tagged->high = (int64_t)halves[0];
    tagged->low = (int64_t)halves[1];
    return AVOUT_OK;
}

/* ---- makes and looks ----------------------------------------------------------------------- */

static avout_status check_tag(const char *tag)
{
    avout_status st = avout__symbol_check(tag, strlen(tag), false);
    if (st) return st;
    char first = (char)(*tag | 0x20);
    if ((first >= 'a' && first <= 'z') || (unsigned char)*tag >= 0x80) return AVOUT_OK;
    return avout_fail(AVOUT_ENAME, "tag \"%.200s\": it does not begin with a letter", tag);
}

static avout_status read_meaning(avout__tagged *tagged)
{
    bool inst = !strcmp(tagged->tag, "inst");
    if (!inst && strcmp(tagged->tag, "uuid") != 0) return AVOUT_OK;
    if (!avout__is_type(tagged->form, AVOUT_TYPE_STRING))
        return avout__fail_type(tagged->tag, "a string", tagged->form);
    tagged->object.kind = inst ? AVOUT__TAGGED_INST : AVOUT__TAGGED_UUID;
    return inst ? read_inst(tagged) : read_uuid(tagged);
}

/* Consumes `form` on success only. */
static avout_status make(avout_value *out, const char *tag, avout_value form)
{
    if (!form.bits) return avout__none_given();
    size_t room = strlen(tag) + 1;
    avout__tagged *tagged =
        (avout__tagged *)(void *)avout__object_new(AVOUT_TYPE_TAGGED, sizeof *tagged + room);
    if (!tagged) return AVOUT_ENOMEM;
    tagged->form = form;
    tagged->high = tagged->low = 0;
    memcpy(tagged->tag, tag, room);
    avout_status st = read_meaning(tagged);
    if (st) {
        tagged->form = AVOUT_NONE;
        avout__object_destroy(&tagged->object);
        return st;
    }
    *out = avout__value_of(&tagged->object);
    avout_value_hash(*out);
    return AVOUT_OK;
}

static avout_value finish(avout_status st, avout_value made, avout_value form)
{
    if (!st) return made;
    avout__release(form);
    return avout__none(st);
}

avout_value avout_tagged(const char *tag, avout_value form)
{
    avout_value made = AVOUT_NONE;
    avout_status st = form.bits ? check_tag(tag) : avout__none_given();
    if (!st) st = make(&made, tag, form);
    return finish(st, made, form);
}

avout_value avout__tagged_checked(const char *tag, avout_value form)
{
    avout_value made = AVOUT_NONE;
    return finish(make(&made, tag, form), made, form);
}

avout_status avout_value_to_tagged(const char **tag, avout_value *form, avout_value value)
{
    if (!avout__is_type(value, AVOUT_TYPE_TAGGED))
        return avout__fail_type("to_tagged", "a tagged value", value);
    *tag = avout__tagged_of(value)->tag;
    *form = avout__tagged_of(value)->form;
    return AVOUT_OK;
}

/* ---- hooks --------------------------------------------------------------------------------- */

static void tagged_release(avout__object *object, avout__dead_list *dead)
{
    avout__dead_drop(dead, tagged_at(object)->form);
}

static uint32_t tagged_hash(const avout__object *object)
{
    const avout__tagged *tagged = tagged_at(object);
    if (object->kind == AVOUT__TAGGED_PLAIN)
        return avout__hash_entry(avout__hash_bytes(tagged->tag, strlen(tagged->tag)),
                                 avout_value_hash(tagged->form));
    return avout__hash_entry(avout__hash_mix((uint64_t)tagged->high),
                             avout__hash_mix((uint64_t)tagged->low));
}

bool avout__tagged_unwrap(avout_value *a, avout_value *b)
{
    while (avout__is_type(*a, AVOUT_TYPE_TAGGED) && avout__is_type(*b, AVOUT_TYPE_TAGGED)) {
        const avout__tagged *left = avout__tagged_of(*a), *right = avout__tagged_of(*b);
        if (left == right || left->object.kind != AVOUT__TAGGED_PLAIN) return true;
        if (strcmp(left->tag, right->tag) != 0) return false;
        *a = left->form;
        *b = right->form;
    }
    return true;
}

static bool tagged_equal(const avout__object *a, const avout__object *b)
{
    const avout__tagged *left = tagged_at(a), *right = tagged_at(b);
    if (a->kind != b->kind) return false;
    if (a->kind != AVOUT__TAGGED_PLAIN) return left->high == right->high && left->low == right->low;
    avout_value x = {(uintptr_t)a}, y = {(uintptr_t)b};
    return avout__tagged_unwrap(&x, &y) && avout_value_equal(x, y);
}

/* Instants by time, uuids as Java compares them (both halves signed). */
static avout_status tagged_compare(int *order, const avout__object *a, const avout__object *b)
{
    const avout__tagged *left = tagged_at(a), *right = tagged_at(b);
    if (a->kind != b->kind || a->kind == AVOUT__TAGGED_PLAIN)
        return avout_fail(AVOUT_ETYPE, "compare: #%.100s and #%.100s have no order", left->tag,
                          right->tag);
    *order = (left->high > right->high) - (left->high < right->high);
    if (!*order) *order = (left->low > right->low) - (left->low < right->low);
    return AVOUT_OK;
}

const avout__type_hooks avout__tagged_hooks = {tagged_release, tagged_hash, tagged_equal,
                                               tagged_compare};
