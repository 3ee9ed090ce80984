/* nerfit.h: training. */
#include <stdlib.h>
#include <string.h>

#include "api_options.h"
#include "api_net.h"
#include "api_train.h"
#include "base/file.h"
#include "base/json.h"
#include "train/comm_mpi.h"

nerfit_status nerfit_output_open(nerfit_output **output, const char *path, nerfit_error *error) {
    nf_file_writer *writer;
    nerfit_status status = nf_file_writer_open(&writer, path, error);
    *output = (nerfit_output *)writer;
    return status;
}

int nerfit_output_descriptor(const nerfit_output *output) {
    return nf_file_writer_descriptor((const nf_file_writer *)output);
}

nerfit_status nerfit_output_commit(nerfit_output *output, nerfit_error *error) {
    return nf_file_writer_commit((nf_file_writer *)output, error);
}

void nerfit_output_abort(nerfit_output *output) {
    nf_file_writer_abort((nf_file_writer *)output);
}

bool nerfit_config_option(size_t index, nerfit_option_info *info) {
    return nf_train_options_row(index, &info->name, &info->choices, &info->help);
}

const char *nerfit_nearest(const char *given, const char *const *names, size_t count) {
    nf_nearest nearest = {0};
    for (size_t i = 0; i < count; i++) nf_nearest_see(&nearest, given, names[i]);
    return nearest.name;
}

nerfit_status nerfit_config_new(nerfit_config **out, nerfit_error *error) {
    *out = calloc(1, sizeof **out);
    if (!*out) return nf_no_memory(error, sizeof **out);
    nerfit_status status = nf_train_options_init(&(*out)->options, error);
    if (status == NERFIT_OK) return NERFIT_OK;
    nerfit_config_free(*out);
    *out = NULL;
    return status;
}

nerfit_status nerfit_config_join_mpi(nerfit_config *config, size_t *rank, size_t *size,
                                     nerfit_error *error) {
    if (config->comm) return nf_fail(error, NERFIT_ARGUMENT, "the job was joined already");
    NF_TRY(nf_comm_mpi(&config->comm, error));
    *rank = config->comm->rank;
    *size = config->comm->size;
    return NERFIT_OK;
}

/* A run that was stopped is stopped on all ranks. */
static nerfit_status end_of_job(const nerfit_config *config, nerfit_status status) {
    if (config->comm && (status == NERFIT_OK || status == NERFIT_CANCELLED))
        nf_comm_mpi_done(config->comm);
    return status;
}

void nerfit_config_free(nerfit_config *config) {
    if (!config) return;
    nf_comm_mpi_free(config->comm);
    nf_train_options_free(&config->options);
    nf_embeddings_free(&config->embeddings);
    nf_descriptions_free(&config->descriptions);
    free(config);
}

nerfit_status nerfit_config_load(nerfit_config *config, const char *path, nerfit_error *error) {
    return nf_train_options_load(&config->options, path, error);
}

nerfit_status nerfit_config_set(nerfit_config *config, const char *name, const char *value,
                                nerfit_error *error) {
    return nf_train_options_set(&config->options, name, value, NULL, 0, error);
}

nerfit_status nerfit_config_set_corpus(nerfit_config *config, const char *name,
                                       const nerfit_corpus *corpus, nerfit_error *error) {
    static const char *const names[] = {"train_annotations", "val_annotations", "test_annotations"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            config->corpora[i] = corpus;
            return NERFIT_OK;
        }
    return nf_fail(error, NERFIT_ARGUMENT,
                   "\"%s\" is not one of train_annotations, val_annotations, test_annotations",
                   name);
}

nerfit_status nerfit_config_set_embeddings(nerfit_config *config, const char *const *labels,
                                           size_t count, size_t size, const float *vectors,
                                           nerfit_error *error) {
    nf_embeddings_free(&config->embeddings);
    nf_descriptions_free(&config->descriptions);
    return nf_embeddings_make(&config->embeddings, labels, count, size, vectors, "ent2emb", error);
}

nerfit_status nerfit_config_set_descriptions(nerfit_config *config, const char *const *labels,
                                             const char *const *descriptions, size_t count,
                                             nerfit_error *error) {
    nf_embeddings_free(&config->embeddings);
    nf_descriptions_free(&config->descriptions);
    return nf_descriptions_make(&config->descriptions, labels, descriptions, count, "ent2emb",
                                error);
}

char *nerfit_config_options(void) {
    nf_train_options defaults;
    json_t *table = nf_train_options_init(&defaults, NULL) == NERFIT_OK
                        ? nf_train_options_table(&defaults)
                        : NULL;
    char *text = table ? nf_json_text(table, JSON_COMPACT) : NULL;
    json_decref(table);
    nf_train_options_free(&defaults);
    return text;
}

char *nerfit_config_values(const nerfit_config *config) {
    json_t *values = nf_train_options_to_json(&config->options);
    char *text = values ? nf_json_text(values, JSON_COMPACT) : NULL;
    json_decref(values);
    return text;
}

char *nerfit_config_given(const nerfit_config *config) {
    json_t *names = nf_train_options_given_names(&config->options);
    char *text = names ? nf_json_text(names, JSON_COMPACT) : NULL;
    json_decref(names);
    return text;
}

char *nerfit_config_help(int width) {
    return nerfit_config_help_of("train", width);
}

