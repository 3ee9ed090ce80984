/* DeBERTa-v2 and -v3 (He et al. 2021): BERT's layers whose attention adds up products of contents,
 * of a content with a position's key (c2p) and of a position's query with a content (p2c). The
 * positions are the distances' embeddings, one table for all layers. */
#include <stdio.h>
#include <string.h>

#include "model/layout.h"

static const nf_layout_keys keys = {
    .hidden = "hidden_size",
    .n_layers = "num_hidden_layers",
    .n_heads = "num_attention_heads",
    .intermediate = "intermediate_size",
    .activation = "hidden_act",
    .hidden_dropout = "hidden_dropout_prob",
    .attention_dropout = "attention_probs_dropout_prob",
    .classifier_dropout = "hidden_dropout_prob",
};

static const nf_layout_defaults defaults = {
    .activation = "gelu", .dropout = 0.1, .classifier_dropout = -1.0, .epsilon = 1e-7};

static const nf_layer_names names = {
    .query = "attention.self.query_proj",
    .key = "attention.self.key_proj",
    .value = "attention.self.value_proj",
    .attention_out = "attention.output.dense",
    .attention_norm = "attention.output.LayerNorm",
    .up = "intermediate.dense",
    .down = "output.dense",
    .norm = "output.LayerNorm",
};

/* A whole number that may be 0 or negative: "not used". */
static json_int_t whole(const json_t *config, const char *key, json_int_t fallback) {
    const json_t *value = json_object_get(config, key);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

/* ["p2c", "c2p"], or "p2c|c2p" */
static bool has_term(const json_t *config, const char *term) {
    const json_t *types = json_object_get(config, "pos_att_type"), *item;
    size_t i;
    if (json_is_string(types)) return strstr(json_string_value(types), term) != NULL;
    json_array_foreach(types, i, item) {
        if (json_is_string(item) && strcmp(json_string_value(item), term) == 0) return true;
    }
    return false;
}

/* What other members of the family have, and these two have not. */
static nerfit_status refuse(const json_t *config, size_t hidden, const char *path,
                            nerfit_error *err) {
    if (whole(config, "conv_kernel_size", 0) > 0)
        return nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                          "\"conv_kernel_size\": %lld is not supported; expected 0, no convolution",
                          (long long)whole(config, "conv_kernel_size", 0));
    json_int_t embedding = whole(config, "embedding_size", (json_int_t)hidden);
    json_int_t head = whole(config, "attention_head_size", 0);
    if (embedding != (json_int_t)hidden || head > 0)
        return nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                          "\"%s\" is not supported; expected that it is left out",
                          head > 0 ? "attention_head_size" : "embedding_size");
    bool relative = nf_config_is_true(config, "relative_attention", false);
    if (relative != (has_term(config, "c2p") || has_term(config, "p2c")))
        return nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                          "\"relative_attention\" is not supported without c2p or p2c in "
                          "\"pos_att_type\", nor these without it");
    return NERFIT_OK;
}

static bool build_table(nf_relative_positions *relative, nf_network *net, const json_t *config,
                        size_t hidden, double epsilon) {
    const char *norm = json_string_value(json_object_get(config, "norm_rel_ebd"));
    relative->embeddings = nf_build_table(net, "encoder.", "rel_embeddings.weight",
                                          2 * (size_t)relative->n_buckets, hidden);
    return relative->embeddings &&
           (!norm || !strstr(norm, "layer_norm") ||
            nf_build_norm(&relative->norm, net, "encoder.", "LayerNorm", hidden, epsilon));
}

/* Keys and queries of positions come from the contents' layers, or from layers of their own. */
static bool build_terms(nf_attention *attention, nf_network *net, const json_t *config,
                        size_t index, size_t c) {
    bool shared = nf_config_is_true(config, "share_att_key", false), ok = true;
    char prefix[64];
    snprintf(prefix, sizeof prefix, "encoder.layer.%zu.attention.self.", index);
    attention->position_stream = nf_network_dropout_stream(net);
    if (has_term(config, "c2p"))
        ok = (attention->position_key =
                  shared ? attention->key : nf_build_linear(net, prefix, "pos_key_proj", c, c)) !=
             NULL;
    if (ok && has_term(config, "p2c"))
        ok = (attention->position_query =
                  shared ? attention->query
                         : nf_build_linear(net, prefix, "pos_query_proj", c, c)) != NULL;
    return ok;
}

static nerfit_status build_relative(nf_encoder *encoder, nf_network *net, const json_t *config,
                                    const char *path, nerfit_error *err) {
    json_int_t buckets = whole(config, "position_buckets", -1);
    json_int_t reach = whole(config, "max_relative_positions", -1);
    if (reach < 1) reach = (json_int_t)encoder->max_positions;
    if (buckets > 1000000 || reach > 1000000 ||
        (buckets > 0 && (buckets < 4 || reach <= buckets / 2)))
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "position_buckets %lld and max_relative_positions %lld should be whole "
                          "numbers up to 1,000,000, buckets at least 4 and less than twice the "
                          "other",
                          (long long)buckets, (long long)reach);
    nf_config_reader in = {config, path, err, NERFIT_OK};
    double epsilon = nf_config_epsilon(&in, "layer_norm_eps", defaults.epsilon);
    NF_TRY(in.status);
    nf_relative_positions *relative = nf_arena_calloc(&net->arena, 1, sizeof *relative);
    if (!relative) return nf_no_memory(err, sizeof *relative);
    *relative = (nf_relative_positions){.bucketing = NF_BUCKETS_LOG,
                                        .n_buckets = (int32_t)(buckets > 0 ? buckets : reach),
                                        .max_distance = buckets > 0 ? (int32_t)reach : 0};
    if (!build_table(relative, net, config, encoder->hidden, epsilon)) return nf_no_memory(err, 0);
    for (size_t i = 0; i < encoder->n_layers; i++)
        if (!build_terms(&encoder->layers[i].attention, net, config, i, encoder->hidden))
            return nf_no_memory(err, 0);
    encoder->relative = relative;
    return NERFIT_OK;
}

static nerfit_status build(nf_encoder *encoder, nf_network *net, const json_t *config,
                           const char *path, nerfit_error *err) {
    const nf_layout layout = {.keys = &keys,
                              .defaults = &defaults,
                              .names = &names,
                              .layers = "encoder.layer.",
                              .no_positions =
                                  !nf_config_is_true(config, "position_biased_input", true),
                              .no_types = whole(config, "type_vocab_size", 0) == 0};
    NF_TRY(nf_layout_build(&layout, encoder, net, config, path, err));
    NF_TRY(refuse(config, encoder->hidden, path, err));
    if (!nf_config_is_true(config, "relative_attention", false)) return NERFIT_OK;
    return build_relative(encoder, net, config, path, err);
}

static const char *const targets[] = {"query_proj", "value_proj", NULL};

const nf_architecture nf_architecture_deberta_v2 = {
    .model_type = "deberta-v2",
    .prefix = "deberta.",
    .class_name = "DebertaV2ForTokenClassification",
    .encoder_class_name = "DebertaV2Model",
    .lora_targets = targets,
    .build = build,
};
