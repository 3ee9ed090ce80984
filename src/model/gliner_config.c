#include "model/gliner_config.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"

/* Fields that other code does not ask for: of training, of saving, of Hugging Face's base class. */
static const char *const fields_without_effect[] = {
    "name", "fine_tune", "max_types", "max_neg_type_ratio", "model_type", "num_post_fusion_layers",
    "id_to_classes", "rel_id_to_classes", "_attn_implementation", "transformers_version",
    "architectures", "dtype", "torch_dtype", "blank_entity_prob", "decoder_loss_coef",
    "full_decoder_context", "decoder_mode", "labels_decoder_config", "adjacency_loss_coef",
    "relation_loss_coef", "augment_data_prob", "augment_ent_drop_prob", "augment_rel_drop_prob",
    "augment_add_other_prob", "rel_token_index", "embed_rel_token", "triples_layer", "has_rnn",
    /* of training configurations, which the first releases stored as they were */
    "lr_encoder", "lr_others", "num_steps", "warmup_ratio", "train_batch_size", "eval_every",
    "log_dir", "root_dir", "train_data", "val_data_dir", "prev_path", "save_total_limit",
    "size_sup", "max_grad_norm", "shuffle_types", "random_drop", "freeze_token_rep",
    "weight_decay_encoder", "weight_decay_other", "scheduler_type", "loss_alpha", "loss_gamma",
    "loss_reduction", "label_smoothing", "masking", "use_span_width_weight", "_name_or_path",
    /* of Hugging Face's PretrainedConfig */
    "output_attentions", "output_hidden_states", "return_dict", "is_encoder_decoder", "id2label",
    "label2id", "problem_type", "chunk_size_feed_forward", "tie_word_embeddings", "is_composition",
    "use_cache", "add_cross_attention", "is_decoder"};

/* The fields that are read below. */
static const char *const fields_read[] = {"model_name",
                                          "labels_encoder",
                                          "labels_encoder_config",
                                          "encoder_config",
                                          "hidden_size",
                                          "span_mode",
                                          "subtoken_pooling",
                                          "max_width",
                                          "max_len",
                                          "num_rnn_layers",
                                          "fuse_layers",
                                          "embed_ent_token",
                                          "represent_spans",
                                          "relations_layer",
                                          "labels_decoder",
                                          "precomputed_prompts_mode",
                                          "dropout",
                                          "span_loss_coef",
                                          "token_loss_coef",
                                          "neg_spans_ratio",
                                          "ent_token",
                                          "sep_token",
                                          "rel_token",
                                          "class_token_index",
                                          "vocab_size",
                                          "words_splitter_type",
                                          "span_encoder_config",
                                          "post_fusion_schema"};

typedef struct config_choice {
    const char *name;
    int value;
} config_choice;

static const config_choice span_modes[] = {{"marker", NF_SPAN_MARKER},
                                           {"markerV0", NF_SPAN_MARKER_V0},
                                           {"markerV1", NF_SPAN_MARKER_V1},
                                           {"token_level", NF_SPAN_TOKEN_LEVEL}};
static const config_choice poolings[] = {
    {"first", NF_WORD_FIRST}, {"last", NF_WORD_LAST}, {"mean", NF_WORD_MEAN}, {"max", NF_WORD_MAX}};

/* Reads fields; the first error stays. */
typedef struct field_reader {
    const json_t *json;
    const char *path;
    nerfit_error *err;
    nerfit_status status;
} field_reader;

static const json_t *field_get(const field_reader *in, const char *key) {
    const json_t *value = json_object_get(in->json, key);
    return json_is_null(value) ? NULL : value;
}

static void field_fail(field_reader *in, const char *key, const char *expected) {
    if (in->status != NERFIT_OK) return;
    char *given = nf_json_text(json_object_get(in->json, key), JSON_COMPACT);
    in->status = nf_fail_at(in->err, NERFIT_FORMAT, in->path, 0, 0, "\"%s\" is %.60s, expected %s",
                            key, given ? given : "something else", expected);
    free(given);
}

