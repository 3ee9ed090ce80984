/* Names in PEFT's files: "base_model.model." + the module's path in the wrapped model (with the
 * architecture's prefix if that model has a head) + ".lora_A.weight" and so on; modules_to_save by
 * their plain names. A file made around a bare encoder (as in stage 1) lacks the prefix; both are
 * read here whatever the model at hand is, where PEFT itself would silently load nothing. */
#include "model/adapter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "model/save.h"
#include "model/word_shape.h"

static const char PEFT_PREFIX[] = "base_model.model.";
static const char *const query_and_value[] = {"query", "value", NULL};

bool nf_adapter_folder(const char *folder) {
    return nf_file_exists_in(folder, "adapter_config.json");
}

/* PEFT's check_target_module_exists: equal, or ending in "." + target. */
static bool matches(const char *name, const char *target) {
    size_t length = strlen(name), wanted = strlen(target);
    if (length < wanted || strcmp(name + length - wanted, target) != 0) return false;
    return length == wanted || name[length - wanted - 1] == '.';
}

static bool is_head(const nf_model *model, const nf_linear *linear) {
    return linear == model->classifier || linear == model->projection ||
           (model->head && linear == model->head->dense);
}

static bool targeted(const nf_model *model, const nf_linear *linear, char *const *targets,
                     size_t count) {
    if (is_head(model, linear) || linear->weight->removed) return false;
    if (count == 1 && strcmp(targets[0], "all-linear") == 0) return true;
    for (size_t i = 0; i < count; i++)
        if (matches(linear->name, targets[i])) return true;
    return false;
}

/* "query, key, value, ...": the last parts of the names that can be adapted. */
static void list_names(const nf_model *model, nf_str *out) {
    for (size_t i = 0; i < model->net.n_linears; i++) {
        const nf_linear *linear = model->net.linears[i];
        if (is_head(model, linear)) continue;
        const char *dot = strrchr(linear->name, '.');
        const char *last = dot ? dot + 1 : linear->name;
        char item[128];
        snprintf(item, sizeof item, ", %s,", last);
        nf_str seen = {0};
        nf_str_appendf(&seen, ", %s,", nf_str_text(out));
        if (!strstr(nf_str_text(&seen), item))
            nf_str_appendf(out, "%s%s", out->length ? ", " : "", last);
        nf_str_free(&seen);
    }
}

static nerfit_status copy_names(nf_arena *arena, char ***names, size_t count, nerfit_error *err) {
    char **copies = nf_arena_calloc(arena, count + 1, sizeof *copies);
    if (!copies) return nf_no_memory(err, 0);
    for (size_t i = 0; i < count; i++)
        if (!(copies[i] = nf_arena_strdup(arena, (*names)[i]))) return nf_no_memory(err, 0);
    *names = copies;
    return NERFIT_OK;
}

static void train_saved_modules(nf_model *model, const nf_adapter_config *config) {
    for (size_t i = 0; i < model->net.n_parameters; i++) {
        nf_parameter *p = model->net.parameters[i];
        char module[512];
        snprintf(module, sizeof module, "%s", p->name);
        char *dot = strrchr(module, '.');
        if (!dot || p->removed) continue;
        *dot = '\0';
        for (size_t j = 0; j < config->n_modules_to_save; j++)
            if (matches(module, config->modules_to_save[j])) p->trained = true;
    }
}

