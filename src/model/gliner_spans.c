/* Spans: what their words give as starts and ends is computed once a word, and the head's last layer is
 * applied to the labels (gliner.h), so that of a span only a sum, a relu and a product with the labels
 * remain. Logits and the loss, which needs its gradient at once, go through the spans in portions that
 * stay in the cache. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "model/gliner_pass.h"

enum { SPANS_AT_ONCE = 256 };

/* What each word gives as a start and as an end, and what the labels are multiplied with. */
typedef struct span_sides {
    size_t width;           /* of both sides: 4D, or D without a last layer */
    nf_values *start, *end; /* [n_words, width] */
    nf_values *labels[2];   /* [n_labels, width]; without a last layer one for either side */
    nf_values *bias;        /* [n_labels] */
    /* what backward needs, and makes */
    struct {
        nf_gliner_mlp_saved mlp;
        nf_linear_saved outer;
        nf_values *inner; /* [n_words, D] behind the relu */
    } saved[2];
    nf_linear_saved means_kept;
    nf_values *means;         /* [texts, D] behind the relu */
    nf_values *dstart, *dend; /* as start, end */
    nf_values *dlabels[2], *dbias;
} span_sides;

/* ---------------------------------------------------------------- sides */

static nerfit_status side_forward(const nf_gliner_run *run, span_sides *sides, int which,
                                  const nf_gliner_mlp *mlp, const nf_linear *outer, nf_values *y) {
    size_t d = run->gliner->config.size, w = run->n_words;
    bool keeps = nf_gliner_keeps(run);
    nf_values *inner = outer ? nf_workspace_reals(run->pass->ws, w * d) : y;
    if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    sides->saved[which].inner = inner;
    NF_TRY(
        nf_gliner_mlp_forward(run, mlp, inner, run->h, w, keeps ? &sides->saved[which].mlp : NULL));
    run->pass->be->activation_forward(run->pass->be, NF_ACTIVATION_RELU, inner, inner, w * d);
    if (!outer) return NERFIT_OK;
    return nf_gliner_linear(outer, run->pass, y, inner, w, NF_ACTIVATION_NONE,
                            keeps ? &sides->saved[which].outer : NULL);
}

static nerfit_status side_backward(nf_gliner_run *run, span_sides *sides, int which,
                                   const nf_gliner_mlp *mlp, const nf_linear *outer,
                                   nf_values *dy) {
    nf_backend *be = run->pass->be;
    size_t d = run->gliner->config.size, w = run->n_words;
    nf_values *dinner = outer ? nf_workspace_reals(run->pass->ws, w * d) : dy;
    if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    if (outer)
        NF_TRY(nf_gliner_linear_backward(outer, run->pass, dinner, dy, w,
                                         &sides->saved[which].outer, false));
    be->activation_backward(be, NF_ACTIVATION_RELU, dinner, dinner, sides->saved[which].inner,
                            w * d);
    return nf_gliner_mlp_backward(run, mlp, run->dh, dinner, w, &sides->saved[which].mlp);
}

/* markerV1: the mean over the words of each text is a part of all its spans. */
static nerfit_status add_means(const nf_gliner_run *run, span_sides *sides) {
    const nf_gliner_span_head *head = run->gliner->span;
    nf_backend *be = run->pass->be;
    size_t d = run->gliner->config.size, w = 0, width = sides->width;
    nf_values *parts = nf_workspace_reals(run->pass->ws, run->count * width);
    sides->means = nf_workspace_reals(run->pass->ws, run->count * d);
    if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    be->pool(be, sides->means, run->h, &run->words.sequences,
             &(nf_pooling_shape){NF_POOLING_MEAN, d, d, 0});
    be->activation_forward(be, NF_ACTIVATION_RELU, sides->means, sides->means, run->count * d);
    NF_TRY(nf_gliner_linear(head->from_mean, run->pass, parts, sides->means, run->count,
                            NF_ACTIVATION_NONE, &sides->means_kept));
    for (size_t t = 0; t < run->count; w += run->texts[t++].n_words)
        be->add_rows(be, nf_at(be, sides->start, w * width), nf_at(be, parts, t * width),
                     run->texts[t].n_words, width);
    return NERFIT_OK;
}

