#include "infer/tagger.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "infer/tagger_impl.h"
#include "labels/span_tokens.h"
#include "text/word_shapes.h"
#include "text/word_starts.h"

/* What a thread takes through the model at once: enough for its products, and little enough that
 * what one layer leaves is still in the cache when the next one reads it. The weights of large models
 * do not stay there, and are read again for every batch: theirs have more tokens. */
enum { TOKENS_A_BATCH = 256, TOKENS_OF_LARGE = 512, LARGE_HIDDEN = 768, TEXTS_A_BATCH = 64 };

/* ---------------------------------------------------------------- workers */

nerfit_status nf_tagging_worker_make(nf_tagging_worker *w, nf_backend *be, bool own,
                                     nerfit_error *err) {
    *w = (nf_tagging_worker){.be = be, .own = own};
    w->scratch = nf_tokenizer_scratch_new();
    return w->scratch ? nf_workspace_new(&w->ws, be, err) : nf_no_memory(err, 0);
}

void nf_tagging_worker_free(nf_tagging_worker *w) {
    nf_workspace_free(w->ws);
    nf_tokenizer_scratch_free(w->scratch);
    nf_encoding_free(&w->encoding);
    nf_entity_finder_free(&w->finder);
    nf_lists_scratch_free(&w->lists);
    free(w->values);
    free(w->rows);
    free(w->starts_word);
    free(w->ranges);
    free(w->shapes);
    nf_gliner_words_free(&w->words);
    nf_span_list_free(&w->spans);
    if (w->own && w->be) w->be->free(w->be);
    *w = (nf_tagging_worker){0};
}

static nerfit_status worker_reserve_tokens(nf_tagging_worker *w, size_t n, nerfit_error *err) {
    if (n <= w->n_tokens && w->starts_word) return NERFIT_OK;
    size_t room = 2 * n + 64;
    free(w->starts_word);
    free(w->ranges);
    free(w->shapes);
    w->starts_word = malloc(room * sizeof *w->starts_word);
    w->ranges = malloc(2 * room * sizeof *w->ranges);
    w->shapes = malloc(room * sizeof *w->shapes);
    w->n_tokens = w->starts_word && w->ranges && w->shapes ? room : 0;
    return w->n_tokens ? NERFIT_OK : nf_no_memory(err, 2 * room * sizeof *w->ranges);
}

static nerfit_status worker_reserve_rows(nf_tagging_worker *w, size_t n, nerfit_error *err) {
    if (n <= w->n_rows) return NERFIT_OK;
    free(w->rows);
    w->rows = malloc(n * sizeof *w->rows);
    w->n_rows = w->rows ? n : 0;
    return w->rows ? NERFIT_OK : nf_no_memory(err, n * sizeof *w->rows);
}

static nerfit_status worker_reserve_values(nf_tagging_worker *w, size_t n, nerfit_error *err) {
    if (n <= w->capacity) return NERFIT_OK;
    free(w->values);
    w->values = malloc(n * sizeof *w->values);
    w->capacity = w->values ? n : 0;
    return w->values ? NERFIT_OK : nf_no_memory(err, n * sizeof *w->values);
}

/* ---------------------------------------------------------------- encoding */

bool nf_pieces_add(nf_pieces_list *list, const nf_piece *piece) {
    if (!nf_array_reserve(&list->items, &list->capacity, list->count + 1, sizeof *list->items))
        return false;
    list->items[list->count++] = *piece;
    return true;
}

/* `shapes` of the text's tokens; or NULL. */
static nerfit_status add_piece(const nf_tagger *t, nf_pieces_list *out, nf_arena *arena,
                               const nf_encoding *encoding, const nf_piece *piece,
                               const int32_t *shapes, nerfit_error *err) {
    size_t size = piece->window.end - piece->window.start, length = t->before + size + t->after;
    int32_t *ids = nf_arena_alloc(arena, length * sizeof *ids + 1);
    int32_t *own = shapes ? nf_arena_calloc(arena, length, sizeof *own) : NULL;
    if (!ids || (shapes && !own)) return nf_no_memory(err, length * sizeof *ids);
    nf_window_ids(encoding, &piece->window, t->before, t->after, ids);
    for (size_t i = 0; i < size && own; i++) own[t->before + i] = shapes[piece->window.start + i];
    nf_piece made = {
        .text = piece->text, .window = piece->window, .ids = ids, .shapes = own, .length = length};
    return nf_pieces_add(out, &made) ? NERFIT_OK : nf_no_memory(err, sizeof made);
}

