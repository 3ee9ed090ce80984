/* BERT's layout (Devlin et al. 2018), as transformers' BertModel names and orders it. RoBERTa is the
 * same but for its positions; the table at the end says so. */
#include <stdio.h>
#include <string.h>

#include "model/architecture.h"

static nf_parameter *parameter(nf_network *net, const char *prefix, const char *name, int n_dims,
                               size_t rows, size_t cols, bool decayed) {
    char path[256];
    snprintf(path, sizeof path, "%s%s", prefix, name);
    return nf_network_parameter(net, path, n_dims, rows, cols, decayed);
}

static bool build_norm(nf_norm *norm, nf_network *net, const char *prefix, const char *name,
                       size_t c, double epsilon) {
    char path[256];
    snprintf(path, sizeof path, "%s%s", prefix, name);
    norm->weight = parameter(net, path, ".weight", 1, 1, c, false);
    norm->bias = parameter(net, path, ".bias", 1, 1, c, false);
    norm->epsilon = epsilon;
    norm->site = nf_network_site(net);
    return norm->weight && norm->bias;
}

static nf_linear *build_linear(nf_network *net, const char *prefix, const char *name, size_t in,
                               size_t out) {
    char path[256];
    snprintf(path, sizeof path, "%s%s", prefix, name);
    return nf_linear_new(net, path, in, out, true);
}

static bool build_layer(nf_encoder *encoder, nf_layer *layer, nf_network *net, size_t index,
                        nf_activation activation, double epsilon) {
    char prefix[64];
    snprintf(prefix, sizeof prefix, "encoder.layer.%zu.", index);
    size_t c = encoder->hidden, f = encoder->intermediate;
    nf_attention *a = &layer->attention;
    nf_feed_forward *ff = &layer->feed_forward;
    a->n_heads = (int32_t)encoder->n_heads;
    a->site = nf_network_site(net);
    ff->activation = activation;
    return (a->query = build_linear(net, prefix, "attention.self.query", c, c)) &&
           (a->key = build_linear(net, prefix, "attention.self.key", c, c)) &&
           (a->value = build_linear(net, prefix, "attention.self.value", c, c)) &&
           (a->out = build_linear(net, prefix, "attention.output.dense", c, c)) &&
           build_norm(&a->norm, net, prefix, "attention.output.LayerNorm", c, epsilon) &&
           (ff->up = build_linear(net, prefix, "intermediate.dense", c, f)) &&
           (ff->down = build_linear(net, prefix, "output.dense", f, c)) &&
           build_norm(&ff->norm, net, prefix, "output.LayerNorm", c, epsilon);
}

static nerfit_status build(nf_encoder *encoder, nf_network *net, const json_t *config,
                           const char *path, nerfit_error *err) {
    nf_config_reader in = {config, path, err, NERFIT_OK};
    encoder->hidden = nf_config_size(&in, "hidden_size", 0);
    encoder->n_layers = nf_config_size(&in, "num_hidden_layers", 0);
    encoder->n_heads = nf_config_size(&in, "num_attention_heads", 0);
    encoder->intermediate = nf_config_size(&in, "intermediate_size", 0);
    encoder->vocabulary = nf_config_size(&in, "vocab_size", 0);
    size_t positions = nf_config_size(&in, "max_position_embeddings", 0);
    size_t types = nf_config_size(&in, "type_vocab_size", 2);
    encoder->hidden_dropout = nf_config_number(&in, "hidden_dropout_prob", 0.1);
    encoder->attention_dropout = nf_config_number(&in, "attention_probs_dropout_prob", 0.1);
    encoder->classifier_dropout =
        nf_config_number(&in, "classifier_dropout", encoder->hidden_dropout);
    encoder->initializer_range = nf_config_number(&in, "initializer_range", 0.02);
    double epsilon = nf_config_number(&in, "layer_norm_eps", 1e-12);
    nf_activation activation = nf_config_activation(&in, "hidden_act", "gelu");
    nf_config_expect(&in, "position_embedding_type", "absolute");
    nf_config_expect_false(&in, "is_decoder");
    nf_config_expect_false(&in, "add_cross_attention");
    NF_TRY(in.status);
    if (encoder->hidden % encoder->n_heads != 0)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "hidden_size %zu is not a multiple of num_attention_heads %zu",
                          encoder->hidden, encoder->n_heads);

    bool roberta = encoder->first_position != 0;
    int32_t padding = (int32_t)nf_config_number(&in, "pad_token_id", roberta ? 1 : 0);
    encoder->embedding.padding_id = padding;
    encoder->embedding.position_padding_id = -1;
    encoder->position_of_padding = -1;
    encoder->max_positions = positions;
    if (roberta) {
        encoder->first_position = padding + 1;
        encoder->position_of_padding = padding;
        encoder->embedding.position_padding_id = padding;
        if (positions <= (size_t)encoder->first_position)
            return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                              "max_position_embeddings %zu leaves no position after pad_token_id",
                              positions);
        encoder->max_positions = positions - (size_t)encoder->first_position;
    }
    size_t c = encoder->hidden;
    nf_embedding *e = &encoder->embedding;
    encoder->layers = nf_arena_calloc(&net->arena, encoder->n_layers, sizeof(nf_layer));
    e->words = parameter(net, "embeddings.", "word_embeddings.weight", 2, encoder->vocabulary, c,
                         true);
    e->positions = parameter(net, "embeddings.", "position_embeddings.weight", 2, positions, c,
                             true);
    e->types = types ? parameter(net, "embeddings.", "token_type_embeddings.weight", 2, types, c,
                                 true)
                     : NULL;
    e->site = nf_network_site(net);
    if (!encoder->layers || !e->words || !e->positions || (types && !e->types) ||
        !build_norm(&e->norm, net, "embeddings.", "LayerNorm", c, epsilon))
        return nf_no_memory(err, 0);
    for (size_t i = 0; i < encoder->n_layers; i++)
        if (!build_layer(encoder, &encoder->layers[i], net, i, activation, epsilon))
            return nf_no_memory(err, 0);
    return NERFIT_OK;
}

const nf_architecture nf_architecture_bert = {
    .model_type = "bert",
    .prefix = "bert.",
    .class_name = "BertForTokenClassification",
    .encoder_class_name = "BertModel",
    .first_position = 0,
    .build = build,
};

/* Positions start past the padding id, and a padding token stands on the padding position
 * (transformers' create_position_ids_from_input_ids). */
const nf_architecture nf_architecture_roberta = {
    .model_type = "roberta",
    .prefix = "roberta.",
    .class_name = "RobertaForTokenClassification",
    .encoder_class_name = "RobertaModel",
    .first_position = 2,
    .build = build,
};
