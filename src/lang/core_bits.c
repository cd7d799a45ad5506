/* Functions of the bits of integers: of 64, in two's complement, as Java's long. */
#include "lang/core.h"

#include "base/banned.h"

typedef int64_t (*combine)(int64_t a, int64_t b);

/* Java shifts by the lowest six bits of the count. */
static uint64_t bit(int64_t number)
{
    return UINT64_C(1) << (number & 63);
}

static int64_t and (int64_t a, int64_t b)
{
    return a & b;
}

static int64_t or (int64_t a, int64_t b)
{
    return a | b;
}

static int64_t xor (int64_t a, int64_t b) { return a ^ b; }

    static int64_t and_not(int64_t a, int64_t b)
{
    return a & ~b;
}

static int64_t left(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a << (b & 63));
}

static int64_t right(int64_t a, int64_t b)
{
    return a >> (b & 63);
}

static int64_t right_unsigned(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a >> (b & 63));
}

static int64_t set(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a | bit(b));
}

static int64_t clear(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a & ~bit(b));
}

static int64_t flip(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a ^ bit(b));
}

/* f of the first two, f of that and the third, ... */
static avout_value fold(lang_run *run, const char *name, size_t count, const avout_value *args,
                        combine f)
{
    int64_t result, number;
    if (!avout__lang_integer(run, name, &result, args[0])) return AVOUT_NONE;
    for (size_t i = 1; i < count; i++) {
        if (!avout__lang_integer(run, name, &number, args[i])) return AVOUT_NONE;
        result = f(result, number);
    }
    return avout__lang_made(run, avout_int(result));
}

#define BITS(core, name, f)                                                                        \
    CORE(core)                                                                                     \
    {                                                                                              \
        return fold(run, name, count, args, f);                                                    \
    }

BITS(bit_and, "bit-and", and)
BITS(bit_or, "bit-or", or)
BITS(bit_xor, "bit-xor", xor)
BITS(bit_and_not, "bit-and-not", and_not)
BITS(bit_left, "bit-shift-left", left)
BITS(bit_right, "bit-shift-right", right)
BITS(bit_right_unsigned, "unsigned-bit-shift-right", right_unsigned)
BITS(bit_set, "bit-set", set)
BITS(bit_clear, "bit-clear", clear)
BITS(bit_flip, "bit-flip", flip)

CORE(bit_not)
{
    int64_t number;
    if (!avout__lang_integer(run, "bit-not", &number, args[0])) return AVOUT_NONE;
    return avout__lang_made(run, avout_int(~number));
}

CORE(bit_test)
{
    int64_t number, index;
    if (!avout__lang_integer(run, "bit-test", &number, args[0]) ||
        !avout__lang_integer(run, "bit-test", &index, args[1]))
        return AVOUT_NONE;
    return avout_bool((uint64_t)number & bit(index));
}

const lang_core avout__lang_bits[] = {
    {"bit-and", "n m ...", "the bits that are in all", 2, LANG_MANY, bit_and, NULL},
    {"bit-or", "n m ...", "the bits that are in any", 2, LANG_MANY, bit_or, NULL},
    {"bit-xor", "n m ...", "the bits that differ", 2, LANG_MANY, bit_xor, NULL},
    {"bit-and-not", "n m ...", "the bits of n that are in none of the others", 2, LANG_MANY,
     bit_and_not, NULL},
    {"bit-not", "n", "the bits that are not there", 1, 1, bit_not, NULL},
    {"bit-set", "n m", "n with bit m set", 2, 2, bit_set, NULL},
    {"bit-clear", "n m", "n without bit m", 2, 2, bit_clear, NULL},
    {"bit-flip", "n m", "n with bit m the other way round", 2, 2, bit_flip, NULL},
    {"bit-test", "n m", "whether bit m is set", 2, 2, bit_test, NULL},
    {"bit-shift-left", "n m", "n shifted left by m bits", 2, 2, bit_left, NULL},
    {"bit-shift-right", "n m", "n shifted right by m bits; keeps its sign", 2, 2, bit_right, NULL},
    {"unsigned-bit-shift-right", "n m", "n shifted right by m bits, with zeros from the left", 2, 2,
     bit_right_unsigned, NULL},
    LANG_END,
};
