/* k-shot samples, stratified splits, statistics and checks: what they promise, on corpora made by
 * chance and on small ones whose answers are known. */
#include "documents.h"

#include "base/rng.h"
#include "data/formats/format.h"
#include "data/selection.h"

/* ---------------------------------------------------------------- corpora */

/* Texts of one to four entities of `n_types` types, the later types rarer; every tenth without. */
static void make_corpus(nf_corpus *corpus, size_t n_texts, uint32_t n_types, uint64_t seed) {
    nf_rng rng = nf_rng_new(seed, 9);
    nf_str line = {0};
    nerfit_error error;
    for (size_t i = 0; i < n_texts; i++) {
        uint32_t n = i % 10 == 9 ? 0 : 1 + nf_rng_below(&rng, 4);
        nf_str_appendf(&line, "text %zu", i);
        while (n-- > 0) {
            uint32_t a = nf_rng_below(&rng, n_types), b = nf_rng_below(&rng, n_types);
            nf_str_appendf(&line, " [t%u : word%u]", a < b ? a : b, nf_rng_below(&rng, 50));
        }
        nf_str_append_char(&line, '\n');
    }
    assert_ok(nf_annotations_parse(corpus, nf_str_text(&line), line.length, "made",
                                   &nf_format_brackets, NULL, &error),
              &error);
    nf_str_free(&line);
}

static size_t mentions(const nf_corpus *corpus, const uint32_t *chosen, size_t count,
                       const char *label) {
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const nf_document *d = &corpus->documents[chosen[i]];
        for (size_t k = 0; k < d->n_spans; k++) n += strcmp(d->spans[k].label, label) == 0;
    }
    return n;
}

static size_t mentions_in_all(const nf_corpus *corpus, const char *label) {
    size_t n = 0;
    for (uint32_t i = 0; i < corpus->n_documents; i++) n += mentions(corpus, &i, 1, label);
    return n;
}

/* ---------------------------------------------------------------- samples */

static void check_samples(void **state) {
    (void)state;
    static uint32_t chosen[2000], again[2000];
    nf_corpus corpus = {0};
    make_corpus(&corpus, 2000, 12, 1);
    size_t n_different = 0;
    for (uint64_t seed = 0; seed < 20; seed++)
        for (size_t k = 1; k <= 64; k *= 4) {
            nf_sample_options options = {.k = k, .seed = seed};
            nerfit_error error;
            size_t count, count_again, wanted_short = 0;
            nf_shortage shortage;
            assert_ok(nf_sample(&corpus, &options, chosen, &count, &shortage, &error), &error);
            for (size_t l = 0; l < corpus.n_labels; l++) {
                size_t n = mentions(&corpus, chosen, count, corpus.labels[l]);
                size_t all = mentions_in_all(&corpus, corpus.labels[l]);
                assert_true(n >= (k < all ? k : all));
                if (all < k) wanted_short++;
                /* common types stay under the cap: only rare ones push others past it */
                if (l == 0 && k == 1) assert_true(n <= 6);
            }
            assert_int_equal(shortage.types, wanted_short);
            for (size_t i = 0; i < count; i++) {
                assert_true(corpus.documents[chosen[i]].n_spans > 0);
                if (i) assert_true(chosen[i] > chosen[i - 1]);
            }
            assert_ok(nf_sample(&corpus, &options, again, &count_again, NULL, &error), &error);
            assert_int_equal(count, count_again);
            assert_memory_equal(chosen, again, count * sizeof *chosen);
            options.seed = seed + 100;
            assert_ok(nf_sample(&corpus, &options, again, &count_again, NULL, &error), &error);
            n_different += count != count_again || memcmp(chosen, again, count * sizeof *chosen);
        }
    assert_true(n_different > 75); /* of 80 */
    nf_corpus_free(&corpus);
}

/* A text of 30 mentions is not taken while smaller ones do, and is taken where nothing else has
 * it. */
static void check_cap(void **state) {
    (void)state;
    nf_str text = {0};
    nf_corpus corpus = {0};
    nerfit_error error;
    for (int i = 0; i < 30; i++) nf_str_append_text(&text, "[a : x] ");
    nf_str_append_text(&text, "\n[a : y] one\n[a : z] two\n");
    for (int i = 0; i < 9; i++) nf_str_append_text(&text, "[b : x] ");
    assert_ok(nf_annotations_parse(&corpus, nf_str_text(&text), text.length, "made",
                                   &nf_format_brackets, NULL, &error),
              &error);
    for (uint64_t seed = 0; seed < 20; seed++) {
        nf_sample_options options = {.k = 2, .seed = seed};
        uint32_t chosen[4];
        size_t count;
        nf_shortage shortage;
        assert_ok(nf_sample(&corpus, &options, chosen, &count, &shortage, &error), &error);
        assert_int_equal(count, 3);
        for (uint32_t i = 0; i < 3; i++) assert_int_equal(chosen[i], i + 1);
        assert_int_equal(shortage.types, 0);
    }
    nf_sample_options none = {.k = 0};
    size_t count;
    assert_int_equal(nf_sample(&corpus, &none, (uint32_t[4]){0}, &count, NULL, &error),
                     NERFIT_ARGUMENT);
    nf_str_free(&text);
    nf_corpus_free(&corpus);
}

