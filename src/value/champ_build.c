/* A trie made from all its entries at once: sorted by the hash, five bits a level, every node is
 * allocated once and at its final size. */
#include "value/champ.h"

#include <string.h>

#include "base/alloc.h"
#include "value/collection.h"
#include "base/banned.h"

enum { FANOUT = 1 << AVOUT__CHAMP_BITS, FEW = 16 };

typedef struct entry {
    uint32_t hash;
    uint32_t index; /* in items, in entries */
} entry;

typedef struct builder {
    const avout_value *items;
    uint32_t width;
    const avout__champ *root; /* the first node made */
    size_t duplicate;         /* the first index of an entry that equals an earlier one */
} builder;

static uint32_t digit(const entry *e, uint32_t shift)
{
    return e->hash >> shift & (FANOUT - 1);
}

static void put_entry(const builder *b, avout__champ *node, uint32_t place, uint32_t index)
{
    memcpy(node->slots + place * b->width, b->items + (size_t)index * b->width,
           b->width * sizeof *b->items);
}

/* All of one hash. Equal keys meet here, and only here. */
static avout__champ *build_collision(builder *b, const entry *entries, uint32_t count)
{
    avout__champ *node = avout__champ_new(count * b->width, b->width);
    if (!node) return NULL;
    node->collision = 1;
    node->datamap = count;
    for (uint32_t i = 0; i < count; i++) {
        put_entry(b, node, i, entries[i].index);
        const avout_value key = b->items[(size_t)entries[i].index * b->width];
        for (uint32_t j = 0; j < i && entries[i].index < b->duplicate; j++) {
            if (avout__same(key, b->items[(size_t)entries[j].index * b->width]))
                b->duplicate = entries[i].index;
        }
    }
    return node;
}

/* Sorts by one digit, keeping the order of equal ones; ends[d] is where digit d ends. */
static void sort(entry *entries, entry *spare, uint32_t count, uint32_t shift,
                 uint32_t ends[FANOUT])
{
    memset(ends, 0, FANOUT * sizeof *ends);
    for (uint32_t i = 0; i < count; i++) ends[digit(&entries[i], shift)]++;
    uint32_t sum = 0;
    for (uint32_t d = 0; d < FANOUT; d++) {
        uint32_t here = ends[d];
        ends[d] = sum;
        sum += here;
    }
    for (uint32_t i = 0; i < count; i++) spare[ends[digit(&entries[i], shift)]++] = entries[i];
    memcpy(entries, spare, count * sizeof *entries);
}

static uint32_t run_length(const entry *entries, uint32_t count, uint32_t shift)
{
    uint32_t length = 1;
    while (length < count && digit(&entries[length], shift) == digit(&entries[0], shift)) length++;
    return length;
}

static avout__champ *build(builder *b, entry *entries, entry *spare, uint32_t count,
                           uint32_t shift);

static avout__champ *node_new(builder *b, uint32_t datamap, uint32_t nodemap)
{
    uint32_t slots = avout__popcount(datamap) * b->width + avout__popcount(nodemap);
    avout__champ *node = avout__champ_new(slots, b->width);
    if (!node) return NULL;
    node->datamap = datamap;
    if (b->root) avout__kin_adopt(&node->kin, &b->root->kin);
    else b->root = node;
    return node;
}

/* A handful is not sorted: each entry's place follows from which digits there are. */
static avout__champ *build_few(builder *b, const entry *entries, uint32_t count, uint32_t shift)
{
    entry group[FEW];
    uint32_t once = 0, twice = 0, children = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bit = 1u << digit(&entries[i], shift);
        twice |= once & bit;
        once |= bit;
    }
    avout__champ *node = node_new(b, once & ~twice, twice);
    if (!node) return NULL;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bit = 1u << digit(&entries[i], shift);
        if (node->datamap & bit)
            put_entry(b, node, avout__popcount(node->datamap & (bit - 1)), entries[i].index);
    }
    for (; twice; twice &= twice - 1) {
        uint32_t bit = twice & -twice, length = 0;
        for (uint32_t i = 0; i < count; i++)
            if (1u << digit(&entries[i], shift) == bit) group[length++] = entries[i];
        avout__champ *child = build(b, group, NULL, length, shift + AVOUT__CHAMP_BITS);
        if (!child) {
            avout__champ_discard(node);
            return NULL;
        }
        /* One bit for each child that is there: a failure frees exactly those. */
        node->slots[node->capacity - 1 - children++].child = child;
        node->nodemap |= bit;
    }
    return node;
}

/* The calls nest as deep as a trie. */
static avout__champ *build(builder *b, entry *entries, entry *spare, uint32_t count, uint32_t shift)
{
    uint32_t ends[FANOUT];
    if (shift > AVOUT__CHAMP_LAST_SHIFT) return build_collision(b, entries, count);
    if (count <= FEW) return build_few(b, entries, count, shift);
    sort(entries, spare, count, shift, ends);
    uint32_t datamap = 0, nodemap = 0;
    for (uint32_t i = 0, length; i < count; i += length) {
        length = run_length(entries + i, count - i, shift);
        if (length == 1) datamap |= 1u << digit(&entries[i], shift);
        else nodemap |= 1u << digit(&entries[i], shift);
    }
    avout__champ *node = node_new(b, datamap, nodemap);
    if (!node) return NULL;
    uint32_t values = 0, children = 0;
    for (uint32_t i = 0, length; i < count; i += length) {
        length = run_length(entries + i, count - i, shift);
        if (length == 1) {
            put_entry(b, node, values++, entries[i].index);
            continue;
        }
        avout__champ *child = build(b, entries + i, spare, length, shift + AVOUT__CHAMP_BITS);
        if (!child) {
            avout__champ_discard(node);
            return NULL;
        }
        /* One bit for each child that is there: a failure frees exactly those. */
        node->slots[node->capacity - 1 - children++].child = child;
        node->nodemap |= 1u << digit(&entries[i], shift);
    }
    return node;
}

avout__champ *avout__champ_build(const avout_value *items, size_t count, uint32_t width,
                                 size_t *duplicate)
{
    builder b = {items, width, NULL, SIZE_MAX};
    *duplicate = SIZE_MAX;
    if (count > UINT32_MAX / 4) {
        avout_fail(AVOUT_ENOMEM, "out of memory: a map or set of %zu entries", count);
        return NULL;
    }
    entry few[FEW];
    bool is_few = count <= FEW;
    entry *entries = is_few ? few : avout__alloc(count * 2 * sizeof *entries);
    if (!entries) return NULL;
    for (size_t i = 0; i < count; i++) {
        entries[i].hash = avout__hash_of(items[i * width]);
        entries[i].index = (uint32_t)i;
    }
    avout__champ *root = build(&b, entries, is_few ? NULL : entries + count, (uint32_t)count, 0);
    if (root && b.duplicate != SIZE_MAX) {
        avout__champ_discard(root);
        root = NULL;
        *duplicate = b.duplicate;
    }
    if (!is_few) avout__free(entries);
    return root;
}
