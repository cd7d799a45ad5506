/* The tries behind maps and sets of more than a handful of entries: CHAMP (Steindorfer and Vinju,
 * "Optimizing hash-array mapped tries", 2015). Five bits of the hash a level; a node keeps its
 * entries before its children, so that going over a map reads memory in order.
 *
 * Invariants:
 *   1. datamap and nodemap share no bit; entry i belongs to the i-th bit of datamap.
 *   2. Below the root no node holds just one entry and no child: removal lifts it into the parent.
 *      Equal contents therefore give equal shapes.
 *   3. A collision node lies below the last level only, and holds two entries or more, all of one
 *      hash.
 *   4. A node is changed in place only when it and everything above it has one owner.
 *   5. A changed copy of a node counts what differs, and relies on the node for the rest (kin.h). A
 *      place is a value of the five bits. Collision nodes count everything.
 */
#ifndef AVOUT_VALUE_CHAMP_H
#define AVOUT_VALUE_CHAMP_H

#include <stdatomic.h>

#include "value/kin.h"
#include "value/object.h"

enum { AVOUT__CHAMP_BITS = 5, AVOUT__CHAMP_LAST_SHIFT = 30, AVOUT__CHAMP_DEPTH = 8 };

typedef union avout__champ_slot {
    avout_value value;
    struct avout__champ *child;
} avout__champ_slot;

typedef struct avout__champ {
    _Atomic uint32_t refs;
    uint32_t datamap; /* in a collision node: how many entries */
    uint32_t nodemap;
    uint32_t capacity : 29; /* slots */
    uint32_t width : 2;     /* slots of an entry: 1 in sets, 2 in maps */
    uint32_t collision : 1;
    avout__kin kin;
    avout__champ_slot slots[]; /* entries from the front, children from the back */
} avout__champ;

#if defined(__x86_64__) && !defined(__POPCNT__)
extern bool avout__has_popcnt; /* set before main; false is merely slower */
#endif

/* A lookup counts bits twice a level. The instruction is in nearly every processor of this kind, but
 * the compiler may not take it for granted, and calls a table-driven function instead. */
static inline uint32_t avout__popcount(uint32_t bits)
{
#if defined(__POPCNT__) || defined(__aarch64__)
    return (uint32_t)__builtin_popcount(bits);
#else
#if defined(__x86_64__)
    if (__builtin_expect(avout__has_popcnt, 1)) {
        uint32_t count = 0; /* zeroed: some processors wait for the old content */
        __asm__("popcnt %1, %0" : "+r"(count) : "r"(bits) : "cc");
        return count;
    }
#endif
    bits -= bits >> 1 & 0x55555555;
    bits = (bits & 0x33333333) + (bits >> 2 & 0x33333333);
    return ((bits + (bits >> 4)) & 0x0f0f0f0f) * 0x01010101u >> 24;
#endif
}

static inline uint32_t avout__champ_entries(const avout__champ *node)
{
    return node->collision ? node->datamap : avout__popcount(node->datamap);
}

static inline uint32_t avout__champ_children(const avout__champ *node)
{
    return avout__popcount(node->nodemap);
}

static inline avout__champ *avout__champ_child(const avout__champ *node, uint32_t index)
{
    return node->slots[node->capacity - 1 - index].child;
}

avout__champ *avout__champ_ref(avout__champ *node);
/* `dead` takes what dies; NULL: it is released at once. */
void avout__champ_unref(avout__champ *node, avout__dead_list *dead);
/* Frees the nodes of a trie nobody shares, and not the values in them. */
void avout__champ_discard(avout__champ *node);

/* The entry with that key, of `hash`; NULL when absent. */
const avout__champ_slot *avout__champ_find(const avout__champ *node, uint32_t hash,
                                           avout_value key);
/* The same for changing it in place; NULL also when somebody shares the way to it. */
avout__champ_slot *avout__champ_find_unique(avout__champ *node, uint32_t hash, avout_value key);
/* All entries of exactly that hash lie side by side: the first of *count, or NULL. */
const avout__champ_slot *avout__champ_candidates(const avout__champ *node, uint32_t hash,
                                                 uint32_t *count);

/* A trie with that entry besides those of `node`, which begins at `shift` and stays as it is, held by
 * the caller. Of an equal key only the item is another (!*added, and the given key stays the
 * caller's). *made is NULL when nothing would be different. Takes key and item on success only. */
avout_status avout__champ_with(avout__champ **made, avout__champ *node, uint32_t shift,
                               uint32_t hash, avout_value key, avout_value item, bool *added);
/* Puts an entry; of an equal key only the item is replaced, and what fell out is in replaced[]
 * (key given, old item). Takes key and item on success only. On failure *root holds what it held.*/
avout_status avout__champ_put(avout__champ **root, uint32_t hash, avout_value key, avout_value item,
                              bool *added, avout_value replaced[2]);
/* Takes out the entry of a key that is there; removed[] becomes the caller's. */
avout_status avout__champ_remove(avout__champ **root, uint32_t hash, avout_value key,
                                 avout_value removed[2]);

/* A trie of `count` > 1 entries of `width` values each, taken over on success only. NULL: no memory,
 * or an entry equals an earlier one (*duplicate: the first such; else SIZE_MAX). */
avout__champ *avout__champ_build(const avout_value *items, size_t count, uint32_t width,
                                 size_t *duplicate);

/* ---- for the files that make nodes ---------------------------------------------------------- */

/* An empty node. NULL: no memory. */
avout__champ *avout__champ_new(uint32_t slots, uint32_t width);
/* The same again, with room for `more` slots. NULL: no memory. */
avout__champ *avout__champ_copy(avout__champ *node, uint32_t more);
/* A trie of the two entries, which have different keys, from `shift` on; NULL: no memory. Takes them
 * over on success. */
avout__champ *avout__champ_pair(uint32_t shift, uint32_t width, uint32_t hash_a,
                                const avout__champ_slot *a, uint32_t hash_b,
                                const avout__champ_slot *b);
/* One reference more to everything in those places. */
void avout__champ_retain(const avout__champ *node, uint32_t places);
/* Where the key's entry begins in a collision node; its number of value slots when absent. */
uint32_t avout__champ_collision_slot(const avout__champ *node, avout_value key);

/* The place of a hash on a level: one bit. */
static inline uint32_t avout__champ_bit(uint32_t hash, uint32_t shift)
{
    return 1u << (hash >> shift & 31);
}

static inline uint32_t avout__champ_entry_slot(const avout__champ *node, uint32_t bit)
{
    return avout__popcount(node->datamap & (bit - 1)) * node->width;
}

static inline uint32_t avout__champ_child_slot(const avout__champ *node, uint32_t bit)
{
    return node->capacity - 1 - avout__popcount(node->nodemap & (bit - 1));
}

#endif