static void check_negatives(void **state) {
    (void)state;
    static const struct {
        const char *amount;
        double share; /* of the sample; or: */
        size_t count, missing;
    } cases[] = {{"0", 0, 0},     {"7", 0, 7},      {"50%", 0.5, 0},
                 {"0.2", 0.2, 0}, {"rest", 0, 200}, {"5000", 0, 200, 4800}};
    static uint32_t chosen[2000];
    nf_corpus corpus = {0};
    make_corpus(&corpus, 2000, 5, 2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_sample_options options = {.k = 4};
        nerfit_error error;
        size_t count, n = 0;
        nf_shortage shortage;
        assert_ok(nf_amount_parse(&options.negatives, cases[i].amount, "negatives", &error),
                  &error);
        assert_ok(nf_sample(&corpus, &options, chosen, &count, &shortage, &error), &error);
        assert_int_equal(shortage.negatives, cases[i].missing);
        for (size_t k = 0; k < count; k++) n += corpus.documents[chosen[k]].n_spans == 0;
        if (cases[i].share > 0) {
            double wanted = cases[i].share * (double)count;
            assert_true((double)n > wanted - 1 && (double)n < wanted + 1);
        } else {
            assert_int_equal(n, cases[i].count);
        }
    }
    nf_corpus_free(&corpus);
}

static void check_amounts(void **state) {
    (void)state;
    static const char *const wrong[] = {"",     "-1", "1.5", "120%", "x",  "1e3",
                                        "0x10", " 1", "nan", "5 %",  "1,2"};
    nf_amount amount;
    nerfit_error error;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (nf_amount_parse(&amount, wrong[i], "sizes", &error) == NERFIT_OK)
            fail_msg("\"%s\" is taken for an amount", wrong[i]);
    assert_ok(nf_amount_parse(&amount, "12.5%", "sizes", &error), &error);
    assert_true(amount.kind == NF_AMOUNT_SHARE && amount.value == 0.125);
}

/* ---------------------------------------------------------------- splits */

static void amounts_of(nf_amount *out, const char *const *texts, size_t count) {
    nerfit_error error;
    for (size_t i = 0; i < count; i++)
        assert_ok(nf_amount_parse(&out[i], texts[i], "sizes", &error), &error);
}

static void check_split_sizes(void **state) {
    (void)state;
    static const struct {
        const char *sizes[3];
        size_t counts[4]; /* the last: unused */
    } cases[] = {
        {{"80%", "10%", "10%"}, {801, 100, 100, 0}},
        {{"500", "0.2", "rest"}, {500, 200, 301, 0}},
        {{"100", "100", "1"}, {100, 100, 1, 800}},
        {{"rest", "0", "1"}, {1000, 0, 1, 0}},
        {{"0.333", "0.333", "0.334"}, {333, 334, 334, 0}},
    };
    static uint32_t part_of[1001], again[1001];
    nf_corpus corpus = {0};
    make_corpus(&corpus, 1001, 9, 3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_amount sizes[3];
        size_t counts[4] = {0};
        nerfit_error error;
        amounts_of(sizes, cases[i].sizes, 3);
        assert_ok(nf_split(&corpus, sizes, 3, i, part_of, &error), &error);
        for (size_t d = 0; d < 1001; d++) counts[part_of[d]]++;
        for (size_t j = 0; j < 4; j++) assert_int_equal(counts[j], cases[i].counts[j]);
        assert_ok(nf_split(&corpus, sizes, 3, i, again, &error), &error);
        assert_memory_equal(part_of, again, sizeof part_of);
        assert_ok(nf_split(&corpus, sizes, 3, i + 50, again, &error), &error);
        assert_memory_not_equal(part_of, again, sizeof part_of);
    }
    nf_corpus_free(&corpus);
}

/* Every type's texts divide as the sizes say: to one text for common types, where chance alone
 * would leave a standard deviation of several. */
