/* Values as EDN, byte for byte as Clojure's pr-str prints them. Nothing recurses: the collections
 * that are open are on a stack of frames. */
#include "edn/writer.h"

#include <stdio.h>

#include "base/alloc.h"
#include "edn/scan.h"
#include "value/collection.h"
#include "value/name.h"
#include "value/text.h"
#include "base/banned.h"

/* ---- scalars -------------------------------------------------------------------------------- */

static const char two_digits[] = "00010203040506070809101112131415161718192021222324"
                                 "25262728293031323334353637383940414243444546474849"
                                 "50515253545556575859606162636465666768697071727374"
                                 "75767778798081828384858687888990919293949596979899";

avout_status avout__edn_write_int(edn_writer *writer, int64_t number)
{
    char digits[24], *at = digits + sizeof digits;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    while (left >= 100) {
        at -= 2;
        memcpy(at, two_digits + 2 * (left % 100), 2);
        left /= 100;
    }
    if (left >= 10) {
        at -= 2;
        memcpy(at, two_digits + 2 * left, 2);
    } else {
        *--at = (char)('0' + left);
    }
    if (number < 0) *--at = '-';
    return edn_write(writer, at, (size_t)(digits + sizeof digits - at));
}

static avout_status write_digits(edn_writer *writer, avout_value value)
{
    char few[128], *many = NULL;
    size_t length;
    avout_status status = avout_value_to_digits(few, sizeof few, &length, value);
    if (status) return status;
    if (length < sizeof few) return edn_write(writer, few, length);
    many = avout__alloc(length + 1);
    if (!many) return AVOUT_ENOMEM;
    status = avout_value_to_digits(many, length + 1, &length, value);
    if (!status) status = edn_write(writer, many, length);
    avout__free(many);
    return status;
}

/* What follows the backslash in a string; 0: the byte stands for itself. */
static char escape_of(char c)
{
    switch (c) {
    case '"': return '"';
    case '\\': return '\\';
    case '\n': return 'n';
    case '\t': return 't';
    case '\r': return 'r';
    case '\f': return 'f';
    case '\b': return 'b';
    default: return 0;
    }
}

/* At most EDN_PIECE / 4 bytes, for which there is room twice over and 16 bytes more: words are
 * copied whole, also where only their beginning is wanted. */
static inline char *copy_escaped(char *out, const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t word = edn_load(at);
        uint64_t marks = edn_equal_to(word, '"') | edn_equal_to(word, '\\') | edn_below(word, ' ');
        memcpy(out, at, 8);
        if (!marks) {
            at += 8;
            out += 8;
            continue;
        }
        unsigned plain = edn_first(marks);
        at += plain;
        out += plain;
        char escape = escape_of(*at);
        if (escape) *out++ = '\\';
        *out++ = escape ? escape : *at;
        at++;
    }
    for (; at < end; at++) {
        char escape = escape_of(*at);
        if (escape) *out++ = '\\';
        *out++ = escape ? escape : *at;
    }
    return out;
}

static avout_status write_long_string(edn_writer *writer, const char *text, size_t length)
{
    avout_status status = edn_write_char(writer, '"');
    while (!status && length) {
        size_t piece = length < EDN_PIECE / 4 ? length : EDN_PIECE / 4;
        status = edn_room(writer, 2 * piece + 16);
        if (status) return status;
        writer->at = copy_escaped(writer->at, text, text + piece);
        text += piece;
        length -= piece;
    }
    return status ? status : edn_write_char(writer, '"');
}

static inline avout_status write_string(edn_writer *writer, const char *text, size_t length)
{
    if (length > EDN_PIECE / 4 || (size_t)(writer->end - writer->at) < 2 * length + 16)
        return write_long_string(writer, text, length);
    char *out = writer->at;
    *out++ = '"';
    out = copy_escaped(out, text, text + length);
    *out++ = '"';
    writer->at = out;
    return AVOUT_OK;
}

static avout_status write_character(edn_writer *writer, uint32_t c)
{
    switch (c) {
    case '\n': return EDN_WRITE_LITERAL(writer, "\\newline");
    case '\t': return EDN_WRITE_LITERAL(writer, "\\tab");
    case ' ': return EDN_WRITE_LITERAL(writer, "\\space");
    case '\b': return EDN_WRITE_LITERAL(writer, "\\backspace");
    case '\f': return EDN_WRITE_LITERAL(writer, "\\formfeed");
    case '\r': return EDN_WRITE_LITERAL(writer, "\\return");
    default: break;
    }
    char text[5] = "\\";
    return edn_write(writer, text, 1 + avout__edn_encode(text + 1, c));
}

