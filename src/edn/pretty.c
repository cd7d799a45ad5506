/* Values as EDN for people. A value that fits on the rest of the line is written there as it is;
 * one that does not is opened and its parts go below one another:
 *
 *     {:name "Ann",
 *      :scores [1 2 3 4 5 6 7 8 9
 *               10 11 12]}
 *
 * Whether it fits is found out by writing it, up to as many bytes as could fit: so the work for each
 * collection is bounded by the width, however deep it is. */
#include "edn/writer.h"

#include "base/banned.h"

enum { DEFAULT_WIDTH = 80 };

typedef struct edn_pretty {
    edn_writer out;
    edn_writer trial;
    edn_stack stack;
    size_t width, column;
} edn_pretty;

static size_t columns_of(const char *at, const char *end)
{
    size_t columns = 0;
    for (; at < end; at++) columns += ((unsigned char)*at & 0xc0) != 0x80;
    return columns;
}

static avout_status put(edn_pretty *pretty, const char *text, size_t length)
{
    pretty->column += columns_of(text, text + length);
    return edn_write(&pretty->out, text, length);
}

static avout_status newline(edn_pretty *pretty, size_t indent)
{
    avout_status status = edn_write_char(&pretty->out, '\n');
    /* Very deep values would else need the square of their depth. */
    if (indent > pretty->width) indent = pretty->width;
    for (size_t i = 0; !status && i < indent; i++) status = edn_write_char(&pretty->out, ' ');
    pretty->column = indent;
    return status;
}

/* Writes the value into the trial buffer, which holds it when *fits: with `behind` more columns it
 * stays within the width, starting in `column`. */
static avout_status try_line(edn_pretty *pretty, avout_value value, size_t column, size_t behind,
                             bool *fits)
{
    *fits = false;
    if (column >= pretty->width || pretty->width - column <= behind) return AVOUT_OK;
    size_t room = pretty->width - column - behind, bytes;
    /* A code point has up to four bytes, and strings ask for twice their length and a word more. */
    if (__builtin_mul_overflow(room, 12, &bytes) || bytes > SIZE_MAX - 64) bytes = SIZE_MAX - 64;
    avout__edn_writer_restart(&pretty->trial, bytes + 64);
    avout_status status = avout__edn_write_value(&pretty->trial, value, true);
    if (status == EDN_FULL) return AVOUT_OK;
    if (status) return status;
    *fits = columns_of(pretty->trial.start, pretty->trial.at) <= room;
    return AVOUT_OK;
}

static avout_status put_trial(edn_pretty *pretty)
{
    return put(pretty, pretty->trial.start, (size_t)(pretty->trial.at - pretty->trial.start));
}

static avout_status put_scalar(edn_pretty *pretty, avout_value value)
{
    size_t before = (size_t)(pretty->out.at - pretty->out.start);
    avout_status status = avout__edn_write_scalar(&pretty->out, value);
    if (!status) pretty->column += columns_of(pretty->out.start + before, pretty->out.at);
    return status;
}

static avout_status put_open(edn_pretty *pretty, avout_value value, avout_type type, size_t behind)
{
    edn_open *frame = avout__edn_stack_push(&pretty->stack, value, type);
    if (!frame) return AVOUT_ENOMEM;
    avout_value_count(&frame->items, value);
    const char *open = type == AVOUT_TYPE_LIST     ? "("
                       : type == AVOUT_TYPE_VECTOR ? "["
                       : type == AVOUT_TYPE_MAP    ? "{"
                                                   : "#{";
    frame->behind = behind + 1;
    frame->indent = pretty->column + strlen(open);
    frame->filling = false;
    return put(pretty, open, strlen(open));
}

/* Writes the value where we are, on this line if it fits, else opened. */
static avout_status place(edn_pretty *pretty, avout_value value, size_t behind)
{
    for (;;) {
        avout_type type = avout_value_type(value);
        if (type == AVOUT_TYPE_BOX) return AVOUT_ENOPRINT;
        if (type != AVOUT_TYPE_TAGGED && !edn_is_collection(type)) return put_scalar(pretty, value);
        bool fits;
        avout_status status = try_line(pretty, value, pretty->column, behind, &fits);
        if (status) return status;
        if (fits) return put_trial(pretty);
        if (type != AVOUT_TYPE_TAGGED) return put_open(pretty, value, type, behind);
        const char *tag = "";
        avout_value_to_tagged(&tag, &value, value);
        status = put(pretty, "#", 1);
        if (!status) status = put(pretty, tag, strlen(tag));
        if (!status) status = put(pretty, " ", 1);
        if (status) return status;
    }
}

