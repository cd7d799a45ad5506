/* Functions of vectors, maps, sets and lists. */
#include "lang/core.h"

#include "base/banned.h"

static bool is(avout_value value, avout_type type)
{
    return avout_value_type(value) == type;
}

/* Makes lazy sequences whole among args[from...], so that the library can work with them. `deep`: also
 * inside of others, for keys and elements of sets. */
static bool whole(lang_run *run, size_t from, size_t to, avout_value *args, bool deep)
{
    for (size_t i = from; i < to; i++)
        if (!avout__lang_realize(run, &args[i], deep)) return false;
    return true;
}

/* ---- making ---------------------------------------------------------------------------------------------- */

static avout_value made_of(lang_run *run, size_t count, avout_value *args, size_t items,
                           avout_value (*make)(size_t, const avout_value *))
{
    if (!lang_step(run, count)) return AVOUT_NONE;
    avout_value made = make(items, args);
    for (size_t i = 0; i < count; i++) args[i] = AVOUT_NONE;
    return avout__lang_made(run, made);
}

CORE(list)
{
    return made_of(run, count, args, count, avout_list);
}

CORE(vector)
{
    return made_of(run, count, args, count, avout_vector);
}

/* Keys may be given again: the last one counts. */
CORE(hash_map)
{
    if (count % 2)
        return avout__lang_fail(run, AVOUT_EINVAL, "hash-map: a value is missing for the last key");
    avout_value map = avout_map(0, NULL);
    avout_status status = AVOUT_OK;
    for (size_t i = 0; i < count && !status; i += 2) {
        if (!avout__lang_realize(run, &args[i], true)) {
            avout_release(map);
            return AVOUT_NONE;
        }
        status = avout_assoc(&map, lang_take(&args[i]), lang_take(&args[i + 1]));
    }
    return lang_done(run, status, map);
}

CORE(hash_set)
{
    avout_value set = avout_set(0, NULL);
    avout_status status = AVOUT_OK;
    for (size_t i = 0; i < count && !status; i++) {
        if (!avout__lang_realize(run, &args[i], true)) {
            avout_release(set);
            return AVOUT_NONE;
        }
        status = avout_conj(&set, lang_take(&args[i]));
    }
    return lang_done(run, status, set);
}

CORE(vec)
{
    lang_items items = {0};
    if (is(args[0], AVOUT_TYPE_VECTOR)) return lang_take(&args[0]);
    if (avout__lang_add_all(run, &items, "vec", args[0])) return avout__lang_vector(run, &items);
    avout__lang_drop(&items);
    return AVOUT_NONE;
}

/* conj of every element, as into does it. */
static avout_value pour(lang_run *run, const char *name, avout_value to, avout_value from)
{
    lang_walk walk;
    avout_value item;
    avout_status status = AVOUT_OK;
    bool set = is(to, AVOUT_TYPE_SET), map = is(to, AVOUT_TYPE_MAP), fine = true;
    if (!avout__lang_walk(&walk, run, name, from)) {
        avout_release(to);
        return AVOUT_NONE;
    }
    while (!status && fine && avout__lang_walk_next(&walk, &item)) {
        if (set || map) fine = avout__lang_realize(run, &item, set);
        if (fine) status = avout_conj(&to, item);
        else avout_release(item);
    }
    fine = avout__lang_walk_end(&walk) && fine;
    if (fine) return lang_done(run, status, to);
    avout_release(to);
    return AVOUT_NONE;
}

CORE(set)
{
    if (is(args[0], AVOUT_TYPE_SET)) return lang_take(&args[0]);
    return pour(run, "set", avout_set(0, NULL), args[0]);
}

CORE(into)
{
    if (!count) return avout__lang_made(run, avout_vector(0, NULL));
    if (count == 1) return lang_take(&args[0]);
    if (!avout__lang_realize(run, &args[0], false)) return AVOUT_NONE;
    if (count == 3) return avout__lang_core_call(run, "into-xf*", count, args);
    return pour(run, "into", lang_take(&args[0]), args[1]);
}

