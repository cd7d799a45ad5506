/* Values as text, functions and lazy sequences included. */
#include <string.h>

#include "base/alloc.h"
#include "lang/lock.h"
#include "lang/regex.h"
#include "lang/state.h"
#include "base/banned.h"

typedef struct printer {
    lang_run *run;
    avout__buffer *buffer;
    lang_style style;
} printer;

static bool print(const printer *p, avout_value value);

static bool ok(const printer *p, avout_status status)
{
    if (status) avout__lang_failed(p->run, status);
    return !status;
}

static bool put(const printer *p, const char *text)
{
    return ok(p, avout__buffer_add_text(p->buffer, text));
}

const char *avout__lang_type_name(avout_value value)
{
    const lang_object *object = avout__lang_object(value);
    if (!object) return avout_type_name(avout_value_type(value));
    switch (object->kind) {
    case LANG_CLOSURE:
    case LANG_CORE:
    case LANG_NATIVE: return "function";
    case LANG_LAZY: return "lazy sequence";
    case LANG_ERROR: return "error";
    case LANG_VAR: return "var";
    case LANG_REDUCED: return "reduced";
    case LANG_REGEX: return "regular expression";
    case LANG_CLIENT: return "client";
    case LANG_PROMISE: return "promise";
    case LANG_FUTURE: return "future";
    case LANG_DELAY: return "delay";
    case LANG_VOLATILE: return "volatile";
    case LANG_LOCK: return "lock";
    case LANG_CONDITION: return "condition";
    case LANG_CONTAINER: return "container";
    case LANG_CELL: return ((const lang_cell *)(const void *)object)->atom ? "atom" : "ref";
    }
    return "box";
}

/* ---- what only the language has -------------------------------------------------------------------------- */

static bool print_error(const printer *p, const lang_error *error)
{
    avout_value message = avout_string(error->message);
    bool fine = put(p, "#error{:message ");
    printer readable = {p->run, p->buffer, PRINT_READABLY};
    fine = fine && message.bits && print(&readable, message);
    avout_release(message);
    if (fine && error->data.bits) fine = put(p, ", :data ") && print(&readable, error->data);
    return fine && put(p, "}");
}

static bool print_elements(const printer *p, avout_value value, const char *open, const char *close)
{
    lang_walk walk;
    avout_value item;
    bool fine = put(p, open) && avout__lang_walk(&walk, p->run, "print", value), first = true;
    if (!fine) return false;
    while (fine && avout__lang_walk_next(&walk, &item)) {
        fine = (first || put(p, " ")) && print(p, item);
        first = false;
        avout_release(item);
    }
    fine = avout__lang_walk_end(&walk) && fine;
    return fine && put(p, close);
}

static bool print_client(const printer *p, const lang_client *client)
{
    return ok(
        p, avout__buffer_add_format(p->buffer, "#client[%s]",
                                    client->client ? avout_client_url(client->client) : "closed"));
}

/* Its name only: the value is somebody else's business, and may take long to get. */
static bool print_cell(const printer *p, const lang_cell *cell)
{
    const char *name = cell->atom ? avout_atom_name(cell->atom) : avout_ref_name(cell->ref);
    return ok(p, avout__buffer_add_format(p->buffer, "#%s[%s]", cell->atom ? "atom" : "ref",
                                          name ? name : "local"));
}

static bool print_lock(const printer *p, const lang_lock *lock)
{
    static const char *const kinds[] = {
        [LOCK_ALL] = "lock", [LOCK_READ] = "read-lock", [LOCK_WHICH] = "read-write-lock"};
    return ok(p, avout__buffer_add_format(p->buffer, "#%s[%s]", kinds[lock->mode],
                                          avout__lang_lock_name(lock)));
}

