#include "support/output.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "support/test.h"

output output_to_stderr(void)
{
    output turned = {.out = dup(1), .err = -1, .file = -1};
    CHECK(turned.out >= 0);
    fflush(stdout);
    CHECK(dup2(2, 1) == 1);
    return turned;
}

output output_keep(void)
{
    output turned = {.out = dup(1), .err = dup(2)};
    turned.file = open(test_directory(), O_TMPFILE | O_RDWR, 0600);
    CHECK(turned.out >= 0 && turned.err >= 0 && turned.file >= 0);
    fflush(stdout);
    CHECK(dup2(turned.file, 1) == 1 && dup2(turned.file, 2) == 2);
    return turned;
}

static void put_back(int *real, int number)
{
    if (*real < 0) return;
    CHECK(dup2(*real, number) == number);
    close(*real);
    *real = -1;
}

size_t output_back(output *turned)
{
    fflush(stdout);
    fflush(stderr);
    off_t length = turned->file < 0 ? 0 : lseek(turned->file, 0, SEEK_END);
    put_back(&turned->out, 1);
    put_back(&turned->err, 2);
    if (turned->file >= 0) close(turned->file);
    turned->file = -1;
    CHECK(length >= 0);
    return (size_t)length;
}
