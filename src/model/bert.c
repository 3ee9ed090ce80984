/* BERT's layout (Devlin et al. 2018), as transformers' BertModel names and orders it. RoBERTa is
 * the same but for its positions (see nf_layout_build), and XLM-RoBERTa and CamemBERT are RoBERTa
 * with other vocabularies, even in their checkpoints' names. */
#include "model/layout.h"

static const nf_layout layout = {.keys = &nf_bert_keys,
                                 .defaults = &nf_bert_defaults,
                                 .names = &nf_bert_names,
                                 .layers = "encoder.layer."};

static nerfit_status build(nf_encoder *encoder, nf_network *net, const json_t *config,
                           const char *path, nerfit_error *err) {
    return nf_layout_build(&layout, encoder, net, config, path, err);
}

const nf_architecture nf_architecture_bert = {
    .model_type = "bert",
    .prefix = "bert.",
    .class_name = "BertForTokenClassification",
    .encoder_class_name = "BertModel",
    .build = build,
};

const nf_architecture nf_architecture_roberta = {
    .model_type = "roberta",
    .prefix = "roberta.",
    .class_name = "RobertaForTokenClassification",
    .encoder_class_name = "RobertaModel",
    .first_position = 2,
    .build = build,
};

const nf_architecture nf_architecture_xlm_roberta = {
    .model_type = "xlm-roberta",
    .prefix = "roberta.",
    .class_name = "XLMRobertaForTokenClassification",
    .encoder_class_name = "XLMRobertaModel",
    .first_position = 2,
    .build = build,
};

const nf_architecture nf_architecture_camembert = {
    .model_type = "camembert",
    .prefix = "roberta.",
    .class_name = "CamembertForTokenClassification",
    .encoder_class_name = "CamembertModel",
    .first_position = 2,
    .build = build,
};
