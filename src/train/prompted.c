#include "train/prompted.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "data/weights.h"

enum { REPORTED = 5, STREAM_PROMPTS = 0x50524F4D };

struct nf_prompter {
    const nf_model *model;
    const nf_label_set *labels;
    const char *const *prompts;
    nf_encoding *encodings; /* [n_encodings] of a bi-encoder's labels; else NULL */
    size_t n_encodings;     /* the labels may be gone when these are freed */
    nf_tokens *tokens;      /* [n_types] likewise */
    size_t room;            /* sub-words of text behind a prompt of all labels */
    size_t most;            /* labels of a drawn prompt, unless a text has more of its own */
    nf_arena step;          /* what was drawn for the batch at hand */
    nf_tokenizer_scratch *scratch;
};

/* A piece of a text, before labels are put to it. */
typedef struct source {
    struct nf_prompted all; /* first: nf_example.prompted points to it */
    nf_gliner_words words;  /* of the whole text; in the examples' arena */
    size_t first, end;      /* the piece's words */
    const nf_entity *golds; /* [n_golds] of the types that there are */
    size_t n_golds;
    const nf_entity *unknown; /* [n_unknown] words */
    size_t n_unknown;
    const uint32_t *types; /* [n_types] those that were looked for */
    size_t n_types;
    double weight;
} source;

/* ---------------------------------------------------------------- labels */

static nerfit_status encode_labels(nf_prompter *p, nerfit_error *err) {
    size_t n = p->labels->n_types;
    p->encodings = calloc(n + 1, sizeof *p->encodings);
    p->tokens = calloc(n + 1, sizeof *p->tokens);
    if (!p->encodings || !p->tokens) return nf_no_memory(err, n * sizeof *p->tokens);
    p->n_encodings = n;
    for (size_t i = 0; i < n; i++) {
        nf_encoding *e = &p->encodings[i];
        NF_TRY(nf_tokenizer_encode(p->model->gliner->labels_tokenizer, p->prompts[i],
                                   strlen(p->prompts[i]), true, e, err));
        p->tokens[i] = (nf_tokens){.ids = e->ids, .length = e->length};
    }
    return NERFIT_OK;
}

static nerfit_status find_room(nf_prompter *p, size_t max_length, nerfit_error *err) {
    nf_gliner_prompt prompt;
    NF_TRY(nf_gliner_prompt_make(&prompt, p->model, p->prompts, p->labels->n_types, err));
    nerfit_status status = nf_gliner_prompt_room(&prompt, p->model, &p->room, err);
    size_t taken = prompt.length + prompt.n_after;
    nf_gliner_prompt_free(&prompt);
    NF_TRY(status);
    if (max_length && max_length <= taken + 16)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "max_length %zu leaves no room for text behind a prompt of %zu tokens",
                       max_length, taken);
    if (max_length && max_length - taken < p->room) p->room = max_length - taken;
    return NERFIT_OK;
}

nerfit_status nf_prompter_new(nf_prompter **out, const nf_model *model, const nf_label_set *labels,
                              const char *const *prompts, size_t max_length, nerfit_error *err) {
    *out = NULL;
    nf_prompter *p = calloc(1, sizeof *p);
    if (!p) return nf_no_memory(err, sizeof *p);
    const json_t *most = json_object_get(model->gliner->json, "max_types");
    *p = (nf_prompter){.model = model,
                       .labels = labels,
                       .prompts = prompts,
                       .most = json_is_integer(most) && json_integer_value(most) > 0
                                   ? (size_t)json_integer_value(most)
                                   : 25,
                       .scratch = nf_tokenizer_scratch_new()};
    nerfit_status status = p->scratch ? NERFIT_OK : nf_no_memory(err, 0);
    if (status == NERFIT_OK && model->gliner->labels_tokenizer) status = encode_labels(p, err);
    if (status == NERFIT_OK) status = find_room(p, max_length, err);
    if (status == NERFIT_OK)
        *out = p;
    else
        nf_prompter_free(p);
    return status;
}

void nf_prompter_free(nf_prompter *p) {
    if (!p) return;
    for (size_t i = 0; i < p->n_encodings; i++) nf_encoding_free(&p->encodings[i]);
    free(p->encodings);
    free(p->tokens);
    nf_tokenizer_scratch_free(p->scratch);
    nf_arena_free(&p->step);
    free(p);
}

/* ---------------------------------------------------------------- a prompt put before a piece */

