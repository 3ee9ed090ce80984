/* The focal loss of one logit, which both backends take in double: the formula is backend.h's. */
#ifndef NF_TENSOR_FOCAL_H
#define NF_TENSOR_FOCAL_H

#include "tensor/backend.h"

/* The loss; *gradient: its derivative by x. */
static inline double nf_focal_loss_of(const nf_focal_targets *f, int32_t label, double x,
                                      double *gradient) {
    const double least = 1e-6;
    double t = label * (1.0 - f->smoothing) + 0.5 * f->smoothing;
    double p = 1.0 / (1.0 + exp(-x)), not_p = 1.0 / (1.0 + exp(x)); /* 1 - p would lose digits */
    double q = fmax(p - f->margin, 0.0), dq = p >= f->margin ? 1.0 : 0.0;
    double not_q = p >= f->margin ? not_p + f->margin : 1.0;
    double loss = -t * log(fmax(p, least)) - (1.0 - t) * log(fmax(not_q, least));
    double by_p = (p >= least ? -t / p : 0.0) + (not_q >= least ? (1.0 - t) * dq / not_q : 0.0);
    double a = f->alpha >= 0.0 ? f->alpha * t + (1.0 - f->alpha) * (1.0 - t) : 1.0;
    if (f->gamma > 0.0) {
        double missing = t * not_p + (1.0 - t) * q, w = pow(missing, f->gamma);
        double by_missing = missing > 0.0 ? f->gamma * w / missing : 0.0;
        by_p = w * by_p - loss * by_missing * (t - (1.0 - t) * dq);
        loss *= w;
    }
    *gradient = a * by_p * p * not_p;
    return a * loss;
}

#endif
