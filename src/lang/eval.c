/* What each node does. The functions are small, as C's stack follows the nesting of forms. */
#include "lang/node.h"

#include "base/error.h"
#include "base/banned.h"

/* ---- names --------------------------------------------------------------------------------------- */

avout_value avout__lang_eval_constant(const lang_node *node, lang_frame *frame)
{
    (void)frame;
    return avout_share(((const lang_constant_node *)node)->value);
}

avout_value avout__lang_eval_slot(const lang_node *node, lang_frame *frame)
{
    avout_value value = frame->slots[((const lang_local_node *)node)->index];
    AVOUT__DEBUG_ASSERT(value.bits);
    return avout_share(value);
}

avout_value avout__lang_eval_last(const lang_node *node, lang_frame *frame)
{
    avout_value *slot = &frame->slots[((const lang_local_node *)node)->index];
    AVOUT__DEBUG_ASSERT(slot->bits);
    return lang_take(slot);
}

avout_value avout__lang_eval_capture(const lang_node *node, lang_frame *frame)
{
    return avout_share(frame->closure->captured[((const lang_local_node *)node)->index]);
}

avout_value avout__lang_eval_self(const lang_node *node, lang_frame *frame)
{
    (void)node;
    return avout_share(frame->self);
}

avout_value avout__lang_eval_var(const lang_node *node, lang_frame *frame)
{
    lang_var *var = ((const lang_var_node *)node)->var;
    avout_value value = avout__lang_var_get(var);
    if (value.bits) return value;
    avout__lang_fail(frame->run, AVOUT_ESTATE, "%s has no value yet", var->name);
    return avout__lang_place_error(frame->run, frame->unit, &node->place);
}

avout_value avout__lang_eval_def(const lang_node *node, lang_frame *frame)
{
    const lang_var_node *n = (const lang_var_node *)node;
    if (n->value) {
        avout_value value = lang_eval(n->value, frame);
        if (!value.bits) return AVOUT_NONE;
        avout__lang_var_set(n->var, value);
    }
    return avout_share(n->var->self);
}

avout_value avout__lang_eval_defonce(const lang_node *node, lang_frame *frame)
{
    avout_value now = avout__lang_var_get(((const lang_var_node *)node)->var);
    avout_release(now);
    return now.bits ? avout_nil() : avout__lang_eval_def(node, frame);
}

avout_value avout__lang_eval_fn(const lang_node *node, lang_frame *frame)
{
    const lang_fn_node *n = (const lang_fn_node *)node;
    return avout__lang_closure(frame->run, n->function, frame);
}

/* ---- branches -------------------------------------------------------------------------------------- */

avout_value avout__lang_eval_if(const lang_node *node, lang_frame *frame)
{
    const lang_if_node *n = (const lang_if_node *)node;
    avout_value test = lang_eval(n->test, frame);
    if (!test.bits) return AVOUT_NONE;
    bool truth = avout_value_truthy(test);
    avout_release(test);
    if (truth) return lang_eval(n->then, frame);
    return n->otherwise ? lang_eval(n->otherwise, frame) : avout_nil();
}

avout_value avout__lang_eval_do(const lang_node *node, lang_frame *frame)
{
    const lang_many_node *n = (const lang_many_node *)node;
    for (size_t i = 0; i + 1 < n->count; i++) {
        avout_value value = lang_eval(n->items[i], frame);
        if (!value.bits) return AVOUT_NONE;
        avout_release(value);
    }
    return lang_eval(n->items[n->count - 1], frame);
}

/* The first whose truth is `wanted`, or the last. */
static avout_value junction(const lang_many_node *n, lang_frame *frame, bool wanted)
{
    for (size_t i = 0; i + 1 < n->count; i++) {
        avout_value value = lang_eval(n->items[i], frame);
        if (!value.bits || avout_value_truthy(value) == wanted) return value;
        avout_release(value);
    }
    return lang_eval(n->items[n->count - 1], frame);
}

avout_value avout__lang_eval_and(const lang_node *node, lang_frame *frame)
{
    return junction((const lang_many_node *)node, frame, false);
}

avout_value avout__lang_eval_or(const lang_node *node, lang_frame *frame)
{
    return junction((const lang_many_node *)node, frame, true);
}

