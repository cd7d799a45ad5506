/* The functions a shell can call by name, as Clojure's (f value arg...). The arguments are borrowed;
 * an error leaves the value as it was, also in the middle of several arguments. */
#include "value/sequence.h"

#include <string.h>

#include "value/build.h"
#include "value/number.h"
#include "base/banned.h"

/* update may name update: how often, before it is nonsense that would only use up the stack. */
enum { UPDATE_DEPTH = 32, MANY = 1 << 30 };

/* What a function is called with. */
typedef struct call {
    const char *name;
    size_t count;
    const avout_value *arguments;
    int depth;
} call;

typedef avout_status (*function)(avout_value *value, const call *c);
typedef avout_status (*change0)(avout_value *value);
typedef avout_status (*change1)(avout_value *value, avout_value argument);
typedef avout_status (*number_change)(const char *function, avout_value *number, avout_value other);

static avout_status apply(const char *name, avout_value *value, size_t count,
                          const avout_value *arguments, int depth);

/* ---- helpers --------------------------------------------------------------------------------- */

/* Calls `change` with each argument in turn. */
static avout_status fold(avout_value *value, const call *c, change1 change)
{
    if (c->count == 1) return change(value, avout__retain(c->arguments[0]));
    avout_value before = avout__retain(*value);
    avout_status status = AVOUT_OK;
    for (size_t i = 0; i < c->count && !status; i++)
        status = change(value, avout__retain(c->arguments[i]));
    if (status) return avout__become(value, before), status;
    avout__release(before);
    return AVOUT_OK;
}

