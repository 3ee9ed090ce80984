/* The run's folder: what an earlier run left there, what may be resumed, and folders that appear
 * whole. */
#include "recipe/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "model/adapter.h"
#include "train/checkpoint.h"

#define ARGUMENTS "training_args.json"

/* 0 or 1 by the folder that it stands in; -1: neither. */
static int stage_of_checkpoint(nf_run *r, const char *folder) {
    static const char *const stages[] = {"stage1", "stage2"};
    char *whole =
        realpath(folder, NULL); /* "checkpoint-5/", "checkpoint-5" in the stage's folder */
    const char *parent = whole ? nf_path_parent(&r->arena, whole) : NULL;
    size_t length = parent ? strlen(parent) : 0;
    int found = -1;
    for (int s = 0; s < 2; s++)
        if (length > 6 && strcmp(parent + length - 6, stages[s]) == 0) found = s;
    free(whole);
    return found;
}

bool nf_run_resumes(const nf_train_options *o) {
    return o->resume_from_checkpoint && strcmp(o->resume_from_checkpoint, "false") != 0;
}

/* A checkpoint that is asked for by name must be one: a run that starts anew instead would
 * overwrite what there is. */
static nerfit_status check_checkpoint(nf_run *r) {
    const char *wanted = r->options->resume_from_checkpoint;
    if (!nf_run_resumes(r->options) || strcmp(wanted, "true") == 0) return NERFIT_OK;
    if (!nf_directory_exists(wanted))
        return nf_fail_at(r->err, NERFIT_ARGUMENT, wanted, 0, 0,
                          "is not a folder (resume_from_checkpoint: true, false or a checkpoint's "
                          "folder)");
    if (stage_of_checkpoint(r, wanted) < 0)
        return nf_fail_at(r->err, NERFIT_ARGUMENT, wanted, 0, 0,
                          "is not a checkpoint's folder; expected one in a run's stage1 or stage2");
    return NERFIT_OK;
}

/* What a run reads to its end, a cross-validation's trainings last, must not be where it writes. */
static nerfit_status check_apart(nf_run *r, const char *input) {
    static const char *const names[] = {"stage1", "stage2", "best", "adapter", "base"};
    char *whole = input ? realpath(input, NULL) : NULL;
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && whole && status == NERFIT_OK; i++) {
        const char *folder = nf_path_join(&r->arena, r->options->output_dir, names[i]);
        char *own = folder ? realpath(folder, NULL) : NULL;
        size_t length = own ? strlen(own) : 0;
        if (own && strncmp(whole, own, length) == 0 && strchr("/", whole[length]))
            status = nf_fail_at(r->err, NERFIT_ARGUMENT, input, 0, 0,
                                "is to be read, and output_dir's %s/ is to be written anew; choose "
                                "another output_dir",
                                names[i]);
        free(own);
    }
    free(whole);
    return status;
}

/* An earlier run is not overwritten unasked. */
nerfit_status nf_run_check_output(nf_run *r) {
    const nf_train_options *o = r->options;
    const char *best = nf_path_join(&r->arena, o->output_dir, "best");
    if (!best) return nf_no_memory(r->err, 0);
    NF_TRY(check_checkpoint(r));
    const char *const inputs[] = {r->model_folder, r->sentence_folder, r->pretrained.adapter};
    for (size_t i = 0; i < 3; i++) {
        NF_TRY(check_apart(r, inputs[i]));
        char *base;
        if (inputs[i] && nf_adapter_folder(inputs[i]) &&
            nf_adapter_base(&base, &r->arena, inputs[i], NULL) == NERFIT_OK)
            NF_TRY(check_apart(r, base));
    }
    if (nf_directory_exists(best) && !o->overwrite_output_dir && !nf_run_resumes(o))
        return nf_fail_at(r->err, NERFIT_ARGUMENT, o->output_dir, 0, 0,
                          "holds an earlier run; choose another output_dir, or give "
                          "overwrite_output_dir or resume_from_checkpoint");
    return NERFIT_OK;
}

char *nf_run_stage_folder(nf_run *r, int s) {
    return nf_path_join(&r->arena, r->options->output_dir, s == 0 ? "stage1" : "stage2");
}

/* A checkpoint to go on from, of this stage; NULL: from the start. */
const char *nf_run_checkpoint_of(nf_run *r, int s) {
    const char *wanted = r->options->resume_from_checkpoint, *folder = nf_run_stage_folder(r, s);
    if (!wanted || !folder || strcmp(wanted, "false") == 0) return NULL;
    if (strcmp(wanted, "true") == 0) return nf_checkpoint_newest(&r->arena, folder);
    return stage_of_checkpoint(r, wanted) == s ? wanted : NULL;
}

