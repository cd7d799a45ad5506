/* How a child is found: the key of the child table for a parent's id and a name.
 *
 * LMDB's keys have at most 511 bytes, names may be longer. A short name stands in the key itself; of
 * a long one there is a part and a 128-bit hash with a key of the store's own (SipHash, so that
 * nobody can choose names that collide), and the whole name stands in the value. Long keys have
 * exactly 511 bytes and short ones fewer, so the two never meet. */
#ifndef AVOUT_STORE_LMDB_NAME_H
#define AVOUT_STORE_LMDB_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AVOUT__LMDB_KEY_MOST = 511 };

typedef struct avout__lmdb_child_key {
    size_t length;
    bool is_long;
    unsigned char bytes[AVOUT__LMDB_KEY_MOST];
} avout__lmdb_child_key;

/* hash_key: two words. */
void avout__lmdb_child_key_make(avout__lmdb_child_key *key, uint64_t parent, const char *name,
                                size_t length, const uint64_t *hash_key);

/* 64 bits big endian, so that LMDB's order is that of the numbers. */
void avout__lmdb_put_big_endian(unsigned char *bytes, uint64_t number);
uint64_t avout__lmdb_get_big_endian(const unsigned char *bytes);

#endif
