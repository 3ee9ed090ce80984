/* The pass as a whole, and the layers that its files share. */
#include <stdlib.h>
#include <string.h>

#include "model/gliner_pass.h"

/* ---------------------------------------------------------------- layers */

nf_pass nf_gliner_rows(const nf_pass *pass, size_t rows) {
    nf_pass out = *pass;
    out.sequences.n_tokens = (int32_t)rows;
    return out;
}

nf_values *nf_gliner_zeros(const nf_pass *pass, size_t n) {
    nf_values *out = nf_workspace_reals(pass->ws, n);
    if (out) pass->be->zero(pass->be, out, n);
    return out;
}

nerfit_status nf_gliner_linear(const nf_linear *linear, const nf_pass *pass, nf_values *y,
                               const nf_values *x, size_t rows, nf_activation activation,
                               nf_linear_kept *kept) {
    if (rows == 0) return NERFIT_OK;
    nf_pass at = nf_gliner_rows(pass, rows);
    return nf_linear_forward(linear, &at, y, NULL, x, activation, kept);
}

nerfit_status nf_gliner_linear_backward(const nf_linear *linear, const nf_pass *pass, nf_values *dx,
                                        const nf_values *dy, size_t rows,
                                        const nf_linear_kept *kept, bool accumulate) {
    if (rows == 0) return NERFIT_OK;
    nf_pass at = nf_gliner_rows(pass, rows);
    return nf_linear_backward(linear, &at, dx, dy, kept, accumulate);
}

nf_dropout nf_gliner_dropout(const nf_gliner_run *run, uint32_t site, uint64_t first) {
    nf_dropout out = nf_pass_dropout(run->pass, site, run->gliner->config.dropout, 8);
    out.first = first;
    return out;
}

nerfit_status nf_gliner_mlp_forward(const nf_gliner_run *run, const nf_gliner_mlp *mlp,
                                    nf_values *y, const nf_values *x, size_t rows,
                                    nf_gliner_mlp_kept *kept) {
    const nf_pass *pass = run->pass;
    size_t n = rows * mlp->in->out;
    nf_dropout dropout = nf_gliner_dropout(run, mlp->site, 0);
    nf_workspace_mark mark = nf_workspace_here(pass->ws);
    nf_values *inner = nf_workspace_reals(pass->ws, n);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_gliner_linear(mlp->in, pass, inner, x, rows, NF_ACTIVATION_RELU,
                            kept ? &kept->in : NULL));
    if (dropout.p > 0.0) pass->be->dropout(pass->be, inner, inner, n, &dropout);
    NF_TRY(nf_gliner_linear(mlp->out, pass, y, inner, rows, NF_ACTIVATION_NONE,
                            kept ? &kept->out : NULL));
    if (!kept) nf_workspace_return(pass->ws, mark);
    return NERFIT_OK;
}

nerfit_status nf_gliner_mlp_backward(const nf_gliner_run *run, const nf_gliner_mlp *mlp,
                                     nf_values *dx, const nf_values *dy, size_t rows,
                                     const nf_gliner_mlp_kept *kept) {
    const nf_pass *pass = run->pass;
    size_t n = rows * mlp->in->out;
    nf_dropout dropout = nf_gliner_dropout(run, mlp->site, 0);
    nf_workspace_mark mark = nf_workspace_here(pass->ws);
    nf_values *dinner = nf_workspace_reals(pass->ws, n);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_gliner_linear_backward(mlp->out, pass, dinner, dy, rows, &kept->out, false));
    if (dropout.p > 0.0) pass->be->dropout(pass->be, dinner, dinner, n, &dropout);
    if (rows)
        pass->be->activation_backward(pass->be, NF_ACTIVATION_RELU, dinner, dinner, kept->out.x, n);
    NF_TRY(nf_gliner_linear_backward(mlp->in, pass, dx, dinner, rows, &kept->in, true));
    nf_workspace_return(pass->ws, mark);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- the whole */

static void count_texts(nf_gliner_run *run) {
    for (size_t t = 0; t < run->count; t++) {
        run->n_tokens += run->texts[t].length;
        run->n_words += run->texts[t].n_words;
        run->n_labels += run->texts[t].n_labels;
    }
}

