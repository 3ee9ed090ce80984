/* nerfit.h: annotating. Here annotators are set up: models loaded, lists read, and what labels there
 * are. */
#include <stdlib.h>
#include <string.h>

#include "annotate/audit.h"
#include "annotate/summary.h"
#include "api_annotate.h"
#include "api_corpus.h"
#include "api_options.h"
#include "base/json.h"
#include "base/str.h"
#include "data/label_list.h"

void nerfit_annotate_result_free(nerfit_annotate_result *result) {
    nerfit_corpus_free(result->texts);
    nerfit_corpus_free(result->failed);
    nerfit_corpus_free(result->review);
    free(result->text);
    free(result->json);
    free(result->page);
    free(result->descriptions);
    free(result->synonyms);
    *result = (nerfit_annotate_result){0};
}

static void annotating_end(nf_annotating *a) {
    for (size_t i = 0; i < a->options.n_models && a->sessions; i++)
        nerfit_session_free(a->sessions[i]);
    for (size_t i = 0; i < a->options.n_models && a->models; i++) nerfit_model_free(a->models[i]);
    nf_annotating_close_llm(a);
    nf_open_types_free(&a->types);
    nf_lists_free(a->lists);
    nf_descriptions_free(&a->given);
    nf_arena_free(&a->arena);
}

/* ---------------------------------------------------------------- models */

nerfit_status nf_model_load_labelled(nerfit_model **out, const char *folder,
                                     const nerfit_model_options *given, const char *labels,
                                     nerfit_error *error) {
    nerfit_model_options options = *given;
    options.labels = NULL;
    nerfit_status status = nerfit_model_load(out, folder, &options, error);
    if (status != NERFIT_OK || !labels) return status;
    const nf_model *model = (*out)->model;
    if (model->n_labels && !nf_model_reads_labels(model->kind)) return NERFIT_OK;
    nerfit_model_free(*out); /* a bare encoder, or a model of any labels */
    options.labels = labels;
    return nerfit_model_load(out, folder, &options, error);
}

static nerfit_status annotating_load(nf_annotating *a, const char *folder, nerfit_model **out,
                                     nerfit_error *error) {
    nerfit_model_options options;
    NF_TRY(
        nf_options_take(&options, sizeof options, a->options.model, "nerfit_model_options", error));
    options.log = a->options.log;
    options.log_user = options.transfer_user = a->options.user;
    options.transfer = a->options.transfer;
    options.size = sizeof options;
    return nf_model_load_labelled(out, folder, &options, a->options.labels, error);
}

/* A name for what a model says: the last part of its folder that tells something, with a number if
 * there is another one of that name. NULL when out of memory. */
