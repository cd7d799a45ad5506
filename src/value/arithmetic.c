/* inc dec add sub mul div quot rem mod negate: Clojure's arithmetic over all numbers.
 *
 * The operands are brought to the higher of their two ranks: INT, BIGINT, RATIO, DECIMAL, FLOAT.
 * Only INT with INT can overflow, and says so. */
#include <math.h>

#include "value/decimal.h"
#include "value/describe.h"
#include "value/integer.h"
#include "value/number.h"
#include "value/object.h"
#include "value/scalars.h"

#include "base/banned.h"

typedef enum operation { ADD, SUB, MUL, DIV, QUOT, REM } operation;

enum { INT, BIG, RATIO, DECIMAL, FLOAT };

static int rank_of(avout_value number)
{
    switch (avout_value_type(number)) {
    case AVOUT_TYPE_INT: return INT;
    case AVOUT_TYPE_BIGINT: return BIG;
    case AVOUT_TYPE_RATIO: return RATIO;
    case AVOUT_TYPE_DECIMAL: return DECIMAL;
    default: return FLOAT;
    }
}

static avout_status fail_overflow(const char *function)
{
    return avout_fail(AVOUT_ERANGE, "%s: integer overflow", function);
}

static avout_status fail_zero(const char *function)
{
    return avout_fail(AVOUT_EDIVZERO, "%s: division by zero", function);
}

static avout_status make_float(avout_value *out, double number)
{
    *out = avout_float(number);
    return out->bits ? AVOUT_OK : AVOUT_ENOMEM;
}

/* ---- by rank ------------------------------------------------------------------------------- */

static avout_status ints(const char *function, operation op, avout_value *out, avout_value a,
                         avout_value b)
{
    int64_t x = 0, y = 0, result = 0;
    bool over = false;
    avout__integer_fits(&x, a);
    avout__integer_fits(&y, b);
    switch (op) {
    case ADD: over = __builtin_add_overflow(x, y, &result); break;
    case SUB: over = __builtin_sub_overflow(x, y, &result); break;
    case MUL: over = __builtin_mul_overflow(x, y, &result); break;
    case DIV:
    case QUOT:
        if (x == INT64_MIN && y == -1) over = true;
        else if (x % y && op == DIV) return avout__fraction_make(out, a, b, AVOUT__NATURAL);
        else result = x / y;
        break;
    case REM: result = y == -1 ? 0 : x % y; break;
    }
    return over ? fail_overflow(function) : avout__integer_make(out, result, AVOUT__NATURAL);
}

static avout_status bigs(operation op, avout_value *out, avout_value a, avout_value b)
{
    switch (op) {
    case ADD: return avout__integer_add(out, a, b, AVOUT__BIG);
    case SUB: return avout__integer_sub(out, a, b, AVOUT__BIG);
    case MUL: return avout__integer_mul(out, a, b, AVOUT__BIG);
    case DIV: return avout__fraction_make(out, a, b, AVOUT__BIG);
    case QUOT: return avout__integer_divide(out, NULL, a, b, AVOUT__BIG);
    default: return avout__integer_divide(NULL, out, a, b, AVOUT__BIG);
    }
}

static avout_status ratios(operation op, avout_value *out, avout_value a, avout_value b)
{
    static avout_status (*const functions[])(avout_value *, avout__fraction, avout__fraction) = {
        [ADD] = avout__ratio_add, [SUB] = avout__ratio_sub,   [MUL] = avout__ratio_mul,
        [DIV] = avout__ratio_div, [QUOT] = avout__ratio_quot, [REM] = avout__ratio_rem};
    return functions[op](out, avout__fraction_of(a), avout__fraction_of(b));
}

/* A ratio becomes the decimal it is, or fails: AVOUT_ERANGE. *made is owned, may stay NONE. */
static avout_status scaled_from(avout__scaled *scaled, avout_value *made, avout_value number)
{
    if (avout_value_type(number) != AVOUT_TYPE_RATIO) {
        *scaled = avout__scaled_of(number);
        return AVOUT_OK;
    }
    avout__fraction parts = avout__fraction_of(number);
    avout_status st = avout__decimal_div(made, (avout__scaled){parts.numerator, 0},
                                         (avout__scaled){parts.denominator, 0});
    if (!st) *scaled = avout__scaled_of(*made);
    return st;
}

