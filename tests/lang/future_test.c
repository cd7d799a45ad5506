/* Futures, promises and delays. Test-tags: threads */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "avout.h"
#include "support/lang.h"
#include "support/test.h"

static const char store[] = "mem:lang-futures";

/* Whoever comes first makes an element; one that is another sequence is followed by all at the same time. */
TEST(threads_walk_one_sequence)
{
    avout_lang *lang = test_lang(store);
    test_answers(lang, "[true 100 4950]",
                 "(let [s (mapcat (fn [x] (if (zero? (rem x 50)) [x] [])) "
                 "(take-while (fn [x] (< x 5000)) (range))) "
                 "all (mapv deref (mapv (fn [_] (future (vec s))) (range 4)))] "
                 "[(apply = all) (count (first all)) (last s)])");
    test_lang_close(lang);
}

TEST(a_future_has_its_value_when_it_is_there)
{
    avout_lang *lang = test_lang(store);
    test_answers(lang, "3", "@(future (+ 1 2))");
    test_answers(lang, "nil", "@(future)");
    test_answers(lang, "[:late 5 5]",
                 "(let [p (promise) f (future @p 5)] [(deref f 1 :late) (do (deliver p 1) (deref f "
                 "60000 :late)) @f])");
    test_answers(lang, "[false true true true]",
                 "(let [p (promise) f (future @p) a (future-done? f)] (deliver p 1) @f "
                 "[a (future-done? f) (realized? f) (future? f)])");
    test_answers(lang, "499500", "(reduce + (map deref (mapv (fn [n] (future n)) (range 1000))))");
    test_answers(lang, "[42 #future]", "[@(future-call (fn [] 42)) (future 1)]");
    /* It sees what is defined, and the locals around it. */
    test_answers(lang, "[1 2]", "(def x 1) (let [y 2] @(future [x y]))");
    test_answers(lang, "[0 1 2 3 4 5]",
                 "((fn f [n] (if (zero? n) [0] (conj @(future (f (dec n))) n))) 5)");
    test_lang_close(lang);
}

TEST(errors_come_out_at_deref)
{
    avout_lang *lang = test_lang(store);
    avout_lang_error error;
    test_fails(lang, AVOUT_EDIVZERO, "division by zero", "(def f (future\n  (/ 1 0)))\n@f", &error);
    CHECK_INT(2, error.line);
    CHECK_INT(3, error.column);
    CHECK_TEXT("(/ 1 0)", error.form);
    test_answers(lang, "[:around \"div: division by zero\" true true]",
                 "[(try @f (catch ArithmeticException e :itself) (catch "
                 "java.util.concurrent.ExecutionException e :around)) (try @f (catch Exception e "
                 "(ex-message (ex-cause e)))) (future-done? f) (realized? f)]");
    test_answers(lang, "[nil {:a 1}]",
                 "(try @(future (throw (ex-info \"no\" {:a 1}))) (catch Exception e [(ex-data e) "
                 "(ex-data (ex-cause e))]))");
    test_fails(lang, AVOUT_ETYPE, "deref: expected", "@5", NULL);
    test_fails(lang, AVOUT_ETYPE, "deref: expected a promise or future", "(deref #'f 1 2)", NULL);
    test_fails(lang, AVOUT_EINVAL, "deref", "(deref (promise) 1)", NULL);
    test_fails(lang, AVOUT_ETYPE, "deref", "(deref (promise) :a 1)", NULL);
    test_fails(lang, AVOUT_ETYPE, "deliver: expected a promise", "(deliver 1 2)", NULL);
    test_fails(lang, AVOUT_ETYPE, "future-cancel: expected a future", "(future-cancel 1)", NULL);
    test_fails(lang, AVOUT_ETYPE, "realized?", "(realized? 1)", NULL);
    test_lang_close(lang);
}

TEST(a_promise_is_delivered_once)
{
    avout_lang *lang = test_lang(store);
    test_answers(lang, "[false :late #promise nil true 5 5]",
                 "(let [p (promise)] [(realized? p) (deref p 1 :late) (deliver p 5) (deliver p 6) "
                 "(realized? p) @p (deref p 1 :late)])");
    test_answers(lang, "[1 1 1 1]",
                 "(let [p (promise) fs (mapv (fn [_] (future @p)) (range 4))] (deliver p 1) (mapv "
                 "deref fs))");
    /* What holds itself is gone with the environment. */
    test_answers(lang, "1",
                 "(let [p (promise) q (promise)] (deliver p [q (fn [] p)]) (deliver q (delay "
                 "@p)) 1)");
    test_answers(lang, "1", "(let [p (promise)] (deliver p (future @p)) 1)");
    test_lang_close(lang);
}

