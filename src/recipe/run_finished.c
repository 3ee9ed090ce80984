/* The end of the stages, as a resumed run finds it. What follows them, calibration and the report,
 * takes as long as the stages where it trains for a cross-validation, and only reads the model. So
 * once best/ is in its place, a file in the last stage's folder says what it was made of, and what
 * is known of it:
 *
 *   stage2/finished.json (of pre-training: stage1/finished.json)
 *     {"options": {...}, "given": "fingerprint", "adapter": true, "log_history": [...], "report":
 *      {...}, "report_of": "test", "report_text": "...", "done": false, "state": {...}}
 *
 * "done": what follows is done, too. A run that resumes it with other options or texts is refused:
 * what it would go on from is not its own. */
#include "recipe/run.h"

#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "model/adapter.h"
#include "recipe/fingerprint.h"

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
        if (!with_followers && is_among(name, followers, sizeof followers / sizeof *followers))
            continue;
        if (!json_equal(value, json_object_get(then, name))) return name;
    }
    return NULL;
}

static char *record_path(nf_run *r, int s) {
    const char *folder = nf_run_stage_folder(r, s);
    return folder ? nf_path_join(&r->arena, folder, "finished.json") : NULL;
}

/* With a language model's descriptions, which the run itself wrote and the user may have edited. */
static nerfit_status print_fingerprint(nf_run *r, char text[17]) {
    static const nf_train_data none = {0};
    uint64_t fingerprint = r->fingerprint;
    const char *path = nf_path_join(&r->arena, r->options->output_dir, "descriptions.yaml");
    if (!path) return nf_no_memory(r->err, 0);
    bool given = r->options->ent2emb || r->data->embeddings || r->data->descriptions;
    if (!given && nf_file_exists(path))
        NF_TRY(nf_fingerprint_descriptions(&fingerprint, &none, path, r->err));
    snprintf(text, 17, "%016" PRIx64, fingerprint);
    return NERFIT_OK;
}

/* Keeps the record, if it is of such a run. */
static nerfit_status judge(nf_run *r, json_t *record) {
    char given[17];
    const char *then = json_string_value(json_object_get(record, "given"));
    NF_TRY(print_fingerprint(r, given));
    json_t *options = nf_train_options_to_json(r->options);
    if (!options) return nf_no_memory(r->err, 0);
    const char *other = difference(options, json_object_get(record, "options"), false);
    r->done = json_is_true(json_object_get(record, "done")) &&
              !difference(options, json_object_get(record, "options"), true);
    nerfit_status status = NERFIT_OK;
    if (!other && (!then || strcmp(given, then) != 0)) other = "texts, descriptions or models";
    if (other)
        status = nf_fail_at(
            r->err, NERFIT_ARGUMENT, r->options->output_dir, 0, 0,
            "holds a finished run with other %s; resume it with the same, choose another "
            "output_dir, or give overwrite_output_dir instead of resume_from_checkpoint",
            other);
    else
        r->finished = json_incref(record);
    json_decref(options);
    return status;
}

/* Whether all is there that the record speaks of. */
static bool is_whole(nf_run *r, const json_t *record, const char *best) {
    const char *adapter = nf_path_join(&r->arena, r->options->output_dir, "adapter");
    bool weights = nf_file_exists_in(best, "model.safetensors") ||
                   nf_file_exists_in(best, "model.safetensors.index.json") ||
                   nf_adapter_folder(best);
    return weights && adapter &&
           (!json_is_true(json_object_get(record, "adapter")) || nf_adapter_folder(adapter));
}

nerfit_status nf_run_find_finished(nf_run *r, int s) {
    const char *wanted = r->options->resume_from_checkpoint, *path = record_path(r, s);
    const char *best = nf_path_join(&r->arena, r->options->output_dir, "best");
    json_t *record;
    if (!path || !best) return nf_no_memory(r->err, 0);
    if (!wanted || strcmp(wanted, "true") != 0)
        return NERFIT_OK; /* nothing, or a checkpoint, is asked for */
    if (!nf_file_exists(path)) return NERFIT_OK;
    NF_TRY(nf_json_load(&record, path, r->err));
    nerfit_status status = is_whole(r, record, best) ? judge(r, record) : NERFIT_OK;
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
    const char *page = nf_path_join(&r->arena, output, "report.html");
    const char *of = json_string_value(json_object_get(r->finished, "report_of"));
    const json_t *report = json_object_get(r->finished, "report");
    if (!best || !page) return nf_no_memory(r->err, 0);
    nf_log_info(r->log,
                r->done ? "the run in %s is finished; there is nothing left to do"
                        : "the stages of the run in %s are finished; it goes on behind them",
                output);
    r->has_adapter = json_is_true(json_object_get(r->finished, "adapter"));
    if (json_array_extend(r->history, json_object_get(r->finished, "log_history")) != 0)
        return nf_fail_at(r->err, NERFIT_FORMAT, output, 0, 0,
                          "its finished.json has no \"log_history\"");
    r->best = json_incref(json_object_get(r->finished, "state"));
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
    if (!nf_run_writes(r)) return NERFIT_OK;
    if (!folder || !path) return nf_no_memory(r->err, 0);
    NF_TRY(print_fingerprint(r, given));
    NF_TRY(nf_directory_make(folder, r->err));
    json_t *record = json_pack("{s:o, s:s, s:b, s:O, s:O?, s:s?, s:s?, s:b, s:O*}", "options",
                               nf_train_options_to_json(r->options), "given", given, "adapter",
                               (int)r->has_adapter, "log_history", r->history, "report",
                               result->report, "report_of", result->report_of, "report_text",
                               result->report_text, "done", (int)done, "state", r->best);
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
