/* An entity as it is compared and shown: where it lies, its type, and how sure the model is of it.
 */
#ifndef NF_EVAL_MENTION_H
#define NF_EVAL_MENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct nf_mention {
    uint32_t start, end;         /* what is compared, end exclusive: code points, or words */
    size_t byte_start, byte_end; /* of the text, to show it */
    const char *label;
    double score; /* of a predicted one; negative: it has none */
} nf_mention;

static inline bool nf_mention_same_type(const nf_mention *a, const nf_mention *b) {
    return strcmp(a->label, b->label) == 0;
}

static inline bool nf_mention_same_place(const nf_mention *a, const nf_mention *b) {
    return a->start == b->start && a->end == b->end;
}

/* How much two mentions share. */
static inline uint32_t nf_mention_overlap(const nf_mention *a, const nf_mention *b) {
    uint32_t start = a->start > b->start ? a->start : b->start;
    uint32_t end = a->end < b->end ? a->end : b->end;
    return end > start ? end - start : 0;
}

#endif