/* A folder that is to appear whole, and with nothing of an earlier run's in it: written under
 * another name... */
nerfit_status nf_run_begin_folder(nf_run *r, const char *parent, const char *name,
                                  const char **unfinished) {
    const char *folder = parent ? nf_path_join(&r->arena, parent, name) : NULL;
    *unfinished = folder ? nf_path_unfinished(&r->arena, folder) : NULL;
    if (!*unfinished) return nf_no_memory(r->err, 0);
    return nf_directory_make(*unfinished, r->err);
}

/* ... and put in its place, which is not empty at any moment where there was one before. */
nerfit_status nf_run_end_folder(nf_run *r, const char *unfinished, const char *parent,
                                const char *name) {
    const char *folder = nf_path_join(&r->arena, parent, name);
    if (!folder) return nf_no_memory(r->err, 0);
    return nf_directory_replace(unfinished, folder, r->err);
}

nerfit_status nf_run_save_record(nf_run *r, const char *name, json_t *value) {
    if (!nf_run_writes(r)) {
        json_decref(value);
        return NERFIT_OK;
    }
    const char *path = nf_path_join(&r->arena, r->options->output_dir, name);
    nerfit_status status =
        path && value ? nf_json_save(value, path, r->err) : nf_no_memory(r->err, 0);
    json_decref(value);
    return status;
}

static bool same_folder(const char *a, const char *b) {
    char *whole[] = {realpath(a, NULL), realpath(b, NULL)};
    bool same = whole[0] && whole[1] && strcmp(whole[0], whole[1]) == 0;
    free(whole[0]);
    free(whole[1]);
    return same;
}

/* adapter/, and base/ if the adapter was made over it: a run made that one, too. */
static nerfit_status remove_adapter(nf_run *r) {
    const char *adapter = nf_path_join(&r->arena, r->options->output_dir, "adapter");
    const char *base = nf_path_join(&r->arena, r->options->output_dir, "base");
    char *named;
    if (!adapter || !base) return nf_no_memory(r->err, 0);
    if (!nf_adapter_folder(adapter)) return NERFIT_OK;
    if (nf_adapter_base(&named, &r->arena, adapter, NULL) == NERFIT_OK && same_folder(named, base))
        NF_TRY(nf_directory_remove(base, r->err));
    return nf_directory_remove(adapter, r->err);
}

/* What an earlier run wrote, so that nothing of it is taken for this one's. Its best/ stays until
 * the new model is there, and a language model's descriptions.yaml may have been edited. Where
 * there was no run, adapter/ is somebody else's. */
static nerfit_status remove_earlier(nf_run *r) {
    static const char *const files[] = {"report.html", "report.json", "trainer_state.json"};
    const char *output = r->options->output_dir;
    const char *arguments = nf_path_join(&r->arena, output, ARGUMENTS);
    if (!arguments) return nf_no_memory(r->err, 0);
    for (int s = 0; s < 2; s++) NF_TRY(nf_directory_remove(nf_run_stage_folder(r, s), r->err));
    if (!nf_file_exists(arguments)) return NERFIT_OK;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *path = nf_path_join(&r->arena, output, files[i]);
        NF_TRY(path ? nf_file_remove(path, r->err) : nf_no_memory(r->err, 0));
    }
    return remove_adapter(r);
}

/* What killed processes left half written, and the trainings of a cross-validation, in the folders
 * that only runs write. */
