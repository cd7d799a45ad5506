/* What turns a collection into one of its elements, a list of them, or a fact about it. */
#include "value/sequence.h"

#include "base/alloc.h"
#include "value/build.h"
#include "value/describe.h"
#include "base/banned.h"

/* ---- elements -------------------------------------------------------------------------------- */

static avout_status string_items(avout_value string, avout_value *items)
{
    const char *text;
    size_t length;
    avout_status status = avout_value_to_text(&text, &length, string);
    for (const char *end = text + length; !status && text < end;)
        *items++ = avout__text_next(&text);
    return status;
}

/* *done: how many items are owned by now. */
static avout_status collection_items(avout_value collection, avout_value *items, size_t *done)
{
    avout_iterator it = avout_value_iterate(collection);
    while (avout_iterator_next(&it)) {
        avout_value item = avout__retain(it.item);
        if (it.key.bits) {
            const avout_value pair[2] = {avout__retain(it.key), item};
            item = avout__vector_from_owned(pair, 2);
            if (!item.bits) return AVOUT_ENOMEM;
        }
        items[(*done)++] = item;
    }
    return AVOUT_OK;
}

static bool has_sequence(avout_value value)
{
    return avout__is_nil(value) || avout__is_collection(value) ||
           avout__is_type(value, AVOUT_TYPE_STRING);
}

avout_status avout__items(const char *function, avout_value value, avout_value **items,
                          size_t *count)
{
    *items = NULL;
    *count = 0;
    if (!has_sequence(value)) return avout__fail_type(function, "a collection or string", value);
    avout_status status = avout_value_count(count, value);
    if (status || !*count) return status;
    size_t done = 0;
    avout_value *made = avout__calloc(*count, sizeof *made);
    if (!made) return AVOUT_ENOMEM;
    if (avout__is_type(value, AVOUT_TYPE_STRING)) status = string_items(value, made);
    else status = collection_items(value, made, &done);
    if (!status) {
        *items = made;
        return AVOUT_OK;
    }
    avout__release_all(done, made);
    avout__free(made);
    return status;
}

void avout__items_free(avout_value *items)
{
    avout__free(items);
}

/* *collection becomes the list of its elements but the first `skip`. */
static avout_status become_list(const char *function, avout_value *collection, size_t skip)
{
    avout_value *items;
    size_t count;
    avout_status status = avout__items(function, *collection, &items, &count);
    if (status) return status;
    if (skip > count) skip = count;
    avout_value list = avout__list_from_owned(skip ? items + skip : items, count - skip);
    avout__release_all(skip, items);
    avout__free(items);
    if (!list.bits) return AVOUT_ENOMEM;
    return avout__become(collection, list);
}

static bool is_empty(avout_value value)
{
    size_t count = 0;
    return has_sequence(value) && !avout_value_count(&count, value) && !count;
}

/* ---- first, rest, seq ------------------------------------------------------------------------ */

avout_status avout_first(avout_value *collection)
{
    avout_value value = *collection, first = AVOUT_NONE;
    if (!value.bits) return avout__none_given();
    if (!has_sequence(value)) return avout__fail_type("first", "a collection or string", value);
    if (avout__is_collection(value)) {
        avout_iterator it = avout_value_iterate(value);
        if (avout_iterator_next(&it) && it.key.bits) {
            const avout_value pair[2] = {avout__retain(it.key), avout__retain(it.item)};
            first = avout__vector_from_owned(pair, 2);
            return first.bits ? avout__become(collection, first) : AVOUT_ENOMEM;
        }
        first = it.item;
    } else {
        first = avout__element(value, 0);
    }
    return avout__become(collection, first.bits ? avout__retain(first) : AVOUT__NIL);
}

avout_status avout_rest(avout_value *collection)
{
    if (!collection->bits) return avout__none_given();
    if (avout__is_type(*collection, AVOUT_TYPE_LIST))
        return avout__list_of(*collection)->count ? avout__list_rest(collection) : AVOUT_OK;
    return become_list("rest", collection, 1);
}

