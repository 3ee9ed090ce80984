#include "heads/contrastive_head.h"

#include <math.h>

enum { STREAM_PROJECTION = 2, STREAM_PROJECTION_BIAS = 3 };

typedef struct contrastive_head {
    nf_head head;
    nf_linear *linear;
    nf_values *embeddings; /* [n_types, size] in the backend's memory */
} contrastive_head;

/* What is kept of a batch between its loss and its gradient. */
typedef struct contrastive_step {
    nf_entities entities;
    nf_values *z, *norms; /* [N, size], [N]: the projections with unit norm */
} contrastive_step;

static size_t projection_width(const nf_head *head) {
    return ((const contrastive_head *)head)->linear->out;
}

static nerfit_status projection_forward(const nf_head *head, const nf_pass *pass, nf_values *y,
                                        const nf_values *x, size_t n, nf_head_saved *saved) {
    nf_pass rows = nf_head_rows(pass, n);
    return nf_linear_forward(((const contrastive_head *)head)->linear, &rows, y, NULL, x,
                             NF_ACTIVATION_NONE, &saved->linear);
}

static nerfit_status projection_backward(const nf_head *head, const nf_pass *pass, nf_values *dx,
                                         nf_values *dy, size_t n, const nf_head_saved *saved) {
    nf_pass rows = nf_head_rows(pass, n);
    return nf_linear_backward(((const contrastive_head *)head)->linear, &rows, dx, dy,
                              &saved->linear, false);
}

/* ---------------------------------------------------------------- the loss */

/* What the pairs of an entity and a token of this text weigh (nf_entities). */
static double weight_of_pairs(const nf_example *text) {
    if (!text->weights) return (double)text->n_entities * (double)text->length;
    double sum = 0.0;
    for (size_t e = 0; e < text->n_entities; e++)
        for (size_t t = 0; t < text->length; t++) {
            bool inside = t >= text->entities[e].start && t < text->entities[e].end;
            sum += (inside ? 1.0 : (double)text->entity_weights[e]) * (double)text->weights[t];
        }
    return sum;
}

/* Pairs of an entity and a token of its text, by weight. */
static double contrastive_measure(const nf_head *head, const nf_example *const *texts,
                                  size_t count) {
    double pairs = 0.0;
    (void)head;
    for (size_t s = 0; s < count; s++) pairs += weight_of_pairs(texts[s]);
    return pairs;
}

/* The padded pairs of the original's rectangle, this part's texts of it, by their texts' weights. */
static double weight_of_padding(const nf_head_batch *batch) {
    double rectangle = batch->whole.most_entities * batch->whole.longest, sum = 0.0;
    for (size_t s = 0; s < batch->count; s++) {
        const nf_example *text = batch->texts[s];
        double pairs = (double)text->n_entities * (double)text->length;
        sum += (text->weights ? (double)text->text_weight : 1.0) * (rectangle - pairs);
    }
    return sum;
}

/* The weights of entities and tokens, if any is not 1. */
static nerfit_status load_weights(const nf_pass *pass, const nf_head_step *step, nf_entities *out,
                                  nerfit_error *err) {
    const nf_head_batch *batch = step->batch;
    size_t n = step->n, n_entities = (size_t)out->n_entities, e = 0, t = 0;
    bool weighted = false;
    for (size_t s = 0; s < batch->count; s++) weighted |= batch->texts[s]->weights != NULL;
    if (!weighted) return NERFIT_OK;
    float *host = nf_arena_alloc(step->arena, (n_entities + n) * sizeof *host + 1);
    nf_values *weights = nf_workspace_reals(pass->ws, n_entities);
    nf_values *of_tokens = nf_workspace_reals(pass->ws, n);
    if (!host || nf_workspace_failed(pass->ws)) return nf_no_memory(err, n * sizeof *host);
    for (size_t s = 0; s < batch->count; s++) {
        const nf_example *text = batch->texts[s];
        for (size_t i = 0; i < text->n_entities; i++)
            host[e++] = text->weights ? text->entity_weights[i] : 1.0f;
        for (size_t i = 0; i < text->length; i++)
            host[n_entities + t++] = text->weights ? text->weights[i] : 1.0f;
    }
    pass->be->from_f32(pass->be, weights, host, n_entities);
    pass->be->from_f32(pass->be, of_tokens, host + n_entities, n);
    out->weights = weights;
    out->token_weights = of_tokens;
    return NERFIT_OK;
}

