/* nerfit.h: annotating. Here annotators are set up: models loaded, lists read, and what labels there
 * are. */
#include <stdlib.h>
#include <string.h>

#include "annotate/annotate.h"
#include "annotate/by_model.h"
#include "annotate/summary.h"
#include "api_corpus.h"
#include "api_options.h"
#include "api_session.h"
#include "base/json.h"
#include "data/label_list.h"

void nerfit_annotate_result_free(nerfit_annotate_result *result) {
    nerfit_corpus_free(result->texts);
    nerfit_corpus_free(result->failed);
    nerfit_corpus_free(result->review);
    free(result->text);
    free(result->json);
    free(result->page);
    *result = (nerfit_annotate_result){0};
}

/* Everything that a call has open. */
typedef struct annotating {
    nerfit_annotate_options options;
    nf_arena arena;
    nf_log log;
    nf_descriptions labels; /* those given */
    nf_lists *lists;
    nerfit_model **models;
    nerfit_session **sessions; /* [n_models] */
    nf_model_annotator *by_model;
    nf_annotator *annotators;
    size_t n_annotators;
    const char **names, **descriptions; /* the job's labels [n_labels] */
    size_t n_labels, capacity;
} annotating;

static void annotating_end(annotating *a) {
    for (size_t i = 0; i < a->options.n_models && a->sessions; i++)
        nerfit_session_free(a->sessions[i]);
    for (size_t i = 0; i < a->options.n_models && a->models; i++) nerfit_model_free(a->models[i]);
    nf_lists_free(a->lists);
    nf_descriptions_free(&a->labels);
    nf_arena_free(&a->arena);
}

/* ---------------------------------------------------------------- models */

static nerfit_status annotating_load(annotating *a, const char *folder, nerfit_model **out,
                                     nerfit_error *error) {
    nerfit_model_options options;
    NF_TRY(
        nf_options_take(&options, sizeof options, a->options.model, "nerfit_model_options", error));
    options.labels = NULL;
    options.log = a->options.log;
    options.log_user = options.transfer_user = a->options.user;
    options.transfer = a->options.transfer;
    nerfit_status status = nerfit_model_load(out, folder, &options, error);
    if (status != NERFIT_OK || !a->options.labels) return status;
    const nf_model *model = (*out)->model;
    if (model->n_labels && !model->gliner) return NERFIT_OK;
    nerfit_model_free(*out); /* a bare encoder, or a model of any labels */
    options.labels = a->options.labels;
    return nerfit_model_load(out, folder, &options, error);
}

/* A name for what a model says: the last part of its folder that tells something, with a number if
 * there is another one of that name. NULL when out of memory. */
static const char *annotating_name(annotating *a, const char *folder) {
    size_t size = strlen(folder);
    while (size > 1 && folder[size - 1] == '/') size--;
    if (size > 5 && memcmp(folder + size - 5, "/best", 5) == 0) size -= 5;
    size_t from = size;
    while (from > 0 && folder[from - 1] != '/') from--;
    nf_str name = {0};
    nf_str_append(&name, folder + from, size - from);
    for (size_t i = 0, n = 2; i < a->n_annotators && !name.failed; i++)
        if (strcmp(a->annotators[i].name, nf_str_text(&name)) == 0) {
            nf_str_clear(&name);
            nf_str_appendf(&name, "%.*s#%zu", (int)(size - from), folder + from, n++);
            i = SIZE_MAX; /* from the first again */
        }
    const char *copy = name.failed ? NULL : nf_arena_strdup(&a->arena, nf_str_text(&name));
    nf_str_free(&name);
    return copy;
}

static nerfit_status annotating_open_model(annotating *a, size_t i, nerfit_error *error) {
    const char *folder = a->options.models[i];
    const nerfit_annotate_options *o = &a->options;
    NF_TRY(annotating_load(a, folder, &a->models[i], error));
    NF_TRY(nerfit_session_new(&a->sessions[i], a->models[i], error));
    nerfit_session *session = a->sessions[i];
    for (size_t k = 0; k < o->n_thresholds; k++) {
        const nerfit_threshold *t = &o->thresholds[k];
        if (t->label && nf_tag_set_type(&session->rules.tags, t->label) < 0) continue;
        NF_TRY(nerfit_session_set_threshold(session, t->label, t->threshold, error));
    }
    session->rules.spans.nested = o->nested && session->rules.gliner;
    a->by_model[i] = (nf_model_annotator){
        session->tagger,
        {.rules = &session->rules, .go_on = o->go_on, .user = o->user, .log = &a->log}};
    const char *name = annotating_name(a, folder);
    if (!name) return nf_no_memory(error, 0);
    a->annotators[a->n_annotators++] = (nf_annotator){name, &a->by_model[i], nf_annotate_by_model};
    return NERFIT_OK;
}