CORE(empty)
{
    if (avout__lang_is_lazy(args[0])) return avout__lang_made(run, avout_list(0, NULL));
    avout_value value = lang_take(&args[0]);
    return lang_done(run, avout_apply("empty", &value, 0, NULL), value);
}

/* ---- changing -------------------------------------------------------------------------------------------- */

CORE(conj_all)
{
    if (!count) return avout__lang_made(run, avout_vector(0, NULL));
    if (avout__lang_is_lazy(args[0])) {
        avout_value sequence = lang_take(&args[0]);
        for (size_t i = 1; i < count && sequence.bits; i++)
            sequence = avout__lang_cons(run, lang_take(&args[i]), sequence);
        return sequence;
    }
    avout_status status = AVOUT_OK;
    if (is(args[0], AVOUT_TYPE_SET) && !whole(run, 1, count, args, true)) return AVOUT_NONE;
    avout_value value = lang_take(&args[0]);
    for (size_t i = 1; i < count && !status; i++) status = avout_conj(&value, lang_take(&args[i]));
    return lang_done(run, status, value);
}

CORE(disj)
{
    avout_status status = AVOUT_OK;
    if (!whole(run, 1, count, args, true)) return AVOUT_NONE;
    avout_value value = lang_take(&args[0]);
    if (count == 1 && !is(value, AVOUT_TYPE_SET) && !is(value, AVOUT_TYPE_NIL)) {
        avout__lang_wrong(run, "disj", "a set", value);
        avout_release(value);
        return AVOUT_NONE;
    }
    for (size_t i = 1; i < count && !status; i++) status = avout_disj(&value, lang_take(&args[i]));
    return lang_done(run, status, value);
}

CORE(assoc)
{
    avout_status status = AVOUT_OK;
    if (!(count % 2))
        return avout__lang_fail(run, AVOUT_EINVAL, "assoc: a value is missing for the last key");
    for (size_t i = 1; i < count; i += 2)
        if (!avout__lang_realize(run, &args[i], true)) return AVOUT_NONE;
    avout_value value = lang_take(&args[0]);
    for (size_t i = 1; i < count && !status; i += 2)
        status = avout_assoc(&value, lang_take(&args[i]), lang_take(&args[i + 1]));
    return lang_done(run, status, value);
}

CORE(dissoc)
{
    avout_status status = AVOUT_OK;
    if (!whole(run, 1, count, args, true)) return AVOUT_NONE;
    avout_value value = lang_take(&args[0]);
    for (size_t i = 1; i < count && !status; i++)
        status = avout_dissoc(&value, lang_take(&args[i]));
    return lang_done(run, status, value);
}

CORE(merge)
{
    avout_status status = AVOUT_OK;
    if (!count) return avout_nil();
    avout_value value = lang_take(&args[0]);
    for (size_t i = 1; i < count && !status; i++) {
        /* (merge nil nil) is nil. */
        if (is(args[i], AVOUT_TYPE_NIL)) continue;
        if (is(value, AVOUT_TYPE_NIL)) value = avout_map(0, NULL);
        bool maps = is(value, AVOUT_TYPE_MAP) && is(args[i], AVOUT_TYPE_MAP);
        /* An entry, too, or whatever else conj takes. */
        if (maps) status = avout_merge(&value, lang_take(&args[i]));
        else status = avout_conj(&value, lang_take(&args[i]));
    }
    return lang_done(run, status, value);
}

CORE(pop)
{
    if (!whole(run, 0, 1, args, false)) return AVOUT_NONE;
    avout_value value = lang_take(&args[0]);
    return lang_done(run, avout_pop(&value), value);
}

CORE(peek)
{
    if (!whole(run, 0, 1, args, false)) return AVOUT_NONE;
    avout_value value = lang_take(&args[0]);
    return lang_done(run, avout_peek(&value), value);
}

CORE(itself)
{
    return lang_take(&args[0]);
}

/* What a call of the program's function needs inside of update. */
typedef struct update_call {
    lang_run *run;
    avout_value function;
    size_t count;
    avout_value *args;
    bool failed;
} update_call;

