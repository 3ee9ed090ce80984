/* nerfit.h: models, tokens, sentence embeddings. */
#include <stdlib.h>
#include <string.h>

#include "api_backend.h"
#include "api_net.h"
#include "api_options.h"
#include "api_session.h"
#include "api_steady.h"
#include "base/file.h"
#include "base/str.h"
#include "model/adapter.h"
#include "model/sentence.h"
#include "tensor/backends.h"
#include "text/tokenizer.h"
#include "recipe/pretrained.h"

struct nerfit_weights {
    nf_shared_weights *shared;
    nf_shared_tokenizers *tokenizers;
    const char *backend; /* "cpu", "ref-f32" */
    nf_precision precision;
    int threads;
};

struct nerfit_encoder {
    nf_backend *be;
    nf_sentence_encoder *encoder;
    nf_log log;
};

void nerfit_free(void *memory) {
    free(memory);
}

/* ---------------------------------------------------------------- models */

nerfit_status nf_backend_named(nf_backend **be, const nerfit_model_options *options,
                               nerfit_error *error) {
    const char *name = options->precision ? options->precision : "auto";
    nf_backend_options chosen = {.threads = options->threads};
    *be = NULL;
    if (!nf_precision_find(name, &chosen.precision))
        return nf_fail(error, NERFIT_ARGUMENT,
                       "precision \"%s\" is not one of auto, f32, bf16, int8", name);
    return nf_backend_create(be, options->backend, &chosen, error);
}

const char *nerfit_backend_name(size_t index, const char **description) {
    const nf_backend_kind *kind = nf_backend_kind_at(index);
    if (description) *description = kind ? kind->description : NULL;
    return kind ? kind->name : NULL;
}

static nerfit_status find_decoder(nf_decode *out, const nerfit_model_options *options,
                                  nerfit_error *error) {
    const char *name = options->decoder ? options->decoder : "auto";
    if (nf_decode_find(name, out)) return NERFIT_OK;
    return nf_fail(error, NERFIT_ARGUMENT,
                   "decoder \"%s\" is not one of auto, labels, viterbi, crf", name);
}

static nf_log log_of(const nerfit_model_options *options) {
    return (nf_log){options->log, options->log_user};
}

static nf_net net_of(const nerfit_model_options *options) {
    return (nf_net){options->transfer, options->transfer_user, log_of(options)};
}

static nerfit_status find_label_text(nf_label_text *out, const nerfit_model_options *options,
                                     nerfit_error *error) {
    if (nf_label_text_find(options->label_text, out)) return NERFIT_OK;
    return nf_fail(error, NERFIT_ARGUMENT,
                   "label_text \"%s\" is not one of auto, mean, description, name",
                   options->label_text);
}

/* int8 that nobody has compared on this model. */
static nerfit_status warn_of_int8(const nerfit_model *model, const char *folder, const nf_log *log,
                                  nerfit_error *error) {
    if (model->be->precision != NF_PRECISION_INT8) return NERFIT_OK;
    nf_arena arena = {0};
    const char *path = nf_path_join(&arena, folder, NF_INT8_FILE);
    if (path && !nf_file_exists(path))
        nf_log_warning(log,
                       "%s: int8 has not been compared with full precision on this model; "
                       "nerfit quantize MODEL DATA does it",
                       folder);
    nf_arena_free(&arena);
    return path ? NERFIT_OK : nf_no_memory(error, 0);
}

/* The folder of a run holds its model in best/. */
static nerfit_status refuse_run(const char *folder, nerfit_error *error) {
    nf_arena arena = {0};
    const char *best = nf_path_join(&arena, folder, "best");
    bool is_run = best && !nf_file_exists_in(folder, "config.json") && !nf_adapter_folder(folder) &&
                  (nf_file_exists_in(best, "config.json") || nf_adapter_folder(best));
    nerfit_status status = NERFIT_OK;
    if (is_run)
        status = nf_fail_at(error, NERFIT_ARGUMENT, folder, 0, 0,
                            "is the folder of a run; its model is in %s", best);
    nf_arena_free(&arena);
    return best ? status : nf_no_memory(error, 0);
}

/* A model on its way from a folder. */
typedef struct model_loading {
    nerfit_model *model;
    const nerfit_model_options *options;
    const char *base, *sentences; /* folders; NULL: the adapter's own, the model's */
    nf_label_text label_text;
} model_loading;

