/* Vectors: 32-way tries with the tail in the object. See collection.h for the layout (V1..V3). */
#include "value/collection.h"

#include <string.h>

#include "base/alloc.h"
#include "value/build.h"
#include "base/banned.h"

enum { WIDTH = AVOUT__VECTOR_WIDTH, BITS = AVOUT__VECTOR_BITS };
typedef avout__vector_node node_t;

/* ---- nodes ---------------------------------------------------------------------------------- */

static node_t *node_new(void)
{
    node_t *node = avout__alloc(sizeof *node);
    if (!node) return NULL;
    atomic_init(&node->refs, 1);
    avout__kin_init(&node->kin);
    return node;
}

static node_t *branch_new(void)
{
    node_t *node = node_new();
    if (node) memset(node->children, 0, sizeof node->children);
    return node;
}

static node_t *node_ref(node_t *node)
{
    atomic_fetch_add_explicit(&node->refs, 1, memory_order_relaxed);
    return node;
}

static bool node_unique(node_t *node)
{
    return atomic_load_explicit(&node->refs, memory_order_acquire) == 1;
}

/* True when the caller gave up the last reference. */
static bool node_drop(node_t *node)
{
    return node_unique(node) ||
           atomic_fetch_sub_explicit(&node->refs, 1, memory_order_acq_rel) == 1;
}

static uint32_t place_of(size_t index, uint32_t shift)
{
    return index >> shift & (WIDTH - 1);
}

static void retain_place(node_t *node, uint32_t shift, uint32_t place)
{
    if (!shift) avout__retain(node->items[place]);
    else if (node->children[place]) node_ref(node->children[place]);
}

/* Rule K4 of kin.h. The node has one owner. */
static void settle(node_t *node, uint32_t shift, uint32_t place)
{
    uint32_t missing = avout__kin_settle(&node->kin, 1u << place);
    if (!missing) return;
    while (missing--) retain_place(node, shift, place);
    avout__kin_unlock(&node->kin);
}

static uint32_t leave(node_t *node)
{
    if (avout__kin_alone(&node->kin)) return UINT32_MAX;
    avout__kin_lock(&node->kin);
    uint32_t places = avout__kin_leave(&node->kin);
    avout__kin_unlock(&node->kin);
    return places;
}

/* `dead` as in avout__champ_unref. The calls nest as deep as the trie, at most 13. */
static void node_unref(node_t *node, uint32_t shift, avout__dead_list *dead)
{
    if (!node_drop(node)) return;
    for (uint32_t left = leave(node); left; left &= left - 1) {
        int i = __builtin_ctz(left);
        if (!shift && dead) avout__dead_drop(dead, node->items[i]);
        else if (!shift) avout__release(node->items[i]);
        else if (node->children[i]) node_unref(node->children[i], shift - BITS, dead);
    }
    avout__free(node);
}

/* Frees nodes nobody shares, and not the values in them. */
static void node_discard(node_t *node, uint32_t shift)
{
    for (int i = 0; shift && i < WIDTH && node->children[i]; i++)
        node_discard(node->children[i], shift - BITS);
    avout__free(node);
}

/* Makes *at a node of one owner that holds the same, for a change in one place. */
static avout_status node_edit(node_t **at, uint32_t shift, uint32_t place)
{
    node_t *node = *at;
    if (node_unique(node)) {
        settle(node, shift, place);
        return AVOUT_OK;
    }
    node_t *copy = node_new();
    if (!copy) return AVOUT_ENOMEM;
    memcpy(copy->items, node->items, sizeof copy->items);
    retain_place(copy, shift, place);
    avout__kin_step step = {&node->kin, &copy->kin, 1u << place, false};
    avout__kin_join(&step, 1);
    for (uint32_t i = 0; i < WIDTH && !step.joined; i++)
        if (i != place) retain_place(copy, shift, i);
    *at = copy;
    node_unref(node, shift, NULL);
    return AVOUT_OK;
}

/* ---- the object ----------------------------------------------------------------------------- */

static size_t size_of(uint32_t capacity)
{
    return sizeof(avout__vector) + capacity * sizeof(avout_value);
}

static avout__vector *vector_new(uint32_t capacity)
{
    avout__vector *vector =
        (avout__vector *)(void *)avout__object_new(AVOUT_TYPE_VECTOR, size_of(capacity));
    if (!vector) return NULL;
    vector->count = 0;
    vector->root = NULL;
    vector->shift = 0;
    vector->capacity = capacity;
    vector->object.flags = AVOUT__VECTOR_PLAIN;
    return vector;
}

static bool is_plain(const avout__vector *vector)
{
    return vector->object.flags & AVOUT__VECTOR_PLAIN;
}

/* V4: `item` is about to be in the tail. */
static void will_hold(avout__vector *vector, avout_value item)
{
    if (avout__is_object(item)) vector->object.flags = 0;
}

static uint32_t tail_count(const avout__vector *vector)
{
    return (uint32_t)(vector->count - avout__vector_tail_start(vector));
}

