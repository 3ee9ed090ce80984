#include "annotate/merge.h"

#include <stdlib.h>

#include "labels/places.h"

/* A span of an opinion. */
typedef struct merge_vote {
    nf_entity span;
    uint32_t opinion;
} merge_vote;

static int compare_spans(const nf_entity *x, const nf_entity *y) {
    if (x->type != y->type) return x->type < y->type ? -1 : 1;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

static int merge_alike_together(const void *a, const void *b) {
    const merge_vote *x = a, *y = b;
    int order = compare_spans(&x->span, &y->span);
    if (order) return order;
    if (x->opinion != y->opinion) return x->opinion < y->opinion ? -1 : 1;
    return x->span.score > y->span.score ? -1 : x->span.score < y->span.score;
}

/* Distinct spans of all opinions, by type and place; of one that an opinion has twice the better score
 * counts. Their scores are sums for now. */
static nerfit_status merge_collect(nf_merged *out, const nf_opinion *const *opinions,
                                   size_t n_opinions, nf_arena *arena, nerfit_error *err) {
    size_t most = 0, n = 0;
    for (size_t k = 0; k < n_opinions; k++) most += opinions[k]->n_spans;
    out->spans = nf_arena_calloc(arena, most + 1, sizeof *out->spans);
    merge_vote *votes = nf_arena_calloc(arena, most + 1, sizeof *votes);
    if (!out->spans || !votes) return nf_no_memory(err, most * sizeof *out->spans);
    for (size_t k = 0; k < n_opinions; k++)
        for (size_t i = 0; i < opinions[k]->n_spans; i++)
            votes[n++] = (merge_vote){opinions[k]->spans[i], (uint32_t)k};
    if (n) qsort(votes, n, sizeof *votes, merge_alike_together);
    for (size_t i = 0; i < n; i++) {
        const nf_entity *e = &votes[i].span;
        bool again = i > 0 && compare_spans(e, &votes[i - 1].span) == 0;
        nf_merged_span *span = &out->spans[again ? out->n_spans - 1 : out->n_spans];
        uint64_t voter = UINT64_C(1) << votes[i].opinion;
        if (!again) {
            span->span = (nf_entity){e->start, e->end, e->type, 0};
            out->n_spans++;
        }
        if (span->voters & voter) continue;
        span->voters |= voter;
        span->span.score += e->score;
    }
    return NERFIT_OK;
}

static size_t count_bits(uint64_t bits) {
    size_t n = 0;
    for (; bits; bits &= bits - 1) n++;
    return n;
}

/* How many opinions have a variant of each span: of spans by type and place those that overlap one from
 * behind begin before its end. */
static nerfit_status merge_count_votes(nf_merged *m, nf_arena *arena, nerfit_error *err) {
    uint64_t *voters = nf_arena_calloc(arena, m->n_spans + 1, sizeof *voters);
    if (!voters) return nf_no_memory(err, m->n_spans * sizeof *voters);
    for (size_t i = 0; i < m->n_spans; i++) {
        const nf_entity *e = &m->spans[i].span;
        voters[i] |= m->spans[i].voters;
        for (size_t k = i + 1; k < m->n_spans; k++) {
            const nf_entity *o = &m->spans[k].span;
            if (o->type != e->type || o->start >= e->end) break;
            voters[i] |= m->spans[k].voters;
            voters[k] |= m->spans[i].voters;
        }
    }
    for (size_t i = 0; i < m->n_spans; i++) m->spans[i].votes = count_bits(voters[i]);
    return NERFIT_OK;
}

static int merge_best_first(const void *a, const void *b) {
    const nf_merged_span *x = a, *y = b;
    size_t n = count_bits(x->voters), m = count_bits(y->voters);
    uint32_t long_x = x->span.end - x->span.start, long_y = y->span.end - y->span.start;
    if (x->votes != y->votes) return x->votes > y->votes ? -1 : 1;
    if (n != m) return n > m ? -1 : 1;
    if (x->span.score != y->span.score) return x->span.score > y->span.score ? -1 : 1;
    if (long_x != long_y) return long_x > long_y ? -1 : 1;
    if (x->span.start != y->span.start) return x->span.start < y->span.start ? -1 : 1;
    return x->span.type < y->span.type ? -1 : x->span.type > y->span.type;
}

static int merge_by_place(const void *a, const void *b) {
    const nf_entity *x = &((const nf_merged_span *)a)->span,
                    *y = &((const nf_merged_span *)b)->span;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return x->type < y->type ? -1 : x->type > y->type;
}

static int merge_best_of_type_first(const void *a, const void *b) {
    const nf_entity *x = &((const nf_merged_span *)a)->span,
                    *y = &((const nf_merged_span *)b)->span;
    if (x->type != y->type) return x->type < y->type ? -1 : 1;
    return merge_best_first(a, b);
}

/* Accepts spans, the best first, unless an accepted one overlaps. Of nested ones only a variant, one of the
 * same label, stands in the way: label by label. */
static nerfit_status merge_accept(nf_merged *m, const size_t *n_asked, size_t votes, bool nested,
                                  nf_arena *arena, nerfit_error *err) {
    size_t length = 0, first = 0;
    nf_places places;
    for (size_t i = 0; i < m->n_spans; i++)
        if (m->spans[i].span.end > length) length = m->spans[i].span.end;
    NF_TRY(nf_places_make(&places, length, false, arena, err));
    if (m->n_spans)
        qsort(m->spans, m->n_spans, sizeof *m->spans,
              nested ? merge_best_of_type_first : merge_best_first);
    for (size_t i = 0; i < m->n_spans; i++) {
        nf_merged_span *s = &m->spans[i];
        size_t n = n_asked[s->span.type], need = votes ? votes : n / 2 + 1;
        for (; nested && m->spans[first].span.type != s->span.type; first++)
            if (m->spans[first].accepted) nf_places_leave(&places, &m->spans[first].span);
        s->accepted = s->votes >= need && !nf_places_has(&places, &s->span);
        if (s->accepted) NF_TRY(nf_places_take(&places, &s->span, err));
        if (n) s->span.score *= (double)count_bits(s->voters) / (double)n;
    }
    return NERFIT_OK;
}

nerfit_status nf_merge(nf_merged *out, const nf_opinion *const *opinions, size_t n_opinions,
                       size_t n_labels, size_t votes, bool nested, nf_arena *arena,
                       nerfit_error *err) {
    *out = (nf_merged){0};
    size_t *n_asked = nf_arena_calloc(arena, n_labels + 1, sizeof *n_asked);
    out->asked = nf_arena_calloc(arena, n_labels + 1, sizeof *out->asked);
    if (!n_asked || !out->asked) return nf_no_memory(err, n_labels);
    for (size_t k = 0; k < n_opinions; k++)
        for (size_t l = 0; l < n_labels; l++)
            n_asked[l] += opinions[k]->given && (!opinions[k]->asked || opinions[k]->asked[l]);
    for (size_t l = 0; l < n_labels; l++) out->asked[l] = n_asked[l] > 0;
    NF_TRY(merge_collect(out, opinions, n_opinions, arena, err));
    NF_TRY(merge_count_votes(out, arena, err));
    for (size_t i = 0; i < out->n_spans; i++) /* from a sum to a mean */
        out->spans[i].span.score /= (double)count_bits(out->spans[i].voters);
    NF_TRY(merge_accept(out, n_asked, votes, nested, arena, err));
    if (out->n_spans) qsort(out->spans, out->n_spans, sizeof *out->spans, merge_by_place);
    return NERFIT_OK;
}
