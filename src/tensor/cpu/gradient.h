/* The gradient of a weight, dW [out,in] += dy^T x, with operands in bf16 and sums in f32: the third
 * product of a layer that is trained. Tokens are taken in pairs, as the CPU's bf16 product takes
 * them: "pairs" of x [N,C] are [(N+1)/2, C] words, the even token's value in the lower half. */
#ifndef NF_CPU_GRADIENT_H
#define NF_CPU_GRADIENT_H

#include <stddef.h>
#include <stdint.h>

/* Columns of the input, a multiple of which these functions take. */
enum { NF_GRADIENT_COLUMNS = 16 };

/* The pairs from .. to (counted in pairs) of x [n, c]; a missing last token counts as zeros. */
void nf_gradient_pairs(uint32_t *pairs, const float *x, size_t n, size_t c, size_t from, size_t to);
/* Rows from .. to of dw [out,in]; dy and x given as `count` pairs. */
void nf_gradient_rows(float *dw, const uint32_t *dy, const uint32_t *x, size_t count, size_t out,
                      size_t in, size_t from, size_t to);

#endif
