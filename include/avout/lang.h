/* A small language in Clojure's syntax: update functions and validators as text.
 *
 *     avout_lang *lang;
 *     avout_lang_function *pay;
 *     avout_status st = avout_lang_open(&lang, NULL);
 *     if (!st) st = avout_lang_compile(&pay, lang, "(fn [m] (update m :balance - 10))", NULL);
 *     if (!st) st = avout_swap(account, avout_lang_change, pay, NULL, NULL, NULL);
 *     ...
 *     avout_lang_function_free(pay);
 *     avout_lang_close(lang);
 *
 * Values of the language are the library's own: what goes in and comes out is not copied. Functions
 * of the language are values too (boxes), and can be kept in local refs.
 *
 * It is Clojure's core as far as it deals with data, futures, promises and delays, and the original Avout's
 * vocabulary: atoms, refs and transactions (connect, zk-atom, swap!!, dosync!!, ...), locks and conditions
 * (distributed-lock, with-lock, .tryLock, .await, ...), values in containers (mongo-ref, distributed-ref, ...).
 * No macros of one's own, no Java. Sequences are made at once where they have an end, and as they are read
 * where they may have none ((range), iterate, repeat, cycle, lazy-seq, and what map, filter ... make of
 * such).
 *
 * A future runs on a thread of the environment's, at most 1024 of them at a time, 64 that do not wait; what
 * comes on top of the latter waits for its turn. It takes its steps from the evaluation that started it;
 * its error comes out at deref, within an ExecutionException. In what may run again (transactions, update
 * functions, validators) `future` is an error: it would be started once more each time. Locks are held by
 * threads, and so by a future until it releases them.
 *
 * Any thread may call any of these on one environment at the same time, but avout_lang_close. */
#ifndef AVOUT_LANG_H
#define AVOUT_LANG_H

#include "client.h"
#include "edn.h"

AVOUT_BEGIN

/* What def has defined, and limits. */
typedef struct avout_lang avout_lang;

/* Zero-initialised (or NULL): the defaults. */
typedef struct avout_lang_options {
    /* Steps of one top-level form, or call, before it ends with AVOUT_ELIMIT: calls, turns of loops,
     * elements made, 64 bytes of text. They bound its memory, too. 0: 100 million, some seconds;
     * UINT64_MAX: no limit. */
    uint64_t max_steps;
    /* Bytes of the C stack one evaluation may use; 0: what the thread has, up to 6 MB. Deeper
     * recursion is an error that the program can catch. */
    size_t max_stack;
    /* Where println and its like write to; NULL: standard output. Called by whoever prints, futures and
     * watches included: perhaps by several threads at the same time. A text of length 0 is (flush): what was
     * written before is to be pushed out. */
    avout_edn_sink print;
    void *payload;
    /* How (connect) and (connect url) open a client; `url` is NULL for the default store. The
     * environment closes it with avout_close. NULL: avout_connect without options. */
    avout_status (*connect)(avout_client **client, const char *url, void *payload);
    void *connect_payload;
    /* How long one top-level form, or call, may wait altogether, in Thread/sleep, for promises, futures
     * and locks, before it ends with AVOUT_ELIMIT; 0: no limit. Calls of the store end by the
     * deadlines of its client. */
    int64_t max_wait_ms;
} avout_lang_options;

/* What was wrong and where. Lines and columns count from 1; line 0: no place is known. */
typedef struct avout_lang_error {
    avout_status status; /* AVOUT_ESYNTAX, ENAME, ETYPE, ERANGE, ETHROWN, ELIMIT, ECANCELLED ... */
    char message[256];   /* without place and form */
    char form[96];       /* the innermost form of the text that was being evaluated, cut */
    size_t line;
    size_t column;
    bool unfinished; /* the text ended inside a form: more of it might make it good */
} avout_lang_error;

AVOUT_API avout_status avout_lang_open(avout_lang **lang, const avout_lang_options *options);
/* Cancels all futures and waits for their threads (what they wait for ends; a commit on its way is waited
 * for a second), ends the watches and validators that programs have set in it, and closes the clients
 * they have connected. Functions that come from it may live on. Not from a callback of the library, nor
 * from a function that a future calls. NULL is accepted. */
AVOUT_API void avout_lang_close(avout_lang *lang);

/* ---- evaluating --------------------------------------------------------------------------------
 * `error` may be NULL; the thread's detail is set as well ("line 1, column 5: ... in (...)"). Results
 * are owned and written on success only. A status that a function of the program answered is handed
 * on. Evaluation blocks as long as what is evaluated does. */

