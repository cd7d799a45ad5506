#include "common/instant.h"

#include <stdio.h>
#include <string.h>

enum { MS_A_DAY = 86400000, YEARS = 400, DAYS_IN_YEARS = 146097, MARCH_0000_TO_1970 = 719468 };

/* Days since 1970-01-01 in the Gregorian calendar, and back: years begin with March, so that the leap
 * day is the last; 400 of them have always the same number of days. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t era = (y >= 0 ? y : y - (YEARS - 1)) / YEARS, in_era = y - era * YEARS;
    int64_t in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t days = in_era * 365 + in_era / 4 - in_era / 100 + in_year;
    return era * DAYS_IN_YEARS + days - MARCH_0000_TO_1970;
}

static void date_of(int *year, int *month, int *day, int64_t days)
{
    days += MARCH_0000_TO_1970;
    int64_t era = (days >= 0 ? days : days - (DAYS_IN_YEARS - 1)) / DAYS_IN_YEARS;
    int64_t in_era = days - era * DAYS_IN_YEARS;
    int64_t y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * y + y / 4 - y / 100), m = (5 * in_year + 2) / 153;
    *day = (int)(in_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * YEARS + (*month <= 2));
}

/* Exactly `digits` of them. */
static bool take(int *number, const char **text, int digits)
{
    *number = 0;
    for (int i = 0; i < digits; i++, ++*text) {
        if (**text < '0' || **text > '9') return false;
        *number = *number * 10 + (**text - '0');
    }
    return true;
}

static bool skip(const char **text, char c)
{
    if (**text != c) return false;
    ++*text;
    return true;
}

static bool take_fraction(int *ms, const char **text)
{
    int unit = 100, digits = 0;
    *ms = 0;
    for (; **text >= '0' && **text <= '9'; ++*text, digits++, unit /= 10)
        *ms += (**text - '0') * unit;
    return digits > 0;
}

static bool take_offset(int *minutes, const char **text)
{
    int hours = 0, rest = 0;
    *minutes = 0;
    if (!**text || skip(text, 'Z')) return true;
    int sign = **text == '-' ? -1 : 1;
    if (!skip(text, '-') && !skip(text, '+')) return false;
    if (!take(&hours, text, 2) || !skip(text, ':') || !take(&rest, text, 2)) return false;
    *minutes = sign * (hours * 60 + rest);
    return true;
}

bool avout__plugin_instant_read(int64_t *ms, const char *text)
{
    int year, month = 1, day = 1, hour = 0, minute = 0, second = 0, fraction = 0, offset = 0;
    if (!take(&year, &text, 4)) return false;
    if (skip(&text, '-') && !take(&month, &text, 2)) return false;
    if (skip(&text, '-') && !take(&day, &text, 2)) return false;
    if (skip(&text, 'T')) {
        if (!take(&hour, &text, 2)) return false;
        if (skip(&text, ':') && !take(&minute, &text, 2)) return false;
        if (skip(&text, ':') && !take(&second, &text, 2)) return false;
        if (skip(&text, '.') && !take_fraction(&fraction, &text)) return false;
    }
    if (!take_offset(&offset, &text) || *text) return false;
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    int64_t seconds = (days_of(year, month, day) * 24 + hour) * 3600 + minute * 60 + second;
    *ms = (seconds - offset * 60) * 1000 + fraction;
    return true;
}

bool avout__plugin_instant_write(char text[AVOUT__PLUGIN_INSTANT_SIZE], int64_t ms)
{
    int64_t days = ms / MS_A_DAY - (ms % MS_A_DAY < 0);
    int in_day = (int)(ms - days * MS_A_DAY), year, month, day;
    if (days < -800000 || days > 3000000) return false;
    date_of(&year, &month, &day, days);
    if (year < 0 || year > 9999) return false;
    snprintf(text, AVOUT__PLUGIN_INSTANT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03d-00:00", year,
             month, day, in_day / 3600000, in_day / 60000 % 60, in_day / 1000 % 60, in_day % 1000);
    return true;
}
