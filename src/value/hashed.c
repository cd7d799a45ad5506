/* What maps and sets share: small ones as arrays, larger ones as tries. See collection.h (H1). */
#include "value/collection.h"

#include <string.h>

#include "base/alloc.h"
#include "value/build.h"
#include "base/banned.h"

static size_t size_of(uint32_t slots)
{
    return sizeof(avout__hashed) + slots * sizeof(avout_value);
}

static avout__hashed *hashed_new(int type, uint32_t slots)
{
    avout__hashed *hashed = (avout__hashed *)(void *)avout__object_new(type, size_of(slots));
    if (!hashed) return NULL;
    hashed->object.extra = slots;
    hashed->count = 0;
    hashed->root = NULL;
    return hashed;
}

static uint32_t array_slots(const avout__hashed *hashed)
{
    return hashed->root ? 0 : (uint32_t)hashed->count * avout__hashed_width(hashed);
}

/* Makes *slot an object of one owner that holds the same, with room for `more` slots in the array;
 * the one place where a cached hash is given up. NULL: no memory. */
static avout__hashed *edit(avout_value *slot, uint32_t more)
{
    avout__hashed *hashed = avout__hashed_of(*slot);
    bool unique = avout__object_unique(&hashed->object);
    uint32_t used = array_slots(hashed), slots = hashed->object.extra;
    if (unique && used + more <= slots) {
        avout__hash_forget(&hashed->object);
        return hashed;
    }
    if (more) {
        uint32_t half = AVOUT__SMALL_COUNT / 2 * avout__hashed_width(hashed);
        slots = used + more <= half ? half : 2 * half;
    } else {
        slots = used;
    }
    if (unique) {
        hashed = avout__realloc(hashed, size_of(slots));
        if (!hashed) return NULL;
        hashed->object.extra = slots;
        avout__hash_forget(&hashed->object);
        *slot = avout__value_of(&hashed->object);
        return hashed;
    }
    avout__hashed *copy = hashed_new(hashed->object.type, slots);
    if (!copy) return NULL;
    copy->count = hashed->count;
    if (hashed->root) copy->root = avout__champ_ref(hashed->root);
    for (uint32_t i = 0; i < used; i++) copy->items[i] = avout__retain(hashed->items[i]);
    *slot = avout__value_of(&copy->object);
    avout__object_release(&hashed->object);
    return copy;
}

/* Whether a key of an array, not identical to `key`, might be equal: objects whose hashes are known
 * to differ are not. Spares most calls in small maps. */
static inline bool may_equal(avout_value have, avout_value key)
{
    if (!avout__is_object(have) || !avout__is_object(key))
        return avout__is_object(have) || avout__is_object(key);
    uint32_t a = atomic_load_explicit(&avout__object_any(have)->hash, memory_order_relaxed);
    uint32_t b = atomic_load_explicit(&avout__object_any(key)->hash, memory_order_relaxed);
    return !a || !b || a == b;
}

/* Where the key's entry lies in the array; SIZE_MAX when absent. */
static size_t array_find(const avout_value *items, size_t slots, uint32_t width, avout_value key)
{
    bool self = !avout__is_type(key, AVOUT_TYPE_FLOAT); /* a NaN is not equal to itself */
    for (size_t i = 0; self && i < slots; i += width) {
        if (items[i].bits == key.bits) return i;
    }
    for (size_t i = 0; i < slots; i += width) {
        if (may_equal(items[i], key) && avout_value_equal(items[i], key)) return i;
    }
    return SIZE_MAX;
}

const avout_value *avout__hashed_find(const avout__hashed *hashed, avout_value key)
{
    if (hashed->root) {
        const avout__champ_slot *entry = avout__champ_find(hashed->root, avout__hash_of(key), key);
        return entry ? &entry->value : NULL;
    }
    size_t at = array_find(hashed->items, array_slots(hashed), avout__hashed_width(hashed), key);
    return at == SIZE_MAX ? NULL : &hashed->items[at];
}

avout_value *avout__hashed_unique_entry(avout_value value, avout_value key)
{
    avout__hashed *hashed = avout__hashed_of(value);
    if (!avout__object_unique(&hashed->object)) return NULL;
    if (hashed->root) {
        avout__champ_slot *entry =
            avout__champ_find_unique(hashed->root, avout_value_hash(key), key);
        return entry ? &entry->value : NULL;
    }
    size_t at = array_find(hashed->items, array_slots(hashed), avout__hashed_width(hashed), key);
    return at == SIZE_MAX ? NULL : &hashed->items[at];
}

const avout_value *avout__hashed_candidates(const avout__hashed *hashed, uint32_t hash,
                                            uint32_t *count)
{
    if (hashed->root) {
        const avout__champ_slot *first = avout__champ_candidates(hashed->root, hash, count);
        return first ? &first->value : NULL;
    }
    *count = (uint32_t)hashed->count;
    return hashed->count ? hashed->items : NULL;
}

