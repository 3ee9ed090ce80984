/* What a text's labels teach the decoder (decoder.h): the negative log-likelihood of what is known
 * of them, where words have weights and perhaps not all types were looked for.
 *
 *     weights 1           log Z - the gold path's score
 *     weight 0            the word may have any label: log Z - log of the sum over all paths that
 *                         agree with the other words (Tsuboi et al. 2008, "Training CRFs using
 *                         incomplete annotations")
 *     any others          the integral over c > 0 of that loss, where the words of a weight above c
 *                         are known and the others are not: weights that are all w give w times the
 *                         loss, and the loss is linear where the weights' order does not change
 *     allowed labels      all sums are over paths of these labels alone
 *
 * All of it is exact, in double, on the host. */
#ifndef NF_LABELS_DECODER_LOSS_H
#define NF_LABELS_DECODER_LOSS_H

#include "labels/decoder.h"

/* What is known of a text's labels. */
typedef struct nf_decoder_known {
    const int32_t *gold;    /* [words] a legal path, of allowed labels; of weight 0: any */
    const float *weights;   /* [words] 0 or more; NULL: 1 each */
    const int32_t *allowed; /* [L] 1 or 0; NULL: all of them */
} nf_decoder_known;

/* Where a loss's gradient goes, times `scale`; it is added. */
typedef struct nf_decoder_gradient {
    double scale;
    double *logits; /* [words, L] */
    nf_transitions *transitions;
} nf_decoder_gradient;

/* *loss: not scaled. */
nerfit_status nf_decoder_loss(nf_decoder *decoder, const nf_decoder_input *in,
                              const nf_decoder_known *known, const nf_decoder_gradient *gradient,
                              double *loss, nerfit_error *err);
/* Makes the labels that are not allowed impossible: their logits [words, L] become -HUGE_VAL.
 * allowed NULL: nothing. */
void nf_decoder_restrict(double *logits, size_t words, size_t types, const int32_t *allowed);

#endif
