/* Values: immutable, reference-counted, safe to share between threads.
 *
 * THE OWNERSHIP RULE. A function's name says which of three kinds it is:
 *
 *   makes     avout_int(5), avout_string("x"), avout_vector(n, items), avout_share(v)
 *             returns a value the caller owns. Value arguments are consumed. Who owns a value must
 *             release it once or hand it to somebody who consumes it.
 *
 *   changes   avout_inc(&v), avout_conj(&v, x), avout_assoc(&m, k, x): a bare verb
 *             replaces *v, which the caller owns before and after, by the changed value. All other
 *             value arguments are consumed, whatever the outcome. On an error *v is what it was.
 *             "Changing" never shows to anybody else who holds the old value; when nobody does,
 *             the memory is used again in place.
 *
 *   looks     avout_value_get(m, k), avout_value_nth(v, i), avout_value_count(v): avout_value_...
 *             borrows everything and consumes nothing. A value it returns is borrowed: it lives as
 *             long as the value it was found in. avout_share(borrowed) makes it one's own.
 *
 * An update of three steps is three lines, and an error in the middle leaks nothing:
 *
 *     avout_status st = avout_assoc(&m, avout_keyword("name"), avout_string("Ann"));
 *     if (!st) st = avout_dissoc(&m, avout_keyword("age"));
 *     if (!st) st = avout_update_in(&m, 2, path, avout_conj_fn, &visitor);
 *
 * Making functions that fail return AVOUT_NONE and set the thread's detail. AVOUT_NONE may be
 * handed on: whoever consumes it answers the status of that failure (avout_none_status) and changes
 * nothing, so a chain needs one check at its end. AVOUT_NONE is no value: it is not nil.
 *
 * Any thread may call any of these; one variable (one `avout_value *`) must not be changed by two
 * threads at once. Nothing here blocks.
 *
 * Equality and hashing are Clojure's (1.11): 1 = 1N, 1 != 1.0, 1.0M = 1.00M, a list equals a vector
 * with equal elements, ##NaN equals nothing.
 */
#ifndef AVOUT_VALUE_H
#define AVOUT_VALUE_H

#include "status.h"

AVOUT_BEGIN

/* One word; copied freely, which copies no ownership. Zero-initialised it is AVOUT_NONE. */
typedef struct avout_value {
    uintptr_t bits;
} avout_value;

typedef enum avout_type {
    AVOUT_TYPE_NONE = 0,
    AVOUT_TYPE_NIL,
    AVOUT_TYPE_BOOL,
    AVOUT_TYPE_INT,     /* 64 bits */
    AVOUT_TYPE_BIGINT,  /* any size; printed with N */
    AVOUT_TYPE_RATIO,   /* in lowest terms, denominator > 1 */
    AVOUT_TYPE_FLOAT,   /* IEEE double */
    AVOUT_TYPE_DECIMAL, /* exact: unscaled integer of any size x 10^-scale; printed with M */
    AVOUT_TYPE_CHAR,    /* a Unicode scalar value */
    AVOUT_TYPE_STRING,  /* UTF-8, validated; may contain NUL */
    AVOUT_TYPE_SYMBOL,
    AVOUT_TYPE_KEYWORD,
    AVOUT_TYPE_LIST,
    AVOUT_TYPE_VECTOR,
    AVOUT_TYPE_MAP,
    AVOUT_TYPE_SET,
    AVOUT_TYPE_TAGGED, /* #tag form */
    AVOUT_TYPE_BYTES,
    AVOUT_TYPE_BOX /* a pointer of this process; cannot be printed or stored */
} avout_type;

#ifdef __cplusplus
#define AVOUT_NONE (avout_value{0})
#else
#define AVOUT_NONE ((avout_value){0})
#endif

/* ---- life ---------------------------------------------------------------------------------- */

/* A second ownership of the same value. Makes; the argument is borrowed (the one exception). */
AVOUT_API avout_value avout_share(avout_value value);

/* Gives up one ownership. AVOUT_NONE is accepted. Frees deep values without recursion; only destructors
 * of boxes that release boxes nest as deep as these. */
AVOUT_API void avout_release(avout_value value);

/* *slot := value, releasing what was there. Consumes `value`; AVOUT_NONE leaves *slot and answers
 * avout_none_status(). */
AVOUT_API avout_status avout_put(avout_value *slot, avout_value value);

AVOUT_API bool avout_is_none(avout_value value);

