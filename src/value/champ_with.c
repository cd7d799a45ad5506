/* New versions of tries that somebody holds: copies of the nodes on the way to one entry, made from
 * below, so that each is complete when it becomes the heir of the one it was made of (kin.h). */
#include "value/champ.h"

#include <string.h>

#include "base/alloc.h"
#include "value/collection.h"
#include "base/banned.h"

typedef avout__champ node_t;

/* ---- copies ----------------------------------------------------------------------------------- */

static void copy_slots(avout__champ_slot *to, const avout__champ_slot *from, uint32_t count)
{
    memcpy(to, from, count * sizeof *to);
}

typedef avout__kin_step step_t;

/* The copy is complete and has counted what is in `different`; it joins later, with all others. */
static node_t *ready(step_t *step, node_t *node, node_t *copy, uint32_t different)
{
    *step = (step_t){&node->kin, &copy->kin, different, false};
    return copy;
}

static node_t *node_of(avout__kin *kin)
{
    return (node_t *)(void *)((char *)kin - offsetof(node_t, kin));
}

static void join(step_t *steps, uint32_t count)
{
    if (!count) return;
    avout__kin_join(steps, count);
    for (uint32_t i = 0; i < count; i++)
        if (!steps[i].joined) avout__champ_retain(node_of(steps[i].copy), ~steps[i].different);
}

/* A node with other contents in one place: with room for that, and nothing but the maps in it. */
static node_t *copy_new(const node_t *node, uint32_t datamap, uint32_t nodemap)
{
    uint32_t slots = avout__popcount(datamap) * node->width + avout__popcount(nodemap);
    node_t *copy = avout__champ_new(slots, node->width);
    if (!copy) return NULL;
    copy->datamap = datamap;
    copy->nodemap = nodemap;
    return copy;
}

/* All children, for a copy that has the same. */
static void copy_children(node_t *copy, const node_t *node)
{
    uint32_t count = avout__champ_children(node);
    copy_slots(copy->slots + copy->capacity - count, node->slots + node->capacity - count, count);
}

static node_t *with_child(step_t *step, node_t *node, uint32_t bit, node_t *child)
{
    node_t *copy = copy_new(node, node->datamap, node->nodemap);
    if (!copy) return NULL;
    copy_slots(copy->slots, node->slots, avout__champ_entries(node) * node->width);
    copy_children(copy, node);
    copy->slots[avout__champ_child_slot(copy, bit)].child = child;
    return ready(step, node, copy, bit);
}

static node_t *with_entry(step_t *step, node_t *node, uint32_t bit, const avout__champ_slot *entry)
{
    uint32_t at = avout__champ_entry_slot(node, bit), width = node->width;
    node_t *copy = copy_new(node, node->datamap | bit, node->nodemap);
    if (!copy) return NULL;
    copy_slots(copy->slots, node->slots, at);
    copy_slots(copy->slots + at, entry, width);
    copy_slots(copy->slots + at + width, node->slots + at, avout__champ_entries(node) * width - at);
    copy_children(copy, node);
    return ready(step, node, copy, bit);
}

static node_t *with_item(step_t *step, node_t *node, uint32_t bit, avout_value item)
{
    node_t *copy = copy_new(node, node->datamap, node->nodemap);
    if (!copy) return NULL;
    copy_slots(copy->slots, node->slots, avout__champ_entries(node) * node->width);
    copy_children(copy, node);
    avout__champ_slot *entry = &copy->slots[avout__champ_entry_slot(copy, bit)];
    avout__retain(entry[0].value);
    entry[1].value = item;
    return ready(step, node, copy, bit);
}

/* The entry at `bit` has another key with the same bits so far: both move one level down. */
static node_t *with_pair(step_t *step, node_t *node, uint32_t bit, uint32_t shift, uint32_t hash,
                         const avout__champ_slot *entry)
{
    uint32_t at = avout__champ_entry_slot(node, bit), width = node->width;
    uint32_t values = avout__champ_entries(node) * width, children = avout__champ_children(node);
    const avout__champ_slot *old = node->slots + at;
    node_t *copy = copy_new(node, node->datamap & ~bit, node->nodemap | bit);
    if (!copy) return NULL;
    node_t *child = avout__champ_pair(shift + AVOUT__CHAMP_BITS, width,
                                      avout_value_hash(old->value), old, hash, entry);
    if (!child) {
        avout__free(copy);
        return NULL;
    }
    avout__kin_adopt(&child->kin, &node->kin);
    for (uint32_t i = 0; i < width; i++) avout__retain(old[i].value);
    copy_slots(copy->slots, node->slots, at);
    copy_slots(copy->slots + at, node->slots + at + width, values - at - width);
    uint32_t place = avout__champ_child_slot(copy, bit), before = copy->capacity - 1 - place;
    copy->slots[place].child = child;
    copy_slots(copy->slots + place + 1, node->slots + node->capacity - before, before);
    copy_slots(copy->slots + place - (children - before), node->slots + node->capacity - children,
               children - before);
    return ready(step, node, copy, bit);
}

