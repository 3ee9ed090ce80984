/* FNV-1a (Fowler, Noll, Vo), 64 bits: for tables and fingerprints; nothing hangs on its secrecy. */
#ifndef NF_BASE_FNV_H
#define NF_BASE_FNV_H

#include <stddef.h>
#include <stdint.h>

#define NF_HASH_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t nf_hash_step(uint64_t hash, unsigned char byte) {
    return (hash ^ byte) * UINT64_C(0x100000001b3);
}

static inline uint64_t nf_hash_text(const char *text, size_t length) {
    uint64_t hash = NF_HASH_START;
    for (size_t i = 0; i < length; i++) hash = nf_hash_step(hash, (unsigned char)text[i]);
    return hash;
}

#endif
