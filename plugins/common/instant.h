/* Points in time as EDN writes them (#inst "2020-01-02T03:04:05.678-00:00") and as milliseconds since
 * 1970 in UTC, for systems that have a type for them. */
#ifndef PLUGINS_COMMON_INSTANT_H
#define PLUGINS_COMMON_INSTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AVOUT__PLUGIN_INSTANT_SIZE = 48 };

/* What is finer than a millisecond is cut off. False: it is none. */
bool avout__plugin_instant_read(int64_t *ms, const char *text);

/* As Clojure prints it: "2020-01-02T03:04:05.678-00:00". False: the year does not have four digits. */
bool avout__plugin_instant_write(char text[AVOUT__PLUGIN_INSTANT_SIZE], int64_t ms);

#endif
