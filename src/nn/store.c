#include "nn/store.h"

#include <stdio.h>
#include <string.h>

typedef struct source {
    const nf_network *net;
    const nf_parameter *parameter;
} source;

/* What was read of the model's own file for it is given back. */
static void fill_values(const void *user, void *out) {
    const source *from = user;
    nf_backend *be = from->net->be;
    be->to_f32(be, out, from->parameter->values, nf_parameter_count(from->parameter));
    if (from->net->source) nf_safetensors_forget(from->net->source);
}

nerfit_status nf_store_parameter(nf_to_store *out, nf_arena *arena, const nf_network *net,
                                 const nf_parameter *p, const char *prefix, nerfit_error *err) {
    return nf_store_parameter_as(out, arena, net, p, prefix, p->name, err);
}

nerfit_status nf_store_parameter_as(nf_to_store *out, nf_arena *arena, const nf_network *net,
                                    const nf_parameter *p, const char *prefix, const char *own,
                                    nerfit_error *err) {
    size_t length = strlen(prefix) + strlen(own) + 1;
    source *from = nf_arena_alloc(arena, sizeof *from);
    char *name = nf_arena_alloc(arena, length);
    if (!from || !name) return nf_no_memory(err, length);
    snprintf(name, length, "%s%s", prefix, own);
    *from = (source){net, p};
    *out = (nf_to_store){.name = name,
                         .type = NF_STORED_F32,
                         .n_dims = p->n_dims,
                         .fill = fill_values,
                         .fill_user = from};
    out->dims[0] = (int64_t)(p->n_dims == 1 ? p->cols : p->rows);
    out->dims[1] = (int64_t)p->cols;
    return NERFIT_OK;
}
