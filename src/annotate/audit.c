#include "annotate/audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "data/selection.h"

enum { STREAM_AUDIT = 132, STREAM_BOOTSTRAP = 133, BOOTSTRAPS = 1000 };

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

nerfit_status nf_audit_draw(nf_corpus *blind, nf_corpus *known, const nf_corpus *gold, size_t n,
                            uint64_t seed, nerfit_error *err) {
    uint32_t *order = malloc((gold->n_documents + 1) * sizeof *order);
    if (!order) return nf_no_memory(err, gold->n_documents * sizeof *order);
    nf_rng rng = nf_rng_new(seed, STREAM_AUDIT);
    for (size_t i = 0; i < gold->n_documents; i++) order[i] = (uint32_t)i;
    nf_rng_shuffle(&rng, order, gold->n_documents);
    if (n > gold->n_documents) n = gold->n_documents;
    qsort(order, n, sizeof *order, ascending);
    nerfit_status status = nf_corpus_take(known, gold, order, n, err);
    for (size_t i = 0; i < n && status == NERFIT_OK; i++) {
        const nf_document *d = &gold->documents[order[i]];
        const nf_given_document given = {.text = d->text,
                                         .text_size = d->text_size,
                                         .words = d->words,
                                         .n_words = d->n_words,
                                         .file = d->file,
                                         .line = d->line};
        status = nf_corpus_add(blind, &given, NULL, err);
    }
    free(order);
    return status;
}

typedef struct audit_counts {
    size_t gold, predicted, correct;
} audit_counts;

static double audit_f1(const audit_counts *c) {
    return c->gold + c->predicted ? 2.0 * (double)c->correct / (double)(c->gold + c->predicted) : 0;
}

static json_t *audit_row(const audit_counts *c) {
    double precision = c->predicted ? (double)c->correct / (double)c->predicted : 0;
    double recall = c->gold ? (double)c->correct / (double)c->gold : 0;
    return json_pack("{s:f, s:f, s:f, s:I, s:I, s:I}", "precision", precision, "recall", recall,
                     "f1", audit_f1(c), "support", (json_int_t)c->gold, "predicted",
                     (json_int_t)c->predicted, "correct", (json_int_t)c->correct);
}

static bool has_span(const nf_document *d, const nf_span *span) {
    for (size_t i = 0; i < d->n_spans; i++)
        if (d->spans[i].start == span->start && d->spans[i].end == span->end &&
            strcmp(d->spans[i].label, span->label) == 0)
            return true;
    return false;
}

/* Of one text, by label [labels] and in all. */
static void audit_text(const nf_document *gold, const nf_document *found,
                       const nf_job_labels *labels, audit_counts *by_label, audit_counts *all) {
    for (size_t i = 0; i < gold->n_spans; i++) {
        int32_t label = nf_job_label(labels, gold->spans[i].label);
        if (label < 0) continue;
        bool right = has_span(found, &gold->spans[i]);
        by_label[label].gold++, all->gold++;
        by_label[label].correct += right, all->correct += right;
    }
    for (size_t i = 0; i < found->n_spans; i++) {
        int32_t label = nf_job_label(labels, found->spans[i].label);
        if (label >= 0) by_label[label].predicted++, all->predicted++;
    }
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* 2.5 and 97.5 in a hundred of resampled F1. Draws in which nobody has an entity say nothing of it. */
static void audit_bootstrap(const audit_counts *texts, size_t n, uint64_t seed, double *least,
                            double *most) {
    double values[BOOTSTRAPS];
    size_t count = 0;
    nf_rng rng = nf_rng_new(seed, STREAM_BOOTSTRAP);
    for (size_t b = 0; b < BOOTSTRAPS; b++) {
        audit_counts sum = {0};
        for (size_t i = 0; i < n; i++) {
            const audit_counts *t = &texts[nf_rng_below(&rng, (uint32_t)n)];
            sum.gold += t->gold, sum.predicted += t->predicted, sum.correct += t->correct;
        }
        if (sum.gold + sum.predicted) values[count++] = audit_f1(&sum);
    }
    if (count == 0) return;
    qsort(values, count, sizeof *values, by_value);
    *least = values[count * 25 / 1000];
    *most = values[(count * 975 + 999) / 1000 - 1];
}

static json_t *audit_json(const nf_job_labels *labels, const audit_counts *by_label,
                          const audit_counts *texts, size_t n, size_t failed, uint64_t seed) {
    audit_counts all = {0};
    double least = 0, most = 0;
    json_t *rows = json_object();
    for (size_t l = 0; l < labels->count; l++)
        json_object_set_new(rows, labels->names[l], audit_row(&by_label[l]));
    for (size_t i = 0; i < n; i++)
        all.gold += texts[i].gold, all.predicted += texts[i].predicted,
            all.correct += texts[i].correct;
    if (n) audit_bootstrap(texts, n, seed, &least, &most);
    json_t *micro = audit_row(&all);
    json_object_set_new(micro, "least", json_real(least));
    json_object_set_new(micro, "most", json_real(most));
    return json_pack("{s:I, s:I, s:o, s:o}", "texts", (json_int_t)n, "failed", (json_int_t)failed,
                     "labels", rows, "micro", micro);
}

nerfit_status nf_audit_score(json_t **out, const nf_corpus *known, const nf_annotated *done,
                             const nf_job_labels *labels, uint64_t seed, nerfit_error *err) {
    nf_arena arena = {0};
    audit_counts *by_label = nf_arena_calloc(&arena, labels->count + 1, sizeof *by_label);
    audit_counts *texts = nf_arena_calloc(&arena, known->n_documents + 1, sizeof *texts);
    size_t n = 0;
    *out = NULL;
    /* both are in the same order; those that failed are missing in one */
    for (size_t i = 0; by_label && texts && i < known->n_documents; i++) {
        if (n == done->texts.n_documents) break;
        const nf_document *gold = &known->documents[i], *found = &done->texts.documents[n];
        if (gold->text_size == found->text_size &&
            memcmp(gold->text, found->text, gold->text_size) == 0)
            audit_text(gold, found, labels, by_label, &texts[n++]);
    }
    if (by_label && texts)
        *out = audit_json(labels, by_label, texts, n, done->failed.n_documents, seed);
    nf_arena_free(&arena);
    return *out ? NERFIT_OK : nf_no_memory(err, 0);
}