static const char *annotating_name(nf_annotating *a, const char *folder) {
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

/* Of a batch of a model. */
static bool annotating_go_on(void *user) {
    const nf_annotating *a = user;
    return !a->options.go_on || a->options.go_on(a->options.user, 0, 0);
}

static nerfit_status annotating_open_model(nf_annotating *a, size_t i, nerfit_error *error) {
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
    session->rules.spans.nested = o->nested && nf_rules_read_labels(&session->rules);
    a->by_model[i] = (nf_model_annotator){
        session->tagger,
        {.rules = &session->rules, .go_on = annotating_go_on, .user = a, .log = &a->log}};
    const char *name = annotating_name(a, folder);
    if (!name) return nf_no_memory(error, 0);
    a->annotators[a->n_annotators++] = (nf_annotator){name, &a->by_model[i], nf_annotate_by_model};
    return NERFIT_OK;
}

static nerfit_status annotating_open_models(nf_annotating *a, nerfit_error *error) {
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

static nerfit_status annotating_more_labels(nf_annotating *a, nerfit_error *error) {
    size_t n = a->n_labels, capacity = a->capacity ? 2 * a->capacity : 32;
    const char **names = nf_arena_calloc(&a->arena, 2 * capacity, sizeof *names);
    nf_label_texts *further = nf_arena_calloc(&a->arena, capacity, sizeof *further);
    if (!names || !further) return nf_no_memory(error, capacity * sizeof *further);
    for (size_t i = 0; i < n; i++) {
        names[i] = a->names[i];
        names[capacity + i] = a->descriptions[i];
        further[i] = a->further[i];
    }
    a->names = names;
    a->descriptions = names + capacity;
    a->further = further;
    a->capacity = capacity;
    return NERFIT_OK;
}

/* further: NULL: there is nothing. */
static nerfit_status annotating_add_label(nf_annotating *a, const char *name,
                                          const char *description, const nf_label_texts *further,
                                          nerfit_error *error) {
    if (nf_list_index(a->names, a->n_labels, name) < a->n_labels) return NERFIT_OK;
    if (a->n_labels == a->capacity) NF_TRY(annotating_more_labels(a, error));
    a->names[a->n_labels] = name;
    a->descriptions[a->n_labels] = description;
    if (further) a->further[a->n_labels] = *further;
    a->n_labels++;
    return NERFIT_OK;
}

nf_job_labels nf_annotating_labels(const nf_annotating *a) {
    return (nf_job_labels){a->names, a->descriptions, a->further, a->n_labels};
}

/* Labels given, or those of the models and, for a language model, of known texts; and those of lists. */
static nerfit_status annotating_labels(nf_annotating *a, nerfit_error *error) {
    for (size_t i = 0; i < a->given.count; i++)
        NF_TRY(annotating_add_label(a, a->given.labels[i], a->given.texts[i],
                                    a->given.further ? &a->given.further[i] : NULL, error));
    for (size_t i = 0; i < a->options.n_models; i++) {
        const nf_tag_set *tags = &a->sessions[i]->rules.tags;
        size_t known = 0;
        for (size_t t = 0; t < tags->n_types; t++) {
            if (!a->options.labels)
                NF_TRY(annotating_add_label(a, tags->types[t], "", NULL, error));
            for (size_t l = 0; l < a->given.count; l++)
                known += strcmp(a->given.labels[l], tags->types[t]) == 0;
        }
        if (a->options.labels && known < a->given.count)
            nf_log_warning(&a->log, "%s finds %zu of the %zu labels: of the others it says nothing",
                           a->options.models[i], known, a->given.count);
    }
    bool of_gold = a->options.llm && !a->options.labels && a->options.gold;
    for (size_t i = 0; of_gold && i < a->options.gold->corpus.n_labels; i++)
        NF_TRY(annotating_add_label(a, a->options.gold->corpus.labels[i], "", NULL, error));
    size_t n = 0;
    const char *const *listed = a->lists ? nf_lists_labels(a->lists, &n) : NULL;
    for (size_t i = 0; i < n; i++) NF_TRY(annotating_add_label(a, listed[i], "", NULL, error));
    if (a->n_labels || a->options.open) return NERFIT_OK;
    return nf_fail(error, NERFIT_ARGUMENT,
                   "labels: there are none to look for; give a file of descriptions, or names "
                   "divided by commas");
}

/* ---------------------------------------------------------------- votes */

/* More votes than can be had would write nothing, and say nothing. */
static nerfit_status annotating_check_votes(const nf_annotating *a, nerfit_error *error) {
    const nerfit_annotate_options *o = &a->options;
    size_t voters = o->n_models + (o->llm != NULL), passes = o->passes ? o->passes : 1;
    if (o->votes > voters)
        return nf_fail(error, NERFIT_ARGUMENT,
                       "votes: %zu annotators shall agree on an entity, but %zu of them vote "
                       "(models and a language model; rules have the last word without a vote)",
                       o->votes, voters);
    if (o->llm && o->pass_votes > passes)
        return nf_fail(error, NERFIT_ARGUMENT,
                       "pass_votes: %zu passes shall agree on an entity, but there are %zu of them",
                       o->pass_votes, passes);
    return NERFIT_OK;
}

/* Labels that fewer annotators look for than must agree: all that is found of them is disputed. */
static void annotating_warn_of_votes(const nf_annotating *a) {
    for (size_t l = 0; l < a->n_labels; l++) {
        size_t voters = a->options.llm != NULL;
        for (size_t i = 0; i < a->options.n_models; i++)
            voters += nf_tag_set_type(&a->sessions[i]->rules.tags, a->names[l]) >= 0;
        if (voters && voters < a->options.votes)
            nf_log_warning(&a->log,
                           "votes: %zu annotators shall agree, but %zu of them look for the label "
                           "%s: all that is found of it is disputed",
                           a->options.votes, voters, a->names[l]);
    }
}

/* ---------------------------------------------------------------- the call */

static nerfit_status annotating_begin(nf_annotating *a, const nerfit_annotate_options *given,
                                      nerfit_error *error) {
    nerfit_annotate_options options;
    NF_TRY(nf_options_take(&options, sizeof options, given, "nerfit_annotate_options", error));
    a->options = options;
    a->log = (nf_log){options.log, options.user};
    if (!options.rules && !options.n_models && !options.llm)
        return nf_fail(error, NERFIT_ARGUMENT,
                       "nobody annotates: give rules, a model or llm (a language model)");
    NF_TRY(annotating_check_votes(a, error));
    NF_TRY(nf_annotating_check_open(a, error));
    if (options.labels) NF_TRY(nf_label_list_read(&a->given, options.labels, NULL, error));
    if (options.rules) NF_TRY(nf_lists_read(&a->lists, options.rules, &a->log, error));
    NF_TRY(annotating_open_models(a, error));
    NF_TRY(nf_annotating_open_llm(a, error));
    NF_TRY(annotating_labels(a, error));
    annotating_warn_of_votes(a);
    return NERFIT_OK;
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

static nf_annotate_job annotating_job(const nf_annotating *a, const nf_corpus *texts) {
    return (nf_annotate_job){.texts = texts,
                             .labels = nf_annotating_labels(a),
                             .annotators = a->annotators,
                             .n_annotators = a->n_annotators,
                             .lists = a->lists,
                             .votes = a->options.votes,
                             .nested = a->options.nested,
                             .open = a->options.open,
                             .log = &a->log};
}

/* Texts with known entities, annotated blind. */
static nerfit_status annotating_audit(nf_annotating *a, json_t **audit, nerfit_error *error) {
    const nerfit_annotate_options *o = &a->options;
    nf_corpus blind = {0}, known = {0};
    nf_annotated done = {.summary = NULL};
    const nf_job_labels labels = nf_annotating_labels(a);
    nf_str text = {0};
    *audit = NULL;
    if (!o->audit) return NERFIT_OK;
    if (!o->gold)
        return nf_fail(error, NERFIT_ARGUMENT,
                       "audit: there are no texts whose entities are known (gold)");
    nf_annotate_job job = annotating_job(a, &blind);
    nerfit_status status =
        nf_audit_draw(&blind, &known, &o->gold->corpus, o->audit, o->seed, error);
    if (status == NERFIT_OK) status = nf_annotating_prepare_llm(a, &blind, "audit", error);
    if (status == NERFIT_OK) status = nf_annotate(&done, &job, error);
    if (status == NERFIT_OK) status = nf_audit_score(audit, &known, &done, &labels, o->seed, error);
    bool before_texts = status == NERFIT_OK && !o->audit_only;
    if (before_texts) nf_audit_text(*audit, &text);
    if (before_texts) nf_log_info(&a->log, "%s", nf_str_text(&text));
    nf_str_free(&text);
    nf_annotated_free(&done);
    nf_corpus_free(&blind);
    nf_corpus_free(&known);
    return status;
}

/* Texts up to the first one that is asked about. */
static nf_corpus annotating_first(const nf_corpus *texts) {
    nf_corpus first = *texts;
    bool blank = true;
    for (first.n_documents = 0; blank && first.n_documents < texts->n_documents;) {
        const nf_document *d = &texts->documents[first.n_documents++];
        const char *text = d->text;
        size_t size = d->text_size;
        nf_text_trim(&text, &size);
        blank = size == 0;
    }
    return first;
}

static nerfit_status annotating_dry_run(nf_annotating *a, const nf_corpus *all,
                                        nerfit_annotate_result *result, nerfit_error *error) {
    const nf_corpus first = annotating_first(all), *texts = &first;
    const nf_job_labels labels = nf_annotating_labels(a);
    nf_str text = {0};
    if (!a->options.llm)
        return nf_fail(error, NERFIT_ARGUMENT,
                       "dry_run shows what a language model is asked: name one (llm)");
    NF_TRY(nf_annotating_prepare_llm(a, texts, "texts", error));
    nerfit_status status = nf_llm_first_question(&text, &a->by_llm, texts, &labels, error);
    if (status == NERFIT_OK)
        result->text = text.data;
    else
        nf_str_free(&text);
    return status;
}

static nerfit_status annotating_run(nf_annotating *a, const nf_corpus *texts,
                                    nerfit_annotate_result *result, nerfit_error *error) {
    static const nf_corpus none = {.n_documents = 0};
    nf_annotated done = {.summary = NULL};
    json_t *audit = NULL;
    if (a->options.dry_run) return annotating_dry_run(a, texts, result, error);
    NF_TRY(annotating_audit(a, &audit, error));
    nerfit_status status = NERFIT_OK;
    if (a->options.audit_only)
        texts = &none;
    else
        status = nf_annotating_prepare_llm(a, texts, "texts", error);
    if (status == NERFIT_OK && a->options.open) status = nf_annotating_find_types(a, texts, error);
    const nf_annotate_job job = annotating_job(a, texts);
    if (status == NERFIT_OK) status = nf_annotate(&done, &job, error);
    if (status == NERFIT_OK && audit) json_object_set(done.summary, "audit", audit);
    if (status == NERFIT_OK && a->options.llm)
        json_object_set_new(done.summary, "llm", nf_llm_annotator_json(&a->by_llm));
    if (status == NERFIT_OK && a->options.open)
        status = nf_annotating_hand_out_types(a, done.summary, result, error);
    if (status == NERFIT_OK) status = hand_out_annotated(result, &done, &a->log, error);
    json_decref(audit);
    nf_annotated_free(&done);
    return status;
}

nerfit_status nerfit_annotate(const nerfit_corpus *texts, const nerfit_annotate_options *options,
                              nerfit_annotate_result *result, nerfit_error *error) {
    nf_annotating a = {.n_annotators = 0};
    *result = (nerfit_annotate_result){0};
    nerfit_status status = annotating_begin(&a, options, error);
    if (status == NERFIT_OK) status = annotating_run(&a, &texts->corpus, result, error);
    if (status != NERFIT_OK) nerfit_annotate_result_free(result);
    annotating_end(&a);
    return status;
}
