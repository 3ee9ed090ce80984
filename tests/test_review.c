/* What a run does when its model is finished: calibration on validation texts and by
 * cross-validation, the report's files, thresholds in use; on a tiny model. */
#include "tiny_run.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>

#include "base/json.h"
#include "infer/calibration.h"
#include "report/report_page.h"

static nerfit_error error;

static const char TRAIN[] = "wake me up at [time : nine]\nplay [song : jazz] in [place : madrid]\n"
                            "call [person : bob] at [time : ten] please\nplease wake me up\n"
                            "[person : bob] is in [place : rome]\nplay [song : jazz] now\n"
                            "call me at [time : nine]\nwake [person : bob] in [place : rome]\n";
/* some of it is not as it was learned */
static const char OTHER[] = "wake me up at [time : nine]\n[song : play jazz] in [place : rome]\n"
                            "call [place : bob] at [time : ten]\nplease wake me up now\n"
                            "[person : bob] is in [place : madrid]\ncall at [person : nine]\n";

static int make_root(void **state) {
    (void)state;
    make_tiny_root(TRAIN, NULL);
    write_text(in_root("other.txt"), OTHER);
    return 0;
}

typedef struct heard {
    size_t entries, calibration_messages;
    char last[512]; /* of those on calibration */
    size_t begins,
        stop_at; /* stages begun, folds' too; the run is stopped where that one begins, 0: never */
    bool finished, behind; /* what the log says */
} heard;

static void hear(void *user, nerfit_log_level level, const char *message) {
    (void)level;
    heard *h = user;
    h->finished |= strstr(message, "is finished; there is nothing left to do") != NULL;
    h->behind |= strstr(message, "it goes on behind them") != NULL;
    if (!strstr(message, "calibrat")) return;
    h->calibration_messages++;
    snprintf(h->last, sizeof h->last, "%s", message);
}

static bool watch(void *user, const nerfit_event *event) {
    heard *h = user;
    h->entries += event->json != NULL;
    h->begins += event->kind == NERFIT_EVENT_BEGIN;
    return event->kind != NERFIT_EVENT_BEGIN || h->begins != h->stop_at;
}

/* `extra`: NULL-terminated name, value pairs. */
static nerfit_status train(const char *output, const char *const *extra, heard *h,
                           nerfit_train_result *result) {
    const char *const settings[] = {"model_name",
                                    in_root("encoder"),
                                    "train_annotations",
                                    in_root("train.txt"),
                                    "output_dir",
                                    in_root(output),
                                    "max_steps",
                                    "0,160",
                                    "warmup_steps",
                                    "2",
                                    "learning_rate",
                                    "5e-3",
                                    "eval_strategy",
                                    "no",
                                    "save_strategy",
                                    "no",
                                    "load_best_model_at_end",
                                    "false",
                                    "logging_steps",
                                    "20",
                                    "precision",
                                    "f32",
                                    "threads",
                                    "1",
                                    NULL};
    nerfit_config *config = config_of(settings, extra);
    *h = (heard){.stop_at = h->stop_at};
    nerfit_callbacks callbacks = {.size = sizeof callbacks, .log = hear, .event = watch, .user = h};
    nerfit_status status = nerfit_train(config, &callbacks, result, &error);
    nerfit_config_free(config);
    return status;
}

static json_t *json_of(const char *path) {
    json_t *json;
    assert_ok(nf_json_load(&json, path, &error), &error);
    return json;
}

/* The scores of the entities in a text, by a model's folder; returns how many. */
static size_t scores_of(const char *folder, double scores[8]) {
    const nerfit_model_options options = {.size = sizeof options, .precision = "f32", .threads = 1};
    const char *text = "wake bob in rome at nine and play jazz";
    nerfit_model *model;
    nerfit_session *session;
    const nerfit_prediction *p;
    assert_ok(nerfit_model_load(&model, folder, &options, &error), &error);
    assert_ok(nerfit_session_new(&session, model, &error), &error);
    assert_ok(nerfit_predict(session, &text, NULL, 1, &p, &error), &error);
    size_t n = p->n_entities;
    assert_in_range(n, 1, 8);
    for (size_t i = 0; i < n; i++) scores[i] = p->entities[i].score;
    nerfit_session_free(session);
    nerfit_model_free(model);
    return n;
}

