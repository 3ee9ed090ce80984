#include "eval/semeval.h"

#include <stdlib.h>

const char *nf_semeval_name(nf_semeval_measure measure) {
    static const char *const names[] = {"strict", "exact", "partial", "type"};
    return names[measure];
}

void nf_semeval_free(nf_semeval *semeval) {
    nf_arena_free(&semeval->arena);
    free(semeval->types);
    *semeval = (nf_semeval){0};
}

/* ---------------------------------------------------------------- matching */

/* One text's entities; `type` (NULL: all) is the only one that is looked at. */
typedef struct comparison {
    const nf_mention *gold, *predicted;
    size_t n_gold, n_predicted;
    const char *type;
    bool *taken; /* [n_gold] */
} comparison;

enum { NONE = -1 };

static bool overlaps(const nf_mention *predicted, const nf_mention *gold) {
    double shared = nf_mention_overlap(predicted, gold), length = gold->end - gold->start;
    return shared > 0 && shared / length * 100.0 >= 1.0;
}

static bool is_found(nf_semeval_measure measure, const nf_mention *p, const nf_mention *g) {
    if (measure == NF_SEMEVAL_TYPE) return overlaps(p, g) && nf_mention_same_type(p, g);
    return nf_mention_same_place(p, g) &&
           (measure != NF_SEMEVAL_STRICT || nf_mention_same_type(p, g));
}

static uint32_t distance(const nf_mention *a, const nf_mention *b) {
    uint32_t start = a->start > b->start ? a->start - b->start : b->start - a->start;
    uint32_t end = a->end > b->end ? a->end - b->end : b->end - a->end;
    return start + end;
}

/* The gold entity that a predicted one has found: the first, or by type the nearest. *other: the
 * first one that it overlaps without finding it. */
static ptrdiff_t find(const comparison *c, nf_semeval_measure measure, const nf_mention *p,
                      ptrdiff_t *other) {
    ptrdiff_t found = NONE;
    *other = NONE;
    for (size_t i = 0; i < c->n_gold; i++) {
        const nf_mention *g = &c->gold[i];
        if (c->taken[i] || (c->type && strcmp(g->label, c->type) != 0)) continue;
        if (is_found(measure, p, g)) {
            if (measure != NF_SEMEVAL_TYPE) return (ptrdiff_t)i;
            if (found == NONE || distance(p, g) < distance(p, &c->gold[found]))
                found = (ptrdiff_t)i;
        } else if (*other == NONE && overlaps(p, g))
            *other = (ptrdiff_t)i;
    }
    return found;
}

static void count(const comparison *c, nf_semeval_measure measure, nf_semeval_score *s) {
    memset(c->taken, 0, c->n_gold * sizeof *c->taken);
    for (size_t i = 0; i < c->n_predicted; i++) {
        const nf_mention *p = &c->predicted[i];
        if (c->type && strcmp(p->label, c->type) != 0) continue;
        ptrdiff_t other, found = find(c, measure, p, &other);
        if (found != NONE)
            s->correct++;
        else if (other == NONE)
            s->spurious++;
        else if (measure == NF_SEMEVAL_PARTIAL)
            s->partial++;
        else
            s->incorrect++;
        if (found != NONE || other != NONE) c->taken[found != NONE ? found : other] = true;
    }
    for (size_t i = 0; i < c->n_gold; i++)
        s->missed += !c->taken[i] && (!c->type || strcmp(c->gold[i].label, c->type) == 0);
}

static void divide(nf_semeval_score *s) {
    size_t both = s->correct + s->incorrect + s->partial;
    double found = (double)s->correct + 0.5 * (double)s->partial; /* partial is 0 but for one */
    s->actual = both + s->spurious;
    s->possible = both + s->missed;
    s->precision = s->actual ? found / (double)s->actual : 0;
    s->recall = s->possible ? found / (double)s->possible : 0;
    double sum = s->precision + s->recall;
    s->f1 = sum > 0 ? 2 * (s->precision * s->recall) / sum : 0;
}

/* ---------------------------------------------------------------- types */

/* Where a label stands among the types, or where it belongs. */
static size_t place_of(const nf_semeval *s, const char *label) {
    size_t low = 0, high = s->n_types;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(s->types[middle].label, label) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static nerfit_status add_type(nf_semeval *s, const char *label, nerfit_error *err) {
    size_t at = place_of(s, label);
    if (at < s->n_types && strcmp(s->types[at].label, label) == 0) return NERFIT_OK;
    if (s->n_types == s->capacity) {
        size_t capacity = 2 * s->capacity + 16;
        nf_semeval_type *grown = realloc(s->types, capacity * sizeof *grown);
        if (!grown) return nf_no_memory(err, capacity * sizeof *grown);
        s->types = grown;
        s->capacity = capacity;
    }
    const char *copy = nf_arena_strdup(&s->arena, label);
    if (!copy) return nf_no_memory(err, strlen(label));
    memmove(&s->types[at + 1], &s->types[at], (s->n_types++ - at) * sizeof *s->types);
    s->types[at] = (nf_semeval_type){.label = copy};
    return NERFIT_OK;
}

/* Whether a label was not seen before in the text. */
static bool is_first(const comparison *c, size_t index) {
    const char *label =
        index < c->n_gold ? c->gold[index].label : c->predicted[index - c->n_gold].label;
    for (size_t i = 0; i < index; i++)
        if (strcmp(label, i < c->n_gold ? c->gold[i].label : c->predicted[i - c->n_gold].label) ==
            0)
            return false;
    return true;
}

nerfit_status nf_semeval_add(nf_semeval *semeval, const nf_mention *gold, size_t n_gold,
                             const nf_mention *predicted, size_t n_predicted, nerfit_error *err) {
    comparison c = {gold, predicted, n_gold, n_predicted, NULL, NULL};
    for (size_t i = 0; i < n_gold + n_predicted; i++)
        NF_TRY(add_type(semeval, i < n_gold ? gold[i].label : predicted[i - n_gold].label, err));
    c.taken = malloc(n_gold + 1);
    if (!c.taken) return nf_no_memory(err, n_gold);
    for (nf_semeval_measure m = 0; m < NF_SEMEVAL_MEASURES; m++) {
        c.type = NULL;
        count(&c, m, &semeval->overall[m]);
        divide(&semeval->overall[m]);
        for (size_t i = 0; i < n_gold + n_predicted; i++) {
            if (!is_first(&c, i)) continue;
            c.type = i < n_gold ? gold[i].label : predicted[i - n_gold].label;
            nf_semeval_score *score = &semeval->types[place_of(semeval, c.type)].scores[m];
            count(&c, m, score);
            divide(score);
        }
    }
    free(c.taken);
    return NERFIT_OK;
}
