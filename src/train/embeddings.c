#include "train/embeddings.h"

#include <string.h>

#include "base/file.h"
#include "data/descriptions.h"
#include "model/sentence.h"
#include "tensor/safetensors.h"

static nerfit_status reserve(nf_embeddings *out, size_t count, size_t size, nerfit_error *err) {
    out->types = nf_arena_calloc(&out->arena, count + 1, sizeof *out->types);
    out->vectors = nf_arena_calloc(&out->arena, count * size + 1, sizeof *out->vectors);
    out->size = size;
    return out->types && out->vectors ? NERFIT_OK : nf_no_memory(err, count * size);
}

static nerfit_status from_tensors(nf_embeddings *out, const nf_safetensors *file,
                                  const char *path, nerfit_error *err) {
    size_t count = nf_safetensors_count(file);
    if (count == 0) return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "holds no embeddings");
    NF_TRY(reserve(out, count, nf_safetensors_at(file, 0)->count, err));
    for (size_t i = 0; i < count; i++) {
        const nf_stored *stored = nf_safetensors_at(file, i);
        if (stored->count != out->size || stored->count == 0)
            return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                              "the embedding of \"%s\" has %zu values, that of \"%s\" %zu; all "
                              "should have the same",
                              stored->name, stored->count, out->count ? out->types[0] : "", out->size);
        NF_TRY(nf_stored_to_f32(stored, out->vectors + i * out->size, err));
        if (!(out->types[i] = nf_arena_strdup(&out->arena, stored->name)))
            return nf_no_memory(err, 0);
        out->count++;
    }
    return NERFIT_OK;
}

static nerfit_status from_descriptions(nf_embeddings *out, const char *path, const char *folder,
                                       nf_backend *be, const nf_log *log, nerfit_error *err) {
    nf_descriptions descriptions = {0};
    nf_sentence_encoder *encoder = NULL;
    NF_TRY(nf_descriptions_read(&descriptions, path, err));
    nerfit_status status = nf_sentence_encoder_load(&encoder, folder, be, log, err);
    if (status != NERFIT_OK) nf_fail_within(err, status, "sentence encoder for %s", path);
    if (status == NERFIT_OK) status = reserve(out, descriptions.count, encoder->size, err);
    size_t cut = 0;
    if (status == NERFIT_OK)
        status = nf_sentence_encoder_encode(encoder, be, descriptions.texts, descriptions.count,
                                            true, out->vectors, &cut, err);
    for (size_t i = 0; i < descriptions.count && status == NERFIT_OK; i++) {
        out->types[i] = nf_arena_strdup(&out->arena, descriptions.labels[i]);
        if (!out->types[i]) status = nf_no_memory(err, 0);
        out->count++;
    }
    if (cut)
        nf_log_warning(log, "%s: %zu descriptions are longer than the sentence encoder's %zu tokens "
                       "and were cut there", path, cut, encoder->max_length);
    nf_sentence_encoder_free(encoder);
    nf_descriptions_free(&descriptions);
    return status;
}

nerfit_status nf_embeddings_read(nf_embeddings *out, const char *path,
                                 const char *sentence_encoder, nf_backend *be, const nf_log *log,
                                 nerfit_error *err) {
    nerfit_status status;
    if (nf_path_has_ending(path, ".safetensors")) {
        nf_safetensors *file;
        NF_TRY(nf_safetensors_open(&file, path, err));
        status = from_tensors(out, file, path, err);
        nf_safetensors_close(file);
    } else if (!sentence_encoder) {
        status = nf_fail(err, NERFIT_ARGUMENT,
                         "ent2emb: %s holds descriptions, which take a sentence encoder: give its "
                         "folder in st_model_name",
                         path);
    } else {
        status = from_descriptions(out, path, sentence_encoder, be, log, err);
    }
    if (status != NERFIT_OK) nf_embeddings_free(out);
    return status;
}

void nf_embeddings_free(nf_embeddings *embeddings) {
    nf_arena_free(&embeddings->arena);
    *embeddings = (nf_embeddings){0};
}
