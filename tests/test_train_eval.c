/* What a training run says of its evaluations is what the finished model scores: both decode with the
 * transitions that were learned, one reads them from the learner, the other from nerfit.json. */
#include "tiny_run.h"

#include <jansson.h>
#include <math.h>

#include "base/json.h"

static nerfit_error error;

/* Entities in a row, and in rows with words between: transitions are worth something. Marks inside of
 * words, which a model of this recipe takes as one: who reads other words finds other entities. */
static const char TEXTS[] =
    "wake [a : me] up at [b : nine] [b : ten]\nplay [a : jazz] [b : madrid] now\n"
    "call [a : bob] [a : rome] at [b : ten] please\nplease wake me up\n"
    "[a : bob] in [b : rome]\nplay [a : jazz] [a : now] in [b : nine]\n"
    "call me at [b : nine] [b : madrid] up\nwake [a : bob rome] in [b : rome]\n"
    "play [a : jazz-now] at [b : nine-ten] please\ncall [a : bob-bob] me-me\n";

static int make_root(void **state) {
    (void)state;
    make_tiny_root(TEXTS, NULL);
    return 0;
}

/* The best F1 that the run's evaluations told, and how many there were. */
typedef struct evaluations {
    double best;
    int count;
} evaluations;

static bool hear(void *user, const nerfit_event *event) {
    evaluations *e = user;
    if (event->kind != NERFIT_EVENT_EVALUATE) return true;
    json_t *json;
    assert_ok(nf_json_parse(&json, event->json, strlen(event->json), NULL, 1, &error), &error);
    double f1 = json_number_value(json_object_get(json, "eval_overall_f1"));
    json_decref(json);
    if (f1 > e->best) e->best = f1;
    e->count++;
    return true;
}

static double f1_of(const char *folder, const char *decoder) {
    const nerfit_model_options options = {
        .size = sizeof options, .precision = "f32", .threads = 1, .decoder = decoder};
    nerfit_model *model;
    nerfit_session *session;
    nerfit_report report;
    assert_ok(nerfit_model_load(&model, folder, &options, &error), &error);
    assert_ok(nerfit_session_new(&session, model, &error), &error);
    assert_ok(nerfit_evaluate(session, in_root("train.txt"), NULL, NULL, false, &report, &error),
              &error);
    double f1 = report.f1;
    nerfit_report_free(&report);
    nerfit_session_free(session);
    nerfit_model_free(model);
    return f1;
}

static void test_strong_transitions(void **state) {
    (void)state;
    const char *const settings[] = {"model_name",
                                    in_root("encoder"),
                                    "train_annotations",
                                    in_root("train.txt"),
                                    "val_annotations",
                                    in_root("train.txt"),
                                    "output_dir",
                                    in_root("run"),
                                    "recipe",
                                    "nerfit",
                                    "max_steps",
                                    "0,60",
                                    "learning_rate",
                                    "1e-3",
                                    "decoder_learning_rate",
                                    "1",
                                    "warmup_steps",
                                    "0",
                                    "eval_steps",
                                    "2",
                                    "per_device_train_batch_size",
                                    "4",
                                    "calibration",
                                    "none",
                                    "precision",
                                    "f32",
                                    "threads",
                                    "1",
                                    NULL};
    nerfit_config *config = config_of(settings, NULL);
    evaluations told = {0};
    nerfit_callbacks callbacks = {.size = sizeof callbacks, .event = hear, .user = &told};
    nerfit_train_result result;
    assert_ok(nerfit_train(config, &callbacks, &result, &error), &error);
    assert_true(told.count >= 8);
    double scored = f1_of(in_root("run/best"), NULL);
    if (fabs(scored - told.best) > 1e-12)
        fail_msg("the run's best evaluation had F1 %.6f, its model has %.6f", told.best, scored);
    /* without the transitions it is another one: this test would see their lack */
    assert_true(fabs(f1_of(in_root("run/best"), "viterbi") - scored) > 0.02);
    nerfit_train_result_free(&result);
    nerfit_config_free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_strong_transitions)};
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
