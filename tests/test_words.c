/* Words of texts and documents, and label sets. */
#include "documents.h"

#include "base/utf8.h"
#include "data/labels.h"
#include "data/reading.h"
#include "data/words.h"

static const struct {
    const char *name, *text, *expected; /* words with "|" between them */
} texts[] = {
    {"letters, digits, punctuation", "Don't pay $3.50, ok?", "Don|'|t|pay|$|3|.|50|,|ok|?"},
    {"white space of all kinds",
     " a\t\nb\xC2\xA0"
     "c\xE3\x80\x80"
     "d\xE2\x80\xA8\xC2\x85\x1C",
     "a|b|c|d"},
    {"nothing", " \t", ""},
    {"underscore and hyphen", "snake_case re-do", "snake_case|re|-|do"},
    {"accents, also by themselves", "\xC3\xA9t\xC3\xA9 e\xCC\x81t", "\xC3\xA9t\xC3\xA9|e\xCC\x81t"},
    {"a mark after white space", "a \xCC\x81", "a|\xCC\x81"},
    {"Chinese and Latin", "\xE4\xB8\xAD\xE6\x96\x87NER\xE3\x80\x82",
     "\xE4\xB8\xAD|\xE6\x96\x87|NER|\xE3\x80\x82"},
    {"kana with its voicing mark", "\xE3\x81\x8B\xE3\x82\x99\xE3\x82\xAB\xEF\xBD\xB6\xEF\xBE\x9E",
     "\xE3\x81\x8B\xE3\x82\x99|\xE3\x82\xAB|\xEF\xBD\xB6\xEF\xBE\x9E"},
    {"Korean in runs", "\xED\x95\x9C\xEA\xB5\xAD \xEC\x96\xB4",
     "\xED\x95\x9C\xEA\xB5\xAD|\xEC\x96\xB4"},
    {"Hindi with its vowel signs", "\xE0\xA4\xB9\xE0\xA4\xBF\xE0\xA4\x82\xE0\xA4\xA6\xE0\xA5\x80",
     "\xE0\xA4\xB9\xE0\xA4\xBF\xE0\xA4\x82\xE0\xA4\xA6\xE0\xA5\x80"},
    {"emoji: skin tone, joined, flag",
     "\xF0\x9F\x91\x8D\xF0\x9F\x8F\xBD\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB!\xF0\x9F\x87\xAA"
     "\xF0\x9F\x87\xB8\xF0\x9F\x87\xAB\xF0\x9F\x87\xB7",
     "\xF0\x9F\x91\x8D\xF0\x9F\x8F\xBD|\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB|!|"
     "\xF0\x9F\x87\xAA"
     "\xF0\x9F\x87\xB8|\xF0\x9F\x87\xAB\xF0\x9F\x87\xB7"},
    {"Thai by clusters, its digits in runs", "\u0e17\u0e35\u0e48 \u0e19\u0e49\u0e33\u0e51\u0e52",
     "\u0e17\u0e35\u0e48|\u0e19\u0e49\u0e33|\u0e51\u0e52"},
    {"Lao, Khmer, Myanmar",
     "\u0e9e\u0eb2\u0eaa\u0eb2 \u1797\u17b6\u179f\u17b6 \u1019\u103c\u1014\u103a\u1019\u102c",
     "\u0e9e|\u0eb2|\u0eaa|\u0eb2|\u1797\u17b6|\u179f\u17b6|"
     "\u1019\u103c|\u1014\u103a|\u1019|\u102c"},
    {"Thai and Latin", "\u0e44\u0e17\u0e22NER", "\u0e44|\u0e17|\u0e22|NER"},
    {"full-width digits and letters", "\uff11\uff12\uff21b", "\uff11\uff12\uff21b"},
    {"a joiner inside a Persian word", "\xD9\x85\xDB\x8C\xE2\x80\x8C\xD8\xB4\xD9\x88\xD8\xAF",
     "\xD9\x85\xDB\x8C\xE2\x80\x8C\xD8\xB4\xD9\x88\xD8\xAF"},
};

static void show_words(nf_str *out, const char *text, size_t size, const nf_word *words,
                       size_t count) {
    for (size_t i = 0; i < count; i++) {
        size_t start = nf_utf8_offset(text, size, words[i].start);
        size_t end = nf_utf8_offset(text, size, words[i].end);
        if (i) nf_str_append_text(out, "|");
        nf_str_append(out, text + start, end - start);
    }
}

static void check_texts(void **state) {
    (void)state;
    size_t failed = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        nf_word *words;
        size_t count, size = strlen(texts[i].text);
        nerfit_error error;
        nf_str shown = {0};
        assert_ok(nf_words_of_text(&words, &count, texts[i].text, size, &error), &error);
        show_words(&shown, texts[i].text, size, words, count);
        failed += !same_text(texts[i].name, nf_str_text(&shown), texts[i].expected);
        nf_str_free(&shown);
        free(words);
    }
    assert_int_equal(failed, 0);
}

