/* The reader's loop: which form comes next, and how deep we are in others. See reader.h. */
#include "edn/reader.h"

#include "base/alloc.h"
#include "base/banned.h"

enum { DEFAULT_DEPTH = 512, DEFAULT_DIGITS = 100000, LONG_TEXT = 2048 };

/* ---- the stacks ----------------------------------------------------------------------------- */

avout_status avout__edn_more_values(edn_reader *reader)
{
    if (!reader->elements_left)
        return avout__edn_fail(reader, AVOUT_ELIMIT, reader->at,
                               "more values than the limit of %zu", reader->max_elements);
    if (reader->count < reader->capacity) return AVOUT_OK;
    if (!AVOUT__GROW_OUT(&reader->values, reader->few_values, &reader->capacity)) return AVOUT_OK;
    return avout__edn_fail(reader, AVOUT_ENOMEM, reader->at, "out of memory");
}

avout_status avout__edn_open(edn_reader *reader, edn_frame_kind kind, const char *open,
                             const char *body)
{
    size_t depth = (size_t)(reader->frame - reader->frames) + 1;
    if (depth > reader->max_depth)
        return avout__edn_fail(reader, AVOUT_ELIMIT, open,
                               "nested deeper than the limit of %zu levels", reader->max_depth);
    if (depth == reader->frame_capacity &&
        AVOUT__GROW_OUT(&reader->frames, reader->few_frames, &reader->frame_capacity))
        return avout__edn_fail(reader, AVOUT_ENOMEM, open, "out of memory");
    reader->frame = &reader->frames[depth];
    *reader->frame = (edn_frame){kind, reader->count, open, body};
    reader->at = body;
    return AVOUT_OK;
}

/* ---- between forms -------------------------------------------------------------------------- */

static avout_status skip_comment(edn_reader *reader, const char **at)
{
    while (*at < reader->end && **at != '\n' && **at != '\r') {
        uint32_t code_point;
        size_t length = avout__edn_decode(*at, reader->end, &code_point);
        if (!length) return avout__edn_fail_utf8(reader, *at);
        *at += length;
    }
    return AVOUT_OK;
}

/* Goes to the next form or delimiter. */
static avout_status skip(edn_reader *reader)
{
    const char *at = reader->at;
    for (;;) {
        while (at < reader->end && edn_class(*at) == BYTE_SPACE) at++;
        if (at == reader->end || edn_class(*at) < BYTE_SEMICOLON) break;
        uint32_t code_point;
        size_t length;
        if (*at == ';') {
            avout_status status = skip_comment(reader, &at);
            if (status) return status;
        } else if (edn_class(*at) != BYTE_HIGH) {
            break;
        } else if (!(length = avout__edn_decode(at, reader->end, &code_point))) {
            return avout__edn_fail_utf8(reader, at);
        } else if (!avout__edn_is_space(code_point)) {
            break;
        } else {
            at += length;
        }
    }
    reader->at = at;
    return AVOUT_OK;
}

/* ---- forms ---------------------------------------------------------------------------------- */

static avout_status open_delimiter(edn_reader *reader)
{
    const char *at = reader->at;
    edn_frame_kind kind = *at == '(' ? FRAME_LIST : *at == '[' ? FRAME_VECTOR : FRAME_MAP;
    return avout__edn_open(reader, kind, at, at + 1);
}

static avout_status open_tag(edn_reader *reader)
{
    avout_status status = avout__edn_open(reader, FRAME_TAG, reader->at, reader->at + 1);
    return status ? status : avout__edn_read_tag(reader);
}

/* What '#' begins. Every form it begins has another inside, so it only opens a frame. */
static avout_status open_dispatch(edn_reader *reader)
{
    const char *at = reader->at;
    if (at + 1 == reader->end)
        return avout__edn_fail(reader, AVOUT_ESYNTAX, reader->end,
                               "the text ends behind '#': expected a tag, '{', '_', ':', '^' or "
                               "'#'");
    switch (at[1]) {
    case '{': return avout__edn_open(reader, FRAME_SET, at, at + 2);
    case '_': return avout__edn_open(reader, FRAME_DISCARD, at, at + 2);
    case '^': return avout__edn_open(reader, FRAME_META, at, at + 2);
    case ':': return avout__edn_open(reader, FRAME_SPACE, at, at + 2);
    case '#': return avout__edn_open(reader, FRAME_SYMBOLIC, at, at + 2);
    case '<': return avout__edn_fail(reader, AVOUT_ESYNTAX, at, "unreadable form '#<'");
    default: break;
    }
    unsigned class = edn_class(at[1]);
    bool letter = (at[1] >= 'a' && at[1] <= 'z') || (at[1] >= 'A' && at[1] <= 'Z');
    if (letter || class == BYTE_HIGH) return open_tag(reader);
    return avout__edn_fail(reader, AVOUT_ESYNTAX, at,
                           "'#%c' begins nothing: expected a tag, '{', '_', ':', '^' or '#' "
                           "behind '#'",
                           at[1] > ' ' ? at[1] : ' ');
}

