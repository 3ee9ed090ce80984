/* Products with few inputs dropped, from the product without dropout: what DoRA with dropout needs.
 *
 * For dropout with probability p, W dropout(x) = (W x - W d) / (1 - p), d holding the dropped
 * inputs alone; if W x is known, a sparse product is left. Likewise, of mask * (dy W) only the
 * dropped positions differ from dy W / (1 - p). For CPUs with bf16 products. */
#ifndef NF_CPU_DROPPED_H
#define NF_CPU_DROPPED_H

#include "tensor/cpu/kernels.h"

/* Sizes must be multiples of this, and p at most this, for the functions below. */
enum { NF_DROPPED_BLOCK = 32 };
#define NF_DROPPED_MOST 0.25

/* The dropped elements of a row of inputs. */
typedef struct nf_dropped_row {
    const uint32_t *list; /* [count] */
    size_t count, out;
    float keep;
} nf_dropped_row;

/* y [out] = keep * (known - bias (NULL: 0) - sum of x[j] columns[j]) over the j in the list; x [in]
 * and the transposed weight columns [in, out] are bf16. */
void nf_dropped_forward(float *y, const float *known, const float *bias, const uint16_t *x,
                        const uint16_t *columns, const nf_dropped_row *row);
/* dx[j] -= keep * (d . columns[j]) for the j in the list; d [out] in bf16. */
void nf_dropped_backward(float *dx, const uint16_t *d, const uint16_t *columns,
                         const nf_dropped_row *row);

#endif
