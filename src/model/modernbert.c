/* ModernBERT (Warner et al. 2024): norms before the blocks and behind the last, gated feed-forward,
 * rotary positions, and layers that see everything among layers that see a window; biases only
 * where config.json asks for them. Its classifier of tokens stands behind a dense layer and a norm.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "heads/features.h"
#include "model/model.h"

typedef struct options {
    bool norm_bias, attention_bias, mlp_bias;
    double epsilon;
    nf_activation activation;
    size_t global_every;
    int32_t window; /* of the others */
} options;

enum { GLOBAL, LOCAL }; /* of encoder->thetas */

static bool norm(nf_norm *out, nf_network *net, const char *name, size_t c, const options *o) {
    char path[256];
    snprintf(path, sizeof path, "%s.weight", name);
    out->weight = nf_network_parameter(net, path, 1, 1, c, false);
    snprintf(path, sizeof path, "%s.bias", name);
    if (o->norm_bias) out->bias = nf_network_parameter(net, path, 1, 1, c, false);
    out->epsilon = o->epsilon;
    out->stream = nf_network_dropout_stream(net);
    return out->weight && (out->bias || !o->norm_bias);
}

static nf_linear *linear(nf_network *net, size_t layer, const char *name, size_t in, size_t out,
                         bool has_bias) {
    char path[256];
    snprintf(path, sizeof path, "layers.%zu.%s", layer, name);
    return nf_linear_new(net, path, in, out, has_bias);
}

/* Whether layer i sees everything: "layer_types" of later configurations, or every n-th. */
static nerfit_status is_global(bool *global, const json_t *config, const options *o, size_t i,
                               const char *path, nerfit_error *err) {
    const json_t *types = json_object_get(config, "layer_types");
    *global = i % o->global_every == 0;
    if (!types || json_is_null(types)) return NERFIT_OK;
    const char *type = json_string_value(json_array_get(types, i));
    *global = type && strcmp(type, "full_attention") == 0;
    if (*global || (type && strcmp(type, "sliding_attention") == 0)) return NERFIT_OK;
    return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                      "\"layer_types\" should have full_attention or sliding_attention for layer "
                      "%zu",
                      i);
}

static bool build_layer(const nf_encoder *encoder, nf_layer *layer, nf_network *net, size_t i,
                        bool global, const options *o) {
    size_t c = encoder->hidden, f = encoder->intermediate;
    nf_attention *a = &layer->attention;
    nf_feed_forward *ff = &layer->feed_forward;
    char name[64];
    a->n_heads = (int32_t)encoder->n_heads;
    a->stream = nf_network_dropout_stream(net);
    a->norm_before = ff->norm_before = ff->gated = ff->drops_inside = true;
    a->rule.window = global ? 0 : o->window;
    a->rotation = global ? 1 + GLOBAL : 1 + LOCAL;
    ff->activation = o->activation;
    snprintf(name, sizeof name, "layers.%zu.attn_norm", i);
    /* the first layer follows the embeddings' norm and has none */
    if (i == 0)
        a->norm.stream = nf_network_dropout_stream(net);
    else if (!norm(&a->norm, net, name, c, o))
        return false;
    snprintf(name, sizeof name, "layers.%zu.mlp_norm", i);
    return (a->fused = linear(net, i, "attn.Wqkv", c, 3 * c, o->attention_bias)) &&
           (a->out = linear(net, i, "attn.Wo", c, c, o->attention_bias)) &&
           norm(&ff->norm, net, name, c, o) &&
           (ff->up = linear(net, i, "mlp.Wi", c, 2 * f, o->mlp_bias)) &&
           (ff->down = linear(net, i, "mlp.Wo", f, c, o->mlp_bias));
}

/* "rope_parameters" of later configurations for a kind of layer, or the key of earlier ones. */
static double theta(nf_config_reader *in, const char *kind, const char *key, double fallback) {
    const json_t *all = json_object_get(in->config, "rope_parameters");
    const json_t *own = json_object_get(all, kind);
    if (json_object_size(json_object_get(in->config, "rope_scaling")) > 0 &&
        in->status == NERFIT_OK)
        in->status = nf_fail_at(in->err, NERFIT_UNSUPPORTED, in->path, 0, 0,
                                "\"rope_scaling\" is not supported; expected that it is left out");
    if (!own) return nf_config_number(in, key, fallback);
    nf_config_reader inner = {own, in->path, in->err, in->status};
    nf_config_expect(&inner, "rope_type", "default");
    double value = nf_config_number(&inner, "rope_theta", fallback);
    in->status = inner.status;
    return value;
}

