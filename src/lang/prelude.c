/* Functions that are written in the language. Each is compiled when a program first names it; its text
 * is one (fn name ...). They may use each other, but not in a circle.
 *
 * Names that end with a star are the lazy forms of functions in core_sequence.c, for sequences that
 * may have no end. */
#include "lang/core.h"

#include "base/banned.h"

/* clang-format off */
const lang_core avout__lang_prelude[] = {
    /* ---- lazy forms ---- */
    HIDDEN("range-from*", "(fn range-from* ([] (range-from* 0)) ([n] (lazy-seq (cons n (range-from* (inc n))))))"),
    HIDDEN("range-by*",
         "(fn range-by* [n to step] (lazy-seq"
         " (when (if (pos? step) (< n to) (> n to)) (cons n (range-by* (+ n step) to step)))))"),
    HIDDEN("repeat-n*",
         "(fn repeat-n* [n x] (lazy-seq (when (pos? n) (cons x (repeat-n* (dec n) x)))))"),
    HIDDEN("take*",
         "(fn take* [n c] (lazy-seq (when (pos? n)"
         " (when-let [s (seq c)] (cons (first s) (take* (dec n) (rest s)))))))"),
    HIDDEN("repeat*", "(fn repeat* [x] (lazy-seq (cons x (repeat* x))))"),
    HIDDEN("map*",
         "(fn map*"
         " ([f c] (lazy-seq (when-let [s (seq c)] (cons (f (first s)) (map* f (rest s))))))"
         " ([f c d] (lazy-seq (let [s (seq c) t (seq d)]"
         "   (when (and s t) (cons (f (first s) (first t)) (map* f (rest s) (rest t)))))))"
         " ([f c d & more] (lazy-seq (let [all (map seq (cons c (cons d more)))]"
         "   (when (every? identity all)"
         "     (cons (apply f (map first all)) (apply map* f (map rest all))))))))"),
    HIDDEN("filter*",
         "(fn filter* [pred c] (lazy-seq (loop [s (seq c)] (when s"
         " (let [x (first s)] (if (pred x) (cons x (filter* pred (rest s))) (recur (next s))))))))"),
    HIDDEN("remove*", "(fn remove* [pred c] (filter* (fn [x] (not (pred x))) c))"),
    HIDDEN("concat*",
         "(fn concat* ([] ()) ([c] c)"
         " ([c & more] (lazy-seq (if-let [s (seq c)]"
         "   (cons (first s) (apply concat* (rest s) more))"
         "   (apply concat* more)))))"),

    /* for, over what may have no end: f makes the list of what becomes of the elements of its argument. */
    HIDDEN("for-over*",
         "(fn for-over* [c f] (if (lazy?* c)"
         " ((fn step [s] (lazy-seq (when-let [t (seq s)]"
         "   (concat* (f (list (first t))) (step (rest t)))))) c)"
         " (f c)))"),

    /* ---- endless sequences ---- */
    IN_LANGUAGE("iterate", "f x", "x, (f x), (f (f x)), ... endlessly",
                "(fn iterate [f x] (lazy-seq (cons x (let [y (f x)] (iterate f y)))))"),
    IN_LANGUAGE("repeatedly", "n? f", "the values of calls of f, n or endlessly many",
                "(fn repeatedly ([f] (lazy-seq (cons (f) (repeatedly f))))"
                " ([n f] (if (> n 262144) (lazy-seq (cons (f) (repeatedly (dec n) f)))"
                "   (loop [i 0 v []] (if (< i n) (recur (inc i) (conj v (f))) (as-list* v))))))"),
    IN_LANGUAGE("cycle", "coll", "coll's elements, again and again",
                "(fn cycle [c] (if-let [s (seq c)]"
                " ((fn around [t] (lazy-seq (if-let [u (seq t)]"
                "   (cons (first u) (around (rest u))) (around s)))) s) ()))"),

    /* ---- functions of functions ---- */
    IN_LANGUAGE("identity", "x", "x", "(fn identity [x] x)"),
    IN_LANGUAGE("constantly", "x", "a function that always answers x",
                "(fn constantly [x] (fn [& _] x))"),
    IN_LANGUAGE("comp", "f ...", "a function that calls all, the last one first",
                "(fn comp ([] identity) ([f] f)"
                " ([f g] (fn ([] (f (g))) ([x] (f (g x))) ([x y] (f (g x y)))"
                "   ([x y & more] (f (apply g x y more)))))"
                " ([f g & more] (reduce comp (cons f (cons g more)))))"),
    IN_LANGUAGE("partial", "f arg ...", "f with its first arguments given",
                "(fn partial ([f] f)"
                " ([f a] (fn ([] (f a)) ([x] (f a x)) ([x & more] (apply f a x more))))"
                " ([f a & more] (fn [& xs] (apply f a (concat more xs)))))"),
    IN_LANGUAGE("complement", "f", "a function that answers the opposite of f",
                "(fn complement [f] (fn [& xs] (not (apply f xs))))"),
    IN_LANGUAGE("juxt", "f ...", "a function that answers the vector of what each answers",
                "(fn juxt [f & more] (fn [& xs] (mapv (fn [g] (apply g xs)) (cons f more))))"),
    IN_LANGUAGE("fnil", "f default ...", "f with defaults for arguments that are nil",
                "(fn fnil ([f a] (fn [x & more] (apply f (if (nil? x) a x) more)))"
                " ([f a b] (fn [x y & more] (apply f (if (nil? x) a x) (if (nil? y) b y) more)))"
                " ([f a b c] (fn [x y z & more]"
                "   (apply f (if (nil? x) a x) (if (nil? y) b y) (if (nil? z) c z) more))))"),
    IN_LANGUAGE("every-pred", "pred ...", "whether all predicates hold for all arguments",
                "(fn every-pred [& preds] (fn [& xs]"
                " (every? (fn [p] (every? p xs)) preds)))"),
    IN_LANGUAGE("some-fn", "f ...", "the first value of any function for any argument that is true",
                "(fn some-fn [& fs] (fn [& xs] (some (fn [f] (some f xs)) fs)))"),
    IN_LANGUAGE("trampoline", "f arg ...", "calls f, and what it answers as long as that is a function",
                "(fn trampoline [f & args] (loop [r (apply f args)] (if (fn? r) (recur (r)) r)))"),

    /* ---- parts of sequences ---- */
    IN_LANGUAGE("second", "coll", "the second element", "(fn second [c] (first (next c)))"),
    IN_LANGUAGE("ffirst", "coll", "the first of the first", "(fn ffirst [c] (first (first c)))"),
    IN_LANGUAGE("fnext", "coll", "the second element", "(fn fnext [c] (first (next c)))"),
    IN_LANGUAGE("nfirst", "coll", "the rest of the first", "(fn nfirst [c] (next (first c)))"),
    IN_LANGUAGE("nnext", "coll", "all but the first two", "(fn nnext [c] (next (next c)))"),
    IN_LANGUAGE("nthrest", "coll n", "all but the first n", "(fn nthrest [c n] (if (and (pos? n) (seq c)) (drop n c) c))"),
    IN_LANGUAGE("nthnext", "coll n", "all but the first n, nil when there are none",
                "(fn nthnext [c n] (seq (drop n c)))"),
    IN_LANGUAGE("butlast", "coll", "all but the last", "(fn butlast [c] (seq (drop-last 1 c)))"),
    IN_LANGUAGE("drop-last", "n? coll", "all but the last n (1)",
                "(fn drop-last ([c] (drop-last 1 c))"
                " ([n c] (if (lazy?* c) (map (fn [x _] x) c (drop n c))"
                "   (let [v (vec c)] (take (- (count v) (max n 0)) v)))))"),
    IN_LANGUAGE("take-last", "n coll", "the last n",
                "(fn take-last [n c] (let [v (vec c)] (seq (drop (- (count v) n) v))))"),
    IN_LANGUAGE("take-while", "pred coll", "the elements before the first for which pred is false",
                "(fn take-while ([pred] (take-while-xf* pred)) ([pred c] (if (lazy?* c)"
                " (lazy-seq (when-let [s (seq c)] (let [x (first s)]"
                "   (when (pred x) (cons x (take-while pred (rest s)))))))"
                " (as-list* (reduce (fn [v x] (if (pred x) (conj v x) (reduced v))) [] c)))))"),
    IN_LANGUAGE("drop-while", "pred coll", "the elements from the first for which pred is false on",
                "(fn drop-while ([pred] (drop-while-xf* pred)) ([pred c]"
                " (loop [s (seq c)] (if (and s (pred (first s))) (recur (next s)) (or s ())))))"),
    IN_LANGUAGE("take-nth", "n coll", "every n-th element",
                "(fn take-nth ([n] (take-nth-xf* n)) ([n c] (if (lazy?* c)"
                " (lazy-seq (when-let [s (seq c)] (cons (first s) (take-nth n (drop n s)))))"
                " (let [v (vec c)] (map (fn [i] (nth v i)) (range 0 (count v) n))))))"),
    IN_LANGUAGE("split-at", "n coll", "[(take n coll) (drop n coll)]",
                "(fn split-at [n c] [(take n c) (drop n c)])"),
    IN_LANGUAGE("split-with", "pred coll", "[(take-while pred coll) (drop-while pred coll)]",
                "(fn split-with [pred c] [(take-while pred c) (drop-while pred c)])"),
    IN_LANGUAGE("rand-nth", "coll", "a random element",
                "(fn rand-nth [c] (when-not (nil? c) (let [v (vec c)] (nth v (rand-int (count v))))))"),
    IN_LANGUAGE("shuffle", "coll", "the vector of the elements in random order",
                "(fn shuffle [c] (let [v (vec c)]"
                " (reduce (fn [v i] (let [j (rand-int (inc i))]"
                "   (assoc v i (nth v j) j (nth v i)))) v (range (dec (count v)) 0 -1))))"),

    /* ---- map and its kin ---- */
    IN_LANGUAGE("mapv", "f coll ...", "map, as a vector",
                "(fn mapv ([f c] (vec (map f c))) ([f c & more] (vec (apply map f c more))))"),
    IN_LANGUAGE("filterv", "pred coll", "filter, as a vector",
                "(fn filterv [pred c] (vec (filter pred c)))"),
    IN_LANGUAGE("map-indexed", "f coll", "the values of (f index element)",
                "(fn map-indexed ([f] (map-indexed-xf* f)) ([f c] (if (lazy?* c) (map f (range) c)"
                " (let [v (vec c)] (map f (range (count v)) v)))))"),
    IN_LANGUAGE("keep", "f coll", "the values of f that are not nil",
                "(fn keep ([f] (keep-xf* f)) ([f c] (filter some? (map f c))))"),
    IN_LANGUAGE("keep-indexed", "f coll", "the values of (f index element) that are not nil",
                "(fn keep-indexed ([f] (keep-indexed-xf* f)) ([f c] (filter some? (map-indexed f c))))"),
    IN_LANGUAGE("mapcat", "f coll ...", "the elements of all values of f",
                "(fn mapcat ([f] (comp (map f) cat)) ([f & cs] (let [ms (apply map f cs)]"
                " (if (lazy?* ms)"
                "   ((fn step [s] (lazy-seq (when-let [t (seq s)]"
                "      (concat* (first t) (step (rest t)))))) ms)"
                "   (apply concat ms)))))"),
    IN_LANGUAGE("interleave", "coll ...", "the first of each, the second of each, ...",
                "(fn interleave ([] ()) ([c] (map identity c)) ([c & more] (apply mapcat list c more)))"),
    IN_LANGUAGE("interpose", "separator coll", "the elements with the separator between them",
                "(fn interpose ([x] (interpose-xf* x)) ([x c] (drop 1 (mapcat (fn [y] (list x y)) c))))"),
    IN_LANGUAGE("flatten", "coll", "the elements of all sequences in each other",
                "(fn flatten [c] (as-list* ((fn into-flat [v c]"
                " (reduce (fn [v x] (if (sequential? x) (into-flat v x) (conj v x))) v c))"
                " [] (if (sequential? c) c []))))"),
    IN_LANGUAGE("distinct", "coll", "without elements that were there before",
                "(fn distinct ([] (distinct-xf*)) ([c] (if (lazy?* c)"
                " ((fn step [s seen] (lazy-seq (loop [s (seq s)] (when s (let [x (first s)]"
                "   (if (contains? seen x) (recur (next s))"
                "     (cons x (step (rest s) (conj seen x))))))))) c #{})"
                " (as-list* (first (reduce (fn [[v seen] x]"
                "   (if (contains? seen x) [v seen] [(conj v x) (conj seen x)])) [[] #{}] c))))))"),
    IN_LANGUAGE("dedupe", "coll", "without elements equal to the one before",
                "(fn dedupe ([] (dedupe-xf*)) ([c] (if (lazy?* c)"
                " ((fn step [s before] (lazy-seq (loop [s (seq s)] (when s (let [x (first s)]"
                "   (if (= before [x]) (recur (next s)) (cons x (step (rest s) [x])))))))) c nil)"
                " (as-list* (reduce (fn [v x]"
                "   (if (and (seq v) (= (peek v) x)) v (conj v x))) [] c)))))"),
    IN_LANGUAGE("partition", "n step? padding? coll", "lists of n elements, step (n) apart",
                "(fn partition ([n c] (partition n n c))"
                " ([n step c] (if (lazy?* c)"
                "   (lazy-seq (let [p (take n c)] (when (= n (count p))"
                "     (cons p (partition n step (drop step c))))))"
                "   (loop [s (seq c) v []] (let [p (take n s)]"
                "     (if (and s (= n (count p))) (recur (seq (drop step s)) (conj v p)) (as-list* v))))))"
                " ([n step padding c] (if (lazy?* c)"
                "   (lazy-seq (when-let [s (seq c)] (let [p (take n s)] (if (= n (count p))"
                "     (cons p (partition n step padding (drop step s)))"
                "     (list (take n (concat p padding)))))))"
                "   (loop [s (seq c) v []] (let [p (take n s)]"
                "   (cond (nil? s) (as-list* v)"
                "         (= n (count p)) (recur (seq (drop step s)) (conj v p))"
                "         :else (as-list* (conj v (take n (concat p padding))))))))))"),
    IN_LANGUAGE("partition-all", "n step? coll", "partition, the last lists may be shorter",
                "(fn partition-all ([n] (partition-all-xf* n)) ([n c] (partition-all n n c))"
                " ([n step c] (if (lazy?* c)"
                "   (lazy-seq (when (seq c) (cons (take n c) (partition-all n step (drop step c)))))"
                "   (loop [s (seq c) v []]"
                "     (if s (recur (seq (drop step s)) (conj v (take n s))) (as-list* v))))))"),
    IN_LANGUAGE("partition-by", "f coll", "lists of neighbours for which f answers the same",
                "(fn partition-by ([f] (partition-by-xf* f)) ([f c] (if (lazy?* c)"
                " (lazy-seq (when-let [s (seq c)] (let [k (f (first s))"
                "   part (take-while (fn [x] (= k (f x))) (rest s))]"
                "   (cons (cons (first s) part)"
                "     (lazy-seq (partition-by f (drop (inc (count part)) s)))))))"
                " (loop [s (seq c) k nil part [] v []]"
                " (if s"
                "   (let [x (first s) l (f x)]"
                "     (if (or (empty? part) (= k l))"
                "       (recur (next s) l (conj part x) v)"
                "       (recur (next s) l [x] (conj v (as-list* part)))))"
                "   (as-list* (if (seq part) (conj v (as-list* part)) v)))))))"),
    IN_LANGUAGE("reductions", "f start? coll", "all values that reduce goes through",
                "(fn reductions ([f c] (if-let [s (seq c)] (reductions f (first s) (rest s)) (list (f))))"
                " ([f x c] (if (lazy?* c)"
                "   (cons x (lazy-seq (when-let [s (seq c)] (reductions f (f x (first s)) (rest s)))))"
                "   (as-list* (reduce (fn [v y] (let [z (f (peek v) y)]"
                "     (if (reduced? z) (reduced (conj v (unreduced z))) (conj v z)))) [x] c)))))"),
    IN_LANGUAGE("tree-seq", "branch? children root", "all nodes of a tree",
                "(fn tree-seq [branch? children root] (as-list* ((fn walk [v node]"
                " (let [v (conj v node)] (if (branch? node) (reduce walk v (children node)) v)))"
                " [] root)))"),
    IN_LANGUAGE("doall", "n? coll", "coll, all of it made, or n elements",
                "(fn doall ([c] (if (lazy?* c) (as-list* c) c)) ([n c] (take n c) c))"),
    IN_LANGUAGE("dorun", "n? coll", "nil, after all of coll was made, or n elements",
                "(fn dorun ([c] (reduce (fn [_ x] nil) nil c)) ([n c] (take n c) nil))"),
    IN_LANGUAGE("random-sample", "chance coll?", "each element with that chance, from 0 to 1",
                "(fn random-sample ([p] (filter (fn [_] (< (rand) p))))"
                " ([p c] (filter (fn [_] (< (rand) p)) c)))"),
    IN_LANGUAGE("run!", "f coll", "calls f with every element; nil",
                "(fn run! [f c] (reduce (fn [_ x] (f x) nil) nil c))"),

    /* ---- asking ---- */
    IN_LANGUAGE("empty?", "coll", "whether it has no elements", "(fn empty? [c] (not (seq c)))"),
    IN_LANGUAGE("not-empty", "coll", "coll, or nil when it is empty", "(fn not-empty [c] (when (seq c) c))"),
    IN_LANGUAGE("bounded-count", "n coll", "how many elements, counted up to n",
                "(fn bounded-count [n c] (if (counted? c) (count c) (count (take n c))))"),
    IN_LANGUAGE("every?", "pred coll", "whether pred is true for all",
                "(fn every? [pred c] (reduce (fn [_ x] (if (pred x) true (reduced false))) true c))"),
    IN_LANGUAGE("not-every?", "pred coll", "whether pred is false for one",
                "(fn not-every? [pred c] (not (every? pred c)))"),
    IN_LANGUAGE("some", "pred coll", "the first value of pred that is true, or nil",
                "(fn some [pred c] (reduce (fn [_ x] (if-let [y (pred x)] (reduced y) nil)) nil c))"),
    IN_LANGUAGE("not-any?", "pred coll", "whether pred is false for all",
                "(fn not-any? [pred c] (not (some pred c)))"),
    IN_LANGUAGE("distinct?", "x ...", "whether no two are equal",
                "(fn distinct? [x & more] (= (inc (count more)) (count (set (cons x more)))))"),
    IN_LANGUAGE("max-key", "f x ...", "the one for which f is greatest",
                "(fn max-key [f x & more] (reduce (fn [a b] (if (> (f a) (f b)) a b)) x more))"),
    IN_LANGUAGE("min-key", "f x ...", "the one for which f is least",
                "(fn min-key [f x & more] (reduce (fn [a b] (if (< (f a) (f b)) a b)) x more))"),

    /* ---- sorting and grouping ---- */
    IN_LANGUAGE("comparator", "pred", "a comparator from a predicate that says what comes before",
                "(fn comparator [pred] (fn [a b] (cond (pred a b) -1 (pred b a) 1 :else 0)))"),
    IN_LANGUAGE("sort-by", "f comparator? coll", "the elements in the order of f's values",
                "(fn sort-by ([f c] (map peek (sort (fn [a b] (compare (nth a 0) (nth b 0)))"
                "    (map (fn [x] [(f x) x]) c))))"
                " ([f before c] (map peek (sort (fn [a b] (before (nth a 0) (nth b 0)))"
                "    (map (fn [x] [(f x) x]) c)))))"),
    IN_LANGUAGE("group-by", "f coll", "a map from f's values to vectors of the elements",
                "(fn group-by [f c] (reduce (fn [m x]"
                " (let [k (f x)] (update m k (fn [v] (conj (or v []) x))))) {} c))"),
    IN_LANGUAGE("frequencies", "coll", "a map from elements to how often they are there",
                "(fn frequencies [c] (reduce (fn [m x]"
                " (update m x (fn [n] (if (nil? n) 1 (inc n))))) {} c))"),

    /* ---- maps ---- */
    IN_LANGUAGE("select-keys", "map keys", "the entries with those keys",
                "(fn select-keys [m ks] (reduce (fn [r k]"
                " (if-let [e (find m k)] (assoc r k (val e)) r)) {} ks))"),
    IN_LANGUAGE("zipmap", "keys vals", "a map of the keys to the values",
                "(fn zipmap [ks vs] (into {} (map vector ks vs)))"),
    IN_LANGUAGE("merge-with", "f map ...", "merge, with f for the values of a key in several",
                "(fn merge-with [f & ms] (when (some identity ms) (reduce (fn [a b]"
                " (reduce (fn [m [k v]] (if (contains? m k) (assoc m k (f (get m k) v)) (assoc m k v)))"
                "   (or a {}) b)) ms)))"),
    IN_LANGUAGE("reduce-kv", "f start coll", "reduce with (f value key val)",
                "(fn reduce-kv [f x c] (if (vector? c)"
                " (reduce (fn [a i] (f a i (nth c i))) x (range (count c)))"
                " (reduce (fn [a [k v]] (f a k v)) x c)))"),
    IN_LANGUAGE("update-vals", "map f", "with f of every value",
                "(fn update-vals [m f]"
                " (reduce-kv (fn [r k v] (assoc r k (f v))) (if (nil? m) {} m) m))"),
    IN_LANGUAGE("update-keys", "map f", "with f of every key",
                "(fn update-keys [m f] (reduce-kv (fn [r k v] (assoc r (f k) v)) {} m))"),
    LANG_END,
};
/* clang-format on */
