/* The network: every parameter and every linear layer of a model, in one registry.
 *
 * Blocks (embedding, attention, feed-forward, heads) are built on a network: they ask it for their
 * parameters and linear layers by name, and hold pointers to them. What concerns all of them alike
 * is done here, once: loading, choosing what is trained, laying all trained values, gradients and
 * moments out in flat buffers (one update, one clip, one checkpoint), preparing weights for
 * products, and running a pass.
 *
 * Names are those of the Hugging Face checkpoint without the architecture's prefix:
 * "encoder.layer.0.attention.self.query.weight". */
#ifndef NF_NN_NETWORK_H
#define NF_NN_NETWORK_H

#include "base/arena.h"
#include "nn/shared_weights.h"
#include "tensor/backend.h"
#include "tensor/safetensors.h"
#include "tensor/workspace.h"

typedef struct nf_linear nf_linear;

/* Parameters of a group share a learning rate. */
typedef enum nf_group {
    NF_GROUP_ENCODER,    /* all that is not named below, the original recipe's heads too */
    NF_GROUP_HEAD,       /* the description head's vectors and biases; word shapes */
    NF_GROUP_PROJECTION, /* the description head's projection of descriptions */
    NF_GROUP_DECODER,    /* the decoder's transitions */
    NF_GROUPS
} nf_group;

/* What a parameter is for. */
typedef enum nf_role {
    NF_ROLE_ENCODER,
    NF_ROLE_WORD_SHAPES, /* the encoder's table of word shapes, which has a file of its own */
    NF_ROLE_ADAPTER,     /* LoRA's matrices and DoRA's magnitudes: merged, not written */
    NF_ROLE_HEAD,        /* of what stands on the encoder's output: `head` (heads/head.h) */
} nf_role;

typedef struct nf_head nf_head;

typedef struct nf_parameter {
    const char *name;
    nf_role role;
    const nf_head *head; /* whose it is, of a head's */
    size_t rows, cols;   /* a vector has rows = 1 and n_dims = 1 */
    int n_dims;
    nf_values *values; /* own memory, a mapped file, or a part of the flat buffer */
    nf_values *grad;   /* NULL unless training has started and it is trained */
    size_t offset;     /* then: of its first element in the flat buffers */
    bool fresh; /* the gradient's memory counts as zero, whatever it holds: write, do not add */
    bool trained;
    bool decayed; /* weight decay applies: not a bias, not a norm (transformers' rule) */
    nf_group group;
    bool removed; /* taken out of the network (a head that is dropped) */
    /* stands in the adapter's folder, not in the base model's: modules_to_save, biases, embeddings */
    bool in_adapter;
    size_t index; /* in the network */
    void *owned;  /* memory to give back, if `values` is its own */
} nf_parameter;

typedef struct nf_network {
    nf_backend *be;
    nf_precision precision; /* of products, where nf_network_prepare prepares weights; AUTO: the
                             * backend's */
    nf_arena arena;
    nf_parameter **parameters;
    size_t n_parameters, parameters_capacity;
    nf_linear **linears;
    size_t n_linears, linears_capacity;
    const nf_safetensors *source; /* the file whose mapping values lie in; NULL: none */
    nf_shared_file *shared; /* the same, if others use it, too; NULL: it is this network's own */
    uint32_t n_dropout_streams; /* dropout streams given out, below NF_DROPOUT_STREAMS */
    /* while training: all trained parameters, group by group, in each the decayed ones first */
    nf_values *flat_values, *flat_grads, *flat_m, *flat_v;
    size_t n_trained; /* elements */
    /* where the decayed and the other parameters of each group end, in elements */
    size_t ends[NF_GROUPS][2];
} nf_network;

/* One forward, and possibly backward, over a packed batch. */
typedef struct nf_pass {
    nf_backend *be; /* of the calling thread */
    nf_workspace *ws;
    nf_sequences sequences;
    const int32_t *ids, *positions, *types; /* [N] in the backend's memory */
    const int32_t *shapes; /* likewise, if the encoder has a table of word shapes */
    /* [n_rows] in the backend's memory: the tokens whose last hidden state is wanted, without
     * `keep`; the others end before the last layer's feed-forward block. NULL: all. */
    const int32_t *rows;
    size_t n_rows;
    bool keep;                                        /* keep what backward needs */
    bool training;                                    /* dropout acts */
    uint64_t seed, step;                              /* of the dropout masks */
    const struct nf_batch_positions *batch_positions; /* of the encoder that runs */
    uint32_t repeat;      /* which use of a shared layer this is: every use has its own masks */
    struct nf_team *team; /* divides the encoder's work; NULL: operations divide theirs */
    size_t first_row;     /* the first of its tokens in the batch that it is a part of */
    nf_values *grads;     /* laid out as the network's flat gradients, to add to; NULL: to those */
    /* Hears in backward, from the last layer down, that no more is added to the gradients of a
     * layer's weights (not of those that layers share); NULL: nobody waits for that. A team says
     * nothing: what it trains is not weights. */
    void (*layer_done)(void *listener, size_t layer);
    void *listener;
} nf_pass;

