/* Clojure's side of the rows about values: the same loops on the JVM, in a child. */
#ifndef BENCH_CLOJURE_H
#define BENCH_CLOJURE_H

#include "measure.h"
#include "world.h"

/* Keys of the maps, and elements of a vector before a new one is begun. */
enum { VALUE_KEYS = 10000, VALUE_ELEMENTS = 100000 };

typedef struct clojure {
    child process;
    const char *loop; /* which one clojure_run runs: "conj", "assoc", "get", "conj!", "assoc!" */
} clojure;

/* False: Clojure or Java is not installed. */
bool clojure_start(clojure *c);
/* A side; payload: the clojure. */
uint64_t clojure_run(void *payload, double seconds);
void clojure_end(clojure *c);

#endif
