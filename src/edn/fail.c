/* The reader's errors: what was found, what was expected, and where. Places are worked out only
 * when something is wrong, so that the reader need not count lines. */
#include "edn/reader.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/banned.h"

void avout__edn_locate(const char *text, const char *where, size_t *line, size_t *column)
{
    *line = 1;
    *column = 1;
    for (const char *at = text; at < where; at++) {
        if (*at == '\n' || (*at == '\r' && !(at + 1 < where && at[1] == '\n'))) {
            ++*line;
            *column = 1;
        } else if (((unsigned char)*at & 0xc0) != 0x80) {
            ++*column;
        }
    }
}

avout_status avout__edn_fail(edn_reader *reader, avout_status status, const char *where,
                             const char *format, ...)
{
    avout_edn_error *error = reader->error;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    /* A message that was cut must not end inside a code point. */
    size_t length = strlen(error->message);
    if (length == sizeof error->message - 1) {
        while (length && ((unsigned char)error->message[length - 1] & 0xc0) == 0x80) length--;
        if (length && (unsigned char)error->message[length - 1] >= 0xc0) length--;
        error->message[length] = '\0';
    }
    /* Nothing of the text may act on the terminal that shows the message. */
    for (char *c = error->message; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = '?';
    error->status = status;
    error->byte = (size_t)(where - reader->text);
    avout__edn_locate(reader->text, where, &error->line, &error->column);
    return avout_fail(status, "line %zu, column %zu: %s", error->line, error->column,
                      error->message);
}

avout_status avout__edn_fail_made(edn_reader *reader, const char *where)
{
    char reason[sizeof reader->error->message];
    snprintf(reason, sizeof reason, "%s", avout_error_detail());
    /* In a text a bad name is bad syntax. */
    avout_status status = avout_none_status();
    return avout__edn_fail(reader, status == AVOUT_ENAME ? AVOUT_ESYNTAX : status, where, "%s",
                           reason);
}

avout_status avout__edn_fail_utf8(edn_reader *reader, const char *where)
{
    return avout__edn_fail(reader, AVOUT_EUTF8, where, "byte 0x%02x is not valid UTF-8 here",
                           (unsigned char)*where);
}

/* What the innermost frame would have accepted, for the end of "expected ...". */
static void expected(edn_reader *reader, char *buffer, size_t size)
{
    const edn_frame *frame = reader->frame;
    const char *wanted = "a value";
    switch (frame->kind) {
    case FRAME_TOP: snprintf(buffer, size, "a value"); return;
    case FRAME_LIST: wanted = "')' to close the list opened"; break;
    case FRAME_VECTOR: wanted = "']' to close the vector opened"; break;
    case FRAME_MAP:
    case FRAME_SPACE_MAP: wanted = "'}' to close the map opened"; break;
    case FRAME_SET: wanted = "'}' to close the set opened"; break;
    case FRAME_DISCARD: wanted = "a form to discard for the '#_'"; break;
    case FRAME_TAG: wanted = "a form for the tag"; break;
    case FRAME_META: wanted = "metadata for the '^'"; break;
    case FRAME_TARGET: wanted = "a form for the metadata"; break;
    case FRAME_SPACE: wanted = "a namespace for the '#:'"; break;
    case FRAME_SYMBOLIC: wanted = "Inf, -Inf or NaN for the '##'"; break;
    }
    size_t line, column;
    avout__edn_locate(reader->text, frame->open, &line, &column);
    snprintf(buffer, size, "%s at line %zu, column %zu", wanted, line, column);
}

avout_status avout__edn_fail_end(edn_reader *reader)
{
    char wanted[128];
    expected(reader, wanted, sizeof wanted);
    return avout__edn_fail(reader, AVOUT_ESYNTAX, reader->end, "the text ends: expected %s",
                           wanted);
}

avout_status avout__edn_fail_close(edn_reader *reader)
{
    char wanted[128];
    expected(reader, wanted, sizeof wanted);
    return avout__edn_fail(reader, AVOUT_ESYNTAX, reader->at, "unmatched '%c': expected %s",
                           *reader->at, wanted);
}

int avout__edn_shown(const char *at, const char *end)
{
    if (end - at <= 32) return (int)(end - at);
    int length = 32;
    while (length && ((unsigned char)at[length] & 0xc0) == 0x80) length--;
    return length;
}
