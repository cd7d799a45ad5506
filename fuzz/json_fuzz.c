/* What every text must keep to, whoever wrote it: it is read as JSON or refused with a place inside it;
 * what is read can be written exactly, and reads back as an equal value; nothing is left behind. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "avout/memory.h"
#include "edn/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "json_fuzz: does not hold: %s (%s)\n", what, avout_error_detail());
    abort();
}

static void check_exact(avout_value value)
{
    char *text;
    size_t length;
    avout_value again;
    avout_status status = avout__json_exact(&text, &length, value);
    /* 1e999 is infinite. */
    if (status == AVOUT_ENOPRINT) return;
    require(!status, "what was read can be written");
    require(!avout_json_read(&again, text, length, NULL, NULL), "what was written can be read");
    require(avout_value_equal(value, again), "and is equal");
    avout_release(again);
    avout_edn_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    avout_value value;
    avout_edn_error error;
    avout_status status = avout_json_read(&value, (const char *)data, size, NULL, &error);
    if (!status) {
        check_exact(value);
        avout_release(value);
    } else {
        require(error.status == status && error.byte <= size && error.message[0], "a place");
    }
    require(!avout_memory_blocks(), "nothing is left behind");
    return 0;
}
