/* Writing a model folder that transformers loads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "model/model.h"
#include "model/save.h"
#include "nn/store.h"
#include "model/word_shape.h"

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
        bool own = p->role == NF_ROLE_HEAD && p->head == model->head;
        if (p->removed || !(own || p->role == NF_ROLE_ENCODER)) continue;
        /* the bare encoder is named without the prefix, as AutoModel saves it */
        bool prefixed = model->head && !own;
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
        failed |=
            json_object_set_new(config, "architectures",
                                json_pack("[s]", model->head ? architecture->class_name
                                                             : architecture->encoder_class_name));
        failed |= json_object_set_new(config, "torch_dtype", json_string("float32"));
        json_object_del(config, "dtype");
        if (model->head) {
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

/* Those of transformers' folder. */
static nerfit_status save_own_files(const nf_model *model, const char *folder, const char *weights,
                                    nerfit_error *err) {
    NF_TRY(save_weights(model, weights, err));
    NF_TRY(nf_save_config(model, folder, err));
    return model->tokenizer ? nf_tokenizer_save(model->tokenizer, folder, err) : NERFIT_OK;
}

nerfit_status nf_model_save(const nf_model *model, const char *folder, nerfit_error *err) {
    for (size_t i = 0; i < model->net.n_linears; i++)
        if (model->net.linears[i]->lora)
            return nf_fail(err, NERFIT_INTERNAL,
                           "the adapter must be merged before a whole model is saved");
    NF_TRY(nf_directory_make(folder, err));
    nf_arena arena = {0};
    const char *path = nf_path_join(&arena, folder, "model.safetensors");
    nerfit_status status = path ? NERFIT_OK : nf_no_memory(err, 0);
    if (status == NERFIT_OK)
        status = model->kind ? model->kind->save(model, folder, err)
                             : save_own_files(model, folder, path, err);
    if (status == NERFIT_OK && !model->kind)
        status = nf_decoding_save(&model->decoding, folder, err);
    if (status == NERFIT_OK) status = nf_word_shape_save(model, folder, err);
    nf_arena_free(&arena);
    return status;
}
