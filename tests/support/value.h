/* Values in tests; what is wrong ends the test. */
#ifndef TESTS_SUPPORT_VALUE_H
#define TESTS_SUPPORT_VALUE_H

#include "avout/value.h"

/* Of its EDN text; owned. */
avout_value test_edn(const char *text);
/* The integer that it is; releases it. */
int64_t test_take_int(avout_value value);
/* Both print the same: more than that they are equal. */
void test_check_same(avout_value expected, avout_value value);

#endif
