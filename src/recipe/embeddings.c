#include "recipe/embeddings.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "model/sentence.h"
#include "tensor/safetensors.h"

static nerfit_status reserve(nf_embeddings *out, size_t count, size_t size, nerfit_error *err) {
    out->types = nf_arena_calloc(&out->arena, count + 1, sizeof *out->types);
    out->vectors = nf_arena_calloc(&out->arena, count * size + 1, sizeof *out->vectors);
    out->size = size;
    return out->types && out->vectors ? NERFIT_OK : nf_no_memory(err, count * size);
}

static nerfit_status from_tensors(nf_embeddings *out, const nf_safetensors *file, const char *path,
                                  nerfit_error *err) {
    size_t count = nf_safetensors_count(file);
    if (count == 0) return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "holds no embeddings");
    NF_TRY(reserve(out, count, nf_safetensors_at(file, 0)->count, err));
    for (size_t i = 0; i < count; i++) {
        const nf_stored *stored = nf_safetensors_at(file, i);
        if (stored->count != out->size || stored->count == 0)
            return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                              "the embedding of \"%s\" has %zu values, that of \"%s\" %zu; all "
                              "should have the same",
                              stored->name, stored->count, out->count ? out->types[0] : "",
                              out->size);
        NF_TRY(nf_stored_to_f32(stored, out->vectors + i * out->size, err));
        if (!(out->types[i] = nf_arena_strdup(&out->arena, stored->name)))
            return nf_no_memory(err, 0);
        out->count++;
    }
    return NERFIT_OK;
}

static nerfit_status encode(nf_embeddings *out, const nf_descriptions *descriptions,
                            const nf_sentence_encoder *encoder, const char *name, nf_backend *be,
                            const nf_log *log, nerfit_error *err) {
    size_t cut = 0;
    NF_TRY(reserve(out, descriptions->count, encoder->size, err));
    NF_TRY(nf_sentence_encoder_encode(encoder, be, descriptions->texts, descriptions->count, true,
                                      out->vectors, &cut, err));
    for (size_t i = 0; i < descriptions->count; i++) {
        out->types[i] = nf_arena_strdup(&out->arena, descriptions->labels[i]);
        if (!out->types[i]) return nf_no_memory(err, 0);
        out->count++;
    }
    if (cut)
        nf_log_warning(log,
                       "%s: %zu descriptions are longer than the sentence encoder's %zu tokens "
                       "and were cut there",
                       name, cut, encoder->max_length);
    return NERFIT_OK;
}

nerfit_status nf_embeddings_describe(nf_embeddings *out, const nf_descriptions *descriptions,
                                     const char *name, const char *folder, nf_backend *be,
                                     const nf_log *log, nerfit_error *err) {
    if (!folder)
        return nf_fail_at(err, NERFIT_ARGUMENT, name, 0, 0,
                          "holds descriptions, which take a sentence encoder: give its folder in "
                          "st_model_name");
    nf_sentence_encoder *encoder;
    nerfit_status status = nf_sentence_encoder_load(&encoder, folder, be, log, err);
    if (status != NERFIT_OK) return nf_fail_within(err, status, "sentence encoder for %s", name);
    status = encode(out, descriptions, encoder, name, be, log, err);
    nf_sentence_encoder_free(encoder);
    if (status != NERFIT_OK) nf_embeddings_free(out);
    return status;
}

static nerfit_status read_tensors(nf_embeddings *out, const char *path, nerfit_error *err) {
    nf_safetensors *file;
    NF_TRY(nf_safetensors_open(&file, path, err));
    nerfit_status status = from_tensors(out, file, path, err);
    nf_safetensors_close(file);
    if (status != NERFIT_OK) nf_embeddings_free(out);
    return status;
}

nerfit_status nf_embeddings_read(nf_embeddings *out, const char *path, const char *sentence_encoder,
                                 nf_backend *be, const nf_log *log, nerfit_error *err) {
    if (nf_path_has_ending(path, ".safetensors")) return read_tensors(out, path, err);
    nf_descriptions descriptions = {0};
    NF_TRY(nf_descriptions_read(&descriptions, path, err));
    nerfit_status status =
        nf_embeddings_describe(out, &descriptions, path, sentence_encoder, be, log, err);
    nf_descriptions_free(&descriptions);
    return status;
}

static nerfit_status copy(nf_embeddings *out, const char *const *types, size_t count, size_t size,
                          const float *vectors, const char *name, nerfit_error *err) {
    if (count == 0 || size == 0)
        return nf_fail_at(err, NERFIT_ARGUMENT, name, 0, 0, "holds no embeddings");
    NF_TRY(reserve(out, count, size, err));
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < size; k++)
            if (!isfinite(vectors[i * size + k]))
                return nf_fail_at(err, NERFIT_ARGUMENT, name, 0, 0,
                                  "value %zu of the embedding of \"%s\" is not finite", k + 1,
                                  types[i]);
        if (!(out->types[i] = nf_arena_strdup(&out->arena, types[i]))) return nf_no_memory(err, 0);
        out->count++;
    }
    memcpy(out->vectors, vectors, count * size * sizeof *vectors);
    return NERFIT_OK;
}

nerfit_status nf_embeddings_make(nf_embeddings *out, const char *const *types, size_t count,
                                 size_t size, const float *vectors, const char *name,
                                 nerfit_error *err) {
    nerfit_status status = copy(out, types, count, size, vectors, name, err);
    if (status != NERFIT_OK) nf_embeddings_free(out);
    return status;
}

void nf_embeddings_free(nf_embeddings *embeddings) {
    nf_arena_free(&embeddings->arena);
    *embeddings = (nf_embeddings){0};
}
