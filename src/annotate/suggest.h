/* Which texts a person should annotate next: greedily, each the one with the most to teach beside what is
 * known and chosen already. Of a text x
 *
 *   gain(x) = (rank of its uncertainty + rarity of its labels + rank of its disagreement)
 *             * (1 - its greatest cosine with a known or chosen text)
 *
 * Uncertainty is the entropy of its words' labels under the decoder, by the square root of their number.
 * Rarity: the labels that the model sees in it, each with its best score over 1 + the mentions that known
 * and chosen texts have of it; the sum is brought to at most 1 over all texts. Disagreement: of the
 * model and another annotator. Ranks go from 0 to 1. The factor is that of greedy k-centres (core sets,
 * Sener and Savarese 2018) and of BADGE's spread; without vectors it is 1.
 *
 * A text whose letters and digits are those of a known or chosen one, or whose cosine with one is above
 * 0.97, is left out, and so is one without words. */
#ifndef NF_ANNOTATE_SUGGEST_H
#define NF_ANNOTATE_SUGGEST_H

#include "data/document.h"
#include "labels/entity.h"

/* What the model sees in a text. */
typedef struct nf_suggest_text {
    const nf_entity *entities; /* [n_entities] types of n_labels */
    size_t n_entities, n_words;
    double entropy;
    double disagreement; /* 0 to 1; negative: unknown */
} nf_suggest_text;

typedef struct nf_suggest_job {
    const nf_corpus *texts, *known; /* known may be NULL */
    const nf_suggest_text *seen;    /* [texts] */
    size_t n_labels;
    const size_t *known_mentions;         /* [n_labels] */
    const float *vectors, *known_vectors; /* of unit length [n, size]; NULL: none */
    size_t size;
    size_t most_texts, most_words; /* 0: no limit */
} nf_suggest_job;

typedef struct nf_suggestion {
    uint32_t text;
    double gain, uncertainty, rarity; /* when it was chosen */
} nf_suggestion;

/* out [texts]: in the order in which they should be annotated. */
nerfit_status nf_suggest(const nf_suggest_job *job, nf_suggestion *out, size_t *count,
                         nerfit_error *err);

#endif
