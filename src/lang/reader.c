/* Text to forms: EDN with positions, and what Clojure's reader has beyond it (' @ #() #' #"" ^meta).
 * What a token means is decided by the EDN reader of the library; here is where tokens begin and end.
 * Metadata is read and dropped, as values have none. */
#include "lang/form.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "avout/edn.h"
#include "base/alloc.h"
#include "base/banned.h"

enum { MAX_DEPTH = 400, MAX_ARGUMENTS = 20, STOP = -1 };

static avout_status read_form(const lang_form **form, lang_reader *r);
static avout_status read_next(const lang_form **form, lang_reader *r);

/* What the text ended inside of is AVOUT_ESTATE on the way up, AVOUT_ESYNTAX outside. */
static const avout_status UNFINISHED = AVOUT_ESTATE;

/* ---- characters ------------------------------------------------------------------------------ */

static int peek(const lang_reader *r, size_t ahead)
{
    return r->at + ahead < r->length ? (unsigned char)r->text[r->at + ahead] : STOP;
}

static void advance(lang_reader *r)
{
    unsigned char c = (unsigned char)r->text[r->at++];
    if (c == '\n' || (c == '\r' && peek(r, 0) != '\n')) {
        r->line++;
        r->column = 1;
    } else if ((c & 0xc0) != 0x80 && c != '\r') {
        r->column++;
    }
}

static void skip(lang_reader *r, size_t count)
{
    while (count--) advance(r);
}

static bool is_space(int c)
{
    return c == ' ' || c == ',' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
}

static bool ends_token(int c)
{
    return c == STOP || is_space(c) || (c && strchr("()[]{}\";@^`~\\", c));
}

static lang_place here(const lang_reader *r)
{
    return (lang_place){(uint32_t)r->at, (uint32_t)r->at, r->line, r->column};
}

__attribute__((format(printf, 4, 5))) static avout_status fail(lang_reader *r, avout_status status,
                                                               lang_place place, const char *format,
                                                               ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->message, sizeof r->message, format, arguments);
    va_end(arguments);
    r->place = place;
    return status;
}

