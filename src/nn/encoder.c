/* The stack: which layers must keep something is decided by the lowest trained parameter. */
#include "nn/encoder.h"

static bool trained(const nf_linear *linear) {
    return linear && nf_linear_trained(linear);
}

static bool embedding_trained(const nf_embedding *e) {
    return e->words->trained || (e->positions && e->positions->trained) ||
           (e->types && e->types->trained) || (e->shapes && e->shapes->trained) ||
           nf_norm_trained(&e->norm) || trained(e->projection);
}

static bool attention_trained(const nf_encoder *encoder, const nf_attention *a) {
    return trained(a->query) || trained(a->key) || trained(a->value) || trained(a->fused) ||
           trained(a->out) || nf_norm_trained(&a->norm) || trained(a->position_key) ||
           trained(a->position_query) || nf_relative_trained(encoder);
}

static bool layer_trained(const nf_encoder *encoder, const nf_layer *layer) {
    const nf_feed_forward *f = &layer->feed_forward;
    return attention_trained(encoder, &layer->attention) || trained(f->up) || trained(f->gate) ||
           trained(f->down) || nf_norm_trained(&f->norm);
}

/* -1: the embeddings; i: layer i; n_layers: nothing below the head is trained. */
static int lowest_trained(const nf_encoder *encoder) {
    if (embedding_trained(&encoder->embedding)) return -1;
    int i = 0;
    while (i < (int)encoder->n_layers && !layer_trained(encoder, &encoder->layers[i])) i++;
    return i;
}

/* Whether backward goes through the final norm. */
static bool final_norm_matters(const nf_encoder *encoder, int lowest) {
    return encoder->final_norm &&
           (lowest < (int)encoder->n_layers || nf_norm_trained(encoder->final_norm));
}

/* The wanted rows of x; from here on a pass has these alone. */
static nf_values *take_rows(nf_pass *layer, nf_pass *rest, const nf_values *x, size_t c) {
    nf_values *rows = nf_workspace_reals(layer->ws, layer->n_rows * c);
    if (nf_workspace_failed(layer->ws)) return NULL;
    layer->be->embedding_forward(layer->be, rows, x, layer->rows, layer->n_rows, c, false);
    layer->sequences.n_tokens = rest->sequences.n_tokens = (int32_t)layer->n_rows;
    return rows;
}