nerfit_status nf_adapter_add(nf_model *model, const nf_adapter_config *given, uint64_t seed,
                             nerfit_error *err) {
    nf_network *net = &model->net;
    nf_adapter *adapter = nf_arena_calloc(&net->arena, 1, sizeof *adapter);
    if (!adapter) return nf_no_memory(err, sizeof *adapter);
    adapter->config = *given;
    nf_adapter_config *config = &adapter->config;
    if (config->r == 0) return nf_fail(err, NERFIT_ARGUMENT, "lora_r must be at least 1");
    if (!config->target_modules || config->n_target_modules == 0) {
        const char *const *targets = model->architecture->lora_targets;
        if (!targets) targets = query_and_value;
        config->target_modules = (char **)(uintptr_t)targets;
        config->n_target_modules = 0;
        while (targets[config->n_target_modules]) config->n_target_modules++;
    }
    NF_TRY(copy_names(&net->arena, &config->target_modules, config->n_target_modules, err));
    NF_TRY(copy_names(&net->arena, &config->modules_to_save, config->n_modules_to_save, err));
    double scaling = config->use_rslora ? config->lora_alpha / sqrt((double)config->r)
                                        : config->lora_alpha / (double)config->r;
    nf_model_train_encoder(model, false);
    size_t n_linears = net->n_linears;
    for (size_t i = 0; i < n_linears; i++) {
        nf_linear *linear = net->linears[i];
        if (!targeted(model, linear, config->target_modules, config->n_target_modules)) continue;
        NF_TRY(nf_linear_add_lora(net, linear, config->r, scaling, config->lora_dropout,
                                  config->use_dora, seed, err));
        adapter->n_adapted++;
    }
    if (adapter->n_adapted == 0) {
        nf_str names = {0};
        list_names(model, &names);
        nerfit_status status =
            nf_fail(err, NERFIT_ARGUMENT,
                    "target_modules names no linear layer of this model; there are: %s (or "
                    "all-linear)",
                    nf_str_text(&names));
        nf_str_free(&names);
        return status;
    }
    train_saved_modules(model, config);
    model->adapter = adapter;
    return NERFIT_OK;
}

nerfit_status nf_adapter_merge(nf_model *model, nerfit_error *err) {
    for (size_t i = 0; i < model->net.n_linears; i++)
        NF_TRY(nf_linear_merge(&model->net, model->net.linears[i], err));
    model->adapter = NULL;
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- reading */

typedef struct reader {
    const char *path;
    json_t *json;
    nerfit_error *err;
    nerfit_status status;
} reader;

static void wrong(reader *in, const char *key, const char *expected) {
    if (in->status == NERFIT_OK)
        in->status = nf_fail_at(in->err, NERFIT_FORMAT, in->path, 0, 0, "\"%s\" should be %s", key,
                                expected);
}

static double read_number(reader *in, const char *key, double fallback) {
    json_t *value = json_object_get(in->json, key);
    if (!value || json_is_null(value)) return fallback;
    if (!json_is_number(value)) wrong(in, key, "a number");
    return json_number_value(value);
}

/* A list of names, or one name. */
static void read_names(reader *in, const char *key, nf_arena *arena, char ***names, size_t *count) {
    json_t *value = json_object_get(in->json, key);
    *names = NULL;
    *count = 0;
    if (!value || json_is_null(value)) return;
    size_t n = json_is_array(value) ? json_array_size(value) : 1;
    *names = nf_arena_calloc(arena, n + 1, sizeof **names);
    for (size_t i = 0; i < n && *names; i++) {
        json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_string(item))
            wrong(in, key, "a name or a list of names");
        else if (((*names)[(*count)++] = nf_arena_strdup(arena, json_string_value(item))) == NULL)
            *names = NULL;
    }
    if (!*names && in->status == NERFIT_OK) in->status = nf_no_memory(in->err, 0);
}

/* Fields that change the arithmetic and that are not implemented: another value is an error. */
static void refuse_unsupported(reader *in) {
    static const char *const empty[] = {
        "rank_pattern",      "alpha_pattern",   "layers_to_transform", "layers_pattern",
        "layer_replication", "exclude_modules", "target_parameters",   "trainable_token_indices"};
    static const char *const off[] = {"fan_in_fan_out", "lora_bias", "use_qalora"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        json_t *value = json_object_get(in->json, empty[i]);
        bool none = !value || json_is_null(value) ||
                    (json_is_object(value) && json_object_size(value) == 0) ||
                    (json_is_array(value) && json_array_size(value) == 0);
        if (!none && in->status == NERFIT_OK)
            in->status = nf_fail_at(in->err, NERFIT_UNSUPPORTED, in->path, 0, 0,
                                    "\"%s\" is not supported", empty[i]);
    }
    for (size_t i = 0; i < sizeof off / sizeof *off; i++)
        if (json_is_true(json_object_get(in->json, off[i])) && in->status == NERFIT_OK)
            in->status = nf_fail_at(in->err, NERFIT_UNSUPPORTED, in->path, 0, 0,
                                    "\"%s\": true is not supported", off[i]);
    const char *type = json_string_value(json_object_get(in->json, "peft_type"));
    if ((!type || strcmp(type, "LORA") != 0) && in->status == NERFIT_OK)
        in->status =
            nf_fail_at(in->err, NERFIT_UNSUPPORTED, in->path, 0, 0,
                       "\"peft_type\" is %s; only LORA is supported", type ? type : "missing");
    const char *bias = json_string_value(json_object_get(in->json, "bias"));
    if (bias && strcmp(bias, "none") != 0 && in->status == NERFIT_OK)
        in->status = nf_fail_at(in->err, NERFIT_UNSUPPORTED, in->path, 0, 0,
                                "\"bias\": \"%s\" is not supported; expected \"none\"", bias);
}

