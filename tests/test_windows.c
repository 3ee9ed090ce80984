/* Windows over long texts: they cover every token once, each token is read where it stands farthest
 * from an edge, and borders lie at words' starts where there are any near. */
#include "test.h"

#include "base/rng.h"
#include "text/windows.h"

static nerfit_error error;

typedef struct plan {
    const char *name;
    size_t length, capacity, overlap;
    const char *words; /* 'w' where a word starts; NULL: not known */
    size_t count;
    nf_window windows[4];
} plan;

static const plan plans[] = {
    {"fits", 8, 8, 2, NULL, 1, {{0, 8, 0, 8}}},
    {"empty", 0, 8, 2, NULL, 1, {{0, 0, 0, 0}}},
    {"one more than fits", 9, 8, 2, NULL, 2, {{0, 8, 0, 7}, {6, 9, 7, 9}}},
    {"no overlap", 10, 4, 0, NULL, 3, {{0, 4, 0, 4}, {4, 8, 4, 8}, {8, 10, 8, 10}}},
    {"overlap of 4: the seam is its middle", 12, 8, 4, NULL, 2, {{0, 8, 0, 6}, {4, 12, 6, 12}}},
    {"overlap of 3", 13, 8, 3, NULL, 2, {{0, 8, 0, 6}, {5, 13, 6, 13}}},
    {"three", 14, 6, 2, NULL, 3, {{0, 6, 0, 5}, {4, 10, 5, 9}, {8, 14, 9, 14}}},
    {"more overlap than half",
     10,
     4,
     3,
     NULL,
     4,
     {{0, 4, 0, 3}, {2, 6, 3, 5}, {4, 8, 5, 7}, {6, 10, 7, 10}}},
    /* the seam would be 6, within the word from 5 on: it belongs to the second window whole */
    {"a word over the seam", 12, 8, 4, "wwwwww....ww", 2, {{0, 8, 0, 5}, {4, 12, 5, 12}}},
    /* the second window would start at 8, within the word from 7 on */
    {"a word over the start", 16, 12, 4, "wwwwwwww.wwwwwww", 2, {{0, 12, 0, 9}, {7, 16, 9, 16}}},
    /* no word starts within a quarter of the stride before it: it is divided */
    {"a word longer than that", 12, 8, 4, "w...........", 2, {{0, 8, 0, 6}, {4, 12, 6, 12}}},
};

static void test_plans(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        const plan *p = &plans[i];
        bool starts[32] = {false};
        for (size_t t = 0; p->words && t < p->length; t++) starts[t] = p->words[t] == 'w';
        nf_window *windows;
        size_t count;
        assert_ok(nf_windows_plan(&windows, &count, p->length, p->capacity, p->overlap,
                                  p->words ? starts : NULL, &error),
                  &error);
        for (size_t w = 0; w < count && w < 4; w++)
            if (memcmp(&windows[w], &p->windows[w], sizeof *windows) != 0)
                fail_msg("%s: window %zu is %zu..%zu with %zu..%zu for its own", p->name, w,
                         windows[w].start, windows[w].end, windows[w].own_start,
                         windows[w].own_end);
        if (count != p->count) fail_msg("%s: %zu windows", p->name, count);
        free(windows);
    }
}

static void test_no_room(void **state) {
    (void)state;
    nf_window *windows;
    size_t count;
    assert_int_equal(nf_windows_plan(&windows, &count, 3, 0, 0, NULL, &error), NERFIT_ARGUMENT);
    assert_string_equal(error.text, "the maximum length leaves no room for text");
}

/* Whatever the sizes and words: own ranges are the text, one after another, inside their windows;
 * windows move on, none is longer than it may be. */
static void test_cover(void **state) {
    (void)state;
    nf_rng rng = nf_rng_new(5, 1);
    for (int round = 0; round < 3000; round++) {
        size_t length = nf_rng_below(&rng, 200), capacity = 1 + nf_rng_below(&rng, 40);
        size_t overlap = nf_rng_below(&rng, 40), count;
        uint32_t often = 1 + nf_rng_below(&rng, 12);
        bool starts[200];
        for (size_t t = 0; t < length; t++) starts[t] = nf_rng_below(&rng, often) == 0;
        nf_window *windows;
        assert_ok(nf_windows_plan(&windows, &count, length, capacity, overlap,
                                  round % 2 ? starts : NULL, &error),
                  &error);
        size_t at = 0;
        for (size_t w = 0; w < count; w++) {
            const nf_window *x = &windows[w];
            if (x->own_start != at || x->own_end < x->own_start || x->own_start < x->start ||
                x->own_end > x->end || x->end - x->start > capacity ||
                (w && (x->start <= windows[w - 1].start || x->start > windows[w - 1].end)))
                fail_msg("length %zu, capacity %zu, overlap %zu: window %zu is %zu..%zu, own "
                         "%zu..%zu",
                         length, capacity, overlap, w, x->start, x->end, x->own_start, x->own_end);
            at = x->own_end;
        }
        assert_int_equal(at, length);
        assert_int_equal(windows[count - 1].end, length);
        free(windows);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_cover),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
