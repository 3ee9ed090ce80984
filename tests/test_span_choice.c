/* Choosing spans greedily: against the plain form of gliner's greedy_search, which compares every
 * span with every one that was taken. */
#include "test.h"

#include "base/rng.h"
#include "labels/span_choice.h"

static nerfit_error error;

/* gliner/decoding/utils.py: has_overlapping and has_overlapping_nested */
static bool overlap(const nf_entity *a, const nf_entity *b, const nf_span_rules *rules) {
    if (a->start == b->start && a->end == b->end) return !rules->multi_label;
    bool apart = a->start >= b->end || b->start >= a->end;
    bool nested =
        (a->start <= b->start && a->end >= b->end) || (b->start <= a->start && b->end >= a->end);
    return rules->nested ? !(apart || nested) : !apart;
}

/* Moves the greatest of the rest to the front, again and again: a stable sort. */
static void sort(nf_entity *spans, size_t n, bool by_score) {
    for (size_t i = 0; i < n; i++) {
        size_t best = i;
        for (size_t k = i + 1; k < n; k++)
            if (by_score ? spans[k].score > spans[best].score : spans[k].start < spans[best].start)
                best = k;
        nf_entity kept = spans[best];
        memmove(spans + i + 1, spans + i, (best - i) * sizeof *spans);
        spans[i] = kept;
    }
}

static size_t choose(nf_entity *spans, size_t n, const nf_span_rules *rules) {
    size_t taken = 0;
    sort(spans, n, true);
    for (size_t i = 0; i < n; i++) {
        bool conflict = false;
        for (size_t k = 0; k < taken && !conflict; k++)
            conflict = overlap(&spans[i], &spans[k], rules);
        if (!conflict) spans[taken++] = spans[i];
    }
    sort(spans, taken, false);
    return taken;
}

static void test_random(void **state) {
    (void)state;
    nf_rng rng = nf_rng_new(3, 1);
    nf_entity ours[60], plain[60];
    for (int round = 0; round < 2000; round++) {
        size_t count = nf_rng_below(&rng, 60), n_words = 1 + nf_rng_below(&rng, 20);
        nf_span_rules rules = {round & 1, round & 2};
        for (size_t i = 0; i < count; i++) {
            uint32_t start = nf_rng_below(&rng, (uint32_t)n_words);
            uint32_t end = start + 1 + nf_rng_below(&rng, (uint32_t)n_words - start);
            ours[i] = (nf_entity){start, end, (int32_t)nf_rng_below(&rng, 3),
                                  nf_rng_below(&rng, 8) / 8.0};
        }
        memcpy(plain, ours, sizeof ours);
        size_t expected = choose(plain, count, &rules);
        assert_ok(nf_spans_choose(ours, &count, n_words, &rules, &error), &error);
        assert_int_equal(count, expected);
        for (size_t i = 0; i < count; i++)
            if (ours[i].start != plain[i].start || ours[i].end != plain[i].end ||
                ours[i].type != plain[i].type)
                fail_msg("round %d, span %zu: %u..%u type %d, expected %u..%u type %d", round, i,
                         ours[i].start, ours[i].end, ours[i].type, plain[i].start, plain[i].end,
                         plain[i].type);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
