/* Counts are kept by type while sequences come in; the report divides. Zero divisions give 0, as
 * seqeval's default does. */
#include "eval/score.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "labels/spans.h"

typedef struct counts {
    const char *type;
    size_t gold, predicted, correct;
    UT_hash_handle hh;
} counts;

struct nf_scorer {
    nf_scheme scheme;
    nf_arena arena;
    counts *types;
    size_t n_tokens, n_correct;
    nf_span_scan gold, predicted;
    nf_entity *spans; /* [2 * room] scratch: gold, then predicted */
    size_t room;
    nf_report report;
    double *column; /* scratch of the report: one measure of all types */
};

nerfit_status nf_scorer_new(nf_scorer **out, nf_scheme scheme, nerfit_error *err) {
    *out = calloc(1, sizeof **out);
    if (!*out) return nf_no_memory(err, sizeof **out);
    (*out)->scheme = scheme;
    return NERFIT_OK;
}

void nf_scorer_free(nf_scorer *scorer) {
    if (!scorer) return;
    HASH_CLEAR(hh, scorer->types);
    nf_arena_free(&scorer->arena);
    free(scorer->spans);
    free(scorer->report.types);
    free(scorer->column);
    free(scorer);
}

/* ---------------------------------------------------------------- counting */

/* The counts of a type, new ones if need be; NULL when out of memory. */
static counts *counts_of_type(nf_scorer *scorer, const char *type, size_t size) {
    counts *found;
    HASH_FIND(hh, scorer->types, type, size, found);
    if (found) return found;
    found = nf_arena_calloc(&scorer->arena, 1, sizeof *found);
    if (!found) return NULL;
    found->type = nf_arena_copy(&scorer->arena, type, size);
    if (!found->type) return NULL;
    HASH_ADD_KEYPTR(hh, scorer->types, found->type, size, found);
    return found->hh.tbl ? found : NULL;
}

/* Of an entity that was read from labels. */
static counts *counts_of(nf_scorer *scorer, const nf_entity *span, const char *const *labels) {
    nf_type_name type = nf_label_type_name(labels[span->type], scorer->scheme);
    return counts_of_type(scorer, type.text, type.size);
}

static nerfit_status reserve(nf_scorer *scorer, size_t length, nerfit_error *err) {
    if (scorer->room > length) return NERFIT_OK;
    size_t room = 2 * length + 64, bytes;
    nf_entity *grown = NULL;
    if (!__builtin_mul_overflow(room, 2 * sizeof *grown, &bytes))
        grown = realloc(scorer->spans, bytes);
    if (!grown) return nf_no_memory(err, room);
    scorer->spans = grown;
    scorer->room = room;
    return NERFIT_OK;
}

nerfit_status nf_scorer_add(nf_scorer *scorer, const char *const *gold,
                            const char *const *predicted, size_t length, nerfit_error *err) {
    NF_TRY(reserve(scorer, length, err));
    nf_entity *g = scorer->spans, *p = scorer->spans + scorer->room;
    nf_span_scan gold_scan = scorer->gold, predicted_scan = scorer->predicted;
    size_t n_gold, n_predicted;
    NF_TRY(nf_spans_scan(&gold_scan, gold, length, scorer->scheme, g, &n_gold, err));
    NF_TRY(nf_spans_scan(&predicted_scan, predicted, length, scorer->scheme, p, &n_predicted, err));
    for (size_t i = 0; i < n_gold; i++)
        if (!counts_of(scorer, &g[i], gold)) return nf_no_memory(err, sizeof(counts));
    for (size_t i = 0; i < n_predicted; i++)
        if (!counts_of(scorer, &p[i], predicted)) return nf_no_memory(err, sizeof(counts));
    /* nothing can fail from here: a sequence counts wholly or not at all */
    for (size_t i = 0; i < n_gold; i++) counts_of(scorer, &g[i], gold)->gold++;
    for (size_t i = 0, at = 0; i < n_predicted; i++) {
        counts *c = counts_of(scorer, &p[i], predicted);
        c->predicted++;
        while (at < n_gold && g[at].end < p[i].end) at++; /* one span at most ends there */
        if (at < n_gold && nf_entity_same_place(&g[at], &p[i]) &&
            counts_of(scorer, &g[at], gold) == c)
            c->correct++;
    }
    for (size_t i = 0; i < length; i++) scorer->n_correct += strcmp(gold[i], predicted[i]) == 0;
    scorer->n_tokens += length;
    scorer->gold = gold_scan;
    scorer->predicted = predicted_scan;
    return NERFIT_OK;
}

static counts *counts_of_name(nf_scorer *scorer, const char *type) {
    return counts_of_type(scorer, type, strlen(type));
}

