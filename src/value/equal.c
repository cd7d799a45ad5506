/* Equality and hash over all types. What a type knows itself is in its hooks; here is what
 * holds between types.
 *
 * Two values can be equal only within a family: INT and BIGINT; RATIO; FLOAT; DECIMAL; LIST and
 * VECTOR; every other type for itself. Both functions go as deep as the values are nested. */
#include <string.h>

#include "value/integer.h"
#include "value/object.h"
#include "value/scalars.h"

#include "base/banned.h"

static int family(int type)
{
    if (type == AVOUT_TYPE_VECTOR) return AVOUT_TYPE_LIST;
    if (type == AVOUT_TYPE_BIGINT) return AVOUT_TYPE_INT;
    return type;
}

static bool objects_equal(avout__object *a, avout__object *b)
{
    uint32_t left = atomic_load_explicit(&a->hash, memory_order_relaxed);
    uint32_t right = atomic_load_explicit(&b->hash, memory_order_relaxed);
    if (left && right && left != right) return false;
    return avout__types[a->type]->equal(a, b);
}

bool avout_value_equal(avout_value a, avout_value b)
{
    if (a.bits == b.bits) {
        if (!avout__is_type(a, AVOUT_TYPE_FLOAT)) return a.bits != 0;
        double number = avout__float_number(a);
        return number == number;
    }
    if (!avout__is_object(a) || !avout__is_object(b)) {
        if (!avout__is_small(a) && !avout__is_small(b)) return false;
        return avout__is_integer(a) && avout__is_integer(b) && avout__integer_compare(a, b) == 0;
    }
    avout__object *left = avout__object_any(a), *right = avout__object_any(b);
    if (family(left->type) != family(right->type)) return false;
    if (family(left->type) == AVOUT_TYPE_INT) return avout__integer_compare(a, b) == 0;
    return objects_equal(left, right);
}

static uint32_t object_hash(avout_value value)
{
    avout__object *object = avout__object_any(value);
    uint32_t hash = atomic_load_explicit(&object->hash, memory_order_relaxed);
    if (hash) return hash;
    if (family(object->type) == AVOUT_TYPE_INT) hash = avout__integer_hash(value);
    else hash = avout__types[object->type]->hash(object);
    if (!hash) hash = 1; /* 0 means that it is not known yet */
    /* Threads that come at once all store the same number. */
    atomic_store_explicit(&object->hash, hash, memory_order_relaxed);
    return hash;
}

uint32_t avout_value_hash(avout_value value)
{
    uint32_t hash;
    if (avout__is_object(value)) return object_hash(value);
    if (avout__is_small(value)) hash = avout__integer_hash(value);
    else hash = avout__hash_mix(value.bits);
    return hash ? hash : 1;
}

/* Reads 8 bytes at a time; lengths up to 7 are left for the end, filled up with zeros, which the
 * length in the start tells apart. */
uint32_t avout__hash_bytes(const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    uint64_t hash = 0x9e3779b97f4a7c15u ^ length, word;
    for (; length >= sizeof word; at += sizeof word, length -= sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = (hash ^ word) * 0xd6e8feb86659fd93u;
        hash ^= hash >> 32;
    }
    word = 0;
    if (length) memcpy(&word, at, length);
    return avout__hash_mix((hash ^ word) * 0xd6e8feb86659fd93u);
}
