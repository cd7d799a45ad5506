/* Passwords do not get into details. Drivers' messages may repeat what they were given. */
#ifndef PLUGINS_COMMON_SECRET_H
#define PLUGINS_COMMON_SECRET_H

#include <avout/status.h>

/* Copies the message into text[0..size), cut where it does not fit, as one line and with "***" for each
 * `secret` in it; NULL and "" are no secrets. */
void avout__plugin_hide(char *text, size_t size, const char *message, const char *secret);

/* The password in "scheme://user:password@host..." as it stands there; *length is 0 when there is
 * none. Of a malformed address rather more than less. */
const char *avout__plugin_password(size_t *length, const char *address);

/* Writes decoded %XX of text[0..length) into out[0..size), NUL-terminated; false: it does not fit, or is
 * malformed. */
bool avout__plugin_unescape(char *out, size_t size, const char *text, size_t length);

#endif
