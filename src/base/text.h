/* Texts: what tables find them by, what order they have. */
#ifndef AVOUT_BASE_TEXT_H
#define AVOUT_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* FNV-1a, for tables of names and paths: the program chooses those, not an enemy, and a crowded bucket is only
 * slow. */
static inline uint32_t avout__hash_text(const char *text, size_t length)
{
    uint32_t hash = UINT32_C(2166136261);
    for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)text[i]) * UINT32_C(16777619);
    return hash;
}

/* The same with 64 bits, from a basis that may be changed to have several of one text. */
#define AVOUT__HASH64_BASIS UINT64_C(14695981039346656037)
static inline uint64_t avout__hash64_text(uint64_t basis, const char *text, size_t length)
{
    uint64_t hash = basis;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    return hash;
}

/* For qsort, of arrays of texts. */
static inline int avout__by_text(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

#endif
