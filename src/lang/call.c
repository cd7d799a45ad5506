/* Objects and their end; calling whatever is a function. */
#include "lang/node.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "lang/future.h"
#include "lang/lock.h"
#include "lang/regex.h"
#include "lang/state.h"
#include "base/banned.h"

/* ---- objects ---------------------------------------------------------------------------------------- */

static void destroy_closure(lang_closure *closure)
{
    for (size_t i = 0; i < closure->function->capture_count; i++)
        avout_release(closure->captured[i]);
    avout__lang_unit_release(closure->function->unit);
}

static void destroy_error(lang_error *error)
{
    avout_release(error->data);
    avout_release(error->cause);
    avout__free(error->message);
    avout__free(error->form);
}

static void destroy_lazy(lang_lazy *lazy)
{
    avout_release(lazy->make);
    avout_release(lazy->first);
    avout_release(lazy->rest);
    pthread_mutex_destroy(&lazy->lock);
}

static void destroy_native(lang_native *native)
{
    if (native->destroy) native->destroy(native->payload);
    avout__free(native->name);
}

static void destroy_var(lang_var *var)
{
    avout_release(var->doc);
    avout_release(var->value);
    avout__free(var->name);
}

static void destroy(lang_object *object)
{
    void *all = object;
    switch (object->kind) {
    case LANG_CLOSURE: destroy_closure(all); break;
    case LANG_NATIVE: destroy_native(all); break;
    case LANG_LAZY: destroy_lazy(all); break;
    case LANG_ERROR: destroy_error(all); break;
    case LANG_VAR: destroy_var(all); break;
    case LANG_REDUCED: avout_release(((lang_reduced *)all)->value); break;
    case LANG_CLIENT: avout__lang_client_destroy(all); break;
    case LANG_CELL: avout__lang_cell_destroy(all); break;
    case LANG_REGEX: avout__lang_regex_destroy(all); break;
    case LANG_FUTURE: avout__lang_future_destroy(all); break;
    case LANG_PROMISE:
    case LANG_VOLATILE:
    case LANG_DELAY: avout__lang_later_destroy(all); break;
    case LANG_LOCK: avout__lang_lock_destroy(all); break;
    case LANG_CONTAINER: avout__lang_container_destroy(all); break;
    case LANG_CONDITION: avout__lang_condition_destroy(all); break;
    case LANG_CORE: break;
    }
    avout__free(object);
}

/* The last owner of one object may own the last of another, and so on without end: those wait here
 * until the first is done. */
static void object_destroy(void *pointer)
{
    static _Thread_local lang_object *waiting;
    static _Thread_local bool busy;
    lang_object *object = pointer;
    if (busy) {
        object->next_dead = waiting;
        waiting = object;
        return;
    }
    busy = true;
    while (object) {
        destroy(object);
        object = waiting;
        if (object) waiting = object->next_dead;
    }
    busy = false;
}

avout_value avout__lang_box(void *object)
{
    return avout_box(object, object_destroy);
}

lang_object *avout__lang_object(avout_value value)
{
    void *pointer;
    return avout_value_is_box_of(&pointer, object_destroy, value) ? pointer : NULL;
}

void *avout__lang_object_of(avout_value value, lang_kind kind)
{
    lang_object *object = avout__lang_object(value);
    return object && object->kind == kind ? object : NULL;
}

/* ---- units and closures ------------------------------------------------------------------------------- */

lang_unit *avout__lang_unit_new(bool core)
{
    lang_unit *unit = avout__calloc(1, sizeof *unit);
    if (!unit) return NULL;
    atomic_init(&unit->refs, 1);
    unit->core = core;
    return unit;
}

void avout__lang_unit_release(lang_unit *unit)
{
    if (!unit || atomic_fetch_sub_explicit(&unit->refs, 1, memory_order_acq_rel) != 1) return;
    avout__lang_arena_release(&unit->arena);
    avout__free(unit->source);
    avout__free(unit);
}

static avout_value captured(const lang_source *source, const lang_frame *frame)
{
    switch (source->where) {
    case IN_SLOT: return avout_share(frame->slots[source->index]);
    case IN_CAPTURE: return avout_share(frame->closure->captured[source->index]);
    case IN_SELF: break;
    }
    return avout_share(frame->self);
}

