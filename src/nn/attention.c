/* Self-attention block. With the norm behind it: y = norm(x + dropout(out(attention(q, k, v)))),
 * where q, k and v are linear in x; with the norm before it: y = x + dropout(out(attention(q, k,
 * v))), where they are linear in norm(x). */
#include "nn/encoder.h"

#include <math.h>

static int32_t kv_heads(const nf_attention *attention) {
    return attention->n_kv_heads ? attention->n_kv_heads : attention->n_heads;
}

/* K*D */
static size_t kv_size(const nf_encoder *encoder, const nf_attention *attention) {
    return encoder->hidden / (size_t)attention->n_heads * (size_t)kv_heads(attention);
}

static nf_attention_shape shape_of(const nf_encoder *encoder, const nf_attention *attention,
                                   const nf_relative *relative) {
    int32_t size = (int32_t)(encoder->hidden / (size_t)attention->n_heads);
    /* DeBERTa: the scores are a sum of as many products as there are terms */
    int terms = 1 + (attention->position_key != NULL) + (attention->position_query != NULL);
    return (nf_attention_shape){
        .n_heads = attention->n_heads,
        .head_size = size,
        .n_kv_heads = kv_heads(attention),
        .scale = 1.0 / sqrt((double)size * terms),
        .q_stride = (ptrdiff_t)(attention->fused ? 3 * encoder->hidden : encoder->hidden),
        .kv_stride =
            (ptrdiff_t)(attention->fused ? 3 * encoder->hidden : kv_size(encoder, attention)),
        .rule = attention->rule,
        .relative = encoder->relative ? relative : NULL};
}

/* Query and key of every token turn by its position, or back. */
static void rotate(const nf_encoder *encoder, const nf_attention *attention, const nf_pass *pass,
                   nf_values *q, nf_values *k, bool inverse) {
    nf_backend *be = pass->be;
    nf_attention_shape shape = shape_of(encoder, attention, NULL);
    if (!attention->rotation) return;
    nf_rotation rotation = {.cos_sin = pass->batch_positions->cos_sin[attention->rotation - 1],
                            .positions = pass->positions,
                            .n_heads = shape.n_heads,
                            .head_size = shape.head_size,
                            .stride = shape.q_stride};
    be->rotate(be, q, &rotation, (size_t)pass->sequences.n_tokens, inverse);
    rotation.n_heads = shape.n_kv_heads;
    rotation.stride = shape.kv_stride;
    be->rotate(be, k, &rotation, (size_t)pass->sequences.n_tokens, inverse);
}

/* Memory for q, k and v or their gradients: one matrix [N,3C] if they are fused, else [N,C] and
 * twice [N,K*D]. */
static void take_parts(const nf_encoder *encoder, const nf_attention *attention,
                       const nf_pass *pass, nf_values **q, nf_values **k, nf_values **v) {
    size_t n = (size_t)pass->sequences.n_tokens, c = encoder->hidden;
    size_t kv = kv_size(encoder, attention);
    *q = nf_workspace_reals(pass->ws, attention->fused ? 3 * n * c : n * c);
    *k = attention->fused ? nf_at(pass->be, *q, c) : nf_workspace_reals(pass->ws, n * kv);
    *v = attention->fused ? nf_at(pass->be, *q, 2 * c) : nf_workspace_reals(pass->ws, n * kv);
}

static nerfit_status project(const nf_attention *attention, const nf_pass *pass,
                             nf_attention_saved *k, const nf_values *x) {
    if (attention->fused)
        return nf_linear_forward(attention->fused, pass, k->q, NULL, x, NF_ACTIVATION_NONE,
                                 &k->fused);
    NF_TRY(nf_linear_forward(attention->query, pass, k->q, NULL, x, NF_ACTIVATION_NONE, &k->query));
    NF_TRY(nf_linear_forward(attention->key, pass, k->k, NULL, x, NF_ACTIVATION_NONE, &k->key));
    return nf_linear_forward(attention->value, pass, k->v, NULL, x, NF_ACTIVATION_NONE, &k->value);
}

/* Elements of a token as nf_attention_element numbers them. */
static nf_dropout probability_dropout(const nf_encoder *encoder, const nf_attention *attention,
                                      const nf_pass *pass) {
    size_t width =
        (size_t)nf_attention_element(1, 0, 0, attention->n_heads, pass->sequences.longest);
    return nf_pass_dropout(pass, attention->stream, encoder->attention_dropout, width);
}

static nf_attention_operands operands_of(const nf_pass *pass, const nf_attention_saved *saved,
                                         const nf_attention_shape *shape,
                                         const nf_dropout *dropout) {
    return (nf_attention_operands){.q = saved->q,
                                   .k = saved->k,
                                   .v = saved->v,
                                   .out = saved->context,
                                   .lse = saved->lse,
                                   .sequences = &pass->sequences,
                                   .shape = shape,
                                   .dropout = dropout};
}

static void assert_shapes(const nf_encoder *encoder, const nf_attention *a) {
    size_t c = encoder->hidden, kv = kv_size(encoder, a);
    nf_assert_equal(c % (size_t)a->n_heads, 0);
    if (a->fused) nf_linear_assert(a->fused, c, 3 * c);
    if (!a->fused) {
        nf_linear_assert(a->query, c, c);
        nf_linear_assert(a->key, c, kv);
        nf_linear_assert(a->value, c, kv);
    }
    nf_linear_assert(a->out, c, c);
    if (a->position_key) nf_linear_assert(a->position_key, c, c);
    if (a->position_query) nf_linear_assert(a->position_query, c, c);
}

