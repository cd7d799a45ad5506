/* Sequences. What has an end is made at once, as a list; what may have none stays lazy, and the lazy
 * form of a function is in the prelude under its name with a star. */
#include "lang/core.h"

#include "base/alloc.h"
#include "base/banned.h"

static avout_value finish(lang_run *run, lang_items *items, bool fine)
{
    if (fine) return avout__lang_list(run, items);
    avout__lang_drop(items);
    return AVOUT_NONE;
}

/* ---- parts ----------------------------------------------------------------------------------------------- */

/* *first is owned, or AVOUT_NONE: there is none. */
static bool first_of(lang_run *run, const char *name, avout_value value, avout_value *first)
{
    lang_walk walk;
    *first = AVOUT_NONE;
    if (!avout__lang_walk(&walk, run, name, value)) return false;
    avout__lang_walk_next(&walk, first);
    return avout__lang_walk_end(&walk);
}

CORE(first)
{
    avout_value found;
    if (!first_of(run, "first", args[0], &found)) return AVOUT_NONE;
    return found.bits ? found : avout_nil();
}

/* All but the first, as a list or lazy; an empty list when there is nothing left. */
static avout_value rest_of(lang_run *run, const char *name, avout_value *arg)
{
    if (avout__lang_is_lazy(*arg)) {
        bool empty;
        if (!avout__lang_force(run, *arg, &empty)) return AVOUT_NONE;
        if (empty) return avout__lang_made(run, avout_list(0, NULL));
        return avout__lang_rest(*arg);
    }
    avout_type type = avout_value_type(*arg);
    if (type == AVOUT_TYPE_LIST || type == AVOUT_TYPE_VECTOR || type == AVOUT_TYPE_NIL) {
        avout_value value = lang_take(arg);
        return lang_done(run, avout_rest(&value), value);
    }
    lang_walk walk;
    lang_items items = {0};
    avout_value item;
    if (!avout__lang_walk(&walk, run, name, *arg)) return AVOUT_NONE;
    bool fine = true;
    if (avout__lang_walk_next(&walk, &item)) avout_release(item);
    while (fine && avout__lang_walk_next(&walk, &item)) fine = avout__lang_add(run, &items, item);
    fine = avout__lang_walk_end(&walk) && fine;
    return finish(run, &items, fine);
}

CORE(rest)
{
    return rest_of(run, "rest", &args[0]);
}

/* nil for what is empty. */
static avout_value seq_of(lang_run *run, const char *name, avout_value value)
{
    size_t size = 0;
    bool empty;
    if (!value.bits) return AVOUT_NONE;
    if (avout__lang_is_lazy(value)) {
        bool fine = avout__lang_force(run, value, &empty);
        if (fine && !empty) return value;
        avout_release(value);
        return fine ? avout_nil() : AVOUT_NONE;
    }
    if (avout_value_type(value) == AVOUT_TYPE_LIST) {
        avout_value_count(&size, value);
        if (size) return value;
        avout_release(value);
        return avout_nil();
    }
    lang_items items = {0};
    bool fine = avout__lang_add_all(run, &items, name, value);
    avout_release(value);
    if (fine && !items.count) {
        avout__lang_drop(&items);
        return avout_nil();
    }
    return finish(run, &items, fine);
}

CORE(seq)
{
    return seq_of(run, "seq", lang_take(&args[0]));
}

CORE(next)
{
    return seq_of(run, "next", rest_of(run, "next", &args[0]));
}

CORE(cons)
{
    avout_type type = avout_value_type(args[1]);
    if (type == AVOUT_TYPE_LIST || avout__lang_is_lazy(args[1]))
        return avout__lang_cons(run, lang_take(&args[0]), lang_take(&args[1]));
    lang_items items = {0};
    bool fine = avout__lang_add(run, &items, lang_take(&args[0])) &&
                avout__lang_add_all(run, &items, "cons", args[1]);
    return finish(run, &items, fine);
}

CORE(last)
{
    lang_walk walk;
    avout_value found = AVOUT_NONE, item;
    if (!avout__lang_walk(&walk, run, "last", args[0])) return AVOUT_NONE;
    avout_release(lang_take(&args[0]));
    while (avout__lang_walk_next(&walk, &item)) {
        avout_release(found);
        found = item;
    }
    if (avout__lang_walk_end(&walk)) return found.bits ? found : avout_nil();
    avout_release(found);
    return AVOUT_NONE;
}