avout_value avout__lang_closure(lang_run *run, const lang_function *function, lang_frame *frame)
{
    size_t count = function->capture_count;
    lang_closure *closure = avout__alloc(sizeof *closure + count * sizeof *closure->captured);
    if (!closure) return avout__lang_failed(run, AVOUT_ENOMEM);
    closure->object = (lang_object){LANG_CLOSURE, NULL};
    closure->function = function;
    for (size_t i = 0; i < count; i++)
        closure->captured[i] = captured(&function->captures[i], frame);
    atomic_fetch_add_explicit(&function->unit->refs, 1, memory_order_relaxed);
    return avout__lang_made(run, avout__lang_box(closure));
}

/* ---- calling ------------------------------------------------------------------------------------------ */

static const lang_arity *arity_for(const lang_function *function, size_t count)
{
    for (size_t i = 0; i < function->arity_count; i++) {
        const lang_arity *arity = &function->arities[i];
        if (arity->required == count || (arity->rest && arity->required < count)) return arity;
    }
    return NULL;
}

static avout_value wrong_count(lang_run *run, const lang_function *function, size_t count)
{
    char expected[80] = "";
    for (size_t i = 0; i < function->arity_count; i++) {
        const lang_arity *arity = &function->arities[i];
        size_t used = strlen(expected);
        snprintf(expected + used, sizeof expected - used, "%s%u%s", i ? " or " : "",
                 arity->required, arity->rest ? " or more" : "");
    }
    return avout__lang_fail(run, AVOUT_EINVAL, "%s: %zu argument%s given, expected %s",
                            function->name, count, count == 1 ? "" : "s", expected);
}

static avout_value run_body(lang_frame *frame, const lang_arity *arity)
{
    for (;;) {
        avout_value value = lang_eval(arity->body, frame);
        if (value.bits || !frame->run->recurring) return value;
        frame->run->recurring = false;
        if (!lang_step(frame->run, 1)) return AVOUT_NONE;
    }
}

/* The arguments behind the required ones as a list; nil when there are none. */
static bool rest_of(lang_run *run, avout_value *slot, size_t count, avout_value *arguments)
{
    *slot = count ? avout_list(count, arguments) : avout_nil();
    for (size_t i = 0; i < count; i++) arguments[i] = AVOUT_NONE;
    return slot->bits || avout__lang_failed(run, avout_none_status()).bits;
}

static avout_value call_closure(lang_run *run, avout_value self, size_t count,
                                avout_value *arguments)
{
    const lang_closure *closure = (const lang_closure *)(const void *)avout__lang_object(self);
    const lang_function *function = closure->function;
    const lang_arity *arity = arity_for(function, count);
    if (!arity) return wrong_count(run, function, count);
    avout_value *slots = avout__lang_push(run, arity->slots), value = AVOUT_NONE;
    if (!slots) return AVOUT_NONE;
    for (uint32_t i = 0; i < arity->required; i++) slots[i] = lang_take(&arguments[i]);
    bool fine = !arity->rest || rest_of(run, &slots[arity->required], count - arity->required,
                                        arguments + arity->required);
    lang_frame frame = {run, function->unit, closure, self, slots};
    if (fine) value = run_body(&frame, arity);
    avout__lang_pop(run, slots, arity->slots);
    return value;
}

static avout_value call_native(lang_run *run, const lang_native *native, size_t count,
                               const avout_value *arguments)
{
    avout_value result = AVOUT_NONE;
    if (count < native->least || count > native->most)
        return avout__lang_fail(run, AVOUT_EINVAL, "%s: %zu argument%s given, expected %zu to %zu",
                                native->name, count, count == 1 ? "" : "s", native->least,
                                native->most);
    avout_status status = native->call(&result, count, arguments, native->payload);
    run->ended = status == AVOUT_ECANCELLED;
    if (status) return avout__lang_failed(run, status);
    return avout__lang_made(run, result);
}

