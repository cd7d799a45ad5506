/* Seals: how it is known that what comes from a server is what was put there, all of it, and by which call. */
#ifndef PLUGINS_HTTP_SEAL_H
#define PLUGINS_HTTP_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/coded.h"

/* For names and numbers that are used once. */
uint64_t avout__http_random(void);

/* Behind EDN text: a comment. */
avout_status avout__http_seal_add(avout__plugin_text *text, uint64_t number);
/* *length: of the text without it. False: there is none, or it is not of this text. */
bool avout__http_seal_check(size_t *length, const char *text, size_t all);

/* A resource of its own for other bytes, which also says the name of their codec. */
enum { AVOUT__HTTP_SEAL_SIZE = 80 };
void avout__http_seal_write(char seal[AVOUT__HTTP_SEAL_SIZE], const char *bytes, size_t length,
                            uint64_t number, const char *codec);
/* Whether the resource (NULL: empty) is the seal of the bytes. */
bool avout__http_seal_is_of(const char *seal, const char *bytes, size_t length);
/* The codec's name in it; false: it is no seal. */
bool avout__http_seal_codec(char codec[32], const char *seal);

#endif