TEST(a_delay_is_made_once)
{
    avout_lang *lang = test_lang(store);
    test_answers(lang, "[false [1 1] true true 5]",
                 "(let [a (local-ref (connect) 0) d (delay (dosync!! (connect) (alter!! a inc)))] "
                 "[(realized? d) [@d (force d)] (realized? d) (delay? d) (force 5)])");
    test_answers(lang, "[[7 7 7 7] 1]",
                 "(let [a (local-ref (connect) 0) d (delay (dosync!! (connect) (alter!! a inc)) "
                 "(Thread/sleep 10) 7) fs (mapv (fn [_] (future @d)) (range 4))] "
                 "[(mapv deref fs) @a])");
    test_answers(lang, "[\"x\" \"x\" 1]",
                 "(let [a (local-ref (connect) 0) d (delay (dosync!! (connect) (alter!! a inc)) "
                 "(throw (Exception. \"x\"))) t #(try @d (catch Exception e (ex-message e)))] "
                 "[(t) (t) @a])");
    test_fails(lang, AVOUT_ESTATE, "its own value",
               "(let [p (promise) d (delay @@p)] (deliver p d) @d)", NULL);
    test_lang_close(lang);
}

TEST(a_future_can_be_cancelled_wherever_it_is)
{
    avout_lang *lang = test_lang(store);
    test_answers(
        lang, "1",
        "(def client (connect)) (def done (local-ref client [])) (def lock (distributed-lock "
        "client)) (def never (promise)) (defn add [x] (dosync!! client (alter!! done conj x))) "
        "(defn check [f] (let [c (future-cancel f)] [c (future-cancel f) (future-done? f) "
        "(future-cancelled? f) (try @f (catch java.util.concurrent.CancellationException e "
        "(ex-message e)))])) 1");
    static const char *const waits[] = {
        "(Thread/sleep 1000000)", "@never",           "(deref never 1000000 1)",    "(.lock lock)",
        "(loop [] (recur))",      "@(future @never)", "(dosync!! client (retry!!))"};
    test_answers(lang, "nil", "(.lock lock)");
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        char text[400];
        snprintf(
            text, sizeof text,
            "(let [p (promise) f (future (try (deliver p 1) %s (catch Throwable e (add :caught)) "
            "(finally (add :finally))))] @p (check f))",
            waits[i]);
        test_answers(lang, "[true false true true \"the future was cancelled\"]", text);
        char count[40];
        snprintf(count, sizeof count, "%zu", i + 1);
        test_comes(lang, count, "(count @done)");
    }
    test_answers(lang, "#{:finally}", "(set @done)");
    test_answers(lang, "[7 false false]",
                 "(let [f (future 7)] [@f (future-cancel f) (future-cancelled? f)])");
    test_lang_close(lang);
}

/* Whatever they are at, they end with it. */
TEST(no_future_outlives_its_environment)
{
    for (int i = 0; i < 3; i++) {
        avout_lang *lang = test_lang(store);
        test_answers(
            lang, "5",
            "(def c (connect)) (def l (distributed-lock c)) (def p (promise)) (.lock l) "
            "(def fs (for [_ (range 5)] [(future (Thread/sleep 1000000)) (future @p) (future "
            "(loop [] (recur))) (future (.lock l)) (future (dosync!! c (retry!!))) (future (try "
            "@p (finally (loop [] (recur))))) (future (try @p (finally (Thread/sleep "
            "1000000))))])) (count fs)");
        test_lang_close(lang);
    }
    avout_value value;
    /* More than there are threads for: those in the queue, and those that are refused. */
    avout_lang *lang = test_lang(store);
    test_answers(lang, "1", "(dotimes [_ 300] (future (loop [] (recur)))) 1");
    test_lang_close(lang);
    lang = test_lang(store);
    static const char more[] = "(future (Thread/sleep 1000000)) 1";
    avout_status status;
    do status = avout_lang_eval(&value, lang, more, sizeof more - 1, NULL);
    while (!status);
    /* Where the machine has no room for as many threads, that is said. */
    CHECK(status == AVOUT_ELIMIT || status == AVOUT_ESYSTEM);
    CHECK_CONTAINS(status == AVOUT_ELIMIT ? "1024" : "thread", avout_error_detail());
    test_lang_close(lang);
    /* A function that is left finds nothing. */
    avout_lang_function *function;
    static const char text[] = "(let [p (promise)] (deliver p 1) (fn [x] @p))";
    value = avout_int(1);
    lang = test_lang(store);
    CHECK_OK(avout_lang_compile(&function, lang, text, sizeof text - 1, NULL));
    avout_lang_close(lang);
    CHECK_STATUS(AVOUT_ECLOSED, avout_lang_change(&value, function));
    avout_lang_function_free(function);
    CHECK_INT(0, avout_memory_blocks());
}