/* The element at the index; without one `otherwise`, or an error. */
static avout_value nth_of(lang_run *run, avout_value collection, int64_t index,
                          avout_value otherwise)
{
    lang_walk walk;
    avout_value item = AVOUT_NONE;
    avout_type type = avout_value_type(collection);
    bool indexed = type == AVOUT_TYPE_VECTOR || type == AVOUT_TYPE_LIST;
    if (type == AVOUT_TYPE_MAP || type == AVOUT_TYPE_SET)
        return avout__lang_wrong(run, "nth", "a sequence, vector or string", collection);
    if (indexed && index >= 0) item = avout_share(avout_value_nth(collection, (size_t)index));
    if (!indexed) {
        if (!avout__lang_walk(&walk, run, "nth", collection)) return AVOUT_NONE;
        for (int64_t i = 0; i <= index && avout__lang_walk_next(&walk, &item); i++) {
            if (i == index) break;
            avout_release(lang_take(&item));
        }
        if (!avout__lang_walk_end(&walk)) return AVOUT_NONE;
    }
    if (item.bits) return item;
    if (otherwise.bits) return avout_share(otherwise);
    if (type == AVOUT_TYPE_NIL) return avout_nil();
    return avout__lang_fail(run, AVOUT_ERANGE, "nth: there is no element %lld", (long long)index);
}

CORE(nth)
{
    int64_t index;
    if (!avout__lang_integer(run, "nth", &index, args[1])) return AVOUT_NONE;
    return nth_of(run, args[0], index, count == 3 ? args[2] : AVOUT_NONE);
}

/* [a b] = coll */
CORE(nth_or_nil)
{
    int64_t index;
    if (!avout__lang_integer(run, "nth", &index, args[1])) return AVOUT_NONE;
    return nth_of(run, args[0], index, avout_nil());
}

/* ---- take, drop ------------------------------------------------------------------------------------------ */

CORE(take)
{
    if (count == 1) return avout__lang_core_call(run, "take-xf*", count, args);
    int64_t number;
    lang_walk walk;
    lang_items items = {0};
    avout_value item;
    if (!avout__lang_integer(run, "take", &number, args[0])) return AVOUT_NONE;
    /* As many as that may be more than anybody wants, or can have. */
    if (number > 1 << 18 && avout__lang_is_lazy(args[1]))
        return avout__lang_core_call(run, "take*", 2, args);
    if (!avout__lang_walk(&walk, run, "take", args[1])) return AVOUT_NONE;
    bool fine = true;
    for (int64_t i = 0; i < number && fine && avout__lang_walk_next(&walk, &item); i++)
        fine = avout__lang_add(run, &items, item);
    fine = avout__lang_walk_end(&walk) && fine;
    return finish(run, &items, fine);
}

static avout_value drop_of(lang_run *run, const char *name, int64_t number, avout_value *arg)
{
    avout_value left = lang_take(arg);
    if (avout__lang_is_lazy(left) || avout_value_type(left) == AVOUT_TYPE_LIST) {
        bool empty = false;
        size_t size = 1;
        for (int64_t i = 0; i < number && left.bits && !empty && size; i++) {
            avout_value rest = lang_step(run, 1) ? rest_of(run, name, &left) : AVOUT_NONE;
            avout_release(left);
            left = rest;
            if (avout_value_type(left) == AVOUT_TYPE_LIST) avout_value_count(&size, left);
        }
        return left;
    }
    lang_walk walk;
    lang_items items = {0};
    avout_value item;
    bool fine = avout__lang_walk(&walk, run, name, left);
    avout_release(left);
    if (!fine) return AVOUT_NONE;
    for (int64_t i = 0; fine && avout__lang_walk_next(&walk, &item); i++) {
        if (i < number) avout_release(item);
        else fine = avout__lang_add(run, &items, item);
    }
    fine = avout__lang_walk_end(&walk) && fine;
    return finish(run, &items, fine);
}

