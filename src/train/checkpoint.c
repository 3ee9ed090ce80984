#include "train/checkpoint.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "model/adapter.h"

static const char VALUES_FILE[] = "training_state.safetensors";
static const char STATE_FILE[] = "trainer_state.json";
static const char PREFIX[] = "checkpoint-";

/* The three arrays of every trained parameter, by the names in the file. */
static const char *const part_names[] = {"value.", "m.", "v."};

static nf_values *part_of(const nf_network *net, const nf_parameter *p, int part) {
    nf_values *const buffers[] = {net->flat_values, net->flat_m, net->flat_v};
    return nf_at(net->be, buffers[part], p->offset);
}

char *nf_checkpoint_path(nf_arena *arena, const char *folder, int64_t step) {
    char name[64];
    snprintf(name, sizeof name, "%s%lld", PREFIX, (long long)step);
    return nf_path_join(arena, folder, name);
}

/* ---------------------------------------------------------------- values */

/* What a tensor of the file is filled from, when its turn comes: a copy of all of them would be as
 * large as the state itself. */
typedef struct stored_part {
    nf_backend *be;
    const nf_values *values;
    size_t count;
} stored_part;

static void fill_part(const void *user, void *out) {
    const stored_part *from = user;
    nf_backend *be = from->be;
    if (be->real_size == sizeof(float))
        be->to_f32(be, out, from->values, from->count);
    else
        be->to_f64(be, out, from->values, from->count);
}

/* Values are stored in the backend's own type, so that nothing is rounded. */
nerfit_status nf_checkpoint_save_values(const nf_model *model, const char *folder, bool moments,
                                        nerfit_error *err) {
    const nf_network *net = &model->net;
    nf_backend *be = net->be;
    bool single = be->real_size == sizeof(float);
    int parts = moments ? 3 : 1;
    nf_arena arena = {0};
    nf_to_store *tensors = nf_arena_calloc(&arena, 3 * net->n_parameters + 1, sizeof *tensors);
    size_t count = 0;
    nerfit_status status = tensors ? NERFIT_OK : nf_no_memory(err, 0);
    for (size_t i = 0; i < net->n_parameters && status == NERFIT_OK; i++) {
        const nf_parameter *p = net->parameters[i];
        if (!p->grad || p->removed) continue;
        for (int part = 0; part < parts; part++) {
            stored_part *from = nf_arena_alloc(&arena, sizeof *from);
            char *name = nf_arena_alloc(&arena, strlen(p->name) + 8);
            if (!from || !name) {
                status = nf_no_memory(err, strlen(p->name) + 8);
                break;
            }
            *from = (stored_part){be, part_of(net, p, part), nf_parameter_count(p)};
            snprintf(name, strlen(p->name) + 8, "%s%s", part_names[part], p->name);
            tensors[count] = (nf_to_store){.name = name,
                                           .type = single ? NF_STORED_F32 : NF_STORED_F64,
                                           .n_dims = p->n_dims,
                                           .fill = fill_part,
                                           .fill_user = from};
            tensors[count].dims[0] = (int64_t)(p->n_dims == 1 ? p->cols : p->rows);
            tensors[count++].dims[1] = (int64_t)p->cols;
        }
    }
    const char *path = nf_path_join(&arena, folder, VALUES_FILE);
    if (status == NERFIT_OK && !path) status = nf_no_memory(err, 0);
    if (status == NERFIT_OK) status = nf_safetensors_save(path, tensors, count, NULL, err);
    nf_arena_free(&arena);
    return status;
}

