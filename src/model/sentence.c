/* Reading a sentence encoder's folder: modules.json and each module's own file. */
#include "model/sentence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/json_cursor.h"
#include "base/str.h"

/* While a folder is read. */
typedef struct loading {
    nf_sentence_encoder *encoder;
    const char *folder, *path; /* of the encoder; of modules.json */
    nf_backend *be;
    const nf_log *log;
    nf_arena *arena;
    nerfit_error *err;
} loading;

/* The class is what stands after the last dot: "sentence_transformers.models.Pooling" became
 * "sentence_transformers.sentence_transformer.modules.pooling.Pooling". */
static const char *last_part(const char *name) {
    const char *dot = name ? strrchr(name, '.') : NULL;
    return dot ? dot + 1 : name;
}

/* config.json of a module; the caller releases it. */
static nerfit_status open_config(json_t **out, const char **path, const loading *in,
                                 const char *folder) {
    *path = nf_path_join(in->arena, folder, "config.json");
    return *path ? nf_json_load(out, *path, in->err) : nf_no_memory(in->err, 0);
}

/* ---------------------------------------------------------------- Pooling */

/* In the order in which sentence-transformers puts the results of the older keys. */
static const struct {
    const char *key, *mode;
    nf_pooling pooling;
} modes[NF_POOLINGS] = {
    {"pooling_mode_cls_token", "cls", NF_POOLING_CLS},
    {"pooling_mode_max_tokens", "max", NF_POOLING_MAX},
    {"pooling_mode_mean_tokens", "mean", NF_POOLING_MEAN},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", NF_POOLING_MEAN_SQRT_LENGTH},
    {"pooling_mode_weightedmean_tokens", "weightedmean", NF_POOLING_WEIGHTED_MEAN},
    {"pooling_mode_lasttoken", "lasttoken", NF_POOLING_LAST},
};

static nerfit_status add_mode(nf_sentence_encoder *encoder, const json_t *value, const char *path,
                              nerfit_error *err) {
    const char *mode = json_string_value(value);
    for (size_t i = 0; i < NF_POOLINGS; i++) {
        if (!mode || strcmp(mode, modes[i].mode) != 0) continue;
        for (size_t k = 0; k < encoder->n_poolings; k++)
            if (encoder->poolings[k] == modes[i].pooling)
                return nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                                  "\"pooling_mode\" has \"%s\" twice", mode);
        encoder->poolings[encoder->n_poolings++] = modes[i].pooling;
        return NERFIT_OK;
    }
    nf_str known = {0};
    for (size_t i = 0; i < NF_POOLINGS; i++)
        nf_str_appendf(&known, "%s%s", i ? ", " : "", modes[i].mode);
    nerfit_status status = nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                                      "pooling mode \"%s\" is not supported; known are: %s",
                                      mode ? mode : "(not text)", nf_str_text(&known));
    nf_str_free(&known);
    return status;
}

static nerfit_status read_pooling(const loading *in, const char *folder) {
    nf_sentence_encoder *encoder = in->encoder;
    const char *path;
    json_t *json;
    NF_TRY(open_config(&json, &path, in, folder));
    nerfit_status status = NERFIT_OK;
    bool older = false;
    json_t *mode = json_object_get(json, "pooling_mode"); /* goes before the older keys */
    for (size_t i = 0; i < NF_POOLINGS && !mode; i++) {
        older |= json_object_get(json, modes[i].key) != NULL;
        if (json_is_true(json_object_get(json, modes[i].key)))
            encoder->poolings[encoder->n_poolings++] = modes[i].pooling;
    }
    if (json_is_array(mode))
        for (size_t i = 0; i < json_array_size(mode) && status == NERFIT_OK; i++)
            status = add_mode(encoder, json_array_get(mode, i), path, in->err);
    else if (mode)
        status = add_mode(encoder, mode, path, in->err);
    if (status == NERFIT_OK && encoder->n_poolings == 0) {
        if (json_is_array(mode))
            status =
                nf_fail_at(in->err, NERFIT_FORMAT, path, 0, 0, "\"pooling_mode\" names no mode");
        /* older keys that are all false, or no key at all: the class's default */
        else
            encoder->poolings[encoder->n_poolings++] = NF_POOLING_MEAN;
    }
    json_t *size = json_object_get(json, "embedding_dimension");
    if (!size) size = json_object_get(json, "word_embedding_dimension");
    if (status == NERFIT_OK && size && json_integer_value(size) != (json_int_t)encoder->size)
        status = nf_fail_at(in->err, NERFIT_FORMAT, path, 0, 0,
                            "pools %lld features; the model's hidden states have %zu",
                            (long long)json_integer_value(size), encoder->size);
    encoder->include_prompt = !json_is_false(json_object_get(json, "include_prompt"));
    encoder->size *= encoder->n_poolings;
    json_decref(json);
    return status;
}

