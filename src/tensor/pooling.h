/* How much of a pooled value each token is, for the backward of both backends; MAX depends on values. */
#ifndef NF_TENSOR_POOLING_H
#define NF_TENSOR_POOLING_H

#include "tensor/backend.h"

/* The tokens of a text that are pooled: first .. end-1, none if they are equal. */
static inline void nf_pooling_range(const nf_sequences *sequences, const nf_pooling_shape *shape,
                                    int32_t s, size_t *first, size_t *end) {
    size_t start = (size_t)sequences->cu_seqlens[s];
    *end = (size_t)sequences->cu_seqlens[s + 1];
    if (*end - start > shape->skip)
        *first = start + shape->skip;
    else
        *first = shape->kind == NF_POOLING_CLS ? start : *end;
}

/* Of token t of first .. end-1 in a text that begins at `start`. */
static inline double nf_pooling_share(nf_pooling kind, size_t t, size_t start, size_t first,
                                      size_t end) {
    double n = (double)(end - first), before = (double)(first - start);
    switch (kind) {
    case NF_POOLING_MEAN:
        return 1.0 / n;
    case NF_POOLING_MEAN_SQRT_LENGTH:
        return 1.0 / sqrt(n);
    case NF_POOLING_WEIGHTED_MEAN:
        return (double)(t - start + 1) / (n * (2.0 * before + n + 1.0) / 2.0);
    case NF_POOLING_LAST:
        return t + 1 == end;
    default:
        return t == first;
    }
}

#endif
