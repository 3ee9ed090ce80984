/* A trie over bytes with a number at each key: all keys that a text begins with are found in one
 * walk, one memory access a byte. It is a double array: the child of node n by byte b is at
 * units[n].base + b, if that unit says that its parent is n. */
#ifndef NF_TEXT_SCORE_TRIE_H
#define NF_TEXT_SCORE_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

typedef struct nf_score_unit {
    uint32_t base, parent; /* parent UINT32_MAX: free, or the root */
    double score;          /* NaN: no key ends here */
} nf_score_unit;

typedef struct nf_score_trie {
    const nf_score_unit *units; /* the root is 0; base + 255 is always inside */
    const int32_t *ids;         /* of each unit at which a key ends */
} nf_score_trie;

/* One key; empty ones are left out, and of equal ones the one with the largest id counts. */
typedef struct nf_score_key {
    const char *text;
    uint32_t length;
    int32_t id;
    double score;
} nf_score_key;

/* Sorts the keys. False when out of memory. */
bool nf_score_trie_build(nf_score_trie *trie, nf_score_key *keys, size_t count, nf_arena *arena);

#endif
