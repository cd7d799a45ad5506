/* Interrupting evaluations: whatever they do or wait for ends, and nothing is half done. */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lang/lang_support.h"
#include "store/mem/mem.h"
#include "support/await.h"

static void open_all(void)
{
    static char store_name[] = "mem:interrupt";
    open_lang(store_name, UINT64_MAX);
}

/* ---- an evaluation on a thread of its own ------------------------------------------------------- */

typedef struct evaluation {
    pthread_t thread;
    const char *text;
    _Atomic int task; /* the thread's, once it runs */
    avout_status status;
    avout_lang_error error;
} evaluation;

static void *evaluate(void *payload)
{
    evaluation *e = payload;
    avout_value value;
    atomic_store(&e->task, test_task());
    e->status = avout_lang_eval(&value, lang, e->text, strlen(e->text), &e->error);
    if (!e->status) avout_release(value);
    return NULL;
}

static void begin(evaluation *e, const char *text)
{
    *e = (evaluation){.text = text};
    CHECK(!pthread_create(&e->thread, NULL, evaluate, e));
}

static void ends(evaluation *e, avout_status status, const char *message)
{
    CHECK(!pthread_join(e->thread, NULL));
    CHECK_INT(status, e->status);
    CHECK_CONTAINS(message, e->error.message);
}

/* Interrupts the evaluation where it waits. */
static void ends_waiting(const char *text)
{
    evaluation e;
    begin(&e, text);
    test_await_asleep(&e.task);
    avout_lang_interrupt(lang);
    ends(&e, AVOUT_ECANCELLED, "interrupted");
}

static avout_store *store(void)
{
    avout_store *handle = avout__mem_handle("interrupt", 0);
    CHECK(handle);
    return handle;
}

/* ---- what runs ----------------------------------------------------------------------------------- */

static atomic_int runs;

static avout_status note(avout_value *result, size_t count, const avout_value *arguments,
                         void *payload)
{
    (void)count, (void)arguments, (void)payload;
    *result = avout_int(atomic_fetch_add(&runs, 1) + 1);
    return AVOUT_OK;
}

static void await_runs(int wanted)
{
    TEST_AWAIT(atomic_load(&runs) >= wanted);
}

TEST(a_loop_without_an_end)
{
    evaluation e;
    open_all();
    CHECK_OK(avout_lang_define_function(lang, "note", 0, 0, note, NULL, NULL));
    begin(&e, "(loop [] (try (note) (catch Throwable e :caught)) (recur))");
    await_runs(1);
    avout_lang_interrupt(lang);
    ends(&e, AVOUT_ECANCELLED, "interrupted");
    answers("3", "(+ 1 2)");
    close_all();
}

TEST(sleep_ends)
{
    open_all();
    ends_waiting("(Thread/sleep 100000000)");
    ends_waiting("(try (Thread/sleep 100000000) (catch Throwable e :caught))");
    close_all();
}

TEST(finally_runs_until_the_next_interruption)
{
    evaluation e;
    open_all();
    CHECK_OK(avout_lang_define_function(lang, "note", 0, 0, note, NULL, NULL));
    begin(&e, "(try (Thread/sleep 100000000) (finally (dotimes [_ 5000] (note)) (Thread/sleep 5)"
              " (note) (Thread/sleep 100000000) (note)))");
    test_await_asleep(&e.task);
    avout_lang_interrupt(lang);
    await_runs(5001);
    test_await_asleep(&e.task);
    avout_lang_interrupt(lang);
    ends(&e, AVOUT_ECANCELLED, "interrupted");
    CHECK_INT(5001, atomic_load(&runs));
    close_all();
}

/* ---- what waits for the store --------------------------------------------------------------------- */

TEST(a_transaction_that_waits_for_others)
{
    open_all();
    answers("#'user/r", "(def r (ref \"/r\" 0))");
    ends_waiting("(dosync!! (connect) (when (zero? @r) (retry!!)))");
    answers("1", "(dosync!! (connect) (alter!! r inc))");
    close_all();
}

