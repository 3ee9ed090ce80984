#include "heads/description_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "nn/store.h"

static const char FILE_NAME[] = "description_head.safetensors";
static const char ENCODER[] = "sentence_encoder";

bool nf_description_file_exists(const char *folder) {
    nf_arena arena = {0};
    const char *path = nf_path_join(&arena, folder, FILE_NAME);
    bool found = path && nf_file_exists(path);
    nf_arena_free(&arena);
    return found;
}

/* "description_head.shared" is stored as "shared". */
static const char *stored_name(const nf_parameter *p) {
    return strchr(p->name, '.') + 1;
}

nerfit_status nf_description_file_save(const nf_head *base, const char *folder,
                                       const char *sentence_encoder, nerfit_error *err) {
    const nf_description_head *head = (const nf_description_head *)base;
    const nf_parameter *all[] = {head->projection, head->shared, head->shared_bias};
    const char *metadata[] = {"format", "1", ENCODER, sentence_encoder ? sentence_encoder : "",
                              NULL};
    nf_arena arena = {0};
    nf_to_store tensors[3];
    size_t count = 0;
    const char *path = nf_path_join(&arena, folder, FILE_NAME);
    nerfit_status status = path ? NERFIT_OK : nf_no_memory(err, 0);
    for (size_t i = 0; i < 3 && status == NERFIT_OK; i++) {
        if (!all[i]) continue;
        status = nf_store_parameter(&tensors[count], &arena, base->net, all[i], "", err);
        tensors[count++].name = stored_name(all[i]);
    }
    if (status == NERFIT_OK) status = nf_safetensors_save(path, tensors, count, metadata, err);
    nf_arena_free(&arena);
    return status;
}

nerfit_status nf_description_file_open(nf_safetensors **out, const char *folder,
                                       nerfit_error *err) {
    nf_arena arena = {0};
    const char *path = nf_path_join(&arena, folder, FILE_NAME);
    nerfit_status status = path ? nf_safetensors_open(out, path, err) : nf_no_memory(err, 0);
    nf_arena_free(&arena);
    return status;
}

static nerfit_status fill(const nf_description_head *head, nf_parameter *p, const nf_stored *stored,
                          const nf_safetensors *file, nerfit_error *err) {
    if (!stored)
        return nf_fail_at(err, NERFIT_FORMAT, nf_safetensors_path(file), 0, 0,
                          "has no tensor \"%s\"", stored_name(p));
    bool fits = stored->n_dims == p->n_dims && stored->count == nf_parameter_count(p) &&
                (p->n_dims == 1 || stored->dims[1] == (int64_t)p->cols);
    if (!fits)
        return nf_fail_at(err, NERFIT_FORMAT, nf_safetensors_path(file), 0, 0,
                          "tensor \"%s\" is not of this encoder's size (hidden size %zu)",
                          stored->name, p->cols);
    return nf_parameter_copy(head->head.net, p, stored, nf_safetensors_path(file), err);
}

nerfit_status nf_description_file_load(nf_head *base, const nf_safetensors *file, bool *projected,
                                       nerfit_error *err) {
    const nf_description_head *head = (const nf_description_head *)base;
    const nf_stored *projection = nf_safetensors_find(file, "projection");
    *projected = *projected && head->projection && projection && projection->n_dims == 2 &&
                 projection->dims[0] == (int64_t)head->size;
    if (*projected) NF_TRY(fill(head, head->projection, projection, file, err));
    NF_TRY(fill(head, head->shared, nf_safetensors_find(file, "shared"), file, err));
    return fill(head, head->shared_bias, nf_safetensors_find(file, "shared_bias"), file, err);
}

const char *nf_description_file_encoder(const nf_safetensors *file, const char *folder,
                                        nf_arena *arena) {
    const char *name = nf_safetensors_metadata(file, ENCODER);
    return name && *name ? nf_path_join(arena, folder, name) : NULL;
}
