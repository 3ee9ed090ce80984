/* Paths are left out of a sum by logits of minus infinity; so one sum does for all cases. */
#include "labels/decoder_loss.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void nf_decoder_restrict(double *logits, size_t words, size_t types, const int32_t *allowed) {
    size_t l = 2 * types + 1;
    for (size_t i = 0; allowed && i < words * l; i++)
        if (!allowed[i % l]) logits[i] = -HUGE_VAL;
}

/* The words of at least this weight have their gold labels alone. */
static void fix(double *out, const nf_decoder_input *in, const nf_decoder_known *known,
                double least) {
    size_t l = 2 * in->types + 1;
    memcpy(out, in->logits, in->words * l * sizeof *out);
    for (size_t w = 0; w < in->words; w++)
        for (size_t k = 0; (double)known->weights[w] >= least && k < l; k++)
            if ((int32_t)k != known->gold[w]) out[w * l + k] = -HUGE_VAL;
}

/* The least weight above `than`; HUGE_VAL: none. */
static double next_weight(const nf_decoder_known *known, size_t words, double than) {
    double next = HUGE_VAL;
    for (size_t w = 0; w < words; w++)
        if ((double)known->weights[w] > than) next = fmin(next, (double)known->weights[w]);
    return next;
}

/* Adds `weight` times the log of the sum over the paths that are left. */
static nerfit_status add_sum(nf_decoder *d, const nf_decoder_input *in, double weight,
                             const nf_decoder_gradient *g, double *loss, nerfit_error *err) {
    double log_z;
    NF_TRY(nf_decoder_sum(d, in, &log_z, err));
    *loss += weight * log_z;
    nf_decoder_sum_gradient(d, g->scale * weight, g->logits, g->transitions);
    return NERFIT_OK;
}

/* The known words' part: for each step of the weights, what agrees with the words above it. */
static nerfit_status subtract_known(nf_decoder *d, const nf_decoder_input *in,
                                    const nf_decoder_known *known, const nf_decoder_gradient *g,
                                    double *loss, nerfit_error *err) {
    size_t cells = in->words * (2 * in->types + 1);
    double *some = malloc(cells * sizeof *some + 1), before = 0.0;
    nerfit_status status = some ? NERFIT_OK : nf_no_memory(err, cells * sizeof *some);
    double least = known->weights ? (double)known->weights[0] : 1.0;
    for (size_t w = 0; known->weights && w < in->words; w++)
        least = fmin(least, (double)known->weights[w]);
    if (status == NERFIT_OK && least > 0.0) { /* all words are known: one path */
        *loss -= least * nf_decoder_path_score(in, known->gold);
        nf_decoder_path_gradient(known->gold, in->words, in->types, -g->scale * least, g->logits,
                                 g->transitions);
        before = least;
    }
    for (double now; known->weights && status == NERFIT_OK; before = now) {
        now = next_weight(known, in->words, before);
        if (now == HUGE_VAL) break;
        fix(some, in, known, now);
        const nf_decoder_input left = {in->transitions, some, in->words, in->types};
        status = add_sum(d, &left, before - now, g, loss, err);
    }
    free(some);
    return status;
}

nerfit_status nf_decoder_loss(nf_decoder *d, const nf_decoder_input *in,
                              const nf_decoder_known *known, const nf_decoder_gradient *g,
                              double *loss, nerfit_error *err) {
    size_t cells = in->words * (2 * in->types + 1);
    double most = known->weights ? 0.0 : 1.0, *among = NULL;
    for (size_t w = 0; known->weights && w < in->words; w++)
        most = fmax(most, (double)known->weights[w]);
    *loss = 0.0;
    if (most == 0.0 || in->words == 0) return NERFIT_OK;
    nf_decoder_input allowed = *in;
    if (known->allowed) {
        among = malloc(cells * sizeof *among);
        if (!among) return nf_no_memory(err, cells * sizeof *among);
        memcpy(among, in->logits, cells * sizeof *among);
        nf_decoder_restrict(among, in->words, in->types, known->allowed);
        allowed.logits = among;
    }
    nerfit_status status = add_sum(d, &allowed, most, g, loss, err);
    if (status == NERFIT_OK) status = subtract_known(d, &allowed, known, g, loss, err);
    free(among);
    return status;
}