/* ---------------------------------------------------------------- calibration */

/* The scores of the folder are those of the model without its calibration, calibrated. */
static void check_use(const char *folder, const char *from) {
    char path[256];
    double with[8], without[8];
    nf_calibration c;
    assert_ok(nf_calibration_load(&c, folder, &error), &error);
    assert_true(c.n_entities > 0 && c.temperature > 0);
    snprintf(path, sizeof path, "%s/nerfit.json", folder);
    json_t *json = json_of(path);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(json, "calibration"), "from")), from);
    size_t n = scores_of(folder, with);
    json_object_del(json, "calibration");
    assert_ok(nf_json_save(json, path, &error), &error);
    json_decref(json);
    assert_int_equal(scores_of(folder, without), n);
    for (size_t i = 0; i < n; i++) {
        assert_true(fabs(with[i] - nf_calibration_apply(&c, without[i])) < 1e-12);
        assert_true(fabs(with[i] - without[i]) > 1e-6);
    }
}

static void test_validation(void **state) {
    (void)state;
    const char *const extra[] = {"val_annotations",
                                 in_root("other.txt"),
                                 "calibration",
                                 "validation",
                                 "overwrite_output_dir",
                                 "true",
                                 NULL};
    heard h = {0};
    nerfit_train_result result;
    assert_ok(train("validated", extra, &h, &result), &error);
    assert_int_equal(h.calibration_messages, 2); /* few entities; what was fitted */
    check_use(in_root("validated/best"), "validation");
    nerfit_train_result_free(&result);
}

/* auto does not fit to fewer than 30 entities. */
static void test_auto(void **state) {
    (void)state;
    const char *const extra[] = {"val_annotations", in_root("other.txt"), NULL};
    heard h = {0};
    nerfit_train_result result;
    assert_ok(train("auto", extra, &h, &result), &error);
    if (!strstr(h.last, "not calibrated")) fail_msg("%s", h.last);
    nf_calibration c;
    assert_ok(nf_calibration_load(&c, in_root("auto/best"), &error), &error);
    assert_int_equal(c.n_entities, 0);
    nerfit_train_result_free(&result);
}

/* The folds' trainings leave the run, its log and its folder as they are. */
static void test_cross_validation(void **state) {
    (void)state;
    const char *const plain[] = {"calibration", "none", NULL};
    const char *const crossed[] = {"calibration", "cross-validation", "calibration_folds", "4",
                                   NULL};
    heard h = {0}, alone = {0};
    nerfit_train_result result;
    nf_file a, b;
    assert_ok(train("plain", plain, &alone, &result), &error);
    nerfit_train_result_free(&result);
    assert_ok(nf_directory_make(in_root("crossed/calibration"), &error), &error);
    write_text(in_root("crossed/calibration/notes.txt"), "mine");
    assert_ok(train("crossed", crossed, &h, &result), &error);
    nerfit_train_result_free(&result);
    assert_int_equal(h.entries, alone.entries);
    assert_int_equal(h.calibration_messages, 4 + 2);
    assert_false(nf_directory_exists(in_root("crossed/.calibration.tmp")));
    assert_true(nf_file_exists(in_root("crossed/calibration/notes.txt")));
    assert_ok(nf_file_open(&a, in_root("plain/best/model.safetensors"), &error), &error);
    assert_ok(nf_file_open(&b, in_root("crossed/best/model.safetensors"), &error), &error);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    nf_file_close(&a);
    nf_file_close(&b);
    check_use(in_root("crossed/best"), "cross-validation");
}

static void test_adapter(void **state) {
    (void)state;
    const char *const extra[] = {"val_annotations",
                                 in_root("other.txt"),
                                 "calibration",
                                 "validation",
                                 "peft_lora",
                                 "true",
                                 "lora_r",
                                 "4",
                                 "learning_rate",
                                 "5e-3",
                                 "max_steps",
                                 "0,150",
                                 NULL};
    heard h = {0};
    nerfit_train_result result;
    assert_ok(train("adapted", extra, &h, &result), &error);
    nerfit_train_result_free(&result);
    check_use(in_root("adapted/best"), "validation");
    check_use(in_root("adapted/adapter"), "validation");
}

