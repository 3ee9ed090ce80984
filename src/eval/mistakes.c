#include "eval/mistakes.h"

#include <stdlib.h>

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

static const nf_mention *first_of(const nf_match *m) {
    if (!m->gold || !m->predicted) return m->gold ? m->gold : m->predicted;
    return m->predicted->start < m->gold->start ? m->predicted : m->gold;
}

static int by_place(const void *a, const void *b) {
    const nf_mention *x = first_of(a), *y = first_of(b);
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return (int)((const nf_match *)a)->kind - (int)((const nf_match *)b)->kind;
}

static nf_match_kind kind_of(const nf_mention *gold, const nf_mention *predicted) {
    bool type = nf_mention_same_type(gold, predicted);
    if (nf_mention_same_place(gold, predicted)) return type ? NF_CORRECT : NF_WRONG_TYPE;
    return type ? NF_WRONG_BOUNDARY : NF_WRONG_TYPE_AND_BOUNDARY;
}

/* Every two that overlap. candidates may be NULL: then they are only counted. */
static size_t find_candidates(const nf_mention *gold, size_t n_gold, const nf_mention *predicted,
                              size_t n_predicted, candidate *candidates) {
    size_t count = 0;
    for (size_t g = 0; g < n_gold; g++)
        for (size_t p = 0; p < n_predicted; p++) {
            uint32_t overlap = nf_mention_overlap(&gold[g], &predicted[p]);
            if (!overlap) continue;
            if (candidates)
                candidates[count] = (candidate){
                    {kind_of(&gold[g], &predicted[p]), &gold[g], &predicted[p]}, overlap};
            count++;
        }
    return count;
}

nerfit_status nf_mentions_match(const nf_mention *gold, size_t n_gold, const nf_mention *predicted,
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
    for (size_t i = 0; i < c->n_types; i++) free(c->types[i]);
    free(c->types);
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

static nerfit_status grow(nf_confusion *c, nerfit_error *err) {
    size_t capacity = 2 * c->capacity + 8, width = capacity + 1, old = c->capacity + 1;
    char **types = realloc(c->types, capacity * sizeof *types);
    if (types) c->types = types;
    size_t *counts = types ? calloc(width * width, sizeof *counts) : NULL;
    if (!counts) return nf_no_memory(err, width * width * sizeof *counts);
    for (size_t row = 0; c->counts && row < old; row++)
        memcpy(&counts[row * width], &c->counts[row * old], old * sizeof *counts);
    free(c->counts);
    c->counts = counts;
    c->capacity = capacity;
    return NERFIT_OK;
}

static size_t index_of(const nf_confusion *c, const char *label) {
    size_t i = 0;
    while (i < c->n_types && strcmp(c->types[i], label) != 0) i++;
    return i;
}

static nerfit_status add_type(nf_confusion *c, const nf_mention *mention, nerfit_error *err) {
    if (!mention || index_of(c, mention->label) < c->n_types) return NERFIT_OK;
    if (c->n_types == c->capacity) NF_TRY(grow(c, err));
    char *copy = strdup(mention->label);
    if (!copy) return nf_no_memory(err, strlen(mention->label));
    c->types[c->n_types++] = copy;
    return NERFIT_OK;
}

nerfit_status nf_confusion_add(nf_confusion *c, const nf_match *match, nerfit_error *err) {
    if (!c->counts) NF_TRY(grow(c, err));
    NF_TRY(add_type(c, match->gold, err));
    NF_TRY(add_type(c, match->predicted, err));
    ++*cell(c, match->gold ? index_of(c, match->gold->label) : c->n_types,
            match->predicted ? index_of(c, match->predicted->label) : c->n_types);
    return NERFIT_OK;
}

const char *nf_confusion_label(const nf_confusion *c, const char *label) {
    return label ? c->types[index_of(c, label)] : NULL;
}

void nf_confusion_sort(const nf_confusion *c, size_t *order) {
    for (size_t i = 0; i < c->n_types; i++) {
        size_t at = i;
        for (; at > 0 && strcmp(c->types[order[at - 1]], c->types[i]) > 0; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}
