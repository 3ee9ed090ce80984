#include "infer/tagger.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"
#include "labels/decoder.h"
#include "data/labels.h"
#include "labels/span_tokens.h"
#include "labels/tag_set.h"
#include "text/windows.h"
#include "text/word_shapes.h"
#include "text/word_starts.h"

/* What a thread takes through the model at once: enough for its products, and little enough that
 * what one layer leaves is still in the cache when the next one reads it. */
enum { TOKENS_A_BATCH = 256, TEXTS_A_BATCH = 64 };

/* A thread's own handle and scratch. */
typedef struct worker {
    nf_backend *be;
    bool own; /* the handle is to be freed */
    nf_workspace *ws;
    float *values; /* logits */
    size_t capacity;
} worker;

struct nf_tagger {
    const nf_model *model;
    nf_backend *be;
    worker alone;    /* batches one after another, on all threads of the handle */
    worker *workers; /* [be->threads] batches at the same time; made when first needed */
    nf_arena arena;  /* of the results */
    size_t before, after;
    nf_tag_set tags;
    /* of viterbi and crf; NULL otherwise */
    nf_decoder *decoder;
    nf_transitions transitions;
    double own_least; /* the model's limit: less probable entities are left out... */
    double least;     /* ... unless the caller sets thresholds: then 0 */
    int32_t *ids;     /* [2 n_types + 1] the model's label of each of the decoder's, -1: none */
    size_t n_types;
    double **logits; /* [texts] of a call: [words, 2 n_types + 1], in the arena */
    nf_calibration calibration;
    double threshold;
    double *thresholds; /* [tags.n_types]; negative: none. NULL: no type has one */
};

/* A window of a text as one sequence of a batch. */
typedef struct piece {
    size_t text;
    nf_window window;
    int32_t *ids, *shapes; /* [length]; no shapes, if the model has no table of them: NULL */
    size_t length;
} piece;

nerfit_status nf_tagger_new(nf_tagger **out, const nf_model *model, nf_backend *be,
                            nerfit_error *err) {
    *out = NULL;
    if (!model->classifier)
        return nf_fail_at(err, NERFIT_ARGUMENT, model->folder, 0, 0,
                          "is a bare encoder; expected a token-classification model (train one "
                          "first)");
    if (!model->tokenizer)
        return nf_fail_at(err, NERFIT_ARGUMENT, model->folder, 0, 0, "has no tokenizer");
    nf_tagger *tagger = calloc(1, sizeof *tagger);
    if (!tagger) return nf_no_memory(err, sizeof *tagger);
    tagger->model = model;
    tagger->be = be;
    tagger->calibration = NF_CALIBRATION_NONE;
    nf_tokenizer_special_counts(model->tokenizer, &tagger->before, &tagger->after);
    tagger->alone.be = be;
    nerfit_status status = nf_workspace_new(&tagger->alone.ws, be, err);
    if (status == NERFIT_OK)
        status = nf_tag_set_make(&tagger->tags, (const char *const *)model->labels, model->n_labels,
                                 err);
    if (status == NERFIT_OK) status = nf_tagger_decode(tagger, NF_DECODE_AUTO, err);
    if (status == NERFIT_OK)
        *out = tagger;
    else
        nf_tagger_free(tagger);
    return status;
}

static void worker_free(worker *w) {
    nf_workspace_free(w->ws);
    if (w->own) w->be->free(w->be);
    free(w->values);
}

void nf_tagger_free(nf_tagger *tagger) {
    if (!tagger) return;
    worker_free(&tagger->alone);
    for (int i = 0; i < tagger->be->threads && tagger->workers; i++)
        worker_free(&tagger->workers[i]);
    free(tagger->workers);
    nf_arena_free(&tagger->arena);
    nf_tag_set_free(&tagger->tags);
    nf_decoder_free(tagger->decoder);
    free(tagger->ids);
    free(tagger->thresholds);
    free(tagger);
}

/* ---------------------------------------------------------------- the decoder */

