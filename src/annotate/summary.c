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
        for (size_t i = 0; i < document->n_spans; i++) {
            const nf_span *span = &document->spans[i];
            size_t from = nf_utf8_offset(document->text, document->text_size, span->start);
            size_t to = nf_utf8_offset(document->text, document->text_size, span->end);
            NF_TRY(mentions_see(m, span->label, document->text + from, to - from, err));
        }
    }
    HASH_SORT(m->map, mentions_order);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- JSON */

static json_t *summary_mentions_of(const summary_mentions *m, const char *label) {
    json_t *list = json_array();
    for (const mention_key *k = m->map; k; k = k->hh.next)
        if (strcmp(k->label, label) == 0 && json_array_size(list) < NF_SUMMARY_MENTIONS)
            json_array_append_new(list,
                                  json_pack("[s%, I]", k->text, k->size, (json_int_t)k->count));
    return list;
}

static json_t *summary_label(const nf_annotate_job *job, const nf_corpus *corpus, size_t label,
                             const summary_mentions *m, const nf_summary_counts *counts) {
    const char *name = job->labels.names[label];
    size_t n = 0, texts = 0;
    for (size_t d = 0; d < corpus->n_documents; d++) {
        size_t before = n;
        for (size_t i = 0; i < corpus->documents[d].n_spans; i++)
            n += strcmp(corpus->documents[d].spans[i].label, name) == 0;
        texts += n > before;
    }
    return json_pack("{s:I, s:I, s:I, s:o}", "entities", (json_int_t)n, "texts", (json_int_t)texts,
                     "disputed", (json_int_t)counts->disputed[label], "mentions",
                     summary_mentions_of(m, name));
}

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
    for (size_t l = 0; l < job->labels.count && status == NERFIT_OK; l++)
        if (json_object_set_new(labels, job->labels.names[l],
                                summary_label(job, &result->texts, l, &m, counts)) != 0)
            status = nf_no_memory(err, 0);
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
