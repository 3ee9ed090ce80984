/* nerfit.h: training. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "data/lines.h"
#include "train/train.h"

struct nerfit_config {
    nf_train_options options;
};

nerfit_status nerfit_config_new(nerfit_config **out, nerfit_error *error) {
    *out = calloc(1, sizeof **out);
    if (!*out) return nf_no_memory(error, sizeof **out);
    nerfit_status status = nf_train_options_init(&(*out)->options, error);
    if (status == NERFIT_OK) return NERFIT_OK;
    nerfit_config_free(*out);
    *out = NULL;
    return status;
}

void nerfit_config_free(nerfit_config *config) {
    if (config) nf_train_options_free(&config->options);
    free(config);
}

nerfit_status nerfit_config_load(nerfit_config *config, const char *path, nerfit_error *error) {
    return nf_train_options_load(&config->options, path, error);
}

nerfit_status nerfit_config_set(nerfit_config *config, const char *name, const char *value,
                                nerfit_error *error) {
    return nf_train_options_set(&config->options, name, value, NULL, 0, error);
}

char *nerfit_config_help(int width) {
    nf_str out = {0};
    if (width > 0) nf_train_options_help(&out, width);
    else nf_train_options_man(&out);
    if (!out.failed) return out.data;
    nf_str_free(&out);
    return NULL;
}

/* ---------------------------------------------------------------- the user's own format */

struct nerfit_annotation {
    nf_str text;
    bool has_text;
    nf_given_span *spans;
    size_t n_spans, capacity;
    nf_arena arena; /* of the labels */
};

nerfit_status nerfit_annotation_set_text(nerfit_annotation *a, const char *text, size_t size) {
    nf_str_clear(&a->text);
    a->has_text = nf_str_append(&a->text, text, size);
    return a->has_text ? NERFIT_OK : NERFIT_NO_MEMORY;
}

nerfit_status nerfit_annotation_add(nerfit_annotation *a, int64_t start, int64_t end,
                                    const char *label) {
    if (a->n_spans == a->capacity) {
        size_t capacity = a->capacity ? 2 * a->capacity : 16;
        nf_given_span *grown = realloc(a->spans, capacity * sizeof *grown);
        if (!grown) return NERFIT_NO_MEMORY;
        a->spans = grown;
        a->capacity = capacity;
    }
    char *copy = nf_arena_strdup(&a->arena, label);
    if (!copy) return NERFIT_NO_MEMORY;
    a->spans[a->n_spans++] = (nf_given_span){start, end, copy, strlen(copy)};
    return NERFIT_OK;
}

static nerfit_status parse_line(const nerfit_callbacks *callbacks, nerfit_annotation *a,
                                nf_corpus *corpus, const char *line, size_t size,
                                const char *path, long number, const nf_log *log,
                                nerfit_error *error) {
    a->has_text = false;
    a->n_spans = 0;
    nf_arena_free(&a->arena);
    nerfit_status status = callbacks->parse(callbacks->user, line, size, a);
    if (status != NERFIT_OK)
        return nf_fail_at(error, status, path, number, 0,
                          "the parse callback returned \"%s\"", nerfit_status_text(status));
    if (!a->has_text) return NERFIT_OK;
    nf_given_document given = {.text = nf_str_text(&a->text),
                               .text_size = a->text.length,
                               .spans = a->spans,
                               .n_spans = a->n_spans,
                               .file = path,
                               .line = number};
    return nf_corpus_add(corpus, &given, log, error);
}

static nerfit_status parse_file(const nerfit_callbacks *callbacks, const char *path,
                                nf_corpus *corpus, const nf_log *log, nerfit_error *error) {
    nf_file file;
    NF_TRY(nf_file_open(&file, path, error));
    nf_lines lines = nf_lines_of(file.data, file.size);
    nerfit_annotation a = {0};
    const char *line;
    size_t size;
    nerfit_status status = NERFIT_OK;
    while (status == NERFIT_OK && nf_lines_next(&lines, &line, &size))
        status = parse_line(callbacks, &a, corpus, line, size, path, lines.number, log, error);
    nf_str_free(&a.text);
    free(a.spans);
    nf_arena_free(&a.arena);
    nf_file_close(&file);
    return status;
}

/* ---------------------------------------------------------------- training */

static bool observe(void *user, const nf_stage_report *report) {
    const nerfit_callbacks *callbacks = user;
    char *json = report->entry ? nf_json_text(report->entry, JSON_COMPACT) : NULL;
    nerfit_event event = {.kind = (nerfit_event_kind)report->event,
                          .stage = report->stage,
                          .stage_name = report->name,
                          .step = report->step,
                          .total_steps = report->total_steps,
                          .epoch = report->epoch,
                          .loss = report->loss,
                          .json = json,
                          .path = report->path};
    bool go_on = callbacks->event(callbacks->user, &event);
    free(json);
    return go_on;
}

static nerfit_status hand_out(nf_train_result *inner, nerfit_train_result *result,
                              nerfit_error *error) {
    *result = (nerfit_train_result){.model_folder = inner->model_folder,
                                    .report_of = inner->report_of,
                                    .seconds = inner->seconds};
    inner->model_folder = NULL;
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
    nerfit_report_free(&result->report);
    *result = (nerfit_train_result){0};
}

nerfit_status nerfit_train(const nerfit_config *config, const nerfit_callbacks *callbacks,
                           nerfit_train_result *result, nerfit_error *error) {
    static const nerfit_callbacks none = {0};
    if (!callbacks) callbacks = &none;
    nf_log log = {callbacks->log, callbacks->user};
    nf_corpus corpora[3];
    memset(corpora, 0, sizeof corpora);
    nf_train_corpora given = {0};
    nf_corpus **places[] = {&given.train, &given.validation, &given.test};
    const nf_train_options *o = &config->options;
    const char *const paths[] = {o->train_annotations, o->val_annotations, o->test_annotations};
    nerfit_status status = NERFIT_OK;
    *result = (nerfit_train_result){0};
    for (int i = 0; i < 3 && callbacks->parse && status == NERFIT_OK; i++) {
        if (!paths[i]) continue;
        status = parse_file(callbacks, paths[i], &corpora[i], &log, error);
        *places[i] = &corpora[i];
    }
    nf_train_result inner = {0};
    if (status == NERFIT_OK)
        status = nf_train_run(o, &given, &log, callbacks->event ? observe : NULL,
                              (void *)(uintptr_t)callbacks, &inner, error);
    if (status == NERFIT_OK) status = hand_out(&inner, result, error);
    nf_train_result_free(&inner);
    for (int i = 0; i < 3; i++) nf_corpus_free(&corpora[i]);
    return status;
}
