/* The calls of avout/lang.h that evaluate. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "lang/lang.h"
#include "base/banned.h"

struct avout_lang_function {
    avout_lang *lang; /* a reference */
    avout_value function;
};

static avout_status no_argument(const char *name)
{
    return avout_fail(AVOUT_EINVAL, "%s: an argument is NULL", name);
}

/* ---- errors ------------------------------------------------------------------------------------------------- */

/* What the run ended with, for the caller and as the thread's detail. */
static avout_status report(lang_run *run, avout_lang_error *error)
{
    const lang_error *thrown = avout__lang_object_of(run->thrown, LANG_ERROR);
    avout_status status = run->status;
    avout_lang_error made = {.status = status};
    const char *message = thrown ? thrown->message : avout_status_text(status);
    if (thrown && !*message) message = thrown->class_name ? thrown->class_name : "Exception";
    snprintf(made.message, sizeof made.message, "%s", message);
    if (thrown) {
        made.line = thrown->place.line;
        made.column = thrown->place.column;
        snprintf(made.form, sizeof made.form, "%s", thrown->form ? thrown->form : "");
    }
    /* A status that is to be handed on is no error of the program. */
    if (status == AVOUT_RETRY || status == AVOUT_BLOCK) avout__fail_text(status, message);
    else if (made.line && *made.form)
        avout_fail(status, "line %zu, column %zu: %s, in %s", made.line, made.column, made.message,
                   made.form);
    else if (made.line)
        avout_fail(status, "line %zu, column %zu: %s", made.line, made.column, made.message);
    else avout__fail_text(status, message);
    if (error) *error = made;
    return status;
}

static avout_status report_reader(const lang_reader *reader, avout_status status, bool unfinished,
                                  avout_lang_error *error)
{
    avout_lang_error made = {.status = status,
                             .line = reader->place.line,
                             .column = reader->place.column,
                             .unfinished = unfinished};
    snprintf(made.message, sizeof made.message, "%s", reader->message);
    if (error) *error = made;
    return avout_fail(status, "line %zu, column %zu: %s", made.line, made.column, made.message);
}

/* ---- forms --------------------------------------------------------------------------------------------------- */

/* Compiles and runs one form. A `do` at the top is its forms one after the other: what one defines, the
 * next one may name. */
static avout_value evaluate(lang_run *run, lang_unit *unit, const lang_form *form)
{
    uint32_t slots;
    if (form->kind == FORM_LIST && form->count > 1 && avout__lang_is_named(form->items[0], "do")) {
        avout_value value = avout_nil();
        for (size_t i = 1; i < form->count && value.bits; i++) {
            avout_release(value);
            value = evaluate(run, unit, form->items[i]);
        }
        return value;
    }
    const lang_node *node = avout__lang_compile(run, unit, form, &slots);
    return node ? avout__lang_execute(run, unit, node, slots) : AVOUT_NONE;
}

/* The next form of the reader's text, in a unit of its own; *form NULL: there is none. */
static avout_status next_form(lang_unit **unit, const lang_form **form, lang_reader *reader,
                              avout_lang_error *error)
{
    bool unfinished;
    *form = NULL;
    *unit = avout__lang_unit_new(false);
    if (!*unit) return AVOUT_ENOMEM;
    reader->arena = &(*unit)->arena;
    avout_status status = avout__lang_read(form, reader, &unfinished);
    if (status) return report_reader(reader, status, unfinished, error);
    if (!*form) return AVOUT_OK;
    const lang_place *place = &(*form)->place;
    (*unit)->begin = place->begin;
    (*unit)->length = place->end - place->begin;
    (*unit)->source = avout__memdup(reader->text + place->begin, (*unit)->length);
    return (*unit)->source ? AVOUT_OK : AVOUT_ENOMEM;
}

