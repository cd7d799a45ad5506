/* The coordination port on Apache ZooKeeper (libzookeeper_mt): zk://host:port,.../chroot. */
#ifndef AVOUT_STORE_ZK_ZK_H
#define AVOUT_STORE_ZK_ZK_H

#include "avout/sys/store.h"

extern const avout_store_ops avout__zk_ops;

#endif
