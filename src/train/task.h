/* What a training stage computes: a loss over a batch of examples, with its gradient, and the
 * metrics of an evaluation. The loop (stage.c) knows nothing else of the two stages. */
#ifndef NF_TRAIN_TASK_H
#define NF_TRAIN_TASK_H

#include <jansson.h>

#include "model/model.h"
#include "train/evaluation.h"
#include "train/examples.h"

typedef struct nf_task nf_task;

/* How large a batch is: of all ranks together where there are several (comm.h). */
typedef struct nf_extent {
    double counted; /* what the loss is divided by: weights of words, of sub-words, of pairs of an
                       entity and a token; 0: nothing to learn */
    double texts;
    double longest, most_entities; /* tokens of the longest text; entities of the text with most */
} nf_extent;

/* Texts of one batch, loaded into a pass. */
typedef struct nf_task_batch {
    const nf_example *const *texts;
    size_t count;
    nf_extent whole;   /* of the batch that they are a part of, or all of */
    double grad_scale; /* the gradient is multiplied with it */
} nf_task_batch;

struct nf_task {
    const char *name; /* "contrastive", "token classification" */
    nf_model *model;
    const nf_examples *train;
    const nf_examples *validation;   /* NULL: none */
    const nf_evaluation *evaluation; /* the scores; NULL: the loss is all there is */
    /* Draws a batch of at most `size` examples, as a function of seed and step alone; returns how
     * many. NULL: passes over all of them, each in a random order. */
    size_t (*draw)(const nf_task *task, uint64_t seed, uint64_t step, size_t size,
                   const nf_example **batch);
    /* nf_extent.counted of these texts. NULL: every text counts 1. */
    double (*measure)(const nf_task *task, const nf_example *const *texts, size_t count);
    /* The texts' part of the whole batch's loss. With pass->keep the gradient is added to the
     * parameters'. Without, in an evaluation, the task also collects what its metrics need. */
    nerfit_status (*run)(nf_task *task, nf_pass *pass, const nf_task_batch *batch, double *loss,
                         nerfit_error *err);
    /* Adds metrics of the evaluation since the last call to `metrics`, named as seqeval's report
     * through transformers' Trainer: "eval_overall_f1". NULL: the loss is all there is. */
    nerfit_status (*metrics)(nf_task *task, json_t *metrics, nerfit_error *err);
    void (*free)(nf_task *task);
};

/* The batch of these texts alone. */
nf_task_batch nf_task_batch_of(const nf_task *task, const nf_example *const *texts, size_t count,
                               double grad_scale);

/* Stage 1: the original's loss (nerfit/model.py, nerfit/collator.py). Every entity of a text is a
 * row; every token of the text, special ones too, is pulled towards the embedding of the entity's
 * type if it lies in the entity and pushed away otherwise, by the binary cross-entropy of their
 * cosine. Padded pairs of the original's rectangle count log 2 each, without a gradient, and are
 * counted here too, so that losses compare. embeddings [n_types, size] are copied. */
nerfit_status nf_task_contrastive(nf_task **out, nf_model *model, const nf_examples *train,
                                  const nf_examples *validation, const float *embeddings,
                                  size_t n_types, size_t size, nerfit_error *err);

/* Stage 2: mean cross-entropy over sub-words, special tokens left out; metrics by seqeval's default
 * mode over sub-word labels, as the original computes them. */
nerfit_status nf_task_classification(nf_task **out, nf_model *model, const nf_examples *train,
                                     const nf_examples *validation, double label_smoothing,
                                     nerfit_error *err);

/* The scores of the last evaluation, owned by the task until the next one; NULL before the first,
 * or if the task has none. */
const nf_report *nf_task_last_report(const nf_task *task);

/* The recipe nerfit, of a model with a description head: words are classified, by their first
 * sub-words' hidden states. The loss is the mean cross-entropy over words; if the head has types of
 * its own (stage 2), plus [sum over texts (log Z - the gold path's score)] / words under the
 * decoder. Metrics are seqeval's over words, decoded. `columns`: the types, borrowed. */
nerfit_status nf_task_description(nf_task **out, nf_model *model, const nf_type_columns *columns,
                                  const nf_label_set *labels, const nf_examples *train,
                                  const nf_examples *validation, double label_smoothing,
                                  nerfit_error *err);

#endif