/* Without quotes around it. */
static avout_status write_base64(edn_writer *writer, const char *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        avout_status status = edn_room(writer, 4);
        if (status) return status;
        size_t left = length - i;
        uint32_t bits = (uint32_t)(unsigned char)bytes[i] << 16;
        if (left > 1) bits |= (uint32_t)(unsigned char)bytes[i + 1] << 8;
        if (left > 2) bits |= (unsigned char)bytes[i + 2];
        writer->at[0] = digits[bits >> 18];
        writer->at[1] = digits[bits >> 12 & 63];
        writer->at[2] = left > 1 ? digits[bits >> 6 & 63] : '=';
        writer->at[3] = left > 2 ? digits[bits & 63] : '=';
        writer->at += 4;
    }
    return AVOUT_OK;
}

static avout_status write_bytes(edn_writer *writer, const char *bytes, size_t length)
{
    avout_status status = EDN_WRITE_LITERAL(writer, "#avout/bytes \"");
    if (!status) status = write_base64(writer, bytes, length);
    return status ? status : edn_write_char(writer, '"');
}

/* avout_value_type without a call for the common case. */
static inline avout_type type_of(avout_value value)
{
    return avout__is_object(value) ? (avout_type)avout__object_any(value)->type
                                   : avout_value_type(value);
}

static avout_status write_name(edn_writer *writer, avout_value value, bool keyword)
{
    const avout__name *name = avout__name_of(value);
    avout_status status = keyword ? edn_write_char(writer, ':') : AVOUT_OK;
    return status ? status : edn_write(writer, name->text, name->length);
}

static avout_status write_immediate(edn_writer *writer, avout_value value)
{
    if (avout__is_small(value)) return avout__edn_write_int(writer, avout__small_number(value));
    if (avout__is_nil(value)) return EDN_WRITE_LITERAL(writer, "nil");
    if (avout__is_immediate_kind(value, AVOUT__KIND_CHAR))
        return write_character(writer, avout__immediate_payload(value, AVOUT__KIND_CHAR));
    return avout_value_truthy(value) ? EDN_WRITE_LITERAL(writer, "true")
                                     : EDN_WRITE_LITERAL(writer, "false");
}

avout_status avout__edn_write_scalar(edn_writer *writer, avout_value value)
{
    if (!avout__is_object(value)) return write_immediate(writer, value);
    const avout__string *string;
    switch (type_of(value)) {
    case AVOUT_TYPE_STRING:
        string = avout__string_of(value);
        return write_string(writer, string->text, string->length);
    case AVOUT_TYPE_KEYWORD: return write_name(writer, value, true);
    case AVOUT_TYPE_SYMBOL: return write_name(writer, value, false);
    case AVOUT_TYPE_BYTES:
        string = avout__bytes_of(value);
        return write_bytes(writer, string->text, string->length);
    default: return write_digits(writer, value);
    }
}

/* ---- collections ---------------------------------------------------------------------------- */

/* An open collection, gone through where it lies in memory: [at, end) is all of a small map or set,
 * a node of a large one, or up to 32 items of a vector; a map's keys and items come in turn. Lists
 * are gone through by an iterator. */
typedef struct print_frame {
    const avout_value *at, *end;
    avout_value collection;
    size_t count; /* items begun; of a map, its entries */
    avout_type type;
    bool in_key;  /* the item of the last key comes next */
    int8_t level; /* of a large map or set: the node we are at, -1 behind the last */
    uint8_t child[AVOUT__CHAMP_DEPTH]; /* the next to enter, on each level */
    union {
        const avout__champ *nodes[AVOUT__CHAMP_DEPTH];
        avout_iterator iterator;
    };
} print_frame;

enum { FEW_FRAMES = 12 };

typedef struct edn_printer {
    edn_writer *writer;
    bool quiet;
    size_t depth, capacity;
    print_frame *frames;
    print_frame few[FEW_FRAMES];
} edn_printer;

