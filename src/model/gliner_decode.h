/* From a GLiNER model's logits to spans with probabilities above a threshold, as gliner 0.2.29 finds
 * them (SpanDecoder, TokenDecoder): what labels/span_choice.h chooses among. */
#ifndef NF_MODEL_GLINER_DECODE_H
#define NF_MODEL_GLINER_DECODE_H

#include "labels/span_choice.h"
#include "model/gliner.h"
#include "text/word_windows.h"

/* The spans found in a text. Zero-initialise. */
typedef struct nf_span_list {
    nf_entity *items; /* of words, with the index of a label as their type */
    size_t count, capacity;
} nf_span_list;

void nf_span_list_free(nf_span_list *list);
nerfit_status nf_span_list_append(nf_span_list *list, const nf_span_list *more, nerfit_error *err);

/* A window of a text with its logits. */
typedef struct nf_gliner_window {
    const nf_word_window *windows; /* [n_windows] of the text */
    size_t n_windows, index;
    const nf_gliner_logits *logits;
    size_t n_labels;
} nf_gliner_window;

/* Adds a window's spans whose probability is above their label's threshold [n_labels], those that are
 * the window's own, in the package's order. For models that score spans. */
nerfit_status nf_gliner_add_spans(nf_span_list *list, const nf_gliner *gliner,
                                  const nf_gliner_window *window, const double *thresholds,
                                  nerfit_error *err);
/* For models that score words alone, logits [n_words, n_labels, 3] of a whole text: spans of any
 * length whose start and end are above the threshold and no word is below it; the probability is the
 * least of all. */
nerfit_status nf_gliner_add_word_spans(nf_span_list *list, const float *logits, size_t n_words,
                                       size_t n_labels, const double *thresholds,
                                       nerfit_error *err);
/* Whether it scores words alone. */
static inline bool nf_gliner_scores_words(const nf_gliner *gliner) {
    return gliner->token && !gliner->span;
}

#endif
