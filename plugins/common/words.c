#include "common/words.h"

#include <string.h>

#include <avout/edn.h>

size_t avout__plugin_word(const char *text, size_t most)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return length <= most ? length : 0;
}

size_t avout__plugin_version(const char *text)
{
    return avout__plugin_word(text, AVOUT_VERSION_MAX);
}

avout_status avout__plugin_no_memory(void)
{
    return avout_fail(AVOUT_ENOMEM, "out of memory");
}

avout_status avout__plugin_read_edn(avout_value *value, const char *version, const char *text,
                                    size_t length)
{
    avout_edn_error error;
    avout_status status = avout_edn_read(value, text, length, NULL, &error);
    if (!status || status == AVOUT_ENOMEM) return status;
    return avout_fail(AVOUT_EDATA, "%s is not EDN: line %zu, column %zu: %s", version, error.line,
                      error.column, error.message);
}
