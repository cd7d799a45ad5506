/* Java's Math, as far as programs that deal with data use it, and the constants of Java's numbers. */
#include "lang/core.h"

#include <math.h>
#include <string.h>

#include "base/banned.h"

static bool double_of(lang_run *run, const char *name, double *number, avout_value value)
{
    if (!avout__lang_is_number(run, name, value)) return false;
    avout_status status = avout_value_to_float(number, value);
    if (status) avout__lang_failed(run, status);
    return !status;
}

static avout_value of_one(lang_run *run, const char *name, const avout_value *args,
                          double (*f)(double))
{
    double x;
    if (!double_of(run, name, &x, args[0])) return AVOUT_NONE;
    return avout__lang_made(run, avout_float(f(x)));
}

static avout_value of_two(lang_run *run, const char *name, const avout_value *args,
                          double (*f)(double, double))
{
    double x, y;
    if (!double_of(run, name, &x, args[0]) || !double_of(run, name, &y, args[1])) return AVOUT_NONE;
    return avout__lang_made(run, avout_float(f(x, y)));
}

#define ONE(core, f)                                                                               \
    CORE(core)                                                                                     \
    {                                                                                              \
        return of_one(run, "Math/" #f, args, f);                                                   \
    }
#define TWO(core, f)                                                                               \
    CORE(core)                                                                                     \
    {                                                                                              \
        return of_two(run, "Math/" #f, args, f);                                                   \
    }

ONE(square_root, sqrt)
ONE(exponential, exp)
ONE(logarithm, log)
ONE(logarithm_10, log10)
ONE(round_down, floor)
ONE(round_up, ceil)
ONE(round_even, rint)
ONE(sine, sin)
ONE(cosine, cos)
ONE(tangent, tan)
ONE(arc_sine, asin)
ONE(arc_cosine, acos)
ONE(arc_tangent, atan)
TWO(power, pow)
TWO(hypotenuse, hypot)
TWO(angle, atan2)

/* To the nearest integer, halves up; what is too large becomes the largest. */
CORE(round_half_up)
{
    double x;
    if (!double_of(run, "Math/round", &x, args[0])) return AVOUT_NONE;
    double whole = floor(x);
    if (x - whole >= 0.5) whole += 1;
    if (isnan(x)) return avout_int(0);
    if (whole >= 9223372036854775808.0) return avout__lang_made(run, avout_int(INT64_MAX));
    if (whole <= -9223372036854775808.0) return avout__lang_made(run, avout_int(INT64_MIN));
    return avout__lang_made(run, avout_int((int64_t)whole));
}

#define AS(core, name)                                                                             \
    CORE(core)                                                                                     \
    {                                                                                              \
        return avout__lang_core_call(run, name, count, args);                                      \
    }

AS(absolute, "abs")
AS(greater, "max")
AS(less, "min")

bool avout__lang_java_constant(avout_value *value, const char *name)
{
    static const struct {
        const char *name;
        int64_t value;
    } whole[] = {{"Long/MAX_VALUE", INT64_MAX},
                 {"Long/MIN_VALUE", INT64_MIN},
                 {"Integer/MAX_VALUE", INT32_MAX},
                 {"Integer/MIN_VALUE", INT32_MIN}};
    bool pi = !strcmp(name, "Math/PI");
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (!strcmp(whole[i].name, name)) return *value = avout_int(whole[i].value), true;
    if (!pi && strcmp(name, "Math/E") != 0) return false;
    *value = avout_float(pi ? M_PI : M_E);
    return true;
}

const lang_core avout__lang_math[] = {
    {"Math/sqrt", "x", "the square root", 1, 1, square_root, NULL},
    {"Math/pow", "x y", "x to the power of y", 2, 2, power, NULL},
    {"Math/exp", "x", "e to the power of x", 1, 1, exponential, NULL},
    {"Math/log", "x", "the natural logarithm", 1, 1, logarithm, NULL},
    {"Math/log10", "x", "the logarithm to base 10", 1, 1, logarithm_10, NULL},
    {"Math/floor", "x", "rounded down, as a floating-point number", 1, 1, round_down, NULL},
    {"Math/ceil", "x", "rounded up, as a floating-point number", 1, 1, round_up, NULL},
    {"Math/rint", "x", "rounded, halves to the even one, as a floating-point number", 1, 1,
     round_even, NULL},
    {"Math/round", "x", "rounded, halves up, as an integer", 1, 1, round_half_up, NULL},
    {"Math/abs", "n", "abs", 1, 1, absolute, NULL},
    {"Math/max", "n m", "max", 2, 2, greater, NULL},
    {"Math/min", "n m", "min", 2, 2, less, NULL},
    {"Math/hypot", "x y", "the length of what goes x to the right and y up", 2, 2, hypotenuse,
     NULL},
    {"Math/sin", "x", "the sine", 1, 1, sine, NULL},
    {"Math/cos", "x", "the cosine", 1, 1, cosine, NULL},
    {"Math/tan", "x", "the tangent", 1, 1, tangent, NULL},
    {"Math/asin", "x", "the angle whose sine it is", 1, 1, arc_sine, NULL},
    {"Math/acos", "x", "the angle whose cosine it is", 1, 1, arc_cosine, NULL},
    {"Math/atan", "x", "the angle whose tangent it is", 1, 1, arc_tangent, NULL},
    {"Math/atan2", "y x", "the angle of the point (x, y)", 2, 2, angle, NULL},
    LANG_END,
};
