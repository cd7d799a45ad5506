/* Atoms, refs and transactions from the language, on a store in this process. Test-tags: threads */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "avout/memory.h"
#include "lang/lang_support.h"

static avout_lang_error error;

/* Interrupts who calls it. */
static avout_status interrupt_now(avout_value *result, size_t count, const avout_value *arguments,
                                  void *payload)
{
    (void)count, (void)arguments, (void)payload;
    avout_lang_interrupt(lang);
    *result = avout_nil();
    return AVOUT_OK;
}

static void open_all(void)
{
    static char store[] = "mem:lang-state";
    open_lang(store, 0);
    CHECK_OK(avout_lang_define_function(lang, "avout-interrupt", 0, 0, interrupt_now, NULL, NULL));
}

static void fails(avout_status status, const char *message, const char *text)
{
    test_fails(lang, status, message, text, &error);
}

static void comes(const char *expected, const char *text)
{
    test_comes(lang, expected, text);
}

static void is_interrupted(const char *text)
{
    test_interrupted(lang, text);
}

/* The tutorial of the original, as far as atoms and refs go. */
TEST(the_tutorial)
{
    open_all();
    answers("nil", "(use 'avout.core)");
    answers("#'user/client", "(def client (connect \"mem:tutorial\"))");
    answers("#'user/a0", "(def a0 (zk-atom client \"/a0\" 0))");
    answers("0", "@a0");
    answers("1", "(swap!! a0 inc)");
    answers("6", "(swap!! a0 + 5)");
    answers("7", "(swap!! client a0 inc)");
    answers("{:a 1}", "(reset!! a0 {:a 1})");
    answers("{:a 1, :b 2}", "(swap!! a0 assoc :b 2)");
    answers("nil", "(init-stm client)");
    answers("#'user/r1", "(def r0 (zk-ref client \"/r0\" 0 :validator number?)) (def r1 (zk-ref "
                         "client \"/r1\" []))");
    answers("[0]", "(dosync!! client (alter!! r0 inc) (alter!! r1 conj 0))");
    answers("[1 [0]]", "[@r0 @r1]");
    answers(":done",
            "(dosync!! client (ref-set!! r0 5) (alter!! r1 (fn [v x] (conj v x)) @r0) :done)");
    answers("[5 [0 5]]", "(dosync!! client [@r0 @r1])");
    answers("5", "(dosync!! client (ensure!! r0))");
    answers("[nil 8]", "[(dosync!! client (commute!! r0 + 3)) @r0]");
    answers("[9 9]", "(let [l (local-ref client \"/l\" 8)] [(dosync!! client (alter!! r0 inc) "
                     "(ref-set!! l @r0)) @l])");
    answers("[\"a0\" \"r0\" \"r1\"]", "(ls client \"/\")");
    close_all();
    CHECK_INT(1, opened);
}

