/* How a model's output becomes entities: what its labels mean, how their best sequence is found,
 * how scores are calibrated, and which entities are left out. Rules belong to a call, not to a
 * model: many may exist over one model, and one may change without the others.
 *
 * How labels are found:
 *
 *   labels   each sub-word takes its most probable label, and entities are read as
 *            labels/tag_set.h says; an entity's score is the mean probability of its words' labels
 *   viterbi  the best legal BIO sequence of words (labels/decoder.h, all transitions 0); an
 *            entity's score is the probability of exactly that span, among legal sequences
 *   crf      the same with the transitions of nerfit.json, which models of the recipe nerfit have
 *            (heads/decoding.h); entities that are less probable than it says are left out
 *
 * A GLiNER model (model/gliner.h) has no labels of its own: a call names them, and spans are chosen as
 * labels/span_choice.h says. */
#ifndef NF_INFER_RULES_H
#define NF_INFER_RULES_H

#include "infer/calibration.h"
#include "labels/decoder.h"
#include "labels/span_choice.h"
#include "labels/tag_set.h"
#include "model/gliner_prompt.h"

typedef enum nf_decode {
    NF_DECODE_AUTO, /* crf if the model has a nerfit.json, labels otherwise */
    NF_DECODE_LABELS,
    NF_DECODE_VITERBI,
    NF_DECODE_CRF,
} nf_decode;

/* "auto", "labels", "viterbi", "crf"; false: none of them. */
bool nf_decode_find(const char *name, nf_decode *out);

typedef struct nf_rules {
    nf_tag_set tags;
    char *const *labels; /* what tokens' labels are called; borrowed */
    nf_word_kind words;  /* what a word is */
    bool by_words;       /* viterbi and crf */
    nf_transitions transitions;
    int32_t *ids; /* [2 tags.n_types + 1] the model's label of each of the decoder's, -1: none */
    nf_calibration calibration;
    double own_least;     /* of nerfit.json: less probable entities are left out */
    double least;         /* the same, until a threshold takes its place */
    double own_threshold; /* what `threshold` is until it is set: 0, of GLiNER 0.5 */
    double threshold;     /* entities with a smaller score are left out */
    double *thresholds;   /* [tags.n_types] in its place; negative: none. NULL: no type has one */
    /* [n_limits] what a GLiNER model's folder says of its labels; NULL: nothing. `own_limits` holds
     * until a threshold for all takes its place. */
    double *model_limits;
    const double *own_limits;
    size_t n_limits;
    nf_gliner_labels *gliner;       /* a GLiNER model's labels of the call; else NULL */
    nf_span_rules spans;            /* how its spans are chosen */
    bool characters;                /* of scripts without spaces are its words */
    const struct nf_lists *lists;   /* of the user (lists.h), borrowed; NULL: none */
    const char *const *list_labels; /* [n_list_labels] theirs */
    size_t n_list_labels;
    int32_t *list_types; /* [n_list_labels] the type of each */
} nf_rules;

/* The labels of a call, for models that take any: their names, and what the model reads for them. */
typedef struct nf_label_names {
    const char *const *names, *const *prompts; /* [count] */
    size_t count;
} nf_label_names;

/* An error if the model has no nerfit.json (crf), or labels other than O, B-x, I-x (viterbi). The
 * model is borrowed: its labels. */
nerfit_status nf_rules_make(nf_rules *rules, const nf_model *model, nf_decode decode,
                            nerfit_error *err);
/* The same for labels that the call names; texts in `arena`, which must outlive the rules. An error if
 * the model has labels of its own. */
nerfit_status nf_rules_make_labels(nf_rules *rules, const nf_model *model, nf_decode decode,
                                   const nf_label_names *labels, nf_arena *arena,
                                   nerfit_error *err);
void nf_rules_free(nf_rules *rules);
/* Whether the model reads the labels that a call names, and whether none is named yet: then every text
 * has to bring some. */
static inline bool nf_rules_read_labels(const nf_rules *rules) {
    return rules->gliner != NULL;
}
static inline bool nf_rules_lack_labels(const nf_rules *rules) {
    return rules->gliner && rules->gliner->count == 0;
}
/* Makes what the model reads for the labels, once; before it tags by the rules. */
nerfit_status nf_rules_prepare(const nf_rules *rules, const nf_model *model, nf_backend *be,
                               nerfit_error *err);
/* Calibration and thresholds of another call with the same model, whose labels may be others. */
nerfit_status nf_rules_take(nf_rules *rules, const nf_rules *from, nerfit_error *err);
/* Gives the rules of a call lists of the user with their labels [count] (borrowed): those that the model
 * has not become types behind its own. lists NULL: none. */
nerfit_status nf_rules_set_lists(nf_rules *rules, const struct nf_lists *lists,
                                 const char *const *labels, size_t count, nerfit_error *err);
/* Entities of the type (NULL: of all that have none of their own) with a smaller score are left
 * out. It takes the place of the model's own limit (heads/decoding.h). A type that the model does
 * not know and a threshold outside of 0 to 1 are errors. */
nerfit_status nf_rules_set_threshold(nf_rules *rules, const char *type, double threshold,
                                     nerfit_error *err);
/* Takes all thresholds back: the model's own limit holds again. */
void nf_rules_reset_thresholds(nf_rules *rules);
/* The score that an entity of the type must have. */
static inline double nf_rules_threshold(const nf_rules *rules, int32_t type) {
    if (rules->thresholds && rules->thresholds[type] >= 0) return rules->thresholds[type];
    return rules->own_limits && (size_t)type < rules->n_limits ? rules->own_limits[type]
                                                               : rules->threshold;
}

#endif
