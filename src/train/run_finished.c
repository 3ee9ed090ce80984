/* The end of the stages, as a resumed run finds it. What follows them, calibration and the report, takes
 * as long as the stages where it trains for a cross-validation, and only reads the model. So once best/ is
 * in its place, a file in the last stage's folder says what it was made of, and what is known of it:
 *
 *   stage2/finished.json (of pre-training: stage1/finished.json)
 *     {"options": {...}, "given": "fingerprint", "adapter": true, "log_history": [...], "report": {...},
 *      "report_of": "test", "report_text": "...", "done": false}
 *
 * "done": what follows is done, too. Other options or texts than these need other stages. */
#include "train/run.h"

#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

/* Options on which the stages do not depend; and those of what follows them. */
static const char *const places[] = {"output_dir", "resume_from_checkpoint", "overwrite_output_dir",
                                     "threads"};
static const char *const followers[] = {"calibration", "calibration_folds"};

static bool is_among(const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

/* The first option in which two runs differ; NULL: none. */
static const char *difference(const json_t *now, const json_t *then, bool with_followers) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)now, name, value) {
        if (is_among(name, places, sizeof places / sizeof *places)) continue;
        if (!with_followers && is_among(name, followers, sizeof followers / sizeof *followers)) continue;
        if (!json_equal(value, json_object_get(then, name))) return name;
    }
    return NULL;
}

static char *record_path(nf_run *r, int s) {
    const char *folder = nf_run_stage_folder(r, s);
    return folder ? nf_path_join(&r->arena, folder, "finished.json") : NULL;
}

static void print_fingerprint(const nf_run *r, char text[17]) {
    snprintf(text, 17, "%016" PRIx64, r->fingerprint);
}

/* Keeps the record if it is of such a run, and says why where it is not. */
static nerfit_status judge(nf_run *r, json_t *record) {
    char given[17];
    const char *then = json_string_value(json_object_get(record, "given"));
    json_t *options = nf_train_options_to_json(r->options);
    if (!options) return nf_no_memory(r->err, 0);
    print_fingerprint(r, given);
    const char *other = difference(options, json_object_get(record, "options"), false);
    if (!other && (!then || strcmp(given, then) != 0)) other = "the texts or descriptions";
    if (other)
        nf_log_info(r->log, "%s: other than in the finished run of %s; its stages are not taken over",
                    other, r->options->output_dir);
    else r->finished = json_incref(record);
    r->done = r->finished && json_is_true(json_object_get(record, "done")) &&
              !difference(options, json_object_get(record, "options"), true);
    json_decref(options);
    return NERFIT_OK;
}

nerfit_status nf_run_find_finished(nf_run *r, int s) {
    const char *wanted = r->options->resume_from_checkpoint, *path = record_path(r, s);
    const char *best = nf_path_join(&r->arena, r->options->output_dir, "best");
    json_t *record;
    if (!path || !best) return nf_no_memory(r->err, 0);
    if (!wanted || strcmp(wanted, "true") != 0) return NERFIT_OK; /* nothing, or a checkpoint, is asked for */
    if (!nf_file_exists(path) || !nf_directory_exists(best)) return NERFIT_OK;
    NF_TRY(nf_json_load(&record, path, r->err));
    nerfit_status status = judge(r, record);
    json_decref(record);
    return status;
}

static nerfit_status copy_text(nf_run *r, const char *text, char **out) {
    *out = text ? strdup(text) : NULL;
    return *out || !text ? NERFIT_OK : nf_no_memory(r->err, strlen(text));
}

nerfit_status nf_run_take_finished(nf_run *r, nf_train_result *result) {
    const char *output = r->options->output_dir;
    const char *best = nf_path_join(&r->arena, output, "best");
    const char *adapter = nf_path_join(&r->arena, output, "adapter");
    const char *page = nf_path_join(&r->arena, output, "report.html");
    const char *of = json_string_value(json_object_get(r->finished, "report_of"));
    const json_t *report = json_object_get(r->finished, "report");
    if (!best || !adapter || !page) return nf_no_memory(r->err, 0);
    nf_log_info(r->log, r->done ? "the run in %s is finished; there is nothing left to do"
                                : "the stages of the run in %s are finished; it goes on behind them",
                output);
    r->has_adapter = json_is_true(json_object_get(r->finished, "adapter")) && nf_directory_exists(adapter);
    if (json_array_extend(r->history, json_object_get(r->finished, "log_history")) != 0)
        return nf_fail_at(r->err, NERFIT_FORMAT, output, 0, 0, "its finished.json has no \"log_history\"");
    NF_TRY(copy_text(r, best, &result->model_folder));
    if (r->done && nf_file_exists(page)) NF_TRY(copy_text(r, page, &result->page));
    if (!json_is_object(report) || !of) return NERFIT_OK;
    result->report_of = strcmp(of, "test") == 0 ? "test" : "validation";
    result->report = json_deep_copy(report);
    const char *text = json_string_value(json_object_get(r->finished, "report_text"));
    NF_TRY(copy_text(r, text, &result->report_text));
    return result->report ? NERFIT_OK : nf_no_memory(r->err, 0);
}

nerfit_status nf_run_save_finished(nf_run *r, int s, bool done, const nf_train_result *result) {
    char given[17];
    const char *folder = nf_run_stage_folder(r, s), *path = record_path(r, s);
    if (!folder || !path) return nf_no_memory(r->err, 0);
    print_fingerprint(r, given);
    NF_TRY(nf_directory_make(folder, r->err));
    json_t *record = json_pack("{s:o, s:s, s:b, s:O, s:O?, s:s?, s:s?, s:b}", "options",
                               nf_train_options_to_json(r->options), "given", given, "adapter",
                               (int)r->has_adapter, "log_history", r->history, "report", result->report,
                               "report_of", result->report_of, "report_text", result->report_text,
                               "done", (int)done);
    nerfit_status status = record ? nf_json_save(record, path, r->err) : nf_no_memory(r->err, 0);
    json_decref(record);
    return status;
}

nerfit_status nf_run_forget_finished(nf_run *r) {
    for (int s = 0; s < 2; s++) {
        const char *path = record_path(r, s);
        NF_TRY(path ? nf_file_remove(path, r->err) : nf_no_memory(r->err, 0));
    }
    return NERFIT_OK;
}
