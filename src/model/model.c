/* Loading a folder, heads, and what else concerns a model as a whole; saving is in save.c. */
#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "model/adapter.h"
#include "model/word_shape.h"

enum { STREAM_CLASSIFIER = 1, STREAM_PROJECTION = 2, STREAM_PROJECTION_BIAS = 3, STREAM_HEAD = 4 };

/* Looks a parameter up under the names that checkpoints use: as it is, with the architecture's
 * prefix, and with the norms' names of the first BERT releases (gamma, beta). */
static const nf_stored *find_stored(const nf_model *model, const char *name) {
    const char *prefixes[] = {model->architecture->prefix, ""};
    char path[512];
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s%s", prefixes[i], name);
        const nf_stored *stored = nf_safetensors_find(model->weights, path);
        if (stored) return stored;
        char *norm = strstr(path, "LayerNorm.");
        if (!norm) continue;
        norm += strlen("LayerNorm.");
        strcpy(norm, strcmp(norm, "weight") == 0 ? "gamma" : "beta"); /* shorter than before */
        stored = nf_safetensors_find(model->weights, path);
        if (stored) return stored;
    }
    return NULL;
}

static nerfit_status load_parameters(nf_model *model, nerfit_error *err) {
    nf_network *net = &model->net;
    const char *where = nf_safetensors_path(model->weights);
    for (size_t i = 0; i < net->n_parameters; i++) {
        nf_parameter *p = net->parameters[i];
        const nf_stored *stored = find_stored(model, p->name);
        if (!stored)
            return nf_fail_at(err, NERFIT_FORMAT, where, 0, 0,
                              "has no tensor \"%s\" (nor \"%s%s\"), which the configuration "
                              "(model_type \"%s\") calls for",
                              p->name, model->architecture->prefix, p->name,
                              model->architecture->model_type);
        NF_TRY(nf_parameter_load(net, p, stored, where, err));
    }
    return NERFIT_OK;
}

/* A stored name without the architecture's prefix. */
static const char *bare_name(const nf_model *model, const char *name) {
    size_t length = strlen(model->architecture->prefix);
    return strncmp(name, model->architecture->prefix, length) == 0 ? name + length : name;
}

/* Whether a tensor belongs to the encoder's own modules, and is a weight: positions and the like are
 * stored as integers by some versions of transformers. */
static bool is_encoders(const nf_model *model, const nf_stored *stored) {
    const nf_network *net = &model->net;
    const char *name = bare_name(model, stored->name);
    size_t length = strcspn(name, ".");
    if (stored->type > NF_STORED_BF16 || name[length] != '.') return false;
    for (size_t i = 0; i < net->n_parameters; i++)
        if (strncmp(net->parameters[i]->name, name, length + 1) == 0) return true;
    return false;
}

/* What the file holds of the encoder and config.json has no place for: more layers, for example. */
static void tell_left_over(const nf_model *model, const nf_log *log) {
    size_t count = nf_safetensors_count(model->weights), left = 0;
    const char *first = NULL;
    for (size_t i = 0; i < count; i++) {
        const nf_stored *stored = nf_safetensors_at(model->weights, i);
        const char *name = bare_name(model, stored->name);
        if (strstr(name, "LayerNorm.gamma") || strstr(name, "LayerNorm.beta") ||
            !is_encoders(model, stored) || nf_network_find(&model->net, name))
            continue;
        if (left++ == 0) first = stored->name;
    }
    if (left)
        nf_log_warning(log,
                       "%s holds %zu tensors of the encoder that config.json has no place for "
                       "(\"%s\"%s); the model is computed without them",
                       nf_safetensors_path(model->weights), left, first, left > 1 ? ", ..." : "");
}

/* id2label: {"0": "O", ...} with every id from 0 to n-1. */
static nerfit_status read_labels(nf_model *model, const char *path, size_t count,
                                 nerfit_error *err) {
    json_t *table = json_object_get(model->config, "id2label");
    size_t given = json_is_object(table) ? json_object_size(table) : count;
    if (!json_is_object(table) && json_is_integer(json_object_get(model->config, "num_labels")))
        given = (size_t)json_integer_value(json_object_get(model->config, "num_labels"));
    if (given != count)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "names %zu labels (\"%s\"); the classifier has %zu", given,
                          json_is_object(table) ? "id2label" : "num_labels", count);
    model->labels = nf_arena_calloc(&model->net.arena, count, sizeof *model->labels);
    if (!model->labels) return nf_no_memory(err, count);
    model->n_labels = count;
    for (size_t i = 0; i < count; i++) {
        char key[32], fallback[48];
        snprintf(key, sizeof key, "%zu", i);
        snprintf(fallback, sizeof fallback, "LABEL_%zu", i);
        json_t *value = json_object_get(table, key);
        if (table && !json_is_string(value))
            return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                              "\"id2label\" has no text for id %zu; the classifier has %zu labels",
                              i, count);
        model->labels[i] =
            nf_arena_strdup(&model->net.arena, value ? json_string_value(value) : fallback);
        if (!model->labels[i]) return nf_no_memory(err, 0);
    }
    return NERFIT_OK;
}

