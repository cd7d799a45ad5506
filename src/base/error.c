#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

enum { DETAIL_SIZE = 1024 };
static _Thread_local char detail[DETAIL_SIZE];

const char *avout_status_name(avout_status status)
{
    switch (status) {
#define CASE(name, number, text)                                                                   \
    case name: return #name;
        AVOUT_STATUS_LIST(CASE)
#undef CASE
    }
    return status > 0 ? "AVOUT_USER" : "AVOUT_?";
}

const char *avout_status_text(avout_status status)
{
    switch (status) {
#define CASE(name, number, text)                                                                   \
    case name: return text;
        AVOUT_STATUS_LIST(CASE)
#undef CASE
    }
    return status > 0 ? "error of the user's own function" : "unknown status";
}

const char *avout_error_detail(void)
{
    return detail;
}

avout_status avout_fail(avout_status status, const char *format, ...)
{
    /* The arguments may point into the old detail. */
    char text[DETAIL_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(detail, text, sizeof detail);
    return status;
}

avout_status avout__fail_text(avout_status status, const char *text)
{
    return avout_fail(status, "%s", text);
}

avout_status avout__fail_errno(avout_status status, int number, const char *format, ...)
{
    char what[DETAIL_SIZE - 160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    char reason[128];
    /* GNU's, which answers the text: in `reason` or elsewhere. */
    return avout_fail(status, "%s: %s", what, strerror_r(number, reason, sizeof reason));
}

void avout__error_clear(void)
{
    detail[0] = '\0';
}

void avout__assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "avout: internal error: %s does not hold (%s:%d)\n", condition, file, line);
    abort();
}
