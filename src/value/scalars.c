/* Nil, booleans, characters, integers, doubles, boxes; and values into C. */
#include "value/scalars.h"

#include <string.h>

#include "base/alloc.h"
#include "value/integer.h"
#include "value/name.h"
#include "value/text.h"

#include "base/banned.h"

avout_value avout_nil(void)
{
    return AVOUT__NIL;
}

avout_value avout_bool(bool truth)
{
    return truth ? AVOUT__TRUE : AVOUT__FALSE;
}

avout_value avout_int(int64_t number)
{
    if (avout__fits_small(number)) return avout__small(number);
    avout_value made;
    avout_status st = avout__integer_make(&made, number, AVOUT__NATURAL);
    return st ? avout__none(st) : made;
}

avout_value avout_float(double number)
{
    avout__float *made =
        (avout__float *)(void *)avout__object_new(AVOUT_TYPE_FLOAT, sizeof(avout__float));
    if (!made) return avout__none(AVOUT_ENOMEM);
    made->number = number;
    return avout__value_of(&made->object);
}

avout_value avout_char(uint32_t code_point)
{
    if (code_point > 0x10ffff || (code_point >= 0xd800 && code_point <= 0xdfff))
        return avout__none(avout_fail(AVOUT_ERANGE, "char: 0x%x is not a Unicode scalar value",
                                      (unsigned)code_point));
    return AVOUT__IMMEDIATE(AVOUT__KIND_CHAR, code_point);
}

avout_value avout_box(void *pointer, void (*destroy)(void *pointer))
{
    avout__box *box = (avout__box *)(void *)avout__object_new(AVOUT_TYPE_BOX, sizeof(avout__box));
    if (!box) {
        if (destroy) destroy(pointer);
        return avout__none(AVOUT_ENOMEM);
    }
    box->pointer = pointer;
    box->destroy = destroy;
    return avout__value_of(&box->object);
}

/* ---- looks --------------------------------------------------------------------------------- */

bool avout_value_truthy(avout_value value)
{
    return value.bits != AVOUT__NIL.bits && value.bits != AVOUT__FALSE.bits;
}

bool avout_value_is_number(avout_value value)
{
    avout_type type = avout_value_type(value);
    return type >= AVOUT_TYPE_INT && type <= AVOUT_TYPE_DECIMAL;
}

avout_status avout_value_to_bool(bool *truth, avout_value value)
{
    if (avout_value_type(value) != AVOUT_TYPE_BOOL)
        return avout__fail_type("to_bool", "a bool", value);
    *truth = value.bits == AVOUT__TRUE.bits;
    return AVOUT_OK;
}

avout_status avout_value_to_int(int64_t *number, avout_value value)
{
    if (avout__is_small(value)) {
        *number = avout__small_number(value);
        return AVOUT_OK;
    }
    if (!avout__is_integer(value)) return avout__fail_type("to_int", "an integer", value);
    if (avout__integer_fits(number, value)) return AVOUT_OK;
    return avout_fail(AVOUT_ERANGE, "to_int: the bigint does not fit 64 bits");
}

avout_status avout_value_to_char(uint32_t *code_point, avout_value value)
{
    if (avout_value_type(value) != AVOUT_TYPE_CHAR)
        return avout__fail_type("to_char", "a char", value);
    *code_point = avout__immediate_payload(value, AVOUT__KIND_CHAR);
    return AVOUT_OK;
}

avout_status avout_value_to_text(const char **text, size_t *length, avout_value value)
{
    size_t bytes;
    switch (avout_value_type(value)) {
    case AVOUT_TYPE_STRING:
        *text = avout__string_of(value)->text;
        bytes = avout__string_of(value)->length;
        break;
    case AVOUT_TYPE_BYTES:
        *text = avout__bytes_of(value)->text;
        bytes = avout__bytes_of(value)->length;
        break;
    case AVOUT_TYPE_SYMBOL:
    case AVOUT_TYPE_KEYWORD:
        *text = avout__name_of(value)->text;
        bytes = avout__name_of(value)->length;
        break;
    default: return avout__fail_type("to_text", "a string, bytes, symbol or keyword", value);
    }
    if (length) *length = bytes;
    return AVOUT_OK;
}

avout_status avout_value_to_box(void **pointer, avout_value value)
{
    if (!avout__is_type(value, AVOUT_TYPE_BOX)) return avout__fail_type("to_box", "a box", value);
    *pointer = ((avout__box *)(void *)avout__object_any(value))->pointer;
    return AVOUT_OK;
}

bool avout_value_is_box_of(void **pointer, void (*destroy)(void *pointer), avout_value value)
{
    if (!avout__is_type(value, AVOUT_TYPE_BOX)) return false;
    const avout__box *box = (avout__box *)(void *)avout__object_any(value);
    if (box->destroy != destroy) return false;
    *pointer = box->pointer;
    return true;
}

/* ---- hooks --------------------------------------------------------------------------------- */

static void box_release(avout__object *object, avout__dead_list *dead)
{
    (void)dead;
    avout__box *box = (avout__box *)(void *)object;
    if (box->destroy) box->destroy(box->pointer);
}

/* By the object, not by the pointer: a box is equal to nothing but itself. */
static uint32_t box_hash(const avout__object *object)
{
    return avout__hash_mix((uintptr_t)object);
}

static bool box_equal(const avout__object *a, const avout__object *b)
{
    return a == b;
}

const avout__type_hooks avout__box_hooks = {box_release, box_hash, box_equal, NULL};

static double float_at(const avout__object *object)
{
    return ((const avout__float *)(const void *)object)->number;
}

static uint32_t float_hash(const avout__object *object)
{
    double number = float_at(object);
    uint64_t bits;
    if (number == 0) number = 0; /* -0.0 equals 0.0 */
    memcpy(&bits, &number, sizeof bits);
    return avout__hash_mix(bits ^ 0x5bd1e995u);
}

static bool float_equal(const avout__object *a, const avout__object *b)
{
    return float_at(a) == float_at(b);
}

const avout__type_hooks avout__float_hooks = {NULL, float_hash, float_equal, NULL};
