/* Training examples: documents as the model sees them, sub-words with their labels.
 *
 * The rules are those of the original package (nerfit/dataset.py), but for its defects:
 *   - A sub-word belongs to an entity if they share a character; one without characters, if the
 *     next character does (labels/span_tokens.h). (The original asks that the sub-word's start
 *     lies in the entity; where an entity's edge lies inside a sub-word, it labelled the first one
 *     O. Such an edge is reported.)
 *   - The entity's first sub-word is B-, the others I-. (The original gave B- twice where several
 *     byte-level sub-words share one character, and O to an entity that follows another with
 *     nothing between them.)
 *   - A text longer than the model takes becomes several examples, cut between entities where
 *     possible. (The original cut it off, and failed on an entity past the limit.)
 *   - An entity that no sub-word covers (only characters that the tokenizer removes) is
 *   reported. */
#ifndef NF_TRAIN_EXAMPLES_H
#define NF_TRAIN_EXAMPLES_H

#include "base/log.h"
#include "data/document.h"
#include "data/labels.h"
#include "heads/example.h"
#include "text/word_starts.h"

typedef struct nf_examples {
    nf_arena arena;
    nf_example *items;
    size_t count, capacity;
    size_t n_split_documents; /* texts longer than the limit */
    size_t n_split_entities;  /* entities that a cut had to divide */
    size_t n_inner_edges;     /* entity edges inside a sub-word */
    size_t n_uncovered;       /* entities without a sub-word */
    size_t n_tokens;
} nf_examples;

/* A label that is not in the set is an error that names the document. What is reported goes to the
 * log, the first few with their places and then the counts. */
nerfit_status nf_examples_make(nf_examples *out, const nf_corpus *corpus,
                               const nf_label_set *labels, const nf_tokenizer *tokenizer,
                               size_t max_length, nf_word_kind words, const nf_log *log,
                               nerfit_error *err);
/* What a word should be for these texts: blanks if the entities' edges lie there (but for one in a
 * hundred), else the tokenizer's. */
nf_word_kind nf_examples_words(const nf_corpus *corpus);
void nf_examples_free(nf_examples *examples);

#endif
