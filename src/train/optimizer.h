/* The update of one step: clipping and AdamW over the flat buffers, except that rows of the word
 * embeddings that no text has touched yet are left alone. Their gradients and moments are zero, so
 * that only their decay is due; it is owed, and paid with the same bits when a row is first needed,
 * or when all values are (evaluation, checkpoint, end). In few-shot training that is most of a
 * model. */
#ifndef NF_TRAIN_OPTIMIZER_H
#define NF_TRAIN_OPTIMIZER_H

#include "model/model.h"
#include "train/comm.h"

typedef struct nf_optimizer nf_optimizer;

/* For a network whose training has started. Rows with moments (of a resumed run) count as
 * touched. */
nerfit_status nf_optimizer_new(nf_optimizer **out, nf_model *model, nerfit_error *err);
void nf_optimizer_free(nf_optimizer *optimizer);

/* Before the batches of a step: all gradients count as zero. */
void nf_optimizer_begin(nf_optimizer *optimizer);
/* Before a batch is run: brings the rows of these tokens up to date. */
nerfit_status nf_optimizer_touch(nf_optimizer *optimizer, const int32_t *ids, size_t count,
                                 nerfit_error *err);
/* With several ranks, where no more is added to the gradients of a layer's weights and of those above it,
 * nor a batch will come: their sums over all ranks may begin. */
nerfit_status nf_optimizer_layer_done(nf_optimizer *optimizer, nf_comm *comm, size_t layer,
                                      nerfit_error *err);
/* After the step's batches, with several ranks: the gradients become the sums over all of them. Rows
 * that another rank has touched count as touched here, too, with what they owe paid. */
nerfit_status nf_optimizer_reduce(nf_optimizer *optimizer, nf_comm *comm, nerfit_error *err);
/* The norm of all gradients, after the step's batches and before the update. */
double nf_optimizer_norm(nf_optimizer *optimizer);
/* AdamW over the elements from .. to of the flat buffers, whose borders are borders of parameters;
 * what is prepared of trained weights follows. */
nerfit_status nf_optimizer_update(nf_optimizer *optimizer, size_t from, size_t to,
                                  const nf_adamw *options, nerfit_error *err);
/* Pays all that is owed: every value is then what eager updates would have made it. */
void nf_optimizer_settle(nf_optimizer *optimizer);

#endif
