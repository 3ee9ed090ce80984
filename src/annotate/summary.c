#include "annotate/summary.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/utf8.h"

/* ---------------------------------------------------------------- mentions by label */

typedef struct mention_key {
    const char *label; /* the corpus's own */
    const char *text;
    size_t size, count, order;
    UT_hash_handle hh;
} mention_key;

typedef struct summary_mentions {
    nf_arena arena;
    mention_key *map;
    size_t count;
} summary_mentions;

/* The key is the label's address and the text, one after the other. */
static nerfit_status mentions_see(summary_mentions *m, const char *label, const char *text,
                                  size_t size, nerfit_error *err) {
    char *key = nf_arena_alloc(&m->arena, sizeof label + size);
    mention_key *known;
    if (!key) return nf_no_memory(err, size);
    memcpy(key, &label, sizeof label);
    memcpy(key + sizeof label, text, size);
    HASH_FIND(hh, m->map, key, sizeof label + size, known);
    if (!known) {
        known = nf_arena_calloc(&m->arena, 1, sizeof *known);
        if (!known) return nf_no_memory(err, sizeof *known);
        *known = (mention_key){.label = label, .text = text, .size = size, .order = m->count++};
        HASH_ADD_KEYPTR(hh, m->map, key, sizeof label + size, known);
        if (!known->hh.tbl) return nf_no_memory(err, sizeof *known);
    }
    known->count++;
    return NERFIT_OK;
}

static int mentions_order(mention_key *a, mention_key *b) {
    if (a->count != b->count) return a->count > b->count ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static nerfit_status mentions_collect(summary_mentions *m, const nf_corpus *corpus,
                                      nerfit_error *err) {
    for (size_t d = 0; d < corpus->n_documents; d++) {
        const nf_document *document = &corpus->documents[d];
        nf_utf8_place at = {document->text, document->text_size, 0, 0};
        for (size_t i = 0; i < document->n_spans; i++) {
            const nf_span *span = &document->spans[i];
            nf_utf8_go_to(&at, span->start);
            size_t from = at.byte;
            nf_utf8_go_to(&at, span->end);
            NF_TRY(mentions_see(m, span->label, document->text + from, at.byte - from, err));
        }
    }
    HASH_SORT(m->map, mentions_order);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- labels */

/* A label of the job, counted. */
typedef struct label_row {
    const char *name;
    size_t entities, texts, last; /* the last text counted, plus 1 */
    json_t *mentions;
    UT_hash_handle hh;
} label_row;

typedef struct summary_labels {
    label_row *map, *rows; /* rows [labels] */
    nf_arena arena;
} summary_labels;

static void labels_free(summary_labels *l, size_t n) {
    for (size_t i = 0; i < n && l->rows; i++) json_decref(l->rows[i].mentions);
    HASH_CLEAR(hh, l->map);
    nf_arena_free(&l->arena);
}

static label_row *label_row_of(const summary_labels *l, const char *name) {
    label_row *row;
    HASH_FIND_STR(l->map, name, row);
    return row;
}

static nerfit_status labels_count(summary_labels *l, const nf_annotate_job *job,
                                  const nf_corpus *corpus, const summary_mentions *m,
                                  nerfit_error *err) {
    size_t n = job->labels.count;
    l->rows = nf_arena_calloc(&l->arena, n + 1, sizeof *l->rows);
    if (!l->rows) return nf_no_memory(err, n * sizeof *l->rows);
    for (size_t i = 0; i < n; i++) {
        label_row *row = &l->rows[i];
        *row = (label_row){.name = job->labels.names[i], .mentions = json_array()};
        if (row->mentions) HASH_ADD_KEYPTR(hh, l->map, row->name, strlen(row->name), row);
        if (!row->hh.tbl) return nf_no_memory(err, sizeof *row);
    }
    for (size_t d = 0; d < corpus->n_documents; d++)
        for (size_t i = 0; i < corpus->documents[d].n_spans; i++) {
            label_row *row = label_row_of(l, corpus->documents[d].spans[i].label);
            if (!row) continue;
            row->entities++;
            row->texts += row->last != d + 1;
            row->last = d + 1;
        }
    for (const mention_key *k = m->map; k; k = k->hh.next) { /* the most frequent first */
        label_row *row = label_row_of(l, k->label);
        if (row && json_array_size(row->mentions) < NF_SUMMARY_MENTIONS)
            json_array_append_new(row->mentions,
                                  json_pack("[s%, I]", k->text, k->size, (json_int_t)k->count));
    }
    return NERFIT_OK;
}

/* {label: {...}}, in the job's order. */
static nerfit_status labels_json(json_t *out, const nf_annotate_job *job, const nf_corpus *corpus,
                                 const summary_mentions *m, const nf_summary_counts *counts,
                                 nerfit_error *err) {
    summary_labels l = {0};
    nerfit_status status = labels_count(&l, job, corpus, m, err);
    for (size_t i = 0; i < job->labels.count && status == NERFIT_OK; i++) {
        label_row *row = &l.rows[i];
        json_t *of = json_pack("{s:I, s:I, s:I, s:O}", "entities", (json_int_t)row->entities,
                               "texts", (json_int_t)row->texts, "disputed",
                               (json_int_t)counts->disputed[i], "mentions", row->mentions);
        if (json_object_set_new(out, row->name, of) != 0) status = nf_no_memory(err, 0);
    }
    labels_free(&l, job->labels.count);
    return status;
}

/* ---------------------------------------------------------------- JSON */

static json_t *summary_failures(const nf_corpus *failed, const char *const *why) {
    json_t *list = json_array();
    for (size_t i = 0; i < failed->n_documents && i < NF_SUMMARY_FAILURES; i++) {
        const nf_document *d = &failed->documents[i];
        json_array_append_new(list, json_pack("{s:s, s:I, s:s}", "file", d->file ? d->file : "",
                                              "line", (json_int_t)d->line, "why", why[i]));
    }
    return list;
}

nerfit_status nf_summary_make(json_t **out, const nf_annotate_job *job, const nf_annotated *result,
                              const nf_summary_counts *counts, nerfit_error *err) {
    summary_mentions m = {0};
    nerfit_status status = mentions_collect(&m, &result->texts, err);
    json_t *labels = json_object(), *annotators = json_array();
    if (status == NERFIT_OK) status = labels_json(labels, job, &result->texts, &m, counts, err);
    if (job->lists) json_array_append_new(annotators, json_string("rules"));
    for (size_t k = 0; k < job->n_annotators; k++)
        json_array_append_new(annotators, json_string(job->annotators[k].name));
    *out = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "texts",
        (json_int_t)job->texts->n_documents, "annotated", (json_int_t)result->texts.n_documents,
        "failed", (json_int_t)result->failed.n_documents, "entities",
        (json_int_t)result->texts.n_spans, "disputed", (json_int_t)counts->n_disputed,
        "disputed_texts", (json_int_t)counts->n_disputed_texts, "annotators", annotators, "labels",
        labels, "failures", summary_failures(&result->failed, counts->failures));
    if (*out && job->n_annotators > 1 && counts->n_spans)
        json_object_set_new(*out, "agreement",
                            json_real((double)counts->n_unanimous / (double)counts->n_spans));
    HASH_CLEAR(hh, m.map);
    nf_arena_free(&m.arena);
    if (status == NERFIT_OK && !*out) status = nf_no_memory(err, 0);
    if (status != NERFIT_OK) json_decref(*out), *out = NULL;
    return status;
}