/* The tokens of the worker's encoding, and their words. */
static nerfit_status make_tokens(const nf_tagger *t, nf_tagging_worker *w, const nf_rules *rules,
                                 nf_arena *arena, const nf_text *text, nf_tagged *result,
                                 nerfit_error *err) {
    const nf_encoding *e = &w->encoding;
    size_t n = e->length - t->before - t->after;
    *result = (nf_tagged){.n_tokens = n};
    NF_TRY(worker_reserve_tokens(w, n, err));
    const nf_encoded_text encoded = {e, t->before, t->after, text->text, text->size};
    NF_TRY(nf_word_starts(&encoded, rules->words, w->starts_word, err));
    nf_subword_ranges(&encoded, w->starts_word, w->ranges, w->ranges + n);
    nf_tagged_token *tokens = result->tokens = nf_arena_alloc(arena, n * sizeof *tokens);
    uint32_t *words = result->words = nf_arena_alloc(arena, (n + 1) * sizeof *words);
    if (!tokens || !words) return nf_no_memory(err, n * sizeof *tokens);
    for (size_t i = 0; i < n; i++) {
        size_t at = t->before + i;
        tokens[i] = (nf_tagged_token){.start = e->starts[at],
                                      .end = e->ends[at],
                                      .text_start = w->ranges[i],
                                      .text_end = w->ranges[n + i],
                                      .id = e->ids[at],
                                      .starts_word = w->starts_word[i]};
        if (w->starts_word[i]) words[result->n_words++] = (uint32_t)i;
    }
    words[result->n_words] = (uint32_t)n;
    return NERFIT_OK;
}

/* The text's windows as pieces. */
static nerfit_status divide_text(const nf_tagging_work *in, size_t text, const int32_t *shapes,
                                 size_t *count, nerfit_error *err) {
    const nf_tagger *t = in->tagger;
    const nf_tagging_worker *w = in->worker;
    nf_arena *arena = &in->run->arenas[in->index];
    nf_pieces_list *out = &in->run->lists[in->index];
    size_t n = in->run->portion.results[text].n_tokens;
    size_t capacity = nf_model_max_length(t->model) - t->before - t->after;
    nf_piece piece = {.text = text, .window = {0, n, 0, n}};
    nf_window *windows = NULL;
    *count = n > 0;
    if (n == 0) return NERFIT_OK;
    if (n <= capacity) return add_piece(t, out, arena, &w->encoding, &piece, shapes, err);
    nerfit_status status =
        nf_windows_plan(&windows, count, n, capacity, capacity / 4, w->starts_word, err);
    for (size_t i = 0; i < *count && status == NERFIT_OK; i++) {
        piece.window = windows[i];
        status = add_piece(t, out, arena, &w->encoding, &piece, shapes, err);
    }
    free(windows);
    return status;
}

nerfit_status nf_tagger_finish(const nf_tagging_work *in, size_t text, nerfit_error *err) {
    const nf_tagging_job *job = in->job;
    nf_portion_run *run = in->run;
    const nf_text *given = &run->portion.texts[text];
    const nf_rules *rules = nf_text_rules(given, &job->call);
    if (rules->lists)
        NF_TRY(nf_lists_amend(rules, &in->worker->lists, given, &run->portion.results[text],
                              &run->arenas[in->index], err));
    return job->tagged ? job->tagged(job->user, &run->portion, text, err) : NERFIT_OK;
}

/* A text without sub-words goes through no batch. */
static nerfit_status finish_text(const nf_tagging_work *in, size_t text, const double *logits,
                                 nerfit_error *err) {
    const nf_tagging_job *job = in->job;
    nf_portion_run *run = in->run;
    in->worker->finder.entropy = job->call.entropy;
    NF_TRY(nf_entities_find(&in->worker->finder, job->call.rules, &run->portion.texts[text],
                            &run->portion.results[text], logits, job->token_scores,
                            &run->arenas[in->index], err));
    return nf_tagger_finish(in, text, err);
}

