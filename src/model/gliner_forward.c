/* From sequences to logits: the encoder over the whole batch, the words' vectors and what comes of
 * each of them alone likewise, then text by text what its words, or spans, and its labels make. */
#include "model/gliner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Spans whose sums are made at once: what their 4D numbers take stays in the cache. */
enum { SPANS_AT_ONCE = 256 };

/* A batch on its way. */
typedef struct gliner_run {
    const nf_model *model;
    const nf_gliner *gliner;
    nf_pass *pass; /* over the sub-words */
    const nf_gliner_text *texts;
    size_t count;
    size_t n_tokens, n_words, n_labels; /* of all texts */
    nf_pass words;                      /* over the words */
    nf_values *tokens;                  /* [n_tokens + 1, D]; the last one is zero */
    nf_values *h, *q;                   /* [n_words, D], [n_labels, D] */
    double threshold;
    nf_arena *arena;
    nf_gliner_logits *logits;
    nerfit_error *err;
} gliner_run;

static nf_pass rows_pass(const nf_pass *pass, size_t rows) {
    nf_pass out = *pass; /* as many rows as there are, whatever the texts are */
    out.sequences.n_tokens = (int32_t)rows;
    return out;
}

static nerfit_status apply_linear(const nf_linear *linear, const nf_pass *pass, nf_values *y,
                                  const nf_values *x, size_t rows, nf_activation activation) {
    if (rows == 0) return NERFIT_OK;
    nf_pass at = rows_pass(pass, rows);
    return nf_linear_forward(linear, &at, y, NULL, x, activation, NULL);
}

static nerfit_status apply_mlp(const nf_gliner_mlp *mlp, const nf_pass *pass, nf_values *y,
                               const nf_values *x, size_t rows) {
    nf_workspace_mark mark = nf_workspace_here(pass->ws);
    nf_values *inner = nf_workspace_reals(pass->ws, rows * mlp->in->out);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(apply_linear(mlp->in, pass, inner, x, rows, NF_ACTIVATION_RELU));
    NF_TRY(apply_linear(mlp->out, pass, y, inner, rows, NF_ACTIVATION_NONE));
    nf_workspace_return(pass->ws, mark);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- sub-words */

/* Squeeze and excitation (Hu et al. 2018) over the layers' outputs U_n: text by text
 * s = sigmoid(W2 relu(W1 z)), z_n = mean over its tokens of squeeze(U_n); y = output(sum s_n U_n).
 * The package takes the mean over padding, too; here there is none. */
static nerfit_status fuse_layers(const nf_layers_fuser *fuser, const nf_encoder *encoder,
                                 const nf_pass *pass, nf_values *y, nf_values **layers) {
    nf_backend *be = pass->be;
    size_t n = encoder->n_layers, c = encoder->hidden, s = (size_t)pass->sequences.n_sequences;
    size_t tokens = (size_t)pass->sequences.n_tokens;
    nf_values *scores = nf_workspace_reals(pass->ws, tokens);
    nf_values *z = nf_workspace_reals(pass->ws, s * n), *zi = nf_workspace_reals(pass->ws, s * n);
    nf_values *weights = nf_workspace_reals(pass->ws, s * n);
    nf_values *sum = nf_workspace_reals(pass->ws, tokens * c);
    double *factors = malloc(s * n * sizeof *factors);
    int32_t *cu = malloc((s + 1) * sizeof *cu);
    if (nf_workspace_failed(pass->ws) || !factors || !cu) {
        free(factors);
        free(cu);
        return NERFIT_NO_MEMORY;
    }
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < n && status == NERFIT_OK; i++) {
        status =
            apply_linear(fuser->squeeze, pass, scores, layers[i + 1], tokens, NF_ACTIVATION_NONE);
        be->pool(be, nf_at(be, z, i), scores, &pass->sequences,
                 &(nf_pooling_shape){NF_POOLING_MEAN, 1, n, 0});
    }
    if (status == NERFIT_OK) status = apply_linear(fuser->w1, pass, zi, z, s, NF_ACTIVATION_RELU);
    if (status == NERFIT_OK)
        status = apply_linear(fuser->w2, pass, weights, zi, s, NF_ACTIVATION_NONE);
    be->to_f64(be, factors, weights, s * n);
    be->ints_out(be, cu, pass->sequences.cu_seqlens, s + 1);
    be->zero(be, sum, tokens * c);
    for (size_t t = 0; t < s; t++)
        for (size_t i = 0; i < n; i++) {
            size_t first = (size_t)cu[t] * c, size = (size_t)(cu[t + 1] - cu[t]) * c;
            be->axpy(be, nf_at(be, sum, first), 1.0 / (1.0 + exp(-factors[t * n + i])),
                     nf_at(be, layers[i + 1], first), size);
        }
    free(factors);
    free(cu);
    return status == NERFIT_OK
               ? apply_linear(fuser->output, pass, y, sum, tokens, NF_ACTIVATION_NONE)
               : status;
}

