/* The terminal's state and the signals of the shell.
 *
 * A handler notes what has happened and writes a byte to a pipe that the editor waits on beside the keyboard;
 * it interrupts the language, too, as the main thread may be in there. Whoever wants the process to end twice
 * gets it at once.
 *
 * tcsetattr may be called in a signal handler: so the terminal is put in order also when the process crashes. */
#include "repl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static avout_lang *interrupted_lang;
static int wake[2] = {-1, -1};
static atomic_uint happened;
static volatile sig_atomic_t end_signal;

static const int deadly[] = {SIGQUIT, SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS, SIGXCPU};
static const int told[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT};
enum { DEADLY = sizeof deadly / sizeof *deadly, TOLD = sizeof told / sizeof *told };

void terminal_raise(terminal_event event)
{
    int saved = errno;
    atomic_fetch_or(&happened, event);
    /* A full pipe wakes as well. */
    if (write(wake[1], "", 1) < 0) errno = saved;
    errno = saved;
}

static void die(int number)
{
    tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    signal(number, SIG_DFL);
    raise(number);
}

static void on_signal(int number)
{
    switch (number) {
    case SIGINT:
        terminal_raise(TERMINAL_INTERRUPT);
        avout_lang_interrupt(interrupted_lang);
        break;
    case SIGTERM:
    case SIGHUP:
        if (end_signal) die(number);
        end_signal = number;
        terminal_raise(TERMINAL_END);
        avout_lang_interrupt(interrupted_lang);
        break;
    case SIGWINCH: terminal_raise(TERMINAL_RESIZE); break;
    case SIGCONT: terminal_raise(TERMINAL_CONTINUE); break;
    case SIGTSTP: terminal_raise(TERMINAL_STOP); break;
    default: die(number);
    }
}

static void handle(int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

cli_exit terminal_open(avout_lang *lang)
{
    if (tcgetattr(STDIN_FILENO, &before) || pipe2(wake, O_CLOEXEC | O_NONBLOCK))
        return cli_error(CLI_SYSTEM, "repl", "the terminal: %s", strerror(errno));
    interrupted_lang = lang;
    for (size_t i = 0; i < TOLD; i++) handle(told[i], on_signal, SA_RESTART);
    for (size_t i = 0; i < DEADLY; i++) handle(deadly[i], on_signal, 0);
    return CLI_DONE;
}

void terminal_close(void)
{
    if (wake[0] < 0) return;
    for (size_t i = 0; i < TOLD; i++) handle(told[i], SIG_DFL, 0);
    for (size_t i = 0; i < DEADLY; i++) handle(deadly[i], SIG_DFL, 0);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    close(wake[0]);
    close(wake[1]);
    wake[0] = wake[1] = -1;
}

int terminal_fd(void)
{
    return wake[0];
}

unsigned terminal_take(void)
{
    char bytes[64];
    while (read(wake[0], bytes, sizeof bytes) > 0) {}
    return atomic_exchange(&happened, 0);
}

bool terminal_happened(terminal_event event)
{
    return atomic_load(&happened) & event;
}

void terminal_editing(bool editing)
{
    handle(SIGTSTP, editing ? on_signal : SIG_DFL, SA_RESTART);
}

void terminal_stop(void)
{
    handle(SIGTSTP, SIG_DFL, 0);
    raise(SIGTSTP);
    handle(SIGTSTP, on_signal, SA_RESTART);
}

int terminal_end_signal(void)
{
    return end_signal;
}
