/* Every case of tests/support/edn_cases.h against clojure.edn itself, and texts made at random: what
 * we print of them must be the same value to Clojure. Java runs once. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "avout/edn.h"
#include "support/edn_cases.h"
#include "support/edn_random.h"
#include "support/test.h"

#define JARS                                                                                       \
    "/usr/share/java/clojure.jar:/usr/share/java/spec.alpha.jar:"                                  \
    "/usr/share/java/core.specs.alpha.jar"

/* Lines come in as hexadecimal UTF-8. "R hex": read it, answer what pr-str makes of it, or "!".
 * "E hex hex": answer whether the two read as equal values with equal hashes. */
static const char script[] =
    "(require 'clojure.edn)\n"
    "(set! *print-namespace-maps* false)\n"
    "(defn unhex [s] (String. (byte-array (map (fn [[a b]] (unchecked-byte (Integer/parseInt (str "
    "a b) 16)))"
    " (partition 2 s))) \"UTF-8\"))\n"
    "(defn hex [s] (apply str (map #(format \"%02x\" (bit-and % 255)) (.getBytes s \"UTF-8\"))))\n"
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

static void put_hex(FILE *file, const char *text)
{
    for (; *text; text++) fprintf(file, "%02x", (unsigned char)*text);
}

static void take_hex(char *text, size_t size, const char *hex)
{
    size_t n = 0;
    unsigned byte;
    for (; n + 1 < size && sscanf(hex, "%2x", &byte) == 1; hex += 2) text[n++] = (char)byte;
    text[n] = '\0';
}

static char *printed(const char *text)
{
    avout_value value;
    char *out;
    CHECK_OK(avout_edn_read(&value, text, strlen(text), NULL, NULL));
    CHECK_OK(avout_edn_text(&out, NULL, value));
    avout_release(value);
    return out;
}

static FILE *run_clojure(const char *directory)
{
    static char answers[4096];
    char command[8192];
    FILE *file;
    snprintf(command, sizeof command, "%s/script.clj", directory);
    CHECK((file = fopen(command, "w")) && fputs(script, file) >= 0 && !fclose(file));
    snprintf(answers, sizeof answers, "%s/answers", directory);
    snprintf(command, sizeof command,
             "timeout 100 java -Xshare:auto -XX:TieredStopAtLevel=1 -Dfile.encoding=UTF-8 -cp " JARS
             " clojure.main %s/script.clj < %s/questions > %s",
             directory, directory, answers);
    CHECK_INT(0, system(command));
    CHECK((file = fopen(answers, "r")));
    return file;
}

static void ask(FILE *questions, char **made, size_t count)
{
    for (size_t i = 0; i < EDN_CASES; i++) {
        fputs("R ", questions);
        put_hex(questions, edn_cases[i].text);
        fputs("\n", questions);
    }
    for (size_t i = 0; i < count; i++) {
        char *ours = printed(made[i]);
        fputs("E ", questions);
        put_hex(questions, made[i]);
        fputs(" ", questions);
        put_hex(questions, ours);
        fputs("\n", questions);
        avout_edn_free(ours);
    }
}

TEST_WITHIN(clojure_reads_and_prints_alike, 120)
{
    enum { MADE = 800 };
    static char *made[MADE];
    if (access("/usr/share/java/clojure.jar", R_OK)) test_skip("no /usr/share/java/clojure.jar");
    if (system("java -version > /dev/null 2>&1")) test_skip("no java");
    char path[4096];
    const char *directory = test_directory();
    snprintf(path, sizeof path, "%s/questions", directory);
    FILE *questions = fopen(path, "w");
    CHECK(questions);
    edn_random random = {.seed = 20, .for_clojure = true};
    for (size_t i = 0; i < MADE; i++) made[i] = edn_random_text(&random);
    ask(questions, made, MADE);
    CHECK(!fclose(questions));
    FILE *answers = run_clojure(directory);
    static char line[1 << 16], text[1 << 15];
    int wrong = 0;
    for (size_t i = 0; i < EDN_CASES; i++) {
        const edn_case *one = &edn_cases[i];
        const char *expected = one->clojure ? one->clojure : one->printed;
        CHECK(fgets(line, sizeof line, answers));
        take_hex(text, sizeof text, line);
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