static avout_status read_bad(edn_reader *reader)
{
    return avout__edn_fail(reader, AVOUT_ESYNTAX, reader->at, "'%c' cannot begin a form",
                           *reader->at);
}

/* + and - begin a number before a digit, a symbol else; so does a code point beyond ASCII. */
static avout_status read_sign_or_high(edn_reader *reader)
{
    const char *at = reader->at;
    if (edn_class(*at) == BYTE_SIGN) at++;
    uint32_t code_point;
    if (at < reader->end && avout__edn_decode(at, reader->end, &code_point) &&
        (edn_class(*at) == BYTE_DIGIT || avout__edn_is_digit(code_point)))
        return avout__edn_read_number(reader);
    return avout__edn_read_symbol(reader);
}

/* Reads the form at `at` or opens a frame. *complete: a value is now on top. */
static inline avout_status read_step(edn_reader *reader, bool *complete)
{
    *complete = true;
    switch (edn_class(*reader->at)) {
    case BYTE_NAME: return avout__edn_read_symbol(reader);
    case BYTE_DIGIT: return avout__edn_read_number(reader);
    case BYTE_HIGH:
    case BYTE_SIGN: return read_sign_or_high(reader);
    case BYTE_COLON: return avout__edn_read_keyword(reader);
    case BYTE_QUOTE: return avout__edn_read_string(reader);
    case BYTE_BACKSLASH: return avout__edn_read_char(reader);
    case BYTE_CLOSE: return avout__edn_close(reader);
    case BYTE_OPEN: *complete = false; return open_delimiter(reader);
    case BYTE_HASH: *complete = false; return open_dispatch(reader);
    case BYTE_CARET:
        *complete = false;
        return avout__edn_open(reader, FRAME_META, reader->at, reader->at + 1);
    default: return read_bad(reader);
    }
}

/* Reads until the top frame has a value (or, with only_discard, until one form is discarded), or
 * the text ends there. *start: where that value's form begins; NULL without a value. */
