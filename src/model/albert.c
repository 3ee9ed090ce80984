/* ALBERT (Lan et al. 2020): small embeddings that are always projected to the hidden states' size,
 * and one layer whose parameters serve at every depth. */
#include "model/layout.h"

static const nf_layout_keys keys = {
    .hidden = "hidden_size",
    .n_layers = "num_hidden_layers",
    .n_heads = "num_attention_heads",
    .intermediate = "intermediate_size",
    .activation = "hidden_act",
    .hidden_dropout = "hidden_dropout_prob",
    .attention_dropout = "attention_probs_dropout_prob",
    .classifier_dropout = "classifier_dropout_prob",
};

static const nf_layout_defaults defaults = {
    .activation = "gelu_new", .dropout = 0.0, .classifier_dropout = 0.1, .embedding_size = 128};

static const nf_layer_names names = {
    .query = "attention.query",
    .key = "attention.key",
    .value = "attention.value",
    .attention_out = "attention.dense",
    .attention_norm = "attention.LayerNorm",
    .up = "ffn",
    .down = "ffn_output",
    .norm = "full_layer_layer_norm",
};

static const nf_layout layout = {.keys = &keys,
                                 .defaults = &defaults,
                                 .names = &names,
                                 .layers = "encoder.albert_layer_groups.0.albert_layers.",
                                 .projection = "encoder.embedding_hidden_mapping_in",
                                 .always_projects = true,
                                 .shared = true};

/* All published checkpoints have one group of one layer. */
static nerfit_status check_groups(const json_t *config, const char *path, nerfit_error *err) {
    static const char *const fields[] = {"num_hidden_groups", "inner_group_num"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        nf_config_reader in = {config, path, err, NERFIT_OK};
        size_t given = nf_config_size(&in, fields[i], 1);
        NF_TRY(in.status);
        if (given != 1)
            return nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                              "\"%s\": %zu is not supported; expected 1, one layer shared by all "
                              "depths",
                              fields[i], given);
    }
    return NERFIT_OK;
}

static nerfit_status build(nf_encoder *encoder, nf_network *net, const json_t *config,
                           const char *path, nerfit_error *err) {
    NF_TRY(check_groups(config, path, err));
    return nf_layout_build(&layout, encoder, net, config, path, err);
}

const nf_architecture nf_architecture_albert = {
    .model_type = "albert",
    .prefix = "albert.",
    .class_name = "AlbertForTokenClassification",
    .encoder_class_name = "AlbertModel",
    .build = build,
};