/* y [tokens, D]: the encoder, its layers' fusing, the projection. */
static nerfit_status encode(const nf_encoder *encoder, const nf_layers_fuser *fuser,
                            const nf_linear *projection, const nf_pass *pass, nf_values *y) {
    size_t tokens = (size_t)pass->sequences.n_tokens, c = encoder->hidden;
    nf_values **layers = NULL;
    nf_values *x = projection ? nf_workspace_reals(pass->ws, tokens * c) : y;
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    if (fuser && !(layers = calloc(encoder->n_layers + 1, sizeof *layers))) return NERFIT_NO_MEMORY;
    for (size_t i = 0; fuser && i <= encoder->n_layers; i++)
        layers[i] = nf_workspace_reals(pass->ws, tokens * c);
    nerfit_status status = nf_workspace_failed(pass->ws) ? NERFIT_NO_MEMORY : NERFIT_OK;
    if (status == NERFIT_OK) status = nf_encoder_forward(encoder, pass, x, NULL, layers);
    if (status == NERFIT_OK && fuser) status = fuse_layers(fuser, encoder, pass, x, layers);
    free(layers);
    if (status != NERFIT_OK || !projection) return status;
    return apply_linear(projection, pass, y, x, tokens, NF_ACTIVATION_NONE);
}

/* ---------------------------------------------------------------- words and labels */

/* The mean or the maximum over each word's sub-words. */
static nerfit_status pool_words(gliner_run *run, bool mean) {
    nf_backend *be = run->pass->be;
    size_t d = run->gliner->config.size, n = 0, w = 0, first = 0, longest = 0;
    int32_t *ids = calloc(run->n_tokens + 1, sizeof *ids);
    int32_t *cu = calloc(run->n_words + 1, sizeof *cu);
    if (!ids || !cu) {
        free(ids);
        free(cu);
        return NERFIT_NO_MEMORY;
    }
    for (size_t t = 0; t < run->count; first += run->texts[t++].length)
        for (size_t i = 0; i < run->texts[t].n_words; i++) {
            size_t before = n;
            for (int32_t k = run->texts[t].word_starts[i]; k < run->texts[t].word_ends[i]; k++)
                ids[n++] = (int32_t)first + k;
            if (n - before > longest) longest = n - before;
            cu[++w] = (int32_t)n;
        }
    nf_values *rows = nf_workspace_reals(run->pass->ws, n * d);
    nf_sequences words = {.cu_seqlens = nf_workspace_ints(run->pass->ws, cu, w + 1),
                          .n_sequences = (int32_t)w,
                          .n_tokens = (int32_t)n,
                          .longest = (int32_t)longest};
    const int32_t *places = nf_workspace_ints(run->pass->ws, ids, n);
    free(ids);
    free(cu);
    if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    be->embedding_forward(be, rows, run->tokens, places, n, d, false);
    be->pool(be, run->h, rows, &words,
             &(nf_pooling_shape){mean ? NF_POOLING_MEAN : NF_POOLING_MAX, d, d, 0});
    return NERFIT_OK;
}