/* The same for + - * /, whose errors bear those names. (+ x) and (* x) are x, a number. */
static avout_status fold_numbers(avout_value *value, const call *c, number_change change)
{
    if (!avout_value_is_number(*value)) return avout__fail_type(c->name, "a number", *value);
    avout_value result = avout__retain(*value);
    avout_status status = AVOUT_OK;
    for (size_t i = 0; i < c->count && !status; i++)
        status = change(c->name, &result, avout__retain(c->arguments[i]));
    if (!status) return avout__become(value, result);
    avout__release(result);
    return status;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static avout_status call_inc(avout_value *value, const call *c)
{
    (void)c;
    return avout_inc(value);
}

static avout_status call_dec(avout_value *value, const call *c)
{
    (void)c;
    return avout_dec(value);
}

static avout_status call_add(avout_value *value, const call *c)
{
    return fold_numbers(value, c, avout__add);
}

static avout_status call_sub(avout_value *value, const call *c)
{
    return c->count ? fold_numbers(value, c, avout__sub) : avout__negate(c->name, value);
}

static avout_status call_mul(avout_value *value, const call *c)
{
    return fold_numbers(value, c, avout__mul);
}

static avout_status call_div(avout_value *value, const call *c)
{
    if (c->count) return fold_numbers(value, c, avout__div);
    avout_value one = avout_int(1);
    avout_status status = avout__div(c->name, &one, avout__retain(*value));
    return status ? status : avout__become(value, one);
}

static avout_status call_quot(avout_value *value, const call *c)
{
    return fold(value, c, avout_quot);
}

static avout_status call_rem(avout_value *value, const call *c)
{
    return fold(value, c, avout_rem);
}

static avout_status call_mod(avout_value *value, const call *c)
{
    return fold(value, c, avout_mod);
}

/* ---- collections ----------------------------------------------------------------------------- */

static avout_status call_conj(avout_value *value, const call *c)
{
    return fold(value, c, avout_conj);
}

static avout_status call_disj(avout_value *value, const call *c)
{
    return fold(value, c, avout_disj);
}

static avout_status call_dissoc(avout_value *value, const call *c)
{
    return fold(value, c, avout_dissoc);
}

static avout_status call_merge(avout_value *value, const call *c)
{
    if (!c->count) return avout_merge(value, AVOUT__NIL);
    return fold(value, c, avout_merge);
}

static avout_status call_into(avout_value *value, const call *c)
{
    return fold(value, c, avout_into);
}

static avout_status call_contains(avout_value *value, const call *c)
{
    return fold(value, c, avout_contains);
}

static avout_status call_assoc(avout_value *value, const call *c)
{
    if (c->count % 2) return avout_fail(AVOUT_EINVAL, "assoc: a value is missing for the last key");
    avout_value before = c->count > 2 ? avout__retain(*value) : AVOUT_NONE;
    avout_status status = AVOUT_OK;
    for (size_t i = 0; i < c->count && !status; i += 2)
        status =
            avout_assoc(value, avout__retain(c->arguments[i]), avout__retain(c->arguments[i + 1]));
    if (status && before.bits) return avout__become(value, before), status;
    avout__release(before);
    return status;
}

static avout_status become_found(avout_value *value, avout_value found, const call *c)
{
    if (!found.bits && c->count == 2) found = c->arguments[1];
    return avout__become(value, found.bits ? avout__retain(found) : AVOUT__NIL);
}

static avout_status call_get(avout_value *value, const call *c)
{
    return become_found(value, avout__lookup(*value, c->arguments[0]), c);
}

static avout_status call_nth(avout_value *value, const call *c)
{
    size_t index;
    bool outside = avout__is_nil(*value) && avout__index(&index, c->arguments[0]);
    avout_status status = outside ? AVOUT_ERANGE : avout_nth(value, avout__retain(c->arguments[0]));
    if (status == AVOUT_ERANGE && (outside || c->count == 2))
        return become_found(value, AVOUT_NONE, c);
    return status;
}

/* A path is whatever has elements. Owned. */
static avout_status path_of(const call *c, avout_value **path, size_t *length)
{
    return avout__items(c->name, c->arguments[0], path, length);
}

static void path_release(avout_value *path, size_t length)
{
    avout__release_all(length, path);
    avout__items_free(path);
}

static avout_status call_get_in(avout_value *value, const call *c)
{
    avout_value *path, found = *value;
    size_t length;
    avout_status status = path_of(c, &path, &length);
    if (status) return status;
    for (size_t i = 0; i < length && found.bits; i++) found = avout__lookup(found, path[i]);
    status = become_found(value, found, c);
    path_release(path, length);
    return status;
}

static avout_status call_assoc_in(avout_value *value, const call *c)
{
    avout_value *path;
    size_t length;
    avout_status status = path_of(c, &path, &length);
    if (status) return status;
    status = avout_assoc_in(value, length, path, avout__retain(c->arguments[1]));
    path_release(path, length);
    return status;
}

/* The call that `update` makes: the second argument names the function, the others are its own. */
static avout_status inner_call(call *inner, const call *c)
{
    avout_value name = c->arguments[1];
    if (avout_value_type(name) != AVOUT_TYPE_SYMBOL)
        return avout__fail_type(c->name, "a function's name (a symbol)", name);
    if (c->depth == UPDATE_DEPTH)
        return avout_fail(AVOUT_ELIMIT, "%s: nested more than %d times", c->name, UPDATE_DEPTH);
    inner->count = c->count - 2;
    inner->arguments = c->arguments + 2;
    inner->depth = c->depth + 1;
    return avout_value_to_text(&inner->name, NULL, name);
}

static avout_status inner_fn(avout_value *value, void *payload)
{
    const call *inner = payload;
    return apply(inner->name, value, inner->count, inner->arguments, inner->depth);
}

static avout_status call_update(avout_value *value, const call *c)
{
    call inner;
    avout_status status = inner_call(&inner, c);
    if (status) return status;
    return avout__update_in(c->name, value, 1, c->arguments, inner_fn, &inner);
}

static avout_status call_update_in(avout_value *value, const call *c)
{
    call inner;
    avout_value *path;
    size_t length;
    avout_status status = inner_call(&inner, c);
    if (!status) status = path_of(c, &path, &length);
    if (status) return status;
    status = avout__update_in(c->name, value, length, path, inner_fn, &inner);
    path_release(path, length);
    return status;
}

static avout_status call_count(avout_value *value, const call *c)
{
    (void)c;
    return avout_count(value);
}

static avout_status call_first(avout_value *value, const call *c)
{
    (void)c;
    return avout_first(value);
}

static avout_status call_rest(avout_value *value, const call *c)
{
    (void)c;
    return avout_rest(value);
}

static avout_status call_seq(avout_value *value, const call *c)
{
    (void)c;
    return avout_seq(value);
}

static avout_status call_peek(avout_value *value, const call *c)
{
    (void)c;
    return avout_peek(value);
}

static avout_status call_pop(avout_value *value, const call *c)
{
    (void)c;
    return avout_pop(value);
}

static avout_status call_keys(avout_value *value, const call *c)
{
    (void)c;
    return avout_keys(value);
}

static avout_status call_vals(avout_value *value, const call *c)
{
    (void)c;
    return avout_vals(value);
}

static avout_status call_vec(avout_value *value, const call *c)
{
    avout_value *items;
    size_t count;
    if (avout__is_type(*value, AVOUT_TYPE_VECTOR)) return AVOUT_OK;
    avout_status status = avout__items(c->name, *value, &items, &count);
    if (status) return status;
    avout_value vector = avout__vector_from_owned(items, count);
    avout__items_free(items);
    return vector.bits ? avout__become(value, vector) : AVOUT_ENOMEM;
}

static avout_status call_set(avout_value *value, const call *c)
{
    if (avout__is_type(*value, AVOUT_TYPE_SET)) return AVOUT_OK;
    avout_value set = avout_set(0, NULL);
    if (!set.bits) return AVOUT_ENOMEM;
    avout_status status = avout__into(c->name, &set, avout__retain(*value));
    if (!status) return avout__become(value, set);
    avout__release(set);
    return status;
}

static avout_status call_empty(avout_value *value, const call *c)
{
    avout_value empty = AVOUT__NIL;
    (void)c;
    switch (avout_value_type(*value)) {
    case AVOUT_TYPE_LIST: empty = avout_list(0, NULL); break;
    case AVOUT_TYPE_VECTOR: empty = avout_vector(0, NULL); break;
    case AVOUT_TYPE_MAP: empty = avout_map(0, NULL); break;
    case AVOUT_TYPE_SET: empty = avout_set(0, NULL); break;
    default: break;
    }
    return empty.bits ? avout__become(value, empty) : AVOUT_ENOMEM;
}

static avout_status call_not(avout_value *value, const call *c)
{
    (void)c;
    return avout__become(value, avout_bool(!avout_value_truthy(*value)));
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct entry {
    avout_function_info info;
    size_t least, most; /* arguments */
    function run;
} functions[] = {
    {{"inc", "n", "n plus one"}, 0, 0, call_inc},
    {{"dec", "n", "n minus one"}, 0, 0, call_dec},
    {{"+", "n m ...", "the sum"}, 0, MANY, call_add},
    {{"-", "n m ...", "n minus the others; alone: negated"}, 0, MANY, call_sub},
    {{"*", "n m ...", "the product"}, 0, MANY, call_mul},
    {{"/", "n m ...", "n divided by the others; alone: 1/n"}, 0, MANY, call_div},
    {{"quot", "n m", "n divided by m, rounded towards zero"}, 1, 1, call_quot},
    {{"rem", "n m", "what quot leaves; has the sign of n"}, 1, 1, call_rem},
    {{"mod", "n m", "n modulo m; has the sign of m"}, 1, 1, call_mod},
    {{"conj", "coll x ...", "with the elements added where it is cheap"}, 0, MANY, call_conj},
    {{"disj", "set x ...", "without the elements"}, 0, MANY, call_disj},
    {{"assoc", "coll key val ...", "with the keys set to the values"}, 2, MANY, call_assoc},
    {{"dissoc", "map key ...", "without the keys"}, 0, MANY, call_dissoc},
    {{"get", "coll key [default]", "the value of the key"}, 1, 2, call_get},
    {{"get-in", "coll [key ...] [default]", "the value at the path"}, 1, 2, call_get_in},
    {{"assoc-in", "coll [key ...] val", "with the path set to the value"}, 2, 2, call_assoc_in},
    {{"update", "coll key f arg ...", "with the key's value changed by f"}, 2, MANY, call_update},
    {{"update-in", "coll [key ...] f arg ...", "with the path's value changed by f"},
     2,
     MANY,
     call_update_in},
    {{"count", "coll", "how many elements"}, 0, 0, call_count},
    {{"first", "coll", "the first element"}, 0, 0, call_first},
    {{"rest", "coll", "the list of all elements but the first"}, 0, 0, call_rest},
    {{"nth", "coll index [default]", "the element at the index"}, 1, 2, call_nth},
    {{"contains?", "coll key", "whether it has the key (vectors: the index)"}, 1, 1, call_contains},
    {{"peek", "coll", "a list's first, a vector's last element"}, 0, 0, call_peek},
    {{"pop", "coll", "without what peek shows"}, 0, 0, call_pop},
    {{"into", "to from", "to with all elements of from added"}, 0, 1, call_into},
    {{"merge", "map other ...", "with all entries of the others"}, 0, MANY, call_merge},
    {{"keys", "map", "the list of keys"}, 0, 0, call_keys},
    {{"vals", "map", "the list of values"}, 0, 0, call_vals},
    {{"seq", "coll", "the list of elements; nil when empty"}, 0, 0, call_seq},
    {{"vec", "coll", "the vector of elements"}, 0, 0, call_vec},
    {{"set", "coll", "the set of elements"}, 0, 0, call_set},
    {{"empty", "coll", "an empty collection of the same type, or nil"}, 0, 0, call_empty},
    {{"not", "x", "true for nil and false, else false"}, 0, 0, call_not},
};

enum { FUNCTION_COUNT = sizeof functions / sizeof *functions };

const avout_function_info *avout_function_at(size_t index)
{
    return index < FUNCTION_COUNT ? &functions[index].info : NULL;
}

static avout_status apply(const char *name, avout_value *value, size_t count,
                          const avout_value *arguments, int depth)
{
    const struct entry *entry = functions;
    while (entry < functions + FUNCTION_COUNT && strcmp(entry->info.name, name)) entry++;
    if (entry == functions + FUNCTION_COUNT)
        return avout_fail(AVOUT_ENOTFOUND, "no function is called %.64s", name);
    if (count < entry->least || count > entry->most)
        return avout_fail(AVOUT_EINVAL, "%s: wrong number of arguments, expected (%s %s)", name,
                          name, entry->info.arguments);
    if (!value->bits) return avout__none_given();
    for (size_t i = 0; i < count; i++) {
        if (!arguments[i].bits) return avout__none_given();
    }
    const call c = {entry->info.name, count, arguments, depth};
    return entry->run(value, &c);
}

avout_status avout_apply(const char *name, avout_value *value, size_t count,
                         const avout_value *arguments)
{
    return apply(name, value, count, arguments, 0);
}
