/* Texts with their words and entities, to which prompter.c puts labels. */
#include <stdlib.h>
#include <string.h>

#include "data/weights.h"
#include "train/prompted.h"

enum { REPORTED = 5 };

typedef struct maker {
    nf_examples *out;
    nf_prompter *p;
    const nf_prompt_set *set;
    const nf_corpus *corpus;
    const nf_log *log;
    nf_gliner_words words;
    uint32_t *every; /* [n_types] all types in their order */
    nerfit_error *err;
} maker;

static void report(maker *m, size_t *counter, const nf_document *d, const nf_span *span,
                   const char *what) {
    if (++*counter <= REPORTED)
        nf_log_warning(m->log, "%s:%ld: entity \"%s\" at %u..%u %s", d->file, d->line, span->label,
                       span->start, span->end, what);
}

/* The document's entities as words of the whole text. */
static nerfit_status find_golds(maker *m, const nf_document *d, nf_entity *golds, size_t *count) {
    const nf_pattern_word *words = m->words.words.items;
    const nf_gliner_config *config = &m->p->model->gliner->config;
    size_t n = m->words.words.count, at = 0;
    *count = 0;
    for (size_t i = 0; i < d->n_spans; i++) {
        const nf_span *span = &d->spans[i];
        int32_t type = nf_label_set_type(m->set->labels, span->label);
        if (type < 0)
            return nf_fail_at(m->err, NERFIT_FORMAT, d->file, d->line, 0,
                              "label \"%s\" is not among the labels (its description is missing)",
                              span->label);
        while (at && words[at - 1].end > span->start) at--; /* spans may nest */
        while (at < n && words[at].end <= span->start) at++;
        size_t last = at;
        while (last + 1 < n && words[last + 1].start < span->end) last++;
        if (at >= n || words[at].start >= span->end) {
            report(m, &m->out->n_uncovered, d, span, "has no word: it cannot be learned");
            continue;
        }
        if (words[at].start < span->start || words[last].end > span->end)
            report(m, &m->out->n_inner_edges, d, span,
                   "has an edge inside a word: the whole word is labelled");
        if (config->span_mode != NF_SPAN_TOKEN_LEVEL && last - at >= config->max_width) {
            report(m, &m->out->n_long, d, span,
                   "has more words than the model's spans: it cannot be learned");
            continue;
        }
        golds[(*count)++] =
            (nf_entity){.start = (uint32_t)at, .end = (uint32_t)last + 1, .type = type, .score = 1};
    }
    return NERFIT_OK;
}

/* Ids and firsts of the words, in the examples' arena. */
static nerfit_status keep_words(maker *m, nf_gliner_words *out) {
    nf_arena *arena = &m->out->arena;
    size_t n = m->words.words.count;
    *out = (nf_gliner_words){.n_ids = m->words.n_ids};
    out->words.count = n;
    out->firsts = nf_arena_alloc(arena, (n + 1) * sizeof *out->firsts);
    out->ids = nf_arena_alloc(arena, out->n_ids * sizeof *out->ids + 1);
    if (!out->firsts || !out->ids) return nf_no_memory(m->err, n);
    memcpy(out->firsts, m->words.firsts, (n + 1) * sizeof *out->firsts);
    if (out->n_ids) memcpy(out->ids, m->words.ids, out->n_ids * sizeof *out->ids);
    return NERFIT_OK;
}

/* The words of a range of the text; false: it has none. */
static bool words_of(const maker *m, uint32_t start, uint32_t end, nf_entity *out) {
    const nf_pattern_word *words = m->words.words.items;
    size_t n = m->words.words.count, first = 0;
    while (first < n && words[first].end <= start) first++;
    size_t last = first;
    while (last < n && words[last].start < end) last++;
    *out = (nf_entity){.start = (uint32_t)first, .end = (uint32_t)last};
    return last > first;
}

/* The parts of the unknown places that lie in the piece, counted from its first word. */
static nerfit_status add_unknown(maker *m, nf_prompt_source *s, const nf_beside *beside) {
    size_t n = beside ? beside->n_unknown : 0;
    uint32_t first = (uint32_t)s->first, end = (uint32_t)s->end;
    nf_entity *unknown = nf_arena_alloc(&m->out->arena, n * sizeof *unknown + 1), range;
    if (!unknown) return nf_no_memory(m->err, n * sizeof *unknown);
    s->unknown = unknown;
    for (size_t i = 0; i < n; i++) {
        if (!words_of(m, beside->unknown[i].start, beside->unknown[i].end, &range)) continue;
        if (range.end <= first || range.start >= end) continue;
        range.start = range.start < first ? 0 : range.start - first;
        range.end = (range.end < end ? range.end : end) - first;
        unknown[s->n_unknown++] = range;
    }
    return NERFIT_OK;
}

/* The labels that were looked for. */
static nerfit_status add_types(maker *m, nf_prompt_source *s, const nf_document *d) {
    const nf_beside *beside = d->beside;
    s->types = m->every;
    s->n_types = m->set->labels->n_types;
    if (!beside || !beside->labels) return NERFIT_OK;
    uint32_t *types = nf_arena_alloc(&m->out->arena, beside->n_labels * sizeof *types + 1);
    if (!types) return nf_no_memory(m->err, beside->n_labels * sizeof *types);
    s->types = types;
    s->n_types = 0;
    for (size_t i = 0; i < beside->n_labels; i++) {
        int32_t type = nf_label_set_type(m->set->labels, beside->labels[i]);
        if (type >= 0) types[s->n_types++] = (uint32_t)type;
    }
    return NERFIT_OK;
}

