#include "annotate/silver.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/str.h"
#include "data/annotations.h"
#include "data/json_value.h"
#include "labels/places.h"

/* Names of the annotators that have a span, joined by "+"; in the arena, NULL when out of memory. */
static const char *silver_source(const nf_silver_text *t, uint64_t voters, nf_arena *arena) {
    nf_str names = {0};
    for (size_t k = 0; k < t->n_opinions; k++)
        if (voters & UINT64_C(1) << k)
            nf_str_appendf(&names, "%s%s", names.length ? "+" : "", t->sources[k]);
    const char *copy = names.failed ? NULL : nf_arena_strdup(arena, nf_str_text(&names));
    nf_str_free(&names);
    return copy;
}

/* Where lists have entities. */
static nerfit_status silver_listed(nf_places *out, const nf_silver_text *t, bool may_overlap,
                                   nf_arena *arena, nerfit_error *err) {
    NF_TRY(nf_places_make(out, t->document->length, may_overlap, arena, err));
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < t->n_listed && status == NERFIT_OK; i++)
        status = nf_places_take(out, &t->listed[i], err);
    if (status != NERFIT_OK) nf_places_free(out);
    return status;
}

static nf_given_span silver_span(const nf_annotate_job *job, const nf_entity *e,
                                 const nf_beside *beside) {
    const char *label = job->labels.names[e->type];
    return (nf_given_span){.start = e->start,
                           .end = e->end,
                           .label = label,
                           .label_size = strlen(label),
                           .beside = beside};
}

/* Accepted spans that are not in the way of those of lists. */
static nerfit_status silver_accepted(const nf_annotate_job *job, const nf_silver_text *t,
                                     const nf_places *listed, nf_given_span *spans, size_t *count,
                                     nf_arena *arena, nerfit_error *err) {
    for (size_t i = 0; i < t->merged->n_spans; i++) {
        const nf_merged_span *m = &t->merged->spans[i];
        if (!m->accepted || nf_places_has(listed, &m->span)) continue;
        nf_beside *beside = nf_arena_calloc(arena, 1, sizeof *beside);
        char fields[48];
        nf_print(fields, sizeof fields, "\"score\": %.4f", m->span.score);
        if (beside)
            *beside = (nf_beside){.fields = nf_arena_strdup(arena, fields),
                                  .source = silver_source(t, m->voters, arena),
                                  .weight = floor(1e4 * m->span.score + 0.5) / 1e4,
                                  .weighted = true};
        if (!beside || !beside->fields || !beside->source) return nf_no_memory(err, 0);
        spans[(*count)++] = silver_span(job, &m->span, beside);
    }
    return NERFIT_OK;
}

/* Accepted spans and those of lists. */
static nerfit_status silver_spans(const nf_annotate_job *job, const nf_silver_text *t,
                                  nf_given_span *spans, size_t *count, nf_arena *arena,
                                  nerfit_error *err) {
    static const nf_beside by_lists = {.source = "rules"};
    nf_places listed;
    *count = 0;
    NF_TRY(silver_listed(&listed, t, job->nested, arena, err));
    nerfit_status status = silver_accepted(job, t, &listed, spans, count, arena, err);
    nf_places_free(&listed);
    for (size_t i = 0; i < t->n_listed; i++)
        spans[(*count)++] = silver_span(job, &t->listed[i], &by_lists);
    return status;
}

/* ---------------------------------------------------------------- what is disputed */

static void silver_mark(uint8_t *cover, const nf_entity *e, uint8_t value) {
    memset(cover + e->start, value, e->end - e->start);
}

/* Places that are proposed and not written. */
static nerfit_status silver_unknown(nf_beside *out, const nf_silver_text *t,
                                    const nf_given_span *spans, size_t count, nf_arena *arena,
                                    nerfit_error *err) {
    uint32_t length = t->document->length;
    uint8_t *cover = nf_arena_calloc(arena, (size_t)length + 1, 1);
    nf_range *ranges = nf_arena_calloc(arena, (size_t)length / 2 + 1, sizeof *ranges);
    if (!cover || !ranges) return nf_no_memory(err, length);
    for (size_t i = 0; i < t->merged->n_spans; i++)
        silver_mark(cover, &t->merged->spans[i].span, 1);
    for (size_t k = 0; k < t->n_opinions; k++)
        for (size_t i = 0; i < t->opinions[k]->n_unsure; i++)
            silver_mark(cover, &t->opinions[k]->unsure[i], 1);
    for (size_t i = 0; i < count; i++)
        memset(cover + spans[i].start, 0, (size_t)(spans[i].end - spans[i].start));
    for (uint32_t at = 0; at < length; at++) {
        if (!cover[at]) continue;
        uint32_t end = at;
        while (end < length && cover[end]) end++;
        ranges[out->n_unknown++] = (nf_range){at, end};
        at = end;
    }
    out->unknown = ranges;
    return NERFIT_OK;
}

