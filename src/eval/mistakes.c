#include "eval/mistakes.h"

#include <stdlib.h>
#include <string.h>

const char *nf_match_name(nf_match_kind kind) {
    static const char *const names[] = {
        "missed", "spurious", "wrong boundary", "wrong type", "wrong type and boundary", "correct"};
    return names[kind];
}

/* ---------------------------------------------------------------- matching */

typedef struct candidate {
    nf_match match;
    uint32_t overlap;
} candidate;

/* The order in which pairs are made. */
static int rank_of(nf_match_kind kind) {
    static const int ranks[] = {[NF_CORRECT] = 0,
                                [NF_WRONG_TYPE] = 1,
                                [NF_WRONG_BOUNDARY] = 2,
                                [NF_WRONG_TYPE_AND_BOUNDARY] = 3};
    return ranks[kind];
}

static int by_rank(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    int ranks = rank_of(x->match.kind) - rank_of(y->match.kind);
    if (ranks) return ranks;
    if (x->overlap != y->overlap) return x->overlap > y->overlap ? -1 : 1;
    if (x->match.gold != y->match.gold) return x->match.gold < y->match.gold ? -1 : 1;
    return x->match.predicted < y->match.predicted ? -1 : x->match.predicted > y->match.predicted;
}

static const nf_entity *first_of(const nf_match *m) {
    if (!m->gold || !m->predicted) return m->gold ? m->gold : m->predicted;
    return m->predicted->start < m->gold->start ? m->predicted : m->gold;
}

static int by_place(const void *a, const void *b) {
    const nf_entity *x = first_of(a), *y = first_of(b);
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return (int)((const nf_match *)a)->kind - (int)((const nf_match *)b)->kind;
}

static nf_match_kind kind_of(const nf_entity *gold, const nf_entity *predicted) {
    bool type = gold->type == predicted->type;
    if (nf_entity_same_place(gold, predicted)) return type ? NF_CORRECT : NF_WRONG_TYPE;
    return type ? NF_WRONG_BOUNDARY : NF_WRONG_TYPE_AND_BOUNDARY;
}

/* Every two that overlap. candidates may be NULL: then they are only counted. */
static size_t find_candidates(const nf_entity *gold, size_t n_gold, const nf_entity *predicted,
                              size_t n_predicted, candidate *candidates) {
    size_t count = 0;
    for (size_t g = 0; g < n_gold; g++)
        for (size_t p = 0; p < n_predicted; p++) {
            uint32_t overlap = nf_entity_overlap(&gold[g], &predicted[p]);
            if (!overlap) continue;
            if (candidates)
                candidates[count] = (candidate){
                    {kind_of(&gold[g], &predicted[p]), &gold[g], &predicted[p]}, overlap};
            count++;
        }
    return count;
}

nerfit_status nf_entities_match(const nf_entity *gold, size_t n_gold, const nf_entity *predicted,
                                size_t n_predicted, nf_match *matches, size_t *count,
                                nerfit_error *err) {
    size_t n = find_candidates(gold, n_gold, predicted, n_predicted, NULL);
    candidate *candidates = malloc(n * sizeof *candidates + 1);
    bool *taken = calloc(n_gold + n_predicted + 1, sizeof *taken), *found = taken + n_gold;
    *count = 0;
    if (!candidates || !taken) {
        free(candidates);
        free(taken);
        return nf_no_memory(err, n * sizeof *candidates);
    }
    find_candidates(gold, n_gold, predicted, n_predicted, candidates);
    qsort(candidates, n, sizeof *candidates, by_rank);
    for (size_t i = 0; i < n; i++) {
        const nf_match *m = &candidates[i].match;
        if (taken[m->gold - gold] || found[m->predicted - predicted]) continue;
        taken[m->gold - gold] = found[m->predicted - predicted] = true;
        matches[(*count)++] = *m;
    }
    for (size_t i = 0; i < n_gold; i++)
        if (!taken[i]) matches[(*count)++] = (nf_match){NF_MISSED, &gold[i], NULL};
    for (size_t i = 0; i < n_predicted; i++)
        if (!found[i]) matches[(*count)++] = (nf_match){NF_SPURIOUS, NULL, &predicted[i]};
    if (*count) qsort(matches, *count, sizeof *matches, by_place);
    free(candidates);
    free(taken);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- confusion */

void nf_confusion_free(nf_confusion *c) {
    free(c->counts);
    *c = (nf_confusion){0};
}

/* Row and column 0 are none, so that they stay where they are when types are added. */
static size_t *cell(const nf_confusion *c, size_t gold, size_t predicted) {
    size_t row = gold == c->n_types ? 0 : gold + 1;
    size_t column = predicted == c->n_types ? 0 : predicted + 1;
    return &c->counts[row * (c->capacity + 1) + column];
}

size_t nf_confusion_at(const nf_confusion *c, size_t gold, size_t predicted) {
    return c->counts ? *cell(c, gold, predicted) : 0;
}

static nerfit_status grow(nf_confusion *c, size_t n_types, nerfit_error *err) {
    size_t capacity = 2 * n_types + 8, width = capacity + 1, old = c->capacity + 1;
    size_t *counts = calloc(width * width, sizeof *counts);
    if (!counts) return nf_no_memory(err, width * width * sizeof *counts);
    for (size_t row = 0; c->counts && row < old; row++)
        memcpy(&counts[row * width], &c->counts[row * old], old * sizeof *counts);
    free(c->counts);
    c->counts = counts;
    c->capacity = capacity;
    return NERFIT_OK;
}

nerfit_status nf_confusion_add(nf_confusion *c, const nf_match *match, nerfit_error *err) {
    const nf_entity *gold = match->gold, *predicted = match->predicted;
    size_t n = c->n_types;
    if (gold && (size_t)gold->type >= n) n = (size_t)gold->type + 1;
    if (predicted && (size_t)predicted->type >= n) n = (size_t)predicted->type + 1;
    if (n > c->capacity || !c->counts) NF_TRY(grow(c, n, err));
    c->n_types = n;
    ++*cell(c, gold ? (size_t)gold->type : n, predicted ? (size_t)predicted->type : n);
    return NERFIT_OK;
}