/* The reader's error as the run's. */
static avout_value unread(lang_run *run, avout_status status, const lang_reader *reader)
{
    if (status == AVOUT_ENOMEM) return avout__lang_failed(run, status);
    avout__lang_fail(run, status, "%s", reader->message);
    lang_error *error = avout__lang_object_of(run->thrown, LANG_ERROR);
    if (error) error->place = reader->place;
    return AVOUT_NONE;
}

/* *e, for those who look at what went wrong: only where the program around us has defined it. */
static void keep_error(lang_run *run)
{
    avout_value name = run->thrown.bits ? avout_symbol("*e") : AVOUT_NONE;
    lang_var *var = name.bits ? avout__lang_var(run->lang, name, false) : NULL;
    if (var) avout__lang_var_set(var, avout_share(run->thrown));
    avout_release(name);
}

/* *value gets the form's value; AVOUT_NONE: there was no form. */
static avout_status evaluate_next(avout_value *value, avout_lang *lang, lang_reader *reader,
                                  avout_lang_error *error)
{
    lang_run run;
    lang_unit *unit;
    const lang_form *form;
    *value = AVOUT_NONE;
    avout__lang_run_start(&run, lang);
    reader->stack_limit = run.stack_limit;
    avout_status status = next_form(&unit, &form, reader, error);
    if (!status && form) {
        *value = evaluate(&run, unit, form);
        if (value->bits && !avout__lang_realize(&run, value, true)) avout_release(lang_take(value));
        if (!value->bits) {
            keep_error(&run);
            status = report(&run, error);
        }
    }
    avout__lang_unit_release(unit);
    avout__lang_run_end(&run);
    return status;
}

avout_status avout_lang_eval(avout_value *value, avout_lang *lang, const char *text, size_t length,
                             avout_lang_error *error)
{
    if (!value || !lang || (!text && length)) return no_argument("avout_lang_eval");
    lang_reader reader = {.text = text, .length = length, .line = 1, .column = 1};
    avout_value last = avout_nil(), next;
    avout_status status;
    for (;;) {
        status = evaluate_next(&next, lang, &reader, error);
        if (status || !next.bits) break;
        avout_release(last);
        last = next;
    }
    if (status) avout_release(last);
    else *value = last;
    return status;
}

/* Moves the reader to a byte of its text. */
static void move_to(lang_reader *reader, size_t position)
{
    for (; reader->at < position; reader->at++) {
        unsigned char c = (unsigned char)reader->text[reader->at];
        if (c == '\n') {
            reader->line++;
            reader->column = 1;
        } else if ((c & 0xc0) != 0x80) {
            reader->column++;
        }
    }
}

avout_status avout_lang_eval_next(avout_value *value, avout_lang *lang, const char *text,
                                  size_t length, size_t *position, avout_lang_error *error)
{
    if (!value || !lang || !position || (!text && length))
        return no_argument("avout_lang_eval_next");
    if (*position > length)
        return avout_fail(AVOUT_EINVAL, "avout_lang_eval_next: the position is behind the text");
    lang_reader reader = {.text = text, .length = length, .line = 1, .column = 1};
    avout_value made;
    move_to(&reader, *position);
    size_t before = reader.at;
    avout_lang_error own;
    if (!error) error = &own;
    *error = (avout_lang_error){0};
    avout_status status = evaluate_next(&made, lang, &reader, error);
    bool unread = status && reader.message[0];
    *position = unread ? before : reader.at;
    if (!status) *value = made;
    return status;
}

/* All forms of a text in a run that is under way; the value of the last one. */
avout_value avout__lang_load(lang_run *run, const char *text, size_t length)
{
    lang_reader reader = {
        .text = text, .length = length, .line = 1, .column = 1, .stack_limit = run->stack_limit};
    avout_value value = avout_nil();
    while (value.bits) {
        lang_unit *unit;
        const lang_form *form;
        avout_status status = next_form(&unit, &form, &reader, NULL);
        if (!status && !form) {
            avout__lang_unit_release(unit);
            break;
        }
        avout_release(value);
        if (status) value = unread(run, status, &reader);
        else value = evaluate(run, unit, form);
        avout__lang_unit_release(unit);
    }
    return value;
}