static nerfit_status add_means_backward(nf_gliner_run *run, const span_sides *sides) {
    nf_backend *be = run->pass->be;
    size_t d = run->gliner->config.size, w = 0, width = sides->width;
    nf_values *dparts = nf_gliner_zeros(run->pass, run->count * width);
    nf_values *dmeans = nf_workspace_reals(run->pass->ws, run->count * d);
    nf_values *dh = nf_workspace_reals(run->pass->ws, run->n_words * d);
    if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    for (size_t t = 0; t < run->count; w += run->texts[t++].n_words)
        be->column_sums(be, nf_at(be, dparts, t * width), nf_at(be, sides->dstart, w * width),
                        run->texts[t].n_words, width);
    NF_TRY(nf_gliner_linear_backward(run->gliner->span->from_mean, run->pass, dmeans, dparts,
                                     run->count, &sides->means_kept, false));
    be->activation_backward(be, NF_ACTIVATION_RELU, dmeans, dmeans, sides->means, run->count * d);
    be->pool_backward(be, dh, dmeans, run->h, &run->words.sequences,
                      &(nf_pooling_shape){NF_POOLING_MEAN, d, d, 0});
    be->axpy(be, run->dh, 1.0, dh, run->n_words * d);
    return NERFIT_OK;
}

/* y [n_labels, W] = p A, A [D, W] the weight of a layer that is applied to labels instead of spans. */
static void to_labels(const nf_gliner_run *run, nf_values *y, const nf_values *p,
                      const nf_linear *layer) {
    nf_backend *be = run->pass->be;
    be->matmul(be, y, p, layer->weight->values,
               &(nf_product){.m = run->n_labels, .n = layer->in, .k = layer->out, .alpha = 1.0});
}

/* Adds to dp, and to the weight's gradient. */
static void to_labels_backward(const nf_gliner_run *run, nf_values *dp, const nf_values *dy,
                               const nf_values *p, const nf_linear *layer) {
    nf_backend *be = run->pass->be;
    size_t c = run->n_labels;
    be->matmul(be, dp, dy, layer->weight->values,
               &(nf_product){.m = c,
                             .n = layer->out,
                             .k = layer->in,
                             .trans_b = true,
                             .alpha = 1.0,
                             .accumulate = true});
    if (!layer->weight->grad) return;
    be->matmul(be, nf_pass_grad(run->pass, layer->weight), p, dy,
               &(nf_product){.m = layer->out,
                             .n = layer->in,
                             .k = c,
                             .trans_a = true,
                             .alpha = 1.0,
                             .accumulate = !layer->weight->fresh});
    layer->weight->fresh = false;
}

/* bias . p_c of the last layer, or of the only one. */
static void label_bias(const nf_gliner_run *run, nf_values *y, const nf_values *p,
                       const nf_linear *last) {
    run->pass->be->matmul(run->pass->be, y, p, last->bias->values,
                          &(nf_product){.m = run->n_labels,
                                        .n = 1,
                                        .k = run->gliner->config.size,
                                        .trans_b = true,
                                        .alpha = 1.0});
}

static void label_bias_backward(const nf_gliner_run *run, nf_values *dp, const nf_values *dy,
                                const nf_values *p, const nf_linear *last) {
    nf_backend *be = run->pass->be;
    size_t d = run->gliner->config.size, c = run->n_labels;
    be->matmul(be, dp, dy, last->bias->values,
               &(nf_product){.m = c, .n = d, .k = 1, .alpha = 1.0, .accumulate = true});
    if (last->bias->grad)
        be->matmul(be, nf_pass_grad(run->pass, last->bias), dy, p,
                   &(nf_product){.m = 1, .n = d, .k = c, .alpha = 1.0, .accumulate = true});
}

/* Both sides, and the labels. Of markerV0 and V1 the sides have 4D numbers, whose sum goes through
 * the relu and the last layer; of marker D, which meet the labels each for itself. */
