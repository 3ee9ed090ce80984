/* nerfit.h: few-shot experiments. A run trains through the same function as nerfit_train, and its
 * model is loaded and scored as any user's would be. */
#include <stdlib.h>

#include "api_net.h"
#include "api_options.h"
#include "api_train.h"
#include "base/json.h"
#include "tensor/backends.h"
#include "experiment/fewshot.h"

typedef struct experiment {
    nf_log warnings; /* the caller's log, without the runs' own information */
    nerfit_log_function log;
    bool (*progress)(void *user, const nerfit_fewshot_progress *progress);
    void *user;
    nerfit_fewshot_progress last; /* told last: events are of this run */
} experiment;

static void warn(void *user, nerfit_log_level level, const char *message) {
    const experiment *e = user;
    if (level == NERFIT_LOG_WARNING && e->log) e->log(e->user, level, message);
}

static bool on_progress(void *user, const nf_fewshot_progress *p) {
    experiment *e = user;
    e->last = (nerfit_fewshot_progress){.finished = p->n_finished,
                                        .runs = p->n_runs,
                                        .k = p->k,
                                        .texts = p->n_texts,
                                        .seed = p->seed,
                                        .recipe = p->recipe,
                                        .done = p->score != NULL,
                                        .earlier = p->earlier,
                                        .f1 = p->score ? p->score->f1 : 0,
                                        .seconds = p->score ? p->score->seconds : 0,
                                        .seconds_left = p->seconds_left};
    return !e->progress || e->progress(e->user, &e->last);
}

static bool on_report(void *user, const nf_stage_report *report) {
    experiment *e = user;
    if (!e->progress) return true;
    nerfit_event event = nf_event_of(report);
    e->last.event = &event;
    bool go_on = e->progress(e->user, &e->last);
    e->last.event = NULL;
    free((char *)(uintptr_t)event.json);
    return go_on;
}

/* On words: the first sub-word of each counts. */
static nerfit_status score_model(experiment *e, const nf_train_options *o, const char *folder,
                                 const nf_corpus *test, nf_fewshot_score *score,
                                 nerfit_error *error) {
    const nf_backend_kind *kind = o->backend ? nf_backend_kind_at((size_t)o->backend - 1) : NULL;
    nerfit_model_options options = {.size = sizeof options,
                                    .backend = kind ? kind->name : NULL,
                                    .precision = nf_precision_name((nf_precision)o->precision),
                                    .threads = (int)o->threads,
                                    .log = warn,
                                    .log_user = e};
    nerfit_model *model = NULL;
    nerfit_session *session = NULL;
    nerfit_report report = {0};
    const nerfit_corpus corpus = {.corpus = *test}; /* a view: nothing of it is freed */
    nerfit_status status = nerfit_model_load(&model, folder, &options, error);
    if (status == NERFIT_OK) status = nerfit_session_new(&session, model, error);
    if (status == NERFIT_OK)
        status = nerfit_evaluate_corpus(session, &corpus, NULL, true, &report, error);
    if (status == NERFIT_OK)
        *score = (nf_fewshot_score){
            .precision = report.precision, .recall = report.recall, .f1 = report.f1};
    nerfit_report_free(&report);
    nerfit_session_free(session);
    nerfit_model_free(model);
    return status;
}

static nerfit_status run(void *user, const nf_train_options *options, const nf_train_data *data,
                         nf_fewshot_score *score, nerfit_error *error) {
    experiment *e = user;
    nf_train_data training = *data;
    nf_train_result result;
    nf_net net = {.log = e->warnings};
    nf_train_services services = nf_net_services(&net);
    services.describe = NULL; /* every run would ask anew */
    training.services = &services;
    training.test = NULL; /* scored on words below */
    nerfit_status status =
        nf_train_run(options, &training, &e->warnings, on_report, e, &result, error);
    if (status != NERFIT_OK) return status;
    double seconds = result.seconds;
    status = score_model(e, options, result.model_folder, data->test, score, error);
    score->seconds = seconds;
    nf_train_result_free(&result);
    return status;
}

void nerfit_fewshot_result_free(nerfit_fewshot_result *result) {
    free(result->text);
    free(result->markdown);
    free(result->json);
    *result = (nerfit_fewshot_result){0};
}

static nerfit_status hand_out(const json_t *json, nerfit_fewshot_result *result,
                              nerfit_error *error) {
    nf_str text = {0}, markdown = {0};
    nf_fewshot_text(json, &text);
    nf_fewshot_markdown(json, &markdown);
    *result = (nerfit_fewshot_result){text.data, markdown.data, nf_json_text(json, JSON_INDENT(2))};
    if (result->json && !text.failed && !markdown.failed) return NERFIT_OK;
    nerfit_fewshot_result_free(result);
    return nf_no_memory(error, 0);
}

/* Names become folders once, for all runs; the runs' keys tell weights apart by their files. */
static nerfit_status find_models(experiment *e, nf_arena *arena, nf_train_options *o,
                                 nf_fewshot_options *options, nerfit_error *error) {
    nf_net net = {.log = e->warnings};
    const char *places[] = {o->model_name, options->pretrained, o->st_model_name};
    for (size_t i = 0; i < 3; i++)
        if (places[i])
            NF_TRY(nf_net_folder(&net, arena, places[i],
                                 i == 2 || !o->st_model_name ? NF_HUB_SENTENCE : NF_HUB_MODEL,
                                 &places[i], NULL, error));
    o->model_name = (char *)(uintptr_t)places[0];
    options->pretrained = places[1];
    o->st_model_name = (char *)(uintptr_t)places[2];
    return NERFIT_OK;
}

nerfit_status nerfit_fewshot(const nerfit_config *config, const nerfit_fewshot_options *given,
                             nerfit_log_function log, nerfit_fewshot_function progress, void *user,
                             nerfit_fewshot_result *result, nerfit_error *error) {
    experiment e = {.log = log, .progress = progress, .user = user};
    e.warnings = (nf_log){warn, &e};
    nerfit_fewshot_options own;
    *result = (nerfit_fewshot_result){0};
    NF_TRY(nf_options_take(&own, sizeof own, given, "nerfit_fewshot_options", error));
    nf_fewshot_options inner = {own.k,       own.seeds,      own.recipes,
                                own.samples, own.pretrained, own.negatives};
    nf_fewshot_work work = {.run = run, .progress = on_progress, .user = &e, .log = &e.warnings};
    nf_train_data data = nf_config_data(config);
    nf_train_options found = config->options; /* its texts are the config's */
    nf_arena arena = {0};
    json_t *json = NULL;
    nerfit_status status = find_models(&e, &arena, &found, &inner, error);
    if (status == NERFIT_OK) status = nf_fewshot_run(&found, &data, &inner, &work, &json, error);
    if (status == NERFIT_OK) status = hand_out(json, result, error);
    json_decref(json);
    nf_arena_free(&arena);
    return status;
}
