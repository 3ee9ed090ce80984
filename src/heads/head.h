/* What stands on an encoder: a head makes something of hidden states (logits of labels, vectors that a
 * loss pulls together), with parameters of its own in the network. Each kind of head is a row, an
 * nf_head_kind with its functions; a model holds heads and asks them through it, so that nothing
 * outside knows which head it is. Those who build one (a recipe, the loader) call its own constructor.
 *
 * A new kind is a file with such a row, its constructor, and whoever builds it; its parameters are its
 * own by nf_head_own, which is all that saving and adapters need to know. Training takes a batch through
 * prepare, the encoder, loss, gradient and the encoder again; an evaluation through prepare, the
 * encoder, loss and decode (train/task.c). A head that makes W numbers of each of some rows of the
 * hidden states has forward, backward and width, and builds the rest on nf_head_step_forward and
 * nf_head_step_backward; another (one that scores spans, say) has none of the three, and keeps what it
 * likes in nf_head_step.own.
 *
 * Letters: N tokens, n rows, C hidden size, W width of what it makes (labels, say). */
#ifndef NF_HEADS_HEAD_H
#define NF_HEADS_HEAD_H

#include "heads/decoding.h"
#include "heads/example.h"
#include "nn/encoder.h"

/* What backward of any head needs besides the gradient. */
typedef struct nf_head_saved {
    nf_linear_saved dense, linear;
    nf_norm_saved norm;
    nf_values *pre;              /* [N,C] before the features' activation */
    const nf_values *h;          /* [N,C] */
    nf_values *vectors, *scores; /* of a description head */
} nf_head_saved;

/* A batch on its way through a head. What is given: the first group; the rest is the head's. */
typedef struct nf_head_step {
    const nf_head_batch *batch;
    nf_arena *arena;             /* the host's memory for this batch */
    double smoothing;            /* of the labels, where the loss is a cross-entropy */
    const nf_decoding *decoding; /* how labels are decoded */

    /* [n_layers + 1, N, C] the layers' outputs, and places, 0, for gradients by them that add to dx; of
     * heads that read layers */
    nf_values **layers, **dlayers;

    size_t n;            /* how many rows of the hidden states it reads; 0: the loss is 0 */
    const int32_t *rows; /* [n] which, in the backend's memory; NULL: n = N, all */
    nf_targets targets;  /* what they ought to say, of heads that label rows (label_rows.h) */
    nf_values *y, *dy;   /* [n,W] and the loss's gradient by it, of heads with a width */
    nf_head_saved saved;
    void *own; /* what it keeps besides, in the arena or the workspace */
} nf_head_step;

typedef struct nf_head_kind {
    const char *name;
    size_t (*width)(const nf_head *head);
    /* y [n,W] of x [n,C], n rows of the last hidden state, which need not be all of the pass's. */
    nerfit_status (*forward)(const nf_head *head, const nf_pass *pass, nf_values *y,
                             const nf_values *x, size_t n, nf_head_saved *saved);
    /* Adds to the parameters' gradients. dx [n,C] may be forward's x, of which the gradients of
     * weights are taken first; dy [n,W] is overwritten. */
    nerfit_status (*backward)(const nf_head *head, const nf_pass *pass, nf_values *dx,
                              nf_values *dy, size_t n, const nf_head_saved *saved);
    /* nf_extent.counted of these texts: what their loss is divided by. */
    double (*measure)(const nf_head *head, const nf_example *const *texts, size_t count);
    /* Whether it reads the outputs of all layers. NULL: only the last one's. */
    bool (*reads_layers)(const nf_head *head);
    /* Before the encoder runs over the batch, which the pass holds: the step's n, rows, and what it
     * makes of the texts. */
    nerfit_status (*prepare)(const nf_head *head, const nf_pass *pass, nf_head_step *step,
                             nerfit_error *err);
    /* The texts' part of the whole batch's loss, from x [N,C], the last hidden state of all the pass's
     * tokens. Leaves in the step what `gradient` (with pass->keep) and `decode` (without) need. */
    nerfit_status (*loss)(const nf_head *head, const nf_pass *pass, nf_head_step *step,
                          const nf_values *x, double *loss, nerfit_error *err);
    /* Adds to the parameters' gradients; dx [N,C], which may be loss's x, becomes that by x. */
    nerfit_status (*gradient)(const nf_head *head, const nf_pass *pass, nf_head_step *step,
                              nf_values *dx, nerfit_error *err);
    /* What is there in each of the batch's texts and what is found, `found` [batch->count], in the
     * step's arena. NULL: the loss is all there is. */
    nerfit_status (*decode)(const nf_head *head, const nf_pass *pass, nf_head_step *step,
                            nf_head_found *found, nerfit_error *err);
    /* Puts what was learned into the classifier that is saved, and how it is decoded. NULL: nothing of
     * it outlives the training. */
    nerfit_status (*fold)(const nf_head *head, nf_head *into, nf_decoding *decoding,
                          nerfit_error *err);
    /* Writes what training on other labels can begin with into a folder; `encoder`: the folder of the
     * sentence encoder that it was learned with, or NULL. NULL: there is no such thing. */
    nerfit_status (*save)(const nf_head *head, const char *folder, const char *encoder,
                          nerfit_error *err);
    /* Takes what `save` wrote, from its file. *bound: on entry whether those parts are wanted that
     * belong to the vectors of one sentence encoder, on return whether they were taken: not if they
     * are of another size. NULL where save is. */
    nerfit_status (*load)(nf_head *head, const nf_safetensors *file, bool *bound,
                          nerfit_error *err);
    /* Gives back what the network does not. NULL: nothing. */
    void (*release)(nf_head *head);
} nf_head_kind;

struct nf_head {
    const nf_head_kind *kind;
    nf_network *net;
    size_t hidden;         /* C */
    const double *dropout; /* on what its last layer sees: the encoder's setting; NULL: none */
    uint32_t stream;       /* of that dropout */
    const char *objective; /* what its loss is called in logs; NULL: as its kind */
};

/* What its training is called: "token classification". */
const char *nf_head_objective(const nf_head *head);

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
/* The step's rows of x [N,C] through forward: y, and room for dy with pass->keep. */
nerfit_status nf_head_step_forward(const nf_head *head, const nf_pass *pass, nf_head_step *step,
                                   const nf_values *x, nerfit_error *err);
/* dy through backward; dx [N,C] is 0 where no row was read. As a row of the table. */
nerfit_status nf_head_step_backward(const nf_head *head, const nf_pass *pass, nf_head_step *step,
                                    nf_values *dx, nerfit_error *err);
/* The loss of heads that label rows, from y and the step's targets: the sum of the cross-entropies, each
 * by its weight, over what the whole batch counts. Fills dy, if there is one. */
double nf_head_label_loss(const nf_pass *pass, nf_head_step *step);
/* y = dropout(x), and its gradient. */
void nf_head_dropout(const nf_head *head, const nf_pass *pass, nf_values *y, const nf_values *x,
                     size_t n);
/* The pass over n rows instead of its texts' tokens. */
nf_pass nf_head_rows(const nf_pass *pass, size_t n);

#endif