static bool print_object(const printer *p, avout_value value, lang_object *object)
{
    avout__buffer *b = p->buffer;
    switch (object->kind) {
    case LANG_CLOSURE:
        return ok(p, avout__buffer_add_format(b, "#function[%s]",
                                              ((const lang_closure *)object)->function->name));
    case LANG_CORE:
        return ok(p, avout__buffer_add_format(b, "#function[%s]",
                                              ((const lang_core_object *)object)->core->name));
    case LANG_NATIVE:
        return ok(
            p, avout__buffer_add_format(b, "#function[%s]", ((const lang_native *)object)->name));
    case LANG_LAZY: return print_elements(p, value, "(", ")");
    case LANG_ERROR: return print_error(p, (const lang_error *)object);
    case LANG_VAR:
        return ok(p, avout__buffer_add_format(b, "#'user/%s", ((const lang_var *)object)->name));
    case LANG_REDUCED: return put(p, "#reduced");
    case LANG_REGEX:
        return ok(p, avout__buffer_add_format(b, p->style == PRINT_READABLY ? "#\"%s\"" : "%s",
                                              ((const lang_regex *)(const void *)object)->text));
    case LANG_CLIENT: return print_client(p, (const lang_client *)(const void *)object);
    case LANG_PROMISE:
    case LANG_FUTURE:
    case LANG_VOLATILE:
    case LANG_DELAY: return ok(p, avout__buffer_add_format(b, "#%s", avout__lang_type_name(value)));
    case LANG_LOCK: return print_lock(p, (const lang_lock *)(const void *)object);
    case LANG_CONTAINER:
        return ok(p,
                  avout__buffer_add_format(b, "#container[%s]",
                                           ((const lang_container *)(const void *)object)->kind));
    case LANG_CONDITION: {
        const lang_condition *condition = (const lang_condition *)(const void *)object;
        return ok(p, avout__buffer_add_format(b, "#condition[%s]", condition->name));
    }
    case LANG_CELL: return print_cell(p, (const lang_cell *)(const void *)object);
    }
    return true;
}

/* ---- values ------------------------------------------------------------------------------------------------ */

static avout_status to_buffer(const char *text, size_t length, void *payload)
{
    return avout__buffer_add(payload, text, length);
}

static bool print_map(const printer *p, avout_value map)
{
    avout_iterator at = avout_value_iterate(map);
    bool fine = put(p, "{"), first = true;
    while (fine && avout_iterator_next(&at)) {
        fine = (first || put(p, ", ")) && print(p, at.key) && put(p, " ") && print(p, at.item);
        first = false;
    }
    return fine && put(p, "}");
}

static bool print_plain(const printer *p, avout_value value)
{
    const char *text;
    size_t length;
    uint32_t c;
    switch (avout_value_type(value)) {
    case AVOUT_TYPE_STRING:
        avout_value_to_text(&text, &length, value);
        return ok(p, avout__buffer_add(p->buffer, text, length));
    case AVOUT_TYPE_CHAR: {
        avout_value_to_char(&c, value);
        char bytes[4];
        size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        for (size_t i = n; i-- > 1; c >>= 6) bytes[i] = (char)(0x80 | (c & 0x3f));
        bytes[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xffu) | c);
        return ok(p, avout__buffer_add(p->buffer, bytes, n));
    }
    default: return ok(p, avout_edn_print(value, to_buffer, p->buffer));
    }
}

static bool print(const printer *p, avout_value value)
{
    lang_object *object = avout__lang_object(value);
    if (lang_deep(p->run) || !lang_step(p->run, 1)) return false;
    if (object) return print_object(p, value, object);
    switch (avout_value_type(value)) {
    case AVOUT_TYPE_LIST: return print_elements(p, value, "(", ")");
    case AVOUT_TYPE_VECTOR: return print_elements(p, value, "[", "]");
    case AVOUT_TYPE_SET: return print_elements(p, value, "#{", "}");
    case AVOUT_TYPE_MAP: return print_map(p, value);
    case AVOUT_TYPE_BOX: return put(p, "#box");
    default: break;
    }
    if (p->style == PRINT_PLAIN) return print_plain(p, value);
    return ok(p, avout_edn_print(value, to_buffer, p->buffer));
}

bool avout__lang_print(lang_run *run, avout__buffer *buffer, avout_value value, lang_style style)
{
    printer p = {run, buffer, style};
    size_t before = buffer->length;
    return print(&p, value) && lang_step_bytes(run, buffer->length - before);
}

/* ---- for messages -------------------------------------------------------------------------------------------- */

typedef struct cut {
    char *text;
    size_t size, used;
} cut;

/* Ends the printing when the text is full. */
static avout_status to_cut(const char *text, size_t length, void *payload)
{
    cut *c = payload;
    size_t room = c->size - 4 - c->used;
    size_t take = length < room ? length : room;
    while (take < length && take && (text[take] & 0xc0) == 0x80) take--;
    memcpy(c->text + c->used, text, take);
    c->used += take;
    if (take == length) return AVOUT_OK;
    memcpy(c->text + c->used, "...", 3);
    c->used += 3;
    return AVOUT_ELIMIT;
}

void avout__lang_glimpse(char *text, size_t size, avout_value value)
{
    cut c = {text, size, 0};
    if (avout__lang_object(value)) {
        snprintf(text, size, "a %s", avout__lang_type_name(value));
        return;
    }
    avout_status status = avout_edn_print(value, to_cut, &c);
    if (status && status != AVOUT_ELIMIT)
        c.used = (size_t)snprintf(text, size, "a %s", avout__lang_type_name(value));
    text[c.used] = '\0';
}
