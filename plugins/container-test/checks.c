#include "checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avout/edn.h>

enum { LARGE = 1 << 20, DEEP = 200 };

bool checks_no(checks *at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(at->why, sizeof at->why, format, arguments);
    va_end(arguments);
    return false;
}

bool checks_answers(checks *at, avout_status expected, avout_status got, const char *call)
{
    if (got == expected) return true;
    return checks_no(at, "%s answers %s (%s), not %s", call, avout_status_name(got),
                     got ? avout_error_detail() : "", avout_status_name(expected));
}

bool checks_same(checks *at, avout_value written, avout_value read)
{
    char *before = NULL, *after = NULL;
    bool ok = checks_answers(at, AVOUT_OK, avout_edn_text(&before, NULL, written), "printing") &&
              checks_answers(at, AVOUT_OK, avout_edn_text(&after, NULL, read), "printing");
    if (ok && strcmp(before, after))
        ok = checks_no(at, "%.60s is %.60s when it is read", before, after);
    avout_edn_free(before);
    avout_edn_free(after);
    return ok;
}

bool checks_values(checks *at, bool (*comes_back)(void *payload, avout_value value), void *payload)
{
    static const char *const texts[] = {"nil",
                                        "true",
                                        "false",
                                        "0",
                                        "-1",
                                        "9223372036854775807",
                                        "-9223372036854775808",
                                        "5N",
                                        "123456789012345678901234567890",
                                        "-123456789012345678901234567890N",
                                        "2/3",
                                        "1.0",
                                        "-0.0",
                                        "1.0E300",
                                        "4.9E-324",
                                        "0.1",
                                        "##Inf",
                                        "##-Inf",
                                        "1.0M",
                                        "1.00M",
                                        "1E+10M",
                                        "-0.001M",
                                        "\\a",
                                        "\\newline",
                                        "\\u03bb",
                                        "\"\"",
                                        "\"a \\\"quoted\\\" text\\n\"",
                                        "\"\\u0000 nul\"",
                                        "\"\xe2\x82\xac \xf0\x9f\x98\x80\"",
                                        "sym",
                                        "name.space/sym",
                                        ":key",
                                        ":name.space/key",
                                        "()",
                                        "[]",
                                        "{}",
                                        "#{}",
                                        "(1 2 3)",
                                        "[1 2 3]",
                                        "#{1 :a \"b\"}",
                                        "{:a 1, \"b\" [2 3], 4 #{}, nil nil, [1] {2 3}}",
                                        "{\"$set\" 1, \"a.b\" 2, \"\" 3, \"_id\" 4}",
                                        "#inst \"2020-01-02T03:04:05.678-00:00\"",
                                        "#uuid \"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"",
                                        "#some/tag [1 2]",
                                        "#avout/bytes \"AAH/\"",
                                        "#avout/state {:kind \"x\", :version \"y\"}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        avout_value value;
        if (avout_edn_read(&value, texts[i], strlen(texts[i]), NULL, NULL))
            return checks_no(at, "the suite's own %s: %s", texts[i], avout_error_detail());
        bool ok = comes_back(payload, value);
        avout_release(value);
        if (!ok) return false;
    }
    return true;
}

bool checks_large_values(checks *at, bool (*comes_back)(void *payload, avout_value value),
                         void *payload)
{
    char *text = malloc(LARGE);
    if (!text) return checks_no(at, "no memory");
    for (size_t i = 0; i < LARGE; i++) text[i] = (char)('a' + i % 26);
    avout_value large = avout_string_n(text, LARGE), deep = avout_vector(0, NULL);
    free(text);
    for (int i = 0; i < DEEP; i++) deep = avout_vector(1, &deep);
    bool ok = comes_back(payload, large) && comes_back(payload, deep);
    avout_release(large);
    avout_release(deep);
    return ok;
}

void checks_begin(checks *at)
{
    at->number++;
    at->why[0] = '\0';
}

void checks_end(checks *at, const char *name, bool ok)
{
    if (!ok) at->failures++;
    printf("%sok %d %s%s%s\n", ok ? "" : "not ", at->number, name, *at->why && !ok ? " # " : "",
           ok ? "" : at->why);
    fflush(stdout);
}