static avout_status decimals(operation op, avout_value *out, avout_value a, avout_value b)
{
    static avout_status (*const functions[])(avout_value *, avout__scaled, avout__scaled) = {
        [ADD] = avout__decimal_add, [SUB] = avout__decimal_sub,   [MUL] = avout__decimal_mul,
        [DIV] = avout__decimal_div, [QUOT] = avout__decimal_quot, [REM] = avout__decimal_rem};
    avout__scaled left, right;
    avout_value made[2] = {AVOUT_NONE, AVOUT_NONE};
    avout_status st = scaled_from(&left, &made[0], a);
    if (!st) st = scaled_from(&right, &made[1], b);
    if (!st) st = functions[op](out, left, right);
    avout__release(made[0]);
    avout__release(made[1]);
    return st;
}

static avout_status floats(const char *function, operation op, avout_value *out, avout_value a,
                           avout_value b)
{
    double x, y;
    avout_status st = avout__number_to_double(&x, a);
    if (!st) st = avout__number_to_double(&y, b);
    if (st) return st;
    switch (op) {
    case ADD: return make_float(out, x + y);
    case SUB: return make_float(out, x - y);
    case MUL: return make_float(out, x * y);
    case DIV: return make_float(out, x / y);
    default: break;
    }
    if (y == 0) return fail_zero(function);
    double quotient = x / y;
    if (!isfinite(quotient))
        return avout_fail(AVOUT_ERANGE, "%s: the quotient is infinite or no number", function);
    quotient = trunc(quotient) + 0.0; /* never -0.0 */
    if (op == QUOT) return make_float(out, quotient);
    volatile double product = quotient * y; /* rounded by itself, never fused */
    return make_float(out, x - product);
}

static bool is_zero(avout_value number)
{
    int rank = rank_of(number);
    if (rank <= BIG) return !avout__integer_sign(number);
    if (rank == RATIO) return false;
    if (rank == DECIMAL) return !avout__integer_sign(avout__scaled_of(number).unscaled);
    return avout__float_number(number) == 0;
}

static bool is_positive(avout_value number)
{
    int rank = rank_of(number);
    if (rank == FLOAT) return avout__float_number(number) > 0;
    if (rank == DECIMAL) return avout__integer_sign(avout__scaled_of(number).unscaled) > 0;
    return avout__integer_sign(avout__fraction_of(number).numerator) > 0;
}

/* Both are numbers. */
static avout_status operate(const char *function, operation op, avout_value *out, avout_value a,
                            avout_value b)
{
    int rank = rank_of(a), other = rank_of(b);
    if (other > rank) rank = other;
    if (op >= DIV && rank != FLOAT && is_zero(b)) return fail_zero(function);
    switch (rank) {
    case INT: return ints(function, op, out, a, b);
    case BIG: return bigs(op, out, a, b);
    case RATIO: return ratios(op, out, a, b);
    case DECIMAL: return decimals(op, out, a, b);
    default: return floats(function, op, out, a, b);
    }
}

/* ---- changes ------------------------------------------------------------------------------- */

static avout_status check_one(const char *function, avout_value number)
{
    if (!number.bits) return avout__none_given();
    if (avout_value_is_number(number)) return AVOUT_OK;
    return avout__fail_type(function, "a number", number);
}

static avout_status check_two(const char *function, avout_value a, avout_value b)
{
    if (!a.bits || !b.bits) return avout__none_given();
    if (avout_value_is_number(a) && avout_value_is_number(b)) return AVOUT_OK;
    return avout_fail(AVOUT_ETYPE, "%s: expected numbers, got %s and %s", function,
                      avout__describe(a).text, avout__describe(b).text);
}

static avout_status change(const char *function, operation op, avout_value *number,
                           avout_value other)
{
    avout_value result;
    avout_status st = check_two(function, *number, other);
    if (!st) st = operate(function, op, &result, *number, other);
    if (!st) st = avout_put(number, result);
    avout__release(other);
    return st;
}

/* By one, where most counting happens: on immediates. */
static avout_status step(const char *function, operation op, avout_value *number)
{
    if (avout__is_small(*number)) {
        int64_t next = avout__small_number(*number) + (op == ADD ? 1 : -1);
        if (avout__fits_small(next)) {
            *number = avout__small(next);
            return AVOUT_OK;
        }
    }
    avout_status st = check_one(function, *number);
    return st ? st : change(function, op, number, avout__small(1));
}

avout_status avout_inc(avout_value *number)
{
    return step("inc", ADD, number);
}

avout_status avout_dec(avout_value *number)
{
    return step("dec", SUB, number);
}

avout_status avout_inc_fn(avout_value *value, void *payload)
{
    (void)payload;
    return avout_inc(value);
}

avout_status avout_dec_fn(avout_value *value, void *payload)
{
    (void)payload;
    return avout_dec(value);
}

