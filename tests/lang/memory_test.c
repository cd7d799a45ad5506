/* A program for which each allocation fails in turn: it ends with AVOUT_ENOMEM, and leaves nothing behind.
 * The address sanitizer sees what that could break. Test-tags: single */
#include "avout/lang.h"
#include "avout/memory.h"
#include "support/test.h"

static avout_status evaluate_all(void *payload)
{
    static const char text[] =
        "(defn f [{:keys [a b] :or {b 2}} & more] [a b more])\n"
        "(def table {:x #(str % \"!\") :y (comp inc dec)})\n"
        "[(f {:a 1} 2 3) ((:x table) 5) (take 3 (map + (range) [1 2 3 4]))\n"
        " (try (throw (ex-info \"x\" {:a [1]})) (catch Exception e (ex-data e)))\n"
        " (for [x [1 2] :when (odd? x)] {x #{x}}) (sort-by - [1 2 3]) (format \"%5d\" 3)\n"
        " (loop [i 0 v []] (if (< i 40) (recur (inc i) (conj v i)) (count v)))\n"
        " (case 3 1 :a (2 3) :b) (clojure.string/join \",\" [1 2]) (pr-str 'a \"b\")\n"
        " (update-in {:a {:b 1}} [:a :b] inc) (clojure.string/replace \"a1b2\" "
        "#\"([a-z]|x)+(\\d)\" \"$2\")]\n"
        "(ns a (:use [clojure.set :only [union]]) (:require [clojure.string :as s]))\n"
        "(letfn [(f [n] (if (= n 0) 0 (g (dec n)))) (g [n] (f n))] (f 2))\n"
        "[@(future (inc 1)) (let [p (promise)] (deliver p {:a 1}) @p) @(delay [1])\n"
        " (try @(future (throw (ex-info \"y\" {}))) (catch Exception e (ex-message e)))\n"
        " (into [] (comp (map inc) (take 2) (partition-all 2)) [1 2 3]) (union #{1} #{2})]";
    avout_lang *own;
    avout_value value;
    (void)payload;
    avout_status status = avout_lang_open(&own, NULL);
    if (status) return status;
    status = avout_lang_eval(&value, own, text, sizeof text - 1, NULL);
    if (!status) avout_release(value);
    avout_lang_close(own);
    return status;
}

TEST_WITHIN(each_allocation_may_fail, 120)
{
    test_each_allocation_fails(evaluate_all, NULL);
}