static nerfit_status new_classifier(nf_model *model, size_t n_labels, nerfit_error *err) {
    const nf_architecture *architecture = model->architecture;
    nf_network *net = &model->net;
    model->classifier = nf_linear_new(net, "classifier", model->encoder.hidden, n_labels, true);
    if (!model->classifier) return nf_no_memory(err, 0);
    if (!architecture->build_head) return NERFIT_OK;
    model->head = nf_arena_calloc(&net->arena, 1, sizeof *model->head);
    const char *path = nf_path_join(&net->arena, model->folder, "config.json");
    if (!model->head || !path) return nf_no_memory(err, 0);
    return architecture->build_head(model->head, &model->encoder, net, model->config, path, err);
}

static nerfit_status load_weights(nf_model *model, const char *config_path, nerfit_error *err) {
    const nf_stored *head = nf_safetensors_find(model->weights, "classifier.weight");
    /* a sequence classifier has a head of that name too; only its class name tells them apart */
    const char *class_name =
        json_string_value(json_array_get(json_object_get(model->config, "architectures"), 0));
    if (class_name && !strstr(class_name, "TokenClassification")) head = NULL;
    if (head && head->n_dims == 2 && head->dims[0] > 0) {
        NF_TRY(new_classifier(model, (size_t)head->dims[0], err));
        NF_TRY(read_labels(model, config_path, (size_t)head->dims[0], err));
    }
    return load_parameters(model, err);
}

