#include "value/champ.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "value/collection.h"
#include "base/banned.h"

#if defined(__x86_64__) && !defined(__POPCNT__)
bool avout__has_popcnt;

__attribute__((constructor)) static void look_for_popcnt(void)
{
    avout__has_popcnt = __builtin_cpu_supports("popcnt");
}
#endif

static size_t size_of(uint32_t capacity)
{
    return sizeof(avout__champ) + capacity * sizeof(avout__champ_slot);
}

avout__champ *avout__champ_new(uint32_t slots, uint32_t width)
{
    /* An odd number of slots fills what the usual allocator hands out for an even one. */
    uint32_t capacity = slots | 1;
    avout__champ *node = avout__alloc(size_of(capacity));
    if (!node) return NULL;
    atomic_init(&node->refs, 1);
    node->datamap = node->nodemap = 0;
    node->capacity = capacity & 0x1fffffff;
    node->width = width & 3;
    node->collision = 0;
    avout__kin_init(&node->kin);
    return node;
}

static bool is_unique(avout__champ *node)
{
    return atomic_load_explicit(&node->refs, memory_order_acquire) == 1;
}

avout__champ *avout__champ_ref(avout__champ *node)
{
    atomic_fetch_add_explicit(&node->refs, 1, memory_order_relaxed);
    return node;
}

static void drop_value(avout_value value, avout__dead_list *dead)
{
    if (dead) avout__dead_drop(dead, value);
    else avout__release(value);
}

static void drop_places(avout__champ *node, uint32_t places, avout__dead_list *dead)
{
    for (uint32_t left = places & node->datamap; left; left &= left - 1) {
        uint32_t at = avout__champ_entry_slot(node, left & -left);
        for (uint32_t i = 0; i < node->width; i++) drop_value(node->slots[at + i].value, dead);
    }
    for (uint32_t left = places & node->nodemap; left; left &= left - 1)
        avout__champ_unref(node->slots[avout__champ_child_slot(node, left & -left)].child, dead);
}

/* A node that nobody refers to any more and that is not alone. With it dies, as a rule, the one node
 * below it that its heir does not have, and so on: that is done under one lock. */
static void end_chain(avout__champ *node, avout__dead_list *dead)
{
    avout__champ *gone[AVOUT__CHAMP_DEPTH];
    uint32_t places[AVOUT__CHAMP_DEPTH], count = 0;
    avout__kin_lock(&node->kin);
    for (;;) {
        places[count] = avout__kin_leave(&node->kin);
        gone[count++] = node;
        uint32_t bit = places[count - 1] & node->nodemap;
        if (!bit || bit & (bit - 1)) break;
        avout__champ *below = node->slots[avout__champ_child_slot(node, bit)].child;
        if (!is_unique(below) || below->collision || !avout__kin_near(&below->kin, &node->kin))
            break;
        places[count - 1] &= ~bit;
        node = below;
    }
    avout__kin_unlock(&node->kin);
    for (uint32_t i = 0; i < count; i++) {
        drop_places(gone[i], places[i], dead);
        avout__free(gone[i]);
    }
}