/* The vectors of each word's first or last sub-word. */
static nerfit_status pick_words(gliner_run *run, bool last) {
    size_t d = run->gliner->config.size, w = 0, first = 0;
    int32_t *ids = calloc(run->n_words + 1, sizeof *ids);
    if (!ids) return NERFIT_NO_MEMORY;
    for (size_t t = 0; t < run->count; first += run->texts[t++].length)
        for (size_t i = 0; i < run->texts[t].n_words; i++) {
            int32_t start = run->texts[t].word_starts[i], end = run->texts[t].word_ends[i];
            int32_t place = last ? end - 1 : start;
            ids[w++] = start < end ? (int32_t)first + place : (int32_t)run->n_tokens;
        }
    const int32_t *places = nf_workspace_ints(run->pass->ws, ids, w);
    free(ids);
    if (!places && w) return NERFIT_NO_MEMORY;
    run->pass->be->embedding_forward(run->pass->be, run->h, run->tokens, places, w, d, false);
    return NERFIT_OK;
}

static nerfit_status find_words(gliner_run *run) {
    static const struct {
        nerfit_status (*find)(gliner_run *run, bool which);
        bool which;
    } kinds[] = {[NF_WORD_FIRST] = {pick_words, false},
                 [NF_WORD_LAST] = {pick_words, true},
                 [NF_WORD_MEAN] = {pool_words, true},
                 [NF_WORD_MAX] = {pool_words, false}};
    nf_word_pooling kind = run->gliner->config.word_pooling;
    return kinds[kind].find(run, kinds[kind].which);
}

static nerfit_status find_labels(gliner_run *run) {
    nf_backend *be = run->pass->be;
    size_t d = run->gliner->config.size, first = 0, label = 0;
    for (size_t t = 0; t < run->count; t++) {
        const nf_gliner_text *text = &run->texts[t];
        nf_values *q = nf_at(be, run->q, label * d);
        if (text->label_vectors) {
            be->from_f32(be, q, text->label_vectors, text->n_labels * d);
        } else if (text->n_labels) {
            const int32_t *places =
                nf_workspace_ints(run->pass->ws, text->label_places, text->n_labels);
            if (!places) return NERFIT_NO_MEMORY;
            be->embedding_forward(be, q, nf_at(be, run->tokens, first * d), places, text->n_labels,
                                  d, false);
        }
        first += text->length;
        label += text->n_labels;
    }
    return NERFIT_OK;
}

