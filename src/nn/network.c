#include "nn/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/rng.h"

void nf_network_init(nf_network *net, nf_backend *be) {
    *net = (nf_network){.be = be};
}

void nf_parameter_give_back(nf_network *net, nf_parameter *p) {
    if (p->owned) net->be->memory_free(net->be, p->owned);
    p->owned = NULL;
    p->values = NULL;
}

void nf_network_free_flat(nf_network *net) {
    nf_values *buffers[] = {net->flat_values, net->flat_grads, net->flat_m, net->flat_v};
    for (size_t i = 0; i < 4; i++)
        if (buffers[i]) net->be->memory_free(net->be, buffers[i]);
    net->flat_values = net->flat_grads = net->flat_m = net->flat_v = NULL;
    net->n_trained = 0;
}

nf_parameter *nf_network_parameter(nf_network *net, const char *name, int n_dims, size_t rows,
                                   size_t cols, bool decayed) {
    if (!nf_array_reserve(&net->parameters, &net->parameters_capacity, net->n_parameters + 1,
                          sizeof *net->parameters))
        return NULL;
    nf_parameter *p = nf_arena_calloc(&net->arena, 1, sizeof *p);
    char *copy = nf_arena_strdup(&net->arena, name);
    if (!p || !copy) return NULL;
    *p = (nf_parameter){.name = copy,
                        .n_dims = n_dims,
                        .rows = rows,
                        .cols = cols,
                        .decayed = decayed,
                        .index = net->n_parameters};
    net->parameters[net->n_parameters++] = p;
    return p;
}

nf_parameter *nf_network_find(const nf_network *net, const char *name) {
    for (size_t i = 0; i < net->n_parameters; i++)
        if (!net->parameters[i]->removed && strcmp(net->parameters[i]->name, name) == 0)
            return net->parameters[i];
    return NULL;
}

nerfit_status nf_parameter_allocate(nf_network *net, nf_parameter *p, nerfit_error *err) {
    if (p->owned) return NERFIT_OK;
    size_t bytes = nf_parameter_count(p) * net->be->real_size;
    p->owned = net->be->memory_new(net->be, bytes);
    if (!p->owned) return nf_no_memory(err, bytes);
    p->values = p->owned;
    return NERFIT_OK;
}

static nerfit_status check_shape(const nf_parameter *p, const nf_stored *stored, const char *where,
                                 nerfit_error *err) {
    bool same = stored->count == nf_parameter_count(p) && stored->n_dims == p->n_dims &&
                (p->n_dims == 1 || stored->dims[0] == (int64_t)p->rows);
    if (same) return NERFIT_OK;
    char given[128] = "", expected[64];
    size_t used = 0;
    for (int i = 0; i < stored->n_dims && used < sizeof given; i++)
        used += (size_t)snprintf(given + used, sizeof given - used, "%s%lld", i ? ", " : "",
                                 (long long)stored->dims[i]);
    if (p->n_dims == 1)
        snprintf(expected, sizeof expected, "%zu", p->cols);
    else
        snprintf(expected, sizeof expected, "%zu, %zu", p->rows, p->cols);
    return nf_fail_at(err, NERFIT_FORMAT, where, 0, 0,
                      "tensor \"%s\" has shape [%s], expected [%s] from the configuration",
                      stored->name, given, expected);
}

nerfit_status nf_parameter_load(nf_network *net, nf_parameter *p, const nf_stored *stored,
                                const char *where, nerfit_error *err) {
    NF_TRY(check_shape(p, stored, where, err));
    if (net->shared && nf_safetensors_find(net->source, stored->name) == stored) {
        const nf_values *values;
        NF_TRY(nf_shared_file_values(net->shared, stored, &values, err));
        nf_parameter_give_back(net, p);
        p->values = (nf_values *)(uintptr_t)values;
        return NERFIT_OK;
    }
    bool floats = stored->type == NF_STORED_F32 && (uintptr_t)stored->data % sizeof(float) == 0;
    const nf_values *adopted =
        floats ? net->be->adopt(net->be, (const float *)stored->data, stored->count) : NULL;
    if (adopted) {
        nf_parameter_give_back(net, p);
        p->values = (nf_values *)(uintptr_t)adopted; /* frozen values are never written */
        return NERFIT_OK;
    }
    return nf_parameter_copy(net, p, stored, where, err);
}

nerfit_status nf_parameter_fill(nf_network *net, nf_parameter *p, const float *values,
                                nerfit_error *err) {
    NF_TRY(nf_parameter_allocate(net, p, err));
    net->be->from_f32(net->be, p->values, values, nf_parameter_count(p));
    return NERFIT_OK;
}

nerfit_status nf_parameter_copy(nf_network *net, nf_parameter *p, const nf_stored *stored,
                                const char *where, nerfit_error *err) {
    NF_TRY(check_shape(p, stored, where, err));
    float *values = malloc(stored->count * sizeof *values + 1);
    if (!values) return nf_no_memory(err, stored->count * sizeof *values);
    nerfit_status status = nf_stored_to_f32(stored, values, err);
    if (status == NERFIT_OK) status = nf_parameter_fill(net, p, values, err);
    free(values);
    return status;
}

typedef double (*sampler)(nf_rng *rng, double scale);
static double sample_normal(nf_rng *rng, double sd) {
    return sd * nf_rng_normal(rng);
}
static double sample_uniform(nf_rng *rng, double bound) {
    return bound * (2.0 * nf_rng_uniform(rng) - 1.0);
}
static double sample_constant(nf_rng *rng, double value) {
    (void)rng;
    return value;
}

