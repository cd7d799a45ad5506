/* avout repl in a real terminal. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/pty.h"
#include "support/test.h"
#include "support/zookeeper.h"

/* A place of its own, also for the history. */
static void prepare(void)
{
    char store[300];
    snprintf(store, sizeof store, "lmdb:%s/store", test_directory());
    setenv("AVOUT_STORE", store, 1);
    setenv("HOME", test_directory(), 1);
    unsetenv("XDG_STATE_HOME");
    unsetenv("AVOUT_HISTORY");
    unsetenv("EDITRC");
}

static pty *start(void)
{
    pty *shell = pty_start((const char *const[]){"avout", "repl", "-q", NULL});
    pty_cursor(shell, "user=> ");
    return shell;
}

/* A form and what it answers. */
static void answers(pty *shell, const char *answer, const char *form)
{
    char row[200];
    pty_cursor(shell, "user=> ");
    pty_clear(shell);
    pty_keys(shell, form);
    snprintf(row, sizeof row, "user=> %s", form);
    pty_row(shell, row);
    pty_keys(shell, "\r");
    pty_row(shell, answer);
    pty_cursor(shell, "user=> ");
}

static void ends(pty *shell, int status)
{
    int ended = pty_end(shell);
    CHECK(WIFEXITED(ended));
    CHECK_INT(status, WEXITSTATUS(ended));
}

static void leave(pty *shell)
{
    pty_cursor(shell, "user=> ");
    pty_keys(shell, "\004");
    ends(shell, 0);
}

/* ---- forms ---------------------------------------------------------------------------------------- */

TEST(forms_and_their_values)
{
    prepare();
    pty *shell = pty_start((const char *const[]){"avout", "repl", NULL});
    pty_part(shell, "(connect) is lmdb:");
    answers(shell, "3", "(+ 1 2)");
    answers(shell, "nil", "nil");
    answers(shell, "[nil 3]", "[*1 *2]");
    answers(shell, "[nil 3]", "*1");
    answers(shell, "[[nil 3] nil]", "[*2 *3]");
    answers(shell, "#'user/twice", "(defn twice [n] (* 2 n))");
    answers(shell, "\"grüße ☃\"", "(str \"grüße\" \" ☃\")");
    answers(shell, "nil", "(print \"printed\")");
    pty_keys(shell, "1 :two\r");
    pty_row(shell, "1");
    pty_row(shell, ":two");
    answers(shell, "(doc name)", "(doc doc)");
    answers(shell, "(clojure.string/upper-case)", "(apropos \"upper\")");
    pty_cursor(shell, "user=> ");
    pty_keys(shell, "(exit 7)\r");
    ends(shell, 7);
}

TEST(errors_show_their_place)
{
    prepare();
    pty *shell = start();
    pty_keys(shell, "(+ 1 (inc \"x\"))\r");
    pty_row(shell,
            "error: line 1, column 6: inc: expected a number, got \"x\" (string), in (inc \"x\")");
    pty_row(shell, "  (+ 1 (inc \"x\"))");
    pty_row(shell, "       ^");
    answers(shell, "\"inc: expected a number, got \\\"x\\\" (string)\"", "(ex-message *e)");
    answers(shell, "#'user/f", "(defn f [x] (inc x))");
    pty_keys(shell, "[1 (f :k)]\r");
    /* It was defined in another text: there is no caret under this one. */
    pty_row(shell,
            "error: line 1, column 13: inc: expected a number, got :k (keyword), in (inc x)");
    pty_cursor(shell, "user=> ");
    CHECK(!pty_shows(shell, "             ^"));
    pty_keys(shell, "[1\r");
    pty_cursor(shell, "  #_=> ");
    pty_keys(shell, "\"ü\" (conter)]\r");
    pty_row(shell, "  \"ü\" (conter)]");
    pty_row(shell, "       ^");
    pty_cursor(shell, "user=> ");
    pty_keys(shell, "1 ) 2\r");
    pty_row(shell, "error: line 1, column 3: unmatched )");
    pty_row(shell, "    ^");
    leave(shell);
}

TEST(a_form_goes_on_in_the_next_line)
{
    prepare();
    pty *shell = start();
    pty_keys(shell, "(let [x 5\r");
    pty_cursor(shell, "  #_=> ");
    pty_keys(shell, "s \"a\r");
    pty_cursor(shell, "  #_=> ");
    pty_keys(shell, "b\"]\r");
    pty_cursor(shell, "  #_=> ");
    pty_keys(shell, "[x s])\r");
    pty_row(shell, "[5 \"a\\nb\"]");
    pty_cursor(shell, "user=> ");
    /* Ctrl-D gives the form up, and only that. */
    pty_keys(shell, "(+ 1\r");
    pty_cursor(shell, "  #_=> ");
    pty_keys(shell, "\004");
    answers(shell, ":on", ":on");
    leave(shell);
}

