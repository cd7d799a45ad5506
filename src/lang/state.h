/* Clients, atoms and refs as values of the language.
 *
 * A client belongs to the environment that opened it, or to the program (avout_lang_options.connect does
 * not own it either): it is closed when the environment is, on that thread, as it must not be closed
 * from its own callbacks. Handles may live longer and then answer AVOUT_ECLOSED.
 *
 * A watch or validator holds the environment, and often the identity it is on: the environment keeps a
 * list of all of them and takes them off before its clients are closed. */
#ifndef AVOUT_LANG_STATE_H
#define AVOUT_LANG_STATE_H

#include "avout/atom.h"
#include "avout/codec.h"
#include "avout/ref.h"
#include "lang/core.h"

typedef struct lang_client {
    lang_object object;
    avout_client *client; /* NULL: closed */
} lang_client;

/* An atom or a ref: one of the two. */
typedef struct lang_cell {
    lang_object object;
    avout_atom *atom;
    avout_ref *ref;
    avout_value client;    /* the box of its client */
    avout_value validator; /* under the environment's lock; the function, or AVOUT_NONE */
} lang_cell;

/* Where values are to be kept: what avout_container_open_coded takes, and avout_container_open_value. */
typedef struct lang_container {
    lang_object object;
    char *kind, *place;       /* the place may have a password in it: never shown */
    const avout_codec *codec; /* one of the library's: static */
    bool one;                 /* value, which is overwritten */
} lang_container;

avout_value avout__lang_new_container(lang_run *run, const char *kind, const char *place,
                                      const avout_codec *codec, bool one);
/* :edn, :json, :bytes; NULL: the error is set. */
const avout_codec *avout__lang_codec(lang_run *run, const char *function, avout_value value);
bool avout__lang_is_keyword(avout_value value, const char *name);

/* NULL: the error is set. */
avout_client *avout__lang_client(lang_run *run, const char *name, avout_value value);
lang_cell *avout__lang_cell(lang_run *run, const char *name, avout_value value);
bool avout__lang_is_client(avout_value value);
/* The one of (connect), opened when it is first needed; owned. */
avout_value avout__lang_default_client(lang_run *run);
/* The value now, in this transaction if one is running; owned. */
avout_value avout__lang_cell_value(lang_run *run, lang_cell *cell);
/* (f :validator g): sets it from the options behind the arguments. False: the error is set. */
bool avout__lang_set_validator(lang_run *run, avout_value cell, avout_value function);

void avout__lang_client_destroy(lang_client *client);
void avout__lang_cell_destroy(lang_cell *cell);
void avout__lang_container_destroy(lang_container *container);
/* Takes off all watches and validators, then closes the clients. */
void avout__lang_end_state(avout_lang *lang);

/* For watch.c: remembers what must be taken off at the end (`key` AVOUT_NONE: the validator). */
bool avout__lang_remember(lang_run *run, avout_value cell, avout_value key);

#endif
