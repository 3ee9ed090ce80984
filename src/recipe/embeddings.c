#include "recipe/embeddings.h"

#include <math.h>
#include <string.h>

#include "base/ascii.h"
#include "base/file.h"
#include "data/labels.h"
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

/* ---------------------------------------------------------------- descriptions */

bool nf_label_text_find(const char *name, nf_label_text *out) {
    static const char *const names[] = {"auto", "mean", "description", "name"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (nf_ascii_same(name ? name : "auto", names[i])) {
            *out = (nf_label_text)i;
            return true;
        }
    return false;
}

/* Of the development sets' labels, zero-shot: docs/evaluation.md. */
static const float NAME_SHARE = 0.25f;

/* A label's texts: names first. */
typedef struct label_reading {
    const char **texts; /* [count] of all labels */
    size_t *firsts;     /* [labels + 1] */
    size_t *n_names;    /* [labels] */
    size_t count;
} label_reading;

static nerfit_status label_reading_add(label_reading *r, nf_arena *arena, const nf_descriptions *d,
                                       size_t i, nf_label_text rule, nerfit_error *err) {
    const nf_label_texts further = d->further ? d->further[i] : (nf_label_texts){0};
    const char *name = nf_label_phrase(arena, d->labels[i]);
    if (!name) return nf_no_memory(err, strlen(d->labels[i]));
    r->firsts[i] = r->count;
    if (rule != NF_LABEL_TEXT_DESCRIPTION) {
        r->texts[r->count++] = name;
        for (size_t k = 0; k < further.n_names; k++) r->texts[r->count++] = further.names[k];
    }
    r->n_names[i] = r->count - r->firsts[i];
    bool described = strcmp(name, d->texts[i]) != 0 || rule == NF_LABEL_TEXT_DESCRIPTION;
    if (rule != NF_LABEL_TEXT_NAME) {
        if (described) r->texts[r->count++] = d->texts[i];
        for (size_t k = 0; k < further.n_descriptions; k++)
            r->texts[r->count++] = further.descriptions[k];
    }
    r->firsts[i + 1] = r->count;
    return NERFIT_OK;
}

static nerfit_status label_reading_make(label_reading *r, nf_arena *arena, const nf_descriptions *d,
                                        nf_label_text rule, nerfit_error *err) {
    size_t most = 2 * d->count;
    for (size_t i = 0; d->further && i < d->count; i++)
        most += d->further[i].n_names + d->further[i].n_descriptions;
    *r = (label_reading){.texts = nf_arena_calloc(arena, most + 1, sizeof *r->texts),
                         .firsts = nf_arena_calloc(arena, d->count + 1, sizeof *r->firsts),
                         .n_names = nf_arena_calloc(arena, d->count + 1, sizeof *r->n_names)};
    if (!r->texts || !r->firsts || !r->n_names) return nf_no_memory(err, most * sizeof *r->texts);
    for (size_t i = 0; i < d->count; i++) NF_TRY(label_reading_add(r, arena, d, i, rule, err));
    return NERFIT_OK;
}

static void add_mean(float *out, const float *vectors, size_t count, size_t size, float share) {
    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < size; i++) out[i] += share * vectors[k * size + i] / (float)count;
}

void nf_embeddings_mean(float *out, const nf_label_vectors *label, float name_share) {
    size_t n = label->n_names, size = label->size;
    double squares = 0.0;
    if (label->count == 1) {
        memcpy(out, label->vectors, size * sizeof *out);
        return;
    }
    memset(out, 0, size * sizeof *out);
    if (n) add_mean(out, label->vectors, n, size, name_share);
    if (label->count > n)
        add_mean(out, label->vectors + n * size, label->count - n, size, 1.0f - name_share);
    for (size_t i = 0; i < size; i++) squares += (double)out[i] * (double)out[i];
    float scale = squares > 0.0 ? (float)(1.0 / sqrt(squares)) : 0.0f;
    for (size_t i = 0; i < size; i++) out[i] *= scale;
}

static nerfit_status encode(nf_embeddings *out, const nf_descriptions *d,
                            const nf_sentence_encoder *encoder, const char *name,
                            const nf_embedder *by, nerfit_error *err) {
    size_t cut = 0, size = encoder->size;
    label_reading r;
    NF_TRY(label_reading_make(&r, &out->arena, d, by->rule, err));
    NF_TRY(reserve(out, d->count, size, err));
    float *vectors = nf_arena_calloc(&out->arena, r.count * size + 1, sizeof *vectors);
    if (!vectors) return nf_no_memory(err, r.count * size * sizeof *vectors);
    NF_TRY(nf_sentence_encoder_encode(encoder, by->be, r.texts, r.count, true, vectors, &cut, err));
    for (size_t i = 0; i < d->count; i++) {
        const nf_label_vectors label = {vectors + r.firsts[i] * size, r.n_names[i],
                                        r.firsts[i + 1] - r.firsts[i], size};
        nf_embeddings_mean(out->vectors + i * size, &label, NAME_SHARE);
        out->types[i] = nf_arena_strdup(&out->arena, d->labels[i]);
        if (!out->types[i]) return nf_no_memory(err, 0);
        out->count++;
    }
    if (cut)
        nf_log_warning(by->log,
                       "%s: %zu descriptions are longer than the sentence encoder's %zu tokens "
                       "and were cut there",
                       name, cut, encoder->max_length);
    return NERFIT_OK;
}

/* The encoder's model, unless it has layers that are the sentence encoder's own. */
static void hand_over(nf_sentence_encoder *encoder, const nf_embedder *by) {
    for (size_t i = 0; i < encoder->n_modules; i++)
        if (encoder->modules[i].dense) return;
    if (!by->model || strcmp(encoder->model->folder, by->sentence_encoder) != 0) return;
    nf_network_unprepare(&encoder->model->net);
    *by->model = encoder->model;
    encoder->model = NULL;
}

nerfit_status nf_embeddings_describe(nf_embeddings *out, const nf_descriptions *descriptions,
                                     const char *name, const nf_embedder *by, nerfit_error *err) {
    if (!by->sentence_encoder)
        return nf_fail_at(err, NERFIT_ARGUMENT, name, 0, 0,
                          "holds descriptions, which take a sentence encoder: give its folder in "
                          "st_model_name");
    nf_sentence_encoder *encoder;
    nerfit_status status =
        nf_sentence_encoder_load(&encoder, by->sentence_encoder, by->be, by->log, err);
    if (status != NERFIT_OK) return nf_fail_within(err, status, "sentence encoder for %s", name);
    status = encode(out, descriptions, encoder, name, by, err);
    if (status == NERFIT_OK) hand_over(encoder, by);
    nf_sentence_encoder_free(encoder);
    if (status != NERFIT_OK) nf_embeddings_free(out);
    return status;
}

bool nf_embeddings_is_file(const char *ent2emb) {
    return ent2emb && nf_path_has_ending(ent2emb, ".safetensors");
}

nerfit_status nf_embeddings_read(nf_embeddings *out, const char *path, nerfit_error *err) {
    nf_safetensors *file;
    NF_TRY(nf_safetensors_open(&file, path, err));
    nerfit_status status = from_tensors(out, file, path, err);
    nf_safetensors_close(file);
    if (status != NERFIT_OK) nf_embeddings_free(out);
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
