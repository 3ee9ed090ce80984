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
                               nf_linear_saved *saved) {
    if (rows == 0) return NERFIT_OK;
    nf_pass at = nf_gliner_rows(pass, rows);
    return nf_linear_forward(linear, &at, y, NULL, x, activation, saved);
}

nerfit_status nf_gliner_linear_backward(const nf_linear *linear, const nf_pass *pass, nf_values *dx,
                                        const nf_values *dy, size_t rows,
                                        const nf_linear_saved *saved, bool accumulate) {
    if (rows == 0) return NERFIT_OK;
    nf_pass at = nf_gliner_rows(pass, rows);
    return nf_linear_backward(linear, &at, dx, dy, saved, accumulate);
}

nf_dropout nf_gliner_dropout(const nf_gliner_run *run, uint32_t stream, uint64_t first) {
    nf_dropout out = nf_pass_dropout(run->pass, stream, run->gliner->config.dropout, 8);
    out.first = first;
    return out;
}

nerfit_status nf_gliner_mlp_forward(const nf_gliner_run *run, const nf_gliner_mlp *mlp,
                                    nf_values *y, const nf_values *x, size_t rows,
                                    nf_gliner_mlp_saved *saved) {
    const nf_pass *pass = run->pass;
    size_t n = rows * mlp->in->out;
    nf_dropout dropout = nf_gliner_dropout(run, mlp->stream, 0);
    nf_workspace_mark mark = nf_workspace_here(pass->ws);
    nf_values *inner = nf_workspace_reals(pass->ws, n);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_gliner_linear(mlp->in, pass, inner, x, rows, NF_ACTIVATION_RELU,
                            saved ? &saved->in : NULL));
    if (dropout.p > 0.0) pass->be->dropout(pass->be, inner, inner, n, &dropout);
    NF_TRY(nf_gliner_linear(mlp->out, pass, y, inner, rows, NF_ACTIVATION_NONE,
                            saved ? &saved->out : NULL));
    if (!saved) nf_workspace_return(pass->ws, mark);
    return NERFIT_OK;
}

nerfit_status nf_gliner_mlp_backward(const nf_gliner_run *run, const nf_gliner_mlp *mlp,
                                     nf_values *dx, const nf_values *dy, size_t rows,
                                     const nf_gliner_mlp_saved *saved) {
    const nf_pass *pass = run->pass;
    size_t n = rows * mlp->in->out;
    nf_dropout dropout = nf_gliner_dropout(run, mlp->stream, 0);
    nf_workspace_mark mark = nf_workspace_here(pass->ws);
    nf_values *dinner = nf_workspace_reals(pass->ws, n);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_gliner_linear_backward(mlp->out, pass, dinner, dy, rows, &saved->out, false));
    if (dropout.p > 0.0) pass->be->dropout(pass->be, dinner, dinner, n, &dropout);
    if (rows)
        pass->be->activation_backward(pass->be, NF_ACTIVATION_RELU, dinner, dinner, saved->out.x,
                                      n);
    NF_TRY(nf_gliner_linear_backward(mlp->in, pass, dx, dinner, rows, &saved->in, true));
    nf_workspace_return(pass->ws, mark);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- the whole */

void nf_gliner_run_begin(nf_gliner_run *run, const nf_model *model, const nf_pass *pass,
                         const nf_gliner_text *texts, size_t count, nf_arena *arena) {
    *run = (nf_gliner_run){.model = model,
                           .gliner = model->gliner,
                           .pass = pass,
                           .texts = texts,
                           .count = count,
                           .arena = arena};
    for (size_t t = 0; t < count; t++) {
        run->n_tokens += texts[t].length;
        run->n_words += texts[t].n_words;
        run->n_labels += texts[t].n_labels;
    }
}

nerfit_status nf_gliner_run_logits(nf_gliner_run *run) {
    for (size_t t = 0; t < run->count; t++) run->logits[t] = (nf_gliner_logits){0};
    return run->gliner->token ? nf_gliner_word_logits(run) : nf_gliner_span_logits(run);
}

/* A batch's texts as they are read behind the encoder: without the sub-words that no word and no label is
 * read from, which end before the last layer's feed-forward block. */
typedef struct read_texts {
    nf_gliner_text *texts; /* [count] their ids are not used */
    int32_t *rows;         /* [n] of the batch */
    size_t n;
} read_texts;

/* The sub-words `from` .. `to` of a text that begins at row `first`; *place: where they are read then. */
static void read_piece(read_texts *read, nf_gliner_text *text, size_t first, int32_t from,
                       int32_t to, int32_t *place) {
    *place = (int32_t)text->length;
    for (int32_t i = from; i < to; i++, text->length++) read->rows[read->n++] = (int32_t)first + i;
}

static nerfit_status read_text(read_texts *read, const nf_gliner *g, const nf_gliner_text *text,
                               nf_gliner_text *out, size_t first, nf_arena *arena) {
    size_t labels = text->label_places ? text->n_labels : 0;
    nf_word_pooling kind = g->config.word_pooling;
    int32_t *places = nf_arena_alloc(arena, labels * sizeof *places + 1);
    int32_t *starts = nf_arena_alloc(arena, text->n_words * sizeof *starts + 1);
    int32_t *ends = nf_arena_alloc(arena, text->n_words * sizeof *ends + 1);
    if (!places || !starts || !ends) return NERFIT_NO_MEMORY;
    *out = *text;
    out->length = 0;
    for (size_t c = 0; c < labels; c++)
        read_piece(read, out, first, text->label_places[c], text->label_places[c] + 1, &places[c]);
    for (size_t w = 0; w < text->n_words; w++) {
        int32_t from = text->word_starts[w], to = text->word_ends[w];
        if (kind == NF_WORD_FIRST && from < to) to = from + 1;
        if (kind == NF_WORD_LAST && from < to) from = to - 1;
        read_piece(read, out, first, from, to, &starts[w]);
        ends[w] = (int32_t)out->length;
    }
    if (text->label_places) out->label_places = places;
    out->word_starts = starts;
    out->word_ends = ends;
    return NERFIT_OK;
}