/* ---- editing --------------------------------------------------------------------------------------- */

TEST(lines_are_edited)
{
    prepare();
    pty *shell = start();
    pty_keys(shell, "(+ 1 3)");
    pty_cursor(shell, "user=> (+ 1 3)");
    pty_keys(shell, "\002\002\17742"); /* back twice, delete */
    pty_row(shell, "user=> (+ 1423)");
    pty_keys(shell, "\001\005"); /* to the beginning, to the end */
    pty_cursor(shell, "user=> (+ 1423)");
    pty_keys(shell, "\001\033[C\033[C\033[3~:"); /* right twice, delete */
    pty_row(shell, "user=> (+:1423)");
    pty_keys(shell, "\025[:new]\r"); /* the whole line goes */
    pty_row(shell, "[:new]");
    pty_cursor(shell, "user=> ");
    pty_keys(shell, "\"ü☃\177ö\"\r");
    pty_row(shell, "\"üö\"");
    leave(shell);
}

TEST(a_window_that_becomes_smaller)
{
    prepare();
    pty *shell = start();
    pty_keys(shell, "(+ 1000");
    pty_cursor(shell, "user=> (+ 1000");
    pty_resize(shell, 40, 40);
    pty_keys(shell, " 2)\r");
    pty_row(shell, "1002");
    leave(shell);
}

static char *history_file(void)
{
    static char name[400];
    snprintf(name, sizeof name, "%s/.local/state/avout/history", test_directory());
    return name;
}

TEST(the_history_is_kept)
{
    struct stat about;
    prepare();
    pty *shell = start();
    answers(shell, "5", "(+ 2 3)");
    pty_keys(shell, "(str \"back\\\\slash\"\r");
    pty_cursor(shell, "  #_=> ");
    pty_keys(shell, "\"end\")\r");
    pty_part(shell, "slashend");
    pty_cursor(shell, "user=> ");
    leave(shell);
    CHECK(!stat(history_file(), &about));
    CHECK_INT(0600, about.st_mode & 07777);
    shell = start();
    pty_keys(shell, "\033[A");
    pty_row(shell, "user=> (str \"back\\\\slash\"");
    pty_cursor(shell, "\"end\")");
    pty_keys(shell, "\r");
    pty_part(shell, "slashend");
    pty_cursor(shell, "user=> ");
    pty_clear(shell);
    pty_keys(shell, "\020\020"); /* Ctrl-P */
    pty_cursor(shell, "user=> (+ 2 3)");
    pty_keys(shell, "\003");
    pty_clear(shell);
    pty_cursor(shell, "user=> ");
    pty_keys(shell, "\022+ 2"); /* Ctrl-R */
    pty_row(shell, "user=> (+ 2 3)");
    pty_keys(shell, "\r");
    pty_row(shell, "5");
    leave(shell);
}

TEST(the_history_can_be_elsewhere_or_nowhere)
{
    char name[400];
    prepare();
    snprintf(name, sizeof name, "%s/mine", test_directory());
    setenv("AVOUT_HISTORY", name, 1);
    pty *shell = start();
    answers(shell, ":here", ":here");
    leave(shell);
    CHECK(!access(name, R_OK));
    setenv("AVOUT_HISTORY", "", 1);
    shell = start();
    answers(shell, ":nowhere", ":nowhere");
    pty_keys(shell, "\033[A");
    pty_cursor(shell, "user=> :nowhere"); /* of this run there is one */
    pty_keys(shell, "\025");
    leave(shell);
    CHECK(access(history_file(), F_OK));
}

/* A store can be made where the history was first. */
TEST(the_history_and_the_store_share_a_directory)
{
    prepare();
    unsetenv("AVOUT_STORE");
    pty *shell = start();
    answers(shell, ":first", ":first");
    leave(shell);
    CHECK(!access(history_file(), R_OK));
    shell = start();
    answers(shell, "1", "(swap!! (atom \"/a\" 0) inc)");
    leave(shell);
}