/* The columns that must stay free behind the item a frame is at. */
static size_t behind_item(const edn_open *frame)
{
    if (frame->count == frame->items) return frame->behind;
    return frame->type == AVOUT_TYPE_MAP; /* the comma */
}

/* A map's item stands behind its key when it fits there or can be opened there without running out
 * of width; else below, a little to the right. */
static avout_status place_item_of_map(edn_pretty *pretty, edn_open *frame)
{
    avout_value item = frame->iterator.item;
    avout_type type = avout_value_type(item);
    size_t behind = behind_item(frame), indent = frame->indent;
    frame->in_key = false;
    bool below = false;
    if (edn_is_collection(type) && pretty->column - indent > pretty->width / 3) {
        bool fits;
        avout_status status = try_line(pretty, item, pretty->column + 1, behind, &fits);
        if (status) return status;
        below = !fits;
    }
    avout_status status = below ? newline(pretty, indent + 2) : put(pretty, " ", 1);
    return status ? status : place(pretty, item, behind);
}

/* Short things share lines, whatever has parts begins one. */
static avout_status place_item(edn_pretty *pretty, edn_open *frame)
{
    avout_value item = frame->iterator.item;
    avout_type type = avout_value_type(item);
    size_t behind = behind_item(frame);
    bool scalar = !edn_is_collection(type) && type != AVOUT_TYPE_TAGGED, fits = false;
    avout_status status = AVOUT_OK;
    if (frame->count > 1) {
        if (scalar && frame->filling)
            status = try_line(pretty, item, pretty->column + 1, behind, &fits);
        if (!status) status = fits ? put(pretty, " ", 1) : newline(pretty, frame->indent);
    }
    frame->filling = scalar;
    return status ? status : place(pretty, item, behind);
}

static avout_status place_key(edn_pretty *pretty, edn_open *frame)
{
    avout_status status = AVOUT_OK;
    if (frame->count > 1) {
        status = put(pretty, ",", 1);
        if (!status) status = newline(pretty, frame->indent);
    }
    frame->in_key = true;
    return status ? status : place(pretty, frame->iterator.key, 0);
}

static avout_status step(edn_pretty *pretty)
{
    edn_open *frame = &pretty->stack.frames[pretty->stack.depth - 1];
    if (frame->in_key) return place_item_of_map(pretty, frame);
    if (avout_iterator_next(&frame->iterator)) {
        frame->count++;
        return frame->type == AVOUT_TYPE_MAP ? place_key(pretty, frame) : place_item(pretty, frame);
    }
    avout_type type = frame->type;
    pretty->stack.depth--;
    return put(pretty, type == AVOUT_TYPE_LIST ? ")" : type == AVOUT_TYPE_VECTOR ? "]" : "}", 1);
}

avout_status avout_edn_pretty(char **text, size_t *length, avout_value value, size_t width)
{
    edn_pretty pretty;
    pretty.width = width ? width : DEFAULT_WIDTH;
    pretty.column = 0;
    pretty.trial = (edn_writer){0};
    avout__edn_stack_init(&pretty.stack);
    avout_status status = avout__edn_writer_init(&pretty.out);
    if (!status) status = avout__edn_writer_init(&pretty.trial);
    if (!status && avout_is_none(value))
        status = avout_fail(AVOUT_EINVAL, "no value to print (AVOUT_NONE)");
    if (!status) status = place(&pretty, value, 0);
    while (!status && pretty.stack.depth) status = step(&pretty);
    if (!status) status = avout__edn_writer_take(&pretty.out, text, length);
    if (status == AVOUT_ENOPRINT) status = avout__edn_fail_box(value);
    avout__edn_writer_release(&pretty.out);
    avout__edn_writer_release(&pretty.trial);
    avout__edn_stack_release(&pretty.stack);
    return status;
}
