/* nerfit.h: what to annotate next. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "annotate/suggest.h"
#include "api_annotate.h"
#include "api_corpus.h"
#include "api_options.h"
#include "base/hash.h"
#include "base/number.h"
#include "data/annotations.h"
#include "data/json_value.h"
#include "infer/tag_corpus.h"

typedef struct suggesting {
    nerfit_suggest_options options;
    const nf_corpus *texts, *known;
    nf_arena arena;
    nf_log log;
    nerfit_model *model;
    nerfit_session *session;
    nerfit_encoder *encoder;
    double least, *thresholds; /* [types] what an entity must have to be written */
    nf_suggest_text *seen;     /* [texts] */
    size_t done;
} suggesting;

static void suggesting_end(suggesting *s) {
    nerfit_encoder_free(s->encoder);
    nerfit_session_free(s->session);
    nerfit_model_free(s->model);
    nf_arena_free(&s->arena);
}

/* ---------------------------------------------------------------- the model */

/* All that the model sees is of interest, also what it would not say. */
static nerfit_status suggesting_open(suggesting *s, nerfit_error *error) {
    const nerfit_suggest_options *o = &s->options;
    nerfit_model_options options;
    NF_TRY(
        nf_options_take(&options, sizeof options, o->model_options, "nerfit_model_options", error));
    if (!o->model) return nf_fail(error, NERFIT_ARGUMENT, "model is missing: a folder or a name");
    options.size = sizeof options;
    options.log = o->log;
    options.transfer = o->transfer;
    options.log_user = options.transfer_user = o->user;
    NF_TRY(nf_model_load_labelled(&s->model, o->model, &options, o->labels, error));
    NF_TRY(nerfit_session_new(&s->session, s->model, error));
    nf_rules *rules = &s->session->rules;
    s->least = rules->least;
    s->thresholds = nf_arena_calloc(&s->arena, rules->tags.n_types + 1, sizeof *s->thresholds);
    if (!s->thresholds) return nf_no_memory(error, rules->tags.n_types);
    for (size_t t = 0; t < rules->tags.n_types; t++)
        s->thresholds[t] = nf_rules_threshold(rules, (int32_t)t);
    NF_TRY(nf_rules_set_threshold(rules, NULL, nf_rules_read_labels(rules) ? 0.05 : 0.0, error));
    if (!o->sentence_encoder) return NERFIT_OK;
    return nerfit_encoder_load(&s->encoder, o->sentence_encoder, &options, error);
}

static nerfit_status suggesting_visit(void *user, const nf_document *document,
                                      const nf_tagged *tagged, nerfit_error *error) {
    suggesting *s = user;
    nf_suggest_text *out = &s->seen[s->done++];
    nf_entity *entities = nf_arena_alloc(&s->arena, tagged->n_entities * sizeof *entities + 1);
    (void)document;
    if (!entities) return nf_no_memory(error, tagged->n_entities * sizeof *entities);
    if (tagged->n_entities)
        memcpy(entities, tagged->entities, tagged->n_entities * sizeof *entities);
    *out = (nf_suggest_text){entities, tagged->n_entities, tagged->n_words, tagged->entropy, -1};
    return NERFIT_OK;
}

static bool suggesting_says(const suggesting *s, const nf_entity *e) {
    return e->score >= s->least && e->score >= s->thresholds[e->type];
}

/* ---------------------------------------------------------------- the teacher */

typedef struct taught_text {
    const nf_document *document;
    UT_hash_handle hh;
} taught_text;

/* The share of entities that one of both has alone. */
static double suggesting_differ(const suggesting *s, const nf_suggest_text *seen,
                                const nf_document *taught) {
    size_t said = 0, both = 0;
    const nf_tag_set *tags = &s->session->rules.tags;
    for (size_t i = 0; i < seen->n_entities; i++) {
        const nf_entity *e = &seen->entities[i];
        if (!suggesting_says(s, e)) continue;
        said++;
        for (size_t k = 0; k < taught->n_spans; k++)
            both += taught->spans[k].start == e->start && taught->spans[k].end == e->end &&
                    strcmp(taught->spans[k].label, tags->types[e->type]) == 0;
    }
    size_t all = said + taught->n_spans - both;
    return all ? 1 - (double)both / (double)all : 0;
}

