/* Status codes: what every call of the library can answer, and the detail behind an error.
 *
 * The list below is the only one: the enum, the names and the texts are made from it. A status of 0
 * is success; negative ones are the library's; positive ones are free for the user's own functions
 * (a transaction body, an update function, a validator) and reach the caller unchanged.
 */
#ifndef AVOUT_STATUS_H
#define AVOUT_STATUS_H

#include "api.h"

AVOUT_BEGIN

/* clang-format off */
#define AVOUT_STATUS_LIST(X)                                                                       \
    X(AVOUT_OK,            0, "success")                                                           \
    /* the caller's arguments */                                                                   \
    X(AVOUT_EINVAL,       -1, "invalid argument")                                                  \
    X(AVOUT_ETYPE,        -2, "wrong type of value")                                               \
    X(AVOUT_ERANGE,       -3, "number or index out of range")                                      \
    X(AVOUT_EDIVZERO,     -4, "division by zero")                                                  \
    X(AVOUT_EUTF8,        -5, "text is not valid UTF-8")                                           \
    X(AVOUT_ESYNTAX,      -6, "syntax error")                                                      \
    X(AVOUT_ELIMIT,       -7, "a limit of size, depth or number is exceeded")                      \
    X(AVOUT_ENAME,        -8, "invalid name")                                                      \
    X(AVOUT_EURL,         -9, "invalid or unknown store address")                                  \
    X(AVOUT_ENOPRINT,    -10, "value cannot be written as text")                                   \
    X(AVOUT_ESTATE,      -11, "call not allowed in this state")                                    \
    X(AVOUT_ENOTSUP,     -12, "not supported by this build or store")                              \
    X(AVOUT_ETHROWN,     -13, "a function of the language threw an error")                         \
    /* resources of this process */                                                                \
    X(AVOUT_ENOMEM,      -20, "out of memory")                                                     \
    X(AVOUT_ESYSTEM,     -21, "a system call failed")                                              \
    X(AVOUT_EFORK,       -22, "handle was opened before fork, by the parent process")              \
    X(AVOUT_ECLOSED,     -23, "handle is closed")                                                  \
    /* what is in the store */                                                                     \
    X(AVOUT_ENOTFOUND,   -30, "does not exist")                                                    \
    X(AVOUT_EEXISTS,     -31, "exists already")                                                    \
    X(AVOUT_EVERSION,    -32, "changed by somebody else: version does not match")                  \
    X(AVOUT_ENOTEMPTY,   -33, "node has children")                                                 \
    X(AVOUT_EEPHEMERAL,  -34, "ephemeral nodes cannot have children")                              \
    X(AVOUT_EDATA,       -35, "stored bytes are not a value")                                      \
    X(AVOUT_EFORMAT,     -36, "store has a foreign or newer format")                               \
    X(AVOUT_ENOSPACE,    -37, "store is full or its quota is used up")                             \
    X(AVOUT_EPERM,       -38, "no permission")                                                     \
    X(AVOUT_EAUTH,       -39, "authentication failed")                                             \
    X(AVOUT_EIO,         -40, "input or output error of the store")                                \
    /* transactions */                                                                             \
    X(AVOUT_RETRY,       -50, "conflict: the function will be run again")                          \
    X(AVOUT_BLOCK,       -51, "waits until something that was read changes")                       \
    X(AVOUT_EVALIDATOR,  -52, "value refused by a validator")                                      \
    X(AVOUT_ERETRIES,    -53, "retry limit reached")                                               \
    X(AVOUT_ECONFLICT,   -54, "current value is not the expected one")                             \
    /* time and connection */                                                                      \
    X(AVOUT_ETIMEOUT,    -60, "deadline passed; nothing was changed")                              \
    X(AVOUT_UNKNOWN,     -61, "deadline passed; the change may or may not have taken effect")      \
    X(AVOUT_ECANCELLED,  -62, "cancelled")                                                         \
    X(AVOUT_ECONNECTION, -63, "no connection to the store")                                        \
    X(AVOUT_ESESSION,    -64, "session with the store is lost")                                    \
    /* locks */                                                                                    \
    X(AVOUT_EBUSY,       -70, "somebody else has it")                                              \
    X(AVOUT_ENOTHELD,    -71, "not held by this thread")                                           \
    X(AVOUT_ELOST,       -72, "was held and has been lost")                                        \
    X(AVOUT_EDEADLOCK,   -73, "would wait for itself")                                             \
    X(AVOUT_EBROKEN,     -74, "a party has left: the barrier is broken until it is reset")
/* clang-format on */

/* What a call answers. 0 is success, negative values are the library's (listed above), positive
 * values are the user's own. */
typedef int avout_status;

enum {
#define AVOUT_STATUS_ENUM(name, number, text) name = (number),
    AVOUT_STATUS_LIST(AVOUT_STATUS_ENUM)
#undef AVOUT_STATUS_ENUM
};

/* The code's name, "AVOUT_EINVAL"; "AVOUT_USER" for a positive one, "AVOUT_?" for an unlisted one.
 * Never NULL; static; any thread. */
AVOUT_API const char *avout_status_name(avout_status status);

/* The code's text in one line, without a full stop. Never NULL; static; any thread. */
AVOUT_API const char *avout_status_text(avout_status status);

/* The detail of this thread's last failed call: one line that says what, where, and which path,
 * type or byte offset. Set once, where the error is found. Borrowed; valid until this thread's next
 * failing call. "" when there is none. Calls that succeed leave it alone. */
AVOUT_API const char *avout_error_detail(void);

/* Sets this thread's detail, for functions of the user's own that fail (a validator that says why).
 * printf's format; cut at 1023 bytes. Returns `status`, so that a function can end with it. */
AVOUT_API avout_status avout_fail(avout_status status, const char *format, ...) AVOUT_PRINTF(2, 3);

AVOUT_END

#endif
