/* What chance decides. The kernel's random numbers: nobody can foresee them. */
#include "lang/core.h"

#include <sys/random.h>

#include "base/banned.h"

static void fill(void *bytes, size_t size)
{
    /* Up to 256 bytes come whole or not at all. */
    while (getrandom(bytes, size, 0) != (ssize_t)size) {}
}

static uint64_t chance(void)
{
    uint64_t number;
    fill(&number, sizeof number);
    return number;
}

CORE(random_number)
{
    double most = 1, number = (double)(chance() >> 11) * 0x1p-53;
    avout_status status = count ? avout_value_to_float(&most, args[0]) : AVOUT_OK;
    if (status) return avout__lang_failed(run, status);
    return avout__lang_made(run, avout_float(number * most));
}

CORE(random_integer)
{
    int64_t most;
    if (!avout__lang_integer(run, "rand-int", &most, args[0])) return AVOUT_NONE;
    if (most <= 0) return avout_int(0);
    return avout__lang_made(run, avout_int((int64_t)(chance() % (uint64_t)most)));
}

/* Of version 4: RFC 9562, section 5.4. */
CORE(random_uuid)
{
    unsigned char b[16];
    char text[40];
    fill(b, sizeof b);
    b[6] = (unsigned char)(0x40 | (b[6] & 0x0f));
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
    snprintf(text, sizeof text,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
    return avout__lang_made(run, avout_tagged("uuid", avout_string(text)));
}

const lang_core avout__lang_chances[] = {
    {"rand", "n?", "a random number from 0 up to 1, or n", 0, 1, random_number, NULL},
    {"rand-int", "n", "a random integer from 0 up to n", 1, 1, random_integer, NULL},
    {"random-uuid", "", "a #uuid that nobody else will have", 0, 0, random_uuid, NULL},
    LANG_END,
};