/* ---------------------------------------------------------------- Dense */

static nerfit_status read_activation(nf_activation *out, const json_t *json, const char *path,
                                     nerfit_error *err) {
    static const struct {
        const char *name;
        nf_activation kind;
    } names[] = {
        {"Tanh", NF_ACTIVATION_TANH}, {"Identity", NF_ACTIVATION_NONE},
        {"ReLU", NF_ACTIVATION_RELU}, {"GELU", NF_ACTIVATION_GELU},
        {"SiLU", NF_ACTIVATION_SILU},
    };
    const char *function = json_string_value(json_object_get(json, "activation_function"));
    const char *class_name = last_part(function ? function : "torch.nn.Tanh"); /* the default */
    bool known = !function || strncmp(function, "torch.", 6) == 0;
    for (size_t i = 0; known && i < sizeof names / sizeof *names; i++)
        if (strcmp(class_name, names[i].name) == 0) {
            *out = names[i].kind;
            return NERFIT_OK;
        }
    return nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                      "activation_function \"%s\" is not supported; expected torch's Tanh, "
                      "Identity, ReLU, GELU or SiLU",
                      function);
}

static nerfit_status load_tensor(nf_network *net, nf_parameter *p, const nf_safetensors *weights,
                                 const char *name, nerfit_error *err) {
    const char *where = nf_safetensors_path(weights);
    const nf_stored *stored = nf_safetensors_find(weights, name);
    if (!stored) return nf_fail_at(err, NERFIT_FORMAT, where, 0, 0, "has no tensor \"%s\"", name);
    return nf_parameter_copy(net, p, stored, where, err);
}

static nerfit_status load_dense(nf_sentence_module *module, nf_network *net, const char *folder,
                                nerfit_error *err) {
    nf_safetensors *weights;
    NF_TRY(nf_safetensors_open(&weights, folder, err));
    nerfit_status status = load_tensor(net, module->dense->weight, weights, "linear.weight", err);
    if (status == NERFIT_OK && module->dense->bias)
        status = load_tensor(net, module->dense->bias, weights, "linear.bias", err);
    if (status == NERFIT_OK && module->residual_projection)
        status =
            load_tensor(net, module->residual_projection->weight, weights, "residual.weight", err);
    nf_safetensors_close(weights);
    return status;
}

static nerfit_status describe_dense(const loading *in, nf_sentence_module *module,
                                    const json_t *json, const char *path) {
    nf_sentence_encoder *encoder = in->encoder;
    nf_network *net = &encoder->model->net;
    json_int_t inputs = json_integer_value(json_object_get(json, "in_features"));
    json_int_t outputs = json_integer_value(json_object_get(json, "out_features"));
    bool has_bias = !json_is_false(json_object_get(json, "bias"));
    module->residual = json_is_true(json_object_get(json, "use_residual"));
    NF_TRY(read_activation(&module->activation, json, path, in->err));
    nf_config_reader fields = {json, path, in->err, NERFIT_OK};
    nf_config_expect(&fields, "module_input_name", "sentence_embedding");
    nf_config_expect(&fields, "module_output_name", "sentence_embedding");
    NF_TRY(fields.status);
    if (inputs != (json_int_t)encoder->size)
        return nf_fail_at(in->err, NERFIT_FORMAT, path, 0, 0,
                          "in_features %lld does not fit the %zu features before it",
                          (long long)inputs, encoder->size);
    if (outputs < 1 || outputs > 1000000)
        return nf_fail_at(in->err, NERFIT_FORMAT, path, 0, 0,
                          "out_features should be a whole number from 1 to 1,000,000");
    size_t from = (size_t)inputs, to = (size_t)outputs;
    char name[32];
    snprintf(name, sizeof name, "dense.%zu", encoder->n_modules);
    if (!(module->dense = nf_linear_new(net, name, from, to, has_bias)))
        return nf_no_memory(in->err, 0);
    snprintf(name, sizeof name, "residual.%zu", encoder->n_modules);
    if (module->residual && from != to &&
        !(module->residual_projection = nf_linear_new(net, name, from, to, false)))
        return nf_no_memory(in->err, 0);
    encoder->size = to;
    return NERFIT_OK;
}