static avout_status read_form(edn_reader *reader, const char **start)
{
    *start = NULL;
    for (;;) {
        /* Nearly always there is one space or none. */
        if (reader->at < reader->end && edn_class(*reader->at) == BYTE_SPACE) reader->at++;
        avout_status status = AVOUT_OK;
        if (reader->at == reader->end || edn_class(*reader->at) >= BYTE_SEMICOLON ||
            edn_class(*reader->at) == BYTE_SPACE)
            status = skip(reader);
        if (status) return status;
        if (reader->at == reader->end) {
            if (reader->frame->kind != FRAME_TOP) return avout__edn_fail_end(reader);
            *start = NULL;
            return AVOUT_OK;
        }
        if (reader->frame->kind == FRAME_TOP) *start = reader->at;
        bool complete;
        status = read_step(reader, &complete);
        while (!status && complete && reader->frame->kind >= FRAME_DISCARD)
            status = avout__edn_finish(reader, &complete);
        if (status) return status;
        if (reader->frame->kind == FRAME_TOP && (complete || reader->only_discard)) return AVOUT_OK;
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

avout_status avout__edn_reader_init(edn_reader *reader, const char *text, size_t length,
                                    size_t position, const avout_edn_read_options *options,
                                    avout_edn_error *error)
{
    *error = (avout_edn_error){0};
    reader->text = text;
    reader->at = text + position;
    reader->end = text + length;
    reader->values = reader->few_values;
    reader->count = 0;
    reader->capacity = EDN_FEW_VALUES;
    reader->frames = reader->frame = reader->few_frames;
    reader->frame_capacity = EDN_FEW_FRAMES;
    reader->few_frames[0] = (edn_frame){FRAME_TOP, 0, reader->at, reader->at};
    reader->max_depth = options && options->max_depth ? options->max_depth : DEFAULT_DEPTH;
    reader->max_elements = options && options->max_elements ? options->max_elements : SIZE_MAX;
    reader->max_digits = options && options->max_digits ? options->max_digits : DEFAULT_DIGITS;
    reader->elements_left = reader->max_elements;
    reader->scratch = (avout__buffer)AVOUT__BUFFER_INIT;
    reader->error = error;
    reader->only_discard = false;
    memset(reader->few_known, 0, sizeof reader->few_known);
    reader->known = reader->few_known;
    reader->known_mask = EDN_FEW_KNOWN - 1;
    if (length - position <= LONG_TEXT) return AVOUT_OK;
    edn_known *known = avout__calloc(EDN_MANY_KNOWN, sizeof *known);
    if (!known) return avout__edn_fail(reader, AVOUT_ENOMEM, reader->at, "out of memory");
    reader->known = known;
    reader->known_mask = EDN_MANY_KNOWN - 1;
    return AVOUT_OK;
}

void avout__edn_reader_release(edn_reader *reader)
{
    for (size_t i = 0; i < reader->count; i++) avout_release(reader->values[i]);
    avout__edn_forget_names(reader);
    if (reader->known != reader->few_known) avout__free(reader->known);
    if (reader->values != reader->few_values) avout__free(reader->values);
    if (reader->frames != reader->few_frames) avout__free(reader->frames);
    avout__buffer_release(&reader->scratch);
}

/* Behind the value only what is not there: white space, comments, discarded forms. */
static avout_status read_rest(edn_reader *reader)
{
    reader->only_discard = true;
    for (;;) {
        avout_status status = skip(reader);
        if (status || reader->at == reader->end) return status;
        if (reader->at + 1 == reader->end || reader->at[0] != '#' || reader->at[1] != '_') {
            uint32_t code_point;
            if (!avout__edn_decode(reader->at, reader->end, &code_point))
                return avout__edn_fail_utf8(reader, reader->at);
            if (edn_class(*reader->at) == BYTE_CLOSE)
                return avout__edn_fail(reader, AVOUT_ESYNTAX, reader->at,
                                       "unmatched '%c': expected the end of the text", *reader->at);
            return avout__edn_fail(reader, AVOUT_ESYNTAX, reader->at,
                                   "a second form: expected the end of the text");
        }
        const char *start;
        status = read_form(reader, &start);
        if (status) return status;
    }
}

avout_status avout_edn_read(avout_value *out, const char *text, size_t length,
                            const avout_edn_read_options *options, avout_edn_error *error)
{
    edn_reader reader;
    avout_edn_error unwanted;
    const char *start;
    if (!text) text = "";
    avout_status status =
        avout__edn_reader_init(&reader, text, length, 0, options, error ? error : &unwanted);
    if (!status) status = read_form(&reader, &start);
    if (!status && !start) status = avout__edn_fail_end(&reader);
    if (!status) status = read_rest(&reader);
    if (!status) *out = reader.values[--reader.count];
    avout__edn_reader_release(&reader);
    return status;
}

avout_status avout_edn_read_next(avout_value *out, const char *text, size_t length,
                                 size_t *position, const avout_edn_read_options *options,
                                 avout_edn_error *error)
{
    edn_reader reader;
    avout_edn_error unwanted;
    const char *start;
    if (!text) text = "";
    if (!error) error = &unwanted;
    if (*position > length) {
        *error = (avout_edn_error){.status = AVOUT_EINVAL, .message = "position behind the text"};
        return avout_fail(AVOUT_EINVAL, "edn: position %zu is behind the text of %zu bytes",
                          *position, length);
    }
    avout_status status = avout__edn_reader_init(&reader, text, length, *position, options, error);
    if (!status) status = read_form(&reader, &start);
    if (!status) {
        *position = (size_t)(reader.at - text);
        *out = start ? reader.values[--reader.count] : AVOUT_NONE;
    }
    avout__edn_reader_release(&reader);
    return status;
}

avout_status avout__edn_find_form(edn_reader *outer, const char *body, size_t nth,
                                  const char **form, const char **form_end)
{
    edn_reader reader;
    avout_edn_error unwanted;
    const avout_edn_read_options options = {outer->max_depth, 0, outer->max_digits};
    avout_status status =
        avout__edn_reader_init(&reader, outer->text, (size_t)(outer->end - outer->text),
                               (size_t)(body - outer->text), &options, &unwanted);
    for (size_t i = 0; !status && i <= nth; i++) {
        status = read_form(&reader, form);
        if (!status) avout_release(reader.values[--reader.count]);
    }
    *form_end = reader.at;
    avout__edn_reader_release(&reader);
    return status;
}