static nerfit_status find_sides(const nf_gliner_run *run, span_sides *sides, const nf_values *p) {
    const nf_gliner_span_head *head = run->gliner->span;
    nf_workspace *ws = run->pass->ws;
    size_t w = run->n_words, c = run->n_labels;
    sides->width = (head->out ? 4 : 1) * run->gliner->config.size;
    sides->start = nf_workspace_reals(ws, w * sides->width);
    sides->end = nf_workspace_reals(ws, w * sides->width);
    sides->labels[0] = sides->labels[1] = nf_workspace_reals(ws, c * sides->width);
    if (!head->out) sides->labels[1] = nf_workspace_reals(ws, c * sides->width);
    sides->bias = nf_workspace_reals(ws, c);
    if (nf_workspace_failed(ws)) return NERFIT_NO_MEMORY;
    NF_TRY(side_forward(run, sides, 0, &head->start, head->out ? head->from_start : NULL,
                        sides->start));
    NF_TRY(side_forward(run, sides, 1, &head->end, head->out ? head->from_end : NULL, sides->end));
    if (head->from_mean) NF_TRY(add_means(run, sides));
    to_labels(run, sides->labels[0], p, head->out ? head->out : head->from_start);
    if (!head->out) to_labels(run, sides->labels[1], p, head->from_end);
    label_bias(run, sides->bias, p, head->out ? head->out : head->from_start);
    return NERFIT_OK;
}

/* Adds to dh, and to dp [n_labels, D]. */
static nerfit_status find_sides_backward(nf_gliner_run *run, span_sides *sides, nf_values *dp,
                                         const nf_values *p) {
    const nf_gliner_span_head *head = run->gliner->span;
    label_bias_backward(run, dp, sides->dbias, p, head->out ? head->out : head->from_start);
    to_labels_backward(run, dp, sides->dlabels[0], p, head->out ? head->out : head->from_start);
    if (!head->out) to_labels_backward(run, dp, sides->dlabels[1], p, head->from_end);
    if (head->from_mean) NF_TRY(add_means_backward(run, sides));
    NF_TRY(side_backward(run, sides, 0, &head->start, head->out ? head->from_start : NULL,
                         sides->dstart));
    return side_backward(run, sides, 1, &head->end, head->out ? head->from_end : NULL, sides->dend);
}

/* The labels as they are compared: of token models they are not projected. */
static nerfit_status find_prompts(const nf_gliner_run *run, nf_values **p,
                                  nf_gliner_mlp_saved *saved) {
    *p = run->q;
    if (run->gliner->token) return NERFIT_OK;
    *p = nf_workspace_reals(run->pass->ws, run->n_labels * run->gliner->config.size);
    if (nf_workspace_failed(run->pass->ws)) return NERFIT_NO_MEMORY;
    return nf_gliner_mlp_forward(run, &run->gliner->prompt, *p, run->q, run->n_labels,
                                 nf_gliner_keeps(run) ? saved : NULL);
}

/* ---------------------------------------------------------------- portions of spans */

/* Spans of one text, and its parts of what belongs to all texts. */
typedef struct span_list {
    const struct nf_gliner_span *spans;
    size_t count, n_words, n_labels;
    size_t width;             /* of start, end: the sides', or n_labels, where they are logits */
    nf_values *start, *end;   /* [n_words, width] */
    nf_values *labels, *bias; /* [n_labels, width], NULL where sides are logits; [n_labels] */
    nf_values *dstart, *dend, *dlabels, *dbias;
    size_t first_portion; /* counts portions over the batch, for the dropout's numbers */
} span_list;

/* Spans that are looked at together. */
typedef struct span_portion {
    size_t n;
    const int32_t *from, *to; /* [n] their first and last words */
    nf_values *sums, *dots;   /* [n, width], [n, C] */
    nf_values *dsums, *ddots; /* as these */
    nf_dropout dropout;
} span_portion;

static nerfit_status portion_places(const nf_pass *pass, const span_list *list, size_t at,
                                    span_portion *p) {
    int32_t places[2][SPANS_AT_ONCE];
    for (size_t i = 0; i < p->n; i++) {
        places[0][i] = list->spans[at + i].start;
        places[1][i] = list->spans[at + i].end;
    }
    p->from = nf_workspace_ints(pass->ws, places[0], p->n);
    p->to = nf_workspace_ints(pass->ws, places[1], p->n);
    return p->from && p->to ? NERFIT_OK : NERFIT_NO_MEMORY;
}