static nerfit_status read_dense(const loading *in, nf_sentence_module *module, const char *folder) {
    const char *path;
    json_t *json;
    NF_TRY(open_config(&json, &path, in, folder));
    nerfit_status status = describe_dense(in, module, json, path);
    json_decref(json);
    NF_TRY(status);
    return load_dense(module, &in->encoder->model->net, folder, in->err);
}

/* ---------------------------------------------------------------- Transformer */

/* The first of the module's own files that is there (older ones were named by the architecture). */
static nerfit_status open_own(json_t **out, const char *folder, const loading *in) {
    static const char *const files[] = {
        "sentence_bert_config.json",       "sentence_roberta_config.json",
        "sentence_distilbert_config.json", "sentence_camembert_config.json",
        "sentence_albert_config.json",     "sentence_xlm-roberta_config.json",
    };
    *out = NULL;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *path = nf_path_join(in->arena, folder, files[i]);
        if (!path) return nf_no_memory(in->err, 0);
        if (nf_file_exists(path)) return nf_json_load(out, path, in->err);
    }
    return NERFIT_OK;
}

/* "direction" of tokenizer.json's "truncation": "Left" or "Right"; the walk over the file ends there. */
static nerfit_status read_direction(const loading *in, const char *path, const char **direction) {
    nf_file file;
    NF_TRY(nf_file_open(&file, path, in->err));
    nf_json_cursor c = {.text = file.data, .length = file.size};
    const char *key;
    size_t size;
    bool found = false;
    nf_json_open(&c, '{');
    while (!found && nf_json_more(&c, '}')) {
        found = nf_json_key(&c, &key, &size) && size == 10 && memcmp(key, "truncation", 10) == 0;
        if (!found) nf_json_skip(&c);
    }
    found = found && nf_json_peek(&c) == '{' && nf_json_open(&c, '{');
    while (found && nf_json_more(&c, '}')) {
        bool wanted = nf_json_key(&c, &key, &size) && size == 9 && memcmp(key, "direction", 9) == 0;
        if (wanted && nf_json_peek(&c) == '"' && nf_json_string(&c, &key, &size))
            *direction = size == 4 && memcmp(key, "Left", 4) == 0 ? "left" : "right";
        else
            nf_json_skip(&c);
    }
    nf_json_cursor_free(&c); /* what is wrong with the file the tokenizer has said */
    nf_file_close(&file);
    return NERFIT_OK;
}

/* Which end longer texts lose: truncation_side of tokenizer_config.json, else what tokenizer.json was
 * saved with (transformers' order). */
static nerfit_status read_truncation(const loading *in, const json_t *config, const char *path,
                                     const char *folder) {
    const json_t *given = json_object_get(config, "truncation_side");
    const char *side = json_string_value(given), *json;
    if (!given && nf_file_exists_in(folder, "tokenizer.json")) {
        if (!(json = nf_path_join(in->arena, folder, "tokenizer.json")))
            return nf_no_memory(in->err, 0);
        NF_TRY(read_direction(in, json, &side));
    } else if (given && (!side || (strcmp(side, "left") != 0 && strcmp(side, "right") != 0))) {
        return nf_fail_at(in->err, NERFIT_FORMAT, path, 0, 0,
                          "\"truncation_side\" should be \"left\" or \"right\"");
    }
    in->encoder->cuts_left = side && strcmp(side, "left") == 0;
    return NERFIT_OK;
}

