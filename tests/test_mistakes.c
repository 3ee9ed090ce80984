/* Which mistakes a text has, the confusion of types, and the analysis as text and as JSON. */
#include "test.h"

#include "eval/analysis.h"

static nerfit_error error;

enum { MOST = 16 };

/* "0-2:a 3-5:b@0.75": entities, with a score if they have one. */
static size_t read_entities(nf_type_names *types, char *text, nf_entity *out) {
    size_t n = 0;
    char *save;
    for (char *part = strtok_r(text, " ", &save); part; part = strtok_r(NULL, " ", &save), n++) {
        char *colon = strchr(part, ':'), *at = strchr(part, '@');
        assert_true(n < MOST && colon);
        out[n] = (nf_entity){.start = (uint32_t)atoi(part),
                             .end = (uint32_t)atoi(strchr(part, '-') + 1),
                             .score = at ? atof(at + 1) : -1};
        if (at) *at = '\0';
        assert_ok(nf_type_names_add(types, colon + 1, &out[n].type, &error), &error);
    }
    return n;
}

/* ---------------------------------------------------------------- matching */

static void describe(const nf_match *m, const nf_entity *gold, const nf_entity *predicted,
                     nf_str *out) {
    if (out->length) nf_str_append_text(out, "; ");
    nf_str_append_text(out, nf_match_name(m->kind));
    if (m->gold) nf_str_appendf(out, " g%td", m->gold - gold);
    if (m->predicted) nf_str_appendf(out, " p%td", m->predicted - predicted);
}