static nerfit_status load_part(nf_network *net, const nf_parameter *p, int part,
                               const nf_safetensors *file, nerfit_error *err) {
    char name[600];
    snprintf(name, sizeof name, "%s%s", part_names[part], p->name);
    const nf_stored *stored = nf_safetensors_find(file, name);
    size_t n = nf_parameter_count(p);
    if (!stored || stored->count != n)
        return nf_fail_at(err, NERFIT_FORMAT, nf_safetensors_path(file), 0, 0,
                          "%s tensor \"%s\" of %zu values: the checkpoint belongs to a run with "
                          "other settings",
                          stored ? "has another size for" : "lacks", name, n);
    double *values = malloc(n * sizeof *values + 1);
    if (!values) return nf_no_memory(err, n * sizeof *values);
    nerfit_status status = nf_stored_to_f64(stored, values, err); /* exact for floats */
    if (status == NERFIT_OK) net->be->from_f64(net->be, part_of(net, p, part), values, n);
    free(values);
    return status;
}

static nerfit_status load_values(nf_model *model, const char *folder, int parts,
                                 nerfit_error *err) {
    nf_network *net = &model->net;
    nf_arena arena = {0};
    nf_safetensors *file = NULL;
    const char *path = nf_path_join(&arena, folder, VALUES_FILE);
    nerfit_status status = path ? nf_safetensors_open(&file, path, err) : nf_no_memory(err, 0);
    for (size_t i = 0; i < net->n_parameters && status == NERFIT_OK; i++) {
        const nf_parameter *p = net->parameters[i];
        for (int part = 0; part < parts && status == NERFIT_OK && p->grad && !p->removed; part++)
            status = load_part(net, p, part, file, err);
    }
    nf_safetensors_close(file);
    nf_arena_free(&arena);
    return status;
}

nerfit_status nf_checkpoint_load_values(nf_model *model, const char *folder, nerfit_error *err) {
    return load_values(model, folder, 1, err);
}

/* ---------------------------------------------------------------- state */

/* "checkpoint-N" stands beside this one; another run's is named by its whole path. */
static json_t *best_checkpoint(const nf_stage *stage) {
    const nf_stage_state *s = &stage->state;
    if (!s->has_best) return json_null();
    if (s->best_folder) return json_string(s->best_folder);
    return json_sprintf("%s%lld", PREFIX, (long long)s->best_step);
}

json_t *nf_checkpoint_summary(const nf_stage *stage) {
    const nf_stage_state *s = &stage->state;
    json_t *metric = s->has_best ? json_real(s->best_metric) : json_null();
    return json_pack("{s:o, s:o, s:I, s:I, s:f}", "best_metric", metric, "best_model_checkpoint",
                     best_checkpoint(stage), "global_step", (json_int_t)s->step, "max_steps",
                     (json_int_t)stage->total_steps, "epoch", nf_stage_epoch(stage, s->step));
}

static json_t *state_to_json(const nf_stage *stage) {
    const nf_stage_state *s = &stage->state;
    return json_pack(
        "{s:i, s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:I, s:b, s:f, s:I, s:o, s:I, s:b, s:O, "
        "s:O*}",
        "stage", stage->number, "task", stage->task->name, "examples",
        (json_int_t)stage->task->train->count, "global_step", (json_int_t)s->step, "max_steps",
        (json_int_t)stage->total_steps, "trained_values",
        (json_int_t)stage->task->model->net.n_trained, "epoch", nf_stage_epoch(stage, s->step),
        "loss_sum", s->loss_sum, "loss_total", s->loss_total, "loss_steps",
        (json_int_t)s->loss_steps, "has_best", (int)s->has_best, "best_metric", s->best_metric,
        "best_global_step", (json_int_t)s->best_step, "best_model_checkpoint",
        best_checkpoint(stage), "patience_used", (json_int_t)s->patience_used, "stopped_early",
        (int)s->stopped_early, "log_history", s->log_history, "run", stage->run);
}

/* The best model of a resumed run is where its checkpoint's run has it: beside the checkpoint, or
 * where that one says. A run that would miss it only at its end is refused before its training. */
