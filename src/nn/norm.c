/* Layer norm over a residual sum: the end of a block; or before it, and the sum alone at its
 * end. */
#include "nn/encoder.h"

bool nf_norm_trained(const nf_norm *norm) {
    return (norm->weight && norm->weight->trained) || (norm->bias && norm->bias->trained);
}

static nf_norm_operands operands_of(const nf_norm *norm, const nf_pass *pass, size_t c,
                                    const nf_norm_saved *saved) {
    return (nf_norm_operands){.n = (size_t)pass->sequences.n_tokens,
                              .c = c,
                              .epsilon = norm->epsilon,
                              .rms = norm->rms,
                              .gamma = norm->weight->values,
                              .beta = norm->bias ? norm->bias->values : NULL,
                              .sum = saved->sum,
                              .mean = saved->mean,
                              .rstd = saved->rstd};
}

nerfit_status nf_norm_forward(const nf_norm *norm, const nf_pass *pass, nf_values *y,
                              const nf_values *x, const nf_values *residual, double p, size_t c,
                              nf_norm_saved *saved) {
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens;
    nf_norm_saved local = {0};
    nf_assert_equal(nf_parameter_count(norm->weight), c);
    nf_assert(!norm->bias || nf_parameter_count(norm->bias) == c);
    if (pass->keep) {
        local.sum = nf_workspace_reals(pass->ws, n * c);
        if (!norm->rms) local.mean = nf_workspace_reals(pass->ws, n);
        local.rstd = nf_workspace_reals(pass->ws, n);
        if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    }
    nf_dropout dropout = nf_pass_dropout(pass, norm->stream, p, c);
    const nf_norm_operands operands = operands_of(norm, pass, c, &local);
    be->norm_forward(be, y, x, residual, &operands, &dropout);
    if (saved) *saved = local;
    return NERFIT_OK;
}

void nf_norm_backward(const nf_norm *norm, const nf_pass *pass, nf_values *dsum, nf_values *dx,
                      const nf_values *dy, double p, size_t c, const nf_norm_saved *saved) {
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens;
    nf_dropout dropout = nf_pass_dropout(pass, norm->stream, p, c);
    const nf_norm_operands operands = operands_of(norm, pass, c, saved);
    be->norm_backward(be, dsum, nf_pass_grad(pass, norm->weight),
                      norm->bias ? nf_pass_grad(pass, norm->bias) : NULL, dy, &operands);
    if (dx) be->dropout(be, dx, dsum, n * c, &dropout);
}

void nf_residual_forward(const nf_norm *norm, const nf_pass *pass, nf_values *y,
                         const nf_values *out, const nf_values *x, double p, size_t c) {
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens;
    nf_dropout dropout = nf_pass_dropout(pass, norm->stream, p, c);
    be->dropout(be, y, out, n * c, &dropout);
    be->axpy(be, y, 1.0, x, n * c);
}

void nf_residual_backward(const nf_norm *norm, const nf_pass *pass, nf_values *dout,
                          const nf_values *dy, double p, size_t c) {
    nf_dropout dropout = nf_pass_dropout(pass, norm->stream, p, c);
    pass->be->dropout(pass->be, dout, dy, (size_t)pass->sequences.n_tokens * c, &dropout);
}
