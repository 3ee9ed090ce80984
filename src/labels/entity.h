/* An entity, everywhere in the library: units start .. end-1 of something (code points of a text,
 * words, sub-words), an integer type of whatever set its owner has, and a score. Names of types and
 * bytes of texts come in where something is written. */
#ifndef NF_LABELS_ENTITY_H
#define NF_LABELS_ENTITY_H

#include <stdbool.h>
#include <stdint.h>

typedef struct nf_entity {
    uint32_t start, end; /* end exclusive */
    int32_t type;
    double score; /* of a predicted one; negative: it has none */
} nf_entity;

static inline bool nf_entity_same_place(const nf_entity *a, const nf_entity *b) {
    return a->start == b->start && a->end == b->end;
}

/* How many units two entities share. */
static inline uint32_t nf_entity_overlap(const nf_entity *a, const nf_entity *b) {
    uint32_t start = a->start > b->start ? a->start : b->start;
    uint32_t end = a->end < b->end ? a->end : b->end;
    return end > start ? end - start : 0;
}

#endif
