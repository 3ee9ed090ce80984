#include "model/layout.h"

#include <stdio.h>

const nf_layout_keys nf_bert_keys = {
    .hidden = "hidden_size",
    .n_layers = "num_hidden_layers",
    .n_heads = "num_attention_heads",
    .intermediate = "intermediate_size",
    .activation = "hidden_act",
    .hidden_dropout = "hidden_dropout_prob",
    .attention_dropout = "attention_probs_dropout_prob",
    .classifier_dropout = "classifier_dropout",
};

const nf_layout_defaults nf_bert_defaults = {
    .activation = "gelu", .dropout = 0.1, .classifier_dropout = -1.0};

const nf_layer_names nf_bert_names = {
    .query = "attention.self.query",
    .key = "attention.self.key",
    .value = "attention.self.value",
    .attention_out = "attention.output.dense",
    .attention_norm = "attention.output.LayerNorm",
    .up = "intermediate.dense",
    .down = "output.dense",
    .norm = "output.LayerNorm",
};

/* What only the building needs. */
typedef struct sizes {
    size_t embedding, positions, types;
    double epsilon;
    nf_activation activation;
} sizes;

static nf_parameter *vector(nf_network *net, const char *prefix, const char *name, size_t c) {
    char path[256];
    snprintf(path, sizeof path, "%s%s", prefix, name);
    return nf_network_parameter(net, path, 1, 1, c, false);
}

nf_parameter *nf_build_table(nf_network *net, const char *prefix, const char *name, size_t rows,
                             size_t cols) {
    char path[256];
    snprintf(path, sizeof path, "%s%s", prefix, name);
    return nf_network_parameter(net, path, 2, rows, cols, true);
}

nf_linear *nf_build_linear(nf_network *net, const char *prefix, const char *name, size_t in,
                           size_t out) {
    char path[256];
    snprintf(path, sizeof path, "%s%s", prefix, name);
    return nf_linear_new(net, path, in, out, true);
}

bool nf_build_norm(nf_norm *norm, nf_network *net, const char *prefix, const char *name, size_t c,
                   double epsilon) {
    char path[256];
    snprintf(path, sizeof path, "%s%s", prefix, name);
    norm->weight = vector(net, path, ".weight", c);
    norm->bias = vector(net, path, ".bias", c);
    norm->epsilon = epsilon;
    norm->stream = nf_network_dropout_stream(net);
    return norm->weight && norm->bias;
}

static bool build_layer(const nf_layout *layout, const nf_encoder *encoder, nf_layer *layer,
                        nf_network *net, size_t index, const sizes *given) {
    const nf_layer_names *names = layout->names;
    char prefix[128];
    snprintf(prefix, sizeof prefix, "%s%zu.", layout->layers, index);
    size_t c = encoder->hidden, f = encoder->intermediate;
    nf_attention *a = &layer->attention;
    nf_feed_forward *ff = &layer->feed_forward;
    a->n_heads = (int32_t)encoder->n_heads;
    a->stream = nf_network_dropout_stream(net);
    ff->activation = given->activation;
    return (a->query = nf_build_linear(net, prefix, names->query, c, c)) &&
           (a->key = nf_build_linear(net, prefix, names->key, c, c)) &&
           (a->value = nf_build_linear(net, prefix, names->value, c, c)) &&
           (a->out = nf_build_linear(net, prefix, names->attention_out, c, c)) &&
           nf_build_norm(&a->norm, net, prefix, names->attention_norm, c, given->epsilon) &&
           (ff->up = nf_build_linear(net, prefix, names->up, c, f)) &&
           (ff->down = nf_build_linear(net, prefix, names->down, f, c)) &&
           nf_build_norm(&ff->norm, net, prefix, names->norm, c, given->epsilon);
}

static bool build_embedding(const nf_layout *layout, const nf_encoder *encoder, nf_embedding *e,
                            nf_network *net, const sizes *given) {
    static const char prefix[] = "embeddings.";
    size_t c = given->embedding;
    e->size = c;
    e->words = nf_build_table(net, prefix, "word_embeddings.weight", encoder->vocabulary, c);
    e->positions = layout->no_positions ? NULL
                                        : nf_build_table(net, prefix, "position_embeddings.weight",
                                                         given->positions, c);
    e->types = given->types
                   ? nf_build_table(net, prefix, "token_type_embeddings.weight", given->types, c)
                   : NULL;
    e->stream = nf_network_dropout_stream(net);
    if (!e->words || (!layout->no_positions && !e->positions) || (given->types && !e->types) ||
        !nf_build_norm(&e->norm, net, prefix, "LayerNorm", c, given->epsilon))
        return false;
    if (!layout->projection || (c == encoder->hidden && !layout->always_projects)) return true;
    e->projection = nf_build_linear(net, "", layout->projection, c, encoder->hidden);
    return e->projection;
}

