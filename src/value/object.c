/* The life of values: counting, destruction without recursion, and AVOUT_NONE's status. */
#include "value/object.h"

#include "base/alloc.h"
#include "value/describe.h"

#include "base/banned.h"

static _Thread_local avout_status none_status;

avout__object *avout__object_new(int type, size_t size)
{
    AVOUT__DEBUG_ASSERT(size >= sizeof(avout__object) && type < AVOUT__TYPE_COUNT);
    avout__object *object = avout__alloc(size);
    if (!object) return NULL;
    AVOUT__DEBUG_ASSERT(!((uintptr_t)object & 7));
    atomic_init(&object->refs, 1);
    atomic_init(&object->hash, 0);
    object->type = (uint8_t)type;
    object->kind = 0;
    object->flags = 0;
    object->extra = 0;
    return object;
}

void avout__dead_names_end(avout__dead_list *dead, uint32_t place)
{
    avout__object *name = dead->names[place].name;
    uint32_t count = dead->names[place].count;
    uint32_t before = atomic_fetch_sub_explicit(&name->refs, count, memory_order_acq_rel);
    AVOUT__ASSERT(before >= count);
    dead->used &= ~(1u << place);
    if (before == count) avout__dead_add(dead, name);
}

static void destroy_all(avout__object *object)
{
    avout__dead_list dead;
    dead.first = NULL;
    dead.used = 0;
    avout__dead_add(&dead, object);
    while (dead.first) {
        avout__object *next = dead.first;
        dead.first = next->dead_next;
        const avout__type_hooks *hooks = avout__types[next->type];
        if (hooks && hooks->release_children) hooks->release_children(next, &dead);
        avout__free(next);
        while (!dead.first && dead.used)
            avout__dead_names_end(&dead, (uint32_t)__builtin_ctz(dead.used));
    }
}

void avout__object_destroy(avout__object *object)
{
    const avout__type_hooks *hooks = avout__types[object->type];
    if (hooks && hooks->release_children) destroy_all(object);
    else avout__free(object);
}

avout_value avout_share(avout_value value)
{
    return avout__retain(value);
}

void avout_release(avout_value value)
{
    avout__release(value);
}

void avout__release_all(size_t count, const avout_value *items)
{
    for (size_t i = 0; i < count; i++) avout__release(items[i]);
}

avout_status avout_put(avout_value *slot, avout_value value)
{
    if (!value.bits) return avout__none_given();
    avout_value old = *slot;
    *slot = value;
    avout__release(old);
    return AVOUT_OK;
}

bool avout_is_none(avout_value value)
{
    return !value.bits;
}

avout_status avout_none_status(void)
{
    return none_status ? none_status : AVOUT_EINVAL;
}

avout_value avout__none(avout_status status)
{
    AVOUT__DEBUG_ASSERT(status);
    none_status = status;
    return AVOUT_NONE;
}

avout_status avout__none_given(void)
{
    if (none_status) return none_status;
    return avout_fail(AVOUT_EINVAL, "no value was given (AVOUT_NONE)");
}

avout_type avout_value_type(avout_value value)
{
    if (!value.bits) return AVOUT_TYPE_NONE;
    if (avout__is_small(value)) return AVOUT_TYPE_INT;
    if (avout__is_object(value)) return (avout_type)avout__object_any(value)->type;
    if (avout__is_immediate_kind(value, AVOUT__KIND_BOOL)) return AVOUT_TYPE_BOOL;
    if (avout__is_immediate_kind(value, AVOUT__KIND_CHAR)) return AVOUT_TYPE_CHAR;
    AVOUT__ASSERT(avout__is_nil(value));
    return AVOUT_TYPE_NIL;
}

const char *avout_type_name(avout_type type)
{
    switch (type) {
    case AVOUT_TYPE_NONE: return "none";
    case AVOUT_TYPE_NIL: return "nil";
    case AVOUT_TYPE_BOOL: return "bool";
    case AVOUT_TYPE_INT: return "int";
    case AVOUT_TYPE_BIGINT: return "bigint";
    case AVOUT_TYPE_RATIO: return "ratio";
    case AVOUT_TYPE_FLOAT: return "float";
    case AVOUT_TYPE_DECIMAL: return "decimal";
    case AVOUT_TYPE_CHAR: return "char";
    case AVOUT_TYPE_STRING: return "string";
    case AVOUT_TYPE_SYMBOL: return "symbol";
    case AVOUT_TYPE_KEYWORD: return "keyword";
    case AVOUT_TYPE_LIST: return "list";
    case AVOUT_TYPE_VECTOR: return "vector";
    case AVOUT_TYPE_MAP: return "map";
    case AVOUT_TYPE_SET: return "set";
    case AVOUT_TYPE_TAGGED: return "tagged";
    case AVOUT_TYPE_BYTES: return "bytes";
    case AVOUT_TYPE_BOX: return "box";
    }
    return "?";
}

avout_status avout__fail_type(const char *function, const char *expected, avout_value got)
{
    return avout_fail(AVOUT_ETYPE, "%s: expected %s, got %s", function, expected,
                      avout__describe(got).text);
}