/* The pass over the words: the same texts, counted in words. */
static nerfit_status start_words(gliner_run *run) {
    int32_t *cu = calloc(run->count + 1, sizeof *cu);
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

/* ---------------------------------------------------------------- spans */

/* What each word gives as a start and as an end, and what the labels are multiplied with. */
typedef struct span_sides {
    size_t width;           /* of both sides: 4D, or D without a last layer */
    nf_values *start, *end; /* [n_words, width] */
    nf_values *labels;      /* [n_labels, width] */
    float *bias;            /* [n_labels] */
} span_sides;

static nerfit_status side_forward(const gliner_run *run, const nf_gliner_mlp *mlp,
                                  const nf_linear *outer, nf_values *y) {
    size_t d = run->gliner->config.size, w = run->n_words;
    nf_values *inner = nf_workspace_reals(run->pass->ws, w * d);
    if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(apply_mlp(mlp, run->pass, inner, run->h, w));
    run->pass->be->activation_forward(run->pass->be, NF_ACTIVATION_RELU, inner, inner, w * d);
    if (!outer) {
        run->pass->be->copy(run->pass->be, y, inner, w * d);
        return NERFIT_OK;
    }
    return apply_linear(outer, run->pass, y, inner, w, NF_ACTIVATION_NONE);
}

/* markerV1: the mean over the words of each text is a part of all its spans. */
static nerfit_status add_means(const gliner_run *run, nf_values *start, size_t width) {
    const nf_gliner_span_head *head = run->gliner->span;
    nf_backend *be = run->pass->be;
    size_t d = run->gliner->config.size, w = 0;
    nf_values *means = nf_workspace_reals(run->pass->ws, run->count * d);
    nf_values *parts = nf_workspace_reals(run->pass->ws, run->count * width);
    if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    be->pool(be, means, run->h, &run->words.sequences,
             &(nf_pooling_shape){NF_POOLING_MEAN, d, d, 0});
    be->activation_forward(be, NF_ACTIVATION_RELU, means, means, run->count * d);
    NF_TRY(apply_linear(head->from_mean, run->pass, parts, means, run->count, NF_ACTIVATION_NONE));
    for (size_t t = 0; t < run->count; w += run->texts[t++].n_words)
        be->add_rows(be, nf_at(be, start, w * width), nf_at(be, parts, t * width),
                     run->texts[t].n_words, width);
    return NERFIT_OK;
}

/* out.bias . p_c, or the whole layer's bias where there is no last one. */
static nerfit_status label_bias(const gliner_run *run, const nf_values *p, const nf_linear *last,
                                float *bias) {
    nf_backend *be = run->pass->be;
    size_t d = run->gliner->config.size, c = run->n_labels;
    nf_values *dots = nf_workspace_reals(run->pass->ws, c);
    if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    be->matmul(be, dots, p, last->bias->values,
               &(nf_product){.m = c, .n = 1, .k = d, .trans_b = true, .alpha = 1.0});
    be->to_f32(be, bias, dots, c);
    return NERFIT_OK;
}

/* markerV0 and V1: sides of 4D, whose sum goes through relu and the last layer, which is applied
 * to the labels instead: labels W. */
static nerfit_status deep_sides(const gliner_run *run, span_sides *sides, const nf_values *p) {
    const nf_gliner_span_head *head = run->gliner->span;
    nf_backend *be = run->pass->be;
    size_t d = run->gliner->config.size, w = run->n_words, c = run->n_labels;
    sides->width = 4 * d;
    sides->start = nf_workspace_reals(run->pass->ws, w * sides->width);
    sides->end = nf_workspace_reals(run->pass->ws, w * sides->width);
    sides->labels = nf_workspace_reals(run->pass->ws, c * sides->width);
    if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(side_forward(run, &head->start, head->from_start, sides->start));
    NF_TRY(side_forward(run, &head->end, head->from_end, sides->end));
    if (head->from_mean) NF_TRY(add_means(run, sides->start, sides->width));
    be->matmul(be, sides->labels, p, head->out->weight->values,
               &(nf_product){.m = c, .n = sides->width, .k = d, .alpha = 1.0});
    return label_bias(run, p, head->out, sides->bias);
}

/* Logits [count, C] of some spans of a text, by their first and last words. */
static nerfit_status score_spans(const gliner_run *run, const span_sides *sides, size_t first_word,
                                 size_t first_label, size_t n_labels,
                                 const struct nf_gliner_span *spans, size_t count, float *logits) {
    nf_backend *be = run->pass->be;
    nf_workspace *ws = run->pass->ws;
    size_t width = sides->width;
    nf_workspace_mark mark = nf_workspace_here(ws);
    nf_values *sums = nf_workspace_reals(ws, SPANS_AT_ONCE * width);
    nf_values *dots = nf_workspace_reals(ws, SPANS_AT_ONCE * n_labels);
    if (nf_workspace_failed(ws)) return NERFIT_NO_MEMORY;
    const nf_values *starts = nf_at(be, sides->start, first_word * width);
    const nf_values *ends = nf_at(be, sides->end, first_word * width);
    const nf_values *labels = nf_at(be, sides->labels, first_label * width);
    for (size_t at = 0; at < count; at += SPANS_AT_ONCE) {
        size_t n = count - at < SPANS_AT_ONCE ? count - at : SPANS_AT_ONCE;
        nf_workspace_mark chunk = nf_workspace_here(ws);
        int32_t places[2][SPANS_AT_ONCE];
        for (size_t i = 0; i < n; i++) {
            places[0][i] = spans[at + i].start;
            places[1][i] = spans[at + i].end;
        }
        const int32_t *from = nf_workspace_ints(ws, places[0], n);
        const int32_t *to = nf_workspace_ints(ws, places[1], n);
        if (!from || !to) return NERFIT_NO_MEMORY;
        be->embedding_forward(be, sums, starts, from, n, width, false);
        be->embedding_forward(be, sums, ends, to, n, width, true);
        be->activation_forward(be, NF_ACTIVATION_RELU, sums, sums, n * width);
        be->matmul(be, dots, sums, labels,
                   &(nf_product){.m = n, .n = n_labels, .k = width, .trans_b = true, .alpha = 1.0});
        be->to_f32(be, logits + at * n_labels, dots, n * n_labels);
        nf_workspace_return(ws, chunk);
    }
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < n_labels; c++)
            logits[i * n_labels + c] += sides->bias[first_label + c];
    nf_workspace_return(ws, mark);
    return NERFIT_OK;
}

