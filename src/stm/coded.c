/* Atoms and refs with a codec of their own. A client has one container for each codec, however many cells
 * use it. */
#include "stm/handles.h"

#include "base/alloc.h"
#include "state/codec.h"
#include "base/banned.h"

static bool is_same(const avout_codec *one, const avout_codec *other)
{
    return one->encode == other->encode && one->decode == other->decode &&
           one->payload == other->payload;
}

/* Lock held. */
static avout__coded *find(const avout__stm *stm, const avout_codec *codec)
{
    avout__coded *coded = stm->coded;
    while (coded && !is_same(&coded->codec, codec)) coded = coded->next;
    return coded;
}

static avout_status container_of(const avout__container **container, avout__stm *stm,
                                 const avout_codec *codec)
{
    if (avout__codec_is_default(codec)) {
        *container = &avout__inline_container;
        return AVOUT_OK;
    }
    avout__coded *fresh;
    avout_status status = avout__stm_usable(stm);
    if (!status) status = avout__coded_new(&fresh, codec);
    if (status) return status;
    avout__stm_lock(stm);
    avout__coded *coded = find(stm, codec);
    if (!coded) {
        fresh->next = stm->coded;
        coded = stm->coded = fresh;
        fresh = NULL;
    }
    avout__stm_unlock(stm);
    avout__free(fresh);
    *container = &coded->is;
    return AVOUT_OK;
}

void avout__coded_free(avout__stm *stm)
{
    while (stm->coded) {
        avout__coded *next = stm->coded->next;
        avout__free(stm->coded);
        stm->coded = next;
    }
}

/* ---- opening ----------------------------------------------------------------------------------------- */

static avout_status open_coded(avout__handle **handle, avout__stm *stm, const char *name,
                               const avout_codec *codec)
{
    const avout__container *container;
    avout_status status = container_of(&container, stm, codec);
    return status ? status : avout__handle_open(handle, stm, name, container);
}

static avout_status create_coded(avout__handle **handle, avout__stm *stm, const char *name,
                                 const avout_codec *codec, avout_value initial, bool *created)
{
    const avout__container *container;
    avout_status status = container_of(&container, stm, codec);
    if (!status) return avout__handle_create(handle, stm, name, container, initial, false, created);
    avout_release(initial);
    return status;
}

avout_status avout_ref_open_coded(avout_ref **ref, avout_client *client, const char *name,
                                  const avout_codec *codec)
{
    avout__handle *handle;
    avout_status status = open_coded(&handle, client->stm, name, codec);
    if (!status) *ref = (avout_ref *)handle;
    return status;
}

avout_status avout_ref_create_coded(avout_ref **ref, avout_client *client, const char *name,
                                    const avout_codec *codec, avout_value initial, bool *created)
{
    avout__handle *handle;
    avout_status status = create_coded(&handle, client->stm, name, codec, initial, created);
    if (!status) *ref = (avout_ref *)handle;
    return status;
}

avout_status avout_atom_open_coded(avout_atom **atom, avout_client *client, const char *name,
                                   const avout_codec *codec)
{
    avout__handle *handle;
    avout_status status = open_coded(&handle, client->stm, name, codec);
    if (!status) *atom = (avout_atom *)handle;
    return status;
}

avout_status avout_atom_create_coded(avout_atom **atom, avout_client *client, const char *name,
                                     const avout_codec *codec, avout_value initial, bool *created)
{
    avout__handle *handle;
    avout_status status = create_coded(&handle, client->stm, name, codec, initial, created);
    if (!status) *atom = (avout_atom *)handle;
    return status;
}
