/* Attention with what BERT's has not: a window, terms that depend on the distance of two tokens
 * (nf_relative), and texts of thousands of tokens. It goes over a text in blocks of queries, so
 * that its memory grows with a text's length, not with the square. Like kernels.c,
 * attention_terms.c is compiled once for each instruction set; the products are those of kernels.c.
 */
#ifndef NF_CPU_ATTENTION_TERMS_H
#define NF_CPU_ATTENTION_TERMS_H

#include "tensor/backend.h"

struct nf_kernels;

/* The operands of the backend's attention, in the order of backend.h. */
typedef struct nf_terms {
    const struct nf_kernels *kernels;
    const nf_attention_shape *shape;
    const nf_sequences *sequences;
    const nf_dropout *dropout;
    const float *q, *k, *v;
    float *out, *lse; /* read by backward */
    const float *dout;
    float *dq, *dk, *dv;
} nf_terms;

typedef struct nf_terms_kernels {
    /* Floats of scratch for texts of `longest` tokens, a multiple of 16. */
    size_t (*scratch)(const nf_attention_shape *shape, int32_t longest);
    /* One text and head; scratch on a 64-byte boundary. */
    void (*forward)(const nf_terms *a, int32_t sequence, int32_t head, float *scratch);
    /* It adds to what shape->relative collects of this head: no two threads may do one head. */
    void (*backward)(const nf_terms *a, int32_t sequence, int32_t head, float *scratch);
    /* Rows from .. to of backend.h's rotate. */
    void (*rotate)(float *x, const float *turns, const int32_t *positions, size_t from, size_t to,
                   int32_t n_heads, int32_t head_size, ptrdiff_t stride, bool inverse);
} nf_terms_kernels;

/* Whether an attention is for these kernels. Longer texts than LONGEST_PLAIN would take the plain
 * ones' scratch, of the square of the length, too far. */
enum { NF_LONGEST_PLAIN = 512 };
static inline bool nf_terms_needed(const nf_attention_shape *shape, int32_t longest) {
    return shape->relative || (shape->window && shape->window < longest) ||
           longest > NF_LONGEST_PLAIN;
}

#endif
