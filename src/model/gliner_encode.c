/* From sub-words to the vectors of words and labels, and back: the encoder, the fusing of its layers,
 * the projection, the words' pooling, the LSTM, the labels' places or their own encoder. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/gliner_pass.h"

/* ---------------------------------------------------------------- sub-words */

/* Adds s_n U_n, or with `back` its gradient: text by text, layer by layer. */
static nerfit_status fuse_sum(const nf_encoder *encoder, const nf_pass *pass, nf_values *sum,
                              nf_values *const *layers, const nf_values *weights) {
    nf_backend *be = pass->be;
    size_t n = encoder->n_layers, c = encoder->hidden, s = (size_t)pass->sequences.n_sequences;
    double *factors = nf_malloc(s * n * sizeof *factors + 1);
    int32_t *cu = nf_malloc((s + 1) * sizeof *cu);
    if (factors && cu) {
        be->to_f64(be, factors, weights, s * n);
        be->ints_out(be, cu, pass->sequences.cu_seqlens, s + 1);
        be->zero(be, sum, (size_t)pass->sequences.n_tokens * c);
        for (size_t t = 0; t < s; t++)
            for (size_t i = 0; i < n; i++) {
                size_t first = (size_t)cu[t] * c, size = (size_t)(cu[t + 1] - cu[t]) * c;
                be->axpy(be, nf_at(be, sum, first), 1.0 / (1.0 + exp(-factors[t * n + i])),
                         nf_at(be, layers[i + 1], first), size);
            }
    }
    nerfit_status status = factors && cu ? NERFIT_OK : NERFIT_NO_MEMORY;
    free(factors);
    free(cu);
    return status;
}

/* Squeeze and excitation (Hu et al. 2018) over the layers' outputs U_n: text by text
 * s = sigmoid(W2 relu(W1 z)), z_n = mean over its tokens of squeeze(U_n); y = output(sum s_n U_n).
 * The package takes the mean over padding, too; here there is none. */
static nerfit_status fuse_layers(const nf_layers_fuser *fuser, const nf_encoder *encoder,
                                 const nf_pass *pass, nf_values *y, nf_values **layers,
                                 nf_gliner_top_saved *saved, nf_arena *arena) {
    nf_backend *be = pass->be;
    size_t n = encoder->n_layers, c = encoder->hidden, s = (size_t)pass->sequences.n_sequences;
    size_t tokens = (size_t)pass->sequences.n_tokens;
    nf_values *scores = nf_workspace_reals(pass->ws, tokens);
    nf_values *z = nf_workspace_reals(pass->ws, s * n), *zi = nf_workspace_reals(pass->ws, s * n);
    nf_values *weights = nf_workspace_reals(pass->ws, s * n);
    nf_values *sum = nf_workspace_reals(pass->ws, tokens * c);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    if (saved && !(saved->squeeze = nf_arena_calloc(arena, n, sizeof *saved->squeeze)))
        return NERFIT_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        NF_TRY(nf_gliner_linear(fuser->squeeze, pass, scores, layers[i + 1], tokens,
                                NF_ACTIVATION_NONE, saved ? &saved->squeeze[i] : NULL));
        be->pool(be, nf_at(be, z, i), scores, &pass->sequences,
                 &(nf_pooling_shape){NF_POOLING_MEAN, 1, n, 0});
    }
    NF_TRY(
        nf_gliner_linear(fuser->w1, pass, zi, z, s, NF_ACTIVATION_RELU, saved ? &saved->w1 : NULL));
    NF_TRY(nf_gliner_linear(fuser->w2, pass, weights, zi, s, NF_ACTIVATION_NONE,
                            saved ? &saved->w2 : NULL));
    if (saved) {
        saved->weights = weights;
        saved->layers = layers;
    }
    NF_TRY(fuse_sum(encoder, pass, sum, layers, weights));
    return nf_gliner_linear(fuser->output, pass, y, sum, tokens, NF_ACTIVATION_NONE,
                            saved ? &saved->output : NULL);
}

