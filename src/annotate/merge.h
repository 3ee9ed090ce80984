/* Several opinions of one text become one: passes of a language model, or different annotators.
 *
 * Spans of one label that overlap are variants of one entity. It is accepted if enough opinions have a
 * variant of it; the one with the most votes (then the higher score, then the longer) is written,
 * with its share of the votes times its mean score. All others are disputed. */
#ifndef NF_ANNOTATE_MERGE_H
#define NF_ANNOTATE_MERGE_H

#include "annotate/opinion.h"

typedef struct nf_merged_span {
    nf_entity span;  /* with the score that it is written with */
    uint64_t voters; /* a bit for each opinion that has just this span */
    size_t votes;    /* opinions that have a variant of it */
    bool accepted;
} nf_merged_span;

typedef struct nf_merged {
    nf_merged_span *spans; /* by place */
    size_t n_spans;
    bool *asked; /* [n_labels] by at least one opinion */
} nf_merged;

enum { NF_MOST_OPINIONS = 64 };

/* votes: how many must agree; 0: more than half of those who were asked for the label.
 * nested: accepted spans may overlap. Made in the arena. */
nerfit_status nf_merge(nf_merged *out, const nf_opinion *const *opinions, size_t n_opinions,
                       size_t n_labels, size_t votes, bool nested, nf_arena *arena,
                       nerfit_error *err);

#endif
