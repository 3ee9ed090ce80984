/* Calibration on synthetic data whose truth is known, its file, and the measures of reliability on
 * cases worked out by hand. */
#include "tiny_model.h"

#include <math.h>

#include "base/json.h"
#include "base/rng.h"
#include "eval/reliability.h"

static nerfit_error error;

/* ---------------------------------------------------------------- fitting */

/* Scores whose logits are spread over -3 to 6; an entity is correct with the probability that the
 * truth gives its score. */
static nf_scored *make_items(size_t count, const nf_calibration *truth, uint64_t seed) {
    nf_rng rng = nf_rng_new(seed, 1);
    nf_scored *items = calloc(count, sizeof *items);
    assert_non_null(items);
    for (size_t i = 0; i < count; i++) {
        items[i].score = 1 / (1 + exp(3 - 9 * nf_rng_uniform(&rng)));
        items[i].correct = nf_rng_uniform(&rng) < nf_calibration_apply(truth, items[i].score);
    }
    return items;
}

static void check_truth(void **state) {
    (void)state;
    static const nf_calibration truths[] = {{1, 0, 1},  {2, 0, 1},     {0.5, 0, 1},
                                            {4, -1, 1}, {1.5, 0.7, 1}, {3, -3, 1}};
    for (size_t i = 0; i < sizeof truths / sizeof *truths; i++) {
        enum { COUNT = 40000 };
        nf_scored *items = make_items(COUNT, &truths[i], 7 + i);
        nf_calibration got = nf_calibration_fit(items, COUNT);
        assert_int_equal(got.n_entities, COUNT);
        if (fabs(1 / got.temperature - 1 / truths[i].temperature) > 0.06 ||
            fabs(got.shift - truths[i].shift) > 0.1)
            fail_msg("case %zu: temperature %g, shift %g; expected %g, %g", i, got.temperature,
                     got.shift, truths[i].temperature, truths[i].shift);
        /* no neighbour has a smaller loss (targets are drawn in by less than 1e-3 here) */
        double least = nf_calibration_loss(&got, items, COUNT);
        for (int side = 0; side < 4; side++) {
            nf_calibration near = got;
            if (side < 2)
                near.temperature *= side ? 1.02 : 0.98;
            else
                near.shift += side == 3 ? 0.02 : -0.02;
            assert_true(nf_calibration_loss(&near, items, COUNT) > least - 1e-6);
        }
        /* on other entities of the same truth, scores are now what they say */
        nf_scored *others = make_items(COUNT, &truths[i], 70 + i);
        for (size_t k = 0; k < COUNT; k++)
            others[k].score = nf_calibration_apply(&got, others[k].score);
        nf_reliability r;
        nf_reliability_measure(&r, others, COUNT);
        if (r.error > 0.015) fail_msg("case %zu: calibration error %g", i, r.error);
        free(items);
        free(others);
    }
}

/* The fit has a zero gradient: sums of residuals, with the drawn-in targets. */
static void check_gradient(void **state) {
    (void)state;
    const nf_calibration truth = {2, -0.5, 1};
    nf_scored *items = make_items(500, &truth, 3);
    nf_calibration got = nf_calibration_fit(items, 500);
    double correct = 0, sums[2] = {0, 0};
    for (size_t i = 0; i < 500; i++) correct += items[i].correct;
    for (size_t i = 0; i < 500; i++) {
        double target = items[i].correct ? (correct + 1) / (correct + 2) : 1 / (500 - correct + 2);
        double rest = nf_calibration_apply(&got, items[i].score) - target;
        sums[0] += rest;
        sums[1] += rest * log(items[i].score / (1 - items[i].score));
    }
    assert_true(fabs(sums[0]) < 1e-4 && fabs(sums[1]) < 1e-2);
    free(items);
}

/* Few entities, or all of one outcome: still a fit, and the temperature alone. */
static void check_few(void **state) {
    (void)state;
    static const struct {
        size_t count, correct;
    } cases[] = {{1, 0}, {1, 1}, {30, 30}, {30, 0}, {39, 20}, {400, 390}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_scored items[400];
        for (size_t k = 0; k < cases[i].count; k++)
            items[k] = (nf_scored){k % 2 ? 0.9 : 1.0, k < cases[i].correct};
        nf_calibration got = nf_calibration_fit(items, cases[i].count);
        assert_true(got.temperature >= 0.05 && got.temperature <= 50);
        assert_true(got.shift == 0);
        for (double p = 0; p <= 1; p += 0.25) {
            double to = nf_calibration_apply(&got, p);
            assert_true(to > 0 && to < 1);
            assert_true(to <= nf_calibration_apply(&got, p + 0.01));
        }
    }
    nf_calibration none = nf_calibration_fit(NULL, 0);
    assert_true(nf_calibration_apply(&none, 0.3) == 0.3);
}

/* ---------------------------------------------------------------- the file */

static char folder[64];