/* ---------------------------------------------------------------- resuming behind the stages */

enum { FOLDS = 3 };

/* The settings of these runs, and more. */
static nerfit_status train_crossed(const char *output, const char *const *more, heard *h,
                                   nerfit_train_result *result) {
    const char *extra[24] = {"val_annotations",   in_root("other.txt"),
                             "calibration",       "cross-validation",
                             "calibration_folds", "3",
                             "max_steps",         "0,60",
                             "peft_lora",         "true"};
    size_t n = 10;
    for (; *more; more++) extra[n++] = *more;
    return train(output, extra, h, result);
}

static void assert_as_whole(const char *name) {
    char a[64], b[64];
    snprintf(a, sizeof a, "whole/%s", name);
    snprintf(b, sizeof b, "parts/%s", name);
    assert_same_file(in_root(a), in_root(b));
}

/* The model's file itself: written anew it would be another one. */
static ino_t model_file(void) {
    struct stat info;
    assert_int_equal(stat(in_root("parts/best/model.safetensors"), &info), 0);
    return info.st_ino;
}

/* Stopped in its cross-validation, a run without checkpoints goes on behind its stages, and ends as
 * one that was never stopped; a finished one does nothing. */
static void test_resume_behind(void **state) {
    (void)state;
    static const char *const none[] = {NULL};
    static const char *const resume[] = {"resume_from_checkpoint", "true", NULL};
    heard h = {0};
    nerfit_train_result whole, result;
    assert_ok(train_crossed("whole", none, &h, &whole), &error);
    assert_int_equal(h.begins, 1 + FOLDS);
    h.stop_at = 3; /* the second fold */
    assert_int_equal(train_crossed("parts", none, &h, &result), NERFIT_CANCELLED);
    ino_t model = model_file();
    for (int finished = 0; finished < 2; finished++) {
        h.stop_at = 0;
        assert_ok(train_crossed("parts", resume, &h, &result), &error);
        assert_int_equal(h.begins, finished ? 0 : FOLDS);
        assert_true(finished ? h.finished && !h.behind : h.behind && !h.finished);
        assert_true(model_file() == model);
        assert_as_whole("best/model.safetensors");
        assert_as_whole("best/nerfit.json");
        assert_as_whole("adapter/nerfit.json");
        assert_as_whole("trainer_state.json");
        assert_string_equal(result.report.text, whole.report.text);
        assert_string_equal(result.report.json, whole.report.json);
        assert_string_equal(result.report_of, "validation");
        assert_string_equal(result.page, in_root("parts/report.html"));
        nerfit_train_result_free(&result);
    }
    nerfit_train_result_free(&whole);
}

/* Other settings of the calibration leave the stages as they are; others are another run, and so
 * are other texts. */