/* The places of label tokens, and the like, are the prompt's, which goes. */
static nerfit_status keep_places(nf_gliner_text *text, size_t n, nf_arena *arena,
                                 nerfit_error *err) {
    if (!text->label_places) return NERFIT_OK;
    int32_t *places = nf_arena_alloc(arena, n * sizeof *places + 1);
    if (!places) return nf_no_memory(err, n * sizeof *places);
    memcpy(places, text->label_places, n * sizeof *places);
    text->label_places = places;
    return NERFIT_OK;
}

/* The entities whose labels the prompt names. */
static nerfit_status take_golds(struct nf_prompted *out, const source *s, const uint32_t *types,
                                size_t n, nf_arena *arena, nerfit_error *err) {
    nf_entity *golds = nf_arena_alloc(arena, s->n_golds * sizeof *golds + 1);
    size_t count = 0;
    if (!golds) return nf_no_memory(err, s->n_golds * sizeof *golds);
    for (size_t i = 0; i < s->n_golds; i++)
        for (size_t c = 0; c < n; c++)
            if (types[c] == (uint32_t)s->golds[i].type) {
                golds[count] = s->golds[i];
                golds[count++].type = (int32_t)c;
            }
    out->golds = (nf_gliner_golds){golds, count, s->unknown, s->n_unknown, s->weight};
    return NERFIT_OK;
}

