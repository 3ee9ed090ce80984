/* MPNet (Song et al. 2020): BERT's layers with RoBERTa's positions and, in every layer, one table
 * of biases by distance on the scores. */
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

static const nf_layer_names names = {
    .query = "attention.attn.q",
    .key = "attention.attn.k",
    .value = "attention.attn.v",
    .attention_out = "attention.attn.o",
    .attention_norm = "attention.LayerNorm",
    .up = "intermediate.dense",
    .down = "output.dense",
    .norm = "output.LayerNorm",
};

static const nf_layout layout = {.keys = &keys,
                                 .defaults = &nf_bert_defaults,
                                 .names = &names,
                                 .layers = "encoder.layer.",
                                 .no_types = true};

/* transformers' class takes 32 buckets up to distance 128 and padding id 1 whatever the file says.
 */
enum { BUCKETS = 32, MAX_DISTANCE = 128, PADDING = 1 };

static nerfit_status build(nf_encoder *encoder, nf_network *net, const json_t *config,
                           const char *path, nerfit_error *err) {
    NF_TRY(nf_layout_build(&layout, encoder, net, config, path, err));
    nf_config_reader in = {config, path, err, NERFIT_OK};
    size_t rows = nf_config_size(&in, "relative_attention_num_buckets", BUCKETS);
    NF_TRY(in.status);
    if (rows < BUCKETS || encoder->position_of_padding != PADDING)
        return nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                          "relative_attention_num_buckets %zu and pad_token_id %d are not "
                          "supported; expected at least %d, and %d",
                          rows, encoder->position_of_padding, BUCKETS, PADDING);
    nf_relative_positions *relative = nf_arena_calloc(&net->arena, 1, sizeof *relative);
    /* its name makes it a bias for transformers: no weight decay */
    nf_parameter *bias = nf_network_parameter(net, "encoder.relative_attention_bias.weight", 2,
                                              rows, encoder->n_heads, false);
    if (!relative || !bias) return nf_no_memory(err, 0);
    *relative = (nf_relative_positions){.bucketing = NF_BUCKETS_T5,
                                        .n_buckets = BUCKETS,
                                        .max_distance = MAX_DISTANCE,
                                        .bias = bias};
    encoder->relative = relative;
    return NERFIT_OK;
}

/* PEFT has no default for MPNet; these are the query and the value, as it takes elsewhere. */
static const char *const targets[] = {"q", "v", NULL};

const nf_architecture nf_architecture_mpnet = {
    .model_type = "mpnet",
    .prefix = "mpnet.",
    .class_name = "MPNetForTokenClassification",
    .encoder_class_name = "MPNetModel",
    .first_position = 2,
    .lora_targets = targets,
    .build = build,
};
