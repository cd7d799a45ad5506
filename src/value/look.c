/* Looking into collections: nothing here allocates, fails for want of memory or takes ownership. */
#include "value/collection.h"

#include <string.h>

#include "value/sequence.h"
#include "base/banned.h"

/* ---- texts as sequences of characters -------------------------------------------------------- */

size_t avout__text_count(const char *text, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++) count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

/* Strings are valid UTF-8 from the day they are made. */
avout_value avout__text_next(const char **text)
{
    const unsigned char *at = (const unsigned char *)*text;
    uint32_t code = at[0];
    int more = code < 0x80 ? 0 : code < 0xe0 ? 1 : code < 0xf0 ? 2 : 3;
    if (more) code &= 0x3fu >> more;
    for (int i = 1; i <= more; i++) code = code << 6 | (at[i] & 0x3fu);
    *text += more + 1;
    return avout_char(code);
}

static avout_value text_at(avout_value string, size_t index)
{
    const char *text;
    size_t length;
    if (avout_value_to_text(&text, &length, string)) return AVOUT_NONE;
    const char *end = text + length;
    for (; text < end; index--) {
        avout_value c = avout__text_next(&text);
        if (!index) return c;
    }
    return AVOUT_NONE;
}

/* ---- looks ----------------------------------------------------------------------------------- */

avout_status avout_value_count(size_t *count, avout_value value)
{
    const char *text;
    size_t length;
    switch (avout_value_type(value)) {
    case AVOUT_TYPE_NONE: return avout__none_given();
    case AVOUT_TYPE_NIL: *count = 0; return AVOUT_OK;
    case AVOUT_TYPE_LIST: *count = avout__list_of(value)->count; return AVOUT_OK;
    case AVOUT_TYPE_VECTOR: *count = avout__vector_of(value)->count; return AVOUT_OK;
    case AVOUT_TYPE_MAP:
    case AVOUT_TYPE_SET: *count = avout__hashed_of(value)->count; return AVOUT_OK;
    case AVOUT_TYPE_STRING:
    case AVOUT_TYPE_BYTES: break;
    default: return avout__fail_type("count", "a collection or string", value);
    }
    avout_status status = avout_value_to_text(&text, &length, value);
    if (status) return status;
    *count = avout_value_type(value) == AVOUT_TYPE_BYTES ? length : avout__text_count(text, length);
    return AVOUT_OK;
}

bool avout__index(size_t *index, avout_value key)
{
    int64_t number;
    if (avout__is_small(key)) number = avout__small_number(key);
    else if (!avout__is_type(key, AVOUT_TYPE_INT) && !avout__is_type(key, AVOUT_TYPE_BIGINT))
        return false;
    else if (avout_value_to_int(&number, key)) number = -1;
    /* What is too large for an index is beyond every end, and what is negative is too. */
    *index = number < 0 ? SIZE_MAX : (size_t)number;
    return true;
}

avout_value avout_value_get(avout_value collection, avout_value key)
{
    size_t index;
    if (avout__is_hashed(collection) && key.bits) {
        const avout__hashed *hashed = avout__hashed_of(collection);
        const avout_value *entry = avout__hashed_find(hashed, key);
        return entry ? entry[avout__hashed_width(hashed) - 1] : AVOUT_NONE;
    }
    if (avout__is_type(collection, AVOUT_TYPE_VECTOR) && avout__index(&index, key))
        return avout_value_nth(collection, index);
    return AVOUT_NONE;
}

avout_value avout_value_get_in(avout_value collection, size_t length, const avout_value *path)
{
    for (size_t i = 0; i < length && collection.bits; i++)
        collection = avout_value_get(collection, path[i]);
    return collection;
}

avout_value avout_value_nth(avout_value sequence, size_t index)
{
    if (avout__is_type(sequence, AVOUT_TYPE_VECTOR)) {
        const avout__vector *vector = avout__vector_of(sequence);
        return index < vector->count ? *avout__vector_run(vector, index) : AVOUT_NONE;
    }
    if (avout__is_type(sequence, AVOUT_TYPE_LIST)) {
        const avout_value *item = avout__list_at(avout__list_of(sequence), index);
        return item ? *item : AVOUT_NONE;
    }
    return AVOUT_NONE;
}

/* As Clojure's get and nth, which see strings as sequences of characters too. */
avout_value avout__lookup(avout_value collection, avout_value key)
{
    size_t index;
    if (avout__is_type(collection, AVOUT_TYPE_STRING))
        return avout__index(&index, key) ? text_at(collection, index) : AVOUT_NONE;
    return avout_value_get(collection, key);
}

