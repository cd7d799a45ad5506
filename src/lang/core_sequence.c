/* Sequences. What has an end is made at once, as a list; what may have none stays lazy, and the lazy
 * form of a function is in the prelude under its name with a star. */
#include "lang/core.h"

#include <stdlib.h>
#include <string.h>

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
    if (!avout__lang_integer(run, "take", &number, args[0]) ||
        !avout__lang_walk(&walk, run, "take", args[1]))
        return AVOUT_NONE;
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

/* ---- making sequences ------------------------------------------------------------------------------------------ */

/* -1, 0, 1. */
static bool sign_of(lang_run *run, avout_value number, int *sign)
{
    if (!avout_value_is_number(number))
        return avout__lang_wrong(run, "range", "a number", number).bits;
    avout_status status = avout_value_compare(sign, number, avout_int(0));
    if (status) avout__lang_failed(run, status);
    return !status;
}

/* From `at` (consumed) up, or down, to before `end`, by `step`. */
static avout_value range_of(lang_run *run, avout_value at, avout_value end, avout_value step)
{
    lang_items items = {0};
    int sign, order = 0;
    bool fine = sign_of(run, step, &sign) && sign_of(run, end, &order) && sign_of(run, at, &order);
    if (fine && !sign) fine = avout__lang_fail(run, AVOUT_EINVAL, "range: the step is 0").bits;
    while (fine) {
        avout_status status = avout_value_compare(&order, at, end);
        if (!status && (sign > 0 ? order >= 0 : order <= 0)) break;
        fine = lang_step(run, 1) && avout__lang_add(run, &items, avout_share(at));
        if (fine && !status) status = avout_add(&at, avout_share(step));
        if (status) fine = avout__lang_failed(run, status).bits;
    }
    avout_release(at);
    return finish(run, &items, fine);
}

CORE(range)
{
    if (!count) return avout__lang_core_call(run, "range-from*", 0, args);
    avout_value step = count == 3 ? args[2] : avout_int(1);
    if (count == 1) return range_of(run, avout_int(0), args[0], step);
    return range_of(run, lang_take(&args[0]), args[1], step);
}

/* dotimes counts to a number without making a list: it is walked as a lazy sequence. */
CORE(count_up)
{
    int64_t number;
    if (!avout__lang_integer(run, "dotimes", &number, args[0])) return AVOUT_NONE;
    if (number < 4096) return range_of(run, avout_int(0), args[0], avout_int(1));
    return avout__lang_core_call(run, "range-to*", 1, args);
}

CORE(repeat)
{
    int64_t number;
    lang_items items = {0};
    if (count == 1) return avout__lang_core_call(run, "repeat*", 1, args);
    if (!avout__lang_integer(run, "repeat", &number, args[0])) return AVOUT_NONE;
    bool fine = true;
    for (int64_t i = 0; i < number && fine; i++)
        fine = lang_step(run, 1) && avout__lang_add(run, &items, avout_share(args[1]));
    return finish(run, &items, fine);
}

CORE(concat)
{
    lang_items items = {0};
    bool fine = true;
    if (any_lazy(0, count, args)) return avout__lang_core_call(run, "concat*", count, args);
    for (size_t i = 0; i < count && fine; i++)
        fine = avout__lang_add_all(run, &items, "concat", args[i]);
    return finish(run, &items, fine);
}

CORE(reverse)
{
    lang_items items = {0};
    bool fine = avout__lang_add_all(run, &items, "reverse", args[0]);
    for (size_t i = 0; fine && i < items.count / 2; i++) {
        avout_value swap = items.at[i];
        items.at[i] = items.at[items.count - 1 - i];
        items.at[items.count - 1 - i] = swap;
    }
    return finish(run, &items, fine);
}

CORE(lazy_seq)
{
    return avout__lang_lazy(run, lang_take(&args[0]));
}

CORE(is_lazy)
{
    return avout_bool(avout__lang_is_lazy(args[0]));
}

/* The list of a vector's elements, which is taken apart when nobody else has it. */
CORE(as_list)
{
    lang_items items = {0};
    return finish(run, &items, avout__lang_add_all(run, &items, "seq", args[0]));
}

CORE(append)
{
    avout_value vector = lang_take(&args[0]);
    return lang_done(run, avout_conj(&vector, lang_take(&args[1])), vector);
}

