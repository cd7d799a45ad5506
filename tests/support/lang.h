/* Texts of the language and what they answer; each ends the test when it does not hold. */
#ifndef TESTS_SUPPORT_LANG_H
#define TESTS_SUPPORT_LANG_H

#include "avout/lang.h"

/* An environment whose (connect) is that store, and (connect url) another one. */
avout_lang *test_lang(const char *store);
/* Closes it; nothing of it is left in memory (nor of anything else). */
void test_lang_close(avout_lang *lang);

/* The value of the last form, as pr-str prints it. */
void test_answers(avout_lang *lang, const char *expected, const char *text);
/* The same, asked until it is the expected one: for what happens on another thread. */
void test_comes(avout_lang *lang, const char *expected, const char *text);
/* *error (may be NULL) gets what was wrong, whose message contains `message`. */
void test_fails(avout_lang *lang, avout_status status, const char *message, const char *text,
                avout_lang_error *error);
/* The text waits for ever, but avout_lang_interrupt ends that. */
void test_interrupted(avout_lang *lang, const char *text);

#endif
