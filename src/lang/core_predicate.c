/* What things are, and whether they are the same. */
#include "lang/core.h"

#include <math.h>
#include <string.h>

#include "base/banned.h"

static bool is(avout_value value, avout_type type)
{
    return avout_value_type(value) == type;
}

/* ---- equality -------------------------------------------------------------------------------------------- */

/* Values are equal as the library has it, once lazy sequences in them have been made. */
static bool equal(lang_run *run, avout_value *a, avout_value *b, bool *same)
{
    *same = avout_value_equal(*a, *b);
    if (*same) return true;
    if (!avout__lang_realize(run, a, true) || !avout__lang_realize(run, b, true)) return false;
    *same = avout_value_equal(*a, *b);
    return true;
}

CORE(is_equal)
{
    bool same = true;
    for (size_t i = 0; i + 1 < count && same; i++)
        if (!equal(run, &args[i], &args[i + 1], &same)) return AVOUT_NONE;
    return avout_bool(same);
}

CORE(is_different)
{
    avout_value same = is_equal(run, count, args);
    return same.bits ? avout_bool(!avout_value_truthy(same)) : AVOUT_NONE;
}

CORE(is_identical)
{
    /* Of each keyword there is one, as Clojure has it: they mark what no value can be taken for. */
    return avout_bool(args[0].bits == args[1].bits ||
                      (is(args[0], AVOUT_TYPE_KEYWORD) && avout_value_equal(args[0], args[1])));
}

CORE(compare)
{
    int order;
    if (!avout__lang_realize(run, &args[0], true) || !avout__lang_realize(run, &args[1], true))
        return AVOUT_NONE;
    avout_status status = avout_value_compare(&order, args[0], args[1]);
    if (status) return avout__lang_failed(run, status);
    return avout_int(order < 0 ? -1 : order > 0);
}

CORE(hash)
{
    if (!avout__lang_realize(run, &args[0], true)) return AVOUT_NONE;
    return avout_int((int32_t)avout_value_hash(args[0]));
}

CORE(not_true)
{
    return avout_bool(!avout_value_truthy(args[0]));
}

/* ---- types ------------------------------------------------------------------------------------------------ */

/* One predicate: does `test` hold for the argument? */
#define PREDICATE(name, test)                                                                      \
    CORE(name)                                                                                     \
    {                                                                                              \
        avout_value x = args[0];                                                                   \
        return avout_bool(test);                                                                   \
    }

static bool is_collection(avout_value x)
{
    avout_type type = avout_value_type(x);
    return (type >= AVOUT_TYPE_LIST && type <= AVOUT_TYPE_SET) || avout__lang_is_lazy(x);
}

static bool is_integer(avout_value x)
{
    return is(x, AVOUT_TYPE_INT) || is(x, AVOUT_TYPE_BIGINT);
}

static bool is_seq(avout_value x)
{
    return is(x, AVOUT_TYPE_LIST) || avout__lang_is_lazy(x);
}

static bool is_named(avout_value x)
{
    return is(x, AVOUT_TYPE_KEYWORD) || is(x, AVOUT_TYPE_SYMBOL);
}

static bool has_space(avout_value x)
{
    const char *space = NULL, *name;
    size_t length;
    return is_named(x) && !avout_value_to_name(&space, &length, &name, &length, x) && space;
}

static bool is_tagged(avout_value x, const char *wanted)
{
    const char *tag;
    avout_value form;
    return is(x, AVOUT_TYPE_TAGGED) && !avout_value_to_tagged(&tag, &form, x) &&
           !strcmp(tag, wanted);
}

static double float_of(avout_value x)
{
    double number = 0;
    return is(x, AVOUT_TYPE_FLOAT) && !avout_value_to_float(&number, x) ? number : 0;
}

static int sign_of(avout_value x)
{
    int order = 0;
    return is(x, AVOUT_TYPE_INT) && !avout_value_compare(&order, x, avout_int(0)) ? order : 0;
}

static bool is_callable(avout_value x)
{
    return avout__lang_is_function(x) || is_named(x) || is(x, AVOUT_TYPE_MAP) ||
           is(x, AVOUT_TYPE_SET) || is(x, AVOUT_TYPE_VECTOR) || avout__lang_object_of(x, LANG_VAR);
}

