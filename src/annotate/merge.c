#include "annotate/merge.h"

#include <stdlib.h>

/* Distinct spans of all opinions. */
static nerfit_status merge_collect(nf_merged *out, const nf_opinion *const *opinions,
                                   size_t n_opinions, nf_arena *arena, nerfit_error *err) {
    size_t most = 0;
    for (size_t k = 0; k < n_opinions; k++) most += opinions[k]->n_spans;
    out->spans = nf_arena_calloc(arena, most + 1, sizeof *out->spans);
    if (!out->spans) return nf_no_memory(err, most * sizeof *out->spans);
    for (size_t k = 0; k < n_opinions; k++)
        for (size_t i = 0; i < opinions[k]->n_spans; i++) {
            const nf_entity *e = &opinions[k]->spans[i];
            size_t at = 0;
            for (; at < out->n_spans; at++) {
                const nf_entity *o = &out->spans[at].span;
                if (o->start == e->start && o->end == e->end && o->type == e->type) break;
            }
            nf_merged_span *span = &out->spans[at];
            if (at == out->n_spans) {
                out->n_spans++;
                span->span = (nf_entity){e->start, e->end, e->type, 0};
            }
            if (span->voters & UINT64_C(1) << k) continue; /* the same one twice */
            span->voters |= UINT64_C(1) << k;
            span->span.score += e->score; /* a sum for now */
        }
    return NERFIT_OK;
}

static size_t count_bits(uint64_t bits) {
    size_t n = 0;
    for (; bits; bits &= bits - 1) n++;
    return n;
}

/* How many opinions have a variant of each span. */
static void merge_count_votes(nf_merged *m) {
    for (size_t i = 0; i < m->n_spans; i++) {
        uint64_t voters = 0;
        for (size_t k = 0; k < m->n_spans; k++)
            if (m->spans[k].span.type == m->spans[i].span.type &&
                nf_entity_overlap(&m->spans[k].span, &m->spans[i].span))
                voters |= m->spans[k].voters;
        m->spans[i].votes = count_bits(voters);
    }
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

/* Whether an accepted span stands in the way: any that overlaps, or in nested ones of one label a
 * variant (one that lies inside is another entity only for another label). */
static bool merge_blocked(const nf_merged *m, size_t count, const nf_merged_span *span,
                          bool nested) {
    for (size_t i = 0; i < count; i++) {
        const nf_merged_span *o = &m->spans[i];
        if (o->accepted && nf_entity_overlap(&o->span, &span->span) &&
            (!nested || o->span.type == span->span.type))
            return true;
    }
    return false;
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
    merge_count_votes(out);
    for (size_t i = 0; i < out->n_spans; i++) /* from a sum to a mean */
        out->spans[i].span.score /= (double)count_bits(out->spans[i].voters);
    if (out->n_spans) qsort(out->spans, out->n_spans, sizeof *out->spans, merge_best_first);
    for (size_t i = 0; i < out->n_spans; i++) {
        nf_merged_span *s = &out->spans[i];
        size_t n = n_asked[s->span.type], need = votes ? votes : n / 2 + 1;
        s->accepted = s->votes >= need && !merge_blocked(out, i, s, nested);
        if (n) s->span.score *= (double)count_bits(s->voters) / (double)n;
    }
    if (out->n_spans) qsort(out->spans, out->n_spans, sizeof *out->spans, merge_by_place);
    return NERFIT_OK;
}
