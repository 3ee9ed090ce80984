#include "nn/linear.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"

nf_linear *nf_linear_new(nf_network *net, const char *name, size_t in, size_t out, bool has_bias) {
    if (!nf_array_reserve(&net->linears, &net->linears_capacity, net->n_linears + 1,
                          sizeof *net->linears))
        return NULL;
    nf_linear *linear = nf_arena_calloc(&net->arena, 1, sizeof *linear);
    char path[512];
    if (!linear || !(linear->name = nf_arena_strdup(&net->arena, name))) return NULL;
    linear->in = in;
    linear->out = out;
    snprintf(path, sizeof path, "%s.weight", name);
    if (!(linear->weight = nf_network_parameter(net, path, 2, out, in, true))) return NULL;
    snprintf(path, sizeof path, "%s.bias", name);
    if (has_bias && !(linear->bias = nf_network_parameter(net, path, 1, 1, out, false)))
        return NULL;
    net->linears[net->n_linears++] = linear;
    return linear;
}

nerfit_status nf_linear_add_lora(nf_network *net, nf_linear *linear, size_t rank, double scaling,
                                 double dropout, bool dora, uint64_t seed, nerfit_error *err) {
    nf_backend *be = net->be;
    nf_lora *lora = nf_arena_calloc(&net->arena, 1, sizeof *lora);
    char path[512];
    if (!lora) return nf_no_memory(err, sizeof *lora);
    *lora = (nf_lora){.rank = rank,
                      .scaling = scaling,
                      .dropout = dropout,
                      .stream = nf_network_dropout_stream(net)};
    snprintf(path, sizeof path, "%s.lora_A.weight", linear->name);
    lora->a = nf_network_parameter(net, path, 2, rank, linear->in, true);
    snprintf(path, sizeof path, "%s.lora_B.weight", linear->name);
    lora->b = nf_network_parameter(net, path, 2, linear->out, rank, true);
    if (!lora->a || !lora->b) return nf_no_memory(err, 0);
    lora->a->trained = lora->b->trained = true;
    lora->a->role = lora->b->role = NF_ROLE_ADAPTER;
    NF_TRY(nf_parameter_uniform(net, lora->a, 1.0 / sqrt((double)linear->in), seed,
                                0x4c6f5241u + lora->stream, err));
    NF_TRY(nf_parameter_constant(net, lora->b, 0.0f, err));
    linear->lora = lora;
    if (!dora) return NERFIT_OK;
    snprintf(path, sizeof path, "%s.lora_magnitude_vector", linear->name);
    lora->magnitude = nf_network_parameter(net, path, 1, 1, linear->out, true);
    if (!lora->magnitude) return nf_no_memory(err, 0);
    lora->magnitude->trained = true;
    lora->magnitude->role = NF_ROLE_ADAPTER;
    NF_TRY(nf_parameter_allocate(net, lora->magnitude, err));
    lora->w_squares = be->memory_new(be, linear->out * be->real_size);
    double *squares = malloc(linear->out * sizeof *squares);
    if (!lora->w_squares || !squares) {
        free(squares);
        return nf_no_memory(err, linear->out * be->real_size);
    }
    be->row_squares(be, lora->w_squares, linear->weight->values, linear->out, linear->in);
    be->to_f64(be, squares, lora->w_squares, linear->out);
    for (size_t i = 0; i < linear->out; i++) squares[i] = sqrt(squares[i]);
    be->from_f64(be, lora->magnitude->values, squares, linear->out);
    free(squares);
    return NERFIT_OK;
}

bool nf_linear_trained(const nf_linear *linear) {
    return linear->weight->trained || (linear->bias && linear->bias->trained) ||
           (linear->lora && linear->lora->a->trained);
}