/* All spans of up to K words. */
static nerfit_status score_all_spans(const gliner_run *run, const span_sides *sides, size_t t,
                                     size_t first_word, size_t first_label) {
    size_t n = run->texts[t].n_words, c = run->texts[t].n_labels, k = run->gliner->config.max_width;
    size_t cells = n * k * c, count = 0;
    float *values = nf_arena_alloc(run->arena, cells * sizeof *values + 1);
    float *packed = malloc(cells * sizeof *packed + 1);
    struct nf_gliner_span *spans = malloc(n * k * sizeof *spans + 1);
    nerfit_status status = values && packed && spans ? NERFIT_OK : NERFIT_NO_MEMORY;
    for (size_t i = 0; i < n && status == NERFIT_OK; i++)
        for (size_t j = i; j < n && j < i + k; j++)
            spans[count++] = (struct nf_gliner_span){(int32_t)i, (int32_t)j};
    if (status == NERFIT_OK && c)
        status = score_spans(run, sides, first_word, first_label, c, spans, count, packed);
    for (size_t i = 0; i < cells && status == NERFIT_OK; i++) values[i] = -INFINITY;
    for (size_t s = 0; s < count && status == NERFIT_OK; s++) {
        size_t place = (size_t)spans[s].start * k + (size_t)(spans[s].end - spans[s].start);
        memcpy(values + place * c, packed + s * c, c * sizeof *values);
    }
    run->logits[t].values = values;
    free(packed);
    free(spans);
    return status;
}

/* marker: one linear layer, so that a span's logit is the sum of its start's, its end's and a
 * bias. */
static nerfit_status score_flat_sides(const gliner_run *run, const nf_values *p) {
    const nf_gliner_span_head *head = run->gliner->span;
    nf_backend *be = run->pass->be;
    nf_workspace *ws = run->pass->ws;
    size_t d = run->gliner->config.size, w = run->n_words, c = run->n_labels;
    size_t k = run->gliner->config.max_width, first_word = 0, first_label = 0;
    nf_values *sides[2] = {nf_workspace_reals(ws, w * d), nf_workspace_reals(ws, w * d)};
    nf_values *labels = nf_workspace_reals(ws, c * d), *dots = nf_workspace_reals(ws, w * c);
    float *bias = malloc((c + 1) * sizeof *bias), *host = malloc(2 * w * c * sizeof *host + 1);
    nerfit_status status = nf_workspace_failed(ws) || !bias || !host ? NERFIT_NO_MEMORY : NERFIT_OK;
    const nf_linear *parts[2] = {head->from_start, head->from_end};
    const nf_gliner_mlp *mlps[2] = {&head->start, &head->end};
    for (size_t s = 0; s < 2 && status == NERFIT_OK; s++) {
        status = side_forward(run, mlps[s], NULL, sides[s]);
        be->matmul(be, labels, p, parts[s]->weight->values,
                   &(nf_product){.m = c, .n = d, .k = d, .alpha = 1.0});
        be->matmul(be, dots, sides[s], labels,
                   &(nf_product){.m = w, .n = c, .k = d, .trans_b = true, .alpha = 1.0});
        be->to_f32(be, host + s * w * c, dots, w * c); /* of all texts' labels: the fewest calls */
    }
    if (status == NERFIT_OK) status = label_bias(run, p, head->from_start, bias);
    for (size_t t = 0; t < run->count && status == NERFIT_OK; t++) {
        size_t n = run->texts[t].n_words, own = run->texts[t].n_labels;
        float *values = nf_arena_alloc(run->arena, n * k * own * sizeof *values + 1);
        if (!(run->logits[t].values = values)) status = NERFIT_NO_MEMORY;
        for (size_t i = 0; i < n && values; i++)
            for (size_t j = i; j < i + k; j++)
                for (size_t l = 0; l < own; l++, values++)
                    *values = j >= n ? -INFINITY
                                     : host[(first_word + i) * c + first_label + l] +
                                           host[(w + first_word + j) * c + first_label + l] +
                                           bias[first_label + l];
        first_word += n;
        first_label += own;
    }
    free(bias);
    free(host);
    return status;
}