char *nerfit_config_help_of(const char *command, int width) {
    nf_str out = {0};
    if (width > 0)
        nf_train_options_help(&out, command, width);
    else
        nf_train_options_man(&out);
    if (!out.failed) return out.data;
    nf_str_free(&out);
    return NULL;
}

/* ---------------------------------------------------------------- training */

nf_train_data nf_config_data(const nerfit_config *config) {
    const nerfit_corpus *const *c = config->corpora;
    return (nf_train_data){
        .train = c[0] ? &c[0]->corpus : NULL,
        .validation = c[1] ? &c[1]->corpus : NULL,
        .test = c[2] ? &c[2]->corpus : NULL,
        .embeddings = config->embeddings.count ? &config->embeddings : NULL,
        .descriptions = config->descriptions.count ? &config->descriptions : NULL,
        .comm = config->comm,
    };
}

nerfit_event nf_event_of(const nf_stage_report *report) {
    return (nerfit_event){.kind = (nerfit_event_kind)report->event,
                          .stage = report->stage,
                          .stage_name = report->name,
                          .step = report->step,
                          .total_steps = report->total_steps,
                          .epoch = report->epoch,
                          .loss = report->loss,
                          .json = report->entry ? nf_json_text(report->entry, JSON_COMPACT) : NULL,
                          .path = report->path,
                          .fold = report->fold,
                          .folds = report->folds};
}

static bool observe(void *user, const nf_stage_report *report) {
    const nerfit_callbacks *callbacks = user;
    nerfit_event event = nf_event_of(report);
    bool go_on = callbacks->event(callbacks->user, &event);
    free((char *)(uintptr_t)event.json);
    return go_on;
}

static nerfit_status hand_out(nf_train_result *inner, nerfit_train_result *result,
                              nerfit_error *error) {
    *result = (nerfit_train_result){.model_folder = inner->model_folder,
                                    .report_of = inner->report_of,
                                    .seconds = inner->seconds,
                                    .page = inner->page};
    inner->model_folder = inner->page = NULL;
    if (!inner->report) return NERFIT_OK;
    const json_t *micro = json_object_get(inner->report, "micro");
    result->report = (nerfit_report){
        .text = inner->report_text,
        .json = nf_json_text(inner->report, JSON_INDENT(2)),
        .precision = json_real_value(json_object_get(micro, "precision")),
        .recall = json_real_value(json_object_get(micro, "recall")),
        .f1 = json_real_value(json_object_get(micro, "f1")),
    };
    inner->report_text = NULL;
    return result->report.json ? NERFIT_OK : nf_no_memory(error, 0);
}

void nerfit_train_result_free(nerfit_train_result *result) {
    free(result->model_folder);
    free(result->page);
    nerfit_report_free(&result->report);
    *result = (nerfit_train_result){0};
}

nerfit_status nerfit_train(const nerfit_config *config, const nerfit_callbacks *given,
                           nerfit_train_result *result, nerfit_error *error) {
    nerfit_callbacks own, *callbacks = &own;
    *result = (nerfit_train_result){0};
    NF_TRY(nf_options_take(&own, sizeof own, given, "nerfit_callbacks", error));
    nf_log log = {callbacks->log, callbacks->user};
    nf_corpus parsed[3];
    memset(parsed, 0, sizeof parsed);
    nf_net net = {callbacks->transfer, callbacks->user, log};
    nf_train_services services = nf_net_services(&net);
    nf_train_data data = nf_config_data(config);
    data.services = &services;
    const nf_corpus **places[] = {&data.train, &data.validation, &data.test};
    const nf_train_options *o = &config->options;
    const char *const paths[] = {o->train_annotations, o->val_annotations, o->test_annotations};
    nerfit_status status = NERFIT_OK;
    for (int i = 0; i < 3 && status == NERFIT_OK; i++) {
        if (*places[i] || !callbacks->parse || !paths[i]) continue;
        status = nf_corpus_parse_lines(&parsed[i], callbacks, paths[i], &log, error);
        *places[i] = &parsed[i];
    }
    nf_train_result inner = {0};
    if (status == NERFIT_OK)
        status = nf_train_run(o, &data, &log, callbacks->event ? observe : NULL, callbacks, &inner,
                              error);
    if (status == NERFIT_OK) status = hand_out(&inner, result, error);
    nf_train_result_free(&inner);
    for (int i = 0; i < 3; i++) nf_corpus_free(&parsed[i]);
    return end_of_job(config, status);
}

nerfit_status nerfit_pretrain(const nerfit_config *config, const nerfit_callbacks *given,
                              nerfit_train_result *result, nerfit_error *error) {
    nerfit_callbacks own, *callbacks = &own;
    *result = (nerfit_train_result){0};
    NF_TRY(nf_options_take(&own, sizeof own, given, "nerfit_callbacks", error));
    nf_log log = {callbacks->log, callbacks->user};
    nf_net net = {callbacks->transfer, callbacks->user, log};
    nf_train_services services = nf_net_services(&net);
    const nf_train_data data = {.services = &services, .comm = config->comm};
    nf_train_result inner = {0};
    nerfit_status status = nf_pretrain_run(
        &config->options, &data, &log, callbacks->event ? observe : NULL, callbacks, &inner, error);
    if (status == NERFIT_OK) status = hand_out(&inner, result, error);
    nf_train_result_free(&inner);
    return end_of_job(config, status);
}