/* The portion's sums behind the relu, and their products with the labels. */
static void portion_forward(const nf_gliner_run *run, const span_list *list,
                            const span_portion *p) {
    nf_backend *be = run->pass->be;
    size_t width = list->width, c = list->n_labels, n = p->n;
    nf_values *sums = list->labels ? p->sums : p->dots;
    be->embedding_forward(be, sums, list->start, p->from, n, width, false);
    be->embedding_forward(be, sums, list->end, p->to, n, width, true);
    if (list->labels) {
        be->activation_forward(be, NF_ACTIVATION_RELU, sums, sums, n * width);
        if (p->dropout.p > 0.0) be->dropout(be, sums, sums, n * width, &p->dropout);
        be->matmul(be, p->dots, sums, list->labels,
                   &(nf_product){.m = n, .n = c, .k = width, .trans_b = true, .alpha = 1.0});
    }
    be->add_rows(be, p->dots, list->bias, n, c);
}

/* From ddots [n, C] to the sides' and the labels' gradients. */
static void portion_backward(const nf_gliner_run *run, const span_list *list,
                             const span_portion *p) {
    nf_backend *be = run->pass->be;
    size_t width = list->width, c = list->n_labels, n = p->n;
    nf_values *dsums = list->labels ? p->dsums : p->ddots;
    be->column_sums(be, list->dbias, p->ddots, n, c);
    if (list->labels) {
        be->matmul(
            be, list->dlabels, p->ddots, p->sums,
            &(nf_product){
                .m = c, .n = width, .k = n, .trans_a = true, .alpha = 1.0, .accumulate = true});
        be->matmul(be, dsums, p->ddots, list->labels,
                   &(nf_product){.m = n, .n = width, .k = c, .alpha = 1.0});
        if (p->dropout.p > 0.0) be->dropout(be, dsums, dsums, n * width, &p->dropout);
        be->activation_backward(be, NF_ACTIVATION_RELU, dsums, dsums, p->sums, n * width);
    }
    be->embedding_backward(be, list->dstart, dsums, p->from, n, width, -1);
    be->embedding_backward(be, list->dend, dsums, p->to, n, width, -1);
}

/* Logits [count, C], or, where there is a lesson, the sum of their losses against labels [count, C] and,
 * with backward, the gradient. */
typedef struct span_work {
    float *logits;
    const int32_t *labels;
    double weight; /* of the text */
    double loss;
} span_work;

static nerfit_status run_portion(const nf_gliner_run *run, const span_list *list, size_t at,
                                 size_t n, span_work *work, nf_values *sums, nf_values *dots) {
    nf_backend *be = run->pass->be;
    nf_workspace *ws = run->pass->ws;
    size_t c = list->n_labels, portion = list->first_portion + at / SPANS_AT_ONCE;
    span_portion p = {.n = n, .sums = sums, .dots = dots};
    p.dropout = nf_gliner_dropout(run, run->gliner->span->stream,
                                  (uint64_t)portion * SPANS_AT_ONCE * list->width);
    NF_TRY(portion_places(run->pass, list, at, &p));
    portion_forward(run, list, &p);
    if (!run->lesson) {
        be->to_f32(be, work->logits + at * c, dots, n * c);
        return NERFIT_OK;
    }
    const nf_gliner_loss *o = run->lesson->loss;
    bool keeps = nf_gliner_keeps(run);
    if (keeps) p.ddots = nf_workspace_reals(ws, n * c);
    if (keeps && list->labels) p.dsums = nf_workspace_reals(ws, n * list->width);
    const nf_focal_targets targets = {.labels = nf_workspace_ints(ws, work->labels + at * c, n * c),
                                      .n = n * c,
                                      .alpha = o->alpha,
                                      .gamma = o->gamma,
                                      .margin = o->margin,
                                      .smoothing = o->smoothing};
    if (nf_workspace_failed(ws)) return NERFIT_NO_MEMORY;
    work->loss += work->weight *
                  be->focal_loss(be, p.ddots, dots, &targets,
                                 work->weight * run->lesson->grad_scale / run->lesson->divisor);
    if (keeps) portion_backward(run, list, &p);
    return NERFIT_OK;
}