/* Entities within the window, counted from its first word; `cut`: those that lie in no window. */
static nerfit_status add_piece(maker *m, const nf_gliner_words *words, const nf_word_window *window,
                               const nf_entity *golds, size_t n_golds, bool *whole,
                               size_t document) {
    nf_arena *arena = &m->out->arena;
    nf_prompt_source *s = nf_arena_calloc(arena, 1, sizeof *s);
    nf_entity *own = nf_arena_alloc(arena, n_golds * sizeof *own + 1);
    nf_example *example = nf_examples_add(m->out);
    if (!s || !own || !example) return nf_no_memory(m->err, sizeof *s);
    *s = (nf_prompt_source){
        .set = m->set, .words = *words, .first = window->start, .end = window->end, .golds = own};
    for (size_t i = 0; i < n_golds; i++) {
        nf_entity gold = golds[i];
        if (gold.start < window->start || gold.end > window->end) continue;
        whole[i] = true;
        gold.start -= (uint32_t)window->start;
        gold.end -= (uint32_t)window->start;
        own[s->n_golds++] = gold;
    }
    s->weight = nf_weight_of(m->corpus->documents[document].beside);
    NF_TRY(add_unknown(m, s, m->corpus->documents[document].beside));
    NF_TRY(add_types(m, s, &m->corpus->documents[document]));
    if (s->n_types == 0) { /* none of the labels was looked for: there is nothing to learn */
        m->out->count--;
        return NERFIT_OK;
    }
    *example = (nf_example){.document = document,
                            .length = words->firsts[window->end] - words->firsts[window->start],
                            .n_words = window->end - window->start,
                            .prompted = &s->all};
    nf_prompt_choice all;
    if (m->set->evaluated) {
        NF_TRY(nf_prompt_choose_all(s, &all, arena, m->err));
        NF_TRY(nf_prompter_put(m->p, s, &all, &s->all, example, arena, m->err));
    }
    m->out->n_tokens += example->length;
    return NERFIT_OK;
}

static nerfit_status add_pieces(maker *m, size_t document, const nf_entity *golds, size_t n_golds,
                                const nf_word_window *windows, size_t n_windows) {
    nf_gliner_words words;
    bool *whole = nf_arena_calloc(&m->out->arena, n_golds + 1, sizeof *whole);
    if (!whole) return nf_no_memory(m->err, n_golds);
    NF_TRY(keep_words(m, &words));
    for (size_t i = 0; i < n_windows; i++)
        NF_TRY(add_piece(m, &words, &windows[i], golds, n_golds, whole, document));
    m->out->n_split_documents += n_windows > 1;
    for (size_t i = 0; i < n_golds; i++) m->out->n_split_entities += !whole[i];
    return NERFIT_OK;
}

static nerfit_status add_document(maker *m, size_t index) {
    const nf_document *d = &m->corpus->documents[index];
    const nf_gliner_config *config = &m->p->model->gliner->config;
    const nf_word_limits limits = {config->max_words, m->set->room, config->max_width};
    nf_word_window *windows = NULL;
    size_t n_windows = 0, n_golds = 0;
    nf_entity *golds = malloc(d->n_spans * sizeof *golds + 1);
    if (!golds) return nf_no_memory(m->err, d->n_spans * sizeof *golds);
    nerfit_status status =
        nf_gliner_words_encode(&m->words, m->p->model->tokenizer, m->p->scratch, d->text,
                               d->text_size, m->p->model->gliner->characters, m->err);
    if (status == NERFIT_OK)
        status = nf_gliner_words_divide(&m->words, m->p->model->tokenizer, m->p->scratch, d->text,
                                        m->set->room, m->err);
    if (status != NERFIT_OK) nf_fail_within(m->err, status, "%s:%ld", d->file, d->line);
    if (status == NERFIT_OK) status = find_golds(m, d, golds, &n_golds);
    if (status == NERFIT_OK)
        status = nf_word_windows_plan(&windows, &n_windows, m->words.firsts, m->words.words.count,
                                      &limits, m->err);
    if (status == NERFIT_OK) status = add_pieces(m, index, golds, n_golds, windows, n_windows);
    free(golds);
    free(windows);
    return status;
}

nerfit_status nf_prompted_examples_make(nf_examples *out, nf_prompter *prompter, size_t set,
                                        const nf_corpus *corpus, const nf_log *log,
                                        nerfit_error *err) {
    maker m = {.out = out,
               .p = prompter,
               .set = prompter->sets[set],
               .corpus = corpus,
               .log = log,
               .err = err};
    size_t n = m.set->labels->n_types;
    m.every = nf_arena_alloc(&out->arena, n * sizeof *m.every + 1);
    nerfit_status status = m.every ? NERFIT_OK : nf_no_memory(err, n * sizeof *m.every);
    for (size_t i = 0; i < n && m.every; i++) m.every[i] = (uint32_t)i;
    for (size_t i = 0; i < corpus->n_documents && status == NERFIT_OK; i++)
        status = add_document(&m, i);
    nf_gliner_words_free(&m.words);
    if (status != NERFIT_OK) nf_examples_free(out);
    return status;
}

void nf_prompted_examples_tell(const nf_examples *out, const nf_log *log) {
    if (out->n_split_documents)
        nf_log_warning(log,
                       "%zu texts are longer than the model takes and become several, which "
                       "overlap%s",
                       out->n_split_documents,
                       out->n_split_entities ? "; entities that lie in none of them whole are not "
                                               "learned"
                                             : "");
    if (out->n_inner_edges > REPORTED || out->n_uncovered > REPORTED || out->n_long > REPORTED)
        nf_log_warning(log,
                       "in all, %zu entities have an edge inside a word, %zu no word, %zu more "
                       "words than spans",
                       out->n_inner_edges, out->n_uncovered, out->n_long);
}
