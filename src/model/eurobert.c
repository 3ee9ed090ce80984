/* EuroBERT (Boizard et al. 2025): Llama's layers that see to both sides. RMSNorms before the blocks
 * and behind the last, none on the embeddings; heads of the query in groups that share keys and
 * values; rotary positions; a gated feed-forward whose gate is a matrix of its own. The classifier
 * of tokens stands on the last hidden state, with no dropout before it. */
#include <stdio.h>

#include "model/model.h"

static bool rms_norm(nf_norm *out, nf_network *net, const char *name, size_t c, double epsilon) {
    char path[256];
    snprintf(path, sizeof path, "%s.weight", name);
    *out = (nf_norm){.weight = nf_network_parameter(net, path, 1, 1, c, false),
                     .rms = true,
                     .epsilon = epsilon,
                     .stream = nf_network_dropout_stream(net)};
    return out->weight;
}

/* "rope_parameters" of transformers 5, or the keys of the published configurations. */
static double rope_theta(nf_config_reader *in) {
    const json_t *parameters = json_object_get(in->config, "rope_parameters");
    const json_t *scaling = json_object_get(in->config, "rope_scaling");
    if (json_object_size(scaling) > 0 && in->status == NERFIT_OK)
        in->status = nf_fail_at(in->err, NERFIT_UNSUPPORTED, in->path, 0, 0,
                                "\"rope_scaling\" is not supported; expected that it is left out");
    nf_config_reader inner = *in;
    if (json_is_object(parameters)) inner.config = parameters;
    nf_config_expect(&inner, "rope_type", "default");
    double theta = nf_config_number(&inner, "rope_theta", 10000.0);
    in->status = inner.status;
    return theta;
}

typedef struct options {
    size_t n_kv_heads, head_size;
    double epsilon;
    nf_activation activation;
    bool attention_bias, mlp_bias;
} options;

static nerfit_status read_config(nf_encoder *encoder, options *o, nf_config_reader *in) {
    encoder->hidden = nf_config_size(in, "hidden_size", 0);
    encoder->n_layers = nf_config_size(in, "num_hidden_layers", 0);
    encoder->n_heads = nf_config_size(in, "num_attention_heads", 0);
    encoder->intermediate = nf_config_size(in, "intermediate_size", 0);
    encoder->vocabulary = nf_config_size(in, "vocab_size", 0);
    encoder->max_positions = nf_config_size(in, "max_position_embeddings", 8192);
    encoder->embedding.padding_id = (int32_t)nf_config_number(in, "pad_token_id", 128001);
    encoder->embedding.position_padding_id = encoder->position_of_padding = -1;
    encoder->attention_dropout = nf_config_number(in, "attention_dropout", 0.0);
    encoder->initializer_range = nf_config_number(in, "initializer_range", 0.02);
    encoder->thetas[0] = rope_theta(in);
    *o = (options){.n_kv_heads = nf_config_size(in, "num_key_value_heads", encoder->n_heads),
                   .head_size = nf_config_size(in, "head_dim", encoder->hidden / encoder->n_heads),
                   .epsilon = nf_config_number(in, "rms_norm_eps", 1e-5),
                   .activation = nf_config_activation(in, "hidden_act", "silu"),
                   .attention_bias = nf_config_is_true(in->config, "attention_bias", false),
                   .mlp_bias = nf_config_is_true(in->config, "mlp_bias", false)};
    NF_TRY(in->status);
    if (encoder->hidden % (2 * encoder->n_heads) != 0 || encoder->n_heads % o->n_kv_heads != 0 ||
        o->head_size * encoder->n_heads != encoder->hidden)
        return nf_fail_at(
            in->err, NERFIT_UNSUPPORTED, in->path, 0, 0,
            "hidden_size %zu, num_attention_heads %zu, num_key_value_heads %zu, "
            "head_dim %zu are not supported; expected an even head_dim, heads times "
            "head_dim the hidden size, and heads a multiple of those of keys and values",
            encoder->hidden, encoder->n_heads, o->n_kv_heads, o->head_size);
    if (encoder->thetas[0] > 0.0) return NERFIT_OK;
    return nf_fail_at(in->err, NERFIT_FORMAT, in->path, 0, 0, "\"rope_theta\" should be above 0");
}