static void field_refuse(field_reader *in, const char *key, const char *why) {
    if (in->status != NERFIT_OK) return;
    char *given = nf_json_text(json_object_get(in->json, key), JSON_COMPACT);
    in->status = nf_fail_at(in->err, NERFIT_UNSUPPORTED, in->path, 0, 0,
                            "\"%s\": %.60s is not supported; %s", key, given ? given : "?", why);
    free(given);
}

static size_t field_size(field_reader *in, const char *key, size_t fallback, size_t least) {
    const json_t *value = field_get(in, key);
    if (!value) return fallback;
    json_int_t size = json_integer_value(value);
    if (!json_is_integer(value) || size < (json_int_t)least || size > 1000000) {
        field_fail(in, key,
                   least ? "a whole number from 1 to 1,000,000"
                         : "a whole number from 0 to 1,000,000");
        return fallback;
    }
    return (size_t)size;
}

/* From 0 to `most`. The first releases wrote some as texts. */
static double field_number(field_reader *in, const char *key, double fallback, double most) {
    const json_t *value = field_get(in, key);
    double number = json_number_value(value);
    if (!value) return fallback;
    if (json_is_number(value) && number >= 0.0 && number <= most) return number;
    field_fail(in, key, most < 1.0 ? "a number from 0 to below 1" : "a number of at least 0");
    return fallback;
}

static bool field_bool(field_reader *in, const char *key, bool fallback) {
    const json_t *value = field_get(in, key);
    if (value && !json_is_boolean(value)) field_fail(in, key, "true or false");
    return value ? json_is_true(value) : fallback;
}

static const char *field_text(field_reader *in, const char *key, const char *fallback) {
    const json_t *value = field_get(in, key);
    if (value && !json_is_string(value)) field_fail(in, key, "a text");
    return value ? json_string_value(value) : fallback;
}

static const json_t *field_object(field_reader *in, const char *key) {
    const json_t *value = field_get(in, key);
    if (value && !json_is_object(value)) field_fail(in, key, "an object");
    return value;
}

/* -1 or a token's number. */
static int64_t field_index(field_reader *in, const char *key) {
    const json_t *value = field_get(in, key);
    if (!value) return -1;
    json_int_t index = json_integer_value(value);
    if (!json_is_integer(value) || index < -1 || index > INT32_MAX)
        field_fail(in, key, "-1 or a token's number");
    return index;
}

static int field_choice(field_reader *in, const char *key, const char *fallback,
                        const config_choice *choices, size_t count) {
    const char *name = field_text(in, key, fallback);
    for (size_t i = 0; name && i < count; i++)
        if (strcmp(choices[i].name, name) == 0) return choices[i].value;
    nf_str known = {0};
    nf_str_append_text(&known, "known are: ");
    for (size_t i = 0; i < count; i++)
        nf_str_appendf(&known, "%s%s", i ? ", " : "", choices[i].name);
    field_refuse(in, key, nf_str_text(&known));
    nf_str_free(&known);
    return 0;
}

/* Whether a field holds something: not null, not "", as Python's truth has it. */
static bool field_is_set(const field_reader *in, const char *key) {
    const json_t *value = field_get(in, key);
    return value && !(json_is_string(value) && json_string_length(value) == 0) &&
           !json_is_false(value);
}

/* What would change the numbers and is not there. */
static void refuse_unsupported(field_reader *in, const nf_gliner_config *config) {
    const char *type = json_string_value(json_object_get(in->json, "model_type"));
    const char *splitter = field_text(in, "words_splitter_type", "whitespace");
    if (type && strcmp(type, "gliner_streaming_span") == 0)
        field_refuse(in, "model_type", "its backbone is a causal language model");
    if (splitter && strcmp(splitter, "whitespace") != 0)
        field_refuse(in, "words_splitter_type", "known is: whitespace");
    if (field_is_set(in, "span_encoder_config"))
        field_refuse(in, "span_encoder_config", "expected null, no encoder before the spans");
    if (config->labels_encoder && field_is_set(in, "post_fusion_schema"))
        field_refuse(in, "post_fusion_schema", "expected \"\", no fusing of texts and labels");
    if (config->rnn_layers && config->size % 2)
        field_refuse(in, "hidden_size", "with an LSTM of two directions it should be even");
    if (config->represent_spans && config->span_mode != NF_SPAN_TOKEN_LEVEL)
        field_refuse(in, "represent_spans", "known for the span_mode token_level");
    if (config->precomputed && config->labels_encoder)
        field_refuse(in, "precomputed_prompts_mode", "expected false with a labels_encoder");
}

