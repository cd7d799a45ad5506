/* What all containers say and check in the same words. */
#ifndef PLUGINS_COMMON_WORDS_H
#define PLUGINS_COMMON_WORDS_H

#include <stddef.h>

#include <avout/sys/container.h>

/* How long the word of [a-z0-9-] is that the text begins with; 0: there is none, or one longer than `most`. */
size_t avout__plugin_word(const char *text, size_t most);
/* The same for a version's name. */
size_t avout__plugin_version(const char *text);

/* AVOUT_ENOMEM. */
avout_status avout__plugin_no_memory(void);

/* The value of a version's text, owned. AVOUT_EDATA with the place where it is none, AVOUT_ENOMEM. */
avout_status avout__plugin_read_edn(avout_value *value, const char *version, const char *text,
                                    size_t length);

#endif