TEST(codecs)
{
    open_all();
    answers("{\"a\" 1}", "@(atom \"/j\" {\"a\" 1} :codec :json)");
    answers("{\"a\" {}}", "(reset!! (atom \"/j\" :codec :json) {\"a\" {}})");
    answers("{\"a\" {}}", "@(atom \"/j\" 5 :codec \"json\")"); /* it is there */
    /* While it is open in a client, in one way only; it may be open for a moment after the last handle. */
    answers("{\"a\" {}}", "(def j (atom \"/j\" :codec :json)) @(atom \"/j\")");
    fails(AVOUT_ESTATE, "/j", "(atom \"/j\" :codec :bytes)");
    fails(AVOUT_ENOPRINT, "codec json: encoding: a keyword", "(reset!! (atom \"/j\") :k)");
    answers("[1 2]", "(def c (connect \"mem:lang-state\")) @(zk-ref c \"/r\" [1 2] :codec :json)");
    fails(AVOUT_EDATA, "not EDN", "@(atom c \"/j\")");
    answers("[3]", "@(zk-ref c \"/r\" [3] :validator vector? :codec :json)"); /* set to it */
    answers("[3]", "@(zk-ref c \"/r\" :codec :json)");
    answers("[4]", "@(zk-atom c \"/z\" [4] :codec :json)");
    answers("[5]", "@(zk-atom c \"/z\" [5] :codec :json)");
    answers("[3 6]", "(dosync!! c (alter!! (ref c \"/r\" :codec :json) conj 6))");
    fails(AVOUT_EVALIDATOR, "refuses", "(zk-ref c \"/r\" 7 :codec :json :validator vector?)");
    fails(AVOUT_ENOTFOUND, "/none", "(ref \"/none\" :codec :json)");
    fails(AVOUT_ETYPE, "atom: expected a codec (:edn, :json or :bytes), got :xml",
          "(atom \"/x\" :codec :xml)");
    fails(AVOUT_EINVAL, "atom: expected a name, perhaps a value, perhaps :validator f and :codec c",
          "(atom \"/x\" 1 :codek :json)");
    fails(AVOUT_EINVAL, "perhaps :validator f and :codec c",
          "(atom \"/x\" 1 :codec :json :codec :json)");
    fails(AVOUT_EINVAL, "local-ref: no :codec here: its value stays",
          "(local-ref c 1 :codec :json)");
    fails(AVOUT_EINVAL, "mongo-ref: no :codec here: MongoDB",
          "(mongo-ref c \"/m\" 1 :codec :json)");
    answers(":codec", "@(atom \"/k\" :codec)"); /* a value */
    close_all();
}

TEST(names_on_the_default_store)
{
    open_all();
    answers("5", "@(atom \"/a\" 5)");
    answers("6", "(swap!! (atom \"/a\") inc)");
    answers("6", "@(atom \"/a\" 100)");
    answers("[1 [1]]", "(ref \"/r0\" 0) (ref \"/r1\" []) (dosync!! (connect) [(alter!! (ref "
                       "\"/r0\") inc) (alter!! (ref \"/r1\") conj @(ref \"/r0\"))])");
    answers("true", "(compare-and-set!! (atom \"/a\") 6 7)");
    answers("false", "(compare-and-set!! (atom \"/a\") 6 7)");
    answers("#atom[/a]", "(atom \"/a\")");
    answers("true", "(= (connect) (connect))");
    answers("true", "(let [c (connect)] (= c (connect :client-handle c) (.getClient c)))");
    fails(AVOUT_ETYPE, "expected :client-handle", "(connect :handle 1)");
    fails(AVOUT_ETYPE, "a client", "(connect :client-handle 1)");
    fails(AVOUT_ENOTSUP, "closed when the program ends", "(.close (connect))");
    answers("nil", "(destroy!! (atom \"/a\"))");
    fails(AVOUT_ENOTFOUND, "/a", "(atom \"/a\")");
    close_all();
    CHECK_INT(1, opened);
}

TEST(an_error_changes_nothing)
{
    open_all();
    answers("#'user/c",
            "(def c (connect)) (def a (zk-atom c \"/a\" 1)) (def r (zk-ref c \"/r\" 1)) (def c c)");
    fails(AVOUT_ETYPE, "inc: expected a number", "(swap!! a (fn [x] (inc :no)))");
    CHECK_INT(1, error.line);
    CHECK_INT(19, error.column);
    fails(AVOUT_ETHROWN, "no", "(dosync!! c (alter!! r inc) (throw (ex-info \"no\" {})))");
    answers("[1 1]", "[@a @r]");
    answers("{:why 7}", "(try (dosync!! c (alter!! r inc) (throw (ex-info \"no\" {:why 7}))) "
                        "(catch Exception e (ex-data e)))");
    answers("1", "@r");
    fails(AVOUT_ESTATE, "no transaction is running", "(alter!! r inc)");
    fails(AVOUT_ETYPE, "alter!!: expected a ref", "(dosync!! c (alter!! a inc))");
    fails(AVOUT_ETYPE, "swap!!: expected an atom", "(swap!! r inc)");
    fails(AVOUT_ETYPE, "dosync!!: expected a client", "(dosync!! 5 (alter!! r inc))");
    fails(AVOUT_ENAME, "x", "(zk-ref c \"x\" 1)");
    fails(AVOUT_ENOPRINT, "", "(reset!! a inc)");
    fails(AVOUT_ENOTFOUND, "avout.refs.dynamo", "(require 'avout.refs.dynamo)");
    answers("(0 1)", "(reset!! a (take-while #(< % 2) (range)))");
    fails(AVOUT_EVALIDATOR, "", "(set-validator! r pos?) (dosync!! c (ref-set!! r -1))");
    fails(AVOUT_EVALIDATOR, "", "(set-validator! r neg?)");
    answers("#function[pos?]", "(get-validator! r)");
    answers("[-1 nil]",
            "(set-validator! r nil) (dosync!! c (ref-set!! r -1)) [@r (get-validator! r)]");
    close_all();
}

