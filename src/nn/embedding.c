/* Embeddings: word + position + type, layer norm, dropout, projection. */
#include "nn/encoder.h"

static nf_dropout dropout_of(const nf_encoder *encoder, const nf_pass *pass) {
    const nf_embedding *e = &encoder->embedding;
    return nf_pass_dropout(pass, e->stream, e->own_dropout ? e->dropout : encoder->hidden_dropout,
                           e->size);
}

nerfit_status nf_embedding_forward(const nf_encoder *encoder, const nf_pass *pass, nf_values *y,
                                   nf_embedding_saved *saved) {
    nf_backend *be = pass->be;
    const nf_embedding *embedding = &encoder->embedding;
    size_t n = (size_t)pass->sequences.n_tokens, c = embedding->size;
    nf_workspace_mark mark = nf_workspace_here(pass->ws);
    nf_sequences_assert(be, &pass->sequences);
    nf_assert_equal(embedding->words->cols, c);
    nf_assert(!embedding->positions || embedding->positions->cols == c);
    nf_assert(!embedding->types || embedding->types->cols == c);
    nf_assert(embedding->projection ? embedding->projection->in == c : c == encoder->hidden);
    for (size_t t = 0; NF_ASSERTING && be->is_host && t < n; t++) {
        nf_assert_below(pass->ids[t], embedding->words->rows);
        if (embedding->positions) nf_assert_below(pass->positions[t], embedding->positions->rows);
    }
    nf_values *sum = nf_workspace_reals(pass->ws, n * c);
    nf_values *embedded = embedding->projection ? nf_workspace_reals(pass->ws, n * c) : y;
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    be->embedding_forward(be, sum, embedding->words->values, pass->ids, n, c, false);
    if (embedding->positions)
        be->embedding_forward(be, sum, embedding->positions->values, pass->positions, n, c, true);
    if (embedding->types)
        be->embedding_forward(be, sum, embedding->types->values, pass->types, n, c, true);
    if (embedding->shapes)
        be->embedding_forward(be, sum, embedding->shapes->values, pass->shapes, n, c, true);
    if (embedding->norm.weight)
        NF_TRY(nf_norm_forward(&embedding->norm, pass, embedded, sum, NULL, 0.0, c,
                               saved ? &saved->norm : NULL));
    else
        be->copy(be, embedded, sum, n * c);
    nf_dropout dropout = dropout_of(encoder, pass);
    if (dropout.p > 0.0) be->dropout(be, embedded, embedded, n * c, &dropout);
    if (embedding->projection)
        NF_TRY(nf_linear_forward(embedding->projection, pass, y, NULL, embedded, NF_ACTIVATION_NONE,
                                 saved ? &saved->projection : NULL));
    if (!pass->keep) nf_workspace_return(pass->ws, mark);
    return NERFIT_OK;
}

nerfit_status nf_embedding_backward(const nf_encoder *encoder, const nf_pass *pass,
                                    const nf_values *dy, const nf_embedding_saved *saved) {
    nf_backend *be = pass->be;
    const nf_embedding *embedding = &encoder->embedding;
    size_t n = (size_t)pass->sequences.n_tokens, c = embedding->size;
    nf_workspace_mark mark = nf_workspace_here(pass->ws);
    nf_values *dsum = nf_workspace_reals(pass->ws, n * c);
    nf_values *dembedded = embedding->projection ? nf_workspace_reals(pass->ws, n * c) : NULL;
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    if (embedding->projection) {
        NF_TRY(nf_linear_backward(embedding->projection, pass, dembedded, dy, &saved->projection,
                                  false));
        dy = dembedded;
    }
    nf_dropout dropout = dropout_of(encoder, pass);
    be->dropout(be, dsum, dy, n * c, &dropout);
    if (embedding->norm.weight)
        nf_norm_backward(&embedding->norm, pass, dsum, NULL, dsum, 0.0, c, &saved->norm);
    if (embedding->words->grad)
        be->embedding_backward(be, embedding->words->grad, dsum, pass->ids, n, c,
                               embedding->padding_id);
    if (embedding->positions && embedding->positions->grad)
        be->embedding_backward(be, embedding->positions->grad, dsum, pass->positions, n, c,
                               embedding->position_padding_id);
    if (embedding->types && embedding->types->grad)
        be->embedding_backward(be, embedding->types->grad, dsum, pass->types, n, c, -1);
    nf_values *dshapes = embedding->shapes ? nf_pass_grad(pass, embedding->shapes) : NULL;
    if (dshapes) be->embedding_backward(be, dshapes, dsum, pass->shapes, n, c, -1);
    nf_workspace_return(pass->ws, mark);
    return NERFIT_OK;
}
