/* description_head.safetensors: the shared part of a description head, beside the encoder that was
 * trained with it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "model/model.h"
#include "model/save.h"

static const char FILE_NAME[] = "description_head.safetensors";

nerfit_status nf_model_save_description_head(const nf_model *model, const char *folder,
                                             nerfit_error *err) {
    const nf_description_head *head = model->description_head;
    const nf_parameter *parts[] = {head->shared, head->shared_bias, head->projection};
    nf_to_store tensors[3];
    nf_arena arena = {0};
    size_t count = 0;
    const char *path = nf_path_join(&arena, folder, FILE_NAME);
    nerfit_status status = path ? NERFIT_OK : nf_no_memory(err, 0);
    for (size_t i = 0; i < 3 && status == NERFIT_OK; i++)
        if (parts[i])
            status = nf_store_parameter(&tensors[count++], &arena, &model->net, parts[i], "", err);
    if (status == NERFIT_OK) status = nf_safetensors_save(path, tensors, count, NULL, err);
    nf_arena_free(&arena);
    return status;
}

static nerfit_status load_part(nf_model *model, nf_parameter *p, const nf_safetensors *file,
                               nerfit_error *err) {
    const char *path = nf_safetensors_path(file);
    const nf_stored *stored = nf_safetensors_find(file, p->name);
    if (!stored) return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "has no tensor \"%s\"", p->name);
    size_t rows = p->n_dims == 1 ? p->cols : p->rows;
    bool same = stored->n_dims == p->n_dims && stored->count == nf_parameter_count(p) &&
                stored->dims[0] == (int64_t)rows;
    if (!same)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "\"%s\" has %zu values, expected %zu x %zu: it belongs to an encoder or a "
                          "sentence encoder of another size",
                          p->name, stored->count, rows, p->n_dims == 1 ? 1 : p->cols);
    float *values = malloc(stored->count * sizeof *values + 1);
    if (!values) return nf_no_memory(err, stored->count * sizeof *values);
    nerfit_status status = nf_stored_to_f32(stored, values, err);
    if (status == NERFIT_OK) status = nf_parameter_fill(&model->net, p, values, err);
    free(values);
    return status;
}

nerfit_status nf_model_load_description_head(nf_model *model, const char *folder, bool *found,
                                             nerfit_error *err) {
    const nf_description_head *head = model->description_head;
    nf_parameter *parts[] = {head->shared, head->shared_bias, head->projection};
    nf_arena arena = {0};
    nf_safetensors *file = NULL;
    const char *path = nf_path_join(&arena, folder, FILE_NAME);
    nerfit_status status = path ? NERFIT_OK : nf_no_memory(err, 0);
    *found = status == NERFIT_OK && nf_file_exists(path);
    if (*found) status = nf_safetensors_open(&file, path, err);
    for (size_t i = 0; i < 3 && *found && status == NERFIT_OK; i++)
        if (parts[i]) status = load_part(model, parts[i], file, err);
    nf_safetensors_close(file);
    nf_arena_free(&arena);
    return status;
}
