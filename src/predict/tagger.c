#include "predict/tagger.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "predict/spans.h"
#include "text/windows.h"
#include "text/word_starts.h"

enum { TOKENS_A_BATCH = 4096, TEXTS_A_BATCH = 64 };

struct nf_tagger {
    const nf_model *model;
    nf_backend *be;
    nf_workspace *ws;
    nf_arena arena; /* of the results */
    size_t before, after;
};

/* A window of a text as one sequence of a batch. */
typedef struct piece {
    size_t text;
    nf_window window;
    int32_t *ids;
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
    nf_tokenizer_special_counts(model->tokenizer, &tagger->before, &tagger->after);
    nerfit_status status = nf_workspace_new(&tagger->ws, be, err);
    if (status == NERFIT_OK) *out = tagger;
    else nf_tagger_free(tagger);
    return status;
}

void nf_tagger_free(nf_tagger *tagger) {
    if (!tagger) return;
    nf_workspace_free(tagger->ws);
    nf_arena_free(&tagger->arena);
    free(tagger);
}

const nf_model *nf_tagger_model(const nf_tagger *tagger) { return tagger->model; }

/* ---------------------------------------------------------------- pieces */

typedef struct pieces {
    piece *items;
    size_t count, capacity;
} pieces;

static nerfit_status add_piece(nf_tagger *t, pieces *out, const nf_encoding *encoding,
                               const nf_window *window, size_t text, nerfit_error *err) {
    if (out->count == out->capacity) {
        size_t capacity = out->capacity ? 2 * out->capacity : 64;
        piece *grown = realloc(out->items, capacity * sizeof *grown);
        if (!grown) return nf_no_memory(err, capacity * sizeof *grown);
        out->items = grown;
        out->capacity = capacity;
    }
    size_t length = t->before + (window->end - window->start) + t->after;
    int32_t *ids = nf_arena_alloc(&t->arena, length * sizeof *ids + 1);
    if (!ids) return nf_no_memory(err, length * sizeof *ids);
    nf_window_ids(encoding, window, t->before, t->after, ids);
    out->items[out->count++] = (piece){text, *window, ids, length};
    return NERFIT_OK;
}

/* Encodes a text, fills its tokens (still without labels), and adds its windows. */
static nerfit_status prepare(nf_tagger *t, pieces *out, const nf_text *text, size_t index,
                             nf_tagged *result, nf_encoding *encoding, nerfit_error *err) {
    NF_TRY(nf_tokenizer_encode(t->model->tokenizer, text->text, text->size, true, encoding, err));
    size_t n = encoding->length - t->before - t->after;
    *result = (nf_tagged){.n_tokens = n};
    result->tokens = nf_arena_calloc(&t->arena, n + 1, sizeof *result->tokens);
    bool *starts_word = malloc(n + 1);
    if (!result->tokens || !starts_word) {
        free(starts_word);
        return nf_no_memory(err, n);
    }
    nf_word_starts(encoding, t->before, n, text->text, text->size, starts_word);
    for (size_t i = 0; i < n; i++) {
        size_t at = t->before + i;
        result->tokens[i] = (nf_tagged_token){.start = encoding->starts[at],
                                              .end = encoding->ends[at],
                                              .id = encoding->ids[at],
                                              .starts_word = starts_word[i]};
    }
    size_t capacity = nf_model_max_length(t->model) - t->before - t->after, count;
    nf_window *windows;
    nerfit_status status =
        nf_windows_plan(&windows, &count, n, capacity, capacity / 4, starts_word, err);
    for (size_t i = 0; i < count && status == NERFIT_OK && n > 0; i++)
        status = add_piece(t, out, encoding, &windows[i], index, err);
    if (status == NERFIT_OK) free(windows);
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
        size_t best = 0;
        double sum = 0.0;
        for (size_t k = 1; k < l; k++)
            if (row[k] > row[best]) best = k;
        for (size_t k = 0; k < l; k++) sum += exp((double)row[k] - (double)row[best]);
        result->tokens[i].label = (int32_t)best;
        result->tokens[i].score = (float)(1.0 / sum);
    }
}

static nerfit_status run_batch(nf_tagger *t, const piece *batch, size_t count, nf_tagged *results,
                               nerfit_error *err) {
    nf_tokens texts[TEXTS_A_BATCH];
    size_t n = 0, l = t->model->n_labels;
    for (size_t i = 0; i < count; i++) {
        texts[i] = (nf_tokens){batch[i].ids, batch[i].length};
        n += batch[i].length;
    }
    nf_pass pass = {.be = t->be, .ws = t->ws};
    nf_values *logits;
    nf_workspace_reset(t->ws);
    NF_TRY(nf_batch_load(&pass, &t->model->encoder, texts, count, err));
    if (nf_model_logits(t->model, &pass, &logits) != NERFIT_OK) return nf_no_memory(err, 0);
    NF_TRY(nf_backend_check(t->be, err));
    float *values = malloc(n * l * sizeof *values + 1);
    if (!values) return nf_no_memory(err, n * l * sizeof *values);
    t->be->to_f32(t->be, values, logits, n * l);
    const float *at = values;
    for (size_t i = 0; i < count; i++) {
        label_tokens(t, &batch[i], at, &results[batch[i].text]);
        at += batch[i].length * l;
    }
    free(values);
    return NERFIT_OK;
}

