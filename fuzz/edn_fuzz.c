/* What every text must keep to, whoever wrote it: it is read or refused with a place inside it; what
 * is read prints, as one line and indented, and reads back as an equal value; nothing is left behind.
 *
 *     clang -g -O1 -std=c17 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -Iinclude -Isrc \
 *         fuzz/edn_fuzz.c src/base/?*.c src/value/?*.c src/edn/?*.c -lgmp -lm -pthread -o edn_fuzz
 *     ./edn_fuzz fuzz/corpus/edn
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avout/edn.h"
#include "avout/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "edn_fuzz: does not hold: %s (%s)\n", what, avout_error_detail());
    abort();
}

static void check_error(const avout_edn_error *error, avout_status status, size_t size)
{
    require(status < 0 && error->status == status, "the error has the status that was answered");
    require(error->byte <= size, "the error is inside the text");
    require(error->line >= 1 && error->line <= error->byte + 1, "its line is in the text");
    require(error->column >= 1 && error->column <= error->byte + 1, "its column is in the text");
    require(error->message[0] != '\0', "it says something");
}

static void check_reads_back(avout_value value, char *text, size_t length, int has_nan)
{
    avout_value again = AVOUT_NONE;
    /* Printing may write out what was only implied, #:a{} for one: never more than its depth. */
    const avout_edn_read_options options = {1 << 20, 0, 1 << 20};
    require(strlen(text) <= length && text[length] == '\0', "a NUL is behind the text");
    require(avout_edn_read(&again, text, length, &options, NULL) == AVOUT_OK,
            "what is printed is read");
    require(has_nan || avout_value_equal(value, again), "and is equal");
    require(has_nan || avout_value_hash(value) == avout_value_hash(again), "and has the same hash");
    avout_release(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    avout_value value = AVOUT_NONE;
    avout_edn_error error;
    size_t blocks = avout_memory_blocks();
    avout_status status = avout_edn_read(&value, (const char *)data, size, NULL, &error);
    if (status) {
        check_error(&error, status, size);
        require(avout_is_none(value), "nothing is written on failure");
        require(avout_memory_blocks() == blocks, "no memory is left by a refused text");
        return 0;
    }
    char *text, *pretty, *json;
    size_t length, pretty_length;
    require(avout_edn_text(&text, &length, value) == AVOUT_OK, "what is read prints");
    int has_nan = memmem(text, length, "##NaN", 5) != NULL;
    check_reads_back(value, text, length, has_nan);
    size_t width = size ? data[size - 1] : 0;
    require(avout_edn_pretty(&pretty, &pretty_length, value, width) == AVOUT_OK,
            "what is read prints indented");
    check_reads_back(value, pretty, pretty_length, has_nan);
    require(avout_json_text(&json, NULL, value) == AVOUT_OK, "what is read prints as JSON");
    avout_edn_free(text);
    avout_edn_free(pretty);
    avout_edn_free(json);
    avout_release(value);
    require(avout_memory_blocks() == blocks, "no memory is left");
    return 0;
}
