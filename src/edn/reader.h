/* The reader's insides, shared by its files: reader.c (forms and their nesting), forms.c (what a
 * finished form does to the one it stands in), token.c (names), number.c, text.c (strings and
 * characters), fail.c (errors with their place).
 *
 * Nothing here recurses: what is open is on `frames`, what is read and not yet part of a collection
 * is on `values`. A form that ends becomes one value on top of `values`.
 *
 *   R1  values[frame.base ..] belong to the innermost frame; those below to the ones around it.
 *   R2  `at` never passes `end`, and all before it that was accepted is valid UTF-8.
 *   R3  A function that fails has reported the error once, with its place; values stay on the stack
 *       and are released by the one who made the reader. */
#ifndef AVOUT_EDN_READER_H
#define AVOUT_EDN_READER_H

#include "avout/edn.h"
#include "base/buffer.h"
#include "edn/scan.h"

/* Frames from FRAME_DISCARD on wait for a fixed number of forms; those before for a delimiter. */
typedef enum edn_frame_kind {
    FRAME_TOP,
    FRAME_LIST,
    FRAME_VECTOR,
    FRAME_MAP,
    FRAME_SPACE_MAP, /* #:a{: values[base - 1] is the symbol a */
    FRAME_SET,
    FRAME_DISCARD, /* #_ */
    FRAME_TAG,     /* #tag: values[base] is the tag's symbol */
    FRAME_META,    /* ^ */
    FRAME_TARGET,  /* what the metadata is for; the metadata itself is gone */
    FRAME_SPACE,   /* #: and its namespace */
    FRAME_SYMBOLIC /* ## */
} edn_frame_kind;

typedef struct edn_frame {
    edn_frame_kind kind;
    size_t base;
    const char *open; /* its first byte */
    const char *body; /* the first byte of what it contains */
} edn_frame;

/* Keywords and symbols seen in this text, by their bytes there: a repeated one costs a look here and no
 * allocation. Direct-mapped: hostile texts can only make it useless, not slow. */
typedef struct edn_known {
    const char *text;
    uint32_t length;
    uint32_t credit; /* references to value that are counted in it already and not yet given out */
    avout_value value;
} edn_known;

enum { EDN_FEW_VALUES = 32, EDN_FEW_FRAMES = 8, EDN_FEW_KNOWN = 16, EDN_MANY_KNOWN = 1024 };

typedef struct edn_reader {
    const char *at, *end, *text;
    avout_value *values;
    size_t count, capacity;
    edn_frame *frame; /* the innermost, in frames */
    edn_frame *frames;
    size_t frame_capacity;
    size_t elements_left;
    size_t max_depth, max_elements, max_digits;
    edn_known *known;
    size_t known_mask;
    avout__buffer scratch; /* strings with escapes */
    avout_edn_error *error;
    bool only_discard; /* ends after one #_ at the top */
    avout_value few_values[EDN_FEW_VALUES];
    edn_frame few_frames[EDN_FEW_FRAMES];
    edn_known few_known[EDN_FEW_KNOWN];
} edn_reader;

/* ---- fail.c */

/* Reports an error at a place in the text. Returns status. */
avout_status avout__edn_fail(edn_reader *reader, avout_status status, const char *where,
                             const char *format, ...) AVOUT_PRINTF(4, 5);
/* The same for a value that could not be made: status and reason are the maker's. */
avout_status avout__edn_fail_made(edn_reader *reader, const char *where);
/* Invalid UTF-8, or a byte that cannot start a form. */
avout_status avout__edn_fail_utf8(edn_reader *reader, const char *where);
/* The text ended; what the innermost frame was waiting for. */
avout_status avout__edn_fail_end(edn_reader *reader);
/* A closing delimiter at `at` that the innermost frame does not want. */
avout_status avout__edn_fail_close(edn_reader *reader);
/* Line (from 1; ended by \n, \r or both) and column (from 1, in code points). */
void avout__edn_locate(const char *text, const char *where, size_t *line, size_t *column);

/* ---- reader.c */

/* Release it whatever init answers. */
avout_status avout__edn_reader_init(edn_reader *reader, const char *text, size_t length,
                                    size_t position, const avout_edn_read_options *options,
                                    avout_edn_error *error);
void avout__edn_reader_release(edn_reader *reader);
avout_status avout__edn_more_values(edn_reader *reader);
avout_status avout__edn_open(edn_reader *reader, edn_frame_kind kind, const char *open,
                             const char *body);
/* Where the nth form (from 0) of the collection whose inside starts at `body` begins and ends; for
 * errors only, as all before it is read again. */
avout_status avout__edn_find_form(edn_reader *reader, const char *body, size_t nth,
                                  const char **form, const char **form_end);

/* Takes over `value`, which was read at `where`. AVOUT_NONE: reports why it could not be made. */
static inline avout_status edn_push(edn_reader *reader, avout_value value, const char *where)
{
    if (__builtin_expect(reader->count == reader->capacity || !reader->elements_left, 0)) {
        avout_status status = avout__edn_more_values(reader);
        if (status) {
            avout_release(value);
            return status;
        }
    }
    if (__builtin_expect(!value.bits, 0)) return avout__edn_fail_made(reader, where);
    reader->elements_left--;
    reader->values[reader->count++] = value;
    return AVOUT_OK;
}

/* ---- forms.c */

/* The closing delimiter at `at`: makes the collection. */
avout_status avout__edn_close(edn_reader *reader);
/* A form has just ended inside a frame from FRAME_DISCARD on: does what that frame waited for.
 * *complete: with that, the frame's own form has ended too and its value is on top. */
avout_status avout__edn_finish(edn_reader *reader, bool *complete);

/* ---- token.c, number.c, text.c: each reads one form at `at` and pushes it */

avout_status avout__edn_read_keyword(edn_reader *reader);
avout_status avout__edn_read_symbol(edn_reader *reader);
avout_status avout__edn_read_tag(edn_reader *reader); /* the symbol behind # */
avout_status avout__edn_read_number(edn_reader *reader);
avout_status avout__edn_read_string(edn_reader *reader);
avout_status avout__edn_read_char(edn_reader *reader);
/* The end of the name that starts at `at`. */
avout_status avout__edn_name_end(edn_reader *reader, const char *at, const char **name_end);
/* Part of a token as it is shown in messages: at most 32 bytes of it, whole code points. */
int avout__edn_shown(const char *at, const char *end);
void avout__edn_forget_names(edn_reader *reader);

#endif
