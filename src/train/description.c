/* The head's products run in the backend; the decoder's sums in double on the host, on the logits,
 * which are few. */
#include <stdlib.h>
#include <string.h>

#include "labels/decoder.h"
#include "model/team.h"
#include "train/task.h"

typedef struct description {
    nf_task task;
    const nf_type_columns *columns;
    const nf_label_set *labels;
    double smoothing;
    nf_layer_kept *kept; /* [n_layers] */
    nf_decoder *decoder;
    nf_evaluation evaluation;
} description;

/* The words of a batch. */
typedef struct words {
    int32_t *rows;   /* [n] their first sub-words, counted over the batch */
    int32_t *labels; /* [n] gold */
    size_t n;
} words;

static void task_free(nf_task *task) {
    description *d = (description *)task;
    nf_evaluation_free(&d->evaluation);
    nf_decoder_free(d->decoder);
    free(d->kept);
    free(d);
}

static nerfit_status find_words(words *out, const nf_example *const *batch, size_t count,
                                nerfit_error *err) {
    size_t n = 0, at = 0;
    int32_t row = 0;
    for (size_t s = 0; s < count; s++) n += batch[s]->n_words;
    *out = (words){.rows = malloc(2 * n * sizeof *out->rows + 1), .n = n};
    if (!out->rows) return nf_no_memory(err, 2 * n * sizeof *out->rows);
    out->labels = out->rows + n;
    for (size_t s = 0; s < count; s++) {
        nf_example_word_labels(batch[s], out->labels + at);
        for (size_t w = 0; w < batch[s]->n_words; w++) out->rows[at++] = row + batch[s]->words[w];
        row += (int32_t)batch[s]->length;
    }
    return NERFIT_OK;
}

/* Stage 1 has no transitions: its evaluations take the best legal sequence. */
static void read_transitions(const description *self, nf_backend *be, nf_transitions *out) {
    const nf_parameter *p = nf_description_head_of(self->task.model->learner)->transitions;
    *out = (nf_transitions){0};
    if (p) be->to_f64(be, &out->next[0][0], p->values, NF_TRANSITION_COUNT);
}

/* The decoder's part of the loss, summed over texts; its gradient times `scale` is added to dlogits
 * and dtransitions. */
static nerfit_status decoder_loss(description *self, const nf_transitions *transitions,
                                  const double *logits, const words *w,
                                  const nf_example *const *batch, size_t count, double scale,
                                  double *loss, double *dlogits, nf_transitions *dtransitions,
                                  nerfit_error *err) {
    size_t types = self->columns->n_types, l = 2 * types + 1, at = 0;
    *loss = 0.0;
    for (size_t s = 0; s < count; s++) {
        size_t n = batch[s]->n_words;
        const double *x = logits + at * l;
        const int32_t *gold = w->labels + at;
        double log_z;
        NF_TRY(nf_decoder_sum(self->decoder, transitions, x, n, types, &log_z, err));
        *loss += log_z - nf_decoder_path_score(transitions, x, n, types, gold);
        nf_decoder_sum_gradient(self->decoder, scale, dlogits + at * l, dtransitions);
        nf_decoder_path_gradient(gold, n, types, -scale, dlogits + at * l, dtransitions);
        at += n;
    }
    return NERFIT_OK;
}

/* Adds the decoder's loss, and its gradient to the backend's dlogits and the transitions'. */
static nerfit_status add_decoder(description *self, nf_pass *pass, const nf_values *logits,
                                 nf_values *dlogits, const words *w, const nf_task_batch *batch,
                                 double *loss, nerfit_error *err) {
    nf_backend *be = pass->be;
    nf_parameter *p = nf_description_head_of(self->task.model->learner)->transitions;
    size_t cells = w->n * (2 * self->columns->n_types + 1);
    double *host = calloc(2 * cells + 1, sizeof *host), sum = 0.0;
    nf_values *more = nf_workspace_reals(pass->ws, cells);
    nf_values *dp = nf_workspace_reals(pass->ws, NF_TRANSITION_COUNT);
    nf_transitions transitions, dtransitions = {0};
    if (!host || nf_workspace_failed(pass->ws)) {
        free(host);
        return nf_no_memory(err, 2 * cells * sizeof *host);
    }
    read_transitions(self, be, &transitions);
    be->to_f64(be, host, logits, cells);
    nerfit_status status = decoder_loss(self, &transitions, host, w, batch->texts, batch->count,
                                        batch->grad_scale / batch->whole.counted, &sum,
                                        host + cells, &dtransitions, err);
    *loss += sum / batch->whole.counted;
    if (status == NERFIT_OK && pass->keep) {
        be->from_f64(be, more, host + cells, cells);
        be->axpy(be, dlogits, 1.0, more, cells);
        be->from_f64(be, dp, &dtransitions.next[0][0], NF_TRANSITION_COUNT);
        if (p->grad) be->axpy(be, p->grad, 1.0, dp, NF_TRANSITION_COUNT);
    }
    free(host);
    return status;
}

