/* Codecs: how the values of an atom or ref become the bytes that lie in the store, for those that programs
 * without this library are to read or write. Everything else stays as it is; a codec is chosen when a name
 * is opened, and everybody who opens it has to choose the same: the store does not know it.
 *
 *     avout_ref *config;
 *     avout_status st = avout_ref_create_coded(&config, client, "/config", avout_codec_json(),
 *                                              avout_map(0, NULL), NULL);
 *
 * A value that a codec cannot bring back as it was is refused when it is committed (AVOUT_ENOPRINT), bytes
 * that it cannot read answer AVOUT_EDATA until somebody sets a value. */
#ifndef AVOUT_CODEC_H
#define AVOUT_CODEC_H

#include "atom.h"
#include "distributed.h"
#include "edn.h"
#include "ref.h"

AVOUT_BEGIN

/* Both functions are called on any thread that reads or commits, several at a time, without locks of the
 * library's, perhaps more often than values change; they do not block for long. What decode makes of
 * what encode wrote must be equal to the value. Details are set with avout_fail. */
typedef struct avout_codec {
    const char *name; /* for messages: 1 to 31 of [a-z0-9-] */
    /* Hands the bytes of `value` (borrowed) to `add`, in pieces, and answers what that answers.
     * AVOUT_ENOPRINT: it has none. */
    avout_status (*encode)(avout_value value, avout_edn_sink add, void *to, void *payload);
    /* *value, owned. AVOUT_EDATA: the bytes are none of this codec's; AVOUT_ENOMEM. */
    avout_status (*decode)(avout_value *value, const char *bytes, size_t length, void *payload);
    void *payload;
} avout_codec;

/* The default: EDN text. */
AVOUT_API const avout_codec *avout_codec_edn(void);
/* JSON text: nil, booleans, integers, finite floats, strings, vectors, and maps whose keys are strings.
 * Integers have no limit here, though many readers take those beyond 2^53 for doubles. */
AVOUT_API const avout_codec *avout_codec_json(void);
/* The bytes of byte strings (avout_bytes), nothing else. */
AVOUT_API const avout_codec *avout_codec_bytes(void);

/* The one of these three with that name: "edn", "json", "bytes"; NULL: there is none. For programs that are told it at
 * run time. */
AVOUT_API const avout_codec *avout_codec_named(const char *name);

/* As avout_ref_open and avout_ref_create, with a codec; its struct is copied, its name and payload must stay
 * until the client is closed. AVOUT_EINVAL (the codec), AVOUT_ESTATE (the client has the name open in
 * another way). */
AVOUT_API avout_status avout_ref_open_coded(avout_ref **ref, avout_client *client, const char *name,
                                            const avout_codec *codec);
AVOUT_API avout_status avout_ref_create_coded(avout_ref **ref, avout_client *client,
                                              const char *name, const avout_codec *codec,
                                              avout_value initial, bool *created);
AVOUT_API avout_status avout_atom_open_coded(avout_atom **atom, avout_client *client,
                                             const char *name, const avout_codec *codec);
AVOUT_API avout_status avout_atom_create_coded(avout_atom **atom, avout_client *client,
                                               const char *name, const avout_codec *codec,
                                               avout_value initial, bool *created);

/* ---- containers with a codec, by the names of their kinds ---------------------------------------- */

/* As avout_container_open, with a codec, which the container copies (its name and payload must stay as long as
 * the container): calls avout_KIND_container_coded(container, place, codec). NULL and avout_codec_edn() are what
 * avout_container_open does. AVOUT_ENOTSUP also: containers of that kind take none (mongo, postgres). */
AVOUT_API avout_status avout_container_open_coded(avout_versioned_container **container,
                                                  const char *kind, const char *place,
                                                  const avout_codec *codec);
/* The same for a container of one value, to be handed to avout_unversioned_atom (distributed.h): calls
 * avout_KIND_value_container(container, place, codec); NULL: EDN. AVOUT_ENOTSUP also: there are none of that kind. */
AVOUT_API avout_status avout_container_open_value(avout_container **container, const char *kind,
                                                  const char *place, const avout_codec *codec);

AVOUT_END

#endif