nerfit_status nf_attention_forward(const nf_encoder *encoder, const nf_attention *attention,
                                   const nf_pass *pass, nf_values *y, const nf_values *x,
                                   nf_attention_saved *saved) {
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens, c = encoder->hidden;
    bool norm_before = attention->norm_before && attention->norm.weight;
    nf_attention_saved k = {0};
    nf_relative relative;
    assert_shapes(encoder, attention);
    take_parts(encoder, attention, pass, &k.q, &k.k, &k.v);
    k.context = nf_workspace_reals(pass->ws, n * c);
    if (pass->keep) k.lse = nf_workspace_reals(pass->ws, n * (size_t)attention->n_heads);
    nf_values *projected = nf_workspace_reals(pass->ws, n * c);
    nf_values *normed = norm_before ? nf_workspace_reals(pass->ws, n * c) : NULL;
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    if (norm_before)
        NF_TRY(nf_norm_forward(&attention->norm, pass, normed, x, NULL, 0.0, c, &k.norm));
    NF_TRY(project(attention, pass, &k, norm_before ? normed : x));
    rotate(encoder, attention, pass, k.q, k.k, false);
    if (encoder->relative)
        NF_TRY(nf_position_terms_forward(encoder, attention, pass, &relative, &k));
    nf_attention_shape shape = shape_of(encoder, attention, &relative);
    nf_dropout dropout = probability_dropout(encoder, attention, pass);
    const nf_attention_operands operands = operands_of(pass, &k, &shape, &dropout);
    be->attention_forward(be, &operands);
    NF_TRY(nf_linear_forward(attention->out, pass, projected, NULL, k.context, NF_ACTIVATION_NONE,
                             &k.out));
    if (attention->norm_before)
        nf_residual_forward(&attention->norm, pass, y, projected, x, encoder->hidden_dropout, c);
    else
        NF_TRY(nf_norm_forward(&attention->norm, pass, y, projected, x, encoder->hidden_dropout, c,
                               &k.norm));
    if (saved) *saved = k;
    return NERFIT_OK;
}

static bool inputs_trained(const nf_attention *a) {
    if (a->fused) return nf_linear_trained(a->fused);
    return nf_linear_trained(a->query) || nf_linear_trained(a->key) ||
           nf_linear_trained(a->value) || (a->position_key && nf_linear_trained(a->position_key)) ||
           (a->position_query && nf_linear_trained(a->position_query));
}

/* dx (may be NULL) (+)= the gradient by what q, k and v were made of */
static nerfit_status project_backward(const nf_attention *attention, const nf_pass *pass,
                                      nf_values *dx, const nf_values *dq, const nf_values *dk,
                                      const nf_values *dv, const nf_attention_saved *saved,
                                      bool accumulate) {
    if (attention->fused)
        return nf_linear_backward(attention->fused, pass, dx, dq, &saved->fused, accumulate);
    NF_TRY(nf_linear_backward(attention->query, pass, dx, dq, &saved->query, accumulate));
    NF_TRY(nf_linear_backward(attention->key, pass, dx, dk, &saved->key, true));
    return nf_linear_backward(attention->value, pass, dx, dv, &saved->value, true);
}

nerfit_status nf_attention_backward(const nf_encoder *encoder, const nf_attention *attention,
                                    const nf_pass *pass, nf_values *dx, const nf_values *dy,
                                    const nf_attention_saved *saved) {
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens, c = encoder->hidden;
    bool norm_before = attention->norm_before && attention->norm.weight;
    nf_workspace_mark mark = nf_workspace_here(pass->ws);
    nf_values *dsum = attention->norm_before ? NULL : nf_workspace_reals(pass->ws, n * c);
    nf_values *dprojected = nf_workspace_reals(pass->ws, n * c);
    nf_values *dcontext = nf_workspace_reals(pass->ws, n * c), *dq, *dk, *dv;
    take_parts(encoder, attention, pass, &dq, &dk, &dv);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    if (attention->norm_before)
        nf_residual_backward(&attention->norm, pass, dprojected, dy, encoder->hidden_dropout, c);
    else
        nf_norm_backward(&attention->norm, pass, dsum, dprojected, dy, encoder->hidden_dropout, c,
                         &saved->norm);
    bool below = dx || (norm_before && nf_norm_trained(&attention->norm));
    bool inner = below || inputs_trained(attention) || nf_relative_trained(encoder);
    NF_TRY(nf_linear_backward(attention->out, pass, inner ? dcontext : NULL, dprojected,
                              &saved->out, false));
    if (inner) {
        nf_relative relative;
        if (encoder->relative)
            NF_TRY(nf_position_terms_again(encoder, attention, pass, saved, &relative));
        nf_attention_shape shape = shape_of(encoder, attention, &relative);
        nf_dropout dropout = probability_dropout(encoder, attention, pass);
        const nf_attention_operands operands = operands_of(pass, saved, &shape, &dropout);
        be->attention_backward(be, dq, dk, dv, dcontext, &operands);
        if (encoder->relative)
            NF_TRY(nf_position_terms_backward(encoder, attention, pass, saved, &relative));
        rotate(encoder, attention, pass, dq, dk, true);
        if (norm_before) { /* dprojected is free now: the gradient by the normed x */
            NF_TRY(project_backward(attention, pass, below ? dprojected : NULL, dq, dk, dv, saved,
                                    false));
            if (below)
                nf_norm_backward(&attention->norm, pass, dprojected, NULL, dprojected, 0.0, c,
                                 &saved->norm);
            if (dx) {
                be->copy(be, dx, dy, n * c);
                be->axpy(be, dx, 1.0, dprojected, n * c);
            }
        } else {
            if (dx) be->copy(be, dx, dsum ? dsum : dy, n * c);
            NF_TRY(project_backward(attention, pass, dx, dq, dk, dv, saved, true));
        }
    }
    nf_workspace_return(pass->ws, mark);
    return NERFIT_OK;
}
