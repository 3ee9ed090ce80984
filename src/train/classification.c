#include <stdio.h>
#include <stdlib.h>

#include "model/team.h"
#include "train/task.h"

typedef struct classification {
    nf_task task;
    double smoothing;
    nf_layer_kept *kept; /* [n_layers] */
    nf_evaluation evaluation;
} classification;

static void task_free(nf_task *task) {
    classification *c = (classification *)task;
    nf_evaluation_free(&c->evaluation);
    free(c->kept);
    free(c);
}

/* Adds the batch's gold and predicted labels to the scorer. */
static nerfit_status collect(classification *self, nf_backend *be, const nf_values *logits,
                             const nf_example *const *batch, size_t count, nerfit_error *err) {
    const nf_model *model = self->task.model;
    size_t l = model->n_labels, n = 0, longest = 0;
    for (size_t s = 0; s < count; s++) {
        n += batch[s]->length;
        if (batch[s]->length > longest) longest = batch[s]->length;
    }
    float *values = malloc(n * l * sizeof *values + 1);
    const char **gold = calloc(2 * longest + 1, sizeof *gold), **predicted = gold + longest;
    nerfit_status status = values && gold ? NERFIT_OK : nf_no_memory(err, n * l);
    if (status == NERFIT_OK) be->to_f32(be, values, logits, n * l);
    const float *row = values;
    for (size_t s = 0; s < count && status == NERFIT_OK; s++) {
        size_t kept = 0;
        for (size_t i = 0; i < batch[s]->length; i++, row += l) {
            if (batch[s]->labels[i] == NF_LABEL_IGNORED) continue;
            size_t best = 0;
            for (size_t j = 1; j < l; j++)
                if (row[j] > row[best]) best = j;
            gold[kept] = model->labels[batch[s]->labels[i]];
            predicted[kept++] = model->labels[best];
        }
        status = nf_evaluation_add(&self->evaluation, gold, predicted, kept, err);
    }
    free(values);
    free(gold);
    return status;
}

/* Sub-words that have a label. */
static double task_measure(const nf_task *task, const nf_example *const *texts, size_t count) {
    size_t counted = 0;
    (void)task;
    for (size_t s = 0; s < count; s++)
        for (size_t i = 0; i < texts[s]->length; i++)
            counted += texts[s]->labels[i] != NF_LABEL_IGNORED;
    return (double)counted;
}

static nerfit_status task_run(nf_task *task, nf_pass *pass, const nf_task_batch *b, double *loss,
                              nerfit_error *err) {
    const nf_example *const *batch = b->texts;
    size_t count = b->count;
    classification *self = (classification *)task;
    const nf_model *model = task->model;
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens, c = model->encoder.hidden, l = model->n_labels;
    int32_t *host = malloc(n * sizeof *host + 1);
    if (!host) return nf_no_memory(err, n);
    size_t at = 0;
    for (size_t s = 0; s < count; s++)
        for (size_t i = 0; i < batch[s]->length; i++) host[at++] = batch[s]->labels[i];
    const int32_t *labels = nf_workspace_ints(pass->ws, host, n);
    free(host);
    nf_values *hidden = nf_workspace_reals(pass->ws, n * c);
    nf_values *logits = nf_workspace_reals(pass->ws, n * l);
    nf_values *dlogits = nf_workspace_reals(pass->ws, n * l);
    if (nf_workspace_failed(pass->ws)) return nf_no_memory(err, 0);

    nf_encoder_kept kept = {.layers = self->kept};
    nf_head_saved head_saved;
    if (nf_team_encoder_forward(&model->encoder, pass, hidden, &kept) != NERFIT_OK)
        return nf_no_memory(err, 0);
    if (nf_head_forward(model->head, pass, logits, hidden, n, &head_saved) != NERFIT_OK)
        return nf_no_memory(err, 0);
    double divisor = b->whole.counted > 0.0 ? b->whole.counted : 1.0;
    const nf_targets targets = {labels, n, l, self->smoothing};
    *loss = be->cross_entropy(be, pass->keep ? dlogits : NULL, logits, &targets,
                              b->grad_scale / divisor) /
            divisor;
    if (!pass->keep) return collect(self, be, logits, batch, count, err);
    if (nf_head_backward(model->head, pass, hidden, dlogits, n, &head_saved) != NERFIT_OK)
        return nf_no_memory(err, 0);
    if (nf_team_encoder_backward(&model->encoder, pass, hidden, &kept) != NERFIT_OK)
        return nf_no_memory(err, 0);
    return NERFIT_OK;
}

static nerfit_status task_metrics(nf_task *task, json_t *metrics, nerfit_error *err) {
    return nf_evaluation_metrics(&((classification *)task)->evaluation, metrics, err);
}

nerfit_status nf_task_classification(nf_task **out, nf_model *model, const nf_examples *train,
                                     const nf_examples *validation, double label_smoothing,
                                     nerfit_error *err) {
    *out = NULL;
    classification *c = calloc(1, sizeof *c);
    if (!c) return nf_no_memory(err, sizeof *c);
    c->task = (nf_task){.name = "token classification",
                        .model = model,
                        .train = train,
                        .validation = validation,
                        .evaluation = &c->evaluation,
                        .measure = task_measure,
                        .run = task_run,
                        .metrics = task_metrics,
                        .free = task_free};
    c->smoothing = label_smoothing;
    c->kept = calloc(model->encoder.n_layers + 1, sizeof *c->kept);
    if (!c->kept) {
        task_free(&c->task);
        return nf_no_memory(err, 0);
    }
    *out = &c->task;
    return NERFIT_OK;
}
