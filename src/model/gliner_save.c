/* Writing a GLiNER folder that the package loads (0.2.29: GLiNER.from_pretrained): gliner_config.json as
 * it was, with the encoders' configurations in it, so that nothing need be fetched; all tensors under
 * their own names, those that are not used here included; the tokenizers' files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/file.h"
#include "base/json.h"
#include "model/gliner.h"
#include "heads/nerfit_json.h"
#include "nn/store.h"

/* ---------------------------------------------------------------- tensors */

/* A stored tensor that parameters are parts of, and one that no parameter is. */
typedef struct whole_tensor {
    const nf_network *net;
    const nf_gliner *gliner;
    const char *name;
} whole_tensor;

static void fill_whole(const void *user, void *out) {
    const whole_tensor *w = user;
    nf_backend *be = w->net->be;
    for (size_t k = 0; k < w->gliner->n_parts; k++) {
        const nf_gliner_part *part = &w->gliner->parts[k];
        if (strcmp(part->name, w->name) != 0) continue;
        for (size_t r = 0; r < part->part->rows; r++)
            be->to_f32(be, (float *)out + (part->first_row + r) * part->cols + part->first_col,
                       nf_at(be, part->part->values, r * part->part->cols), part->part->cols);
    }
}

static void fill_stored(const void *user, void *out) {
    nerfit_error ignored; /* the type was looked at */
    nf_stored_to_f32(user, out, &ignored);
}

/* The tensors that are gathered. */
typedef struct tensor_list {
    nf_to_store *items;
    size_t count, capacity;
    nf_arena arena;
    nerfit_error *err;
} tensor_list;

static nf_to_store *list_add(tensor_list *list) {
    if (!nf_array_reserve(&list->items, &list->capacity, list->count + 1, sizeof *list->items))
        return NULL;
    return &list->items[list->count++];
}

static bool is_listed(const tensor_list *list, const char *name) {
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0) return true;
    return false;
}

static nerfit_status add_parts(tensor_list *list, const nf_model *model) {
    const nf_gliner *g = model->gliner;
    for (size_t k = 0; k < g->n_parts; k++) {
        const nf_gliner_part *part = &g->parts[k];
        if (is_listed(list, part->name)) continue;
        whole_tensor *whole = nf_arena_alloc(&list->arena, sizeof *whole);
        nf_to_store *tensor = list_add(list);
        if (!whole || !tensor) return nf_no_memory(list->err, sizeof *whole);
        bool vector = part->part->n_dims == 1;
        *whole = (whole_tensor){&model->net, g, part->name};
        *tensor = (nf_to_store){
            .name = part->name,
            .type = NF_STORED_F32,
            .n_dims = vector ? 1 : 2,
            .dims = {(int64_t)(vector ? part->cols : part->rows), (int64_t)part->cols},
            .fill = fill_whole,
            .fill_user = whole};
    }
    return NERFIT_OK;
}

static bool is_part(const nf_gliner *g, const nf_parameter *p) {
    for (size_t k = 0; k < g->n_parts; k++)
        if (g->parts[k].part == p) return true;
    return false;
}

static nerfit_status add_parameters(tensor_list *list, const nf_model *model) {
    const nf_network *net = &model->net;
    for (size_t i = 0; i < net->n_parameters; i++) {
        const nf_parameter *p = net->parameters[i];
        if (p->removed || is_part(model->gliner, p) || is_listed(list, p->name)) continue;
        nf_to_store *tensor = list_add(list);
        if (!tensor) return nf_no_memory(list->err, 0);
        NF_TRY(nf_store_parameter(tensor, &list->arena, net, p, "", list->err));
    }
    return NERFIT_OK;
}