static nerfit_status annotating_open_models(annotating *a, nerfit_error *error) {
    size_t n = a->options.n_models;
    a->models = nf_arena_calloc(&a->arena, n + 1, sizeof *a->models);
    a->sessions = nf_arena_calloc(&a->arena, n + 1, sizeof *a->sessions);
    a->by_model = nf_arena_calloc(&a->arena, n + 1, sizeof *a->by_model);
    a->annotators = nf_arena_calloc(&a->arena, n + 2, sizeof *a->annotators);
    if (!a->models || !a->sessions || !a->by_model || !a->annotators)
        return nf_no_memory(error, n * sizeof *a->models);
    for (size_t i = 0; i < n; i++) NF_TRY(annotating_open_model(a, i, error));
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- labels */

static nerfit_status annotating_add_label(annotating *a, const char *name, const char *description,
                                          nerfit_error *error) {
    for (size_t i = 0; i < a->n_labels; i++)
        if (strcmp(a->names[i], name) == 0) return NERFIT_OK;
    if (a->n_labels == a->capacity) {
        size_t capacity = a->capacity ? 2 * a->capacity : 32;
        const char **names = nf_arena_calloc(&a->arena, 2 * capacity, sizeof *names);
        if (!names) return nf_no_memory(error, capacity * sizeof *names);
        for (size_t i = 0; i < a->n_labels; i++)
            names[i] = a->names[i], names[capacity + i] = a->descriptions[i];
        a->names = names;
        a->descriptions = names + capacity;
        a->capacity = capacity;
    }
    a->names[a->n_labels] = name;
    a->descriptions[a->n_labels++] = description;
    return NERFIT_OK;
}

/* Labels given, or those of the models; and those of lists. */
static nerfit_status annotating_labels(annotating *a, nerfit_error *error) {
    for (size_t i = 0; i < a->labels.count; i++)
        NF_TRY(annotating_add_label(a, a->labels.labels[i], a->labels.texts[i], error));
    for (size_t i = 0; i < a->options.n_models; i++) {
        const nf_tag_set *tags = &a->sessions[i]->rules.tags;
        size_t known = 0;
        for (size_t t = 0; t < tags->n_types; t++) {
            if (!a->options.labels) NF_TRY(annotating_add_label(a, tags->types[t], "", error));
            for (size_t l = 0; l < a->labels.count; l++)
                known += strcmp(a->labels.labels[l], tags->types[t]) == 0;
        }
        if (a->options.labels && known < a->labels.count)
            nf_log_warning(&a->log, "%s finds %zu of the %zu labels: of the others it says nothing",
                           a->options.models[i], known, a->labels.count);
    }
    size_t n = 0;
    const char *const *listed = a->lists ? nf_lists_labels(a->lists, &n) : NULL;
    for (size_t i = 0; i < n; i++) NF_TRY(annotating_add_label(a, listed[i], "", error));
    if (a->n_labels) return NERFIT_OK;
    return nf_fail(error, NERFIT_ARGUMENT,
                   "labels: there are none to look for; give a file of descriptions, or names "
                   "divided by commas");
}

/* ---------------------------------------------------------------- the call */

static nerfit_status annotating_begin(annotating *a, const nerfit_annotate_options *given,
                                      nerfit_error *error) {
    nerfit_annotate_options options;
    NF_TRY(nf_options_take(&options, sizeof options, given, "nerfit_annotate_options", error));
    a->options = options;
    a->log = (nf_log){options.log, options.user};
    if (!options.rules && !options.n_models && !options.llm)
        return nf_fail(error, NERFIT_ARGUMENT,
                       "nobody annotates: give rules, a model or llm (a language model)");
    if (options.labels) NF_TRY(nf_label_list_read(&a->labels, options.labels, NULL, error));
    if (options.rules) NF_TRY(nf_lists_read(&a->lists, options.rules, error));
    NF_TRY(annotating_open_models(a, error));
    return annotating_labels(a, error);
}

/* Hands a corpus out; the old one is empty then. */
static nerfit_status hand_out_corpus(nerfit_corpus **out, nf_corpus *corpus, const nf_log *log,
                                     nerfit_error *error) {
    NF_TRY(nerfit_corpus_new(out, log->function, log->user, error));
    (*out)->corpus = *corpus;
    *corpus = (nf_corpus){0};
    return NERFIT_OK;
}

static nerfit_status hand_out_annotated(nerfit_annotate_result *result, nf_annotated *done,
                                        const nf_log *log, nerfit_error *error) {
    nf_str text = {0}, page = {0};
    nf_summary_text(done->summary, &text);
    nf_summary_html(done->summary, &page);
    result->text = text.data;
    result->page = page.data;
    result->json = nf_json_text(done->summary, JSON_INDENT(2));
    if (text.failed || page.failed || !result->json) return nf_no_memory(error, 0);
    NF_TRY(hand_out_corpus(&result->texts, &done->texts, log, error));
    NF_TRY(hand_out_corpus(&result->failed, &done->failed, log, error));
    return hand_out_corpus(&result->review, &done->review, log, error);
}

nerfit_status nerfit_annotate(const nerfit_corpus *texts, const nerfit_annotate_options *options,
                              nerfit_annotate_result *result, nerfit_error *error) {
    annotating a = {.n_annotators = 0};
    nf_annotated done = {.summary = NULL};
    *result = (nerfit_annotate_result){0};
    nerfit_status status = annotating_begin(&a, options, error);
    const nf_annotate_job job = {.texts = &texts->corpus,
                                 .labels = {a.names, a.descriptions, a.n_labels},
                                 .annotators = a.annotators,
                                 .n_annotators = a.n_annotators,
                                 .lists = a.lists,
                                 .votes = a.options.votes,
                                 .nested = a.options.nested,
                                 .log = &a.log};
    if (status == NERFIT_OK) status = nf_annotate(&done, &job, error);
    if (status == NERFIT_OK) status = hand_out_annotated(result, &done, &a.log, error);
    if (status != NERFIT_OK) nerfit_annotate_result_free(result);
    nf_annotated_free(&done);
    annotating_end(&a);
    return status;
}
