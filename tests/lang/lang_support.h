/* What the tests of the language on a store in this process share: one environment, whose (connect) opens
 * mem:STORE. */
#ifndef TESTS_LANG_LANG_SUPPORT_H
#define TESTS_LANG_LANG_SUPPORT_H

#include "avout.h"
#include "support/lang.h"
#include "support/test.h"

static avout_lang *lang;
static int opened; /* clients */

static avout_status connect_here(avout_client **client, const char *url, void *payload)
{
    opened++;
    return avout_connect(url ? url : payload, NULL, client);
}

static inline void open_lang(char *store, uint64_t max_steps)
{
    const avout_lang_options options = {
        .connect = connect_here, .connect_payload = store, .max_steps = max_steps};
    CHECK_OK(avout_lang_open(&lang, &options));
}

static inline void close_all(void)
{
    avout_lang_close(lang);
    CHECK_INT(0, avout_memory_blocks());
}

static inline void answers(const char *expected, const char *text)
{
    test_answers(lang, expected, text);
}

#endif
