/* Locks and conditions from the language; the same on every store, so here on one in this process. */
#include <pthread.h>

#include "avout.h"
#include "support/lang.h"
#include "support/test.h"

static const char store[] = "mem:lang-locks";
static const char open_lock[] = "(use 'avout.locks) (import 'java.util.concurrent.TimeUnit) "
                                "(def client (connect)) "
                                "(def lock (distributed-lock client :lock-node \"/lock\")) 1";

TEST(a_lock_is_a_threads)
{
    avout_lang *lang = test_lang(store);
    test_answers(lang, "1", open_lock);
    test_answers(lang, "[#lock[/lock] 0 false nil]",
                 "[lock (.getHoldCount lock) (.hasLock lock) (.getOwner lock)]");
    test_answers(lang, "[nil 1 true]", "[(.lock lock) (.getHoldCount lock) (.hasLock lock)]");
    test_answers(lang, "[true 2 nil 1 nil 0 false]",
                 "[(.tryLock lock) (.getHoldCount lock) (.unlock lock) (.getHoldCount lock) "
                 "(.unlock lock) (.getHoldCount lock) (.hasLock lock)]");
    test_fails(lang, AVOUT_ENOTHELD, "/lock", "(.unlock lock)", NULL);
    test_answers(
        lang, "[false false 0 false]",
        "(with-lock lock @(future [(.tryLock lock) (.tryLock lock 1 TimeUnit/MILLISECONDS) "
        "(.getHoldCount lock) (.hasLock lock)]))");
    test_answers(lang, "true",
                 "@(future (try (.tryLock lock 9 java.util.concurrent.TimeUnit/DAYS) "
                 "(finally (.unlock lock))))");
    /* What others wait for they get when it is given back. */
    test_answers(lang, ":theirs",
                 "(let [f (with-lock lock (let [f (future (with-lock lock :theirs))] "
                 "(Thread/sleep 20) f))] @f)");
    test_answers(lang, "true",
                 "(let [t #(with-lock lock (lock-token lock)) a (t) b (t)] "
                 "(neg? (compare a b)))");
    test_answers(lang, "[true true ()]",
                 "(let [[a b] (with-lock lock [(.getOwner lock) (.queuedRequests lock)])] "
                 "[(= [a] b) (boolean (re-matches #\"\\d+@.+\" a)) (.queuedRequests lock)])");
    test_fails(lang, AVOUT_ENOTSUP, "the thread that has it",
               "(distributed-lock (connect) :request-id \"x\")", NULL);
    test_fails(lang, AVOUT_ENOTSUP, "only :lock-node",
               "(distributed-read-write-lock (connect) :lock-node \"/l\" :request-id \"x\")", NULL);
    test_answers(lang, "[nil nil]", "[(.deleteLock lock) (.deleteLock lock)]");
    test_fails(lang, AVOUT_EBUSY, "/lock", "(with-lock lock (.deleteLock lock))", NULL);
    test_lang_close(lang);
}