/* Makes *slot a vector of one owner that holds the same, with room for `needed` items in the tail;
 * the one place where a cached hash is given up. NULL: no memory. */
static avout__vector *edit(avout_value *slot, uint32_t needed)
{
    avout__vector *vector = avout__vector_of(*slot);
    bool unique = avout__object_unique(&vector->object);
    if (unique && needed <= vector->capacity) {
        avout__hash_forget(&vector->object);
        return vector;
    }
    uint32_t tail = tail_count(vector), capacity = 4;
    while (capacity < needed || capacity < tail) capacity *= 2;
    if (unique) {
        vector = avout__realloc(vector, size_of(capacity));
        if (!vector) return NULL;
        vector->capacity = capacity;
        avout__hash_forget(&vector->object);
        *slot = avout__value_of(&vector->object);
        return vector;
    }
    avout__vector *copy = vector_new(capacity);
    if (!copy) return NULL;
    copy->count = vector->count;
    copy->shift = vector->shift;
    if (vector->root) copy->root = node_ref(vector->root);
    memcpy(copy->tail, vector->tail, tail * sizeof *copy->tail);
    copy->object.flags = vector->object.flags;
    for (uint32_t i = 0; i < tail && !is_plain(copy); i++) avout__retain(copy->tail[i]);
    *slot = avout__value_of(&copy->object);
    avout__object_release(&vector->object);
    return copy;
}

/* `bottom` under a chain of branches, up to a node of `shift`. `bottom` stays the caller's when
 * there is no memory. */
static node_t *chain(uint32_t shift, node_t *bottom)
{
    node_t *node = bottom;
    for (uint32_t level = BITS; level <= shift; level += BITS) {
        node_t *branch = branch_new();
        if (!branch) {
            while (node != bottom) {
                node_t *below = node->children[0];
                avout__free(node);
                node = below;
            }
            return NULL;
        }
        branch->children[0] = node;
        node = branch;
    }
    return node;
}

/* Appends a full leaf to a trie that holds `start` items. The vector is of one owner. */
static avout_status push_leaf(avout__vector *vector, size_t start, node_t *leaf)
{
    if (!vector->root) {
        vector->root = leaf;
        return AVOUT_OK;
    }
    uint32_t shift = vector->shift;
    if (start >> (shift + BITS)) { /* full: one level more */
        node_t *branch = branch_new(), *right = branch ? chain(shift, leaf) : NULL;
        if (!right) {
            avout__free(branch);
            return AVOUT_ENOMEM;
        }
        branch->children[0] = vector->root;
        branch->children[1] = right;
        vector->root = branch;
        vector->shift = shift + BITS;
        return AVOUT_OK;
    }
    node_t **at = &vector->root;
    for (; *at; shift -= BITS) {
        uint32_t place = place_of(start, shift);
        avout_status status = node_edit(at, shift, place);
        if (status) return status;
        at = &(*at)->children[place];
    }
    node_t *right = chain(shift, leaf);
    if (!right) return AVOUT_ENOMEM;
    *at = right;
    return AVOUT_OK;
}

avout_status avout__vector_conj(avout_value *slot, avout_value item)
{
    avout__vector *vector = avout__vector_of(*slot);
    uint32_t tail = tail_count(vector);
    vector = edit(slot, tail < WIDTH ? tail + 1 : WIDTH);
    if (!vector) return AVOUT_ENOMEM;
    if (tail == WIDTH) {
        node_t *leaf = node_new();
        if (!leaf) return AVOUT_ENOMEM;
        memcpy(leaf->items, vector->tail, sizeof leaf->items);
        avout_status status = push_leaf(vector, vector->count - WIDTH, leaf);
        if (status) {
            avout__free(leaf);
            return status;
        }
        tail = 0;
        vector->object.flags = AVOUT__VECTOR_PLAIN;
    }
    will_hold(vector, item);
    vector->tail[tail] = item;
    vector->count++;
    return AVOUT_OK;
}

avout_status avout__vector_set(avout_value *slot, size_t index, avout_value item)
{
    avout__vector *vector = edit(slot, 0);
    if (!vector) return AVOUT_ENOMEM;
    size_t start = avout__vector_tail_start(vector);
    avout_value *place, old;
    if (index >= start) {
        will_hold(vector, item);
        place = &vector->tail[index - start];
    } else {
        node_t **at = &vector->root;
        for (uint32_t shift = vector->shift;; shift -= BITS) {
            avout_status status = node_edit(at, shift, place_of(index, shift));
            if (status) return status;
            if (!shift) break;
            at = &(*at)->children[place_of(index, shift)];
        }
        place = &(*at)->items[place_of(index, 0)];
    }
    old = *place;
    *place = item;
    avout__release(old);
    return AVOUT_OK;
}