static nerfit_status silver_labels(nf_beside *out, const nf_annotate_job *job,
                                   const nf_silver_text *t, nf_arena *arena, nerfit_error *err) {
    if (job->open) return NERFIT_OK;
    const char **labels = nf_arena_calloc(arena, job->labels.count + 1, sizeof *labels);
    if (!labels) return nf_no_memory(err, job->labels.count);
    for (size_t l = 0; l < job->labels.count; l++)
        if (t->merged->asked[l]) labels[out->n_labels++] = job->labels.names[l];
    out->labels = labels;
    return NERFIT_OK;
}

static void silver_append_names(nf_str *out, const nf_silver_text *t, uint64_t voters) {
    bool any = false;
    nf_str_append_char(out, '[');
    for (size_t k = 0; k < t->n_opinions; k++)
        if (voters & UINT64_C(1) << k) {
            nf_str_append_text(out, any ? ", " : "");
            nf_str_append_json(out, t->sources[k], strlen(t->sources[k]));
            any = true;
        }
    nf_str_append_char(out, ']');
}

static nerfit_status silver_disputed(nf_str *out, const nf_annotate_job *job,
                                     const nf_silver_text *t, size_t *count, nf_arena *arena,
                                     nerfit_error *err) {
    nf_places listed;
    size_t n = 0;
    NF_TRY(silver_listed(&listed, t, false, arena, err));
    for (size_t i = 0; i < t->merged->n_spans; i++) {
        const nf_merged_span *m = &t->merged->spans[i];
        if (m->accepted || nf_places_has(&listed, &m->span)) continue;
        const char *label = job->labels.names[m->span.type];
        nf_str_appendf(out, "%s{\"start\": %u, \"end\": %u, \"label\": ",
                       n++ ? ", " : ", \"disputed\": [", m->span.start, m->span.end);
        nf_str_append_json(out, label, strlen(label));
        nf_str_append_text(out, ", \"by\": ");
        silver_append_names(out, t, m->voters);
        nf_str_append_char(out, '}');
    }
    if (n) nf_str_append_char(out, ']');
    *count = n;
    nf_places_free(&listed);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- the text */

/* Fields beside the text: what the input had, and what is disputed; without the first ", ". */
static nerfit_status silver_fields(nf_str *out, const nf_annotate_job *job, const nf_silver_text *t,
                                   size_t *n_disputed, nf_arena *arena, nerfit_error *err) {
    static const char *const own[] = {"disputed", NULL};
    const nf_beside *before = t->document->beside;
    const nf_beside rest = {.fields = before ? before->fields : NULL};
    if (rest.fields) nf_json_append_beside(out, &rest, own);
    NF_TRY(silver_disputed(out, job, t, n_disputed, arena, err));
    return out->failed ? nf_no_memory(err, 0) : NERFIT_OK;
}

static nerfit_status silver_write(nf_corpus *out, const nf_annotate_job *job,
                                  const nf_silver_text *t, size_t *n_disputed, nf_str *fields,
                                  nf_arena *arena, nerfit_error *err) {
    const nf_document *d = t->document;
    const nf_annotation_options options = {.overlap = NF_OVERLAP_KEEP_ALL, .log = job->log};
    size_t count, most = t->merged->n_spans + t->n_listed;
    nf_given_span *spans = nf_arena_calloc(arena, most + 1, sizeof *spans);
    if (!spans) return nf_no_memory(err, most * sizeof *spans);
    NF_TRY(silver_spans(job, t, spans, &count, arena, err));
    NF_TRY(silver_fields(fields, job, t, n_disputed, arena, err));
    uint64_t given = 0;
    for (size_t k = 0; k < t->n_opinions; k++)
        if (t->opinions[k]->given) given |= UINT64_C(1) << k;
    nf_beside beside = {.fields = fields->length ? nf_str_text(fields) + 2 : NULL,
                        .source = silver_source(t, given, arena)};
    NF_TRY(silver_unknown(&beside, t, spans, count, arena, err));
    NF_TRY(silver_labels(&beside, job, t, arena, err));
    if (!beside.source) return nf_no_memory(err, 0);
    if (!*beside.source) beside.source = "rules";
    nf_given_document document = {.text = d->text,
                                  .text_size = d->text_size,
                                  .spans = spans,
                                  .n_spans = count,
                                  .words = d->words,
                                  .n_words = d->n_words,
                                  .beside = &beside,
                                  .file = d->file,
                                  .line = d->line};
    return nf_corpus_add_with(out, &document, &options, err);
}

nerfit_status nf_silver_add(nf_corpus *out, const nf_annotate_job *job, const nf_silver_text *text,
                            size_t *n_disputed, nerfit_error *err) {
    nf_arena arena = {0};
    nf_str fields = {0};
    nerfit_status status = silver_write(out, job, text, n_disputed, &fields, &arena, err);
    nf_str_free(&fields);
    nf_arena_free(&arena);
    return status;
}
