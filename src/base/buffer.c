#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

void avout__buffer_release(avout__buffer *buffer)
{
    avout__free(buffer->data);
    *buffer = (avout__buffer)AVOUT__BUFFER_INIT;
}

avout_status avout__buffer_reserve(avout__buffer *buffer, size_t more)
{
    size_t needed;
    if (__builtin_add_overflow(buffer->length, more, &needed) || needed == SIZE_MAX)
        return avout_fail(AVOUT_ENOMEM, "out of memory: %zu more bytes", more);
    return AVOUT__GROW(&buffer->data, &buffer->capacity, needed + 1);
}

avout_status avout__buffer_add(avout__buffer *buffer, const void *bytes, size_t length)
{
    avout_status status = avout__buffer_reserve(buffer, length);
    if (status) return status;
    AVOUT__ASSERT(buffer->data);
    if (length) memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
    return AVOUT_OK;
}

avout_status avout__buffer_add_text(avout__buffer *buffer, const char *text)
{
    return avout__buffer_add(buffer, text, strlen(text));
}

avout_status avout__buffer_add_char(avout__buffer *buffer, char c)
{
    return avout__buffer_add(buffer, &c, 1);
}

avout_status avout__buffer_add_format(avout__buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    avout_status status = length < 0 ? avout_fail(AVOUT_EINVAL, "bad format")
                                     : avout__buffer_reserve(buffer, (size_t)length);
    if (!status) {
        vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, again);
        buffer->length += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
    return status;
}

char *avout__buffer_take(avout__buffer *buffer)
{
    if (!buffer->data && avout__buffer_add(buffer, "", 0)) return NULL;
    char *data = buffer->data;
    *buffer = (avout__buffer)AVOUT__BUFFER_INIT;
    return data;
}
