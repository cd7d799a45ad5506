#include "edn/writer.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

avout_status avout__edn_writer_init(edn_writer *writer)
{
    enum { FIRST = 256 };
    *writer = (edn_writer){.capacity = FIRST, .limit = SIZE_MAX};
    writer->start = avout__alloc(FIRST);
    if (!writer->start) return AVOUT_ENOMEM;
    writer->at = writer->start;
    writer->end = writer->start + FIRST;
    return AVOUT_OK;
}

void avout__edn_writer_release(edn_writer *writer)
{
    avout__free(writer->start);
    *writer = (edn_writer){0};
}

void avout__edn_writer_restart(edn_writer *writer, size_t limit)
{
    writer->limit = limit;
    writer->at = writer->start;
    writer->end = writer->start + (limit < writer->capacity ? limit : writer->capacity);
}

avout_status avout__edn_writer_take(edn_writer *writer, char **text, size_t *length)
{
    avout_status status = edn_write_char(writer, '\0');
    if (status) return status;
    if (length) *length = (size_t)(writer->at - writer->start) - 1;
    *text = writer->start;
    *writer = (edn_writer){0};
    return AVOUT_OK;
}

void avout__edn_writer_init_sink(edn_writer *writer, char *buffer, size_t size, avout_edn_sink sink,
                                 void *payload)
{
    *writer = (edn_writer){buffer, buffer + size, buffer, sink, payload, size, SIZE_MAX};
}

avout_status avout__edn_writer_flush(edn_writer *writer)
{
    if (writer->at == writer->start) return AVOUT_OK;
    size_t length = (size_t)(writer->at - writer->start);
    writer->at = writer->start;
    return writer->sink(writer->start, length, writer->payload);
}

avout_status avout__edn_writer_more(edn_writer *writer, size_t size)
{
    if (writer->sink) {
        AVOUT__DEBUG_ASSERT(size <= writer->capacity);
        return avout__edn_writer_flush(writer);
    }
    size_t used = (size_t)(writer->at - writer->start);
    if (writer->limit - used < size) return EDN_FULL;
    if (AVOUT__GROW(&writer->start, &writer->capacity, used + size)) return AVOUT_ENOMEM;
    size_t usable = writer->limit < writer->capacity ? writer->limit : writer->capacity;
    writer->at = writer->start + used;
    writer->end = writer->start + usable;
    return AVOUT_OK;
}

avout_status avout__edn_write_long(edn_writer *writer, const char *text, size_t length)
{
    while (length) {
        size_t piece = length < EDN_PIECE ? length : EDN_PIECE;
        avout_status status = edn_room(writer, piece);
        if (status) return status;
        memcpy(writer->at, text, piece);
        writer->at += piece;
        text += piece;
        length -= piece;
    }
    return AVOUT_OK;
}

void avout__edn_stack_init(edn_stack *stack)
{
    stack->frames = stack->few;
    stack->depth = 0;
    stack->capacity = EDN_FEW_OPEN;
}

void avout__edn_stack_release(edn_stack *stack)
{
    if (stack->frames != stack->few) avout__free(stack->frames);
}

edn_open *avout__edn_stack_push(edn_stack *stack, avout_value collection, avout_type type)
{
    if (stack->depth == stack->capacity &&
        AVOUT__GROW_OUT(&stack->frames, stack->few, &stack->capacity))
        return NULL;
    edn_open *frame = &stack->frames[stack->depth++];
    frame->iterator = avout_value_iterate(collection);
    frame->type = type;
    frame->in_key = false;
    frame->count = 0;
    return frame;
}