TEST(names_are_completed)
{
    prepare();
    pty *shell = start();
    answers(shell, "#'user/my-own-name", "(def my-own-name 1)");
    answers(shell, "0", "@(atom \"/app/config-one\" 0)");
    answers(shell, "0", "@(atom \"/app/config-two\" 0)");
    answers(shell, "0", "@(atom \"/app/deep/er\" 0)");
    pty_clear(shell);
    pty_keys(shell, "(frequ\t");
    pty_cursor(shell, "user=> (frequencies");
    pty_keys(shell, "\025[my-o\t");
    pty_cursor(shell, "user=> [my-own-name");
    pty_keys(shell, "\025(when-\t");
    pty_part(shell, "when-first");
    pty_part(shell, "when-some");
    pty_cursor(shell, "user=> (when-");
    pty_keys(shell, "le\t");
    pty_cursor(shell, "user=> (when-let");
    pty_keys(shell, "\025(str/upp\t");
    pty_cursor(shell, "user=> (str/upper-case");
    /* Names of the store, in strings only. */
    pty_keys(shell, "\025(atom \"/a\t");
    pty_cursor(shell, "user=> (atom \"/app/");
    pty_keys(shell, "c\t");
    pty_cursor(shell, "user=> (atom \"/app/config-");
    pty_keys(shell, "\t");
    pty_row(shell, "config-one  config-two");
    pty_cursor(shell, "user=> (atom \"/app/config-");
    pty_keys(shell, "t\t");
    pty_cursor(shell, "user=> (atom \"/app/config-two");
    pty_keys(shell, "\025(str \\\" frequ\t"); /* a character, not a string */
    pty_cursor(shell, "user=> (str \\\" frequencies");
    pty_keys(shell, "\025(atom\r");
    pty_cursor(shell, "  #_=> ");
    pty_keys(shell, "\"/app/d\t");
    pty_cursor(shell, "  #_=> \"/app/deep/");
    pty_keys(shell, "\t\")\r");
    pty_row(shell, "#atom[/app/deep/er]");
    leave(shell);
}

/* ---- interrupting ------------------------------------------------------------------------------------- */

TEST(ctrl_c_at_the_prompt_drops_the_line)
{
    prepare();
    pty *shell = start();
    pty_keys(shell, "(this is nothing");
    pty_cursor(shell, "user=> (this is nothing");
    pty_clear(shell);
    pty_keys(shell, "\003");
    answers(shell, "1", "1");
    pty_keys(shell, "(+ 1\r");
    pty_cursor(shell, "  #_=> ");
    pty_keys(shell, "2\003");
    answers(shell, "4", "4");
    leave(shell);
}

TEST(ctrl_c_ends_what_runs_or_waits)
{
    static const char *const forms[] = {
        "(do (println :begun) (loop [] (recur)))",
        "(do (println :begun) (Thread/sleep 100000000))",
        "(do (println :begun) (dosync!! (connect) (when (zero? @r) (retry!!))))",
        "(do (println :begun) (reduce + (range)))",
        "(do (println :begun) @(promise))",
        "(do (println :begun) @(future (loop [] (recur))))",
        "(do (println :begun) (swap!! (atom \"/a\" 0) (fn [n] (Thread/sleep 100000000) (inc n))))",
    };
    prepare();
    pty *shell = start();
    answers(shell, "#'user/r", "(def r (ref \"/r\" 0))");
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        pty_clear(shell);
        pty_keys(shell, forms[i]);
        pty_keys(shell, "\r");
        pty_row(shell, ":begun");
        pty_keys(shell, "\003");
        pty_row(shell, "interrupted");
        pty_cursor(shell, "user=> ");
    }
    answers(shell, "1", "(swap!! (atom \"/a\" 0) inc)");
    answers(shell, "[1 5]", "(dosync!! (connect) [(alter!! r inc) 5])");
    leave(shell);
}

/* Interrupts what one of them waits for, or holds. */
TEST(ctrl_c_and_locks)
{
    prepare();
    pty *one = start(), *two = start();
    answers(one, "#'user/l", "(def l (distributed-lock (connect) \"/l\"))");
    answers(two, "#'user/l", "(def l (distributed-lock (connect) \"/l\"))");
    answers(two, "true", "(do (.lock l) (.hasLock l))");
    pty_keys(one, "(do (println :begun) (.lock l))\r");
    pty_row(one, ":begun");
    pty_keys(one, "\003");
    pty_row(one, "interrupted");
    answers(one, "false", "(.tryLock l)");
    answers(two, "false", "(do (.unlock l) (.hasLock l))");
    pty_clear(one);
    pty_keys(one, "(with-lock l (println :held) (Thread/sleep 100000000))\r");
    pty_row(one, ":held");
    answers(two, "false", "(.tryLock l)");
    pty_keys(one, "\003");
    pty_row(one, "interrupted");
    pty_cursor(one, "user=> ");
    answers(two, "true", "(.tryLock l)");
    leave(one);
    leave(two);
}