avout_status avout_seq(avout_value *collection)
{
    if (!collection->bits) return avout__none_given();
    if (is_empty(*collection)) return avout__become(collection, AVOUT__NIL);
    if (avout__is_type(*collection, AVOUT_TYPE_LIST)) return AVOUT_OK;
    return become_list("seq", collection, 0);
}

/* ---- nth, peek, pop -------------------------------------------------------------------------- */

static avout_status nth(avout_value *collection, avout_value key)
{
    size_t index, count;
    avout_value value = *collection;
    if (avout__is_hashed(value) || !has_sequence(value))
        return avout__fail_type("nth", "a list, vector or string", value);
    if (!avout__index(&index, key)) return avout__fail_type("nth", "an index", key);
    if (avout__is_nil(value)) return AVOUT_OK;
    avout_value item = avout__element(value, index);
    if (item.bits) return avout__become(collection, avout__retain(item));
    avout_status status = avout_value_count(&count, value);
    if (status) return status;
    return avout_fail(AVOUT_ERANGE, "nth: index %s is out of range, there are %zu elements",
                      avout__describe(key).text, count);
}

avout_status avout_nth(avout_value *collection, avout_value index)
{
    avout_status status = AVOUT_OK;
    if (!collection->bits || !index.bits) status = avout__none_given();
    else status = nth(collection, index);
    avout__release(index);
    return status;
}

static avout_status check_stack(const char *function, avout_value value)
{
    if (!value.bits) return avout__none_given();
    if (avout__is_nil(value) || avout__is_type(value, AVOUT_TYPE_LIST) ||
        avout__is_type(value, AVOUT_TYPE_VECTOR))
        return AVOUT_OK;
    return avout__fail_type(function, "a list or vector", value);
}

avout_status avout_peek(avout_value *collection)
{
    avout_status status = check_stack("peek", *collection);
    if (status) return status;
    avout_value item = avout_value_peek(*collection);
    return avout__become(collection, item.bits ? avout__retain(item) : AVOUT__NIL);
}

avout_status avout_pop(avout_value *collection)
{
    avout_status status = check_stack("pop", *collection);
    if (status || avout__is_nil(*collection)) return status;
    bool list = avout__is_type(*collection, AVOUT_TYPE_LIST);
    if (is_empty(*collection))
        return avout_fail(AVOUT_ESTATE, "pop: the %s is empty", list ? "list" : "vector");
    return list ? avout__list_rest(collection) : avout__vector_pop(collection);
}

/* ---- keys, vals ------------------------------------------------------------------------------ */

static avout_status map_column(const char *function, avout_value *map, bool keys)
{
    if (!map->bits) return avout__none_given();
    if (avout__is_nil(*map)) return AVOUT_OK;
    if (!avout__is_type(*map, AVOUT_TYPE_MAP)) return avout__fail_type(function, "a map", *map);
    size_t count = avout__hashed_of(*map)->count, i = 0;
    if (!count) return avout__become(map, AVOUT__NIL);
    avout_value *items = avout__calloc(count, sizeof *items);
    if (!items) return AVOUT_ENOMEM;
    avout_iterator it = avout_value_iterate(*map);
    while (avout_iterator_next(&it)) items[i++] = avout__retain(keys ? it.key : it.item);
    avout_value list = avout__list_from_owned(items, count);
    avout__free(items);
    return list.bits ? avout__become(map, list) : AVOUT_ENOMEM;
}

avout_status avout_keys(avout_value *map)
{
    return map_column("keys", map, true);
}

avout_status avout_vals(avout_value *map)
{
    return map_column("vals", map, false);
}

/* ---- count, contains ------------------------------------------------------------------------- */

avout_status avout_count(avout_value *collection)
{
    size_t count;
    avout_status status = avout_value_count(&count, *collection);
    return status ? status : avout__become(collection, avout_int((int64_t)count));
}

avout_status avout_contains(avout_value *collection, avout_value key)
{
    bool found;
    avout_status status = avout_value_contains(&found, *collection, key);
    avout__release(key);
    return status ? status : avout__become(collection, avout_bool(found));
}
