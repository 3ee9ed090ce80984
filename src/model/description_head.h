/* The description head: a token classifier that knows what its types mean. With e_l the unit-norm
 * sentence embedding of type l's description and h the hidden state of a word's first sub-word,
 *
 *     v_l        = r_l + P^T e_l
 *     logit(O)   = o.h + b_O
 *     logit(B-l) = (v_l + u_B).h + c_l + c_B
 *     logit(I-l) = (v_l + u_I).h + c_l + c_I
 *
 * P, o, u and their biases mean the same whatever the types are (the "shared" part): stage 1 and
 * pre-training learn them, and further training begins with them. r, c and the decoder's
 * transitions belong to one label set.
 *
 * It is computed as V = [v; o; u_B; u_I] = R + E P, s = h V^T + b, logits = s M^T with M [L, T+3]
 * of zeros and ones. Since that is linear in h, it folds into an ordinary classifier: M V, M b.
 *
 * Letters: T types, L = 2T + 1 labels, S size of a description's embedding, C hidden, N words. */
#ifndef NF_MODEL_DESCRIPTION_HEAD_H
#define NF_MODEL_DESCRIPTION_HEAD_H

#include "model/network.h"

typedef struct nf_description_head {
    size_t hidden, size;       /* C, S (0: no descriptions, and no P) */
    nf_parameter *projection;  /* P [S,C] or NULL */
    nf_parameter *shared;      /* [3,C]: o, u_B, u_I */
    nf_parameter *shared_bias; /* [3] */
    /* of one label set; NULL before nf_description_head_add_types */
    nf_parameter *types;       /* r [T,C] */
    nf_parameter *type_bias;   /* c [T] */
    nf_parameter *transitions; /* an nf_transitions (labels/decoder.h) */
    uint32_t site;             /* of the dropout on h */
} nf_description_head;

/* The types of a batch: their descriptions' embeddings and the layout M, in the backend's
 * memory. */
typedef struct nf_type_columns {
    nf_values *vectors; /* [T,S]; NULL without descriptions */
    nf_values *layout;  /* [L, T+3] */
    size_t n_types;
} nf_type_columns;

/* vectors [n_types, size] (NULL if size is 0) are copied with unit length. */
nerfit_status nf_type_columns_make(nf_type_columns *out, nf_backend *be, const float *vectors,
                                   size_t n_types, size_t size, nerfit_error *err);
void nf_type_columns_free(nf_type_columns *columns, nf_backend *be);

/* The shared part: o, u ~ N(0, 0.02^2), biases 0; P the identity (size must be hidden then), or
 * ~ N(0, 1/hidden), which keeps the length of e. Parameters' names begin with
 * "description_head.". */
nerfit_status nf_description_head_new(nf_description_head **out, nf_network *net, size_t hidden,
                                      size_t size, bool identity, uint64_t seed, nerfit_error *err);
/* The label set's part: c and transitions 0; r 0, or ~ N(0, 0.02^2) if there are no
 * descriptions. */
nerfit_status nf_description_head_add_types(nf_description_head *head, nf_network *net,
                                            size_t n_types, uint64_t seed, nerfit_error *err);
/* Takes its parameters out of the network. */
void nf_description_head_remove(nf_description_head *head, nf_network *net);
/* Whether a parameter is one of a description head's. */
bool nf_description_head_owns(const nf_parameter *p);

/* What backward needs. */
typedef struct nf_description_kept {
    const nf_values *h;          /* [N,C] */
    nf_values *vectors, *scores; /* V [T+3,C], s [N,T+3] */
} nf_description_kept;

/* logits [N,L] of h [N,C]. */
nerfit_status nf_description_head_forward(const nf_description_head *head,
                                          const nf_type_columns *columns, const nf_pass *pass,
                                          nf_values *logits, const nf_values *h, size_t n,
                                          nf_description_kept *kept);
/* Adds to the parameters' gradients; dh [N,C] is overwritten. */
nerfit_status nf_description_head_backward(const nf_description_head *head,
                                           const nf_type_columns *columns, const nf_pass *pass,
                                           nf_values *dh, const nf_values *dlogits, size_t n,
                                           const nf_description_kept *kept);
/* The ordinary classifier: weight [L,C] and bias [L], both in the backend's memory. */
nerfit_status nf_description_head_fold(const nf_description_head *head,
                                       const nf_type_columns *columns, nf_backend *be,
                                       nf_values *weight, nf_values *bias, nerfit_error *err);

#endif
