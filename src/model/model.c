/* Heads, and what else concerns a model as a whole; model_load.c reads one, save.c writes it. */
#include "model/model.h"

#include <string.h>

#include "base/file.h"
#include "heads/contrastive_head.h"

nerfit_status nf_model_new_classifier(nf_model *model, size_t n_labels, nerfit_error *err) {
    const nf_architecture *architecture = model->architecture;
    const nf_encoder *encoder = &model->encoder;
    nf_network *net = &model->net;
    nf_features *features = NULL;
    if (architecture->build_features) {
        features = nf_arena_calloc(&net->arena, 1, sizeof *features);
        const char *path = nf_path_join(&net->arena, model->folder, "config.json");
        if (!features || !path) return nf_no_memory(err, sizeof *features);
        NF_TRY(architecture->build_features(features, encoder, net, model->config, path, err));
    }
    model->head = nf_token_classifier_new(net, encoder->hidden, n_labels, features,
                                          &encoder->classifier_dropout, model->head_stream);
    return model->head ? NERFIT_OK : nf_no_memory(err, n_labels * encoder->hidden);
}

size_t nf_model_max_length(const nf_model *model) {
    return model->encoder.max_positions;
}

void nf_model_remove_learner(nf_model *model) {
    if (model->learner) nf_head_remove(model->learner);
    model->learner = NULL;
}

void nf_model_remove_classifier(nf_model *model) {
    if (model->head) nf_head_remove(model->head);
    model->head = NULL;
    model->n_labels = 0;
    model->decoding.present = false;
}

nerfit_status nf_model_name_labels(nf_model *model, const char *const *labels, size_t n_labels,
                                   nerfit_error *err) {
    char **copies = nf_arena_calloc(&model->net.arena, n_labels, sizeof *copies);
    if (!copies) return nf_no_memory(err, n_labels * sizeof *copies);
    for (size_t i = 0; i < n_labels; i++)
        if (!(copies[i] = nf_arena_strdup(&model->net.arena, labels[i])))
            return nf_no_memory(err, strlen(labels[i]));
    model->labels = copies;
    model->n_labels = n_labels;
    return NERFIT_OK;
}

nerfit_status nf_model_add_classifier(nf_model *model, const char *const *labels, size_t n_labels,
                                      uint64_t seed, nerfit_error *err) {
    nf_model_remove_classifier(model);
    NF_TRY(nf_model_new_classifier(model, n_labels, err));
    NF_TRY(nf_model_name_labels(model, labels, n_labels, err));
    nf_head_train(model->head, true);
    return nf_token_classifier_start(model->head, model->weights, model->encoder.initializer_range,
                                     seed, err);
}

nerfit_status nf_model_add_projection(nf_model *model, size_t size, uint64_t seed,
                                      nerfit_error *err) {
    nf_model_remove_learner(model);
    return nf_contrastive_head_new(&model->learner, &model->net, model->encoder.hidden, size, seed,
                                   err);
}

nerfit_status nf_model_add_description_head(nf_model *model, size_t size, bool identity,
                                            uint64_t seed, nerfit_error *err) {
    nf_model_remove_learner(model);
    return nf_description_head_new(&model->learner, &model->net, model->encoder.hidden, size,
                                   identity, &model->encoder.classifier_dropout, seed, err);
}

nerfit_status nf_model_add_types(nf_model *model, const char *const *labels, size_t n_types,
                                 const float *vectors, uint64_t seed, nerfit_error *err) {
    NF_TRY(nf_model_add_classifier(model, labels, 2 * n_types + 1, seed, err));
    const nf_linear *classifier = nf_token_classifier_linear(model->head);
    classifier->weight->trained = classifier->bias->trained = false;
    return nf_description_head_add_types(nf_description_head_of(model->learner), n_types, vectors,
                                         nf_token_classifier_features(model->head), seed, err);
}

nerfit_status nf_model_fold(nf_model *model, nerfit_error *err) {
    const nf_head *learner = model->learner;
    if (!learner || !learner->kind->fold || !model->head) return NERFIT_OK;
    return learner->kind->fold(learner, model->head, &model->decoding, err);
}

void nf_model_train_encoder(nf_model *model, bool trained) {
    for (size_t i = 0; i < model->net.n_parameters; i++) {
        nf_parameter *p = model->net.parameters[i];
        if (!p->removed && p->role != NF_ROLE_HEAD) p->trained = trained;
    }
}

nerfit_status nf_model_logits(const nf_model *model, const nf_pass *pass, nf_values **logits) {
    nf_pass head = *pass;
    if (pass->rows) head.sequences.n_tokens = (int32_t)pass->n_rows;
    size_t n = (size_t)head.sequences.n_tokens;
    nf_values *hidden = nf_workspace_reals(pass->ws, n * model->encoder.hidden);
    *logits = nf_workspace_reals(pass->ws, n * model->n_labels);
    if (nf_workspace_failed(pass->ws)) return NERFIT_NO_MEMORY;
    NF_TRY(nf_encoder_forward(&model->encoder, pass, hidden, NULL, NULL));
    return nf_head_forward(model->head, &head, *logits, hidden, n, NULL);
}
