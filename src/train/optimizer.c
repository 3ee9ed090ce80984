#include "train/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/linear.h"

struct nf_optimizer {
    nf_network *net;
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
    free(o->live);
    free(o->rows);
    free(o->met);
    free(o->step_rows);
    free(o->paid);
    free(o->rates);
    free(o);
}

static nf_values *part(const nf_optimizer *o, nf_values *flat, size_t at) {
    return nf_at(o->net->be, flat, at);
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
    nerfit_status status = NERFIT_OK;
    if (words && words->grad && !words->removed) {
        o->first = (size_t)((const char *)words->values - (const char *)net->flat_values) /
                   net->be->real_size;
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
    if (o->n_rates == o->capacity) {
        size_t capacity = o->capacity ? 2 * o->capacity : 256;
        double *grown = realloc(o->rates, capacity * sizeof *grown);
        if (!grown) return nf_no_memory(err, capacity * sizeof *grown);
        o->rates = grown;
        o->capacity = capacity;
    }
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
        bool by_rows = o->n_rows && p->grad == part(o, net->flat_grads, o->first);
        if (p->grad && !p->fresh && !by_rows) be->zero(be, p->grad, nf_parameter_count(p));
    }
    for (size_t i = 0; i < o->n_met; i++) { /* the last step's rows; all others are zero */
        be->zero(be, part(o, net->flat_grads, o->first + (size_t)o->step_rows[i] * o->c), o->c);
        o->met[o->step_rows[i]] = false;
    }
    o->n_met = 0;
}

/* Weights that no batch of the step came to have no gradient. */
static void end_gradients(nf_optimizer *o) {
    nf_network *net = o->net;
    for (size_t i = 0; i < net->n_linears; i++) {
        nf_parameter *p = net->linears[i]->weight;
        if (p->grad && p->fresh) net->be->zero(net->be, p->grad, nf_parameter_count(p));
        p->fresh = false;
    }
}

double nf_optimizer_norm(nf_optimizer *o) {
    nf_backend *be = o->net->be;
    nf_values *grads = o->net->flat_grads;
    end_gradients(o);
    double sum = be->sum_of_squares(be, grads, o->n_rows ? o->first : o->net->n_trained);
    if (o->n_rows)
        sum += be->sum_of_squares(be, part(o, grads, o->end), o->net->n_trained - o->end);
    for (size_t i = 0; i < o->n_met; i++)
        sum +=
            be->sum_of_squares(be, part(o, grads, o->first + (size_t)o->step_rows[i] * o->c), o->c);
    return sqrt(sum);
}

nerfit_status nf_optimizer_update(nf_optimizer *o, size_t from, size_t to, const nf_adamw *options,
                                  nerfit_error *err) {
    nf_backend *be = o->net->be;
    nf_network *net = o->net;
    bool here = o->n_rows && from <= o->first && o->end <= to;
    size_t pieces[2][2] = {{from, here ? o->first : to}, {here ? o->end : to, to}};
    for (int i = 0; i < 2; i++) {
        size_t at = pieces[i][0], n = pieces[i][1] - at;
        if (n)
            be->adamw(be, part(o, net->flat_values, at), part(o, net->flat_grads, at),
                      part(o, net->flat_m, at), part(o, net->flat_v, at), n, options);
    }
    if (!here) return NERFIT_OK;
    be->adamw_rows(be, part(o, net->flat_values, o->first), part(o, net->flat_grads, o->first),
                   part(o, net->flat_m, o->first), part(o, net->flat_v, o->first), o->rows,
                   o->n_live, o->c, options);
    return owe(o, options->learning_rate * options->weight_decay, err);
}