TEST(forms_that_hold_a_lock_give_it_back_whatever_happens)
{
    avout_lang *lang = test_lang(store);
    test_answers(lang, "1", open_lock);
    test_answers(lang, "[nil 7 7 nil 7 :got 7 nil]",
                 "[(with-lock lock) (with-lock lock 1 7) (when-lock lock 1 7) (when-lock lock) "
                 "(when-lock-with-timeout lock 60 TimeUnit/SECONDS 1 7) (if-lock lock :got) "
                 "(if-lock-with-timeout lock 60000000000 (TimeUnit/NANOSECONDS) 7 8) "
                 "(when-lock-with-timeout lock 0 TimeUnit/SECONDS)]");
    test_answers(lang, "[nil 8 nil 8 nil]",
                 "(with-lock lock @(future [(when-lock lock 1) (if-lock lock 7 8) "
                 "(when-lock-with-timeout lock 2 TimeUnit/MICROSECONDS 7) "
                 "(if-lock-with-timeout lock 1 TimeUnit/MILLISECONDS 7 8) (if-lock lock 1)]))");
    test_answers(lang, "[0 \"x\"]",
                 "(let [m (try (with-lock lock (throw (Exception. \"x\"))) (catch Exception e "
                 "(ex-message e)))] [(.getHoldCount lock) m])");
    test_fails(lang, AVOUT_ETYPE, "with-lock: expected a lock", "(with-lock 5 1)", NULL);
    test_fails(lang, AVOUT_ETYPE, "TimeUnit", "(.tryLock lock 5 6)", NULL);
    test_fails(lang, AVOUT_EINVAL, "unit", "(.tryLock lock 5)", NULL);
    test_fails(lang, AVOUT_ESYNTAX, "if-lock: expected", "(if-lock lock)", NULL);
    test_fails(lang, AVOUT_ESYNTAX, "a time", "(when-lock-with-timeout lock 5)", NULL);
    test_fails(lang, AVOUT_ENAME, "TimeUnit/FORTNIGHTS", "TimeUnit/FORTNIGHTS", NULL);
    test_fails(lang, AVOUT_ENAME, "lock", "(distributed-lock client :lock-node \"lock\")", NULL);
    test_fails(lang, AVOUT_ETYPE, ":lock-node", "(distributed-lock client :lock \"/lock\")", NULL);
    test_interrupted(lang, "(with-lock lock (Thread/sleep 1000000))");
    test_interrupted(lang, "(try (.lock lock) (Thread/sleep 1000000) (finally (.unlock lock)))");
    test_interrupted(lang, "(when-lock lock (loop [] (Thread/sleep 1) (recur)))");
    test_answers(lang, "[0 nil]", "[(.getHoldCount lock) (.getOwner lock)]");
    test_lang_close(lang);
}

TEST(readers_share_and_writers_do_not)
{
    avout_lang *lang = test_lang(store);
    test_answers(lang, "1",
                 "(def both (distributed-read-write-lock (connect) :lock-node \"/both\")) "
                 "(def r (.readLock both)) (def w (.writeLock both)) 1");
    test_answers(lang, "[#read-write-lock[/both] #read-lock[/both] #lock[/both]]", "[both r w]");
    test_answers(
        lang, "[1 true 1 nil]",
        "(with-lock r [(.getHoldCount r) (.hasLock r) @(future (with-lock r (.getHoldCount "
        "r))) @(future (when-lock w 1))])");
    test_answers(lang, "[nil nil 1 [1 1]]",
                 "(with-lock w [@(future (when-lock r 1)) @(future (when-lock w 1)) "
                 "(.getHoldCount w) (with-lock r [(.getHoldCount r) (.getHoldCount w)])])");
    test_fails(lang, AVOUT_EDEADLOCK, "both", "(with-lock r (.lock w))", NULL);
    test_fails(lang, AVOUT_ETYPE, ".readLock or .writeLock", "(.lock both)", NULL);
    test_fails(lang, AVOUT_ETYPE, "a read-write lock", "(.readLock w)", NULL);
    test_fails(lang, AVOUT_ENOTSUP, "no conditions", "(.newCondition r)", NULL);
    test_answers(lang, "[0 0]", "[(.getHoldCount r) (.getHoldCount w)]");
    test_lang_close(lang);
}