#define MOST 4
static const struct {
    const char *name, *text;
    nf_given_span spans[MOST];
    size_t n_spans;
    nf_word words[MOST];
    size_t n_words;
    const char *expected;
} documents[] = {
    {"edges inside words",
     "abcdef gh",
     {{1, 3, "x", 1}, {3, 4, "x", 1}, {5, 8, "y", 1}},
     3,
     {{0}},
     0,
     "a|bc|d|e|f|g|h"},
    {"edges of spans in each other",
     "abcdefghij kl",
     {{2, 8, "x", 1}, {4, 6, "y", 1}, {5, 12, "z", 1}},
     3,
     {{0}},
     0,
     "ab|cd|e|f|gh|ij|k|l"},
    {"an edge inside a cluster", "e\xCC\x81z", {{0, 1, "x", 1}}, 1, {{0}}, 0, "e|\xCC\x81z"},
    {"words of its own", "don't do it", {{0}}, 0, {{0, 5}, {6, 11}}, 2, "don't|do it"},
    {"words of its own, divided",
     "don't do",
     {{0, 3, "x", 1}},
     1,
     {{0, 5}, {6, 8}},
     2,
     "don|'t|do"},
    {"text that no word of its own holds", "a, b! c", {{0}}, 0, {{0, 1}, {3, 4}}, 2, "a|,|b|!|c"},
};

static void check_documents(void **state) {
    (void)state;
    size_t failed = 0;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        nf_given_document given = {.text = documents[i].text,
                                   .text_size = strlen(documents[i].text),
                                   .spans = documents[i].spans,
                                   .n_spans = documents[i].n_spans,
                                   .words = documents[i].words,
                                   .n_words = documents[i].n_words,
                                   .file = "test"};
        nf_corpus corpus = {0};
        nerfit_error error;
        nf_word *words;
        size_t count;
        nf_str shown = {0};
        const nf_annotation_options options = {.overlap = NF_OVERLAP_KEEP_ALL};
        nf_reading reading = nf_reading_begin(&corpus, &options, "test", &error);
        assert_ok(nf_reading_end(&reading, nf_reading_add(&reading, &given)), &error);
        assert_ok(nf_words_split(&words, &count, &corpus.documents[0], &error), &error);
        show_words(&shown, given.text, given.text_size, words, count);
        failed += !same_text(documents[i].name, nf_str_text(&shown), documents[i].expected);
        nf_str_free(&shown);
        free(words);
        nf_corpus_free(&corpus);
    }
    assert_int_equal(failed, 0);
}

/* The numbering of the original package: label2id of nerDataset. */
static void check_labels(void **state) {
    (void)state;
    static const char *const types[] = {"time", "place name", "date"};
    static const char *const expected[] = {
        "O", "B-time", "I-time", "B-place name", "I-place name", "B-date", "I-date"};
    nf_label_set set = {0};
    nerfit_error error;
    assert_ok(nf_label_set_make(&set, types, 3, &error), &error);
    assert_int_equal(set.n_labels, 7);
    for (size_t i = 0; i < 7; i++) assert_string_equal(set.labels[i], expected[i]);
    assert_int_equal(nf_label_set_type(&set, "date"), 2);
    assert_int_equal(nf_label_set_type(&set, "dat"), -1);
    assert_string_equal(set.labels[nf_label_id(1, 0)], "B-place name");
    assert_string_equal(set.labels[nf_label_id(2, 1)], "I-date");
    nf_label_set_free(&set);
    static const char *const twice[] = {"a", "b", "a"};
    assert_int_equal(nf_label_set_make(&set, twice, 3, &error), NERFIT_ARGUMENT);
    assert_string_equal(error.text, "entity type \"a\" is there twice");
    nf_label_set_free(&set);
}

/* Equal labels are one pointer, in the order of their first appearance, however many there are. */
static void check_interning(void **state) {
    (void)state;
    nf_corpus corpus = {0};
    char name[32];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 1000; i++) {
            int size = snprintf(name, sizeof name, "type %d", i);
            const char *label = nf_corpus_label(&corpus, name, (size_t)size);
            assert_string_equal(label, name);
            assert_ptr_equal(label, corpus.labels[i]);
        }
    assert_int_equal(corpus.n_labels, 1000);
    assert_string_equal(nf_corpus_label(&corpus, "type 10", 6), "type 1");
    nf_corpus_free(&corpus);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_texts), cmocka_unit_test(check_documents),
        cmocka_unit_test(check_labels), cmocka_unit_test(check_interning)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
