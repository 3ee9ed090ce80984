#include "heads/description_head.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "heads/token_classifier.h"
#include "labels/bio.h"

enum { OUTSIDE, BEGIN, INSIDE, SHARED }; /* rows of the shared part: o, u_B, u_I */
enum { STREAM_SHARED = 0x4445534331, STREAM_PROJECTION, STREAM_TYPES };
static const char PREFIX[] = "description_head.";
static const double SD = 0.02;

/* ---------------------------------------------------------------- columns */

static void fill_layout(float *m, size_t types) {
    size_t width = types + SHARED;
    memset(m, 0, (2 * types + 1) * width * sizeof *m);
    m[types + OUTSIDE] = 1.0f;
    for (size_t k = 0; k < types; k++)
        for (size_t kind = BEGIN; kind <= INSIDE; kind++) {
            float *row = m + (2 * k + kind) * width;
            row[k] = row[types + kind] = 1.0f;
        }
}

static void fill_vectors(float *out, const float *vectors, size_t types, size_t size) {
    for (size_t k = 0; k < types; k++) {
        double squares = 0.0;
        for (size_t i = 0; i < size; i++)
            squares += (double)vectors[k * size + i] * (double)vectors[k * size + i];
        double scale = squares > 0.0 ? 1.0 / sqrt(squares) : 0.0;
        for (size_t i = 0; i < size; i++)
            out[k * size + i] = (float)((double)vectors[k * size + i] * scale);
    }
}

nerfit_status nf_type_columns_make(nf_type_columns *out, nf_backend *be, const float *vectors,
                                   size_t types, size_t size, nerfit_error *err) {
    size_t cells = (2 * types + 1) * (types + SHARED), values = types * size;
    *out = (nf_type_columns){.n_types = types};
    float *host = malloc((cells > values ? cells : values) * sizeof *host + 1);
    out->layout = be->memory_new(be, cells * be->real_size);
    out->vectors = values ? be->memory_new(be, values * be->real_size) : NULL;
    if (!host || !out->layout || (values && !out->vectors)) {
        free(host);
        nf_type_columns_free(out, be);
        return nf_no_memory(err, cells * be->real_size);
    }
    fill_layout(host, types);
    be->from_f32(be, out->layout, host, cells);
    if (values) {
        fill_vectors(host, vectors, types, size);
        be->from_f32(be, out->vectors, host, values);
    }
    free(host);
    return NERFIT_OK;
}

void nf_type_columns_free(nf_type_columns *columns, nf_backend *be) {
    if (columns->vectors) be->memory_free(be, columns->vectors);
    if (columns->layout) be->memory_free(be, columns->layout);
    *columns = (nf_type_columns){0};
}

/* ---------------------------------------------------------------- parameters */

static nf_parameter *parameter(nf_description_head *head, const char *name, int n_dims, size_t rows,
                               size_t cols, nf_group group) {
    char path[64];
    strcpy(path, PREFIX);
    strcat(path, name);
    nf_parameter *p = nf_network_parameter(head->head.net, path, n_dims, rows, cols, n_dims == 2);
    if (!p) return NULL;
    nf_head_own(&head->head, p);
    p->group = group;
    p->trained = true;
    return p;
}

static nerfit_status fill_identity(nf_network *net, nf_parameter *p, nerfit_error *err) {
    float *values = calloc(nf_parameter_count(p) + 1, sizeof *values);
    if (!values) return nf_no_memory(err, nf_parameter_count(p) * sizeof *values);
    for (size_t i = 0; i < p->rows; i++) values[i * p->cols + i] = 1.0f;
    nerfit_status status = nf_parameter_fill(net, p, values, err);
    free(values);
    return status;
}

static const nf_head_kind description;

nerfit_status nf_description_head_new(nf_head **out, nf_network *net, size_t c, size_t size,
                                      bool identity, const double *dropout, uint64_t seed,
                                      nerfit_error *err) {
    nf_description_head *head = nf_arena_calloc(&net->arena, 1, sizeof *head);
    if (!head) return nf_no_memory(err, sizeof *head);
    *head = (nf_description_head){.head = {.kind = &description,
                                           .net = net,
                                           .hidden = c,
                                           .dropout = dropout,
                                           .stream = nf_network_dropout_stream(net),
                                           .objective = "description contrastive"},
                                  .size = size};
    head->columns = &head->own;
    NF_TRY(nf_decoder_new(&head->decoder, err));
    head->shared = parameter(head, "shared", 2, SHARED, c, NF_GROUP_HEAD);
    head->shared_bias = parameter(head, "shared_bias", 1, 1, SHARED, NF_GROUP_HEAD);
    if (!head->shared || !head->shared_bias) return nf_no_memory(err, 0);
    NF_TRY(nf_parameter_normal(net, head->shared, SD, seed, STREAM_SHARED, err));
    NF_TRY(nf_parameter_constant(net, head->shared_bias, 0.0f, err));
    *out = &head->head;
    if (size == 0) return NERFIT_OK;
    head->projection = parameter(head, "projection", 2, size, c, NF_GROUP_PROJECTION);
    if (!head->projection) return nf_no_memory(err, 0);
    return identity ? fill_identity(net, head->projection, err)
                    : nf_parameter_normal(net, head->projection, 1.0 / sqrt((double)c), seed,
                                          STREAM_PROJECTION, err);
}

