#include "support/lang.h"

#include <pthread.h>
#include <string.h>

#include "avout/memory.h"
#include "support/await.h"
#include "support/test.h"

static avout_status connect_to(avout_client **client, const char *url, void *payload)
{
    return avout_connect(url ? url : payload, NULL, client);
}

avout_lang *test_lang(const char *store)
{
    static char url[512]; /* one for all environments of a test */
    avout_lang *lang;
    const avout_lang_options options = {.connect = connect_to, .connect_payload = url};
    snprintf(url, sizeof url, "%s", store);
    CHECK_OK(avout_lang_open(&lang, &options));
    return lang;
}

void test_lang_close(avout_lang *lang)
{
    avout_lang_close(lang);
    CHECK_INT(0, avout_memory_blocks());
}

/* What the text answers; to be freed with avout_edn_free. */
static char *answer(avout_lang *lang, const char *text)
{
    avout_value value;
    avout_lang_error error;
    char *printed;
    if (avout_lang_eval(&value, lang, text, strlen(text), &error))
        test_failed(__FILE__, __LINE__, "%s: %s", text, avout_error_detail());
    CHECK_OK(avout_lang_text(&printed, NULL, lang, value));
    avout_release(value);
    return printed;
}

void test_answers(avout_lang *lang, const char *expected, const char *text)
{
    char *printed = answer(lang, text);
    if (strcmp(expected, printed) != 0)
        test_failed(__FILE__, __LINE__, "%s: %s, not %s", text, printed, expected);
    avout_edn_free(printed);
}

static bool is_answered(avout_lang *lang, const char *expected, const char *text)
{
    char *printed = answer(lang, text);
    bool is = !strcmp(expected, printed);
    avout_edn_free(printed);
    return is;
}

void test_comes(avout_lang *lang, const char *expected, const char *text)
{
    TEST_AWAIT(is_answered(lang, expected, text));
}

void test_fails(avout_lang *lang, avout_status status, const char *message, const char *text,
                avout_lang_error *error)
{
    avout_value value;
    avout_lang_error own;
    if (!error) error = &own;
    avout_status answered = avout_lang_eval(&value, lang, text, strlen(text), error);
    if (answered != status)
        test_failed(__FILE__, __LINE__, "%s: %s, not %s", text, avout_status_name(answered),
                    avout_status_name(status));
    CHECK_CONTAINS(message, error->message);
}

typedef struct waiter {
    avout_lang *lang;
    _Atomic int task;
} waiter;

static void *interrupt_when_it_waits(void *payload)
{
    waiter *w = payload;
    test_await_asleep(&w->task);
    avout_lang_interrupt(w->lang);
    return NULL;
}

void test_interrupted(avout_lang *lang, const char *text)
{
    pthread_t thread;
    waiter self = {.lang = lang, .task = test_task()};
    CHECK(!pthread_create(&thread, NULL, interrupt_when_it_waits, &self));
    test_fails(lang, AVOUT_ECANCELLED, "interrupted", text, NULL);
    pthread_join(thread, NULL);
}
