#include "model/word_shape.h"

#include "base/file.h"
#include "nn/store.h"
#include "text/word_shapes.h"

static const char FILE_NAME[] = "word_shape.safetensors";
static const char TENSOR[] = "word_shape.weight";

static nerfit_status new_table(nf_model *model, nerfit_error *err) {
    nf_embedding *embedding = &model->encoder.embedding;
    if (embedding->shapes) return NERFIT_OK;
    nf_parameter *p =
        nf_network_parameter(&model->net, TENSOR, 2, NF_WORD_SHAPES, embedding->size, true);
    if (!p) return nf_no_memory(err, 0);
    p->role = NF_ROLE_WORD_SHAPES;
    p->group = NF_GROUP_HEAD; /* it begins at zero, as the head's vectors do */
    embedding->shapes = p;
    return NERFIT_OK;
}

nerfit_status nf_word_shape_add(nf_model *model, nerfit_error *err) {
    if (model->encoder.embedding.shapes) return NERFIT_OK;
    NF_TRY(new_table(model, err));
    return nf_parameter_constant(&model->net, model->encoder.embedding.shapes, 0.0f, err);
}

nerfit_status nf_word_shape_save(const nf_model *model, const char *folder, nerfit_error *err) {
    const nf_parameter *p = model->encoder.embedding.shapes;
    if (!p) return NERFIT_OK;
    static const char *const metadata[] = {"format", "1", NULL};
    nf_arena arena = {0};
    nf_to_store tensor;
    const char *path = nf_path_join(&arena, folder, FILE_NAME);
    nerfit_status status =
        path ? nf_store_parameter(&tensor, &arena, &model->net, p, "", err) : nf_no_memory(err, 0);
    if (status == NERFIT_OK) status = nf_safetensors_save(path, &tensor, 1, metadata, err);
    nf_arena_free(&arena);
    return status;
}

static nerfit_status fill(nf_model *model, const nf_safetensors *file, nerfit_error *err) {
    const nf_stored *stored = nf_safetensors_find(file, TENSOR);
    size_t width = model->encoder.embedding.size;
    if (!stored || stored->n_dims != 2 || stored->dims[0] != NF_WORD_SHAPES ||
        stored->dims[1] != (int64_t)width)
        return nf_fail_at(err, NERFIT_FORMAT, nf_safetensors_path(file), 0, 0,
                          "expected a tensor \"%s\" of %d x %zu", TENSOR, (int)NF_WORD_SHAPES,
                          width);
    NF_TRY(new_table(model, err));
    return nf_parameter_copy(&model->net, model->encoder.embedding.shapes, stored,
                             nf_safetensors_path(file), err);
}

bool nf_word_shape_in(const char *folder) {
    return nf_file_exists_in(folder, FILE_NAME);
}

nerfit_status nf_word_shape_load(nf_model *model, const char *folder, nerfit_error *err) {
    if (!nf_word_shape_in(folder)) return NERFIT_OK;
    nf_arena arena = {0};
    nf_safetensors *file = NULL;
    const char *path = nf_path_join(&arena, folder, FILE_NAME);
    nerfit_status status = path ? nf_safetensors_open(&file, path, err) : nf_no_memory(err, 0);
    if (status == NERFIT_OK) status = fill(model, file, err);
    nf_safetensors_close(file);
    nf_arena_free(&arena);
    return status;
}