/* The status of this thread's last making function that answered AVOUT_NONE; AVOUT_EINVAL when none
 * has failed. */
AVOUT_API avout_status avout_none_status(void);

/* ---- makes: scalars -------------------------------------------------------------------------*/

AVOUT_API avout_value avout_nil(void);
AVOUT_API avout_value avout_bool(bool truth);
AVOUT_API avout_value avout_int(int64_t number);
AVOUT_API avout_value avout_float(double number);
/* A Unicode scalar value; surrogates and numbers over 0x10FFFF: AVOUT_ERANGE. */
AVOUT_API avout_value avout_char(uint32_t code_point);
/* Digits in `base` (2 to 36) after an optional sign; always a BIGINT, as Clojure's 5N. */
AVOUT_API avout_value avout_bigint(const char *digits, size_t length, int base);
/* numerator / denominator, each INT or BIGINT, consumed. In lowest terms; an integer when the
 * denominator divides (AVOUT_EDIVZERO when it is zero). */
AVOUT_API avout_value avout_ratio(avout_value numerator, avout_value denominator);
/* As Java's BigDecimal reads: [sign]digits[.digits][(e|E)[sign]digits], without the M. */
AVOUT_API avout_value avout_decimal(const char *text, size_t length);
AVOUT_API avout_value avout_string(const char *text); /* NUL-terminated */
AVOUT_API avout_value avout_string_n(const char *text, size_t length);
/* "name" or "namespace/name"; EDN's rules for symbols, else AVOUT_ENAME. */
AVOUT_API avout_value avout_symbol(const char *name);
AVOUT_API avout_value avout_symbol_n(const char *name, size_t length);
/* The same without the leading colon. */
AVOUT_API avout_value avout_keyword(const char *name);
AVOUT_API avout_value avout_keyword_n(const char *name, size_t length);
AVOUT_API avout_value avout_bytes(const void *bytes, size_t length);
/* `pointer` with its destructor (may be NULL), called once, by the thread that releases the last
 * ownership (for values that were in atoms and refs also one of the client's own); when the box cannot be
 * made it is called at once. Outside locks; must not close the client. Equal only to itself. */
AVOUT_API avout_value avout_box(void *pointer, void (*destroy)(void *pointer));
/* `tag` is a symbol's text. inst and uuid are checked (AVOUT_ESYNTAX; AVOUT_ETYPE if `form` is no
 * string) and compared by what they mean; others are kept as they are. Consumes `form`. */
AVOUT_API avout_value avout_tagged(const char *tag, avout_value form);

/* ---- makes: collections (the items are consumed, whatever the outcome) ---------------------- */

AVOUT_API avout_value avout_list(size_t count, const avout_value *items);
AVOUT_API avout_value avout_vector(size_t count, const avout_value *items);
/* `count` key-value pairs: k0 v0 k1 v1 ...; a key given twice: AVOUT_EEXISTS. */
AVOUT_API avout_value avout_map(size_t count, const avout_value *keys_and_values);
/* An element given twice: AVOUT_EEXISTS. */
AVOUT_API avout_value avout_set(size_t count, const avout_value *items);

/* ---- looks --------------------------------------------------------------------------------- */

AVOUT_API avout_type avout_value_type(avout_value value);
/* "string", "map" ...; static. */
AVOUT_API const char *avout_type_name(avout_type type);
AVOUT_API bool avout_value_equal(avout_value a, avout_value b);
AVOUT_API uint32_t avout_value_hash(avout_value value);
/* Clojure's compare: *order < 0, 0, > 0. nil first; numbers by size across types; AVOUT_ETYPE for
 * pairs that have no order. */
AVOUT_API avout_status avout_value_compare(int *order, avout_value a, avout_value b);
/* False for nil and false only. */
AVOUT_API bool avout_value_truthy(avout_value value);
/* True when the type is one of list, vector, map, set, string, nil (everything count accepts). */
AVOUT_API bool avout_value_is_number(avout_value value);

/* Into C. AVOUT_ETYPE for other types; AVOUT_ERANGE when it does not fit. The out parameter is only
 * written on success. */
AVOUT_API avout_status avout_value_to_bool(bool *truth, avout_value value);
AVOUT_API avout_status avout_value_to_int(int64_t *number, avout_value value);  /* INT, BIGINT */
AVOUT_API avout_status avout_value_to_float(double *number, avout_value value); /* any number */
AVOUT_API avout_status avout_value_to_char(uint32_t *code_point, avout_value value);
/* STRING's text; BYTES' bytes; the full name of SYMBOL and KEYWORD (without colon). Borrowed;
 * texts are NUL-terminated. `length` may be NULL. */
