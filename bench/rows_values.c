/* Persistent collections against Clojure's on the JVM: a vector of 100 000 numbers built by conj, a
 * map of 10 000 keywords built by assoc, and a get of each of them.
 *
 * Ours changes a collection in place when nobody else holds it. The first pair of rows keeps the
 * version before alive over each change, as the loop in Clojure does in effect, so that both sides
 * make a new version each time; the second pair lets ours change in place, against Clojure's
 * transients, which exist for that. */
#include "rows.h"

#include <math.h>
#include <string.h>

#include "clojure.h"
#include "report.h"
#include "world.h"

static avout_value keys[VALUE_KEYS];
static avout_value full_map;

static void keys_make(void)
{
    char name[32];
    full_map = avout_map(0, NULL);
    for (int i = 0; i < VALUE_KEYS; i++) {
        snprintf(name, sizeof name, "key%d", i);
        keys[i] = avout_keyword(name);
        need(avout_assoc(&full_map, avout_share(keys[i]), avout_int(1)), "assoc");
    }
}

static void keys_release(void)
{
    avout_release(full_map);
    for (int i = 0; i < VALUE_KEYS; i++) avout_release(keys[i]);
}

static uint64_t conj_round(bool shared)
{
    avout_value v = avout_vector(0, NULL);
    for (int i = 0; i < VALUE_ELEMENTS; i++) {
        avout_value before = shared ? avout_share(v) : AVOUT_NONE;
        need(avout_conj(&v, avout_int(i)), "conj");
        avout_release(before);
    }
    avout_release(v);
    return VALUE_ELEMENTS;
}

static uint64_t assoc_round(bool shared)
{
    avout_value m = avout_map(0, NULL);
    for (int i = 0; i < VALUE_KEYS; i++) {
        avout_value before = shared ? avout_share(m) : AVOUT_NONE;
        need(avout_assoc(&m, avout_share(keys[i]), avout_int(i)), "assoc");
        avout_release(before);
    }
    avout_release(m);
    return VALUE_KEYS;
}

static uint64_t get_round(void)
{
    uint64_t found = 0;
    for (int i = 0; i < VALUE_KEYS; i++)
        found += !avout_is_none(avout_value_get(full_map, keys[i]));
    return found;
}

static uint64_t one_round(const char *loop)
{
    bool shared = !strchr(loop, '!');
    if (!strncmp(loop, "conj", 4)) return conj_round(shared);
    if (!strncmp(loop, "assoc", 5)) return assoc_round(shared);
    return get_round();
}

static uint64_t rounds(void *payload, double seconds)
{
    uint64_t count = 0;
    for (double limit = seconds_now() + seconds; seconds_now() < limit;)
        count += one_round(*(const char **)payload);
    return count;
}

void row_values(bench *b)
{
    static const struct {
        const char *loop, *what;
    } loops[] = {
        {"conj", "vector conj, new versions / Clojure"},
        {"assoc", "map assoc, new versions / Clojure"},
        {"get", "map get / Clojure"},
        {"conj!", "vector conj, in place / Clojure's transient"},
        {"assoc!", "map assoc, in place / Clojure's transient"},
    };
    clojure c = {0};
    if (!clojure_start(&c)) {
        report_note("values: left out, Clojure is not installed (Debian's package `clojure`)");
        return;
    }
    keys_make();
    for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++) {
        const char *loop = c.loop = loops[i].loop;
        /* The JVM compiles what it has run long enough. */
        clojure_run(&c, 1);
        comparison pair =
            compare((side){clojure_run, &c}, (side){rounds, &loop}, b->seconds / 2, 0);
        report_latency("values", loops[i].what, &pair, 1);
    }
    keys_release();
    clojure_end(&c);
}
