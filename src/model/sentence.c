#include "model/sentence.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

/* "sentence_transformers.models.Pooling" and the longer paths of later versions: the class is what
 * stands after the last dot. */
static const char *class_of(const json_t *module) {
    const char *type = json_string_value(json_object_get(module, "type"));
    const char *dot = type ? strrchr(type, '.') : NULL;
    return dot ? dot + 1 : type;
}

static nerfit_status read_pooling(nf_sentence_encoder *encoder, const char *folder,
                                  nf_arena *arena, nerfit_error *err) {
    static const struct {
        const char *key, *mode;
        int pooling; /* -1: known, not supported */
    } modes[] = {
        {"pooling_mode_cls_token", "cls", NF_POOLING_CLS},
        {"pooling_mode_mean_tokens", "mean", NF_POOLING_MEAN},
        {"pooling_mode_max_tokens", "max", NF_POOLING_MAX},
        {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", -1},
        {"pooling_mode_weightedmean_tokens", "weightedmean", -1},
        {"pooling_mode_lasttoken", "lasttoken", -1},
    };
    const char *path = nf_path_join(arena, folder, "config.json");
    if (!path) return nf_no_memory(err, 0);
    json_t *json;
    NF_TRY(nf_json_load(&json, path, err));
    const char *mode = json_string_value(json_object_get(json, "pooling_mode"));
    size_t found = 0;
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < sizeof modes / sizeof *modes && status == NERFIT_OK; i++) {
        if (!json_is_true(json_object_get(json, modes[i].key)) &&
            !(mode && strcmp(mode, modes[i].mode) == 0))
            continue;
        found++;
        if (modes[i].pooling < 0)
            status = nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0, "%s is not supported",
                                modes[i].key);
        else encoder->pooling = (nf_pooling)modes[i].pooling;
    }
    json_decref(json);
    if (status == NERFIT_OK && found != 1)
        return nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                          "asks for %zu pooling modes; expected exactly one", found);
    return status;
}

static nerfit_status read_dense(nf_sentence_encoder *encoder, const char *folder, nf_arena *arena,
                                nerfit_error *err) {
    nf_network *net = &encoder->model->net;
    const char *path = nf_path_join(arena, folder, "config.json");
    if (!path) return nf_no_memory(err, 0);
    json_t *json;
    NF_TRY(nf_json_load(&json, path, err));
    json_int_t in = json_integer_value(json_object_get(json, "in_features"));
    json_int_t out = json_integer_value(json_object_get(json, "out_features"));
    bool has_bias = !json_is_false(json_object_get(json, "bias"));
    const char *function = json_string_value(json_object_get(json, "activation_function"));
    nerfit_status status = NERFIT_OK;
    if (!function || strstr(function, "Tanh")) encoder->dense_activation = NF_ACTIVATION_TANH;
    else if (strstr(function, "Identity")) encoder->dense_activation = NF_ACTIVATION_NONE;
    else if (strstr(function, "ReLU")) encoder->dense_activation = NF_ACTIVATION_RELU;
    else if (strstr(function, "GELU")) encoder->dense_activation = NF_ACTIVATION_GELU;
    else
        status = nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                            "activation_function \"%s\" is not supported", function);
    if (status == NERFIT_OK && json_is_true(json_object_get(json, "use_residual")))
        status = nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                            "\"use_residual\": true is not supported");
    json_decref(json);
    NF_TRY(status);
    if (in != (json_int_t)encoder->size || out < 1 || out > 1000000)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "in_features %lld does not fit the %zu features before it",
                          (long long)in, encoder->size);
    if (encoder->dense)
        return nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                          "a second Dense module is not supported");
    encoder->dense = nf_linear_new(net, "dense", (size_t)in, (size_t)out, has_bias);
    if (!encoder->dense) return nf_no_memory(err, 0);
    nf_safetensors *weights;
    NF_TRY(nf_safetensors_open(&weights, folder, err));
    nf_parameter *parts[] = {encoder->dense->weight, encoder->dense->bias};
    static const char *const names[] = {"linear.weight", "linear.bias"};
    for (size_t i = 0; i < 2 && status == NERFIT_OK; i++) {
        if (!parts[i]) continue;
        const nf_stored *stored = nf_safetensors_find(weights, names[i]);
        float *values = stored ? malloc(stored->count * sizeof *values + 1) : NULL;
        if (!stored)
            status = nf_fail_at(err, NERFIT_FORMAT, nf_safetensors_path(weights), 0, 0,
                                "has no tensor \"%s\"", names[i]);
        else if (!values) status = nf_no_memory(err, stored->count);
        else if (stored->count != nf_parameter_count(parts[i]))
            status = nf_fail_at(err, NERFIT_FORMAT, nf_safetensors_path(weights), 0, 0,
                                "tensor \"%s\" has %zu values, expected %zu", names[i],
                                stored->count, nf_parameter_count(parts[i]));
        else status = nf_stored_to_f32(stored, values, err);
        if (status == NERFIT_OK) status = nf_parameter_fill(net, parts[i], values, err);
        free(values);
    }
    nf_safetensors_close(weights);
    encoder->size = (size_t)out;
    return status;
}