CORE(drop)
{
    if (count == 1) return avout__lang_core_call(run, "drop-xf*", count, args);
    int64_t number;
    if (!avout__lang_integer(run, "drop", &number, args[0])) return AVOUT_NONE;
    return drop_of(run, "drop", number, &args[1]);
}

/* [a & more] = coll: nil when there is nothing left. */
CORE(rest_from)
{
    int64_t number;
    if (!avout__lang_integer(run, "nthnext", &number, args[1])) return AVOUT_NONE;
    return seq_of(run, "nthnext", drop_of(run, "nthnext", number, &args[0]));
}

/* ---- map, filter, reduce ------------------------------------------------------------------------------------ */

static bool any_lazy(size_t from, size_t count, const avout_value *args)
{
    for (size_t i = from; i < count; i++)
        if (avout__lang_is_lazy(args[i])) return true;
    return false;
}

static avout_value map_one(lang_run *run, avout_value function, avout_value collection)
{
    lang_walk walk;
    lang_items items = {0};
    avout_value item;
    if (!avout__lang_walk(&walk, run, "map", collection)) return AVOUT_NONE;
    bool fine = true;
    while (fine && avout__lang_walk_next(&walk, &item))
        fine = avout__lang_add(run, &items, avout__lang_call1(run, function, item));
    fine = avout__lang_walk_end(&walk) && fine;
    return finish(run, &items, fine);
}

/* One element of each; false at the end of the shortest, or with an error. */
static bool next_of_all(size_t count, lang_walk *walks, avout_value *items)
{
    for (size_t i = 0; i < count; i++)
        if (!avout__lang_walk_next(&walks[i], &items[i])) return false;
    return true;
}

static avout_value map_many(lang_run *run, avout_value function, size_t count, avout_value *args)
{
    lang_items items = {0};
    lang_walk *walks = avout__calloc(count, sizeof *walks);
    avout_value *each = walks ? avout__lang_push(run, count) : NULL;
    bool fine = each != NULL;
    size_t open = 0;
    if (!walks) return avout__lang_failed(run, AVOUT_ENOMEM);
    while (fine && open < count && (fine = avout__lang_walk(&walks[open], run, "map", args[open])))
        open++;
    while (fine && next_of_all(count, walks, each)) {
        fine = avout__lang_add(run, &items, avout__lang_call(run, function, count, each));
        for (size_t i = 0; i < count; i++) avout_release(lang_take(&each[i]));
    }
    for (size_t i = 0; i < open; i++) fine = avout__lang_walk_end(&walks[i]) && fine;
    if (each) avout__lang_pop(run, each, count);
    avout__free(walks);
    return finish(run, &items, fine);
}

CORE(map)
{
    if (count == 1) return avout__lang_core_call(run, "map-xf*", count, args);
    if (any_lazy(1, count, args)) return avout__lang_core_call(run, "map*", count, args);
    if (count == 2) return map_one(run, args[0], args[1]);
    return map_many(run, args[0], count - 1, args + 1);
}

static avout_value filter_of(lang_run *run, const char *name, avout_value *args, bool wanted)
{
    lang_walk walk;
    lang_items items = {0};
    avout_value item;
    if (!avout__lang_walk(&walk, run, name, args[1])) return AVOUT_NONE;
    bool fine = true;
    while (fine && avout__lang_walk_next(&walk, &item)) {
        avout_value answer = avout__lang_call1(run, args[0], avout_share(item));
        fine = answer.bits != 0;
        if (fine && avout_value_truthy(answer) == wanted) fine = avout__lang_add(run, &items, item);
        else avout_release(item);
        avout_release(answer);
    }
    fine = avout__lang_walk_end(&walk) && fine;
    return finish(run, &items, fine);
}

CORE(filter)
{
    if (count == 1) return avout__lang_core_call(run, "filter-xf*", count, args);
    if (any_lazy(1, 2, args)) return avout__lang_core_call(run, "filter*", count, args);
    return filter_of(run, "filter", args, true);
}

CORE(remove_if)
{
    if (count == 1) return avout__lang_core_call(run, "remove-xf*", count, args);
    if (any_lazy(1, 2, args)) return avout__lang_core_call(run, "remove*", count, args);
    return filter_of(run, "remove", args, false);
}

