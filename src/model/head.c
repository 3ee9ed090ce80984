/* The token-classification head: logits = classifier(dropout(x)), where for some architectures a
 * dense layer with activation and a norm come first. */

#include "model/model.h"

nerfit_status nf_head_features_forward(const nf_model *model, const nf_pass *pass, nf_values *y,
                                       const nf_values *x, size_t n, nf_head_kept *kept) {
    size_t c = model->encoder.hidden;
    const nf_head *head = model->head;
    nf_values *dense = nf_workspace_reals(pass->ws, n * c);
    kept->pre = pass->keep ? nf_workspace_reals(pass->ws, n * c) : NULL;
    kept->rows = n;
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    nf_pass rows = *pass; /* as many rows as there are, whatever the texts are */
    rows.sequences.n_tokens = (int32_t)n;
    NF_TRY(
        nf_linear_forward(head->dense, &rows, dense, kept->pre, x, head->activation, &kept->dense));
    return nf_norm_forward(&head->norm, &rows, y, dense, NULL, 0.0, c, &kept->norm);
}

nerfit_status nf_head_features_backward(const nf_model *model, const nf_pass *pass, nf_values *dx,
                                        nf_values *dy, const nf_head_kept *kept) {
    size_t c = model->encoder.hidden;
    const nf_head *head = model->head;
    nf_pass rows = *pass;
    rows.sequences.n_tokens = (int32_t)kept->rows;
    nf_norm_backward(&head->norm, &rows, dy, NULL, dy, 0.0, c, &kept->norm);
    pass->be->activation_backward(pass->be, head->activation, dy, dy, kept->pre, kept->rows * c);
    return nf_linear_backward(head->dense, &rows, dx, dy, &kept->dense, false);
}

nerfit_status nf_head_forward(const nf_model *model, const nf_pass *pass, nf_values *logits,
                              const nf_values *x, nf_head_kept *kept) {
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens, c = model->encoder.hidden;
    nf_head_kept k = {0};
    nf_dropout dropout =
        nf_pass_dropout(pass, model->classifier_site, model->encoder.classifier_dropout, c);
    nf_values *dropped = nf_workspace_reals(pass->ws, n * c);
    nf_linear_assert(model->classifier, c, model->n_labels);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    if (model->head) {
        NF_TRY(nf_head_features_forward(model, pass, dropped, x, n, &k));
        x = dropped;
    }
    be->dropout(be, dropped, x, n * c, &dropout);
    NF_TRY(nf_linear_forward(model->classifier, pass, logits, NULL, dropped, NF_ACTIVATION_NONE,
                             &k.classifier));
    if (kept) *kept = k;
    return NERFIT_OK;
}

nerfit_status nf_head_backward(const nf_model *model, const nf_pass *pass, nf_values *dx,
                               const nf_values *dlogits, const nf_head_kept *kept) {
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens, c = model->encoder.hidden;
    nf_dropout dropout =
        nf_pass_dropout(pass, model->classifier_site, model->encoder.classifier_dropout, c);
    nf_values *inner = model->head ? nf_workspace_reals(pass->ws, n * c) : dx;
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_linear_backward(model->classifier, pass, inner, dlogits, &kept->classifier, false));
    be->dropout(be, inner, inner, n * c, &dropout);
    return model->head ? nf_head_features_backward(model, pass, dx, inner, kept) : NERFIT_OK;
}

size_t nf_head_parameters(const nf_model *model, nf_parameter *out[NF_HEAD_PARAMETERS]) {
    const nf_linear *linears[] = {model->classifier, model->head ? model->head->dense : NULL};
    size_t count = 0;
    for (size_t i = 0; i < 2; i++) {
        if (!linears[i]) continue;
        out[count++] = linears[i]->weight;
        if (linears[i]->bias) out[count++] = linears[i]->bias;
    }
    if (model->head) out[count++] = model->head->norm.weight;
    if (model->head && model->head->norm.bias) out[count++] = model->head->norm.bias;
    return count;
}

bool nf_head_has(const nf_model *model, const nf_parameter *p) {
    nf_parameter *parts[NF_HEAD_PARAMETERS];
    size_t count = nf_head_parameters(model, parts);
    for (size_t i = 0; i < count; i++)
        if (parts[i] == p) return true;
    return false;
}

void nf_head_train(nf_model *model) {
    nf_parameter *parts[NF_HEAD_PARAMETERS];
    size_t count = nf_head_parameters(model, parts);
    for (size_t i = 0; i < count; i++) parts[i]->trained = true;
}

/* A checkpoint of a language model has these two, and transformers' classifier takes them over. */
nerfit_status nf_head_start(nf_model *model, uint64_t seed, uint64_t stream, nerfit_error *err) {
    nf_head *head = model->head;
    nf_network *net = &model->net;
    if (!head) return NERFIT_OK;
    nf_parameter *parts[] = {head->dense->weight, head->dense->bias, head->norm.weight,
                             head->norm.bias};
    const char *where = nf_safetensors_path(model->weights);
    for (size_t i = 0; i < 4; i++) {
        nf_parameter *p = parts[i];
        if (!p) continue;
        const nf_stored *stored = nf_safetensors_find(model->weights, p->name);
        if (stored)
            NF_TRY(nf_parameter_load(net, p, stored, where, err));
        else if (i == 0)
            NF_TRY(nf_parameter_normal(net, p, head->initializer_range, seed, stream, err));
        else
            NF_TRY(nf_parameter_constant(net, p, i == 2 ? 1.0f : 0.0f, err));
    }
    return NERFIT_OK;
}
