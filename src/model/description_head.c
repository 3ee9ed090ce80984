#include "model/description_head.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static nf_parameter *parameter(nf_network *net, const char *name, int n_dims, size_t rows,
                               size_t cols, nf_group group) {
    char path[64];
    strcpy(path, PREFIX);
    strcat(path, name);
    nf_parameter *p = nf_network_parameter(net, path, n_dims, rows, cols, n_dims == 2);
    if (!p) return NULL;
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

nerfit_status nf_description_head_new(nf_description_head **out, nf_network *net, size_t c,
                                      size_t size, bool identity, uint64_t seed,
                                      nerfit_error *err) {
    nf_description_head *head = nf_arena_calloc(&net->arena, 1, sizeof *head);
    if (!head) return nf_no_memory(err, sizeof *head);
    *head = (nf_description_head){.hidden = c, .size = size, .site = nf_network_site(net)};
    head->shared = parameter(net, "shared", 2, SHARED, c, NF_GROUP_HEAD);
    head->shared_bias = parameter(net, "shared_bias", 1, 1, SHARED, NF_GROUP_HEAD);
    if (!head->shared || !head->shared_bias) return nf_no_memory(err, 0);
    NF_TRY(nf_parameter_normal(net, head->shared, SD, seed, STREAM_SHARED, err));
    NF_TRY(nf_parameter_constant(net, head->shared_bias, 0.0f, err));
    *out = head;
    if (size == 0) return NERFIT_OK;
    head->projection = parameter(net, "projection", 2, size, c, NF_GROUP_PROJECTION);
    if (!head->projection) return nf_no_memory(err, 0);
    return identity ? fill_identity(net, head->projection, err)
                    : nf_parameter_normal(net, head->projection, 1.0 / sqrt((double)c), seed,
                                          STREAM_PROJECTION, err);
}

nerfit_status nf_description_head_add_types(nf_description_head *head, nf_network *net,
                                            size_t n_types, uint64_t seed, nerfit_error *err) {
    head->types = parameter(net, "types", 2, n_types, head->hidden, NF_GROUP_HEAD);
    head->type_bias = parameter(net, "type_bias", 1, 1, n_types, NF_GROUP_HEAD);
    head->transitions = parameter(net, "transitions", 1, 1, NF_TRANSITION_COUNT, NF_GROUP_DECODER);
    if (!head->types || !head->type_bias || !head->transitions) return nf_no_memory(err, 0);
    NF_TRY(head->size ? nf_parameter_constant(net, head->types, 0.0f, err)
                      : nf_parameter_normal(net, head->types, SD, seed, STREAM_TYPES, err));
    NF_TRY(nf_parameter_constant(net, head->type_bias, 0.0f, err));
    return nf_parameter_constant(net, head->transitions, 0.0f, err);
}

void nf_description_head_remove(nf_description_head *head, nf_network *net) {
    nf_parameter *all[] = {head->projection, head->shared,    head->shared_bias,
                           head->types,      head->type_bias, head->transitions};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) nf_parameter_remove(net, all[i]);
}

bool nf_description_head_owns(const nf_parameter *p) {
    return strncmp(p->name, PREFIX, sizeof PREFIX - 1) == 0;
}

/* ---------------------------------------------------------------- forward, backward */

/* V [T+3,C] = [r + E P; o; u_B; u_I] */
static void make_vectors(const nf_description_head *head, const nf_type_columns *columns,
                         nf_backend *be, nf_values *vectors) {
    size_t t = columns->n_types, c = head->hidden;
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
static void make_bias(const nf_description_head *head, const nf_type_columns *columns,
                      nf_backend *be, nf_values *bias) {
    size_t t = columns->n_types;
    if (head->type_bias)
        be->copy(be, bias, head->type_bias->values, t);
    else
        be->zero(be, bias, t);
    be->copy(be, nf_at(be, bias, t), head->shared_bias->values, SHARED);
}

nerfit_status nf_description_head_forward(const nf_description_head *head,
                                          const nf_type_columns *columns, const nf_pass *pass,
                                          nf_values *logits, const nf_values *h, size_t n,
                                          nf_description_kept *kept) {
    nf_backend *be = pass->be;
    size_t width = columns->n_types + SHARED, c = head->hidden, l = 2 * columns->n_types + 1;
    *kept = (nf_description_kept){.h = h,
                                  .vectors = nf_workspace_reals(pass->ws, width * c),
                                  .scores = nf_workspace_reals(pass->ws, n * width)};
    nf_values *bias = nf_workspace_reals(pass->ws, width);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    make_vectors(head, columns, be, kept->vectors);
    make_bias(head, columns, be, bias);
    be->matmul(be, kept->scores, h, kept->vectors,
               &(nf_product){.m = n, .n = width, .k = c, .trans_b = true, .alpha = 1.0});
    be->add_rows(be, kept->scores, bias, n, width);
    be->matmul(be, logits, kept->scores, columns->layout,
               &(nf_product){.m = n, .n = l, .k = width, .trans_b = true, .alpha = 1.0});
    return NERFIT_OK;
}

nerfit_status nf_description_head_backward(const nf_description_head *head,
                                           const nf_type_columns *columns, const nf_pass *pass,
                                           nf_values *dh, const nf_values *dlogits, size_t n,
                                           const nf_description_kept *kept) {
    nf_backend *be = pass->be;
    size_t t = columns->n_types, width = t + SHARED, c = head->hidden, l = 2 * t + 1;
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

nerfit_status nf_description_head_fold(const nf_description_head *head,
                                       const nf_type_columns *columns, nf_backend *be,
                                       nf_values *weight, nf_values *bias, nerfit_error *err) {
    size_t width = columns->n_types + SHARED, c = head->hidden, l = 2 * columns->n_types + 1;
    nf_workspace *ws;
    NF_TRY(nf_workspace_new(&ws, be, err));
    nf_values *vectors = nf_workspace_reals(ws, width * c), *b = nf_workspace_reals(ws, width);
    if (nf_workspace_failed(ws)) {
        nf_workspace_free(ws);
        return nf_no_memory(err, width * c * be->real_size);
    }
    make_vectors(head, columns, be, vectors);
    make_bias(head, columns, be, b);
    be->matmul(be, weight, columns->layout, vectors,
               &(nf_product){.m = l, .n = c, .k = width, .alpha = 1.0});
    be->matmul(be, bias, columns->layout, b,
               &(nf_product){.m = l, .n = 1, .k = width, .alpha = 1.0});
    nf_workspace_free(ws);
    return nf_backend_check(be, err);
}
