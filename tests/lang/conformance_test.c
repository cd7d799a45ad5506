/* tests/lang/core.txt, form by form: our answers, and Clojure's own. Java runs once. */
#include <stdlib.h>

#include "avout/lang.h"
#include "avout/memory.h"
#include "support/clojure.h"
#include "support/test.h"

enum { MOST = 2000, SIZE = 4096 };

typedef struct one {
    char text[SIZE]; /* of the form; the others are in it */
    const char *ours;
    const char *clojure;
} one;

static one *cases;
static size_t case_count;

static void read_cases(void)
{
    FILE *file = fopen("tests/lang/core.txt", "r");
    CHECK(file && (cases = calloc(MOST, sizeof *cases)));
    while (case_count < MOST && fgets(cases[case_count].text, SIZE, file)) {
        one *c = &cases[case_count];
        c->text[strcspn(c->text, "\n")] = '\0';
        char *answer = strstr(c->text, " ;=> ");
        if (!answer || c->text[0] == ';') continue;
        *answer = '\0';
        c->ours = c->clojure = answer + 5;
        char *clojure = strstr(answer + 5, " ;clojure> ");
        if (clojure) {
            *clojure = '\0';
            c->clojure = clojure + 11;
        }
        case_count++;
    }
    fclose(file);
    CHECK(case_count > 1500);
}

/* The order of maps and sets is nobody's promise. */
static bool same(const char *a, const char *b)
{
    avout_value x, y;
    if (!strcmp(a, b)) return true;
    if (avout_edn_read(&x, a, strlen(a), NULL, NULL)) return false;
    bool equal = false;
    if (!avout_edn_read(&y, b, strlen(b), NULL, NULL)) {
        avout_type type = avout_value_type(x);
        equal = (type == AVOUT_TYPE_MAP || type == AVOUT_TYPE_SET) && avout_value_equal(x, y);
        avout_release(y);
    }
    avout_release(x);
    return equal;
}

/* NULL: an error. To be freed with avout_edn_free. */
static char *answer(const char *text)
{
    avout_lang *lang;
    avout_value value;
    char *printed = NULL;
    const avout_lang_options options = {.max_steps = 3000000};
    avout_lang_error error;
    CHECK_OK(avout_lang_open(&lang, &options));
    if (!avout_lang_eval(&value, lang, text, strlen(text), &error)) {
        CHECK_OK(avout_lang_text(&printed, NULL, lang, value));
        avout_release(value);
    } else {
        CHECK(error.message[0] && error.line == 1 && error.column >= 1);
    }
    avout_lang_close(lang);
    return printed;
}

TEST(every_form_answers_as_the_file_says)
{
    int wrong = 0;
    read_cases();
    for (size_t i = 0; i < case_count; i++) {
        char *got = answer(cases[i].text);
        const char *shown = got ? got : "!";
        if (!same(cases[i].ours, shown))
            printf("# %s: %s, not %s\n", cases[i].text, shown, cases[i].ours), wrong++;
        avout_edn_free(got);
        CHECK_INT(0, avout_memory_blocks());
    }
    CHECK_INT(0, wrong);
}

static const char script[] =
    "(require '[clojure.string :as str] '[clojure.set :as set])\n"
    "(doseq [line (line-seq (java.io.BufferedReader. *in*))]"
    "  (println (try (.replace (pr-str (binding [*ns* (the-ns 'user)] (eval (read-string line))))"
    "                          \"\\n\" \"\\\\n\")"
    "                (catch Throwable e \"!\"))))\n"
    /* Or Java waits a minute for the threads of futures. */
    "(shutdown-agents)\n";

TEST_WITHIN(clojure_answers_as_the_file_says, 120)
{
    static char line[1 << 14];
    int wrong = 0;
    FILE *questions = clojure_questions();
    read_cases();
    for (size_t i = 0; i < case_count; i++) fprintf(questions, "%s\n", cases[i].text);
    FILE *answers = clojure_answers(questions, script);
    for (size_t i = 0; i < case_count; i++) {
        CHECK(fgets(line, sizeof line, answers));
        line[strcspn(line, "\n")] = '\0';
        if (same(cases[i].clojure, line)) continue;
        printf("# %s: Clojure answers %s, not %s\n", cases[i].text, line, cases[i].clojure);
        wrong++;
    }
    fclose(answers);
    CHECK_INT(0, wrong);
}