avout_value *avout__vector_unique_item(avout_value value, size_t index)
{
    avout__vector *vector = avout__vector_of(value);
    if (index >= vector->count || !avout__object_unique(&vector->object)) return NULL;
    size_t start = avout__vector_tail_start(vector);
    if (index >= start) {
        vector->object.flags = 0; /* whatever is put there */
        return &vector->tail[index - start];
    }
    node_t *node = vector->root;
    for (uint32_t shift = vector->shift; node_unique(node); shift -= BITS) {
        settle(node, shift, place_of(index, shift));
        if (!shift) return &node->items[place_of(index, 0)];
        node = node->children[place_of(index, shift)];
    }
    return NULL;
}

/* Takes the last leaf, of `start` items in all, out of the trie of a vector of one owner. On failure
 * the trie holds what it held. */
static avout_status pop_leaf(avout__vector *vector, size_t start, node_t **leaf)
{
    size_t last = start - 1;
    node_t **path[16], **at = &vector->root;
    uint32_t depth = 0, shift = vector->shift;
    for (; shift; shift -= BITS) {
        uint32_t place = place_of(last, shift);
        avout_status status = node_edit(at, shift, place);
        if (status) return status;
        path[depth++] = at;
        at = &(*at)->children[place];
    }
    *leaf = *at;
    *at = NULL;
    while (depth && !(*path[depth - 1])->children[0]) { /* emptied branches */
        node_unref(*path[--depth], BITS, NULL);
        *path[depth] = NULL;
    }
    while (vector->root && vector->shift && !vector->root->children[1]) { /* V2 */
        node_t *root = vector->root;
        settle(root, vector->shift, 0);
        vector->root = root->children[0];
        root->children[0] = NULL;
        node_unref(root, vector->shift, NULL);
        vector->shift -= BITS;
    }
    if (!vector->root) vector->shift = 0;
    return AVOUT_OK;
}

avout_status avout__vector_pop(avout_value *slot)
{
    avout__vector *vector = avout__vector_of(*slot);
    size_t start = avout__vector_tail_start(vector);
    uint32_t tail = tail_count(vector);
    vector = edit(slot, tail == 1 && start ? WIDTH : 0);
    if (!vector) return AVOUT_ENOMEM;
    avout_value gone = vector->tail[tail - 1];
    if (tail == 1 && start) {
        node_t *leaf;
        avout_status status = pop_leaf(vector, start, &leaf);
        if (status) return status;
        memcpy(vector->tail, leaf->items, sizeof leaf->items);
        vector->object.flags = 0;
        if (node_unique(leaf) && avout__kin_alone(&leaf->kin)) {
            avout__free(leaf);
        } else {
            for (int i = 0; i < WIDTH; i++) avout__retain(vector->tail[i]);
            node_unref(leaf, 0, NULL);
        }
    }
    vector->count--;
    avout__release(gone);
    return AVOUT_OK;
}

/* ---- making --------------------------------------------------------------------------------- */

/* A trie of `count` items, a multiple of 32. */
static node_t *fill(uint32_t shift, const avout_value *items, size_t count)
{
    node_t *node = shift ? branch_new() : node_new();
    if (!node) return NULL;
    if (!shift) {
        memcpy(node->items, items, sizeof node->items);
        return node;
    }
    size_t step = (size_t)1 << shift;
    for (int i = 0; count; i++) {
        size_t here = count < step ? count : step;
        node->children[i] = fill(shift - BITS, items, here);
        if (!node->children[i]) {
            node_discard(node, shift);
            return NULL;
        }
        items += here;
        count -= here;
    }
    return node;
}

avout_value avout__vector_from_owned(const avout_value *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i].bits) continue;
        avout__release_all(count, items);
        return avout__none(avout__none_given());
    }
    size_t start = count ? (count - 1) & ~(size_t)(WIDTH - 1) : 0;
    avout__vector *vector = vector_new((uint32_t)(count - start));
    if (vector && start) {
        while (start > (size_t)WIDTH << vector->shift) vector->shift += BITS;
        vector->root = fill(vector->shift, items, start);
        if (!vector->root) {
            avout__free(vector);
            vector = NULL;
        }
    }
    if (!vector) {
        avout__release_all(count, items);
        return avout__none(AVOUT_ENOMEM);
    }
    vector->count = count;
    if (count) memcpy(vector->tail, items + start, (count - start) * sizeof *items);
    for (size_t i = start; i < count; i++) will_hold(vector, items[i]);
    return avout__value_of(&vector->object);
}

avout_value avout_vector(size_t count, const avout_value *items)
{
    return avout__vector_from_owned(items, count);
}

static void release_children(avout__object *object, avout__dead_list *dead)
{
    avout__vector *vector = (avout__vector *)(void *)object;
    uint32_t tail = is_plain(vector) ? 0 : tail_count(vector);
    for (uint32_t i = 0; i < tail; i++) avout__dead_drop(dead, vector->tail[i]);
    if (vector->root) node_unref(vector->root, vector->shift, dead);
}

const avout__type_hooks avout__vector_hooks = {
    .release_children = release_children,
    .hash = avout__collection_hash,
    .equal = avout__collection_equal,
    .compare = avout__vector_compare,
};