/* `out` and `example` of a piece with the labels `types` [n] in this order. */
static nerfit_status put_prompt(const nf_prompter *p, const source *s, const uint32_t *types,
                                size_t n, struct nf_prompted *out, nf_example *example,
                                nf_arena *arena, nerfit_error *err) {
    const char **names = nf_arena_alloc(arena, n * sizeof *names + 1);
    int32_t *kept = nf_arena_alloc(arena, n * sizeof *kept + 1);
    nf_tokens *tokens = p->tokens ? nf_arena_alloc(arena, n * sizeof *tokens + 1) : NULL;
    nf_gliner_prompt prompt;
    if (!names || !kept || (p->tokens && !tokens)) return nf_no_memory(err, n * sizeof *names);
    for (size_t i = 0; i < n; i++) {
        names[i] = p->prompts[types[i]];
        kept[i] = (int32_t)types[i];
        if (tokens) tokens[i] = p->tokens[types[i]];
    }
    NF_TRY(nf_gliner_prompt_make(&prompt, p->model, names, n, err));
    nerfit_status status =
        nf_gliner_sequence(&out->text, &prompt, &s->words, s->first, s->end, p->room, arena, err);
    if (status == NERFIT_OK) status = keep_places(&out->text, n, arena, err);
    nf_gliner_prompt_free(&prompt);
    NF_TRY(status);
    NF_TRY(take_golds(out, s, types, n, arena, err));
    out->types = kept;
    out->label_tokens = tokens;
    example->ids = out->text.ids;
    example->length = out->text.length;
    example->prompted = out;
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- drawing */

/* The text's own types, and others: in half of the draws all there are, else any number of them. */
static size_t draw_types(const nf_prompter *p, const source *s, nf_rng *rng, uint32_t *types) {
    size_t all = s->n_types, own = 0;
    memcpy(types, s->types, all * sizeof *types);
    nf_rng_shuffle(rng, types, all);
    for (size_t i = 0; i < all; i++) {
        bool found = false;
        for (size_t g = 0; g < s->n_golds && !found; g++)
            found = (uint32_t)s->golds[g].type == types[i];
        if (!found) continue;
        uint32_t type = types[i];
        types[i] = types[own];
        types[own++] = type;
    }
    size_t others = all - own;
    size_t n = own + (nf_rng_below(rng, 2) ? others : nf_rng_below(rng, (uint32_t)others + 1));
    if (n > p->most) n = own > p->most ? own : p->most;
    if (n == 0) n = 1;
    nf_rng_shuffle(rng, types, n);
    return n;
}

static nerfit_status draw_prompts(void *user, uint64_t seed, uint64_t step,
                                  const nf_example **batch, size_t count, nerfit_error *err) {
    nf_prompter *p = user;
    nf_arena_free(&p->step);
    uint32_t *types = nf_arena_alloc(&p->step, p->labels->n_types * sizeof *types + 1);
    nf_example *examples = nf_arena_calloc(&p->step, count + 1, sizeof *examples);
    struct nf_prompted *prompted = nf_arena_calloc(&p->step, count + 1, sizeof *prompted);
    if (!types || !examples || !prompted) return nf_no_memory(err, count * sizeof *examples);
    for (size_t i = 0; i < count; i++) {
        const source *s = (const source *)(const void *)batch[i]->prompted;
        nf_rng rng = nf_rng_new(seed, STREAM_PROMPTS ^ (step << 32) ^ ((uint64_t)i << 8));
        size_t n = draw_types(p, s, &rng, types);
        examples[i] = *batch[i];
        NF_TRY(put_prompt(p, s, types, n, &prompted[i], &examples[i], &p->step, err));
        batch[i] = &examples[i];
    }
    return NERFIT_OK;
}

void nf_prompter_serve(nf_prompter *prompter, nf_task *task) {
    task->dress = draw_prompts;
    task->dresser = prompter;
}

/* ---------------------------------------------------------------- documents */

typedef struct maker {
    nf_examples *out;
    nf_prompter *p;
    const nf_corpus *corpus;
    const nf_log *log;
    nf_gliner_words words;
    uint32_t *every; /* [n_types] all types in their order */
    size_t n_long;   /* entities of more words than spans have */
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
        int32_t type = nf_label_set_type(m->p->labels, span->label);
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
            report(m, &m->n_long, d, span,
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
static nerfit_status add_unknown(maker *m, source *s, const nf_beside *beside) {
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
static nerfit_status add_types(maker *m, source *s, const nf_document *d) {
    const nf_beside *beside = d->beside;
    s->types = m->every;
    s->n_types = m->p->labels->n_types;
    if (!beside || !beside->labels) return NERFIT_OK;
    uint32_t *types = nf_arena_alloc(&m->out->arena, beside->n_labels * sizeof *types + 1);
    if (!types) return nf_no_memory(m->err, beside->n_labels * sizeof *types);
    s->types = types;
    s->n_types = 0;
    for (size_t i = 0; i < beside->n_labels; i++) {
        int32_t type = nf_label_set_type(m->p->labels, beside->labels[i]);
        if (type >= 0) types[s->n_types++] = (uint32_t)type;
    }
    return NERFIT_OK;
}

/* Entities within the window, counted from its first word; `cut`: those that lie in no window. */
static nerfit_status add_piece(maker *m, const nf_gliner_words *words, const nf_word_window *window,
                               const nf_entity *golds, size_t n_golds, bool *whole,
                               size_t document) {
    nf_arena *arena = &m->out->arena;
    source *s = nf_arena_calloc(arena, 1, sizeof *s);
    nf_entity *own = nf_arena_alloc(arena, n_golds * sizeof *own + 1);
    nf_example *example = nf_examples_add(m->out);
    if (!s || !own || !example) return nf_no_memory(m->err, sizeof *s);
    *s = (source){.words = *words, .first = window->start, .end = window->end, .golds = own};
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
    *example = (nf_example){.document = document, .n_words = window->end - window->start};
    NF_TRY(put_prompt(m->p, s, s->types, s->n_types, &s->all, example, arena, m->err));
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
    const nf_word_limits limits = {config->max_words, m->p->room, config->max_width};
    nf_word_window *windows = NULL;
    size_t n_windows = 0, n_golds = 0;
    nf_entity *golds = malloc(d->n_spans * sizeof *golds + 1);
    if (!golds) return nf_no_memory(m->err, d->n_spans * sizeof *golds);
    nerfit_status status = nf_gliner_words_encode(&m->words, m->p->model->tokenizer, m->p->scratch,
                                                  d->text, d->text_size, false, m->err);
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

static void tell(const maker *m) {
    const nf_examples *out = m->out;
    if (out->n_split_documents)
        nf_log_warning(m->log,
                       "%zu texts are longer than the model takes and become several, which "
                       "overlap%s",
                       out->n_split_documents,
                       out->n_split_entities ? "; entities that lie in none of them whole are not "
                                               "learned"
                                             : "");
    if (out->n_inner_edges > REPORTED || out->n_uncovered > REPORTED || m->n_long > REPORTED)
        nf_log_warning(m->log,
                       "in all, %zu entities have an edge inside a word, %zu no word, %zu more "
                       "words than spans",
                       out->n_inner_edges, out->n_uncovered, m->n_long);
}

nerfit_status nf_prompted_examples_make(nf_examples *out, nf_prompter *prompter,
                                        const nf_corpus *corpus, const nf_log *log,
                                        nerfit_error *err) {
    maker m = {.out = out, .p = prompter, .corpus = corpus, .log = log, .err = err};
    size_t n = prompter->labels->n_types;
    m.every = nf_arena_alloc(&out->arena, n * sizeof *m.every + 1);
    nerfit_status status = m.every ? NERFIT_OK : nf_no_memory(err, n * sizeof *m.every);
    for (size_t i = 0; i < n && m.every; i++) m.every[i] = (uint32_t)i;
    for (size_t i = 0; i < corpus->n_documents && status == NERFIT_OK; i++)
        status = add_document(&m, i);
    nf_gliner_words_free(&m.words);
    if (status == NERFIT_OK)
        tell(&m);
    else
        nf_examples_free(out);
    return status;
}