nerfit_status nf_tagger_encode(const nf_tagging_work *in, size_t text, nerfit_error *err) {
    const nf_tagger *t = in->tagger;
    nf_tagging_worker *w = in->worker;
    const nf_rules *rules = in->job->call.rules;
    nf_portion_run *run = in->run;
    const nf_text *given = &run->portion.texts[text];
    nf_tagged *result = &run->portion.results[text];
    nf_text_state *state = &run->states[text];
    nf_arena *arena = &run->arenas[in->index];
    int32_t *shapes = NULL;
    size_t count;
    NF_TRY(nf_tokenizer_encode_with(t->model->tokenizer, w->scratch, given->text, given->size, true,
                                    &w->encoding, err));
    NF_TRY(make_tokens(t, w, rules, arena, given, result, err));
    if (t->model->encoder.embedding.shapes) {
        shapes = w->shapes;
        const nf_encoded_text encoded = {&w->encoding, t->before, t->after, given->text,
                                         given->size};
        nf_word_shapes(&encoded, w->starts_word, shapes);
    }
    NF_TRY(divide_text(in, text, shapes, &count, err));
    atomic_init(&state->pieces_left, count);
    state->divided = count > 1;
    if (count == 0) return finish_text(in, text, NULL, err);
    if (!state->divided || !rules->by_words) return NERFIT_OK;
    size_t cells = result->n_words * (2 * rules->tags.n_types + 1);
    state->logits = nf_arena_alloc(arena, cells * sizeof *state->logits);
    return state->logits ? NERFIT_OK : nf_no_memory(err, cells * sizeof *state->logits);
}

/* ---------------------------------------------------------------- batches */

static int by_length(const void *a, const void *b) {
    const nf_piece *x = a, *y = b;
    if (x->length != y->length) return x->length < y->length ? -1 : 1;
    if (x->text != y->text) return x->text < y->text ? -1 : 1;
    return x->window.start < y->window.start ? -1 : x->window.start > y->window.start;
}

nerfit_status nf_tagger_plan(nf_tagger *t, nf_portion_run *run, nerfit_error *err) {
    nf_pieces_list *all = &run->pieces;
    int lists = t->n_workers;
    all->count = run->n_batches = 0;
    for (int i = 0; i < lists; i++) all->count += run->lists[i].count;
    if (all->count > all->capacity || !run->batches) {
        free(all->items);
        free(run->batches);
        all->items = malloc((all->count + 1) * sizeof *all->items);
        run->batches = malloc((all->count + 1) * sizeof *run->batches);
        all->capacity = all->items && run->batches ? all->count : 0;
        if (!all->items || !run->batches) return nf_no_memory(err, all->count * sizeof *all->items);
    }
    size_t most = t->model->encoder.hidden < LARGE_HIDDEN ? TOKENS_A_BATCH : TOKENS_OF_LARGE, n = 0;
    for (int i = 0; i < lists; i++) {
        if (run->lists[i].count)
            memcpy(all->items + n, run->lists[i].items, run->lists[i].count * sizeof *all->items);
        n += run->lists[i].count;
        run->lists[i].count = 0;
    }
    qsort(all->items, n, sizeof *all->items, by_length);
    for (size_t first = 0; first < n; first += run->batches[run->n_batches++].count) {
        size_t count = 0, tokens = 0;
        while (first + count < n && count < TEXTS_A_BATCH &&
               (count == 0 || tokens + all->items[first + count].length <= most))
            tokens += all->items[first + count++].length;
        run->batches[run->n_batches] = (nf_piece_batch){first, count};
    }
    return NERFIT_OK;
}

/* A weight that is not a number makes all that follows one; it would come out as "no entities". */
static nerfit_status check_finite(const nf_tagger *t, const float *logits, size_t n,
                                  nerfit_error *err) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(logits[i])) {
            NF_TRY(nf_network_check_finite(&t->model->net, t->model->folder, false, err));
            return nf_fail(err, NERFIT_NUMERIC,
                           "%s gives a logit that is not finite (%s), though all its weights are: "
                           "they are too large for the precision",
                           t->model->folder, isnan(logits[i]) ? "NaN" : "infinite");
        }
    return NERFIT_OK;
}

/* The rows of a batch that are wanted, with its text at row `at`: of the window's own tokens those
 * that begin a word, or all. Returns how many. */
static size_t wanted_rows(const nf_tagger *t, const nf_rules *rules, const nf_piece *p,
                          const nf_tagged *result, size_t at, int32_t *rows) {
    size_t n = 0;
    for (size_t i = p->window.own_start; i < p->window.own_end; i++)
        if (!rules->by_words || result->tokens[i].starts_word)
            rows[n++] = (int32_t)(at + t->before + i - p->window.start);
    return n;
}

/* The logits of the window's words, in the decoder's order; out [n_words, 2 types + 1]. */
static void take_word_logits(const nf_tagger *t, const nf_rules *rules, const nf_piece *p,
                             const nf_tagged *result, const float *row, double *out) {
    size_t l = t->model->n_labels, cells = 2 * rules->tags.n_types + 1, word = 0;
    while (word < result->n_words && result->words[word] < p->window.own_start) word++;
    for (; word < result->n_words && result->words[word] < p->window.own_end; word++, row += l) {
        for (size_t k = 0; k < cells; k++) /* a label that the model lacks is impossible */
            out[word * cells + k] = rules->ids[k] < 0 ? -1e6 : (double)row[rules->ids[k]];
    }
}