static nerfit_status run_spans(const nf_gliner_run *run, const span_list *list, span_work *work) {
    nf_workspace *ws = run->pass->ws;
    nf_workspace_mark mark = nf_workspace_here(ws);
    size_t most = list->count < SPANS_AT_ONCE ? list->count : SPANS_AT_ONCE;
    nf_values *sums = list->labels ? nf_workspace_reals(ws, most * list->width) : NULL;
    nf_values *dots = nf_workspace_reals(ws, most * list->n_labels);
    if (nf_workspace_failed(ws)) return NERFIT_NO_MEMORY;
    for (size_t at = 0; at < list->count; at += SPANS_AT_ONCE) {
        size_t n = list->count - at < SPANS_AT_ONCE ? list->count - at : SPANS_AT_ONCE;
        nf_workspace_mark portion = nf_workspace_here(ws);
        NF_TRY(run_portion(run, list, at, n, work, sums, dots));
        nf_workspace_return(ws, portion);
    }
    nf_workspace_return(ws, mark);
    return NERFIT_OK;
}

/* A text's part of the sides. */
static span_list list_of(const nf_gliner_run *run, const span_sides *sides, size_t t,
                         size_t first_word, size_t first_label) {
    nf_backend *be = run->pass->be;
    size_t width = sides->width, word = first_word * width, label = first_label * width;
    bool back = sides->dstart != NULL;
    return (span_list){.n_words = run->texts[t].n_words,
                       .n_labels = run->texts[t].n_labels,
                       .width = width,
                       .start = nf_at(be, sides->start, word),
                       .end = nf_at(be, sides->end, word),
                       .labels = nf_at(be, sides->labels[0], label),
                       .bias = nf_at(be, sides->bias, first_label),
                       .dstart = back ? nf_at(be, sides->dstart, word) : NULL,
                       .dend = back ? nf_at(be, sides->dend, word) : NULL,
                       .dlabels = back ? nf_at(be, sides->dlabels[0], label) : NULL,
                       .dbias = back ? nf_at(be, sides->dbias, first_label) : NULL};
}

/* marker: what a side gives with each of the text's labels, y [n_words, C], or back from its gradient
 * dy to those of the side and the labels. */
static void flat_side(const nf_gliner_run *run, const span_list *list, nf_values *y,
                      const nf_values *side, const nf_values *labels) {
    run->pass->be->matmul(run->pass->be, y, side, labels,
                          &(nf_product){.m = list->n_words,
                                        .n = list->n_labels,
                                        .k = list->width,
                                        .trans_b = true,
                                        .alpha = 1.0});
}

static void flat_side_backward(const nf_gliner_run *run, const span_list *list, nf_values *dside,
                               nf_values *dlabels, const nf_values *dy, const nf_values *side,
                               const nf_values *labels) {
    nf_backend *be = run->pass->be;
    size_t n = list->n_words, c = list->n_labels, width = list->width;
    be->matmul(be, dside, dy, labels, &(nf_product){.m = n, .n = width, .k = c, .alpha = 1.0});
    be->matmul(be, dlabels, dy, side,
               &(nf_product){
                   .m = c, .n = width, .k = n, .trans_a = true, .alpha = 1.0, .accumulate = true});
}

/* The spans of a text whose sides are logits. */
static nerfit_status run_flat_spans(const nf_gliner_run *run, const span_sides *sides,
                                    const span_list *list, size_t first_label, span_work *work) {
    nf_backend *be = run->pass->be;
    nf_workspace *ws = run->pass->ws;
    nf_workspace_mark mark = nf_workspace_here(ws);
    size_t cells = list->n_words * list->n_labels, label = first_label * list->width;
    bool keeps = nf_gliner_keeps(run);
    span_list flat = *list;
    const nf_values *labels[2] = {nf_at(be, sides->labels[0], label),
                                  nf_at(be, sides->labels[1], label)};
    flat.width = list->n_labels;
    flat.labels = NULL;
    flat.start = nf_workspace_reals(ws, cells);
    flat.end = nf_workspace_reals(ws, cells);
    flat.dstart = keeps ? nf_gliner_zeros(run->pass, cells) : NULL;
    flat.dend = keeps ? nf_gliner_zeros(run->pass, cells) : NULL;
    if (nf_workspace_failed(ws)) return NERFIT_NO_MEMORY;
    flat_side(run, list, flat.start, list->start, labels[0]);
    flat_side(run, list, flat.end, list->end, labels[1]);
    NF_TRY(run_spans(run, &flat, work));
    if (keeps) {
        flat_side_backward(run, list, list->dstart, list->dlabels, flat.dstart, list->start,
                           labels[0]);
        flat_side_backward(run, list, list->dend, nf_at(be, sides->dlabels[1], label), flat.dend,
                           list->end, labels[1]);
    }
    nf_workspace_return(ws, mark);
    return NERFIT_OK;
}