static nerfit_status read_config(nf_adapter_config *config, json_t *json, const char *path,
                                 nf_arena *arena, nerfit_error *err) {
    reader in = {path, json, err, NERFIT_OK};
    refuse_unsupported(&in);
    double r = read_number(&in, "r", 8);
    if (r < 1 || r > 65536 || r != floor(r)) wrong(&in, "r", "a whole number from 1 to 65536");
    *config = (nf_adapter_config){
        .r = r >= 1 && r <= 65536 ? (size_t)r : 1,
        .lora_alpha = read_number(&in, "lora_alpha", 8),
        .lora_dropout = read_number(&in, "lora_dropout", 0),
        .use_dora = json_is_true(json_object_get(json, "use_dora")),
        .use_rslora = json_is_true(json_object_get(json, "use_rslora")),
        .inference_mode = json_is_true(json_object_get(json, "inference_mode")),
    };
    read_names(&in, "target_modules", arena, &config->target_modules, &config->n_target_modules);
    read_names(&in, "modules_to_save", arena, &config->modules_to_save, &config->n_modules_to_save);
    return in.status;
}

nerfit_status nf_adapter_base(char **out, nf_arena *arena, const char *folder, nerfit_error *err) {
    const char *path = nf_path_join(arena, folder, "adapter_config.json");
    if (!path) return nf_no_memory(err, 0);
    json_t *json;
    NF_TRY(nf_json_load(&json, path, err));
    const char *base = json_string_value(json_object_get(json, "base_model_name_or_path"));
    nerfit_status status = NERFIT_OK;
    if (!base)
        status = nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                            "has no \"base_model_name_or_path\"; expected the base model's folder");
    else if (!(*out = nf_path_join(arena, folder, base)))
        status = nf_no_memory(err, 0);
    json_decref(json);
    return status;
}

/* Our parameter of a PEFT name, prefix of wrapper and architecture taken off. */
static nf_parameter *find_parameter(const nf_model *model, const char *name) {
    if (strncmp(name, PEFT_PREFIX, sizeof PEFT_PREFIX - 1) != 0) return NULL;
    name += sizeof PEFT_PREFIX - 1;
    size_t length = strlen(model->architecture->prefix);
    if (strncmp(name, model->architecture->prefix, length) == 0) name += length;
    /* before PEFT 0.12 the magnitude was "lora_magnitude_vector.weight" or a bare parameter */
    char path[512];
    snprintf(path, sizeof path, "%s", name);
    char *end = strstr(path, ".lora_magnitude_vector");
    if (end) end[strlen(".lora_magnitude_vector")] = '\0';
    return nf_network_find(&model->net, path);
}

static nerfit_status load_values(nf_model *model, const nf_safetensors *file, nerfit_error *err) {
    const char *where = nf_safetensors_path(file);
    size_t lora = 0;
    for (size_t i = 0; i < nf_safetensors_count(file); i++) {
        const nf_stored *stored = nf_safetensors_at(file, i);
        nf_parameter *p = find_parameter(model, stored->name);
        if (!p)
            return nf_fail_at(err, NERFIT_FORMAT, where, 0, 0,
                              "tensor \"%s\" belongs to no part of this model (model_type \"%s\")",
                              stored->name, model->architecture->model_type);
        NF_TRY(
            nf_parameter_allocate(&model->net, p, err)); /* the adapter's file is not kept open */
        float *values = malloc(stored->count * sizeof *values + 1);
        if (!values) return nf_no_memory(err, stored->count);
        nerfit_status status = NERFIT_OK;
        if (stored->count != nf_parameter_count(p))
            status = nf_fail_at(err, NERFIT_FORMAT, where, 0, 0,
                                "tensor \"%s\" has %zu values, expected %zu", stored->name,
                                stored->count, nf_parameter_count(p));
        if (status == NERFIT_OK) status = nf_stored_to_f32(stored, values, err);
        if (status == NERFIT_OK) status = nf_parameter_fill(&model->net, p, values, err);
        free(values);
        NF_TRY(status);
        lora += strstr(p->name, ".lora_") != NULL;
    }
    size_t expected = model->adapter->n_adapted * (model->adapter->config.use_dora ? 3 : 2);
    if (lora != expected)
        return nf_fail_at(err, NERFIT_FORMAT, where, 0, 0,
                          "holds %zu adapter tensors; its configuration calls for %zu", lora,
                          expected);
    return NERFIT_OK;
}

