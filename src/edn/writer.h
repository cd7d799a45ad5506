/* Where printed text goes: a buffer that grows (the whole text is wanted), or one that is emptied
 * into a sink. Shared by printer.c, pretty.c and json.c.
 *
 *   W1  [start, at) is text, [at, end) is free.
 *   W2  Nobody asks for more than EDN_PIECE bytes at once; longer things go in pieces. */
#ifndef AVOUT_EDN_WRITER_H
#define AVOUT_EDN_WRITER_H

#include <string.h>

#include "avout/edn.h"

enum { EDN_PIECE = 4096, EDN_SINK_BUFFER = 4 * EDN_PIECE };

typedef struct edn_writer {
    char *at, *end, *start;
    avout_edn_sink sink; /* NULL: the buffer is on the heap and grows */
    void *payload;
    size_t capacity; /* of a heap buffer; end may be before it, see limit */
    size_t limit;    /* a heap buffer's text is never longer */
} edn_writer;

/* What a writer with a limit answers when that is reached; never leaves this folder. */
enum { EDN_FULL = INT32_MAX };

/* Writing to a heap buffer; release it, or take its text (NUL-terminated). */
avout_status avout__edn_writer_init(edn_writer *writer);
void avout__edn_writer_release(edn_writer *writer);
/* Empties a heap writer; from now on more than `limit` bytes are EDN_FULL. */
void avout__edn_writer_restart(edn_writer *writer, size_t limit);
avout_status avout__edn_writer_take(edn_writer *writer, char **text, size_t *length);

/* Writing through `buffer` into a sink. Flush at the end. */
void avout__edn_writer_init_sink(edn_writer *writer, char *buffer, size_t size, avout_edn_sink sink,
                                 void *payload);
avout_status avout__edn_writer_flush(edn_writer *writer);

avout_status avout__edn_writer_more(edn_writer *writer, size_t size);
avout_status avout__edn_write_long(edn_writer *writer, const char *text, size_t length);

static inline avout_status edn_room(edn_writer *writer, size_t size)
{
    if (__builtin_expect((size_t)(writer->end - writer->at) >= size, 1)) return AVOUT_OK;
    return avout__edn_writer_more(writer, size);
}

static inline avout_status edn_write_char(edn_writer *writer, char c)
{
    avout_status status = edn_room(writer, 1);
    if (!status) *writer->at++ = c;
    return status;
}

static inline avout_status edn_write(edn_writer *writer, const char *text, size_t length)
{
    if (__builtin_expect((size_t)(writer->end - writer->at) < length, 0))
        return avout__edn_write_long(writer, text, length);
    memcpy(writer->at, text, length);
    writer->at += length;
    return AVOUT_OK;
}

#define EDN_WRITE_LITERAL(writer, literal) edn_write(writer, literal, sizeof(literal) - 1)

/* ---- what is open: one frame a collection, never the C stack ------------------------------- */

typedef struct edn_open {
    avout_iterator iterator;
    avout_type type;
    bool in_key;  /* a map's: its key is being written, the item comes next */
    size_t count; /* items begun */
    /* pretty.c's: where its lines begin, how many items it has, what must fit behind its last. */
    size_t indent, items, behind;
    bool filling;        /* the last item was short and shares its line */
    bool has_string_key; /* json.c's: a map with a key that keywords could be taken for */
} edn_open;

enum { EDN_FEW_OPEN = 8 };

typedef struct edn_stack {
    edn_open *frames;
    size_t depth, capacity;
    edn_open few[EDN_FEW_OPEN];
} edn_stack;

void avout__edn_stack_init(edn_stack *stack);
void avout__edn_stack_release(edn_stack *stack);
/* The new innermost frame, at the collection's beginning. NULL: no memory. */
edn_open *avout__edn_stack_push(edn_stack *stack, avout_value collection, avout_type type);

static inline bool edn_is_collection(avout_type type)
{
    return type >= AVOUT_TYPE_LIST && type <= AVOUT_TYPE_SET;
}

/* ---- printer.c */

/* Everything that is no collection, tagged value or box. */
avout_status avout__edn_write_scalar(edn_writer *writer, avout_value value);
/* Any value, as avout_edn_print does. `quiet`: a box gives AVOUT_ENOPRINT without a detail. */
avout_status avout__edn_write_value(edn_writer *writer, avout_value value, bool quiet);
avout_status avout__edn_write_int(edn_writer *writer, int64_t number);
/* AVOUT_ENOPRINT, with the place of the first box in the value in the detail. */
avout_status avout__edn_fail_box(avout_value value);

#endif
