/* Feed-forward block: y = norm(x + dropout(down(activation(up(x))))). */
#include "model/encoder.h"

nerfit_status nf_feed_forward_forward(const nf_encoder *encoder, const nf_feed_forward *block,
                                      const nf_pass *pass, nf_values *y, const nf_values *x,
                                      nf_feed_forward_kept *kept) {
    size_t n = (size_t)pass->sequences.n_tokens, c = encoder->hidden, f = block->up->out;
    nf_feed_forward_kept k = {0};
    if (pass->keep) k.pre = nf_workspace_reals(pass->ws, n * f);
    k.inner = nf_workspace_reals(pass->ws, n * f);
    nf_values *out = nf_workspace_reals(pass->ws, n * c);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_linear_forward(block->up, pass, k.inner, k.pre, x, block->activation, &k.up));
    NF_TRY(nf_linear_forward(block->down, pass, out, NULL, k.inner, NF_ACTIVATION_NONE, &k.down));
    NF_TRY(nf_norm_forward(&block->norm, pass, y, out, x, encoder->hidden_dropout, c, &k.norm));
    if (kept) *kept = k;
    return NERFIT_OK;
}

nerfit_status nf_feed_forward_backward(const nf_encoder *encoder, const nf_feed_forward *block,
                                       const nf_pass *pass, nf_values *dx, const nf_values *dy,
                                       const nf_feed_forward_kept *kept) {
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens, c = encoder->hidden, f = block->up->out;
    nf_workspace_mark mark = nf_workspace_here(pass->ws);
    nf_values *dsum = nf_workspace_reals(pass->ws, n * c);
    nf_values *dout = nf_workspace_reals(pass->ws, n * c);
    nf_values *dinner = nf_workspace_reals(pass->ws, n * f);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    nf_norm_backward(&block->norm, pass, dsum, dout, dy, encoder->hidden_dropout, c,
                     &kept->norm);
    bool inner = dx || nf_linear_trained(block->up);
    NF_TRY(nf_linear_backward(block->down, pass, inner ? dinner : NULL, dout, &kept->down, false));
    if (inner) {
        be->activation_backward(be, block->activation, dinner, dinner, kept->pre, n * f);
        if (dx) be->copy(be, dx, dsum, n * c);
        NF_TRY(nf_linear_backward(block->up, pass, dx, dinner, &kept->up, true));
    }
    nf_workspace_return(pass->ws, mark);
    return NERFIT_OK;
}