nerfit_status nf_description_head_add_types(nf_description_head *head, size_t n_types,
                                            const float *vectors, const nf_features *features,
                                            uint64_t seed, nerfit_error *err) {
    nf_network *net = head->head.net;
    nf_type_columns_free(&head->own, net->be);
    NF_TRY(nf_type_columns_make(&head->own, net->be, vectors, n_types, head->size, err));
    head->features = features;
    head->head.objective = "word classification";
    head->types = parameter(head, "types", 2, n_types, head->head.hidden, NF_GROUP_HEAD);
    head->type_bias = parameter(head, "type_bias", 1, 1, n_types, NF_GROUP_HEAD);
    head->transitions = parameter(head, "transitions", 1, 1, NF_TRANSITION_COUNT, NF_GROUP_DECODER);
    if (!head->types || !head->type_bias || !head->transitions) return nf_no_memory(err, 0);
    NF_TRY(head->size ? nf_parameter_constant(net, head->types, 0.0f, err)
                      : nf_parameter_normal(net, head->types, SD, seed, STREAM_TYPES, err));
    NF_TRY(nf_parameter_constant(net, head->type_bias, 0.0f, err));
    return nf_parameter_constant(net, head->transitions, 0.0f, err);
}

nerfit_status nf_description_head_weigh_outside(nf_description_head *head, nerfit_error *err) {
    enum { USUAL = 16 };
    double bias[SHARED];
    nf_backend *be = head->head.net->be;
    if (head->own.n_types == 0) return NERFIT_OK;
    be->to_f64(be, bias, head->shared_bias->values, SHARED);
    bias[OUTSIDE] -= log((double)head->own.n_types / USUAL);
    be->from_f64(be, head->shared_bias->values, bias, SHARED);
    return nf_backend_check(be, err);
}

static void description_release(nf_head *head) {
    nf_description_head *self = (nf_description_head *)head;
    nf_type_columns_free(&self->own, head->net->be);
    nf_decoder_free(self->decoder);
    self->decoder = NULL;
}

/* ---------------------------------------------------------------- forward, backward */

/* V [T+3,C] = [r + E P; o; u_B; u_I] */
static void make_vectors(const nf_description_head *head, nf_backend *be, nf_values *vectors) {
    const nf_type_columns *columns = head->columns;
    size_t t = columns->n_types, c = head->head.hidden;
    if (head->types)
        be->copy(be, vectors, head->types->values, t * c);
    else
        be->zero(be, vectors, t * c);
    if (head->projection)
        be->matmul(
            be, vectors, columns->vectors, head->projection->values,
            &(nf_product){.m = t, .n = c, .k = head->size, .alpha = 1.0, .accumulate = true});
    be->copy(be, nf_at(be, vectors, t * c), head->shared->values, SHARED * c);
}

/* b [T+3] = [c; b_O; c_B; c_I] */
static void make_bias(const nf_description_head *head, nf_backend *be, nf_values *bias) {
    size_t t = head->columns->n_types;
    if (head->type_bias)
        be->copy(be, bias, head->type_bias->values, t);
    else
        be->zero(be, bias, t);
    be->copy(be, nf_at(be, bias, t), head->shared_bias->values, SHARED);
}

static nerfit_status description_forward(const nf_head *base, const nf_pass *pass,
                                         nf_values *logits, const nf_values *x, size_t n,
                                         nf_head_saved *saved) {
    const nf_description_head *head = (const nf_description_head *)base;
    const nf_type_columns *columns = head->columns;
    nf_backend *be = pass->be;
    size_t width = columns->n_types + SHARED, c = base->hidden, l = 2 * columns->n_types + 1;
    nf_values *h = nf_workspace_reals(pass->ws, n * c);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    if (head->features) {
        NF_TRY(nf_features_forward(head->features, pass, h, x, n, saved));
        x = h;
    }
    nf_head_dropout(base, pass, h, x, n);
    saved->h = h;
    saved->vectors = nf_workspace_reals(pass->ws, width * c);
    saved->scores = nf_workspace_reals(pass->ws, n * width);
    nf_values *bias = nf_workspace_reals(pass->ws, width);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    make_vectors(head, be, saved->vectors);
    make_bias(head, be, bias);
    be->matmul(be, saved->scores, h, saved->vectors,
               &(nf_product){.m = n, .n = width, .k = c, .trans_b = true, .alpha = 1.0});
    be->add_rows(be, saved->scores, bias, n, width);
    be->matmul(be, logits, saved->scores, columns->layout,
               &(nf_product){.m = n, .n = l, .k = width, .trans_b = true, .alpha = 1.0});
    return NERFIT_OK;
}