/* What follows lies all over memory: have it fetched while the first of it is written. */
static void set_run(print_frame *frame, const avout_value *at, size_t count)
{
    frame->at = at;
    frame->end = at + count;
    for (size_t i = 0; i < count; i++)
        if (avout__is_object(at[i])) __builtin_prefetch(avout__object_any(at[i]));
}

static void set_node(print_frame *frame, const avout__champ *node)
{
    frame->nodes[frame->level] = node;
    frame->child[frame->level] = 0;
    set_run(frame, &node->slots[0].value, (size_t)avout__champ_entries(node) * node->width);
}

/* To the next node of a large map or set that has entries of its own: a node's come before those of
 * its children. */
static bool next_node(print_frame *frame)
{
    while (frame->level >= 0) {
        const avout__champ *node = frame->nodes[frame->level];
        uint8_t child = frame->child[frame->level]++;
        if (child >= avout__champ_children(node)) {
            frame->level--;
            continue;
        }
        frame->level++;
        set_node(frame, avout__champ_child(node, child));
        if (frame->at != frame->end) return true;
    }
    return false;
}

static avout_status open_collection(edn_printer *printer, avout_value collection, avout_type type)
{
    if (printer->depth == printer->capacity &&
        AVOUT__GROW_OUT(&printer->frames, printer->few, &printer->capacity))
        return AVOUT_ENOMEM;
    print_frame *frame = &printer->frames[printer->depth++];
    frame->at = frame->end = NULL;
    frame->collection = collection;
    frame->count = 0;
    frame->type = type;
    frame->in_key = false;
    frame->level = -1;
    if (type == AVOUT_TYPE_VECTOR) return edn_write_char(printer->writer, '[');
    if (type == AVOUT_TYPE_LIST) {
        frame->iterator = avout_value_iterate(collection);
        return edn_write_char(printer->writer, '(');
    }
    const avout__hashed *hashed = avout__hashed_of(collection);
    if (hashed->root) {
        frame->level = 0;
        set_node(frame, hashed->root);
    } else {
        set_run(frame, hashed->items, hashed->count * avout__hashed_width(hashed));
    }
    return type == AVOUT_TYPE_MAP ? edn_write_char(printer->writer, '{')
                                  : EDN_WRITE_LITERAL(printer->writer, "#{");
}

static bool next_run(print_frame *frame)
{
    if (frame->type != AVOUT_TYPE_VECTOR) return next_node(frame);
    const avout__vector *vector = avout__vector_of(frame->collection);
    size_t left = vector->count - frame->count;
    if (!left) return false;
    set_run(frame, avout__vector_run(vector, frame->count),
            left < AVOUT__VECTOR_WIDTH ? left : AVOUT__VECTOR_WIDTH);
    return true;
}

/* False when the collection is through; else *value is the next key or item. */
static inline bool next_value(print_frame *frame, avout_value *value)
{
    if (frame->type == AVOUT_TYPE_LIST) {
        if (!avout_iterator_next(&frame->iterator)) return false;
        *value = frame->iterator.item;
        return true;
    }
    if (frame->at == frame->end && !next_run(frame)) return false;
    *value = *frame->at++;
    return true;
}

/* A key on the way to a box: its text when that is short. */
static void describe_key(char *out, size_t size, avout_value key)
{
    edn_writer writer;
    snprintf(out, size, "...");
    if (avout__edn_writer_init(&writer)) return;
    avout__edn_writer_restart(&writer, 128);
    if (!avout__edn_write_value(&writer, key, true) && (size_t)(writer.at - writer.start) < size) {
        *writer.at = '\0';
        snprintf(out, size, "%s", writer.start);
    }
    avout__edn_writer_release(&writer);
}

/* The place of a box, as the path that leads to it: "[:a 3 :b]". */
static avout_status fail_box(edn_printer *printer)
{
    if (printer->quiet) return AVOUT_ENOPRINT;
    char path[512];
    size_t length = 0;
    path[0] = '\0';
    for (size_t i = 0; i < printer->depth && length < sizeof path - 64; i++) {
        const print_frame *frame = &printer->frames[i];
        char step[48];
        if (frame->type == AVOUT_TYPE_SET) snprintf(step, sizeof step, "<element>");
        else if (frame->in_key) snprintf(step, sizeof step, "<key>");
        else if (frame->type == AVOUT_TYPE_MAP) describe_key(step, sizeof step, frame->at[-2]);
        else snprintf(step, sizeof step, "%zu", frame->count - 1);
        length += (size_t)snprintf(path + length, sizeof path - length, "%s%s", i ? " " : "", step);
    }
    return avout_fail(AVOUT_ENOPRINT,
                      "a box at [%s] has no text: it is of this process only, as a function is",
                      path);
}