static nerfit_status span_forward(const gliner_run *run) {
    size_t d = run->gliner->config.size, first_word = 0, first_label = 0;
    nf_values *p = nf_workspace_reals(run->pass->ws, run->n_labels * d);
    if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(apply_mlp(&run->gliner->prompt, run->pass, p, run->q, run->n_labels));
    if (!run->gliner->span->out) return score_flat_sides(run, p);
    span_sides sides = {.bias = malloc((run->n_labels + 1) * sizeof *sides.bias)};
    nerfit_status status = sides.bias ? deep_sides(run, &sides, p) : NERFIT_NO_MEMORY;
    for (size_t t = 0; t < run->count && status == NERFIT_OK; t++) {
        status = score_all_spans(run, &sides, t, first_word, first_label);
        first_word += run->texts[t].n_words;
        first_label += run->texts[t].n_labels;
    }
    free(sides.bias);
    return status;
}

/* ---------------------------------------------------------------- words */

/* The sums before the relu of a text's words with one label: from_word(t0) + from_label(l0)
 * + from_product(t1 * l1). */
typedef struct token_sides {
    nf_values *words, *factors; /* [n_words, 4D], [n_words, D] */
    nf_values *labels, *scales; /* [n_labels, 4D], [n_labels, D] */
} token_sides;

static nerfit_status find_token_sides(const gliner_run *run, token_sides *sides) {
    const nf_gliner_token_head *head = run->gliner->token;
    const nf_pass *pass = run->pass;
    size_t d = run->gliner->config.size, w = run->n_words, c = run->n_labels;
    nf_values *inner = nf_workspace_reals(pass->ws, (w > c ? w : c) * d);
    sides->words = nf_workspace_reals(pass->ws, w * 4 * d);
    sides->factors = nf_workspace_reals(pass->ws, w * d);
    sides->labels = nf_workspace_reals(pass->ws, c * 4 * d);
    sides->scales = nf_workspace_reals(pass->ws, c * d);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(apply_linear(head->word[0], pass, inner, run->h, w, NF_ACTIVATION_NONE));
    NF_TRY(apply_linear(head->from_word, pass, sides->words, inner, w, NF_ACTIVATION_NONE));
    NF_TRY(apply_linear(head->word[1], pass, sides->factors, run->h, w, NF_ACTIVATION_NONE));
    NF_TRY(apply_linear(head->label[0], pass, inner, run->q, c, NF_ACTIVATION_NONE));
    NF_TRY(apply_linear(head->from_label, pass, sides->labels, inner, c, NF_ACTIVATION_NONE));
    return apply_linear(head->label[1], pass, sides->scales, run->q, c, NF_ACTIVATION_NONE);
}

