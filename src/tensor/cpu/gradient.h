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
typedef struct nf_gradient {
    float *dw;              /* [out, in] */
    const uint32_t *dy, *x; /* as pairs */
    size_t count;           /* of pairs */
    size_t out, in;
    bool accumulate; /* dw is added to, else written */
} nf_gradient;

/* Rows from .. to of dw, `from` a multiple of NF_GRADIENT_ROWS. */
void nf_gradient_rows(const nf_gradient *gradient, size_t from, size_t to);

#endif