/* Begins a value: writes it if it is a scalar, else its opening. *again: *value is now the form of a
 * tagged one. */
static inline avout_status begin(edn_printer *printer, avout_value *value, bool *again)
{
    *again = false;
    if (avout__is_small(*value))
        return avout__edn_write_int(printer->writer, avout__small_number(*value));
    avout_type type = type_of(*value);
    if (edn_is_collection(type)) return open_collection(printer, *value, type);
    if (type == AVOUT_TYPE_BOX) return fail_box(printer);
    if (type == AVOUT_TYPE_NONE) return avout_fail(AVOUT_EINVAL, "no value to print (AVOUT_NONE)");
    if (type != AVOUT_TYPE_TAGGED) return avout__edn_write_scalar(printer->writer, *value);
    const char *tag = "";
    avout_value_to_tagged(&tag, value, *value);
    *again = true;
    avout_status status = edn_write_char(printer->writer, '#');
    if (!status) status = edn_write(printer->writer, tag, strlen(tag));
    return status ? status : edn_write_char(printer->writer, ' ');
}

/* Goes on behind a value that has ended: to the next one inside the innermost open collection,
 * closing those that are through. *value: AVOUT_NONE when all are. */
static inline avout_status advance(edn_printer *printer, avout_value *value)
{
    edn_writer *writer = printer->writer;
    for (; printer->depth; printer->depth--) {
        print_frame *frame = &printer->frames[printer->depth - 1];
        if (next_value(frame, value)) {
            if (frame->in_key) {
                frame->in_key = false;
                return edn_write_char(writer, ' ');
            }
            frame->in_key = frame->type == AVOUT_TYPE_MAP;
            if (!frame->count++) return AVOUT_OK;
            return frame->in_key ? EDN_WRITE_LITERAL(writer, ", ") : edn_write_char(writer, ' ');
        }
        char close = frame->type == AVOUT_TYPE_LIST     ? ')'
                     : frame->type == AVOUT_TYPE_VECTOR ? ']'
                                                        : '}';
        avout_status status = edn_write_char(writer, close);
        if (status) return status;
    }
    *value = AVOUT_NONE;
    return AVOUT_OK;
}

avout_status avout__edn_write_value(edn_writer *writer, avout_value value, bool quiet)
{
    edn_printer printer;
    printer.writer = writer;
    printer.quiet = quiet;
    printer.frames = printer.few;
    printer.depth = 0;
    printer.capacity = FEW_FRAMES;
    avout_status status;
    do {
        bool again;
        status = begin(&printer, &value, &again);
        if (!status && !again) status = advance(&printer, &value);
    } while (!status && value.bits);
    if (printer.frames != printer.few) avout__free(printer.frames);
    return status;
}

static avout_status swallow(const char *text, size_t length, void *payload)
{
    (void)text, (void)length, (void)payload;
    return AVOUT_OK;
}

avout_status avout__edn_fail_box(avout_value value)
{
    return avout_edn_print(value, swallow, NULL);
}

/* ---- public --------------------------------------------------------------------------------- */

avout_status avout_edn_print(avout_value value, avout_edn_sink sink, void *payload)
{
    char buffer[EDN_SINK_BUFFER];
    edn_writer writer;
    avout__edn_writer_init_sink(&writer, buffer, sizeof buffer, sink, payload);
    avout_status status = avout__edn_write_value(&writer, value, false);
    return status ? status : avout__edn_writer_flush(&writer);
}

avout_status avout_edn_text(char **text, size_t *length, avout_value value)
{
    edn_writer writer;
    avout_status status = avout__edn_writer_init(&writer);
    if (!status) status = avout__edn_write_value(&writer, value, false);
    if (!status) status = avout__edn_writer_take(&writer, text, length);
    avout__edn_writer_release(&writer);
    return status;
}

void avout_edn_free(char *text)
{
    avout__free(text);
}
