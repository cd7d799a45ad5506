/* What every program must keep to, whoever wrote it: it ends within its limits, with a value that
 * prints or an error that says what; nothing is left behind.
 *
 *     make fuzz SECONDS=300
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avout/lang.h"
#include "avout/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "lang_fuzz: does not hold: %s (%s)\n", what, avout_error_detail());
    abort();
}

static avout_status to_nowhere(const char *text, size_t length, void *payload)
{
    (void)text, (void)length, (void)payload;
    return AVOUT_OK;
}

/* A program made by chance connects to nothing. */
static avout_status to_nobody(avout_client **client, const char *url, void *payload)
{
    (void)client, (void)url, (void)payload;
    return avout_fail(AVOUT_ENOTSUP, "no stores here");
}

static void check_value(avout_lang *lang, avout_value value)
{
    char *text;
    size_t length;
    /* A value may be larger than the steps allow to print; it must not be half printed. */
    if (avout_lang_text(&text, &length, lang, value)) return;
    require(strlen(text) <= length && text[length] == '\0', "a NUL is behind the text");
    avout_edn_free(text);
}

static void check_error(const avout_lang_error *error, avout_status status)
{
    require(status < 0 && error->status == status, "the error has the status that was answered");
    require(error->message[0] != '\0', "it says something");
    require((error->line == 0) == (error->column == 0), "it has a place or none");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const avout_lang_options options = {.max_steps = 20000,
                                        .max_stack = 256 << 10,
                                        .print = to_nowhere,
                                        .connect = to_nobody,
                                        .max_wait_ms = 5};
    avout_lang *lang;
    size_t position = 0, blocks = avout_memory_blocks();
    require(avout_lang_open(&lang, &options) == AVOUT_OK, "an environment opens");
    for (;;) {
        avout_value value = AVOUT_NONE;
        avout_lang_error error;
        size_t before = position;
        avout_status status =
            avout_lang_eval_next(&value, lang, (const char *)data, size, &position, &error);
        require(position >= before && position <= size, "the position goes forward in the text");
        if (status) check_error(&error, status);
        if (status && position == before) break; /* cannot be read */
        if (!status && avout_is_none(value)) break;
        if (!status) check_value(lang, value);
        avout_release(value);
    }
    avout_lang_close(lang);
    require(avout_memory_blocks() == blocks, "no memory is left");
    return 0;
}
