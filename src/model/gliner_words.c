/* Words: three logits for each word and label, of a start, an end and an inside, and from them, in some
 * models, the spans that a span head looks at once more. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "model/gliner_pass.h"

/* What comes of a word, or of a label, alone: the sums before the relu are
 * from_word(t0) + from_label(l0) + from_product(t1 * l1). */
typedef struct token_side {
    size_t rows;
    nf_values *sums, *factors;   /* [rows, 4D], [rows, D] */
    nf_values *dsums, *dfactors; /* as these */
    nf_linear_saved in[2], outer;
} token_side;

typedef struct token_sides {
    token_side word, label;
} token_sides;

/* ---------------------------------------------------------------- sides */

/* sums = outer(in[0](x)), factors = in[1](x). */
static nerfit_status side_forward(const nf_gliner_run *run, token_side *s, nf_linear *const *in,
                                  const nf_linear *outer, const nf_values *x) {
    nf_workspace *ws = run->pass->ws;
    size_t d = run->gliner->config.size;
    s->sums = nf_workspace_reals(ws, s->rows * 4 * d);
    s->factors = nf_workspace_reals(ws, s->rows * d);
    nf_values *inner = nf_workspace_reals(ws, s->rows * d);
    if (nf_workspace_failed(ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_gliner_linear(in[0], run->pass, inner, x, s->rows, NF_ACTIVATION_NONE, &s->in[0]));
    NF_TRY(
        nf_gliner_linear(outer, run->pass, s->sums, inner, s->rows, NF_ACTIVATION_NONE, &s->outer));
    return nf_gliner_linear(in[1], run->pass, s->factors, x, s->rows, NF_ACTIVATION_NONE,
                            &s->in[1]);
}

/* Adds to dx. */
static nerfit_status side_backward(const nf_gliner_run *run, const token_side *s,
                                   nf_linear *const *in, const nf_linear *outer, nf_values *dx) {
    const nf_pass *pass = run->pass;
    nf_values *dinner = nf_workspace_reals(pass->ws, s->rows * run->gliner->config.size);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_gliner_linear_backward(outer, pass, dinner, s->dsums, s->rows, &s->outer, false));
    NF_TRY(nf_gliner_linear_backward(in[0], pass, dx, dinner, s->rows, &s->in[0], true));
    return nf_gliner_linear_backward(in[1], pass, dx, s->dfactors, s->rows, &s->in[1], true);
}

static nerfit_status find_token_sides(const nf_gliner_run *run, token_sides *s) {
    const nf_gliner_token_head *head = run->gliner->token;
    s->word.rows = run->n_words;
    s->label.rows = run->n_labels;
    NF_TRY(side_forward(run, &s->word, head->word, head->from_word, run->h));
    return side_forward(run, &s->label, head->label, head->from_label, run->q);
}

static nerfit_status find_token_sides_backward(nf_gliner_run *run, const token_sides *s) {
    const nf_gliner_token_head *head = run->gliner->token;
    NF_TRY(side_backward(run, &s->word, head->word, head->from_word, run->dh));
    return side_backward(run, &s->label, head->label, head->from_label, run->dq);
}

/* ---------------------------------------------------------------- one label of one text */

/* A text's words with one of its labels, by their numbers in the batch. */
typedef struct pair {
    size_t first_word, n, label;
    nf_values *product, *sums, *three; /* [n, D], [n, 4D] behind the relu, [n, 3] */
    nf_linear_saved from_product, out;
    nf_dropout dropout;
} pair;

static nerfit_status pair_begin(const nf_gliner_run *run, pair *p) {
    size_t d = run->gliner->config.size;
    p->product = nf_workspace_reals(run->pass->ws, p->n * d);
    p->sums = nf_workspace_reals(run->pass->ws, p->n * 4 * d);
    p->three = nf_workspace_reals(run->pass->ws, p->n * 3);
    return nf_workspace_failed(run->pass->ws) ? NERFIT_NO_MEMORY : NERFIT_OK;
}

static nerfit_status pair_forward(const nf_gliner_run *run, const token_sides *s, pair *p) {
    const nf_gliner_token_head *head = run->gliner->token;
    const nf_pass *pass = run->pass;
    nf_backend *be = pass->be;
    size_t d = run->gliner->config.size, cells = p->n * 4 * d;
    be->scale_columns(be, p->product, nf_at(be, s->word.factors, p->first_word * d),
                      nf_at(be, s->label.factors, p->label * d), p->n, d, false);
    NF_TRY(nf_gliner_linear(head->from_product, pass, p->sums, p->product, p->n, NF_ACTIVATION_NONE,
                            &p->from_product));
    be->axpy(be, p->sums, 1.0, nf_at(be, s->word.sums, p->first_word * 4 * d), cells);
    be->add_rows(be, p->sums, nf_at(be, s->label.sums, p->label * 4 * d), p->n, 4 * d);
    if (p->dropout.p > 0.0) be->dropout(be, p->sums, p->sums, cells, &p->dropout);
    be->activation_forward(be, NF_ACTIVATION_RELU, p->sums, p->sums, cells);
    return nf_gliner_linear(head->out, pass, p->three, p->sums, p->n, NF_ACTIVATION_NONE, &p->out);
}