static nerfit_status find_best(nf_stage *stage, const json_t *json, const char *folder,
                               nerfit_error *err) {
    nf_stage_state *s = &stage->state;
    const char *said = json_string_value(json_object_get(json, "best_model_checkpoint"));
    if (!s->has_best) return NERFIT_OK;
    nf_arena arena = {0};
    char *whole = realpath(folder, NULL), *own = realpath(stage->folder, NULL);
    const char *parent = whole ? nf_path_parent(&arena, whole) : NULL;
    const char *best = said && said[0] == '/' ? said
                       : parent               ? nf_checkpoint_path(&arena, parent, s->best_step)
                                              : NULL;
    const char *values = best ? nf_path_join(&arena, best, VALUES_FILE) : NULL;
    nerfit_status status = NERFIT_OK;
    if (!values)
        status = nf_no_memory(err, 0);
    else if (stage->options.load_best_model_at_end && !nf_file_exists(values))
        status = nf_fail_at(err, NERFIT_ARGUMENT, folder, 0, 0,
                            "cannot be resumed from: the best model so far, %s, is not there "
                            "(load_best_model_at_end: false goes on without it)",
                            best);
    else if (!own || !parent || strcmp(own, parent) != 0 || best == said) {
        s->best_folder = strdup(best);
        if (!s->best_folder) status = nf_no_memory(err, strlen(best));
    }
    free(whole);
    free(own);
    nf_arena_free(&arena);
    return status;
}

static nerfit_status state_from_json(nf_stage *stage, const json_t *json, const char *path,
                                     nerfit_error *err) {
    nf_stage_state *s = &stage->state;
    const struct {
        const char *key;
        long long expected;
    } same[] = {
        {"stage", stage->number},
        {"examples", (long long)stage->task->train->count},
        {"max_steps", (long long)stage->total_steps},
        {"trained_values", (long long)stage->task->model->net.n_trained},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        long long given = json_integer_value(json_object_get(json, same[i].key));
        if (given != same[i].expected)
            return nf_fail_at(err, NERFIT_ARGUMENT, path, 0, 0,
                              "cannot be resumed from: its \"%s\" is %lld, this run's is %lld; "
                              "resume with the settings and data it was made with",
                              same[i].key, given, same[i].expected);
    }
    json_t *history = json_object_get(json, "log_history");
    if (!json_is_array(history))
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "has no \"log_history\"");
    json_decref(s->log_history);
    free(s->best_folder);
    *s = (nf_stage_state){
        .step = json_integer_value(json_object_get(json, "global_step")),
        .loss_sum = json_number_value(json_object_get(json, "loss_sum")),
        .loss_total = json_number_value(json_object_get(json, "loss_total")),
        .loss_steps = json_integer_value(json_object_get(json, "loss_steps")),
        .has_best = json_is_true(json_object_get(json, "has_best")),
        .best_metric = json_number_value(json_object_get(json, "best_metric")),
        .best_step = json_integer_value(json_object_get(json, "best_global_step")),
        .patience_used = json_integer_value(json_object_get(json, "patience_used")),
        .stopped_early = json_is_true(json_object_get(json, "stopped_early")),
        .log_history = json_deep_copy(history),
    };
    if (!s->log_history) return nf_no_memory(err, 0);
    if (s->step < 0 || s->step > stage->total_steps)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "\"global_step\" is out of range");
    return NERFIT_OK;
}

nerfit_status nf_checkpoint_resume(nf_stage *stage, const char *folder, nerfit_error *err) {
    nf_arena arena = {0};
    json_t *json = NULL;
    nf_stage_plan(stage);
    const char *path = nf_path_join(&arena, folder, STATE_FILE);
    nerfit_status status = path ? nf_json_load(&json, path, err) : nf_no_memory(err, 0);
    if (status == NERFIT_OK) status = state_from_json(stage, json, path, err);
    if (status == NERFIT_OK) status = find_best(stage, json, folder, err);
    if (status == NERFIT_OK) status = load_values(stage->task->model, folder, 3, err);
    if (status == NERFIT_OK) status = nf_network_refresh(&stage->task->model->net, err);
    json_decref(json);
    nf_arena_free(&arena);
    return status;
}

/* ---------------------------------------------------------------- folders */

