/* What both suites, of versioned and of unversioned containers, do alike: saying what is wrong, and the values
 * that have to come back as they were. */
#ifndef AVOUT_CONTAINER_CHECKS_H
#define AVOUT_CONTAINER_CHECKS_H

#include <avout/value.h>

enum { TIMEOUT_MS = 30000 };

typedef struct checks {
    int number, failures;
    char why[512]; /* of the check under way */
} checks;

/* False; says why, for the line that tells of the failure. */
bool checks_no(checks *at, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool checks_answers(checks *at, avout_status expected, avout_status got, const char *call);
/* Whether both print as the same text. */
bool checks_same(checks *at, avout_value written, avout_value read);
/* Hands values of all kinds to `comes_back`, one after the other, until one does not. */
bool checks_values(checks *at, bool (*comes_back)(void *payload, avout_value value), void *payload);
/* A megabyte, and one that is deep. */
bool checks_large_values(checks *at, bool (*comes_back)(void *payload, avout_value value),
                         void *payload);
/* The line of a check that has been made; begin it with checks_begin. */
void checks_begin(checks *at);
void checks_end(checks *at, const char *name, bool ok);

#endif