static nerfit_status run_pieces(nf_tagger *t, pieces *p, nf_tagged *results, nerfit_error *err) {
    if (p->count) qsort(p->items, p->count, sizeof *p->items, by_length);
    for (size_t first = 0; first < p->count;) {
        size_t count = 0, tokens = 0;
        while (first + count < p->count && count < TEXTS_A_BATCH &&
               (count == 0 || tokens + p->items[first + count].length <= TOKENS_A_BATCH))
            tokens += p->items[first + count++].length;
        NF_TRY(run_batch(t, p->items + first, count, results, err));
        first += count;
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- entities */

/* words [n_words + 1]: first tokens of the words; the span counts words. */
static nf_entity make_entity(const nf_text *text, const nf_tagged *tagged, const size_t *words,
                             const nf_label_span *span) {
    nf_entity e = {.start = tagged->tokens[words[span->start]].start,
                   .end = tagged->tokens[words[span->end] - 1].end,
                   .label = span->type};
    double sum = 0.0;
    for (size_t i = span->start; i < span->end; i++)
        sum += (double)tagged->tokens[words[i]].score;
    e.score = sum / (double)(span->end - span->start);
    e.byte_start = nf_utf8_offset(text->text, text->size, e.start);
    e.byte_end = nf_utf8_offset(text->text, text->size, e.end);
    uint32_t c;
    while (e.byte_start < e.byte_end) {
        size_t size = nf_utf8_decode(text->text + e.byte_start, e.byte_end - e.byte_start, &c);
        if (!nf_is_space(c)) break;
        e.byte_start += size;
        e.start++;
    }
    while (e.byte_end > e.byte_start) {
        size_t at = e.byte_end - 1;
        while (at > e.byte_start && ((unsigned char)text->text[at] & 0xC0) == 0x80) at--;
        nf_utf8_decode(text->text + at, e.byte_end - at, &c);
        if (!nf_is_space(c)) break;
        e.byte_end = at;
        e.end--;
    }
    return e;
}

static nerfit_status find_entities(nf_tagger *t, const nf_text *text, nf_tagged *tagged,
                                   nerfit_error *err) {
    size_t n = tagged->n_tokens, n_words = 0, count = 0;
    const char **labels = malloc((n + 1) * sizeof *labels);
    nf_label_span *spans = malloc((n + 1) * sizeof *spans);
    size_t *words = malloc((n + 1) * sizeof *words);
    tagged->entities = nf_arena_calloc(&t->arena, n + 1, sizeof *tagged->entities);
    nerfit_status status =
        labels && spans && words && tagged->entities ? NERFIT_OK : nf_no_memory(err, n);
    for (size_t i = 0; i < n && status == NERFIT_OK; i++) {
        if (!tagged->tokens[i].starts_word) continue;
        labels[n_words] = t->model->labels[tagged->tokens[i].label];
        words[n_words++] = i;
    }
    if (status == NERFIT_OK) {
        words[n_words] = n;
        status = nf_spans_from_labels(labels, n_words, NF_SCHEME_NONE, spans, &count, err);
    }
    for (size_t i = 0; i < count && status == NERFIT_OK; i++) {
        nf_entity e = make_entity(text, tagged, words, &spans[i]);
        if (e.start < e.end) tagged->entities[tagged->n_entities++] = e;
    }
    free(labels);
    free(spans);
    free(words);
    return status;
}

nerfit_status nf_tagger_tag(nf_tagger *t, const nf_text *texts, size_t count, nf_tagged *results,
                            nerfit_error *err) {
    pieces p = {0};
    nf_encoding encoding = {0};
    nerfit_status status = NERFIT_OK;
    nf_arena_free(&t->arena);
    for (size_t i = 0; i < count && status == NERFIT_OK; i++) {
        status = prepare(t, &p, &texts[i], i, &results[i], &encoding, err);
        if (status != NERFIT_OK) nf_fail_within(err, status, "text %zu", i + 1);
    }
    if (status == NERFIT_OK) status = run_pieces(t, &p, results, err);
    for (size_t i = 0; i < count && status == NERFIT_OK; i++)
        status = find_entities(t, &texts[i], &results[i], err);
    nf_encoding_free(&encoding);
    free(p.items);
    return status;
}

nerfit_status nf_tagger_gold(const nf_document *document, const nf_tagged *tagged,
                             nf_arena *arena, const char **labels, nerfit_error *err) {
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
            if (token->start >= span->end) break;
            if (token->end <= span->start) continue;
            labels[i] = first ? begin : inside;
            first = false;
            taken = i + 1;
        }
    }
    return NERFIT_OK;
}