static void check_stratified(void **state) {
    (void)state;
    static uint32_t part_of[2000];
    nf_corpus corpus = {0};
    make_corpus(&corpus, 2000, 12, 4);
    const char *const texts[] = {"70%", "20%", "10%"};
    const double shares[] = {0.7, 0.2, 0.1};
    nf_amount sizes[3];
    nerfit_error error;
    amounts_of(sizes, texts, 3);
    double worst = 0;
    for (uint64_t seed = 0; seed < 10; seed++) {
        assert_ok(nf_split(&corpus, sizes, 3, seed, part_of, &error), &error);
        for (size_t l = 0; l < corpus.n_labels; l++) {
            double counts[3] = {0}, all = 0;
            for (uint32_t d = 0; d < corpus.n_documents; d++) {
                bool there = mentions(&corpus, &d, 1, corpus.labels[l]) > 0;
                counts[part_of[d]] += there;
                all += there;
            }
            for (size_t j = 0; j < 3; j++) {
                double off = counts[j] - shares[j] * all;
                if (off < 0) off = -off;
                if (off > worst) worst = off;
            }
        }
    }
    assert_true(worst < 4); /* by chance: up to sqrt(0.21 * 700) * 2.5 = 30 */
    nf_corpus_free(&corpus);
}

static void check_equal_texts(void **state) {
    (void)state;
    nf_str text = {0};
    nf_corpus corpus = {0};
    nerfit_error error;
    for (int i = 0; i < 300; i++)
        nf_str_appendf(&text, "same %d [%c : x]\n", i % 100, i < 150 ? 'a' : 'b');
    assert_ok(nf_annotations_parse(&corpus, nf_str_text(&text), text.length, "made",
                                   &nf_format_brackets, NULL, &error),
              &error);
    const char *const texts[] = {"0.5", "rest"};
    nf_amount sizes[2];
    uint32_t part_of[300];
    size_t first = 0;
    amounts_of(sizes, texts, 2);
    assert_ok(nf_split(&corpus, sizes, 2, 0, part_of, &error), &error);
    for (size_t d = 0; d < 300; d++) {
        assert_int_equal(part_of[d], part_of[d % 100]);
        first += part_of[d] == 0;
    }
    assert_true(first >= 147 && first <= 153);
    nf_str_free(&text);
    nf_corpus_free(&corpus);
}

static void check_split_errors(void **state) {
    (void)state;
    static const struct {
        const char *sizes[2], *error;
    } cases[] = {{{"90%", "20%"}, "sizes: the shares add up to 110 %; expected at most 100 %"},
                 {{"11", "0"}, "sizes: 11 texts are wanted of 10"},
                 {{"rest", "rest"}, "sizes: \"rest\" is there 2 times"}};
    nf_corpus corpus = {0};
    make_corpus(&corpus, 10, 2, 5);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_amount sizes[2];
        uint32_t part_of[10];
        nerfit_error error;
        amounts_of(sizes, cases[i].sizes, 2);
        assert_int_equal(nf_split(&corpus, sizes, 2, 0, part_of, &error), NERFIT_ARGUMENT);
        assert_string_equal(error.text, cases[i].error);
    }
    nf_corpus_free(&corpus);
}

/* ---------------------------------------------------------------- statistics and checks */

static nerfit_corpus *parsed(const char *text, const char *name) {
    nerfit_error error;
    nerfit_corpus *corpus;
    assert_ok(nerfit_corpus_new(&corpus, NULL, NULL, &error), &error);
    assert_ok(nerfit_corpus_parse(corpus, text, strlen(text), "brackets", name, &error), &error);
    return corpus;
}

static const char train[] = "at [time : five]\nsee [person : Ann Lee] at [time : five]\nhello\n"
                            "at [person : five]\n";
static const char test[] = "at [time : five]\nby [person : Bo] and [place : Rome]\n";

