/* A real HTTP server with WebDAV for tests: nginx, with its module for PROPFIND. What it serves:
 *
 *   /dav/      the files of DIRECTORY/files/dav; like all nginx writes it ignores If-None-Match
 *   /secret/   the same for the user ann with the password "open sesame" only
 *   /small/    takes bodies of at most 1000 bytes
 *   /reading/  answers 403 to whatever writes
 *   /plain/    knows no PROPFIND
 *   /moved/    redirects to /dav/ */
#ifndef TESTS_SUPPORT_WEBDAV_H
#define TESTS_SUPPORT_WEBDAV_H

#include "support/server.h"

/* Skips the test where there is no nginx with that module. */
test_server *test_webdav_start(void);
/* The same with TLS, for 127.0.0.1, and certificates (support/certificates.h) in its directory. */
test_server *test_webdav_start_tls(void);
/* "http://127.0.0.1:PORT/PATH" into the buffer, which is returned. */
enum { TEST_PLACE = 200 };
const char *test_webdav_place(char place[TEST_PLACE], const test_server *server, const char *path);

#endif
