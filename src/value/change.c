/* conj, disj, assoc, dissoc, into, merge: each looks at the types, and leaves the work to the
 * collection's own file. */
#include "value/sequence.h"

#include "value/describe.h"
#include "base/banned.h"

/* Ends a change: what was not taken over is released. */
static avout_status finish(avout_status status, avout_value a, avout_value b)
{
    if (status) {
        avout__release(a);
        avout__release(b);
    }
    return status;
}

/* ---- conj ------------------------------------------------------------------------------------ */

static avout_status fail_conj(const char *function, avout_value item)
{
    if (avout__is_type(item, AVOUT_TYPE_VECTOR))
        return avout_fail(AVOUT_EINVAL, "%s: expected a pair to add to a map, got a vector of %zu",
                          function, avout__vector_of(item)->count);
    return avout__fail_type(function, "a [key value] vector or a map to add to a map", item);
}

/* Adds a pair, or all of another map. Takes over `item` on success. */
static avout_status map_conj(const char *function, avout_value *map, avout_value item)
{
    avout_status status = AVOUT_OK;
    if (avout__is_type(item, AVOUT_TYPE_MAP)) {
        status = avout__into(function, map, avout__retain(item));
    } else if (avout__is_type(item, AVOUT_TYPE_VECTOR) && avout__vector_of(item)->count == 2) {
        avout_value key = avout__retain(avout_value_nth(item, 0));
        avout_value value = avout__retain(avout_value_nth(item, 1));
        status = finish(avout__hashed_put(map, key, value), key, value);
    } else if (!avout__is_nil(item)) {
        return fail_conj(function, item);
    }
    if (!status) avout__release(item);
    return status;
}

static avout_status conj_to(const char *function, avout_value *collection, avout_value item)
{
    switch (avout_value_type(*collection)) {
    case AVOUT_TYPE_NIL: {
        avout_value list = avout_list(0, NULL);
        if (!list.bits) return AVOUT_ENOMEM;
        avout_status status = avout__list_conj(&list, item);
        if (status) avout__release(list);
        else *collection = list;
        return status;
    }
    case AVOUT_TYPE_LIST: return avout__list_conj(collection, item);
    case AVOUT_TYPE_VECTOR: return avout__vector_conj(collection, item);
    case AVOUT_TYPE_SET: return avout__hashed_put(collection, item, AVOUT_NONE);
    case AVOUT_TYPE_MAP: return map_conj(function, collection, item);
    default: return avout__fail_type(function, "a collection", *collection);
    }
}

avout_status avout__conj(const char *function, avout_value *collection, avout_value item)
{
    if (!item.bits || !collection->bits) return finish(avout__none_given(), item, AVOUT_NONE);
    return finish(conj_to(function, collection, item), item, AVOUT_NONE);
}

avout_status avout_conj(avout_value *collection, avout_value item)
{
    return avout__conj("conj", collection, item);
}

avout_status avout_conj_fn(avout_value *value, void *payload)
{
    return avout_conj(value, avout__retain(*(const avout_value *)payload));
}

/* ---- disj, dissoc ---------------------------------------------------------------------------- */

static avout_status remove_key(const char *function, avout_type type, const char *expected,
                               avout_value *collection, avout_value key)
{
    avout_status status = AVOUT_OK;
    if (!key.bits || !collection->bits) status = avout__none_given();
    else if (avout_value_type(*collection) == type) status = avout__hashed_remove(collection, key);
    else if (!avout__is_nil(*collection))
        status = avout__fail_type(function, expected, *collection);
    avout__release(key);
    return status;
}

avout_status avout_disj(avout_value *set, avout_value item)
{
    return remove_key("disj", AVOUT_TYPE_SET, "a set", set, item);
}

avout_status avout_disj_fn(avout_value *value, void *payload)
{
    return avout_disj(value, avout__retain(*(const avout_value *)payload));
}

avout_status avout_dissoc(avout_value *map, avout_value key)
{
    return remove_key("dissoc", AVOUT_TYPE_MAP, "a map", map, key);
}

/* ---- assoc ----------------------------------------------------------------------------------- */