static void read_config(const nf_layout *layout, nf_encoder *encoder, sizes *given,
                        nf_config_reader *in) {
    const nf_layout_keys *keys = layout->keys;
    const nf_layout_defaults *defaults = layout->defaults;
    encoder->hidden = nf_config_size(in, keys->hidden, 0);
    encoder->n_layers = nf_config_size(in, keys->n_layers, 0);
    encoder->n_heads = nf_config_size(in, keys->n_heads, 0);
    encoder->intermediate = nf_config_size(in, keys->intermediate, 0);
    encoder->vocabulary = nf_config_size(in, "vocab_size", 0);
    given->positions = nf_config_size(in, "max_position_embeddings", 0);
    given->types = layout->no_types ? 0 : nf_config_size(in, "type_vocab_size", 2);
    given->embedding = defaults->embedding_size
                           ? nf_config_size(in, "embedding_size", defaults->embedding_size)
                           : encoder->hidden;
    encoder->hidden_dropout = nf_config_dropout(in, keys->hidden_dropout, defaults->dropout);
    encoder->attention_dropout = nf_config_dropout(in, keys->attention_dropout, defaults->dropout);
    /* null asks for the hidden states' dropout even where the class has a default of its own */
    bool as_hidden = defaults->classifier_dropout < 0.0 ||
                     json_is_null(json_object_get(in->config, keys->classifier_dropout));
    encoder->classifier_dropout =
        nf_config_dropout(in, keys->classifier_dropout,
                          as_hidden ? encoder->hidden_dropout : defaults->classifier_dropout);
    encoder->initializer_range = nf_config_number(in, "initializer_range", 0.02);
    given->epsilon = nf_config_epsilon(in, "layer_norm_eps",
                                       defaults->epsilon > 0.0 ? defaults->epsilon : 1e-12);
    given->activation = nf_config_activation(in, keys->activation, defaults->activation);
    nf_config_expect(in, "position_embedding_type", "absolute");
    nf_config_expect_false(in, "is_decoder");
    nf_config_expect_false(in, "add_cross_attention");
}

/* Where positions start, and which rows of the tables stand for padding. */
static nerfit_status set_positions(nf_encoder *encoder, const sizes *given, nf_config_reader *in) {
    bool after_padding = encoder->first_position != 0;
    int32_t padding = (int32_t)nf_config_number(in, "pad_token_id", after_padding ? 1 : 0);
    NF_TRY(in->status);
    encoder->embedding.padding_id = padding;
    encoder->embedding.position_padding_id = after_padding ? padding : -1;
    encoder->position_of_padding = after_padding ? padding : -1;
    encoder->max_positions = given->positions;
    if (!after_padding) return NERFIT_OK;
    encoder->first_position = padding + 1;
    if (given->positions <= (size_t)encoder->first_position)
        return nf_fail_at(in->err, NERFIT_FORMAT, in->path, 0, 0,
                          "max_position_embeddings %zu leaves no position after pad_token_id",
                          given->positions);
    encoder->max_positions = given->positions - (size_t)encoder->first_position;
    return NERFIT_OK;
}

nerfit_status nf_layout_build(const nf_layout *layout, nf_encoder *encoder, nf_network *net,
                              const json_t *config, const char *path, nerfit_error *err) {
    nf_config_reader in = {config, path, err, NERFIT_OK};
    sizes given = {0};
    read_config(layout, encoder, &given, &in);
    NF_TRY(in.status);
    if (encoder->hidden % encoder->n_heads != 0)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "%s %zu is not a multiple of %s %zu",
                          layout->keys->hidden, encoder->hidden, layout->keys->n_heads,
                          encoder->n_heads);
    NF_TRY(set_positions(encoder, &given, &in));
    encoder->shares_layers = layout->shared;
    encoder->layers = nf_arena_calloc(&net->arena, encoder->n_layers, sizeof(nf_layer));
    if (!encoder->layers || !build_embedding(layout, encoder, &encoder->embedding, net, &given))
        return nf_no_memory(err, 0);
    for (size_t i = 0; i < encoder->n_layers; i++)
        if (i > 0 && layout->shared)
            encoder->layers[i] = encoder->layers[0];
        else if (!build_layer(layout, encoder, &encoder->layers[i], net, i, &given))
            return nf_no_memory(err, 0);
    return NERFIT_OK;
}
