#include "train/task.h"

#include <stdlib.h>

#include "base/assert.h"
#include "model/team.h"

nf_head_batch nf_task_batch_of(const nf_task *task, const nf_example *const *texts, size_t count,
                               double grad_scale) {
    nf_head_batch batch = {.texts = texts, .count = count, .grad_scale = grad_scale};
    batch.whole = (nf_extent){.counted = (double)count, .texts = (double)count};
    for (size_t i = 0; i < count; i++) {
        if ((double)texts[i]->length > batch.whole.longest)
            batch.whole.longest = (double)texts[i]->length;
        if ((double)texts[i]->n_entities > batch.whole.most_entities)
            batch.whole.most_entities = (double)texts[i]->n_entities;
    }
    if (task->measure) batch.whole.counted = task->measure(task, texts, count);
    return batch;
}

const nf_report *nf_task_last_report(const nf_task *task) {
    return task->evaluation ? task->evaluation->report : NULL;
}

/* ---------------------------------------------------------------- the training of a head */

typedef struct head_task {
    nf_task task;
    const nf_label_set *labels;
    double smoothing;
    nf_layer_saved *saved; /* [n_layers] */
    nf_evaluation evaluation;
} head_task;

static nf_head *trained_head(const nf_model *model) {
    return model->learner ? model->learner : model->head;
}

static void head_task_free(nf_task *task) {
    head_task *self = (head_task *)task;
    nf_evaluation_free(&self->evaluation);
    free(self->saved);
    free(self);
}

static double head_task_measure(const nf_task *task, const nf_example *const *texts, size_t count) {
    const nf_head *head = trained_head(task->model);
    return head->kind->measure(head, texts, count);
}

static nerfit_status add_found(head_task *self, const nf_head *head, const nf_pass *pass,
                               nf_head_step *step, nerfit_error *err) {
    size_t count = step->batch->count;
    nf_head_found *found = nf_arena_calloc(step->arena, count, sizeof *found);
    if (!found) return nf_no_memory(err, count * sizeof *found);
    nf_assert(self->labels);
    NF_TRY(head->kind->decode(head, pass, step, found, err));
    for (size_t s = 0; s < count; s++)
        NF_TRY(nf_evaluation_add(&self->evaluation, self->labels->types, &found[s], err));
    return NERFIT_OK;
}

/* [n_layers + 1] places of [N, C]. */
static nf_values **layer_places(const nf_encoder *encoder, const nf_pass *pass, bool zero,
                                nf_arena *arena) {
    size_t cells = (size_t)pass->sequences.n_tokens * encoder->hidden;
    nf_values **out = nf_arena_calloc(arena, encoder->n_layers + 1, sizeof *out);
    for (size_t i = 0; out && i <= encoder->n_layers; i++) {
        out[i] = nf_workspace_reals(pass->ws, cells);
        if (out[i] && zero) pass->be->zero(pass->be, out[i], cells);
    }
    return nf_workspace_failed(pass->ws) ? NULL : out;
}

/* The encoder for a head that reads its layers' outputs, which a team does not keep. */
static nerfit_status layers_forward(const nf_encoder *encoder, const nf_pass *pass,
                                    nf_head_step *step, nf_values *hidden,
                                    nf_encoder_saved *saved) {
    step->layers = layer_places(encoder, pass, false, step->arena);
    step->dlayers = pass->keep ? layer_places(encoder, pass, true, step->arena) : NULL;
    if (!step->layers || (pass->keep && !step->dlayers)) return NERFIT_NO_MEMORY;
    return nf_encoder_forward(encoder, pass, hidden, saved, step->layers);
}

static nerfit_status run_head(head_task *self, nf_pass *pass, nf_head_step *step, double *loss,
                              nerfit_error *err) {
    const nf_model *model = self->task.model;
    const nf_head *head = trained_head(model);
    size_t cells = (size_t)pass->sequences.n_tokens * model->encoder.hidden;
    *loss = 0.0;
    if (step->batch->whole.counted == 0.0) return NERFIT_OK; /* nothing to learn */
    NF_TRY(head->kind->prepare(head, pass, step, err));
    if (step->n == 0) return NERFIT_OK;
    nf_encoder_saved saved = {.layers = self->saved};
    nf_values *hidden = nf_workspace_reals(pass->ws, cells);
    bool layers = head->kind->reads_layers && head->kind->reads_layers(head);
    nerfit_status status = nf_workspace_failed(pass->ws) ? NERFIT_NO_MEMORY : NERFIT_OK;
    if (status == NERFIT_OK)
        status = layers ? layers_forward(&model->encoder, pass, step, hidden, &saved)
                        : nf_team_encoder_forward(&model->encoder, pass, hidden, &saved);
    if (status != NERFIT_OK) return nf_pass_failed(pass, err);
    NF_TRY(head->kind->loss(head, pass, step, hidden, loss, err));
    if (!pass->keep) return head->kind->decode ? add_found(self, head, pass, step, err) : NERFIT_OK;
    NF_TRY(head->kind->gradient(head, pass, step, hidden, err));
    status = layers ? nf_encoder_backward(&model->encoder, pass, hidden, &saved, step->dlayers)
                    : nf_team_encoder_backward(&model->encoder, pass, hidden, &saved);
    return status == NERFIT_OK ? NERFIT_OK : nf_pass_failed(pass, err);
}

static nerfit_status head_task_run(nf_task *task, nf_pass *pass, const nf_head_batch *batch,
                                   double *loss, nerfit_error *err) {
    head_task *self = (head_task *)task;
    nf_arena arena = {0};
    nf_head_step step = {.batch = batch,
                         .arena = &arena,
                         .smoothing = self->smoothing,
                         .decoding = &task->model->decoding};
    nerfit_status status = run_head(self, pass, &step, loss, err);
    nf_arena_free(&arena);
    return status;
}

static nerfit_status head_task_metrics(nf_task *task, json_t *metrics, nerfit_error *err) {
    return nf_evaluation_metrics(&((head_task *)task)->evaluation, metrics, err);
}

nerfit_status nf_task_new(nf_task **out, nf_model *model, const nf_label_set *labels,
                          const nf_examples *train, const nf_examples *validation, double smoothing,
                          nerfit_error *err) {
    *out = NULL;
    const nf_head *head = trained_head(model);
    head_task *self = calloc(1, sizeof *self);
    if (!self) return nf_no_memory(err, sizeof *self);
    self->task = (nf_task){.name = nf_head_objective(head),
                           .model = model,
                           .train = train,
                           .validation = validation,
                           .measure = head_task_measure,
                           .run = head_task_run,
                           .one_pass = !nf_model_reads_labels(model->kind),
                           .free = head_task_free};
    if (head->kind->decode) {
        self->task.evaluation = &self->evaluation;
        self->task.metrics = head_task_metrics;
    }
    self->labels = labels;
    self->smoothing = smoothing;
    self->saved = calloc(model->encoder.n_layers + 1, sizeof *self->saved);
    if (!self->saved) {
        head_task_free(&self->task);
        return nf_no_memory(err, (model->encoder.n_layers + 1) * sizeof *self->saved);
    }
    *out = &self->task;
    return NERFIT_OK;
}
