/* What the network does to all its linear layers, and so what knows both. */
#include <stdlib.h>

#include "nn/linear.h"

void nf_network_free(nf_network *net) {
    for (size_t i = 0; i < net->n_linears; i++) nf_linear_release(net, net->linears[i]);
    for (size_t i = 0; i < net->n_parameters; i++) nf_parameter_give_back(net, net->parameters[i]);
    nf_network_free_flat(net);
    nf_shared_file_drop(net->shared);
    free(net->parameters);
    free(net->linears);
    nf_arena_free(&net->arena);
    *net = (nf_network){0};
}

void nf_network_unprepare(nf_network *net) {
    for (size_t i = 0; i < net->n_linears; i++) nf_linear_unpack(net, net->linears[i]);
}

nerfit_status nf_network_end_training(nf_network *net, nerfit_error *err) {
    nf_network_unprepare(net); /* the values are going to move */
    for (size_t i = 0; i < net->n_parameters; i++) {
        nf_parameter *p = net->parameters[i];
        if (!p->grad) continue;
        nf_values *flat = p->values;
        if (!p->removed) {
            NF_TRY(nf_parameter_allocate(net, p, err));
            net->be->copy(net->be, p->values, flat, nf_parameter_count(p));
        }
        p->grad = NULL;
    }
    nf_network_free_flat(net);
    return NERFIT_OK;
}

nerfit_status nf_network_prepare(nf_network *net, bool backward, nerfit_error *err) {
    for (size_t i = 0; i < net->n_linears; i++) {
        NF_TRY(nf_linear_prepare(net, net->linears[i], backward, err));
        if (net->source) nf_safetensors_forget(net->source);
    }
    return nf_safetensors_check(net->source, err);
}

nerfit_status nf_network_check_pass(const nf_network *net, nf_backend *be, nerfit_error *err) {
    nerfit_status status = nf_backend_check(be, err);
    return status == NERFIT_OK ? nf_safetensors_check(net->source, err) : status;
}

nerfit_status nf_network_refresh(nf_network *net, nerfit_error *err) {
    for (size_t i = 0; i < net->n_linears; i++) {
        nf_linear *linear = net->linears[i];
        if (linear->packed && linear->weight->trained)
            NF_TRY(net->be->weight_update(net->be, linear->packed, err));
    }
    return NERFIT_OK;
}
