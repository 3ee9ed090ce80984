/* Tagging: texts to entities by a token-classification model.
 *
 * A text that does not fit the model is covered by overlapping windows (text/windows.h): nothing is
 * cut off. Entities are made of whole words (text/word_starts.h): a word's label is
 * read from its first sub-word (transformers' aggregation "first"). A span goes from its first
 * word's start to its last one's end, with the marks that belong to its last character (tokenizers
 * that strip accents end before them), less white space at the edges. How labels are found:
 *
 *   labels   each sub-word takes its most probable label, and entities are read as
 *            labels/tag_set.h says; an entity's score is the mean probability of its words' labels
 *   viterbi  the best legal BIO sequence of words (decoder.h, all transitions 0); an entity's score
 *            is the probability of exactly that span, among legal sequences
 *   crf      the same with the transitions of nerfit.json, which models of the recipe nerfit have
 *            (model/decoding.h); entities that are less probable than it says are left out
 *
 * With the last two, a word's other sub-words get its label (I- after B-). Scores are calibrated if
 * the model is (calibration.h); entities whose score is under their threshold are left out. */
#ifndef NF_INFER_TAGGER_H
#define NF_INFER_TAGGER_H

#include "data/document.h"
#include "model/model.h"
#include "infer/calibration.h"
#include "labels/tag_set.h"

typedef struct nf_entity {
    uint32_t start, end; /* code points */
    size_t byte_start, byte_end;
    const char *label; /* its type (labels/tag_set.h) */
    double score;
} nf_entity;

/* A sub-word with its label, special tokens left out. */
typedef struct nf_tagged_token {
    uint32_t start, end;
    uint32_t text_start, text_end; /* without white space: nf_subword_ranges */
    int32_t id;
    int32_t label; /* of the model's labels */
    float score;   /* its probability */
    bool starts_word;
    uint32_t word; /* of the text */
    bool left_out; /* its entity's score is under the threshold */
} nf_tagged_token;

typedef struct nf_tagged {
    nf_entity *entities;
    size_t n_entities;
    nf_tagged_token *tokens;
    size_t n_tokens;
} nf_tagged;

/* One thread's scratch over a shared, prepared model. */
typedef struct nf_tagger nf_tagger;

typedef enum nf_decode {
    NF_DECODE_AUTO, /* crf if the model has a nerfit.json, labels otherwise */
    NF_DECODE_LABELS,
    NF_DECODE_VITERBI,
    NF_DECODE_CRF,
} nf_decode;

/* "auto", "labels", "viterbi", "crf"; false: none of them. */
bool nf_decode_find(const char *name, nf_decode *out);

/* `be`: the calling thread's handle, borrowed. Decodes as NF_DECODE_AUTO says. */
nerfit_status nf_tagger_new(nf_tagger **out, const nf_model *model, nf_backend *be,
                            nerfit_error *err);
/* An error if the model has no nerfit.json (crf), or labels other than O, B-x, I-x (viterbi). */
nerfit_status nf_tagger_decode(nf_tagger *tagger, nf_decode decode, nerfit_error *err);
void nf_tagger_free(nf_tagger *tagger);
const nf_model *nf_tagger_model(const nf_tagger *tagger);
/* What the model's labels mean. */
const nf_tag_set *nf_tagger_tags(const nf_tagger *tagger);
/* What is done with entities' scores; a new tagger leaves them as they are. */
void nf_tagger_set_calibration(nf_tagger *tagger, const nf_calibration *calibration);
/* Entities of the type (NULL: of all that have none of their own) with a smaller score are left
 * out. It takes the place of the model's own limit (model/decoding.h). A type that the model does
 * not know and a threshold outside of 0 to 1 are errors. */
nerfit_status nf_tagger_set_threshold(nf_tagger *tagger, const char *type, double threshold,
                                      nerfit_error *err);
/* As if no threshold had been set: the model's own limit counts again. */
void nf_tagger_reset_thresholds(nf_tagger *tagger);

typedef struct nf_text {
    const char *text;
    size_t size;
} nf_text;

/* results [count]; what they point to belongs to the tagger until its next call. Texts are tagged
 * in batches of similar length. An error names the text by its index ("text 3: ..."). */
nerfit_status nf_tagger_tag(nf_tagger *tagger, const nf_text *texts, size_t count,
                            nf_tagged *results, nerfit_error *err);

/* Gold labels of a document for tagged tokens: labels [n_tokens] as texts "B-x", "I-x", "O", by the
 * rule of labels/span_tokens.h; label texts are made in the arena. */
nerfit_status nf_tagger_gold(const nf_document *document, const nf_tagged *tagged, nf_arena *arena,
                             const char **labels, nerfit_error *err);

#endif