static bool is_listed(const char *key, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(key, list[i]) == 0) return true;
    return false;
}

static void warn_of_unknown(const field_reader *in, const nf_log *log) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)in->json, key, value) {
        if (!is_listed(key, fields_read, NF_COUNT(fields_read)) &&
            !is_listed(key, fields_without_effect, NF_COUNT(fields_without_effect)))
            nf_log_warning(log, "%s: \"%s\" is not known and has no effect", in->path, key);
    }
}

nerfit_status nf_gliner_config_read(nf_gliner_config *config, const json_t *json, const char *path,
                                    const nf_log *log, nerfit_error *err) {
    if (!json_is_object(json))
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "is not an object");
    field_reader in = {json, path, err, NERFIT_OK};
    bool decodes = field_is_set(&in, "labels_decoder");
    *config = (nf_gliner_config){
        .json = json,
        .path = path,
        .model_name = field_text(&in, "model_name", "microsoft/deberta-v3-small"),
        .labels_encoder = decodes ? NULL : field_text(&in, "labels_encoder", NULL),
        .encoder_config = field_object(&in, "encoder_config"),
        .labels_encoder_config = field_object(&in, "labels_encoder_config"),
        .size = field_size(&in, "hidden_size", 512, 1),
        .span_mode = (nf_span_mode)field_choice(&in, "span_mode", "markerV0", span_modes,
                                                NF_COUNT(span_modes)),
        .word_pooling = (nf_word_pooling)field_choice(&in, "subtoken_pooling", "first", poolings,
                                                      NF_COUNT(poolings)),
        .max_width = field_size(&in, "max_width", 12, 1),
        .max_words = field_size(&in, "max_len", 384, 1),
        .rnn_layers = field_size(&in, "num_rnn_layers", 1, 0),
        .fuse_layers = field_bool(&in, "fuse_layers", false),
        .embed_ent_token = field_bool(&in, "embed_ent_token", true),
        .represent_spans = field_bool(&in, "represent_spans", false),
        .relations = field_get(&in, "relations_layer") != NULL,
        .precomputed = field_bool(&in, "precomputed_prompts_mode", false),
        .dropout = field_number(&in, "dropout", 0.4, 0.999),
        .span_coef = field_number(&in, "span_loss_coef", 1.0, 1e6),
        .token_coef = field_number(&in, "token_loss_coef", 1.0, 1e6),
        .negative_spans = field_number(&in, "neg_spans_ratio", 1.0, 1e6),
        .ent_token = field_text(&in, "ent_token", "<<ENT>>"),
        .sep_token = field_text(&in, "sep_token", "<<SEP>>"),
        .rel_token = field_text(&in, "rel_token", "<<REL>>"),
        .class_token_index = field_index(&in, "class_token_index"),
        .vocab_size = field_index(&in, "vocab_size"),
    };
    /* the package makes a token decoder represent spans whatever the file says */
    if (decodes && config->span_mode == NF_SPAN_TOKEN_LEVEL) config->represent_spans = true;
    refuse_unsupported(&in, config);
    if (in.status != NERFIT_OK) return in.status;
    /* of a bi-encoder the recurrent layers lie in the weights, but its forward leaves them out */
    if (config->labels_encoder) config->rnn_layers = 0;
    if (config->relations)
        nf_log_warning(log, "%s: relations are not found, only the entities", path);
    if (decodes)
        nf_log_warning(log, "%s: labels are not generated (labels_decoder); those given are used",
                       path);
    warn_of_unknown(&in, log);
    return NERFIT_OK;
}

bool nf_gliner_config_exists(const char *folder) {
    return nf_file_exists_in(folder, "gliner_config.json");
}
