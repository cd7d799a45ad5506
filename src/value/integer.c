/* Whole numbers: views, building, the four operations. */
#include "value/integer.h"

#include "base/alloc.h"

#include "base/banned.h"

static avout__bigint *bigint_at(avout_value value)
{
    return (avout__bigint *)(void *)avout__object_any(value);
}

void avout__integer_view(avout__integer *view, avout_value value)
{
    AVOUT__ASSERT(avout__is_integer(value));
    if (avout__is_small(value)) {
        int64_t number = avout__small_number(value);
        view->negative = number < 0;
        view->small = number < 0 ? 0 - (mp_limb_t)number : (mp_limb_t)number;
        view->size = number != 0;
        view->limbs = &view->small;
        return;
    }
    const avout__bigint *big = bigint_at(value);
    view->limbs = big->limbs;
    view->size = big->object.extra;
    view->negative = big->object.flags;
    view->small = 0;
}

/* True when the sign and limbs are those of an int64_t. */
static bool limbs_fit(int64_t *number, const mp_limb_t *limbs, size_t size, bool negative)
{
    mp_limb_t magnitude = size ? limbs[0] : 0;
    if (size > 1 || magnitude > (mp_limb_t)INT64_MAX + negative) return false;
    *number = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool avout__integer_fits(int64_t *number, avout_value value)
{
    avout__integer view;
    avout__integer_view(&view, value);
    return limbs_fit(number, view.limbs, view.size, view.negative);
}

uint32_t avout__integer_hash(avout_value value)
{
    /* What follows comes to the same for these, which are nearly all. */
    if (avout__is_small(value)) return avout__hash_mix((uint64_t)avout__small_number(value));
    avout__integer view;
    avout__integer_view(&view, value);
    uint64_t first = view.size ? view.limbs[0] : 0;
    if (view.size <= 1) return avout__hash_mix(view.negative ? 0 - first : first);
    return avout__hash_bytes(view.limbs, view.size * sizeof *view.limbs) + view.negative;
}

static int compare_magnitudes(const avout__integer *a, const avout__integer *b)
{
    if (a->size != b->size) return a->size < b->size ? -1 : 1;
    return a->size ? mpn_cmp(a->limbs, b->limbs, (mp_size_t)a->size) : 0;
}

int avout__integer_compare(avout_value a, avout_value b)
{
    avout__integer left, right;
    avout__integer_view(&left, a);
    avout__integer_view(&right, b);
    if (left.negative != right.negative) return left.negative ? -1 : 1;
    int order = compare_magnitudes(&left, &right);
    return left.negative ? -order : order;
}

/* ---- building ------------------------------------------------------------------------------ */

avout__bigint *avout__bigint_new(avout_status *st, size_t limbs)
{
    if (limbs > AVOUT__INTEGER_MAX_LIMBS) {
        *st = avout_fail(AVOUT_ELIMIT, "number too large: %zu bits", limbs * 64);
        return NULL;
    }
    size_t size = sizeof(avout__bigint) + limbs * sizeof(mp_limb_t);
    avout__bigint *big = (avout__bigint *)(void *)avout__object_new(AVOUT_TYPE_BIGINT, size);
    *st = big ? AVOUT_OK : AVOUT_ENOMEM;
    if (big) big->object.extra = (uint32_t)limbs;
    return big;
}

avout_value avout__bigint_end(avout__bigint *big, size_t size, bool negative, int type)
{
    size_t capacity = big->object.extra;
    AVOUT__DEBUG_ASSERT(size <= capacity);
    while (size && !big->limbs[size - 1]) size--;
    int64_t number;
    if (type == AVOUT__NATURAL && limbs_fit(&number, big->limbs, size, negative)) {
        if (avout__fits_small(number)) {
            avout__object_destroy(&big->object);
            return avout__small(number);
        }
        big->object.type = AVOUT_TYPE_INT;
    }
    big->object.extra = (uint32_t)size;
    big->object.flags = negative && size;
    if (capacity - size > 4) { /* a block that cannot be made smaller serves as well */
        avout__bigint *smaller =
            avout__realloc(big, sizeof *big + (size ? size : 1) * sizeof(mp_limb_t));
        if (smaller) big = smaller;
    }
    return avout__value_of(&big->object);
}

avout_status avout__integer_make(avout_value *out, int64_t number, int type)
{
    if (type == AVOUT__NATURAL && avout__fits_small(number)) {
        *out = avout__small(number);
        return AVOUT_OK;
    }
    avout_status st;
    avout__bigint *big = avout__bigint_new(&st, 1);
    if (!big) return st;
    big->limbs[0] = number < 0 ? 0 - (mp_limb_t)number : (mp_limb_t)number;
    *out = avout__bigint_end(big, 1, number < 0, type);
    return AVOUT_OK;
}

/* ---- arithmetic ---------------------------------------------------------------------------- */

static avout_status add_views(avout_value *out, const avout__integer *a, const avout__integer *b,
                              bool b_negative, int type)
{
    bool negative = a->negative, same = a->negative == b_negative;
    if (compare_magnitudes(a, b) < 0) {
        const avout__integer *larger = b;
        b = a;
        a = larger;
        negative = b_negative;
    }
    avout_status st;
    avout__bigint *sum = avout__bigint_new(&st, a->size + 1);
    if (!sum) return st;
    mp_size_t size = (mp_size_t)a->size;
    sum->limbs[size] = 0;
    if (size && same)
        sum->limbs[size] = mpn_add(sum->limbs, a->limbs, size, b->limbs, (mp_size_t)b->size);
    else if (size) mpn_sub(sum->limbs, a->limbs, size, b->limbs, (mp_size_t)b->size);
    *out = avout__bigint_end(sum, a->size + 1, negative, type);
    return AVOUT_OK;
}

static avout_status add_or_sub(avout_value *out, avout_value a, avout_value b, bool sub, int type)
{
    if (type == AVOUT__NATURAL && avout__is_small(a) && avout__is_small(b)) {
        int64_t x = avout__small_number(a), y = avout__small_number(b); /* 63 bits: fits */
        return avout__integer_make(out, sub ? x - y : x + y, type);
    }
    avout__integer left, right;
    avout__integer_view(&left, a);
    avout__integer_view(&right, b);
    return add_views(out, &left, &right, right.negative != sub, type);
}

avout_status avout__integer_add(avout_value *out, avout_value a, avout_value b, int type)
{
    return add_or_sub(out, a, b, false, type);
}

avout_status avout__integer_sub(avout_value *out, avout_value a, avout_value b, int type)
{
    return add_or_sub(out, a, b, true, type);
}

avout_status avout__integer_negate(avout_value *out, avout_value a, int type)
{
    return add_or_sub(out, avout__small(0), a, true, type);
}

avout_status avout__integer_mul(avout_value *out, avout_value a, avout_value b, int type)
{
    int64_t small;
    if (type == AVOUT__NATURAL && avout__is_small(a) && avout__is_small(b) &&
        !__builtin_mul_overflow(avout__small_number(a), avout__small_number(b), &small))
        return avout__integer_make(out, small, type);
    avout__integer views[2], *large = &views[0], *other = &views[1];
    avout__integer_view(large, a);
    avout__integer_view(other, b);
    if (large->size < other->size) {
        large = &views[1];
        other = &views[0];
    }
    avout_status st;
    avout__bigint *product = avout__bigint_new(&st, large->size + other->size);
    if (!product) return st;
    size_t size = other->size ? large->size + other->size : 0;
    if (size)
        mpn_mul(product->limbs, large->limbs, (mp_size_t)large->size, other->limbs,
                (mp_size_t)other->size);
    *out = avout__bigint_end(product, size, large->negative != other->negative, type);
    return AVOUT_OK;
}

static avout_status divide_views(avout_value *quotient, avout_value *remainder,
                                 const avout__integer *a, const avout__integer *b, int type)
{
    avout_status st;
    size_t q_size = a->size - b->size + 1;
    avout__bigint *r = NULL, *q = avout__bigint_new(&st, q_size);
    if (q) r = avout__bigint_new(&st, b->size);
    if (r) {
        mpn_tdiv_qr(q->limbs, r->limbs, 0, a->limbs, (mp_size_t)a->size, b->limbs,
                    (mp_size_t)b->size);
        if (quotient) *quotient = avout__bigint_end(q, q_size, a->negative != b->negative, type);
        if (remainder) *remainder = avout__bigint_end(r, b->size, a->negative, type);
    }
    if (q && (st || !quotient)) avout__object_destroy(&q->object);
    if (r && (st || !remainder)) avout__object_destroy(&r->object);
    return st;
}

static avout_status divide_numbers(avout_value *quotient, avout_value *remainder, int64_t a,
                                   int64_t b, int type)
{
    avout_value q = AVOUT_NONE;
    avout_status st = quotient ? avout__integer_make(&q, a / b, type) : AVOUT_OK;
    if (!st && remainder) st = avout__integer_make(remainder, a % b, type);
    if (st) avout__release(q);
    else if (quotient) *quotient = q;
    return st;
}

avout_status avout__integer_divide(avout_value *quotient, avout_value *remainder, avout_value a,
                                   avout_value b, int type)
{
    avout__integer left, right;
    avout__integer_view(&left, a);
    avout__integer_view(&right, b);
    AVOUT__ASSERT(right.size);
    int64_t x, y;
    if (limbs_fit(&x, left.limbs, left.size, left.negative) &&
        limbs_fit(&y, right.limbs, right.size, right.negative) && !(x == INT64_MIN && y == -1))
        return divide_numbers(quotient, remainder, x, y, type);
    if (left.size >= right.size) return divide_views(quotient, remainder, &left, &right, type);
    avout_value rest = AVOUT_NONE; /* smaller than the divisor: 0, and all of it remains */
    avout_status st = add_or_sub(&rest, a, avout__small(0), false, type);
    if (!st && quotient) st = avout__integer_make(quotient, 0, type);
    if (st || !remainder) avout__release(rest);
    else *remainder = rest;
    return st;
}

static uint64_t gcd_numbers(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A copy of the magnitude without its factors of two, which are counted. */
static avout__bigint *odd_part(avout_status *st, const avout__integer *view, size_t *size,
                               mp_bitcnt_t *twos)
{
    *twos = mpn_scan1(view->limbs, 0);
    size_t whole = *twos / 64;
    unsigned bits = (unsigned)(*twos % 64);
    *size = view->size - whole;
    avout__bigint *odd = avout__bigint_new(st, *size);
    if (!odd) return NULL;
    if (bits) mpn_rshift(odd->limbs, view->limbs + whole, (mp_size_t)*size, bits);
    else mpn_copyi(odd->limbs, view->limbs + whole, (mp_size_t)*size);
    while (!odd->limbs[*size - 1]) --*size;
    return odd;
}

avout_status avout__integer_odd_part(avout_value *out, uint64_t *twos, avout_value value)
{
    avout__integer view;
    avout__integer_view(&view, value);
    AVOUT__ASSERT(view.size);
    avout_status st;
    size_t size;
    mp_bitcnt_t count;
    avout__bigint *odd = odd_part(&st, &view, &size, &count);
    if (!odd) return st;
    *twos = count;
    *out = avout__bigint_end(odd, size, false, AVOUT__NATURAL);
    return AVOUT_OK;
}

static avout_status gcd_views(avout_value *out, const avout__integer *a, const avout__integer *b)
{
    avout_status st;
    size_t sizes[2];
    mp_bitcnt_t twos[2];
    avout__bigint *gcd = NULL, *odd[2] = {NULL, NULL};
    odd[0] = odd_part(&st, a, &sizes[0], &twos[0]);
    if (odd[0]) odd[1] = odd_part(&st, b, &sizes[1], &twos[1]);
    if (!odd[1]) goto done;
    bool swap =
        sizes[0] < sizes[1] ||
        (sizes[0] == sizes[1] && mpn_cmp(odd[0]->limbs, odd[1]->limbs, (mp_size_t)sizes[0]) < 0);
    mp_bitcnt_t common = twos[0] < twos[1] ? twos[0] : twos[1];
    size_t room = sizes[!swap] + common / 64 + 2;
    gcd = avout__bigint_new(&st, room);
    if (!gcd) goto done;
    mpn_zero(gcd->limbs, (mp_size_t)room);
    mp_limb_t *at = gcd->limbs + common / 64;
    mp_size_t size = mpn_gcd(at, odd[swap]->limbs, (mp_size_t)sizes[swap], odd[!swap]->limbs,
                             (mp_size_t)sizes[!swap]);
    if (common % 64) at[size] = mpn_lshift(at, at, size, (unsigned)(common % 64));
    *out = avout__bigint_end(gcd, common / 64 + (size_t)size + 1, false, AVOUT__NATURAL);
done:
    if (odd[0]) avout__object_destroy(&odd[0]->object);
    if (odd[1]) avout__object_destroy(&odd[1]->object);
    return st;
}

/* Natural: the magnitude of one limb. */
static avout_status make_unsigned(avout_value *out, uint64_t number)
{
    if (number <= INT64_MAX) return avout__integer_make(out, (int64_t)number, AVOUT__NATURAL);
    avout_status st;
    avout__bigint *big = avout__bigint_new(&st, 1);
    if (!big) return st;
    big->limbs[0] = number;
    *out = avout__bigint_end(big, 1, false, AVOUT__NATURAL);
    return AVOUT_OK;
}

avout_status avout__integer_gcd(avout_value *out, avout_value a, avout_value b)
{
    avout__integer left, right;
    avout__integer_view(&left, a);
    avout__integer_view(&right, b);
    if (left.size <= 1 && right.size <= 1)
        return make_unsigned(
            out, gcd_numbers(left.size ? left.limbs[0] : 0, right.size ? right.limbs[0] : 0));
    if (!left.size || !right.size) {
        avout__integer *only = left.size ? &left : &right, zero = {.limbs = NULL};
        only->negative = false;
        return add_views(out, only, &zero, false, AVOUT__NATURAL);
    }
    return gcd_views(out, &left, &right);
}
