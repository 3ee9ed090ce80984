/* Words among sub-words in scripts without spaces, and what that means for entities: gold spans of
 * real Chinese, Japanese, Spanish and Dutch texts, written as labels of the words' first sub-words
 * and read back as the tagger does it. Only a span with an edge inside a sub-word may be lost. */
#include "test.h"

#include "base/file.h"
#include "data/formats/format.h"
#include "labels/spans.h"
#include "infer/tagger.h"
#include "text/word_starts.h"

#define GOLDEN "tests/golden/tokenizers/"

static nf_tokenizer *load(const char *path) {
    nf_tokenizer *tokenizer;
    nerfit_error err = {0};
    assert_ok(nf_tokenizer_load(&tokenizer, path, &err), &err);
    return tokenizer;
}

/* Words as offsets "start-end", by the small tokenizers of the golden files. */
static const struct {
    const char *name, *tokenizer, *text, *words;
} cases[] = {
    {"English keeps its words", "bert.json", "unfathomable play", "0-12 13-17"},
    {"also after ByteLevel", "roberta.json", "unfathomable play", "0-12 13-17"},
    {"a Chinese sentence is one pre-token of ByteLevel", "roberta.json", "日本語で",
     "0-1 1-2 2-3 3-4"},
    {"Latin beside Han", "roberta.json", "日NER本", "0-1 1-4 4-5"},
    {"a vowel sign and a tone stay with their letter", "roberta.json", "ที่นี่", "0-3 3-6"},
    {"sara am stays, too", "roberta.json", "น้ำ", "0-3"},
    {"a voicing mark stays with its kana", "roberta.json", "か\u3099カ", "0-2 2-3"},
    {"Korean has spaces", "roberta.json", "한국어 각", "0-3 4-5"},
    {"Hindi has spaces", "roberta.json", "हिन्दी", "0-6"},
    {"Arabic with its vowel signs", "roberta.json", "مَرْحَبًا", "0-9"},
    {"a mark by itself begins a word", "roberta.json", "a \u0301b", "0-1 2-4"},
    {"bytes of an emoji make one word", "roberta.json", "👍🏽", "0-2"},
};

static void check_cases(void **state) {
    (void)state;
    size_t failed = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[256], shown[256] = "";
        snprintf(path, sizeof path, GOLDEN "%s", cases[i].tokenizer);
        nf_tokenizer *t = load(path);
        nf_encoding e = {0};
        nerfit_error err = {0};
        size_t size = strlen(cases[i].text), n = 0;
        assert_ok(nf_tokenizer_encode(t, cases[i].text, size, false, &e, &err), &err);
        bool starts[256];
        assert_true(e.length < 256);
        assert_ok(nf_word_starts(&(nf_encoded_text){&e, 0, 0, cases[i].text, size},
                                 NF_WORDS_TOKENIZER, starts, &err),
                  &err);
        for (size_t k = 0; k < e.length; k++) {
            if (!starts[k]) continue;
            size_t last = k + 1;
            while (last < e.length && !starts[last]) last++;
            n += (size_t)snprintf(shown + n, sizeof shown - n, "%s%u-%u", n ? " " : "", e.starts[k],
                                  e.ends[last - 1]);
            assert_true(n < sizeof shown);
        }
        if (strcmp(shown, cases[i].words) != 0) {
            print_error("%s: \"%s\"\n  expected %s\n  got      %s\n", cases[i].name, cases[i].text,
                        cases[i].words, shown);
            failed++;
        }
        nf_encoding_free(&e);
        nf_tokenizer_free(t);
    }
    assert_int_equal(failed, 0);
}

/* ---- ranges */

static void check_ranges(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint32_t start, end, next, from, to; /* given; expected */
        size_t byte_start, byte_end;
    } rows[] = {
        {"call Jose\u0301 at", 5, 9, 11, 5, 10, 5, 11},       /* a mark that was stripped */
        {"call Jose\u0301 at", 4, 10, 11, 5, 10, 5, 11},      /* a blank before it */
        {"call Jose at ", 9, 13, UINT32_MAX, 10, 12, 10, 12}, /* blanks at both ends */
        {"a \u0301b", 3, 4, UINT32_MAX, 2, 4, 2, 5},          /* a mark in front of a word */
        {"a\u0301b", 2, 3, UINT32_MAX, 2, 3, 3, 4},           /* one that belongs to another word */
        {"ab\u0301\u0302", 0, 2, 3, 0, 3, 0, 4},              /* up to the next word */
        {"\U0001F469\u200D", 0, 1, UINT32_MAX, 0, 2, 0, 7},   /* a joiner */
        {"\u2693\uFE0F!", 0, 1, 2, 0, 2, 0, 6},               /* a variation selector */
        {"\u0E19\u0E49\u0E33", 0, 1, UINT32_MAX, 0, 3, 0, 9}, /* a tone and sara am */
        {"\u0E9E\u0EB3", 0, 1, UINT32_MAX, 0, 2, 0, 6},       /* Lao am */
        {"\u0938\u0940\u0924\u093E\u0902", 0, 3, UINT32_MAX, 0, 5, 0, 15},
        {"   ", 0, 3, UINT32_MAX, 3, 3, 3, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        nf_utf8_place at = {rows[i].text, strlen(rows[i].text), 0, 0};
        nf_text_range r = nf_word_range(&at, rows[i].start, rows[i].end, rows[i].next);
        if (r.start != rows[i].from || r.end != rows[i].to || r.byte_start != rows[i].byte_start ||
            r.byte_end != rows[i].byte_end)
            fail_msg("\"%s\": %u..%u, bytes %zu..%zu", rows[i].text, r.start, r.end, r.byte_start,
                     r.byte_end);
    }
}