nerfit_status nf_linear_prepare(nf_network *net, nf_linear *linear, bool backward,
                                nerfit_error *err) {
    nf_backend *be = net->be;
    nf_linear_unpack(net, linear);
    if (linear->weight->removed) return NERFIT_OK;
    bool dropped =
        backward && linear->lora && linear->lora->magnitude && linear->lora->dropout > 0.0;
    unsigned uses =
        NF_USE_FORWARD | (backward ? NF_USE_BACKWARD : 0u) | (dropped ? NF_USE_DROPPED : 0u);
    const nf_weight_plan plan = {linear->out, linear->in, uses, net->precision};
    if (net->shared) {
        NF_TRY(nf_shared_file_weight(net->shared, linear->weight->values, &plan, &linear->packed,
                                     err));
        linear->packed_is_shared = linear->packed != NULL;
        if (linear->packed) return NERFIT_OK;
    }
    return be->weight_new(be, &linear->packed, linear->weight->values, &plan, err);
}

void nf_linear_unpack(nf_network *net, nf_linear *linear) {
    if (linear->packed && !linear->packed_is_shared) net->be->weight_free(net->be, linear->packed);
    linear->packed = NULL;
    linear->packed_is_shared = false;
}

void nf_linear_release(nf_network *net, nf_linear *linear) {
    nf_lora *lora = linear->lora;
    nf_linear_unpack(net, linear);
    if (lora && lora->w_squares) net->be->memory_free(net->be, lora->w_squares);
    if (lora && lora->gain) net->be->memory_free(net->be, lora->gain);
    if (lora) lora->w_squares = lora->gain = NULL;
}

/* |W + s B A| by row, without making the sum: the formula is at dora_norms. */
static nerfit_status dora_gain(const nf_linear *linear, const nf_pass *pass, nf_values *norms,
                               nf_values *gain) {
    nf_backend *be = pass->be;
    const nf_lora *lora = linear->lora;
    size_t r = lora->rank, in = linear->in, out = linear->out;
    nf_workspace_mark mark = nf_workspace_here(pass->ws);
    nf_values *aw = nf_workspace_reals(pass->ws, r * out);
    nf_values *aa = nf_workspace_reals(pass->ws, r * r);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    const nf_values *a = lora->a->values;
    /* A W^T is what the layer would make of R tokens: by the prepared weight, which is faster than
     * the plain one and spares its memory */
    be->linear_forward(be, aw, a, linear->packed, r, NULL);
    be->matmul(be, aa, a, a, &(nf_product){.m = r, .n = r, .k = in, .trans_b = true, .alpha = 1.0});
    const nf_dora_operands operands = {.out = out,
                                       .r = r,
                                       .w_squares = lora->w_squares,
                                       .b = lora->b->values,
                                       .aw = aw,
                                       .aa = aa,
                                       .scaling = lora->scaling};
    be->dora_norms(be, norms, &operands);
    be->divide(be, gain, lora->magnitude->values, norms, out);
    nf_workspace_return(pass->ws, mark);
    return NERFIT_OK;
}

/* y [N,out] = g (W x + s B A x) + b; g = 1 of LoRA. */
static nerfit_status settled_forward(const nf_linear *linear, const nf_pass *pass, nf_values *y,
                                     const nf_values *x) {
    nf_backend *be = pass->be;
    const nf_lora *lora = linear->lora;
    const nf_values *bias = linear->bias ? linear->bias->values : NULL;
    size_t n = (size_t)pass->sequences.n_tokens, r = lora->rank, in = linear->in, out = linear->out;
    nf_workspace_mark mark = nf_workspace_here(pass->ws);
    nf_values *low = nf_workspace_reals(pass->ws, n * r);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    be->matmul(be, low, x, lora->a->values,
               &(nf_product){.m = n, .n = r, .k = in, .trans_b = true, .alpha = 1.0});
    be->linear_forward(be, y, x, linear->packed, n,
                       &(nf_epilogue){.bias = lora->gain ? NULL : bias});
    be->matmul(
        be, y, low, lora->b->values,
        &(nf_product){
            .m = n, .n = out, .k = r, .trans_b = true, .alpha = lora->scaling, .accumulate = true});
    if (lora->gain) be->scale_columns(be, y, y, lora->gain, n, out, false);
    if (lora->gain && bias) be->add_rows(be, y, bias, n, out);
    nf_workspace_return(pass->ws, mark);
    return NERFIT_OK;
}