node_t *avout__champ_copy(node_t *node, uint32_t more)
{
    uint32_t values = avout__champ_entries(node) * node->width;
    node_t *copy = avout__champ_new(values + avout__champ_children(node) + more, node->width);
    if (!copy) return NULL;
    copy->datamap = node->datamap;
    copy->nodemap = node->nodemap;
    copy->collision = node->collision;
    copy_slots(copy->slots, node->slots, values);
    copy_children(copy, node);
    if (!node->collision) {
        step_t step;
        ready(&step, node, copy, 0);
        join(&step, 1);
        return copy;
    }
    for (uint32_t i = 0; i < values; i++) avout__retain(copy->slots[i].value);
    return copy;
}

/* ---- one entry more, or another item ---------------------------------------------------------- */

static node_t *with_collision(node_t *node, const avout__champ_slot *entry, bool added, uint32_t at)
{
    node_t *copy = avout__champ_copy(node, added ? node->width : 0);
    if (!copy) return NULL;
    if (added) {
        copy_slots(copy->slots + at, entry, node->width);
        copy->datamap++;
    } else {
        avout__release(copy->slots[at + 1].value); /* `node` has it, too */
        copy->slots[at + 1] = entry[1];
    }
    return copy;
}

/* The node where the entry is or will be. *made: NULL, nothing would be different. */
static avout_status with_last(node_t **made, step_t *step, node_t *node, uint32_t shift,
                              uint32_t hash, const avout__champ_slot *entry, bool *added)
{
    uint32_t at, bit = node->collision ? 0 : avout__champ_bit(hash, shift);
    bool found = true;
    if (node->collision) {
        at = avout__champ_collision_slot(node, entry->value);
        *added = at == node->datamap * node->width;
    } else {
        at = avout__champ_entry_slot(node, bit);
        found = node->datamap & bit;
        *added = !found || !avout__same(node->slots[at].value, entry->value);
    }
    *made = NULL;
    if (!*added && (node->width == 1 || node->slots[at + 1].value.bits == entry[1].value.bits))
        return AVOUT_OK;
    if (node->collision) *made = with_collision(node, entry, *added, at);
    else if (!found) *made = with_entry(step, node, bit, entry);
    else if (*added) *made = with_pair(step, node, bit, shift, hash, entry);
    else *made = with_item(step, node, bit, entry[1].value);
    return *made ? AVOUT_OK : AVOUT_ENOMEM;
}

avout_status avout__champ_with(node_t **made, node_t *node, uint32_t shift, uint32_t hash,
                               avout_value key, avout_value item, bool *added)
{
    const avout__champ_slot entry[2] = {{key}, {item}};
    node_t *path[AVOUT__CHAMP_DEPTH];
    uint32_t depth = 0;
    for (; !node->collision; shift += AVOUT__CHAMP_BITS) {
        uint32_t bit = avout__champ_bit(hash, shift);
        if (!(node->nodemap & bit)) break;
        path[depth++] = node;
        node = node->slots[avout__champ_child_slot(node, bit)].child;
    }
    step_t steps[AVOUT__CHAMP_DEPTH];
    avout_status status = with_last(made, &steps[0], node, shift, hash, entry, added);
    if (status || !*made) return status;
    uint32_t count = !node->collision;
    while (depth) {
        shift -= AVOUT__CHAMP_BITS;
        node = path[--depth];
        node_t *above = with_child(&steps[count], node, avout__champ_bit(hash, shift), *made);
        if (!above) {
            status = AVOUT_ENOMEM;
            break;
        }
        *made = above;
        count++;
    }
    join(steps, count);
    if (!status) return AVOUT_OK;
    if (*added) avout__retain(key); /* the entry stays the caller's */
    avout__retain(item);
    avout__champ_unref(*made, NULL);
    *made = NULL;
    return status;
}
