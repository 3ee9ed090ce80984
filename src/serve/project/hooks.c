#include "serve/project/hooks.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "serve/project/exchange.h"
#include "serve/project/trainer.h"
#include "serve/server.h"

nf_project *nf_hook_project(const nf_request *r) {
    return r->model && strcmp(r->model, NF_PROJECT_MODEL) != 0 ? NULL : r->server->project;
}

/* One value is a list of one. */
static size_t count_of(const json_t *given) {
    return json_is_array(given) ? json_array_size(given) : given != NULL;
}

static json_t *one_of(json_t *given, size_t i) {
    return json_is_array(given) ? json_array_get(given, i) : given;
}

/* The tasks with their annotations, as an export of Label Studio has them; NULL: the message has none, or not as many
 * of both. */
static json_t *export_of(const json_t *message) {
    json_t *tasks = json_object_get(message, "task"), *list = json_array();
    json_t *annotations = json_object_get(message, "annotation");
    size_t count = count_of(tasks) == count_of(annotations) ? count_of(tasks) : 0;
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:O?, s:[O]}", "data",
                                              json_object_get(one_of(tasks, i), "data"),
                                              "annotations", one_of(annotations, i)));
    if (json_array_size(list)) return list;
    json_decref(list);
    return NULL;
}

static void take_annotations(nf_request *r, nf_project *p, const char *action,
                             const json_t *message) {
    json_t *export = export_of(message), *warnings = NULL;
    char *text = export ? nf_json_text(export, 0) : NULL;
    nerfit_error error;
    size_t annotated = 0;
    nerfit_status status =
        text ? nf_project_take(p, "label-studio.json", "label-studio", text, strlen(text),
                               &annotated, &warnings, &error)
             : nf_fail(&error, NERFIT_ARGUMENT,
                       "expected \"task\" and \"annotation\", one each or lists of as many");
    if (status == NERFIT_OK)
        nf_request_reply_json(r, json_pack("{s:s, s:b, s:I, s:O}", "action", action, "used",
                                           annotated > 0, "annotated", (json_int_t)annotated,
                                           "warnings", warnings));
    else if (status == NERFIT_FORMAT) /* the message, and no file of the project */
        nf_request_fail_as(r, &error);
    else
        nf_request_fail_change(r, &error);
    free(text);
    json_decref(export);
    json_decref(warnings);
}

static void start_training(nf_request *r, const nf_project *p, const char *action) {
    nerfit_error error;
    nerfit_status status = nf_trainer_start(p->trainer, p, false, &error);
    if (status == NERFIT_OK)
        nf_request_reply_json(r, json_pack("{s:s, s:b, s:o}", "action", action, "used", true,
                                           "training", nf_trainer_progress(p->trainer)));
    else if (status == NERFIT_UNSUPPORTED)
        nf_request_fail(r, NF_FAILURE_CONFLICT, "%s", error.text);
    else
        nf_request_fail_change(r, &error);
}

bool nf_hook(nf_request *r, const char *action, const json_t *message) {
    static const char *const annotating[] = {"ANNOTATION_CREATED", "ANNOTATIONS_CREATED",
                                             "ANNOTATION_UPDATED"};
    nf_project *p = nf_hook_project(r);
    bool annotates = false;
    for (size_t i = 0; i < NF_COUNT(annotating); i++)
        annotates = annotates || strcmp(annotating[i], action) == 0;
    if (!p || (!annotates && strcmp(action, "START_TRAINING") != 0)) return false;
    if (nf_request_header(r, "Origin"))
        nf_request_fail(r, NF_FAILURE_FORBIDDEN, "a webhook is not for pages");
    else if (annotates)
        take_annotations(r, p, action, message);
    else
        start_training(r, p, action);
    return true;
}
