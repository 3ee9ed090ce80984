/* Which annotated texts are most like a text: examples for a language model's question, chosen for each
 * text (kNN prompting). By sentence embeddings where there is an encoder, else by the words they share:
 * cosine of tf-idf over folded words. */
#ifndef NF_ANNOTATE_SIMILAR_H
#define NF_ANNOTATE_SIMILAR_H

#include "data/document.h"

/* Unit vectors of every text, or words. Zero-initialise. */
typedef struct nf_similar {
    const nf_corpus *examples;
    const nf_corpus *texts;
    const float *example_vectors, *text_vectors; /* [n, size] of unit length; NULL: by words */
    size_t size;
} nf_similar;

/* Of two vectors [size] of unit length. */
double nf_unit_cosine(const float *a, const float *b, size_t size);

/* shown [texts, shots] receives the numbers of the examples that are most like each text, the least like
 * first (the last stands next to the text), n_documents where there are too few. An example with the
 * same text is never shown; with two shots and more, one without an entity is among them if there is
 * one. */
nerfit_status nf_similar_choose(const nf_similar *similar, size_t shots, uint32_t *shown,
                                nerfit_error *err);

#endif
