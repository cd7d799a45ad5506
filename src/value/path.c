/* Values inside values: get, get-in, assoc-in, update-in. */
#include "value/sequence.h"

#include "base/alloc.h"
#include "base/banned.h"

avout_status avout_get(avout_value *collection, avout_value key)
{
    avout_status status = AVOUT_OK;
    if (!collection->bits || !key.bits) {
        status = avout__none_given();
    } else {
        avout_value found = avout__lookup(*collection, key);
        avout__become(collection, found.bits ? avout__retain(found) : AVOUT__NIL);
    }
    avout__release(key);
    return status;
}

avout_status avout_get_in(avout_value *collection, size_t length, const avout_value *path)
{
    avout_value found = *collection;
    if (!found.bits) return avout__none_given();
    for (size_t i = 0; i < length; i++) {
        if (!path[i].bits) return avout__none_given();
        if (found.bits) found = avout__lookup(found, path[i]);
    }
    return avout__become(collection, found.bits ? avout__retain(found) : AVOUT__NIL);
}

/* One level on the way down. As long as everything above has one owner, the value at the key is
 * taken out of its collection, with nil left in its place: then it has one owner too, and is changed
 * where it is. Below the first shared collection it is a second reference. */
typedef struct level {
    avout_value value;
    avout_value *place; /* where the next level's value was taken from; NULL: it is a reference */
} level;

enum { FEW = 16 };

/* Where the key's item lies if it can be taken out; NULL otherwise. */
static avout_value *unique_place(avout_value collection, avout_value key)
{
    size_t index;
    if (avout__is_type(collection, AVOUT_TYPE_VECTOR))
        return avout__index(&index, key) ? avout__vector_unique_item(collection, index) : NULL;
    if (!avout__is_type(collection, AVOUT_TYPE_MAP)) return NULL;
    avout_value *entry = avout__hashed_unique_entry(collection, key);
    return entry ? entry + 1 : NULL;
}

static void go_down(level *from, avout_value key, avout_value *to)
{
    from->place = unique_place(from->value, key);
    if (from->place) {
        *to = *from->place;
        *from->place = AVOUT__NIL;
        return;
    }
    avout_value found = avout__lookup(from->value, key);
    *to = found.bits ? avout__retain(found) : AVOUT__NIL;
}

/* Puts `item` back where it came from, changed or not; takes it over. Where it was taken out this
 * cannot fail: on failure the level's value is what it was all the time. */
static avout_status put_back(const char *function, level *at, avout_value key, avout_value item,
                             avout_status status)
{
    if (at->place) {
        *at->place = item;
        avout__hash_forget(avout__object_any(at->value));
        return status;
    }
    if (!status) return avout__assoc(function, &at->value, avout__retain(key), item);
    avout__release(item);
    return status;
}

static avout_status change_at(const char *function, avout_value *collection, size_t length,
                              const avout_value *path, avout_change_fn change, void *payload)
{
    level few[FEW], *levels = few;
    for (size_t i = 0; i < length; i++) {
        if (!path[i].bits) return avout__none_given();
    }
    if (length > FEW && !(levels = avout__calloc(length, sizeof *levels))) return AVOUT_ENOMEM;
    avout_value value = *collection;
    for (size_t i = 0; i < length; i++) {
        levels[i].value = value;
        go_down(&levels[i], path[i], &value);
    }
    avout_status status = change(&value, payload);
    for (size_t i = length; i-- > 0;) {
        status = put_back(function, &levels[i], path[i], value, status);
        value = levels[i].value;
    }
    *collection = value;
    if (levels != few) avout__free(levels);
    return status;
}

/* As in Clojure, a path of no keys means the key nil. */
avout_status avout__update_in(const char *function, avout_value *collection, size_t length,
                              const avout_value *path, avout_change_fn change, void *payload)
{
    const avout_value nil = AVOUT__NIL;
    if (!collection->bits) return avout__none_given();
    if (!length) return change_at(function, collection, 1, &nil, change, payload);
    return change_at(function, collection, length, path, change, payload);
}

avout_status avout_update_in(avout_value *collection, size_t length, const avout_value *path,
                             avout_change_fn change, void *payload)
{
    return avout__update_in("update-in", collection, length, path, change, payload);
}

static avout_status put_fn(avout_value *value, void *payload)
{
    return avout__become(value, avout__retain(*(const avout_value *)payload));
}

avout_status avout_assoc_in(avout_value *collection, size_t length, const avout_value *path,
                            avout_value item)
{
    avout_status status =
        item.bits ? avout__update_in("assoc-in", collection, length, path, put_fn, &item)
                  : avout__none_given();
    avout__release(item);
    return status;
}
