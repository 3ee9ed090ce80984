/* Missing memory while mistakes are collected and told, and while the report page is made: see
 * oom.h. */
#include "oom.h"

#include <unistd.h>

#include "base/json.h"
#include "eval/analysis.h"
#include "report/report_page.h"

static nerfit_status collect(nf_analysis *a, nerfit_error *error) {
    static const char *const labels[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    for (size_t i = 0; i < 10; i++) {
        nf_entity gold[] = {{0, 2, 0, -1}, {3, 5, 0, -1}};
        nf_entity found[] = {{0, 2, 0, 0.5}, {4, 6, 0, 0.75}};
        NF_TRY(nf_type_names_add(&a->types, labels[i], &gold[0].type, error));
        NF_TRY(nf_type_names_add(&a->types, labels[9 - i], &found[0].type, error));
        NF_TRY(nf_type_names_add(&a->types, "a", &gold[1].type, error));
        found[1].type = gold[1].type;
        const nf_analysed_text text = {
            .file = i % 2 ? "f.txt" : NULL, .text = "ab cd ef", .line = (long)i, .size = 8};
        NF_TRY(nf_analysis_add(a, &text, gold, 2, found, i % 3, error));
    }
    return NERFIT_OK;
}

static nerfit_status work(nerfit_error *error) {
    nf_analysis a = {0};
    nf_str out = {0};
    json_t *report = NULL, *run = NULL;
    nerfit_status status = collect(&a, error);
    if (status == NERFIT_OK) {
        nf_analysis_text(&a, &out);
        nf_analysis_scores_text(&a, &out);
        if (out.failed || !(report = json_object())) status = nf_no_memory(error, 0);
    }
    if (status == NERFIT_OK) status = nf_analysis_json(&a, report, error);
    if (status == NERFIT_OK) {
        run = json_pack("{s:O, s:{s:[i, i]}, s:{s:i}, s:[{s:i, s:i, s:f}]}", "report", report,
                        "options", "eval_steps", 3, 3, "defaults", "eval_steps", 4, "history",
                        "stage", 2, "step", 5, "loss", 0.5);
        nf_str_clear(&out);
        if (run) nf_report_page_html(run, &out);
        if (!run || out.failed) status = nf_no_memory(error, 0);
    }
    json_decref(run);
    json_decref(report);
    nf_str_free(&out);
    nf_analysis_free(&a);
    return status;
}

static void test_analysis(void **state) {
    (void)state;
    assert_true(oom_try_all("analysis", work, OOM_IS_SAID) > 200);
}

static char folder[] = "/tmp/nerfit-oom-XXXXXX", path[64];
static const nf_calibration fitted = {1.5, 0.25, 40};

static nerfit_status save(nerfit_error *error) {
    remove(path); /* what is there would be parsed */
    return nf_calibration_save(&fitted, "validation", folder, error);
}

static nerfit_status load(nerfit_error *error) {
    nf_calibration got;
    return nf_calibration_load(&got, folder, error);
}

/* Syncing a folder is a convenience that may be left out (file.c). */
static void test_calibration(void **state) {
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/nerfit.json", folder);
    assert_true(oom_try_all("saving a calibration", save, OOM_MAY_BE_SILENT) > 10);
    assert_true(oom_try_all("loading a calibration", load, OOM_IN_PARSER) > 10);
    remove(path);
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_analysis),
                                       cmocka_unit_test(test_calibration)};
    return cmocka_run_group_tests_name("oom_analysis", tests, NULL, NULL);
}