static nerfit_status load_model(void *user, const char *folder, nerfit_error *error) {
    const model_loading *in = user;
    nerfit_model *model = in->model;
    const char *labels = in->options->labels;
    const nerfit_weights *weights = in->options->weights;
    nf_shared_weights *share = weights ? weights->shared : NULL;
    const nf_model_source source = {folder, in->base, share, weights ? weights->tokenizers : NULL};
    NF_TRY(refuse_run(folder, error));
    NF_TRY(nf_model_load_from(&model->model, &source, model->be, &model->log, error));
    NF_TRY(nf_calibration_load(&model->calibration, folder, error));
    NF_TRY((share && !labels ? nf_adapter_settle : nf_adapter_merge)(model->model, error));
    if (labels)
        NF_TRY(nf_pretrained_label(model->model, folder, labels, in->label_text, in->sentences,
                                   &model->log, error));
    NF_TRY(nf_model_prepare_use(model->model, error));
    return warn_of_int8(model, folder, &model->log, error);
}

static void unload_model(void *user) {
    nerfit_model *model = ((const model_loading *)user)->model;
    nf_model_free(model->model);
    model->model = NULL;
}

/* ---------------------------------------------------------------- shared weights */

nerfit_status nerfit_weights_new(nerfit_weights **out, const nerfit_model_options *given,
                                 nerfit_error *error) {
    nerfit_model_options options;
    nf_backend *be;
    *out = NULL;
    NF_TRY(nf_options_take(&options, sizeof options, given, "nerfit_model_options", error));
    nerfit_weights *weights = calloc(1, sizeof *weights);
    if (!weights) return nf_no_memory(error, sizeof *weights);
    nerfit_status status = nf_backend_named(&be, &options, error);
    if (status == NERFIT_OK) {
        status = nf_shared_weights_new(&weights->shared, be, error);
        weights->precision = be->precision;
        weights->threads = be->threads;
        weights->backend = be->name;
        be->free(be);
    }
    if (status == NERFIT_OK) status = nf_shared_tokenizers_new(&weights->tokenizers, error);
    if (status == NERFIT_OK)
        *out = weights;
    else
        nerfit_weights_free(weights);
    return status;
}

void nerfit_weights_free(nerfit_weights *weights) {
    if (!weights) return;
    nf_shared_weights_drop(weights->shared);
    nf_shared_tokenizers_free(weights->tokenizers);
    free(weights);
}

/* A backend for a model: the handle's, if it has one. */
static nerfit_status make_backend(nf_backend **be, const nerfit_model_options *options,
                                  nerfit_error *error) {
    const nerfit_weights *weights = options->weights;
    nf_precision precision = NF_PRECISION_AUTO;
    if (!weights) return nf_backend_named(be, options, error);
    bool same = !options->backend || strcmp(options->backend, "auto") == 0 ||
                strncmp(options->backend, weights->backend, strcspn(weights->backend, "-")) == 0;
    same = same && (!options->threads || options->threads == weights->threads);
    if (options->precision && !nf_precision_find(options->precision, &precision)) same = false;
    if (precision != NF_PRECISION_AUTO && precision != weights->precision) same = false;
    *be = NULL;
    if (!same)
        return nf_fail(error, NERFIT_ARGUMENT,
                       "backend, precision and threads are those of the shared weights; leave them "
                       "out, or give the same");
    return nf_shared_weights_backend(weights->shared, be, error);
}

nerfit_status nerfit_model_load(nerfit_model **out, const char *folder,
                                const nerfit_model_options *given, nerfit_error *error) {
    nerfit_model_options own, *options = &own;
    *out = NULL;
    NF_TRY(nf_options_take(&own, sizeof own, given, "nerfit_model_options", error));
    nerfit_model *model = calloc(1, sizeof *model);
    if (!model) return nf_no_memory(error, sizeof *model);
    model->log = log_of(options);
    nf_net net = net_of(options);
    nf_arena arena = {0};
    model_loading loading = {
        .model = model, .options = options, .sentences = options->sentence_encoder};
    const nf_folder_loader loader = {load_model, unload_model, &loading};
    const char *none;
    nerfit_status status = find_decoder(&model->decode, options, error);
    if (status == NERFIT_OK) status = find_label_text(&loading.label_text, options, error);
    if (status == NERFIT_OK) status = make_backend(&model->be, options, error);
    if (status == NERFIT_OK)
        status = nf_net_folder(&net, &arena, folder, NF_HUB_MODEL, &folder, &loading.base, error);
    if (status == NERFIT_OK && loading.sentences)
        status = nf_net_folder(&net, &arena, loading.sentences, NF_HUB_SENTENCE, &loading.sentences,
                               &none, error);
    if (status == NERFIT_OK) status = nf_folder_load(&loader, folder, error);
    nf_arena_free(&arena);
    if (status == NERFIT_OK)
        *out = model;
    else
        nerfit_model_free(model);
    return status;
}

void nerfit_model_free(nerfit_model *model) {
    if (!model) return;
    nf_model_free(model->model);
    if (model->be) model->be->free(model->be);
    free(model);
}