/* From dsum [tokens, C] to dlayers, and to dweights [texts, n_layers] before the sigmoid. */
static nerfit_status fuse_sum_backward(const nf_encoder *encoder, const nf_pass *pass,
                                       nf_values *const *dlayers, nf_values *dweights,
                                       const nf_values *dsum, nf_values *const *layers,
                                       const nf_values *weights) {
    nf_backend *be = pass->be;
    size_t n = encoder->n_layers, c = encoder->hidden, s = (size_t)pass->sequences.n_sequences;
    double *factors = nf_malloc(2 * s * n * sizeof *factors + 1), *dots = factors + s * n;
    int32_t *cu = nf_malloc((s + 1) * sizeof *cu);
    if (factors && cu) {
        be->to_f64(be, factors, weights, s * n);
        be->ints_out(be, cu, pass->sequences.cu_seqlens, s + 1);
        be->zero(be, dweights, s * n);
        for (size_t t = 0; t < s; t++)
            for (size_t i = 0; i < n; i++) {
                size_t first = (size_t)cu[t] * c, size = (size_t)(cu[t + 1] - cu[t]) * c;
                double *factor = &factors[t * n + i];
                *factor = 1.0 / (1.0 + exp(-*factor));
                be->axpy(be, nf_at(be, dlayers[i + 1], first), *factor,
                         nf_at_const(be, dsum, first), size);
                be->column_dots(be, nf_at(be, dweights, t * n + i), nf_at_const(be, dsum, first),
                                nf_at(be, layers[i + 1], first), size, 1);
            }
        be->to_f64(be, dots, dweights, s * n);
        for (size_t i = 0; i < s * n; i++) dots[i] *= factors[i] * (1.0 - factors[i]);
        be->from_f64(be, dweights, dots, s * n);
    }
    nerfit_status status = factors && cu ? NERFIT_OK : NERFIT_NO_MEMORY;
    free(factors);
    free(cu);
    return status;
}

/* dlayers [n_layers + 1], zero, receive the gradients by the layers' outputs; dy that of y. */
static nerfit_status fuse_layers_backward(const nf_layers_fuser *fuser, const nf_encoder *encoder,
                                          const nf_pass *pass, nf_values *const *dlayers,
                                          const nf_values *dy, const nf_gliner_top_saved *saved) {
    nf_backend *be = pass->be;
    size_t n = encoder->n_layers, c = encoder->hidden, s = (size_t)pass->sequences.n_sequences;
    size_t tokens = (size_t)pass->sequences.n_tokens;
    nf_values *dsum = nf_workspace_reals(pass->ws, tokens * c);
    nf_values *dweights = nf_workspace_reals(pass->ws, s * n);
    nf_values *dzi = nf_workspace_reals(pass->ws, s * n), *dz = nf_workspace_reals(pass->ws, s * n);
    nf_values *dscores = nf_workspace_reals(pass->ws, tokens);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_gliner_linear_backward(fuser->output, pass, dsum, dy, tokens, &saved->output, false));
    NF_TRY(
        fuse_sum_backward(encoder, pass, dlayers, dweights, dsum, saved->layers, saved->weights));
    NF_TRY(nf_gliner_linear_backward(fuser->w2, pass, dzi, dweights, s, &saved->w2, false));
    be->activation_backward(be, NF_ACTIVATION_RELU, dzi, dzi, saved->w2.x, s * fuser->w1->out);
    NF_TRY(nf_gliner_linear_backward(fuser->w1, pass, dz, dzi, s, &saved->w1, false));
    for (size_t i = 0; i < n; i++) {
        be->pool_backward(be, dscores, nf_at(be, dz, i), NULL, &pass->sequences,
                          &(nf_pooling_shape){NF_POOLING_MEAN, 1, n, 0});
        NF_TRY(nf_gliner_linear_backward(fuser->squeeze, pass, dlayers[i + 1], dscores, tokens,
                                         &saved->squeeze[i], true));
    }
    return NERFIT_OK;
}

nerfit_status nf_gliner_top_forward(const nf_gliner_encoder *e, const nf_pass *pass, nf_values *y,
                                    const nf_values *x, nf_values **layers,
                                    nf_gliner_top_saved *saved, nf_arena *arena) {
    size_t tokens = (size_t)pass->sequences.n_tokens, c = e->encoder->hidden;
    if (e->fuser) {
        nf_values *fused = e->projection ? nf_workspace_reals(pass->ws, tokens * c) : y;
        if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
        NF_TRY(fuse_layers(e->fuser, e->encoder, pass, fused, layers, saved, arena));
        x = fused;
    }
    if (e->projection)
        return nf_gliner_linear(e->projection, pass, y, x, tokens, NF_ACTIVATION_NONE,
                                saved ? &saved->projection : NULL);
    if (x != y) pass->be->copy(pass->be, y, x, tokens * c);
    return NERFIT_OK;
}