static bool has_tokenizer(const char *folder) {
    static const char *const files[] = {"tokenizer.json", "vocab.txt",    "vocab.json",
                                        "spm.model",      "spiece.model", "sentencepiece.bpe.model",
                                        "tokenizer.model"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (nf_file_exists_in(folder, files[i])) return true;
    return false;
}

static nerfit_status load_base(nf_model *model, const char *folder, const nf_log *log,
                               nerfit_error *err) {
    nf_arena *arena = &model->net.arena;
    model->folder = nf_arena_strdup(arena, folder);
    const char *config_path = nf_path_join(arena, folder, "config.json");
    if (!model->folder || !config_path) return nf_no_memory(err, 0);
    if (!nf_directory_exists(folder))
        return nf_fail_at(err, NERFIT_IO, folder, 0, 0,
                          "is not a folder; expected one with config.json and model.safetensors");
    NF_TRY(nf_json_load(&model->config, config_path, err));
    if (!json_is_object(model->config))
        return nf_fail_at(err, NERFIT_FORMAT, config_path, 1, 0, "expected a JSON object");
    NF_TRY(nf_architecture_find(&model->architecture, model->config, config_path, err));
    model->encoder = (nf_encoder){.model_type = model->architecture->model_type,
                                  .prefix = model->architecture->prefix,
                                  .first_position = model->architecture->first_position};
    NF_TRY(
        model->architecture->build(&model->encoder, &model->net, model->config, config_path, err));
    model->classifier_site = nf_network_site(&model->net);
    NF_TRY(nf_safetensors_open(&model->weights, folder, err));
    model->net.source = model->weights;
    if (nf_safetensors_note(model->weights))
        nf_log_info(log, "%s: %s", nf_safetensors_path(model->weights),
                    nf_safetensors_note(model->weights));
    NF_TRY(load_weights(model, config_path, err));
    tell_left_over(model, log);
    return nf_word_shape_load(model, folder, err);
}

/* Ours are models of labels O, B-0, I-0, B-1, I-1, ... */
static nerfit_status read_decoding(nf_model *model, const char *folder, nerfit_error *err) {
    if (!model->classifier) return NERFIT_OK;
    NF_TRY(nf_decoding_load(&model->decoding, folder, err));
    if (!model->decoding.present) return NERFIT_OK;
    bool ours = model->n_labels % 2 == 1 && strcmp(model->labels[0], "O") == 0;
    for (size_t i = 1; ours && i < model->n_labels; i += 2) {
        const char *begin = model->labels[i], *inside = model->labels[i + 1];
        ours = strncmp(begin, "B-", 2) == 0 && strncmp(inside, "I-", 2) == 0 &&
               strcmp(begin + 2, inside + 2) == 0;
    }
    if (!ours)
        return nf_fail_at(err, NERFIT_FORMAT, folder, 0, 0,
                          "has a nerfit.json, but its labels are not O, B-x, I-x, B-y, I-y, ...");
    return NERFIT_OK;
}

/* The tokenizer of the first folder that has one: an adapter's goes before its base model's. */
static nerfit_status load_tokenizer(nf_model *model, const char *folder, const char *base,
                                    const nf_log *log, nerfit_error *err) {
    const char *const folders[] = {folder, base};
    for (size_t i = 0; i < 2; i++)
        if (folders[i] && has_tokenizer(folders[i]))
            return nf_tokenizer_load(&model->tokenizer, folders[i], err);
    nf_log_warning(log,
                   "%s has no tokenizer (tokenizer.json, vocab.txt, vocab.json or a "
                   "SentencePiece model)",
                   folder);
    return NERFIT_OK;
}

extern const nf_model_kind nf_model_kind_gliner;
static const nf_model_kind *const model_kinds[] = {&nf_model_kind_gliner};

static nerfit_status load(nf_model *model, const char *folder, const char *base, const nf_log *log,
                          nerfit_error *err) {
    for (size_t i = 0; i < NF_COUNT(model_kinds); i++)
        if (model_kinds[i]->found(folder)) return model_kinds[i]->load(model, folder, log, err);
    if (!nf_adapter_folder(folder)) {
        NF_TRY(load_base(model, folder, log, err));
        NF_TRY(load_tokenizer(model, folder, NULL, log, err));
        return read_decoding(model, folder, err);
    }
    char *own;
    if (!base) {
        NF_TRY(nf_adapter_base(&own, &model->net.arena, folder, err));
        base = own;
    }
    nerfit_status status = load_base(model, base, log, err);
    if (status != NERFIT_OK)
        return nf_fail_within(err, status, "base model of the adapter %s", folder);
    NF_TRY(nf_adapter_load(model, folder, log, err));
    NF_TRY(load_tokenizer(model, folder, base, log, err));
    return read_decoding(model, folder, err);
}

nerfit_status nf_model_load(nf_model **out, const char *folder, nf_backend *be, const nf_log *log,
                            nerfit_error *err) {
    return nf_model_load_over(out, folder, NULL, be, log, err);
}

nerfit_status nf_model_load_over(nf_model **out, const char *folder, const char *base,
                                 nf_backend *be, const nf_log *log, nerfit_error *err) {
    *out = NULL;
    nf_model *model = calloc(1, sizeof *model);
    if (!model) return nf_no_memory(err, sizeof *model);
    nf_network_init(&model->net, be);
    nerfit_status status = load(model, folder, base, log, err);
    if (status == NERFIT_OK)
        *out = model;
    else
        nf_model_free(model);
    return status;
}

void nf_model_free(nf_model *model) {
    if (!model) return;
    if (model->net.be) nf_type_columns_free(&model->type_columns, model->net.be);
    for (size_t i = 0; i < NF_COUNT(model_kinds); i++) model_kinds[i]->free(model);
    nf_network_free(&model->net);
    nf_tokenizer_free(model->tokenizer);
    nf_safetensors_close(model->weights);
    json_decref(model->config);
    free(model);
}

size_t nf_model_max_length(const nf_model *model) {
    return model->encoder.max_positions;
}

static void remove_linear(nf_model *model, nf_linear **linear) {
    if (!*linear) return;
    nf_linear_release(&model->net, *linear);
    nf_parameter_remove(&model->net, (*linear)->weight);
    nf_parameter_remove(&model->net, (*linear)->bias);
    *linear = NULL;
}

void nf_model_remove_projection(nf_model *model) {
    remove_linear(model, &model->projection);
}

void nf_model_remove_classifier(nf_model *model) {
    if (model->head) {
        remove_linear(model, &model->head->dense);
        nf_parameter_remove(&model->net, model->head->norm.weight);
        nf_parameter_remove(&model->net, model->head->norm.bias);
        model->head = NULL;
    }
    remove_linear(model, &model->classifier);
    model->n_labels = 0;
    model->decoding.present = false;
}

nerfit_status nf_model_name_labels(nf_model *model, const char *const *labels, size_t n_labels,
                                   nerfit_error *err) {
    char **copies = nf_arena_calloc(&model->net.arena, n_labels, sizeof *copies);
    if (!copies) return nf_no_memory(err, n_labels * sizeof *copies);
    for (size_t i = 0; i < n_labels; i++)
        if (!(copies[i] = nf_arena_strdup(&model->net.arena, labels[i])))
            return nf_no_memory(err, strlen(labels[i]));
    model->labels = copies;
    model->n_labels = n_labels;
    return NERFIT_OK;
}

nerfit_status nf_model_add_classifier(nf_model *model, const char *const *labels, size_t n_labels,
                                      uint64_t seed, nerfit_error *err) {
    nf_network *net = &model->net;
    nf_model_remove_classifier(model);
    NF_TRY(new_classifier(model, n_labels, err));
    NF_TRY(nf_model_name_labels(model, labels, n_labels, err));
    nf_linear *head = model->classifier;
    nf_head_train(model);
    NF_TRY(nf_head_start(model, seed, STREAM_HEAD, err));
    NF_TRY(nf_parameter_normal(net, head->weight, model->encoder.initializer_range, seed,
                               STREAM_CLASSIFIER, err));
    return nf_parameter_constant(net, head->bias, 0.0f, err);
}

nerfit_status nf_model_add_projection(nf_model *model, size_t size, uint64_t seed,
                                      nerfit_error *err) {
    nf_network *net = &model->net;
    nf_linear *head = nf_linear_new(net, "projection_layer", model->encoder.hidden, size, true);
    if (!head) return nf_no_memory(err, 0);
    model->projection = head;
    head->weight->trained = head->bias->trained = true;
    double bound = 1.0 / sqrt((double)model->encoder.hidden);
    NF_TRY(nf_parameter_uniform(net, head->weight, bound, seed, STREAM_PROJECTION, err));
    return nf_parameter_uniform(net, head->bias, bound, seed, STREAM_PROJECTION_BIAS, err);
}

nerfit_status nf_model_add_description_head(nf_model *model, size_t size, bool identity,
                                            uint64_t seed, nerfit_error *err) {
    return nf_description_head_new(&model->description_head, &model->net, model->encoder.hidden,
                                   size, identity, seed, err);
}

nerfit_status nf_model_add_types(nf_model *model, const char *const *labels, size_t n_types,
                                 const float *vectors, uint64_t seed, nerfit_error *err) {
    nf_description_head *head = model->description_head;
    nf_type_columns_free(&model->type_columns, model->net.be);
    NF_TRY(nf_type_columns_make(&model->type_columns, model->net.be, vectors, n_types, head->size,
                                err));
    NF_TRY(nf_model_add_classifier(model, labels, 2 * n_types + 1, seed, err));
    model->classifier->weight->trained = model->classifier->bias->trained = false;
    return nf_description_head_add_types(head, &model->net, n_types, seed, err);
}

nerfit_status nf_model_fold_description_head(nf_model *model, nerfit_error *err) {
    nf_description_head *head = model->description_head;
    nf_backend *be = model->net.be;
    be->to_f64(be, &model->decoding.transitions.next[0][0], head->transitions->values,
               NF_TRANSITION_COUNT);
    model->decoding.present = true;
    return nf_description_head_fold(head, &model->type_columns, be,
                                    model->classifier->weight->values,
                                    model->classifier->bias->values, err);
}

void nf_model_remove_description_head(nf_model *model) {
    if (!model->description_head) return;
    nf_description_head_remove(model->description_head, &model->net);
    nf_type_columns_free(&model->type_columns, model->net.be);
    model->description_head = NULL;
}

static bool belongs_to(const nf_linear *head, const nf_parameter *p) {
    return head && (p == head->weight || p == head->bias);
}

void nf_model_train_encoder(nf_model *model, bool trained) {
    for (size_t i = 0; i < model->net.n_parameters; i++) {
        nf_parameter *p = model->net.parameters[i];
        if (!p->removed && !nf_head_has(model, p) && !belongs_to(model->projection, p) &&
            !nf_description_head_owns(p))
            p->trained = trained;
    }
}

nerfit_status nf_model_logits(const nf_model *model, const nf_pass *pass, nf_values **logits) {
    nf_pass head = *pass;
    if (pass->rows) head.sequences.n_tokens = (int32_t)pass->n_rows;
    size_t n = (size_t)head.sequences.n_tokens;
    nf_values *hidden = nf_workspace_reals(pass->ws, n * model->encoder.hidden);
    *logits = nf_workspace_reals(pass->ws, n * model->n_labels);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_encoder_forward(&model->encoder, pass, hidden, NULL, NULL));
    return nf_head_forward(model, &head, *logits, hidden, NULL);
}