/* The ninth entry: the array becomes a trie, in a new object. */
static avout_status become_trie(avout_value *slot, avout_value key, avout_value item)
{
    avout__hashed *old = avout__hashed_of(*slot);
    uint32_t width = avout__hashed_width(old), used = array_slots(old);
    avout_value items[2 * (AVOUT__SMALL_COUNT + 1)];
    memcpy(items, old->items, used * sizeof *items);
    items[used] = key;
    if (width == 2) items[used + 1] = item;

    avout__hashed *fresh = hashed_new(old->object.type, 0);
    if (!fresh) return AVOUT_ENOMEM;
    size_t duplicate;
    fresh->count = old->count + 1;
    fresh->root = avout__champ_build(items, fresh->count, width, &duplicate);
    if (!fresh->root) {
        AVOUT__ASSERT(duplicate == SIZE_MAX);
        avout__free(fresh);
        return AVOUT_ENOMEM;
    }
    *slot = avout__value_of(&fresh->object);
    if (avout__object_unique(&old->object)) {
        avout__free(old);
        return AVOUT_OK;
    }
    for (uint32_t i = 0; i < used; i++) avout__retain(items[i]);
    avout__object_release(&old->object);
    return AVOUT_OK;
}

static avout_status array_put(avout_value *slot, avout_value key, avout_value item)
{
    avout__hashed *hashed = avout__hashed_of(*slot);
    uint32_t width = avout__hashed_width(hashed), used = array_slots(hashed);
    size_t at = array_find(hashed->items, used, width, key);
    if (at == SIZE_MAX && hashed->count == AVOUT__SMALL_COUNT) return become_trie(slot, key, item);
    if (at == SIZE_MAX) {
        hashed = edit(slot, width);
        if (!hashed) return AVOUT_ENOMEM;
        hashed->items[used] = key;
        if (width == 2) hashed->items[used + 1] = item;
        hashed->count++;
        return AVOUT_OK;
    }
    avout_value old = AVOUT_NONE;
    if (width == 2) {
        hashed = edit(slot, 0);
        if (!hashed) return AVOUT_ENOMEM;
        old = hashed->items[at + 1];
        hashed->items[at + 1] = item;
    }
    avout__release(key);
    avout__release(old);
    return AVOUT_OK;
}

/* A new version of a map or set that somebody else holds too. */
static avout_status put_shared(avout_value *slot, uint32_t hash, avout_value key, avout_value item)
{
    avout__hashed *old = avout__hashed_of(*slot), *fresh = hashed_new(old->object.type, 0);
    if (!fresh) return AVOUT_ENOMEM;
    bool added;
    avout_status status = avout__champ_with(&fresh->root, old->root, 0, hash, key, item, &added);
    if (status) {
        avout__free(fresh);
        return status;
    }
    if (!added) avout__release(key);
    if (!fresh->root) { /* it is there as it is */
        avout__free(fresh);
        avout__release(item);
        return AVOUT_OK;
    }
    fresh->count = old->count + added;
    *slot = avout__value_of(&fresh->object);
    avout__object_release(&old->object);
    return AVOUT_OK;
}

avout_status avout__hashed_put(avout_value *slot, avout_value key, avout_value item)
{
    avout__hashed *hashed = avout__hashed_of(*slot);
    if (!hashed->root) return array_put(slot, key, item);
    uint32_t hash = avout__hash_of(key);
    if (!avout__object_unique(&hashed->object)) return put_shared(slot, hash, key, item);
    hashed = edit(slot, 0);
    if (!hashed) return AVOUT_ENOMEM;
    bool added;
    avout_value replaced[2] = {AVOUT_NONE, AVOUT_NONE};
    avout_status status = avout__champ_put(&hashed->root, hash, key, item, &added, replaced);
    if (status) return status;
    hashed->count += added;
    avout__release_all(2, replaced);
    return AVOUT_OK;
}

/* The ninth entry goes: the others become an array, in a new object. */
static avout_status become_array(avout_value *slot, const avout_value *without)
{
    avout__hashed *old = avout__hashed_of(*slot);
    uint32_t width = avout__hashed_width(old), used = 0;
    avout__hashed *fresh = hashed_new(old->object.type, AVOUT__SMALL_COUNT * width);
    if (!fresh) return AVOUT_ENOMEM;
    avout_iterator it = avout_value_iterate(*slot);
    while (avout_iterator_next(&it)) {
        avout_value key = width == 2 ? it.key : it.item;
        if (key.bits == without->bits) continue;
        fresh->items[used++] = avout__retain(key);
        if (width == 2) fresh->items[used++] = avout__retain(it.item);
    }
    fresh->count = old->count - 1;
    AVOUT__ASSERT(used == array_slots(fresh));
    *slot = avout__value_of(&fresh->object);
    avout__object_release(&old->object);
    return AVOUT_OK;
}

