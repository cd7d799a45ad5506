/* How lists, vectors, maps and sets lie in memory, and what their files offer one another.
 *
 * The rule of the internal changes (avout__vector_conj ...): *slot is an owned value of that type;
 * arguments are taken over on success only; on failure *slot holds an equal value (a node may have
 * been copied on the way, which nobody can tell). */
#ifndef AVOUT_VALUE_COLLECTION_H
#define AVOUT_VALUE_COLLECTION_H

#include "value/champ.h"
#include "value/object.h"

/* ---- the same value ------------------------------------------------------------------------ */

/* Equality with the answers that need no call first. */
static inline bool avout__same(avout_value a, avout_value b)
{
    /* 1 equals 1N, and a FLOAT may be identical and not equal: only two immediates are sure. */
    if (!avout__is_object(a) && !avout__is_object(b)) return a.bits == b.bits;
    /* Most keys are keywords, and most of those are looked up with the very object. */
    if (a.bits == b.bits && avout__object_any(a)->type == AVOUT_TYPE_KEYWORD) return true;
    return avout_value_equal(a, b);
}

/* The hash of a value that has been asked for it before, without a call. */
static inline uint32_t avout__hash_of(avout_value value)
{
    uint32_t known = 0;
    if (avout__is_object(value))
        known = atomic_load_explicit(&avout__object_any(value)->hash, memory_order_relaxed);
    return known ? known : avout_value_hash(value);
}

static inline bool avout__is_collection(avout_value value)
{
    if (!avout__is_object(value)) return false;
    uint8_t type = avout__object_any(value)->type;
    return type >= AVOUT_TYPE_LIST && type <= AVOUT_TYPE_SET;
}

/* ---- list ----------------------------------------------------------------------------------
 * A chain of chunks of up to AVOUT__CHUNK items. A chunk holds its items backwards, so that adding
 * at and taking from the front of a list of one owner move nothing. Every chunk is itself a list:
 * the one that begins with it.
 *
 *   count = here + count of next; here > 0 but in the empty list; next is NULL or not empty. */
enum { AVOUT__CHUNK = 32 };

typedef struct avout__list {
    avout__object object;
    size_t count;
    struct avout__list *next;
    uint32_t here;
    uint32_t capacity;
    avout_value items[]; /* items[here - 1] is the first */
} avout__list;

static inline avout__list *avout__list_of(avout_value value)
{
    return (avout__list *)(void *)avout__object_of(value, AVOUT_TYPE_LIST);
}

avout_status avout__list_conj(avout_value *slot, avout_value item);
/* Drops the first of a list that has one. */
avout_status avout__list_rest(avout_value *slot);
const avout_value *avout__list_at(const avout__list *list, size_t index);

/* ---- vector --------------------------------------------------------------------------------
 * A trie of 32-way nodes for all but the last 1 to 32 items, which lie in the object itself: small
 * vectors are one block of memory, and adding at the end seldom touches the trie.
 *
 *   V1  tail_count is 0 for the empty vector, else 1..32; what is before it, a multiple of 32, is in
 *       the trie: full leaves, filled from the left.
 *   V2  shift is 0 when the root is a leaf; the trie is never higher than it must be.
 *   V3  A branch's children beyond the last one used are NULL.
 *   V4  With AVOUT__VECTOR_PLAIN in the object's flags there is no object among the tail's items:
 *       copies of it, and its end, need not look at each. */
enum { AVOUT__VECTOR_BITS = 5, AVOUT__VECTOR_WIDTH = 32, AVOUT__VECTOR_PLAIN = 1 };

typedef struct avout__vector_node {
    _Atomic uint32_t refs;
    avout__kin kin; /* a place is an index in the node */
    union {
        avout_value items[AVOUT__VECTOR_WIDTH];                   /* a leaf's */
        struct avout__vector_node *children[AVOUT__VECTOR_WIDTH]; /* a branch's */
    };
} avout__vector_node;