void nf_network_init(nf_network *net, nf_backend *be);
void nf_network_free(nf_network *net);

/* Adds a parameter without values. NULL when out of memory. */
nf_parameter *nf_network_parameter(nf_network *net, const char *name, int n_dims, size_t rows,
                                   size_t cols, bool decayed);
nf_parameter *nf_network_find(const nf_network *net, const char *name);
static inline size_t nf_parameter_count(const nf_parameter *p) {
    return p->rows * p->cols;
}

/* Gives the parameter memory of its own (contents undefined). */
nerfit_status nf_parameter_allocate(nf_network *net, nf_parameter *p, nerfit_error *err);
/* Takes the values of a stored tensor, after checking its shape; borrows the mapping where it can
 * (the file must then outlive the network). `where` names the file in messages. */
nerfit_status nf_parameter_load(nf_network *net, nf_parameter *p, const nf_stored *stored,
                                const char *where, nerfit_error *err);
nerfit_status nf_parameter_fill(nf_network *net, nf_parameter *p, const float *values,
                                nerfit_error *err);
/* The same, always copied: the file need not stay open. */
nerfit_status nf_parameter_copy(nf_network *net, nf_parameter *p, const nf_stored *stored,
                                const char *where, nerfit_error *err);
nerfit_status nf_parameter_constant(nf_network *net, nf_parameter *p, float value,
                                    nerfit_error *err);
/* Normal(0, sd^2), and uniform in [-bound, bound), from stream `stream` of `seed`. */
nerfit_status nf_parameter_normal(nf_network *net, nf_parameter *p, double sd, uint64_t seed,
                                  uint64_t stream, nerfit_error *err);
nerfit_status nf_parameter_uniform(nf_network *net, nf_parameter *p, double bound, uint64_t seed,
                                   uint64_t stream, nerfit_error *err);
/* Frees the memory that its values have of their own. */
void nf_parameter_give_back(nf_network *net, nf_parameter *p);
/* Drops a parameter's memory and takes it out of training, saving and counting. */
void nf_parameter_remove(nf_network *net, nf_parameter *p);

/* A number for a dropout that is this network's own; the further uses of a shared layer take those
 * from NF_DROPOUT_STREAMS on. */
enum { NF_DROPOUT_STREAMS = 1 << 16 };
uint32_t nf_network_dropout_stream(nf_network *net);

void nf_network_free_flat(nf_network *net);
/* Moves all parameters with `trained` set into flat buffers with gradients and moments (zeroed). */
nerfit_status nf_network_start_training(nf_network *net, nerfit_error *err);
/* Moves them back into memory of their own; frees the buffers and the prepared weights. */
nerfit_status nf_network_end_training(nf_network *net, nerfit_error *err);
/* Prepares every linear layer's weight for products; again after parameters were replaced. What was
 * read of the file for it is given back layer by layer: it is not needed beside what was made of
 * it. */
nerfit_status nf_network_prepare(nf_network *net, bool backward, nerfit_error *err);
/* Frees what that made, as if the network had just been loaded. */
void nf_network_unprepare(nf_network *net);
/* After a pass on that backend: an error if it ran out of memory, or if the file in which weights lie
 * lost some of them meanwhile. */
nerfit_status nf_network_check_pass(const nf_network *net, nf_backend *be, nerfit_error *err);
/* After trained values were replaced: brings prepared forms of their weights up to date. */
nerfit_status nf_network_refresh(nf_network *net, nerfit_error *err);

/* After a result was not finite: an error that names the first parameter with a value that is not, in
 * the order of the network; NERFIT_OK if all are. `where` names the model. `frozen`: only those that are
 * not trained. */
nerfit_status nf_network_check_finite(const nf_network *net, const char *where, bool frozen,
                                      nerfit_error *err);

/* The error of a block that did not return NERFIT_OK: blocks fail where the pass's workspace has no more
 * memory, and nowhere else. */
nerfit_status nf_pass_failed(const nf_pass *pass, nerfit_error *err);
/* The dropout of a stream in this pass, of `width` elements a token: p = 0 outside training. */
nf_dropout nf_pass_dropout(const nf_pass *pass, uint32_t stream, double p, size_t width);
/* Where this pass adds a parameter's gradient; NULL: it is not trained. */
static inline nf_values *nf_pass_grad(const nf_pass *pass, const nf_parameter *p) {
    return p->grad && pass->grads ? nf_at(pass->be, pass->grads, p->offset) : p->grad;
}

#endif