TEST_WITHIN(a_store_that_is_lost_and_comes_back, 120)
{
    prepare();
    test_zk *zk = test_zk_start(1);
    setenv("AVOUT_STORE", test_zk_url(zk), 1);
    /* Without an interruption it would wait for five minutes. */
    pty *shell = pty_start((const char *const[]){"avout", "-t", "300", "repl", "-q", NULL});
    answers(shell, "#'user/a", "(def a (atom \"/a\" 0))");
    answers(shell, "1", "(swap!! a inc)");
    test_zk_kill(zk, 0);
    pty_clear(shell);
    pty_keys(shell, "(do (println :begun) (swap!! a + 10))\r");
    pty_row(shell, ":begun");
    pty_keys(shell, "\003");
    pty_part(shell, "interrupted");
    answers(shell, ":alive", ":alive");
    test_zk_restart(zk, 0);
    test_zk_wait(zk, 0);
    answers(shell, "101", "(reset!! a 101)");
    answers(shell, "102", "(swap!! a inc)");
    leave(shell);
    test_zk_end(zk);
}

/* ---- the end, and the terminal's state --------------------------------------------------------------------- */

static void check_state(const struct termios *before, const struct termios *after)
{
    CHECK_INT(before->c_lflag, after->c_lflag);
    CHECK_INT(before->c_iflag, after->c_iflag);
    CHECK_INT(before->c_oflag, after->c_oflag);
    CHECK(!memcmp(before->c_cc, after->c_cc, sizeof before->c_cc));
}

static void state_is_restored(int number)
{
    prepare();
    pty *shell = pty_start((const char *const[]){"avout", "repl", "-q", NULL});
    struct termios before = pty_termios(shell), after; /* the program has not come so far yet */
    pty_cursor(shell, "user=> ");
    pty_mode(shell, ICANON, false);
    pty_keys(shell, "(+ 1");
    pty_cursor(shell, "user=> (+ 1");
    if (number) CHECK(!kill(pty_process(shell), number));
    else pty_keys(shell, "\025\004");
    int ended = pty_wait(shell);
    if (number) CHECK(WIFSIGNALED(ended) && WTERMSIG(ended) == number);
    else CHECK(WIFEXITED(ended) && !WEXITSTATUS(ended));
    after = pty_termios(shell);
    check_state(&before, &after);
    pty_end(shell);
}

TEST(the_terminal_is_as_before)
{
    static const int numbers[] = {0, SIGTERM, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) state_is_restored(numbers[i]);
}

TEST(told_to_end_while_a_form_waits)
{
    prepare();
    pty *shell = start();
    pty_keys(shell, "(do (println :begun) (Thread/sleep 100000000))\r");
    pty_row(shell, ":begun");
    CHECK(!kill(pty_process(shell), SIGTERM));
    int ended = pty_end(shell);
    CHECK(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGTERM);
}

TEST(stopped_and_continued)
{
    char name[1024];
    const char *built = getenv("AVOUT_TEST_BUILD");
    prepare();
    snprintf(name, sizeof name, "%s/bin/avout", built ? built : "build/release");
    setenv("AVOUT", name, 1);
    setenv("PS1", "$ ", 1);
    pty *shell = pty_start((const char *const[]){"bash", "--norc", "--noprofile", NULL});
    pty_cursor(shell, "$ ");
    pty_keys(shell, "\"$AVOUT\" repl -q\r");
    pty_cursor(shell, "user=> ");
    pty_keys(shell, "(+ 40 ");
    pty_cursor(shell, "user=> (+ 40 ");
    pty_keys(shell, "\032");
    pty_part(shell, "Stopped");
    pty_keys(shell, "fg\r");
    pty_cursor(shell, "user=> (+ 40 ");
    pty_keys(shell, "2)\r");
    pty_row(shell, "42");
    pty_cursor(shell, "user=> ");
    pty_keys(shell, "\004");
    pty_cursor(shell, "$ ");
    pty_keys(shell, "exit\r");
    ends(shell, 0);
}

/* ---- two shells on one store ---------------------------------------------------------------------------------- */

TEST(two_shells)
{
    prepare();
    pty *one = start(), *two = start();
    answers(one, "#'user/r", "(def r (ref \"/r\" 0))");
    answers(one, "#ref[/r]", "(add-watch r :k (fn [k x old new] (println \"now\" new)))");
    answers(two, "#'user/r", "(def r (ref \"/r\" 0))");
    /* The one is at its prompt, with something typed: what is printed comes above. */
    pty_keys(one, "(+ 1 ");
    pty_cursor(one, "user=> (+ 1 ");
    answers(two, "5", "(dosync!! (connect) (ref-set!! r 5))");
    pty_row(one, "now 5");
    pty_cursor(one, "user=> (+ 1 ");
    pty_keys(one, "1)\r");
    pty_row(one, "2");
    pty_cursor(one, "user=> ");
    /* The one waits for what the other does. */
    pty_keys(one,
             "(do (println :waits) (dosync!! (connect) (if (< @r 9) (retry!!) [:seen @r])))\r");
    pty_row(one, ":waits");
    answers(two, "9", "(dosync!! (connect) (ref-set!! r 9))");
    pty_row(one, "[:seen 9]");
    leave(one);
    leave(two);
}
