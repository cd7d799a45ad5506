/* What core_text.c leaves to core_regex.c: replace and split by a regular expression. */
#ifndef AVOUT_LANG_CORE_TEXT_H
#define AVOUT_LANG_CORE_TEXT_H

#include "lang/core.h"

/* args: text, regex, a text with $1 or a function of the match. */
avout_value avout__lang_regex_replace(lang_run *run, const char *name, avout_value *args, bool all);
/* `most` parts; 0: any number, without empty ones at the end; < 0: all. */
avout_value avout__lang_regex_split(lang_run *run, avout_value text, avout_value regex,
                                    int64_t most);

#endif
