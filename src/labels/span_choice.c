/* Spans that are taken hang in lists by their start, so that a span is compared with those only that
 * begin near it: not further before it than the longest one taken is long. */
#include "labels/span_choice.h"

#include <stdlib.h>
#include <string.h>

/* What is taken, and where it begins. */
typedef struct span_index {
    const nf_entity *spans;
    const nf_span_rules *rules;
    int32_t *first; /* [n_words] the last taken span that begins there, -1: none */
    int32_t *next;  /* [count] the one before it with the same start */
    uint32_t longest;
} span_index;

static bool spans_conflict(const nf_entity *a, const nf_entity *b, const nf_span_rules *rules) {
    if (nf_entity_same_place(a, b)) return !rules->multi_label;
    if (nf_entity_overlap(a, b) == 0) return false;
    bool inside =
        (a->start <= b->start && a->end >= b->end) || (b->start <= a->start && b->end >= a->end);
    return !(rules->nested && inside);
}

static bool span_index_conflicts(const span_index *index, const nf_entity *span) {
    uint32_t back = index->longest > 0 ? index->longest - 1 : 0;
    for (uint32_t w = span->start > back ? span->start - back : 0; w < span->end; w++)
        for (int32_t i = index->first[w]; i >= 0; i = index->next[i])
            if (spans_conflict(span, &index->spans[i], index->rules)) return true;
    return false;
}

static void span_index_take(span_index *index, int32_t i) {
    const nf_entity *span = &index->spans[i];
    uint32_t length = span->end - span->start;
    index->next[i] = index->first[span->start];
    index->first[span->start] = i;
    if (length > index->longest) index->longest = length;
}

/* A span with its place in the caller's list: qsort is not stable. */
typedef struct span_entry {
    nf_entity span;
    size_t place;
} span_entry;

static int span_by_score(const void *a, const void *b) {
    const span_entry *x = a, *y = b;
    if (x->span.score != y->span.score) return x->span.score > y->span.score ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static int span_by_start(const void *a, const void *b) {
    const span_entry *x = a, *y = b;
    if (x->span.start != y->span.start) return x->span.start < y->span.start ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static void spans_sort(nf_entity *spans, span_entry *entries, size_t count,
                       int (*order)(const void *, const void *)) {
    for (size_t i = 0; i < count; i++) entries[i] = (span_entry){spans[i], i};
    qsort(entries, count, sizeof *entries, order);
    for (size_t i = 0; i < count; i++) spans[i] = entries[i].span;
}

nerfit_status nf_spans_choose(nf_entity *spans, size_t *count, size_t n_words,
                              const nf_span_rules *rules, nerfit_error *err) {
    span_index index = {.spans = spans, .rules = rules};
    span_entry *entries = malloc(*count * sizeof *entries + 1);
    index.first = malloc(n_words * sizeof *index.first + 1);
    index.next = malloc(*count * sizeof *index.next + 1);
    nerfit_status status = entries && index.first && index.next
                               ? NERFIT_OK
                               : nf_no_memory(err, *count * sizeof *entries);
    if (status == NERFIT_OK) {
        size_t taken = 0;
        for (size_t w = 0; w < n_words; w++) index.first[w] = -1;
        spans_sort(spans, entries, *count, span_by_score);
        for (size_t i = 0; i < *count; i++) {
            if (span_index_conflicts(&index, &spans[i])) continue;
            spans[taken] = spans[i];
            span_index_take(&index, (int32_t)taken++);
        }
        spans_sort(spans, entries, taken, span_by_start);
        *count = taken;
    }
    free(entries);
    free(index.first);
    free(index.next);
    return status;
}
