/* Tagging by a GLiNER model: what tagger.c does with a text and a batch, for spans that are scored
 * against the call's labels. A text's windows may go through the model on several threads; each leaves
 * what it found in a place of its own, and the last one chooses among all. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "infer/tagger_impl.h"
#include "model/gliner_decode.h"

/* What is known of a text besides its result; in the worker's arena. */
struct nf_gliner_state {
    uint32_t (*words)[2]; /* [n_words] code points */
    size_t n_words;
    nf_word_window *windows;
    size_t n_windows;
    nf_span_list *found; /* [n_windows] spans, in memory of an arena */
    float *logits;       /* [n_words, labels, 3] of models that score words; else NULL */
};

/* Those of the text's labels, or the call's. */
static const nf_rules *rules_of(const nf_tagging_work *in, size_t text) {
    return nf_text_rules(&in->run->portion.texts[text], &in->job->call);
}

/* ---------------------------------------------------------------- encoding */

static nerfit_status copy_words(const nf_gliner_words *words, struct nf_gliner_state *state,
                                nf_tagged *result, nf_arena *arena, nerfit_error *err) {
    size_t n = words->words.count;
    state->n_words = n;
    state->words = nf_arena_alloc(arena, n * sizeof *state->words + 1);
    *result = (nf_tagged){.n_tokens = n, .n_words = n};
    result->tokens = nf_arena_calloc(arena, n + 1, sizeof *result->tokens);
    result->words = nf_arena_alloc(arena, (n + 1) * sizeof *result->words);
    if (!state->words || !result->tokens || !result->words) return nf_no_memory(err, n);
    for (size_t i = 0; i < n; i++) {
        const nf_pattern_word *w = &words->words.items[i];
        state->words[i][0] = w->start;
        state->words[i][1] = w->end;
        result->words[i] = (uint32_t)i;
        result->tokens[i] = (nf_tagged_token){
            .start = w->start,
            .end = w->end,
            .text_start = w->start,
            .text_end = w->end,
            .id = words->firsts[i] < words->firsts[i + 1] ? words->ids[words->firsts[i]] : -1,
            .starts_word = true};
    }
    result->words[n] = (uint32_t)n;
    return NERFIT_OK;
}

static nerfit_status add_window(const nf_tagging_work *in, size_t text, size_t index,
                                nerfit_error *err) {
    const nf_gliner_labels *labels = rules_of(in, text)->gliner;
    const nf_word_window *window = &in->run->states[text].gliner->windows[index];
    nf_arena *arena = &in->run->arenas[in->index];
    nf_gliner_text *sequence = nf_arena_calloc(arena, 1, sizeof *sequence);
    if (!sequence) return nf_no_memory(err, sizeof *sequence);
    NF_TRY(nf_gliner_sequence(sequence, &labels->prompt, &in->worker->words, window->start,
                              window->end, labels->room, arena, err));
    sequence->label_vectors = labels->vectors;
    nf_piece piece = {.text = text,
                      .window = {window->start, window->end, window->start, window->end},
                      .length = sequence->length,
                      .sequence = sequence,
                      .index = index};
    return nf_pieces_add(&in->run->lists[in->index], &piece) ? NERFIT_OK
                                                             : nf_no_memory(err, sizeof piece);
}

