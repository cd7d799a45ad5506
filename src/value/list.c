/* Lists: chains of chunks. See collection.h for the layout. */
#include "value/collection.h"

#include <string.h>

#include "base/alloc.h"
#include "value/build.h"
#include "base/banned.h"

static size_t size_of(uint32_t capacity)
{
    return sizeof(avout__list) + capacity * sizeof(avout_value);
}

static avout__list *list_new(uint32_t capacity)
{
    avout__list *list =
        (avout__list *)(void *)avout__object_new(AVOUT_TYPE_LIST, size_of(capacity));
    if (!list) return NULL;
    list->count = 0;
    list->next = NULL;
    list->here = 0;
    list->capacity = capacity;
    return list;
}

/* Chunks that hold nothing yet, in a chain. */
static void discard(avout__list *list)
{
    while (list) {
        avout__list *next = list->next;
        avout__free(list);
        list = next;
    }
}

avout_value avout__list_from_owned(const avout_value *items, size_t count)
{
    avout__list *list = NULL;
    size_t left = count;
    for (size_t i = 0; i < count; i++) {
        if (items[i].bits) continue;
        avout__release_all(count, items);
        return avout__none(avout__none_given());
    }
    do { /* from the last chunk to the first */
        uint32_t here = left > AVOUT__CHUNK ? AVOUT__CHUNK : (uint32_t)left;
        avout__list *chunk = list_new(here);
        if (!chunk) {
            discard(list);
            avout__release_all(count, items);
            return avout__none(AVOUT_ENOMEM);
        }
        for (uint32_t i = 0; i < here; i++) chunk->items[i] = items[left - 1 - i];
        chunk->here = here;
        chunk->next = list;
        chunk->count = here + (list ? list->count : 0);
        list = chunk;
        left -= here;
    } while (left);
    return avout__value_of(&list->object);
}

avout_value avout_list(size_t count, const avout_value *items)
{
    return avout__list_from_owned(items, count);
}

/* The chunk's last `here` items and what follows it, in a block with room for `capacity` items. */
static avout__list *copy(const avout__list *list, uint32_t here, uint32_t capacity)
{
    avout__list *fresh = list_new(capacity);
    if (!fresh) return NULL;
    for (uint32_t i = 0; i < here; i++) fresh->items[i] = avout__retain(list->items[i]);
    fresh->here = here;
    fresh->count = list->count - (list->here - here);
    fresh->next = list->next;
    if (fresh->next) avout__object_retain(&fresh->next->object);
    return fresh;
}

/* A chunk of one item before `list`, which it takes over (an empty one is not kept). */
static avout_status conj_chunk(avout_value *slot, uint32_t capacity, avout_value item)
{
    avout__list *list = avout__list_of(*slot), *chunk = list_new(capacity);
    if (!chunk) return AVOUT_ENOMEM;
    chunk->items[0] = item;
    chunk->here = 1;
    chunk->count = list->count + 1;
    chunk->next = list->count ? list : NULL;
    *slot = avout__value_of(&chunk->object);
    if (!list->count) avout__object_release(&list->object);
    return AVOUT_OK;
}

avout_status avout__list_conj(avout_value *slot, avout_value item)
{
    avout__list *list = avout__list_of(*slot);
    /* What is shared stays as it is: one item before it costs one small block. */
    if (!avout__object_unique(&list->object)) return conj_chunk(slot, 1, item);
    if (list->here == AVOUT__CHUNK) return conj_chunk(slot, AVOUT__CHUNK, item);
    if (list->here == list->capacity) {
        uint32_t capacity = list->capacity < 2 ? 4 : list->capacity * 2;
        if (capacity > AVOUT__CHUNK) capacity = AVOUT__CHUNK;
        list = avout__realloc(list, size_of(capacity));
        if (!list) return AVOUT_ENOMEM;
        list->capacity = capacity;
        *slot = avout__value_of(&list->object);
    }
    list->items[list->here++] = item;
    list->count++;
    avout__hash_forget(&list->object);
    return AVOUT_OK;
}

avout_status avout__list_rest(avout_value *slot)
{
    avout__list *list = avout__list_of(*slot);
    bool unique = avout__object_unique(&list->object);
    if (list->here == 1 && list->next) {
        avout__list *next = list->next;
        avout__object_retain(&next->object);
        *slot = avout__value_of(&next->object);
        avout__object_release(&list->object);
    } else if (unique) {
        avout_value gone = list->items[--list->here];
        list->count--;
        avout__hash_forget(&list->object);
        avout__release(gone);
    } else {
        avout__list *rest = copy(list, list->here - 1, list->here - 1);
        if (!rest) return AVOUT_ENOMEM;
        *slot = avout__value_of(&rest->object);
        avout__object_release(&list->object);
    }
    return AVOUT_OK;
}

const avout_value *avout__list_at(const avout__list *list, size_t index)
{
    if (index >= list->count) return NULL;
    while (index >= list->here) {
        index -= list->here;
        list = list->next;
    }
    return &list->items[list->here - 1 - index];
}

static void release_children(avout__object *object, avout__dead_list *dead)
{
    avout__list *list = (avout__list *)(void *)object;
    for (uint32_t i = 0; i < list->here; i++) avout__dead_drop(dead, list->items[i]);
    if (list->next) avout__dead_drop_object(dead, &list->next->object);
}

const avout__type_hooks avout__list_hooks = {
    .release_children = release_children,
    .hash = avout__collection_hash,
    .equal = avout__collection_equal,
};