static nerfit_status read_texts_of(read_texts *read, const nf_gliner *g,
                                   const nf_gliner_text *texts, size_t count, nf_arena *arena) {
    size_t first = 0, tokens = 0;
    for (size_t t = 0; t < count; t++) tokens += texts[t].length;
    *read = (read_texts){.texts = nf_arena_calloc(arena, count + 1, sizeof *read->texts),
                         .rows = nf_arena_alloc(arena, tokens * sizeof *read->rows + 1)};
    if (!read->texts || !read->rows) return NERFIT_NO_MEMORY;
    for (size_t t = 0; t < count; first += texts[t++].length)
        NF_TRY(read_text(read, g, &texts[t], &read->texts[t], first, arena));
    return NERFIT_OK;
}

/* run->hidden, of the rows that are read, or, where layers are fused, of all, with the layers'. */
static nerfit_status run_encoder(nf_gliner_run *run, const nf_pass *pass) {
    const nf_encoder *encoder = &run->model->encoder;
    nf_values *x = nf_workspace_reals(pass->ws, run->n_tokens * encoder->hidden);
    if (run->gliner->fuser) run->layers = nf_gliner_layers(encoder, pass, false, run->arena);
    if (nf_workspace_failed(pass->ws) || (run->gliner->fuser && !run->layers))
        return NERFIT_NO_MEMORY;
    run->hidden = x;
    return nf_encoder_forward(encoder, pass, x, NULL, run->layers);
}

static nerfit_status forward(const nf_model *model, const nf_pass *pass,
                             const nf_gliner_text *texts, size_t count, double threshold,
                             nf_arena *arena, nf_gliner_logits *logits) {
    nf_gliner_run run;
    read_texts read = {0};
    nf_pass whole = *pass, behind = *pass;
    if (!model->gliner->fuser) NF_TRY(read_texts_of(&read, model->gliner, texts, count, arena));
    if (read.n) {
        texts = read.texts;
        whole.rows = nf_workspace_ints(pass->ws, read.rows, read.n);
        whole.n_rows = read.n;
        if (!whole.rows) return NERFIT_NO_MEMORY;
        behind.sequences.n_tokens = (int32_t)read.n;
    }
    nf_gliner_run_begin(&run, model, &behind, texts, count, arena);
    run.threshold = threshold;
    run.logits = logits;
    NF_TRY(run_encoder(&run, &whole));
    NF_TRY(nf_gliner_represent(&run));
    return nf_gliner_run_logits(&run);
}

nerfit_status nf_gliner_forward(const nf_model *model, nf_pass *pass, const nf_gliner_text *texts,
                                size_t count, double threshold, nf_arena *arena,
                                nf_gliner_logits *logits, nerfit_error *err) {
    nf_tokens *tokens = calloc(count + 1, sizeof *tokens);
    if (!tokens) return nf_no_memory(err, count * sizeof *tokens);
    for (size_t t = 0; t < count; t++)
        tokens[t] = (nf_tokens){.ids = texts[t].ids, .length = texts[t].length};
    nerfit_status status = nf_batch_load(pass, &model->encoder, tokens, count, err);
    free(tokens);
    NF_TRY(status);
    if (forward(model, pass, texts, count, threshold, arena, logits) != NERFIT_OK)
        return nf_pass_failed(pass, err);
    return nf_network_check_pass(&model->net, pass->be, err);
}

nerfit_status nf_gliner_label_tokens(const nf_tokenizer *tokenizer, const char *const *labels,
                                     size_t count, nf_encoding *encodings, nf_tokens *tokens,
                                     nerfit_error *err) {
    for (size_t i = 0; i < count; i++) {
        NF_TRY(
            nf_tokenizer_encode(tokenizer, labels[i], strlen(labels[i]), true, &encodings[i], err));
        tokens[i] = (nf_tokens){.ids = encodings[i].ids, .length = encodings[i].length};
    }
    return NERFIT_OK;
}

nerfit_status nf_gliner_means(const nf_network *net, const nf_encoder *encoder, nf_pass *pass,
                              const nf_tokens *texts, size_t count, nf_values **y,
                              nerfit_error *err) {
    nf_backend *be = pass->be;
    size_t c = encoder->hidden;
    NF_TRY(nf_batch_load(pass, encoder, texts, count, err));
    nf_values *x = nf_workspace_reals(pass->ws, (size_t)pass->sequences.n_tokens * c);
    *y = nf_workspace_reals(pass->ws, count * c);
    if (!x || !*y || nf_encoder_forward(encoder, pass, x, NULL, NULL) != NERFIT_OK)
        return nf_pass_failed(pass, err);
    be->pool(be, *y, x, &pass->sequences, &(nf_pooling_shape){NF_POOLING_MEAN, c, c, 0});
    return nf_network_check_pass(net, be, err);
}

nerfit_status nf_gliner_label_means(const nf_model *model, nf_pass *pass, const nf_tokens *labels,
                                    size_t count, float *means, nerfit_error *err) {
    const nf_encoder *encoder = &model->gliner->labels_encoder;
    nf_values *y;
    NF_TRY(nf_gliner_means(&model->net, encoder, pass, labels, count, &y, err));
    pass->be->to_f32(pass->be, means, y, count * encoder->hidden);
    return NERFIT_OK;
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
    if (status == NERFIT_OK)
        status = nf_gliner_label_tokens(g->labels_tokenizer, labels, count, encodings, tokens, err);
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