avout_value avout__element(avout_value sequence, size_t index)
{
    if (avout__is_type(sequence, AVOUT_TYPE_STRING)) return text_at(sequence, index);
    return avout_value_nth(sequence, index);
}

avout_status avout_value_contains(bool *found, avout_value collection, avout_value key)
{
    size_t index, count;
    if (!collection.bits || !key.bits) return avout__none_given();
    avout_type type = avout_value_type(collection);
    switch (type) {
    case AVOUT_TYPE_NIL: *found = false; return AVOUT_OK;
    case AVOUT_TYPE_MAP:
    case AVOUT_TYPE_SET:
        *found = avout__hashed_find(avout__hashed_of(collection), key) != NULL;
        return AVOUT_OK;
    case AVOUT_TYPE_VECTOR: break;
    case AVOUT_TYPE_STRING:
        if (avout__index(&index, key)) break;
        return avout__fail_type("contains?", "an index", key);
    default: return avout__fail_type("contains?", "a map, set, vector or string", collection);
    }
    avout_status status = avout_value_count(&count, collection);
    if (!status) *found = avout__index(&index, key) && index < count;
    return status;
}

avout_value avout_value_peek(avout_value sequence)
{
    if (avout__is_type(sequence, AVOUT_TYPE_LIST)) return avout_value_nth(sequence, 0);
    if (!avout__is_type(sequence, AVOUT_TYPE_VECTOR)) return AVOUT_NONE;
    size_t count = avout__vector_of(sequence)->count;
    return count ? avout_value_nth(sequence, count - 1) : AVOUT_NONE;
}

/* ---- iteration --------------------------------------------------------------------------------
 * list:          node[0] the chunk, position[0] how many of its items were shown
 * vector:        node[0] the items from the last multiple of 32 on
 * small map, set: index alone
 * trie:          node[0..depth] the way down, position[] what to show or enter next at each */

avout_iterator avout_value_iterate(avout_value collection)
{
    avout_iterator it;
    it.key = it.item = AVOUT_NONE;
    it.collection = avout__is_collection(collection) ? collection : AVOUT_NONE;
    it.index = 0;
    it.node[0] = NULL;
    it.position[0] = 0;
    it.depth = 0;
    if (avout__is_type(collection, AVOUT_TYPE_LIST)) it.node[0] = avout__list_of(collection);
    if (avout__is_hashed(collection)) it.node[0] = avout__hashed_of(collection)->root;
    return it;
}

static bool list_next(avout_iterator *it)
{
    const avout__list *chunk = it->node[0];
    if (it->position[0] == chunk->here) {
        if (!chunk->next) return false;
        it->node[0] = chunk = chunk->next;
        it->position[0] = 0;
    }
    it->item = chunk->items[chunk->here - 1 - it->position[0]++];
    return true;
}

static bool vector_next(avout_iterator *it)
{
    const avout__vector *vector = avout__vector_of(it->collection);
    if (it->index == vector->count) return false;
    uint32_t place = it->index & (AVOUT__VECTOR_WIDTH - 1);
    if (!place) it->node[0] = avout__vector_run(vector, it->index);
    it->item = ((const avout_value *)it->node[0])[place];
    it->index++;
    return true;
}

static bool show(avout_iterator *it, const avout_value *entry, uint32_t width)
{
    if (width == 2) it->key = entry[0];
    it->item = entry[width - 1];
    it->index++;
    return true;
}

static bool trie_next(avout_iterator *it)
{
    while (it->depth >= 0) {
        const avout__champ *node = it->node[it->depth];
        uint32_t entries = avout__champ_entries(node), at = it->position[it->depth]++;
        if (at < entries)
            return show(it, &node->slots[(size_t)at * node->width].value, node->width);
        if (at - entries < avout__champ_children(node)) {
            it->depth++;
            it->node[it->depth] = avout__champ_child(node, at - entries);
            it->position[it->depth] = 0;
        } else {
            it->depth--;
        }
    }
    it->depth = 0; /* stays at the end when asked again */
    return false;
}

bool avout_iterator_next(avout_iterator *it)
{
    if (!it->collection.bits) return false;
    bool more;
    switch (avout__object_any(it->collection)->type) {
    case AVOUT_TYPE_LIST: more = list_next(it); break;
    case AVOUT_TYPE_VECTOR: more = vector_next(it); break;
    default: {
        const avout__hashed *hashed = avout__hashed_of(it->collection);
        uint32_t width = avout__hashed_width(hashed);
        if (it->index == hashed->count) more = false;
        else if (hashed->root) more = trie_next(it);
        else more = show(it, &hashed->items[it->index * width], width);
    }
    }
    if (!more) it->key = it->item = AVOUT_NONE;
    return more;
}
