/* How the library's symbols are declared: exported, C linkage. Included by every public header. */
#ifndef AVOUT_API_H
#define AVOUT_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define AVOUT_API __attribute__((visibility("default")))
#define AVOUT_MUST_USE __attribute__((warn_unused_result))
#define AVOUT_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define AVOUT_API
#define AVOUT_MUST_USE
#define AVOUT_PRINTF(text, first)
#endif

#ifdef __cplusplus
#define AVOUT_BEGIN extern "C" {
#define AVOUT_END }
#else
#define AVOUT_BEGIN
#define AVOUT_END
#endif

#endif
