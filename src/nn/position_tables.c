/* What the embeddings of relative positions give as keys and queries in every layer (DeBERTa) depends on
 * no text. A model that is only used keeps it instead of multiplying it anew in every batch, which is a
 * quarter of the products of a single paragraph; by columns, as attention's forward reads it.
 *
 * Distances come as texts need them: a table reaches 32, 64, 128, ... tokens, a longer text brings the
 * next one, which holds all that the last one did. Passes that are under way go on with theirs, so that
 * they are freed together. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "nn/encoder.h"

enum { FIRST_REACH = 32, READ_BEHIND = 32 /* numbers, as nf_relative has it */ };

struct nf_position_table {
    int32_t reach;
    size_t first_row, n_rows;
    nf_values *columns; /* [n_layers, 2, C, n_rows] keys and queries */
    nf_position_table *before;
};

struct nf_position_tables {
    nf_backend *be; /* whose memory it is */
    pthread_mutex_t making;
    _Atomic(nf_position_table *) latest;
};

static nf_values *columns_at(nf_backend *be, const nf_encoder *encoder,
                             const nf_position_table *table, size_t layer, size_t side) {
    return nf_at(be, table->columns, (2 * layer + side) * encoder->hidden * table->n_rows);
}

/* columns [C, n_rows] of what a layer makes of the embeddings [n_rows, C]. */
static nerfit_status fill_side(const nf_linear *linear, const nf_pass *rows, nf_values *columns,
                               const nf_values *embeddings, double *host) {
    nf_backend *be = rows->be;
    size_t n = (size_t)rows->sequences.n_tokens, c = linear->out;
    double *turned = host + n * c;
    nf_workspace_mark mark = nf_workspace_here(rows->ws);
    nf_values *made = nf_workspace_reals(rows->ws, n * c);
    if (nf_workspace_failed(rows->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_linear_forward(linear, rows, made, NULL, embeddings, NF_ACTIVATION_NONE, NULL));
    be->to_f64(be, host, made, n * c);
    for (size_t i = 0; i < n; i++)
        for (size_t l = 0; l < c; l++) turned[l * n + i] = host[i * c + l];
    be->from_f64(be, columns, turned, n * c);
    nf_workspace_return(rows->ws, mark);
    return NERFIT_OK;
}

static nerfit_status fill(const nf_position_table *table, const nf_encoder *encoder,
                          const nf_pass *pass, double *host) {
    nf_backend *be = pass->be;
    const nf_values *embeddings;
    nf_pass rows = *pass;
    rows.sequences.n_tokens = (int32_t)table->n_rows;
    NF_TRY(nf_relative_embeddings(encoder, &rows, table->first_row, &embeddings, NULL));
    be->zero(be, columns_at(be, encoder, table, encoder->n_layers, 0), READ_BEHIND);
    for (size_t i = 0; i < encoder->n_layers; i++) {
        const nf_attention *a = &encoder->layers[i].attention;
        const nf_linear *sides[] = {a->position_key, a->position_query};
        for (size_t side = 0; side < 2; side++)
            if (sides[side])
                NF_TRY(fill_side(sides[side], &rows, columns_at(be, encoder, table, i, side),
                                 embeddings, host));
    }
    return NERFIT_OK;
}

static void table_free(nf_position_table *table, nf_backend *be) {
    if (!table) return;
    if (table->columns) be->memory_free(be, table->columns);
    free(table);
}

/* NULL: out of memory. */
static nf_position_table *make(const nf_encoder *encoder, const nf_pass *pass, int32_t reach) {
    nf_backend *be = encoder->relative->tables->be;
    int32_t *rows, low, n;
    if (nf_relative_rows(encoder->relative, reach, &rows, &low, &n) != NERFIT_OK) return NULL;
    free(rows);
    size_t cells = (size_t)n * encoder->hidden;
    nf_position_table *table = calloc(1, sizeof *table);
    double *host = malloc(2 * cells * sizeof *host);
    if (table)
        *table = (nf_position_table){
            .reach = reach,
            .first_row = (size_t)low,
            .n_rows = (size_t)n,
            .columns =
                be->memory_new(be, (2 * encoder->n_layers * cells + READ_BEHIND) * be->real_size)};
    nf_workspace_mark mark = nf_workspace_here(pass->ws);
    bool done = table && host && table->columns && fill(table, encoder, pass, host) == NERFIT_OK;
    nf_workspace_return(pass->ws, mark);
    free(host);
    if (done) return table;
    table_free(table, be);
    return NULL;
}

const nf_position_table *nf_position_tables_find(const nf_encoder *encoder, const nf_pass *pass,
                                                 int32_t reach) {
    nf_position_tables *tables = encoder->relative->tables;
    nf_position_table *table = atomic_load(&tables->latest);
    if (table && table->reach >= reach) return table;
    pthread_mutex_lock(&tables->making);
    table = atomic_load(&tables->latest);
    if (!table || table->reach < reach) {
        int32_t wanted = table ? table->reach : FIRST_REACH;
        while (wanted < reach) wanted *= 2;
        nf_position_table *longer = make(encoder, pass, wanted);
        if (longer) {
            longer->before = table;
            atomic_store(&tables->latest, longer);
        }
        table = longer;
    }
    pthread_mutex_unlock(&tables->making);
    return table;
}

void nf_position_table_give(const nf_position_table *table, const nf_encoder *encoder,
                            const nf_attention *attention, const nf_pass *pass, nf_relative *out) {
    nf_backend *be = pass->be;
    size_t layer = 0, first = pass->batch_positions->first_row - table->first_row;
    while (&encoder->layers[layer].attention != attention) layer++;
    if (attention->position_key)
        out->key_columns = nf_at(be, columns_at(be, encoder, table, layer, 0), first);
    if (attention->position_query)
        out->query_columns = nf_at(be, columns_at(be, encoder, table, layer, 1), first);
    out->columns_stride = table->n_rows;
}

nerfit_status nf_encoder_keep_positions(nf_encoder *encoder, nf_backend *be, nerfit_error *err) {
    nf_relative_positions *r = encoder->relative;
    if (!r || !r->embeddings || r->tables) return NERFIT_OK;
    r->tables = calloc(1, sizeof *r->tables);
    if (!r->tables) return nf_no_memory(err, sizeof *r->tables);
    r->tables->be = be;
    pthread_mutex_init(&r->tables->making, NULL);
    return NERFIT_OK;
}

void nf_encoder_forget_positions(nf_encoder *encoder) {
    nf_position_tables *tables = encoder->relative ? encoder->relative->tables : NULL;
    if (!tables) return;
    for (nf_position_table *t = atomic_load(&tables->latest), *before; t; t = before) {
        before = t->before;
        table_free(t, tables->be);
    }
    pthread_mutex_destroy(&tables->making);
    free(tables);
    encoder->relative->tables = NULL;
}