static nerfit_status pair_backward(const nf_gliner_run *run, const token_sides *s, const pair *p,
                                   const nf_values *dthree) {
    const nf_gliner_token_head *head = run->gliner->token;
    const nf_pass *pass = run->pass;
    nf_backend *be = pass->be;
    size_t d = run->gliner->config.size, cells = p->n * 4 * d;
    nf_values *dsums = nf_workspace_reals(pass->ws, cells);
    nf_values *dproduct = nf_workspace_reals(pass->ws, p->n * d);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_gliner_linear_backward(head->out, pass, dsums, dthree, p->n, &p->out, false));
    be->activation_backward(be, NF_ACTIVATION_RELU, dsums, dsums, p->sums, cells);
    if (p->dropout.p > 0.0) be->dropout(be, dsums, dsums, cells, &p->dropout);
    be->axpy(be, nf_at(be, s->word.dsums, p->first_word * 4 * d), 1.0, dsums, cells);
    be->column_sums(be, nf_at(be, s->label.dsums, p->label * 4 * d), dsums, p->n, 4 * d);
    NF_TRY(nf_gliner_linear_backward(head->from_product, pass, dproduct, dsums, p->n,
                                     &p->from_product, false));
    be->scale_columns(be, nf_at(be, s->word.dfactors, p->first_word * d), dproduct,
                      nf_at(be, s->label.factors, p->label * d), p->n, d, true);
    be->column_dots(be, nf_at(be, s->label.dfactors, p->label * d), dproduct,
                    nf_at(be, s->word.factors, p->first_word * d), p->n, d);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- logits */

/* logits [n, C, 3] of a text's words. */
static nerfit_status text_logits(const nf_gliner_run *run, const token_sides *sides,
                                 size_t first_word, size_t first_label, size_t n, size_t c,
                                 float *logits) {
    const nf_pass *pass = run->pass;
    nf_workspace_mark mark = nf_workspace_here(pass->ws);
    float *host = nf_malloc(n * 3 * sizeof *host + 1);
    nerfit_status status = host ? NERFIT_OK : NERFIT_NO_MEMORY;
    for (size_t l = 0; l < c && n && status == NERFIT_OK; l++) {
        pair p = {.first_word = first_word, .n = n, .label = first_label + l};
        status = pair_begin(run, &p);
        if (status == NERFIT_OK) status = pair_forward(run, sides, &p);
        if (status == NERFIT_OK) pass->be->to_f32(pass->be, host, p.three, n * 3);
        for (size_t i = 0; i < n && status == NERFIT_OK; i++)
            memcpy(logits + (i * c + l) * 3, host + i * 3, 3 * sizeof *host);
        nf_workspace_return(pass->ws, mark);
    }
    free(host);
    return status;
}

/* Spans of one label whose start, end and all words between them are above the threshold, in the
 * package's order (extract_spans_from_tokens): by start, label, end. One that several labels make
 * comes several times there, and is scored once here. */
