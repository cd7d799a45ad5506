#include "stm/handles.h"

#include "base/alloc.h"
#include "stm/update.h"
#include "base/banned.h"

/* Hands the fresh handle out, or frees it. */
static avout_status hand_out(avout__handle **handle, avout__handle *fresh, avout_status status)
{
    if (status) {
        avout__free(fresh);
        return status;
    }
    avout__cell_hold(fresh->cell);
    *handle = fresh;
    return AVOUT_OK;
}

avout_status avout__handle_open(avout__handle **handle, avout__stm *stm, const char *name,
                                const avout__container *container)
{
    avout__handle *fresh = avout__alloc(sizeof *fresh);
    if (!fresh) return AVOUT_ENOMEM;
    return hand_out(handle, fresh, avout__update_open(&fresh->cell, stm, name, container));
}

avout_status avout__handle_create(avout__handle **handle, avout__stm *stm, const char *name,
                                  const avout__container *container, avout_value value, bool reset,
                                  bool *created)
{
    avout__handle *fresh = avout__alloc(sizeof *fresh);
    if (!fresh) {
        avout_release(value);
        return AVOUT_ENOMEM;
    }
    return hand_out(
        handle, fresh,
        avout__update_create(&fresh->cell, stm, name, container, value, reset, created));
}

avout_status avout__handle_held(avout__handle **handle, avout__stm *stm, const char *name,
                                avout__held *held)
{
    avout__handle *fresh = avout__alloc(sizeof *fresh);
    if (!fresh) return AVOUT_ENOMEM;
    return hand_out(handle, fresh, avout__cell_open(&fresh->cell, stm, name, &held->is));
}

avout_status avout__handle_local(avout__handle **handle, avout__stm *stm, avout_value initial)
{
    avout__handle *fresh = avout__alloc(sizeof *fresh);
    if (!fresh) {
        avout_release(initial);
        return AVOUT_ENOMEM;
    }
    return hand_out(handle, fresh, avout__cell_local(&fresh->cell, stm, initial));
}

void avout__handle_close(avout__handle *handle)
{
    avout__cell_let_go(handle->cell);
    avout__free(handle);
}