/* The entities of the batch in the backend's memory. */
static nerfit_status load_entities(const nf_pass *pass, const nf_head_step *step, nf_entities *out,
                                   nerfit_error *err) {
    const nf_head_batch *batch = step->batch;
    size_t n = 0, count = batch->count;
    for (size_t s = 0; s < count; s++) n += batch->texts[s]->n_entities;
    size_t size = (count + 1 + 3 * n) * sizeof(int32_t);
    int32_t *host = nf_arena_alloc(step->arena, size);
    if (!host) return nf_no_memory(err, size);
    int32_t *cu = host, *types = cu + count + 1, *starts = types + n, *ends = starts + n;
    size_t e = 0;
    for (size_t s = 0; s < count; s++) {
        cu[s] = (int32_t)e;
        for (size_t i = 0; i < batch->texts[s]->n_entities; i++, e++) {
            const nf_entity *entity = &batch->texts[s]->entities[i];
            types[e] = entity->type;
            starts[e] = (int32_t)entity->start;
            ends[e] = (int32_t)entity->end;
        }
    }
    cu[count] = (int32_t)e;
    *out = (nf_entities){.cu_entities = nf_workspace_ints(pass->ws, cu, count + 1),
                         .types = nf_workspace_ints(pass->ws, types, n),
                         .starts = nf_workspace_ints(pass->ws, starts, n),
                         .ends = nf_workspace_ints(pass->ws, ends, n),
                         .n_entities = (int32_t)n};
    return nf_workspace_check(pass->ws, err);
}

static nerfit_status contrastive_prepare(const nf_head *head, const nf_pass *pass,
                                         nf_head_step *step, nerfit_error *err) {
    contrastive_step *own = step->own = nf_arena_calloc(step->arena, 1, sizeof *own);
    if (!own) return nf_no_memory(err, sizeof *own);
    step->n = (size_t)pass->sequences.n_tokens;
    NF_TRY(load_entities(pass, step, &own->entities, err));
    NF_TRY(load_weights(pass, step, &own->entities, err));
    own->entities.embeddings = ((const contrastive_head *)head)->embeddings;
    own->entities.size = projection_width(head);
    return NERFIT_OK;
}

static nerfit_status contrastive_loss(const nf_head *head, const nf_pass *pass, nf_head_step *step,
                                      const nf_values *x, double *loss, nerfit_error *err) {
    contrastive_step *own = step->own;
    const nf_head_batch *batch = step->batch;
    const nf_extent *whole = &batch->whole;
    nf_backend *be = pass->be;
    size_t n = step->n, p = projection_width(head);
    NF_TRY(nf_head_step_forward(head, pass, step, x, err));
    own->z = nf_workspace_reals(pass->ws, n * p);
    own->norms = nf_workspace_reals(pass->ws, n);
    NF_TRY(nf_workspace_check(pass->ws, err));
    be->normalize_forward(be, own->z, own->norms, step->y, n, p);
    double sum = be->contrastive_loss(be, step->dy, own->z, &pass->sequences, &own->entities,
                                      batch->grad_scale / whole->counted);
    *loss = (sum + weight_of_padding(batch) * log(2.0)) / whole->counted;
    return NERFIT_OK;
}

static nerfit_status contrastive_gradient(const nf_head *head, const nf_pass *pass,
                                          nf_head_step *step, nf_values *dx, nerfit_error *err) {
    const contrastive_step *own = step->own;
    pass->be->normalize_backward(pass->be, step->dy, step->dy, own->z, own->norms, step->n,
                                 projection_width(head));
    return nf_head_step_backward(head, pass, step, dx, err);
}

static void contrastive_release(nf_head *head) {
    contrastive_head *self = (contrastive_head *)head;
    if (self->embeddings) head->net->be->memory_free(head->net->be, self->embeddings);
    self->embeddings = NULL;
}

static const nf_head_kind contrastive = {.name = "contrastive",
                                         .width = projection_width,
                                         .forward = projection_forward,
                                         .backward = projection_backward,
                                         .measure = contrastive_measure,
                                         .prepare = contrastive_prepare,
                                         .loss = contrastive_loss,
                                         .gradient = contrastive_gradient,
                                         .release = contrastive_release};

nerfit_status nf_contrastive_head_set_types(nf_head *head, const float *embeddings, size_t n_types,
                                            nerfit_error *err) {
    contrastive_head *self = (contrastive_head *)head;
    nf_backend *be = head->net->be;
    size_t cells = n_types * projection_width(head);
    contrastive_release(head);
    self->embeddings = be->memory_new(be, cells * be->real_size);
    if (!self->embeddings) return nf_no_memory(err, cells * be->real_size);
    be->from_f32(be, self->embeddings, embeddings, cells);
    return NERFIT_OK;
}

nerfit_status nf_contrastive_head_new(nf_head **out, nf_network *net, size_t hidden, size_t size,
                                      uint64_t seed, nerfit_error *err) {
    contrastive_head *self = nf_arena_calloc(&net->arena, 1, sizeof *self);
    nf_linear *linear = nf_linear_new(net, "projection_layer", hidden, size, true);
    if (!self || !linear) return nf_no_memory(err, hidden * size);
    *self = (contrastive_head){.head = {.kind = &contrastive, .net = net, .hidden = hidden},
                               .linear = linear};
    nf_head_own_linear(&self->head, linear);
    nf_head_train(&self->head, true);
    *out = &self->head;
    double bound = 1.0 / sqrt((double)hidden);
    NF_TRY(nf_parameter_uniform(net, linear->weight, bound, seed, STREAM_PROJECTION, err));
    return nf_parameter_uniform(net, linear->bias, bound, seed, STREAM_PROJECTION_BIAS, err);
}

nf_linear *nf_contrastive_head_linear(const nf_head *head) {
    return head && head->kind == &contrastive ? ((const contrastive_head *)head)->linear : NULL;
}