size_t nerfit_model_label_count(const nerfit_model *model) {
    return model->model->n_labels;
}

const char *nerfit_model_label(const nerfit_model *model, size_t id) {
    return id < model->model->n_labels ? model->model->labels[id] : NULL;
}

/* ---------------------------------------------------------------- tokens, embeddings */

static nerfit_status load_tokenizer(void *user, const char *folder, nerfit_error *error) {
    return nf_tokenizer_load(user, folder, error);
}

static void unload_tokenizer(void *user) {
    nf_tokenizer **tokenizer = user;
    nf_tokenizer_free(*tokenizer);
    *tokenizer = NULL;
}

nerfit_status nerfit_tokenizer_load(nerfit_tokenizer **out, const char *folder,
                                    nerfit_error *error) {
    nf_net net = {0};
    nf_arena arena = {0};
    *out = NULL;
    nerfit_status status =
        nf_net_folder(&net, &arena, folder, NF_HUB_TOKENIZER, &folder, NULL, error);
    nf_tokenizer *tokenizer = NULL;
    const nf_folder_loader loader = {load_tokenizer, unload_tokenizer, &tokenizer};
    if (status == NERFIT_OK) status = nf_folder_load(&loader, folder, error);
    nf_arena_free(&arena);
    *out = (nerfit_tokenizer *)tokenizer;
    return status;
}

void nerfit_tokenizer_free(nerfit_tokenizer *tokenizer) {
    nf_tokenizer_free((nf_tokenizer *)tokenizer);
}

nerfit_status nerfit_tokenize(const nerfit_tokenizer *handle, const char *text, size_t size,
                              char **json, nerfit_error *error) {
    const nf_tokenizer *tokenizer = (const nf_tokenizer *)handle;
    nf_encoding encoding = {0};
    nf_str out = {0};
    *json = NULL;
    nerfit_status status = nf_tokenizer_encode(tokenizer, text, size, true, &encoding, error);
    if (status == NERFIT_OK) status = nf_encoding_to_json(&encoding, tokenizer, &out, error);
    nf_encoding_free(&encoding);
    if (status == NERFIT_OK)
        *json = out.data;
    else
        nf_str_free(&out);
    return status;
}

static nerfit_status load_encoder(void *user, const char *folder, nerfit_error *error) {
    nerfit_encoder *encoder = user;
    return nf_sentence_encoder_load(&encoder->encoder, folder, encoder->be, &encoder->log, error);
}

static void unload_encoder(void *user) {
    nerfit_encoder *encoder = user;
    nf_sentence_encoder_free(encoder->encoder);
    encoder->encoder = NULL;
}

nerfit_status nerfit_encoder_load(nerfit_encoder **out, const char *folder,
                                  const nerfit_model_options *given, nerfit_error *error) {
    nerfit_model_options own, *options = &own;
    *out = NULL;
    NF_TRY(nf_options_take(&own, sizeof own, given, "nerfit_model_options", error));
    nerfit_encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder) return nf_no_memory(error, sizeof *encoder);
    encoder->log = log_of(options);
    nf_net net = net_of(options);
    nf_arena arena = {0};
    const nf_folder_loader loader = {load_encoder, unload_encoder, encoder};
    nerfit_status status = nf_backend_named(&encoder->be, options, error);
    if (status == NERFIT_OK)
        status = nf_net_folder(&net, &arena, folder, NF_HUB_SENTENCE, &folder, NULL, error);
    if (status == NERFIT_OK) status = nf_folder_load(&loader, folder, error);
    nf_arena_free(&arena);
    if (status == NERFIT_OK)
        *out = encoder;
    else
        nerfit_encoder_free(encoder);
    return status;
}

void nerfit_encoder_free(nerfit_encoder *encoder) {
    if (!encoder) return;
    nf_sentence_encoder_free(encoder->encoder);
    if (encoder->be) encoder->be->free(encoder->be);
    free(encoder);
}

size_t nerfit_encoder_size(const nerfit_encoder *encoder) {
    return encoder->encoder->size;
}

nerfit_status nerfit_encode(nerfit_encoder *encoder, const char *const *texts, size_t count,
                            float *embeddings, size_t *n_cut, nerfit_error *error) {
    return nf_sentence_encoder_encode(encoder->encoder, encoder->be, texts, count, false,
                                      embeddings, n_cut, error);
}

nerfit_status nf_encoder_encode_unit(nerfit_encoder *encoder, const char *const *texts,
                                     size_t count, float *vectors, nerfit_error *error) {
    return nf_sentence_encoder_encode(encoder->encoder, encoder->be, texts, count, true, vectors,
                                      NULL, error);
}
