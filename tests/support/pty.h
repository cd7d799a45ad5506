/* A program in a terminal of its own, for tests: keys go in, and what comes out is drawn on a screen of 60 rows and
 * 100 columns, as xterm would. Tests wait for what the screen shows, never for a time; a wait that takes longer
 * than 30 seconds fails the test and prints the screen.
 *
 *     pty *shell = pty_start((const char *const[]){"avout", "repl", NULL});
 *     pty_row(shell, "user=>");
 *     pty_keys(shell, "(+ 1 2)\r");
 *     pty_row(shell, "3");
 *
 * "avout" as the program's name is the command of the variant that is tested. The program is killed when the
 * test ends. */
#ifndef TESTS_SUPPORT_PTY_H
#define TESTS_SUPPORT_PTY_H

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

typedef struct pty pty;

pty *pty_start(const char *const *arguments);
pid_t pty_process(const pty *p);
void pty_keys(pty *p, const char *keys);
/* Waits until a row equals the text (blanks at its end aside), at or below the one that was last waited for. */
void pty_row(pty *p, const char *text);
/* Until one has the text in it. */
void pty_part(pty *p, const char *text);
/* Until the row of the cursor equals the text, and the cursor is behind it. Blanks count. */
void pty_cursor(pty *p, const char *text);
/* Until what the terminal is set to has, or has not, all of these flags of c_lflag. */
void pty_mode(pty *p, tcflag_t flags, bool set);
/* Whether any row equals the text now. */
bool pty_shows(const pty *p, const char *text);
/* Forgets what is on the screen, but for the cursor's row, which becomes the first. */
void pty_clear(pty *p);
struct termios pty_termios(const pty *p);
/* Another size, as a window that is dragged. */
void pty_resize(pty *p, int rows, int columns);
/* Waits for the program's end; as waitpid has it. The terminal stays as the program has left it. */
int pty_wait(pty *p);
/* The same, and frees. */
int pty_end(pty *p);

#endif
