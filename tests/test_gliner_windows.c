/* Windows over long texts lose nothing and find nothing twice: what is found through random windows is
 * what one window over the whole text finds, by a model whose logits depend on the words alone. */
#include "test.h"

#include <math.h>

#include "base/rng.h"
#include "base/utf8.h"
#include "model/gliner_decode.h"
#include "model/gliner_prompt.h"

enum { WORDS = 120, LABELS = 3, WIDTH = 5 };

static nerfit_error error;

/* The logit of words first .. last and a label; a third of them are above 0. */
static float logit_of(size_t first, size_t last, size_t label) {
    return sinf((float)(first * 31 + last * 57 + label * 101)) - 0.5f;
}

/* values [n, WIDTH, LABELS] of a window. */
static void fill(float *values, const nf_word_window *window) {
    size_t n = window->end - window->start;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < WIDTH; k++)
            for (size_t c = 0; c < LABELS; c++)
                values[(i * WIDTH + k) * LABELS + c] =
                    i + k < n ? logit_of(window->start + i, window->start + i + k, c) : -INFINITY;
}

/* How often each span is found through the windows: counts [WORDS, WORDS, LABELS]. */
static void count_found(uint8_t *counts, const nf_word_window *windows, size_t n) {
    static float values[WORDS * WIDTH * LABELS];
    static const double thresholds[LABELS] = {0.5, 0.5, 0.5};
    nf_gliner gliner = {.config = {.max_width = WIDTH}};
    nf_span_list list = {0};
    memset(counts, 0, WORDS * WORDS * LABELS);
    for (size_t w = 0; w < n; w++) {
        nf_gliner_logits logits = {.values = values};
        const nf_gliner_window window = {windows, n, w, &logits, LABELS};
        fill(values, &windows[w]);
        assert_ok(nf_gliner_add_spans(&list, &gliner, &window, thresholds, &error), &error);
    }
    for (size_t i = 0; i < list.count; i++) {
        const nf_entity *s = &list.items[i];
        counts[(s->start * WORDS + s->end - 1) * LABELS + (size_t)s->type]++;
    }
    nf_span_list_free(&list);
}

static bool holds(const nf_word_window *windows, size_t n, size_t first, size_t last) {
    for (size_t i = 0; i < n; i++)
        if (first >= windows[i].start && last < windows[i].end) return true;
    return false;
}

/* Every word stands in a window and is read from one; every span that fits a window is found once. */
static void check_plan(const nf_word_window *windows, size_t n, size_t n_words, bool all) {
    static uint8_t whole[WORDS * WORDS * LABELS], found[WORDS * WORDS * LABELS];
    count_found(whole, &(nf_word_window){0, n_words}, 1);
    count_found(found, windows, n);
    size_t expected = 0;
    for (size_t i = 0; i < n_words; i++) {
        size_t owners = 0;
        for (size_t w = 0; w < n; w++) owners += nf_word_window_owns(windows, n, w, i, i);
        assert_int_equal(owners, 1);
        for (size_t j = i; j < n_words && j < i + WIDTH; j++) {
            bool fits = holds(windows, n, i, j);
            assert_true(fits || !all);
            for (size_t c = 0; c < LABELS; c++) {
                size_t at = (i * WORDS + j) * LABELS + c;
                expected += whole[at];
                if (found[at] != (fits ? whole[at] : 0))
                    fail_msg("words %zu..%zu, label %zu: found %d times in %zu windows, %d in one",
                             i, j, c, found[at], n, whole[at]);
            }
        }
    }
    assert_true(expected > n_words || n_words < 10);
}

