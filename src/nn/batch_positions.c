/* Positions that act inside attention: relative ones, whose tables all layers share, and rotary
 * ones. What of them depends on a batch alone is made once a pass. Of the tables only the rows that
 * the batch's distances meet are taken: short texts meet few. */
#include <math.h>
#include <stdlib.h>

#include "nn/encoder.h"

bool nf_relative_trained(const nf_encoder *encoder) {
    const nf_relative_positions *r = encoder->relative;
    return r && ((r->bias && r->bias->trained) || (r->embeddings && r->embeddings->trained) ||
                 nf_norm_trained(&r->norm));
}

static bool embeddings_trained(const nf_relative_positions *r) {
    return (r->embeddings && r->embeddings->trained) || nf_norm_trained(&r->norm);
}

/* Both in float, as in the reference implementations: rounding decides on a bucket's limits.
 * `distance` is the key's position less the query's. */
static int32_t row_t5(const nf_relative_positions *r, int32_t distance) {
    int32_t half = r->n_buckets / 2, exact = half / 2, steps = abs(distance);
    int32_t direction = distance > 0 ? half : 0;
    if (steps < exact) return direction + steps;
    float scale = (float)log((double)r->max_distance / (double)exact);
    float more = logf((float)steps / (float)exact) / scale * (float)(half - exact);
    int32_t row = exact + (int32_t)more;
    return direction + (row < half ? row : half - 1);
}

static int32_t row_log(const nf_relative_positions *r, int32_t distance) {
    int32_t span = r->n_buckets, middle = span / 2, steps = abs(distance), bucket = steps;
    if (r->max_distance > 0 && steps > middle) {
        float scale = logf((float)((double)(r->max_distance - 1) / (double)middle));
        float more = logf((float)steps / (float)middle) / scale * (float)(middle - 1);
        bucket = (int32_t)ceilf(more) + middle;
    }
    int32_t row = distance > 0 ? span - bucket : span + bucket;
    return row < 0 ? 0 : row < 2 * span ? row : 2 * span - 1;
}

nerfit_status nf_relative_rows(const nf_relative_positions *r, int32_t reach, int32_t **out,
                               int32_t *low, int32_t *n) {
    size_t count = 2 * (size_t)reach + 1;
    int32_t *rows = *out = nf_malloc(count * sizeof *rows), high = 0;
    if (!rows) return NERFIT_NO_MEMORY;
    *low = INT32_MAX;
    for (size_t i = 0; i < count; i++) {
        int32_t distance = (int32_t)i - reach;
        rows[i] = r->bucketing == NF_BUCKETS_T5 ? row_t5(r, distance) : row_log(r, distance);
        if (rows[i] < *low) *low = rows[i];
        if (rows[i] > high) high = rows[i];
    }
    for (size_t i = 0; i < count; i++) rows[i] -= *low;
    *n = high - *low + 1;
    return NERFIT_OK;
}

static nerfit_status set_rows(const nf_encoder *encoder, const nf_pass *pass,
                              nf_batch_positions *batch_positions) {
    int32_t reach = pass->sequences.longest > 0 ? pass->sequences.longest - 1 : 0;
    int32_t *rows, low, n;
    NF_TRY(nf_relative_rows(encoder->relative, reach, &rows, &low, &n));
    batch_positions->first_row = (size_t)low;
    batch_positions->relative =
        (nf_relative){.rows = nf_workspace_ints(pass->ws, rows, 2 * (size_t)reach + 1),
                      .reach = reach,
                      .n_rows = n};
    free(rows);
    return nf_workspace_failed(pass->ws) ? NERFIT_NO_MEMORY : NERFIT_OK;
}

/* A pass over the rows of the position embeddings instead of the tokens; its dropouts are others.
 */
static nf_pass rows_pass(const nf_pass *pass, const nf_batch_positions *batch_positions) {
    nf_pass rows = *pass;
    rows.sequences.n_tokens = batch_positions->relative.n_rows;
    rows.repeat = pass->repeat + 1;
    rows.first_row = 0;
    return rows;
}