nerfit_status nf_gliner_top_backward(const nf_gliner_encoder *e, const nf_pass *pass, nf_values *dx,
                                     nf_values *const *dlayers, nf_values *dy,
                                     const nf_gliner_top_saved *saved) {
    size_t tokens = (size_t)pass->sequences.n_tokens, c = e->encoder->hidden;
    if (e->projection) {
        NF_TRY(nf_gliner_linear_backward(e->projection, pass, dx, dy, tokens, &saved->projection,
                                         false));
        dy = dx;
    }
    if (e->fuser) {
        NF_TRY(fuse_layers_backward(e->fuser, e->encoder, pass, dlayers, dy, saved));
        pass->be->copy(pass->be, dx, dlayers[e->encoder->n_layers], tokens * c);
    } else if (dy != dx) {
        pass->be->copy(pass->be, dx, dy, tokens * c);
    }
    return NERFIT_OK;
}

nf_values **nf_gliner_layers(const nf_encoder *encoder, const nf_pass *pass, bool zero,
                             nf_arena *arena) {
    size_t size = (size_t)pass->sequences.n_tokens * encoder->hidden;
    nf_values **out = nf_arena_calloc(arena, encoder->n_layers + 1, sizeof *out);
    for (size_t i = 0; out && i <= encoder->n_layers; i++)
        out[i] = zero ? nf_gliner_zeros(pass, size) : nf_workspace_reals(pass->ws, size);
    return nf_workspace_failed(pass->ws) ? NULL : out;
}

/* y [tokens, D] of a whole encoder: that of a bi-encoder's labels. kept: NULL without backward. */
static nerfit_status encode(const nf_gliner_encoder *e, const nf_pass *pass, nf_values *y,
                            nf_gliner_encoder_saved *saved, nf_arena *arena) {
    const nf_encoder *encoder = e->encoder;
    nf_values *x = nf_workspace_reals(pass->ws, (size_t)pass->sequences.n_tokens * encoder->hidden);
    nf_values **layers = e->fuser ? nf_gliner_layers(encoder, pass, false, arena) : NULL;
    if (nf_workspace_failed(pass->ws) || (e->fuser && !layers)) return NERFIT_NO_MEMORY;
    if (saved && !(saved->encoder.layers = nf_arena_calloc(arena, encoder->n_layers + 1,
                                                           sizeof *saved->encoder.layers)))
        return NERFIT_NO_MEMORY;
    NF_TRY(nf_encoder_forward(encoder, pass, x, saved ? &saved->encoder : NULL, layers));
    return nf_gliner_top_forward(e, pass, y, x, layers, saved ? &saved->top : NULL, arena);
}

static nerfit_status encode_backward(const nf_gliner_encoder *e, const nf_pass *pass, nf_values *dy,
                                     const nf_gliner_encoder_saved *saved, nf_arena *arena) {
    const nf_encoder *encoder = e->encoder;
    nf_values *dx =
        nf_workspace_reals(pass->ws, (size_t)pass->sequences.n_tokens * encoder->hidden);
    nf_values **dlayers = e->fuser ? nf_gliner_layers(encoder, pass, true, arena) : NULL;
    if (nf_workspace_failed(pass->ws) || (e->fuser && !dlayers)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_gliner_top_backward(e, pass, dx, dlayers, dy, &saved->top));
    return nf_encoder_backward(encoder, pass, dx, &saved->encoder, dlayers);
}

nf_gliner_encoder nf_gliner_text_encoder(const nf_gliner_run *run) {
    const nf_gliner *g = run->gliner;
    return (nf_gliner_encoder){&run->model->encoder, g->fuser, g->projection};
}

/* ---------------------------------------------------------------- words */

/* The sub-words of all words, and which belong to a word; to the place behind the last token those
 * of a word that has none. */
