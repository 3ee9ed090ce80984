/* Self-attention block: y = norm(x + dropout(out(attention(q(x), k(x), v(x))))). */
#include "model/encoder.h"

#include <math.h>

static nf_attention_shape shape_of(const nf_encoder *encoder, const nf_attention *attention) {
    int32_t size = (int32_t)(encoder->hidden / (size_t)attention->n_heads);
    return (nf_attention_shape){.n_heads = attention->n_heads,
                                .head_size = size,
                                .scale = 1.0 / sqrt(size),
                                .qkv_stride = (ptrdiff_t)encoder->hidden};
}

/* Elements of a token as nf_attention_element numbers them. */
static nf_dropout probability_dropout(const nf_encoder *encoder, const nf_attention *attention,
                                      const nf_pass *pass) {
    size_t width = (size_t)nf_attention_element(1, 0, 0, attention->n_heads,
                                                pass->sequences.longest);
    return nf_pass_dropout(pass, attention->site, encoder->attention_dropout, width);
}

nerfit_status nf_attention_forward(const nf_encoder *encoder, const nf_attention *attention,
                                   const nf_pass *pass, nf_values *y, const nf_values *x,
                                   nf_attention_kept *kept) {
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens, c = encoder->hidden;
    nf_attention_kept k = {0};
    k.q = nf_workspace_reals(pass->ws, n * c);
    k.k = nf_workspace_reals(pass->ws, n * c);
    k.v = nf_workspace_reals(pass->ws, n * c);
    k.context = nf_workspace_reals(pass->ws, n * c);
    if (pass->keep) k.lse = nf_workspace_reals(pass->ws, n * (size_t)attention->n_heads);
    nf_values *projected = nf_workspace_reals(pass->ws, n * c);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_linear_forward(attention->query, pass, k.q, NULL, x, NF_ACTIVATION_NONE, &k.query));
    NF_TRY(nf_linear_forward(attention->key, pass, k.k, NULL, x, NF_ACTIVATION_NONE, &k.key));
    NF_TRY(nf_linear_forward(attention->value, pass, k.v, NULL, x, NF_ACTIVATION_NONE, &k.value));
    nf_attention_shape shape = shape_of(encoder, attention);
    nf_dropout dropout = probability_dropout(encoder, attention, pass);
    be->attention_forward(be, k.context, k.lse, k.q, k.k, k.v, &pass->sequences, &shape,
                          &dropout);
    NF_TRY(nf_linear_forward(attention->out, pass, projected, NULL, k.context, NF_ACTIVATION_NONE,
                             &k.out));
    NF_TRY(nf_norm_forward(&attention->norm, pass, y, projected, x, encoder->hidden_dropout, c,
                           &k.norm));
    if (kept) *kept = k;
    return NERFIT_OK;
}

nerfit_status nf_attention_backward(const nf_encoder *encoder, const nf_attention *attention,
                                    const nf_pass *pass, nf_values *dx, const nf_values *dy,
                                    const nf_attention_kept *kept) {
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens, c = encoder->hidden;
    nf_workspace_mark mark = nf_workspace_here(pass->ws);
    nf_values *dsum = nf_workspace_reals(pass->ws, n * c);
    nf_values *dprojected = nf_workspace_reals(pass->ws, n * c);
    nf_values *dcontext = nf_workspace_reals(pass->ws, n * c);
    nf_values *dq = nf_workspace_reals(pass->ws, n * c);
    nf_values *dk = nf_workspace_reals(pass->ws, n * c);
    nf_values *dv = nf_workspace_reals(pass->ws, n * c);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    nf_norm_backward(&attention->norm, pass, dsum, dprojected, dy, encoder->hidden_dropout, c,
                     &kept->norm);
    bool inner = dx || nf_linear_trained(attention->query) || nf_linear_trained(attention->key) ||
                 nf_linear_trained(attention->value);
    NF_TRY(nf_linear_backward(attention->out, pass, inner ? dcontext : NULL, dprojected,
                              &kept->out, false));
    if (inner) {
        nf_attention_shape shape = shape_of(encoder, attention);
        nf_dropout dropout = probability_dropout(encoder, attention, pass);
        be->attention_backward(be, dq, dk, dv, dcontext, kept->q, kept->k, kept->v, kept->context,
                               kept->lse, &pass->sequences, &shape, &dropout);
        if (dx) be->copy(be, dx, dsum, n * c);
        NF_TRY(nf_linear_backward(attention->query, pass, dx, dq, &kept->query, true));
        NF_TRY(nf_linear_backward(attention->key, pass, dx, dk, &kept->key, true));
        NF_TRY(nf_linear_backward(attention->value, pass, dx, dv, &kept->value, true));
    }
    nf_workspace_return(pass->ws, mark);
    return NERFIT_OK;
}
