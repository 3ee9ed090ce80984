#include "heads/features.h"

nerfit_status nf_features_forward(const nf_features *features, const nf_pass *pass, nf_values *y,
                                  const nf_values *x, size_t n, nf_head_saved *saved) {
    size_t c = features->dense->out;
    nf_pass rows = nf_head_rows(pass, n);
    nf_values *dense = nf_workspace_reals(pass->ws, n * c);
    saved->pre = pass->keep ? nf_workspace_reals(pass->ws, n * c) : NULL;
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_linear_forward(features->dense, &rows, dense, saved->pre, x, features->activation,
                             &saved->dense));
    return nf_norm_forward(&features->norm, &rows, y, dense, NULL, 0.0, c, &saved->norm);
}

nerfit_status nf_features_backward(const nf_features *features, const nf_pass *pass, nf_values *dx,
                                   nf_values *dy, size_t n, const nf_head_saved *saved) {
    size_t c = features->dense->out;
    nf_pass rows = nf_head_rows(pass, n);
    nf_norm_backward(&features->norm, &rows, dy, NULL, dy, 0.0, c, &saved->norm);
    pass->be->activation_backward(pass->be, features->activation, dy, dy, saved->pre, n * c);
    return nf_linear_backward(features->dense, &rows, dx, dy, &saved->dense, false);
}

nerfit_status nf_features_start(const nf_features *features, nf_network *net,
                                const nf_safetensors *weights, uint64_t seed, uint64_t stream,
                                nerfit_error *err) {
    nf_parameter *parts[] = {features->dense->weight, features->dense->bias, features->norm.weight,
                             features->norm.bias};
    const char *where = nf_safetensors_path(weights);
    for (size_t i = 0; i < 4; i++) {
        nf_parameter *p = parts[i];
        if (!p) continue;
        const nf_stored *stored = nf_safetensors_find(weights, p->name);
        if (stored)
            NF_TRY(nf_parameter_load(net, p, stored, where, err));
        else if (i == 0)
            NF_TRY(nf_parameter_normal(net, p, features->initializer_range, seed, stream, err));
        else
            NF_TRY(nf_parameter_constant(net, p, i == 2 ? 1.0f : 0.0f, err));
    }
    return NERFIT_OK;
}
