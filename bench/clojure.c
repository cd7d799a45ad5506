#include "clojure.h"

#include <stdlib.h>
#include <unistd.h>

static char jars[] = "/usr/share/java/clojure.jar:/usr/share/java/spec.alpha.jar:"
                     "/usr/share/java/core.specs.alpha.jar";

/* A loop runs whole rounds until its time is over, and answers how many operations those were. */
static char program[] =
    "(set! *unchecked-math* true)"
    "(def ks (object-array (map #(keyword (str \"key\" %)) (range 10000))))"
    "(def full (into {} (map #(vector % 1) (seq ks))))"
    "(defn conj-round ^long []"
    "  (loop [v [] i 0] (if (< i 100000) (recur (conj v i) (inc i)) (long (count v)))))"
    "(defn conj!-round ^long []"
    "  (loop [v (transient []) i 0]"
    "    (if (< i 100000) (recur (conj! v i) (inc i)) (long (count (persistent! v))))))"
    "(defn assoc-round ^long []"
    "  (let [^objects ks ks]"
    "    (loop [m {} i 0]"
    "      (if (< i 10000) (recur (assoc m (aget ks i) i) (inc i)) (long (count m))))))"
    "(defn assoc!-round ^long []"
    "  (let [^objects ks ks]"
    "    (loop [m (transient {}) i 0]"
    "      (if (< i 10000) (recur (assoc! m (aget ks i) i) (inc i))"
    "        (long (count (persistent! m)))))))"
    "(defn get-round ^long []"
    "  (let [^objects ks ks m full]"
    "    (loop [n 0 i 0]"
    "      (if (< i 10000) (recur (if (nil? (get m (aget ks i))) n (inc n)) (inc i)) n))))"
    "(def rounds {\"conj\" conj-round \"conj!\" conj!-round \"assoc\" assoc-round"
    "             \"assoc!\" assoc!-round \"get\" get-round})"
    "(defn run [f seconds]"
    "  (let [limit (+ (System/nanoTime) (long (* seconds 1e9)))]"
    "    (loop [n 0] (let [n (+ n (long (f)))]"
    "      (if (< (System/nanoTime) limit) (recur n) n)))))"
    "(println \"ready\") (flush)"
    "(loop []"
    "  (when-let [line (read-line)]"
    "    (let [[which seconds] (.split ^String line \" \")]"
    "      (println (run (rounds which) (Double/parseDouble seconds)))"
    "      (flush) (recur))))";

bool clojure_start(clojure *c)
{
    char line[64];
    if (access("/usr/share/java/clojure.jar", R_OK) || system("command -v java >/dev/null 2>&1"))
        return false;
    char *arguments[] = {"java",  "-Xms512m", "-Xmx1g",       "-XX:-UsePerfData",
                         "-cp",   jars,       "clojure.main", "-e",
                         program, NULL};
    c->process = child_start(arguments, NULL);
    /* -e prints what each form evaluates to. */
    do child_hear(&c->process, line, sizeof line);
    while (line[0] != 'r');
    return true;
}

uint64_t clojure_run(void *payload, double seconds)
{
    clojure *c = payload;
    char line[64];
    snprintf(line, sizeof line, "%s %.6f", c->loop, seconds);
    child_tell(&c->process, line);
    child_hear(&c->process, line, sizeof line);
    return strtoull(line, NULL, 10);
}

void clojure_end(clojure *c)
{
    child_end(&c->process);
}
