#include "support/certificates.h"

#include <stdio.h>
#include <sys/wait.h>

#include "support/server.h"
#include "support/test.h"

/* $1 names, $2 directory. */
static const char make_all[] =
    "set -e; cd \"$2\"\n"
    "make() { name=$1; subject=$2; shift 2; openssl req -x509 -newkey ec -pkeyopt "
    "ec_paramgen_curve:P-256 -nodes -days 2 -subj \"$subject\" -keyout \"$name.key\" -out "
    "\"$name\" "
    "\"$@\"; }\n"
    "make ca /CN=avout-test-authority\n"
    "make stranger /CN=another-authority\n"
    "make server /CN=avout-test-server -CA ca -CAkey ca.key -addext \"subjectAltName=$1\" -addext "
    "basicConstraints=critical,CA:FALSE\n"
    "make client /CN=avout-test-client -CA ca -CAkey ca.key -addext "
    "basicConstraints=critical,CA:FALSE\n";

void test_certificates_make(const char *directory, const char *names)
{
    test_command command = {0};
    int status;
    char tail[2048];
    if (!test_in_path("openssl")) test_skip("no openssl in PATH: install openssl");
    test_write_file(directory, "make-certificates", make_all);
    test_command_add(&command, "sh");
    test_command_add(&command, "%s/make-certificates", directory);
    test_command_add(&command, "%s", names);
    test_command_add(&command, "%s", directory);
    pid_t child = test_spawn(directory, command.arguments);
    CHECK(waitpid(child, &status, 0) == child);
    if (status)
        test_failed(__FILE__, __LINE__, "openssl: %s", test_log_tail(tail, sizeof tail, directory));
}
