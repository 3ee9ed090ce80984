/* Labels of words as numbers, as the original package numbers them (nerfit/dataset.py): O is 0, then
 * B- and I- of every type in order. The transitions between them, which all types share. */
#ifndef NF_LABELS_BIO_H
#define NF_LABELS_BIO_H

#include <stddef.h>
#include <stdint.h>

#include "labels/entity.h"

enum { NF_LABEL_O = 0 };
enum { NF_KIND_O, NF_KIND_B, NF_KIND_I, NF_KINDS };
enum { NF_STEP_O, NF_STEP_B_SAME, NF_STEP_B_OTHER, NF_STEP_I, NF_STEPS };
enum { NF_TRANSITION_COUNT = NF_KINDS * NF_STEPS + NF_KINDS };

/* NF_TRANSITION_COUNT numbers without a gap, so that they may be taken as an array in this order.
 * Which of them a step takes: labels/decoder.h. */
typedef struct nf_transitions {
    double next[NF_KINDS][NF_STEPS];
    double first[NF_KINDS];
} nf_transitions;
_Static_assert(sizeof(nf_transitions) == NF_TRANSITION_COUNT * sizeof(double), "no gaps");

static inline int32_t nf_label_id(int32_t type, int inside) {
    return 1 + 2 * type + (inside != 0);
}
static inline int nf_label_kind(int32_t label) {
    return label == NF_LABEL_O ? NF_KIND_O : 1 + (label - 1) % 2;
}
static inline int32_t nf_label_type(int32_t label) {
    return label == NF_LABEL_O ? -1 : (label - 1) / 2;
}

/* Entities of a sequence of labels [n], legal or not, by conlleval's rules (seqeval's default mode): one
 * begins at B-, and at I- after O or another type. out: room for n, in units, without scores. Returns
 * how many. */
static inline size_t nf_bio_entities(const int32_t *labels, size_t n, nf_entity *out) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t type = nf_label_type(labels[i]);
        if (type < 0) continue;
        if (nf_label_kind(labels[i]) == NF_KIND_B || i == 0 || nf_label_type(labels[i - 1]) != type)
            out[count++] = (nf_entity){.start = (uint32_t)i, .type = type};
        out[count - 1].end = (uint32_t)i + 1;
    }
    return count;
}

#endif