avout_value avout__lang_eval_case(const lang_node *node, lang_frame *frame)
{
    const lang_case_node *n = (const lang_case_node *)node;
    avout_value value = lang_eval(n->value, frame);
    if (!value.bits || !avout__lang_realize(frame->run, &value, false)) {
        avout_release(value);
        return AVOUT_NONE;
    }
    avout_value found = avout_value_get(n->table, value);
    int64_t index = 0;
    if (found.bits) avout_value_to_int(&index, found);
    if (!found.bits && !n->otherwise) {
        char text[64];
        avout__lang_glimpse(text, sizeof text, value);
        avout__lang_fail(frame->run, AVOUT_EINVAL, "case: no constant equals %s", text);
        avout__lang_place_error(frame->run, frame->unit, &node->place);
    }
    avout_release(value);
    if (found.bits) return lang_eval(n->branches[index], frame);
    return n->otherwise ? lang_eval(n->otherwise, frame) : AVOUT_NONE;
}

/* ---- let, loop ------------------------------------------------------------------------------------- */

static void set_slot(lang_frame *frame, uint32_t slot, avout_value value)
{
    avout_value before = frame->slots[slot];
    frame->slots[slot] = value;
    avout_release(before);
}

static bool set_all(const lang_let_node *n, lang_frame *frame)
{
    for (size_t i = 0; i < n->count; i++) {
        avout_value value = lang_eval(n->sets[i].value, frame);
        if (!value.bits) return false;
        set_slot(frame, n->sets[i].slot, value);
    }
    return true;
}

avout_value avout__lang_eval_let(const lang_node *node, lang_frame *frame)
{
    const lang_let_node *n = (const lang_let_node *)node;
    return set_all(n, frame) ? lang_eval(n->body, frame) : AVOUT_NONE;
}

avout_value avout__lang_eval_loop(const lang_node *node, lang_frame *frame)
{
    const lang_let_node *n = (const lang_let_node *)node;
    lang_run *run = frame->run;
    if (!set_all(n, frame)) return AVOUT_NONE;
    for (;;) {
        avout_value value = lang_eval(n->body, frame);
        if (value.bits || !run->recurring) return value;
        run->recurring = false;
        if (!lang_step(run, 1)) return avout__lang_place_error(run, frame->unit, &node->place);
    }
}

/* All new values are made before any is set. */
avout_value avout__lang_eval_recur(const lang_node *node, lang_frame *frame)
{
    const lang_let_node *n = (const lang_let_node *)node;
    lang_run *run = frame->run;
    avout_value *values = avout__lang_push(run, n->count);
    if (!values) return AVOUT_NONE;
    size_t made = 0;
    while (made < n->count && (values[made] = lang_eval(n->sets[made].value, frame)).bits) made++;
    if (made == n->count) {
        for (size_t i = 0; i < made; i++) set_slot(frame, n->sets[i].slot, lang_take(&values[i]));
        run->recurring = true;
    }
    avout__lang_pop(run, values, n->count);
    return AVOUT_NONE;
}

/* The body for every element of the source, until it answers false. */
avout_value avout__lang_eval_each(const lang_node *node, lang_frame *frame)
{
    const lang_each_node *n = (const lang_each_node *)node;
    lang_walk walk;
    avout_value source = lang_eval(n->source, frame), item;
    if (!source.bits) return AVOUT_NONE;
    bool fine = avout__lang_walk(&walk, frame->run, n->name, source);
    avout_release(source);
    if (!fine) return avout__lang_place_error(frame->run, frame->unit, &n->source->place);
    bool more = true;
    while (fine && more && avout__lang_walk_next(&walk, &item)) {
        set_slot(frame, n->slot, item);
        avout_value answer = lang_eval(n->body, frame);
        fine = answer.bits != 0;
        more = fine && avout_value_truthy(answer);
        avout_release(answer);
    }
    fine = avout__lang_walk_end(&walk) && fine;
    if (fine) return avout_bool(true);
    return avout__lang_place_error(frame->run, frame->unit, &node->place);
}

/* ---- collections ------------------------------------------------------------------------------------ */

typedef avout_value (*maker_fn)(size_t count, const avout_value *items);

static avout_value make(const lang_node *node, lang_frame *frame, maker_fn maker, size_t per_item)
{
    const lang_many_node *n = (const lang_many_node *)node;
    lang_run *run = frame->run;
    avout_value *items = avout__lang_push(run, n->count), made = AVOUT_NONE;
    if (!items) return AVOUT_NONE;
    size_t count = 0;
    for (; count < n->count; count++) {
        bool key = maker != avout_vector && count % per_item == 0;
        items[count] = lang_eval(n->items[count], frame);
        if (!items[count].bits) break;
        if (key && !avout__lang_realize(run, &items[count], true)) break;
    }
    if (count == n->count && lang_step(run, count)) {
        made = maker(count / per_item, items);
        for (size_t i = 0; i < count; i++) items[i] = AVOUT_NONE;
        if (!made.bits) avout__lang_failed(run, avout_none_status());
    }
    avout__lang_pop(run, items, n->count);
    return made.bits ? made : avout__lang_place_error(run, frame->unit, &node->place);
}

