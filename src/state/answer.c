#include "state/answer.h"

#include <stdio.h>
#include <string.h>

#include "avout/options.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/banned.h"

bool avout__answer_is_word(const char *text, size_t max)
{
    size_t length = text ? strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") : 0;
    return length && length <= max && !text[length];
}

avout_status avout__answer_time(int64_t *timeout_ms, avout__asked asked, int64_t deadline_ns)
{
    int64_t left = avout__deadline_left_ms(deadline_ns);
    avout__error_clear();
    *timeout_ms = left == INT64_MAX ? AVOUT_FOREVER : left;
    return left > 0 ? AVOUT_OK : avout__answer_failed(AVOUT_ETIMEOUT, asked, "no time left");
}

static bool is_for_users(avout_status status)
{
    switch (status) {
    case AVOUT_ECONNECTION:
    case AVOUT_ETIMEOUT:
    case AVOUT_EAUTH:
    case AVOUT_EPERM:
    case AVOUT_ENOSPACE:
    case AVOUT_ELIMIT:
    case AVOUT_ENOPRINT:
    case AVOUT_EDATA:
    case AVOUT_EFORMAT:
    case AVOUT_ENOTSUP:
    case AVOUT_ESYSTEM:
    case AVOUT_ENOMEM:
    case AVOUT_EIO: return true;
    default: return false;
    }
}

avout_status avout__answer_failed(avout_status status, avout__asked asked, const char *doing)
{
    char why[512];
    const char *detail = avout_error_detail();
    snprintf(why, sizeof why, "%s", *detail ? detail : avout_status_text(status));
    if (status == AVOUT_UNKNOWN) status = avout__late();
    bool cancelled = status == AVOUT_ECANCELLED && avout__interrupted();
    if (!cancelled && !is_for_users(status)) status = AVOUT_EIO;
    return avout_fail(status, "%s: container %s at %s: %s: %s", asked.name, asked.kind, asked.place,
                      doing, why);
}

/* ---- tables --------------------------------------------------------------------------------------- */

avout_status avout__table_known(const avout__table *table, avout__table known)
{
    if (!table) return avout_fail(AVOUT_EINVAL, "container: NULL, or without a table");
    if (table->version == known.version && table->size == known.size) return AVOUT_OK;
    return avout_fail(
        AVOUT_EINVAL,
        "container: its table is of version %u and %u bytes, this library's of %u and %u",
        (unsigned)table->version, (unsigned)table->size, (unsigned)known.version,
        (unsigned)known.size);
}

avout_status avout__table_whole(const char *kind, bool slots, const char *place)
{
    if (!avout__answer_is_word(kind, AVOUT__KIND_MAX))
        return avout_fail(AVOUT_EINVAL, "container: its kind is not 1 to %d of [a-z0-9-]",
                          AVOUT__KIND_MAX);
    if (!slots)
        return avout_fail(AVOUT_EINVAL, "container %s: a slot that must be there is NULL", kind);
    if (!place) return avout_fail(AVOUT_EINVAL, "container %s: its place is NULL", kind);
    return AVOUT_OK;
}