AVOUT_API avout_status avout_value_to_text(const char **text, size_t *length, avout_value value);
/* The parts of a SYMBOL's or KEYWORD's name; *space is NULL without a namespace. Borrowed, not
 * NUL-terminated. */
AVOUT_API avout_status avout_value_to_name(const char **space, size_t *space_length,
                                           const char **name, size_t *name_length,
                                           avout_value value);
AVOUT_API avout_status avout_value_to_box(void **pointer, avout_value value);
/* The same for boxes made with that destructor only: how one knows one's own among others'. A value
 * that is none is no error here: false. */
AVOUT_API bool avout_value_is_box_of(void **pointer, void (*destroy)(void *pointer),
                                     avout_value value);
/* A TAGGED's tag and form, both borrowed. */
AVOUT_API avout_status avout_value_to_tagged(const char **tag, avout_value *form,
                                             avout_value value);
/* The digits of INT, BIGINT, RATIO, FLOAT (shortest that reads back), DECIMAL as EDN prints them,
 * into the caller's buffer as snprintf does: *length is what the whole needs. */
AVOUT_API avout_status avout_value_to_digits(char *buffer, size_t size, size_t *length,
                                             avout_value value);

/* How many elements: collections; STRING in code points; BYTES; nil is 0. */
AVOUT_API avout_status avout_value_count(size_t *count, avout_value value);
/* Map: the value of `key`; set: the element; vector: by index; else, or when absent: AVOUT_NONE,
 * which is not an error here: no detail is set. */
AVOUT_API avout_value avout_value_get(avout_value collection, avout_value key);
/* Follows `length` keys; AVOUT_NONE where one is absent. */
AVOUT_API avout_value avout_value_get_in(avout_value collection, size_t length,
                                         const avout_value *path);
/* Element of a list or vector; AVOUT_NONE beyond its end (no detail is set). */
AVOUT_API avout_value avout_value_nth(avout_value sequence, size_t index);
/* Map and set: has the key; vector: has the index. */
AVOUT_API avout_status avout_value_contains(bool *found, avout_value collection, avout_value key);
/* What avout_pop would take away: a list's first, a vector's last; AVOUT_NONE when empty. */
AVOUT_API avout_value avout_value_peek(avout_value sequence);

/* Goes over list, vector, set (item) and map (key, item) in printing order. The collection is
 * borrowed for as long as the iteration; no release is needed.
 *
 *     avout_iterator it = avout_value_iterate(v);
 *     while (avout_iterator_next(&it)) use(it.key, it.item);
 */
typedef struct avout_iterator {
    avout_value key;  /* maps; else AVOUT_NONE */
    avout_value item; /* borrowed */
    avout_value collection;
    size_t index;
    const void *node[16];
    uint32_t position[16];
    int32_t depth;
} avout_iterator;

/* Over nil, scalars and strings: nothing. */
AVOUT_API avout_iterator avout_value_iterate(avout_value collection);
AVOUT_API bool avout_iterator_next(avout_iterator *iterator);

/* ---- changes: numbers ----------------------------------------------------------------------
 * Clojure's arithmetic: INT overflow is AVOUT_ERANGE (never wraps); BIGINT, RATIO, DECIMAL, FLOAT
 * are contagious in that order. AVOUT_ETYPE names the function and the types. */

AVOUT_API avout_status avout_inc(avout_value *number);
AVOUT_API avout_status avout_dec(avout_value *number);
AVOUT_API avout_status avout_add(avout_value *number, avout_value other);
AVOUT_API avout_status avout_sub(avout_value *number, avout_value other);
AVOUT_API avout_status avout_mul(avout_value *number, avout_value other);
/* INT by INT gives a RATIO unless it divides. Zero: AVOUT_EDIVZERO (FLOAT: as IEEE). */
AVOUT_API avout_status avout_div(avout_value *number, avout_value other);
AVOUT_API avout_status avout_quot(avout_value *number, avout_value other);
AVOUT_API avout_status avout_rem(avout_value *number, avout_value other);
AVOUT_API avout_status avout_mod(avout_value *number, avout_value other);
AVOUT_API avout_status avout_negate(avout_value *number);