/* The least of what the model takes, max_seq_length of the Transformer module's file, and the
 * tokenizer's model_max_length, which is all that later versions of sentence-transformers write. */
static void read_max_length(nf_sentence_encoder *encoder, const char *folder, nf_arena *arena) {
    static const struct {
        const char *file, *key;
    } limits[] = {{"sentence_bert_config.json", "max_seq_length"},
                  {"sentence_roberta_config.json", "max_seq_length"},
                  {"tokenizer_config.json", "model_max_length"}};
    encoder->max_length = nf_model_max_length(encoder->model);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        const char *path = nf_path_join(arena, folder, limits[i].file);
        json_t *json = NULL;
        if (!path || !nf_file_exists(path) || nf_json_load(&json, path, NULL) != NERFIT_OK)
            continue;
        /* transformers writes 1e30 for "no limit" */
        double limit = json_number_value(json_object_get(json, limits[i].key));
        if (limit >= 1 && limit < (double)encoder->max_length) encoder->max_length = (size_t)limit;
        bool own = limit >= 1 && i < 2;
        json_decref(json);
        if (own) return; /* max_seq_length overrides what the tokenizer says */
    }
}

static nerfit_status read_modules(nf_sentence_encoder *encoder, const char *folder,
                                  const json_t *modules, const char *path, nf_backend *be,
                                  const nf_log *log, nf_arena *arena, nerfit_error *err) {
    size_t i;
    json_t *module;
    json_array_foreach(modules, i, module) {
        const char *class_name = class_of(module);
        const char *sub = json_string_value(json_object_get(module, "path"));
        const char *place = nf_path_join(arena, folder, sub && *sub ? sub : ".");
        if (!place) return nf_no_memory(err, 0);
        if (!class_name)
            return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "module %zu has no \"type\"", i);
        if (strcmp(class_name, "Transformer") == 0 && !encoder->model) {
            const char *own = sub && *sub ? place : folder;
            NF_TRY(nf_model_load(&encoder->model, own, be, log, err));
            encoder->size = encoder->model->encoder.hidden;
            read_max_length(encoder, own, arena);
        } else if (!encoder->model) {
            return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                              "the first module is %s; expected Transformer", class_name);
        } else if (strcmp(class_name, "Pooling") == 0) {
            NF_TRY(read_pooling(encoder, place, arena, err));
        } else if (strcmp(class_name, "Dense") == 0) {
            NF_TRY(read_dense(encoder, place, arena, err));
        } else if (strcmp(class_name, "Normalize") == 0) {
            encoder->normalize = true;
        } else if (strcmp(class_name, "Dropout") != 0) {
            return nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                              "module %s is not supported; known are Transformer, Pooling, Dense, "
                              "Normalize",
                              class_name);
        }
    }
    return NERFIT_OK;
}

static nerfit_status load(nf_sentence_encoder *encoder, const char *folder, nf_backend *be,
                          const nf_log *log, nf_arena *arena, nerfit_error *err) {
    const char *path = nf_path_join(arena, folder, "modules.json");
    if (!path) return nf_no_memory(err, 0);
    if (nf_file_exists(path)) {
        json_t *modules;
        NF_TRY(nf_json_load(&modules, path, err));
        nerfit_status status =
            read_modules(encoder, folder, modules, path, be, log, arena, err);
        json_decref(modules);
        NF_TRY(status);
        if (!encoder->model)
            return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "lists no Transformer module");
    } else {
        nf_log_warning(log, "%s has no modules.json: taken as a sentence encoder with mean pooling",
                       folder);
        NF_TRY(nf_model_load(&encoder->model, folder, be, log, err));
        encoder->size = encoder->model->encoder.hidden;
        read_max_length(encoder, folder, arena);
    }
    if (!encoder->model->tokenizer)
        return nf_fail_at(err, NERFIT_FORMAT, folder, 0, 0, "has no tokenizer");
    return nf_network_prepare(&encoder->model->net, false, err);
}