PREDICATE(is_nil, is(x, AVOUT_TYPE_NIL))
PREDICATE(is_some, !is(x, AVOUT_TYPE_NIL))
PREDICATE(is_true, is(x, AVOUT_TYPE_BOOL) && avout_value_truthy(x))
PREDICATE(is_false, is(x, AVOUT_TYPE_BOOL) && !avout_value_truthy(x))
PREDICATE(is_boolean, is(x, AVOUT_TYPE_BOOL))
PREDICATE(is_number, avout_value_is_number(x))
PREDICATE(is_whole, is_integer(x))
PREDICATE(is_int, is(x, AVOUT_TYPE_INT))
PREDICATE(is_pos_int, sign_of(x) > 0)
PREDICATE(is_neg_int, sign_of(x) < 0)
PREDICATE(is_nat_int, is(x, AVOUT_TYPE_INT) && sign_of(x) >= 0)
PREDICATE(is_float, is(x, AVOUT_TYPE_FLOAT))
PREDICATE(is_ratio, is(x, AVOUT_TYPE_RATIO))
PREDICATE(is_rational, is_integer(x) || is(x, AVOUT_TYPE_RATIO) || is(x, AVOUT_TYPE_DECIMAL))
PREDICATE(is_decimal, is(x, AVOUT_TYPE_DECIMAL))
PREDICATE(is_nan, isnan(float_of(x)))
PREDICATE(is_infinite, isinf(float_of(x)))
PREDICATE(is_string, is(x, AVOUT_TYPE_STRING))
PREDICATE(is_char, is(x, AVOUT_TYPE_CHAR))
PREDICATE(is_keyword, is(x, AVOUT_TYPE_KEYWORD))
PREDICATE(is_symbol, is(x, AVOUT_TYPE_SYMBOL))
PREDICATE(is_ident, is_named(x))
PREDICATE(is_simple_keyword, is(x, AVOUT_TYPE_KEYWORD) && !has_space(x))
PREDICATE(is_qualified_keyword, is(x, AVOUT_TYPE_KEYWORD) && has_space(x))
PREDICATE(is_simple_symbol, is(x, AVOUT_TYPE_SYMBOL) && !has_space(x))
PREDICATE(is_qualified_symbol, is(x, AVOUT_TYPE_SYMBOL) && has_space(x))
PREDICATE(is_simple_ident, is_named(x) && !has_space(x))
PREDICATE(is_qualified_ident, is_named(x) && has_space(x))
PREDICATE(is_list, is(x, AVOUT_TYPE_LIST))
PREDICATE(is_vector, is(x, AVOUT_TYPE_VECTOR))
PREDICATE(is_map, is(x, AVOUT_TYPE_MAP))
PREDICATE(is_set, is(x, AVOUT_TYPE_SET))
PREDICATE(is_coll, is_collection(x))
PREDICATE(is_sequence, is_seq(x))
PREDICATE(is_sequential, is_seq(x) || is(x, AVOUT_TYPE_VECTOR))
PREDICATE(is_seqable, is_collection(x) || is(x, AVOUT_TYPE_NIL) || is(x, AVOUT_TYPE_STRING))
PREDICATE(is_associative, is(x, AVOUT_TYPE_MAP) || is(x, AVOUT_TYPE_VECTOR))
PREDICATE(is_counted, is_collection(x) && !avout__lang_is_lazy(x))
PREDICATE(is_fn, avout__lang_is_function(x))
PREDICATE(is_ifn, is_callable(x))
PREDICATE(is_uuid, is_tagged(x, "uuid"))
PREDICATE(is_inst, is_tagged(x, "inst"))
PREDICATE(is_bytes, is(x, AVOUT_TYPE_BYTES))
PREDICATE(is_var, avout__lang_object_of(x, LANG_VAR) != NULL)
CORE(is_any)
{
    return avout_bool(true);
}
PREDICATE(is_truthy, avout_value_truthy(x))

/* The names of messages. There are no classes here that it could be one of. */
CORE(type_of)
{
    return avout__lang_made(run, avout_keyword(avout__lang_type_name(args[0])));
}