static void check_statistics(void **state) {
    (void)state;
    nerfit_corpus *corpora[] = {parsed(train, "a"), parsed(test, "b")};
    const char *const names[] = {"a", "b"}, *const twice[] = {"a", "a"};
    nerfit_error error;
    char *text, *json;
    assert_ok(nerfit_corpus_statistics((const nerfit_corpus *const *)corpora, names, 2, &text,
                                       &json, &error),
              &error);
    /* counted by hand */
    static const char *const expected[] = {
        "\"texts\": 4",
        "\"texts_without_entities\": 1",
        "\"words\": 10",
        "\"characters\": 38",
        "\"words_per_text\": {\n        \"least\": 1,\n        \"median\": 2.0,\n        \"mean\": "
        "2.5,\n        \"most\": 5",
        "\"repeated\": 1",
        "\"conflicts\": 1",
        "\"person\": {\n          \"entities\": 2,\n          \"texts\": 2,\n          "
        "\"distinct\": 2,\n          \"words\": 1.5",
        "\"time\": {\n          \"entities\": 2,\n          \"texts\": 2,\n          \"distinct\": "
        "1,",
        "\"of\": \"b\",\n      \"in\": \"a\",\n      \"texts\": 1,\n      \"entities\": "
        "0.33333333333333331,\n      \"unseen_types\": [\n        \"place\"",
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr(json, expected[i])) fail_msg("no %s in\n%s", expected[i], json);
    assert_non_null(strstr(text, "b in a: 1 texts; 33.3 % of its entities; types that are not "
                                 "there: place\n"));
    nerfit_free(text);
    nerfit_free(json);
    assert_int_equal(nerfit_corpus_statistics((const nerfit_corpus *const *)corpora, twice, 2,
                                              &text, &json, &error),
                     NERFIT_ARGUMENT);
    nerfit_corpus_free(corpora[0]);
    nerfit_corpus_free(corpora[1]);
}

static void append_finding(void *user, const nerfit_finding *f) {
    nf_str_appendf(user, "%s %s\n", f->is_error ? "E" : "W", f->message);
}

static void check_findings(void **state) {
    (void)state;
    nerfit_corpus *corpora[] = {parsed(train, "a"), parsed(test, "b"), parsed("x\n\ny\n", "c")};
    char path[] = "/tmp/nerfit-descriptions-XXXXXX";
    nerfit_error error;
    nf_str got = {0};
    int file = mkstemp(path);
    assert_true(file >= 0);
    FILE *out = fdopen(file, "w");
    fputs("{\"time\": \"t\", \"person\": \"p\", \"song\": \"s\"}", out);
    fclose(out);
    assert_ok(nerfit_corpus_check((const nerfit_corpus *const *)corpora, 3, path, append_finding,
                                  &got, &error),
              &error);
    char expected[1024];
    snprintf(expected, sizeof expected,
             "W a:4: the text of a:1 again, with other entities\n"
             "W b:1: the text of a:1 again, with the same entities\n"
             "W c: none of its 2 texts has an entity; is this the right format?\n"
             "W a:4: \"five\" is labelled in 2 ways: \"time\" 3 times, \"person\" 1 time; here "
             "\"person\"\n"
             "E b:2: label \"place\" has no description in %s\n"
             "W %s: no text has an entity of label \"song\"\n",
             path, path);
    assert_string_equal(nf_str_text(&got), expected);
    nf_str_free(&got);
    remove(path);
    for (size_t i = 0; i < 3; i++) nerfit_corpus_free(corpora[i]);
}

/* All errors of a file are told, with their lines, and the good texts are kept. */
static void check_reading(void **state) {
    (void)state;
    char path[] = "/tmp/nerfit-broken-XXXXXX";
    nerfit_error error;
    nf_str got = {0};
    nerfit_corpus *corpus;
    int file = mkstemp(path);
    FILE *out = fdopen(file, "w");
    fputs("{\"text\": \"a b\", \"entities\": [[0, 9, \"x\"]]}\n{\"text\": \"a\"}\n{\"text\": 1}\n"
          "{\"text\": \"a \", \"entities\": [[0, 2, \"x\"]]}\n",
          out);
    fclose(out);
    nerfit_read_options options = {.size = sizeof options,
                                   .format = "jsonl",
                                   .max_errors = SIZE_MAX,
                                   .finding = append_finding,
                                   .user = &got};
    assert_ok(nerfit_corpus_new(&corpus, NULL, NULL, &error), &error);
    assert_int_equal(nerfit_corpus_read(corpus, path, &options, &error), NERFIT_FORMAT);
    assert_int_equal(nerfit_corpus_size(corpus), 2);
    assert_int_equal(nerfit_corpus_line(corpus, 1), 4);
    assert_string_equal(nerfit_corpus_file(corpus, 1), path);
    char place[64];
    for (int line = 1; line <= 4; line++) {
        snprintf(place, sizeof place, "%c %s:%d:", line == 4 ? 'W' : 'E', path, line);
        assert_true((strstr(nf_str_text(&got), place) != NULL) == (line != 2));
    }
    nf_str_free(&got);
    nerfit_corpus_free(corpus);
    remove(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_samples),     cmocka_unit_test(check_cap),
        cmocka_unit_test(check_negatives),   cmocka_unit_test(check_amounts),
        cmocka_unit_test(check_split_sizes), cmocka_unit_test(check_stratified),
        cmocka_unit_test(check_equal_texts), cmocka_unit_test(check_split_errors),
        cmocka_unit_test(check_statistics),  cmocka_unit_test(check_findings),
        cmocka_unit_test(check_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
