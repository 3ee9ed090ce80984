/* Two kernels of attention. The plain one (kernels.c) holds a text's scores as a whole; the other
 * (attention_terms.c) does what BERT's has not: a window, terms that depend on the distance of two
 * tokens (nf_relative), and texts of thousands of tokens, for it goes over a text in blocks of
 * queries, so that its memory grows with a text's length, not with the square. Like kernels.c,
 * attention_terms.c is compiled once for each instruction set; its products are those of kernels.c.
 */
#ifndef NF_CPU_ATTENTION_H
#define NF_CPU_ATTENTION_H

#include "tensor/backend.h"

struct nf_kernels;

/* An attention of a batch, and where its gradients go. */
typedef struct nf_attention_job {
    const struct nf_kernels *kernels;
    nf_attention_operands operands;
    const float *dout;
    float *dq, *dk, *dv;
} nf_attention_job;

typedef struct nf_attention_kernels {
    /* Whether an attention over texts of at most `longest` tokens is for this one; NULL: for what no
     * other takes. */
    bool (*needed)(const nf_attention_shape *shape, int32_t longest);
    /* Floats of scratch for texts of `longest` tokens, a multiple of 16. */
    size_t (*scratch)(const nf_attention_shape *shape, int32_t longest);
    /* One text and head; scratch on a 64-byte boundary. */
    void (*forward)(const nf_attention_job *job, int32_t sequence, int32_t head, float *scratch);
    /* The first head of those that share one of keys and values writes its gradients, the others
     * add. It adds to what shape->relative collects of this head: no two threads may do one head. */
    void (*backward)(const nf_attention_job *job, int32_t sequence, int32_t head, float *scratch);
} nf_attention_kernels;

/* Longer texts would take the plain one's scratch, of the square of the length, too far. */
enum { NF_LONGEST_PLAIN = 512 };

/* Heads of q for each head of k and v. */
static inline int32_t nf_attention_group(const nf_attention_shape *shape) {
    return shape->n_heads / shape->n_kv_heads;
}

#endif
