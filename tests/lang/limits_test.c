/* What a program in the language may take: steps, and depth. A thread alone, and much to compute: not for the thread
 * sanitizer. Test-tags: single */
#include "avout.h"
#include "support/lang.h"
#include "support/test.h"

static avout_lang *open_with(uint64_t steps)
{
    const avout_lang_options options = {.max_steps = steps};
    avout_lang *lang;
    CHECK_OK(avout_lang_open(&lang, &options));
    return lang;
}

TEST(steps_end_what_has_no_end)
{
    static const char *const endless[] = {
        "(loop [] (recur))",
        "((fn [] (recur)))",
        "(while true)",
        "(count (range))",
        "(reduce + (repeat 1))",
        "(doseq [x (cycle [1])] x)",
        "(sort (iterate inc 0))",
        "(str (range))",
        "(loop [s \"aa\"] (recur (str s s)))",
        "(loop [v [1]] (recur (into v v)))",
        "(loop [n 2N] (recur (* n n)))",
        "(range 100000000000)",
        "(vec (repeat 100000000000 1))",
        "(loop [] (try (throw (Exception. \"x\")) (catch Throwable e 1)) (recur))",
        "(loop [] (try (count (range)) (catch Throwable e 1) (finally 2)) (recur))",
        "(last (filter neg? (range)))",
        "(= (range) (range))",
        "(dotimes [i 100000000000] i)",
        "(clojure.string/join (repeat \"x\"))",
        "(apply + (range))",
        "(re-matches #\"(a+)+b\" (apply str (repeat 40 \\a)))",
        "(re-find #\"(x+x+)+y\" (apply str (repeat 40 \\x)))",
        "(into {} (map vector (range) (range)))",
    };
    avout_lang *lang = open_with(100000);
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++)
        test_fails(lang, AVOUT_ELIMIT, "", endless[i], NULL);
    test_answers(lang, "5", "(+ 2 3)");
    /* What must not be left undone has a few steps of its own, but once. */
    test_fails(lang, AVOUT_ELIMIT, "",
               "(def done 0) (try (loop [] (recur)) (finally (def done "
               "(reduce + (range 100)))))",
               NULL);
    test_answers(lang, "4950", "done");
    test_fails(lang, AVOUT_ELIMIT, "", "(try (loop [] (recur)) (finally (loop [] (recur))))", NULL);
    test_fails(lang, AVOUT_ELIMIT, "",
               "(defn f [n] (def done n) (try (loop [] (recur)) (finally (f (inc n))))) "
               "(f 0)",
               NULL);
    test_answers(lang, "1", "done");
    /* Steps that end within finally leave as much for the one around it. */
    test_fails(lang, AVOUT_ELIMIT, "",
               "(def done 0) (try (try 1 (finally (loop [] (recur)))) "
               "(finally (def done (reduce + (range 100)))))",
               NULL);
    test_answers(lang, "4950", "done");
    test_lang_close(lang);
}

TEST(depth_is_an_error_that_can_be_caught)
{
    avout_lang *lang = open_with(0);
    avout_lang_error error;
    /* Which form the stack ends in is not for us to say. */
    test_fails(lang, AVOUT_ELIMIT, "", "(defn f [n] (+ 1 (f (inc n)))) (f 0)", &error);
    CHECK_CONTAINS("nested too deeply", error.message);
    CHECK(error.line == 1 && error.form[0]);
    test_answers(lang, ":deep", "(try (f 0) (catch StackOverflowError e :deep))");
    test_answers(lang, "3000", "(defn g [n] (if (= n 0) 0 (inc (g (dec n))))) (g 3000)");
    test_answers(lang, "100000", "(loop [n 0] (if (< n 100000) (recur (inc n)) n))");
    static const char *const deep[] = {
        "(pr-str (reduce (fn [a _] [a]) [] (range 1000000)))",
        "(re-matches #\"(a|b)*\" (apply str (repeat 300000 \\a)))",
    };
    for (int i = 0; i < 2; i++) {
        test_fails(lang, AVOUT_ELIMIT, i ? "nested too deeply" : "", deep[i], &error);
        CHECK_TEXT(deep[i], error.form);
        CHECK(error.line == 1 && error.column == 1);
    }
    /* What is nested deep is released without recursion. */
    test_answers(lang, "1", "(do (reduce (fn [f _] (fn [] (f))) (fn [] 1) (range 300000)) 1)");
    test_answers(lang, "1", "(do (nth (iterate inc 0) 300000) 1)");
    test_answers(lang, "1", "(let [s (iterate inc 0)] (nth s 300000) 1)");
    test_lang_close(lang);
}