/* A child has the environment, but none of its threads. */
TEST(a_forked_child_closes_without_them)
{
    avout_lang *lang = test_lang(store);
    int status;
    test_answers(lang, "3", "(def p (promise)) (def f (future @p)) @(future 3)");
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        test_fails(lang, AVOUT_EFORK, "before fork", "(future 1)", NULL);
        avout_lang_close(lang);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    test_answers(lang, "5", "(deliver p 5) @f");
    test_lang_close(lang);
}

TEST(interruptions_leave_futures_alone)
{
    avout_lang *lang = test_lang(store);
    test_answers(lang, "1", "(def p (promise)) (def f (future @p)) 1");
    test_interrupted(lang, "@f");
    test_interrupted(lang, "@(promise)");
    test_interrupted(lang, "(deref (promise) 1000000 1)");
    test_interrupted(lang, "(let [p (promise) d (delay @p)] @d)");
    test_answers(lang, "[false 5]", "[(future-done? f) (do (deliver p 5) @f)]");
    test_lang_close(lang);
}

/* What is run again would start it again. */
TEST(no_future_in_what_runs_again)
{
    avout_lang *lang = test_lang(store);
    test_answers(lang, "1",
                 "(def c (connect)) (def r (zk-ref c \"/r\" 1)) (def a (zk-atom c \"/a\" 1)) 1");
    static const char why[] = "inside of a transaction";
    test_fails(lang, AVOUT_ESTATE, why, "(dosync!! c (alter!! r inc) (future 1))", NULL);
    test_fails(lang, AVOUT_ESTATE, why, "(dosync!! c (alter!! r (fn [x] @(future x))))", NULL);
    test_fails(lang, AVOUT_ESTATE, why, "(dosync!! c (commute!! r (fn [x] @(future x))))", NULL);
    test_fails(lang, AVOUT_ESTATE, why, "(swap!! a (fn [x] @(future x)))", NULL);
    test_fails(lang, AVOUT_ESTATE, why, "(set-validator! a (fn [x] @(future x)))", NULL);
    avout_lang_function *function;
    avout_value value = avout_int(1);
    CHECK_OK(avout_lang_compile(&function, lang, "(fn [x] @(future x))", 20, NULL));
    CHECK_STATUS(AVOUT_ESTATE, avout_lang_change(&value, function));
    avout_lang_function_free(function);
    test_answers(lang, "[1 1 [3 3]]",
                 "[@r @a (let [f (future 3)] (dosync!! c [@f (future-done? f)]) [@f "
                 "(dosync!! c @f)])]");
    test_lang_close(lang);
}

/* However many there are, they have as many steps as one. */
TEST(futures_share_the_steps_of_who_starts_them)
{
    avout_lang *lang;
    const avout_lang_options options = {.max_steps = 200000, .max_wait_ms = 60000};
    CHECK_OK(avout_lang_open(&lang, &options));
    test_fails(lang, AVOUT_ELIMIT, "steps", "((fn f [] @(future (f))))", NULL);
    test_fails(lang, AVOUT_ELIMIT, "steps", "@(future (loop [] (recur)))", NULL);
    test_fails(lang, AVOUT_ELIMIT, "steps",
               "(let [f (future (try (loop [] (recur)) (catch Throwable e 1)))] (try @f (catch "
               "Throwable e 2)))",
               NULL);
    test_fails(lang, AVOUT_ELIMIT, "steps",
               "((fn f [n] (future (f n)) (future (f n)) (loop [] (recur))) 1)", NULL);
    test_answers(lang, "6", "(+ 1 @(future (+ 2 3)))");
    test_lang_close(lang);
}

TEST(waiting_for_a_future_has_a_limit)
{
    avout_lang *lang;
    const avout_lang_options options = {.max_wait_ms = 20};
    CHECK_OK(avout_lang_open(&lang, &options));
    test_fails(lang, AVOUT_ELIMIT, "waited for more than 20 ms", "@(promise)", NULL);
    test_fails(lang, AVOUT_ELIMIT, "waited for more than 20 ms", "(deref (promise) 100000 1)",
               NULL);
    test_fails(lang, AVOUT_ELIMIT, "waited for more than 20 ms", "@(future @(promise))", NULL);
    test_lang_close(lang);
}