/* ---- changes: collections ------------------------------------------------------------------ */

/* Vector: at the end; list: at the front; set: as an element; map: `item` is a [key value] vector
 * or a map to merge; nil becomes a list of one. */
AVOUT_API avout_status avout_conj(avout_value *collection, avout_value item);
AVOUT_API avout_status avout_disj(avout_value *set, avout_value item);
/* Map (nil becomes one): key to item; vector: index below or at the count. */
AVOUT_API avout_status avout_assoc(avout_value *collection, avout_value key, avout_value item);
AVOUT_API avout_status avout_dissoc(avout_value *map, avout_value key);
/* Missing levels become maps. The path's values are borrowed (an array, not arguments). A path of no
 * keys means the key nil, here and in avout_update_in: Clojure's rule. */
AVOUT_API avout_status avout_assoc_in(avout_value *collection, size_t length,
                                      const avout_value *path, avout_value item);

/* A function that changes a value: the type of every function called `..._fn` here, of swap, alter
 * and commute. *value is owned by the caller; the rule of "changes" holds. */
typedef avout_status (*avout_change_fn)(avout_value *value, void *payload);

/* The value at the path (nil when absent) is changed by `change`, in place where it can be. */
AVOUT_API avout_status avout_update_in(avout_value *collection, size_t length,
                                       const avout_value *path, avout_change_fn change,
                                       void *payload);
/* Ready-made: payload is unused, or `const avout_value *` to one borrowed argument. */
AVOUT_API avout_status avout_inc_fn(avout_value *value, void *payload);
AVOUT_API avout_status avout_dec_fn(avout_value *value, void *payload);
AVOUT_API avout_status avout_conj_fn(avout_value *value, void *payload);
AVOUT_API avout_status avout_disj_fn(avout_value *value, void *payload);

/* *collection becomes: its value at `key` (nil when absent); its first element (nil); the list of
 * the rest; without what peek shows (AVOUT_ESTATE when empty); its keys, values, elements as a list
 * (nil when empty). */
AVOUT_API avout_status avout_get(avout_value *collection, avout_value key);
AVOUT_API avout_status avout_get_in(avout_value *collection, size_t length,
                                    const avout_value *path);
AVOUT_API avout_status avout_first(avout_value *collection);
AVOUT_API avout_status avout_rest(avout_value *collection);
AVOUT_API avout_status avout_nth(avout_value *collection, avout_value index);
AVOUT_API avout_status avout_peek(avout_value *collection);
AVOUT_API avout_status avout_pop(avout_value *collection);
AVOUT_API avout_status avout_keys(avout_value *map);
AVOUT_API avout_status avout_vals(avout_value *map);
AVOUT_API avout_status avout_seq(avout_value *collection);
AVOUT_API avout_status avout_count(avout_value *collection);
AVOUT_API avout_status avout_contains(avout_value *collection, avout_value key);
/* conj of every element of `from`. */
AVOUT_API avout_status avout_into(avout_value *to, avout_value from);
/* Maps: the other's keys win; nil is an empty map. */
AVOUT_API avout_status avout_merge(avout_value *map, avout_value other);

/* ---- functions by name, for shells -------------------------------------------------------- */

/* Changes *value by the function of that name ("inc", "conj", "assoc-in", "merge", "+", ...) with
 * `count` more arguments, as Clojure's (f value arg...). `update-in` takes the name of its function
 * as a symbol. The arguments are borrowed. AVOUT_ENOTFOUND for an unknown name, AVOUT_EINVAL for a
 * wrong number of arguments, else the function's own.
 *
 * The answers are Clojure's, but where Clojure takes a wrong type as it comes: an index is an integer
 * (1.5 is none); merge is for maps and nil; a type is wrong also when its value is empty, false or
 * alone ((conj {} ()), (keys []), (disj false 1), (+ nil) are errors). Division with a FLOAT is IEEE's,
 * by 0.0 too; nth with a default takes any index; characters are code points; update takes a name. */
AVOUT_API avout_status avout_apply(const char *name, avout_value *value, size_t count,
                                   const avout_value *arguments);

/* One of the functions above, for help texts: name, arguments as text, what it does. NULL when
 * `index` is past the last; static. */
typedef struct avout_function_info {
    const char *name;
    const char *arguments; /* "coll x ..." */
    const char *summary;
} avout_function_info;
AVOUT_API const avout_function_info *avout_function_at(size_t index);

AVOUT_END

#endif