static nerfit_status lora_forward(const nf_linear *linear, const nf_pass *pass, nf_values *y,
                                  const nf_values *x, nf_linear_saved *saved) {
    nf_backend *be = pass->be;
    const nf_lora *lora = linear->lora;
    size_t n = (size_t)pass->sequences.n_tokens, r = lora->rank, in = linear->in, out = linear->out;
    const nf_epilogue bias = {.bias = linear->bias ? linear->bias->values : NULL};
    /* low [N,R] = x' A^T; (y or sum) [N,out] += s low B^T */
    const nf_product by_a = {.m = n, .n = r, .k = in, .trans_b = true, .alpha = 1.0};
    const nf_product by_b = {
        .m = n, .n = out, .k = r, .trans_b = true, .alpha = lora->scaling, .accumulate = true};
    nf_dropout dropout = nf_pass_dropout(pass, lora->stream, lora->dropout, in);
    bool drops = dropout.p > 0.0, dora = lora->magnitude != NULL;
    nf_values *dropped = drops ? nf_workspace_reals(pass->ws, n * in) : NULL;
    saved->low = nf_workspace_reals(pass->ws, n * r);
    if (dora) {
        saved->sum = nf_workspace_reals(pass->ws, n * out);
        saved->norms = nf_workspace_reals(pass->ws, out);
        saved->gain = nf_workspace_reals(pass->ws, out);
    }
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    if (drops) be->dropout(be, dropped, x, n * in, &dropout);
    saved->dropped = drops ? dropped : x;

    be->matmul(be, saved->low, saved->dropped, lora->a->values, &by_a);
    if (!dora) {
        be->linear_forward(be, y, x, linear->packed, n, &bias);
        be->matmul(be, y, saved->low, lora->b->values, &by_b);
        return NERFIT_OK;
    }
    NF_TRY(dora_gain(linear, pass, saved->norms, saved->gain));
    /* y = (W x + b) - W x' + g (W x' + s B A x'). Without dropout the two products are equal and
     * one could be saved; models are merged before they tag, so that this runs in evaluations of a
     * training run only, and one form is enough. */
    be->linear_forward(be, y, x, linear->packed, n, &bias);
    const nf_dropped_forward_operands operands = {
        .n = n, .x = x, .known = y, .bias = bias.bias, .w = linear->packed, .dropout = &dropout};
    if (!drops || !be->linear_forward_dropped ||
        !be->linear_forward_dropped(be, saved->sum, &operands))
        be->linear_forward(be, saved->sum, saved->dropped, linear->packed, n, NULL);
    be->axpy(be, y, -1.0, saved->sum, n * out);
    be->matmul(be, saved->sum, saved->low, lora->b->values, &by_b);
    be->scale_columns(be, y, saved->sum, saved->gain, n, out, true);
    return NERFIT_OK;
}

nerfit_status nf_linear_forward(const nf_linear *linear, const nf_pass *pass, nf_values *y,
                                nf_values *pre, const nf_values *x, nf_activation activation,
                                nf_linear_saved *saved) {
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens;
    nf_linear_saved local;
    nf_linear_assert(linear, linear->in, linear->out);
    nf_assert(linear->packed);
    if (!saved) saved = &local;
    *saved = (nf_linear_saved){.x = x};
    if (!linear->lora) {
        const nf_epilogue epilogue = {.bias = linear->bias ? linear->bias->values : NULL,
                                      .activation = activation,
                                      .pre = pre};
        be->linear_forward(be, y, x, linear->packed, n, &epilogue);
        return NERFIT_OK;
    }
    nf_values *linear_out = pre ? pre : y;
    if (linear->lora->settled)
        NF_TRY(settled_forward(linear, pass, linear_out, x));
    else
        NF_TRY(lora_forward(linear, pass, linear_out, x, saved));
    if (activation != NF_ACTIVATION_NONE || pre)
        be->activation_forward(be, activation, y, linear_out, n * linear->out);
    return NERFIT_OK;
}

