#include <stdio.h>
#include <stdlib.h>

#include "train/task.h"

typedef struct classification {
    nf_task task;
    double smoothing;
    nf_layer_kept *kept; /* [n_layers] */
    nf_scorer *scorer;   /* of the evaluation that runs, or of the last one */
    const nf_report *report; /* of the last evaluation; NULL while one runs */
} classification;

static void task_free(nf_task *task) {
    classification *c = (classification *)task;
    nf_scorer_free(c->scorer);
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
    if (self->report || !self->scorer) { /* the first batch of an evaluation */
        nf_scorer_free(self->scorer);
        self->scorer = NULL;
        self->report = NULL;
        NF_TRY(nf_scorer_new(&self->scorer, NF_SCHEME_NONE, err));
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
        status = nf_scorer_add(self->scorer, gold, predicted, kept, err);
    }
    free(values);
    free(gold);
    return status;
}

static nerfit_status task_run(nf_task *task, nf_pass *pass, const nf_example *const *batch,
                              size_t count, double grad_scale, double *loss, nerfit_error *err) {
    classification *self = (classification *)task;
    const nf_model *model = task->model;
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens, c = model->encoder.hidden, l = model->n_labels;
    int32_t *host = malloc(n * sizeof *host + 1);
    if (!host) return nf_no_memory(err, n);
    size_t at = 0, counted = 0;
    for (size_t s = 0; s < count; s++)
        for (size_t i = 0; i < batch[s]->length; i++) {
            host[at++] = batch[s]->labels[i];
            counted += batch[s]->labels[i] != NF_LABEL_IGNORED;
        }
    const int32_t *labels = nf_workspace_ints(pass->ws, host, n);
    free(host);
    nf_values *hidden = nf_workspace_reals(pass->ws, n * c);
    nf_values *dropped = nf_workspace_reals(pass->ws, n * c);
    nf_values *logits = nf_workspace_reals(pass->ws, n * l);
    nf_values *dlogits = nf_workspace_reals(pass->ws, n * l);
    if (nf_workspace_failed(pass->ws)) return nf_no_memory(err, 0);

    nf_encoder_kept kept = {.layers = self->kept};
    nf_linear_kept head_kept;
    nf_dropout dropout =
        nf_pass_dropout(pass, model->classifier_site, model->encoder.classifier_dropout, c);
    if (nf_encoder_forward(&model->encoder, pass, hidden, &kept, NULL) != NERFIT_OK)
        return nf_no_memory(err, 0);
    be->dropout(be, dropped, hidden, n * c, &dropout);
    if (nf_linear_forward(model->classifier, pass, logits, NULL, dropped, NF_ACTIVATION_NONE,
                          &head_kept) != NERFIT_OK)
        return nf_no_memory(err, 0);
    double divisor = counted ? (double)counted : 1.0;
    *loss = be->cross_entropy(be, pass->keep ? dlogits : NULL, logits, labels, n, l,
                              self->smoothing, grad_scale / divisor) /
            divisor;
    if (!pass->keep) return collect(self, be, logits, batch, count, err);
    if (nf_linear_backward(model->classifier, pass, dropped, dlogits, &head_kept, false) !=
        NERFIT_OK)
        return nf_no_memory(err, 0);
    be->dropout(be, hidden, dropped, n * c, &dropout);
    if (nf_encoder_backward(&model->encoder, pass, hidden, &kept) != NERFIT_OK)
        return nf_no_memory(err, 0);
    return NERFIT_OK;
}

static int put_score(json_t *metrics, const char *name, const nf_score *score) {
    char key[256];
    int failed = 0;
    snprintf(key, sizeof key, "eval_%s_precision", name);
    failed |= json_object_set_new(metrics, key, json_real(score->precision));
    snprintf(key, sizeof key, "eval_%s_recall", name);
    failed |= json_object_set_new(metrics, key, json_real(score->recall));
    snprintf(key, sizeof key, "eval_%s_f1", name);
    failed |= json_object_set_new(metrics, key, json_real(score->f1));
    return failed;
}

static nerfit_status task_metrics(nf_task *task, json_t *metrics, nerfit_error *err) {
    classification *self = (classification *)task;
    const nf_report *report;
    NF_TRY(nf_scorer_report(self->scorer, &report, err));
    int failed = put_score(metrics, "overall", &report->micro);
    double accuracy =
        report->n_tokens ? (double)report->n_tokens_correct / (double)report->n_tokens : 0.0;
    failed |= json_object_set_new(metrics, "eval_overall_accuracy", json_real(accuracy));
    for (size_t i = 0; i < report->n_types; i++) {
        char key[256];
        failed |= put_score(metrics, report->types[i].label, &report->types[i]);
        snprintf(key, sizeof key, "eval_%s_number", report->types[i].label);
        failed |= json_object_set_new(metrics, key,
                                      json_integer((json_int_t)report->types[i].support));
    }
    self->report = report;
    return failed ? nf_no_memory(err, 0) : NERFIT_OK;
}

const nf_report *nf_task_last_report(const nf_task *task) {
    return ((const classification *)task)->report;
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
