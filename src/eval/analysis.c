#include "eval/analysis.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/utf8.h"
#include "infer/tag_corpus.h"

void nf_analysis_free(nf_analysis *a) {
    nf_arena_free(&a->arena);
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

static nf_mention own_mention(const nf_analysis *a, const nf_mention *mention) {
    if (!mention) return (nf_mention){.score = -1};
    nf_mention own = *mention;
    own.label = nf_confusion_label(&a->confusion, mention->label);
    return own;
}

static nerfit_status keep_mistakes(nf_analysis *a, const nf_analysed_text *text,
                                   const nf_match *matches, size_t count, nerfit_error *err) {
    const char *copy = nf_arena_copy(&a->arena, text->text, text->size);
    const char *file = text->file ? nf_arena_strdup(&a->arena, text->file) : NULL;
    if (!copy || (text->file && !file)) return nf_no_memory(err, text->size);
    for (size_t i = 0; i < count; i++)
        if (matches[i].kind != NF_CORRECT)
            a->mistakes[a->n_mistakes++] =
                (nf_mistake){.kind = matches[i].kind,
                             .file = file,
                             .text = copy,
                             .line = text->line,
                             .text_size = text->size,
                             .gold = own_mention(a, matches[i].gold),
                             .predicted = own_mention(a, matches[i].predicted)};
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
            a->scored[a->n_scored++] =
                (nf_scored){m->predicted->score, m->kind == NF_CORRECT, m->predicted->label};
    }
    return NERFIT_OK;
}

nerfit_status nf_analysis_add(nf_analysis *a, const nf_analysed_text *text, const nf_mention *gold,
                              size_t n_gold, const nf_mention *predicted, size_t n_predicted,
                              nerfit_error *err) {
    size_t count;
    nf_match *matches = malloc((n_gold + n_predicted) * sizeof *matches + 1);
    if (!matches) return nf_no_memory(err, n_gold + n_predicted);
    nerfit_status status =
        nf_mentions_match(gold, n_gold, predicted, n_predicted, matches, &count, err);
    if (status == NERFIT_OK) status = add_matches(a, text, matches, count, err);
    if (status == NERFIT_OK)
        status = nf_semeval_add(&a->semeval, gold, n_gold, predicted, n_predicted, err);
    a->n_texts++;
    a->n_gold += n_gold;
    free(matches);
    return status;
}

/* Where code points start .. end-1 lie, which `at` walks to. */
static nf_mention mention_at(nf_utf8_place *at, uint32_t start, uint32_t end, const char *label,
                             double score) {
    nf_utf8_go_to(at, start);
    size_t byte = at->byte;
    nf_utf8_go_to(at, end);
    return (nf_mention){start, end, byte, at->byte, label, score};
}

nerfit_status nf_analysis_add_tagged(nf_analysis *a, const nf_document *d, const nf_tag_set *tags,
                                     const nf_tagged *tagged, nerfit_error *err) {
    nf_mention *gold = calloc(d->n_spans + tagged->n_entities + 1, sizeof *gold);
    if (!gold) return nf_no_memory(err, d->n_spans * sizeof *gold);
    nf_mention *predicted = gold + d->n_spans;
    nf_utf8_place at = {d->text, d->text_size, 0, 0};
    for (size_t i = 0; i < d->n_spans; i++)
        gold[i] = mention_at(&at, d->spans[i].start, d->spans[i].end, d->spans[i].label, -1);
    at.byte = at.index = 0;
    for (size_t i = 0; i < tagged->n_entities; i++) {
        const nf_entity *e = &tagged->entities[i];
        predicted[i] = mention_at(&at, e->start, e->end, tags->types[e->type], e->score);
    }
    nf_analysed_text text = {d->file, d->text, d->line, d->text_size};
    nerfit_status status =
        nf_analysis_add(a, &text, gold, d->n_spans, predicted, tagged->n_entities, err);
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