/* The head that an adapter brings along: size from its tensor, labels from config.json. */
static nerfit_status add_head(nf_model *model, const nf_safetensors *file, const char *folder,
                              nerfit_error *err) {
    const nf_stored *head = nf_safetensors_find(file, "base_model.model.classifier.weight");
    if (!head || head->n_dims != 2 || head->dims[0] < 1) return NERFIT_OK;
    size_t count = (size_t)head->dims[0];
    if (model->classifier && model->n_labels == count) return NERFIT_OK;
    nf_arena arena = {0};
    json_t *config = NULL;
    const char *path = nf_path_join(&arena, folder, "config.json");
    nerfit_status status = !path                  ? nf_no_memory(err, 0)
                           : nf_file_exists(path) ? nf_json_load(&config, path, err)
                                                  : NERFIT_OK;
    const char **labels = nf_arena_calloc(&arena, count, sizeof *labels);
    if (status == NERFIT_OK && !labels) status = nf_no_memory(err, 0);
    for (size_t i = 0; i < count && status == NERFIT_OK; i++) {
        char key[48];
        snprintf(key, sizeof key, "%zu", i);
        labels[i] = json_string_value(json_object_get(json_object_get(config, "id2label"), key));
        snprintf(key, sizeof key, "LABEL_%zu", i);
        if (!labels[i] && !(labels[i] = nf_arena_strdup(&arena, key)))
            status = nf_no_memory(err, 0);
    }
    if (status == NERFIT_OK) status = nf_model_add_classifier(model, labels, count, 0, err);
    json_decref(config);
    nf_arena_free(&arena);
    return status;
}

/* Takes the config. folder (may be NULL): for the labels of a head. */
static nerfit_status load_adapter(nf_model *model, json_t *json, const char *path,
                                  const nf_safetensors *file, const char *folder,
                                  nerfit_error *err) {
    nf_adapter_config config;
    nerfit_status status = read_config(&config, json, path, &model->net.arena, err);
    json_decref(json);
    if (status == NERFIT_OK && folder) status = add_head(model, file, folder, err);
    if (status == NERFIT_OK) status = nf_adapter_add(model, &config, 0, err);
    return status == NERFIT_OK ? load_values(model, file, err) : status;
}

nerfit_status nf_adapter_load(nf_model *model, const char *folder, nerfit_error *err) {
    nf_arena *arena = &model->net.arena;
    const char *path = nf_path_join(arena, folder, "adapter_config.json");
    const char *weights = nf_path_join(arena, folder, "adapter_model.safetensors");
    if (!path || !weights) return nf_no_memory(err, 0);
    nf_safetensors *file;
    json_t *json;
    NF_TRY(nf_safetensors_open(&file, weights, err));
    nerfit_status status = nf_json_load(&json, path, err);
    if (status == NERFIT_OK) status = load_adapter(model, json, path, file, folder, err);
    nf_safetensors_close(file);
    return status == NERFIT_OK ? nf_word_shape_load(model, folder, err) : status;
}

nerfit_status nf_adapter_load_memory(nf_model *model, const char *config, size_t config_size,
                                     const void *weights, size_t weights_size, const char *name,
                                     nerfit_error *err) {
    nf_safetensors *file;
    json_t *json;
    NF_TRY(nf_safetensors_open_memory(&file, weights, weights_size, name, err));
    nerfit_status status = nf_json_parse(&json, config, config_size, name, 1, err);
    if (status == NERFIT_OK) status = load_adapter(model, json, name, file, NULL, err);
    nf_safetensors_close(file);
    return status;
}

/* ---------------------------------------------------------------- writing */

static json_t *names_to_json(char *const *names, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count && list; i++) json_array_append_new(list, json_string(names[i]));
    return list;
}

/* modules_to_save with the heads that PEFT adds for token classification, and what comes before
 * ours, which a new model would otherwise have other random values of. */
