/* DistilBERT (Sanh et al. 2019): BERT without token types, with names of its own. Its classifier of
 * tokens drops with "dropout"; "seq_classif_dropout" is for whole texts. */
#include "model/layout.h"

static const nf_layout_keys keys = {
    .hidden = "dim",
    .n_layers = "n_layers",
    .n_heads = "n_heads",
    .intermediate = "hidden_dim",
    .activation = "activation",
    .hidden_dropout = "dropout",
    .attention_dropout = "attention_dropout",
    .classifier_dropout = "dropout",
};

static const nf_layer_names names = {
    .query = "attention.q_lin",
    .key = "attention.k_lin",
    .value = "attention.v_lin",
    .attention_out = "attention.out_lin",
    .attention_norm = "sa_layer_norm",
    .up = "ffn.lin1",
    .down = "ffn.lin2",
    .norm = "output_layer_norm",
};

static const nf_layout layout = {.keys = &keys,
                                 .defaults = &nf_bert_defaults,
                                 .names = &names,
                                 .layers = "transformer.layer.",
                                 .no_types = true};

static nerfit_status build(nf_encoder *encoder, nf_network *net, const json_t *config,
                           const char *path, nerfit_error *err) {
    return nf_layout_build(&layout, encoder, net, config, path, err);
}

/* PEFT has no default for DistilBERT; these are the query and the value, as it takes elsewhere. */
static const char *const targets[] = {"q_lin", "v_lin", NULL};

const nf_architecture nf_architecture_distilbert = {
    .model_type = "distilbert",
    .prefix = "distilbert.",
    .class_name = "DistilBertForTokenClassification",
    .encoder_class_name = "DistilBertModel",
    .lora_targets = targets,
    .build = build,
};