avout_status avout__hashed_remove(avout_value *slot, avout_value key)
{
    avout__hashed *hashed = avout__hashed_of(*slot);
    const avout_value *entry = avout__hashed_find(hashed, key);
    if (!entry) return AVOUT_OK;
    if (hashed->count == AVOUT__SMALL_COUNT + 1) return become_array(slot, entry);
    uint32_t width = avout__hashed_width(hashed);
    avout_value removed[2] = {AVOUT_NONE, AVOUT_NONE};
    if (hashed->root) {
        hashed = edit(slot, 0);
        if (!hashed) return AVOUT_ENOMEM;
        avout_status status =
            avout__champ_remove(&hashed->root, avout_value_hash(key), key, removed);
        if (status) return status;
        hashed->count--;
    } else {
        size_t at = (size_t)(entry - hashed->items);
        hashed = edit(slot, 0);
        if (!hashed) return AVOUT_ENOMEM;
        memcpy(removed, hashed->items + at, width * sizeof *removed);
        hashed->count--;
        memmove(hashed->items + at, hashed->items + at + width,
                (array_slots(hashed) - at) * sizeof *hashed->items);
    }
    avout__release_all(2, removed);
    return AVOUT_OK;
}

/* ---- making --------------------------------------------------------------------------------- */

static avout_value fail_items(avout_status status, const avout_value *items, size_t slots)
{
    avout__release_all(slots, items);
    return avout__none(status);
}

/* The first entry that equals an earlier one, of a few; SIZE_MAX: none. */
static size_t array_duplicate(const avout_value *items, size_t slots, uint32_t width)
{
    for (size_t i = width; i < slots; i += width) {
        if (array_find(items, i, width, items[i]) != SIZE_MAX) return i / width;
    }
    return SIZE_MAX;
}

static avout_value from_owned(int type, uint32_t width, const avout_value *items, size_t count,
                              size_t *duplicate)
{
    size_t ignored, slots = count * width;
    if (!duplicate) duplicate = &ignored;
    *duplicate = SIZE_MAX;
    for (size_t i = 0; i < slots; i++) {
        if (!items[i].bits) return fail_items(avout__none_given(), items, slots);
    }
    bool small = count <= AVOUT__SMALL_COUNT;
    if (small) *duplicate = array_duplicate(items, slots, width);
    avout__hashed *hashed = NULL;
    if (*duplicate == SIZE_MAX) hashed = hashed_new(type, small ? (uint32_t)slots : 0);
    if (hashed && small) {
        if (slots) memcpy(hashed->items, items, slots * sizeof *items);
    } else if (hashed) {
        hashed->root = avout__champ_build(items, count, width, duplicate);
        if (!hashed->root) {
            avout__free(hashed);
            hashed = NULL;
        }
    }
    if (hashed) {
        hashed->count = count;
        return avout__value_of(&hashed->object);
    }
    if (*duplicate == SIZE_MAX) return fail_items(AVOUT_ENOMEM, items, slots);
    avout_fail(AVOUT_EEXISTS,
               type == AVOUT_TYPE_MAP ? "map: key %zu is given twice"
                                      : "set: element %zu is given twice",
               *duplicate);
    return fail_items(AVOUT_EEXISTS, items, slots);
}

avout_value avout__map_from_owned(const avout_value *pairs, size_t count, size_t *duplicate)
{
    return from_owned(AVOUT_TYPE_MAP, 2, pairs, count, duplicate);
}

avout_value avout__set_from_owned(const avout_value *items, size_t count, size_t *duplicate)
{
    return from_owned(AVOUT_TYPE_SET, 1, items, count, duplicate);
}

avout_value avout_map(size_t count, const avout_value *keys_and_values)
{
    return avout__map_from_owned(keys_and_values, count, NULL);
}

avout_value avout_set(size_t count, const avout_value *items)
{
    return avout__set_from_owned(items, count, NULL);
}

static void release_children(avout__object *object, avout__dead_list *dead)
{
    avout__hashed *hashed = (avout__hashed *)(void *)object;
    uint32_t slots = array_slots(hashed);
    for (uint32_t i = 0; i < slots; i++) avout__dead_drop(dead, hashed->items[i]);
    if (hashed->root) avout__champ_unref(hashed->root, dead);
}

const avout__type_hooks avout__map_hooks = {
    .release_children = release_children,
    .hash = avout__collection_hash,
    .equal = avout__collection_equal,
};

const avout__type_hooks avout__set_hooks = {
    .release_children = release_children,
    .hash = avout__collection_hash,
    .equal = avout__collection_equal,
};