static nerfit_status list_pieces(nf_gliner_run *run, int32_t *places, int32_t *cu) {
    size_t n = 0, w = 0, first = 0, longest = 0;
    nf_word_pooling kind = run->gliner->config.word_pooling;
    for (size_t t = 0; t < run->count; first += run->texts[t++].length)
        for (size_t i = 0; i < run->texts[t].n_words; i++) {
            int32_t start = run->texts[t].word_starts[i], end = run->texts[t].word_ends[i];
            size_t before = n;
            if (kind == NF_WORD_FIRST || kind == NF_WORD_LAST) {
                int32_t place = kind == NF_WORD_LAST ? end - 1 : start;
                places[n++] = start < end ? (int32_t)first + place : (int32_t)run->n_tokens;
            } else {
                for (int32_t k = start; k < end; k++) places[n++] = (int32_t)first + k;
            }
            if (n - before > longest) longest = n - before;
            cu[++w] = (int32_t)n;
        }
    run->n_places = n;
    run->places = nf_workspace_ints(run->pass->ws, places, n);
    run->pieces = (nf_sequences){.cu_seqlens = nf_workspace_ints(run->pass->ws, cu, w + 1),
                                 .n_sequences = (int32_t)w,
                                 .n_tokens = (int32_t)n,
                                 .longest = (int32_t)longest};
    return nf_workspace_failed(run->pass->ws) ? NERFIT_NO_MEMORY : NERFIT_OK;
}

static bool is_pooled(const nf_gliner_run *run) {
    nf_word_pooling kind = run->gliner->config.word_pooling;
    return kind == NF_WORD_MEAN || kind == NF_WORD_MAX;
}

static nf_pooling_shape pooling_of(const nf_gliner_run *run) {
    size_t d = run->gliner->config.size;
    bool mean = run->gliner->config.word_pooling == NF_WORD_MEAN;
    return (nf_pooling_shape){mean ? NF_POOLING_MEAN : NF_POOLING_MAX, d, d, 0};
}

/* h [n_words, D]: the first or last sub-word's vector, or the mean or maximum of all. */
static nerfit_status find_words(nf_gliner_run *run) {
    nf_backend *be = run->pass->be;
    size_t d = run->gliner->config.size;
    int32_t *places = nf_calloc(run->n_tokens + run->n_words + 1, sizeof *places);
    int32_t *cu = nf_calloc(run->n_words + 1, sizeof *cu);
    nerfit_status status = places && cu ? list_pieces(run, places, cu) : NERFIT_NO_MEMORY;
    free(places);
    free(cu);
    NF_TRY(status);
    run->rows = is_pooled(run) ? nf_workspace_reals(run->pass->ws, run->n_places * d) : run->h;
    if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    be->embedding_forward(be, run->rows, run->tokens, run->places, run->n_places, d, false);
    nf_pooling_shape shape = pooling_of(run);
    if (is_pooled(run)) be->pool(be, run->h, run->rows, &run->pieces, &shape);
    return NERFIT_OK;
}

/* Adds to dtokens. */
static nerfit_status find_words_backward(nf_gliner_run *run, nf_values *dh) {
    nf_backend *be = run->pass->be;
    size_t d = run->gliner->config.size;
    nf_values *drows = dh;
    if (is_pooled(run)) {
        drows = nf_workspace_reals(run->pass->ws, run->n_places * d);
        if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
        nf_pooling_shape shape = pooling_of(run);
        be->pool_backward(be, drows, dh, run->rows, &run->pieces, &shape);
    }
    be->embedding_backward(be, run->dtokens, drows, run->places, run->n_places, d, -1);
    return NERFIT_OK;
}

/* The pass over the words: the same texts, counted in words. */
static nerfit_status start_words(nf_gliner_run *run) {
    int32_t *cu = nf_calloc(run->count + 1, sizeof *cu);
    size_t longest = 0;
    if (!cu) return NERFIT_NO_MEMORY;
    for (size_t t = 0; t < run->count; t++) {
        cu[t + 1] = cu[t] + (int32_t)run->texts[t].n_words;
        if (run->texts[t].n_words > longest) longest = run->texts[t].n_words;
    }
    run->words = *run->pass;
    run->words.sequences =
        (nf_sequences){.cu_seqlens = nf_workspace_ints(run->pass->ws, cu, run->count + 1),
                       .n_sequences = (int32_t)run->count,
                       .n_tokens = (int32_t)run->n_words,
                       .longest = (int32_t)longest};
    free(cu);
    return run->words.sequences.cu_seqlens ? NERFIT_OK : NERFIT_NO_MEMORY;
}

