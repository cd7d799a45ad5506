/* Avout for C: Clojure's atoms, refs and transactions across threads, processes and machines. */
#ifndef AVOUT_UMBRELLA_H
#define AVOUT_UMBRELLA_H

#include "avout/api.h"
#include "avout/status.h"
#include "avout/memory.h"
#include "avout/value.h"
#include "avout/edn.h"
#include "avout/options.h"
#include "avout/client.h"
#include "avout/txn.h"
#include "avout/atom.h"
#include "avout/ref.h"
#include "avout/codec.h"
#include "avout/lock.h"
#include "avout/semaphore.h"
#include "avout/leader.h"
#include "avout/latch.h"
#include "avout/barrier.h"
#include "avout/lang.h"
#include "avout/distributed.h"

#endif
