/* A text as a head is trained on it and measured with: its sub-words, and what they are said to be. How
 * they are made from documents: train/examples.h. */
#ifndef NF_HEADS_EXAMPLE_H
#define NF_HEADS_EXAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "labels/bio.h"
#include "labels/entity.h"

typedef struct nf_example {
    const int32_t *ids;    /* [length] */
    const int32_t *labels; /* [length] ids of B-/I-/O; -100 for special tokens */
    const int32_t *shapes; /* [length] nf_word_shape of the tokens' words */
    size_t length;
    const nf_entity *entities; /* tokens of the example, special ones counted */
    size_t n_entities;
    const int32_t *words; /* [n_words] tokens of the example that begin a word of the text */
    size_t n_words;
    size_t document;
    const float *weights;        /* [length] of the tokens; NULL: 1 each, as the next two */
    const float *entity_weights; /* [n_entities] without the text's */
    float text_weight;
    const int32_t *looked_for; /* [n_looked_for] types that were looked for; NULL: all */
    size_t n_looked_for;
    const struct nf_prompted *prompted; /* of heads that read labels in a prompt: model/gliner.h */
} nf_example;

enum { NF_LABEL_IGNORED = -100 };

/* How large a batch is: of all ranks together where there are several (train/comm.h). */
typedef struct nf_extent {
    double counted; /* what the loss is divided by: weights of words, of sub-words, of pairs of an
                       entity and a token; 0: nothing to learn */
    double texts;
    double longest, most_entities; /* tokens of the longest text; entities of the text with most */
} nf_extent;

/* Texts of one batch, loaded into a pass. */
typedef struct nf_head_batch {
    const nf_example *const *texts;
    size_t count;
    nf_extent whole;   /* of the batch that they are a part of, or all of */
    double grad_scale; /* the gradient is multiplied with it */
} nf_head_batch;

/* What is there in a text and what a head finds, in units of the head's own (sub-words, words); types
 * are those of the examples. */
typedef struct nf_head_found {
    const nf_entity *gold, *entities;
    size_t n_gold, n_entities;
    size_t n_units, n_correct; /* units, and those of them that are labelled as they should be */
} nf_head_found;

/* Labels of the example's words [n_words]: a word belongs to the entity that its first sub-word
 * lies in; the first such word is B-, the others I-. Always a legal sequence
 * (labels/decoder.h). */
void nf_example_word_labels(const nf_example *example, int32_t *labels);
/* The weight of one of the example's words: that of its first sub-word, or 0 if any has 0. */
float nf_example_word_weight(const nf_example *example, size_t word);
/* From labels [n] of a text's units; memory of the arena. False: out of memory. */
bool nf_head_found_labels(nf_head_found *out, nf_arena *arena, const int32_t *gold,
                          const int32_t *predicted, size_t n);

#endif
