/* clojure.set and clojure.walk, in the language: as prelude.c. Like there, a set may be nil, and what comes of nil
 * alone is nil. */
#include "lang/core.h"

#include "base/banned.h"

/* clang-format off */
const lang_core avout__lang_sets[] = {
    /* ---- sets: the smaller one is walked ---- */
    IN_LANGUAGE("clojure.set/union", "set ...", "the elements of any",
                "(fn union ([] #{}) ([a] a)"
                " ([a b] (if (< (count a) (count b)) (into b a) (into a b)))"
                " ([a b & more] (reduce union (union a b) more)))"),
    IN_LANGUAGE("clojure.set/intersection", "set ...", "the elements of all",
                "(fn intersection ([a] a)"
                " ([a b] (if (< (count b) (count a)) (recur b a)"
                "   (reduce (fn [r x] (if (contains? b x) r (disj r x))) a a)))"
                " ([a b & more] (reduce intersection (intersection a b) more)))"),
    IN_LANGUAGE("clojure.set/difference", "set ...", "the elements of the first that are in no other",
                "(fn difference ([a] a)"
                " ([a b] (if (< (count a) (count b))"
                "   (reduce (fn [r x] (if (contains? b x) (disj r x) r)) a a)"
                "   (reduce disj a b)))"
                " ([a b & more] (reduce difference (difference a b) more)))"),
    IN_LANGUAGE("clojure.set/select", "pred set", "the elements for which pred is true",
                "(fn select [pred s] (reduce (fn [r x] (if (pred x) r (disj r x))) s s))"),
    IN_LANGUAGE("clojure.set/subset?", "a b", "whether all elements of a are in b",
                "(fn subset? [a b] (and (<= (count a) (count b))"
                " (every? (fn [x] (contains? b x)) a)))"),
    IN_LANGUAGE("clojure.set/superset?", "a b", "whether all elements of b are in a",
                "(fn superset? [a b] (clojure.set/subset? b a))"),

    /* ---- maps ---- */
    IN_LANGUAGE("clojure.set/map-invert", "map", "values to keys",
                "(fn map-invert [m] (reduce-kv (fn [r k v] (assoc r v k)) {} m))"),
    IN_LANGUAGE("clojure.set/rename-keys", "map names", "with keys renamed by the map names",
                "(fn rename-keys [m names] (reduce-kv (fn [r from to]"
                " (if (contains? m from) (assoc r to (get m from)) r))"
                " (apply dissoc m (keys names)) names))"),

    /* ---- relations: sets of maps ---- */
    IN_LANGUAGE("clojure.set/project", "maps keys", "the maps with those keys only",
                "(fn project [rel ks] (into #{} (map (fn [m] (select-keys m ks)) rel)))"),
    IN_LANGUAGE("clojure.set/rename", "maps names", "the maps with keys renamed by the map names",
                "(fn rename [rel names]"
                " (into #{} (map (fn [m] (clojure.set/rename-keys m names)) rel)))"),
    IN_LANGUAGE("clojure.set/index", "maps keys",
                "a map from what they have under the keys to the sets of those that have it",
                "(fn index [rel ks] (reduce (fn [r m] (let [k (select-keys m ks)]"
                " (assoc r k (conj (get r k #{}) m)))) {} rel))"),
    IN_LANGUAGE("clojure.set/join", "maps others names?",
                "the maps merged with those others that have the same under the keys of both, or of names",
                "(fn join"
                " ([a b] (let [ks (filter (fn [k] (contains? (first b) k)) (keys (first a)))]"
                "   (join a b (zipmap ks ks))))"
                " ([a b names] (let [by (clojure.set/index b (vals names))"
                "   both (if (<= (count a) (count b)) merge (fn [x y] (merge y x)))]"
                "   (into #{} (mapcat (fn [x] (map (fn [y] (both x y))"
                "     (get by (clojure.set/rename-keys (select-keys x (keys names)) names)))) a)))))"),

    /* ---- walking through what is inside of each other ---- */
    IN_LANGUAGE("clojure.walk/walk", "inner outer form",
                "outer of the collection of the values of inner for its elements",
                "(fn walk [inner outer form] (outer (cond"
                " (vector? form) (mapv inner form)"
                " (or (map? form) (set? form)) (into (empty form) (map inner form))"
                " (seq? form) (map inner form)"
                " :else form)))"),
    IN_LANGUAGE("clojure.walk/postwalk", "f form", "with f of everything inside, the innermost first",
                "(fn postwalk [f form] (clojure.walk/walk (fn [x] (postwalk f x)) f form))"),
    IN_LANGUAGE("clojure.walk/prewalk", "f form", "with f of everything inside, the outermost first",
                "(fn prewalk [f form]"
                " (clojure.walk/walk (fn [x] (prewalk f x)) identity (f form)))"),
    IN_LANGUAGE("clojure.walk/postwalk-replace", "map form",
                "with the values of map for its keys, the innermost first",
                "(fn postwalk-replace [m form]"
                " (clojure.walk/postwalk (fn [x] (if (contains? m x) (get m x) x)) form))"),
    IN_LANGUAGE("clojure.walk/prewalk-replace", "map form",
                "with the values of map for its keys, the outermost first",
                "(fn prewalk-replace [m form]"
                " (clojure.walk/prewalk (fn [x] (if (contains? m x) (get m x) x)) form))"),
    IN_LANGUAGE("clojure.walk/keywordize-keys", "form", "with keywords for the strings that are keys",
                "(fn keywordize-keys [form] (clojure.walk/postwalk (fn [x] (if (map? x)"
                " (update-keys x (fn [k] (if (string? k) (keyword k) k))) x)) form))"),
    IN_LANGUAGE("clojure.walk/stringify-keys", "form", "with strings for the keywords that are keys",
                "(fn stringify-keys [form] (clojure.walk/postwalk (fn [x] (if (map? x)"
                " (update-keys x (fn [k] (if (keyword? k) (name k) k))) x)) form))"),
    LANG_END,
};
/* clang-format on */