nerfit_status nf_gliner_encode(const nf_tagging_work *in, size_t text, nerfit_error *err) {
    const nf_tagger *t = in->tagger;
    nf_tagging_worker *w = in->worker;
    nf_portion_run *run = in->run;
    const nf_gliner_config *config = &t->model->gliner->config;
    const nf_gliner_labels *labels = rules_of(in, text)->gliner;
    const nf_text *given = &run->portion.texts[text];
    nf_arena *arena = &run->arenas[in->index];
    struct nf_gliner_state *state = nf_arena_calloc(arena, 1, sizeof *state);
    if (!labels->room) return nf_gliner_labels_missing(t->model, err);
    if (!state) return nf_no_memory(err, sizeof *state);
    run->states[text].gliner = state;
    NF_TRY(nf_gliner_words_encode(&w->words, t->model->tokenizer, w->scratch, given->text,
                                  given->size, rules_of(in, text)->characters, err));
    NF_TRY(nf_gliner_words_divide(&w->words, t->model->tokenizer, w->scratch, given->text,
                                  labels->room, err));
    NF_TRY(copy_words(&w->words, state, &run->portion.results[text], arena, err));
    size_t overlap = config->max_words / 4;
    if (overlap < config->max_width) overlap = config->max_width;
    const nf_word_limits limits = {config->max_words, labels->room, overlap};
    nf_word_window *windows;
    NF_TRY(nf_word_windows_plan(&windows, &state->n_windows, w->words.firsts, state->n_words,
                                &limits, err));
    state->windows = nf_arena_alloc(arena, state->n_windows * sizeof *windows + 1);
    state->found = nf_arena_calloc(arena, state->n_windows + 1, sizeof *state->found);
    nerfit_status status = state->windows && state->found ? NERFIT_OK : nf_no_memory(err, 0);
    if (status == NERFIT_OK && state->n_windows)
        memcpy(state->windows, windows, state->n_windows * sizeof *windows);
    free(windows);
    if (status == NERFIT_OK && nf_gliner_scores_words(t->model->gliner)) {
        size_t cells = state->n_words * labels->count * 3;
        state->logits = nf_arena_alloc(arena, cells * sizeof *state->logits + 1);
        if (!state->logits) status = nf_no_memory(err, cells * sizeof *state->logits);
    }
    atomic_init(&run->states[text].pieces_left, state->n_windows);
    for (size_t i = 0; i < state->n_windows && status == NERFIT_OK; i++)
        status = add_window(in, text, i, err);
    if (status == NERFIT_OK && state->n_windows == 0) status = nf_tagger_finish(in, text, err);
    return status;
}

/* ---------------------------------------------------------------- entities */

/* Words get the labels of entities that share none with a better one. */
static void label_words(nf_tagged *result, const nf_entity *span) {
    for (uint32_t i = span->start; i < span->end; i++)
        if (result->tokens[i].label && result->tokens[i].score >= span->score) return;
    for (uint32_t i = span->start; i < span->end; i++) {
        result->tokens[i].label = 1 + 2 * span->type + (i > span->start);
        result->tokens[i].score = (float)span->score;
    }
}

static nerfit_status choose_entities(const nf_rules *rules, const struct nf_gliner_state *state,
                                     nf_span_list *all, nf_tagged *result, nf_arena *arena,
                                     nerfit_error *err) {
    NF_TRY(nf_spans_choose(all->items, &all->count, state->n_words, &rules->spans, err));
    result->entities = nf_arena_alloc(arena, all->count * sizeof *result->entities + 1);
    if (!result->entities) return nf_no_memory(err, all->count * sizeof *result->entities);
    result->n_entities = all->count;
    result->entropy = 0; /* of the spans above the threshold: is it one, or not */
    for (size_t i = 0; i < all->count; i++) {
        const nf_entity *span = &all->items[i];
        result->entities[i] =
            (nf_entity){state->words[span->start][0], state->words[span->end - 1][1], span->type,
                        nf_calibration_apply(&rules->calibration, span->score)};
        double p = result->entities[i].score;
        if (p > 0 && p < 1) result->entropy -= p * log(p) + (1 - p) * log(1 - p);
        label_words(result, span);
    }
    return NERFIT_OK;
}

/* [labels] as the model's own scores, in the arena; NULL: out of memory. */
static double *label_thresholds(const nf_rules *rules, nf_arena *arena) {
    size_t n = rules->gliner->count;
    double *thresholds = nf_arena_alloc(arena, n * sizeof *thresholds + 1);
    for (size_t c = 0; c < n && thresholds; c++)
        thresholds[c] =
            nf_calibration_invert(&rules->calibration, nf_rules_threshold(rules, (int32_t)c));
    return thresholds;
}

/* All windows of the text are read. */
static nerfit_status finish_text(const nf_tagging_work *in, size_t text, const double *thresholds,
                                 nerfit_error *err) {
    const nf_rules *rules = rules_of(in, text);
    nf_portion_run *run = in->run;
    struct nf_gliner_state *state = run->states[text].gliner;
    nf_span_list *all = &in->worker->spans;
    all->count = 0;
    if (state->logits)
        NF_TRY(nf_gliner_add_word_spans(all, state->logits, state->n_words, rules->gliner->count,
                                        thresholds, err));
    for (size_t i = 0; i < state->n_windows; i++)
        NF_TRY(nf_span_list_append(all, &state->found[i], err));
    NF_TRY(choose_entities(rules, state, all, &run->portion.results[text], &run->arenas[in->index],
                           err));
    return nf_tagger_finish(in, text, err);
}

/* ---------------------------------------------------------------- batches */

