#include "train/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "nn/linear.h"

/* A trained weight and the elements of the flat buffers that it is. */
typedef struct trained_weight {
    const nf_linear *linear;
    size_t first, end;
} trained_weight;

typedef struct range {
    size_t first, end;
} range;

struct nf_optimizer {
    nf_network *net;
    trained_weight *weights; /* [n_weights] by their places */
    size_t n_weights;
    /* of every layer the elements of its weights, where they lie together: their sums over ranks begin
     * while backward goes on. Empty ones wait for the others. */
    range *layers; /* [n_layers], ascending */
    size_t n_layers;
    size_t n_waiting; /* layers from 0 on whose sums have not begun */
    /* the word embeddings; n_rows = 0: they are not trained, or too small to matter */
    size_t first, end; /* elements of the flat buffers */
    size_t n_rows, c;
    bool *live;    /* [n_rows] has, or may have, moments */
    int32_t *rows; /* live ones, in the order in which they were met */
    size_t n_live;
    bool *met; /* [n_rows] by the step at hand */
    int32_t *step_rows;
    size_t n_met;
    uint32_t *paid; /* [n_rows] rates applied so far, of rows that are not live */
    double *rates;  /* owed: learning rate times weight decay, step by step */
    size_t n_rates, capacity;
};

void nf_optimizer_free(nf_optimizer *o) {
    if (!o) return;
    free(o->weights);
    free(o->layers);
    free(o->live);
    free(o->rows);
    free(o->met);
    free(o->step_rows);
    free(o->paid);
    free(o->rates);
    free(o);
}

static nf_values *part(const nf_optimizer *o, nf_values *flat, size_t at) {
    nf_assert_within(at, o->net->n_trained);
    return nf_at(o->net->be, flat, at);
}