static void test_resume_otherwise(void **state) {
    (void)state;
    static const struct {
        const char *settings[4];
        size_t begins;
    } cases[] = {
        {{"calibration", "validation"}, 0},
        {{"calibration", "none"}, 0},
        {{"calibration", "cross-validation", "calibration_folds", "2"}, 2},
    };
    heard h = {0};
    nerfit_train_result result;
    nf_calibration c;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *more[8] = {"resume_from_checkpoint", "true"};
        for (size_t k = 0; k < 4; k++) more[2 + k] = cases[i].settings[k];
        ino_t model = model_file();
        assert_ok(train_crossed("parts", more, &h, &result), &error);
        nerfit_train_result_free(&result);
        if (h.begins != cases[i].begins || h.finished || !h.behind)
            fail_msg("case %zu: %zu stages begun", i, h.begins);
        assert_true(model_file() == model);
        assert_ok(nf_calibration_load(&c, in_root("parts/best"), &error), &error);
        assert_int_equal(c.n_entities > 0, strcmp(cases[i].settings[1], "none") != 0);
        assert_ok(nf_calibration_load(&c, in_root("parts/adapter"), &error), &error);
        assert_int_equal(c.n_entities > 0, strcmp(cases[i].settings[1], "none") != 0);
    }
    /* what it would go on from is another run's */
    static const char *const same[] = {"resume_from_checkpoint", "true", "calibration_folds", "2",
                                       NULL};
    static const char *const other[] = {"resume_from_checkpoint", "true", "seed", "7", NULL};
    assert_int_equal(train_crossed("parts", other, &h, &result), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "holds a finished run with other seed"));
    assert_ok(train_crossed("parts", same, &h, &result), &error);
    nerfit_train_result_free(&result);
    assert_true(h.finished);
    char more_texts[1024];
    snprintf(more_texts, sizeof more_texts, "%s%s", TRAIN, "call me\n");
    write_text(in_root("train.txt"), more_texts);
    assert_int_equal(train_crossed("parts", same, &h, &result), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "other texts, descriptions or models"));
    write_text(in_root("train.txt"), TRAIN);
    /* nor is half of a model a finished run */
    assert_int_equal(unlink(in_root("parts/best/model.safetensors")), 0);
    assert_ok(train_crossed("parts", same, &h, &result), &error);
    nerfit_train_result_free(&result);
    assert_true(!h.finished && h.begins == 3); /* stage 2 and two folds */
}

/* Other weights at the same place are other models. */
static void test_resume_other_encoder(void **state) {
    (void)state;
    static const char *const again[] = {"resume_from_checkpoint", "true", NULL}, *const none[] = {
                                                                                     NULL};
    heard h = {0};
    nerfit_train_result result;
    char encoder[200];
    snprintf(encoder, sizeof encoder, "%s", in_root("encoder/model.safetensors"));
    assert_ok(train_crossed("weights", none, &h, &result), &error);
    nerfit_train_result_free(&result);
    const struct timespec times[] = {{.tv_sec = 1}, {.tv_sec = 1}};
    assert_int_equal(utimensat(AT_FDCWD, encoder, times, 0), 0);
    assert_int_equal(train_crossed("weights", again, &h, &result), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "other texts, descriptions or models"));
}

static void test_refused(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"calibration", "validation", "calibration: validation takes val_annotations"},
        {"calibration_folds", "1", "is not a whole number from 2 to 100"},
        {"calibration", "yes", "is not one of auto|none|validation|cross-validation"},
    };
    heard h = {0};
    nerfit_train_result result;
    const char *const extra[] = {cases[0][0], cases[0][1], NULL};
    assert_int_equal(train("refused", extra, &h, &result), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, cases[0][2]));
    for (size_t i = 1; i < 3; i++) {
        nerfit_config *config;
        assert_ok(nerfit_config_new(&config, &error), &error);
        assert_int_equal(nerfit_config_set(config, cases[i][0], cases[i][1], &error),
                         NERFIT_ARGUMENT);
        if (!strstr(error.text, cases[i][2])) fail_msg("%s", error.text);
        nerfit_config_free(config);
    }
    write_text(in_root("auto/best/nerfit.json"),
               "{\"format\": 1, \"calibration\": {\"temperature\": -1}}");
    nerfit_model *model;
    assert_int_equal(nerfit_model_load(&model, in_root("auto/best"), NULL, &error), NERFIT_FORMAT);
    assert_non_null(strstr(error.text, "nerfit.json: calibration.temperature"));
}

/* ---------------------------------------------------------------- evaluation and thresholds */

