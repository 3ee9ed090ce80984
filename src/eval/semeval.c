#include "eval/semeval.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

const char *nf_semeval_name(nf_semeval_measure measure) {
    static const char *const names[] = {"strict", "exact", "partial", "type"};
    return names[measure];
}

void nf_semeval_free(nf_semeval *semeval) {
    free(semeval->types);
    *semeval = (nf_semeval){0};
}

/* ---------------------------------------------------------------- matching */

/* One text's entities; `type` (ALL: every one) is the only one that is looked at. */
typedef struct comparison {
    const nf_entity *gold, *predicted;
    size_t n_gold, n_predicted;
    int32_t type;
    bool *taken; /* [n_gold] */
} comparison;

enum { NONE = -1, ALL = -1 };

static bool is_looked_at(const comparison *c, const nf_entity *e) {
    return c->type == ALL || e->type == c->type;
}

static bool overlaps(const nf_entity *predicted, const nf_entity *gold) {
    double shared = nf_entity_overlap(predicted, gold), length = gold->end - gold->start;
    return shared > 0 && shared / length * 100.0 >= 1.0;
}

static bool is_found(nf_semeval_measure measure, const nf_entity *p, const nf_entity *g) {
    if (measure == NF_SEMEVAL_TYPE) return overlaps(p, g) && p->type == g->type;
    return nf_entity_same_place(p, g) && (measure != NF_SEMEVAL_STRICT || p->type == g->type);
}

static uint32_t distance(const nf_entity *a, const nf_entity *b) {
    uint32_t start = a->start > b->start ? a->start - b->start : b->start - a->start;
    uint32_t end = a->end > b->end ? a->end - b->end : b->end - a->end;
    return start + end;
}

/* The gold entity that a predicted one has found: the first, or by type the nearest. *other: the
 * first one that it overlaps without finding it. */
static ptrdiff_t find(const comparison *c, nf_semeval_measure measure, const nf_entity *p,
                      ptrdiff_t *other) {
    ptrdiff_t found = NONE;
    *other = NONE;
    for (size_t i = 0; i < c->n_gold; i++) {
        const nf_entity *g = &c->gold[i];
        if (c->taken[i] || !is_looked_at(c, g)) continue;
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
        const nf_entity *p = &c->predicted[i];
        if (!is_looked_at(c, p)) continue;
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
        s->missed += !c->taken[i] && is_looked_at(c, &c->gold[i]);
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

static nerfit_status add_type(nf_semeval *s, int32_t type, nerfit_error *err) {
    size_t n = (size_t)type + 1;
    if (n > s->n_types) {
        if (!nf_array_reserve(&s->types, &s->capacity, n, sizeof *s->types))
            return nf_no_memory(err, 0);
        memset(&s->types[s->n_types], 0, (n - s->n_types) * sizeof *s->types);
        s->n_types = n;
    }
    return NERFIT_OK;
}

/* Entity `index` of both lists, gold ones first. */
static const nf_entity *entity_at(const comparison *c, size_t index) {
    return index < c->n_gold ? &c->gold[index] : &c->predicted[index - c->n_gold];
}

/* Whether its type was not seen before in the text. */
static bool is_first(const comparison *c, size_t index) {
    for (size_t i = 0; i < index; i++)
        if (entity_at(c, i)->type == entity_at(c, index)->type) return false;
    return true;
}

nerfit_status nf_semeval_add(nf_semeval *semeval, const nf_entity *gold, size_t n_gold,
                             const nf_entity *predicted, size_t n_predicted, nerfit_error *err) {
    comparison c = {gold, predicted, n_gold, n_predicted, ALL, NULL};
    for (size_t i = 0; i < n_gold + n_predicted; i++)
        NF_TRY(add_type(semeval, entity_at(&c, i)->type, err));
    c.taken = malloc(n_gold + 1);
    if (!c.taken) return nf_no_memory(err, n_gold + 1);
    for (nf_semeval_measure m = 0; m < NF_SEMEVAL_MEASURES; m++) {
        c.type = ALL;
        count(&c, m, &semeval->overall[m]);
        divide(&semeval->overall[m]);
        for (size_t i = 0; i < n_gold + n_predicted; i++) {
            if (!is_first(&c, i)) continue;
            c.type = entity_at(&c, i)->type;
            nf_semeval_score *score = &semeval->types[c.type].scores[m];
            count(&c, m, score);
            divide(score);
        }
    }
    free(c.taken);
    return NERFIT_OK;
}
