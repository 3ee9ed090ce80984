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
 *   reported.
 *
 * What a document has beside (data/document.h) says how much of it is known:
 *   - A text's weight is that of all its tokens; an entity's, times the text's, that of its own.
 *     Losses are sums of (weight times loss) over the sum of weights: weights that are all alike
 *     change nothing, and a weight of 0 is as if the text were not there, or the words unknown.
 *   - A sub-word that shares a character with an unknown place weighs 0 and has no label
 *     (NF_LABEL_IGNORED); so does a word of which any sub-word does. An entity without a sub-word
 *     that is known is left out.
 *   - `labels` beside a text are the types that were looked for: the loss is that of a model which
 *     knows these types alone (nf_example.looked_for). */
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
    size_t n_long;            /* entities of more words than the head's spans have */
    size_t n_foreign_labels;  /* labels that were looked for and are not in the label set */
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
/* Room for one more, which the caller fills; NULL: out of memory. */
nf_example *nf_examples_add(nf_examples *out);
void nf_examples_free(nf_examples *examples);

#endif
