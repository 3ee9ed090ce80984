/* The decoder over words: a linear-chain CRF (Lafferty et al. 2001) over the labels O, B-l, I-l of
 * T types, whose transitions are shared by all types. A word's logits are [O, B-0, I-0, B-1, I-1,
 * ...] (bio.h's order, L = 2T + 1); the score of a path is the sum of its labels' logits,
 * of first[kind of its first label], and of next[kind before][step] between two words:
 *
 *     step    O     B of the same type   B of another type   I of the same type
 *     from O  yes   -                    yes (any B)         forbidden
 *     from B  yes   yes                  yes                 yes
 *     from I  yes   yes                  yes                 yes
 *
 * I-l stands only after B-l and I-l; other paths are left out of sums and maxima (which is what a
 * score of -1e4 comes to). Scalars that no path uses (first[I], next[O][I], next[O][B same]) stay
 * as they are. Since the structure is shared, everything costs O(T) a word, not O(T^2): "any type
 * but this one" is a sum from the left and a sum from the right, or the best two.
 *
 * All is plain C in double, in host memory, and knows nothing of models. With all scalars zero it
 * is the plain search for the best legal BIO sequence. */
#ifndef NF_LABELS_DECODER_H
#define NF_LABELS_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "labels/bio.h"

/* Scratch, and the sums of the last nf_decoder_sum. One thread's; grows as needed. */
typedef struct nf_decoder nf_decoder;

/* A text. */
typedef struct nf_decoder_input {
    const nf_transitions *transitions;
    const double *logits; /* [words, 2 types + 1] */
    size_t words, types;
} nf_decoder_input;

nerfit_status nf_decoder_new(nf_decoder **out, nerfit_error *err);
void nf_decoder_free(nf_decoder *decoder);

/* The score of a legal path [words]; -HUGE_VAL of a forbidden one. */
double nf_decoder_path_score(const nf_decoder_input *in, const int32_t *path);
/* The best path (of equal ones, a smaller label earlier in the search), and its score (may be
 * NULL). */
nerfit_status nf_decoder_best(nf_decoder *decoder, const nf_decoder_input *in, int32_t *path,
                              double *score, nerfit_error *err);
/* Log of the sum of exp(score) over all legal paths, by forward and backward sums, which the
 * functions below then use; what `in` points to must live as long. A text without words has
 * log Z = 0. */
nerfit_status nf_decoder_sum(nf_decoder *decoder, const nf_decoder_input *in, double *log_z,
                             nerfit_error *err);
/* Adds scale times the gradient of log Z: by the logits [words, L] (the labels' marginals) and by
 * the transitions (their expected counts). */
void nf_decoder_sum_gradient(const nf_decoder *decoder, double scale, double *dlogits,
                             nf_transitions *dtransitions);
/* Adds scale times the gradient of a path's score. */
void nf_decoder_path_gradient(const int32_t *path, size_t words, size_t types, double scale,
                              double *dlogits, nf_transitions *dtransitions);
/* The probability that exactly the words start .. end-1 are an entity of this type: that it begins
 * and ends there. */
double nf_decoder_span(const nf_decoder *decoder, size_t type, size_t start, size_t end);
/* The labels that are told of a text [words]: the best path, in which the words of entities that are
 * less probable than `least` become O. Where an entity's being right counts as much as its being found,
 * one half is the natural limit. The sums over all paths, which cost the most, are made where the path has an entity or
 * `sums` asks for them; then the functions above may follow. */
nerfit_status nf_decoder_labels(nf_decoder *decoder, const nf_decoder_input *in, double least,
                                bool sums, int32_t *path, nerfit_error *err);
/* The probability that a word has a label. */
double nf_decoder_marginal(const nf_decoder *decoder, size_t word, int32_t label);

#endif
