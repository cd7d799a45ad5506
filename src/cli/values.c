/* EDN arguments in, values out. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- in -------------------------------------------------------------------------------------- */

static cli_exit read_stdin(char **text, size_t *length, cli_session *session)
{
    size_t size = 0, room = 4096;
    char *buffer = malloc(room);
    while (buffer) {
        size_t got = fread(buffer + size, 1, room - size, stdin);
        size += got;
        if (!got) break;
        if (size < room) continue;
        char *larger = realloc(buffer, room *= 2);
        if (!larger) free(buffer);
        buffer = larger;
    }
    if (!buffer) return cli_error(CLI_SYSTEM, session->command->name, "out of memory");
    if (ferror(stdin)) {
        free(buffer);
        return cli_error(CLI_SYSTEM, session->command->name, "standard input: %s", strerror(errno));
    }
    *text = buffer;
    *length = size;
    return CLI_DONE;
}

cli_exit cli_read_value(avout_value *value, cli_session *session, const char *argument)
{
    bool from_stdin = !strcmp(argument, "-");
    char *text = NULL;
    size_t length = strlen(argument);
    if (from_stdin) {
        if (session->stdin_used)
            return cli_error(CLI_USAGE, session->command->name,
                             "standard input (-) can stand for one value only");
        session->stdin_used = true;
        cli_exit done = read_stdin(&text, &length, session);
        if (done) return done;
    }
    if (from_stdin && cli_codec(session) == avout_codec_bytes()) {
        *value = avout_bytes(text, length);
        free(text);
        if (!avout_is_none(*value)) return CLI_DONE;
        return cli_error(CLI_SYSTEM, session->command->name, "out of memory");
    }
    avout_edn_error error = {0};
    avout_status st = avout_edn_read(value, text ? text : argument, length, NULL, &error);
    free(text);
    if (!st) return CLI_DONE;
    /* Bad text is a bad command line, whichever of the reader's statuses says so. */
    return cli_error(st == AVOUT_ENOMEM ? CLI_SYSTEM : CLI_USAGE, session->command->name,
                     "%s%.60s%s: line %zu, column %zu: %s", from_stdin ? "" : "\"",
                     from_stdin ? "standard input" : argument, from_stdin ? "" : "\"", error.line,
                     error.column, error.message);
}

/* ---- out ------------------------------------------------------------------------------------- */

avout_status cli_text_of(char **text, size_t *length, const cli_settings *settings,
                         avout_value value)
{
    if (settings->json) return avout_json_text(text, length, value);
    if (!settings->pretty) return avout_edn_text(text, length, value);
    avout_status st = avout_edn_pretty(text, length, value, 0);
    if (!st && *length && (*text)[*length - 1] == '\n') --*length;
    return st;
}

/* The first failure to write, which is the one worth telling; 0: none. */
static int output_errno;

void cli_put(const char *text, size_t length)
{
    if (fwrite(text, 1, length, stdout) != length && !output_errno) output_errno = errno;
}

cli_exit cli_flush(void)
{
    if (fflush(stdout) && !output_errno) output_errno = errno;
    if (!output_errno || output_errno == EPIPE) return CLI_DONE;
    return cli_error(CLI_SYSTEM, "standard output", "%s", strerror(output_errno));
}

avout_status cli_shown_text(const char **shown, char **text, size_t *length,
                            const cli_settings *settings, avout_value value)
{
    *text = NULL;
    if (settings->raw &&
        (avout_value_type(value) == AVOUT_TYPE_STRING || cli_is_binary(settings, value)))
        return avout_value_to_text(shown, length, value);
    avout_status st = cli_text_of(text, length, settings, value);
    *shown = *text;
    return st;
}

bool cli_is_binary(const cli_settings *settings, avout_value value)
{
    return settings->raw && avout_value_type(value) == AVOUT_TYPE_BYTES;
}

bool cli_unread(void)
{
    return output_errno == EPIPE;
}

cli_exit cli_print_value(cli_session *session, const char *name, avout_value value)
{
    char *text;
    const char *shown;
    size_t length;
    avout_status st = cli_shown_text(&shown, &text, &length, &session->settings, value);
    if (st) return cli_failed(session, name, st);
    cli_put(shown, length);
    if (!cli_is_binary(&session->settings, value)) cli_put("\n", 1);
    avout_edn_free(text);
    return CLI_DONE;
}

const char *cli_time_text(char text[40], int64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm local;
    if (!localtime_r(&seconds, &local) || !strftime(text, 40, "%Y-%m-%d %H:%M:%S", &local))
        snprintf(text, 40, "%lld", (long long)unix_ms);
    return text;
}

cli_exit cli_print_json_string(cli_session *session, const char *text)
{
    avout_value string = avout_string(text);
    char *json;
    size_t length;
    avout_status st =
        avout_is_none(string) ? avout_none_status() : avout_json_text(&json, &length, string);
    avout_release(string);
    if (st) return cli_failed(session, text, st);
    cli_put(json, length);
    avout_edn_free(json);
    return CLI_DONE;
}
