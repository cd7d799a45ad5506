/* How a value lies in memory. For src/value and src/edn only: everybody else goes through
 * avout/value.h.
 *
 * One word, avout_value.bits:
 *
 *     0                      AVOUT_NONE
 *     ...............xxx1    small INT: 63 bits, two's complement, shifted left by one
 *     payload . kkkkk . 010  immediate: kind k is nil, bool or char; the payload begins at bit 8
 *     ...............000     pointer to an avout__object
 *
 * Invariants:
 *   O1  An INT that fits 63 bits is always an immediate, so equal small INTs have equal bits; an INT
 *       object holds one of the few that do not fit.
 *   O2  An object is immutable once anybody but its maker can see it. It may be changed only while
 *       avout__value_unique holds for it and for everything above it.
 *   O3  The cached hash is 0 (not known yet) or what avout_value_hash answers; who changes a unique
 *       object in place sets it back to 0.
 *   O4  An object that dies is not freed by recursion: its hook drops its children onto a list of
 *       the dead, and one loop frees that list.
 */
#ifndef AVOUT_VALUE_OBJECT_H
#define AVOUT_VALUE_OBJECT_H

#include <stdatomic.h>

#include "avout/value.h"
#include "base/error.h"

_Static_assert(sizeof(uintptr_t) == 8, "values are laid out for 64-bit machines");

/* Tags of objects that are never values by themselves: the inner nodes of collections. They share
 * the values' header, counting and destruction; hash, equal and compare never see them. */
enum {
    AVOUT__TYPE_VECTOR_NODE = 24,
    AVOUT__TYPE_MAP_NODE,
    AVOUT__TYPE_COLLISION_NODE,
    AVOUT__TYPE_SPARE_NODE,
    AVOUT__TYPE_COUNT = 32
};

typedef struct avout__object {
    union {
        struct {
            _Atomic uint32_t refs;
            _Atomic uint32_t hash; /* O3 */
        };
        struct avout__object *dead_next; /* once refs has reached 0 */
    };
    uint8_t type; /* avout_type or AVOUT__TYPE_..._NODE */
    uint8_t kind; /* the next three are each type's own; zero at first */
    uint16_t flags;
    uint32_t extra;
} avout__object;

enum { AVOUT__DEAD_NAMES = 32 };

/* Objects whose last reference is gone and whose children are still to be dropped. */
typedef struct avout__dead_list {
    avout__object *first;
    /* References to keywords that are still to be given up: what was read from one text refers to the
     * same few thousands of times, and one atomic subtraction serves for many. */
    struct {
        avout__object *name;
        uint32_t count; /* meaningless unless the bit in `used` is set */
    } names[AVOUT__DEAD_NAMES];
    uint32_t used;
} avout__dead_list;

/* What a type can do; NULL where it cannot. The objects handed in are borrowed. */
typedef struct avout__type_hooks {
    /* Drops every value and node the object holds (avout__dead_drop, avout__dead_drop_object). The
     * object itself is freed by the caller. NULL: it holds none. */
    void (*release_children)(avout__object *object, avout__dead_list *dead);
    /* Not cached; any number, 0 too. */
    uint32_t (*hash)(const avout__object *object);
    /* `a` is of this type, `b` of one of the same family (list and vector are one). Not the same
     * object. */
    bool (*equal)(const avout__object *a, const avout__object *b);
    /* Both of this type. NULL: has no order (AVOUT_ETYPE). */
    avout_status (*compare)(int *order, const avout__object *a, const avout__object *b);
} avout__type_hooks;

/* By type tag; NULL: a type without hooks. In types.c, the one place that lists all types. */
extern const avout__type_hooks *const avout__types[AVOUT__TYPE_COUNT];

/* ---- immediates ---------------------------------------------------------------------------- */

enum { AVOUT__KIND_NIL = 1, AVOUT__KIND_BOOL, AVOUT__KIND_CHAR };

#define AVOUT__IMMEDIATE(kind, payload)                                                            \
    ((avout_value){(uintptr_t)(payload) << 8 | (uintptr_t)(kind) << 3 | 2})
