#include "annotate/annotate.h"

#include <stdlib.h>
#include <string.h>

#include "annotate/silver.h"
#include "annotate/summary.h"
#include "base/str.h"
#include "data/json_value.h"
#include "data/selection.h"

/* What a job works with. */
typedef struct annotate_work {
    const nf_annotate_job *job;
    nf_annotated *out;
    nf_arena arena;        /* of the opinions */
    nf_opinion **opinions; /* [annotators][texts] */
    const char **sources;  /* [annotators] */
    nf_rules rules;        /* for lists: the job's labels as types */
    nf_lists_scratch scratch;
    nf_summary_counts counts;
    uint32_t *disputed; /* [texts written] spans */
} annotate_work;

/* ---------------------------------------------------------------- lists */

static nerfit_status annotate_set_lists(annotate_work *w, nerfit_error *err) {
    const nf_annotate_job *job = w->job;
    nf_tag_set *tags = &w->rules.tags;
    if (!job->lists) return NERFIT_OK;
    tags->types = nf_arena_calloc(&tags->arena, job->labels.count + 1, sizeof *tags->types);
    if (!tags->types) return nf_no_memory(err, job->labels.count);
    for (size_t i = 0; i < job->labels.count; i++) tags->types[i] = job->labels.names[i];
    tags->n_types = job->labels.count;
    w->rules.spans.nested = job->nested;
    size_t n;
    const char *const *names = nf_lists_labels(job->lists, &n);
    NF_TRY(nf_rules_set_lists(&w->rules, job->lists, names, n, err));
    for (size_t i = 0; i < n; i++)
        if ((size_t)w->rules.list_types[i] >= job->labels.count)
            return nf_fail(err, NERFIT_INTERNAL, "the rules' label \"%s\" is none of the job's",
                           names[i]);
    return NERFIT_OK;
}

/* Takes out of an opinion what lists forbid. */
static void annotate_forbid(const annotate_work *w, nf_opinion *opinion) {
    size_t kept = 0;
    for (size_t i = 0; i < opinion->n_spans; i++)
        if (!nf_lists_forbid(&w->rules, &w->scratch, &opinion->spans[i]))
            opinion->spans[kept++] = opinion->spans[i];
    opinion->n_spans = kept;
}