/* logits [n, C, 3] of a text's words. */
static nerfit_status score_words(const gliner_run *run, const token_sides *sides, size_t first_word,
                                 size_t first_label, size_t n, size_t c, float *logits) {
    const nf_gliner_token_head *head = run->gliner->token;
    const nf_pass *pass = run->pass;
    nf_backend *be = pass->be;
    size_t d = run->gliner->config.size;
    nf_workspace_mark mark = nf_workspace_here(pass->ws);
    nf_values *product = nf_workspace_reals(pass->ws, n * d);
    nf_values *sums = nf_workspace_reals(pass->ws, n * 4 * d);
    nf_values *three = nf_workspace_reals(pass->ws, n * 3);
    float *host = malloc(n * 3 * sizeof *host + 1);
    nerfit_status status = nf_workspace_failed(pass->ws) || !host ? NERFIT_NO_MEMORY : NERFIT_OK;
    for (size_t l = 0; l < c && status == NERFIT_OK; l++) {
        size_t label = first_label + l;
        nf_workspace_mark one = nf_workspace_here(pass->ws);
        be->scale_columns(be, product, nf_at(be, sides->factors, first_word * d),
                          nf_at(be, sides->scales, label * d), n, d, false);
        status = apply_linear(head->from_product, pass, sums, product, n, NF_ACTIVATION_NONE);
        be->axpy(be, sums, 1.0, nf_at(be, sides->words, first_word * 4 * d), n * 4 * d);
        be->add_rows(be, sums, nf_at(be, sides->labels, label * 4 * d), n, 4 * d);
        be->activation_forward(be, NF_ACTIVATION_RELU, sums, sums, n * 4 * d);
        if (status == NERFIT_OK)
            status = apply_linear(head->out, pass, three, sums, n, NF_ACTIVATION_NONE);
        be->to_f32(be, host, three, n * 3);
        for (size_t i = 0; i < n && status == NERFIT_OK; i++)
            memcpy(logits + (i * c + l) * 3, host + i * 3, 3 * sizeof *host);
        nf_workspace_return(pass->ws, one);
    }
    free(host);
    nf_workspace_return(pass->ws, mark);
    return status;
}

/* Spans of one label whose start, end and all words between them are above the threshold, in the
 * package's order (extract_spans_from_tokens): by start, label, end. One that several labels make
 * comes several times there, and is scored once here. */
static nerfit_status find_token_spans(gliner_run *run, size_t t) {
    const nf_gliner_text *text = &run->texts[t];
    nf_gliner_logits *out = &run->logits[t];
    size_t n = text->n_words, c = text->n_labels, capacity = 0;
    float limit = (float)log(run->threshold / (1.0 - run->threshold));
    struct nf_gliner_span *spans = NULL;
    out->n_spans = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t l = 0; l < c; l++) {
            if (!(out->values[(i * c + l) * 3] > limit)) continue;
            for (size_t j = i; j < n && out->values[(j * c + l) * 3 + 2] > limit; j++) {
                if (!(out->values[(j * c + l) * 3 + 1] > limit)) continue;
                size_t known = out->n_spans;
                while (known && spans[known - 1].start == (int32_t)i &&
                       spans[known - 1].end != (int32_t)j)
                    known--;
                if (known && spans[known - 1].start == (int32_t)i) continue;
                if (out->n_spans == capacity) {
                    capacity = capacity ? 2 * capacity : 64;
                    struct nf_gliner_span *grown = realloc(spans, capacity * sizeof *grown);
                    if (!grown) {
                        free(spans);
                        return NERFIT_NO_MEMORY;
                    }
                    spans = grown;
                }
                spans[out->n_spans++] = (struct nf_gliner_span){(int32_t)i, (int32_t)j};
            }
        }
    out->spans = nf_arena_alloc(run->arena, out->n_spans * sizeof *spans + 1);
    out->span_values = nf_arena_alloc(run->arena, out->n_spans * c * sizeof *out->span_values + 1);
    if (out->spans && out->n_spans) memcpy(out->spans, spans, out->n_spans * sizeof *spans);
    free(spans);
    return out->spans && out->span_values ? NERFIT_OK : NERFIT_NO_MEMORY;
}

static nerfit_status token_forward(gliner_run *run) {
    token_sides words = {0};
    size_t first_word = 0, first_label = 0;
    span_sides sides = {0};
    NF_TRY(find_token_sides(run, &words));
    nerfit_status status = NERFIT_OK;
    if (run->gliner->span) { /* of which the labels are not projected */
        sides.bias = malloc((run->n_labels + 1) * sizeof *sides.bias);
        status = sides.bias ? deep_sides(run, &sides, run->q) : NERFIT_NO_MEMORY;
    }
    for (size_t t = 0; t < run->count && status == NERFIT_OK; t++) {
        size_t n = run->texts[t].n_words, c = run->texts[t].n_labels;
        nf_gliner_logits *out = &run->logits[t];
        out->values = nf_arena_alloc(run->arena, n * c * 3 * sizeof *out->values + 1);
        status = out->values ? score_words(run, &words, first_word, first_label, n, c, out->values)
                             : NERFIT_NO_MEMORY;
        if (run->gliner->span && status == NERFIT_OK) status = find_token_spans(run, t);
        if (run->gliner->span && status == NERFIT_OK && out->n_spans)
            status = score_spans(run, &sides, first_word, first_label, c, out->spans, out->n_spans,
                                 out->span_values);
        first_word += n;
        first_label += c;
    }
    free(sides.bias);
    return status;
}