/* A sequence of keys and values as a map; other things as they are. */
CORE(keyed)
{
    avout_type type = avout_value_type(args[0]);
    if (type != AVOUT_TYPE_LIST && !avout__lang_is_lazy(args[0])) return lang_take(&args[0]);
    lang_items items = {0};
    avout_value map = AVOUT_NONE;
    if (avout__lang_add_all(run, &items, "destructuring", args[0])) {
        /* A map behind the pairs, or alone, is merged. */
        avout_value last = items.count % 2 ? items.at[--items.count] : AVOUT_NONE;
        map = avout__lang_core_call(run, "hash-map", items.count, items.at);
        if (map.bits && last.bits) map = lang_done(run, avout_merge(&map, last), map);
        else avout_release(last);
    }
    avout__lang_drop(&items);
    return map;
}

/* ---- sorting ------------------------------------------------------------------------------------------------------ */

typedef struct order {
    lang_run *run;
    avout_value function; /* AVOUT_NONE: compare */
    bool failed;
} order;

/* Whether b comes before a. */
static bool before(order *o, avout_value b, avout_value a)
{
    int result = 0;
    if (!o->function.bits) {
        avout_status status = avout_value_compare(&result, b, a);
        if (status) avout__lang_failed(o->run, status);
        o->failed = o->failed || status;
        return result < 0;
    }
    /* A comparator answers a number, or whether the first comes before the second. */
    avout_value answer = avout__lang_call2(o->run, o->function, avout_share(b), avout_share(a));
    int64_t number;
    bool first = false;
    if (!answer.bits) o->failed = true;
    else if (avout_value_is_number(answer))
        first = !avout_value_to_int(&number, answer) && number < 0;
    else first = avout_value_truthy(answer);
    avout_release(answer);
    return first;
}

/* Stable: merges runs of growing size. */
static void merge_sort(order *o, avout_value *items, avout_value *spare, size_t count)
{
    if (count < 2 || o->failed || !lang_step(o->run, count)) {
        o->failed = o->failed || count >= 2;
        return;
    }
    size_t half = count / 2, left = 0, right = half;
    merge_sort(o, items, spare, half);
    merge_sort(o, items + half, spare, count - half);
    memcpy(spare, items, count * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        bool take_right =
            right < count && (left == half || (!o->failed && before(o, spare[right], spare[left])));
        items[i] = take_right ? spare[right++] : spare[left++];
    }
}

CORE(sort)
{
    lang_items items = {0};
    order o = {run, count == 2 ? args[0] : AVOUT_NONE, false};
    if (!avout__lang_add_all(run, &items, "sort", args[count - 1]))
        return finish(run, &items, false);
    avout_value *spare = avout__alloc(items.count * sizeof *spare + 1);
    if (spare) merge_sort(&o, items.at, spare, items.count);
    else avout__lang_failed(run, AVOUT_ENOMEM);
    bool fine = spare && !o.failed;
    avout__free(spare);
    return finish(run, &items, fine);
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
    {"range", "from? to? step?", "the numbers from from (0) up to before to; without to: endless",
     0, 3, range, NULL},
    {"repeat", "n? x", "x n times; without n: endlessly", 1, 2, repeat, NULL},
    {"concat", "coll ...", "the elements of all", 0, LANG_MANY, concat, NULL},
    {"reverse", "coll", "the elements backwards", 1, 1, reverse, NULL},
    {"sort", "comparator? coll", "the elements in order", 1, 2, sort, NULL},
    LANG_END,
};

/* What special forms call. */
const lang_core avout__lang_hidden[] = {
    {"nth-or-nil*", "coll n", "", 2, 2, nth_or_nil, NULL},
    {"rest-from*", "coll n", "", 2, 2, rest_from, NULL},
    {"keyed*", "x", "", 1, 1, keyed, NULL},
    {"append*", "vector x", "", 2, 2, append, NULL},
    {"as-list*", "coll", "", 1, 1, as_list, NULL},
    {"count-up*", "n", "", 1, 1, count_up, NULL},
    {"lazy-seq*", "f", "", 1, 1, lazy_seq, NULL},
    {"lazy?*", "x", "", 1, 1, is_lazy, NULL},
    LANG_END,
};