static nerfit_status run_list(const nf_gliner_run *run, const span_sides *sides,
                              const span_list *list, size_t first_label, span_work *work) {
    if (list->count == 0 || list->n_labels == 0) return NERFIT_OK;
    return run->gliner->span->out ? run_spans(run, list, work)
                                  : run_flat_spans(run, sides, list, first_label, work);
}

/* ---------------------------------------------------------------- logits */

/* All spans of up to K words, of i .. j: i ascending, then j. */
static size_t all_spans(const nf_gliner_run *run, size_t t, struct nf_gliner_span *spans) {
    size_t n = run->texts[t].n_words, k = run->gliner->config.max_width, count = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n && j < i + k; j++)
            spans[count++] = (struct nf_gliner_span){(int32_t)i, (int32_t)j};
    return count;
}

static nerfit_status text_logits(const nf_gliner_run *run, const span_sides *sides, size_t t,
                                 size_t first_word, size_t first_label) {
    size_t n = run->texts[t].n_words, c = run->texts[t].n_labels, k = run->gliner->config.max_width;
    size_t cells = n * k * c;
    float *values = nf_arena_alloc(run->arena, cells * sizeof *values + 1);
    float *packed = nf_malloc(cells * sizeof *packed + 1);
    struct nf_gliner_span *spans = nf_malloc(n * k * sizeof *spans + 1);
    nerfit_status status = values && packed && spans ? NERFIT_OK : NERFIT_NO_MEMORY;
    span_list list = list_of(run, sides, t, first_word, first_label);
    span_work work = {.logits = packed};
    list.spans = spans;
    if (status == NERFIT_OK) list.count = all_spans(run, t, spans);
    if (status == NERFIT_OK) status = run_list(run, sides, &list, first_label, &work);
    for (size_t i = 0; i < cells && status == NERFIT_OK; i++) values[i] = -INFINITY;
    for (size_t s = 0; s < list.count && status == NERFIT_OK; s++) {
        size_t place = (size_t)spans[s].start * k + (size_t)(spans[s].end - spans[s].start);
        memcpy(values + place * c, packed + s * c, c * sizeof *values);
    }
    run->logits[t].values = values;
    free(packed);
    free(spans);
    return status;
}

nerfit_status nf_gliner_span_logits(const nf_gliner_run *run) {
    span_sides sides = {0};
    size_t first_word = 0, first_label = 0;
    nf_values *p;
    NF_TRY(find_prompts(run, &p, NULL));
    NF_TRY(find_sides(run, &sides, p));
    for (size_t t = 0; t < run->count; t++) {
        NF_TRY(text_logits(run, &sides, t, first_word, first_label));
        first_word += run->texts[t].n_words;
        first_label += run->texts[t].n_labels;
    }
    return NERFIT_OK;
}

