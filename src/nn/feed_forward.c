/* Feed-forward block: y = norm(x + dropout(down(f(up(x))))), or with the norm before it
 * y = x + dropout(down(f(up(norm(x))))); f is the activation, or gated the activation of one half
 * times the other. */
#include "nn/encoder.h"

static size_t inner_size(const nf_feed_forward *block) {
    return block->gated && !block->gate ? block->up->out / 2 : block->up->out;
}

static nf_gated_operands gated_operands(const nf_feed_forward *block, const nf_pass *pass,
                                        const nf_feed_forward_saved *saved) {
    size_t f = inner_size(block);
    return (nf_gated_operands){.activation = block->activation,
                               .inputs = saved->pre,
                               .gates = block->gate ? saved->gates : nf_at(pass->be, saved->pre, f),
                               .n = (size_t)pass->sequences.n_tokens,
                               .f = f,
                               .stride = block->gate ? f : 2 * f};
}

static nf_dropout inner_dropout(const nf_encoder *encoder, const nf_feed_forward *block,
                                const nf_pass *pass) {
    return nf_pass_dropout(pass, block->norm.stream,
                           block->drops_inside ? encoder->inner_dropout : 0.0, inner_size(block));
}

static double out_dropout(const nf_encoder *encoder, const nf_feed_forward *block) {
    return block->drops_inside ? 0.0 : encoder->hidden_dropout;
}

nerfit_status nf_feed_forward_forward(const nf_encoder *encoder, const nf_feed_forward *block,
                                      const nf_pass *pass, nf_values *y, const nf_values *x,
                                      nf_feed_forward_saved *saved) {
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens, c = encoder->hidden, f = inner_size(block);
    double dropout = out_dropout(encoder, block);
    nf_feed_forward_saved k = {0};
    nf_linear_assert(block->up, c, block->gated && !block->gate ? 2 * f : f);
    if (block->gate) nf_linear_assert(block->gate, c, f);
    nf_linear_assert(block->down, f, c);
    if (pass->keep || block->gated) k.pre = nf_workspace_reals(pass->ws, n * block->up->out);
    if (block->gate) k.gates = nf_workspace_reals(pass->ws, n * f);
    k.inner = nf_workspace_reals(pass->ws, n * f);
    nf_values *out = nf_workspace_reals(pass->ws, n * c);
    nf_values *normed = block->norm_before ? nf_workspace_reals(pass->ws, n * c) : NULL;
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    if (normed) NF_TRY(nf_norm_forward(&block->norm, pass, normed, x, NULL, 0.0, c, &k.norm));
    const nf_values *in = normed ? normed : x;
    if (block->gated) {
        NF_TRY(nf_linear_forward(block->up, pass, k.pre, NULL, in, NF_ACTIVATION_NONE, &k.up));
        if (block->gate)
            NF_TRY(nf_linear_forward(block->gate, pass, k.gates, NULL, in, NF_ACTIVATION_NONE,
                                     &k.gate));
        const nf_gated_operands gated = gated_operands(block, pass, &k);
        be->gated_forward(be, k.inner, &gated);
    } else
        NF_TRY(nf_linear_forward(block->up, pass, k.inner, k.pre, in, block->activation, &k.up));
    nf_dropout inside = inner_dropout(encoder, block, pass);
    if (inside.p > 0.0) be->dropout(be, k.inner, k.inner, n * f, &inside);
    NF_TRY(nf_linear_forward(block->down, pass, out, NULL, k.inner, NF_ACTIVATION_NONE, &k.down));
    if (normed)
        nf_residual_forward(&block->norm, pass, y, out, x, dropout, c);
    else
        NF_TRY(nf_norm_forward(&block->norm, pass, y, out, x, dropout, c, &k.norm));
    if (saved) *saved = k;
    return NERFIT_OK;
}

nerfit_status nf_feed_forward_backward(const nf_encoder *encoder, const nf_feed_forward *block,
                                       const nf_pass *pass, nf_values *dx, const nf_values *dy,
                                       const nf_feed_forward_saved *saved) {
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens, c = encoder->hidden, f = inner_size(block);
    double dropout = out_dropout(encoder, block);
    nf_workspace_mark mark = nf_workspace_here(pass->ws);
    nf_values *dsum = block->norm_before ? NULL : nf_workspace_reals(pass->ws, n * c);
    nf_values *dout = nf_workspace_reals(pass->ws, n * c);
    nf_values *dinner = nf_workspace_reals(pass->ws, n * f);
    /* with a gate of its own: [N,F] by up's output, then [N,F] by the gate's; else rows of both */
    nf_values *dpre = block->gated ? nf_workspace_reals(pass->ws, 2 * n * f) : dinner;
    nf_values *dgates = block->gated ? nf_at(be, dpre, block->gate ? n * f : f) : NULL;
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    if (block->norm_before)
        nf_residual_backward(&block->norm, pass, dout, dy, dropout, c);
    else
        nf_norm_backward(&block->norm, pass, dsum, dout, dy, dropout, c, &saved->norm);
    bool below = dx || (block->norm_before && nf_norm_trained(&block->norm));
    bool inner =
        below || nf_linear_trained(block->up) || (block->gate && nf_linear_trained(block->gate));
    NF_TRY(nf_linear_backward(block->down, pass, inner ? dinner : NULL, dout, &saved->down, false));
    if (inner) {
        nf_dropout inside = inner_dropout(encoder, block, pass);
        if (inside.p > 0.0) be->dropout(be, dinner, dinner, n * f, &inside);
        if (block->gated) {
            const nf_gated_operands gated = gated_operands(block, pass, saved);
            be->gated_backward(be, dpre, dgates, dinner, &gated);
        } else
            be->activation_backward(be, block->activation, dpre, dinner, saved->pre, n * f);
    }
    if (inner && block->norm_before) { /* dout is free now: the gradient by the normed x */
        NF_TRY(nf_linear_backward(block->up, pass, below ? dout : NULL, dpre, &saved->up, false));
        if (block->gate)
            NF_TRY(nf_linear_backward(block->gate, pass, below ? dout : NULL, dgates, &saved->gate,
                                      true));
        if (below) nf_norm_backward(&block->norm, pass, dout, NULL, dout, 0.0, c, &saved->norm);
        if (dx) {
            be->copy(be, dx, dy, n * c);
            be->axpy(be, dx, 1.0, dout, n * c);
        }
    } else if (inner) {
        if (dx) be->copy(be, dx, dsum, n * c);
        NF_TRY(nf_linear_backward(block->up, pass, dx, dpre, &saved->up, true));
        if (block->gate)
            NF_TRY(nf_linear_backward(block->gate, pass, dx, dgates, &saved->gate, true));
    }
    nf_workspace_return(pass->ws, mark);
    return NERFIT_OK;
}