nerfit_status nf_encoder_forward(const nf_encoder *encoder, const nf_pass *pass, nf_values *y,
                                 nf_encoder_saved *saved, nf_values **hidden_states) {
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens, c = encoder->hidden;
    int lowest = pass->keep ? lowest_trained(encoder) : (int)encoder->n_layers;
    bool keeps_norm = pass->keep && final_norm_matters(encoder, lowest);
    nf_batch_positions batch_positions;
    nf_pass keep = *pass, forget;
    keep.batch_positions = saved ? &saved->batch_positions : &batch_positions;
    NF_TRY(nf_batch_positions_forward(encoder, pass,
                                      saved ? &saved->batch_positions : &batch_positions));
    pass = &keep;
    forget = keep;
    forget.keep = false;

    /* Layers that keep nothing alternate between two buffers. */
    nf_values *buffers[2] = {nf_workspace_reals(pass->ws, n * c),
                             nf_workspace_reals(pass->ws, n * c)};
    nf_values *middle = nf_workspace_reals(pass->ws, n * c);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    nf_values *x = buffers[0];
    NF_TRY(nf_embedding_forward(encoder, lowest < 0 ? pass : &forget, x,
                                lowest < 0 ? &saved->embedding : NULL));
    if (hidden_states) be->copy(be, hidden_states[0], x, n * c);
    for (int i = 0; i < (int)encoder->n_layers; i++) {
        const nf_layer *layer = &encoder->layers[i];
        bool keeps = i >= lowest;
        nf_pass at = keeps ? *pass : forget;
        const nf_pass *p = &at;
        at.repeat = encoder->shares_layers ? (uint32_t)i : 0;
        nf_layer_saved *k = keeps ? &saved->layers[i] : NULL;
        nf_values *next = i + 1 == (int)encoder->n_layers ? y
                          : keeps                         ? nf_workspace_reals(pass->ws, n * c)
                                                          : buffers[x == buffers[0]];
        if (keeps) middle = k->middle = nf_workspace_reals(pass->ws, n * c);
        nf_workspace_mark mark = nf_workspace_here(pass->ws);
        if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
        NF_TRY(nf_attention_forward(encoder, &layer->attention, p, middle, x,
                                    k ? &k->attention : NULL));
        if (!keeps) nf_workspace_return(pass->ws, mark);
        if (next == y && pass->rows) middle = take_rows(&at, &forget, middle, c);
        if (!middle) return NERFIT_NO_MEMORY;
        NF_TRY(nf_feed_forward_forward(encoder, &layer->feed_forward, p, next, middle,
                                       k ? &k->feed_forward : NULL));
        if (!keeps) nf_workspace_return(pass->ws, mark);
        x = next;
        if (hidden_states) be->copy(be, hidden_states[i + 1], x, n * c);
    }
    if (encoder->n_layers == 0 && pass->rows) x = take_rows(&keep, &forget, x, c);
    if (!x) return NERFIT_NO_MEMORY;
    if (encoder->n_layers == 0) be->copy(be, y, x, (size_t)keep.sequences.n_tokens * c);
    if (!encoder->final_norm) return NERFIT_OK;
    NF_TRY(nf_norm_forward(encoder->final_norm, keeps_norm ? pass : &forget, y, y, NULL, 0.0, c,
                           keeps_norm ? &saved->final_norm : NULL));
    if (hidden_states) be->copy(be, hidden_states[encoder->n_layers], y, n * c);
    return NERFIT_OK;
}

nerfit_status nf_encoder_backward(const nf_encoder *encoder, const nf_pass *pass, nf_values *dy,
                                  const nf_encoder_saved *saved, nf_values *const *dhidden_states) {
    size_t n = (size_t)pass->sequences.n_tokens, c = encoder->hidden;
    int lowest = lowest_trained(encoder);
    nf_values *dmiddle = nf_workspace_reals(pass->ws, n * c);
    nf_batch_positions batch_positions = saved->batch_positions;
    nf_pass placed = *pass;
    placed.batch_positions = &batch_positions;
    pass = &placed;
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_batch_positions_start_backward(encoder, pass, &batch_positions));
    if (final_norm_matters(encoder, lowest))
        nf_norm_backward(encoder->final_norm, pass, dy, NULL, dy, 0.0, c, &saved->final_norm);
    for (int i = (int)encoder->n_layers - 1; i >= lowest && i >= 0; i--) {
        const nf_layer *layer = &encoder->layers[i];
        bool deeper = i > lowest, middle = deeper || attention_trained(encoder, &layer->attention);
        nf_pass at = *pass;
        at.repeat = encoder->shares_layers ? (uint32_t)i : 0;
        NF_TRY(nf_feed_forward_backward(encoder, &layer->feed_forward, &at, middle ? dmiddle : NULL,
                                        dy, &saved->layers[i].feed_forward));
        if (!middle) break;
        NF_TRY(nf_attention_backward(encoder, &layer->attention, &at, deeper ? dy : NULL, dmiddle,
                                     &saved->layers[i].attention));
        if (deeper && dhidden_states && dhidden_states[i])
            pass->be->axpy(pass->be, dy, 1.0, dhidden_states[i], n * c);
        if (pass->layer_done) pass->layer_done(pass->listener, (size_t)i);
    }
    nf_batch_positions_finish_backward(encoder, pass, &batch_positions);
    if (lowest < 0) return nf_embedding_backward(encoder, pass, dy, &saved->embedding);
    return NERFIT_OK;
}