#define AVOUT__NIL AVOUT__IMMEDIATE(AVOUT__KIND_NIL, 0)
#define AVOUT__FALSE AVOUT__IMMEDIATE(AVOUT__KIND_BOOL, 0)
#define AVOUT__TRUE AVOUT__IMMEDIATE(AVOUT__KIND_BOOL, 1)

#define AVOUT__SMALL_MAX ((int64_t)(INT64_MAX >> 1))
#define AVOUT__SMALL_MIN (-AVOUT__SMALL_MAX - 1)

static inline bool avout__is_small(avout_value value)
{
    return value.bits & 1;
}

static inline bool avout__fits_small(int64_t number)
{
    return number >= AVOUT__SMALL_MIN && number <= AVOUT__SMALL_MAX;
}

static inline avout_value avout__small(int64_t number)
{
    AVOUT__DEBUG_ASSERT(avout__fits_small(number));
    return (avout_value){(uintptr_t)number << 1 | 1};
}

static inline int64_t avout__small_number(avout_value value)
{
    AVOUT__ASSERT(avout__is_small(value));
    return (int64_t)value.bits >> 1;
}

static inline bool avout__is_immediate_kind(avout_value value, int kind)
{
    return (value.bits & 0xff) == ((uintptr_t)kind << 3 | 2);
}

static inline uint32_t avout__immediate_payload(avout_value value, int kind)
{
    AVOUT__ASSERT(avout__is_immediate_kind(value, kind));
    return (uint32_t)(value.bits >> 8);
}

static inline bool avout__is_nil(avout_value value)
{
    return value.bits == AVOUT__NIL.bits;
}

/* ---- objects ------------------------------------------------------------------------------- */

static inline bool avout__is_object(avout_value value)
{
    return value.bits && !(value.bits & 7);
}

static inline avout__object *avout__object_any(avout_value value)
{
    AVOUT__DEBUG_ASSERT(avout__is_object(value));
    return (avout__object *)value.bits;
}

static inline bool avout__is_type(avout_value value, int type)
{
    return avout__is_object(value) && avout__object_any(value)->type == type;
}

static inline avout__object *avout__object_of(avout_value value, int type)
{
    AVOUT__ASSERT(avout__is_type(value, type));
    return avout__object_any(value);
}

/* Takes over the caller's reference. */
static inline avout_value avout__value_of(avout__object *object)
{
    return (avout_value){(uintptr_t)object};
}

/* `size` bytes in all, with one reference and no hash; what follows the header is not initialised.
 * NULL when there is no memory (the detail is set). */
avout__object *avout__object_new(int type, size_t size);

/* Frees the object, which nobody refers to any more, and everything that dies with it. */
void avout__object_destroy(avout__object *object);

static inline void avout__object_retain(avout__object *object)
{
    uint32_t before = atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
    /* Half of the range is the alarm: no number of threads can get from there to the wrap. */
    AVOUT__ASSERT(before && before < UINT32_MAX / 2);
}

/* True when the caller gave up the last reference. */
static inline bool avout__object_drop(avout__object *object)
{
    /* Who sees 1 is alone: nobody else can take a reference from nothing. */
    if (atomic_load_explicit(&object->refs, memory_order_acquire) == 1) return true;
    uint32_t before = atomic_fetch_sub_explicit(&object->refs, 1, memory_order_acq_rel);
    AVOUT__ASSERT(before);
    return before == 1;
}

static inline void avout__object_release(avout__object *object)
{
    if (object && avout__object_drop(object)) avout__object_destroy(object);
}

static inline bool avout__object_unique(avout__object *object)
{
    return atomic_load_explicit(&object->refs, memory_order_acquire) == 1;
}

/* avout_share and avout_release, inline. */
static inline avout_value avout__retain(avout_value value)
{
    if (avout__is_object(value)) avout__object_retain(avout__object_any(value));
    return value;
}

static inline void avout__release(avout_value value)
{
    if (avout__is_object(value)) avout__object_release(avout__object_any(value));
}