/* ({:a 1} :a), (:a {:a 1}), ('a m), (#{1} 1), ([1 2] 0); a default is only for the first three. */
static avout_value call_collection(lang_run *run, avout_value function, size_t count,
                                   avout_value *arguments)
{
    avout_type type = avout_value_type(function);
    bool named = type == AVOUT_TYPE_KEYWORD || type == AVOUT_TYPE_SYMBOL;
    bool may_default = named || type == AVOUT_TYPE_MAP;
    if (count < 1 || count > (may_default ? 2u : 1u))
        return avout__lang_fail(run, AVOUT_EINVAL, "a %s is called with one argument%s, %zu given",
                                avout__lang_type_name(function),
                                may_default ? " and perhaps a default" : "", count);
    if (type == AVOUT_TYPE_VECTOR) {
        avout_value two[] = {avout_share(function), lang_take(&arguments[0])};
        avout_value found = avout__lang_core_call(run, "nth", 2, two);
        avout_release(two[0]);
        avout_release(two[1]);
        return found;
    }
    if (!avout__lang_realize(run, &arguments[0], true)) return AVOUT_NONE;
    avout_value found =
        named ? avout_value_get(arguments[0], function) : avout_value_get(function, arguments[0]);
    if (found.bits) return avout_share(found);
    return count == 2 ? lang_take(&arguments[1]) : avout_nil();
}

static avout_value call_object(lang_run *run, lang_object *object, avout_value function,
                               size_t count, avout_value *arguments)
{
    switch (object->kind) {
    case LANG_CLOSURE: return call_closure(run, function, count, arguments);
    case LANG_NATIVE: return call_native(run, (const lang_native *)object, count, arguments);
    case LANG_CORE: {
        const lang_core *core = ((const lang_core_object *)object)->core;
        if (count < core->least || count > core->most)
            return avout__lang_fail(
                run, AVOUT_EINVAL, "%s: %zu argument%s given, expected (%s%s%s)", core->name, count,
                count == 1 ? "" : "s", core->name, *core->arguments ? " " : "", core->arguments);
        return core->call(run, count, arguments);
    }
    case LANG_VAR: {
        avout_value value = avout__lang_var_get((lang_var *)object), result = AVOUT_NONE;
        if (value.bits) result = avout__lang_call(run, value, count, arguments);
        else avout__lang_fail(run, AVOUT_ESTATE, "%s has no value", ((lang_var *)object)->name);
        avout_release(value);
        return result;
    }
    default: return avout__lang_wrong(run, "call", "a function", function);
    }
}

avout_value avout__lang_call(lang_run *run, avout_value function, size_t count,
                             avout_value *arguments)
{
    if (lang_deep(run) || !lang_step(run, 1)) return AVOUT_NONE;
    lang_object *object = avout__lang_object(function);
    if (object) return call_object(run, object, function, count, arguments);
    switch (avout_value_type(function)) {
    case AVOUT_TYPE_KEYWORD:
    case AVOUT_TYPE_SYMBOL:
    case AVOUT_TYPE_MAP:
    case AVOUT_TYPE_SET:
    case AVOUT_TYPE_VECTOR: return call_collection(run, function, count, arguments);
    default: return avout__lang_wrong(run, "call", "a function", function);
    }
}

avout_value avout__lang_call1(lang_run *run, avout_value function, avout_value argument)
{
    avout_value *arguments = avout__lang_push(run, 1), result = AVOUT_NONE;
    if (!arguments) {
        avout_release(argument);
        return AVOUT_NONE;
    }
    arguments[0] = argument;
    if (argument.bits) result = avout__lang_call(run, function, 1, arguments);
    avout__lang_pop(run, arguments, 1);
    return result;
}

avout_value avout__lang_call2(lang_run *run, avout_value function, avout_value first,
                              avout_value second)
{
    avout_value *arguments = avout__lang_push(run, 2), result = AVOUT_NONE;
    if (!arguments) {
        avout_release(first);
        avout_release(second);
        return AVOUT_NONE;
    }
    arguments[0] = first;
    arguments[1] = second;
    if (first.bits && second.bits) result = avout__lang_call(run, function, 2, arguments);
    avout__lang_pop(run, arguments, 2);
    return result;
}

bool avout__lang_is_function(avout_value value)
{
    const lang_object *object = avout__lang_object(value);
    return object && (object->kind == LANG_CLOSURE || object->kind == LANG_CORE ||
                      object->kind == LANG_NATIVE);
}
