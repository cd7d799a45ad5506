/* What the functions of texts share: core_text.c, core_format.c, core_regex.c. */
#ifndef AVOUT_LANG_CORE_TEXT_H
#define AVOUT_LANG_CORE_TEXT_H

#include "lang/core.h"

/* False: no memory, the error is set. */
bool avout__lang_text_add(lang_run *run, avout__buffer *buffer, const char *text, size_t length);
/* Adds a value as str has it: nil is nothing, strings are themselves, numbers go without N and M. */
bool avout__lang_text_str(lang_run *run, avout__buffer *buffer, avout_value value);
/* The buffer's text as a string, if `fine`; the buffer is released. */
avout_value avout__lang_text_value(lang_run *run, avout__buffer *buffer, bool fine);
/* Code points before a byte; the byte where a code point begins, SIZE_MAX: behind the end. */
int64_t avout__lang_text_points(const char *text, size_t byte);
size_t avout__lang_text_offset(const char *text, size_t length, int64_t index);

/* args: text, regex, a text with $1 or a function of the match. */
avout_value avout__lang_regex_replace(lang_run *run, const char *name, avout_value *args, bool all);
/* `most` parts; 0: any number, without empty ones at the end; < 0: all. */
avout_value avout__lang_regex_split(lang_run *run, avout_value text, avout_value regex,
                                    int64_t most);

#endif
