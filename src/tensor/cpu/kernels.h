/* The plain loops of the cpu backend. kernels.c is compiled once for each instruction set and
 * nf_kernels_best picks one at start. Every function works on a range of rows or elements, so that
 * the caller divides the work among threads. */
#ifndef NF_CPU_KERNELS_H
#define NF_CPU_KERNELS_H

#include "tensor/backend.h"
#include "tensor/cpu/attention.h"

/* c [m,n] (+)= alpha a b for products with one small side, which oneDNN is slow at: element (i,k) of
 * a is a[i*a_row + k*a_col]; b is [k, b_stride], of which n columns rounded up to 16 can be read; c's
 * rows are c_stride apart. */
typedef struct nf_thin {
    size_t m, n, k;
    size_t c_stride, a_row, a_col, b_stride;
    float alpha;
    bool accumulate;
} nf_thin;

/* Texts whose steps an LSTM takes together, so that a row of its matrix is read once for all. */
enum { NF_LSTM_TEXTS = 16 };

typedef struct nf_kernels {
    const char *isa;
    void (*to_bf16)(uint16_t *y, const float *x, size_t n);
    /* Rows rounded to whole numbers from -127 to 127 of the row's scale, 128 added. */
    void (*round_rows)(uint8_t *y, float *scales, const float *x, size_t rows, size_t c);
    /* y [rows, n], which holds int32 sums of products: to reals; bias may be NULL. */
    void (*from_sums)(float *y, const float *row_scales, const float *scales, const int32_t *sums,
                      const float *bias, size_t rows, size_t n);
    void (*axpy)(float *y, float alpha, const float *x, size_t n);
    /* elements from .. to of a dropout stream; `from` is a multiple of 8; y may be x */
    void (*dropout)(float *y, const float *x, size_t from, size_t to, const nf_dropout *d);
    /* x[i] times the factor of element first + i, first a multiple of 8 */
    void (*dropout_at)(float *x, uint64_t first, size_t n, const nf_dropout *d);
    /* The dropped ones of the elements from .. to, counted from `from`, in order; returns how many.
     * The list has room for 128 more than there are elements. */
    size_t (*dropped_elements)(uint32_t *list, size_t from, size_t to, const nf_dropout *d);
    void (*activation_forward)(nf_activation kind, float *y, const float *x, size_t n);
    void (*activation_backward)(nf_activation kind, float *dx, const float *dy, const float *x,
                                size_t n);
    void (*scale_columns)(float *y, const float *x, const float *s, float alpha, size_t rows,
                          size_t cols, bool accumulate);
    void (*thin_product)(float *c, const float *a, const float *b, const nf_thin *shape);
    /* columns from .. to of [rows, cols] */
    void (*column_sums)(float *y, const float *x, size_t rows, size_t cols, size_t from, size_t to);
    void (*column_dots)(float *y, const float *a, const float *b, size_t rows, size_t cols,
                        size_t from, size_t to);
    double (*dot)(const float *a, const float *b, size_t n);
    /* rows from .. to; residual may be NULL */
    void (*norm_forward)(float *y, const float *x, const float *residual,
                         const nf_norm_operands *norm, const nf_dropout *d, size_t from, size_t to);
    void (*norm_backward)(float *dsum, const float *dy, const nf_norm_operands *norm, size_t from,
                          size_t to);
    /* columns from .. to of the parameters' gradients */
    void (*norm_backward_parameters)(float *dgamma, float *dbeta, const float *dy,
                                     const nf_norm_operands *norm, size_t from, size_t to);
    const nf_attention_kernels *attention, *attention_terms;
    /* All steps of the texts from .. to, at most NF_LSTM_TEXTS. */
    void (*lstm_forward)(const nf_lstm_operands *o, int32_t from, int32_t to);
    /* One text; scratch [2H] */
    void (*lstm_backward)(float *dgates, const float *dy, const nf_lstm_operands *o, int32_t text,
                          float *scratch);
    /* rows from .. to of dw */
    void (*lstm_weight_gradient)(float *dw, const float *dgates, const nf_lstm_operands *o,
                                 size_t from, size_t to);
    void (*softmax)(float *y, const float *x, size_t rows, size_t l);
    /* Sum of the losses of rows from .. to */
    double (*cross_entropy)(float *dlogits, const float *logits, const nf_targets *targets,
                            size_t from, size_t to, float grad_scale);
    /* Rows from .. to of operations.h's rotate. */
    void (*rotate)(float *x, const nf_rotation *rotation, size_t from, size_t to, bool inverse);
    void (*decay)(float *values, size_t n, const double *rates, size_t n_rates);
    void (*adamw)(const nf_adamw_arrays *arrays, size_t n, const nf_adamw *options);
} nf_kernels;

const nf_kernels *nf_kernels_best(void);

#endif