/* Each of the window's sub-words gets its most probable label. */
static void label_tokens(const nf_tagger *t, const nf_piece *p, nf_tagged *result,
                         const float *row) {
    size_t l = t->model->n_labels;
    for (size_t i = p->window.own_start; i < p->window.own_end; i++, row += l) {
        size_t best = 0;
        double sum = 0.0;
        for (size_t k = 1; k < l; k++)
            if (row[k] > row[best]) best = k;
        for (size_t k = 0; k < l; k++) sum += exp((double)row[k] - (double)row[best]);
        result->tokens[i].label = (int32_t)best;
        result->tokens[i].score = (float)(1.0 / sum);
    }
}

/* A piece's logits [n_rows, labels] into its text, and the text to its end if it was the last. */
static nerfit_status read_piece(const nf_tagging_work *in, const nf_piece *p, const float *logits,
                                size_t n_rows, nerfit_error *err) {
    const nf_tagger *t = in->tagger;
    const nf_rules *rules = in->job->call.rules;
    nf_tagged *result = &in->run->portion.results[p->text];
    nf_text_state *state = &in->run->states[p->text];
    double *words = state->logits;
    NF_TRY(check_finite(t, logits, n_rows * t->model->n_labels, err));
    if (rules->by_words) {
        size_t cells = result->n_words * (2 * rules->tags.n_types + 1);
        if (!state->divided) words = nf_entity_finder_logits(&in->worker->finder, cells);
        if (!words) return nf_no_memory(err, cells * sizeof *words);
        take_word_logits(t, rules, p, result, logits, words);
    } else {
        label_tokens(t, p, result, logits);
    }
    if (atomic_fetch_sub(&state->pieces_left, 1) != 1) return NERFIT_OK;
    return finish_text(in, p->text, words, err);
}

/* The logits of the batch's wanted rows into the worker's values. */
static nerfit_status run_model(const nf_tagger *t, nf_tagging_worker *w, const nf_tokens *texts,
                               size_t count, size_t n_rows, nerfit_error *err) {
    size_t cells = n_rows * t->model->n_labels;
    nf_pass pass = {.be = w->be, .ws = w->ws};
    nf_values *logits;
    nf_workspace_reset(w->ws);
    NF_TRY(nf_batch_load(&pass, &t->model->encoder, texts, count, err));
    pass.rows = nf_workspace_ints(pass.ws, w->rows, n_rows);
    pass.n_rows = n_rows;
    if (nf_model_logits(t->model, &pass, &logits) != NERFIT_OK) return nf_pass_failed(&pass, err);
    NF_TRY(nf_network_check_pass(&t->model->net, w->be, err));
    NF_TRY(worker_reserve_values(w, cells, err));
    w->be->to_f32(w->be, w->values, logits, cells);
    return NERFIT_OK;
}

nerfit_status nf_tagger_batch(const nf_tagging_work *in, size_t batch, size_t *failed,
                              nerfit_error *err) {
    const nf_tagger *t = in->tagger;
    nf_tagging_worker *w = in->worker;
    nf_portion_run *run = in->run;
    const nf_piece *pieces = run->pieces.items + run->batches[batch].first;
    size_t count = run->batches[batch].count, n = 0, l = t->model->n_labels;
    nf_tokens texts[TEXTS_A_BATCH];
    size_t n_rows[TEXTS_A_BATCH], all_rows = 0;
    *failed = pieces[0].text;
    for (size_t i = 0; i < count; i++) n += pieces[i].length;
    NF_TRY(worker_reserve_rows(w, n, err));
    n = 0;
    for (size_t i = 0; i < count; i++) {
        texts[i] = (nf_tokens){pieces[i].ids, pieces[i].length, pieces[i].shapes};
        n_rows[i] = wanted_rows(t, in->job->call.rules, &pieces[i],
                                &run->portion.results[pieces[i].text], n, w->rows + all_rows);
        all_rows += n_rows[i];
        n += pieces[i].length;
    }
    if (all_rows) NF_TRY(run_model(t, w, texts, count, all_rows, err));
    const float *at = w->values;
    for (size_t i = 0; i < count; i++) {
        *failed = pieces[i].text;
        NF_TRY(read_piece(in, &pieces[i], at, n_rows[i], err));
        at += n_rows[i] * l;
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- gold labels */

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