static nerfit_status run_lstm(nf_gliner_run *run) {
    const nf_lstm *lstm = run->gliner->lstm;
    if (!lstm || run->n_words == 0) return NERFIT_OK;
    nf_values *x = run->h;
    run->h = nf_workspace_reals(run->pass->ws, run->n_words * run->gliner->config.size);
    if (nf_gliner_keeps(run))
        run->lstm = nf_arena_calloc(run->arena, lstm->n_layers, sizeof *run->lstm);
    if (nf_workspace_failed(run->pass->ws) || (nf_gliner_keeps(run) && !run->lstm))
        return NERFIT_NO_MEMORY;
    return nf_lstm_forward(lstm, &run->words, run->h, x, run->lstm);
}

/* *dh: the gradient by the words' vectors before it. */
static nerfit_status run_lstm_backward(nf_gliner_run *run, nf_values **dh) {
    if (!run->lstm) return NERFIT_OK;
    nf_values *dx = nf_workspace_reals(run->pass->ws, run->n_words * run->gliner->config.size);
    if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_lstm_backward(run->gliner->lstm, &run->words, dx, *dh, run->lstm));
    *dh = dx;
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- labels */

nerfit_status nf_gliner_label_vectors(const nf_model *model, const nf_pass *pass, nf_values *y,
                                      nf_values **rows, nf_gliner_encoder_saved *saved,
                                      nf_arena *arena) {
    const nf_gliner *g = model->gliner;
    size_t d = g->config.size;
    const nf_gliner_encoder e = {&g->labels_encoder, g->labels_fuser, g->labels_projection};
    *rows = nf_workspace_reals(pass->ws, (size_t)pass->sequences.n_tokens * d);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(encode(&e, pass, *rows, saved, arena));
    pass->be->pool(pass->be, y, *rows, &pass->sequences,
                   &(nf_pooling_shape){NF_POOLING_MEAN, d, d, 0});
    return NERFIT_OK;
}

/* The same of labels whose means are known: what is projected is the mean. */
static nerfit_status take_means(nf_gliner_run *run) {
    const nf_gliner *g = run->gliner;
    const nf_gliner_lesson *lesson = run->lesson;
    size_t c = g->labels_encoder.hidden;
    nf_values *means = nf_workspace_reals(run->pass->ws, lesson->n_labels * c);
    if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    for (size_t i = 0; i < lesson->n_labels; i++)
        run->pass->be->from_f32(run->pass->be, nf_at(run->pass->be, means, i * c), lesson->means[i],
                                c);
    if (!g->labels_projection) {
        run->vectors = means;
        return NERFIT_OK;
    }
    return nf_gliner_linear(g->labels_projection, run->pass, run->vectors, means, lesson->n_labels,
                            NF_ACTIVATION_NONE,
                            nf_gliner_keeps(run) ? &run->labels.top.projection : NULL);
}

/* The vectors of a lesson's labels, in a pass of their own. */
static nerfit_status encode_labels(nf_gliner_run *run) {
    const nf_gliner *g = run->gliner;
    const nf_gliner_lesson *lesson = run->lesson;
    nerfit_error error;
    run->label_tokens = *run->pass;
    run->label_tokens.team = NULL;
    run->vectors = nf_workspace_reals(run->pass->ws, lesson->n_labels * g->config.size);
    if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    if (lesson->means) return take_means(run);
    NF_TRY(nf_batch_load(&run->label_tokens, &g->labels_encoder, lesson->labels, lesson->n_labels,
                         &error));
    return nf_gliner_label_vectors(run->model, &run->label_tokens, run->vectors, &run->label_rows,
                                   nf_gliner_keeps(run) ? &run->labels : NULL, run->arena);
}

static nerfit_status encode_labels_backward(nf_gliner_run *run) {
    const nf_gliner *g = run->gliner;
    nf_backend *be = run->pass->be;
    size_t d = g->config.size;
    const nf_gliner_encoder e = {&g->labels_encoder, g->labels_fuser, g->labels_projection};
    if (run->lesson->means)
        return g->labels_projection
                   ? nf_gliner_linear_backward(g->labels_projection, run->pass, NULL, run->dvectors,
                                               run->lesson->n_labels, &run->labels.top.projection,
                                               false)
                   : NERFIT_OK;
    nf_values *drows =
        nf_workspace_reals(run->pass->ws, (size_t)run->label_tokens.sequences.n_tokens * d);
    if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    be->pool_backward(be, drows, run->dvectors, run->label_rows, &run->label_tokens.sequences,
                      &(nf_pooling_shape){NF_POOLING_MEAN, d, d, 0});
    return encode_backward(&e, &run->label_tokens, drows, &run->labels, run->arena);
}

