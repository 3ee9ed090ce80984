/* The stack: which layers must keep something is decided by the lowest trained parameter. */
#include "model/encoder.h"

#include "model/team.h"

static bool norm_trained(const nf_norm *norm) {
    return norm->weight->trained || norm->bias->trained;
}

static bool embedding_trained(const nf_embedding *e) {
    return e->words->trained || e->positions->trained || (e->types && e->types->trained) ||
           norm_trained(&e->norm);
}

static bool attention_trained(const nf_attention *a) {
    return nf_linear_trained(a->query) || nf_linear_trained(a->key) ||
           nf_linear_trained(a->value) || nf_linear_trained(a->out) || norm_trained(&a->norm);
}

static bool layer_trained(const nf_layer *layer) {
    const nf_feed_forward *f = &layer->feed_forward;
    return attention_trained(&layer->attention) || nf_linear_trained(f->up) ||
           nf_linear_trained(f->down) || norm_trained(&f->norm);
}

/* -1: the embeddings; i: layer i; n_layers: nothing below the head is trained. */
static int lowest_trained(const nf_encoder *encoder) {
    if (embedding_trained(&encoder->embedding)) return -1;
    int i = 0;
    while (i < (int)encoder->n_layers && !layer_trained(&encoder->layers[i])) i++;
    return i;
}

nerfit_status nf_encoder_forward(const nf_encoder *encoder, const nf_pass *pass, nf_values *y,
                                 nf_encoder_kept *kept, nf_values **hidden_states) {
    if (pass->team) return nf_team_forward(pass->team, encoder, pass, y);
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens, c = encoder->hidden;
    int lowest = pass->keep ? lowest_trained(encoder) : (int)encoder->n_layers;
    nf_pass forget = *pass;
    forget.keep = false;

    /* Layers that keep nothing alternate between two buffers. */
    nf_values *buffers[2] = {nf_workspace_reals(pass->ws, n * c),
                             nf_workspace_reals(pass->ws, n * c)};
    nf_values *middle = nf_workspace_reals(pass->ws, n * c);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    nf_values *x = buffers[0];
    NF_TRY(nf_embedding_forward(encoder, lowest < 0 ? pass : &forget, x,
                                lowest < 0 ? &kept->embedding : NULL));
    if (hidden_states) be->copy(be, hidden_states[0], x, n * c);
    for (int i = 0; i < (int)encoder->n_layers; i++) {
        const nf_layer *layer = &encoder->layers[i];
        bool keeps = i >= lowest;
        const nf_pass *p = keeps ? pass : &forget;
        nf_layer_kept *k = keeps ? &kept->layers[i] : NULL;
        nf_values *next = i + 1 == (int)encoder->n_layers ? y
                          : keeps                         ? nf_workspace_reals(pass->ws, n * c)
                                                          : buffers[x == buffers[0]];
        if (keeps) middle = k->middle = nf_workspace_reals(pass->ws, n * c);
        nf_workspace_mark mark = nf_workspace_here(pass->ws);
        if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
        NF_TRY(nf_attention_forward(encoder, &layer->attention, p, middle, x,
                                    k ? &k->attention : NULL));
        if (!keeps) nf_workspace_return(pass->ws, mark);
        NF_TRY(nf_feed_forward_forward(encoder, &layer->feed_forward, p, next, middle,
                                       k ? &k->feed_forward : NULL));
        if (!keeps) nf_workspace_return(pass->ws, mark);
        x = next;
        if (hidden_states) be->copy(be, hidden_states[i + 1], x, n * c);
    }
    if (encoder->n_layers == 0) be->copy(be, y, x, n * c);
    return NERFIT_OK;
}

nerfit_status nf_encoder_backward(const nf_encoder *encoder, const nf_pass *pass, nf_values *dy,
                                  const nf_encoder_kept *kept) {
    if (pass->team) return nf_team_backward(pass->team, encoder, pass, dy);
    size_t n = (size_t)pass->sequences.n_tokens, c = encoder->hidden;
    int lowest = lowest_trained(encoder);
    nf_values *dmiddle = nf_workspace_reals(pass->ws, n * c);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    for (int i = (int)encoder->n_layers - 1; i >= lowest && i >= 0; i--) {
        const nf_layer *layer = &encoder->layers[i];
        bool deeper = i > lowest, middle = deeper || attention_trained(&layer->attention);
        NF_TRY(nf_feed_forward_backward(encoder, &layer->feed_forward, pass,
                                        middle ? dmiddle : NULL, dy,
                                        &kept->layers[i].feed_forward));
        if (!middle) break;
        NF_TRY(nf_attention_backward(encoder, &layer->attention, pass, deeper ? dy : NULL,
                                     dmiddle, &kept->layers[i].attention));
    }
    if (lowest < 0) return nf_embedding_backward(encoder, pass, dy, &kept->embedding);
    return NERFIT_OK;
}