avout_value avout__lang_read_value(lang_run *run, const char *text, size_t length)
{
    lang_reader reader = {
        .text = text, .length = length, .line = 1, .column = 1, .stack_limit = run->stack_limit};
    lang_unit *unit;
    const lang_form *form;
    avout_value value = AVOUT_NONE;
    avout_status status = next_form(&unit, &form, &reader, NULL);
    if (status) unread(run, status, &reader);
    else if (form) value = avout__lang_made(run, avout__lang_form_value(form));
    else avout__lang_fail(run, AVOUT_ESYNTAX, "read-string: there is no form");
    avout__lang_unit_release(unit);
    return value;
}

/* ---- functions -------------------------------------------------------------------------------------------------- */

/* Consumes nothing; the result has no lazy sequence in it. */
static avout_status call(avout_value *value, avout_lang *lang, avout_value function, size_t count,
                         const avout_value *arguments, bool repeats, avout_lang_error *error)
{
    lang_run run;
    avout_status status = AVOUT_OK;
    avout_value made = AVOUT_NONE;
    avout__lang_run_start(&run, lang);
    run.repeats = repeats;
    avout_value *values = avout__lang_push(&run, count);
    for (size_t i = 0; values && i < count; i++) values[i] = avout_share(arguments[i]);
    if (values) made = avout__lang_call(&run, function, count, values);
    if (made.bits && !avout__lang_realize(&run, &made, true)) avout_release(lang_take(&made));
    if (made.bits) *value = made;
    else status = report(&run, error);
    if (values) avout__lang_pop(&run, values, count);
    avout__lang_run_end(&run);
    return status;
}

avout_status avout_lang_call(avout_value *value, avout_lang *lang, avout_value function,
                             size_t count, const avout_value *arguments, avout_lang_error *error)
{
    if (!value || !lang || (count && !arguments)) return no_argument("avout_lang_call");
    return call(value, lang, function, count, arguments, false, error);
}

static bool can_be_called(avout_value value)
{
    avout_type type = avout_value_type(value);
    return avout__lang_is_function(value) || avout__lang_object_of(value, LANG_VAR) ||
           type == AVOUT_TYPE_KEYWORD || type == AVOUT_TYPE_MAP || type == AVOUT_TYPE_SET;
}

avout_status avout__lang_function_new(avout_lang_function **out, avout_lang *lang,
                                      avout_value value)
{
    avout_lang_function *function = avout__alloc(sizeof *function);
    if (!function) {
        avout_release(value);
        return AVOUT_ENOMEM;
    }
    avout__lang_ref(lang);
    *function = (avout_lang_function){lang, value};
    *out = function;
    return AVOUT_OK;
}

avout_status avout_lang_compile(avout_lang_function **out, avout_lang *lang, const char *text,
                                size_t length, avout_lang_error *error)
{
    avout_value value;
    if (!out || !lang || !text) return no_argument("avout_lang_compile");
    avout_status status = avout_lang_eval(&value, lang, text, length, error);
    if (status) return status;
    if (!can_be_called(value)) {
        char glimpse[80];
        avout__lang_glimpse(glimpse, sizeof glimpse, value);
        status = avout_fail(AVOUT_ETYPE, "expected a function, got %s (%s)", glimpse,
                            avout__lang_type_name(value));
        if (error) {
            *error = (avout_lang_error){.status = status};
            snprintf(error->message, sizeof error->message, "%s", avout_error_detail());
        }
        avout_release(value);
        return status;
    }
    return avout__lang_function_new(out, lang, value);
}

