/* Making sequences: of numbers, of one value, of others, in another order. What would be very long is lazy, as
 * nobody may want all of it. */
#include "lang/core.h"

#include <string.h>

#include "base/alloc.h"
#include "base/banned.h"

/* From here on, sequences whose length is given as a number are lazy. */
enum { LONG_ONES = 1 << 18 };

static avout_value finish(lang_run *run, lang_items *items, bool fine)
{
    if (fine) return avout__lang_list(run, items);
    avout__lang_drop(items);
    return AVOUT_NONE;
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

/* Whether there are many numbers from `at` to `end`. */
static bool is_long(avout_value at, avout_value end, avout_value step)
{
    double from, to, by;
    if (avout_value_to_float(&from, at) || avout_value_to_float(&to, end) ||
        avout_value_to_float(&by, step))
        return false;
    return (to - from) / by > LONG_ONES;
}

/* From `at` (consumed) up, or down, to before `end`, by `step`. */
static avout_value range_of(lang_run *run, avout_value at, avout_value end, avout_value step)
{
    lang_items items = {0};
    int sign, order = 0;
    bool fine = sign_of(run, step, &sign) && sign_of(run, end, &order) && sign_of(run, at, &order);
    if (fine && !sign) fine = avout__lang_fail(run, AVOUT_EINVAL, "range: the step is 0").bits;
    if (fine && is_long(at, end, step)) {
        avout_value args[] = {at, avout_share(end), avout_share(step)};
        avout_value lazy = avout__lang_core_call(run, "range-by*", 3, args);
        for (size_t i = 0; i < 3; i++) avout_release(args[i]);
        return lazy;
    }
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
    avout_value bounds[] = {avout_int(0), lang_take(&args[0]), avout_int(1)};
    avout_value lazy = avout__lang_core_call(run, "range-by*", 3, bounds);
    for (size_t i = 0; i < 3; i++) avout_release(bounds[i]);
    return lazy;
}

CORE(repeat)
{
    int64_t number;
    lang_items items = {0};
    if (count == 1) return avout__lang_core_call(run, "repeat*", 1, args);
    if (!avout__lang_integer(run, "repeat", &number, args[0])) return AVOUT_NONE;
    if (number > LONG_ONES) return avout__lang_core_call(run, "repeat-n*", 2, args);
    bool fine = true;
    for (int64_t i = 0; i < number && fine; i++)
        fine = lang_step(run, 1) && avout__lang_add(run, &items, avout_share(args[1]));
    return finish(run, &items, fine);
}

CORE(concat)
{
    lang_items items = {0};
    bool fine = true;
    for (size_t i = 0; i < count; i++)
        if (avout__lang_is_lazy(args[i])) return avout__lang_core_call(run, "concat*", count, args);
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

const lang_core avout__lang_makers[] = {
    {"range", "from? to? step?", "the numbers from from (0) up to before to; without to: endless",
     0, 3, range, NULL},
    {"repeat", "n? x", "x n times; without n: endlessly", 1, 2, repeat, NULL},
    {"concat", "coll ...", "the elements of all", 0, LANG_MANY, concat, NULL},
    {"reverse", "coll", "the elements backwards", 1, 1, reverse, NULL},
    {"sort", "comparator? coll", "the elements in order", 1, 2, sort, NULL},

    /* What special forms call. */
    {"keyed*", "x", "", 1, 1, keyed, NULL},
    {"append*", "vector x", "", 2, 2, append, NULL},
    {"as-list*", "coll", "", 1, 1, as_list, NULL},
    {"count-up*", "n", "", 1, 1, count_up, NULL},
    {"lazy-seq*", "f", "", 1, 1, lazy_seq, NULL},
    {"lazy?*", "x", "", 1, 1, is_lazy, NULL},
    LANG_END,
};
