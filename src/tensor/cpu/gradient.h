/* The gradient of a weight, dW [out,in] += dy^T x, with operands in bf16 and sums in f32: the third
 * product of a layer that is trained. Tokens are taken in pairs, as the CPU's bf16 product takes
 * them: a word holds two tokens' values of a column, the even one's in the lower half. The words of
 * x [N,C] lie in strips of a few columns (the last one may be narrower), in each pair by pair, so
 * that a product reads them from front to back. */
#ifndef NF_CPU_GRADIENT_H
#define NF_CPU_GRADIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Inputs must have a multiple of 16 columns; the strips' widths for x, and for dy. */
enum { NF_GRADIENT_COLUMNS = 16, NF_GRADIENT_STRIP = 48, NF_GRADIENT_ROWS = 8 };

/* The pairs from .. to (counted in pairs) of x [n, c] in strips of `width`; a missing last token
 * counts as zeros. */
void nf_gradient_pairs(uint32_t *pairs, const float *x, size_t n, size_t c, size_t width,
                       size_t from, size_t to);
/* Rows from .. to of dw [out,in] (added or written), `from` a multiple of NF_GRADIENT_ROWS; dy and
 * x given as `count` pairs. */
void nf_gradient_rows(float *dw, const uint32_t *dy, const uint32_t *x, size_t count, size_t out,
                      size_t in, size_t from, size_t to, bool accumulate);

#endif
