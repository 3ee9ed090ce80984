/* FNV-1a (Fowler, Noll, Vo), 64 bits: for tables and fingerprints; nothing hangs on its secrecy. */
#ifndef NF_BASE_FNV_H
#define NF_BASE_FNV_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NF_HASH_START UINT64_C(0xcbf29ce484222325)
#define NF_HASH_PRIME UINT64_C(0x100000001b3)

static inline uint64_t nf_hash_step(uint64_t hash, unsigned char byte) {
    return (hash ^ byte) * NF_HASH_PRIME;
}

static inline uint64_t nf_hash_text(const char *text, size_t length) {
    uint64_t hash = NF_HASH_START;
    for (size_t i = 0; i < length; i++) hash = nf_hash_step(hash, (unsigned char)text[i]);
    return hash;
}

/* Over 8 bytes at a time, and the size: for whole files. */
static inline uint64_t nf_hash_words(const void *data, size_t size) {
    const unsigned char *bytes = data;
    uint64_t hash = NF_HASH_START ^ size;
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, size - i < 8 ? size - i : 8);
        hash = (hash ^ word) * NF_HASH_PRIME;
        hash ^= hash >> 29;
    }
    return hash;
}

#endif
