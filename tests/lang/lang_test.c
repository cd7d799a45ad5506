/* The language as C programs see it: errors and their places, interruption, functions for swap and
 * validators, memory. Test-tags: threads */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "avout.h"
#include "support/await.h"
#include "support/test.h"

static avout_lang *lang;
static avout_lang_error error;

static void open_with(uint64_t steps)
{
    const avout_lang_options options = {.max_steps = steps};
    CHECK_OK(avout_lang_open(&lang, &options));
}

static void close_all(void)
{
    avout_lang_close(lang);
    CHECK_INT(0, avout_memory_blocks());
}

static avout_status try_eval(const char *text)
{
    avout_value value;
    avout_status status = avout_lang_eval(&value, lang, text, strlen(text), &error);
    if (!status) avout_release(value);
    return status;
}

static void answers(const char *expected, const char *text)
{
    avout_value value;
    char *printed;
    CHECK_OK(avout_lang_eval(&value, lang, text, strlen(text), &error));
    CHECK_OK(avout_lang_text(&printed, NULL, lang, value));
    CHECK_TEXT(expected, printed);
    avout_edn_free(printed);
    avout_release(value);
}

static void fails(avout_status status, size_t line, size_t column, const char *message,
                  const char *form, const char *text)
{
    CHECK_STATUS(status, try_eval(text));
    CHECK_INT(status, error.status);
    CHECK_CONTAINS(message, error.message);
    CHECK_TEXT(form, error.form);
    CHECK_INT(line, error.line);
    CHECK_INT(column, error.column);
    CHECK_CONTAINS(message, avout_error_detail());
}

/* A message may be empty or left out: then it is the class that is told. */
TEST(errors_without_a_message_tell_their_class)
{
    open_with(0);
    fails(AVOUT_ETHROWN, 1, 1, "IllegalStateException", "(throw (IllegalStateException.))",
          "(throw (IllegalStateException.))");
    fails(AVOUT_ETHROWN, 1, 1, "ExceptionInfo", "(throw (ex-info \"\" {}))",
          "(throw (ex-info \"\" {}))");
    answers("\"\"", "(try (throw (Exception. \"\")) (catch Exception e (ex-message e)))");
    close_all();
}

TEST(errors_tell_place_form_and_what_was_expected)
{
    open_with(0);
    fails(AVOUT_ETYPE, 2, 3, "inc: expected a number, got \"x\" (string)", "(inc \"x\")",
          "(let [a 1]\n  (inc \"x\"))");
    fails(AVOUT_ENAME, 1, 4, "unknown name: foo (did you mean for?)", "foo", "[1 foo]");
    fails(AVOUT_ENAME, 1, 1, "unknown name: x", "x", "x");
    fails(AVOUT_ENAME, 1, 2, "unknown name: swapp!! (did you mean swap!!?)", "swapp!!",
          "(swapp!! 1 inc)");
    fails(AVOUT_ENOTSUP, 1, 1,
          "swap! is not part of this language: atoms are those of the store; see swap!!",
          "(swap! 1 inc)", "(swap! 1 inc)");
    fails(AVOUT_ENAME, 1, 2, "of Java there is only what (apropos \".\") lists", ".foo",
          "(.foo 1)");
    fails(AVOUT_ENAME, 1, 2, "of Java there is only what (apropos \"/\") lists", "Foo/bar",
          "(Foo/bar 1)");
    fails(AVOUT_ENOTSUP, 1, 6, "meta is not part of this language: values have no metadata", "meta",
          "(map meta [1])");
    fails(AVOUT_ENAME, 1, 23, "unknown name: countr (did you mean counter?)", "countr",
          "(let [counter 1] (+ 1 countr))");
    fails(AVOUT_ENAME, 1, 18, "unknown name: vist (did you mean visit?)", "vist",
          "(defn visit [n] (vist n))");
    fails(AVOUT_ENAME, 1, 2, "unknown name: str/jion (did you mean str/join?)", "str/jion",
          "(str/jion \",\")");
    fails(AVOUT_ENAME, 1, 1, "when is a special form", "when", "when");
    fails(AVOUT_EINVAL, 1, 1, "inc: 2 arguments given, expected (inc n)", "(inc 1 2)", "(inc 1 2)");
    fails(AVOUT_EINVAL, 1, 17, "f: 2 arguments given, expected 1", "(f 1 2)",
          "(defn f [x] x)  (f 1 2)");
    fails(AVOUT_ETYPE, 1, 1, "call: expected a function, got 1 (int)", "(1 2)", "(1 2)");
    fails(AVOUT_EDIVZERO, 3, 2, "zero", "(/ 1 0)", "\"ä\"\n;\n (/ 1 0)");
    fails(AVOUT_ETHROWN, 1, 1, "no", "(throw (ex-info \"no\" {}))", "(throw (ex-info \"no\" {}))");
    fails(AVOUT_ESYNTAX, 1, 14, "recur: it must be the last thing", "(recur)",
          "(inc ((fn [] (recur) 1)))");
    fails(AVOUT_ENOTSUP, 1, 1, "defmacro is not part of this language", "(defmacro a [])",
          "(defmacro a [])");
    fails(AVOUT_ESYNTAX, 1, 1, "if: expected a test", "(if)", "(if)");
    /* An error in a function of the prelude is at the form that called it. */
    fails(AVOUT_ETYPE, 1, 5, "expected a number", "(group-by inc [:a])",
          "(do (group-by inc [:a]))");
    close_all();
}