static int by_place(const void *a, const void *b) {
    const trained_weight *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static nerfit_status find_weights(nf_optimizer *o, nerfit_error *err) {
    const nf_network *net = o->net;
    o->weights = calloc(net->n_linears + 1, sizeof *o->weights);
    if (!o->weights) return nf_no_memory(err, net->n_linears * sizeof *o->weights);
    for (size_t i = 0; i < net->n_linears; i++) {
        const nf_linear *linear = net->linears[i];
        if (!linear->weight->grad || linear->weight->removed) continue;
        size_t first = linear->weight->offset;
        o->weights[o->n_weights++] =
            (trained_weight){linear, first, first + nf_parameter_count(linear->weight)};
    }
    qsort(o->weights, o->n_weights, sizeof *o->weights, by_place);
    return NERFIT_OK;
}

static bool widen(range *r, const nf_linear *linear) {
    if (!linear || !linear->weight->grad || linear->weight->removed) return false;
    size_t first = linear->weight->offset, end = first + nf_parameter_count(linear->weight);
    if (r->end == 0 || first < r->first) r->first = first;
    if (end > r->end) r->end = end;
    return true;
}

/* The weights of a layer that backward is done with when it is done with the layer; empty if others
 * lie among them. */
static range weights_of(const nf_network *net, const nf_encoder *encoder, size_t layer) {
    const nf_attention *a = &encoder->layers[layer].attention;
    const nf_feed_forward *f = &encoder->layers[layer].feed_forward;
    range r = {0, 0};
    bool shared = encoder->shares_layers || a->position_key || a->position_query;
    const nf_linear *const linears[] = {a->query, a->key, a->value, a->fused,
                                        a->out,   f->up,  f->gate,  f->down};
    size_t own = 0, there = 0;
    for (size_t i = 0; i < NF_COUNT(linears) && !shared; i++) own += widen(&r, linears[i]);
    for (size_t i = 0; i < net->n_parameters; i++) {
        const nf_parameter *p = net->parameters[i];
        there += p->grad && !p->removed && p->offset >= r.first && p->offset < r.end;
    }
    return own == there ? r : (range){0, 0};
}

/* In ascending order; what lies otherwise stays empty. */
static nerfit_status find_layers(nf_optimizer *o, const nf_encoder *encoder, nerfit_error *err) {
    o->layers = calloc(encoder->n_layers + 1, sizeof *o->layers);
    if (!o->layers) return nf_no_memory(err, encoder->n_layers * sizeof *o->layers);
    o->n_layers = encoder->n_layers;
    size_t end = o->n_rows ? o->end : 0;
    for (size_t i = 0; i < o->n_layers; i++) {
        range r = weights_of(o->net, encoder, i);
        if (r.first < end) continue;
        end = r.end;
        o->layers[i] = r;
    }
    return NERFIT_OK;
}

static void make_live(nf_optimizer *o, int32_t row) {
    if (o->live[row]) return;
    o->live[row] = true;
    o->rows[o->n_live++] = row;
}

/* Rows with moments, after a resume. */
static nerfit_status find_live(nf_optimizer *o, nerfit_error *err) {
    nf_backend *be = o->net->be;
    double *values = malloc(o->c * sizeof *values + 1);
    if (!values) return nf_no_memory(err, o->c * sizeof *values);
    nf_values *const moments[] = {o->net->flat_m, o->net->flat_v};
    for (size_t row = 0; row < o->n_rows; row++)
        for (int i = 0; i < 2 && !o->live[row]; i++) {
            be->to_f64(be, values, part(o, moments[i], o->first + row * o->c), o->c);
            for (size_t j = 0; j < o->c; j++)
                if (values[j] != 0.0) {
                    make_live(o, (int32_t)row);
                    break;
                }
        }
    free(values);
    return NERFIT_OK;
}

nerfit_status nf_optimizer_new(nf_optimizer **out, nf_model *model, nerfit_error *err) {
    nf_network *net = &model->net;
    const nf_parameter *words = model->encoder.embedding.words;
    nf_optimizer *o = calloc(1, sizeof *o);
    *out = NULL;
    if (!o) return nf_no_memory(err, sizeof *o);
    o->net = net;
    nerfit_status status = find_weights(o, err);
    if (status == NERFIT_OK && words && words->grad && !words->removed) {
        o->first = words->offset;
        o->c = words->cols;
        o->n_rows = words->rows;
        o->end = o->first + o->n_rows * o->c;
        o->live = calloc(o->n_rows, sizeof *o->live);
        o->met = calloc(o->n_rows, sizeof *o->met);
        o->rows = malloc(o->n_rows * sizeof *o->rows);
        o->step_rows = malloc(o->n_rows * sizeof *o->step_rows);
        o->paid = calloc(o->n_rows, sizeof *o->paid);
        status = o->live && o->met && o->rows && o->step_rows && o->paid
                     ? find_live(o, err)
                     : nf_no_memory(err, o->n_rows * 20);
    }
    if (status == NERFIT_OK) status = find_layers(o, &model->encoder, err);
    if (status == NERFIT_OK)
        *out = o;
    else
        nf_optimizer_free(o);
    return status;
}

/* ---------------------------------------------------------------- what is owed */

static void pay(nf_optimizer *o, size_t row) {
    nf_backend *be = o->net->be;
    be->decay(be, part(o, o->net->flat_values, o->first + row * o->c), o->c,
              o->rates + o->paid[row], o->n_rates - o->paid[row]);
    o->paid[row] = (uint32_t)o->n_rates;
}

void nf_optimizer_settle(nf_optimizer *o) {
    if (!o || o->n_rates == 0) return;
    /* runs of rows that owe the same are paid together */
    for (size_t row = 0; row < o->n_rows;) {
        size_t end = row;
        while (end < o->n_rows && !o->live[end] && o->paid[end] == o->paid[row]) end++;
        if (end > row)
            o->net->be->decay(o->net->be, part(o, o->net->flat_values, o->first + row * o->c),
                              (end - row) * o->c, o->rates + o->paid[row],
                              o->n_rates - o->paid[row]);
        row = end > row ? end : row + 1;
    }
    memset(o->paid, 0, o->n_rows * sizeof *o->paid);
    o->n_rates = 0;
}

nerfit_status nf_optimizer_touch(nf_optimizer *o, const int32_t *ids, size_t count,
                                 nerfit_error *err) {
    (void)err;
    for (size_t i = 0; i < count; i++) {
        int32_t row = ids[i];
        if (row < 0 || (size_t)row >= o->n_rows || o->met[row]) continue;
        if (!o->live[row]) pay(o, (size_t)row);
        make_live(o, row);
        o->met[row] = true;
        o->step_rows[o->n_met++] = row;
    }
    return NERFIT_OK;
}

static nerfit_status owe(nf_optimizer *o, double rate, nerfit_error *err) {
    if (rate == 0.0) return NERFIT_OK;
    if (!nf_array_reserve(&o->rates, &o->capacity, o->n_rates + 1, sizeof *o->rates))
        return nf_no_memory(err, (o->n_rates + 1) * sizeof *o->rates);
    o->rates[o->n_rates++] = rate;
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- a step */

/* Gradients of weights are written by the first batch, not added: they need not be zeroed, which
 * for a whole model is as much memory as the update reads. */
void nf_optimizer_begin(nf_optimizer *o) {
    nf_network *net = o->net;
    nf_backend *be = net->be;
    for (size_t i = 0; i < net->n_linears; i++)
        if (net->linears[i]->weight->grad) net->linears[i]->weight->fresh = true;
    for (size_t i = 0; i < net->n_parameters; i++) {
        nf_parameter *p = net->parameters[i];
        bool by_rows = o->n_rows && p->offset == o->first;
        if (p->grad && !p->fresh && !by_rows) be->zero(be, p->grad, nf_parameter_count(p));
    }
    for (size_t i = 0; i < o->n_met; i++) { /* the last step's rows; all others are zero */
        be->zero(be, part(o, net->flat_grads, o->first + (size_t)o->step_rows[i] * o->c), o->c);
        o->met[o->step_rows[i]] = false;
    }
    o->n_met = 0;
    o->n_waiting = o->n_layers;
}

/* Weights among these elements that no batch of the step came to have no gradient. */
static void end_gradients(nf_optimizer *o, size_t first, size_t end) {
    nf_network *net = o->net;
    for (size_t i = 0; i < net->n_linears; i++) {
        nf_parameter *p = net->linears[i]->weight;
        if (!p->grad || p->offset < first || p->offset >= end) continue;
        if (p->fresh) net->be->zero(net->be, p->grad, nf_parameter_count(p));
        p->fresh = false;
    }
}

/* The step's rows become those of all ranks, in an order that is the same on all. Those that are new
 * here have gradients of zero: nothing has been added since the last step. */
static nerfit_status take_rows(nf_optimizer *o, nf_comm *comm, nerfit_error *err) {
    int32_t *rows;
    size_t count;
    NF_TRY(comm->gather_rows(comm, o->step_rows, o->n_met, &rows, &count, err));
    o->n_met = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t row = rows[i];
        if (!o->live[row]) pay(o, (size_t)row);
        make_live(o, row);
        o->met[row] = true;
        o->step_rows[o->n_met++] = row;
    }
    free(rows);
    return NERFIT_OK;
}

/* Their gradients, packed: one sum for all. Ends all sums. */
static nerfit_status sum_rows(nf_optimizer *o, nf_comm *comm, nerfit_error *err) {
    nf_backend *be = o->net->be;
    nf_values *grads = o->net->flat_grads;
    if (o->n_met == 0) return comm->finish_sums(comm, err);
    nf_values *packed = be->memory_new(be, o->n_met * o->c * be->real_size);
    if (!packed) return nf_no_memory(err, o->n_met * o->c * be->real_size);
    for (size_t i = 0; i < o->n_met; i++)
        be->copy(be, nf_at(be, packed, i * o->c),
                 part(o, grads, o->first + (size_t)o->step_rows[i] * o->c), o->c);
    nerfit_status status = comm->begin_sum(comm, be, packed, o->n_met * o->c, err);
    if (status == NERFIT_OK) status = comm->finish_sums(comm, err);
    for (size_t i = 0; i < o->n_met && status == NERFIT_OK; i++)
        be->copy(be, part(o, grads, o->first + (size_t)o->step_rows[i] * o->c),
                 nf_at(be, packed, i * o->c), o->c);
    be->memory_free(be, packed);
    return status;
}

static nerfit_status begin_sum(nf_optimizer *o, nf_comm *comm, size_t first, size_t end,
                               nerfit_error *err) {
    if (end <= first) return NERFIT_OK;
    return comm->begin_sum(comm, o->net->be, part(o, o->net->flat_grads, first), end - first, err);
}

nerfit_status nf_optimizer_layer_done(nf_optimizer *o, nf_comm *comm, size_t layer,
                                      nerfit_error *err) {
    while (o->n_waiting > layer) {
        const range *r = &o->layers[--o->n_waiting];
        end_gradients(o, r->first, r->end);
        NF_TRY(begin_sum(o, comm, r->first, r->end, err));
    }
    return NERFIT_OK;
}

nerfit_status nf_optimizer_reduce(nf_optimizer *o, nf_comm *comm, nerfit_error *err) {
    NF_TRY(nf_optimizer_layer_done(o, comm, 0, err));
    end_gradients(o, 0, o->net->n_trained);
    /* what lies between layers and word embeddings */
    size_t at = 0;
    if (o->n_rows) {
        NF_TRY(begin_sum(o, comm, 0, o->first, err));
        at = o->end;
    }
    for (size_t i = 0; i < o->n_layers; i++) {
        if (o->layers[i].end == 0) continue;
        NF_TRY(begin_sum(o, comm, at, o->layers[i].first, err));
        at = o->layers[i].end;
    }
    NF_TRY(begin_sum(o, comm, at, o->net->n_trained, err));
    if (!o->n_rows) return comm->finish_sums(comm, err);
    NF_TRY(take_rows(o, comm, err));
    return sum_rows(o, comm, err);
}

double nf_optimizer_norm(nf_optimizer *o) {
    nf_backend *be = o->net->be;
    nf_values *grads = o->net->flat_grads;
    end_gradients(o, 0, o->net->n_trained);
    double sum = be->sum_of_squares(be, grads, o->n_rows ? o->first : o->net->n_trained);
    if (o->n_rows)
        sum += be->sum_of_squares(be, part(o, grads, o->end), o->net->n_trained - o->end);
    if (o->n_met)
        sum += be->sum_of_squares_rows(be, part(o, grads, o->first), o->step_rows, o->n_met, o->c);
    return sqrt(sum);
}

static nf_adamw_arrays arrays_at(const nf_optimizer *o, size_t at) {
    const nf_network *net = o->net;
    return (nf_adamw_arrays){part(o, net->flat_values, at), part(o, net->flat_grads, at),
                             part(o, net->flat_m, at), part(o, net->flat_v, at)};
}

static void update_elements(nf_optimizer *o, size_t from, size_t to, const nf_adamw *options) {
    nf_network *net = o->net;
    if (to <= from) return;
    const nf_adamw_arrays arrays = arrays_at(o, from);
    net->be->adamw(net->be, &arrays, to - from, options);
}

/* Each weight is prepared for products again while what was made of it is still in the cache. */
static nerfit_status update_range(nf_optimizer *o, size_t from, size_t to, const nf_adamw *options,
                                  nerfit_error *err) {
    nf_backend *be = o->net->be;
    for (size_t i = 0; i < o->n_weights; i++) {
        const trained_weight *w = &o->weights[i];
        if (w->first < from || w->end > to) continue;
        update_elements(o, from, w->end, options);
        if (w->linear->packed) NF_TRY(be->weight_update(be, w->linear->packed, err));
        from = w->end;
    }
    update_elements(o, from, to, options);
    return NERFIT_OK;
}

nerfit_status nf_optimizer_update(nf_optimizer *o, size_t from, size_t to, const nf_adamw *options,
                                  nerfit_error *err) {
    nf_backend *be = o->net->be;
    bool here = o->n_rows && from <= o->first && o->end <= to;
    if (!here) return update_range(o, from, to, options, err);
    NF_TRY(update_range(o, from, o->first, options, err));
    NF_TRY(update_range(o, o->end, to, options, err));
    const nf_adamw_arrays arrays = arrays_at(o, o->first);
    be->adamw_rows(be, &arrays, o->rows, o->n_live, o->c, options);
    return owe(o, options->learning_rate * options->weight_decay, err);
}