typedef struct avout__vector {
    avout__object object;
    size_t count;
    avout__vector_node *root; /* NULL up to 32 items */
    uint32_t shift;
    uint32_t capacity; /* of the tail */
    avout_value tail[];
} avout__vector;

static inline avout__vector *avout__vector_of(avout_value value)
{
    return (avout__vector *)(void *)avout__object_of(value, AVOUT_TYPE_VECTOR);
}

/* How many items are in the trie. */
static inline size_t avout__vector_tail_start(const avout__vector *vector)
{
    return vector->count ? (vector->count - 1) & ~(size_t)(AVOUT__VECTOR_WIDTH - 1) : 0;
}

/* The item, and those behind it up to the next multiple of 32 (or the end). */
static inline const avout_value *avout__vector_run(const avout__vector *vector, size_t index)
{
    size_t start = avout__vector_tail_start(vector);
    if (index >= start) return &vector->tail[index - start];
    const avout__vector_node *node = vector->root;
    for (uint32_t shift = vector->shift; shift; shift -= AVOUT__VECTOR_BITS)
        node = node->children[index >> shift & (AVOUT__VECTOR_WIDTH - 1)];
    return &node->items[index & (AVOUT__VECTOR_WIDTH - 1)];
}

avout_status avout__vector_conj(avout_value *slot, avout_value item);
avout_status avout__vector_set(avout_value *slot, size_t index, avout_value item);
/* Of a vector that is not empty. */
avout_status avout__vector_pop(avout_value *slot);
/* Where the item lies when nobody shares the vector's way to it; else NULL. Who writes there calls
 * avout__hash_forget for the vector. */
avout_value *avout__vector_unique_item(avout_value vector, size_t index);

/* ---- map and set ---------------------------------------------------------------------------
 * Up to AVOUT__SMALL_COUNT entries an array in order of insertion, beyond it a trie. An entry is a
 * key, followed by its item in maps.
 *
 *   H1  root is NULL exactly when count <= AVOUT__SMALL_COUNT. */
enum { AVOUT__SMALL_COUNT = 8 };

typedef struct avout__hashed {
    avout__object object; /* extra: slots in items */
    size_t count;
    avout__champ *root;
    avout_value items[];
} avout__hashed;

static inline bool avout__is_hashed(avout_value value)
{
    return avout__is_type(value, AVOUT_TYPE_MAP) || avout__is_type(value, AVOUT_TYPE_SET);
}

static inline avout__hashed *avout__hashed_of(avout_value value)
{
    AVOUT__ASSERT(avout__is_hashed(value));
    return (avout__hashed *)(void *)avout__object_any(value);
}

static inline uint32_t avout__hashed_width(const avout__hashed *hashed)
{
    return hashed->object.type == AVOUT_TYPE_MAP ? 2 : 1;
}

/* The entry: its key, behind it in a map its item. NULL when absent. */
const avout_value *avout__hashed_find(const avout__hashed *hashed, avout_value key);
/* As avout__vector_unique_item: the key's entry. */
avout_value *avout__hashed_unique_entry(avout_value hashed, avout_value key);
/* In a set `item` is AVOUT_NONE. A key that is there stays, and the given one is released. */
avout_status avout__hashed_put(avout_value *slot, avout_value key, avout_value item);
/* Nothing changes when the key is absent. */
avout_status avout__hashed_remove(avout_value *slot, avout_value key);
/* The entries that may be equal to a key of that hash, side by side: the first of *count. In the
 * array form these are all entries. NULL: none. */
const avout_value *avout__hashed_candidates(const avout__hashed *hashed, uint32_t hash,
                                            uint32_t *count);

/* ---- hooks of the core's table ------------------------------------------------------------- */

extern const avout__type_hooks avout__list_hooks, avout__vector_hooks, avout__map_hooks,
    avout__set_hooks;

/* Hash, equality and order for values of any depth, without recursion (deep.c). */
uint32_t avout__collection_hash(const avout__object *object);
bool avout__collection_equal(const avout__object *a, const avout__object *b);
avout_status avout__vector_compare(int *order, const avout__object *a, const avout__object *b);

#endif
