/* Transducers, in the language, and what else is made of functions: as prelude.c. Names that end with a
 * star are what map, filter ... answer when they are given no collection. Their state is in volatiles. */
#include "lang/core.h"

#include "base/banned.h"

/* clang-format off */
/* The transducer whose step for an element x is `step`: it answers what becomes of r. */
#define STEP(name, arguments, step) \
    HIDDEN(name, "(fn " name " [" arguments "] (fn [rf] (fn ([] (rf)) ([r] (rf r)) ([r x] " step "))))")
/* The same with a state that starts anew for each use. */
#define STATE(name, arguments, state, step) \
    HIDDEN(name, "(fn " name " [" arguments "] (fn [rf] (let [state (volatile! " state ")]" \
                 " (fn ([] (rf)) ([r] (rf r)) ([r x] " step ")))))")
/* And with something left at the end: `rest` is nil, or is handed on as one element. */
#define PARTS(name, arguments, state, rest, step) \
    HIDDEN(name, "(fn " name " [" arguments "] (fn [rf] (let [state (volatile! " state ")]" \
                 " (fn ([] (rf)) ([r] (let [part " rest "] (vreset! state " state ")" \
                 "   (rf (if part (unreduced (rf r part)) r)))) ([r x] " step ")))))")

const lang_core avout__lang_transducers[] = {
    HIDDEN("map-xf*",
           "(fn map-xf* [f] (fn [rf] (fn ([] (rf)) ([r] (rf r)) ([r x] (rf r (f x)))"
           " ([r x & more] (rf r (apply f x more))))))"),
    STEP("filter-xf*", "pred", "(if (pred x) (rf r x) r)"),
    STEP("remove-xf*", "pred", "(if (pred x) r (rf r x))"),
    STEP("keep-xf*", "f", "(let [y (f x)] (if (nil? y) r (rf r y)))"),
    STEP("take-while-xf*", "pred", "(if (pred x) (rf r x) (reduced r))"),
    STATE("take-xf*", "n", "n",
          "(let [n @state m (vswap! state dec) r (if (pos? n) (rf r x) r)]"
          " (if (pos? m) r (ensure-reduced r)))"),
    STATE("drop-xf*", "n", "n", "(if (pos? @state) (do (vswap! state dec) r) (rf r x))"),
    STATE("drop-while-xf*", "pred", "true",
          "(if (and @state (pred x)) r (do (vreset! state false) (rf r x)))"),
    STATE("take-nth-xf*", "n", "-1", "(if (zero? (rem (vswap! state inc) n)) (rf r x) r)"),
    STATE("map-indexed-xf*", "f", "-1", "(rf r (f (vswap! state inc) x))"),
    STATE("keep-indexed-xf*", "f", "-1",
          "(let [y (f (vswap! state inc) x)] (if (nil? y) r (rf r y)))"),
    STATE("distinct-xf*", "", "#{}",
          "(if (contains? @state x) r (do (vswap! state conj x) (rf r x)))"),
    STATE("dedupe-xf*", "", "[]",
          "(let [before @state] (vreset! state [x]) (if (= before [x]) r (rf r x)))"),
    STATE("interpose-xf*", "separator", "false",
          "(if @state (let [r (rf r separator)] (if (reduced? r) r (rf r x)))"
          " (do (vreset! state true) (rf r x)))"),
    PARTS("partition-all-xf*", "n", "[]", "(not-empty @state)",
          "(let [part (vswap! state conj x)]"
          " (if (= n (count part)) (do (vreset! state []) (rf r part)) r))"),
    PARTS("partition-by-xf*", "f", "[nil []]", "(not-empty (second @state))",
          "(let [[k part] @state l (f x)]"
          " (if (or (empty? part) (= k l)) (do (vreset! state [l (conj part x)]) r)"
          "   (do (vreset! state [l [x]])"
          "     (let [r (rf r part)] (when (reduced? r) (vreset! state [nil []])) r))))"),
    HIDDEN("into-xf*",
           "(fn into-xf* [to xf from] (transduce xf (fn ([to] to) ([to x] (conj to x))) to from))"),

    HIDDEN("sequence-xf*",
           "(fn sequence-xf* [xf c] (let [out (volatile! [])"
           " taken (fn [] (let [xs @out] (vreset! out []) (as-list* xs)))"
           " g (xf (fn ([r] r) ([r x] (vswap! out conj x) r)))]"
           " ((fn step [s] (lazy-seq (loop [s (seq s)] (if s"
           "   (let [end (reduced? (g nil (first s))) xs (taken)]"
           "     (cond end (do (g nil) (concat xs (taken)))"
           "           (seq xs) (concat* xs (step (rest s)))"
           "           :else (recur (next s))))"
           "   (do (g nil) (taken)))))) c)))"),

    IN_LANGUAGE("ensure-reduced", "x", "x as what ends a reduce, if it is not that already",
                "(fn ensure-reduced [r] (if (reduced? r) r (reduced r)))"),
    IN_LANGUAGE("transduce", "xform f start? coll", "reduce with the transducer's steps before f",
                "(fn transduce ([xf f c] (transduce xf f (f) c))"
                " ([xf f x c] (let [g (xf f)] (g (reduce g x c)))))"),
    IN_LANGUAGE("sequence", "xform? coll ...", "the elements, through the transducer",
                "(fn sequence ([c] (or (seq c) ()))"
                " ([xf c] (if (lazy?* c) (sequence-xf* xf c)"
                "   (as-list* (transduce xf (fn ([v] v) ([v x] (conj v x))) [] c))))"
                " ([xf c & more] (let [g (xf (fn ([v] v) ([v x] (conj v x))))]"
                "   (as-list* (g (reduce (fn [v xs] (apply g v xs)) []"
                "     (apply map vector c more)))))))"),
    IN_LANGUAGE("eduction", "xform ... coll", "the elements, through the transducers",
                "(fn eduction [& xs] (sequence (apply comp (butlast xs)) (last xs)))"),
    IN_LANGUAGE("completing", "f at-end?", "f as a reducing function with something to do at the end",
                "(fn completing ([f] (completing f identity))"
                " ([f end] (fn ([] (f)) ([r] (end r)) ([r x] (f r x)))))"),
    IN_LANGUAGE("cat", "rf", "a transducer of the elements of the elements",
                "(fn cat [rf] (fn ([] (rf)) ([r] (rf r)) ([r c] (reduce"
                " (fn [r x] (let [s (rf r x)] (if (reduced? s) (reduced s) s))) r c))))"),
    IN_LANGUAGE("halt-when", "pred value?", "a transducer that ends where pred is true, with that element",
                "(fn halt-when ([pred] (halt-when pred nil))"
                " ([pred f] (fn [rf] (fn ([] (rf))"
                "   ([r] (if (and (map? r) (contains? r :%halted)) (:%halted r) (rf r)))"
                "   ([r x] (if (pred x) (reduced {:%halted (if f (f (rf r) x) x)}) (rf r x)))))))"),

    IN_LANGUAGE("memoize", "f", "f, which remembers what it has answered",
                "(fn memoize [f] (let [known (volatile! {})] (fn [& xs]"
                " (if-let [e (find @known xs)] (val e)"
                "   (let [y (apply f xs)] (vswap! known assoc xs y) y)))))"),
    IN_LANGUAGE("vswap!", "volatile f arg ...", "its value becomes (f value arg ...)",
                "(fn vswap! [v f & xs] (vreset! v (apply f @v xs)))"),
    IN_LANGUAGE("pmap", "f coll ...", "map, with a future for each element",
                "(fn pmap ([f c] (map deref (mapv (fn [x] (future-call (fn [] (f x)))) c)))"
                " ([f c & more] (pmap (fn [xs] (apply f xs)) (apply map vector c more))))"),
    IN_LANGUAGE("list*", "x ... coll", "the elements of coll behind the others",
                "(fn list* ([c] (seq c))"
                " ([x & more] (let [v (vec (cons x more))] (seq (concat (pop v) (peek v))))))"),
    IN_LANGUAGE("replace", "map coll", "coll with the values of map for its keys",
                "(fn replace [m c] (let [f (fn [x] (if (contains? m x) (get m x) x))]"
                " (if (vector? c) (mapv f c) (map f c))))"),
    IN_LANGUAGE("rseq", "vector", "its elements from the last to the first",
                "(fn rseq [v] (seq (reverse v)))"),
    IN_LANGUAGE("printf", "format x ...", "prints what format makes",
                "(fn printf [f & xs] (print (apply format f xs)))"),
    IN_LANGUAGE("parse-boolean", "text", "true, false, or nil for other texts",
                "(fn parse-boolean [s] (if (string? s) (case s \"true\" true \"false\" false nil)"
                " (throw (IllegalArgumentException. \"parse-boolean: expected a string\"))))"),
    LANG_END,
};
/* clang-format on */