static nerfit_status suggesting_teacher(suggesting *s, nerfit_error *error) {
    if (!s->options.teacher) return NERFIT_OK;
    const nf_corpus *teacher = &s->options.teacher->corpus;
    taught_text *map = NULL,
                *list = nf_arena_calloc(&s->arena, teacher->n_documents + 1, sizeof *list);
    nerfit_status status = list ? NERFIT_OK : nf_no_memory(error, teacher->n_documents);
    for (size_t i = 0; i < teacher->n_documents && status == NERFIT_OK; i++) {
        list[i].document = &teacher->documents[i];
        HASH_ADD_KEYPTR(hh, map, list[i].document->text, list[i].document->text_size, &list[i]);
        if (!list[i].hh.tbl) status = nf_no_memory(error, sizeof *list);
    }
    for (size_t i = 0; i < s->texts->n_documents && status == NERFIT_OK; i++) {
        const nf_document *d = &s->texts->documents[i];
        taught_text *found;
        HASH_FIND(hh, map, d->text, d->text_size, found);
        s->seen[i].disagreement = found ? suggesting_differ(s, &s->seen[i], found->document) : 0;
    }
    HASH_CLEAR(hh, map);
    return status;
}

/* ---------------------------------------------------------------- vectors, mentions */

static nerfit_status suggesting_embed(suggesting *s, const nf_corpus *corpus, const float **out,
                                      nerfit_error *error) {
    *out = NULL;
    if (!s->encoder || !corpus) return NERFIT_OK;
    size_t n = corpus->n_documents, size = nerfit_encoder_size(s->encoder);
    const char **texts = nf_arena_calloc(&s->arena, n + 1, sizeof *texts);
    float *vectors = nf_arena_calloc(&s->arena, n * size + 1, sizeof *vectors);
    if (!texts || !vectors) return nf_no_memory(error, n * size * sizeof *vectors);
    for (size_t i = 0; i < n; i++) texts[i] = corpus->documents[i].text;
    NF_TRY(nf_encoder_encode_unit(s->encoder, texts, n, vectors, error));
    *out = vectors;
    return NERFIT_OK;
}

