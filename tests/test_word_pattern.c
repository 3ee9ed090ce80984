/* Words by GLiNER's pattern, against Python's `re` (tools/golden/word_pattern.py). */
#include "test.h"

#include <jansson.h>

#include "base/utf8.h"
#include "text/word_pattern.h"

static json_t *golden;

/* Whether one of the ranges [first, last, first, last, ...] holds c. */
static bool in_ranges(const json_t *ranges, uint32_t c) {
    size_t low = 0, high = json_array_size(ranges) / 2;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if ((json_int_t)c > json_integer_value(json_array_get(ranges, 2 * middle + 1)))
            low = middle + 1;
        else
            high = middle;
    }
    return low < json_array_size(ranges) / 2 &&
           (json_int_t)c >= json_integer_value(json_array_get(ranges, 2 * low));
}

static void test_code_points(void **state) {
    (void)state;
    const json_t *word = json_object_get(golden, "word"), *space = json_object_get(golden, "space");
    const json_t *unassigned = json_object_get(golden, "unassigned");
    size_t compared = 0;
    for (uint32_t c = 0; c < 0x110000; c++) {
        if ((c >= 0xD800 && c < 0xE000) || in_ranges(unassigned, c)) continue;
        if (nf_word_pattern_is_word(c) != in_ranges(word, c) ||
            nf_is_space(c) != in_ranges(space, c))
            fail_msg("U+%04X: \\w %d, \\s %d; Python has %d, %d", c, nf_word_pattern_is_word(c),
                     nf_is_space(c), in_ranges(word, c), in_ranges(space, c));
        compared++;
    }
    assert_true(compared > 250000);
}

static void test_splits(void **state) {
    (void)state;
    nerfit_error error;
    nf_pattern_words words = {0};
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(golden, "splits"), i, row) {
        const json_t *text = json_array_get(row, 0), *spans = json_array_get(row, 1);
        const char *bytes = json_string_value(text);
        assert_ok(nf_word_pattern_split(&words, bytes, json_string_length(text), false, &error),
                  &error);
        if (words.count != json_array_size(spans))
            fail_msg("\"%s\": %zu words, Python has %zu", bytes, words.count,
                     json_array_size(spans));
        size_t byte = 0, at = 0;
        for (size_t k = 0; k < words.count; k++) {
            const json_t *span = json_array_get(spans, k);
            const nf_pattern_word *w = &words.items[k];
            if (w->start != json_integer_value(json_array_get(span, 0)) ||
                w->end != json_integer_value(json_array_get(span, 1)))
                fail_msg("\"%s\": word %zu is %u..%u, Python has %lld..%lld", bytes, k, w->start,
                         w->end, json_integer_value(json_array_get(span, 0)),
                         json_integer_value(json_array_get(span, 1)));
            for (; at < w->end; byte++) at += ((unsigned char)bytes[byte] & 0xC0) != 0x80;
            while (((unsigned char)bytes[byte] & 0xC0) == 0x80) byte++;
            assert_int_equal(w->byte_end, byte);
        }
    }
    assert_true(i > 100);
    nf_pattern_words_free(&words);
}

/* Scripts without spaces by characters, as an option; the words in between as Python has them. */
static void test_characters(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint32_t ends[8]; /* of the words, as long as they rise */
    } cases[] = {{"\u6771\u4eac\u306b\u3002", {1, 2, 3, 4}},    /* three characters, a full stop */
                 {"\u6771\u4eacTower-2 \u99c5", {1, 2, 9, 11}}, /* words of other scripts beside */
                 {"\u0e17\u0e35\u0e48\u0e19\u0e35\u0e48", {3, 6}}, /* Thai vowels, tones: marks */
                 {"\u0e19\u0e49\u0e33", {3}},                      /* SARA AM, of category Lo */
                 {"a-\u6771", {1, 2, 3}},                  /* which a hyphen does not join */
                 {"caf\u00e9 \ud55c\uad6d\uc5b4", {4, 8}}, /* Hangul has spaces */
                 {"\u1019\u103c\u1014\u103a\u1019\u102c", {2, 4, 6}}}; /* Myanmar */
    nerfit_error error;
    nf_pattern_words words = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i].text;
        assert_ok(nf_word_pattern_split(&words, text, strlen(text), true, &error), &error);
        size_t n = 1;
        while (n < 8 && cases[i].ends[n] > cases[i].ends[n - 1]) n++;
        if (words.count != n) fail_msg("\"%s\": %zu words, expected %zu", text, words.count, n);
        for (size_t k = 0; k < n; k++)
            if (words.items[k].end != cases[i].ends[k])
                fail_msg("\"%s\": word %zu ends at %u, expected %u", text, k, words.items[k].end,
                         cases[i].ends[k]);
        assert_int_equal(words.items[n - 1].byte_end, strlen(text));
    }
    nf_pattern_words_free(&words);
}

static void test_invalid(void **state) {
    (void)state;
    nerfit_error error;
    nf_pattern_words words = {0};
    assert_int_equal(nf_word_pattern_split(&words, "ab\xff", 3, false, &error), NERFIT_FORMAT);
    assert_string_equal(error.text, "the text is not valid UTF-8 (byte 3)");
    nf_pattern_words_free(&words);
}

static int load_golden(void **state) {
    (void)state;
    golden = json_load_file("tests/golden/word-pattern.json", JSON_ALLOW_NUL, NULL);
    return golden ? 0 : 1;
}

static int free_golden(void **state) {
    (void)state;
    json_decref(golden);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_code_points), cmocka_unit_test(test_splits),
        cmocka_unit_test(test_characters), cmocka_unit_test(test_invalid)};
    return cmocka_run_group_tests(tests, load_golden, free_golden);
}