static void check_matches(void **state) {
    (void)state;
    static const struct {
        const char *gold, *predicted, *expected;
    } cases[] = {
        {"", "", ""},
        {"0-2:a", "", "missed g0"},
        {"", "0-2:a", "spurious p0"},
        {"0-2:a", "0-2:a", "correct g0 p0"},
        {"0-2:a", "0-2:b", "wrong type g0 p0"},
        {"0-2:a", "1-3:a", "wrong boundary g0 p0"},
        {"0-2:a", "1-3:b", "wrong type and boundary g0 p0"},
        {"0-2:a", "2-4:a", "missed g0; spurious p0"},                  /* only touching */
        {"0-6:a", "0-2:a 2-6:a", "spurious p0; wrong boundary g0 p1"}, /* the larger overlap */
        {"0-6:a", "0-3:a 3-6:a", "wrong boundary g0 p0; spurious p1"}, /* else the earlier */
        {"0-2:a 2-6:a", "0-6:a", "missed g0; wrong boundary g1 p0"},
        {"0-6:a", "0-5:b 5-6:a", "spurious p0; wrong boundary g0 p1"}, /* the type goes first */
        {"0-4:a 4-6:b", "0-6:b", "missed g0; wrong boundary g1 p0"},
        {"0-2:a 0-2:b", "0-2:b", "missed g0; correct g1 p0"},
        {"0-2:a 4-6:b 8-9:c", "0-2:a 3-5:c 10-12:c",
         "correct g0 p0; wrong type and boundary g1 p1; missed g2; spurious p2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char gold_text[64], predicted_text[64];
        nf_entity gold[MOST], predicted[MOST];
        nf_match matches[2 * MOST];
        nf_str got = {0};
        size_t count;
        strcpy(gold_text, cases[i].gold);
        strcpy(predicted_text, cases[i].predicted);
        nf_type_names types = {0};
        size_t n_gold = read_entities(&types, gold_text, gold);
        size_t n_predicted = read_entities(&types, predicted_text, predicted);
        assert_ok(nf_entities_match(gold, n_gold, predicted, n_predicted, matches, &count, &error),
                  &error);
        for (size_t k = 0; k < count; k++) describe(&matches[k], gold, predicted, &got);
        if (strcmp(nf_str_text(&got), cases[i].expected) != 0)
            fail_msg("gold %s, predicted %s:\n%s\nexpected\n%s", cases[i].gold, cases[i].predicted,
                     nf_str_text(&got), cases[i].expected);
        nf_str_free(&got);
        nf_type_names_free(&types);
    }
}

/* ---------------------------------------------------------------- confusion */

/* Types are added while counts are there: none is lost or moved. */
static void check_confusion(void **state) {
    (void)state;
    enum { TYPES = 40 };
    nf_confusion c = {0};
    assert_int_equal(nf_confusion_at(&c, 0, 0), 0);
    for (size_t i = 0; i < TYPES; i++)
        for (size_t k = 0; k <= i; k++) {
            nf_entity gold = {.type = (int32_t)i}, found = {.type = (int32_t)k};
            nf_match match = {NF_WRONG_TYPE, &gold, &found}, missed = {NF_MISSED, &gold, NULL},
                     spurious = {NF_SPURIOUS, NULL, &found};
            for (size_t n = 0; n <= k; n++) assert_ok(nf_confusion_add(&c, &match, &error), &error);
            assert_ok(nf_confusion_add(&c, &missed, &error), &error);
            assert_ok(nf_confusion_add(&c, &spurious, &error), &error);
        }
    assert_int_equal(c.n_types, TYPES);
    for (size_t i = 0; i < TYPES; i++) {
        for (size_t k = 0; k < TYPES; k++)
            assert_int_equal(nf_confusion_at(&c, i, k), k <= i ? k + 1 : 0);
        assert_int_equal(nf_confusion_at(&c, i, TYPES), i + 1);
        assert_int_equal(nf_confusion_at(&c, TYPES, i), TYPES - i);
    }
    nf_confusion_free(&c);
}

static void check_type_names(void **state) {
    (void)state;
    enum { TYPES = 40 };
    nf_type_names types = {0};
    size_t order[TYPES];
    char name[8];
    for (size_t i = 0; i < 2 * TYPES; i++) {
        int32_t type;
        snprintf(name, sizeof name, "t%02zu", TYPES - i % TYPES);
        assert_ok(nf_type_names_add(&types, name, &type, &error), &error);
        assert_int_equal(type, i % TYPES);
    }
    assert_int_equal(types.count, TYPES);
    nf_type_names_sort(&types, order);
    for (size_t i = 0; i < TYPES; i++) assert_int_equal(order[i], TYPES - 1 - i);
    nf_type_names_free(&types);
}

/* ---------------------------------------------------------------- the analysis */

static void add(nf_analysis *a, const char *text, long line, const char *gold_text,
                const char *predicted_text) {
    char gold_copy[64], predicted_copy[64];
    nf_entity gold[MOST], predicted[MOST];
    strcpy(gold_copy, gold_text);
    strcpy(predicted_copy, predicted_text);
    size_t n_gold = read_entities(&a->types, gold_copy, gold);
    size_t n_predicted = read_entities(&a->types, predicted_copy, predicted);
    const nf_analysed_text at = {.file = "f.txt", .text = text, .line = line, .size = strlen(text)};
    assert_ok(nf_analysis_add(a, &at, gold, n_gold, predicted, n_predicted, &error), &error);
}

static void make_analysis(nf_analysis *a) {
    add(a, "call bob at ten", 1, "5-8:person 12-15:time", "5-8:person@0.9 12-15:time@0.75");
    add(a, "bob plays jazz", 2, "0-3:person 10-14:song", "0-3:song@0.5 4-14:song@0.25");
    add(a, "nothing", 4, "", "0-7:time@0.125");
    add(a, "at ten", 5, "3-6:time", "");
}

static void check_text(void **state) {
    (void)state;
    nf_analysis a = {0};
    nf_str text = {0}, scores = {0};
    make_analysis(&a);
    nf_analysis_text(&a, &text);
    assert_string_equal(
        nf_str_text(&text),
        "Mistakes in 3 of 4 texts: 1 missed, 1 spurious, 1 wrong boundary, 1 wrong type, "
        "0 wrong type and boundary; 2 correct.\n"
        "\n"
        "Which types were taken for which (rows: annotated, columns: found):\n"
        "\n"
        "           1  2  3  4\n"
        " 1 person  1  1  .  .\n"
        " 2 song    .  1  .  .\n"
        " 3 time    .  .  1  1\n"
        " 4 (none)  .  .  1\n"
        "\n"
        "SemEval'13   correct incorrect   partial    missed  spurious precision    recall        "
        "F1\n"
        "strict             2         2         0         1         1    0.4000    0.4000    "
        "0.4000\n"
        "exact              3         1         0         1         1    0.6000    0.6000    "
        "0.6000\n"
        "partial            3         0         1         1         1    0.7000    0.7000    "
        "0.7000\n"
        "type               3         1         0         1         1    0.6000    0.6000    "
        "0.6000\n");
    nf_analysis_scores_text(&a, &scores);
    /* bins of one entity each: |0.125| + |0.25| + |0.5| + |0.75 - 1| + |0.9 - 1|, over 5 */
    assert_non_null(strstr(nf_str_text(&scores),
                           "Scores of 5 entities: mean 0.505, 0.400 of them are "
                           "right; expected calibration error 0.2450\n"));
    assert_non_null(strstr(nf_str_text(&scores), "\n     0.60         2     1.0000    0.4000    "
                                                 "0.5714\n"));
    assert_non_null(strstr(nf_str_text(&scores), "\n     0.95         0          -    0.0000"));
    nf_str_free(&text);
    nf_str_free(&scores);
    nf_analysis_free(&a);
}

/* A table of more than 12 types shows those with the most mistakes. */
static void check_many_types(void **state) {
    (void)state;
    nf_analysis a = {0};
    nf_str text = {0};
    for (int i = 0; i < 30; i++) {
        char gold[32], wrong[32];
        snprintf(gold, sizeof gold, "0-2:type%02d", i);
        snprintf(wrong, sizeof wrong, "0-2:type%02d", i % 3 ? i : (i + 3) % 30);
        add(&a, "ab", i, gold, wrong);
    }
    nf_analysis_text(&a, &text);
    assert_non_null(strstr(nf_str_text(&text), "of 30 types the 12 with the most mistakes"));
    assert_non_null(strstr(nf_str_text(&text), " 1 type00  .  .  .  1"));
    assert_non_null(strstr(nf_str_text(&text), " type27 "));
    assert_non_null(strstr(nf_str_text(&text), "13 (none) "));
    nf_str_free(&text);
    nf_analysis_free(&a);
}

static void check_json(void **state) {
    (void)state;
    static const char *const expected[] = {
        "\"confusion\":{\"types\":[\"person\",\"song\",\"time\"],\"table\":[[1,1,0,0],[0,1,0,0],"
        "[0,0,1,1],[0,0,1,0]]}",
        "\"errors\":{\"texts\":4,\"wrong_texts\":3,\"missed\":1,\"spurious\":1,\"wrong_boundary\":"
        "1,"
        "\"wrong_type\":1,\"wrong_type_and_boundary\":0,\"correct\":2,\"list\":[{\"kind\":\"wrong "
        "type\",\"file\":\"f.txt\",\"line\":2,\"text\":\"bob plays jazz\",\"gold\":{\"start\":0,"
        "\"end\":3,\"label\":\"person\",\"text\":\"bob\"},\"predicted\":{\"start\":0,\"end\":3,"
        "\"label\":\"song\",\"text\":\"bob\",\"score\":0.5}},{\"kind\":\"wrong boundary\"",
        "\"line\":4,\"text\":\"nothing\",\"gold\":null,\"predicted\":{\"start\":0,\"end\":7,",
        "\"thresholds\":[{\"threshold\":0.0,\"predicted\":5,\"correct\":2,\"precision\":0.4,"
        "\"recall\":0.4,\"f1\":0.4},",
        "\"best_threshold\":{\"threshold\":0.75,\"predicted\":2,\"correct\":2,\"precision\":1.0,"
        "\"recall\":0.4,",
        "\"time\":{\"strict\":{\"correct\":1,\"incorrect\":0,\"partial\":0,\"missed\":1,"
        "\"spurious\":1,\"possible\":2,\"actual\":2,\"precision\":0.5,\"recall\":0.5,\"f1\":0.5}",
    };
    nf_analysis a = {0};
    json_t *report = json_object();
    make_analysis(&a);
    assert_ok(nf_analysis_json(&a, report, &error), &error);
    char *text = json_dumps(report, JSON_COMPACT | JSON_REAL_PRECISION(6));
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr(text, expected[i])) fail_msg("no %s in\n%s", expected[i], text);
    free(text);
    json_decref(report);
    nf_analysis_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_matches), cmocka_unit_test(check_confusion),
        cmocka_unit_test(check_text),    cmocka_unit_test(check_many_types),
        cmocka_unit_test(check_json),    cmocka_unit_test(check_type_names),
    };
    return cmocka_run_group_tests_name("mistakes", tests, NULL, NULL);
}