/* max_seq_length, or else the tokenizer's model_max_length, which is all that later versions of
 * sentence-transformers write; never more than the model takes. */
static nerfit_status read_limits(const loading *in, const char *folder) {
    nf_sentence_encoder *encoder = in->encoder;
    json_t *own, *tokenizer = NULL;
    NF_TRY(open_own(&own, folder, in));
    encoder->lower_case = json_is_true(json_object_get(own, "do_lower_case"));
    double limit = json_number_value(json_object_get(own, "max_seq_length"));
    json_decref(own);
    const char *path = nf_path_join(in->arena, folder, "tokenizer_config.json");
    if (!path) return nf_no_memory(in->err, 0);
    if (nf_file_exists(path)) NF_TRY(nf_json_load(&tokenizer, path, in->err));
    if (limit < 1) limit = json_number_value(json_object_get(tokenizer, "model_max_length"));
    nerfit_status status = read_truncation(in, tokenizer, path, folder);
    json_decref(tokenizer);
    encoder->max_length = nf_model_max_length(encoder->model);
    /* transformers writes 1e30 for "no limit" */
    if (limit >= 1 && limit < (double)encoder->max_length) encoder->max_length = (size_t)limit;
    return status;
}

static nerfit_status read_transformer(const loading *in, const char *folder) {
    nf_sentence_encoder *encoder = in->encoder;
    NF_TRY(nf_model_load(&encoder->model, folder, in->be, in->log, in->err));
    if (!encoder->model->tokenizer)
        return nf_fail_at(in->err, NERFIT_FORMAT, folder, 0, 0, "has no tokenizer");
    encoder->size = encoder->model->encoder.hidden;
    return read_limits(in, folder);
}

/* ---------------------------------------------------------------- the whole */

static nerfit_status read_module(const loading *in, const json_t *json, size_t index) {
    nf_sentence_encoder *encoder = in->encoder;
    const char *class_name = last_part(json_string_value(json_object_get(json, "type")));
    const char *sub = json_string_value(json_object_get(json, "path"));
    const char *folder = sub && *sub ? nf_path_join(in->arena, in->folder, sub) : in->folder;
    if (!folder) return nf_no_memory(in->err, 0);
    if (!class_name)
        return nf_fail_at(in->err, NERFIT_FORMAT, in->path, 0, 0, "module %zu has no \"type\"",
                          index);
    /* the chain is always Transformer, Pooling, others */
    static const char *const first[] = {"Transformer", "Pooling"};
    size_t place = !encoder->model ? 0 : encoder->n_poolings == 0 ? 1 : 2;
    bool dropout = strcmp(class_name, "Dropout") == 0; /* acts in training only */
    if (place == 1 && dropout) return NERFIT_OK;
    if (place < 2 && strcmp(class_name, first[place]) != 0)
        return nf_fail_at(in->err, NERFIT_UNSUPPORTED, in->path, 0, 0,
                          "module %zu is %s; expected %s", index, class_name, first[place]);
    if (place == 0) return read_transformer(in, folder);
    if (place == 1) return read_pooling(in, folder);
    if (dropout) return NERFIT_OK;
    if (encoder->n_modules == NF_SENTENCE_MODULES)
        return nf_fail_at(in->err, NERFIT_UNSUPPORTED, in->path, 0, 0,
                          "lists more than %d modules after Pooling", NF_SENTENCE_MODULES);
    nf_sentence_module *module = &encoder->modules[encoder->n_modules];
    if (strcmp(class_name, "Dense") == 0)
        NF_TRY(read_dense(in, module, folder));
    else if (strcmp(class_name, "Normalize") != 0)
        return nf_fail_at(in->err, NERFIT_UNSUPPORTED, in->path, 0, 0,
                          "module %s is not supported; known are Transformer, Pooling, Dense, "
                          "Normalize, Dropout",
                          class_name);
    encoder->n_modules++;
    return NERFIT_OK;
}