/* Takes over `item` on success; the key, a number, is released by the caller. */
static avout_status vector_assoc(const char *function, avout_value *vector, avout_value key,
                                 avout_value item)
{
    size_t index, count = avout__vector_of(*vector)->count;
    if (!avout__index(&index, key)) return avout__fail_type(function, "an index", key);
    if (index < count) return avout__vector_set(vector, index, item);
    if (index == count) return avout__vector_conj(vector, item);
    return avout_fail(AVOUT_ERANGE, "%s: index %s is outside of 0 to %zu", function,
                      avout__describe(key).text, count);
}

static avout_status assoc_to(const char *function, avout_value *collection, avout_value key,
                             avout_value item)
{
    avout_status status;
    switch (avout_value_type(*collection)) {
    case AVOUT_TYPE_MAP: return avout__hashed_put(collection, key, item);
    case AVOUT_TYPE_VECTOR:
        status = vector_assoc(function, collection, key, item);
        if (!status) avout__release(key);
        return status;
    case AVOUT_TYPE_NIL: {
        avout_value map = avout_map(0, NULL);
        if (!map.bits) return AVOUT_ENOMEM;
        status = avout__hashed_put(&map, key, item);
        if (status) avout__release(map);
        else *collection = map;
        return status;
    }
    default: return avout__fail_type(function, "a map or vector", *collection);
    }
}

avout_status avout__assoc(const char *function, avout_value *collection, avout_value key,
                          avout_value item)
{
    if (!key.bits || !item.bits || !collection->bits) return finish(avout__none_given(), key, item);
    return finish(assoc_to(function, collection, key, item), key, item);
}

avout_status avout_assoc(avout_value *collection, avout_value key, avout_value item)
{
    return avout__assoc("assoc", collection, key, item);
}

/* ---- into, merge ----------------------------------------------------------------------------- */

/* Adds all of a map to a map, without making pairs. */
static avout_status add_map(avout_value *to, avout_value from)
{
    avout_iterator it = avout_value_iterate(from);
    avout_status status = AVOUT_OK;
    while (!status && avout_iterator_next(&it)) {
        avout_value key = avout__retain(it.key), item = avout__retain(it.item);
        status = finish(avout__hashed_put(to, key, item), key, item);
    }
    return status;
}

static avout_status add_items(const char *function, avout_value *to, avout_value from)
{
    avout_value *items;
    size_t count, i = 0;
    avout_status status = avout__items(function, from, &items, &count);
    if (status) return status;
    while (i < count && !status) status = avout__conj(function, to, items[i++]);
    avout__release_all(count - i, items + i);
    avout__items_free(items);
    return status;
}

avout_status avout__into(const char *function, avout_value *to, avout_value from)
{
    if (!from.bits || !to->bits) return finish(avout__none_given(), from, AVOUT_NONE);
    /* The second owner is there to go back to when an element in the middle fails. It costs a copy
     * of the nodes that are touched, once each. */
    avout_value before = avout__retain(*to);
    avout_status status;
    if (avout__is_type(*to, AVOUT_TYPE_MAP) && avout__is_type(from, AVOUT_TYPE_MAP))
        status = add_map(to, from);
    else status = add_items(function, to, from);
    if (status) avout__become(to, before);
    else avout__release(before);
    avout__release(from);
    return status;
}

avout_status avout_into(avout_value *to, avout_value from)
{
    avout_type type = avout_value_type(*to);
    bool fits = type == AVOUT_TYPE_NONE || type == AVOUT_TYPE_NIL || avout__is_collection(*to);
    if (fits) return avout__into("into", to, from);
    avout__release(from);
    return avout__fail_type("into", "a collection", *to);
}

avout_status avout_merge(avout_value *map, avout_value other)
{
    avout_status status = AVOUT_OK;
    bool nil = avout__is_nil(*map);
    if (!other.bits || !map->bits) status = avout__none_given();
    else if (!nil && !avout__is_type(*map, AVOUT_TYPE_MAP))
        status = avout__fail_type("merge", "a map", *map);
    else if (!avout__is_nil(other) && !avout__is_type(other, AVOUT_TYPE_MAP))
        status = avout__fail_type("merge", "a map", other);
    if (status) return finish(status, other, AVOUT_NONE);
    if (avout__is_nil(other)) return AVOUT_OK;
    if (!nil) return avout__into("merge", map, other);
    *map = other;
    return AVOUT_OK;
}
