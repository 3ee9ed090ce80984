/* What a training stage computes: a loss over a batch of examples, with its gradient, and the
 * metrics of an evaluation. The loop (stage.c) knows nothing else of the stages. Whatever head a model
 * has, its training is nf_task_new's (heads/head.h has what is different). */
#ifndef NF_TRAIN_TASK_H
#define NF_TRAIN_TASK_H

#include <jansson.h>

#include "model/model.h"
#include "train/evaluation.h"
#include "train/examples.h"

typedef struct nf_task nf_task;

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
    /* Puts what a training step reads its texts with (drawn labels of prompts) in their place in the
     * batch, as a function of seed and step alone; good until the next call. NULL: they stay as they
     * are. */
    nerfit_status (*dress)(void *dresser, uint64_t seed, uint64_t step, const nf_example **batch,
                           size_t count, nerfit_error *err);
    void *dresser;
    /* nf_extent.counted of these texts. NULL: every text counts 1. */
    double (*measure)(const nf_task *task, const nf_example *const *texts, size_t count);
    /* The texts' part of the whole batch's loss. With pass->keep the gradient is added to the
     * parameters'. Without, in an evaluation, the task also collects what its metrics need. */
    nerfit_status (*run)(nf_task *task, nf_pass *pass, const nf_head_batch *batch, double *loss,
                         nerfit_error *err);
    /* Adds metrics of the evaluation since the last call to `metrics`, named as seqeval's report
     * through transformers' Trainer: "eval_overall_f1". NULL: the loss is all there is. */
    nerfit_status (*metrics)(nf_task *task, json_t *metrics, nerfit_error *err);
    /* A batch goes through the model's encoder once, so that its gradients are complete layer by
     * layer. */
    bool one_pass;
    void (*free)(nf_task *task);
};

/* The batch of these texts alone. */
nf_head_batch nf_task_batch_of(const nf_task *task, const nf_example *const *texts, size_t count,
                               double grad_scale);

/* The training of the model's learner, or of its head if it has none (`train` and `validation` are
 * borrowed; no validation: NULL). `labels`: the examples' types, for the names of an evaluation's
 * metrics, borrowed; NULL if there is none. `smoothing`: of labels, 0 to 1. */
nerfit_status nf_task_new(nf_task **out, nf_model *model, const nf_label_set *labels,
                          const nf_examples *train, const nf_examples *validation, double smoothing,
                          nerfit_error *err);

/* The scores of the last evaluation, owned by the task until the next one; NULL before the first,
 * or if the task has none. */
const nf_report *nf_task_last_report(const nf_task *task);

#endif