static bool build_layer(const nf_encoder *encoder, size_t index, nf_network *net,
                        const options *o) {
    nf_layer *layer = &encoder->layers[index];
    nf_attention *a = &layer->attention;
    nf_feed_forward *ff = &layer->feed_forward;
    size_t c = encoder->hidden, f = encoder->intermediate, kv = o->n_kv_heads * o->head_size;
    const struct {
        nf_linear **out;
        const char *name;
        size_t in_size, out_size;
        bool has_bias;
    } linears[] = {{&a->query, "self_attn.q_proj", c, c, o->attention_bias},
                   {&a->key, "self_attn.k_proj", c, kv, o->attention_bias},
                   {&a->value, "self_attn.v_proj", c, kv, o->attention_bias},
                   {&a->out, "self_attn.o_proj", c, c, o->attention_bias},
                   {&ff->up, "mlp.gate_proj", c, f, o->mlp_bias}, /* what the activation takes */
                   {&ff->gate, "mlp.up_proj", c, f, o->mlp_bias},
                   {&ff->down, "mlp.down_proj", f, c, o->mlp_bias}};
    char path[256];
    a->n_heads = (int32_t)encoder->n_heads;
    a->n_kv_heads = (int32_t)o->n_kv_heads;
    a->stream = nf_network_dropout_stream(net);
    a->rotation = 1;
    a->norm_before = ff->norm_before = ff->gated = true;
    ff->activation = o->activation;
    for (size_t i = 0; i < sizeof linears / sizeof *linears; i++) {
        snprintf(path, sizeof path, "layers.%zu.%s", index, linears[i].name);
        *linears[i].out =
            nf_linear_new(net, path, linears[i].in_size, linears[i].out_size, linears[i].has_bias);
        if (!*linears[i].out) return false;
    }
    snprintf(path, sizeof path, "layers.%zu.input_layernorm", index);
    if (!rms_norm(&a->norm, net, path, c, o->epsilon)) return false;
    snprintf(path, sizeof path, "layers.%zu.post_attention_layernorm", index);
    return rms_norm(&ff->norm, net, path, c, o->epsilon);
}

static nerfit_status build(nf_encoder *encoder, nf_network *net, const json_t *config,
                           const char *path, nerfit_error *err) {
    nf_config_reader in = {config, path, err, NERFIT_OK};
    nf_embedding *e = &encoder->embedding;
    options o;
    NF_TRY(read_config(encoder, &o, &in));
    e->size = encoder->hidden;
    e->words =
        nf_network_parameter(net, "embed_tokens.weight", 2, encoder->vocabulary, e->size, true);
    e->stream = nf_network_dropout_stream(net);
    encoder->layers = nf_arena_calloc(&net->arena, encoder->n_layers, sizeof(nf_layer));
    encoder->final_norm = nf_arena_calloc(&net->arena, 1, sizeof(nf_norm));
    if (!encoder->layers || !encoder->final_norm || !e->words)
        return nf_no_memory(err, encoder->n_layers * sizeof(nf_layer));
    for (size_t i = 0; i < encoder->n_layers; i++)
        if (!build_layer(encoder, i, net, &o)) return nf_no_memory(err, sizeof(nf_layer));
    return rms_norm(encoder->final_norm, net, "norm", encoder->hidden, o.epsilon)
               ? NERFIT_OK
               : nf_no_memory(err, sizeof(nf_norm));
}

/* PEFT has no default for EuroBERT; these are what it has for Llama. */
static const char *const targets[] = {"q_proj", "v_proj", NULL};

const nf_architecture nf_architecture_eurobert = {
    .model_type = "eurobert",
    .prefix = "model.",
    .class_name = "EuroBertForTokenClassification",
    .encoder_class_name = "EuroBertModel",
    .lora_targets = targets,
    .build = build,
};