/* What the file has beside them, for the package to find it. */
static nerfit_status add_unused(tensor_list *list, const nf_model *model) {
    if (!model->weights) return NERFIT_OK; /* it was not read from a file */
    size_t before = strlen(nf_gliner_wrapper(model->weights));
    for (size_t i = 0; i < nf_safetensors_count(model->weights); i++) {
        const nf_stored *stored = nf_safetensors_at(model->weights, i);
        const char *name = stored->name + before;
        if (stored->type > NF_STORED_BF16 || is_listed(list, name)) continue;
        nf_to_store *tensor = list_add(list);
        if (!tensor) return nf_no_memory(list->err, 0);
        *tensor = (nf_to_store){.name = name,
                                .type = NF_STORED_F32,
                                .n_dims = stored->n_dims,
                                .fill = fill_stored,
                                .fill_user = stored};
        memcpy(tensor->dims, stored->dims, sizeof tensor->dims);
    }
    return NERFIT_OK;
}

static nerfit_status save_tensors(const nf_model *model, const char *path, nerfit_error *err) {
    static const char *const metadata[] = {"format", "pt", NULL};
    tensor_list list = {.err = err};
    nerfit_status status = add_parts(&list, model);
    if (status == NERFIT_OK) status = add_parameters(&list, model);
    if (status == NERFIT_OK) status = add_unused(&list, model);
    if (status == NERFIT_OK)
        status = nf_safetensors_save(path, list.items, list.count, metadata, err);
    free(list.items);
    nf_arena_free(&list.arena);
    return status;
}

/* ---------------------------------------------------------------- the folder */

/* An encoder's configuration, with the rows that its word embeddings have, unless there is one. */
static int set_encoder(json_t *config, const char *key, const json_t *encoder, size_t rows) {
    if (json_is_object(json_object_get(config, key))) return 0;
    json_t *copy = json_deep_copy(encoder);
    if (!copy) return -1;
    json_object_set_new(copy, "vocab_size", json_integer((json_int_t)rows));
    return json_object_set_new(config, key, copy);
}

static nerfit_status save_config(const nf_model *model, const char *path, nerfit_error *err) {
    const nf_gliner *g = model->gliner;
    json_t *config = json_deep_copy(g->json);
    int failed = !config;
    if (!failed)
        failed = set_encoder(config, "encoder_config", model->config, model->encoder.vocabulary);
    if (!failed && g->labels_config)
        failed = set_encoder(config, "labels_encoder_config", g->labels_config,
                             g->labels_encoder.vocabulary);
    nerfit_status status = failed ? nf_no_memory(err, 0) : nf_json_save(config, path, err);
    json_decref(config);
    return status;
}

/* nerfit.json: what calls that name no labels look for, and what a word is, where that is not the package's. */
static nerfit_status save_labels(const nf_gliner *g, const char *folder, nerfit_error *err) {
    size_t n = g->precomputed ? 0 : g->n_labels;
    if (n == 0 && !g->characters) return nf_nerfit_json_save(NULL, folder, err);
    json_t *labels = json_object(), *json = json_pack("{s:o?}", "labels", labels);
    int failed = !labels || !json;
    for (size_t i = 0; i < n && !failed; i++)
        failed = json_object_set_new(labels, g->names[i], json_string(g->prompts[i]));
    if (!failed && n == 0) failed = json_object_del(json, "labels");
    if (!failed && g->characters) failed = json_object_set_new(json, "characters", json_true());
    nerfit_status status = failed ? nf_no_memory(err, 0) : nf_nerfit_json_save(json, folder, err);
    json_decref(json);
    return status;
}

static nerfit_status read_characters(nf_gliner *g, const json_t *json, const char *path,
                                     nerfit_error *err) {
    const json_t *value = json_object_get(json, "characters");
    if (value && !json_is_boolean(value))
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "\"characters\": expected true or false");
    g->characters = json_is_true(value);
    return NERFIT_OK;
}