bool nf_decode_find(const char *name, nf_decode *out) {
    static const char *const names[] = {"auto", "labels", "viterbi", "crf"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return *out = (nf_decode)i, true;
    return false;
}

/* The decoder's labels are O, B-x, I-x, B-y, ...; a model of another origin may have them in any
 * order, and lack some. */
static nerfit_status map_labels(nf_tagger *t, nerfit_error *err) {
    const nf_model *model = t->model;
    t->n_types = t->tags.n_types;
    free(t->ids);
    t->ids = malloc((2 * t->n_types + 1) * sizeof *t->ids);
    if (!t->ids) return nf_no_memory(err, 2 * t->n_types);
    for (size_t k = 0; k < 2 * t->n_types + 1; k++) t->ids[k] = -1;
    for (size_t i = 0; i < model->n_labels; i++) {
        nf_tag tag = t->tags.tags[i];
        if (tag.prefix > NF_TAG_I)
            return nf_fail_at(err, NERFIT_ARGUMENT, model->folder, 0, 0,
                              "has the label \"%s\"; the decoder takes O, B-x and I-x",
                              model->labels[i]);
        t->ids[tag.prefix == NF_TAG_O ? 0 : nf_label_id(tag.type, tag.prefix == NF_TAG_I)] =
            (int32_t)i;
    }
    return NERFIT_OK;
}

nerfit_status nf_tagger_decode(nf_tagger *t, nf_decode decode, nerfit_error *err) {
    const nf_decoding *own = &t->model->decoding;
    if (decode == NF_DECODE_AUTO) decode = own->present ? NF_DECODE_CRF : NF_DECODE_LABELS;
    if (decode == NF_DECODE_CRF && !own->present)
        return nf_fail_at(err, NERFIT_ARGUMENT, t->model->folder, 0, 0,
                          "has no nerfit.json, whose transitions the decoder crf takes");
    nf_decoder_free(t->decoder);
    t->decoder = NULL;
    if (decode == NF_DECODE_LABELS) return NERFIT_OK;
    NF_TRY(map_labels(t, err));
    t->transitions = (nf_transitions){0};
    t->least = t->own_least = decode == NF_DECODE_CRF ? own->least : 0.0;
    if (decode == NF_DECODE_CRF) {
        double *scalars = &t->transitions.next[0][0];
        for (size_t i = 0; i < NF_TRANSITION_COUNT; i++) scalars[i] = own->transitions[i];
    }
    return nf_decoder_new(&t->decoder, err);
}

/* The logits of one word, in the decoder's order. */
static void take_logits(const nf_tagger *t, const float *row, double *out) {
    for (size_t k = 0; k < 2 * t->n_types + 1; k++) /* a label that the model lacks is impossible */
        out[k] = t->ids[k] < 0 ? -1e6 : (double)row[t->ids[k]];
}

/* Labels all tokens of a text by the best path over its words [n_words + 1]; path [n_words]. The
 * decoder then holds the text's sums. */
static nerfit_status decode_words(nf_tagger *t, nf_tagged *tagged, const double *logits,
                                  const size_t *words, size_t n_words, int32_t *path,
                                  nerfit_error *err) {
    double log_z;
    NF_TRY(
        nf_decoder_best(t->decoder, &t->transitions, logits, n_words, t->n_types, path, NULL, err));
    NF_TRY(nf_decoder_sum(t->decoder, &t->transitions, logits, n_words, t->n_types, &log_z, err));
    nf_decoder_keep(t->decoder, t->least, path);
    for (size_t w = 0; w < n_words; w++) {
        int32_t rest = nf_label_kind(path[w]) == NF_KIND_B ? path[w] + 1 : path[w];
        if (t->ids[rest] < 0) rest = path[w];
        float score = (float)nf_decoder_marginal(t->decoder, w, path[w]);
        bool goes_on = w + 1 < n_words && nf_label_kind(path[w + 1]) == NF_KIND_I;
        size_t end = words[w + 1]; /* blanks behind an entity are not in it */
        for (; !goes_on && t->ids[0] >= 0 && end > words[w] + 1; end--)
            if (tagged->tokens[end - 1].text_start < tagged->tokens[end - 1].text_end) break;
        for (size_t i = words[w]; i < words[w + 1]; i++) {
            tagged->tokens[i].label = t->ids[i == words[w] ? path[w] : i < end ? rest : 0];
            tagged->tokens[i].score = score;
        }
    }
    return NERFIT_OK;
}

const nf_model *nf_tagger_model(const nf_tagger *tagger) {
    return tagger->model;
}

const nf_tag_set *nf_tagger_tags(const nf_tagger *tagger) {
    return &tagger->tags;
}

/* ---------------------------------------------------------------- scores and thresholds */

void nf_tagger_set_calibration(nf_tagger *t, const nf_calibration *calibration) {
    t->calibration = *calibration;
}

static nerfit_status unknown_type(const nf_tagger *t, const char *type, nerfit_error *err) {
    nf_nearest nearest = {0};
    nf_str known = {0};
    for (size_t i = 0; i < t->tags.n_types; i++) {
        nf_nearest_see(&nearest, type, t->tags.types[i]);
        nf_str_appendf(&known, "%s%s", i ? ", " : "", t->tags.types[i]);
    }
    if (nearest.name)
        nf_fail(err, NERFIT_ARGUMENT,
                "threshold: the model has no entity type \"%s\"; did you mean \"%s\"?", type,
                nearest.name);
    else
        nf_fail(err, NERFIT_ARGUMENT,
                "threshold: the model has no entity type \"%s\"; it has %.200s", type,
                nf_str_text(&known));
    nf_str_free(&known);
    return NERFIT_ARGUMENT;
}

nerfit_status nf_tagger_set_threshold(nf_tagger *t, const char *type, double threshold,
                                      nerfit_error *err) {
    size_t n = t->tags.n_types;
    if (!(threshold >= 0 && threshold <= 1))
        return nf_fail(err, NERFIT_ARGUMENT, "threshold: %g is not a number from 0 to 1",
                       threshold);
    int32_t of = type ? nf_tag_set_type(&t->tags, type) : -1;
    if (type && of < 0) return unknown_type(t, type, err);
    if (type && !t->thresholds) {
        t->thresholds = malloc(n * sizeof *t->thresholds);
        if (!t->thresholds) return nf_no_memory(err, n * sizeof *t->thresholds);
        for (size_t i = 0; i < n; i++) t->thresholds[i] = -1;
    }
    t->least = 0.0;
    if (type)
        t->thresholds[of] = threshold;
    else
        t->threshold = threshold;
    return NERFIT_OK;
}

void nf_tagger_reset_thresholds(nf_tagger *t) {
    t->least = t->own_least;
    t->threshold = 0.0;
    free(t->thresholds);
    t->thresholds = NULL;
}

static double threshold_of(const nf_tagger *t, int32_t type) {
    return t->thresholds && t->thresholds[type] >= 0 ? t->thresholds[type] : t->threshold;
}

/* ---------------------------------------------------------------- pieces */

typedef struct pieces {
    piece *items;
    size_t count, capacity;
} pieces;

/* `shapes` of the text's tokens; or NULL. */
static nerfit_status add_piece(nf_tagger *t, pieces *out, const nf_encoding *encoding,
                               const nf_window *window, const int32_t *shapes, size_t text,
                               nerfit_error *err) {
    if (out->count == out->capacity) {
        size_t capacity = out->capacity ? 2 * out->capacity : 64;
        piece *grown = realloc(out->items, capacity * sizeof *grown);
        if (!grown) return nf_no_memory(err, capacity * sizeof *grown);
        out->items = grown;
        out->capacity = capacity;
    }
    size_t length = t->before + (window->end - window->start) + t->after;
    int32_t *ids = nf_arena_alloc(&t->arena, length * sizeof *ids + 1);
    int32_t *own = shapes ? nf_arena_calloc(&t->arena, length, sizeof *own) : NULL;
    if (!ids || (shapes && !own)) return nf_no_memory(err, length * sizeof *ids);
    nf_window_ids(encoding, window, t->before, t->after, ids);
    for (size_t i = window->start; i < window->end && shapes; i++)
        own[t->before + i - window->start] = shapes[i];
    out->items[out->count++] = (piece){text, *window, ids, own, length};
    return NERFIT_OK;
}

/* Encodes a text, fills its tokens (still without labels), and adds its windows. */
static nerfit_status prepare(nf_tagger *t, pieces *out, const nf_text *text, size_t index,
                             nf_tagged *result, nf_encoding *encoding, nerfit_error *err) {
    NF_TRY(nf_tokenizer_encode(t->model->tokenizer, text->text, text->size, true, encoding, err));
    size_t n = encoding->length - t->before - t->after;
    *result = (nf_tagged){.n_tokens = n};
    result->tokens = nf_arena_calloc(&t->arena, n + 1, sizeof *result->tokens);
    size_t n_words = 0;
    bool *starts_word = malloc(n + 1);
    uint32_t *ranges = malloc(2 * n * sizeof *ranges + 1);
    if (!result->tokens || !starts_word || !ranges) {
        free(ranges);
        free(starts_word);
        return nf_no_memory(err, n);
    }
    const nf_decoding *own = &t->model->decoding;
    nerfit_status status =
        nf_word_starts(encoding, t->before, t->after, text->text, text->size,
                       own->present ? own->words : NF_WORDS_TOKENIZER, starts_word, err);
    if (status == NERFIT_OK)
        nf_subword_ranges(encoding, t->before, t->after, text->text, text->size, starts_word,
                          ranges, ranges + n);
    for (size_t i = 0; i < n && status == NERFIT_OK; i++) {
        size_t at = t->before + i;
        result->tokens[i] = (nf_tagged_token){.start = encoding->starts[at],
                                              .end = encoding->ends[at],
                                              .text_start = ranges[i],
                                              .text_end = ranges[n + i],
                                              .id = encoding->ids[at],
                                              .starts_word = starts_word[i]};
        result->tokens[i].word = (uint32_t)(n_words += starts_word[i]) - 1;
    }
    free(ranges);
    if (t->decoder && status == NERFIT_OK) {
        size_t cells = n_words * (2 * t->n_types + 1);
        t->logits[index] = nf_arena_alloc(&t->arena, cells * sizeof **t->logits + 1);
        if (!t->logits[index]) {
            free(starts_word);
            return nf_no_memory(err, cells * sizeof **t->logits);
        }
    }
    size_t capacity = nf_model_max_length(t->model) - t->before - t->after, count = 0;
    nf_window *windows = NULL;
    int32_t *shapes = NULL;
    if (t->model->encoder.embedding.shapes && status == NERFIT_OK) {
        shapes = malloc(n * sizeof *shapes + 1);
        if (shapes)
            nf_word_shapes(encoding, t->before, t->after, text->text, text->size, starts_word,
                           shapes);
        else
            status = nf_no_memory(err, n * sizeof *shapes);
    }
    if (status == NERFIT_OK)
        status = nf_windows_plan(&windows, &count, n, capacity, capacity / 4, starts_word, err);
    for (size_t i = 0; i < count && status == NERFIT_OK && n > 0; i++)
        status = add_piece(t, out, encoding, &windows[i], shapes, index, err);
    free(windows);
    free(shapes);
    free(starts_word);
    return status;
}

static int by_length(const void *a, const void *b) {
    const piece *x = a, *y = b;
    if (x->length != y->length) return x->length < y->length ? -1 : 1;
    if (x->text != y->text) return x->text < y->text ? -1 : 1;
    return x->window.start < y->window.start ? -1 : x->window.start > y->window.start;
}

/* ---------------------------------------------------------------- labels */

static void label_tokens(const nf_tagger *t, const piece *p, const float *logits,
                         nf_tagged *result) {
    size_t l = t->model->n_labels;
    for (size_t i = p->window.own_start; i < p->window.own_end; i++) {
        const float *row = logits + (t->before + i - p->window.start) * l;
        if (t->decoder) {
            const nf_tagged_token *token = &result->tokens[i];
            if (token->starts_word)
                take_logits(t, row, t->logits[p->text] + token->word * (2 * t->n_types + 1));
            continue;
        }
        size_t best = 0;
        double sum = 0.0;
        for (size_t k = 1; k < l; k++)
            if (row[k] > row[best]) best = k;
        for (size_t k = 0; k < l; k++) sum += exp((double)row[k] - (double)row[best]);
        result->tokens[i].label = (int32_t)best;
        result->tokens[i].score = (float)(1.0 / sum);
    }
}

/* A weight that is not a number makes all that follows one; it would come out as "no entities". */
static nerfit_status check_finite(const nf_tagger *t, const piece *p, const float *logits,
                                  nerfit_error *err) {
    for (size_t i = 0; i < p->length * t->model->n_labels; i++)
        if (!isfinite(logits[i])) {
            NF_TRY(nf_network_check_finite(&t->model->net, t->model->folder, false, err));
            return nf_fail_at(err, NERFIT_NUMERIC, t->model->folder, 0, 0,
                              "gives text %zu a logit that is not finite (%s), though all its "
                              "weights are: they are too large for the precision",
                              p->text + 1, isnan(logits[i]) ? "NaN" : "infinite");
        }
    return NERFIT_OK;
}

static nerfit_status run_batch(const nf_tagger *t, worker *w, const piece *batch, size_t count,
                               nf_tagged *results, nerfit_error *err) {
    nf_tokens texts[TEXTS_A_BATCH];
    size_t n = 0, l = t->model->n_labels;
    for (size_t i = 0; i < count; i++) {
        texts[i] = (nf_tokens){batch[i].ids, batch[i].length, batch[i].shapes};
        n += batch[i].length;
    }
    nf_pass pass = {.be = w->be, .ws = w->ws};
    nf_values *logits;
    nf_workspace_reset(w->ws);
    NF_TRY(nf_batch_load(&pass, &t->model->encoder, texts, count, err));
    if (nf_model_logits(t->model, &pass, &logits) != NERFIT_OK) return nf_no_memory(err, 0);
    NF_TRY(nf_backend_check(w->be, err));
    if (n * l > w->capacity) {
        free(w->values);
        w->values = malloc(n * l * sizeof *w->values);
        w->capacity = w->values ? n * l : 0;
        if (!w->values) return nf_no_memory(err, n * l * sizeof *w->values);
    }
    w->be->to_f32(w->be, w->values, logits, n * l);
    const float *at = w->values;
    for (size_t i = 0; i < count; i++) {
        NF_TRY(check_finite(t, &batch[i], at, err));
        label_tokens(t, &batch[i], at, &results[batch[i].text]);
        at += batch[i].length * l;
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- batches */

/* Pieces first .. first+count-1, of like length. */
typedef struct batch {
    size_t first, count;
} batch;

/* The batches of a call, which workers take one after another. */
typedef struct queue {
    nf_tagger *tagger;
    const pieces *pieces;
    nf_tagged *results;
    const batch *batches;
    size_t n_batches;
    atomic_size_t next;
    nerfit_status *statuses; /* [workers] */
    nerfit_error *errors;
} queue;

static void work(void *user, int index) {
    queue *q = user;
    nf_tagger *t = q->tagger;
    nerfit_status status = NERFIT_OK;
    for (size_t i; status == NERFIT_OK && (i = atomic_fetch_add(&q->next, 1)) < q->n_batches;)
        status = run_batch(t, &t->workers[index], q->pieces->items + q->batches[i].first,
                           q->batches[i].count, q->results, &q->errors[index]);
    q->statuses[index] = status;
}

static nerfit_status make_workers(nf_tagger *t, nerfit_error *err) {
    if (t->workers) return NERFIT_OK;
    worker *workers = calloc((size_t)t->be->threads, sizeof *workers);
    nerfit_status status = workers ? NERFIT_OK : nf_no_memory(err, 0);
    for (int i = 0; i < t->be->threads && status == NERFIT_OK; i++) {
        status = t->be->fork_alone(t->be, &workers[i].be, err);
        workers[i].own = status == NERFIT_OK;
        if (status == NERFIT_OK) status = nf_workspace_new(&workers[i].ws, workers[i].be, err);
    }
    if (status == NERFIT_OK) t->workers = workers;
    for (int i = 0; i < t->be->threads && workers && status != NERFIT_OK; i++)
        worker_free(&workers[i]);
    if (status != NERFIT_OK) free(workers);
    return status;
}

static nerfit_status run_together(nf_tagger *t, queue *q, nerfit_error *err) {
    int threads = t->be->threads;
    NF_TRY(make_workers(t, err));
    q->statuses = calloc((size_t)threads, sizeof *q->statuses);
    q->errors = calloc((size_t)threads, sizeof *q->errors);
    nerfit_status status = q->statuses && q->errors ? NERFIT_OK : nf_no_memory(err, 0);
    if (status == NERFIT_OK) t->be->parallel(t->be, threads, work, q);
    for (int i = 0; i < threads && status == NERFIT_OK; i++) {
        status = q->statuses[i];
        if (status != NERFIT_OK && err) *err = q->errors[i];
    }
    free(q->statuses);
    free(q->errors);
    return status;
}

static nerfit_status run_pieces(nf_tagger *t, pieces *p, nf_tagged *results, nerfit_error *err) {
    if (p->count == 0) return NERFIT_OK;
    qsort(p->items, p->count, sizeof *p->items, by_length);
    batch *batches = malloc(p->count * sizeof *batches);
    if (!batches) return nf_no_memory(err, p->count * sizeof *batches);
    size_t n = 0;
    for (size_t first = 0; first < p->count; first += batches[n++].count) {
        size_t count = 0, tokens = 0;
        while (first + count < p->count && count < TEXTS_A_BATCH &&
               (count == 0 || tokens + p->items[first + count].length <= TOKENS_A_BATCH))
            tokens += p->items[first + count++].length;
        batches[n] = (batch){first, count};
    }
    nerfit_status status = NERFIT_OK;
    queue q = {.tagger = t, .pieces = p, .results = results, .batches = batches, .n_batches = n};
    if (t->be->threads > 1 && n > 1)
        status = run_together(t, &q, err);
    else
        for (size_t i = 0; i < n && status == NERFIT_OK; i++)
            status = run_batch(t, &t->alone, p->items + batches[i].first, batches[i].count, results,
                               err);
    free(batches);
    return status;
}

/* ---------------------------------------------------------------- entities */

/* The sub-word that tells a word's label: its first one, unless this is a lone blank (an empty range)
 * that says O. Models that were trained on such blanks say at them what the word is; others at the
 * first sub-word that has characters. */
static size_t telling_token(const nf_tagger *t, const nf_tagged *tagged, size_t first, size_t end) {
    const nf_tagged_token *tokens = tagged->tokens;
    size_t i = first;
    while (i + 1 < end && tokens[i].text_start >= tokens[i].text_end &&
           t->tags.tags[tokens[i].label].prefix == NF_TAG_O)
        i++;
    return i;
}

/* Where the words of the tokens first .. end-1 lie in the text. */
static nf_text_range range_of(nf_utf8_place *at, const nf_tagged *tagged, size_t first,
                              size_t end) {
    const nf_tagged_token *tokens = tagged->tokens;
    uint32_t last = tokens[first].text_end;
    for (size_t i = first; i < end; i++)
        if (tokens[i].text_end > last) last = tokens[i].text_end;
    uint32_t next = end < tagged->n_tokens ? tokens[end].text_start : UINT32_MAX;
    return nf_word_range(at, tokens[first].text_start, last, next);
}

static nerfit_status find_entities(nf_tagger *t, const nf_text *text, nf_tagged *tagged,
                                   const double *logits, nerfit_error *err) {
    size_t n = tagged->n_tokens, n_words = 0, count = 0;
    nf_utf8_place at = {text->text, text->size, 0, 0};
    int32_t *labels = malloc((n + 1) * sizeof *labels);
    double *scores = malloc((n + 1) * sizeof *scores);
    nf_tag_span *spans = malloc((n + 1) * sizeof *spans);
    size_t *words = malloc((n + 1) * sizeof *words);
    int32_t *path = malloc((n + 1) * sizeof *path);
    tagged->entities = nf_arena_calloc(&t->arena, n + 1, sizeof *tagged->entities);
    nerfit_status status = labels && scores && spans && words && path && tagged->entities
                               ? NERFIT_OK
                               : nf_no_memory(err, n);
    for (size_t i = 0; i < n && status == NERFIT_OK; i++)
        if (tagged->tokens[i].starts_word) words[n_words++] = i;
    if (status == NERFIT_OK) words[n_words] = n;
    if (status == NERFIT_OK && t->decoder)
        status = decode_words(t, tagged, logits, words, n_words, path, err);
    for (size_t w = 0; w < n_words && status == NERFIT_OK; w++) {
        const nf_tagged_token *token =
            &tagged
                 ->tokens[t->decoder ? words[w] : telling_token(t, tagged, words[w], words[w + 1])];
        labels[w] = token->label;
        scores[w] = (double)token->score;
    }
    if (status == NERFIT_OK) count = nf_tag_set_spans(&t->tags, labels, n_words, spans);
    for (size_t i = 0; i < count && status == NERFIT_OK; i++) {
        size_t start = spans[i].start, end = spans[i].end;
        nf_text_range r = range_of(&at, tagged, words[start], words[end]);
        nf_entity e = {r.start,   r.end, r.byte_start, r.byte_end, t->tags.types[spans[i].type],
                       .score = 0};
        for (size_t w = start; w < end; w++) e.score += scores[w];
        e.score /= (double)(end - start);
        if (t->decoder)
            e.score = nf_decoder_span(t->decoder, (size_t)nf_label_type(path[start]), start, end);
        e.score = nf_calibration_apply(&t->calibration, e.score);
        if (e.score < threshold_of(t, spans[i].type))
            for (size_t k = words[start]; k < words[end]; k++) tagged->tokens[k].left_out = true;
        else if (e.start < e.end)
            tagged->entities[tagged->n_entities++] = e;
    }
    free(labels);
    free(scores);
    free(spans);
    free(words);
    free(path);
    return status;
}

nerfit_status nf_tagger_tag(nf_tagger *t, const nf_text *texts, size_t count, nf_tagged *results,
                            nerfit_error *err) {
    pieces p = {0};
    nf_encoding encoding = {0};
    nerfit_status status = NERFIT_OK;
    nf_arena_free(&t->arena);
    t->logits = nf_arena_calloc(&t->arena, count + 1, sizeof *t->logits);
    if (!t->logits) return nf_no_memory(err, count * sizeof *t->logits);
    for (size_t i = 0; i < count && status == NERFIT_OK; i++) {
        status = prepare(t, &p, &texts[i], i, &results[i], &encoding, err);
        if (status != NERFIT_OK) nf_fail_within(err, status, "text %zu", i + 1);
    }
    if (status == NERFIT_OK) status = run_pieces(t, &p, results, err);
    for (size_t i = 0; i < count && status == NERFIT_OK; i++)
        status = find_entities(t, &texts[i], &results[i], t->logits[i], err);
    nf_encoding_free(&encoding);
    free(p.items);
    return status;
}

nerfit_status nf_tagger_gold(const nf_document *document, const nf_tagged *tagged, nf_arena *arena,
                             const char **labels, nerfit_error *err) {
    size_t taken = 0;
    for (size_t i = 0; i < tagged->n_tokens; i++) labels[i] = "O";
    for (size_t s = 0; s < document->n_spans; s++) {
        const nf_span *span = &document->spans[s];
        size_t size = strlen(span->label) + 3;
        char *begin = nf_arena_alloc(arena, size), *inside = nf_arena_alloc(arena, size);
        if (!begin || !inside) return nf_no_memory(err, size);
        memcpy(begin, "B-", 2);
        memcpy(inside, "I-", 2);
        memcpy(begin + 2, span->label, size - 2);
        memcpy(inside + 2, span->label, size - 2);
        bool first = true;
        for (size_t i = taken; i < tagged->n_tokens; i++) {
            const nf_tagged_token *token = &tagged->tokens[i];
            if (token->text_start >= span->end) break;
            if (!nf_span_labels_token(span->start, span->end, token->text_start, token->text_end))
                continue;
            labels[i] = first ? begin : inside;
            first = false;
            taken = i + 1;
        }
    }
    return NERFIT_OK;
}
