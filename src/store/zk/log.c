/* The library's log lines, which it would write to stderr.
 *
 * Its callback gets the line and nothing else. So there is one function a slot, and a slot a handle:
 * the function called says whose line it is. When all slots are taken further handles share one that
 * drops the lines. */
#include "store/zk/internal.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include "base/banned.h"

/* clang-format off */
#define SLOTS(X)                                                                                   \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)          \
    X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30)      \
    X(31) X(32) X(33) X(34) X(35) X(36) X(37) X(38) X(39) X(40) X(41) X(42) X(43) X(44) X(45)      \
    X(46) X(47) X(48) X(49) X(50) X(51) X(52) X(53) X(54) X(55) X(56) X(57) X(58) X(59) X(60)      \
    X(61) X(62) X(63)
/* clang-format on */

enum { SLOT_COUNT = 64 };
static avout__zk *_Atomic slots[SLOT_COUNT];

static avout_log_level level_of(const char *line)
{
    if (strstr(line, ":ZOO_ERROR@")) return AVOUT_LOG_ERROR;
    if (strstr(line, ":ZOO_WARN@")) return AVOUT_LOG_WARNING;
    if (strstr(line, ":ZOO_DEBUG@")) return AVOUT_LOG_DEBUG;
    return AVOUT_LOG_INFO;
}

/* "2026-01-31 12:00:00,000:1(0x7f):ZOO_INFO@function@123: text": from "function" on, or NULL. */
static const char *origin_of(const char *line)
{
    const char *at = strstr(line, ":ZOO_");
    at = at ? strchr(at, '@') : NULL;
    return at ? at + 1 : NULL;
}

static bool is_from(const char *origin, const char *function)
{
    size_t length = strlen(function);
    return origin && !strncmp(origin, function, length) && origin[length] == '@';
}

static void take_line(int slot, const char *line)
{
    avout__zk *zk = atomic_load_explicit(&slots[slot], memory_order_acquire);
    if (!zk) return;
    const char *origin = origin_of(line);
    avout_log_level level = level_of(line);
    /* Only the I/O thread runs these functions. What the first two have to say as information is that a
     * connection has been made, or a session established on it: the moment to ask for its socket. As an
     * error they say that it is over. */
    bool of_connection =
        is_from(origin, "finalize_session_establishment") || is_from(origin, "check_events");
    bool made = of_connection && level == AVOUT_LOG_INFO;
    bool failed =
        (of_connection || is_from(origin, "zookeeper_interest")) && level == AVOUT_LOG_ERROR;
    const char *text = origin ? strstr(origin, ": ") : NULL;
    if (zk->listener.on_log) {
        /* The library formats each line of a thread in the same place. */
        char copy[1024];
        snprintf(copy, sizeof copy, "libzookeeper: %s", text ? text + 2 : line);
        size_t length = strlen(copy);
        while (length && copy[length - 1] == '\n') copy[--length] = '\0';
        zk->listener.on_log(level, copy, zk->listener.payload);
    }
    if (made) avout__zk_link_made(zk);
    if (failed) avout__zk_link_failed(zk);
}

#define SLOT_FUNCTION(n)                                                                           \
    static void take_line_##n(const char *line)                                                    \
    {                                                                                              \
        take_line(n, line);                                                                        \
    }
SLOTS(SLOT_FUNCTION)

#define SLOT_NAME(n) take_line_##n,
static const log_callback_fn functions[] = {SLOTS(SLOT_NAME)};
_Static_assert(sizeof functions / sizeof *functions == SLOT_COUNT, "one function a slot");

static void drop_line(const char *line)
{
    (void)line;
}

log_callback_fn avout__zk_log_callback(const avout__zk *zk)
{
    return zk->log_slot < 0 ? drop_line : functions[zk->log_slot];
}

void avout__zk_log_open(avout__zk *zk)
{
    for (int i = 0; i < SLOT_COUNT; i++) {
        avout__zk *expected = NULL;
        if (!atomic_compare_exchange_strong(&slots[i], &expected, zk)) continue;
        zk->log_slot = i;
        return;
    }
    zk->log_slot = -1;
}

void avout__zk_log_close(avout__zk *zk)
{
    if (zk->log_slot >= 0) atomic_store(&slots[zk->log_slot], NULL);
    zk->log_slot = -1;
}

void avout__zk_log(avout__zk *zk, avout_log_level level, const char *format, ...)
{
    if (!zk->listener.on_log) return;
    char text[1024];
    int length = snprintf(text, sizeof text, "ZooKeeper (%.200s): ", zk->servers);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + length, sizeof text - (size_t)length, format, arguments);
    va_end(arguments);
    zk->listener.on_log(level, text, zk->listener.payload);
}