/* nerfit.json's "labels" and "thresholds" {name: what is read}, {name: number}. */
static nerfit_status read_labels(nf_model *model, const json_t *json, const char *path,
                                 nerfit_error *err) {
    nf_gliner *g = model->gliner;
    nf_arena *arena = &model->net.arena;
    json_t *labels = json_object_get(json, "labels"), *value;
    const json_t *limits = json_object_get(json, "thresholds");
    size_t n = json_object_size(labels), i = 0;
    const char *name;
    NF_TRY(read_characters(g, json, path, err));
    if (!labels) return NERFIT_OK;
    const char **names = nf_arena_calloc(arena, 2 * n + 1, sizeof *names), **prompts = names + n;
    double *thresholds = nf_arena_calloc(arena, n + 1, sizeof *thresholds);
    if (!names || !thresholds) return nf_no_memory(err, n * sizeof *names);
    json_object_foreach(labels, name, value) {
        const json_t *limit = json_object_get(limits, name);
        double number = limit ? json_number_value(limit) : NF_GLINER_THRESHOLD;
        if (!json_is_string(value) || (limit && !json_is_number(limit)) || number < 0 || number > 1)
            return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                              "label \"%s\": expected a text in \"labels\" and a number from 0 to "
                              "1 in \"thresholds\"",
                              name);
        thresholds[i] = number;
        names[i] = name;
        prompts[i++] = json_string_value(value);
    }
    if (n == 0) return NERFIT_OK;
    NF_TRY(nf_gliner_set_labels(model, names, prompts, n, err));
    g->thresholds = thresholds;
    return NERFIT_OK;
}

nerfit_status nf_gliner_load_labels(nf_model *model, const char *folder, nerfit_error *err) {
    nf_arena arena = {0};
    const char *path;
    json_t *json;
    nerfit_status status = nf_nerfit_json_load(&json, &path, &arena, folder, err);
    if (status == NERFIT_OK && json) status = read_labels(model, json, path, err);
    json_decref(json);
    nf_arena_free(&arena);
    return status;
}

nerfit_status nf_gliner_save_thresholds(const char *folder, const char *const *labels,
                                        const double *thresholds, size_t count, nerfit_error *err) {
    nf_arena arena = {0};
    const char *path;
    json_t *json, *limits = json_object();
    nerfit_status status =
        limits ? nf_nerfit_json_load(&json, &path, &arena, folder, err) : nf_no_memory(err, 0);
    if (status == NERFIT_OK && !json) json = json_object();
    for (size_t i = 0; i < count && status == NERFIT_OK; i++)
        json_object_set_new(limits, labels[i], json_real(thresholds[i]));
    if (status == NERFIT_OK && json_object_set(json, "thresholds", limits))
        status = nf_no_memory(err, 0);
    if (status == NERFIT_OK) status = nf_nerfit_json_save(json, folder, err);
    json_decref(status == NERFIT_OK ? json : NULL);
    json_decref(limits);
    nf_arena_free(&arena);
    return status;
}

nerfit_status nf_gliner_save(const nf_model *model, const char *folder, nerfit_error *err) {
    const nf_gliner *g = model->gliner;
    nf_arena arena = {0};
    const char *config = nf_path_join(&arena, folder, "gliner_config.json");
    const char *weights = nf_path_join(&arena, folder, "model.safetensors");
    const char *labels = nf_path_join(&arena, folder, "labels_tokenizer");
    nerfit_status status = config && weights && labels ? NERFIT_OK : nf_no_memory(err, 0);
    if (status == NERFIT_OK) status = save_tensors(model, weights, err);
    if (status == NERFIT_OK) status = save_config(model, config, err);
    if (status == NERFIT_OK) status = nf_tokenizer_save(model->tokenizer, folder, err);
    if (status == NERFIT_OK && g->labels_tokenizer)
        status = nf_tokenizer_save(g->labels_tokenizer, labels, err);
    if (status == NERFIT_OK) status = save_labels(g, folder, err);
    nf_arena_free(&arena);
    return status;
}
