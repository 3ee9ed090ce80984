#include <math.h>
#include <stdlib.h>

#include "model/team.h"
#include "train/task.h"

typedef struct contrastive {
    nf_task task;
    nf_values *embeddings; /* [n_types, size] in the backend's memory */
    size_t size;
    nf_layer_kept *kept; /* [n_layers] */
} contrastive;

static void task_free(nf_task *task) {
    contrastive *c = (contrastive *)task;
    nf_backend *be = task->model->net.be;
    if (c->embeddings) be->memory_free(be, c->embeddings);
    free(c->kept);
    free(c);
}

/* The entities of the batch in the backend's memory. */
static nerfit_status load_entities(nf_pass *pass, const nf_example *const *batch, size_t count,
                                   nf_entities *out, nerfit_error *err) {
    size_t n = 0;
    for (size_t s = 0; s < count; s++) n += batch[s]->n_entities;
    int32_t *host = malloc((count + 1 + 3 * n) * sizeof *host);
    if (!host) return nf_no_memory(err, n);
    int32_t *cu = host, *types = cu + count + 1, *starts = types + n, *ends = starts + n;
    size_t e = 0;
    for (size_t s = 0; s < count; s++) {
        cu[s] = (int32_t)e;
        for (size_t i = 0; i < batch[s]->n_entities; i++, e++) {
            types[e] = batch[s]->entities[i].type;
            starts[e] = (int32_t)batch[s]->entities[i].start;
            ends[e] = (int32_t)batch[s]->entities[i].end;
        }
    }
    cu[count] = (int32_t)e;
    *out = (nf_entities){.cu_entities = nf_workspace_ints(pass->ws, cu, count + 1),
                         .types = nf_workspace_ints(pass->ws, types, n),
                         .starts = nf_workspace_ints(pass->ws, starts, n),
                         .ends = nf_workspace_ints(pass->ws, ends, n),
                         .n_entities = (int32_t)n};
    free(host);
    return nf_workspace_failed(pass->ws) ? nf_no_memory(err, 0) : NERFIT_OK;
}

/* Pairs of an entity and a token of its text. */
static double task_measure(const nf_task *task, const nf_example *const *texts, size_t count) {
    double pairs = 0.0;
    (void)task;
    for (size_t s = 0; s < count; s++)
        pairs += (double)texts[s]->n_entities * (double)texts[s]->length;
    return pairs;
}

static nerfit_status task_run(nf_task *task, nf_pass *pass, const nf_task_batch *batch,
                              double *loss, nerfit_error *err) {
    contrastive *self = (contrastive *)task;
    const nf_model *model = task->model;
    nf_backend *be = pass->be;
    const nf_extent *whole = &batch->whole;
    *loss = 0.0;
    if (whole->counted == 0.0) return NERFIT_OK; /* no text has an entity: nothing to learn */

    nf_entities entities;
    NF_TRY(load_entities(pass, batch->texts, batch->count, &entities, err));
    size_t n = (size_t)pass->sequences.n_tokens, c = model->encoder.hidden, p = self->size;
    nf_values *hidden = nf_workspace_reals(pass->ws, n * c);
    nf_values *projected = nf_workspace_reals(pass->ws, n * p);
    nf_values *z = nf_workspace_reals(pass->ws, n * p);
    nf_values *norms = nf_workspace_reals(pass->ws, n);
    nf_values *dz = nf_workspace_reals(pass->ws, n * p);
    if (nf_workspace_failed(pass->ws)) return nf_no_memory(err, 0);

    nf_encoder_kept kept = {.layers = self->kept};
    nf_head_saved projection_kept;
    if (nf_team_encoder_forward(&model->encoder, pass, hidden, &kept) != NERFIT_OK ||
        nf_head_forward(model->learner, pass, projected, hidden, n, &projection_kept) != NERFIT_OK)
        return nf_no_memory(err, 0);
    be->normalize_forward(be, z, norms, projected, n, p);
    entities.embeddings = self->embeddings;
    entities.size = p;
    double sum = be->contrastive_loss(be, pass->keep ? dz : NULL, z, &pass->sequences, &entities,
                                      batch->grad_scale / whole->counted);
    /* the padded pairs of the original's rectangle, this part's texts of it */
    double padded = (double)batch->count * whole->most_entities * whole->longest -
                    task_measure(task, batch->texts, batch->count);
    *loss = (sum + padded * log(2.0)) / whole->counted;
    if (!pass->keep) return NERFIT_OK;

    be->normalize_backward(be, dz, dz, z, norms, n, p);
    if (nf_head_backward(model->learner, pass, hidden, dz, n, &projection_kept) != NERFIT_OK ||
        nf_team_encoder_backward(&model->encoder, pass, hidden, &kept) != NERFIT_OK)
        return nf_no_memory(err, 0);
    return NERFIT_OK;
}

nerfit_status nf_task_contrastive(nf_task **out, nf_model *model, const nf_examples *train,
                                  const nf_examples *validation, const float *embeddings,
                                  size_t n_types, size_t size, nerfit_error *err) {
    *out = NULL;
    contrastive *c = calloc(1, sizeof *c);
    if (!c) return nf_no_memory(err, sizeof *c);
    nf_backend *be = model->net.be;
    c->task = (nf_task){.name = "contrastive",
                        .model = model,
                        .train = train,
                        .validation = validation,
                        .measure = task_measure,
                        .run = task_run,
                        .free = task_free};
    c->size = size;
    c->kept = calloc(model->encoder.n_layers + 1, sizeof *c->kept);
    c->embeddings = be->memory_new(be, n_types * size * be->real_size);
    if (!c->kept || !c->embeddings) {
        task_free(&c->task);
        return nf_no_memory(err, n_types * size * be->real_size);
    }
    be->from_f32(be, c->embeddings, embeddings, n_types * size);
    *out = &c->task;
    return NERFIT_OK;
}