nerfit_status nf_gliner_chosen_span_logits(const nf_gliner_run *run) {
    span_sides sides = {0};
    size_t first_word = 0, first_label = 0;
    nf_values *p;
    NF_TRY(find_prompts(run, &p, NULL));
    NF_TRY(find_sides(run, &sides, p));
    for (size_t t = 0; t < run->count; t++) {
        span_list list = list_of(run, &sides, t, first_word, first_label);
        span_work work = {.logits = run->logits[t].span_values};
        list.spans = run->logits[t].spans;
        list.count = run->logits[t].n_spans;
        NF_TRY(run_list(run, &sides, &list, first_label, &work));
        first_word += run->texts[t].n_words;
        first_label += run->texts[t].n_labels;
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- learning */

enum { STREAM_MASK = 0x4D41534B, STREAM_SPANS = 0x5350414E };

/* Numbers that depend on the step and the place of the text in the whole batch alone. */
static nf_rng rng_of(const nf_gliner_run *run, uint64_t purpose, size_t first_token) {
    const nf_pass *pass = run->pass;
    uint64_t place = (uint64_t)pass->first_row + first_token;
    return nf_rng_new(pass->seed, purpose ^ (pass->step << 32) ^ (place << 12));
}

/* Leaves out negatives at random: the package's masking. */
static void mask_negatives(const nf_gliner_run *run, nf_rng rng, int32_t *labels, size_t count,
                           size_t c) {
    const nf_gliner_loss *o = run->lesson->loss;
    if (o->masking == NF_GLINER_MASK_NONE || o->negatives >= 1.0 || !run->pass->training) return;
    for (size_t i = 0; i < count * c; i++) {
        bool proposed = labels[i] == 0;
        if (o->masking == NF_GLINER_MASK_SPAN)
            for (size_t k = i / c * c; k < (i / c + 1) * c; k++) proposed &= labels[k] != 1;
        if (o->masking == NF_GLINER_MASK_LABEL)
            for (size_t k = i % c; k < count * c; k += c) proposed &= labels[k] != 1;
        if (proposed && nf_rng_uniform(&rng) >= o->negatives) labels[i] = -1;
    }
}

static struct nf_gliner_span span_of(const nf_entity *e) {
    return (struct nf_gliner_span){(int32_t)e->start, (int32_t)e->end - 1};
}

/* The spans that a token model's span head learns: the entities, and others that overlap none. */
static size_t lesson_spans(const nf_gliner_run *run, size_t t, nf_rng rng,
                           struct nf_gliner_span *spans) {
    const nf_gliner_golds *golds = &run->lesson->golds[t];
    const nf_gliner_config *config = &run->gliner->config;
    size_t n = run->texts[t].n_words, count = 0;
    size_t wanted = (size_t)(config->negative_spans * (double)golds->count), tries = 20 * wanted;
    for (size_t i = 0; i < golds->count; i++) spans[count++] = span_of(&golds->items[i]);
    for (; tries > 0 && wanted > 0; tries--) {
        uint32_t start = nf_rng_below(&rng, (uint32_t)n);
        size_t most = n - start < config->max_width ? n - start : config->max_width;
        uint32_t end = start + nf_rng_below(&rng, (uint32_t)most);
        bool clear = true;
        for (size_t i = 0; i < count && clear; i++)
            clear = i < golds->count
                        ? (int32_t)end < spans[i].start || (int32_t)start > spans[i].end
                        : (int32_t)start != spans[i].start || (int32_t)end != spans[i].end;
        if (!clear) continue;
        spans[count++] = (struct nf_gliner_span){(int32_t)start, (int32_t)end};
        wanted--;
    }
    return count;
}

/* 1 where a span is an entity of the label. A token model's spans have the label of their own entity
 * alone. */
static void mark_golds(const nf_gliner_run *run, size_t t, const struct nf_gliner_span *spans,
                       size_t count, int32_t *labels) {
    const nf_gliner_golds *golds = &run->lesson->golds[t];
    size_t c = run->texts[t].n_labels;
    memset(labels, 0, count * c * sizeof *labels);
    for (size_t i = 0; i < golds->count; i++) {
        const struct nf_gliner_span gold = span_of(&golds->items[i]);
        size_t label = (size_t)golds->items[i].type;
        if (run->gliner->token)
            labels[i * c + label] = 1;
        else
            for (size_t s = 0; s < count; s++)
                if (spans[s].start == gold.start && spans[s].end == gold.end)
                    labels[s * c + label] = 1;
    }
}

/* What overlaps unknown words is neither an entity nor none, unless it is one. */
static void mask_unknown(const nf_gliner_run *run, size_t t, const struct nf_gliner_span *spans,
                         size_t count, int32_t *labels) {
    const nf_gliner_golds *golds = &run->lesson->golds[t];
    size_t c = run->texts[t].n_labels;
    for (size_t s = 0; s < count && golds->n_unknown; s++) {
        bool unknown = false;
        for (size_t u = 0; u < golds->n_unknown && !unknown; u++) {
            const struct nf_gliner_span words = span_of(&golds->unknown[u]);
            unknown = spans[s].start <= words.end && spans[s].end >= words.start;
        }
        for (size_t l = s * c; unknown && l < (s + 1) * c; l++)
            if (labels[l] == 0) labels[l] = -1;
    }
}

static nerfit_status text_learn(const nf_gliner_run *run, const span_sides *sides, size_t t,
                                span_list *list, size_t first_label, size_t first_token,
                                span_work *work) {
    const nf_gliner_text *text = &run->texts[t];
    size_t n = text->n_words, c = text->n_labels, golds = run->lesson->golds[t].count;
    size_t most = run->gliner->token
                      ? golds + (size_t)(run->gliner->config.negative_spans * (double)golds)
                      : n * run->gliner->config.max_width;
    struct nf_gliner_span *spans = nf_malloc(most * sizeof *spans + 1);
    int32_t *labels = nf_malloc(most * c * sizeof *labels + 1);
    nerfit_status status = spans && labels ? NERFIT_OK : NERFIT_NO_MEMORY;
    if (status == NERFIT_OK) {
        list->spans = spans;
        list->count = run->gliner->token
                          ? lesson_spans(run, t, rng_of(run, STREAM_SPANS, first_token), spans)
                          : all_spans(run, t, spans);
        mark_golds(run, t, spans, list->count, labels);
        mask_unknown(run, t, spans, list->count, labels);
        if (!run->gliner->token)
            mask_negatives(run, rng_of(run, STREAM_MASK, first_token), labels, list->count, c);
        work->labels = labels;
        work->weight = nf_gliner_weight(&run->lesson->golds[t]);
        status = run_list(run, sides, list, first_label, work);
    }
    free(spans);
    free(labels);
    return status;
}

static nerfit_status make_gradients(const nf_gliner_run *run, span_sides *sides) {
    size_t w = run->n_words, c = run->n_labels, width = sides->width;
    if (!nf_gliner_keeps(run)) return NERFIT_OK;
    sides->dstart = nf_gliner_zeros(run->pass, w * width);
    sides->dend = nf_gliner_zeros(run->pass, w * width);
    sides->dlabels[0] = nf_gliner_zeros(run->pass, c * width);
    sides->dlabels[1] =
        sides->labels[0] == sides->labels[1] ? NULL : nf_gliner_zeros(run->pass, c * width);
    sides->dbias = nf_gliner_zeros(run->pass, c);
    return nf_workspace_failed(run->pass->ws) ? NERFIT_NO_MEMORY : NERFIT_OK;
}

nerfit_status nf_gliner_span_learn(nf_gliner_run *run) {
    span_sides sides = {0};
    nf_gliner_mlp_saved prompts = {0};
    span_work work = {0};
    size_t first_word = 0, first_label = 0, first_token = 0, d = run->gliner->config.size;
    nf_values *p, *dp = run->dq;
    NF_TRY(find_prompts(run, &p, &prompts));
    NF_TRY(find_sides(run, &sides, p));
    NF_TRY(make_gradients(run, &sides));
    for (size_t t = 0; t < run->count; t++) {
        span_list list = list_of(run, &sides, t, first_word, first_label);
        list.first_portion = run->pass->first_row + first_token;
        NF_TRY(text_learn(run, &sides, t, &list, first_label, first_token, &work));
        first_word += run->texts[t].n_words;
        first_label += run->texts[t].n_labels;
        first_token += run->texts[t].length;
    }
    run->loss += work.loss / run->lesson->divisor;
    if (!nf_gliner_keeps(run)) return NERFIT_OK;
    if (!run->gliner->token && !(dp = nf_gliner_zeros(run->pass, run->n_labels * d)))
        return NERFIT_NO_MEMORY;
    NF_TRY(find_sides_backward(run, &sides, dp, p));
    if (run->gliner->token) return NERFIT_OK;
    return nf_gliner_mlp_backward(run, &run->gliner->prompt, run->dq, dp, run->n_labels, &prompts);
}