static nerfit_status lora_backward(const nf_linear *linear, const nf_pass *pass, nf_values *dx,
                                   const nf_values *dy, const nf_linear_saved *saved,
                                   bool accumulate) {
    nf_backend *be = pass->be;
    const nf_lora *lora = linear->lora;
    size_t n = (size_t)pass->sequences.n_tokens, r = lora->rank, in = linear->in, out = linear->out;
    double s = lora->scaling;
    nf_dropout dropout = nf_pass_dropout(pass, lora->stream, lora->dropout, in);
    bool drops = dropout.p > 0.0, dora = lora->magnitude != NULL;
    nf_workspace_mark mark = nf_workspace_here(pass->ws);
    nf_values *scaled = dora ? nf_workspace_reals(pass->ws, n * out) : NULL;
    nf_values *dlow = nf_workspace_reals(pass->ws, n * r);
    nf_values *dm = dora ? nf_workspace_reals(pass->ws, out) : NULL;
    nf_values *through = dx && drops ? nf_workspace_reals(pass->ws, n * in) : NULL;
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;

    const nf_values *dz = dy; /* gradient by B A x' s, and in DoRA by W x' + s B A x' */
    if (dora) {
        be->scale_columns(be, scaled, dy, saved->gain, n, out, false);
        dz = scaled;
        if (lora->magnitude->grad) {
            be->zero(be, dm, out);
            be->column_dots(be, dm, dy, saved->sum, n, out);
            be->divide(be, dm, dm, saved->norms, out);
            be->axpy(be, nf_pass_grad(pass, lora->magnitude), 1.0, dm, out);
        }
    }
    const nf_product by_b = {.m = n, .n = r, .k = out, .alpha = s};
    const nf_product for_b = {
        .m = out, .n = r, .k = n, .trans_a = true, .alpha = s, .accumulate = true};
    const nf_product for_a = {
        .m = r, .n = in, .k = n, .trans_a = true, .alpha = 1.0, .accumulate = true};
    nf_product by_a = {.m = n, .n = in, .k = r, .alpha = 1.0, .accumulate = true};
    be->matmul(be, dlow, dz, lora->b->values, &by_b);
    if (lora->b->grad) be->matmul(be, nf_pass_grad(pass, lora->b), dz, saved->low, &for_b);
    if (lora->a->grad) be->matmul(be, nf_pass_grad(pass, lora->a), dlow, saved->dropped, &for_a);
    const nf_dropped_backward_operands operands = {.n = n,
                                                   .r = r,
                                                   .dy = dy,
                                                   .scaled = scaled,
                                                   .low = dlow,
                                                   .a = lora->a->values,
                                                   .w = linear->packed,
                                                   .dropout = &dropout};
    if (dx && !drops) {
        be->linear_backward_input(be, dx, dz, linear->packed, n, accumulate);
        be->matmul(be, dx, dlow, lora->a->values, &by_a);
    } else if (dx && dora && be->linear_backward_dropped &&
               be->linear_backward_dropped(be, dx, &operands, accumulate)) {
        /* the formula below, done */
    } else if (dx) {
        /* dx = W^T dy + mask (A^T dlow + W^T (g dy - dy)); the last term is DoRA's */
        be->linear_backward_input(be, dx, dy, linear->packed, n, accumulate);
        if (dora) {
            be->axpy(be, scaled, -1.0, dy, n * out);
            be->linear_backward_input(be, through, scaled, linear->packed, n, false);
        }
        by_a.accumulate = dora;
        be->matmul(be, through, dlow, lora->a->values, &by_a);
        be->dropout(be, through, through, n * in, &dropout);
        be->axpy(be, dx, 1.0, through, n * in);
    }
    nf_workspace_return(pass->ws, mark);
    return NERFIT_OK;
}

