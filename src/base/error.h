/* The detail of the thread's last error (avout_fail, avout_error_detail in avout/status.h). */
#ifndef AVOUT_BASE_ERROR_H
#define AVOUT_BASE_ERROR_H

#include "avout/status.h"

/* avout_fail for text that is not a format. Returns status. */
avout_status avout__fail_text(avout_status status, const char *text);

/* Sets "<what>: <strerror(number)>". Returns status. */
avout_status avout__fail_errno(avout_status status, int number, const char *format, ...)
    AVOUT_PRINTF(3, 4);

/* Clears the thread's detail; for threads that serve many callers. */
void avout__error_clear(void);

/* For our own mistakes, not the world's: on in every build. */
#define AVOUT__ASSERT(condition)                                                                   \
    ((condition) ? (void)0 : avout__assert_failed(#condition, __FILE__, __LINE__))
#if defined(AVOUT_DEBUG)
#define AVOUT__DEBUG_ASSERT(condition) AVOUT__ASSERT(condition)
#else
#define AVOUT__DEBUG_ASSERT(condition) ((void)0)
#endif
_Noreturn void avout__assert_failed(const char *condition, const char *file, int line);

#endif