/* Where text t's labels are read, and how far from run->tokens that is; *places NULL: they are
 * given. */
static nf_values *label_source(const nf_gliner_run *run, size_t t, size_t first_token, bool back,
                               const int32_t **places) {
    size_t d = run->gliner->config.size;
    *places = run->vectors ? run->texts[t].label_rows : run->texts[t].label_places;
    if (run->vectors) return back ? run->dvectors : run->vectors;
    return nf_at(run->pass->be, back ? run->dtokens : run->tokens, first_token * d);
}

static nerfit_status find_labels(nf_gliner_run *run) {
    nf_backend *be = run->pass->be;
    size_t d = run->gliner->config.size, first = 0, label = 0;
    if (run->lesson && run->lesson->labels) NF_TRY(encode_labels(run));
    for (size_t t = 0; t < run->count; t++) {
        const nf_gliner_text *text = &run->texts[t];
        nf_values *q = nf_at(be, run->q, label * d);
        const int32_t *at;
        nf_values *from = label_source(run, t, first, false, &at);
        if (text->label_vectors) {
            be->from_f32(be, q, text->label_vectors, text->n_labels * d);
        } else if (text->n_labels) {
            const int32_t *places = nf_workspace_ints(run->pass->ws, at, text->n_labels);
            if (!places) return NERFIT_NO_MEMORY;
            be->embedding_forward(be, q, from, places, text->n_labels, d, false);
        }
        first += text->length;
        label += text->n_labels;
    }
    return NERFIT_OK;
}

static nerfit_status find_labels_backward(nf_gliner_run *run) {
    nf_backend *be = run->pass->be;
    size_t d = run->gliner->config.size, first = 0, label = 0;
    if (run->vectors && !(run->dvectors = nf_gliner_zeros(run->pass, run->lesson->n_labels * d)))
        return NERFIT_NO_MEMORY;
    for (size_t t = 0; t < run->count; t++) {
        const nf_gliner_text *text = &run->texts[t];
        const int32_t *at;
        nf_values *to = label_source(run, t, first, true, &at);
        if (!text->label_vectors && text->n_labels) {
            const int32_t *places = nf_workspace_ints(run->pass->ws, at, text->n_labels);
            if (!places) return NERFIT_NO_MEMORY;
            be->embedding_backward(be, to, nf_at(be, run->dq, label * d), places, text->n_labels, d,
                                   -1);
        }
        first += text->length;
        label += text->n_labels;
    }
    return run->vectors ? encode_labels_backward(run) : NERFIT_OK;
}

/* ---------------------------------------------------------------- both */

nerfit_status nf_gliner_represent(nf_gliner_run *run) {
    nf_backend *be = run->pass->be;
    nf_workspace *ws = run->pass->ws;
    size_t d = run->gliner->config.size;
    const nf_gliner_encoder e = nf_gliner_text_encoder(run);
    run->tokens = nf_workspace_reals(ws, (run->n_tokens + 1) * d);
    run->h = nf_workspace_reals(ws, run->n_words * d);
    run->q = nf_workspace_reals(ws, run->n_labels * d);
    if (nf_workspace_failed(ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_gliner_top_forward(&e, run->pass, run->tokens, run->hidden, run->layers,
                                 nf_gliner_keeps(run) ? &run->top : NULL, run->arena));
    be->zero(be, nf_at(be, run->tokens, run->n_tokens * d), d);
    NF_TRY(find_words(run));
    NF_TRY(find_labels(run));
    NF_TRY(start_words(run));
    return run_lstm(run);
}

nerfit_status nf_gliner_represent_backward(nf_gliner_run *run, nf_values *dx,
                                           nf_values *const *dlayers) {
    size_t d = run->gliner->config.size;
    const nf_gliner_encoder e = nf_gliner_text_encoder(run);
    nf_values *dh = run->dh;
    if (!(run->dtokens = nf_gliner_zeros(run->pass, (run->n_tokens + 1) * d)))
        return NERFIT_NO_MEMORY;
    NF_TRY(run_lstm_backward(run, &dh));
    NF_TRY(find_words_backward(run, dh));
    NF_TRY(find_labels_backward(run));
    return nf_gliner_top_backward(&e, run->pass, dx, dlayers, run->dtokens, &run->top);
}
