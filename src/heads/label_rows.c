#include "heads/label_rows.h"

static size_t rows_of(nf_row_kind kind, const nf_example *text) {
    return kind == NF_ROWS_WORDS ? text->n_words : text->length;
}

double nf_label_rows_measure(nf_row_kind kind, const nf_example *const *texts, size_t count) {
    double sum = 0.0;
    for (size_t s = 0; s < count; s++) {
        const nf_example *text = texts[s];
        if (kind == NF_ROWS_WORDS && !text->weights) sum += (double)text->n_words;
        for (size_t i = 0; kind == NF_ROWS_WORDS && text->weights && i < text->n_words; i++)
            sum += (double)nf_example_word_weight(text, i);
        for (size_t i = 0; kind == NF_ROWS_TOKENS && i < text->length; i++)
            if (text->labels[i] != NF_LABEL_IGNORED)
                sum += text->weights ? (double)text->weights[i] : 1.0;
    }
    return sum;
}

/* The rows of one text, from row `at` on. */
static void fill_rows(nf_label_rows *out, nf_row_kind kind, const nf_example *text, size_t at) {
    if (kind == NF_ROWS_WORDS)
        nf_example_word_labels(text, out->labels + at);
    else
        for (size_t i = 0; i < text->length; i++) out->labels[at + i] = text->labels[i];
    for (size_t i = 0; out->weights && i < rows_of(kind, text); i++)
        out->weights[at + i] = kind == NF_ROWS_WORDS ? nf_example_word_weight(text, i)
                               : text->weights       ? text->weights[i]
                                                     : 1.0f;
}

/* O, and the labels of the types that were looked for. */
static void fill_allowed(int32_t *allowed, const nf_example *text, size_t n_labels) {
    for (size_t i = 0; i < n_labels; i++) allowed[i] = !text->looked_for || i == NF_LABEL_O;
    for (size_t i = 0; i < text->n_looked_for; i++) {
        allowed[nf_label_id(text->looked_for[i], 0)] = 1;
        allowed[nf_label_id(text->looked_for[i], 1)] = 1;
    }
}

/* In the backend's memory, for the operation cross_entropy. */
static nerfit_status load(const nf_label_rows *rows, const nf_pass *pass, nf_head_step *step,
                          nerfit_error *err) {
    nf_workspace *ws = pass->ws;
    size_t n = rows->n;
    step->targets = (nf_targets){.labels = nf_workspace_ints(ws, rows->labels, n),
                                 .n = n,
                                 .l = rows->n_labels,
                                 .smoothing = step->smoothing};
    if (rows->weights) {
        nf_values *weights = nf_workspace_reals(ws, n);
        NF_TRY(nf_workspace_check(ws, err));
        pass->be->from_f32(pass->be, weights, rows->weights, n);
        step->targets.weights = weights;
    }
    if (rows->allowed) {
        size_t cells = step->batch->count * rows->n_labels;
        step->targets.allowed = nf_workspace_ints(ws, rows->allowed, cells);
        step->targets.sets = nf_workspace_ints(ws, rows->texts, n);
    }
    return nf_workspace_check(ws, err);
}

nerfit_status nf_label_rows_make(nf_label_rows *out, nf_row_kind kind, size_t n_labels,
                                 const nf_pass *pass, nf_head_step *step, nerfit_error *err) {
    const nf_head_batch *batch = step->batch;
    bool weighted = false, partial = false;
    *out = (nf_label_rows){.n_labels = n_labels};
    for (size_t s = 0; s < batch->count; s++) {
        out->n += rows_of(kind, batch->texts[s]);
        weighted |= batch->texts[s]->weights != NULL;
        partial |= batch->texts[s]->looked_for != NULL;
    }
    size_t n = out->n, cells = batch->count * n_labels;
    out->labels = nf_arena_alloc(step->arena, 2 * n * sizeof *out->labels + 1);
    if (weighted) out->weights = nf_arena_alloc(step->arena, n * sizeof *out->weights + 1);
    if (partial) out->allowed = nf_arena_alloc(step->arena, cells * sizeof *out->allowed + 1);
    if (!out->labels || (weighted && !out->weights) || (partial && !out->allowed))
        return nf_no_memory(err, 2 * n * sizeof *out->labels);
    out->texts = out->labels + n;
    size_t at = 0;
    for (size_t s = 0; s < batch->count; s++) {
        size_t rows = rows_of(kind, batch->texts[s]);
        fill_rows(out, kind, batch->texts[s], at);
        for (size_t i = 0; i < rows; i++) out->texts[at + i] = (int32_t)s;
        if (partial) fill_allowed(out->allowed + s * n_labels, batch->texts[s], n_labels);
        at += rows;
    }
    step->n = n;
    return load(out, pass, step, err);
}

const int32_t *nf_label_rows_allowed(const nf_label_rows *rows, size_t row) {
    if (!rows->allowed || row >= rows->n) return NULL;
    return rows->allowed + (size_t)rows->texts[row] * rows->n_labels;
}