static void check_file(void **state) {
    (void)state;
    temporary_folder(folder);
    char path[128];
    snprintf(path, sizeof path, "%s/nerfit.json", folder);
    nf_calibration got, fitted = {1.75, -0.25, 12}, none = NF_CALIBRATION_NONE;
    assert_ok(nf_calibration_load(&got, folder, &error), &error);
    assert_int_equal(got.n_entities, 0);
    assert_ok(nf_calibration_save(&none, "", folder, &error), &error);
    assert_false(nf_file_exists(path));

    write_text(path, "{\"decoder\": {\"kind\": \"crf\", \"start\": [0.5]}}");
    assert_ok(nf_calibration_save(&fitted, "validation", folder, &error), &error);
    assert_ok(nf_calibration_load(&got, folder, &error), &error);
    assert_true(got.temperature == 1.75 && got.shift == -0.25 && got.n_entities == 12);
    json_t *json, *decoder;
    assert_ok(nf_json_load(&json, path, &error), &error);
    assert_non_null(decoder = json_object_get(json, "decoder"));
    assert_string_equal(json_string_value(json_object_get(decoder, "kind")), "crf");
    json_decref(json);

    assert_ok(nf_calibration_save(&none, "", folder, &error), &error);
    assert_ok(nf_json_load(&json, path, &error), &error);
    assert_null(json_object_get(json, "calibration"));
    assert_non_null(json_object_get(json, "decoder"));
    json_decref(json);
    nf_directory_remove(folder, NULL);
}

static void check_bad_file(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"[1]", "nerfit.json: is not a JSON object"},
        {"{\"calibration\": {}}", "calibration.temperature is not a number above 0"},
        {"{\"calibration\": {\"temperature\": 0}}",
         "calibration.temperature is not a number above 0"},
        {"{\"calibration\": {\"temperature\": \"1\"}}",
         "calibration.temperature is not a number above 0"},
        {"{\"calibration\": {\"temperature\": 1, \"shift\": \"a\"}}",
         "calibration.shift is not a number"},
        {"{\"calibration\": 3}", "calibration.temperature is not a number above 0"},
        {"{", "nerfit.json:1"},
    };
    temporary_folder(folder);
    char path[128];
    snprintf(path, sizeof path, "%s/nerfit.json", folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_calibration got;
        write_text(path, cases[i][0]);
        assert_int_equal(nf_calibration_load(&got, folder, &error), NERFIT_FORMAT);
        if (!strstr(error.text, cases[i][1])) fail_msg("%s: %s", cases[i][0], error.text);
        assert_int_equal(got.n_entities, 0);
    }
    write_text(path, "{\"calibration\": {\"temperature\": 2}}");
    nf_calibration got;
    assert_ok(nf_calibration_load(&got, folder, &error), &error);
    assert_true(got.temperature == 2 && got.shift == 0 && got.n_entities > 0);
    nf_directory_remove(folder, NULL);
}

/* ---------------------------------------------------------------- reliability */

static bool near(double a, double b) {
    return fabs(a - b) < 1e-12;
}

static void check_error(void **state) {
    (void)state;
    nf_reliability r;
    nf_reliability_measure(&r, NULL, 0);
    assert_true(r.error == 0 && r.n_bins == 0);
    /* 30 entities, two a bin: of each two one is right, and their mean score is (4i + 1) / 120 */
    nf_scored items[30];
    double expected = 0;
    for (size_t i = 0; i < 30; i++) items[29 - i] = (nf_scored){(double)i / 60, i % 2};
    for (size_t i = 0; i < 15; i++) expected += fabs((4 * (double)i + 1) / 120 - 0.5) / 15;
    nf_reliability_measure(&r, items, 30);
    assert_int_equal(r.n_bins, 15);
    assert_true(near(r.error, expected) && near(r.precision, 0.5));
    for (size_t i = 0; i < 15; i++) assert_int_equal(r.bins[i].count, 2);
    /* equal scores stay together: one bin; 3 of 4 right at 0.9 */
    nf_scored same[4] = {{0.9, true}, {0.9, false}, {0.9, true}, {0.9, true}};
    nf_reliability_measure(&r, same, 4);
    assert_int_equal(r.n_bins, 1);
    assert_true(near(r.error, 0.15) && near(r.score, 0.9));
    assert_true(near(r.brier, (3 * 0.01 + 0.81) / 4));
}

static void check_thresholds(void **state) {
    (void)state;
    nf_scored items[] = {{0.2, false}, {0.5, true}, {0.5, false}, {0.8, true}, {0.99, true}};
    nf_threshold_score rows[NF_THRESHOLDS];
    nf_reliability r;
    nf_reliability_measure(&r, items, 5);
    nf_threshold_table(rows, items, 5, 4);
    static const struct {
        size_t row, predicted, correct;
    } expected[] = {{0, 5, 3}, {2, 5, 3}, {3, 4, 3}, {5, 4, 3}, {6, 2, 2}, {9, 1, 1}, {11, 1, 1}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_int_equal(rows[expected[i].row].predicted, expected[i].predicted);
        assert_int_equal(rows[expected[i].row].correct, expected[i].correct);
    }
    assert_true(near(rows[0].precision, 0.6) && near(rows[0].recall, 0.75));
    assert_true(near(rows[0].f1, 2 * 0.6 * 0.75 / 1.35));
    nf_threshold_score best = nf_threshold_best(items, 5, 4);
    assert_true(best.threshold == 0.5 && best.predicted == 4);
    best = nf_threshold_best(NULL, 0, 4);
    assert_true(best.f1 == 0 && best.predicted == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_truth),      cmocka_unit_test(check_gradient),
        cmocka_unit_test(check_few),        cmocka_unit_test(check_file),
        cmocka_unit_test(check_bad_file),   cmocka_unit_test(check_error),
        cmocka_unit_test(check_thresholds),
    };
    return cmocka_run_group_tests_name("calibration", tests, NULL, NULL);
}