TEST(a_change_that_cannot_be_sent_is_withdrawn)
{
    open_all();
    answers("#'user/a", "(def a (atom \"/a\" 0)) (def a a)");
    avout__mem_reconnect_after(store(), AVOUT_FOREVER);
    CHECK_OK(avout__mem_suspend(store()));
    ends_waiting("(swap!! a inc)");
    ends_waiting("(atom \"/other\")");
    ends_waiting("(ls \"/\")");
    CHECK_OK(avout__mem_reconnect(store()));
    answers("[0 [\"a\"]]", "[@a (ls)]");
    answers("1", "(swap!! a inc)");
    close_all();
}

/* It may be known a moment later what has become of it; then that is told. */
TEST(a_change_on_its_way_is_waited_for)
{
    evaluation e;
    open_all();
    CHECK_OK(avout_lang_define_function(lang, "note", 0, 0, note, NULL, NULL));
    answers("#'user/a", "(def a (atom \"/a\" 0)) (def a a)");
    avout__mem_hold(store(), AVOUT__MEM_REQUESTS);
    begin(&e, "(try (swap!! a inc) (note) (loop [] (recur)) (finally (note)))");
    CHECK(avout__mem_wait_held(store(), INT64_MAX));
    test_await_asleep(&e.task);
    avout_lang_interrupt(lang);
    test_await_asleep(&e.task);
    avout__mem_release(store());
    /* The swap is done; the first step after it is not. */
    ends(&e, AVOUT_ECANCELLED, "interrupted");
    CHECK(atomic_load(&runs) >= 1);
    answers("1", "@a");
    close_all();
}

TEST(a_change_on_its_way_is_not_waited_for_long)
{
    evaluation e;
    open_all();
    answers("#'user/a", "(def a (atom \"/a\" 0)) (def a a)");
    avout__mem_hold(store(), AVOUT__MEM_REQUESTS);
    begin(&e, "(try (swap!! a inc) (catch Throwable e :caught))");
    CHECK(avout__mem_wait_held(store(), INT64_MAX));
    test_await_asleep(&e.task);
    avout_lang_interrupt(lang);
    ends(&e, AVOUT_UNKNOWN, "may or may not");
    avout__mem_release(store());
    answers("2", "(swap!! a inc)");
    close_all();
}

TEST(connecting)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(!bind(listener, (struct sockaddr *)&address, size) && !listen(listener, 4));
    CHECK(!getsockname(listener, (struct sockaddr *)&address, &size));
    char text[80];
    snprintf(text, sizeof text, "(connect \"zk://127.0.0.1:%d\")", ntohs(address.sin_port));
    evaluation e;
    open_all();
    begin(&e, text);
    int connection = accept(listener, NULL, NULL); /* and never answers */
    CHECK(connection >= 0);
    avout_lang_interrupt(lang);
    ends(&e, AVOUT_ECANCELLED, "interrupted");
    close(connection);
    close(listener);
    close_all();
}

/* ---- nested runs ------------------------------------------------------------------------------------ */

TEST(a_function_inside_of_a_change)
{
    open_all();
    answers("#'user/a", "(def a (atom \"/a\" 0)) (def a a)");
    ends_waiting("(swap!! a (fn [n] (Thread/sleep 100000000) n))");
    answers("nil", "(set-validator! a (fn [n] (when (= n 5) (Thread/sleep 100000000)) true))");
    ends_waiting("(reset!! a 5)");
    answers("0", "(set-validator! a nil) @a");
    close_all();
}

/* ---- signals -------------------------------------------------------------------------------------------- */

static void on_signal(int number)
{
    (void)number;
    avout_lang_interrupt(lang);
}

/* The handler runs on the thread that enters and leaves waits all the time. */
TEST(from_a_signal_handler_anywhere)
{
    struct sigaction action = {.sa_handler = on_signal};
    evaluation e;
    open_all();
    CHECK(!sigaction(SIGUSR1, &action, NULL));
    CHECK_OK(avout_lang_define_function(lang, "note", 0, 0, note, NULL, NULL));
    for (int i = 0; i < 300; i++) {
        int before = atomic_load(&runs);
        begin(&e, "(loop [] (note) (Thread/sleep 0) (dotimes [_ 20] (Thread/sleep 0)) (recur))");
        await_runs(before + 1);
        for (int spins = i * 50; spins > 0; spins--) atomic_signal_fence(memory_order_seq_cst);
        CHECK(!pthread_kill(e.thread, SIGUSR1));
        ends(&e, AVOUT_ECANCELLED, "interrupted");
    }
    close_all();
}