static void test_evaluation(void **state) {
    (void)state;
    const nerfit_model_options options = {.size = sizeof options, .precision = "f32", .threads = 1};
    nerfit_model *model;
    nerfit_session *session;
    nerfit_report report;
    assert_ok(nerfit_model_load(&model, in_root("plain/best"), &options, &error), &error);
    assert_ok(nerfit_session_new(&session, model, &error), &error);
    assert_ok(nerfit_evaluate(session, in_root("other.txt"), NULL, NULL, true, &report, &error),
              &error);
    json_t *json;
    assert_ok(nf_json_parse(&json, report.json, strlen(report.json), NULL, 1, &error), &error);
    json_t *errors = json_object_get(json, "errors"), *list = json_object_get(errors, "list");
    assert_int_equal(report.n_mistakes, json_array_size(list));
    assert_true(report.n_mistakes >= 3); /* what OTHER has wrong */
    for (size_t i = 0; i < report.n_mistakes; i++) {
        const nerfit_mistake *m = &report.mistakes[i];
        const json_t *one = json_array_get(list, i), *gold = json_object_get(one, "gold");
        assert_string_equal(nerfit_mistake_text(m->kind),
                            json_string_value(json_object_get(one, "kind")));
        assert_int_equal(m->line, json_integer_value(json_object_get(one, "line")));
        assert_string_equal(m->text, json_string_value(json_object_get(one, "text")));
        assert_int_equal(m->gold.label != NULL, json_is_object(gold));
        if (m->gold.label)
            assert_string_equal(m->gold.label, json_string_value(json_object_get(gold, "label")));
        if (m->predicted.label) assert_true(m->predicted.score > 0);
        assert_true(m->gold.label || m->predicted.label);
    }
    /* without thresholds and by words, seqeval's micro F1 is SemEval's strict one */
    const json_t *strict =
        json_object_get(json_object_get(json_object_get(json, "semeval"), "overall"), "strict");
    assert_true(fabs(json_number_value(json_object_get(strict, "f1")) - report.f1) < 1e-12);
    assert_non_null(strstr(report.scores, "expected calibration error"));
    json_decref(json);
    nerfit_report_free(&report);

    assert_ok(nerfit_session_set_threshold(session, NULL, 1, &error), &error);
    assert_ok(nerfit_session_set_threshold(session, "time", 0, &error), &error);
    assert_ok(nerfit_evaluate(session, in_root("train.txt"), NULL, NULL, false, &report, &error),
              &error);
    assert_ok(nf_json_parse(&json, report.json, strlen(report.json), NULL, 1, &error), &error);
    const char *label;
    json_t *score;
    json_object_foreach(json_object_get(json, "types"), label, score) assert_int_equal(
        json_integer_value(json_object_get(score, "predicted")) > 0, strcmp(label, "time") == 0);
    json_decref(json);
    nerfit_report_free(&report);
    static const struct {
        const char *label;
        double threshold;
        const char *expected;
    } wrong[] = {{NULL, 1.5, "1.5 is not a number from 0 to 1"},
                 {NULL, NAN, "is not a number from 0 to 1"},
                 {"tiem", 0.5, "no entity type \"tiem\"; did you mean \"time\"?"},
                 {"O", 0.5, "no entity type \"O\""}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(
            nerfit_session_set_threshold(session, wrong[i].label, wrong[i].threshold, &error),
            NERFIT_ARGUMENT);
        if (!strstr(error.text, wrong[i].expected)) fail_msg("%s", error.text);
    }
    nerfit_session_free(session);
    nerfit_model_free(model);
}

/* ---------------------------------------------------------------- the report */