nerfit_status nf_gliner_forward(const nf_model *model, nf_pass *pass, const nf_gliner_text *texts,
                                size_t count, double threshold, nf_arena *arena,
                                nf_gliner_logits *logits, nerfit_error *err) {
    nf_gliner_run run = {.model = model,
                         .gliner = model->gliner,
                         .pass = pass,
                         .texts = texts,
                         .count = count,
                         .threshold = threshold,
                         .arena = arena,
                         .logits = logits};
    nf_tokens *tokens = calloc(count + 1, sizeof *tokens);
    if (!tokens) return nf_no_memory(err, count * sizeof *tokens);
    for (size_t t = 0; t < count; t++) {
        tokens[t] = (nf_tokens){.ids = texts[t].ids, .length = texts[t].length};
        logits[t] = (nf_gliner_logits){0};
    }
    count_texts(&run);
    nerfit_status status = nf_batch_load(pass, &model->encoder, tokens, count, err);
    free(tokens);
    NF_TRY(status);
    status = nf_gliner_represent(&run);
    if (status == NERFIT_OK)
        status = run.gliner->token ? nf_gliner_word_logits(&run) : nf_gliner_span_logits(&run);
    return status == NERFIT_OK ? nf_network_check_pass(&model->net, pass->be, err)
                               : nf_no_memory(err, 0);
}

double nf_gliner_counted(const nf_gliner *gliner, const nf_gliner_text *text) {
    size_t n = text->n_words, k = gliner->config.max_width;
    if (gliner->token) return (double)(n * text->n_labels);
    size_t whole = n > k ? n - k : 0, rest = n - whole; /* words that begin k spans, and fewer */
    return (double)(whole * k + rest * (rest + 1) / 2);
}

static nerfit_status learn(nf_gliner_run *run) {
    size_t d = run->gliner->config.size;
    NF_TRY(nf_gliner_represent(run));
    if (nf_gliner_keeps(run)) {
        run->dh = nf_gliner_zeros(run->pass, run->n_words * d);
        run->dq = nf_gliner_zeros(run->pass, run->n_labels * d);
        if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    }
    NF_TRY(run->gliner->token ? nf_gliner_word_learn(run) : nf_gliner_span_learn(run));
    return nf_gliner_keeps(run) ? nf_gliner_represent_backward(run) : NERFIT_OK;
}

nerfit_status nf_gliner_learn(const nf_model *model, const nf_pass *pass,
                              const nf_gliner_text *texts, size_t count,
                              const nf_gliner_lesson *lesson, double *loss, nerfit_error *err) {
    nf_arena arena = {0};
    nf_gliner_run run = {.model = model,
                         .gliner = model->gliner,
                         .pass = pass,
                         .texts = texts,
                         .count = count,
                         .arena = &arena,
                         .lesson = lesson};
    count_texts(&run);
    nerfit_status status = learn(&run);
    *loss = run.loss;
    nf_arena_free(&arena);
    return status == NERFIT_OK ? nf_network_check_pass(&model->net, pass->be, err)
                               : nf_no_memory(err, 0);
}

nerfit_status nf_gliner_encode_labels(const nf_model *model, nf_pass *pass,
                                      const char *const *labels, size_t count, float *vectors,
                                      nerfit_error *err) {
    const nf_gliner *g = model->gliner;
    nf_backend *be = pass->be;
    size_t d = g->config.size;
    nf_arena arena = {0};
    nf_encoding *encodings = calloc(count + 1, sizeof *encodings);
    nf_tokens *tokens = calloc(count + 1, sizeof *tokens);
    nerfit_status status = encodings && tokens ? NERFIT_OK : nf_no_memory(err, count);
    for (size_t i = 0; i < count && status == NERFIT_OK; i++) {
        status = nf_tokenizer_encode(g->labels_tokenizer, labels[i], strlen(labels[i]), true,
                                     &encodings[i], err);
        tokens[i] = (nf_tokens){.ids = encodings[i].ids, .length = encodings[i].length};
    }
    if (status == NERFIT_OK) status = nf_batch_load(pass, &g->labels_encoder, tokens, count, err);
    if (status == NERFIT_OK) {
        nf_values *rows, *y = nf_workspace_reals(pass->ws, count * d);
        if (!y || nf_gliner_label_vectors(model, pass, y, &rows, NULL, &arena) != NERFIT_OK) {
            status = nf_no_memory(err, 0);
        } else {
            be->to_f32(be, vectors, y, count * d);
            status = nf_network_check_pass(&model->net, be, err);
        }
    }
    for (size_t i = 0; i < count && encodings; i++) nf_encoding_free(&encodings[i]);
    free(encodings);
    free(tokens);
    nf_arena_free(&arena);
    return status;
}
