/* Matrix products by oneDNN: weights reordered once into the layout it likes best, primitives made
 * once for each shape and kept. */
#ifndef NF_CPU_MATMUL_H
#define NF_CPU_MATMUL_H

#include "tensor/cpu/kernels.h"

/* The engine and stream of one backend handle, its primitives and its scratch. */
typedef struct nf_matmul nf_matmul;

/* What the factors of a weight's products are rounded to; sums and results are f32 (int8: exact
 * sums of integers). In int8 a weight's rows and an activation's rows have a scale each: x = scale
 * q. For forward only. */
typedef enum nf_product_type { NF_PRODUCT_F32, NF_PRODUCT_BF16, NF_PRODUCT_INT8 } nf_product_type;

/* parent: the handle that this one is a fork of, or NULL. */
nerfit_status nf_matmul_new(nf_matmul **out, const nf_matmul *parent, const nf_kernels *kernels,
                            int threads, nerfit_error *err);
void nf_matmul_free(nf_matmul *mm);

nerfit_status nf_matmul_weight_new(nf_matmul *mm, nf_weight **w, const float *values,
                                   const nf_weight_plan *plan, nf_product_type type,
                                   nerfit_error *err);
nerfit_status nf_matmul_weight_update(nf_matmul *mm, nf_weight *w, nerfit_error *err);
void nf_matmul_weight_free(nf_weight *w);

/* Products: 0, or, out of memory, as many bytes as the result has, which is void then. */

/* y [n,out] = x W^T + bias */
size_t nf_matmul_forward(nf_matmul *mm, float *y, const float *x, const nf_weight *w,
                         const float *bias, size_t n);
/* dx [n,in] (+)= dy W */
size_t nf_matmul_backward(nf_matmul *mm, float *dx, const float *dy, const nf_weight *w, size_t n,
                          bool accumulate);
/* matmul of operations.h */
size_t nf_matmul_plain(nf_matmul *mm, float *c, const float *a, const float *b,
                       const nf_product *p);
size_t nf_weight_out(const nf_weight *w);
size_t nf_weight_in(const nf_weight *w);
nf_product_type nf_weight_type(const nf_weight *w);
/* W^T [in, out] in bf16 (dropped.h); NULL unless it was asked for and its products are in bf16. */
const uint16_t *nf_weight_columns(const nf_weight *w);

#endif