static nerfit_status read_modules(const loading *in) {
    json_t *modules, *module;
    size_t i;
    NF_TRY(nf_json_load(&modules, in->path, in->err));
    nerfit_status status = NERFIT_OK;
    if (!json_is_array(modules))
        status = nf_fail_at(in->err, NERFIT_FORMAT, in->path, 1, 0, "expected a list of modules");
    json_array_foreach(modules, i, module) {
        if (status == NERFIT_OK) status = read_module(in, module, i);
    }
    json_decref(modules);
    NF_TRY(status);
    if (in->encoder->n_poolings == 0)
        return nf_fail_at(in->err, NERFIT_FORMAT, in->path, 0, 0, "lists no %s module",
                          in->encoder->model ? "Pooling" : "Transformer");
    return NERFIT_OK;
}

/* How many tokens of each text are the prompt's: sentence-transformers tokenizes it alone and
 * leaves a special token at its end out. */
static nerfit_status count_prompt_tokens(nf_sentence_encoder *encoder, nerfit_error *err) {
    nf_encoding tokens = {0};
    nerfit_status status = nf_sentence_tokens(encoder, NULL, encoder->prompt, &tokens, NULL, err);
    if (status == NERFIT_OK) {
        bool special = tokens.length > 0 && tokens.special[tokens.length - 1];
        encoder->prompt_tokens = tokens.length - special;
    }
    nf_encoding_free(&tokens);
    return status;
}

/* prompts and default_prompt_name of config_sentence_transformers.json: the prompt that `encode`
 * puts before every text unless told otherwise. */
static nerfit_status read_prompt(const loading *in) {
    nf_sentence_encoder *encoder = in->encoder;
    const char *path = nf_path_join(in->arena, in->folder, "config_sentence_transformers.json");
    if (!path) return nf_no_memory(in->err, 0);
    if (!nf_file_exists(path)) return NERFIT_OK;
    json_t *json;
    NF_TRY(nf_json_load(&json, path, in->err));
    const char *name = json_string_value(json_object_get(json, "default_prompt_name"));
    const json_t *value = name ? json_object_get(json_object_get(json, "prompts"), name) : NULL;
    const char *prompt = json_string_value(value);
    /* sentence-transformers has these two, empty, in every encoder */
    bool known = value || !name || strcmp(name, "query") == 0 || strcmp(name, "document") == 0;
    nerfit_status status = NERFIT_OK;
    if (!known)
        status =
            nf_fail_at(in->err, NERFIT_FORMAT, path, 0, 0,
                       "\"default_prompt_name\" is \"%s\", which \"prompts\" does not have", name);
    else if (prompt && *prompt &&
             !(encoder->prompt = nf_arena_strdup(&encoder->model->net.arena, prompt)))
        status = nf_no_memory(in->err, 0);
    json_decref(json);
    if (status == NERFIT_OK && encoder->prompt) status = count_prompt_tokens(encoder, in->err);
    return status;
}

static nerfit_status load(const loading *in) {
    nf_sentence_encoder *encoder = in->encoder;
    if (!in->path) return nf_no_memory(in->err, 0);
    if (nf_file_exists(in->path)) {
        NF_TRY(read_modules(in));
    } else {
        nf_log_warning(in->log,
                       "%s has no modules.json: taken as a sentence encoder with mean pooling",
                       in->folder);
        NF_TRY(read_transformer(in, in->folder));
        encoder->poolings[encoder->n_poolings++] = NF_POOLING_MEAN;
    }
    NF_TRY(read_prompt(in));
    return nf_network_prepare(&encoder->model->net, false, in->err);
}

nerfit_status nf_sentence_encoder_load(nf_sentence_encoder **out, const char *folder,
                                       nf_backend *be, const nf_log *log, nerfit_error *err) {
    *out = NULL;
    nf_sentence_encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder) return nf_no_memory(err, sizeof *encoder);
    nf_arena arena = {0};
    loading in = {encoder, folder, nf_path_join(&arena, folder, "modules.json"), be, log,
                  &arena,  err};
    nerfit_status status = load(&in);
    nf_arena_free(&arena);
    if (status == NERFIT_OK)
        *out = encoder;
    else
        nf_sentence_encoder_free(encoder);
    return status;
}

void nf_sentence_encoder_free(nf_sentence_encoder *encoder) {
    if (!encoder) return;
    nf_model_free(encoder->model);
    free(encoder);
}
