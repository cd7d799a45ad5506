/* Texts and what they print as once read, for the tests that compare with Clojure and those that
 * do not. A text refused has "!". Where `clojure` is not NULL, Clojure answers that instead, and the
 * line above says why we do not. */
#ifndef TESTS_SUPPORT_EDN_CASES_H
#define TESTS_SUPPORT_EDN_CASES_H

#include <stddef.h>

typedef struct edn_case {
    const char *text;
    const char *printed;
    const char *clojure;
} edn_case;

#define SAME(text)                                                                                 \
    {                                                                                              \
        text, text, NULL                                                                           \
    }
#define READS(text, printed)                                                                       \
    {                                                                                              \
        text, printed, NULL                                                                        \
    }
#define REFUSED(text)                                                                              \
    {                                                                                              \
        text, "!", NULL                                                                            \
    }

/* clang-format off */
static const edn_case edn_cases[] = {
    /* nil, booleans, white space, comments, discarded forms */
    SAME("nil"), SAME("true"), SAME("false"), READS(" ,\t\n nil ,", "nil"),
    READS(";a\nnil;b", "nil"), READS(";a\rnil", "nil"), READS("\x0b\x0c\x1c\x1d\x1e\x1fnil", "nil"),
    READS("\xe3\x80\x80nil\xe2\x80\xa8", "nil"), REFUSED(""), REFUSED(" "), REFUSED(";x"),
    READS("#_a b", "b"), READS("#_#_a b c", "c"), READS("a #_b", "a"), READS("a #_ #_ b c ;d", "a"),
    REFUSED("#_"), REFUSED("#_a"), REFUSED("a #_"), READS("[a #_b]", "[a]"), READS("[#_a]", "[]"),
    READS("[#_[b {c d}] a]", "[a]"), REFUSED("[#_]"), REFUSED("{:a #_b}"), REFUSED("a b"),
    READS("#_ #foo 1 2", "2"), REFUSED("#_ 08 1"), REFUSED("1 ]"), REFUSED("a ^b c"),
    READS("{#_a :b #_c 1 #_d}", "{:b 1}"), READS("#_;x\na b", "b"),
    /* integers */
    SAME("0"), SAME("1"), SAME("-1"), READS("+1", "1"), READS("-0", "0"), READS("+0", "0"),
    SAME("9223372036854775807"), SAME("-9223372036854775808"),
    READS("9223372036854775808", "9223372036854775808N"),
    READS("-9223372036854775809", "-9223372036854775809N"),
    SAME("4611686018427387903"), SAME("4611686018427387904"), SAME("-4611686018427387905"),
    SAME("999999999999999999"), SAME("1000000000000000000"), SAME("-999999999999999999"),
    SAME("0N"), READS("-0N", "0N"), READS("+1N", "1N"), READS("-5N", "-5N"),
    SAME("123456789012345678901234567890N"), READS("12345678901234567890", "12345678901234567890N"),
    READS("017", "15"), READS("-017", "-15"), READS("00", "0"), READS("-00", "0"), REFUSED("08"),
    REFUSED("018"), READS("000N", "0N"), READS("017N", "15N"), READS("0777777777777777777777", "9223372036854775807"),
    READS("0x1F", "31"), READS("0XfF", "255"), READS("-0x1f", "-31"), READS("0xFFN", "255N"),
    READS("0x7fffffffffffffff", "9223372036854775807"), READS("-0x8000000000000000", "-9223372036854775808"),
    READS("0xffffffffffffffff", "18446744073709551615N"), REFUSED("0x"), REFUSED("0xg"), REFUSED("0xN"),
    READS("16rff", "255"), READS("16Rff", "255"), READS("36rZZ", "1295"), READS("36rzzN", "46643"),
    READS("2r1010", "10"), READS("-2r1010", "-10"), REFUSED("16rffN"), REFUSED("1r0"), REFUSED("37r1"),
    REFUSED("2r2"), REFUSED("1r"), REFUSED("36r"), REFUSED("0r1"), REFUSED("100r1"), REFUSED("2r1.0"),
    REFUSED("1a"), REFUSED("-1a"), REFUSED("1@"), REFUSED("1:"), REFUSED("1+"), REFUSED("1-"),
    REFUSED("1_000"), REFUSED("\xd9\xa1"), REFUSED("-\xd9\xa1"), REFUSED("1\xd9\xa1"),
    READS("a\xd9\xa1", "a\xd9\xa1"), READS("[1#_2 3]", "[1 3]"), READS("[1#{2}]", "[1 #{2}]"),
    READS("[1\"a\"2(3)4]", "[1 \"a\" 2 (3) 4]"), READS("[1;c\n2]", "[1 2]"), READS("[1\\a]", "[1 \\a]"),
    REFUSED("1^a"), REFUSED("1'"), READS("[1\xe2\x80\x83" "2]", "[1 2]"),
    /* ratios */
    SAME("1/2"), READS("+1/2", "1/2"), SAME("-1/2"), READS("6/4", "3/2"), READS("6/3", "2"),
    READS("0/5", "0"), READS("01/2", "1/2"), READS("1/010", "1/10"), REFUSED("1/0"), REFUSED("0/0"), REFUSED("1/-2"),
    REFUSED("1/2N"), REFUSED("1/2/3"), REFUSED("1/"), REFUSED("1/a"), REFUSED("/1"), REFUSED("1/2.0"),
    SAME("10000000000000000000000/3"), SAME("3/10000000000000000000000"),
    /* floats */
    SAME("0.0"), SAME("-0.0"), SAME("1.0"), READS("1.", "1.0"), SAME("1.5"), READS("+1.5", "1.5"), SAME("-1.5"),
    READS("1e0", "1.0"), READS("1E5", "100000.0"), READS("1e+5", "100000.0"), READS("1e-2", "0.01"),
    READS("1e-3", "0.001"), READS("1e-4", "1.0E-4"), READS("1234567.0", "1234567.0"), READS("12345678.0", "1.2345678E7"),
    READS("9999999.0", "9999999.0"), READS("10000000.0", "1.0E7"), READS("1e21", "1.0E21"), READS("1.e2", "100.0"),
    READS("1e400", "##Inf"), READS("-1e400", "##-Inf"), READS("1e-400", "0.0"), READS("-1e-400", "-0.0"), READS("0e5", "0.0"),
    READS("00.5", "0.5"), READS("08.5", "8.5"), READS("09e1", "90.0"), READS("1.7976931348623157e308", "1.7976931348623157E308"),
    READS("4.9e-324", "4.9E-324"), READS("2.2250738585072014e-308", "2.2250738585072014E-308"), READS("0.1", "0.1"), READS("0.30000000000000004", "0.30000000000000004"),
    READS("123456789012345678901234567890.0", "1.2345678901234568E29"), READS("3.141592653589793", "3.141592653589793"),
    READS("9007199254740993.0", "9.007199254740992E15"), READS("0.000000000000000000000000000001", "1.0E-30"),
    REFUSED("1e"), REFUSED("1e+"), REFUSED("1.5N"), REFUSED("1e1N"), REFUSED("1.2.3"), REFUSED("1e1.5"), REFUSED("1.5e3f"),
    SAME("##Inf"), SAME("##-Inf"), SAME("##NaN"), READS("## Inf", "##Inf"), READS("## #_x ;y\n NaN", "##NaN"),
    REFUSED("##nan"), REFUSED("##"), REFUSED("##1"), REFUSED("##:Inf"), REFUSED("## ]"), REFUSED("##+Inf"), REFUSED("##a/Inf"),
    /* decimals */
    SAME("1M"), SAME("1.0M"), SAME("1.50M"), READS("1.M", "1M"), READS("+1M", "1M"), SAME("-1.5M"), READS("010M", "10M"),
    SAME("0M"), READS("-0M", "0M"), SAME("0.00M"), READS("1e5M", "1E+5M"), READS("1E+5M", "1E+5M"), READS("1e-5M", "0.00001M"), READS("1e-7M", "1E-7M"),
    READS("123.456e3M", "123456M"), READS("123.456e10M", "1.23456E+12M"), READS("100e-400M", "1.00E-398M"), READS("0e-10M", "0E-10M"), READS("0e3M", "0E+3M"),
    SAME("123456789012345678901234567890.123456789M"), READS("0.0000001M", "1E-7M"), READS("0.000001M", "0.000001M"),
    REFUSED("1eM"), REFUSED("1MM"), REFUSED("1.5m"), SAME("-M"),
    /* characters */
    SAME("\\a"), SAME("\\newline"), SAME("\\space"), SAME("\\tab"), SAME("\\return"), SAME("\\formfeed"), SAME("\\backspace"),
    READS("\\u0041", "\\A"), READS("\\u03A9", "\\\xce\xa9"), READS("\\u03a9", "\\\xce\xa9"), READS("\\u000a", "\\newline"), READS("\\o101", "\\A"), READS("\\o7", "\\\a"), READS("\\o12", "\\newline"),
    READS("\\o377", "\\\xc3\xbf"), REFUSED("\\o400"), REFUSED("\\o8"), REFUSED("\\o1111"), REFUSED("\\u00"), REFUSED("\\u00411"), REFUSED("\\u004g"), REFUSED("\\ud800"), REFUSED("\\udfff"),
    SAME("\\u"), SAME("\\o"), SAME("\\\\"), SAME("\\\""), SAME("\\;"), SAME("\\#"), SAME("\\@"), SAME("\\("), SAME("\\^"),
    READS("[\\(\\)]", "[\\( \\)]"), READS("[\\ ]", "[\\space]"), READS("[\\,]", "[\\,]"), READS("[\\] ]", "[\\]]"), READS("[\\a\\b]", "[\\a \\b]"), READS("[\\newline\"a\"]", "[\\newline \"a\"]"),
    REFUSED("\\"), REFUSED("\\ab"), REFUSED("\\ a"), REFUSED("\\newlin"), REFUSED("\\a#"), REFUSED("\\a@"), REFUSED("\\Newline"), SAME("\\\xc3\xa9"), SAME("\\\xe2\x82\xac"), SAME("\\\xe3\x80\x80"), SAME("\\1"), REFUSED("\\12"),
    /* Java's char ends at U+FFFF; here a character is any code point */
    {"\\\xf0\x9f\x98\x80", "\\\xf0\x9f\x98\x80", "!"},
    /* strings */
    SAME("\"\""), SAME("\"a\""), SAME("\"\\t\\r\\n\\b\\f\\\\\\\"\""), READS("\"a\nb\tc\"", "\"a\\nb\\tc\""), READS("\"\\u0041\\u00e9\"", "\"A\xc3\xa9\""), READS("\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""),
    READS("\"\\7\"", "\"\a\""), READS("\"\\101\"", "\"A\""), READS("\"\\1011\"", "\"A1\""), READS("\"\\7 a\"", "\"\a a\""), READS("\"\\12,\"", "\"\\n,\""), READS("\"\\12\\12\"", "\"\\n\\n\""), READS("\"\\7(\"", "\"\a(\""), READS("\"\\7#\"", "\"\a#\""),
    REFUSED("\"\\7a\""), REFUSED("\"\\78\""), REFUSED("\"\\8\""), REFUSED("\"\\400\""), REFUSED("\"\\u12\""), REFUSED("\"\\u12g4\""), REFUSED("\"\\x\""), REFUSED("\"\\a\""), REFUSED("\"\\\n\""), REFUSED("\""), REFUSED("\"a"), REFUSED("\"a\\"), REFUSED("\"a\\\""), REFUSED("\"\\u004"),
    /* halves of surrogate pairs have no UTF-8 */
    {"\"\\ud83d\"", "!", "?"}, {"\"\\ude00\\ud83d\"", "!", "?"}, {"\"\\ud83dx\"", "!", "?"},
    SAME("\"12345678\""), SAME("\"1234567\\\"\""), SAME("\"abcdefghijklmnop\\\\qrstuvwxyz\""), SAME("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 abcdefgh \xc3\xa9\""), SAME("\"\x01\x02\x7f\""),
    SAME("\"a longer text, of which no part needs an escape; just to have many bytes in it\""),
    /* symbols and keywords */
    SAME("a"), SAME("a/b"), SAME("/"), SAME("a//"), SAME("a/b/c"), SAME("a//b"), SAME("+"), SAME("-"), SAME("-a"), SAME("+a"), SAME("-/a"), SAME(".5"), SAME("..."), SAME("a."), SAME("a.b.c"), SAME("foo'"), SAME("'foo"), SAME("a%b"), SAME("a#b"), SAME("a#"), SAME("*a*"), SAME("!"), SAME("$"), SAME("&"), SAME("="), SAME("<a>"), SAME("?"), SAME("_"), SAME("|"), SAME("nil/a"), SAME("true/x"), SAME("nila"), SAME("truer"), SAME("falsey"), SAME("a:b"), SAME("\xc3\xa9"), SAME("\xe2\x86\x92"), SAME("a\xf0\x9f\x98\x80"), SAME("\xc2\xa0"), SAME("\xef\xbb\xbf" "a"),
    REFUSED("a/"), REFUSED("/a"), REFUSED("//"), REFUSED("///"), REFUSED("a:"), REFUSED("a/b:"), REFUSED("a:/b"), REFUSED("a::b"), REFUSED("@"), REFUSED("`a"), REFUSED("~a"), REFUSED("a@b"), REFUSED("a`"), REFUSED("a~"), REFUSED("a/1"),
    SAME(":a"), SAME(":a/b"), SAME(":/"), SAME(":a//"), SAME(":a/b/c"), SAME(":1"), SAME(":1/a"), SAME(":a.b/c.d"), SAME(":+"), SAME(":-1"), SAME(":nil"), SAME(":a#b"), SAME(":a'"), SAME(":a:b"), SAME(":\xc3\xa9/\xe2\x82\xac"),
    REFUSED(":"), REFUSED("::a"), REFUSED("::a/b"), REFUSED(":a/"), REFUSED(":a/1"), REFUSED(":a:"), REFUSED(":a::b"), REFUSED(":a:/b"), REFUSED("://"), REFUSED(":@"), REFUSED(":a@"), REFUSED(":::a"), REFUSED(":/a"), REFUSED(": a"), REFUSED("[:]"),
    READS("[a b]", "[a b]"), READS("[a\xe2\x80\x83" "b]", "[a b]"), READS("(:a:b:c)", "(:a:b:c)"), READS("[a\"b\"c]", "[a \"b\" c]"), READS("[a\\b]", "[a \\b]"), READS("[a;b\n]", "[a]"),
    READS("[+1 -1 +a -]", "[1 -1 +a -]"),
    /* collections */
    SAME("()"), SAME("[]"), SAME("{}"), SAME("#{}"), SAME("(1 2 3)"), SAME("[1 2 3]"), SAME("{:a 1, :b 2}"), SAME("#{1}"), SAME("[[] () {} #{}]"), READS("[1,,2,]", "[1 2]"), READS("{:a 1 :b 2}", "{:a 1, :b 2}"), SAME("{{} []}"), SAME("{[1] (2)}"), SAME("{nil nil}"), SAME("(((((((((())))))))))"), SAME("[[[[[[[[[[1] 2] 3] 4] 5] 6] 7] 8] 9] 10]"),
    REFUSED("("), REFUSED("["), REFUSED("{"), REFUSED("#{"), REFUSED(")"), REFUSED("]"), REFUSED("}"), REFUSED("(]"), REFUSED("[}"), REFUSED("{)"), REFUSED("#{]"), REFUSED("[1 2"), REFUSED("{:a}"), REFUSED("{:a 1 :b}"), REFUSED("[1 [2 3)"), REFUSED("# {}"), REFUSED("#"), REFUSED("[#"),
    REFUSED("{:a 1 :a 2}"), REFUSED("{1 :a 1N :b}"), REFUSED("#{1 1}"), REFUSED("#{a a}"), REFUSED("#{[1] (1)}"), REFUSED("{[1 2] a (1 2) b}"), REFUSED("#{{:a 1 :b 2} {:b 2 :a 1}}"), REFUSED("#{\"a\" \"a\"}"), REFUSED("{1.0 a 1.0 b}"), READS("{1 :a 1.0 :b}", "{1 :a, 1.0 :b}"), READS("{a 1 :a 2 \"a\" 3 \\a 4}", "{a 1, :a 2, \"a\" 3, \\a 4}"), READS("{1M a 1 b}", "{1M a, 1 b}"), REFUSED("{0.0 a -0.0 b}"), REFUSED("{1.0M a 1.00M b}"), REFUSED("{nil 1 nil 2}"), REFUSED("#{() []}"),
    /* NaN equals nothing, itself neither; Clojure finds the same object twice */
    {"#{##NaN ##NaN}", "#{##NaN ##NaN}", "!"},
    REFUSED("{:a 1 :b 2 :c 3 :d 4 :e 5 :f 6 :g 7 :h 8 :i 9 :j 10 :e 11}"),
    /* namespaced maps */
    READS("#:a{:b 1}", "{:a/b 1}"), READS("#:a{:b 1 :_/c 2 d 3 :x/y 4 \"s\" 5 _/e 6}", "{:a/b 1, :c 2, a/d 3, :x/y 4, \"s\" 5, e 6}"), READS("#:a.b{c {:d e}}", "{a.b/c {:d e}}"), READS("#:a {:b 1}", "{:a/b 1}"), READS("#: a{:b 1}", "{:a/b 1}"), READS("#:a{}", "{}"), READS("#:a,{}", "{}"), READS("#: #_x a {}", "{}"), READS("[#:a{:b #:c{:d 1}} 2]", "[{:a/b {:c/d 1}} 2]"), READS("#:a{:b/c 1 #_d :_/_ 2}", "{:b/c 1, :_ 2}"), READS("#:a#_x {}", "{}"),
    REFUSED("#:a/b{}"), REFUSED("#::a{}"), REFUSED("#:nil{}"), REFUSED("#:\"a\"{}"), REFUSED("#:a[]"), REFUSED("#:a"), REFUSED("#:a;x\n{}"), REFUSED("#:a{:b}"), REFUSED("#:a{:b 1 :a/b 2}"), REFUSED("#:a{:b 1"), REFUSED("#:{}"), REFUSED("#:a{b 1 :_/c 2]"), REFUSED("#:a{:_/b 1 :_/b 2}"),
    /* metadata: read, checked and dropped */
    READS("^:a [1]", "[1]"), READS("^a x", "x"), READS("^\"s\" ()", "()"), READS("^{:a 1} #{}", "#{}"), READS("#^:a {}", "{}"), READS("^:a ^:b [^:c d]", "[d]"), READS("[^:a #_b c]", "[c]"), READS("^#_x :a []", "[]"), READS("^ ^:b c []", "[]"), REFUSED("^:a 1"), REFUSED("^:a :b"), REFUSED("^:a nil"), REFUSED("^:a \"s\""), REFUSED("^1 []"), REFUSED("^[] []"), REFUSED("^nil []"), REFUSED("^:a #foo []"), REFUSED("^:a"), REFUSED("^"), REFUSED("[^]"), REFUSED("[^:a]"), REFUSED("^{:a} []"), REFUSED("^:a #uuid \"00000000-0000-0000-0000-000000000000\""),
    /* tagged */
    SAME("#foo 1"), SAME("#foo/bar [1]"), SAME("#a #b c"), READS("#foo #_a 1", "#foo 1"), READS("#foo[1]", "#foo [1]"), READS("#foo\"a\"", "#foo \"a\""), SAME("[#a 1 #b 2]"), SAME("#a#b 1"), SAME("#\xc3\xa9 1"), SAME("#foo nil"), SAME("{#a 1 #b 2}"), REFUSED("#{#a 1 #a 1}"), SAME("#nila 1"), READS("#a;x\n1", "#a 1"),
    REFUSED("#foo"), REFUSED("[#foo]"), REFUSED("#nil 1"), REFUSED("#true 1"), REFUSED("#a/ 1"), REFUSED("#/a 1"), REFUSED("#1 1"), REFUSED("#!a"), REFUSED("#<a>"), REFUSED("#'a"), REFUSED("#\"a\""), REFUSED("#(a)"), REFUSED("#?(:clj 1)"), REFUSED("#=(a)"), REFUSED("#-a 1"), REFUSED("#a@ 1"), REFUSED("#a:: 1"), REFUSED("#,a 1"),
    SAME("#uuid \"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\""), REFUSED("#uuid 1"), REFUSED("#uuid \"x\""), REFUSED("#uuid"),
    SAME("#inst \"2018-03-28T10:48:00.000-00:00\""), REFUSED("#inst 1"), REFUSED("#inst \"2018-13\""), REFUSED("#inst \"2018-02-30\""), REFUSED("#inst \"\""),
    /* an instant is kept as it was written */
    {"#inst \"2018\"", "#inst \"2018\"", "#inst \"2018-01-01T00:00:00.000-00:00\""},
    {"#inst \"2018-03-28T12:48+02:00\"", "#inst \"2018-03-28T12:48+02:00\"", "#inst \"2018-03-28T10:48:00.000-00:00\""},
    SAME("#avout/bytes \"\""), SAME("#avout/bytes \"AA==\""), SAME("#avout/bytes \"AAE=\""), SAME("#avout/bytes \"AAEC\""), SAME("#avout/bytes \"/+8=\""), SAME("[#avout/bytes \"AAEC\" 1]"),
    /* bytes are no tag like others: Clojure keeps anything */
    {"#avout/bytes 1", "!", "?"}, {"#avout/bytes \"A\"", "!", "?"}, {"#avout/bytes \"AA=\"", "!", "?"}, {"#avout/bytes \"AB==\"", "!", "?"}, {"#avout/bytes \"AA=A\"", "!", "?"}, {"#avout/bytes \"=AAA\"", "!", "?"}, {"#avout/bytes \"AA A\"", "!", "?"}, {"#avout/bytes \"====\"", "!", "?"}, {"#avout/bytes \"A===\"", "!", "?"},
    /* no namespace is empty */
    {"://a", "!", "://a"},
    /* control characters are in no name here */
    {"a\x01", "!", "?"},
};
/* clang-format on */

enum { EDN_CASES = sizeof edn_cases / sizeof *edn_cases };

#endif