nerfit_status nf_sentence_encoder_load(nf_sentence_encoder **out, const char *folder,
                                       nf_backend *be, const nf_log *log, nerfit_error *err) {
    *out = NULL;
    nf_sentence_encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder) return nf_no_memory(err, sizeof *encoder);
    nf_arena arena = {0};
    nerfit_status status = load(encoder, folder, be, log, &arena, err);
    nf_arena_free(&arena);
    if (status == NERFIT_OK) *out = encoder;
    else nf_sentence_encoder_free(encoder);
    return status;
}

void nf_sentence_encoder_free(nf_sentence_encoder *encoder) {
    if (!encoder) return;
    nf_model_free(encoder->model);
    free(encoder);
}

/* Cuts the tokens at the limit, keeping the special ones at the end. */
static size_t cut(nf_encoding *encoding, size_t limit, size_t after) {
    if (encoding->length <= limit) return 0;
    for (size_t i = 0; i < after && i < limit; i++)
        encoding->ids[limit - after + i] = encoding->ids[encoding->length - after + i];
    encoding->length = limit;
    return 1;
}

static void normalize_row(float *row, size_t size) {
    double sum = 0.0;
    for (size_t i = 0; i < size; i++) sum += (double)row[i] * row[i];
    double norm = sqrt(sum) > 1e-12 ? sqrt(sum) : 1e-12;
    for (size_t i = 0; i < size; i++) row[i] = (float)(row[i] / norm);
}

static nerfit_status encode_batch(const nf_sentence_encoder *encoder, nf_pass *pass,
                                  const nf_tokens *texts, size_t count, bool normalize, float *out,
                                  nerfit_error *err) {
    const nf_model *model = encoder->model;
    nf_backend *be = pass->be;
    nf_workspace_reset(pass->ws);
    NF_TRY(nf_batch_load(pass, &model->encoder, texts, count, err));
    size_t n = (size_t)pass->sequences.n_tokens, c = model->encoder.hidden;
    nf_values *hidden = nf_workspace_reals(pass->ws, n * c);
    nf_values *pooled = nf_workspace_reals(pass->ws, count * c);
    nf_values *embedded = nf_workspace_reals(pass->ws, count * encoder->size);
    if (nf_workspace_failed(pass->ws)) return nf_no_memory(err, 0);
    if (nf_encoder_forward(&model->encoder, pass, hidden, NULL, NULL) != NERFIT_OK)
        return nf_no_memory(err, 0);
    be->pool(be, encoder->pooling, pooled, hidden, &pass->sequences, c);
    if (encoder->dense) {
        const nf_linear *dense = encoder->dense;
        be->linear_forward(be, embedded, NULL, pooled, dense->packed,
                           dense->bias ? dense->bias->values : NULL, encoder->dense_activation,
                           count);
        pooled = embedded;
    }
    NF_TRY(nf_backend_check(be, err));
    be->to_f32(be, out, pooled, count * encoder->size);
    if (normalize || encoder->normalize)
        for (size_t i = 0; i < count; i++) normalize_row(out + i * encoder->size, encoder->size);
    return NERFIT_OK;
}

nerfit_status nf_sentence_encoder_encode(const nf_sentence_encoder *encoder, nf_backend *be,
                                         const char *const *texts, size_t count, bool normalize,
                                         float *out, size_t *n_cut, nerfit_error *err) {
    enum { BATCH = 32 };
    const nf_tokenizer *tokenizer = encoder->model->tokenizer;
    nf_encoding encodings[BATCH] = {{0}};
    nf_tokens tokens[BATCH];
    size_t before, after, cuts = 0;
    nf_tokenizer_special_counts(tokenizer, &before, &after);
    nf_pass pass = {.be = be};
    nerfit_status status = nf_workspace_new(&pass.ws, be, err);
    for (size_t done = 0; done < count && status == NERFIT_OK; done += BATCH) {
        size_t batch = count - done < BATCH ? count - done : BATCH;
        for (size_t i = 0; i < batch && status == NERFIT_OK; i++) {
            const char *text = texts[done + i];
            status = nf_tokenizer_encode(tokenizer, text, strlen(text), true, &encodings[i], err);
            if (status != NERFIT_OK) break;
            cuts += cut(&encodings[i], encoder->max_length, after);
            tokens[i] = (nf_tokens){encodings[i].ids, encodings[i].length};
        }
        if (status == NERFIT_OK)
            status = encode_batch(encoder, &pass, tokens, batch, normalize,
                                  out + done * encoder->size, err);
    }
    for (size_t i = 0; i < BATCH; i++) nf_encoding_free(&encodings[i]);
    nf_workspace_free(pass.ws);
    if (n_cut) *n_cut = cuts;
    return status;
}
