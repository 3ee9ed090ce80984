/* Tagging: texts to entities by a token-classification model.
 *
 * A text that does not fit the model is covered by overlapping windows (text/windows.h): nothing is
 * cut off. Each sub-word takes its most probable label. Entities are made of whole words
 * (text/word_starts.h): a word takes its first sub-word's label (transformers' aggregation "first"), and entities are read by
 * seqeval's default rules (spans.h). A span goes from its first word's start to its last one's end,
 * less white space at the edges; its score is the mean probability of its words' labels. */
#ifndef NF_PREDICT_TAGGER_H
#define NF_PREDICT_TAGGER_H

#include "data/document.h"
#include "model/model.h"

typedef struct nf_entity {
    uint32_t start, end; /* code points */
    size_t byte_start, byte_end;
    const char *label; /* the model's */
    double score;
} nf_entity;

/* A sub-word with its label, special tokens left out. */
typedef struct nf_tagged_token {
    uint32_t start, end;
    int32_t id;
    int32_t label; /* of the model's labels */
    float score;   /* its probability */
    bool starts_word;
} nf_tagged_token;

typedef struct nf_tagged {
    nf_entity *entities;
    size_t n_entities;
    nf_tagged_token *tokens;
    size_t n_tokens;
} nf_tagged;

/* One thread's scratch over a shared, prepared model. */
typedef struct nf_tagger nf_tagger;

/* `be`: the calling thread's handle, borrowed. */
nerfit_status nf_tagger_new(nf_tagger **out, const nf_model *model, nf_backend *be,
                            nerfit_error *err);
void nf_tagger_free(nf_tagger *tagger);
const nf_model *nf_tagger_model(const nf_tagger *tagger);

typedef struct nf_text {
    const char *text;
    size_t size;
} nf_text;

/* results [count]; what they point to belongs to the tagger until its next call. Texts are tagged in
 * batches of similar length. An error names the text by its index ("text 3: ..."). */
nerfit_status nf_tagger_tag(nf_tagger *tagger, const nf_text *texts, size_t count,
                            nf_tagged *results, nerfit_error *err);

/* Gold labels of a document for tagged tokens: labels [n_tokens] as texts "B-x", "I-x", "O", by the
 * rules of train/examples.h; label texts are made in the arena. */
nerfit_status nf_tagger_gold(const nf_document *document, const nf_tagged *tagged,
                             nf_arena *arena, const char **labels, nerfit_error *err);

#endif
