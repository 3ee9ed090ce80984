/* Tokens of words of usual length, as one thread has met them: a table in which a word drives out
 * the one before it. It is made when words have come often enough to pay for it. */
#ifndef NF_TEXT_WORD_CACHE_H
#define NF_TEXT_WORD_CACHE_H

#include <stdlib.h>
#include <string.h>

#include "text/work.h"

enum {
    NF_CACHED_BYTES = 30, /* longest word */
    NF_CACHED_TOKENS = 8  /* most tokens of a word */
};

typedef struct nf_cached_word {
    uint64_t hash;
    uint8_t length, count; /* count 0: free */
    char bytes[NF_CACHED_BYTES];
    uint8_t ends[NF_CACHED_TOKENS];
    int32_t ids[NF_CACHED_TOKENS];
} nf_cached_word;

typedef struct nf_word_cache {
    const void *owner; /* whose words they are */
    nf_cached_word *slots;
    size_t misses;
} nf_word_cache;

/* The word's place, whether it is there or not; NULL: it is too long, or there is no cache yet.
 * n_slots: the same at every call. */
static inline nf_cached_word *nf_word_cache_slot(nf_word_cache *cache, size_t n_slots,
                                                 const void *owner, uint64_t hash, size_t length) {
    if (length > NF_CACHED_BYTES) return NULL;
    if (cache->owner != owner) {
        if (cache->slots) memset(cache->slots, 0, n_slots * sizeof *cache->slots);
        cache->owner = owner;
    }
    if (!cache->slots && ++cache->misses > n_slots / 8)
        cache->slots = calloc(n_slots, sizeof *cache->slots);
    return cache->slots ? &cache->slots[(hash ^ hash >> 32) % n_slots] : NULL;
}

/* Adds the word's tokens if it is there. */
static inline bool nf_word_cache_push(const nf_cached_word *cached, uint64_t hash,
                                      const nf_pre_token *token, nf_encoding *out) {
    if (!cached || cached->count == 0 || cached->hash != hash || cached->length != token->length ||
        memcmp(cached->bytes, token->bytes, token->length) != 0)
        return false;
    size_t start = 0;
    for (size_t i = 0; i < cached->count; i++) {
        nf_encoding_push(out, cached->ids[i], token->offset + start,
                         token->offset + cached->ends[i], token->index);
        start = cached->ends[i];
    }
    return true;
}

/* Keeps the word, whose tokens are the last of `out`, from `from` on, each beginning where the one
 * before ends. */
static inline void nf_word_cache_keep(nf_cached_word *cached, uint64_t hash,
                                      const nf_pre_token *token, const nf_encoding *out,
                                      size_t from) {
    size_t count = out->length - from;
    if (!cached || count == 0 || count > NF_CACHED_TOKENS) return;
    cached->hash = hash;
    cached->length = (uint8_t)token->length;
    cached->count = (uint8_t)count;
    memcpy(cached->bytes, token->bytes, token->length);
    for (size_t i = 0; i < count; i++) {
        cached->ids[i] = out->ids[from + i];
        cached->ends[i] = (uint8_t)(out->ends[from + i] - token->offset);
    }
}

#endif