/* Adds the gradients of the head's own parameters; dh [N,C] that of h. */
static nerfit_status scores_backward(const nf_description_head *head, const nf_pass *pass,
                                     nf_values *dh, const nf_values *dlogits, size_t n,
                                     const nf_head_saved *kept) {
    const nf_type_columns *columns = head->columns;
    nf_backend *be = pass->be;
    size_t t = columns->n_types, width = t + SHARED, c = head->head.hidden, l = 2 * t + 1;
    nf_values *dscores = nf_workspace_reals(pass->ws, n * width);
    nf_values *dvectors = nf_workspace_reals(pass->ws, width * c);
    nf_values *dbias = nf_workspace_reals(pass->ws, width);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    be->matmul(be, dscores, dlogits, columns->layout,
               &(nf_product){.m = n, .n = width, .k = l, .alpha = 1.0});
    be->matmul(be, dh, dscores, kept->vectors,
               &(nf_product){.m = n, .n = c, .k = width, .alpha = 1.0});
    be->matmul(be, dvectors, dscores, kept->h,
               &(nf_product){.m = width, .n = c, .k = n, .trans_a = true, .alpha = 1.0});
    be->zero(be, dbias, width);
    be->column_sums(be, dbias, dscores, n, width);
    if (head->types && head->types->grad) be->axpy(be, head->types->grad, 1.0, dvectors, t * c);
    if (head->type_bias && head->type_bias->grad)
        be->axpy(be, head->type_bias->grad, 1.0, dbias, t);
    if (head->projection && head->projection->grad)
        be->matmul(be, head->projection->grad, columns->vectors, dvectors,
                   &(nf_product){.m = head->size,
                                 .n = c,
                                 .k = t,
                                 .trans_a = true,
                                 .alpha = 1.0,
                                 .accumulate = true});
    if (head->shared->grad)
        be->axpy(be, head->shared->grad, 1.0, nf_at(be, dvectors, t * c), SHARED * c);
    if (head->shared_bias->grad)
        be->axpy(be, head->shared_bias->grad, 1.0, nf_at(be, dbias, t), SHARED);
    return NERFIT_OK;
}

static nerfit_status description_backward(const nf_head *base, const nf_pass *pass, nf_values *dx,
                                          nf_values *dlogits, size_t n,
                                          const nf_head_saved *saved) {
    const nf_description_head *head = (const nf_description_head *)base;
    nf_values *dh = head->features ? nf_workspace_reals(pass->ws, n * base->hidden) : dx;
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(scores_backward(head, pass, dh, dlogits, n, saved));
    nf_head_dropout(base, pass, dh, dh, n);
    return head->features ? nf_features_backward(head->features, pass, dx, dh, n, saved)
                          : NERFIT_OK;
}

/* The ordinary classifier: weight [L,C] and bias [L]; and the decoder's transitions. */
static nerfit_status description_fold(const nf_head *base, nf_head *into, nf_decoding *decoding,
                                      nerfit_error *err) {
    const nf_description_head *head = (const nf_description_head *)base;
    const nf_linear *classifier = nf_token_classifier_linear(into);
    nf_backend *be = base->net->be;
    if (!head->types || !classifier) return NERFIT_OK; /* a first stage: there are no labels yet */
    size_t width = head->own.n_types + SHARED, c = base->hidden, l = 2 * head->own.n_types + 1;
    nf_workspace *ws;
    NF_TRY(nf_workspace_new(&ws, be, err));
    nf_values *vectors = nf_workspace_reals(ws, width * c), *b = nf_workspace_reals(ws, width);
    if (nf_workspace_failed(ws)) {
        nf_workspace_free(ws);
        return nf_no_memory(err, width * c * be->real_size);
    }
    make_vectors(head, be, vectors);
    make_bias(head, be, b);
    be->matmul(be, classifier->weight->values, head->own.layout, vectors,
               &(nf_product){.m = l, .n = c, .k = width, .alpha = 1.0});
    be->matmul(be, classifier->bias->values, head->own.layout, b,
               &(nf_product){.m = l, .n = 1, .k = width, .alpha = 1.0});
    nf_workspace_free(ws);
    be->to_f64(be, &decoding->transitions.next[0][0], head->transitions->values,
               NF_TRANSITION_COUNT);
    decoding->present = true;
    return nf_backend_check(be, err);
}

static size_t description_width(const nf_head *head) {
    return 2 * ((const nf_description_head *)head)->columns->n_types + 1;
}

static const nf_head_kind description = {.name = "description",
                                         .width = description_width,
                                         .forward = description_forward,
                                         .backward = description_backward,
                                         .measure = nf_description_measure,
                                         .prepare = nf_description_prepare,
                                         .loss = nf_description_loss,
                                         .gradient = nf_head_step_backward,
                                         .decode = nf_description_decode,
                                         .fold = description_fold,
                                         .save = nf_description_file_save,
                                         .load = nf_description_file_load,
                                         .release = description_release};

nf_description_head *nf_description_head_of(nf_head *head) {
    return head && head->kind == &description ? (nf_description_head *)head : NULL;
}