TEST(watches_are_called_with_both_values)
{
    open_all();
    answers("#atom[/w]",
            "(def a (atom \"/w\" 1)) (def seen (local-ref (connect) [])) (def c (connect))\n"
            "(add-watch a :k (fn [k x old new] (dosync!! c (alter!! seen conj [k old new @x]))))");
    answers("2", "(swap!! a inc)");
    comes("[[:k 1 2 2]]", "@seen");
    answers("3", "(remove-watch a :k) (remove-watch a :none) (swap!! a inc)");
    answers("[[:k 1 2 2]]", "@seen");
    /* One that is still on ends with the environment. */
    answers("#atom[/w]",
            "(add-watch a \"other\" (fn [k x old new] (throw (Exception. \"told\"))))");
    answers("4", "(swap!! a inc)");
    close_all();
}

/* Two threads of one environment move between two refs; nobody ever sees a sum that is off. */
static void *move(void *payload)
{
    const char *text = payload;
    for (int i = 0; i < 60; i++) {
        avout_value value;
        CHECK_OK(avout_lang_eval(&value, lang, text, strlen(text), NULL));
        CHECK(avout_value_equal(value, avout_int(100)));
        avout_release(value);
    }
    return NULL;
}

TEST(watches_that_are_taken_off_leave_nothing)
{
    static const char text[] = "(add-watch a :k println) (add-watch a :k prn) "
                               "(set-validator! a number?) (set-validator! a nil) "
                               "(remove-watch a :k) nil";
    open_all();
    answers("#'user/a", "(def a (atom \"/n\" 0))");
    answers("nil", text);
    size_t blocks = avout_memory_blocks();
    for (int i = 0; i < 50; i++) answers("nil", text);
    /* What was retired meanwhile may not have been collected yet. */
    CHECK(avout_memory_blocks() < blocks + 100);
    close_all();
}

TEST(transactions_of_threads_are_run_again_until_they_fit)
{
    pthread_t threads[3];
    open_all();
    answers(
        "#'user/c",
        "(def c (connect)) (def x (zk-ref c \"/x\" 100)) (def y (zk-ref c \"/y\" 0)) (def c c)");
    static char there[] = "(dosync!! c (alter!! x dec) (alter!! y inc) (+ @x @y))";
    static char back[] =
        "(try (dosync!! c (alter!! y dec) (alter!! x inc) (+ @x @y)) (catch Throwable e e))";
    static char look[] = "(dosync!! c (+ @x @y))";
    char *texts[] = {there, back, look};
    for (int i = 0; i < 3; i++) CHECK(!pthread_create(&threads[i], NULL, move, texts[i]));
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    answers("[100 0]", "[@x @y]");
    close_all();
}