static avout_status update_with(avout_value *value, void *payload)
{
    update_call *u = payload;
    avout_value *args = avout__lang_push(u->run, u->count + 1), result = AVOUT_NONE;
    if (args) {
        args[0] = avout_share(*value);
        for (size_t i = 0; i < u->count; i++) args[i + 1] = lang_take(&u->args[i]);
        /* While we have it, nobody is the only owner; it comes back only if the function fails. */
        avout_value before = *value;
        *value = avout_nil();
        avout_release(before);
        result = avout__lang_call(u->run, u->function, u->count + 1, args);
        avout__lang_pop(u->run, args, u->count + 1);
    }
    u->failed = !result.bits;
    if (u->failed) return u->run->status ? u->run->status : AVOUT_ESTATE;
    *value = result;
    return AVOUT_OK;
}

static avout_value update(lang_run *run, avout_value *collection, size_t length,
                          const avout_value *path, update_call *u)
{
    avout_value value = lang_take(collection);
    avout_status status = avout_update_in(&value, length, path, update_with, u);
    if (!status) return value;
    avout_release(value);
    return u->failed ? AVOUT_NONE : avout__lang_failed(run, status);
}

CORE(update_key)
{
    if (!avout__lang_realize(run, &args[1], true)) return AVOUT_NONE;
    update_call u = {run, args[2], count - 3, args + 3, false};
    return update(run, &args[0], 1, &args[1], &u);
}

CORE(update_in)
{
    lang_items path = {0};
    avout_value result = AVOUT_NONE;
    update_call u = {run, args[2], count - 3, args + 3, false};
    if (avout__lang_add_all(run, &path, "update-in", args[1]) &&
        whole(run, 0, path.count, path.at, true))
        result = update(run, &args[0], path.count, path.at, &u);
    avout__lang_drop(&path);
    return result;
}

CORE(assoc_in)
{
    lang_items path = {0};
    avout_value result = AVOUT_NONE;
    if (avout__lang_add_all(run, &path, "assoc-in", args[1]) &&
        whole(run, 0, path.count, path.at, true)) {
        result = lang_take(&args[0]);
        avout_status status = avout_assoc_in(&result, path.count, path.at, lang_take(&args[2]));
        result = lang_done(run, status, result);
    }
    avout__lang_drop(&path);
    return result;
}

/* ---- looking --------------------------------------------------------------------------------------------- */

/* Strings are found by index, as in Clojure. */
static avout_value look_up(avout_value collection, avout_value key)
{
    if (!is(collection, AVOUT_TYPE_STRING)) return avout_share(avout_value_get(collection, key));
    avout_value value = avout_share(collection), found = avout_share(key);
    if (avout_apply("get", &value, 1, &found) || is(value, AVOUT_TYPE_NIL)) {
        avout_release(value);
        value = AVOUT_NONE;
    }
    avout_release(found);
    return value;
}

CORE(get)
{
    if (!avout__lang_realize(run, &args[1], true)) return AVOUT_NONE;
    avout_value found = look_up(args[0], args[1]);
    if (found.bits) return found;
    return count == 3 ? lang_take(&args[2]) : avout_nil();
}

CORE(get_in)
{
    lang_items path = {0};
    avout_value found = AVOUT_NONE;
    if (avout__lang_add_all(run, &path, "get-in", args[1]) &&
        whole(run, 0, path.count, path.at, true)) {
        found = lang_take(&args[0]);
        for (size_t i = 0; i < path.count && found.bits; i++) {
            avout_value next = look_up(found, path.at[i]);
            avout_release(found);
            found = next;
        }
        if (!found.bits) found = count == 3 ? lang_take(&args[2]) : avout_nil();
    }
    avout__lang_drop(&path);
    return found;
}