/* Adds the batch's gold and decoded labels to the evaluation. */
static nerfit_status collect(description *self, nf_backend *be, const nf_values *logits,
                             const words *w, const nf_example *const *batch, size_t count,
                             nerfit_error *err) {
    size_t types = self->columns->n_types, l = 2 * types + 1, at = 0;
    double *host = malloc(w->n * l * sizeof *host + 1);
    int32_t *path = malloc(w->n * sizeof *path + 1);
    const char **gold = calloc(2 * w->n + 1, sizeof *gold), **predicted = gold + w->n;
    nf_transitions transitions;
    nerfit_status status = host && path && gold ? NERFIT_OK : nf_no_memory(err, w->n * l);
    read_transitions(self, be, &transitions);
    if (status == NERFIT_OK) be->to_f64(be, host, logits, w->n * l);
    for (size_t s = 0; s < count && status == NERFIT_OK; s++) {
        size_t n = batch[s]->n_words;
        double log_z;
        status = nf_decoder_best(self->decoder, &transitions, host + at * l, n, types, path + at,
                                 NULL, err);
        if (status == NERFIT_OK)
            status =
                nf_decoder_sum(self->decoder, &transitions, host + at * l, n, types, &log_z, err);
        if (status == NERFIT_OK)
            nf_decoder_keep(self->decoder, self->task.model->decoding.least, path + at);
        for (size_t i = at; i < at + n && status == NERFIT_OK; i++) {
            gold[i] = self->labels->labels[w->labels[i]];
            predicted[i] = self->labels->labels[path[i]];
        }
        if (status == NERFIT_OK)
            status = nf_evaluation_add(&self->evaluation, gold + at, predicted + at, n, err);
        at += n;
    }
    free(host);
    free(path);
    free(gold);
    return status;
}

static nerfit_status run_words(description *self, nf_pass *pass, const words *w,
                               const nf_task_batch *batch, double *loss, nerfit_error *err) {
    const nf_model *model = self->task.model;
    nf_description_head *head = nf_description_head_of(model->learner);
    nf_backend *be = pass->be;
    size_t tokens = (size_t)pass->sequences.n_tokens, c = model->encoder.hidden, n = w->n;
    size_t l = 2 * self->columns->n_types + 1;
    const int32_t *rows = nf_workspace_ints(pass->ws, w->rows, n);
    const int32_t *labels = nf_workspace_ints(pass->ws, w->labels, n);
    nf_values *hidden = nf_workspace_reals(pass->ws, tokens * c);
    nf_values *h = nf_workspace_reals(pass->ws, n * c), *dh = nf_workspace_reals(pass->ws, n * c);
    nf_values *logits = nf_workspace_reals(pass->ws, n * l);
    nf_values *dlogits = nf_workspace_reals(pass->ws, n * l);
    if (nf_workspace_failed(pass->ws)) return nf_no_memory(err, 0);

    nf_encoder_kept kept = {.layers = self->kept};
    nf_head_saved head_saved;
    head->columns = self->columns;
    if (nf_team_encoder_forward(&model->encoder, pass, hidden, &kept) != NERFIT_OK)
        return nf_no_memory(err, 0);
    be->embedding_forward(be, h, hidden, rows, n, c, false); /* gathers the words' rows */
    if (nf_head_forward(model->learner, pass, logits, h, n, &head_saved) != NERFIT_OK)
        return nf_no_memory(err, 0);
    const nf_targets targets = {labels, n, l, self->smoothing};
    *loss = be->cross_entropy(be, pass->keep ? dlogits : NULL, logits, &targets,
                              batch->grad_scale / batch->whole.counted) /
            batch->whole.counted;
    if (head->transitions) NF_TRY(add_decoder(self, pass, logits, dlogits, w, batch, loss, err));
    if (!pass->keep) return collect(self, be, logits, w, batch->texts, batch->count, err);

    if (nf_head_backward(model->learner, pass, dh, dlogits, n, &head_saved) != NERFIT_OK)
        return nf_no_memory(err, 0);
    be->zero(be, hidden, tokens * c);
    be->embedding_backward(be, hidden, dh, rows, n, c, -1); /* and puts them back */
    if (nf_team_encoder_backward(&model->encoder, pass, hidden, &kept) != NERFIT_OK)
        return nf_no_memory(err, 0);
    return NERFIT_OK;
}

static double task_measure(const nf_task *task, const nf_example *const *texts, size_t count) {
    double counted = 0.0;
    (void)task;
    for (size_t s = 0; s < count; s++) counted += (double)texts[s]->n_words;
    return counted;
}

static nerfit_status task_run(nf_task *task, nf_pass *pass, const nf_task_batch *batch,
                              double *loss, nerfit_error *err) {
    words w;
    *loss = 0.0;
    NF_TRY(find_words(&w, batch->texts, batch->count, err));
    nerfit_status status = NERFIT_OK; /* texts of blanks alone have no words: nothing to learn */
    if (w.n > 0) status = run_words((description *)task, pass, &w, batch, loss, err);
    free(w.rows);
    return status;
}

static nerfit_status task_metrics(nf_task *task, json_t *metrics, nerfit_error *err) {
    return nf_evaluation_metrics(&((description *)task)->evaluation, metrics, err);
}

nerfit_status nf_task_description(nf_task **out, nf_model *model, const nf_type_columns *columns,
                                  const nf_label_set *labels, const nf_examples *train,
                                  const nf_examples *validation, double label_smoothing,
                                  nerfit_error *err) {
    *out = NULL;
    description *d = calloc(1, sizeof *d);
    if (!d) return nf_no_memory(err, sizeof *d);
    d->task = (nf_task){.name = nf_description_head_of(model->learner)->transitions
                                    ? "word classification"
                                    : "description contrastive",
                        .model = model,
                        .train = train,
                        .validation = validation,
                        .evaluation = &d->evaluation,
                        .measure = task_measure,
                        .run = task_run,
                        .metrics = task_metrics,
                        .free = task_free};
    d->columns = columns;
    d->labels = labels;
    d->smoothing = label_smoothing;
    d->kept = calloc(model->encoder.n_layers + 1, sizeof *d->kept);
    nerfit_status status = d->kept ? NERFIT_OK : nf_no_memory(err, 0);
    if (status == NERFIT_OK) status = nf_decoder_new(&d->decoder, err);
    if (status == NERFIT_OK)
        *out = &d->task;
    else
        task_free(&d->task);
    return status;
}
