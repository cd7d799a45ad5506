/* Certificates for servers in tests, made by openssl(1). In DIRECTORY, all in PEM:
 *
 *   ca, ca.key           an authority
 *   server, server.key   signed by it, for the server's names: "IP:127.0.0.1", "DNS:localhost"
 *   client, client.key   signed by it, for clients
 *   stranger             another authority
 *
 * Skips the test where there is no openssl. */
#ifndef TESTS_SUPPORT_CERTIFICATES_H
#define TESTS_SUPPORT_CERTIFICATES_H

void test_certificates_make(const char *directory, const char *names);

#endif
