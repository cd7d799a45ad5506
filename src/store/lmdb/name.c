#include "store/lmdb/name.h"

#include <string.h>

#include "base/banned.h"

enum { ID_SIZE = 8, HASH_SIZE = 16 };
enum { SHORT_MOST = AVOUT__LMDB_KEY_MOST - ID_SIZE - 1 };
enum { LONG_PART = AVOUT__LMDB_KEY_MOST - ID_SIZE - HASH_SIZE };

void avout__lmdb_put_big_endian(unsigned char *bytes, uint64_t number)
{
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(number >> (56 - 8 * i));
}

uint64_t avout__lmdb_get_big_endian(const unsigned char *bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++) number = number << 8 | bytes[i];
    return number;
}

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void round_of(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
    v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 with 128 bits of result (Aumasson, Bernstein: "SipHash", 2012). */
static void siphash(unsigned char out[HASH_SIZE], const char *text, size_t length,
                    const uint64_t *key)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du ^ 0xee,
                     key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    for (size_t i = 0; i <= length; i += 8) {
        uint64_t word = 0;
        size_t rest = length - i;
        memcpy(&word, text + i, rest < 8 ? rest : 8);
        if (rest < 8) word |= (uint64_t)length << 56;
        v[3] ^= word;
        round_of(v), round_of(v);
        v[0] ^= word;
    }
    v[2] ^= 0xee;
    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < 4; i++) round_of(v);
        uint64_t word = v[0] ^ v[1] ^ v[2] ^ v[3];
        memcpy(out + 8 * half, &word, 8);
        v[1] ^= 0xdd;
    }
}

void avout__lmdb_child_key_make(avout__lmdb_child_key *key, uint64_t parent, const char *name,
                                size_t length, const uint64_t *hash_key)
{
    avout__lmdb_put_big_endian(key->bytes, parent);
    key->is_long = length > SHORT_MOST;
    if (!key->is_long) {
        memcpy(key->bytes + ID_SIZE, name, length);
        key->length = ID_SIZE + length;
        return;
    }
    memcpy(key->bytes + ID_SIZE, name, LONG_PART);
    siphash(key->bytes + ID_SIZE + LONG_PART, name, length, hash_key);
    key->length = AVOUT__LMDB_KEY_MOST;
}
