/* Every case of tests/support/edn_cases.h against clojure.edn itself, and texts made at random: what
 * we print of them must be the same value to Clojure. Java runs once. */
#include <stdlib.h>

#include "avout/edn.h"
#include "support/clojure.h"
#include "support/edn_cases.h"
#include "support/edn_random.h"
#include "support/test.h"

/* Lines come in as hexadecimal UTF-8. "R hex": read it, answer what pr-str makes of it, or "!".
 * "E hex hex": answer whether the two read as equal values with equal hashes. */
static const char script[] =
    "(def options {:default tagged-literal :eof ::end})\n"
    "(defn read1 [s] (let [r (java.io.PushbackReader. (java.io.StringReader. s))"
    "                      v (clojure.edn/read options r)]"
    "  (when (= v ::end) (throw (Exception. \"empty\")))"
    "  (when-not (= ::end (clojure.edn/read options r)) (throw (Exception. \"more\")))"
    "  v))\n"
    "(doseq [line (line-seq (java.io.BufferedReader. *in*))]"
    "  (let [[op a b] (.split line \" \")]"
    "    (println (if (= op \"R\")"
    "      (try (hex (pr-str (read1 (unhex (or a \"\"))))) (catch Throwable e (hex \"!\")))"
    "      (try (let [x (read1 (unhex a)) y (read1 (unhex b))]"
    "             (if (and (= x y) (= (hash x) (hash y))) \"same\" \"differs\"))"
    "           (catch Throwable e (str \"fails: \" e)))))))\n";

static char *printed(const char *text)
{
    avout_value value;
    char *out;
    CHECK_OK(avout_edn_read(&value, text, strlen(text), NULL, NULL));
    CHECK_OK(avout_edn_text(&out, NULL, value));
    avout_release(value);
    return out;
}

static void ask(FILE *questions, char **made, size_t count)
{
    for (size_t i = 0; i < EDN_CASES; i++) {
        fputs("R ", questions);
        clojure_put_hex(questions, edn_cases[i].text);
        fputs("\n", questions);
    }
    for (size_t i = 0; i < count; i++) {
        char *ours = printed(made[i]);
        fputs("E ", questions);
        clojure_put_hex(questions, made[i]);
        fputs(" ", questions);
        clojure_put_hex(questions, ours);
        fputs("\n", questions);
        avout_edn_free(ours);
    }
}

TEST_WITHIN(clojure_reads_and_prints_alike, 120)
{
    enum { MADE = 800 };
    static char *made[MADE];
    FILE *questions = clojure_questions();
    edn_random random = {.seed = 20, .for_clojure = true};
    for (size_t i = 0; i < MADE; i++) made[i] = edn_random_text(&random);
    ask(questions, made, MADE);
    FILE *answers = clojure_answers(questions, script);
    static char line[1 << 16], text[1 << 15];
    int wrong = 0;
    for (size_t i = 0; i < EDN_CASES; i++) {
        const edn_case *one = &edn_cases[i];
        const char *expected = one->clojure ? one->clojure : one->printed;
        CHECK(fgets(line, sizeof line, answers));
        clojure_take_hex(text, sizeof text, line);
        if (strcmp(expected, "?") == 0 || strcmp(expected, text) == 0) continue;
        printf("# %s: Clojure makes %s of it, not %s\n", one->text, text, expected);
        wrong++;
    }
    for (size_t i = 0; i < MADE; i++) {
        CHECK(fgets(line, sizeof line, answers));
        if (strcmp(line, "same\n")) printf("# %s: %s", made[i], line), wrong++;
        free(made[i]);
    }
    fclose(answers);
    CHECK_INT(0, wrong);
}