nerfit_status nf_linear_backward(const nf_linear *linear, const nf_pass *pass, nf_values *dx,
                                 const nf_values *dy, const nf_linear_saved *saved,
                                 bool accumulate) {
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens;
    if (linear->weight->grad) {
        be->weight_gradient(be, nf_pass_grad(pass, linear->weight), dy, saved->x, linear->packed, n,
                            !linear->weight->fresh);
        linear->weight->fresh = false;
    }
    if (linear->bias && linear->bias->grad)
        be->column_sums(be, nf_pass_grad(pass, linear->bias), dy, n, linear->out);
    if (linear->lora) return lora_backward(linear, pass, dx, dy, saved, accumulate);
    if (dx) be->linear_backward_input(be, dx, dy, linear->packed, n, accumulate);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- after training */

/* W + s B A [out, in] in memory of the caller's. */
static void add_product(nf_backend *be, const nf_linear *linear, nf_values *sum) {
    const nf_lora *lora = linear->lora;
    be->copy(be, sum, linear->weight->values, linear->out * linear->in);
    be->matmul(be, sum, lora->b->values, lora->a->values,
               &(nf_product){.m = linear->out,
                             .n = linear->in,
                             .k = lora->rank,
                             .alpha = lora->scaling,
                             .accumulate = true});
}

/* DoRA's g [out] = m / |W + s B A|_row, on the host. */
static nerfit_status gain_of(nf_backend *be, const nf_linear *linear, const nf_values *sum,
                             double *gain, nerfit_error *err) {
    size_t out = linear->out;
    double *norms = malloc(out * sizeof *norms + 1);
    nf_values *squares = be->memory_new(be, out * be->real_size);
    nerfit_status status = norms && squares ? NERFIT_OK : nf_no_memory(err, out * sizeof *norms);
    if (status == NERFIT_OK) {
        be->row_squares(be, squares, sum, out, linear->in);
        be->to_f64(be, norms, squares, out);
        be->to_f64(be, gain, linear->lora->magnitude->values, out);
        for (size_t i = 0; i < out; i++) gain[i] /= sqrt(norms[i]);
    }
    if (squares) be->memory_free(be, squares);
    free(norms);
    return status;
}

static void scale_rows(nf_backend *be, const nf_linear *linear, nf_values *sum, const double *gain,
                       double *row) {
    for (size_t i = 0; i < linear->out; i++) {
        nf_values *place = nf_at(be, sum, i * linear->in);
        be->to_f64(be, row, place, linear->in);
        for (size_t j = 0; j < linear->in; j++) row[j] *= gain[i];
        be->from_f64(be, place, row, linear->in);
    }
}

nerfit_status nf_linear_merge(nf_network *net, nf_linear *linear, nerfit_error *err) {
    nf_backend *be = net->be;
    nf_lora *lora = linear->lora;
    if (!lora) return NERFIT_OK;
    size_t bytes = linear->out * linear->in * be->real_size;
    nf_values *merged = be->memory_new(be, bytes);
    double *gain = malloc((linear->out + linear->in) * sizeof *gain);
    nerfit_status status = merged && gain ? NERFIT_OK : nf_no_memory(err, bytes);
    if (status == NERFIT_OK) add_product(be, linear, merged);
    if (status == NERFIT_OK && lora->magnitude) status = gain_of(be, linear, merged, gain, err);
    if (status == NERFIT_OK && lora->magnitude)
        scale_rows(be, linear, merged, gain, gain + linear->out);
    free(gain);
    if (status != NERFIT_OK) {
        if (merged) be->memory_free(be, merged);
        return status;
    }
    nf_parameter_give_back(net, linear->weight);
    linear->weight->owned = linear->weight->values = merged;
    nf_parameter_remove(net, lora->a);
    nf_parameter_remove(net, lora->b);
    nf_parameter_remove(net, lora->magnitude);
    nf_linear_release(net, linear);
    linear->lora = NULL;
    return NERFIT_OK;
}

nerfit_status nf_linear_settle(nf_network *net, nf_linear *linear, nerfit_error *err) {
    nf_backend *be = net->be;
    nf_lora *lora = linear->lora;
    if (!lora) return NERFIT_OK;
    lora->settled = true;
    if (!lora->magnitude) return NERFIT_OK;
    size_t out = linear->out, bytes = out * linear->in * be->real_size;
    nf_values *sum = be->memory_new(be, bytes);
    double *gain = malloc(out * sizeof *gain + 1);
    if (!lora->gain) lora->gain = be->memory_new(be, out * be->real_size);
    nerfit_status status = sum && gain && lora->gain ? NERFIT_OK : nf_no_memory(err, bytes);
    if (status == NERFIT_OK) add_product(be, linear, sum);
    if (status == NERFIT_OK) status = gain_of(be, linear, sum, gain, err);
    if (status == NERFIT_OK) be->from_f64(be, lora->gain, gain, out);
    if (sum) be->memory_free(be, sum);
    free(gain);
    return status;
}