CORE(find)
{
    if (!avout__lang_realize(run, &args[1], true)) return AVOUT_NONE;
    bool has = false;
    if (is(args[0], AVOUT_TYPE_NIL)) return avout_nil();
    if (!is(args[0], AVOUT_TYPE_MAP) && !is(args[0], AVOUT_TYPE_VECTOR))
        return avout__lang_wrong(run, "find", "a map or vector", args[0]);
    avout_status status = avout_value_contains(&has, args[0], args[1]);
    if (status || !has) return status ? avout__lang_failed(run, status) : avout_nil();
    avout_value pair[] = {avout_share(args[1]), avout_share(avout_value_get(args[0], args[1]))};
    return avout__lang_made(run, avout_vector(2, pair));
}

CORE(contains)
{
    if (!avout__lang_realize(run, &args[1], true)) return AVOUT_NONE;
    avout_value value = lang_take(&args[0]);
    return lang_done(run, avout_contains(&value, lang_take(&args[1])), value);
}

static avout_value entry_part(lang_run *run, const char *name, avout_value entry, size_t index)
{
    size_t count = 0;
    if (!is(entry, AVOUT_TYPE_VECTOR) || avout_value_count(&count, entry) || count != 2)
        return avout__lang_wrong(run, name, "an entry of a map", entry);
    return avout_share(avout_value_nth(entry, index));
}

/* The first or second parts of a map's entries: of the map, or of a sequence of them, as filter makes it. */
static avout_value parts(lang_run *run, const char *name, avout_value *arg, size_t index,
                         avout_status (*of_map)(avout_value *))
{
    lang_walk walk;
    lang_items items = {0};
    avout_value item;
    if (is(*arg, AVOUT_TYPE_MAP) || is(*arg, AVOUT_TYPE_NIL)) {
        avout_value value = lang_take(arg);
        return lang_done(run, of_map(&value), value);
    }
    if (is(*arg, AVOUT_TYPE_STRING) || !avout__lang_walk(&walk, run, name, *arg))
        return avout__lang_wrong(run, name, "a map, or its entries", *arg);
    bool fine = true;
    while (fine && avout__lang_walk_next(&walk, &item)) {
        fine = avout__lang_add(run, &items, entry_part(run, name, item, index));
        avout_release(item);
    }
    fine = avout__lang_walk_end(&walk) && fine;
    if (fine && items.count) return avout__lang_list(run, &items);
    avout__lang_drop(&items);
    return fine ? avout_nil() : AVOUT_NONE;
}

CORE(keys)
{
    return parts(run, "keys", &args[0], 0, avout_keys);
}

CORE(vals)
{
    return parts(run, "vals", &args[0], 1, avout_vals);
}

CORE(key)
{
    return entry_part(run, "key", args[0], 0);
}

CORE(val)
{
    return entry_part(run, "val", args[0], 1);
}

CORE(count_of)
{
    size_t number = 0;
    if (avout__lang_is_lazy(args[0])) {
        lang_walk walk;
        avout_value item;
        if (!avout__lang_walk(&walk, run, "count", args[0])) return AVOUT_NONE;
        /* Not ours to hold while it is made: what nobody else has goes as it is passed. */
        avout_release(lang_take(&args[0]));
        for (; avout__lang_walk_next(&walk, &item); number++) avout_release(item);
        return avout__lang_walk_end(&walk) ? avout_int((int64_t)number) : AVOUT_NONE;
    }
    avout_value value = lang_take(&args[0]);
    return lang_done(run, avout_count(&value), value);
}

CORE(subvec)
{
    int64_t from, to;
    size_t size;
    if (!is(args[0], AVOUT_TYPE_VECTOR))
        return avout__lang_wrong(run, "subvec", "a vector", args[0]);
    avout_value_count(&size, args[0]);
    if (!avout__lang_integer(run, "subvec", &from, args[1])) return AVOUT_NONE;
    to = (int64_t)size;
    if (count == 3 && !avout__lang_integer(run, "subvec", &to, args[2])) return AVOUT_NONE;
    if (from < 0 || from > to || to > (int64_t)size)
        return avout__lang_fail(run, AVOUT_ERANGE, "subvec: from %lld to %lld of %zu elements",
                                (long long)from, (long long)to, size);
    lang_items items = {0};
    bool fine = lang_step(run, (size_t)(to - from));
    for (int64_t i = from; i < to && fine; i++)
        fine = avout__lang_add(run, &items, avout_share(avout_value_nth(args[0], (size_t)i)));
    if (fine) return avout__lang_vector(run, &items);
    avout__lang_drop(&items);
    return AVOUT_NONE;
}