avout_status avout_lang_change(avout_value *value, void *function)
{
    const avout_lang_function *f = function;
    avout_value changed;
    avout_status status = call(&changed, f->lang, f->function, 1, value, true, NULL);
    if (status) return status;
    avout_release(*value);
    *value = changed;
    return AVOUT_OK;
}

avout_status avout_lang_validate(avout_value value, void *function)
{
    const avout_lang_function *f = function;
    avout_value answer;
    avout_status status = call(&answer, f->lang, f->function, 1, &value, true, NULL);
    if (status) return status;
    bool fine = avout_value_truthy(answer);
    avout_release(answer);
    return fine ? AVOUT_OK : avout_fail(AVOUT_EVALIDATOR, "value refused by the validator");
}

void avout_lang_function_free(void *function)
{
    avout_lang_function *f = function;
    if (!f) return;
    avout_release(f->function);
    avout__lang_unref(f->lang);
    avout__free(f);
}

/* ---- defining ----------------------------------------------------------------------------------------------------- */

avout_status avout_lang_define(avout_lang *lang, const char *name, avout_value value)
{
    if (!lang || !name || !value.bits) {
        avout_release(value);
        return no_argument("avout_lang_define");
    }
    avout_value symbol = avout_symbol(name);
    if (!symbol.bits) {
        avout_release(value);
        return avout_none_status();
    }
    lang_var *var = avout__lang_var(lang, symbol, true);
    avout_release(symbol);
    if (!var) {
        avout_release(value);
        return AVOUT_ENOMEM;
    }
    avout__lang_var_set(var, value);
    return AVOUT_OK;
}

avout_status avout_lang_define_function(avout_lang *lang, const char *name, size_t least,
                                        size_t most, avout_lang_native_fn function, void *payload,
                                        void (*destroy)(void *payload))
{
    bool fine = lang && name && function;
    lang_native *native = fine ? avout__alloc(sizeof *native) : NULL;
    char *copy = native ? avout__strdup(name) : NULL;
    if (!copy) {
        avout__free(native);
        if (destroy) destroy(payload);
        return fine ? AVOUT_ENOMEM : no_argument("avout_lang_define_function");
    }
    *native = (lang_native){{LANG_NATIVE, NULL}, copy, least, most, function, payload, destroy};
    avout_value box = avout__lang_box(native);
    return box.bits ? avout_lang_define(lang, name, box) : AVOUT_ENOMEM;
}

/* ---- the prelude, text ---------------------------------------------------------------------------------------------- */

avout_value avout__lang_evaluate_core(lang_run *run, const lang_core *core)
{
    lang_unit *unit = avout__lang_unit_new(true);
    const lang_form *form = NULL;
    if (!unit) return avout__lang_failed(run, AVOUT_ENOMEM);
    lang_reader reader = {.arena = &unit->arena,
                          .text = core->source,
                          .length = strlen(core->source),
                          .stack_limit = run->stack_limit,
                          .line = 1,
                          .column = 1};
    avout_status status = avout__lang_read(&form, &reader, NULL);
    avout_value value = AVOUT_NONE;
    if (status) avout__lang_fail(run, status, "%s: %s", core->name, reader.message);
    else value = evaluate(run, unit, form);
    avout__lang_unit_release(unit);
    return value;
}

avout_status avout_lang_text(char **text, size_t *length, avout_lang *lang, avout_value value)
{
    if (!text || !lang || !value.bits) return no_argument("avout_lang_text");
    lang_run run;
    avout__buffer buffer = AVOUT__BUFFER_INIT;
    avout_status status = AVOUT_OK;
    avout__lang_run_start(&run, lang);
    if (avout__lang_print(&run, &buffer, value, PRINT_READABLY)) {
        if (length) *length = buffer.length;
        *text = avout__buffer_take(&buffer);
        if (!*text) status = AVOUT_ENOMEM;
    } else {
        status = report(&run, NULL);
        avout__buffer_release(&buffer);
    }
    avout__lang_run_end(&run);
    return status;
}
