/* How functions of the table are written in C: what core_*.c share. */
#ifndef AVOUT_LANG_CORE_H
#define AVOUT_LANG_CORE_H

#include "lang/lang.h"

/* A function of the table. `args` are owned by the caller: lang_take what is to be kept. */
#define CORE(name)                                                                                 \
    static avout_value name(__attribute__((unused)) lang_run *run,                                 \
                            __attribute__((unused)) size_t count,                                  \
                            __attribute__((unused)) avout_value *args)

/* {"name", "arguments", "what it does", least, most, function} */
#define LANG_END                                                                                   \
    {                                                                                              \
        NULL, NULL, NULL, 0, 0, NULL, NULL                                                         \
    }
/* Functions of the table that are written in the language; the second kind is for others of it alone. */
#define IN_LANGUAGE(name, arguments, doc, source)                                                  \
    {                                                                                              \
        name, arguments, doc, 0, 0, NULL, source                                                   \
    }
#define HIDDEN(name, source) IN_LANGUAGE(name, "", "", source)

/* `value` if the status is 0, else the run's error and the value released. */
static inline avout_value lang_done(lang_run *run, avout_status status, avout_value value)
{
    if (!status) return value;
    avout__lang_failed(run, status);
    avout_release(value);
    return AVOUT_NONE;
}

/* False: the error is set. */
bool avout__lang_is_number(lang_run *run, const char *name, avout_value value);
bool avout__lang_integer(lang_run *run, const char *name, int64_t *number, avout_value value);
bool avout__lang_text_of(lang_run *run, const char *name, const char **text, size_t *length,
                         avout_value value);

/* A finite INT, BIGINT, FLOAT or DECIMAL in decimal: the digits, the first of them not 0, `point` of them before
 * the point (it may be left of the first, or behind the last). 0 has none. */
typedef struct lang_digits {
    bool negative;
    char *text; /* to be freed with avout__free; not terminated */
    size_t count;
    int64_t point;
} lang_digits;
/* False: the error is set, and nothing is to be freed. */
bool avout__lang_digits(lang_run *run, lang_digits *digits, avout_value value);

/* Long/MAX_VALUE, Math/PI and their like; *value is owned, AVOUT_NONE without memory. False: there is none of that
 * name. */
bool avout__lang_java_constant(avout_value *value, const char *name);

#endif