TEST(texts_that_cannot_be_read)
{
    open_with(0);
    fails(AVOUT_ESYNTAX, 1, 1, "no end: expected )", "", "(inc 1");
    CHECK(error.unfinished);
    fails(AVOUT_ESYNTAX, 1, 4, "no end", "", "[1 \"abc");
    CHECK(error.unfinished);
    fails(AVOUT_ESYNTAX, 2, 3, "unmatched ]: expected ) for the form that begins at line 1", "",
          "(1\n  ]");
    CHECK(!error.unfinished);
    fails(AVOUT_ESYNTAX, 1, 3, "unmatched )", "", "1 )");
    fails(AVOUT_ESYNTAX, 1, 1, "a value for every key", "", "{:a}");
    fails(AVOUT_ENOTSUP, 1, 1, "macros", "", "`(a)");
    fails(AVOUT_ESYNTAX, 1, 7, "#() inside #()", "", "#(inc #(dec %))");
    fails(AVOUT_EEXISTS, 1, 1, "", "#{1 1}", "#{1 1}");
    close_all();
}

TEST(forms_one_at_a_time)
{
    static const char text[] = "(def a 1) ; one\n (inc :x)\n(+ a 1) (";
    size_t position = 0;
    avout_value value;
    open_with(0);
    CHECK_OK(avout_lang_eval_next(&value, lang, text, sizeof text - 1, &position, &error));
    CHECK_INT(9, position);
    avout_release(value);
    CHECK_STATUS(AVOUT_ETYPE,
                 avout_lang_eval_next(&value, lang, text, sizeof text - 1, &position, &error));
    CHECK_INT(2, error.line);
    CHECK_INT(2, error.column);
    CHECK_OK(avout_lang_eval_next(&value, lang, text, sizeof text - 1, &position, &error));
    CHECK(avout_value_equal(value, avout_int(2)));
    CHECK_STATUS(AVOUT_ESYNTAX,
                 avout_lang_eval_next(&value, lang, text, sizeof text - 1, &position, &error));
    CHECK(error.unfinished);
    CHECK_OK(avout_lang_eval_next(&value, lang, " ", 1, &(size_t){0}, &error));
    CHECK(avout_is_none(value));
    close_all();
}

/* ---- interruption --------------------------------------------------------------------------------- */

static void interrupt(int signal)
{
    (void)signal;
    avout_lang_interrupt(lang);
}

TEST(a_signal_interrupts_and_nothing_catches_it)
{
    open_with(UINT64_MAX);
    signal(SIGALRM, interrupt);
    for (int i = 0; i < 3; i++) {
        ualarm(20000, 0);
        CHECK_STATUS(
            AVOUT_ECANCELLED,
            try_eval("(loop [] (try (count (range 1000)) (catch Throwable e 1)) (recur))"));
    }
    answers("3", "(+ 1 2)");
    close_all();
}

/* ---- functions for others ------------------------------------------------------------------------- */

static avout_lang_function *compile(const char *text)
{
    avout_lang_function *function;
    CHECK_OK(avout_lang_compile(&function, lang, text, strlen(text), &error));
    return function;
}