static nerfit_status fill_from(nf_network *net, nf_parameter *p, sampler sample, double scale,
                               uint64_t seed, uint64_t stream, nerfit_error *err) {
    size_t count = nf_parameter_count(p);
    float *values = malloc(count * sizeof *values + 1);
    if (!values) return nf_no_memory(err, count * sizeof *values);
    nf_rng rng = nf_rng_new(seed, stream);
    for (size_t i = 0; i < count; i++) values[i] = (float)sample(&rng, scale);
    nerfit_status status = nf_parameter_fill(net, p, values, err);
    free(values);
    return status;
}

nerfit_status nf_parameter_constant(nf_network *net, nf_parameter *p, float value,
                                    nerfit_error *err) {
    return fill_from(net, p, sample_constant, value, 0, 0, err);
}

nerfit_status nf_parameter_normal(nf_network *net, nf_parameter *p, double sd, uint64_t seed,
                                  uint64_t stream, nerfit_error *err) {
    return fill_from(net, p, sample_normal, sd, seed, stream, err);
}

nerfit_status nf_parameter_uniform(nf_network *net, nf_parameter *p, double bound, uint64_t seed,
                                   uint64_t stream, nerfit_error *err) {
    return fill_from(net, p, sample_uniform, bound, seed, stream, err);
}

void nf_parameter_remove(nf_network *net, nf_parameter *p) {
    if (!p) return;
    nf_parameter_give_back(net, p);
    p->removed = true;
    p->trained = false;
}

uint32_t nf_network_dropout_stream(nf_network *net) {
    return net->n_dropout_streams++;
}

/* Visits the trained parameters with their places in the flat buffers. */
static size_t lay_out(nf_network *net, void (*visit)(nf_network *, nf_parameter *, size_t)) {
    size_t offset = 0;
    for (int part = 0; part < 2 * NF_GROUPS; part++) {
        for (size_t i = 0; i < net->n_parameters; i++) {
            nf_parameter *p = net->parameters[i];
            if (!p->trained || p->removed || p->group != (nf_group)(part / 2) ||
                p->decayed != (part % 2 == 0))
                continue;
            if (visit) visit(net, p, offset);
            /* each one starts on a multiple of 16 elements: a cache line of floats */
            offset += (nf_parameter_count(p) + 15) & ~(size_t)15;
        }
        net->ends[part / 2][part % 2] = offset;
    }
    return offset;
}

static void move_in(nf_network *net, nf_parameter *p, size_t offset) {
    nf_assert_within(offset + nf_parameter_count(p), net->n_trained);
    nf_values *place = nf_at(net->be, net->flat_values, offset);
    net->be->copy(net->be, place, p->values, nf_parameter_count(p));
    nf_parameter_give_back(net, p);
    p->values = place;
    p->grad = nf_at(net->be, net->flat_grads, offset);
    p->offset = offset;
}

nerfit_status nf_network_start_training(nf_network *net, nerfit_error *err) {
    size_t n = lay_out(net, NULL), bytes = n * net->be->real_size;
    nf_values **buffers[] = {&net->flat_values, &net->flat_grads, &net->flat_m, &net->flat_v};
    for (size_t i = 0; i < 4; i++) {
        *buffers[i] = net->be->memory_new(net->be, bytes);
        if (!*buffers[i]) {
            nf_network_free_flat(net);
            return nf_no_memory(err, bytes);
        }
        net->be->zero(net->be, *buffers[i], n);
    }
    net->n_trained = n;
    lay_out(net, move_in);
    return NERFIT_OK;
}

static nerfit_status check_parameter(const nf_network *net, const char *where,
                                     const nf_parameter *p, float *part, size_t room,
                                     nerfit_error *err) {
    nf_backend *be = net->be;
    size_t count = nf_parameter_count(p);
    for (size_t at = 0; at < count; at += room) {
        size_t size = count - at < room ? count - at : room;
        be->to_f32(be, part, nf_at(be, p->values, at), size);
        for (size_t i = 0; i < size; i++)
            if (!isfinite(part[i]))
                return nf_fail_at(
                    err, NERFIT_NUMERIC, where, 0, 0,
                    "tensor \"%s\" holds a value that is not finite (%s, value %zu of "
                    "%zu): the weights are damaged",
                    p->name, isnan(part[i]) ? "NaN" : "infinite", at + i + 1, count);
    }
    return NERFIT_OK;
}

nerfit_status nf_network_check_finite(const nf_network *net, const char *where, bool frozen,
                                      nerfit_error *err) {
    enum { ROOM = 4096 };
    float *part = malloc(ROOM * sizeof *part);
    if (!part) return nf_no_memory(err, ROOM * sizeof *part);
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < net->n_parameters && status == NERFIT_OK; i++) {
        const nf_parameter *p = net->parameters[i];
        if (!p->removed && p->values && !(frozen && p->grad))
            status = check_parameter(net, where, p, part, ROOM, err);
    }
    free(part);
    return status;
}

nerfit_status nf_pass_failed(const nf_pass *pass, nerfit_error *err) {
    NF_TRY(nf_workspace_check(pass->ws, err));
    return nf_no_memory(err, 0); /* what a thread of its own had no memory for */
}

nf_dropout nf_pass_dropout(const nf_pass *pass, uint32_t stream, double p, size_t width) {
    return (nf_dropout){.p = pass->training ? p : 0.0,
                        .seed = pass->seed,
                        .step = pass->step,
                        .stream = stream + pass->repeat * NF_DROPOUT_STREAMS,
                        .first = (uint64_t)pass->first_row * width};
}