static void read_config(nf_encoder *encoder, options *o, nf_config_reader *in) {
    encoder->hidden = nf_config_size(in, "hidden_size", 0);
    encoder->n_layers = nf_config_size(in, "num_hidden_layers", 0);
    encoder->n_heads = nf_config_size(in, "num_attention_heads", 0);
    encoder->intermediate = nf_config_size(in, "intermediate_size", 0);
    encoder->vocabulary = nf_config_size(in, "vocab_size", 0);
    encoder->max_positions = nf_config_size(in, "max_position_embeddings", 8192);
    encoder->embedding.padding_id = (int32_t)nf_config_number(in, "pad_token_id", 50283);
    encoder->embedding.own_dropout = true;
    encoder->embedding.dropout = nf_config_dropout(in, "embedding_dropout", 0.0);
    /* of the probabilities and of the block's output */
    encoder->hidden_dropout = encoder->attention_dropout =
        nf_config_dropout(in, "attention_dropout", 0.0);
    encoder->inner_dropout = nf_config_dropout(in, "mlp_dropout", 0.0);
    encoder->classifier_dropout = nf_config_dropout(in, "classifier_dropout", 0.0);
    encoder->thetas[GLOBAL] = theta(in, "full_attention", "global_rope_theta", 160000.0);
    encoder->thetas[LOCAL] = theta(in, "sliding_attention", "local_rope_theta", 10000.0);
    /* transformers' own rule for this classifier */
    encoder->initializer_range = 1.0 / sqrt((double)encoder->hidden);
    encoder->position_of_padding = -1;
    *o = (options){.norm_bias = nf_config_is_true(in->config, "norm_bias", false),
                   .attention_bias = nf_config_is_true(in->config, "attention_bias", false),
                   .mlp_bias = nf_config_is_true(in->config, "mlp_bias", false),
                   .epsilon = nf_config_epsilon(in, "norm_eps", 1e-5),
                   .activation = nf_config_activation(in, "hidden_activation", "gelu"),
                   .global_every = nf_config_size(in, "global_attn_every_n_layers", 3),
                   .window = (int32_t)(nf_config_size(in, "local_attention", 128) / 2)};
}

static nerfit_status build(nf_encoder *encoder, nf_network *net, const json_t *config,
                           const char *path, nerfit_error *err) {
    nf_config_reader in = {config, path, err, NERFIT_OK};
    options o;
    read_config(encoder, &o, &in);
    NF_TRY(in.status);
    if (encoder->hidden % (2 * encoder->n_heads) != 0)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "hidden_size %zu is not an even multiple of num_attention_heads %zu",
                          encoder->hidden, encoder->n_heads);
    if (o.window < 1 || encoder->thetas[GLOBAL] <= 0.0 || encoder->thetas[LOCAL] <= 0.0)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "local_attention should be at least 2, and the rope thetas above 0");
    size_t c = encoder->hidden;
    nf_embedding *e = &encoder->embedding;
    encoder->layers = nf_arena_calloc(&net->arena, encoder->n_layers, sizeof(nf_layer));
    encoder->final_norm = nf_arena_calloc(&net->arena, 1, sizeof(nf_norm));
    e->size = c;
    e->position_padding_id = -1;
    e->words = nf_network_parameter(net, "embeddings.tok_embeddings.weight", 2, encoder->vocabulary,
                                    c, true);
    e->stream = nf_network_dropout_stream(net);
    if (!encoder->layers || !encoder->final_norm || !e->words ||
        !norm(&e->norm, net, "embeddings.norm", c, &o))
        return nf_no_memory(err, 0);
    for (size_t i = 0; i < encoder->n_layers; i++) {
        bool global;
        NF_TRY(is_global(&global, config, &o, i, path, err));
        if (!build_layer(encoder, &encoder->layers[i], net, i, global, &o))
            return nf_no_memory(err, 0);
    }
    return norm(encoder->final_norm, net, "final_norm", c, &o) ? NERFIT_OK : nf_no_memory(err, 0);
}

static nerfit_status build_features(nf_features *features, const nf_encoder *encoder,
                                    nf_network *net, const json_t *config, const char *path,
                                    nerfit_error *err) {
    nf_config_reader in = {config, path, err, NERFIT_OK};
    options o = {.norm_bias = nf_config_is_true(config, "norm_bias", false),
                 .epsilon = nf_config_epsilon(&in, "norm_eps", 1e-5)};
    features->activation = nf_config_activation(&in, "classifier_activation", "gelu");
    features->initializer_range =
        nf_config_number(&in, "initializer_range", 0.02) / sqrt(2.0 * (double)encoder->n_layers);
    NF_TRY(in.status);
    features->dense = nf_linear_new(net, "head.dense", encoder->hidden, encoder->hidden,
                                    nf_config_is_true(config, "classifier_bias", false));
    return features->dense && norm(&features->norm, net, "head.norm", encoder->hidden, &o)
               ? NERFIT_OK
               : nf_no_memory(err, 0);
}

/* PEFT has no default for ModernBERT; this has the query and the value in it. */
static const char *const targets[] = {"Wqkv", NULL};

const nf_architecture nf_architecture_modernbert = {
    .model_type = "modernbert",
    .prefix = "model.",
    .class_name = "ModernBertForTokenClassification",
    .encoder_class_name = "ModernBertModel",
    .lora_targets = targets,
    .build = build,
    .build_features = build_features,
};
