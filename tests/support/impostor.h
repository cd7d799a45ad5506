/* What a server of another kind may answer, for tests/suites/database_faults.c. */
#ifndef TESTS_SUPPORT_IMPOSTOR_H
#define TESTS_SUPPORT_IMPOSTOR_H

#include <stddef.h>

typedef struct impostor_answer {
    const char *bytes;
    size_t length;
} impostor_answer;

#endif
