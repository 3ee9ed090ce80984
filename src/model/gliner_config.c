#include "model/gliner_config.h"

#include <stdlib.h>
#include <string.h>

#include "base/config_reader.h"
#include "base/file.h"
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

/* From 0 to `most`. */
static double config_number(nf_config_reader *in, const char *key, double fallback, double most) {
    double number = nf_config_number(in, key, fallback);
    if (number >= 0.0 && number <= most) return number;
    nf_config_wrong(in, key, most < 1.0 ? "a number from 0 to below 1" : "a number of at least 0");
    return fallback;
}

static int config_choose(nf_config_reader *in, const char *key, const char *fallback,
                         const config_choice *choices, size_t count) {
    const char *name = nf_config_text(in, key, fallback);
    for (size_t i = 0; name && i < count; i++)
        if (strcmp(choices[i].name, name) == 0) return choices[i].value;
    nf_str known = {0};
    nf_str_append_text(&known, "known are: ");
    for (size_t i = 0; i < count; i++)
        nf_str_appendf(&known, "%s%s", i ? ", " : "", choices[i].name);
    nf_config_refuse(in, key, nf_str_text(&known));
    nf_str_free(&known);
    return 0;
}

/* Whether a field holds something: not null, not "", as Python's truth has it. */
static bool config_is_set(const nf_config_reader *in, const char *key) {
    const json_t *value = nf_config_get(in, key);
    return value && !(json_is_string(value) && json_string_length(value) == 0) &&
           !json_is_false(value);
}

/* What would change the numbers and is not there. */
static void refuse_unsupported(nf_config_reader *in, const nf_gliner_config *config) {
    const char *type = json_string_value(json_object_get(in->config, "model_type"));
    const char *splitter = nf_config_text(in, "words_splitter_type", "whitespace");
    if (type && strcmp(type, "gliner_streaming_span") == 0)
        nf_config_refuse(in, "model_type", "its backbone is a causal language model");
    if (splitter && strcmp(splitter, "whitespace") != 0)
        nf_config_refuse(in, "words_splitter_type", "known is: whitespace");
    if (config_is_set(in, "span_encoder_config"))
        nf_config_refuse(in, "span_encoder_config", "expected null, no encoder before the spans");
    if (config->labels_encoder && config_is_set(in, "post_fusion_schema"))
        nf_config_refuse(in, "post_fusion_schema", "expected \"\", no fusing of texts and labels");
    if (config->rnn_layers && config->size % 2)
        nf_config_refuse(in, "hidden_size", "with an LSTM of two directions it should be even");
    if (config->represent_spans && config->span_mode != NF_SPAN_TOKEN_LEVEL)
        nf_config_refuse(in, "represent_spans", "known for the span_mode token_level");
    if (config->precomputed && config->labels_encoder)
        nf_config_refuse(in, "precomputed_prompts_mode", "expected false with a labels_encoder");
}

static bool is_listed(const char *key, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(key, list[i]) == 0) return true;
    return false;
}

static void warn_of_unknown(const nf_config_reader *in, const nf_log *log) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)in->config, key, value) {
        if (!is_listed(key, fields_read, NF_COUNT(fields_read)) &&
            !is_listed(key, fields_without_effect, NF_COUNT(fields_without_effect)))
            nf_log_warning(log, "%s: \"%s\" is not known and has no effect", in->path, key);
    }
}

nerfit_status nf_gliner_config_read(nf_gliner_config *config, const json_t *json, const char *path,
                                    const nf_log *log, nerfit_error *err) {
    if (!json_is_object(json))
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "is not an object");
    nf_config_reader in = {json, path, err, NERFIT_OK};
    bool decodes = config_is_set(&in, "labels_decoder");
    *config = (nf_gliner_config){
        .json = json,
        .path = path,
        .model_name = nf_config_text(&in, "model_name", "microsoft/deberta-v3-small"),
        .labels_encoder = decodes ? NULL : nf_config_text(&in, "labels_encoder", NULL),
        .encoder_config = nf_config_object(&in, "encoder_config"),
        .labels_encoder_config = nf_config_object(&in, "labels_encoder_config"),
        .size = nf_config_size(&in, "hidden_size", 512),
        .span_mode = (nf_span_mode)config_choose(&in, "span_mode", "markerV0", span_modes,
                                                 NF_COUNT(span_modes)),
        .word_pooling = (nf_word_pooling)config_choose(&in, "subtoken_pooling", "first", poolings,
                                                       NF_COUNT(poolings)),
        .max_width = nf_config_size(&in, "max_width", 12),
        .max_words = nf_config_size(&in, "max_len", 384),
        .rnn_layers = (size_t)nf_config_whole(&in, "num_rnn_layers", 1, 0, 1000),
        .fuse_layers = nf_config_bool(&in, "fuse_layers", false),
        .embed_ent_token = nf_config_bool(&in, "embed_ent_token", true),
        .represent_spans = nf_config_bool(&in, "represent_spans", false),
        .relations = nf_config_get(&in, "relations_layer") != NULL,
        .precomputed = nf_config_bool(&in, "precomputed_prompts_mode", false),
        .dropout = config_number(&in, "dropout", 0.4, 0.999),
        .span_coef = config_number(&in, "span_loss_coef", 1.0, 1e6),
        .token_coef = config_number(&in, "token_loss_coef", 1.0, 1e6),
        .negative_spans = config_number(&in, "neg_spans_ratio", 1.0, 1e6),
        .ent_token = nf_config_text(&in, "ent_token", "<<ENT>>"),
        .sep_token = nf_config_text(&in, "sep_token", "<<SEP>>"),
        .rel_token = nf_config_text(&in, "rel_token", "<<REL>>"),
        .class_token_index = nf_config_whole(&in, "class_token_index", -1, -1, INT32_MAX),
        .vocab_size = nf_config_whole(&in, "vocab_size", -1, -1, INT32_MAX),
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
