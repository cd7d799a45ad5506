/* EDN: values as text. The complete format; where it leaves a choice, clojure.edn of 1.11 decides.
 * Any thread; nothing blocks.
 *
 * What differs from Clojure, and why: metadata is read, checked and dropped, as values have none;
 * characters may be any code point, not only those up to U+FFFF; half a surrogate pair and control
 * characters in names are refused; #inst keeps the text it was written with; a tag that is not known
 * is kept. Names, keys and values of discarded forms are checked like all others. Lines end with
 * \n, \r or both. What nests counts for the depth: collections, tags, #_ and ^. */
#ifndef AVOUT_EDN_H
#define AVOUT_EDN_H

#include "value.h"

AVOUT_BEGIN

typedef struct avout_edn_error {
    avout_status status; /* AVOUT_ESYNTAX, EUTF8, ELIMIT, EEXISTS, ERANGE, ENOMEM ... */
    char message[192];   /* what was wrong and what was expected; no position */
    size_t byte;         /* offset from 0 */
    size_t line;         /* from 1 */
    size_t column;       /* from 1, in code points */
} avout_edn_error;

typedef struct avout_edn_read_options {
    size_t max_depth;    /* 0: 512 */
    size_t max_elements; /* values in the whole text; 0: no limit but the text's length */
    size_t max_digits;   /* digits of one number; 0: 100 000 */
} avout_edn_read_options;

/* Reads the one value in text[0..length), surrounded by nothing but white space, comments and
 * discarded forms. *out is owned, written on success only. `options` and `error` may be NULL; the
 * thread's detail is set as well ("line 1, column 5: ..."). Empty text: AVOUT_ESYNTAX. */
AVOUT_API avout_status avout_edn_read(avout_value *out, const char *text, size_t length,
                                      const avout_edn_read_options *options,
                                      avout_edn_error *error);

/* Reads the next of several values, from *position (which starts at 0) on; moves *position behind
 * it. Only white space left: AVOUT_OK with *out = AVOUT_NONE. Positions in errors count from the
 * text's beginning. */
AVOUT_API avout_status avout_edn_read_next(avout_value *out, const char *text, size_t length,
                                           size_t *position, const avout_edn_read_options *options,
                                           avout_edn_error *error);

/* Where printed text goes, in pieces. Anything but AVOUT_OK ends the printing with that status. */
typedef avout_status (*avout_edn_sink)(const char *text, size_t length, void *payload);

/* Prints as pr-str does; what it prints reads back as an equal value (but ##NaN). A box anywhere
 * inside: AVOUT_ENOPRINT with its place in the detail. BYTES print as #avout/bytes "base64". */
AVOUT_API avout_status avout_edn_print(avout_value value, avout_edn_sink sink, void *payload);

/* The same into a new NUL-terminated text, released with avout_edn_free. `length` may be NULL. */
AVOUT_API avout_status avout_edn_text(char **text, size_t *length, avout_value value);
AVOUT_API void avout_edn_free(char *text);

/* The same indented for people, breaking lines at `width` columns (0: 80). */
AVOUT_API avout_status avout_edn_pretty(char **text, size_t *length, avout_value value,
                                        size_t width);

/* As JSON (RFC 8259), for scripts: keywords become strings without their colon ("name", "space/name"),
 * as keys of maps too; symbols, ratios, chars, integers beyond 2^53, long decimals, tagged values, bytes
 * and all other keys the string of their EDN text; lists, vectors and sets arrays; nil, ##NaN and
 * infinities null. A keyword keeps its colon where the same map has the string without it as a key;
 * other keys may come out alike ({1 :a, "1" :b}), and then both are written. Lossy. Same result rules
 * as avout_edn_text. */
AVOUT_API avout_status avout_json_text(char **text, size_t *length, avout_value value);

/* Reads one JSON value (RFC 8259): objects as maps with strings for keys, arrays as vectors, numbers with a
 * fraction or an exponent as floats, others as integers of any size, null as nil. A name twice in one
 * object: AVOUT_EEXISTS. Options and errors as for avout_edn_read. */
AVOUT_API avout_status avout_json_read(avout_value *out, const char *text, size_t length,
                                       const avout_edn_read_options *options,
                                       avout_edn_error *error);

AVOUT_END

#endif
