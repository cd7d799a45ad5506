/* Included last by every source file: what has a safer form here does not compile. */
#ifndef AVOUT_BASE_BANNED_H
#define AVOUT_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* base/alloc.h */
#pragma GCC poison malloc calloc realloc free strdup strndup asprintf vasprintf
/* base/buffer.h, snprintf */
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets
/* strtol and friends with an end pointer; reentrant forms */
#pragma GCC poison atoi atol atoll strtok localtime gmtime rand

#endif