/* What sub-words stand for, blanks aside. */
static void check_subword_ranges(void **state) {
    (void)state;
    static const struct {
        const char *tokenizer, *text, *ranges;
    } rows[] = {
        {"roberta.json", "with erythema May",
         "0-1 1-2 2-3 3-4 5-5 5-7 7-8 8-11 11-12 12-13 14-14 14-15 15-17"},
        {"roberta-untrimmed.json", "with erythema May",
         "0-1 1-2 2-3 3-4 5-5 5-7 7-8 8-11 11-12 12-13 14-14 14-15 15-17"},
        {"roberta-untrimmed.json", "in  the", "0-2 2-2 4-7"},
        {"roberta.json", "in  the", "0-2 2-2 4-7"},
        {"bert.json", "play the", "0-4 5-8"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[256], shown[512] = "";
        snprintf(path, sizeof path, GOLDEN "%s", rows[i].tokenizer);
        nf_tokenizer *t = load(path);
        nf_encoding e = {0};
        nerfit_error err = {0};
        bool begins[64];
        uint32_t starts[64], ends[64];
        size_t size = strlen(rows[i].text), n = 0;
        assert_ok(nf_tokenizer_encode(t, rows[i].text, size, false, &e, &err), &err);
        assert_true(e.length < 64);
        assert_ok(nf_word_starts(&(nf_encoded_text){&e, 0, 0, rows[i].text, size},
                                 NF_WORDS_TOKENIZER, begins, &err),
                  &err);
        nf_subword_ranges(&(nf_encoded_text){&e, 0, 0, rows[i].text, size}, begins, starts, ends);
        for (size_t k = 0; k < e.length; k++)
            n += (size_t)snprintf(shown + n, sizeof shown - n, "%s%u-%u", k ? " " : "", starts[k],
                                  ends[k]);
        if (strcmp(shown, rows[i].ranges) != 0)
            fail_msg("%s, \"%s\": %s, expected %s", rows[i].tokenizer, rows[i].text, shown,
                     rows[i].ranges);
        nf_encoding_free(&e);
        nf_tokenizer_free(t);
    }
}

/* ---- gold spans through word labels */

typedef struct tally {
    size_t spans, inside; /* all, and those with an edge inside a sub-word */
    size_t lost, wrong;   /* not found again, and found where there is none */
} tally;

/* Whether a word begins at the span's start and one ends at its end. White space at a token's edge
 * does not count. */
static bool expressible(const nf_tagged *tagged, const nf_span *span) {
    bool start = false, end = false, inside = false;
    for (size_t i = 0; i < tagged->n_tokens; i++) {
        const nf_tagged_token *t = &tagged->tokens[i];
        if (t->end <= span->start || t->start >= span->end) continue;
        if (!inside) start = t->starts_word && t->start >= span->start;
        inside = true;
        end =
            t->end <= span->end && (i + 1 == tagged->n_tokens || tagged->tokens[i + 1].starts_word);
    }
    return start && end;
}

static void round_trip(const nf_tokenizer *t, const nf_document *d, tally *sum) {
    nf_encoding e = {0};
    nerfit_error err = {0};
    assert_ok(nf_tokenizer_encode(t, d->text, d->text_size, false, &e, &err), &err);
    size_t n = e.length, n_words = 0, count = 0, matched = 0, taken_last = 0;
    nf_tagged tagged = {.n_tokens = n, .tokens = calloc(n + 1, sizeof *tagged.tokens)};
    bool *starts = calloc(n + 1, sizeof *starts);
    const char **labels = calloc(n + 1, sizeof *labels);
    size_t *words = calloc(n + 2, sizeof *words);
    nf_entity *spans = calloc(n + 1, sizeof *spans);
    nf_arena arena = {0};
    assert_ok(nf_word_starts(&(nf_encoded_text){&e, 0, 0, d->text, d->text_size},
                             NF_WORDS_TOKENIZER, starts, &err),
              &err);
    for (size_t i = 0; i < n; i++)
        tagged.tokens[i] =
            (nf_tagged_token){.start = e.starts[i], .end = e.ends[i], .starts_word = starts[i]};
    uint32_t *ranges = calloc(2 * n + 1, sizeof *ranges);
    nf_subword_ranges(&(nf_encoded_text){&e, 0, 0, d->text, d->text_size}, starts, ranges,
                      ranges + n);
    for (size_t i = 0; i < n; i++) {
        tagged.tokens[i].text_start = ranges[i];
        tagged.tokens[i].text_end = ranges[n + i];
    }
    free(ranges);
    assert_ok(nf_tagger_gold(d, &tagged, &arena, labels, &err), &err);
    for (size_t i = 0; i < n; i++) {
        if (!starts[i]) continue;
        labels[n_words] = labels[i];
        words[n_words++] = i;
    }
    words[n_words] = n;
    assert_ok(nf_spans_from_labels(labels, n_words, NF_SCHEME_NONE, spans, &count, &err), &err);
    for (size_t i = 0; i < d->n_spans; i++) {
        const nf_span *gold = &d->spans[i];
        bool found = false;
        for (size_t k = taken_last; k < count && !found; k++) {
            uint32_t start = e.starts[words[spans[k].start]];
            uint32_t end = e.ends[words[spans[k].end] - 1];
            nf_type_name type = nf_label_type_name(labels[spans[k].type], NF_SCHEME_NONE);
            found = start == gold->start && end == gold->end && strcmp(type.text, gold->label) == 0;
            if (found) taken_last = k + 1;
        }
        matched += found;
        sum->spans++;
        bool can = expressible(&tagged, gold);
        sum->inside += !can;
        sum->lost += can && !found;
    }
    sum->wrong += count - matched;
    nf_arena_free(&arena);
    free(tagged.tokens);
    free(starts);
    free(labels);
    free(words);
    free(spans);
    nf_encoding_free(&e);
}

static const struct {
    const char *corpus, *tokenizer;
    size_t spans;
    double most_inside; /* share of spans that may have an edge inside a sub-word */
} trips[] = {
    {"ner/cluener-zh/dev.json", "bert-base-multilingual-cased/DERIVED-tokenizer.json", 3072, 0.005},
    {"ner/cluener-zh/dev.json", "roberta-base/tokenizer.json", 3072, 0.06},
    {"ner/cluener-zh/dev.json", "modernbert-base/DERIVED-tokenizer.json", 3072, 0.06},
    {"ner/stockmark-ja/ner.json", "bert-base-multilingual-cased/DERIVED-tokenizer.json", 13185,
     0.02},
    {"ner/stockmark-ja/ner.json", "roberta-base/tokenizer.json", 13185, 0.05},
    {"ner/conll2002-es-nl/resources/corpora/conll2002/esp.testb", "roberta-base/tokenizer.json",
     3559, 0},
    {"ner/conll2002-es-nl/resources/corpora/conll2002/ned.testb",
     "bert-base-multilingual-cased/DERIVED-tokenizer.json", 3941, 0},
};

static void check_round_trips(void **state) {
    (void)state;
    const char *data = test_data_folder();
    if (!data) {
        print_message("no evaluation data: set NERFIT_TEST_DATA\n");
        skip();
    }
    size_t failed = 0;
    for (size_t i = 0; i < sizeof trips / sizeof *trips; i++) {
        char path[4096];
        nf_corpus corpus = {0};
        nerfit_error err = {0};
        tally sum = {0};
        snprintf(path, sizeof path, "%s/tokenizers/%s", data, trips[i].tokenizer);
        nf_tokenizer *t = load(path);
        snprintf(path, sizeof path, "%s/%s", data, trips[i].corpus);
        assert_ok(nf_annotations_read(&corpus, path, NULL, NULL, &err), &err);
        for (size_t k = 0; k < corpus.n_documents; k++) round_trip(t, &corpus.documents[k], &sum);
        print_message("%s, %s: %zu spans, %zu with an edge inside a sub-word, %zu lost\n",
                      trips[i].corpus, trips[i].tokenizer, sum.spans, sum.inside, sum.lost);
        failed += sum.spans != trips[i].spans || sum.lost > 0 || sum.wrong > sum.inside ||
                  (double)sum.inside > trips[i].most_inside * (double)sum.spans;
        nf_corpus_free(&corpus);
        nf_tokenizer_free(t);
    }
    assert_int_equal(failed, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_cases), cmocka_unit_test(check_ranges),
        cmocka_unit_test(check_subword_ranges), cmocka_unit_test(check_round_trips)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
