/* Scores and spans: equal to seqeval to the last bit on the sequences of tools/golden/score.py, and
 * hand-made cases for what the golden file cannot hold. */
#include "test.h"

#include "base/json.h"
#include "base/str.h"
#include "eval/report.h"
#include "eval/score.h"
#include "labels/spans.h"

enum { MAX_LABELS = 1024 };

/* Cuts `text` at its spaces; labels point into `text`. */
static size_t split(char *text, const char **labels) {
    size_t n = 0;
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        assert_true(n < MAX_LABELS);
        labels[n++] = word;
    }
    return n;
}

static nerfit_status add(nf_scorer *scorer, const char *gold, const char *predicted,
                         nerfit_error *err) {
    char *g = strdup(gold), *p = strdup(predicted);
    const char *g_labels[MAX_LABELS], *p_labels[MAX_LABELS];
    size_t n = split(g, g_labels);
    assert_int_equal(n, split(p, p_labels));
    nerfit_status status = nf_scorer_add(scorer, g_labels, p_labels, n, err);
    free(g);
    free(p);
    return status;
}

/* ---------------------------------------------------------------- golden */

static const char *const scheme_names[] = {
    [NF_SCHEME_IOB1] = "IOB1", [NF_SCHEME_IOB2] = "IOB2",   [NF_SCHEME_IOE1] = "IOE1",
    [NF_SCHEME_IOE2] = "IOE2", [NF_SCHEME_BIOES] = "BIOES", [NF_SCHEME_BILOU] = "BILOU",
};

static nf_scheme scheme_of(const json_t *name) {
    for (nf_scheme s = NF_SCHEME_IOB1; s <= NF_SCHEME_BILOU; s++)
        if (json_is_string(name) && !strcmp(json_string_value(name), scheme_names[s])) return s;
    assert_true(json_is_null(name));
    return NF_SCHEME_NONE;
}

/* `wanted` is [precision, recall, f1, support, predicted, correct]; whether all are equal. */
static bool same_score(size_t number, const char *name, const nf_score *s, const json_t *wanted) {
    double got[] = {s->precision,         s->recall,         s->f1, (double)s->support,
                    (double)s->predicted, (double)s->correct},
           expected[6];
    bool same = true;
    assert_int_equal(json_array_size(wanted), 6);
    for (size_t i = 0; i < 6; i++) {
        expected[i] = json_number_value(json_array_get(wanted, i));
        same = same && got[i] == expected[i];
    }
    if (!same)
        print_error("case %zu, %s:\n  got      %.17g %.17g %.17g %g %g %g\n"
                    "  expected %.17g %.17g %.17g %g %g %g\n",
                    number, name, got[0], got[1], got[2], got[3], got[4], got[5], expected[0],
                    expected[1], expected[2], expected[3], expected[4], expected[5]);
    return same;
}

static bool same_text(size_t number, const nf_report *report, const char *wanted) {
    nf_str text = {0};
    nf_report_text(report, &text);
    bool same = strncmp(nf_str_text(&text), wanted, strlen(wanted)) == 0;
    if (!same)
        print_error("case %zu:\ngot\n%s\nexpected\n%s\n", number, nf_str_text(&text), wanted);
    nf_str_free(&text);
    return same;
}

static bool same_report(size_t number, const nf_report *report, const json_t *wanted) {
    json_t *types = json_object_get(wanted, "types");
    const json_t *text = json_object_get(wanted, "text");
    bool same = same_score(number, "micro", &report->micro, json_object_get(wanted, "micro"));
    same &= same_score(number, "macro", &report->macro, json_object_get(wanted, "macro"));
    same &= same_score(number, "weighted", &report->weighted, json_object_get(wanted, "weighted"));
    double accuracy = (double)report->n_tokens_correct / (double)report->n_tokens,
           expected = json_number_value(json_object_get(wanted, "accuracy"));
    if (accuracy != expected)
        print_error("case %zu: accuracy %g, expected %g\n", number, accuracy, expected);
    same &= accuracy == expected;
    if (report->n_types != json_object_size(types)) {
        print_error("case %zu: %zu types, expected %zu\n", number, report->n_types,
                    json_object_size(types));
        return false;
    }
    size_t i = 0;
    const char *label;
    json_t *score;
    json_object_foreach(types, label, score) { /* in seqeval's order */
        if (strcmp(report->types[i].label, label) != 0) {
            print_error("case %zu: type %zu is %s, expected %s\n", number, i,
                        report->types[i].label, label);
            same = false;
        }
        same &= same_score(number, label, &report->types[i++], score);
    }
    return same & (!text || same_text(number, report, json_string_value(text)));
}