static avout_status no_memory(lang_reader *r)
{
    return fail(r, AVOUT_ENOMEM, here(r), "out of memory");
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static avout_status new_form(lang_form **form, lang_reader *r, lang_form_kind kind,
                             lang_place place)
{
    *form = avout__lang_arena_take(r->arena, sizeof **form);
    if (!*form) return no_memory(r);
    (*form)->kind = kind;
    (*form)->place = place;
    (*form)->place.end = (uint32_t)r->at;
    return AVOUT_OK;
}

static avout_status keep(avout_value *kept, lang_reader *r, avout_value value)
{
    *kept = avout__lang_arena_keep(r->arena, value);
    return kept->bits ? AVOUT_OK : no_memory(r);
}

/* A form from the text between `place` and here. */
static avout_status edn_form(const lang_form **form, lang_reader *r, lang_place place)
{
    avout_value value;
    avout_edn_error error;
    lang_form *made;
    avout_status status =
        avout_edn_read(&value, r->text + place.begin, r->at - place.begin, NULL, &error);
    if (status) return fail(r, status, place, "%s", error.message);
    status = new_form(&made, r, FORM_VALUE, place);
    if (status) {
        avout_release(value);
        return status;
    }
    *form = made;
    return keep(&made->value, r, value);
}

/* Moves behind the closing quote of a string or regex, whose opening one is next. */
static avout_status skip_string(lang_reader *r, lang_place place)
{
    advance(r);
    while (peek(r, 0) != '"') {
        if (peek(r, 0) == '\\' && peek(r, 1) != STOP) advance(r);
        if (peek(r, 0) == STOP)
            return fail(r, UNFINISHED, place, "the string that begins here has no end");
        advance(r);
    }
    advance(r);
    return AVOUT_OK;
}

static void skip_token(lang_reader *r)
{
    while (!ends_token(peek(r, 0))) advance(r);
}

/* % %1 %&: an argument of the #() around it. */
static avout_status argument_form(const lang_form **form, lang_reader *r, lang_place place)
{
    const char *text = r->text + place.begin + 1;
    size_t length = r->at - place.begin - 1;
    char name[8] = "%1";
    int number = 1;
    if (length == 1 && *text == '&') {
        r->rest = true;
        number = 0;
        name[1] = '&';
    } else if (length) {
        number = 0;
        for (size_t i = 0; i < length && number <= MAX_ARGUMENTS; i++)
            number = text[i] >= '0' && text[i] <= '9' ? number * 10 + text[i] - '0' : 1000;
        if (number < 1 || number > MAX_ARGUMENTS)
            return fail(r, AVOUT_ESYNTAX, place,
                        "%%%.*s is no argument: expected %%, %%1 to %%%d "
                        "or %%&",
                        length > 20 ? 20 : (int)length, text, MAX_ARGUMENTS);
        snprintf(name, sizeof name, "%%%d", number);
    }
    if (number > r->arguments) r->arguments = number;
    lang_form like = {.place = place};
    like.place.end = (uint32_t)r->at;
    *form = avout__lang_form_symbol(r->arena, &like, name);
    return *form ? AVOUT_OK : no_memory(r);
}

/* ::name, which Clojure resolves in the current namespace: there is one, user. */
static avout_status own_keyword(const lang_form **form, lang_reader *r, lang_place place)
{
    lang_form *made;
    size_t length = r->at - place.begin - 2;
    const char *name = r->text + place.begin + 2;
    if (memchr(name, '/', length))
        return fail(r, AVOUT_ENAME, place, "%.*s: keywords of an alias are not supported",
                    (int)(length > 60 ? 60 : length + 2), name - 2);
    char *full = avout__format("user/%.*s", (int)length, name);
    if (!full) return no_memory(r);
    avout_value keyword = length ? avout_keyword(full) : AVOUT_NONE;
    avout__free(full);
    if (!keyword.bits) return fail(r, AVOUT_ENAME, place, "invalid keyword");
    avout_status status = new_form(&made, r, FORM_VALUE, place);
    if (status) {
        avout_release(keyword);
        return status;
    }
    *form = made;
    return keep(&made->value, r, keyword);
}

static avout_status read_token(const lang_form **form, lang_reader *r)
{
    lang_place place = here(r);
    skip_token(r);
    const char *text = r->text + place.begin;
    if (*text == '%' && r->in_function) return argument_form(form, r, place);
    if (*text == ':' && r->at - place.begin > 1 && text[1] == ':')
        return own_keyword(form, r, place);
    return edn_form(form, r, place);
}

static avout_status read_char(const lang_form **form, lang_reader *r)
{
    lang_place place = here(r);
    advance(r);
    if (peek(r, 0) == STOP) return fail(r, UNFINISHED, place, "a character is missing behind \\");
    advance(r);
    while ((peek(r, 0) & 0xc0) == 0x80 && peek(r, 0) != STOP) advance(r);
    skip_token(r);
    return edn_form(form, r, place);
}

/* ---- collections ----------------------------------------------------------------------------- */

typedef struct items {
    const lang_form **at;
    size_t count, room;
} items;

static avout_status read_items(items *list, lang_reader *r, int close, lang_place place)
{
    for (;;) {
        const lang_form *item = NULL;
        avout_status status = read_next(&item, r);
        if (status) return status;
        int c = peek(r, 0);
        if (!item && c == close) break;
        if (!item && c == STOP)
            return fail(r, UNFINISHED, place, "the form that begins here has no end: expected %c",
                        close);
        if (!item)
            return fail(r, AVOUT_ESYNTAX, here(r),
                        "unmatched %c: expected %c for the form that "
                        "begins at line %u, column %u",
                        c, close, place.line, place.column);
        if (AVOUT__GROW(&list->at, &list->room, list->count + 1)) return no_memory(r);
        list->at[list->count++] = item;
    }
    advance(r);
    return AVOUT_OK;
}

static avout_status read_collection(const lang_form **form, lang_reader *r, lang_form_kind kind,
                                    int close, lang_place place)
{
    items list = {0};
    lang_form *made;
    advance(r);
    avout_status status = read_items(&list, r, close, place);
    if (!status && kind == FORM_MAP && list.count % 2)
        status = fail(r, AVOUT_ESYNTAX, place, "a map needs a value for every key");
    if (!status) status = new_form(&made, r, kind, place);
    if (!status) {
        const lang_form **copy = avout__lang_arena_take(r->arena, (list.count + 1) * sizeof *copy);
        if (copy && list.count) memcpy(copy, list.at, list.count * sizeof *copy);
        made->count = list.count;
        made->items = copy;
        *form = made;
        if (!copy) status = no_memory(r);
    }
    avout__free(list.at);
    return status;
}

/* ---- what stands before a form ---------------------------------------------------------------- */

/* The form behind a reader's sign, which is not the end of anything. */
static avout_status read_operand(const lang_form **form, lang_reader *r, lang_place place,
                                 const char *sign)
{
    avout_status status = read_next(form, r);
    if (status || *form) return status;
    return fail(r, peek(r, 0) == STOP ? UNFINISHED : AVOUT_ESYNTAX, place,
                "a form is missing behind %s", sign);
}

/* 'x is (quote x), @x (deref x), #'x (var x). */
static avout_status read_prefixed(const lang_form **form, lang_reader *r, size_t length,
                                  const char *sign, const char *name)
{
    lang_place place = here(r);
    const lang_form *operand;
    skip(r, length);
    avout_status status = read_operand(&operand, r, place, sign);
    if (status) return status;
    lang_form like = {.place = place};
    like.place.end = (uint32_t)r->at;
    const lang_form *both[] = {avout__lang_form_symbol(r->arena, &like, name), operand};
    *form = avout__lang_form_list(r->arena, &like, 2, both);
    return *form ? AVOUT_OK : no_memory(r);
}

static avout_status skip_meta(lang_reader *r, size_t length)
{
    lang_place place = here(r);
    const lang_form *dropped;
    skip(r, length);
    return read_operand(&dropped, r, place, "^");
}

/* [%1 %2 & %&] */
static const lang_form *parameters(lang_reader *r, const lang_form *like)
{
    const lang_form *names[MAX_ARGUMENTS + 2];
    size_t count = 0;
    char name[8];
    for (int i = 1; i <= r->arguments; i++) {
        snprintf(name, sizeof name, "%%%d", i);
        names[count++] = avout__lang_form_symbol(r->arena, like, name);
    }
    if (r->rest) {
        names[count++] = avout__lang_form_symbol(r->arena, like, "&");
        names[count++] = avout__lang_form_symbol(r->arena, like, "%&");
    }
    const lang_form *list = avout__lang_form_list(r->arena, like, count, names);
    lang_form *vector = avout__lang_arena_take(r->arena, sizeof *vector);
    if (!list || !vector) return NULL;
    *vector = *list;
    vector->kind = FORM_VECTOR;
    return vector;
}

static avout_status read_function(const lang_form **form, lang_reader *r)
{
    lang_place place = here(r);
    const lang_form *body;
    if (r->in_function)
        return fail(r, AVOUT_ESYNTAX, place, "#() inside #(): use fn for one of them");
    advance(r);
    r->in_function = true;
    r->arguments = 0;
    r->rest = false;
    avout_status status = read_collection(&body, r, FORM_LIST, ')', place);
    r->in_function = false;
    if (status) return status;
    const lang_form *parts[] = {avout__lang_form_symbol(r->arena, body, "fn"), parameters(r, body),
                                body};
    *form = avout__lang_form_list(r->arena, body, 3, parts);
    return *form ? AVOUT_OK : no_memory(r);
}

static avout_status read_regex(const lang_form **form, lang_reader *r)
{
    lang_place place = here(r);
    lang_form *made;
    advance(r);
    avout_status status = skip_string(r, place);
    if (!status) status = new_form(&made, r, FORM_REGEX, place);
    if (status) return status;
    *form = made;
    return keep(&made->value, r,
                avout_string_n(r->text + place.begin + 2, r->at - place.begin - 3));
}

static avout_status read_tagged(const lang_form **form, lang_reader *r)
{
    lang_place place = here(r);
    const lang_form *tag, *operand;
    lang_form *made;
    advance(r);
    avout_status status = read_token(&tag, r);
    if (status) return status;
    if (!avout__lang_is_symbol(tag))
        return fail(r, AVOUT_ESYNTAX, place, "a tag is a symbol: #inst, #uuid, #my/tag");
    status = read_operand(&operand, r, place, "the tag");
    if (!status) status = new_form(&made, r, FORM_TAGGED, place);
    if (status) return status;
    const lang_form **one = avout__lang_arena_take(r->arena, sizeof *one);
    if (!one) return no_memory(r);
    *one = operand;
    made->value = tag->value;
    made->count = 1;
    made->items = one;
    *form = made;
    return AVOUT_OK;
}

/* The key of a map in a namespace: :a is :space/a, :_/a is :a, others are themselves. */
static avout_status spaced_key(const lang_form **key, lang_reader *r, const char *space,
                               size_t length)
{
    const lang_form *before = *key;
    const char *own = NULL, *name;
    size_t own_length = 0, name_length;
    avout_type type = before->kind == FORM_VALUE ? avout_value_type(before->value) : AVOUT_TYPE_NIL;
    if ((type != AVOUT_TYPE_KEYWORD && type != AVOUT_TYPE_SYMBOL) ||
        avout_value_to_name(&own, &own_length, &name, &name_length, before->value))
        return AVOUT_OK;
    bool none = own && own_length == 1 && *own == '_';
    if (own && !none) return AVOUT_OK;
    char *full = none ? avout__format("%.*s", (int)name_length, name)
                      : avout__format("%.*s/%.*s", (int)length, space, (int)name_length, name);
    if (!full) return no_memory(r);
    lang_form *made;
    avout_value value = type == AVOUT_TYPE_KEYWORD ? avout_keyword(full) : avout_symbol(full);
    avout__free(full);
    if (!value.bits)
        return fail(r, AVOUT_ENAME, before->place, "invalid namespace of a map: %.*s",
                    (int)(length > 60 ? 60 : length), space);
    avout_status status = new_form(&made, r, FORM_VALUE, before->place);
    if (status) {
        avout_release(value);
        return status;
    }
    *key = made;
    return keep(&made->value, r, value);
}

/* #:space{:a 1} is {:space/a 1}, #::{:a 1} is {:user/a 1}. */
static avout_status read_spaced_map(const lang_form **form, lang_reader *r)
{
    lang_place place = here(r);
    advance(r);
    skip_token(r);
    const char *space = r->text + place.begin + 2;
    size_t length = r->at - place.begin - 2;
    if (length == 1 && *space == ':') space = "user", length = 4;
    while (is_space(peek(r, 0))) advance(r);
    if (peek(r, 0) == STOP) return fail(r, UNFINISHED, place, "a map is missing behind #:");
    if (!length || *space == ':' || memchr(space, '/', length) || peek(r, 0) != '{')
        return fail(r, AVOUT_ESYNTAX, place, "expected #:namespace{:key value}");
    const lang_form *map;
    lang_form *made;
    avout_status status = read_collection(&map, r, FORM_MAP, '}', place);
    if (!status) status = new_form(&made, r, FORM_MAP, place);
    if (status) return status;
    const lang_form **parts = avout__lang_arena_take(r->arena, (map->count + 1) * sizeof *parts);
    if (!parts) return no_memory(r);
    for (size_t i = 0; i < map->count && !status; i++) {
        parts[i] = map->items[i];
        if (!(i % 2)) status = spaced_key(&parts[i], r, space, length);
    }
    made->count = map->count;
    made->items = parts;
    *form = made;
    return status;
}

static avout_status read_hash(const lang_form **form, lang_reader *r)
{
    lang_place place = here(r);
    avout_status status;
    switch (peek(r, 1)) {
    case '{': advance(r); return read_collection(form, r, FORM_SET, '}', place);
    case '(': return read_function(form, r);
    case '\'': return read_prefixed(form, r, 2, "#'", "var");
    case '"': return read_regex(form, r);
    case '^': status = skip_meta(r, 2); return status ? status : read_operand(form, r, place, "^");
    case '#':
        skip(r, 2);
        skip_token(r);
        return edn_form(form, r, place);
    case '?': return fail(r, AVOUT_ENOTSUP, place, "#? (reader conditionals) is not supported");
    case '=':
        return fail(r, AVOUT_ENOTSUP, place, "#= (evaluation by the reader) is not supported");
    case ':': return read_spaced_map(form, r);
    case '<': return fail(r, AVOUT_ESYNTAX, place, "#< is something printed that cannot be read");
    case STOP: return fail(r, UNFINISHED, place, "a form is missing behind #");
    default: return read_tagged(form, r);
    }
}

/* ---- forms ----------------------------------------------------------------------------------- */

static void skip_line(lang_reader *r)
{
    while (peek(r, 0) != STOP && peek(r, 0) != '\n' && peek(r, 0) != '\r') advance(r);
}

/* White space, comments, #_ and the form it discards. */
static avout_status skip_space(lang_reader *r)
{
    for (;;) {
        int c = peek(r, 0);
        if (is_space(c)) {
            advance(r);
        } else if (c == ';' || (c == '#' && peek(r, 1) == '!')) {
            skip_line(r);
        } else if (c == '#' && peek(r, 1) == '_') {
            lang_place place = here(r);
            const lang_form *dropped;
            skip(r, 2);
            avout_status status = read_operand(&dropped, r, place, "#_");
            if (status) return status;
        } else {
            return AVOUT_OK;
        }
    }
}

static avout_status read_form(const lang_form **form, lang_reader *r)
{
    lang_place place = here(r);
    avout_status status;
    switch (peek(r, 0)) {
    case '(': return read_collection(form, r, FORM_LIST, ')', place);
    case '[': return read_collection(form, r, FORM_VECTOR, ']', place);
    case '{': return read_collection(form, r, FORM_MAP, '}', place);
    case '\'': return read_prefixed(form, r, 1, "'", "quote");
    case '@': return read_prefixed(form, r, 1, "@", "deref");
    case '#': return read_hash(form, r);
    case '\\': return read_char(form, r);
    case '"': status = skip_string(r, place); return status ? status : edn_form(form, r, place);
    case '^': status = skip_meta(r, 1); return status ? status : read_operand(form, r, place, "^");
    case '`':
    case '~':
        return fail(r, AVOUT_ENOTSUP, place,
                    "%c belongs to macros, which this language does not "
                    "have",
                    peek(r, 0));
    default: return read_token(form, r);
    }
}

/* Leaves *form NULL in front of a closing delimiter and at the end. */
static avout_status read_next(const lang_form **form, lang_reader *r)
{
    *form = NULL;
    if (r->depth == MAX_DEPTH || (const char *)__builtin_frame_address(0) < r->stack_limit)
        return fail(r, AVOUT_ELIMIT, here(r), "forms are nested too deeply");
    r->depth++;
    avout_status status = skip_space(r);
    int c = peek(r, 0);
    if (!status && c != STOP && c != ')' && c != ']' && c != '}') status = read_form(form, r);
    r->depth--;
    return status;
}

avout_status avout__lang_read(const lang_form **form, lang_reader *r, bool *unfinished)
{
    r->depth = 0;
    r->in_function = false;
    avout_status status = read_next(form, r);
    if (!status && !*form && peek(r, 0) != STOP)
        status = fail(r, AVOUT_ESYNTAX, here(r), "unmatched %c", peek(r, 0));
    if (unfinished) *unfinished = status == UNFINISHED;
    return status == UNFINISHED ? AVOUT_ESYNTAX : status;
}
