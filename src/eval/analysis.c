#include "eval/analysis.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/utf8.h"
#include "infer/tag_corpus.h"

void nf_analysis_free(nf_analysis *a) {
    nf_arena_free(&a->arena);
    nf_type_names_free(&a->types);
    nf_semeval_free(&a->semeval);
    nf_confusion_free(&a->confusion);
    free(a->mistakes);
    free(a->scored);
    *a = (nf_analysis){0};
}

/* Room for `more` items. */
static nerfit_status reserve(void *items, size_t count, size_t *capacity, size_t more, size_t size,
                             nerfit_error *err) {
    return nf_array_reserve(items, capacity, count + more, size)
               ? NERFIT_OK
               : nf_no_memory(err, (count + more) * size);
}

/* ---------------------------------------------------------------- adding */

/* `at`: of the whole text; entities are shown in order, so that it goes on from the one before. */
static nf_shown_entity show(const nf_analysed_text *text, nf_utf8_place *at,
                            const nf_entity *entity) {
    if (!entity) return (nf_shown_entity){.entity = {.type = -1, .score = -1}};
    nf_shown_entity shown = {.entity = *entity};
    if (text->word_starts) {
        shown.byte_start = text->word_starts[entity->start];
        shown.byte_end = text->word_ends[entity->end - 1];
    } else {
        nf_utf8_go_to(at, entity->start);
        shown.byte_start = at->byte;
        nf_utf8_go_to(at, entity->end);
        shown.byte_end = at->byte;
    }
    return shown;
}

static nerfit_status keep_mistakes(nf_analysis *a, const nf_analysed_text *text,
                                   const nf_match *matches, size_t count, nerfit_error *err) {
    const char *copy = nf_arena_copy(&a->arena, text->text, text->size);
    const char *file = text->file ? nf_arena_strdup(&a->arena, text->file) : NULL;
    if (!copy || (text->file && !file)) return nf_no_memory(err, text->size);
    nf_utf8_place at = {text->text, text->size, 0, 0};
    for (size_t i = 0; i < count; i++)
        if (matches[i].kind != NF_CORRECT)
            a->mistakes[a->n_mistakes++] =
                (nf_mistake){.kind = matches[i].kind,
                             .file = file,
                             .text = copy,
                             .line = text->line,
                             .text_size = text->size,
                             .gold = show(text, &at, matches[i].gold),
                             .predicted = show(text, &at, matches[i].predicted)};
    a->n_wrong_texts++;
    return NERFIT_OK;
}

static nerfit_status add_matches(nf_analysis *a, const nf_analysed_text *text,
                                 const nf_match *matches, size_t count, nerfit_error *err) {
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        wrong += matches[i].kind != NF_CORRECT;
        NF_TRY(nf_confusion_add(&a->confusion, &matches[i], err));
    }
    NF_TRY(reserve(&a->mistakes, a->n_mistakes, &a->mistakes_capacity, wrong, sizeof *a->mistakes,
                   err));
    NF_TRY(reserve(&a->scored, a->n_scored, &a->scored_capacity, count, sizeof *a->scored, err));
    if (wrong) NF_TRY(keep_mistakes(a, text, matches, count, err));
    for (size_t i = 0; i < count; i++) {
        const nf_match *m = &matches[i];
        a->counts[m->kind]++;
        if (m->predicted && m->predicted->score >= 0)
            a->scored[a->n_scored++] = (nf_scored){m->predicted->score, m->kind == NF_CORRECT,
                                                   a->types.names[m->predicted->type]};
    }
    return NERFIT_OK;
}

nerfit_status nf_analysis_add(nf_analysis *a, const nf_analysed_text *text, const nf_entity *gold,
                              size_t n_gold, const nf_entity *predicted, size_t n_predicted,
                              nerfit_error *err) {
    size_t count;
    nf_match *matches = malloc((n_gold + n_predicted) * sizeof *matches + 1);
    if (!matches) return nf_no_memory(err, n_gold + n_predicted);
    nerfit_status status =
        nf_entities_match(gold, n_gold, predicted, n_predicted, matches, &count, err);
    if (status == NERFIT_OK) status = add_matches(a, text, matches, count, err);
    if (status == NERFIT_OK)
        status = nf_semeval_add(&a->semeval, gold, n_gold, predicted, n_predicted, err);
    a->n_texts++;
    a->n_gold += n_gold;
    free(matches);
    return status;
}

nerfit_status nf_analysis_add_tagged(nf_analysis *a, const nf_document *d, const nf_tag_set *tags,
                                     const nf_tagged *tagged, nerfit_error *err) {
    size_t n = d->n_spans + tagged->n_entities;
    nf_entity *gold = calloc(n + 1, sizeof *gold), *predicted = gold + d->n_spans;
    nerfit_status status = gold ? NERFIT_OK : nf_no_memory(err, (n + 1) * sizeof *gold);
    for (size_t i = 0; i < d->n_spans && status == NERFIT_OK; i++) {
        gold[i] = (nf_entity){.start = d->spans[i].start, .end = d->spans[i].end, .score = -1};
        status = nf_type_names_add(&a->types, d->spans[i].label, &gold[i].type, err);
    }
    for (size_t i = 0; i < tagged->n_entities && status == NERFIT_OK; i++) {
        predicted[i] = tagged->entities[i];
        status =
            nf_type_names_add(&a->types, tags->types[predicted[i].type], &predicted[i].type, err);
    }
    const nf_analysed_text text = {
        .file = d->file, .text = d->text, .line = d->line, .size = d->text_size};
    if (status == NERFIT_OK)
        status = nf_analysis_add(a, &text, gold, d->n_spans, predicted, tagged->n_entities, err);
    free(gold);
    return status;
}

typedef struct visitor {
    nf_analysis *analysis;
    const nf_tag_set *tags;
} visitor;

static nerfit_status add_visited(void *user, const nf_document *document, const nf_tagged *tagged,
                                 nerfit_error *err) {
    const visitor *v = user;
    return nf_analysis_add_tagged(v->analysis, document, v->tags, tagged, err);
}

nerfit_status nf_analysis_add_corpus(nf_analysis *a, nf_tagger *tagger, const nf_tagging_call *call,
                                     const nf_corpus *corpus, nerfit_error *err) {
    visitor v = {a, &call->rules->tags};
    return nf_tag_corpus(tagger, call, corpus, add_visited, &v, err);
}
