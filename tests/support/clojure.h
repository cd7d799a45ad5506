/* Asking Clojure itself: a script that answers each line of its input with one line, run once by the
 * java and the clojure.jar of Debian's packages. */
#ifndef TESTS_SUPPORT_CLOJURE_H
#define TESTS_SUPPORT_CLOJURE_H

#include <stdio.h>

/* Skips the test where Clojure cannot run. Else an empty file for the questions, a line each. */
FILE *clojure_questions(void);

/* Ends the questions and runs `script` over them; the answers, to be closed by the caller. Fails the
 * test when the script does not end well within 100 seconds. The script can call (hex text), and
 * (unhex text) for texts that a line cannot hold. */
FILE *clojure_answers(FILE *questions, const char *script);

void clojure_put_hex(FILE *file, const char *text);
/* What fits `size`, with a NUL behind. */
void clojure_take_hex(char *text, size_t size, const char *hex);

#endif