/* What is inside (reduced x); consumed. */
static avout_value unwrap(avout_value value, bool *reduced)
{
    const lang_reduced *r = avout__lang_object_of(value, LANG_REDUCED);
    *reduced = r != NULL;
    if (!r) return value;
    avout_value inside = avout_share(r->value);
    avout_release(value);
    return inside;
}

/* Sums and the like over a collection hold nothing but the element at hand. */
CORE(reduce)
{
    lang_walk walk;
    avout_value total = count == 3 ? lang_take(&args[1]) : AVOUT_NONE, item;
    if (!avout__lang_walk(&walk, run, "reduce", args[count - 1])) {
        avout_release(total);
        return AVOUT_NONE;
    }
    avout_release(lang_take(&args[count - 1]));
    bool fine = true, reduced = false;
    if (count == 2 && !avout__lang_walk_next(&walk, &total))
        return avout__lang_walk_end(&walk) ? avout__lang_call(run, args[0], 0, NULL) : AVOUT_NONE;
    while (fine && !reduced && avout__lang_walk_next(&walk, &item)) {
        total = avout__lang_call2(run, args[0], total, item);
        fine = total.bits != 0;
        if (fine) total = unwrap(total, &reduced);
    }
    if (avout__lang_walk_end(&walk) && fine) return total;
    avout_release(total);
    return AVOUT_NONE;
}

CORE(reduced)
{
    lang_reduced *object = avout__alloc(sizeof *object);
    if (!object) return avout__lang_failed(run, AVOUT_ENOMEM);
    *object = (lang_reduced){{LANG_REDUCED, NULL}, lang_take(&args[0])};
    return avout__lang_made(run, avout__lang_box(object));
}

CORE(is_reduced)
{
    return avout_bool(avout__lang_object_of(args[0], LANG_REDUCED) != NULL);
}

CORE(unreduced)
{
    bool reduced;
    return unwrap(lang_take(&args[0]), &reduced);
}

/* (apply f a b [c d]) */
CORE(apply)
{
    lang_items items = {0};
    bool fine = true;
    for (size_t i = 1; i + 1 < count && fine; i++)
        fine = avout__lang_add(run, &items, lang_take(&args[i]));
    fine = fine && avout__lang_add_all(run, &items, "apply", args[count - 1]);
    avout_value result = fine ? avout__lang_call(run, args[0], items.count, items.at) : AVOUT_NONE;
    avout__lang_drop(&items);
    return result;
}

const lang_core avout__lang_sequences[] = {
    {"first", "coll", "the first element", 1, 1, first, NULL},
    {"rest", "coll", "the sequence of all elements but the first", 1, 1, rest, NULL},
    {"next", "coll", "rest, but nil when it is empty", 1, 1, next, NULL},
    {"seq", "coll", "the sequence of elements; nil when empty", 1, 1, seq, NULL},
    {"cons", "x coll", "the sequence of x and coll's elements", 2, 2, cons, NULL},
    {"last", "coll", "the last element", 1, 1, last, NULL},
    {"nth", "coll index default?", "the element at the index", 2, 3, nth, NULL},
    {"take", "n coll?", "the first n elements", 1, 2, take, NULL},
    {"drop", "n coll?", "all but the first n elements", 1, 2, drop, NULL},
    {"map", "f coll ...", "the values of f for the elements", 1, LANG_MANY, map, NULL},
    {"filter", "pred coll?", "the elements for which pred is true", 1, 2, filter, NULL},
    {"remove", "pred coll?", "the elements for which pred is false", 1, 2, remove_if, NULL},
    {"reduce", "f start? coll", "f of start and the first, f of that and the next, ...", 2, 3,
     reduce, NULL},
    {"reduced", "x", "what ends a reduce with the value x", 1, 1, reduced, NULL},
    {"reduced?", "x", "whether it is made by reduced", 1, 1, is_reduced, NULL},
    {"unreduced", "x", "what is in a reduced, or x", 1, 1, unreduced, NULL},
    {"apply", "f arg ... coll", "calls f with the arguments and coll's elements", 2, LANG_MANY,
     apply, NULL},

    /* What destructuring calls. */
    {"nth-or-nil*", "coll n", "", 2, 2, nth_or_nil, NULL},
    {"rest-from*", "coll n", "", 2, 2, rest_from, NULL},
    LANG_END,
};
