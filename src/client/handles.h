/* The structs behind the public handles of locks. */
#ifndef AVOUT_CLIENT_HANDLES_H
#define AVOUT_CLIENT_HANDLES_H

#include "lock/lock.h"

struct avout_lock {
    avout__lock_handle handle;
};

struct avout_rwlock {
    avout__lock_handle handle;
};

#endif
