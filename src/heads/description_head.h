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
#ifndef NF_HEADS_DESCRIPTION_HEAD_H
#define NF_HEADS_DESCRIPTION_HEAD_H

#include "heads/features.h"
#include "labels/decoder.h"

/* The types of a batch: their descriptions' embeddings and the layout M, in the backend's
 * memory. */
typedef struct nf_type_columns {
    nf_values *vectors; /* [T,S]; NULL without descriptions */
    nf_values *layout;  /* [L, T+3] */
    size_t n_types;
} nf_type_columns;

typedef struct nf_description_head {
    nf_head head;
    size_t size;               /* S (0: no descriptions, and no P) */
    nf_parameter *projection;  /* P [S,C] or NULL */
    nf_parameter *shared;      /* [3,C]: o, u_B, u_I */
    nf_parameter *shared_bias; /* [3] */
    /* of one label set; NULL before nf_description_head_add_types */
    nf_parameter *types;         /* r [T,C] */
    nf_parameter *type_bias;     /* c [T] */
    nf_parameter *transitions;   /* an nf_transitions (labels/decoder.h) */
    nf_type_columns own;         /* of that label set */
    const nf_features *features; /* before it, those of the classifier that it folds into; NULL */
    const nf_type_columns *columns; /* the types that it compares with at the moment: `own`, or of a
                                     * label set of pre-training */
    nf_decoder *decoder;            /* the loss's scratch */
} nf_description_head;

/* vectors [n_types, size] (NULL if size is 0) are copied with unit length. */
nerfit_status nf_type_columns_make(nf_type_columns *out, nf_backend *be, const float *vectors,
                                   size_t n_types, size_t size, nerfit_error *err);
void nf_type_columns_free(nf_type_columns *columns, nf_backend *be);

/* The shared part: o, u ~ N(0, 0.02^2), biases 0; P the identity (size must be hidden then), or
 * ~ N(0, 1/hidden), which keeps the length of e. Parameters' names begin with
 * "description_head.". */
nerfit_status nf_description_head_new(nf_head **out, nf_network *net, size_t hidden, size_t size,
                                      bool identity, const double *dropout, uint64_t seed,
                                      nerfit_error *err);
/* The label set's part: c and transitions 0; r 0, or ~ N(0, 0.02^2) if there are no descriptions;
 * `vectors` [n_types, size] of the descriptions (ignored if size is 0). `features`: those of the
 * classifier (NULL: none). */
nerfit_status nf_description_head_add_types(nf_description_head *head, size_t n_types,
                                            const float *vectors, const nf_features *features,
                                            uint64_t seed, nerfit_error *err);
/* Of types that nobody trained: each takes some of O's probability, whatever a word is, and shares that of
 * entities with those like it. So O counts for less where there are many types, and for more where there are
 * few: b_O becomes b_O - log(T / 16). */
nerfit_status nf_description_head_weigh_outside(nf_description_head *head, nerfit_error *err);
/* ---- rows of the table that lie in other files */

/* description_file.c: writes a description head's shared part, in f32; files in bf16 are read as well. */
nerfit_status nf_description_file_save(const nf_head *head, const char *folder,
                                       const char *sentence_encoder, nerfit_error *err);
nerfit_status nf_description_file_load(nf_head *head, const nf_safetensors *file, bool *projected,
                                       nerfit_error *err);
/* description_loss.c: words are classified, by their first sub-words' hidden states. The loss is the mean
 * cross-entropy over words; if the head has types of its own (stage 2), plus [sum over texts (log Z - the
 * gold path's score)] / words under the decoder. */
double nf_description_measure(const nf_head *head, const nf_example *const *texts, size_t count);
nerfit_status nf_description_prepare(const nf_head *head, const nf_pass *pass, nf_head_step *step,
                                     nerfit_error *err);
nerfit_status nf_description_loss(const nf_head *head, const nf_pass *pass, nf_head_step *step,
                                  const nf_values *x, double *loss, nerfit_error *err);
nerfit_status nf_description_decode(const nf_head *head, const nf_pass *pass, nf_head_step *step,
                                    nf_head_found *found, nerfit_error *err);
/* A head that is one; NULL: it is another, or NULL. */
nf_description_head *nf_description_head_of(nf_head *head);

#endif