avout_status avout__add(const char *function, avout_value *number, avout_value other)
{
    return change(function, ADD, number, other);
}

avout_status avout_add(avout_value *number, avout_value other)
{
    return change("add", ADD, number, other);
}

avout_status avout__sub(const char *function, avout_value *number, avout_value other)
{
    return change(function, SUB, number, other);
}

avout_status avout_sub(avout_value *number, avout_value other)
{
    return change("sub", SUB, number, other);
}

avout_status avout__mul(const char *function, avout_value *number, avout_value other)
{
    return change(function, MUL, number, other);
}

avout_status avout_mul(avout_value *number, avout_value other)
{
    return change("mul", MUL, number, other);
}

avout_status avout__div(const char *function, avout_value *number, avout_value other)
{
    return change(function, DIV, number, other);
}

avout_status avout_div(avout_value *number, avout_value other)
{
    return change("div", DIV, number, other);
}

avout_status avout_quot(avout_value *number, avout_value other)
{
    return change("quot", QUOT, number, other);
}

avout_status avout_rem(avout_value *number, avout_value other)
{
    return change("rem", REM, number, other);
}

/* As clojure.core/mod: the remainder, moved to the divisor's sign. */
avout_status avout_mod(avout_value *number, avout_value other)
{
    avout_value rest = AVOUT_NONE, result = AVOUT_NONE;
    avout_status st = check_two("mod", *number, other);
    if (!st) st = operate("mod", REM, &rest, *number, other);
    if (!st && !is_zero(rest) && is_positive(*number) != is_positive(other)) {
        st = operate("mod", ADD, &result, rest, other);
        if (!st) st = avout_put(&rest, result);
    }
    if (!st) st = avout_put(number, rest);
    else avout__release(rest);
    avout__release(other);
    return st;
}

static avout_status negated(const char *function, avout_value *out, avout_value number)
{
    avout_value unscaled;
    avout_status st;
    switch (rank_of(number)) {
    case INT: return ints(function, SUB, out, avout__small(0), number);
    case BIG: return avout__integer_negate(out, number, AVOUT__BIG);
    case RATIO: return avout__ratio_negate(out, number);
    case DECIMAL:
        st = avout__integer_negate(&unscaled, avout__scaled_of(number).unscaled, AVOUT__NATURAL);
        return st ? st : avout__decimal_make(out, unscaled, avout__scaled_of(number).scale);
    default: return make_float(out, -avout__float_number(number));
    }
}

avout_status avout__negate(const char *function, avout_value *number)
{
    avout_value result;
    avout_status st = check_one(function, *number);
    if (!st) st = negated(function, &result, *number);
    return st ? st : avout_put(number, result);
}

avout_status avout_negate(avout_value *number)
{
    return avout__negate("negate", number);
}

/* ---- makes --------------------------------------------------------------------------------- */

avout_value avout_ratio(avout_value numerator, avout_value denominator)
{
    avout_value made = AVOUT_NONE;
    avout_status st = AVOUT_OK;
    if (!numerator.bits || !denominator.bits) st = avout__none_given();
    else if (!avout__is_integer(numerator)) st = avout__fail_type("ratio", "an integer", numerator);
    else if (!avout__is_integer(denominator))
        st = avout__fail_type("ratio", "an integer", denominator);
    else if (!avout__integer_sign(denominator)) st = fail_zero("ratio");
    else {
        int rank = rank_of(numerator) | rank_of(denominator);
        st = avout__fraction_make(&made, numerator, denominator,
                                  rank == INT ? AVOUT__NATURAL : AVOUT__BIG);
    }
    avout__release(numerator);
    avout__release(denominator);
    return st ? avout__none(st) : made;
}

avout_value avout_bigint(const char *digits, size_t length, int base)
{
    if (base < 2 || base > 36)
        return avout__none(avout_fail(AVOUT_EINVAL, "bigint: base %d is not 2 to 36", base));
    bool sign = length && (*digits == '-' || *digits == '+'), negative = sign && *digits == '-';
    digits += sign;
    length -= sign;
    size_t i = 0;
    while (i < length && avout__digit_value(digits[i]) < (unsigned)base) i++;
    if (!length || i < length)
        return avout__none(avout_fail(AVOUT_ESYNTAX, "bigint: \"%.*s\" is no number in base %d",
                                      length > 100 ? 100 : (int)length, digits, base));
    avout_value made;
    avout_status st = avout__integer_read(&made, digits, length, base, negative, AVOUT__BIG);
    return st ? avout__none(st) : made;
}
