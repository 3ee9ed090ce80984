/* What the two builds of ref.c share with select.c, and definitions that every backend must agree
 * on. */
#ifndef NF_TENSOR_REF_H
#define NF_TENSOR_REF_H

#include "base/rng.h"
#include "tensor/backends.h"

#define NF_SQRT_2_PI 0.79788456080286535588    /* sqrt(2/pi) */
#define NF_INV_SQRT_2PI 0.39894228040143267794 /* 1/sqrt(2 pi) */

nerfit_status nf_backend_ref_f32(nf_backend **out, nerfit_error *err);
nerfit_status nf_backend_ref_f64(nf_backend **out, nerfit_error *err);

/* Element i's factor: 0 or 1/(1-p); the definition is at nf_dropout. */
static inline double nf_dropout_factor(const nf_dropout *d, uint64_t i) {
    uint32_t threshold = nf_dropout_threshold(d), words[4];
    if (!threshold) return 1.0;
    i += d->first;
    uint64_t block = i / 8;
    nf_philox((uint32_t)block, d->stream, (uint32_t)d->step,
              (uint32_t)(d->step >> 32) ^ (uint32_t)(block >> 32), (uint32_t)d->seed,
              (uint32_t)(d->seed >> 32), words);
    uint32_t number = words[i % 8 / 2] >> (i % 2 ? 16 : 0) & 0xFFFFu;
    return number < threshold ? 0.0 : 1.0 / (1.0 - threshold / 65536.0);
}

#endif