static void test_report(void **state) {
    (void)state;
    static const char *const expected[] = {"<h1>Training report</h1>",
                                           "calibration error (%)",
                                           "<h2>Entity types</h2>",
                                           "What counts as found",
                                           "Which types were taken for which",
                                           "Loss, stage 2",
                                           "Validation scores",
                                           "What the scores are worth",
                                           "<code>max_steps</code></td><td>0, 160</td>",
                                           "<h2>Mistakes</h2>",
                                           "<mark class=\"entity hue",
                                           "<span>found</span>",
                                           "other.txt:3"};
    const char *const extra[] = {"val_annotations",
                                 in_root("other.txt"),
                                 "eval_strategy",
                                 "steps",
                                 "eval_steps",
                                 "30",
                                 NULL};
    heard h = {0};
    nerfit_train_result result;
    nf_file page;
    assert_ok(train("reported", extra, &h, &result), &error);
    nerfit_train_result_free(&result);
    assert_ok(nf_file_open(&page, in_root("reported/report.html"), &error), &error);
    char *html = strndup(page.data, page.size);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr(html, expected[i])) fail_msg("no %s in\n%s", expected[i], html);
    /* nothing is fetched: the one address is the name of SVG */
    for (char *at = html; (at = strstr(at, "http")); at++)
        assert_memory_equal(at - 7, "xmlns=\"http://www.w3.org/2000/svg\"", 34);
    assert_null(strstr(html, "<script"));
    free(html);
    nf_file_close(&page);
    json_t *json = json_of(in_root("reported/report.json"));
    assert_string_equal(json_string_value(json_object_get(json, "report_of")), "validation");
    assert_non_null(json_object_get(json_object_get(json, "report"), "errors"));
    json_decref(json);
    /* without anything to score there is a page of the training alone */
    assert_ok(nf_file_open(&page, in_root("plain/report.html"), &error), &error);
    html = strndup(page.data, page.size);
    assert_non_null(strstr(html, "Loss, stage 2"));
    assert_null(strstr(html, "<h2>Mistakes</h2>"));
    free(html);
    nf_file_close(&page);
}

/* What users write is text, not HTML; long texts are shown around their mistakes. */
static void test_page_escapes(void **state) {
    (void)state;
    nf_str text = {0}, out = {0};
    for (int i = 0; i < 300; i++) nf_str_append_text(&text, "\xC3\xA9 ");
    nf_str_append_text(&text, "<b>wake");
    json_t *one = json_pack("{s:s, s:s, s:i, s:s, s:n, s:{s:i, s:i, s:s, s:f}}", "kind", "spurious",
                            "file", "a<b>.txt", "line", 3, "text", nf_str_text(&text), "gold",
                            "predicted", "start", 603, "end", 607, "label", "x&y", "score", 0.5);
    json_t *run =
        json_pack("{s:s, s:{s:s}, s:{s:s}, s:[], s:s, s:{s:{}, s:{s:i, s:i, s:i, s:[o]}}}", "model",
                  "<m>", "options", "model_name", "<e>", "defaults", "model_name", "", "history",
                  "report_of", "test", "report", "types", "errors", "texts", 1, "wrong_texts", 1,
                  "spurious", 1, "list", one);
    assert_non_null(run);
    nf_report_page_html(run, &out);
    const char *html = nf_str_text(&out);
    assert_non_null(strstr(html, "<code>&lt;m&gt;</code>"));
    assert_non_null(strstr(html, "a&lt;b&gt;.txt:3"));
    assert_non_null(strstr(html, "\" title=\"0.500\">wake<small>x&amp;y 0.50</small></mark>"));
    assert_non_null(strstr(html, "\xE2\x80\xA6"));
    assert_null(strstr(html, "<b>wake"));
    for (int kind = 0; kind < 5; kind++) { /* each button has its label and its rule */
        char rule[80];
        snprintf(rule, sizeof rule, "#show%d:checked~article:not(.k%d){display:none}", kind, kind);
        if (!strstr(html, rule)) fail_msg("no %s", rule);
    }
    assert_non_null(strstr(html, "<label for=\"show0\">missed 0</label>"));
    assert_non_null(strstr(html, "<label for=\"show1\">spurious 1</label>"));
    assert_non_null(strstr(html, "<article class=\"k1 \">"));
    assert_null(strstr(html, "more mistakes"));
    size_t shown = 0;
    for (const char *at = html; (at = strstr(at, "\xC3\xA9")); at++) shown++;
    assert_in_range(shown, 100, 200); /* in two lines */
    json_decref(run);
    nf_str_free(&text);
    nf_str_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_validation),           cmocka_unit_test(test_auto),
        cmocka_unit_test(test_cross_validation),     cmocka_unit_test(test_adapter),
        cmocka_unit_test(test_resume_behind),        cmocka_unit_test(test_resume_otherwise),
        cmocka_unit_test(test_resume_other_encoder), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_evaluation),           cmocka_unit_test(test_report),
        cmocka_unit_test(test_page_escapes),
    };
    return cmocka_run_group_tests_name("review", tests, make_root, remove_root);
}