/* The number after "checkpoint-", or -1. */
static int64_t step_of(const char *name) {
    if (strncmp(name, PREFIX, sizeof PREFIX - 1) != 0) return -1;
    uint64_t step;
    return nf_whole_parse(name + sizeof PREFIX - 1, INT64_MAX, &step) ? (int64_t)step : -1;
}

/* Steps of the checkpoints of a folder, ascending; the count, or SIZE_MAX when out of memory. */
static size_t list_steps(const char *folder, int64_t **steps) {
    size_t count = 0, capacity = 0;
    *steps = NULL;
    DIR *dir = opendir(folder);
    if (!dir) return 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        int64_t step = step_of(entry->d_name);
        if (step < 0) continue;
        if (!nf_array_reserve(steps, &capacity, count + 1, sizeof **steps)) {
            closedir(dir);
            return SIZE_MAX;
        }
        size_t at = count++;
        for (; at > 0 && (*steps)[at - 1] > step; at--) (*steps)[at] = (*steps)[at - 1];
        (*steps)[at] = step;
    }
    closedir(dir);
    return count;
}

char *nf_checkpoint_newest(nf_arena *arena, const char *folder) {
    int64_t *steps;
    size_t count = list_steps(folder, &steps);
    char *path =
        count && count != SIZE_MAX ? nf_checkpoint_path(arena, folder, steps[count - 1]) : NULL;
    free(steps);
    return path;
}

static nerfit_status remove_old(nf_stage *stage, nf_arena *arena, nerfit_error *err) {
    int64_t limit = stage->options.save_total_limit, *steps;
    if (limit <= 0) return NERFIT_OK;
    size_t count = list_steps(stage->folder, &steps);
    if (count == SIZE_MAX) {
        free(steps);
        return nf_no_memory(err, 0);
    }
    const nf_stage_state *state = &stage->state;
    nerfit_status status = NERFIT_OK;
    /* as transformers does: with a best model to load, a limit of 1 keeps the best and the last */
    size_t left = count;
    for (size_t i = 0; i < count && left > (size_t)limit && status == NERFIT_OK; i++) {
        bool best = stage->options.load_best_model_at_end && state->has_best &&
                    steps[i] == state->best_step;
        if (best || steps[i] == state->step) continue;
        const char *path = nf_checkpoint_path(arena, stage->folder, steps[i]);
        status = path ? nf_directory_remove(path, err) : nf_no_memory(err, 0);
        left--;
    }
    free(steps);
    return status;
}

static nerfit_status write_all(nf_stage *stage, const char *folder, nf_arena *arena,
                               nerfit_error *err) {
    nf_model *model = stage->task->model;
    NF_TRY(nf_directory_make(folder, err));
    NF_TRY(nf_model_fold(model, err));
    if (model->adapter)
        NF_TRY(nf_adapter_save(model, folder, err));
    else
        NF_TRY(nf_model_save(model, folder, err));
    NF_TRY(nf_checkpoint_save_values(model, folder, true, err));
    const char *path = nf_path_join(arena, folder, STATE_FILE);
    json_t *state = state_to_json(stage);
    nerfit_status status = path && state ? nf_json_save(state, path, err) : nf_no_memory(err, 0);
    json_decref(state);
    return status;
}

nerfit_status nf_checkpoint_save(nf_stage *stage, nf_arena *arena, const char **path,
                                 nerfit_error *err) {
    *path = nf_checkpoint_path(arena, stage->folder, stage->state.step);
    const char *unfinished = *path ? nf_path_unfinished(arena, *path) : NULL;
    if (!unfinished) return nf_no_memory(err, 0);
    nerfit_status status = write_all(stage, unfinished, arena, err);
    /* a run that is done again over an old one replaces its checkpoint of the same step */
    if (status == NERFIT_OK) status = nf_directory_replace(unfinished, *path, err);
    if (status != NERFIT_OK) {
        nf_directory_remove(unfinished, NULL);
        return status;
    }
    return remove_old(stage, arena, err);
}