TEST(functions_as_text_change_and_validate)
{
    avout_client *client;
    avout_atom *atom;
    avout_value value;
    open_with(0);
    CHECK_OK(avout_connect("mem:lang-functions", NULL, &client));
    CHECK_OK(avout_atom_create(&atom, client, "/a", avout_map(0, NULL), NULL));
    avout_value key = avout_keyword("n");
    avout_lang_function *count = compile("(fn [m] (update m :n (fnil inc 0)))");
    avout_lang_function *small = compile("#(< (:n % 0) 3)"), *broken = compile("(fn [m] (inc m))");
    /* They need the environment no more. */
    avout_lang_close(lang);
    CHECK_OK(avout_atom_set_validator(atom, avout_lang_validate, small, avout_lang_function_free));
    CHECK_OK(avout_swap(atom, avout_lang_change, count, NULL, NULL, NULL));
    CHECK_OK(avout_swap(atom, avout_lang_change, count, NULL, &value, NULL));
    CHECK(avout_value_equal(avout_int(2), avout_value_get(value, key)));
    avout_release(value);
    CHECK_STATUS(AVOUT_EVALIDATOR, avout_swap(atom, avout_lang_change, count, NULL, NULL, NULL));
    CHECK_STATUS(AVOUT_ETYPE, avout_swap(atom, avout_lang_change, broken, NULL, NULL, NULL));
    CHECK_CONTAINS("line 1, column 9: inc: expected a number", avout_error_detail());
    CHECK_OK(avout_atom_deref(&value, atom));
    CHECK(avout_value_equal(avout_int(2), avout_value_get(value, key)));
    avout_release(value);
    avout_release(key);
    avout_lang_function_free(count);
    avout_lang_function_free(broken);
    avout_atom_close(atom);
    avout_close(client);
}

TEST(what_is_no_function_is_refused)
{
    avout_lang_function *function;
    open_with(0);
    CHECK_STATUS(AVOUT_ETYPE, avout_lang_compile(&function, lang, "(+ 1 2)", 7, &error));
    CHECK_CONTAINS("expected a function, got 3 (int)", error.message);
    CHECK_STATUS(AVOUT_ESYNTAX, avout_lang_compile(&function, lang, "(", 1, &error));
    avout_lang_function_free(compile(":key"));
    close_all();
}

static avout_status twice(avout_value *result, size_t count, const avout_value *arguments,
                          void *payload)
{
    (void)count;
    ++*(int *)payload;
    if (avout_value_type(arguments[0]) != AVOUT_TYPE_INT) return avout_fail(77, "twice: no number");
    *result = avout_share(arguments[0]);
    return avout_add(result, avout_share(arguments[0]));
}

static void count_end(void *payload)
{
    *(int *)payload += 100;
}

TEST(functions_of_the_program)
{
    int calls = 0;
    avout_value value, arguments[2] = {avout_int(4)};
    open_with(0);
    CHECK_OK(avout_lang_define_function(lang, "twice", 1, 1, twice, &calls, count_end));
    CHECK_OK(avout_lang_define(lang, "four", avout_int(4)));
    answers("[8 (2 4)]", "[(twice four) (map twice [1 2])]");
    fails(77, 1, 1, "twice: no number", "(twice :a)", "(twice :a)");
    fails(AVOUT_EINVAL, 1, 1, "twice: 2 arguments given", "(twice 1 2)", "(twice 1 2)");
    answers("\"twice: no number\"", "(try (twice :a) (catch Exception e (ex-message e)))");
    CHECK_OK(avout_lang_eval(&value, lang, "twice", 5, NULL));
    avout_value called;
    CHECK_OK(avout_lang_call(&called, lang, value, 1, arguments, NULL));
    CHECK(avout_value_equal(called, avout_int(8)));
    avout_release(value);
    close_all();
    CHECK_INT(106, calls);
}

/* A transaction that must run again says so through the language, whatever the program catches. */
static avout_status again(avout_value *result, size_t count, const avout_value *arguments,
                          void *payload)
{
    (void)result, (void)count, (void)arguments, (void)payload;
    return AVOUT_RETRY;
}

TEST(a_retry_cannot_be_caught)
{
    open_with(0);
    CHECK_OK(avout_lang_define_function(lang, "again", 0, 0, again, NULL, NULL));
    CHECK_STATUS(AVOUT_RETRY, try_eval("(try (again) (catch Throwable e 1) (finally 2))"));
    close_all();
}