static void test_golden(void **state) {
    (void)state;
    nerfit_error err;
    json_t *cases, *wanted;
    assert_ok(nf_json_load(&cases, "tests/golden/score.json", &err), &err);
    size_t number, n_failed = 0;
    assert_true(json_array_size(cases) > 300);
    json_array_foreach(cases, number, wanted) {
        nf_scorer *scorer;
        const nf_report *report;
        assert_ok(nf_scorer_new(&scorer, scheme_of(json_object_get(wanted, "scheme")), &err), &err);
        const json_t *gold = json_object_get(wanted, "gold");
        const json_t *predicted = json_object_get(wanted, "predicted");
        for (size_t s = 0; s < json_array_size(gold); s++)
            assert_ok(add(scorer, json_string_value(json_array_get(gold, s)),
                          json_string_value(json_array_get(predicted, s)), &err),
                      &err);
        assert_ok(nf_scorer_report(scorer, &report, &err), &err);
        n_failed += !same_report(number, report, wanted);
        nf_scorer_free(scorer);
    }
    json_decref(cases);
    assert_int_equal(n_failed, 0);
}

/* ---------------------------------------------------------------- spans */

static void test_spans(void **state) {
    (void)state;
    static const struct {
        const char *name;
        nf_scheme scheme;
        const char *labels, *spans;
    } cases[] = {
        {"legal", NF_SCHEME_NONE, "B-a I-a O B-b", "0-2 a, 3-4 b"},
        {"nothing", NF_SCHEME_NONE, "O O", ""},
        {"inside alone", NF_SCHEME_NONE, "I-a I-a O I-a", "0-2 a, 3-4 a"},
        {"type changes", NF_SCHEME_NONE, "B-a I-b I-b", "0-1 a, 1-3 b"},
        {"single and end", NF_SCHEME_NONE, "S-a B-b E-b I-b", "0-1 a, 1-3 b, 3-4 b"},
        {"adjacent", NF_SCHEME_NONE, "B-a B-a", "0-1 a, 1-2 a"},
        {"no type", NF_SCHEME_NONE, "B I O", "0-2 _"},
        {"no prefix", NF_SCHEME_NONE, "PER PER O", "0-2 ER"},
        {"several hyphens", NF_SCHEME_NONE, "B-foo-bar I-foo-bar I-bar", "0-2 foo-bar, 2-3 bar"},
        {"letter outside ASCII", NF_SCHEME_NONE,
         "\xc3\x89"
         "foo O",
         "0-1 foo"},
        {"IOB2", NF_SCHEME_IOB2, "B-a I-a I-b I-a B-a", "0-2 a, 4-5 a"},
        {"IOB2, inside alone", NF_SCHEME_IOB2, "I-a I-a", ""},
        {"IOB1", NF_SCHEME_IOB1, "I-a I-a B-a I-a O B-a", "0-2 a, 2-4 a"},
        {"IOE2", NF_SCHEME_IOE2, "I-a E-a I-b O E-b", "0-2 a, 4-5 b"},
        {"IOE1", NF_SCHEME_IOE1, "I-a I-a E-a I-a O", "0-3 a, 3-4 a"},
        {"BIOES", NF_SCHEME_BIOES, "B-a I-a E-a S-b B-a B-a E-a", "0-3 a, 3-4 b, 5-7 a"},
        {"BILOU", NF_SCHEME_BILOU, "B-a I-a L-a U-b B-a L-b", "0-3 a, 3-4 b"},
        {"dashes around a type", NF_SCHEME_IOB2, "B--a- I-a O B-- I", "0-2 a, 3-5 _"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        nerfit_error err;
        const char *labels[MAX_LABELS];
        nf_entity spans[MAX_LABELS];
        size_t count;
        char *text = strdup(cases[c].labels), got[256] = "";
        size_t n = split(text, labels);
        assert_ok(nf_spans_from_labels(labels, n, cases[c].scheme, spans, &count, &err), &err);
        for (size_t i = 0, at = 0; i < count; i++) {
            nf_type_name type = nf_label_type_name(labels[spans[i].type], cases[c].scheme);
            at += (size_t)snprintf(got + at, sizeof got - at, "%s%u-%u %.*s", i ? ", " : "",
                                   spans[i].start, spans[i].end, (int)type.size, type.text);
        }
        if (strcmp(got, cases[c].spans) != 0)
            fail_msg("%s: %s: got \"%s\", expected \"%s\"", cases[c].name, cases[c].labels, got,
                     cases[c].spans);
        free(text);
    }
}

/* ---------------------------------------------------------------- errors and edges */

static void test_errors(void **state) {
    (void)state;
    static const struct {
        nf_scheme scheme;
        const char *label, *error;
    } cases[] = {
        {NF_SCHEME_NONE, "", "label 2 is empty"},
        {NF_SCHEME_IOB2, "", "label 2 is empty"},
        {NF_SCHEME_IOB2, "S-a", "label \"S-a\" is not one of IOB2, which begin with I, O, B"},
        {NF_SCHEME_IOE1, "B-a", "label \"B-a\" is not one of IOE1, which begin with I, O, E"},
        {NF_SCHEME_BIOES, "U-a",
         "label \"U-a\" is not one of BIOES, which begin with I, O, B, E, S"},
        {NF_SCHEME_BILOU, "PER",
         "label \"PER\" is not one of BILOU, which begin with B, I, L, O, U"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        nerfit_error err = {0};
        nf_scorer *scorer;
        const nf_report *report;
        assert_ok(nf_scorer_new(&scorer, cases[c].scheme, &err), &err);
        const char *good[] = {"O", "O", "O"}, *bad[] = {"O", cases[c].label, "O"};
        for (int side = 0; side < 2; side++) {
            nerfit_status status =
                nf_scorer_add(scorer, side ? good : bad, side ? bad : good, 3, &err);
            if (status != NERFIT_FORMAT || strcmp(err.text, cases[c].error) != 0)
                fail_msg("got %d %s, expected %s", status, err.text, cases[c].error);
        }
        assert_ok(nf_scorer_report(scorer, &report, &err), &err);
        assert_int_equal(report->n_tokens, 0); /* the failed sequences do not count */
        assert_int_equal(report->n_types, 0);
        nf_scorer_free(scorer);
    }
}

static void test_no_entities(void **state) {
    (void)state;
    nerfit_error err;
    nf_scorer *scorer;
    const nf_report *report;
    assert_ok(nf_scorer_new(&scorer, NF_SCHEME_NONE, &err), &err);
    for (int tokens = 0; tokens <= 2; tokens += 2) {
        assert_ok(add(scorer, tokens ? "O O" : "", tokens ? "O O" : "", &err), &err);
        assert_ok(nf_scorer_report(scorer, &report, &err), &err);
        assert_int_equal(report->n_tokens, tokens);
        assert_int_equal(report->n_types, 0);
        assert_true(report->micro.f1 == 0 && report->macro.f1 == 0 && report->weighted.f1 == 0);
        nf_str text = {0};
        nf_report_text(report, &text);
        assert_non_null(strstr(nf_str_text(&text), "   micro avg     0.0000    0.0000    0.0000  "
                                                   "       0\n"));
        nf_str_free(&text);
    }
    nf_scorer_free(scorer);
}

/* A report may be asked for between sequences. */
static void test_report_while_counting(void **state) {
    (void)state;
    nerfit_error err;
    nf_scorer *scorer;
    const nf_report *report;
    assert_ok(nf_scorer_new(&scorer, NF_SCHEME_NONE, &err), &err);
    for (size_t i = 1; i <= 100; i++) {
        char gold[64];
        snprintf(gold, sizeof gold, "B-t%zu I-t%zu O", i, i);
        assert_ok(add(scorer, gold, i % 2 ? gold : "O O O", &err), &err);
        assert_ok(nf_scorer_report(scorer, &report, &err), &err);
        assert_int_equal(report->n_types, i);
        assert_int_equal(report->micro.correct, (i + 1) / 2);
        assert_int_equal(report->micro.support, i);
        assert_int_equal(report->n_tokens, 3 * i);
    }
    nf_scorer_free(scorer);
}

/* ---------------------------------------------------------------- reports */

static const nf_report *small_report(nf_scorer **scorer) {
    nerfit_error err;
    const nf_report *report;
    assert_ok(nf_scorer_new(scorer, NF_SCHEME_NONE, &err), &err);
    assert_ok(add(*scorer, "B-größe I-größe O B-a", "B-größe I-größe O B-b", &err), &err);
    assert_ok(add(*scorer, "O B-a O O", "O B-a B-a O", &err), &err);
    assert_ok(nf_scorer_report(*scorer, &report, &err), &err);
    return report;
}

static void test_report_text(void **state) {
    (void)state;
    nf_scorer *scorer;
    nf_str text = {0};
    nf_report_text(small_report(&scorer), &text);
    /* the table by seqeval, the last two lines by conlleval.py */
    assert_string_equal(nf_str_text(&text),
                        "              precision    recall  f1-score   support\n"
                        "\n"
                        "           a     0.5000    0.5000    0.5000         2\n"
                        "           b     0.0000    0.0000    0.0000         0\n"
                        "       größe     1.0000    1.0000    1.0000         1\n"
                        "\n"
                        "   micro avg     0.5000    0.6667    0.5714         3\n"
                        "   macro avg     0.5000    0.5000    0.5000         3\n"
                        "weighted avg     0.6667    0.6667    0.6667         3\n"
                        "\n"
                        "processed 8 tokens with 3 phrases; found: 4 phrases; correct: 2.\n"
                        "accuracy:  75.00%; precision:  50.00%; recall:  66.67%; FB1:  57.14\n");
    nf_str_free(&text);
    nf_scorer_free(scorer);
}

static void test_report_json(void **state) {
    (void)state;
    nf_scorer *scorer;
    const nf_report *report = small_report(&scorer);
    json_t *json = nf_report_json(report);
    assert_non_null(json);
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(6));
    assert_string_equal(
        text,
        "{\"types\":{"
        "\"a\":{\"precision\":0.5,\"recall\":0.5,\"f1\":0.5,\"support\":2,\"predicted\":2,"
        "\"correct\":1},"
        "\"b\":{\"precision\":0.0,\"recall\":0.0,\"f1\":0.0,\"support\":0,\"predicted\":1,"
        "\"correct\":0},"
        "\"größe\":{\"precision\":1.0,\"recall\":1.0,\"f1\":1.0,\"support\":1,\"predicted\":1,"
        "\"correct\":1}},"
        "\"micro\":{\"precision\":0.5,\"recall\":0.666667,\"f1\":0.571429,\"support\":3,"
        "\"predicted\":4,\"correct\":2},"
        "\"macro\":{\"precision\":0.5,\"recall\":0.5,\"f1\":0.5,\"support\":3,\"predicted\":4,"
        "\"correct\":2},"
        "\"weighted\":{\"precision\":0.666667,\"recall\":0.666667,\"f1\":0.666667,\"support\":3,"
        "\"predicted\":4,\"correct\":2},"
        "\"accuracy\":0.75,\"tokens\":8}");
    free(text);
    json_decref(json);
    nf_scorer_free(scorer);
}

static void test_report_json_not_utf8(void **state) {
    (void)state;
    nerfit_error err;
    nf_scorer *scorer;
    const nf_report *report;
    assert_ok(nf_scorer_new(&scorer, NF_SCHEME_NONE, &err), &err);
    assert_ok(add(scorer, "B-\xff", "O", &err), &err);
    assert_ok(nf_scorer_report(scorer, &report, &err), &err);
    assert_null(nf_report_json(report));
    nf_scorer_free(scorer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_no_entities),
        cmocka_unit_test(test_report_while_counting),
        cmocka_unit_test(test_report_text),
        cmocka_unit_test(test_report_json),
        cmocka_unit_test(test_report_json_not_utf8),
    };
    return cmocka_run_group_tests_name("score", tests, NULL, NULL);
}
