/* Writing a model folder that transformers loads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "model/adapter.h"
#include "model/model.h"
#include "model/save.h"
#include "model/word_shape.h"

/* One of LoRA's own parameters: it is merged, not written. */
static bool is_adapter(const nf_parameter *p) {
    return strstr(p->name, ".lora_") != NULL;
}

static bool is_of(const nf_linear *linear, const nf_parameter *p) {
    return linear && (p == linear->weight || p == linear->bias);
}

typedef struct source {
    const nf_network *net;
    const nf_parameter *parameter;
} source;

/* What was read of the model's own file for it is given back. */
static void fill_values(const void *user, void *out) {
    const source *from = user;
    nf_backend *be = from->net->be;
    be->to_f32(be, out, from->parameter->values, nf_parameter_count(from->parameter));
    if (from->net->source) nf_safetensors_forget(from->net->source);
}

nerfit_status nf_store_parameter(nf_to_store *out, nf_arena *arena, const nf_network *net,
                                 const nf_parameter *p, const char *prefix, nerfit_error *err) {
    return nf_store_parameter_as(out, arena, net, p, prefix, p->name, err);
}

nerfit_status nf_store_parameter_as(nf_to_store *out, nf_arena *arena, const nf_network *net,
                                    const nf_parameter *p, const char *prefix, const char *own,
                                    nerfit_error *err) {
    size_t length = strlen(prefix) + strlen(own) + 1;
    source *from = nf_arena_alloc(arena, sizeof *from);
    char *name = nf_arena_alloc(arena, length);
    if (!from || !name) return nf_no_memory(err, length);
    snprintf(name, length, "%s%s", prefix, own);
    *from = (source){net, p};
    *out = (nf_to_store){.name = name,
                         .type = NF_STORED_F32,
                         .n_dims = p->n_dims,
                         .fill = fill_values,
                         .fill_user = from};
    out->dims[0] = (int64_t)(p->n_dims == 1 ? p->cols : p->rows);
    out->dims[1] = (int64_t)p->cols;
    return NERFIT_OK;
}

static nerfit_status save_weights(const nf_model *model, const char *path, nerfit_error *err) {
    static const char *const metadata[] = {"format", "pt", NULL};
    const nf_network *net = &model->net;
    nf_to_store *tensors = calloc(net->n_parameters + 1, sizeof *tensors);
    if (!tensors) return nf_no_memory(err, net->n_parameters * sizeof *tensors);
    nf_arena arena = {0};
    size_t count = 0;
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < net->n_parameters && status == NERFIT_OK; i++) {
        const nf_parameter *p = net->parameters[i];
        if (p->removed || is_adapter(p) || is_of(model->projection, p) ||
            nf_description_head_owns(p) || nf_word_shape_is(model, p))
            continue;
        /* the bare encoder is named without the prefix, as AutoModel saves it */
        bool prefixed = model->classifier && !nf_head_has(model, p);
        status = nf_store_parameter(&tensors[count++], &arena, net, p,
                                    prefixed ? model->architecture->prefix : "", err);
    }
    if (status == NERFIT_OK) status = nf_safetensors_save(path, tensors, count, metadata, err);
    nf_arena_free(&arena);
    free(tensors);
    return status;
}

nerfit_status nf_save_config(const nf_model *model, const char *folder, nerfit_error *err) {
    const nf_architecture *architecture = model->architecture;
    json_t *config = json_deep_copy(model->config);
    json_t *id2label = json_object(), *label2id = json_object();
    nf_arena arena = {0};
    const char *path = nf_path_join(&arena, folder, "config.json");
    nerfit_status status = NERFIT_OK;
    int failed = !config || !id2label || !label2id || !path;
    for (size_t i = 0; i < model->n_labels && !failed; i++) {
        char key[32];
        snprintf(key, sizeof key, "%zu", i);
        failed |= json_object_set_new(id2label, key, json_string(model->labels[i]));
        failed |= json_object_set_new(label2id, model->labels[i], json_integer((json_int_t)i));
    }
    if (!failed) {
        failed |= json_object_set_new(config, "architectures",
                                      json_pack("[s]", model->classifier
                                                           ? architecture->class_name
                                                           : architecture->encoder_class_name));
        failed |= json_object_set_new(config, "torch_dtype", json_string("float32"));
        json_object_del(config, "dtype");
        if (model->classifier) {
            failed |= json_object_set(config, "id2label", id2label);
            failed |= json_object_set(config, "label2id", label2id);
        }
    }
    status = failed ? nf_no_memory(err, 0) : nf_json_save(config, path, err);
    json_decref(config);
    json_decref(id2label);
    json_decref(label2id);
    nf_arena_free(&arena);
    return status;
}

nerfit_status nf_model_save(const nf_model *model, const char *folder, nerfit_error *err) {
    for (size_t i = 0; i < model->net.n_linears; i++)
        if (model->net.linears[i]->lora)
            return nf_fail(err, NERFIT_INTERNAL,
                           "the adapter must be merged before a whole model is saved");
    NF_TRY(nf_directory_make(folder, err));
    nf_arena arena = {0};
    const char *path = nf_path_join(&arena, folder, "model.safetensors");
    nerfit_status status = path ? save_weights(model, path, err) : nf_no_memory(err, 0);
    if (status == NERFIT_OK) status = nf_save_config(model, folder, err);
    if (status == NERFIT_OK && model->tokenizer)
        status = nf_tokenizer_save(model->tokenizer, folder, err);
    if (status == NERFIT_OK) status = nf_decoding_save(&model->decoding, folder, err);
    if (status == NERFIT_OK) status = nf_word_shape_save(model, folder, err);
    nf_arena_free(&arena);
    return status;
}