TEST(a_transaction_waits_for_what_it_needs)
{
    open_all();
    answers("#'user/c", "(def c (connect)) (def jobs (zk-ref c \"/jobs\" [])) (def c c)");
    pthread_t thread;
    static char text[] = "(dosync!! c (if (seq @jobs) (do (alter!! jobs pop) 100) (retry!!)))";
    CHECK(!pthread_create(&thread, NULL, move, text));
    for (int i = 0; i < 60; i++) {
        avout_value value;
        CHECK_OK(avout_lang_eval(&value, lang, "(dosync!! c (alter!! jobs conj 1))", 34, NULL));
        avout_release(value);
    }
    pthread_join(thread, NULL);
    answers("[]", "@jobs");
    close_all();
}

/* What a watch waits for ends with the environment; what comes behind is not begun. */
TEST(a_watch_that_waits_does_not_hold_up_the_end)
{
    for (int i = 0; i < 5; i++) {
        open_all();
        answers("#atom[/w]", "(def a (atom \"/w\" 1)) (def started (promise)) (def more (promise))"
                             "(add-watch a :k (fn [k x old new] (deliver started 1) @(promise)))");
        answers("4", "(swap!! a inc) @started (swap!! a inc) (reset!! a 4)");
        close_all();
    }
}

/* ---- interruption ------------------------------------------------------------------------------------ */

TEST(an_interruption_reaches_who_sleeps_or_waits_in_a_transaction)
{
    open_all();
    answers("#'user/c", "(def c (connect)) (def r (zk-ref c \"/never\" 0)) (def c c)");
    is_interrupted("(Thread/sleep 1000000)");
    is_interrupted("(try (Thread/sleep 1000000) (catch Throwable e 1))");
    for (int i = 0; i < 3; i++)
        is_interrupted("(dosync!! c (alter!! r inc) (if (= @r -1) 1 (retry!!)))");
    answers("0", "@r");
    answers("1", "(dosync!! c (alter!! r inc))");
    close_all();
}

/* What finally does is done, for an interruption, for a lack of steps, for a transaction run again. */
TEST(finally_runs_whatever_ended_the_body)
{
    open_all();
    answers("#'user/n", "(def c (connect)) (def n (local-ref c 0)) (defn more [] (dosync!! c "
                        "(alter!! n inc))) (def n n)");
    is_interrupted("(try (Thread/sleep 1000000) (finally (more)))");
    answers("1", "@n");
    /* A second one ends what the first one let run; the first remains the error. */
    is_interrupted(
        "(try (Thread/sleep 1000000) (finally (more) (avout-interrupt) (loop [] (recur))))");
    answers("2", "@n");
    is_interrupted("(try (try (Thread/sleep 1000000) (finally (more) (throw (Exception. \"x\")))) "
                   "(catch Exception e 1) (finally (more)))");
    answers("4", "@n");
    close_all();
}

TEST(waiting_has_a_limit)
{
    const avout_lang_options options = {.connect = connect_here, .max_wait_ms = 20};
    CHECK_OK(avout_lang_open(&lang, &options));
    answers("nil", "(Thread/sleep 1)");
    fails(AVOUT_ELIMIT, "waited for more than 20 ms", "(Thread/sleep 1000000)");
    fails(AVOUT_ELIMIT, "waited for more than 20 ms",
          "(try (dotimes [_ 1000] (Thread/sleep 1)) (catch Throwable e 1))");
    close_all();
}

/* Functions that outlive the environment find its clients closed. */
TEST(what_lives_longer_finds_its_client_closed)
{
    avout_lang_function *function;
    avout_value value = avout_int(1);
    open_all();
    static const char text[] = "(let [a (atom \"/late\" 1)] (fn [x] (+ x @a)))";
    CHECK_OK(avout_lang_compile(&function, lang, text, sizeof text - 1, NULL));
    CHECK_OK(avout_lang_change(&value, function));
    CHECK(avout_value_equal(value, avout_int(2)));
    avout_lang_close(lang);
    CHECK_STATUS(AVOUT_ECLOSED, avout_lang_change(&value, function));
    avout_lang_function_free(function);
    avout_release(value);
    CHECK_INT(0, avout_memory_blocks());
}