const lang_core avout__lang_collections[] = {
    {"list", "x ...", "a list of them", 0, LANG_MANY, list, NULL},
    {"vector", "x ...", "a vector of them", 0, LANG_MANY, vector, NULL},
    {"hash-map", "key val ...", "a map of them", 0, LANG_MANY, hash_map, NULL},
    {"array-map", "key val ...", "hash-map", 0, LANG_MANY, hash_map, NULL},
    {"hash-set", "x ...", "a set of them", 0, LANG_MANY, hash_set, NULL},
    {"vec", "coll", "the vector of its elements", 1, 1, vec, NULL},
    {"set", "coll", "the set of its elements", 1, 1, set, NULL},
    {"into", "to xform? from", "to with all elements of from added", 0, 3, into, NULL},
    {"empty", "coll", "an empty collection of the same type, or nil", 1, 1, empty, NULL},
    {"conj", "coll x ...", "with the elements added where it is cheap", 0, LANG_MANY, conj_all,
     NULL},
    {"disj", "set x ...", "without the elements", 1, LANG_MANY, disj, NULL},
    {"assoc", "coll key val ...", "with the keys set to the values", 3, LANG_MANY, assoc, NULL},
    {"dissoc", "map key ...", "without the keys", 1, LANG_MANY, dissoc, NULL},
    {"merge", "map ...", "with all entries of the others", 0, LANG_MANY, merge, NULL},
    /* Values are changed in place where nobody else has them: there is nothing to be had by asking for it. */
    {"transient", "coll", "coll, which is changed in place anyway where nobody else has it", 1, 1,
     itself, NULL},
    {"persistent!", "coll", "coll", 1, 1, itself, NULL},
    {"conj!", "coll x ...", "conj", 0, LANG_MANY, conj_all, NULL},
    {"assoc!", "coll key val ...", "assoc", 3, LANG_MANY, assoc, NULL},
    {"dissoc!", "map key ...", "dissoc", 1, LANG_MANY, dissoc, NULL},
    {"disj!", "set x ...", "disj", 1, LANG_MANY, disj, NULL},
    {"pop!", "coll", "pop", 1, 1, pop, NULL},
    {"pop", "coll", "without what peek shows", 1, 1, pop, NULL},
    {"peek", "coll", "a list's first, a vector's last element", 1, 1, peek, NULL},
    {"update", "coll key f arg ...", "with the key's value changed by f", 3, LANG_MANY, update_key,
     NULL},
    {"update-in", "coll [key ...] f arg ...", "with the path's value changed by f", 3, LANG_MANY,
     update_in, NULL},
    {"assoc-in", "coll [key ...] val", "with the path set to the value", 3, 3, assoc_in, NULL},
    {"get", "coll key default?", "the value of the key", 2, 3, get, NULL},
    {"get-in", "coll [key ...] default?", "the value at the path", 2, 3, get_in, NULL},
    {"find", "map key", "the entry [key val], or nil", 2, 2, find, NULL},
    {"contains?", "coll key", "whether it has the key (vectors: the index)", 2, 2, contains, NULL},
    {"keys", "map", "the list of the keys of a map, or of entries", 1, 1, keys, NULL},
    {"vals", "map", "the list of the values of a map, or of entries", 1, 1, vals, NULL},
    {"key", "entry", "the key of an entry", 1, 1, key, NULL},
    {"val", "entry", "the value of an entry", 1, 1, val, NULL},
    {"count", "coll", "how many elements", 1, 1, count_of, NULL},
    {"subvec", "vector from to?", "the elements from from up to before to", 2, 3, subvec, NULL},
    LANG_END,
};
