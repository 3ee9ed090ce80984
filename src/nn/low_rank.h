/* What PiSSA and OLoRA take out of a weight before an adapter is trained on it, as PEFT 0.21 computes
 * it: the base that such an adapter stands on is what is left. */
#ifndef NF_NN_LOW_RANK_H
#define NF_NN_LOW_RANK_H

#include <stddef.h>

#include "base/error.h"

/* w [out, in] is overwritten by w - U_r S_r V_r^T, its product of the r largest singular values
 * (PiSSA, Meng et al. 2024). By Lanczos' method with full reorthogonalisation, in double. */
nerfit_status nf_low_rank_pissa(double *w, size_t out, size_t in, size_t r, nerfit_error *err);
/* w is overwritten by w - scaling Q_r R_r, of the first r columns of Q and rows of R of w = Q R
 * (OLoRA, Büyükakyüz 2024). */
nerfit_status nf_low_rank_olora(double *w, size_t out, size_t in, size_t r, double scaling,
                                nerfit_error *err);

#endif
