/* Loading a folder: a whole model, or an adapter over its base. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "model/adapter.h"
#include "model/model.h"
#include "model/word_shape.h"

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

static nerfit_status load_weights(nf_model *model, const char *config_path, nerfit_error *err) {
    const nf_stored *head = nf_safetensors_find(model->weights, "classifier.weight");
    /* a sequence classifier has a head of that name too; only its class name tells them apart */
    const char *class_name =
        json_string_value(json_array_get(json_object_get(model->config, "architectures"), 0));
    if (class_name && !strstr(class_name, "TokenClassification")) head = NULL;
    if (head && head->n_dims == 2 && head->dims[0] > 0) {
        NF_TRY(nf_model_new_classifier(model, (size_t)head->dims[0], err));
        NF_TRY(read_labels(model, config_path, (size_t)head->dims[0], err));
    }
    return load_parameters(model, err);
}

nerfit_status nf_model_open_weights(nf_model *model, const char *path, const nf_log *log,
                                    nerfit_error *err) {
    if (model->share) {
        NF_TRY(nf_shared_weights_open(model->share, &model->net.shared, path, err));
        model->weights = nf_shared_file_tensors(model->net.shared);
    } else {
        NF_TRY(nf_safetensors_open(&model->weights, path, err));
    }
    model->net.source = model->weights;
    if (nf_safetensors_note(model->weights))
        nf_log_info(log, "%s: %s", nf_safetensors_path(model->weights),
                    nf_safetensors_note(model->weights));
    return NERFIT_OK;
}

bool nf_model_has_tokenizer(const char *folder) {
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
    model->head_stream = nf_network_dropout_stream(&model->net);
    NF_TRY(nf_model_open_weights(model, folder, log, err));
    NF_TRY(load_weights(model, config_path, err));
    tell_left_over(model, log);
    return nf_word_shape_load(model, folder, err);
}

/* Ours are models of labels O, B-0, I-0, B-1, I-1, ... */
static nerfit_status read_decoding(nf_model *model, const char *folder, nerfit_error *err) {
    if (!model->head) return NERFIT_OK;
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

nerfit_status nf_model_load_tokenizer(const nf_model *model, nf_tokenizer **out, const char *folder,
                                      nerfit_error *err) {
    return model->tokenizers ? nf_shared_tokenizers_load(model->tokenizers, out, folder, err)
                             : nf_tokenizer_load(out, folder, err);
}

/* The tokenizer of the first folder that has one: an adapter's goes before its base model's. */
static nerfit_status load_tokenizer(nf_model *model, const char *folder, const char *base,
                                    const nf_log *log, nerfit_error *err) {
    const char *const folders[] = {folder, base};
    for (size_t i = 0; i < 2; i++)
        if (folders[i] && nf_model_has_tokenizer(folders[i]))
            return nf_model_load_tokenizer(model, &model->tokenizer, folders[i], err);
    nf_log_warning(log,
                   "%s has no tokenizer (tokenizer.json, vocab.txt, vocab.json or a "
                   "SentencePiece model)",
                   folder);
    return NERFIT_OK;
}

extern const nf_model_kind nf_model_kind_gliner;
static const nf_model_kind *const model_kinds[] = {&nf_model_kind_gliner};

const nf_model_kind *nf_model_kind_of(const char *folder) {
    for (size_t i = 0; i < NF_COUNT(model_kinds); i++)
        if (model_kinds[i]->found(folder)) return model_kinds[i];
    return NULL;
}

static nerfit_status load(nf_model *model, const char *folder, const char *base, const nf_log *log,
                          nerfit_error *err) {
    model->kind = nf_model_kind_of(folder);
    if (model->kind) return model->kind->load(model, folder, base, log, err);
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
    return nf_model_load_from(out, &(nf_model_source){.folder = folder}, be, log, err);
}

nerfit_status nf_model_load_from(nf_model **out, const nf_model_source *source, nf_backend *be,
                                 const nf_log *log, nerfit_error *err) {
    *out = NULL;
    nf_model *model = calloc(1, sizeof *model);
    if (!model) return nf_no_memory(err, sizeof *model);
    nf_network_init(&model->net, be);
    model->share = source->share;
    model->tokenizers = source->tokenizers;
    nerfit_status status = load(model, source->folder, source->base, log, err);
    model->share = NULL;
    model->tokenizers = NULL;
    if (status == NERFIT_OK)
        *out = model;
    else
        nf_model_free(model);
    return status;
}

nerfit_status nf_model_prepare_use(nf_model *model, nerfit_error *err) {
    NF_TRY(nf_network_prepare(&model->net, false, err));
    return nf_encoder_keep_positions(&model->encoder, model->net.be, err);
}

void nf_model_free(nf_model *model) {
    if (!model) return;
    nf_encoder_forget_positions(&model->encoder);
    if (model->net.be) nf_model_remove_learner(model);
    for (size_t i = 0; i < NF_COUNT(model_kinds); i++) model_kinds[i]->free(model);
    nf_safetensors *own = model->net.shared ? NULL : model->weights;
    nf_network_free(&model->net);
    nf_tokenizer_free(model->tokenizer);
    nf_safetensors_close(own);
    json_decref(model->config);
    free(model);
}
