#include "nn/lstm.h"

#include <stdio.h>

/* Gives a parameter torch's name. */
static bool lstm_rename(nf_network *net, nf_parameter *p, const char *prefix, const char *what,
                        size_t layer, bool reverse) {
    char name[256];
    snprintf(name, sizeof name, "%s%s_l%zu%s", prefix, what, layer, reverse ? "_reverse" : "");
    return (p->name = nf_arena_strdup(&net->arena, name)) != NULL;
}

static bool lstm_direction_new(nf_lstm_direction *d, nf_network *net, const char *prefix, size_t in,
                               size_t hidden, size_t layer, bool reverse) {
    return (d->input = nf_linear_new(net, prefix, in, 4 * hidden, true)) &&
           lstm_rename(net, d->input->weight, prefix, "weight_ih", layer, reverse) &&
           lstm_rename(net, d->input->bias, prefix, "bias_ih", layer, reverse) &&
           (d->recurrent = nf_network_parameter(net, "", 2, 4 * hidden, hidden, true)) &&
           lstm_rename(net, d->recurrent, prefix, "weight_hh", layer, reverse) &&
           (d->bias = nf_network_parameter(net, "", 1, 1, 4 * hidden, false)) &&
           lstm_rename(net, d->bias, prefix, "bias_hh", layer, reverse);
}

nf_lstm *nf_lstm_new(nf_network *net, const char *prefix, size_t in, size_t hidden,
                     size_t n_layers) {
    nf_lstm *lstm = nf_arena_calloc(&net->arena, 1, sizeof *lstm);
    if (!lstm) return NULL;
    *lstm = (nf_lstm){.hidden = hidden, .n_layers = n_layers};
    lstm->layers = nf_arena_calloc(&net->arena, n_layers, sizeof *lstm->layers);
    if (!lstm->layers) return NULL;
    for (size_t i = 0; i < n_layers; i++)
        for (int d = 0; d < 2; d++)
            if (!lstm_direction_new(&lstm->layers[i][d], net, prefix, i ? 2 * hidden : in, hidden,
                                    i, d == 1))
                return NULL;
    return lstm;
}

static nf_lstm_operands lstm_operands(const nf_lstm *lstm, const nf_pass *pass, size_t layer, int d,
                                      nf_lstm_layer_saved *saved) {
    const nf_lstm_direction *direction = &lstm->layers[layer][d];
    return (nf_lstm_operands){.hidden = lstm->hidden,
                              .stride = 2 * lstm->hidden,
                              .reverse = d == 1,
                              .sequences = &pass->sequences,
                              .recurrent = direction->recurrent->values,
                              .bias = direction->bias->values,
                              .gates = saved->directions[d].gates,
                              .cells = saved->directions[d].cells,
                              .y = nf_at(pass->be, saved->y, (size_t)d * lstm->hidden)};
}

nerfit_status nf_lstm_forward(const nf_lstm *lstm, const nf_pass *pass, nf_values *y,
                              const nf_values *x, nf_lstm_layer_saved *saved) {
    size_t n = (size_t)pass->sequences.n_tokens, h = lstm->hidden;
    for (size_t i = 0; i < lstm->n_layers; i++) {
        nf_lstm_layer_saved local = {0}, *k = saved ? &saved[i] : &local;
        k->y = i + 1 == lstm->n_layers ? y : nf_workspace_reals(pass->ws, n * 2 * h);
        for (int d = 0; d < 2; d++) {
            k->directions[d].gates = nf_workspace_reals(pass->ws, n * 4 * h);
            k->directions[d].cells = nf_workspace_reals(pass->ws, n * h);
            if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
            NF_TRY(nf_linear_forward(lstm->layers[i][d].input, pass, k->directions[d].gates, NULL,
                                     x, NF_ACTIVATION_NONE, &k->directions[d].input));
            nf_lstm_operands operands = lstm_operands(lstm, pass, i, d, k);
            pass->be->lstm_forward(pass->be, &operands);
        }
        x = k->y;
    }
    return NERFIT_OK;
}

nerfit_status nf_lstm_backward(const nf_lstm *lstm, const nf_pass *pass, nf_values *dx,
                               const nf_values *dy, const nf_lstm_layer_saved *saved) {
    nf_backend *be = pass->be;
    size_t n = (size_t)pass->sequences.n_tokens, h = lstm->hidden;
    for (size_t i = lstm->n_layers; i-- > 0;) {
        nf_lstm_layer_saved k = saved[i];
        nf_values *below = i ? nf_workspace_reals(pass->ws, n * 2 * h) : dx;
        nf_values *dgates = nf_workspace_reals(pass->ws, n * 4 * h);
        if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
        for (int d = 0; d < 2; d++) {
            const nf_lstm_direction *direction = &lstm->layers[i][d];
            nf_lstm_operands operands = lstm_operands(lstm, pass, i, d, &k);
            be->lstm_backward(be, dgates, nf_pass_grad(pass, direction->recurrent),
                              nf_at_const(be, dy, (size_t)d * h), &operands);
            nf_values *dbias = nf_pass_grad(pass, direction->bias);
            if (dbias) be->column_sums(be, dbias, dgates, n, 4 * h);
            NF_TRY(nf_linear_backward(direction->input, pass, below, dgates, &k.directions[d].input,
                                      d == 1));
        }
        dy = below;
    }
    return NERFIT_OK;
}
