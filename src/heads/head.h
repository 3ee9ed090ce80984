/* What stands on an encoder: a head makes something of hidden states (logits of labels, vectors that a
 * loss pulls together), with parameters of its own in the network. Each kind of head is a row, an
 * nf_head_kind with its functions; a model holds heads and asks them through it, so that nothing
 * outside knows which head it is. Those who build one (a recipe, the loader) call its own constructor.
 *
 * A new kind is a file with such a row, its constructor, and whoever builds it; its parameters are its
 * own by nf_head_own, which is all that training, saving and adapters need to know.
 *
 * Letters: N rows, C hidden size, W width of what it makes (labels, say). */
#ifndef NF_HEADS_HEAD_H
#define NF_HEADS_HEAD_H

#include "heads/decoding.h"
#include "nn/encoder.h"

/* What backward of any head needs besides the gradient. */
typedef struct nf_head_saved {
    nf_linear_kept dense, linear;
    nf_norm_kept norm;
    nf_values *pre;              /* [N,C] before the features' activation */
    const nf_values *h;          /* [N,C] */
    nf_values *vectors, *scores; /* of a description head */
} nf_head_saved;

typedef struct nf_head_kind {
    const char *name;
    size_t (*width)(const nf_head *head);
    /* y [N,W] of x [N,C], N rows of the last hidden state, which need not be all of the pass's. */
    nerfit_status (*forward)(const nf_head *head, const nf_pass *pass, nf_values *y,
                             const nf_values *x, size_t n, nf_head_saved *saved);
    /* Adds to the parameters' gradients. dx [N,C] may be forward's x, of which the gradients of
     * weights are taken first; dy [N,W] is overwritten. */
    nerfit_status (*backward)(const nf_head *head, const nf_pass *pass, nf_values *dx,
                              nf_values *dy, size_t n, const nf_head_saved *saved);
    /* Puts what was learned into the classifier that is saved, and how it is decoded. NULL: nothing of
     * it outlives the training. */
    nerfit_status (*fold)(const nf_head *head, nf_head *into, nf_decoding *decoding,
                          nerfit_error *err);
    /* Writes what training on other labels can begin with into a folder; `encoder`: the folder of the
     * sentence encoder that it was learned with, or NULL. NULL: there is no such thing. */
    nerfit_status (*save)(const nf_head *head, const char *folder, const char *encoder,
                          nerfit_error *err);
    /* Gives back what the network does not. NULL: nothing. */
    void (*release)(nf_head *head);
} nf_head_kind;

struct nf_head {
    const nf_head_kind *kind;
    nf_network *net;
    size_t hidden;         /* C */
    const double *dropout; /* on what its last layer sees: the encoder's setting; NULL: none */
    uint32_t site;         /* of that dropout */
};

/* Marks a parameter (NULL: none) as the head's; a linear layer's too. */
void nf_head_own(nf_head *head, nf_parameter *p);
void nf_head_own_linear(nf_head *head, nf_linear *linear);
/* Marks all its parameters as trained, or none. */
void nf_head_train(const nf_head *head, bool trained);
/* Takes its parameters out of the network. */
void nf_head_remove(nf_head *head);

/* `saved` may be NULL without pass->keep. */
nerfit_status nf_head_forward(const nf_head *head, const nf_pass *pass, nf_values *y,
                              const nf_values *x, size_t n, nf_head_saved *saved);
nerfit_status nf_head_backward(const nf_head *head, const nf_pass *pass, nf_values *dx,
                               nf_values *dy, size_t n, const nf_head_saved *saved);
/* y = dropout(x), and its gradient. */
void nf_head_dropout(const nf_head *head, const nf_pass *pass, nf_values *y, const nf_values *x,
                     size_t n);
/* The pass over n rows instead of its texts' tokens. */
nf_pass nf_head_rows(const nf_pass *pass, size_t n);

#endif