/* The value of the last form of the text; nil if there is none. */
AVOUT_API avout_status avout_lang_eval(avout_value *value, avout_lang *lang, const char *text,
                                       size_t length, avout_lang_error *error);
/* The value of the next form, from *position (which starts at 0) on; moves *position behind it, also
 * when it fails, but for a form that cannot be read. Only white space left: AVOUT_OK with *value =
 * AVOUT_NONE. Places in errors count from the text's beginning. Where *e is defined, the error that ends the
 * form becomes its value. */
AVOUT_API avout_status avout_lang_eval_next(avout_value *value, avout_lang *lang, const char *text,
                                            size_t length, size_t *position,
                                            avout_lang_error *error);
/* Calls a value that is a function of the language. Arguments are borrowed. */
AVOUT_API avout_status avout_lang_call(avout_value *value, avout_lang *lang, avout_value function,
                                       size_t count, const avout_value *arguments,
                                       avout_lang_error *error);
/* Ends the evaluations that are running in the environment with AVOUT_ECANCELLED: at their next step, or
 * at once when they wait (in Thread/sleep, for a promise, a future, a lock or a condition, in retry!!).
 * No catch sees it; `finally` runs, for a while (10 000 steps if there are no others left), and can be
 * interrupted in its turn; what a transaction had not committed is not done. Futures go on: they end by
 * future-cancel and avout_lang_close. A change that waits for the store is withdrawn; one that is on its
 * way is waited for a second more, then the evaluation ends with AVOUT_UNKNOWN. Containers are waited for
 * until their own deadlines. Nothing that runs: nothing happens. May be called from a signal handler. */
AVOUT_API void avout_lang_interrupt(avout_lang *lang);

/* ---- functions for swap, alter, commute and validators ------------------------------------------- */

typedef struct avout_lang_function avout_lang_function;

/* A function from text whose value is one: "inc", "#(conj % 5)", "(fn [m] ...)". AVOUT_ETYPE if it is
 * none. To be freed with avout_lang_function_free; it may outlive the environment's closing. */
AVOUT_API avout_status avout_lang_compile(avout_lang_function **function, avout_lang *lang,
                                          const char *text, size_t length, avout_lang_error *error);
/* An avout_change_fn: *value becomes (function *value). `function` is an avout_lang_function. */
AVOUT_API avout_status avout_lang_change(avout_value *value, void *function);
/* An avout_validator_fn: AVOUT_EVALIDATOR when (function value) is nil or false; an error that it
 * throws is answered as it is. */
AVOUT_API avout_status avout_lang_validate(avout_value value, void *function);
/* Also a `destroy` function for validators. NULL is accepted. */
AVOUT_API void avout_lang_function_free(void *function);

/* ---- giving the language more ------------------------------------------------------------------- */

/* Defines a name, as def does. Consumes `value`. */
AVOUT_API avout_status avout_lang_define(avout_lang *lang, const char *name, avout_value value);

/* A function of the program. Arguments are borrowed; the result is owned. An error's detail is set
 * with avout_fail and becomes the message. */
typedef avout_status (*avout_lang_native_fn)(avout_value *result, size_t count,
                                             const avout_value *arguments, void *payload);
/* Defines a name as that function, which takes `least` to `most` arguments. `destroy` (may be NULL) is
 * called once with the payload, when nobody has the function any more or it cannot be defined. */
AVOUT_API avout_status avout_lang_define_function(avout_lang *lang, const char *name, size_t least,
                                                  size_t most, avout_lang_native_fn call,
                                                  void *payload, void (*destroy)(void *payload));

/* ---- looking ------------------------------------------------------------------------------------ */

/* A value as pr-str prints it, functions and lazy sequences included (which avout_edn_text refuses);
 * released with avout_edn_free. A lazy sequence is printed to its end, or the limit. */
AVOUT_API avout_status avout_lang_text(char **text, size_t *length, avout_lang *lang,
                                       avout_value value);

/* One of the functions and special forms of the language, for help texts and completion. NULL past the
 * last; static. */
AVOUT_API const avout_function_info *avout_lang_function_at(size_t index);
/* The names that programs have defined or declared in the environment, as a vector of strings in no order; owned. AVOUT_ENOMEM. */
AVOUT_API avout_status avout_lang_names(avout_value *names, avout_lang *lang);

/* For "did you mean": how far `candidate` is from the mistyped `word`: letters that were left out, added,
 * changed, or swapped with their neighbour; 1 if it only goes on behind the word. SIZE_MAX: too far to be
 * meant. After F. Damerau, "A technique for computer detection and correction of spelling errors" (1964). */
AVOUT_API size_t avout_word_distance(const char *word, const char *candidate);

AVOUT_END

#endif