/* A weight that is not a number makes all that follows one; spans past the end are -inf. */
static nerfit_status check_numbers(const nf_model *model, const nf_gliner_logits *logits, size_t n,
                                   nerfit_error *err) {
    for (size_t i = 0; i < n; i++)
        if (isnan(logits->values[i])) {
            NF_TRY(nf_network_check_finite(&model->net, model->folder, false, err));
            return nf_fail(err, NERFIT_NUMERIC,
                           "%s gives a logit that is not finite (NaN), though all its weights are: "
                           "they are too large for the precision",
                           model->folder);
        }
    return NERFIT_OK;
}

/* What a window's logits say, into its place of the text. */
static nerfit_status read_window(const nf_tagging_work *in, const nf_piece *p,
                                 const nf_gliner_logits *logits, const double *thresholds,
                                 nerfit_error *err) {
    const nf_model *model = in->tagger->model;
    const nf_gliner *g = model->gliner;
    nf_tagging_worker *w = in->worker;
    struct nf_gliner_state *state = in->run->states[p->text].gliner;
    const nf_word_window *window = &state->windows[p->index];
    size_t c = p->sequence->n_labels, n = window->end - window->start;
    NF_TRY(check_numbers(model, logits, n * c * (g->token ? 3 : g->config.max_width), err));
    for (size_t i = 0; i < n && state->logits; i++)
        if (nf_word_window_owns(state->windows, state->n_windows, p->index, window->start + i,
                                window->start + i))
            memcpy(state->logits + (window->start + i) * c * 3, logits->values + i * c * 3,
                   c * 3 * sizeof *logits->values);
    if (state->logits) return NERFIT_OK;
    const nf_gliner_window at = {state->windows, state->n_windows, p->index, logits, c};
    w->spans.count = 0;
    NF_TRY(nf_gliner_add_spans(&w->spans, g, &at, thresholds, err));
    nf_span_list *found = &state->found[p->index];
    found->count = w->spans.count;
    found->items =
        nf_arena_alloc(&in->run->arenas[in->index], found->count * sizeof *found->items + 1);
    if (!found->items) return nf_no_memory(err, found->count * sizeof *found->items);
    if (found->count) memcpy(found->items, w->spans.items, found->count * sizeof *found->items);
    return NERFIT_OK;
}

/* The texts of a batch, and the least of their labels' thresholds: at which words make spans. */
static double take_texts(const nf_tagging_work *in, const nf_piece *pieces, size_t count,
                         nf_gliner_text *texts) {
    double least = 1.0;
    for (size_t i = 0; i < count; i++) {
        const nf_rules *rules = rules_of(in, pieces[i].text);
        texts[i] = *pieces[i].sequence;
        for (size_t c = 0; c < rules->gliner->count; c++)
            least = fmin(least, nf_calibration_invert(&rules->calibration,
                                                      nf_rules_threshold(rules, (int32_t)c)));
    }
    return least;
}

static nerfit_status run_windows(const nf_tagging_work *in, const nf_piece_batch *batch,
                                 nf_arena *arena, size_t *failed, nerfit_error *err) {
    nf_tagging_worker *w = in->worker;
    const nf_piece *pieces = in->run->pieces.items + batch->first;
    nf_gliner_text *texts = nf_arena_calloc(arena, batch->count, sizeof *texts);
    nf_gliner_logits *logits = nf_arena_calloc(arena, batch->count, sizeof *logits);
    if (!texts || !logits) return nf_no_memory(err, batch->count * sizeof *texts);
    double least = take_texts(in, pieces, batch->count, texts);
    nf_pass pass = {.be = w->be, .ws = w->ws};
    nf_workspace_reset(w->ws);
    NF_TRY(nf_gliner_forward(in->tagger->model, &pass, texts, batch->count, least, arena, logits,
                             err));
    for (size_t i = 0; i < batch->count; i++) {
        size_t text = *failed = pieces[i].text;
        const double *thresholds = label_thresholds(rules_of(in, text), arena);
        if (!thresholds) return nf_no_memory(err, 0);
        NF_TRY(read_window(in, &pieces[i], &logits[i], thresholds, err));
        if (atomic_fetch_sub(&in->run->states[text].pieces_left, 1) == 1)
            NF_TRY(finish_text(in, text, thresholds, err));
    }
    return NERFIT_OK;
}

nerfit_status nf_gliner_batch(const nf_tagging_work *in, size_t batch, size_t *failed,
                              nerfit_error *err) {
    const nf_piece_batch *own = &in->run->batches[batch];
    nf_arena arena = {0};
    *failed = in->run->pieces.items[own->first].text;
    nerfit_status status = run_windows(in, own, &arena, failed, err);
    nf_arena_free(&arena);
    return status;
}