static nerfit_status suggesting_mentions(suggesting *s, size_t **out, nerfit_error *error) {
    const nf_tag_set *tags = &s->session->rules.tags;
    *out = nf_arena_calloc(&s->arena, tags->n_types + 1, sizeof **out);
    if (!*out) return nf_no_memory(error, tags->n_types);
    for (size_t i = 0; s->known && i < s->known->n_documents; i++)
        for (size_t k = 0; k < s->known->documents[i].n_spans; k++) {
            int32_t type = nf_tag_set_type(tags, s->known->documents[i].spans[k].label);
            if (type >= 0) (*out)[type]++;
        }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- what is handed out */

static nerfit_status suggesting_write(const suggesting *s, nf_corpus *out, const nf_suggestion *at,
                                      nerfit_error *error) {
    static const char *const own[] = {"suggestion", NULL};
    const nf_document *d = &s->texts->documents[at->text];
    const nf_suggest_text *seen = &s->seen[at->text];
    const nf_annotation_options options = {.overlap = NF_OVERLAP_KEEP_ALL};
    nf_arena arena = {0};
    nf_str fields = {0};
    nf_given_span *spans = nf_arena_calloc(&arena, seen->n_entities + 1, sizeof *spans);
    nf_beside *scores = nf_arena_calloc(&arena, seen->n_entities + 1, sizeof *scores);
    char(*text)[32] = nf_arena_calloc(&arena, seen->n_entities + 1, sizeof *text);
    size_t n = 0;
    for (size_t i = 0; spans && scores && text && i < seen->n_entities; i++) {
        const nf_entity *e = &seen->entities[i];
        const char *label = s->session->rules.tags.types[e->type];
        if (!suggesting_says(s, e)) continue;
        nf_print(text[n], sizeof *text, "\"score\": %.4f", e->score);
        scores[n] = (nf_beside){.fields = text[n]};
        spans[n] = (nf_given_span){.start = e->start,
                                   .end = e->end,
                                   .label = label,
                                   .label_size = strlen(label),
                                   .beside = &scores[n]};
        n++;
    }
    const nf_beside rest = {.fields = d->beside ? d->beside->fields : NULL};
    nf_json_append_beside(&fields, &rest, own);
    nf_str_appendf(&fields,
                   ", \"suggestion\": {\"gain\": %.4f, \"uncertainty\": %.4f, \"rarity\": %.4f}",
                   at->gain, at->uncertainty, at->rarity);
    const nf_beside beside = {.fields = nf_str_text(&fields) + 2};
    const nf_given_document given = {.text = d->text,
                                     .text_size = d->text_size,
                                     .spans = spans,
                                     .n_spans = n,
                                     .words = d->words,
                                     .n_words = d->n_words,
                                     .beside = &beside,
                                     .file = d->file,
                                     .line = d->line};
    nerfit_status status = spans && scores && text && !fields.failed
                               ? nf_corpus_add_with(out, &given, &options, error)
                               : nf_no_memory(error, seen->n_entities);
    nf_str_free(&fields);
    nf_arena_free(&arena);
    return status;
}

static nerfit_status suggesting_run(suggesting *s, nerfit_corpus *out, nerfit_error *error) {
    const nerfit_suggest_options *o = &s->options;
    size_t n = s->texts->n_documents, count, *mentions;
    nf_suggestion *order = nf_arena_calloc(&s->arena, n + 1, sizeof *order);
    s->seen = nf_arena_calloc(&s->arena, n + 1, sizeof *s->seen);
    if (!order || !s->seen) return nf_no_memory(error, n * sizeof *order);
    const nf_tagging_call call = {.rules = &s->session->rules,
                                  .go_on = o->go_on,
                                  .user = o->user,
                                  .log = &s->log,
                                  .entropy = true};
    NF_TRY(nf_tag_corpus(s->session->tagger, &call, s->texts, suggesting_visit, s, error));
    NF_TRY(suggesting_teacher(s, error));
    NF_TRY(suggesting_mentions(s, &mentions, error));
    nf_suggest_job job = {.texts = s->texts,
                          .known = s->known,
                          .seen = s->seen,
                          .n_labels = s->session->rules.tags.n_types,
                          .known_mentions = mentions,
                          .most_texts = o->texts,
                          .most_words = o->words};
    NF_TRY(suggesting_embed(s, s->texts, &job.vectors, error));
    NF_TRY(suggesting_embed(s, s->known, &job.known_vectors, error));
    job.size = s->encoder ? nerfit_encoder_size(s->encoder) : 0;
    NF_TRY(nf_suggest(&job, order, &count, error));
    for (size_t i = 0; i < count; i++) NF_TRY(suggesting_write(s, &out->corpus, &order[i], error));
    return NERFIT_OK;
}

nerfit_status nerfit_suggest(const nerfit_corpus *texts, const nerfit_suggest_options *options,
                             nerfit_corpus **suggested, nerfit_error *error) {
    suggesting s = {.texts = &texts->corpus};
    *suggested = NULL;
    NF_TRY(nf_options_take(&s.options, sizeof s.options, options, "nerfit_suggest_options", error));
    s.log = (nf_log){s.options.log, s.options.user};
    s.known = s.options.known ? &s.options.known->corpus : NULL;
    nerfit_status status = suggesting_open(&s, error);
    if (status == NERFIT_OK)
        status = nerfit_corpus_new(suggested, s.options.log, s.options.user, error);
    if (status == NERFIT_OK) status = suggesting_run(&s, *suggested, error);
    if (status != NERFIT_OK) {
        nerfit_corpus_free(*suggested);
        *suggested = NULL;
    }
    suggesting_end(&s);
    return status;
}