nerfit_status nf_relative_embeddings(const nf_encoder *encoder, const nf_pass *rows,
                                     size_t first_row, const nf_values **out,
                                     nf_norm_saved *saved) {
    const nf_relative_positions *r = encoder->relative;
    size_t c = encoder->hidden;
    *out = nf_at_const(rows->be, r->embeddings->values, first_row * c);
    if (!r->norm.weight) return NERFIT_OK;
    nf_values *normed = nf_workspace_reals(rows->ws, (size_t)rows->sequences.n_tokens * c);
    if (nf_workspace_failed(rows->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_norm_forward(&r->norm, rows, normed, *out, NULL, 0.0, c, saved));
    *out = normed;
    return NERFIT_OK;
}

static nerfit_status set_embeddings(const nf_encoder *encoder, const nf_pass *pass,
                                    nf_batch_positions *batch_positions) {
    nf_pass rows = rows_pass(pass, batch_positions);
    rows.keep = pass->keep && embeddings_trained(encoder->relative);
    return nf_relative_embeddings(encoder, &rows, batch_positions->first_row,
                                  &batch_positions->embeddings, &batch_positions->norm);
}

/* Angles in float, as torch computes them: at thousands of tokens the difference would show. */
static nerfit_status set_rotary_table(const nf_encoder *encoder, const nf_pass *pass, double theta,
                                      const nf_values **out) {
    size_t d = encoder->hidden / encoder->n_heads, half = d / 2;
    size_t positions = (size_t)pass->sequences.longest + (size_t)encoder->first_position;
    double *cos_sin = nf_malloc(positions * d * sizeof *cos_sin + 1);
    if (!cos_sin) return NERFIT_NO_MEMORY;
    for (size_t l = 0; l < half; l++) {
        float step = 1.0f / (float)pow(theta, (double)((float)(2 * l) / (float)d));
        for (size_t p = 0; p < positions; p++) {
            float angle = (float)p * step;
            cos_sin[p * d + l] = cos((double)angle);
            cos_sin[p * d + half + l] = sin((double)angle);
        }
    }
    nf_values *values = nf_workspace_reals(pass->ws, positions * d);
    if (values) pass->be->from_f64(pass->be, values, cos_sin, positions * d);
    free(cos_sin);
    *out = values;
    return nf_workspace_failed(pass->ws) ? NERFIT_NO_MEMORY : NERFIT_OK;
}

nerfit_status nf_batch_positions_forward(const nf_encoder *encoder, const nf_pass *pass,
                                         nf_batch_positions *batch_positions) {
    const nf_relative_positions *r = encoder->relative;
    *batch_positions = (nf_batch_positions){0};
    for (size_t i = 0; i < 2; i++)
        if (encoder->thetas[i] > 0.0)
            NF_TRY(
                set_rotary_table(encoder, pass, encoder->thetas[i], &batch_positions->cos_sin[i]));
    if (!r) return NERFIT_OK;
    NF_TRY(set_rows(encoder, pass, batch_positions));
    if (r->bias)
        batch_positions->relative.bias =
            nf_at_const(pass->be, r->bias->values, batch_positions->first_row * encoder->n_heads);
    if (!r->embeddings) return NERFIT_OK;
    if (!r->tables || pass->keep || pass->training)
        return set_embeddings(encoder, pass, batch_positions);
    batch_positions->table =
        nf_position_tables_find(encoder, pass, batch_positions->relative.reach);
    return batch_positions->table ? NERFIT_OK : NERFIT_NO_MEMORY;
}

nerfit_status nf_batch_positions_start_backward(const nf_encoder *encoder, const nf_pass *pass,
                                                nf_batch_positions *batch_positions) {
    const nf_relative_positions *r = encoder->relative;
    if (!r || !embeddings_trained(r)) return NERFIT_OK;
    size_t count = (size_t)batch_positions->relative.n_rows * encoder->hidden;
    batch_positions->dembeddings = nf_workspace_reals(pass->ws, count);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    pass->be->zero(pass->be, batch_positions->dembeddings, count);
    return NERFIT_OK;
}

void nf_batch_positions_finish_backward(const nf_encoder *encoder, const nf_pass *pass,
                                        const nf_batch_positions *batch_positions) {
    const nf_relative_positions *r = encoder->relative;
    nf_backend *be = pass->be;
    size_t c = encoder->hidden;
    if (!batch_positions->dembeddings) return;
    nf_pass rows = rows_pass(pass, batch_positions);
    if (r->norm.weight)
        nf_norm_backward(&r->norm, &rows, batch_positions->dembeddings, NULL,
                         batch_positions->dembeddings, 0.0, c, &batch_positions->norm);
    if (r->embeddings->grad)
        be->axpy(be, nf_at(be, nf_pass_grad(pass, r->embeddings), batch_positions->first_row * c),
                 1.0, batch_positions->dembeddings, (size_t)batch_positions->relative.n_rows * c);
}

nerfit_status nf_position_terms_forward(const nf_encoder *encoder, const nf_attention *attention,
                                        const nf_pass *pass, nf_relative *out,
                                        nf_attention_saved *saved) {
    const nf_batch_positions *batch_positions = pass->batch_positions;
    nf_backend *be = pass->be;
    *out = batch_positions->relative;
    if (batch_positions->table)
        nf_position_table_give(batch_positions->table, encoder, attention, pass, out);
    if (!batch_positions->embeddings) return NERFIT_OK;
    size_t count = (size_t)out->n_rows * encoder->hidden;
    nf_pass rows = rows_pass(pass, batch_positions);
    const nf_values *embeddings = batch_positions->embeddings;
    nf_dropout dropout = nf_pass_dropout(&rows, attention->position_stream, encoder->hidden_dropout,
                                         encoder->hidden);
    if (dropout.p > 0.0) {
        nf_values *dropped = nf_workspace_reals(pass->ws, count);
        if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
        be->dropout(be, dropped, embeddings, count, &dropout);
        embeddings = dropped;
    }
    if (attention->position_key) saved->position_keys = nf_workspace_reals(pass->ws, count);
    if (attention->position_query) saved->position_queries = nf_workspace_reals(pass->ws, count);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    if (attention->position_key)
        NF_TRY(nf_linear_forward(attention->position_key, &rows, saved->position_keys, NULL,
                                 embeddings, NF_ACTIVATION_NONE, &saved->position_key));
    if (attention->position_query)
        NF_TRY(nf_linear_forward(attention->position_query, &rows, saved->position_queries, NULL,
                                 embeddings, NF_ACTIVATION_NONE, &saved->position_query));
    out->keys = saved->position_keys;
    out->queries = saved->position_queries;
    return NERFIT_OK;
}

nerfit_status nf_position_terms_again(const nf_encoder *encoder, const nf_attention *attention,
                                      const nf_pass *pass, const nf_attention_saved *saved,
                                      nf_relative *out) {
    const nf_batch_positions *batch_positions = pass->batch_positions;
    const nf_parameter *bias = encoder->relative->bias;
    size_t count = (size_t)batch_positions->relative.n_rows * encoder->hidden;
    bool wanted = batch_positions->dembeddings != NULL;
    *out = batch_positions->relative;
    out->keys = saved->position_keys;
    out->queries = saved->position_queries;
    if (bias && bias->grad)
        out->dbias = nf_at(pass->be, nf_pass_grad(pass, bias),
                           batch_positions->first_row * encoder->n_heads);
    if (out->keys && (wanted || nf_linear_trained(attention->position_key)))
        out->dkeys = nf_workspace_reals(pass->ws, count);
    if (out->queries && (wanted || nf_linear_trained(attention->position_query)))
        out->dqueries = nf_workspace_reals(pass->ws, count);
    return nf_workspace_failed(pass->ws) ? NERFIT_NO_MEMORY : NERFIT_OK;
}

nerfit_status nf_position_terms_backward(const nf_encoder *encoder, const nf_attention *attention,
                                         const nf_pass *pass, const nf_attention_saved *saved,
                                         const nf_relative *relative) {
    const nf_batch_positions *batch_positions = pass->batch_positions;
    nf_backend *be = pass->be;
    size_t count = (size_t)batch_positions->relative.n_rows * encoder->hidden;
    nf_pass rows = rows_pass(pass, batch_positions);
    nf_values *dx = batch_positions->dembeddings ? nf_workspace_reals(pass->ws, count) : NULL;
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    if (dx) be->zero(be, dx, count);
    if (relative->dkeys)
        NF_TRY(nf_linear_backward(attention->position_key, &rows, dx, relative->dkeys,
                                  &saved->position_key, true));
    if (relative->dqueries)
        NF_TRY(nf_linear_backward(attention->position_query, &rows, dx, relative->dqueries,
                                  &saved->position_query, true));
    if (!dx) return NERFIT_OK;
    nf_dropout dropout = nf_pass_dropout(&rows, attention->position_stream, encoder->hidden_dropout,
                                         encoder->hidden);
    be->dropout(be, dx, dx, count, &dropout);
    be->axpy(be, batch_positions->dembeddings, 1.0, dx, count);
    return NERFIT_OK;
}
