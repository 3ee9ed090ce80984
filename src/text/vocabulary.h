/* Vocabulary: strings to ids by an open-addressing table, ids to strings by an array. The hash is
 * computed byte by byte (FNV-1a), so that WordPiece gets the hashes of all prefixes of a word in
 * one pass. */
#ifndef NF_TEXT_VOCABULARY_H
#define NF_TEXT_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fnv.h"

enum { NF_VOCABULARY_MAX_ID = (1 << 24) - 1 };

typedef struct nf_string_slot {
    uint32_t hash; /* upper half of the string's hash */
    uint32_t length;
    const char *text; /* NULL: free */
    int32_t id;
} nf_string_slot;

typedef struct nf_string_table {
    nf_string_slot *slots;
    size_t mask;    /* slots - 1; a power of two */
    size_t count;   /* strings */
    size_t longest; /* bytes */
} nf_string_table;

/* Room for `count` strings; the slots come from the arena. False when out of memory. */
bool nf_string_table_init(nf_string_table *table, size_t count, nf_arena *arena);
/* Adds or replaces; `text` is kept, not copied. There must be room. */
void nf_string_table_put(nf_string_table *table, const char *text, size_t length, int32_t id);
/* The slot of a string whose hash is known, or NULL. */
const nf_string_slot *nf_string_table_find(const nf_string_table *table, uint64_t hash,
                                           const char *text, size_t length);
/* -1 if there is none. */
int32_t nf_string_table_get(const nf_string_table *table, const char *text, size_t length);

typedef struct nf_vocabulary {
    nf_string_table table;
    const char **texts; /* [size]; NULL for ids that are not used */
    uint32_t *lengths;  /* [size] */
    size_t size;        /* largest id + 1 */
    size_t count;       /* tokens; equal ones count once, but in Unigram each for itself */
} nf_vocabulary;

static inline int32_t nf_vocabulary_id(const nf_vocabulary *vocabulary, const char *text,
                                       size_t length) {
    return nf_string_table_get(&vocabulary->table, text, length);
}

#endif