avout_value avout__lang_eval_vector(const lang_node *node, lang_frame *frame)
{
    return make(node, frame, avout_vector, 1);
}

avout_value avout__lang_eval_set(const lang_node *node, lang_frame *frame)
{
    return make(node, frame, avout_set, 1);
}

avout_value avout__lang_eval_map(const lang_node *node, lang_frame *frame)
{
    return make(node, frame, avout_map, 2);
}

/* ---- calls ------------------------------------------------------------------------------------------ */

static bool arguments(avout_value *values, const lang_many_node *n, lang_frame *frame)
{
    for (size_t i = 0; i < n->count; i++)
        if (!(values[i] = lang_eval(n->items[i], frame)).bits) return false;
    return true;
}

avout_value avout__lang_eval_core(const lang_node *node, lang_frame *frame)
{
    const lang_many_node *n = (const lang_many_node *)node;
    lang_run *run = frame->run;
    if (lang_deep(run)) return avout__lang_place_error(run, frame->unit, &node->place);
    avout_value *values = avout__lang_push(run, n->count), result = AVOUT_NONE;
    if (!values) return AVOUT_NONE;
    if (arguments(values, n, frame) && lang_step(run, 1))
        result = n->core->call(run, n->count, values);
    avout__lang_pop(run, values, n->count);
    return result.bits ? result : avout__lang_place_error(run, frame->unit, &node->place);
}

avout_value avout__lang_eval_call(const lang_node *node, lang_frame *frame)
{
    const lang_many_node *n = (const lang_many_node *)node;
    lang_run *run = frame->run;
    avout_value function = lang_eval(n->function, frame), result = AVOUT_NONE;
    if (!function.bits) return AVOUT_NONE;
    avout_value *values = avout__lang_push(run, n->count);
    if (values && arguments(values, n, frame))
        result = avout__lang_call(run, function, n->count, values);
    if (values) avout__lang_pop(run, values, n->count);
    avout_release(function);
    return result.bits ? result : avout__lang_place_error(run, frame->unit, &node->place);
}

/* ---- try -------------------------------------------------------------------------------------------- */

static const lang_catch_clause *clause_for(const lang_try_node *n, const lang_run *run)
{
    const lang_error *error = avout__lang_object_of(run->thrown, LANG_ERROR);
    bool known;
    if (run->fatal || !error) return NULL;
    for (size_t i = 0; i < n->count; i++)
        if (avout__lang_error_is(error, n->clauses[i].class_name, &known)) return &n->clauses[i];
    return NULL;
}

/* Its value is thrown away, its error takes the place of the one before, if that could be caught. */
static bool run_finally(const lang_node *finally, lang_frame *frame)
{
    lang_run *run = frame->run;
    lang_aside aside = avout__lang_put_aside(run);
    avout_value value = lang_eval(finally, frame);
    avout_release(value);
    avout__lang_put_back(run, &aside);
    return value.bits != 0;
}

avout_value avout__lang_eval_try(const lang_node *node, lang_frame *frame)
{
    const lang_try_node *n = (const lang_try_node *)node;
    lang_run *run = frame->run;
    avout_value value = lang_eval(n->body, frame);
    const lang_catch_clause *clause = value.bits ? NULL : clause_for(n, run);
    if (clause) {
        set_slot(frame, clause->slot, avout__lang_catch(run));
        value = lang_eval(clause->body, frame);
    }
    if (n->finally && !run->ended && !run_finally(n->finally, frame)) {
        avout_release(value);
        return AVOUT_NONE;
    }
    return value;
}

/* ---- the top level ------------------------------------------------------------------------------------ */

avout_value avout__lang_execute(lang_run *run, lang_unit *unit, const lang_node *node,
                                uint32_t slots)
{
    avout_value *values = avout__lang_push(run, slots);
    if (!values) return AVOUT_NONE;
    lang_frame frame = {run, unit, NULL, AVOUT_NONE, values};
    avout_value value = lang_eval(node, &frame);
    avout__lang_pop(run, values, slots);
    return value;
}
