#include "heads/contrastive_head.h"

#include <math.h>

enum { STREAM_PROJECTION = 2, STREAM_PROJECTION_BIAS = 3 };

typedef struct contrastive_head {
    nf_head head;
    nf_linear *linear;
} contrastive_head;

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

static const nf_head_kind contrastive = {.name = "contrastive",
                                         .width = projection_width,
                                         .forward = projection_forward,
                                         .backward = projection_backward};

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