const lang_core avout__lang_predicates[] = {
    {"=", "x ...", "whether all are equal", 1, LANG_MANY, is_equal, NULL},
    {"not=", "x ...", "whether not all are equal", 1, LANG_MANY, is_different, NULL},
    {"identical?", "x y", "whether they are the same object", 2, 2, is_identical, NULL},
    {"compare", "x y", "-1, 0 or 1: how they are ordered", 2, 2, compare, NULL},
    {"hash", "x", "its hash", 1, 1, hash, NULL},
    {"not", "x", "true for nil and false, else false", 1, 1, not_true, NULL},
    {"boolean", "x", "false for nil and false, else true", 1, 1, is_truthy, NULL},
    {"type", "x", "what it is, as messages call it: :int :string :vector :function ...", 1, 1,
     type_of, NULL},
    {"nil?", "x", "whether it is nil", 1, 1, is_nil, NULL},
    {"some?", "x", "whether it is not nil", 1, 1, is_some, NULL},
    {"any?", "x", "true", 1, 1, is_any, NULL},
    {"true?", "x", "whether it is true", 1, 1, is_true, NULL},
    {"false?", "x", "whether it is false", 1, 1, is_false, NULL},
    {"boolean?", "x", "whether it is true or false", 1, 1, is_boolean, NULL},
    {"number?", "x", "whether it is a number", 1, 1, is_number, NULL},
    {"integer?", "x", "whether it is an integer of any size", 1, 1, is_whole, NULL},
    {"int?", "x", "whether it is an integer of 64 bits", 1, 1, is_int, NULL},
    {"pos-int?", "x", "whether it is an int? above 0", 1, 1, is_pos_int, NULL},
    {"neg-int?", "x", "whether it is an int? below 0", 1, 1, is_neg_int, NULL},
    {"nat-int?", "x", "whether it is an int? from 0 on", 1, 1, is_nat_int, NULL},
    {"float?", "x", "whether it is a floating-point number", 1, 1, is_float, NULL},
    {"double?", "x", "whether it is a floating-point number", 1, 1, is_float, NULL},
    {"ratio?", "x", "whether it is a ratio", 1, 1, is_ratio, NULL},
    {"rational?", "x", "whether it is an exact number", 1, 1, is_rational, NULL},
    {"decimal?", "x", "whether it is an exact decimal", 1, 1, is_decimal, NULL},
    {"NaN?", "x", "whether it is ##NaN", 1, 1, is_nan, NULL},
    {"infinite?", "x", "whether it is ##Inf or ##-Inf", 1, 1, is_infinite, NULL},
    {"string?", "x", "whether it is a string", 1, 1, is_string, NULL},
    {"char?", "x", "whether it is a character", 1, 1, is_char, NULL},
    {"keyword?", "x", "whether it is a keyword", 1, 1, is_keyword, NULL},
    {"symbol?", "x", "whether it is a symbol", 1, 1, is_symbol, NULL},
    {"ident?", "x", "whether it is a keyword or symbol", 1, 1, is_ident, NULL},
    {"simple-keyword?", "x", "a keyword without a namespace?", 1, 1, is_simple_keyword, NULL},
    {"qualified-keyword?", "x", "a keyword with a namespace?", 1, 1, is_qualified_keyword, NULL},
    {"simple-symbol?", "x", "a symbol without a namespace?", 1, 1, is_simple_symbol, NULL},
    {"qualified-symbol?", "x", "a symbol with a namespace?", 1, 1, is_qualified_symbol, NULL},
    {"simple-ident?", "x", "a keyword or symbol without a namespace?", 1, 1, is_simple_ident, NULL},
    {"qualified-ident?", "x", "a keyword or symbol with a namespace?", 1, 1, is_qualified_ident,
     NULL},
    {"list?", "x", "whether it is a list", 1, 1, is_list, NULL},
    {"vector?", "x", "whether it is a vector", 1, 1, is_vector, NULL},
    {"map?", "x", "whether it is a map", 1, 1, is_map, NULL},
    {"set?", "x", "whether it is a set", 1, 1, is_set, NULL},
    {"coll?", "x", "whether it is a collection", 1, 1, is_coll, NULL},
    {"seq?", "x", "whether it is a list or another sequence", 1, 1, is_sequence, NULL},
    {"sequential?", "x", "whether it is a sequence or vector", 1, 1, is_sequential, NULL},
    {"seqable?", "x", "whether seq takes it", 1, 1, is_seqable, NULL},
    {"associative?", "x", "whether it is a map or vector", 1, 1, is_associative, NULL},
    {"indexed?", "x", "whether nth finds its elements at once", 1, 1, is_vector, NULL},
    {"reversible?", "x", "whether rseq takes it", 1, 1, is_vector, NULL},
    {"counted?", "x", "whether its elements need not be walked to be counted", 1, 1, is_counted,
     NULL},
    {"fn?", "x", "whether it is a function", 1, 1, is_fn, NULL},
    {"ifn?", "x", "whether it can be called", 1, 1, is_ifn, NULL},
    {"uuid?", "x", "whether it is a #uuid", 1, 1, is_uuid, NULL},
    {"inst?", "x", "whether it is an #inst", 1, 1, is_inst, NULL},
    {"bytes?", "x", "whether it is bytes", 1, 1, is_bytes, NULL},
    {"var?", "x", "whether it is a var", 1, 1, is_var, NULL},
    LANG_END,
};