/* ---------------------------------------------------------------- the whole */

static nerfit_status run_batch(gliner_run *run) {
    const nf_gliner *g = run->gliner;
    nf_backend *be = run->pass->be;
    nf_workspace *ws = run->pass->ws;
    size_t d = g->config.size;
    run->tokens = nf_workspace_reals(ws, (run->n_tokens + 1) * d);
    run->h = nf_workspace_reals(ws, run->n_words * d);
    run->q = nf_workspace_reals(ws, run->n_labels * d);
    if (nf_workspace_failed(ws)) return NERFIT_NO_MEMORY;
    NF_TRY(encode(&run->model->encoder, g->fuser, g->projection, run->pass, run->tokens));
    be->zero(be, nf_at(be, run->tokens, run->n_tokens * d), d);
    NF_TRY(find_words(run));
    NF_TRY(find_labels(run));
    NF_TRY(start_words(run));
    if (g->lstm) {
        nf_values *x = run->h;
        run->h = nf_workspace_reals(ws, run->n_words * d);
        if (nf_workspace_failed(ws)) return NERFIT_NO_MEMORY;
        NF_TRY(nf_lstm_forward(g->lstm, &run->words, run->h, x, NULL));
    }
    return g->token ? token_forward(run) : span_forward(run);
}

nerfit_status nf_gliner_forward(const nf_model *model, nf_pass *pass, const nf_gliner_text *texts,
                                size_t count, double threshold, nf_arena *arena,
                                nf_gliner_logits *logits, nerfit_error *err) {
    gliner_run run = {.model = model,
                      .gliner = model->gliner,
                      .pass = pass,
                      .texts = texts,
                      .count = count,
                      .threshold = threshold,
                      .arena = arena,
                      .logits = logits,
                      .err = err};
    nf_tokens *tokens = calloc(count + 1, sizeof *tokens);
    if (!tokens) return nf_no_memory(err, count * sizeof *tokens);
    for (size_t t = 0; t < count; t++) {
        tokens[t] = (nf_tokens){.ids = texts[t].ids, .length = texts[t].length};
        run.n_tokens += texts[t].length;
        run.n_words += texts[t].n_words;
        run.n_labels += texts[t].n_labels;
        logits[t] = (nf_gliner_logits){0};
    }
    nerfit_status status = nf_batch_load(pass, &model->encoder, tokens, count, err);
    free(tokens);
    NF_TRY(status);
    if (run_batch(&run) != NERFIT_OK) return nf_no_memory(err, 0);
    return nf_network_check_pass(&model->net, pass->be, err);
}

nerfit_status nf_gliner_encode_labels(const nf_model *model, nf_pass *pass,
                                      const char *const *labels, size_t count, float *vectors,
                                      nerfit_error *err) {
    const nf_gliner *g = model->gliner;
    nf_backend *be = pass->be;
    size_t d = g->config.size;
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
        nf_values *x = nf_workspace_reals(pass->ws, (size_t)pass->sequences.n_tokens * d);
        nf_values *y = nf_workspace_reals(pass->ws, count * d);
        if (nf_workspace_failed(pass->ws) || encode(&g->labels_encoder, g->labels_fuser,
                                                    g->labels_projection, pass, x) != NERFIT_OK) {
            status = nf_no_memory(err, 0);
        } else {
            be->pool(be, y, x, &pass->sequences, &(nf_pooling_shape){NF_POOLING_MEAN, d, d, 0});
            be->to_f32(be, vectors, y, count * d);
            status = nf_network_check_pass(&model->net, be, err);
        }
    }
    for (size_t i = 0; i < count && encodings; i++) nf_encoding_free(&encodings[i]);
    free(encodings);
    free(tokens);
    return status;
}