static json_t *saved_modules(const nf_model *model) {
    const nf_adapter_config *config = &model->adapter->config;
    if (config->n_modules_to_save == 0 && !model->classifier) return json_null();
    json_t *list = names_to_json(config->modules_to_save, config->n_modules_to_save);
    static const char *const heads[] = {"classifier", "score", "head"};
    size_t n_heads = model->head ? 3 : 2;
    for (size_t h = 0; h < n_heads && list && model->classifier; h++) {
        bool there = false;
        for (size_t i = 0; i < config->n_modules_to_save; i++)
            there |= strcmp(config->modules_to_save[i], heads[h]) == 0;
        if (!there) json_array_append_new(list, json_string(heads[h]));
    }
    return list;
}

/* The base model's folder is written as an absolute path: relative ones are read as counting from
 * the adapter's folder here, and from the working folder by PEFT. */
static nerfit_status write_config(const nf_model *model, const char *path, nerfit_error *err) {
    const nf_adapter_config *config = &model->adapter->config;
    char *base = realpath(model->folder, NULL);
    bool all =
        config->n_target_modules == 1 && strcmp(config->target_modules[0], "all-linear") == 0;
    json_t *targets = all ? json_string("all-linear")
                          : names_to_json(config->target_modules, config->n_target_modules);
    json_t *json = json_pack(
        "{s:s, s:s?, s:s, s:b, s:b, s:i, s:f, s:f, s:o, s:o, s:b, s:b, s:o}", "peft_type", "LORA",
        "base_model_name_or_path", base ? base : model->folder, "bias", "none", "fan_in_fan_out", 0,
        "inference_mode", 1, "r", (int)config->r, "lora_alpha", config->lora_alpha, "lora_dropout",
        config->lora_dropout, "target_modules", targets, "modules_to_save", saved_modules(model),
        "use_dora", (int)config->use_dora, "use_rslora", (int)config->use_rslora, "task_type",
        model->classifier ? json_string("TOKEN_CLS") : json_null());
    free(base);
    if (!json) return nf_no_memory(err, 0);
    nerfit_status status = nf_json_save(json, path, err);
    json_decref(json);
    return status;
}

nerfit_status nf_adapter_save(const nf_model *model, const char *folder, nerfit_error *err) {
    const nf_network *net = &model->net;
    if (!model->adapter) return nf_fail(err, NERFIT_INTERNAL, "the model has no adapter to save");
    NF_TRY(nf_directory_make(folder, err));
    nf_arena arena = {0};
    nf_to_store *tensors = calloc(net->n_parameters + 1, sizeof *tensors);
    char prefix[128];
    size_t count = 0;
    nerfit_status status = tensors ? NERFIT_OK : nf_no_memory(err, 0);
    for (size_t i = 0; i < net->n_parameters && status == NERFIT_OK; i++) {
        const nf_parameter *p = net->parameters[i];
        bool head = nf_head_has(model, p);
        bool projection =
            model->projection && (p == model->projection->weight || p == model->projection->bias);
        if (p->removed || projection || nf_description_head_owns(p) || nf_word_shape_is(model, p) ||
            !(p->trained || strstr(p->name, ".lora_") || head))
            continue;
        snprintf(prefix, sizeof prefix, "%s%s", PEFT_PREFIX,
                 model->classifier && !head ? model->architecture->prefix : "");
        status = nf_store_parameter(&tensors[count++], &arena, net, p, prefix, err);
    }
    static const char *const metadata[] = {"format", "pt", NULL};
    const char *weights = nf_path_join(&arena, folder, "adapter_model.safetensors");
    const char *config = nf_path_join(&arena, folder, "adapter_config.json");
    if (status == NERFIT_OK && (!weights || !config)) status = nf_no_memory(err, 0);
    if (status == NERFIT_OK) status = nf_safetensors_save(weights, tensors, count, metadata, err);
    if (status == NERFIT_OK) status = write_config(model, config, err);
    if (status == NERFIT_OK && model->classifier) status = nf_save_config(model, folder, err);
    if (status == NERFIT_OK && model->tokenizer)
        status = nf_tokenizer_save(model->tokenizer, folder, err);
    if (status == NERFIT_OK) status = nf_decoding_save(&model->decoding, folder, err);
    if (status == NERFIT_OK) status = nf_word_shape_save(model, folder, err);
    free(tensors);
    nf_arena_free(&arena);
    return status;
}