static nerfit_status find_token_spans(nf_gliner_run *run, size_t t) {
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
                if (!nf_array_reserve(&spans, &capacity, out->n_spans + 1, sizeof *spans)) {
                    free(spans);
                    return NERFIT_NO_MEMORY;
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

nerfit_status nf_gliner_word_logits(nf_gliner_run *run) {
    token_sides sides = {0};
    size_t first_word = 0, first_label = 0;
    NF_TRY(find_token_sides(run, &sides));
    for (size_t t = 0; t < run->count; t++) {
        size_t n = run->texts[t].n_words, c = run->texts[t].n_labels;
        nf_gliner_logits *out = &run->logits[t];
        out->values = nf_arena_alloc(run->arena, n * c * 3 * sizeof *out->values + 1);
        if (!out->values) return NERFIT_NO_MEMORY;
        NF_TRY(text_logits(run, &sides, first_word, first_label, n, c, out->values));
        if (run->gliner->span) NF_TRY(find_token_spans(run, t));
        first_word += n;
        first_label += c;
    }
    return run->gliner->span ? nf_gliner_chosen_span_logits(run) : NERFIT_OK;
}

/* ---------------------------------------------------------------- learning */

/* Where a label's entities start, end and are, of [n, 3]. */
static void mark_golds(const nf_gliner_golds *golds, size_t label, size_t n, int32_t *targets) {
    memset(targets, 0, n * 3 * sizeof *targets);
    for (size_t i = 0; i < golds->count; i++) {
        const nf_entity *gold = &golds->items[i];
        if ((size_t)gold->type != label) continue;
        targets[gold->start * 3] = targets[(gold->end - 1) * 3 + 1] = 1;
        for (uint32_t k = gold->start; k < gold->end; k++) targets[k * 3 + 2] = 1;
    }
    for (size_t u = 0; u < golds->n_unknown; u++)
        for (uint32_t k = golds->unknown[u].start * 3; k < golds->unknown[u].end * 3; k++)
            if (targets[k] == 0) targets[k] = -1;
}

static nerfit_status pair_learn(nf_gliner_run *run, const token_sides *sides, pair *p,
                                const int32_t *targets, double weight) {
    nf_backend *be = run->pass->be;
    const nf_gliner_loss *o = run->lesson->loss;
    double coef = run->gliner->span ? run->gliner->config.token_coef : 1.0;
    double scale = weight * coef / run->lesson->divisor;
    bool keeps = nf_gliner_keeps(run);
    NF_TRY(pair_begin(run, p));
    NF_TRY(pair_forward(run, sides, p));
    nf_values *dthree = keeps ? nf_workspace_reals(run->pass->ws, p->n * 3) : NULL;
    const nf_focal_targets focal = {.labels = nf_workspace_ints(run->pass->ws, targets, p->n * 3),
                                    .n = p->n * 3,
                                    .alpha = o->alpha,
                                    .gamma = o->gamma,
                                    .margin = o->margin,
                                    .smoothing = o->smoothing};
    if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    run->loss +=
        scale * be->focal_loss(be, dthree, p->three, &focal, run->lesson->grad_scale * scale);
    return keeps ? pair_backward(run, sides, p, dthree) : NERFIT_OK;
}

static nerfit_status text_learn(nf_gliner_run *run, const token_sides *sides, size_t t,
                                size_t first_word, size_t first_label) {
    size_t n = run->texts[t].n_words, d = run->gliner->config.size;
    uint64_t block = ((uint64_t)run->words.sequences.longest * 4 * d + 7) & ~(uint64_t)7;
    int32_t *targets = nf_malloc(n * 3 * sizeof *targets + 1);
    nerfit_status status = targets ? NERFIT_OK : NERFIT_NO_MEMORY;
    for (size_t l = 0; l < run->texts[t].n_labels && n && status == NERFIT_OK; l++) {
        nf_workspace_mark mark = nf_workspace_here(run->pass->ws);
        pair p = {.first_word = first_word, .n = n, .label = first_label + l};
        p.dropout = nf_gliner_dropout(run, run->gliner->token->stream, p.label * block);
        mark_golds(&run->lesson->golds[t], l, n, targets);
        status = pair_learn(run, sides, &p, targets, nf_gliner_weight(&run->lesson->golds[t]));
        nf_workspace_return(run->pass->ws, mark);
    }
    free(targets);
    return status;
}

static nerfit_status make_gradients(const nf_gliner_run *run, token_sides *s) {
    size_t d = run->gliner->config.size;
    if (!nf_gliner_keeps(run)) return NERFIT_OK;
    s->word.dsums = nf_gliner_zeros(run->pass, run->n_words * 4 * d);
    s->word.dfactors = nf_gliner_zeros(run->pass, run->n_words * d);
    s->label.dsums = nf_gliner_zeros(run->pass, run->n_labels * 4 * d);
    s->label.dfactors = nf_gliner_zeros(run->pass, run->n_labels * d);
    return nf_workspace_failed(run->pass->ws) ? NERFIT_NO_MEMORY : NERFIT_OK;
}

/* The span head's share: its mean is over its own spans times labels. */
static nerfit_status spans_learn(nf_gliner_run *run) {
    const nf_gliner_lesson *whole = run->lesson;
    nf_gliner_lesson spans = *whole;
    double counted = 0.0;
    for (size_t t = 0; t < run->count; t++) {
        double golds = (double)whole->golds[t].count;
        counted += (golds + floor(run->gliner->config.negative_spans * golds)) *
                   (double)run->texts[t].n_labels;
    }
    if (counted == 0.0 || run->gliner->config.span_coef == 0.0) return NERFIT_OK;
    spans.divisor = (whole->loss->mean ? counted : whole->divisor) / run->gliner->config.span_coef;
    run->lesson = &spans;
    nerfit_status status = nf_gliner_span_learn(run);
    run->lesson = whole;
    return status;
}

nerfit_status nf_gliner_word_learn(nf_gliner_run *run) {
    token_sides sides = {0};
    size_t first_word = 0, first_label = 0;
    NF_TRY(find_token_sides(run, &sides));
    NF_TRY(make_gradients(run, &sides));
    for (size_t t = 0; t < run->count; t++) {
        NF_TRY(text_learn(run, &sides, t, first_word, first_label));
        first_word += run->texts[t].n_words;
        first_label += run->texts[t].n_labels;
    }
    if (nf_gliner_keeps(run)) NF_TRY(find_token_sides_backward(run, &sides));
    return run->gliner->span ? spans_learn(run) : NERFIT_OK;
}
