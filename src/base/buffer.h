/* A growing run of bytes that is always followed by a NUL (outside its length). */
#ifndef AVOUT_BASE_BUFFER_H
#define AVOUT_BASE_BUFFER_H

#include "avout/status.h"

typedef struct avout__buffer {
    char *data; /* NULL while nothing was ever added */
    size_t length;
    size_t capacity;
} avout__buffer;

/* clang-format off */
#define AVOUT__BUFFER_INIT {0}
/* clang-format on */

void avout__buffer_release(avout__buffer *buffer);
avout_status avout__buffer_reserve(avout__buffer *buffer, size_t more);
avout_status avout__buffer_add(avout__buffer *buffer, const void *bytes, size_t length);
avout_status avout__buffer_add_text(avout__buffer *buffer, const char *text);
avout_status avout__buffer_add_char(avout__buffer *buffer, char c);
avout_status avout__buffer_add_format(avout__buffer *buffer, const char *format, ...)
    AVOUT_PRINTF(2, 3);
/* Hands the bytes (NUL-terminated, to be freed with avout__free) to the caller; empties the buffer.
 * NULL when there is no memory for even the NUL. */
char *avout__buffer_take(avout__buffer *buffer);

#endif
