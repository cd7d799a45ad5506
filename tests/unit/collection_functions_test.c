/* The functions by name: the answers of tests/support/function_cases.h (which another test holds
 * against Clojure's), what a call leaves alone, and what is refused before a function runs. */
#include "support/function_cases.h"
#include "support/function_call.h"
#include "unit/collection_support.h"

static void check_case(const function_case *one)
{
    function_call call = function_call_read(one->call);
    avout_value value = avout_share(call.items[0]), expected = AVOUT_NONE;
    uint32_t hash = avout_value_hash(value);
    avout_status status = avout_apply(call.name, &value, call.count - 1, call.items + 1);
    if (*one->answer == '!') {
        if (!status || (one->status && status != one->status))
            test_failed(__FILE__, __LINE__, "%s: %s (%s), expected %s", one->call,
                        avout_status_name(status), avout_error_detail(),
                        avout_status_name(one->status));
        CHECK(value.bits == call.items[0].bits);
    } else {
        if (status)
            test_failed(__FILE__, __LINE__, "%s: %s (%s)", one->call, avout_status_name(status),
                        avout_error_detail());
        CHECK_OK(avout_edn_read(&expected, one->answer, strlen(one->answer), NULL, NULL));
        if (!avout_value_equal(expected, value) ||
            avout_value_type(expected) != avout_value_type(value))
            test_failed(__FILE__, __LINE__, "%s: another value, a %s", one->call,
                        avout_type_name(avout_value_type(value)));
    }
    avout_release(expected);
    avout_release(value);
    /* Whoever holds the old value sees no change. */
    CHECK_INT(hash, avout_value_hash(call.items[0]));
    function_call again = function_call_read(one->call);
    CHECK(avout_value_equal(again.list, call.list) || strstr(one->call, "##NaN"));
    function_call_release(&again);
    function_call_release(&call);
    if (avout_memory_blocks())
        test_failed(__FILE__, __LINE__, "%s: %zu blocks are left", one->call,
                    avout_memory_blocks());
}

TEST(answers)
{
    for (size_t i = 0; i < FUNCTION_CASES; i++) check_case(&function_cases[i]);
}

TEST(nested_updates_have_a_limit)
{
    enum { LEVELS = 5000 };
    avout_value arguments[2 * LEVELS + 2], value = NIL;
    for (int i = 0; i < LEVELS; i++) {
        arguments[2 * i] = I(i);
        arguments[2 * i + 1] = avout_symbol("update");
    }
    arguments[2 * LEVELS] = I(1);
    arguments[2 * LEVELS + 1] = avout_symbol("not");
    CHECK_STATUS(AVOUT_ELIMIT, avout_apply("update", &value, 2 * LEVELS + 2, arguments));
    for (int i = 0; i < 2 * LEVELS + 2; i++) avout_release(arguments[i]);
    CHECK_INT(0, avout_memory_blocks());
}

/* It fails with `status` and leaves the value as it was. */
static void check_fails(int line, avout_status status, const char *name, size_t count,
                        const avout_value *items)
{
    avout_value value = items[0], before = avout_share(value);
    avout_status got = avout_apply(name, &value, count - 1, items + 1);
    if (got != status || !avout_value_equal(before, value))
        test_failed(__FILE__, line, "%s: %s (%s), expected %s", name, avout_status_name(got),
                    avout_error_detail(), avout_status_name(status));
    avout_release(before);
    avout_release(value);
    for (size_t i = 1; i < count; i++) avout_release(items[i]);
}
#define REFUSED(status, name, ...)                                                                 \
    check_fails(__LINE__, status, name, COUNT_(__VA_ARGS__), ITEMS_(__VA_ARGS__))

TEST(unknown_names_and_numbers_of_arguments_are_refused)
{
    REFUSED(AVOUT_ENOTFOUND, "nonsense", I(1));
    CHECK_TEXT("no function is called nonsense", avout_error_detail());
    REFUSED(AVOUT_EINVAL, "inc", I(1), I(2));
    CHECK_TEXT("inc: wrong number of arguments, expected (inc n)", avout_error_detail());
    REFUSED(AVOUT_EINVAL, "get", M0);
    REFUSED(AVOUT_EINVAL, "assoc", M0, I(1));
}

TEST(every_function_describes_itself_once)
{
    size_t count = 0;
    for (const avout_function_info *info; (info = avout_function_at(count)); count++) {
        CHECK(info->name[0] && info->arguments[0] && info->summary[0]);
        for (size_t i = 0; i < count; i++) CHECK(strcmp(avout_function_at(i)->name, info->name));
    }
    CHECK(count > 30);
    CHECK(!avout_function_at(count + 1));
}
