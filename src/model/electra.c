/* ELECTRA (Clark et al. 2020), its discriminator's encoder: BERT with embeddings that may be
 * smaller than the hidden states and are then projected to their size. */
#include "model/layout.h"

static const nf_layout_defaults defaults = {
    .activation = "gelu", .dropout = 0.1, .classifier_dropout = -1.0, .embedding_size = 128};

static const nf_layout layout = {.keys = &nf_bert_keys,
                                 .defaults = &defaults,
                                 .names = &nf_bert_names,
                                 .layers = "encoder.layer.",
                                 .projection = "embeddings_project"};

static nerfit_status build(nf_encoder *encoder, nf_network *net, const json_t *config,
                           const char *path, nerfit_error *err) {
    return nf_layout_build(&layout, encoder, net, config, path, err);
}

const nf_architecture nf_architecture_electra = {
    .model_type = "electra",
    .prefix = "electra.",
    .class_name = "ElectraForTokenClassification",
    .encoder_class_name = "ElectraModel",
    .build = build,
};
