/* Calls of the functions by name, as EDN, and their answers: for the tests that compare with Clojure
 * and those that do not. */
#ifndef TESTS_SUPPORT_FUNCTION_CASES_H
#define TESTS_SUPPORT_FUNCTION_CASES_H

#include <stddef.h>

#include "avout/status.h"

typedef struct function_case {
    const char *call;
    const char *answer; /* printed; "!": an error */
    avout_status status;
    const char *clojure; /* NULL: the same; "!": an error */
} function_case;

/* clang-format off */
#define GIVES(call, answer) {call, answer, AVOUT_OK, NULL}
#define FAILS(call, status) {call, "!", status, NULL}
/* Where the answer is "!", any status. */
#define DIFFERS(call, answer, clojure) {call, answer, AVOUT_OK, clojure}

static const function_case function_cases[] = {
    /* numbers */
    GIVES("(inc 5)", "6"),
    GIVES("(dec 5)", "4"),
    GIVES("(+ 5)", "5"),
    GIVES("(+ 1 2 3 9)", "15"),
    GIVES("(- 5)", "-5"),
    GIVES("(- 10 4 5)", "1"),
    GIVES("(* 2 3 4)", "24"),
    GIVES("(/ 12 2 3)", "2"),
    GIVES("(/ 4)", "1/4"),
    GIVES("(quot -7 2)", "-3"),
    GIVES("(rem -7 2)", "-1"),
    GIVES("(mod -7 2)", "1"),
    FAILS("(inc 9223372036854775807)", AVOUT_ERANGE),
    FAILS("(+ 1 2 9223372036854775807)", AVOUT_ERANGE),
    FAILS("(/ 1 2 0)", AVOUT_EDIVZERO),
    FAILS("(+ \"a\")", AVOUT_ETYPE),
    FAILS("(+ 1 2 \"a\")", AVOUT_ETYPE),
    /* adding and taking away */
    GIVES("(conj nil 1)", "(1)"),
    GIVES("(conj nil 1 2)", "(2 1)"),
    GIVES("(conj nil)", "nil"),
    GIVES("(conj nil nil)", "(nil)"),
    GIVES("(conj [1] 2 3)", "[1 2 3]"),
    GIVES("(conj (1) 2 3)", "(3 2 1)"),
    GIVES("(conj #{1} 2 1)", "#{1 2}"),
    GIVES("(conj {} [1 2])", "{1 2}"),
    GIVES("(conj {1 2} {1 3, 4 5})", "{1 3, 4 5}"),
    GIVES("(conj {} nil)", "{}"),
    GIVES("(disj #{1 2 3} 2 3 9)", "#{1}"),
    GIVES("(disj nil 1)", "nil"),
    GIVES("(assoc nil 1 2)", "{1 2}"),
    GIVES("(assoc [1] 1 2)", "[1 2]"),
    GIVES("(assoc [1] 1 2 0 9)", "[9 2]"),
    GIVES("(dissoc {1 2} 1 5)", "{}"),
    GIVES("(dissoc nil 1)", "nil"),
    GIVES("(into nil [1 2 3])", "(3 2 1)"),
    GIVES("(into [] {1 2})", "[[1 2]]"),
    GIVES("(into {} ([1 2]))", "{1 2}"),
    GIVES("(into [] \"aé\")", "[\\a \\é]"),
    GIVES("(into {} nil)", "{}"),
    GIVES("(into [1])", "[1]"),
    GIVES("(into nil nil)", "nil"),
    GIVES("(merge {1 2} {1 3} nil {2 4})", "{1 3, 2 4}"),
    GIVES("(merge nil {1 2})", "{1 2}"),
    GIVES("(merge nil {})", "{}"),
    GIVES("(merge nil nil)", "nil"),
    FAILS("(conj {} [1 2] 3)", AVOUT_ETYPE),
    FAILS("(conj {} [1 2] [3])", AVOUT_EINVAL),
    FAILS("(assoc [1] 0 5 7 2)", AVOUT_ERANGE),
    FAILS("(assoc {} 0 5 7)", AVOUT_EINVAL),
    /* looking up */
    GIVES("(get nil 1)", "nil"),
    GIVES("(get 5 1)", "nil"),
    GIVES("(get {1 2} 1)", "2"),
    GIVES("(get {1 2} 5 7)", "7"),
    GIVES("(get {1 nil} 1 7)", "nil"),
    GIVES("(get #{3} 3)", "3"),
    GIVES("(get [5 6] 1)", "6"),
    GIVES("(get [5 6] 2)", "nil"),
    GIVES("(get [5 6] :a)", "nil"),
    GIVES("(get (5) 0)", "nil"),
    GIVES("(get \"abc\" 1)", "\\b"),
    GIVES("(get-in {:a [3]} [:a 0])", "3"),
    GIVES("(get-in {:a [3]} [:b 0])", "nil"),
    GIVES("(get-in {:a [3]} [:b 0] 9)", "9"),
    GIVES("(get-in [1] [])", "[1]"),
    GIVES("(get-in [1] nil)", "[1]"),
    GIVES("(contains? nil 1)", "false"),
    GIVES("(contains? [5] 0)", "true"),
    GIVES("(contains? [5] 5)", "false"),
    GIVES("(contains? [5] :a)", "false"),
    GIVES("(contains? {1 nil} 1)", "true"),
    GIVES("(contains? \"a\" 0)", "true"),
    FAILS("(contains? (1) 1)", AVOUT_ETYPE),
    GIVES("(nth [5 6] 1)", "6"),
    GIVES("(nth (5 6) 1)", "6"),
    GIVES("(nth (5 6) 2 :d)", ":d"),
    GIVES("(nth [nil] 0 :d)", "nil"),
    GIVES("(nth nil 7)", "nil"),
    GIVES("(nth nil 7 :d)", ":d"),
    FAILS("(nth [5] 1)", AVOUT_ERANGE),
    FAILS("(nth {} 1 :d)", AVOUT_ETYPE),
    GIVES("(count nil)", "0"),
    GIVES("(count \"aé\")", "2"),
    GIVES("(count {1 2, 3 4})", "2"),
    /* sequences */
    GIVES("(first nil)", "nil"),
    GIVES("(first [])", "nil"),
    GIVES("(first [1 2])", "1"),
    GIVES("(first {1 2})", "[1 2]"),
    GIVES("(first \"ab\")", "\\a"),
    GIVES("(rest nil)", "()"),
    GIVES("(rest ())", "()"),
    GIVES("(rest [1])", "()"),
    GIVES("(rest [1 2])", "(2)"),
    GIVES("(rest {1 2, 3 4})", "([3 4])"),
    GIVES("(rest \"ab\")", "(\\b)"),
    GIVES("(seq [])", "nil"),
    GIVES("(seq \"\")", "nil"),
    GIVES("(seq [1])", "(1)"),
    GIVES("(seq {1 2})", "([1 2])"),
    GIVES("(peek [])", "nil"),
    GIVES("(peek nil)", "nil"),
    GIVES("(peek [1 2])", "2"),
    GIVES("(peek (1 2))", "1"),
    GIVES("(pop [1 2])", "[1]"),
    GIVES("(pop (1 2))", "(2)"),
    GIVES("(pop nil)", "nil"),
    FAILS("(pop [])", AVOUT_ESTATE),
    FAILS("(pop ())", AVOUT_ESTATE),
    GIVES("(keys {1 2, 3 4})", "(1 3)"),
    GIVES("(vals {1 2, 3 4})", "(2 4)"),
    GIVES("(keys {})", "nil"),
    GIVES("(vals nil)", "nil"),
    GIVES("(vec nil)", "[]"),
    GIVES("(vec (1 2))", "[1 2]"),
    GIVES("(vec {1 2})", "[[1 2]]"),
    GIVES("(set [1 2 1])", "#{1 2}"),
    GIVES("(set nil)", "#{}"),
    GIVES("(empty [1])", "[]"),
    GIVES("(empty {1 2})", "{}"),
    GIVES("(empty 5)", "nil"),
    GIVES("(not nil)", "true"),
    GIVES("(not false)", "true"),
    GIVES("(not 0)", "false"),
    FAILS("(vec 1)", AVOUT_ETYPE),
    FAILS("(seq :a)", AVOUT_ETYPE),
    /* paths */
    GIVES("(assoc-in nil [:a :b] 1)", "{:a {:b 1}}"),
    GIVES("(assoc-in {:a [1]} [:a 1] 9)", "{:a [1 9]}"),
    GIVES("(assoc-in {} [] 1)", "{nil 1}"),
    FAILS("(assoc-in {:a 1} [:a :b] 1)", AVOUT_ETYPE),
    FAILS("(assoc-in [1] [3] 1)", AVOUT_ERANGE),
    GIVES("(update {:a 1} :a inc)", "{:a 2}"),
    GIVES("(update nil :a conj 1)", "{:a (1)}"),
    GIVES("(update-in [1 [5]] [1] conj 6)", "[1 [5 6]]"),
    GIVES("(update-in {:a {:b 3}} [:a :b] + 4)", "{:a {:b 7}}"),
    GIVES("(update {:a {:b 6}} :a update :b inc)", "{:a {:b 7}}"),
    FAILS("(update {:a nil} :a inc)", AVOUT_ETYPE),
    FAILS("(update {} :a nonsense)", AVOUT_ENOTFOUND),
    FAILS("(update {} :a 1)", AVOUT_ETYPE),
    FAILS("(update {} :a get)", AVOUT_EINVAL),
    /* where we differ: Clojure answers what comes third, by accident of how it is made, or because its
     * type is another; the line above says why we do not */
    /* an index is an integer; Clojure cuts the fraction off, where it does not look it up as a key */
    DIFFERS("(nth [5 6] 1.5)", "!", "6"), DIFFERS("(get \"abc\" 3/2)", "nil", "\\b"),
    DIFFERS("(contains? \"a\" 0.5)", "!", "true"), DIFFERS("(nth nil 1.5)", "!", "nil"),
    DIFFERS("(nth nil 9223372036854775807)", "nil", "!"),
    GIVES("(get [5 6] 1.0)", "nil"), GIVES("(contains? [5] 0.0)", "false"),
    /* what is past every end is absent like the rest; Clojure: does not fit its int */
    DIFFERS("(nth [] 9223372036854775807 :d)", ":d", "!"),
    /* characters are code points, not UTF-16 units */
    DIFFERS("(count \"\xf0\x9f\x98\x80\")", "1", "2"),
    /* merge is for maps; Clojure conjs whatever comes to whatever is there */
    DIFFERS("(merge {} [1 2])", "!", "{1 2}"), DIFFERS("(merge [1] 2)", "!", "[1 2]"),
    DIFFERS("(merge false {})", "!", "{}"), DIFFERS("(merge 5)", "!", "5"), DIFFERS("(merge () 1)", "!", "(1)"),
    /* a wrong type is one when it is empty, false or alone, too */
    DIFFERS("(conj {} ())", "!", "{}"), DIFFERS("(conj {:a 1} \"\")", "!", "{:a 1}"),
    DIFFERS("(into 5 ())", "!", "5"), DIFFERS("(into false nil)", "!", "false"),
    DIFFERS("(keys [])", "!", "nil"), DIFFERS("(vals \"\")", "!", "nil"),
    DIFFERS("(disj false 1)", "!", "nil"), DIFFERS("(+ nil)", "!", "nil"),
    DIFFERS("(* nil)", "!", "nil"), DIFFERS("(/ nil ##NaN)", "!", "##NaN"),
    /* with a double division is IEEE's, as in Clojure's compiled arithmetic; its functions refuse 0.0 */
    DIFFERS("(/ 1 0.0)", "##Inf", "!"), DIFFERS("(/ 1.5 0)", "##Inf", "!"),
    DIFFERS("(/ -1 0.0)", "##-Inf", "!"), DIFFERS("(/ 0.0)", "##Inf", "!"),
    FAILS("(quot 1.5 0)", AVOUT_EDIVZERO), FAILS("(mod 1.5 0.0)", AVOUT_EDIVZERO),
    /* update takes the name of a function; Clojure takes whatever can be called */
    DIFFERS("(update {:a {:b 1}} :a :b)", "!", "{:a 1}"),
    /* unknown tags and bytes are no collections; Clojure's records of them are */
    DIFFERS("(get #foo 1 :tag)", "nil", "foo"),
    /* into without a transducer */
    FAILS("(into [] 1 [2])", AVOUT_EINVAL),
};
/* clang-format on */

enum { FUNCTION_CASES = sizeof function_cases / sizeof *function_cases };

#endif
