/* Texts of EDN at random, the same for the same seed. */
#ifndef TESTS_SUPPORT_EDN_RANDOM_H
#define TESTS_SUPPORT_EDN_RANDOM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct edn_random {
    uint64_t seed;
    bool
        for_clojure; /* without what Clojure cannot compare: NaN, characters beyond U+FFFF, bytes */
    FILE *out;
    unsigned serial; /* makes keys and elements different from one another */
} edn_random;

static inline uint64_t edn_random_next(edn_random *random)
{
    uint64_t z = random->seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline unsigned edn_random_below(edn_random *random, unsigned limit)
{
    return (unsigned)(edn_random_next(random) % limit);
}

static inline void edn_random_digits(edn_random *random, unsigned most)
{
    unsigned count = 1 + edn_random_below(random, most);
    fputc('1' + (int)edn_random_below(random, 9), random->out);
    while (--count) fputc('0' + (int)edn_random_below(random, 10), random->out);
}

static inline void edn_random_number(edn_random *random)
{
    FILE *out = random->out;
    double number;
    uint64_t bits;
    if (edn_random_below(random, 3) == 0) fputc("+-"[edn_random_below(random, 2)], out);
    switch (edn_random_below(random, 9)) {
    case 0: edn_random_digits(random, 30); break;
    case 1: edn_random_digits(random, 30), fputc('N', out); break;
    case 2: edn_random_digits(random, 25), fputc('/', out), edn_random_digits(random, 25); break;
    case 3: edn_random_digits(random, 20), fputc('.', out), edn_random_digits(random, 20); break;
    case 4:
        edn_random_digits(random, 20), fputc('.', out), edn_random_digits(random, 20);
        fprintf(out, "e%d", (int)edn_random_below(random, 700) - 350);
        break;
    case 5:
        edn_random_digits(random, 20), fputc('.', out), edn_random_digits(random, 20);
        fprintf(out, "e%dM", (int)edn_random_below(random, 60) - 30);
        break;
    case 6:
        do {
            bits = edn_random_next(random) & INT64_MAX;
            memcpy(&number, &bits, sizeof number);
        } while (!__builtin_isfinite(number));
        fprintf(out, "%.17e", number);
        break;
    case 7:
        fprintf(out,
                "0x%"
                "llx",
                (unsigned long long)edn_random_next(random));
        break;
    default: fprintf(out, "%u", edn_random_below(random, 1000)); break;
    }
}

static inline void edn_random_point(edn_random *random)
{
    static const char *const points[] = {"a",
                                         "b",
                                         "Z",
                                         "0",
                                         " ",
                                         "\\n",
                                         "\\\"",
                                         "\\\\",
                                         "\\t",
                                         "\\u00e9",
                                         "\xc3\xa9",
                                         "\xe2\x82\xac",
                                         "\\ud83d\\ude00",
                                         "\xf0\x9f\x98\x80",
                                         "'",
                                         ";",
                                         "\n",
                                         "\\101",
                                         "\\u0001",
                                         "a longer run of plain text",
                                         ","};
    fputs(points[edn_random_below(random, sizeof points / sizeof *points)], random->out);
}

static inline void edn_random_name(edn_random *random)
{
    static const char first[] = "abcxyzABC*+!-_?$%&=<>",
                      rest[] = "abcxyzABC*+!-_?$%&=<>0123456789.#'";
    if (edn_random_below(random, 4) == 0)
        fprintf(random->out, "n%u.x/", edn_random_below(random, 9));
    /* A letter in front, or it might be a number's sign. */
    fputc('k', random->out);
    fputc(first[edn_random_below(random, sizeof first - 1)], random->out);
    for (unsigned n = edn_random_below(random, 20); n; n--)
        fputc(rest[edn_random_below(random, sizeof rest - 1)], random->out);
}

static inline void edn_random_scalar(edn_random *random)
{
    static const char *const others[] = {"nil",
                                         "true",
                                         "false",
                                         "##Inf",
                                         "##-Inf",
                                         "\\a",
                                         "\\newline",
                                         "\\u03a9",
                                         "\\o101",
                                         "\\(",
                                         "\\space",
                                         "##NaN",
                                         "\\\xf0\x9f\x98\x80",
                                         "#avout/bytes \"AAECAwQ=\""};
    unsigned count = sizeof others / sizeof *others;
    FILE *out = random->out;
    switch (edn_random_below(random, 6)) {
    case 0: fputs(others[edn_random_below(random, count - 3u * random->for_clojure)], out); break;
    case 1:
    case 2: edn_random_number(random); break;
    case 3:
        fputc('"', out);
        for (unsigned n = edn_random_below(random, 12); n; n--) edn_random_point(random);
        fputc('"', out);
        break;
    case 4: fputc(':', out); /* fall through */
    default: edn_random_name(random); break;
    }
}

static inline void edn_random_space(edn_random *random)
{
    static const char *const spaces[] = {" ", " ", " ", ",", ", ", "\n", " ;c\n", " #_x ", "\t"};
    fputs(spaces[edn_random_below(random, sizeof spaces / sizeof *spaces)], random->out);
}

static inline void edn_random_form(edn_random *random, int depth)
{
    unsigned kind = depth > 0 ? edn_random_below(random, 9) : 8;
    /* Wide or deep, not both: sizes would explode. */
    unsigned count = edn_random_below(random, depth < 2 && !edn_random_below(random, 8) ? 45 : 5);
    FILE *out = random->out;
    switch (kind) {
    case 0:
    case 1:
    case 2: fputs(kind == 0 ? "(" : kind == 1 ? "[" : "#{", out); break;
    case 3:
    case 4: fputs("{", out); break;
    case 5:
        fprintf(out, "#my/tag%u ", count);
        edn_random_form(random, depth - 1);
        return;
    case 6: fputs("^:meta [", out); break;
    case 7: fputs("#:sp{", out); break;
    default: edn_random_scalar(random); return;
    }
    for (unsigned i = 0; i < count; i++) {
        edn_random_space(random);
        /* In a set or as a key: a vector with a number of its own around it is like no other. */
        bool distinct = kind == 2 || kind == 3 || kind == 4;
        if (kind == 7) fprintf(out, ":k%u ", random->serial++);
        else if (distinct) fprintf(out, "[%u ", random->serial++);
        if (kind != 7) edn_random_form(random, depth - 1);
        if (distinct) fputc(']', out);
        edn_random_space(random);
        if (kind == 3 || kind == 4 || kind == 7) edn_random_form(random, depth - 1);
    }
    edn_random_space(random);
    fputs(kind == 0 ? ")" : kind == 1 || kind == 6 ? "]" : "}", out);
}

/* To be freed. */
static inline char *edn_random_text(edn_random *random)
{
    char *text = NULL;
    size_t length;
    random->out = open_memstream(&text, &length);
    if (!random->out) abort();
    edn_random_space(random);
    edn_random_form(random, 4);
    edn_random_space(random);
    fclose(random->out);
    return text;
}

#endif