/* The calls nest as deep as a trie: eight. */
void avout__champ_unref(avout__champ *node, avout__dead_list *dead)
{
    /* Who sees 1 is alone, and spares the locked instruction. */
    if (atomic_load_explicit(&node->refs, memory_order_acquire) != 1 &&
        atomic_fetch_sub_explicit(&node->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (!avout__kin_alone(&node->kin)) {
        end_chain(node, dead);
        return;
    }
    uint32_t values = avout__champ_entries(node) * node->width;
    for (uint32_t i = 0; i < values; i++) drop_value(node->slots[i].value, dead);
    uint32_t children = avout__champ_children(node);
    for (uint32_t i = 0; i < children; i++) avout__champ_unref(avout__champ_child(node, i), dead);
    avout__free(node);
}

void avout__champ_discard(avout__champ *node)
{
    uint32_t children = avout__champ_children(node);
    for (uint32_t i = 0; i < children; i++) avout__champ_discard(avout__champ_child(node, i));
    avout__free(node);
}

uint32_t avout__champ_collision_slot(const avout__champ *node, avout_value key)
{
    uint32_t end = node->datamap * node->width, at = 0;
    while (at < end && !avout__same(node->slots[at].value, key)) at += node->width;
    return at;
}

const avout__champ_slot *avout__champ_find(const avout__champ *node, uint32_t hash, avout_value key)
{
    for (uint32_t shift = 0;; shift += AVOUT__CHAMP_BITS) {
        if (node->collision) {
            uint32_t at = avout__champ_collision_slot(node, key);
            return at < node->datamap * node->width ? &node->slots[at] : NULL;
        }
        uint32_t bit = avout__champ_bit(hash, shift);
        if (node->datamap & bit) {
            const avout__champ_slot *slot = &node->slots[avout__champ_entry_slot(node, bit)];
            return avout__same(slot->value, key) ? slot : NULL;
        }
        if (!(node->nodemap & bit)) return NULL;
        node = node->slots[avout__champ_child_slot(node, bit)].child;
    }
}

void avout__champ_retain(const avout__champ *node, uint32_t places)
{
    for (uint32_t left = places & node->datamap; left; left &= left - 1) {
        uint32_t at = avout__champ_entry_slot(node, left & -left);
        for (uint32_t i = 0; i < node->width; i++) avout__retain(node->slots[at + i].value);
    }
    for (uint32_t left = places & node->nodemap; left; left &= left - 1)
        avout__champ_ref(node->slots[avout__champ_child_slot(node, left & -left)].child);
}

/* K4. The node has one owner. */
static void settle(avout__champ *node, uint32_t bit)
{
    uint32_t missing = avout__kin_settle(&node->kin, bit);
    if (!missing) return;
    while (missing--) avout__champ_retain(node, bit);
    avout__kin_unlock(&node->kin);
}

avout__champ_slot *avout__champ_find_unique(avout__champ *node, uint32_t hash, avout_value key)
{
    for (uint32_t shift = 0; is_unique(node); shift += AVOUT__CHAMP_BITS) {
        if (node->collision) {
            uint32_t at = avout__champ_collision_slot(node, key);
            return at < node->datamap * node->width ? &node->slots[at] : NULL;
        }
        uint32_t bit = avout__champ_bit(hash, shift);
        settle(node, bit);
        if (node->datamap & bit) {
            avout__champ_slot *slot = &node->slots[avout__champ_entry_slot(node, bit)];
            return avout__same(slot->value, key) ? slot : NULL;
        }
        if (!(node->nodemap & bit)) return NULL;
        node = node->slots[avout__champ_child_slot(node, bit)].child;
    }
    return NULL;
}

const avout__champ_slot *avout__champ_candidates(const avout__champ *node, uint32_t hash,
                                                 uint32_t *count)
{
    for (uint32_t shift = 0; !node->collision; shift += AVOUT__CHAMP_BITS) {
        uint32_t bit = avout__champ_bit(hash, shift);
        if (node->datamap & bit) {
            const avout__champ_slot *slot = &node->slots[avout__champ_entry_slot(node, bit)];
            *count = 1;
            return avout_value_hash(slot->value) == hash ? slot : NULL;
        }
        if (!(node->nodemap & bit)) return NULL;
        node = node->slots[avout__champ_child_slot(node, bit)].child;
    }
    *count = node->datamap;
    return avout_value_hash(node->slots[0].value) == hash ? node->slots : NULL;
}

/* Makes room for `more` slots in a node of one owner. */
static avout_status grow(avout__champ **at, uint32_t more)
{
    avout__champ *node = *at;
    uint32_t values = avout__champ_entries(node) * node->width;
    uint32_t children = avout__champ_children(node), needed = values + children + more;
    if (needed <= node->capacity) return AVOUT_OK;
    avout__champ *larger = avout__champ_new(needed + needed / 4, node->width);
    if (!larger) return AVOUT_ENOMEM;
    larger->datamap = node->datamap;
    larger->nodemap = node->nodemap;
    larger->collision = node->collision;
    memcpy(larger->slots, node->slots, values * sizeof *node->slots);
    memcpy(larger->slots + larger->capacity - children, node->slots + node->capacity - children,
           children * sizeof *node->slots);
    avout__kin_move(&node->kin, &larger->kin);
    avout__free(node);
    *at = larger;
    return AVOUT_OK;
}

/* Makes *at a node of one owner with room for `more` slots. What it holds stays the same, so a
 * change that fails further down has changed nothing. */
static avout_status edit(avout__champ **at, uint32_t more)
{
    avout__champ *node = *at;
    if (is_unique(node)) return grow(at, more);
    avout__champ *copy = avout__champ_copy(node, more);
    if (!copy) return AVOUT_ENOMEM;
    *at = copy;
    avout__champ_unref(node, NULL);
    return AVOUT_OK;
}

/* The four ways a node of one owner is changed; room is there. */

static void entry_insert(avout__champ *node, uint32_t at, const avout__champ_slot *entry)
{
    uint32_t values = avout__champ_entries(node) * node->width;
    memmove(node->slots + at + node->width, node->slots + at, (values - at) * sizeof *node->slots);
    memcpy(node->slots + at, entry, node->width * sizeof *entry);
}

static void entry_erase(avout__champ *node, uint32_t at)
{
    uint32_t values = avout__champ_entries(node) * node->width;
    memmove(node->slots + at, node->slots + at + node->width,
            (values - at - node->width) * sizeof *node->slots);
}

static void child_insert(avout__champ *node, uint32_t bit, avout__champ *child)
{
    uint32_t first = node->capacity - avout__champ_children(node),
             at = avout__champ_child_slot(node, bit);
    memmove(node->slots + first - 1, node->slots + first, (at + 1 - first) * sizeof *node->slots);
    node->slots[at].child = child;
    node->nodemap |= bit;
}

static void child_erase(avout__champ *node, uint32_t bit)
{
    uint32_t first = node->capacity - avout__champ_children(node),
             at = avout__champ_child_slot(node, bit);
    memmove(node->slots + first + 1, node->slots + first, (at - first) * sizeof *node->slots);
    node->nodemap &= ~bit;
}

avout__champ *avout__champ_pair(uint32_t shift, uint32_t width, uint32_t hash_a,
                                const avout__champ_slot *a, uint32_t hash_b,
                                const avout__champ_slot *b)
{
    avout__champ *node = avout__champ_new(2 * width, width);
    if (!node) return NULL;
    if (shift > AVOUT__CHAMP_LAST_SHIFT) {
        node->collision = 1;
        node->datamap = 2;
    } else {
        uint32_t bit_a = avout__champ_bit(hash_a, shift), bit_b = avout__champ_bit(hash_b, shift);
        if (bit_a == bit_b) {
            avout__champ *child =
                avout__champ_pair(shift + AVOUT__CHAMP_BITS, width, hash_a, a, hash_b, b);
            if (child) child_insert(node, bit_a, child);
            else avout__free(node);
            return child ? node : NULL;
        }
        node->datamap = bit_a | bit_b;
        if (bit_b < bit_a) {
            const avout__champ_slot *first = b;
            b = a;
            a = first;
        }
    }
    memcpy(node->slots, a, width * sizeof *a);
    memcpy(node->slots + width, b, width * sizeof *b);
    return node;
}

/* The entry at `index` has another key with the same bits so far: both move one level down. */
static avout_status split(avout__champ **at, uint32_t bit, uint32_t index, uint32_t shift,
                          uint32_t hash, const avout__champ_slot *entry)
{
    avout__champ *node = *at;
    const avout__champ_slot *old = node->slots + index;
    avout__champ *child = avout__champ_pair(shift + AVOUT__CHAMP_BITS, node->width,
                                            avout_value_hash(old->value), old, hash, entry);
    if (!child) return AVOUT_ENOMEM;
    avout__kin_adopt(&child->kin, &node->kin);
    entry_erase(node, index);
    node->datamap &= ~bit;
    child_insert(node, bit, child);
    return AVOUT_OK;
}

static void replace(avout__champ *node, uint32_t index, const avout__champ_slot *entry,
                    avout_value replaced[2])
{
    replaced[0] = entry[0].value;
    if (node->width == 1) return;
    replaced[1] = node->slots[index + 1].value;
    node->slots[index + 1] = entry[1];
}

static avout_status insert(avout__champ **at, uint32_t index, uint32_t bit,
                           const avout__champ_slot *entry)
{
    avout_status status = grow(at, (*at)->width);
    if (status) return status;
    avout__champ *node = *at;
    entry_insert(node, index, entry);
    if (node->collision) node->datamap++;
    else node->datamap |= bit;
    return AVOUT_OK;
}

/* From *at on somebody else holds the nodes. */
static avout_status put_shared(avout__champ **at, uint32_t shift, uint32_t hash,
                               const avout__champ_slot *entry, bool *added, avout_value replaced[2])
{
    avout__champ *made, *node = *at;
    avout_status status =
        avout__champ_with(&made, node, shift, hash, entry[0].value, entry[1].value, added);
    if (status) return status;
    if (!*added) replaced[0] = entry[0].value;
    if (made) {
        *at = made;
        avout__champ_unref(node, NULL);
    } else {
        replaced[1] = entry[1].value;
    }
    return AVOUT_OK;
}

avout_status avout__champ_put(avout__champ **root, uint32_t hash, avout_value key, avout_value item,
                              bool *added, avout_value replaced[2])
{
    const avout__champ_slot entry[2] = {{key}, {item}};
    avout__champ **at = root;
    for (uint32_t shift = 0;; shift += AVOUT__CHAMP_BITS) {
        avout__champ *node = *at;
        if (!is_unique(node)) return put_shared(at, shift, hash, entry, added, replaced);
        *added = true;
        if (node->collision) {
            uint32_t index = avout__champ_collision_slot(node, key);
            *added = index == node->datamap * node->width;
            if (*added) return insert(at, index, 0, entry);
            replace(node, index, entry, replaced);
            return AVOUT_OK;
        }
        uint32_t bit = avout__champ_bit(hash, shift);
        settle(node, bit);
        if (node->datamap & bit) {
            uint32_t index = avout__champ_entry_slot(node, bit);
            *added = !avout__same(node->slots[index].value, key);
            if (*added) return split(at, bit, index, shift, hash, entry);
            replace(node, index, entry, replaced);
            return AVOUT_OK;
        }
        if (!(node->nodemap & bit))
            return insert(at, avout__champ_entry_slot(node, bit), bit, entry);
        at = &node->slots[avout__champ_child_slot(node, bit)].child;
    }
}

/* A node below the root that is left with one entry and nothing else moves into its parent, which
 * has kept room for it (invariant 2). */
static bool lift(avout__champ *parent, uint32_t bit, avout__champ *node)
{
    if (node->nodemap || avout__champ_entries(node) != 1) return false;
    if (!node->collision) settle(node, node->datamap);
    child_erase(parent, bit);
    entry_insert(parent, avout__champ_entry_slot(parent, bit), node->slots);
    parent->datamap |= bit;
    node->datamap = 0;
    avout__champ_unref(node, NULL);
    return true;
}

avout_status avout__champ_remove(avout__champ **root, uint32_t hash, avout_value key,
                                 avout_value removed[2])
{
    avout__champ *path[AVOUT__CHAMP_DEPTH];
    avout__champ **at = root;
    uint32_t depth = 0, index, bit = 0;
    for (;; depth++) {
        uint32_t shift = depth * AVOUT__CHAMP_BITS;
        /* A lifted entry takes its slots and gives one, its child's, back. */
        avout_status status = edit(at, (*at)->width - 1u);
        if (status) return status;
        avout__champ *node = path[depth] = *at;
        if (node->collision) {
            index = avout__champ_collision_slot(node, key);
            break;
        }
        bit = avout__champ_bit(hash, shift);
        settle(node, bit);
        if (node->datamap & bit) {
            index = avout__champ_entry_slot(node, bit);
            break;
        }
        at = &node->slots[avout__champ_child_slot(node, bit)].child;
    }
    avout__champ *node = path[depth];
    removed[0] = node->slots[index].value;
    if (node->width == 2) removed[1] = node->slots[index + 1].value;
    entry_erase(node, index);
    if (node->collision) node->datamap--;
    else node->datamap &= ~bit;
    while (depth > 0) {
        uint32_t shift = (depth - 1) * AVOUT__CHAMP_BITS;
        if (!lift(path[depth - 1], avout__champ_bit(hash, shift), path[depth])) break;
        depth--;
    }
    return AVOUT_OK;
}
