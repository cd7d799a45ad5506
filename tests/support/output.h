/* What this process prints, for a while, elsewhere. */
#ifndef TESTS_SUPPORT_OUTPUT_H
#define TESTS_SUPPORT_OUTPUT_H

#include <stddef.h>

typedef struct output {
    int out, err; /* the real ones; -1: not turned */
    int file;     /* -1: not kept */
} output;

/* The standard output to the standard error: lines that look like a test's and are none. */
output output_to_stderr(void);
/* Both are kept instead. */
output output_keep(void);
/* As before; how many bytes were kept. */
size_t output_back(output *turned);

#endif