/* What lists add, of the text that scratch was looked up for. */
static nerfit_status annotate_listed(annotate_work *w, nf_silver_text *text, nf_arena *arena,
                                     nerfit_error *err) {
    nf_tagged tagged = {0};
    NF_TRY(nf_lists_apply(&w->rules, &w->scratch, &tagged, arena, err));
    text->listed = tagged.entities;
    text->n_listed = tagged.n_entities;
    size_t n;
    nf_lists_labels(w->job->lists, &n);
    bool *asked = text->merged->asked;
    for (size_t i = 0; i < n; i++) asked[w->rules.list_types[i]] = true;
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- one text */

/* Why nobody annotated a text; NULL: somebody did. */
static const char *annotate_failure(const annotate_work *w, size_t text) {
    const char *why = NULL;
    for (size_t k = 0; k < w->job->n_annotators; k++) {
        const nf_opinion *o = &w->opinions[k][text];
        if (o->given) return NULL;
        why = o->failure ? o->failure : "nobody was asked";
    }
    return why;
}

static nerfit_status annotate_add_failed(annotate_work *w, const nf_document *d, const char *why,
                                         nerfit_error *err) {
    static const char *const own[] = {"failure", NULL};
    nf_str fields = {0};
    if (d->beside) nf_json_append_beside(&fields, d->beside, own);
    nf_str_append_text(&fields, ", \"failure\": ");
    nf_str_append_json(&fields, why, strlen(why));
    const nf_beside beside = {.fields = nf_str_text(&fields) + 2};
    w->counts.failures[w->out->failed.n_documents] = why;
    const nf_given_document document = {.text = d->text,
                                        .text_size = d->text_size,
                                        .beside = &beside,
                                        .file = d->file,
                                        .line = d->line};
    nerfit_status status = fields.failed
                               ? nf_no_memory(err, 0)
                               : nf_corpus_add(&w->out->failed, &document, w->job->log, err);
    nf_str_free(&fields);
    return status;
}

static void annotate_count(annotate_work *w, const nf_merged *m, size_t n_given) {
    if (n_given < 2) return;
    w->counts.n_spans += m->n_spans;
    for (size_t i = 0; i < m->n_spans; i++) {
        size_t voters = 0;
        for (uint64_t bits = m->spans[i].voters; bits; bits &= bits - 1) voters++;
        w->counts.n_unanimous += voters == n_given;
        if (!m->spans[i].accepted) w->counts.disputed[m->spans[i].span.type]++;
    }
}

static nerfit_status annotate_text(annotate_work *w, size_t index, nf_arena *arena,
                                   nerfit_error *err) {
    const nf_annotate_job *job = w->job;
    const nf_document *d = &job->texts->documents[index];
    const nf_opinion *opinions[NF_MOST_OPINIONS];
    const char *why = annotate_failure(w, index);
    if (why) return annotate_add_failed(w, d, why, err);
    if (job->lists) NF_TRY(nf_lists_find(job->lists, &w->scratch, d->text, d->text_size, err));
    size_t n_given = 0, n_disputed;
    for (size_t k = 0; k < job->n_annotators; k++) {
        if (job->lists) annotate_forbid(w, &w->opinions[k][index]);
        opinions[k] = &w->opinions[k][index];
        n_given += opinions[k]->given;
    }
    nf_merged merged;
    NF_TRY(nf_merge(&merged, opinions, job->n_annotators, job->labels.count, job->votes,
                    job->nested, arena, err));
    annotate_count(w, &merged, n_given);
    nf_silver_text text = {.document = d,
                           .merged = &merged,
                           .opinions = opinions,
                           .sources = w->sources,
                           .n_opinions = job->n_annotators};
    if (job->lists) NF_TRY(annotate_listed(w, &text, arena, err));
    NF_TRY(nf_silver_add(&w->out->texts, job, &text, &n_disputed, err));
    w->disputed[w->out->texts.n_documents - 1] = (uint32_t)n_disputed;
    w->counts.n_disputed += n_disputed;
    w->counts.n_disputed_texts += n_disputed > 0;
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- the job */

typedef struct disputed_text {
    uint32_t index, n;
} disputed_text;

static int most_disputed_first(const void *a, const void *b) {
    const disputed_text *x = a, *y = b;
    if (x->n != y->n) return x->n > y->n ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* nf_corpus_take keeps the order of its list. */
static nerfit_status annotate_review(annotate_work *w, nerfit_error *err) {
    const nf_corpus *texts = &w->out->texts;
    disputed_text *list = nf_arena_calloc(&w->arena, texts->n_documents + 1, sizeof *list);
    uint32_t *chosen = nf_arena_calloc(&w->arena, texts->n_documents + 1, sizeof *chosen);
    size_t n = 0;
    if (!list || !chosen) return nf_no_memory(err, texts->n_documents * sizeof *list);
    for (size_t i = 0; i < texts->n_documents; i++)
        if (w->disputed[i]) list[n++] = (disputed_text){(uint32_t)i, w->disputed[i]};
    if (n) qsort(list, n, sizeof *list, most_disputed_first);
    for (size_t i = 0; i < n; i++) chosen[i] = list[i].index;
    return nf_corpus_take(&w->out->review, texts, chosen, n, err);
}

static nerfit_status annotate_ask(annotate_work *w, nerfit_error *err) {
    const nf_annotate_job *job = w->job;
    size_t n = job->texts->n_documents;
    if (job->n_annotators > NF_MOST_OPINIONS)
        return nf_fail(err, NERFIT_ARGUMENT, "%zu annotators are too many; expected at most %d",
                       job->n_annotators, NF_MOST_OPINIONS);
    w->opinions = nf_arena_calloc(&w->arena, job->n_annotators + 1, sizeof *w->opinions);
    w->sources = nf_arena_calloc(&w->arena, job->n_annotators + 1, sizeof *w->sources);
    w->disputed = nf_arena_calloc(&w->arena, n + 1, sizeof *w->disputed);
    w->counts.disputed =
        nf_arena_calloc(&w->arena, job->labels.count + 1, sizeof *w->counts.disputed);
    w->counts.failures = nf_arena_calloc(&w->arena, n + 1, sizeof *w->counts.failures);
    if (!w->opinions || !w->sources || !w->disputed || !w->counts.disputed || !w->counts.failures)
        return nf_no_memory(err, n * sizeof *w->disputed);
    for (size_t k = 0; k < job->n_annotators; k++) {
        const nf_annotator *a = &job->annotators[k];
        w->sources[k] = a->name;
        w->opinions[k] = nf_arena_calloc(&w->arena, n + 1, sizeof **w->opinions);
        if (!w->opinions[k]) return nf_no_memory(err, n * sizeof **w->opinions);
        NF_TRY(a->annotate(a->self, job->texts, &job->labels, w->opinions[k], &w->arena, err));
    }
    return NERFIT_OK;
}

static nerfit_status annotate_all(annotate_work *w, nerfit_error *err) {
    const nf_annotate_job *job = w->job;
    if (!job->n_annotators && !job->lists)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "nobody annotates; expected rules, a model or a language model");
    NF_TRY(annotate_set_lists(w, err));
    NF_TRY(annotate_ask(w, err));
    for (size_t i = 0; i < job->texts->n_documents; i++) {
        nf_arena arena = {0};
        nerfit_status status = annotate_text(w, i, &arena, err);
        nf_arena_free(&arena);
        if (status != NERFIT_OK) {
            const nf_document *d = &job->texts->documents[i];
            return err->line ? status : nf_fail_within(err, status, "%s:%ld", d->file, d->line);
        }
    }
    NF_TRY(annotate_review(w, err));
    return nf_summary_make(&w->out->summary, job, w->out, &w->counts, err);
}

nerfit_status nf_annotate(nf_annotated *out, const nf_annotate_job *job, nerfit_error *err) {
    annotate_work w = {.job = job, .out = out};
    nerfit_error own;
    nerfit_status status = annotate_all(&w, err ? err : &own);
    nf_lists_scratch_free(&w.scratch);
    nf_tag_set_free(&w.rules.tags);
    nf_arena_free(&w.arena);
    if (status != NERFIT_OK) nf_annotated_free(out);
    return status;
}

void nf_annotated_free(nf_annotated *a) {
    nf_corpus_free(&a->texts);
    nf_corpus_free(&a->failed);
    nf_corpus_free(&a->review);
    json_decref(a->summary);
    *a = (nf_annotated){0};
}