static nerfit_status remove_unfinished(nf_run *r) {
    static const char *const folders[] = {"stage1", "stage2", "best", "adapter"};
    static const char *const replaced[] = {"start", "best", "adapter", "base", "stage1/finished"};
    const char *output = r->options->output_dir;
    for (size_t i = 0; i < sizeof replaced / sizeof *replaced; i++) {
        const char *path = nf_path_join(&r->arena, output, replaced[i]);
        NF_TRY(path ? nf_directory_recover(path, r->err) : nf_no_memory(r->err, 0));
    }
    NF_TRY(nf_directory_remove_unfinished(output, r->err));
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const char *path = nf_path_join(&r->arena, output, folders[i]);
        NF_TRY(path ? nf_directory_remove_unfinished(path, r->err) : nf_no_memory(r->err, 0));
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- metrics.jsonl */

static const char *metrics_path(nf_run *r) {
    return nf_path_join(&r->arena, r->options->output_dir, "metrics.jsonl");
}

/* {"stage":1,"loss":...} */
static char *metrics_line(int stage, const json_t *entry) {
    json_t *line = json_pack("{s:i}", "stage", stage),
           *copy = json_copy((json_t *)(uintptr_t)entry);
    json_object_del(copy, "stage");
    char *text =
        line && copy && !json_object_update(line, copy) ? nf_json_text(line, JSON_COMPACT) : NULL;
    json_decref(line);
    json_decref(copy);
    return text;
}

nerfit_status nf_run_write_metrics(nf_run *r, int stage, const json_t *entry) {
    if (!r->metrics) return NERFIT_OK;
    char *line = metrics_line(stage, entry);
    nerfit_error *err = &r->metrics_error;
    if (!line)
        r->metrics_status = nf_no_memory(err, 0);
    else if (fprintf(r->metrics, "%s\n", line) < 0 || fflush(r->metrics) != 0)
        r->metrics_status = nf_fail_at(err, NERFIT_IO, metrics_path(r), 0, 0,
                                       "cannot be written: %s", strerror(errno));
    free(line);
    return r->metrics_status;
}

static nerfit_status add_lines(nf_str *out, int stage, const json_t *history, nerfit_error *err) {
    size_t i;
    json_t *entry;
    json_array_foreach(history, i, entry) {
        json_t *of = json_object_get(entry, "stage");
        char *line = metrics_line(of ? (int)json_integer_value(of) : stage, entry);
        if (!line) return nf_no_memory(err, 0);
        nf_str_appendf(out, "%s\n", line);
        free(line);
    }
    return out->failed ? nf_no_memory(err, 0) : NERFIT_OK;
}

nerfit_status nf_run_begin_metrics(nf_run *r, int stage, const json_t *history) {
    const char *path = metrics_path(r);
    nf_str before = {0};
    if (!nf_run_writes(r)) return NERFIT_OK;
    if (!path) return nf_no_memory(r->err, 0);
    if (r->metrics) fclose(r->metrics);
    r->metrics = NULL;
    nerfit_status status = add_lines(&before, stage, r->history, r->err);
    if (status == NERFIT_OK) status = add_lines(&before, stage, history, r->err);
    if (status == NERFIT_OK)
        status = nf_file_write(path, nf_str_text(&before), before.length, r->err);
    nf_str_free(&before);
    if (status == NERFIT_OK && !(r->metrics = fopen(path, "ae")))
        status =
            nf_fail_at(r->err, NERFIT_IO, path, 0, 0, "cannot be written: %s", strerror(errno));
    return status;
}

/* Two runs in one folder would mix their checkpoints, and one of them would lose its model. */
static nerfit_status take_lock(nf_run *r) {
    bool held;
    NF_TRY(nf_directory_lock(r->options->output_dir, &r->lock, &held, r->err));
    return held ? NERFIT_OK
                : nf_fail_at(r->err, NERFIT_ARGUMENT, r->options->output_dir, 0, 0,
                             "another run is at work in this folder; choose another output_dir, or "
                             "wait for it");
}

/* Goes on when all ranks have come. */
static nerfit_status meet(nf_run *r) {
    nf_comm *comm = r->data->comm;
    const double none = 0.0;
    if (!comm) return NERFIT_OK;
    double *all = malloc(comm->size * sizeof *all);
    if (!all) return nf_no_memory(r->err, comm->size * sizeof *all);
    nerfit_status status = comm->all_gather(comm, &none, 1, all, r->err);
    free(all);
    return status;
}

/* Makes the folder the run's own. */
static nerfit_status clear_output(nf_run *r) {
    const nf_train_options *o = r->options;
    NF_TRY(nf_directory_make(o->output_dir, r->err));
    NF_TRY(take_lock(r));
    NF_TRY(remove_unfinished(r));
    if (!nf_run_resumes(o)) NF_TRY(remove_earlier(r));
    if (!r->finished) NF_TRY(nf_run_forget_finished(r));
    NF_TRY(nf_directory_make(o->output_dir, r->err));
    nf_train_options used = *o;
    if (o->recipe == NF_RECIPE_NERFIT && r->corpora[NF_SPLIT_TRAIN])
        used.least_probability = nf_run_least_probability(r);
    return nf_run_save_record(r, ARGUMENTS, nf_train_options_record(&used, r->as_given));
}

/* Of several ranks all look at what is there before the one that writes changes it, and go on when it
 * has. */
nerfit_status nf_run_open_output(nf_run *r) {
    NF_TRY(nf_run_check_output(r));
    NF_TRY(nf_run_make_identity(r));
    NF_TRY(nf_run_check_resumed(r));
    NF_TRY(meet(r));
    if (nf_run_writes(r)) NF_TRY(clear_output(r));
    return meet(r);
}