static bool is_gold(const nf_scored_text *text, const nf_entity *e) {
    for (size_t i = 0; i < text->n_gold; i++)
        if (nf_entity_same_place(&text->gold[i], e) && text->gold[i].type == e->type) return true;
    return false;
}

nerfit_status nf_scorer_add_entities(nf_scorer *scorer, const nf_scored_text *text,
                                     nerfit_error *err) {
    size_t all = text->n_gold + text->n_predicted;
    for (size_t i = 0; i < all; i++) {
        const nf_entity *e = i < text->n_gold ? &text->gold[i] : &text->predicted[i - text->n_gold];
        if (!counts_of_name(scorer, text->types[e->type])) return nf_no_memory(err, sizeof(counts));
    }
    /* nothing can fail from here: a text counts wholly or not at all */
    for (size_t i = 0; i < text->n_gold; i++)
        counts_of_name(scorer, text->types[text->gold[i].type])->gold++;
    for (size_t i = 0; i < text->n_predicted; i++) {
        counts *c = counts_of_name(scorer, text->types[text->predicted[i].type]);
        c->predicted++;
        c->correct += is_gold(text, &text->predicted[i]);
    }
    scorer->n_tokens += text->n_tokens;
    scorer->n_correct += text->n_correct;
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- the report */

static double ratio(double a, double b) {
    return b > 0.0 ? a / b : 0.0;
}

static nf_score score_of(const char *label, size_t gold, size_t predicted, size_t correct) {
    nf_score s = {.label = label, .support = gold, .predicted = predicted, .correct = correct};
    s.precision = ratio((double)correct, (double)predicted);
    s.recall = ratio((double)correct, (double)gold);
    s.f1 = ratio(2.0 * s.precision * s.recall, s.precision + s.recall);
    return s;
}

/* numpy's pairwise sum, which seqeval's averages go through: equal to the last bit. */
static double pairwise_sum(const double *a, size_t n) {
    if (n > 128) {
        size_t half = n / 2 - n / 2 % 8;
        return pairwise_sum(a, half) + pairwise_sum(a + half, n - half);
    }
    double r[8] = {0}, total = 0.0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++) r[k] += a[i + k];
    if (i) total = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; i++) total += a[i];
    return total;
}

/* Where a measure lies in an nf_score, for the averages to go over. */
static const size_t measures[] = {offsetof(nf_score, precision), offsetof(nf_score, recall),
                                  offsetof(nf_score, f1)};

static double *measure_of(nf_score *score, size_t measure) {
    return (double *)((char *)score + measures[measure]);
}

/* The mean of each measure over the types, weighted by their support or not; 0 without a type. */
static void average(nf_score *out, nf_report *report, double *column, bool weighted) {
    for (size_t m = 0; m < sizeof measures / sizeof *measures; m++) {
        for (size_t i = 0; i < report->n_types; i++)
            column[i] = *measure_of(&report->types[i], m) *
                        (weighted ? (double)report->types[i].support : 1.0);
        size_t parts = weighted ? out->support : report->n_types;
        *measure_of(out, m) = ratio(pairwise_sum(column, report->n_types), (double)parts);
    }
}

static int by_label(const void *a, const void *b) {
    return strcmp(((const nf_score *)a)->label, ((const nf_score *)b)->label);
}

nerfit_status nf_scorer_report(nf_scorer *scorer, const nf_report **out, nerfit_error *err) {
    nf_report *report = &scorer->report;
    size_t n = HASH_COUNT(scorer->types), gold = 0, predicted = 0, correct = 0, i = 0;
    nf_score *types = realloc(report->types, (n + 1) * sizeof *types);
    if (!types) return nf_no_memory(err, (n + 1) * sizeof *types);
    report->types = types;
    double *column = realloc(scorer->column, (n + 1) * sizeof *column);
    if (!column) return nf_no_memory(err, (n + 1) * sizeof *column);
    scorer->column = column;
    *report = (nf_report){.types = types,
                          .n_types = n,
                          .n_tokens = scorer->n_tokens,
                          .n_tokens_correct = scorer->n_correct};
    for (counts *c = scorer->types; c; c = c->hh.next) {
        types[i++] = score_of(c->type, c->gold, c->predicted, c->correct);
        gold += c->gold;
        predicted += c->predicted;
        correct += c->correct;
    }
    qsort(types, n, sizeof *types, by_label);
    report->micro = report->macro = report->weighted = score_of(NULL, gold, predicted, correct);
    average(&report->macro, report, column, false);
    average(&report->weighted, report, column, true);
    *out = report;
    return NERFIT_OK;
}