/* An object that nobody else refers to: the owner may change it in place (O2, O3). */
static inline bool avout__value_unique(avout_value value)
{
    return avout__is_object(value) && avout__object_unique(avout__object_any(value));
}

static inline void avout__hash_forget(avout__object *object)
{
    atomic_store_explicit(&object->hash, 0, memory_order_relaxed);
}

static inline void avout__dead_add(avout__dead_list *dead, avout__object *object)
{
    object->dead_next = dead->first;
    dead->first = object;
}

/* Gives up the references to the keyword in that place of the list. */
void avout__dead_names_end(avout__dead_list *dead, uint32_t place);

static inline void avout__dead_drop_name(avout__dead_list *dead, avout__object *name)
{
    uint32_t place = (uint32_t)((uintptr_t)name * 0x9e3779b97f4a7c15u >> 59);
    bool used = dead->used >> place & 1;
    if (used && dead->names[place].name == name) {
        dead->names[place].count++;
        return;
    }
    if (used) avout__dead_names_end(dead, place);
    dead->names[place].name = name;
    dead->names[place].count = 1;
    dead->used |= 1u << place;
}

/* For release_children: gives up a reference. */
static inline void avout__dead_drop_object(avout__dead_list *dead, avout__object *object)
{
    if (!object) return;
    /* Who sees 1 is alone; the list's own references to come are counted in it, too. */
    if (atomic_load_explicit(&object->refs, memory_order_acquire) == 1)
        avout__dead_add(dead, object);
    else if (object->type == AVOUT_TYPE_KEYWORD) avout__dead_drop_name(dead, object);
    else if (avout__object_drop(object)) avout__dead_add(dead, object);
}

static inline void avout__dead_drop(avout__dead_list *dead, avout_value value)
{
    if (avout__is_object(value)) avout__dead_drop_object(dead, avout__object_any(value));
}

/* ---- errors -------------------------------------------------------------------------------- */

/* What a making function that failed returns: remembers the status for avout_none_status. The
 * detail is already set. */
avout_value avout__none(avout_status status);

/* What a function that was handed AVOUT_NONE answers: avout_none_status with its detail left as the
 * failed maker set it; when none has failed, a detail of its own. */
avout_status avout__none_given(void);

/* AVOUT_ETYPE, `inc: expected a number, got "abc" (string)`. */
avout_status avout__fail_type(const char *function, const char *expected, avout_value got);

/* Releases `count` values that were to be consumed. */
void avout__release_all(size_t count, const avout_value *items);

/* ---- hashing ------------------------------------------------------------------------------- */

/* Lists and vectors: start, add the hash of each element in order, end. Sets: start, add in any
 * order, end. Maps: as sets of avout__hash_entry(key, item). */
#define AVOUT__HASH_ORDERED 1u
#define AVOUT__HASH_UNORDERED 0u

static inline uint32_t avout__hash_mix(uint64_t bits)
{
    bits = (bits ^ bits >> 32) * 0x9e3779b97f4a7c15u;
    bits = (bits ^ bits >> 29) * 0xd6e8feb86659fd93u;
    return (uint32_t)(bits ^ bits >> 32);
}

static inline uint32_t avout__hash_ordered_add(uint32_t so_far, uint32_t element)
{
    return so_far * 31 + element;
}

static inline uint32_t avout__hash_unordered_add(uint32_t so_far, uint32_t element)
{
    return so_far + element;
}

static inline uint32_t avout__hash_end(uint32_t so_far, size_t count)
{
    return avout__hash_mix((uint64_t)so_far << 32 | (uint32_t)count);
}

/* As the vector [key item], which is what a map's entry is. */
static inline uint32_t avout__hash_entry(uint32_t key, uint32_t item)
{
    uint32_t hash = avout__hash_ordered_add(AVOUT__HASH_ORDERED, key);
    return avout__hash_end(avout__hash_ordered_add(hash, item), 2);
}

uint32_t avout__hash_bytes(const void *bytes, size_t length);

#endif
