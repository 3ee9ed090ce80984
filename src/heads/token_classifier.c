#include "heads/token_classifier.h"

#include "heads/label_rows.h"

enum { STREAM_CLASSIFIER = 1, STREAM_FEATURES = 4 };

static const nf_token_classifier *classifier_of(const nf_head *head) {
    return (const nf_token_classifier *)head; /* its first member */
}

static size_t classifier_width(const nf_head *head) {
    return classifier_of(head)->linear->out;
}

static nerfit_status classifier_forward(const nf_head *head, const nf_pass *pass, nf_values *logits,
                                        const nf_values *x, size_t n, nf_head_saved *saved) {
    const nf_token_classifier *self = classifier_of(head);
    nf_pass rows = nf_head_rows(pass, n);
    nf_values *dropped = nf_workspace_reals(pass->ws, n * head->hidden);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    if (self->features) {
        NF_TRY(nf_features_forward(self->features, pass, dropped, x, n, saved));
        x = dropped;
    }
    nf_head_dropout(head, pass, dropped, x, n);
    return nf_linear_forward(self->linear, &rows, logits, NULL, dropped, NF_ACTIVATION_NONE,
                             &saved->linear);
}

static nerfit_status classifier_backward(const nf_head *head, const nf_pass *pass, nf_values *dx,
                                         nf_values *dlogits, size_t n, const nf_head_saved *saved) {
    const nf_token_classifier *self = classifier_of(head);
    nf_pass rows = nf_head_rows(pass, n);
    nf_values *inner = self->features ? nf_workspace_reals(pass->ws, n * head->hidden) : dx;
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_linear_backward(self->linear, &rows, inner, dlogits, &saved->linear, false));
    nf_head_dropout(head, pass, inner, inner, n);
    return self->features ? nf_features_backward(self->features, pass, dx, inner, n, saved)
                          : NERFIT_OK;
}

/* ---------------------------------------------------------------- loss, decoding */

static double classifier_measure(const nf_head *head, const nf_example *const *texts,
                                 size_t count) {
    (void)head;
    return nf_label_rows_measure(NF_ROWS_TOKENS, texts, count);
}

/* step->own: nf_label_rows. */
static nerfit_status classifier_prepare(const nf_head *head, const nf_pass *pass,
                                        nf_head_step *step, nerfit_error *err) {
    nf_label_rows *rows = step->own = nf_arena_alloc(step->arena, sizeof *rows);
    if (!rows) return nf_no_memory(err, sizeof *rows);
    return nf_label_rows_make(rows, NF_ROWS_TOKENS, classifier_width(head), pass, step, err);
}

static nerfit_status classifier_loss(const nf_head *head, const nf_pass *pass, nf_head_step *step,
                                     const nf_values *x, double *loss, nerfit_error *err) {
    NF_TRY(nf_head_step_forward(head, pass, step, x, err));
    *loss = nf_head_label_loss(pass, step);
    return NERFIT_OK;
}

/* Each sub-word takes its most probable label, as the original's evaluations have it. */
static nerfit_status classifier_decode(const nf_head *head, const nf_pass *pass, nf_head_step *step,
                                       nf_head_found *found, nerfit_error *err) {
    size_t l = classifier_width(head), n = step->n;
    float *values = nf_arena_alloc(step->arena, n * l * sizeof *values + 1);
    int32_t *gold = nf_arena_alloc(step->arena, 2 * n * sizeof *gold + 1), *predicted = gold + n;
    if (!values || !gold) return nf_no_memory(err, n * l * sizeof *values);
    pass->be->to_f32(pass->be, values, step->y, n * l);
    size_t row = 0;
    for (size_t s = 0; s < step->batch->count; s++) {
        const nf_example *text = step->batch->texts[s];
        const int32_t *allowed = nf_label_rows_allowed(step->own, row);
        size_t kept = 0;
        for (size_t i = 0; i < text->length; i++, row++, values += l) {
            if (text->labels[i] == NF_LABEL_IGNORED) continue;
            int32_t best = NF_LABEL_O; /* which is always allowed */
            for (size_t k = 1; k < l; k++)
                if (values[k] > values[best] && (!allowed || allowed[k])) best = (int32_t)k;
            gold[kept] = text->labels[i];
            predicted[kept++] = best;
        }
        if (!nf_head_found_labels(&found[s], step->arena, gold, predicted, kept))
            return nf_no_memory(err, kept * sizeof(nf_entity));
    }
    return NERFIT_OK;
}

static const nf_head_kind token_classifier = {.name = "token classification",
                                              .width = classifier_width,
                                              .forward = classifier_forward,
                                              .backward = classifier_backward,
                                              .measure = classifier_measure,
                                              .prepare = classifier_prepare,
                                              .loss = classifier_loss,
                                              .gradient = nf_head_step_backward,
                                              .decode = classifier_decode};

nf_head *nf_token_classifier_new(nf_network *net, size_t hidden, size_t n_labels,
                                 nf_features *features, const double *dropout, uint32_t stream) {
    nf_token_classifier *self = nf_arena_calloc(&net->arena, 1, sizeof *self);
    nf_linear *linear = nf_linear_new(net, "classifier", hidden, n_labels, true);
    if (!self || !linear) return NULL;
    *self = (nf_token_classifier){.head = {.kind = &token_classifier,
                                           .net = net,
                                           .hidden = hidden,
                                           .dropout = dropout,
                                           .stream = stream},
                                  .linear = linear,
                                  .features = features};
    nf_head_own_linear(&self->head, linear);
    if (features) {
        nf_head_own_linear(&self->head, features->dense);
        nf_head_own(&self->head, features->norm.weight);
        nf_head_own(&self->head, features->norm.bias);
    }
    return &self->head;
}

nerfit_status nf_token_classifier_start(nf_head *head, const nf_safetensors *weights, double sd,
                                        uint64_t seed, nerfit_error *err) {
    const nf_token_classifier *self = classifier_of(head);
    if (self->features)
        NF_TRY(nf_features_start(self->features, head->net, weights, seed, STREAM_FEATURES, err));
    NF_TRY(nf_parameter_normal(head->net, self->linear->weight, sd, seed, STREAM_CLASSIFIER, err));
    return nf_parameter_constant(head->net, self->linear->bias, 0.0f, err);
}

nf_linear *nf_token_classifier_linear(const nf_head *head) {
    return head && head->kind == &token_classifier ? classifier_of(head)->linear : NULL;
}

nf_features *nf_token_classifier_features(const nf_head *head) {
    return head && head->kind == &token_classifier ? classifier_of(head)->features : NULL;
}
