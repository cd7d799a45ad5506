/* Reads TAP, the lines a test program prints: "ok 1 name", "not ok 2 name", "ok 3 name # SKIP why",
 * and the plan "1..3", first or last. Everything else is talk. */
#ifndef TESTS_RUN_TAP_H
#define TESTS_RUN_TAP_H

typedef struct tap {
    int passed, failed, skipped;
    int planned; /* -1: no plan was seen */
} tap;

/* clang-format off */
#define TAP_INIT {0, 0, 0, -1}
/* clang-format on */

void tap_line(tap *counts, const char *line);
/* Results seen so far. */
int tap_seen(const tap *counts);

#endif
