/* Counts are kept by type while sequences come in; the report divides. Zero divisions give 0, as
 * seqeval's default does. */
#include "predict/score.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/arena.h"
#include "predict/spans.h"

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
    nf_label_span *spans; /* scratch: gold, then predicted */
    size_t room;
    nf_report report;
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
    free(scorer);
}

static counts *counts_of(nf_scorer *scorer, const char *type) {
    size_t size = strlen(type);
    if (scorer->scheme != NF_SCHEME_NONE)
        while (size && type[size - 1] == '-') size--;
    counts *found;
    HASH_FIND(hh, scorer->types, type, size, found);
    if (found) return found;
    found = nf_arena_calloc(&scorer->arena, 1, sizeof *found);
    if (!found || !(found->type = nf_arena_copy(&scorer->arena, type, size))) return NULL;
    HASH_ADD_KEYPTR(hh, scorer->types, found->type, size, found);
    return found;
}

nerfit_status nf_scorer_add(nf_scorer *scorer, const char *const *gold,
                            const char *const *predicted, size_t length, nerfit_error *err) {
    if (scorer->room < length) {
        nf_label_span *grown = realloc(scorer->spans, 4 * length * sizeof *grown);
        if (!grown) return nf_no_memory(err, length);
        scorer->spans = grown;
        scorer->room = 2 * length;
    }
    nf_label_span *g = scorer->spans, *p = scorer->spans + scorer->room;
    size_t n_gold = 0, n_predicted = 0, at = 0;
    if (length) {
        NF_TRY(nf_spans_from_labels(gold, length, scorer->scheme, g, &n_gold, err));
        NF_TRY(nf_spans_from_labels(predicted, length, scorer->scheme, p, &n_predicted, err));
    }
    for (size_t i = 0; i < n_gold; i++) {
        counts *c = counts_of(scorer, g[i].type);
        if (!c) return nf_no_memory(err, 0);
        c->gold++;
    }
    for (size_t i = 0; i < n_predicted; i++) {
        counts *c = counts_of(scorer, p[i].type);
        if (!c) return nf_no_memory(err, 0);
        c->predicted++;
        while (at < n_gold && g[at].start < p[i].start) at++;
        /* spans of one sequence do not overlap: at most one gold span starts here */
        if (at < n_gold && g[at].start == p[i].start && g[at].end == p[i].end &&
            counts_of(scorer, g[at].type) == c)
            c->correct++;
    }
    for (size_t i = 0; i < length; i++) scorer->n_correct += strcmp(gold[i], predicted[i]) == 0;
    scorer->n_tokens += length;
    return NERFIT_OK;
}

static double ratio(double a, double b) { return b > 0.0 ? a / b : 0.0; }

static nf_score score_of(const char *label, size_t gold, size_t predicted, size_t correct) {
    nf_score s = {.label = label, .support = gold, .predicted = predicted, .correct = correct};
    s.precision = ratio((double)correct, (double)predicted);
    s.recall = ratio((double)correct, (double)gold);
    s.f1 = ratio(2.0 * s.precision * s.recall, s.precision + s.recall);
    return s;
}

static int by_label(const void *a, const void *b) {
    return strcmp(((const nf_score *)a)->label, ((const nf_score *)b)->label);
}

nerfit_status nf_scorer_report(nf_scorer *scorer, const nf_report **out, nerfit_error *err) {
    nf_report *report = &scorer->report;
    size_t n = HASH_COUNT(scorer->types), gold = 0, predicted = 0, correct = 0, i = 0;
    nf_score *types = realloc(report->types, (n + 1) * sizeof *types);
    if (!types) return nf_no_memory(err, n * sizeof *types);
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
    report->micro = score_of(NULL, gold, predicted, correct);
    report->macro = report->weighted =
        (nf_score){.support = gold, .predicted = predicted, .correct = correct};
    for (i = 0; i < n; i++) {
        double equal = 1.0 / (double)n, share = ratio((double)types[i].support, (double)gold);
        report->macro.precision += equal * types[i].precision;
        report->macro.recall += equal * types[i].recall;
        report->macro.f1 += equal * types[i].f1;
        report->weighted.precision += share * types[i].precision;
        report->weighted.recall += share * types[i].recall;
        report->weighted.f1 += share * types[i].f1;
    }
    *out = report;
    return NERFIT_OK;
}