TEST(functions_that_name_each_other_are_freed)
{
    open_with(0);
    answers("true",
            "(declare b) (defn a [n] (if (= n 0) true (b (dec n)))) (defn b [n] (a n)) (a 10)");
    answers("#'user/self",
            "(def self (fn me [n] (if (= n 0) me (me (dec n))))) (def self (self 3))");
    close_all();
}

/* ---- threads --------------------------------------------------------------------------------------- */

static void *work(void *payload)
{
    avout_lang_function *function = payload;
    for (int i = 0; i < 300; i++) {
        avout_value value = avout_int(20);
        CHECK_OK(avout_lang_change(&value, function));
        CHECK(avout_value_equal(value, avout_int(6765)));
        avout_value defined;
        CHECK_OK(avout_lang_eval(&defined, lang, "(def shared (vec (take 3 numbers)))", 35, NULL));
        avout_release(defined);
    }
    return NULL;
}

TEST(threads_share_an_environment)
{
    pthread_t threads[4];
    open_with(0);
    answers("#'user/numbers", "(def numbers (map inc (range)))");
    avout_lang_function *function =
        compile("(fn [n] (nth (map first (iterate (fn [[a b]] [b (+ a b)]) [0 1])) n))");
    for (int i = 0; i < 4; i++) CHECK(!pthread_create(&threads[i], NULL, work, function));
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    answers("[1 2 3]", "shared");
    avout_lang_function_free(function);
    close_all();
}

/* ---- help ------------------------------------------------------------------------------------------- */

TEST(every_name_has_help)
{
    const avout_function_info *info;
    size_t count = 0;
    for (; (info = avout_lang_function_at(count)); count++) {
        CHECK(info->name[0] && info->summary[0]);
        CHECK(info->name[strlen(info->name) - 1] != '*' || strlen(info->name) < 4 ||
              !strcmp(info->name, "let*") || !strcmp(info->name, "list*") ||
              !strcmp(info->name, "loop*") || !strcmp(info->name, "fn*"));
    }
    CHECK(count > 250);
}

TEST(help_is_asked_for_by_name)
{
    open_with(0);
    answers("\"(inc n)\\n  n plus one\\n\"", "(with-out-str (doc inc))");
    answers("true", "(clojure.string/includes? (with-out-str (doc let)) \"names for values\")");
    answers("(merge merge-with)", "(apropos \"merge\")");
    answers("\"(my-sum x)\\n(my-sum x & more)\\n  adds\\n\"",
            "(defn my-sum \"adds\" ([x] x) ([x & more] (apply + x more)))"
            "(with-out-str (doc my-sum))");
    answers("\"my-n\\n  a number\\n\"", "(def my-n \"a number\" 5) (with-out-str (doc my-n))");
    answers("\"my-n\\n  6 (int)\\n\"", "(def my-n 6) (with-out-str (doc my-n))");
    answers("(my-n my-sum)", "(apropos \"my-\")");
    fails(AVOUT_ENOTFOUND, 1, 1, "nothing is known of nonsense", "(doc nonsense)",
          "(doc nonsense)");
    close_all();
}

/* From another thread, whose call wakes nobody up. */
static void *interrupt_who_sleeps(void *payload)
{
    test_await_asleep(payload);
    avout_lang_interrupt(lang);
    return NULL;
}

TEST_WITHIN(sleep_is_interrupted, 20)
{
    open_with(UINT64_MAX);
    answers("true",
            "(let [t (System/nanoTime)] (Thread/sleep 30) (>= (- (System/nanoTime) t) 29000000))");
    pthread_t thread;
    _Atomic int task = test_task();
    CHECK(!pthread_create(&thread, NULL, interrupt_who_sleeps, &task));
    CHECK_STATUS(AVOUT_ECANCELLED, try_eval("(Thread/sleep 1000000)"));
    pthread_join(thread, NULL);
    close_all();
}

/* Each function of the prelude is compiled when it is named. */
TEST(every_function_can_be_named)
{
    const avout_function_info *info;
    open_with(0);
    for (size_t i = 0; (info = avout_lang_function_at(i)); i++) {
        char text[128];
        snprintf(text, sizeof text, "(fn? %s)", info->name);
        avout_status status = try_eval(text);
        if (status && !strstr(error.message, "is a special form"))
            test_failed(__FILE__, __LINE__, "%s: %s", text, avout_error_detail());
    }
    close_all();
}