static void test_windows(void **state) {
    (void)state;
    nf_rng rng = nf_rng_new(15, 1);
    size_t several = 0;
    for (int round = 0; round < 400; round++) {
        size_t firsts[WORDS + 1] = {0}, n_words = 1 + nf_rng_below(&rng, WORDS), n;
        bool long_words = round % 2;
        /* GLiNER's windows share at least the longest span, and no more than half of one */
        nf_word_limits limits = {.words = 2 * WIDTH + nf_rng_below(&rng, 60),
                                 .tokens = long_words ? 4 + nf_rng_below(&rng, 40) : WORDS,
                                 .overlap = WIDTH + nf_rng_below(&rng, 4)};
        for (size_t w = 0; w < n_words; w++)
            firsts[w + 1] = firsts[w] + (long_words ? nf_rng_below(&rng, 9) : 1);
        nf_word_window *windows;
        assert_ok(nf_word_windows_plan(&windows, &n, firsts, n_words, &limits, &error), &error);
        check_plan(windows, n, n_words, !long_words);
        several += n > 2;
        free(windows);
    }
    assert_true(several > 100);
}

/* ---------------------------------------------------------------- words longer than a window */

static size_t tokens_of(const nf_gliner_words *words, size_t w) {
    return words->firsts[w + 1] - words->firsts[w];
}

/* The pieces cover the text's words, in whole characters, and keep all sub-words. */
static void check_pieces(const nf_gliner_words *words, const nf_gliner_words *whole,
                         const char *text, size_t most) {
    size_t w = 0;
    assert_int_equal(words->n_ids, whole->n_ids);
    assert_memory_equal(words->ids, whole->ids, whole->n_ids * sizeof *whole->ids);
    assert_int_equal(words->firsts[words->words.count], whole->n_ids);
    for (size_t i = 0; i < whole->words.count; i++) {
        const nf_pattern_word *given = &whole->words.items[i];
        size_t at = given->start, byte = given->byte_start, before = w;
        do {
            const nf_pattern_word *piece = &words->words.items[w];
            assert_true(tokens_of(words, w) <= most && piece->end > piece->start);
            assert_int_equal(piece->start, at);
            assert_int_equal(piece->byte_start, byte);
            assert_int_equal(nf_utf8_count(text + byte, piece->byte_end - byte),
                             piece->end - piece->start);
            at = piece->end;
            byte = piece->byte_end;
        } while (words->words.items[w++].end < given->end);
        assert_int_equal(at, given->end);
        assert_int_equal(byte, given->byte_end);
        assert_true((w - before > 1) == (tokens_of(whole, i) > most));
    }
    assert_int_equal(w, words->words.count);
}

static void test_long_words(void **state) {
    (void)state;
    enum { MOST = 16, LETTERS = 700 };
    nf_gliner_words words = {0}, whole = {0};
    nf_tokenizer_scratch *scratch = nf_tokenizer_scratch_new();
    nf_tokenizer *tokenizer;
    char text[3 * LETTERS + 64];
    size_t size = (size_t)sprintf(text, "Alice ");
    assert_ok(nf_tokenizer_load(&tokenizer, "tests/golden/gliner/deberta", &error), &error);
    for (size_t i = 0; i < LETTERS; i++)
        size += (size_t)sprintf(text + size, "%s", i % 5 == 3 ? "ü" : i % 7 ? "b" : "王");
    size += (size_t)sprintf(text + size, " the end");
    for (int round = 0; round < 2; round++) /* the second one begins with what the first one left */
        assert_ok(nf_gliner_words_encode(&words, tokenizer, scratch, text, size, false, &error),
                  &error);
    assert_ok(nf_gliner_words_encode(&whole, tokenizer, scratch, text, size, false, &error),
              &error);
    assert_ok(nf_gliner_words_divide(&words, tokenizer, scratch, text, 4 * LETTERS, &error),
              &error);
    assert_int_equal(words.words.count, whole.words.count);
    assert_ok(nf_gliner_words_divide(&words, tokenizer, scratch, text, MOST, &error), &error);
    assert_true(words.words.count > LETTERS / MOST);
    check_pieces(&words, &whole, text, MOST);
    nf_gliner_words_free(&words);
    nf_gliner_words_free(&whole);
    nf_tokenizer_free(tokenizer);
    nf_tokenizer_scratch_free(scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_windows),
                                       cmocka_unit_test(test_long_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
