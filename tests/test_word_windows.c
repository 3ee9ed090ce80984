/* Windows over words: limits hold, and every span that fits is read once. */
#include "test.h"

#include "base/rng.h"
#include "text/word_windows.h"

static nerfit_error error;

static void check(size_t n_words, const size_t *sizes, const nf_word_limits *limits) {
    size_t *firsts = calloc(n_words + 1, sizeof *firsts), count;
    nf_word_window *windows;
    for (size_t w = 0; w < n_words; w++) firsts[w + 1] = firsts[w] + sizes[w];
    assert_ok(nf_word_windows_plan(&windows, &count, firsts, n_words, limits, &error), &error);
    assert_int_equal(count == 0, n_words == 0);
    if (count) assert_int_equal(windows[0].start, 0);
    if (count) assert_int_equal(windows[count - 1].end, n_words);
    size_t shared = limits->overlap;
    for (size_t i = 0; i < count; i++) {
        const nf_word_window *w = &windows[i];
        assert_true(w->start < w->end && w->end - w->start <= limits->words);
        assert_true(firsts[w->end] - firsts[w->start] <= limits->tokens || w->end - w->start == 1);
        if (i == 0) continue;
        assert_true(w->start > windows[i - 1].start && w->end > windows[i - 1].end);
        assert_true(w->start <= windows[i - 1].end);
        if (windows[i - 1].end - w->start < shared) shared = windows[i - 1].end - w->start;
    }
    /* a span of one word more than all windows share lies inside one */
    for (size_t first = 0; first < n_words; first++)
        for (size_t last = first; last < n_words && last - first <= limits->words; last++) {
            size_t owners = 0, holders = 0;
            for (size_t i = 0; i < count; i++) {
                owners += nf_word_window_owns(windows, count, i, first, last);
                holders += windows[i].start <= first && last < windows[i].end;
            }
            if (owners != (holders > 0))
                fail_msg("words %zu..%zu: %zu owners, %zu windows hold them", first, last, owners,
                         holders);
            if (last - first <= shared) assert_true(holders > 0);
        }
    free(windows);
    free(firsts);
}

static void test_random(void **state) {
    (void)state;
    nf_rng rng = nf_rng_new(5, 5);
    size_t sizes[80];
    for (int round = 0; round < 300; round++) {
        size_t n = nf_rng_below(&rng, 80);
        for (size_t i = 0; i < n; i++)
            sizes[i] = nf_rng_below(&rng, 8) ? nf_rng_below(&rng, 5) : nf_rng_below(&rng, 60);
        nf_word_limits limits = {1 + nf_rng_below(&rng, 30), 16 + nf_rng_below(&rng, 40),
                                 nf_rng_below(&rng, 14)};
        check(n, sizes, &limits);
    }
}

static void test_places(void **state) {
    (void)state;
    static const size_t firsts[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    const nf_word_limits limits = {6, 100, 2};
    nf_word_window *windows;
    size_t count;
    assert_ok(nf_word_windows_plan(&windows, &count, firsts, 10, &limits, &error), &error);
    assert_int_equal(count, 2);
    assert_int_equal(windows[1].start, 4);
    /* words 4 and 5 are in both: 4 is one word from the second's cut and two from the first's */
    assert_true(nf_word_window_owns(windows, count, 0, 4, 4));
    assert_true(nf_word_window_owns(windows, count, 1, 5, 5));
    /* as far from either cut: the first */
    assert_true(nf_word_window_owns(windows, count, 0, 4, 5));
    assert_false(nf_word_window_owns(windows, count, 1, 4, 5));
    assert_false(nf_word_window_owns(windows, count, 0, 5, 6));
    assert_true(nf_word_window_owns(windows, count, 1, 5, 6));
    free(windows);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_places),
                                       cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
