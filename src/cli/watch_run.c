/* avout watch --exec: a shell's command run for each change, one at a time.
 *
 * The value is the command's standard input, a file in memory, so that nobody waits for one who does not read
 * it; and in its environment where it fits. */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    VARIABLE_MOST = 100 * 1024, /* Linux takes 128 KiB of one */
    VARIABLES = 3,
    KILL_AFTER_MS = 10000,
};

/* ---- what it is given ------------------------------------------------------------------------- */

/* NAME=text; NULL in *out where it does not fit, or has what no variable can hold. */
static cli_exit make_variable(char **out, const char *name, const char *text, size_t length)
{
    size_t size = strlen(name) + 1 + length + 1;
    *out = NULL;
    if (length > VARIABLE_MOST || memchr(text, '\0', length)) return CLI_DONE;
    *out = malloc(size);
    if (!*out) return cli_error(CLI_SYSTEM, "watch", "out of memory");
    snprintf(*out, size, "%s=%.*s", name, (int)length, text);
    return CLI_DONE;
}

/* As it would be printed: AVOUT_NONE gives no variable. */
static cli_exit value_variable(char **out, cli_run *run, const char *name, avout_value value,
                               bool input)
{
    char *text = NULL;
    const char *shown;
    size_t length;
    *out = NULL;
    if (avout_is_none(value)) return CLI_DONE;
    avout_status st = cli_shown_text(&shown, &text, &length, &run->session->settings, value);
    if (st) return cli_failed(run->session, run->name, st);
    cli_exit status = make_variable(out, name, shown, length);
    ssize_t ends = !cli_is_binary(&run->session->settings, value);
    /* A file in memory takes all of it at once. */
    if (!status && input &&
        (write(run->input, shown, length) != (ssize_t)length ||
         write(run->input, "\n", (size_t)ends) != ends || lseek(run->input, 0, SEEK_SET)))
        status = cli_error(CLI_SYSTEM, "watch", "the command's input: %s", strerror(errno));
    avout_edn_free(text);
    return status;
}

/* Ours with those in their places. */
static char **make_environment(char *const variables[VARIABLES])
{
    size_t count = 0, used = 0;
    while (environ[count]) count++;
    char **all = calloc(count + VARIABLES + 1, sizeof *all);
    for (size_t i = 0; all && i < count; i++) {
        const char *known[] = {"AVOUT_NAME=", "AVOUT_VALUE=", "AVOUT_OLD="};
        bool replaced = false;
        for (size_t k = 0; k < VARIABLES; k++)
            replaced = replaced || !strncmp(environ[i], known[k], strlen(known[k]));
        if (!replaced) all[used++] = environ[i];
    }
    for (size_t k = 0; all && k < VARIABLES; k++)
        if (variables[k]) all[used++] = variables[k];
    return all;
}

/* ---- running ------------------------------------------------------------------------------------ */

static cli_exit start(cli_run *run, char *const variables[VARIABLES])
{
    const cli_arguments *words = &run->session->words;
    char **environment = make_environment(variables);
    const char **command = calloc((size_t)words->count + 4, sizeof *command);
    cli_exit status = CLI_SYSTEM;
    if (!environment || !command) {
        cli_error(CLI_SYSTEM, "watch", "out of memory");
    } else {
        const char *shell[] = {"/bin/sh", "-c", run->session->settings.exec};
        memcpy(command, shell, sizeof shell);
        /* $0 is the name; what stands behind it, $1 and so on. */
        memcpy(command + 3, words->at, (size_t)words->count * sizeof *command);
        run->child = (cli_child){.input = run->input, .environment = environment};
        if (!cli_child_start(&run->child, command)) status = CLI_DONE;
    }
    run->running = !status;
    free(command);
    free(environment);
    return status;
}

cli_exit cli_run_start(cli_run *run, avout_value old_value, avout_value new_value)
{
    char *variables[VARIABLES] = {NULL};
    run->input = memfd_create("value", MFD_CLOEXEC);
    if (run->input < 0)
        return cli_error(CLI_SYSTEM, "watch", "the command's input: %s", strerror(errno));
    cli_exit status = make_variable(&variables[0], "AVOUT_NAME", run->name, strlen(run->name));
    if (!status) status = value_variable(&variables[1], run, "AVOUT_VALUE", new_value, true);
    if (!status) status = value_variable(&variables[2], run, "AVOUT_OLD", old_value, false);
    if (!status) status = start(run, variables);
    for (size_t k = 0; k < VARIABLES; k++) free(variables[k]);
    close(run->input);
    return status;
}

static void reap_orphans(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
}

void cli_run_ended(cli_run *run)
{
    int status = cli_child_wait(&run->child);
    run->running = false;
    reap_orphans();
    if (!status) return;
    run->failed = true;
    if (WIFSIGNALED(run->child.status))
        cli_error(CLI_NO, "watch", "%s: the command was ended by signal %d", run->name,
                  WTERMSIG(run->child.status));
    else cli_error(CLI_NO, "watch", "%s: the command ended with status %d", run->name, status);
}

/* The signal that ends us has gone to the command, which may take its time; what it leaves behind is told
 * to end as well. */
void cli_run_end(cli_run *run)
{
    int64_t patience_ms = run->session->settings.kill_after_ms;
    if (!patience_ms) patience_ms = KILL_AFTER_MS;
    if (!run->running) return;
    struct pollfd wait = {.fd = run->child.fd, .events = POLLIN};
    int64_t rest_ms = patience_ms < INT32_MAX ? patience_ms : INT32_MAX;
    bool ended = poll(&wait, 1, (int)rest_ms) > 0;
    cli_child_end_all(&run->child, ended ? patience_ms : 0);
    cli_child_wait(&run->child);
    run->running = false;
}