TEST(conditions_wake_who_waits)
{
    avout_lang *lang = test_lang(store);
    test_answers(lang, "1", open_lock);
    test_answers(lang, "[:before :between :after]",
                 "(def c (.newCondition lock)) (def seen (local-ref client [])) "
                 "(defn add [x] (dosync!! client (alter!! seen conj x))) "
                 "(let [waits (promise) "
                 "      f (future (with-lock lock (add :before) (deliver waits 1) (.await c) "
                 "                  (add :after)))]"
                 "  @waits (with-lock lock (add :between) (.signal c)) @f @seen)");
    test_answers(lang, "[[1 1 1] nil]",
                 "(let [started (for [_ (range 3)] (promise)) "
                 "      fs (mapv (fn [p] (future (with-lock lock (deliver p 1) (.await c) "
                 "                 (.getHoldCount lock)))) started)]"
                 "  (doseq [p started] @p) (let [s (with-lock lock (.signalAll c))] "
                 "  [(mapv deref fs) s]))");
    test_answers(lang, "[false true false 1]",
                 "(with-lock lock [(.await c 2 TimeUnit/MILLISECONDS) (neg? (.awaitNanos c 1000)) "
                 "(.awaitUntil c (+ 2 (System/currentTimeMillis))) (.getHoldCount lock)])");
    test_answers(
        lang, "true",
        "(let [named (.getCondition lock \"ready\") p (promise) "
        "      f (future (with-lock lock (deliver p 1) (.await named 60 "
        "TimeUnit/SECONDS)))] @p (with-lock lock (.signal (.getCondition lock \"ready\"))) "
        "@f)");
    test_fails(lang, AVOUT_ENOTHELD, "/lock", "(.await c)", NULL);
    test_fails(lang, AVOUT_ENOTHELD, "/lock", "(.signal c)", NULL);
    test_fails(lang, AVOUT_ETYPE, "a condition", "(.signal lock)", NULL);
    test_fails(lang, AVOUT_ENAME, "", "(.getCondition lock \"a/b\")", NULL);
    test_lang_close(lang);
}

static void *wait_for_it(void *lang)
{
    test_answers(lang, "[1 :theirs]", "(with-lock lock [(.getHoldCount lock) :theirs])");
    test_answers(lang, "true",
                 "(with-lock lock (.await (.getCondition lock \"turn\") 60 "
                 "TimeUnit/SECONDS))");
    return NULL;
}

/* Two environments are to each other what two processes are. */
TEST(environments_meet_at_a_name)
{
    pthread_t thread;
    avout_lang *one = test_lang(store), *two = test_lang(store);
    test_answers(one, "1", open_lock);
    test_answers(two, "1", open_lock);
    test_answers(one, "nil", "(.lock lock)");
    test_answers(two, "[false :no 0 1]",
                 "[(.tryLock lock 2 TimeUnit/MILLISECONDS) (if-lock lock 1 :no) (.getHoldCount "
                 "lock) (count (.queuedRequests lock))]");
    CHECK(!pthread_create(&thread, NULL, wait_for_it, two));
    test_comes(one, "2", "(count (.queuedRequests lock))");
    test_answers(one, "nil", "(.unlock lock)");
    /* It waits now, or is about to. */
    test_comes(one, "true",
               "(with-lock lock (.signal (.getCondition lock \"turn\"))) (nil? (.getOwner lock))");
    for (;;) {
        if (!pthread_tryjoin_np(thread, NULL)) break;
        test_answers(one, "nil", "(with-lock lock (.signal (.getCondition lock \"turn\")))");
    }
    avout_lang_close(two);
    test_lang_close(one);
}

/* Nobody but the interruption would end these; afterwards nobody is left in the queue. */
TEST(an_interruption_ends_waits_for_locks)
{
    avout_lang *one = test_lang(store), *two = test_lang(store);
    test_answers(one, "1", open_lock);
    test_answers(two, "1", open_lock);
    test_answers(one, "nil", "(.lock lock)");
    test_interrupted(two, "(.lock lock)");
    test_interrupted(two, "(try (.lockInterruptibly lock) (catch Throwable e 1))");
    test_interrupted(two, "(.tryLock lock 1 TimeUnit/DAYS)");
    test_interrupted(two, "(with-lock lock 1)");
    test_interrupted(two, "(if-lock-with-timeout lock 1 TimeUnit/DAYS 1 2)");
    test_interrupted(two, "(.lock (.readLock (distributed-read-write-lock client :lock-node "
                          "\"/lock\")))");
    test_comes(one, "1", "(count (.queuedRequests lock))");
    test_answers(one, "nil", "(.unlock lock)");
    test_interrupted(two, "(def c (.newCondition lock)) (with-lock lock (.await c))");
    test_interrupted(two, "(with-lock lock (.await c 1 TimeUnit/DAYS))");
    test_answers(two, "[0 ()]", "[(.getHoldCount lock) (.queuedRequests lock)]");
    avout_lang_close(two);
    test_lang_close(one);
}
