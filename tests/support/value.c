#include "support/value.h"

#include "avout/edn.h"
#include "support/test.h"

avout_value test_edn(const char *text)
{
    avout_value value;
    CHECK_OK(avout_edn_read(&value, text, strlen(text), NULL, NULL));
    return value;
}

int64_t test_take_int(avout_value value)
{
    int64_t number;
    CHECK_OK(avout_value_to_int(&number, value));
    avout_release(value);
    return number;
}

void test_check_same(avout_value expected, avout_value value)
{
    char *one, *other;
    CHECK_OK(avout_edn_text(&one, NULL, expected));
    CHECK_OK(avout_edn_text(&other, NULL, value));
    if (strcmp(one, other)) test_failed(__FILE__, __LINE__, "%.200s is %.200s", one, other);
    avout_edn_free(one);
    avout_edn_free(other);
}
