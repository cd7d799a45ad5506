#include "seal.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { LENGTH = 43 };

#define SUM "%016llx"

/* FNV-1a. */
static uint64_t checksum(const char *text, size_t length)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    return hash;
}

uint64_t avout__http_random(void)
{
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, 0) == sizeof number) return number;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_nsec * UINT64_C(6364136223846793005) + (uint64_t)now.tv_sec;
}

/* ---- behind the text ------------------------------------------------------------------------------------- */

static void write_comment(char seal[LENGTH + 1], const char *text, size_t length, uint64_t number)
{
    snprintf(seal, LENGTH + 1, "\n; avout " SUM " " SUM "\n",
             (unsigned long long)checksum(text, length), (unsigned long long)number);
}

avout_status avout__http_seal_add(avout__plugin_text *text, uint64_t number)
{
    char seal[LENGTH + 1];
    write_comment(seal, text->bytes, text->length, number);
    return avout__plugin_add(seal, LENGTH, text);
}

bool avout__http_seal_check(size_t *length, const char *text, size_t all)
{
    char seal[LENGTH + 1];
    if (all <= LENGTH) return false;
    *length = all - LENGTH;
    write_comment(seal, text, *length, 0);
    /* All of it but the number at its end. */
    return !memcmp(text + *length, seal, LENGTH - 17) && text[all - 1] == '\n';
}

/* ---- beside the bytes ------------------------------------------------------------------------------------ */

void avout__http_seal_write(char seal[AVOUT__HTTP_SEAL_SIZE], const char *bytes, size_t length,
                            uint64_t number, const char *codec)
{
    snprintf(seal, AVOUT__HTTP_SEAL_SIZE, "avout " SUM " " SUM " %s\n",
             (unsigned long long)checksum(bytes, length), (unsigned long long)number, codec);
}

bool avout__http_seal_is_of(const char *seal, const char *bytes, size_t length)
{
    char codec[32], expected[AVOUT__HTTP_SEAL_SIZE];
    if (!avout__http_seal_codec(codec, seal)) return false;
    avout__http_seal_write(expected, bytes, length, 0, codec);
    return !strncmp(seal, expected, strlen("avout ") + 16);
}

bool avout__http_seal_codec(char codec[32], const char *seal)
{
    unsigned long long sum, number;
    char end, rest;
    return seal &&
           sscanf(seal, "avout %16llx %16llx %31[a-z0-9-]%c%c", &sum, &number, codec, &end,
                  &rest) == 4 &&
           end == '\n';
}
