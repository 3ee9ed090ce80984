/* nerfit.h: reports. */
#include "api_report.h"

#include <stdlib.h>

#include "base/json.h"
#include "eval/report.h"
#include "labels/spans.h"

const char *nerfit_mistake_text(nerfit_mistake_kind kind) {
    bool known = kind >= NERFIT_MISSED && kind <= NERFIT_WRONG_TYPE_AND_BOUNDARY;
    return known ? nf_match_name((nf_match_kind)kind) : "";
}

void nerfit_report_free(nerfit_report *report) {
    nf_arena arena = {report->memory};
    free(report->text);
    free(report->json);
    free(report->scores);
    free(report->analysis);
    nf_arena_free(&arena);
    *report = (nerfit_report){0};
}

nerfit_status nf_file_evaluation_begin(nf_file_evaluation *e, nf_scheme scheme,
                                       nerfit_error *error) {
    *e = (nf_file_evaluation){0};
    return nf_scorer_new(&e->scorer, scheme, error);
}

void nf_file_evaluation_end(nf_file_evaluation *e) {
    nf_scorer_free(e->scorer);
    nf_analysis_free(&e->analysis);
    *e = (nf_file_evaluation){0};
}

/* ---------------------------------------------------------------- the report */

static nerfit_entity hand_out_entity(const nf_shown_entity *shown, const char *const *labels) {
    const nf_entity *e = &shown->entity;
    if (e->type < 0) return (nerfit_entity){.score = -1};
    return (nerfit_entity){e->start,        e->end,          shown->byte_start,
                           shown->byte_end, labels[e->type], e->score};
}

/* The analysis's arena, which has the texts, becomes the report's. */
static nerfit_status hand_out_mistakes(nf_analysis *a, nerfit_report *report, nerfit_error *error) {
    nf_arena *arena = &a->arena;
    nerfit_mistake *out = nf_arena_calloc(arena, a->n_mistakes + 1, sizeof *out);
    const char **labels = nf_arena_calloc(arena, a->types.count + 1, sizeof *labels);
    bool made = out && labels;
    for (size_t i = 0; i < a->types.count && made; i++)
        made = (labels[i] = nf_arena_strdup(arena, a->types.names[i])) != NULL;
    for (size_t i = 0; i < a->n_mistakes && made; i++) {
        const nf_mistake *m = &a->mistakes[i];
        out[i] = (nerfit_mistake){.kind = (nerfit_mistake_kind)m->kind,
                                  .file = m->file ? m->file : "",
                                  .line = m->line,
                                  .text = m->text,
                                  .text_size = m->text_size,
                                  .gold = hand_out_entity(&m->gold, labels),
                                  .predicted = hand_out_entity(&m->predicted, labels)};
    }
    if (!made) return nf_no_memory(error, a->n_mistakes * sizeof *out);
    report->mistakes = out;
    report->n_mistakes = a->n_mistakes;
    report->memory = arena->head;
    arena->head = NULL;
    return NERFIT_OK;
}

nerfit_status nf_file_evaluation_report(nf_file_evaluation *e, nerfit_report *out,
                                        nerfit_error *error) {
    const nf_report *report;
    *out = (nerfit_report){0};
    NF_TRY(nf_scorer_report(e->scorer, &report, error));
    nf_str text = {0}, scores = {0}, analysis = {0};
    nf_report_text(report, &text);
    nf_analysis_scores_text(&e->analysis, &scores);
    nf_analysis_text(&e->analysis, &analysis);
    json_t *json = nf_report_json(report);
    nerfit_status status = json ? nf_analysis_json(&e->analysis, json, error) : NERFIT_NO_MEMORY;
    *out = (nerfit_report){.text = text.data,
                           .json = status == NERFIT_OK ? nf_json_text(json, JSON_INDENT(2)) : NULL,
                           .precision = report->micro.precision,
                           .recall = report->micro.recall,
                           .f1 = report->micro.f1,
                           .scores = scores.data,
                           .analysis = analysis.data};
    json_decref(json);
    if (!out->json || text.failed || scores.failed || analysis.failed)
        status = nf_no_memory(error, 0);
    else
        status = hand_out_mistakes(&e->analysis, out, error);
    if (status != NERFIT_OK) nerfit_report_free(out);
    return status;
}

/* ---------------------------------------------------------------- words */

/* The entities of words' labels, with types of the analysis. */
static nerfit_status entities_of(nf_arena *arena, nf_analysis *analysis, const char *const *labels,
                                 size_t n, nf_scheme scheme, nf_entity **out, size_t *count,
                                 nerfit_error *error) {
    nf_entity *spans = *out = nf_arena_calloc(arena, n + 1, sizeof *spans);
    if (!spans) return nf_no_memory(error, n * sizeof *spans);
    NF_TRY(nf_spans_from_labels(labels, n, scheme, spans, count, error));
    for (size_t i = 0; i < *count; i++) {
        nf_type_name type = nf_label_type_name(labels[spans[i].type], scheme);
        const char *name = nf_arena_copy(arena, type.text, type.size);
        if (!name) return nf_no_memory(error, type.size);
        NF_TRY(nf_type_names_add(&analysis->types, name, &spans[i].type, error));
        spans[i].score = -1;
    }
    return NERFIT_OK;
}

static nerfit_status add_words(nf_arena *arena, nf_analysis *analysis, const nf_labelled_words *w,
                               nf_scheme scheme, nf_str *text, nerfit_error *error) {
    size_t *starts = nf_arena_calloc(arena, w->n + 1, sizeof *starts), n_gold, n_predicted;
    size_t *ends = nf_arena_calloc(arena, w->n + 1, sizeof *ends);
    nf_entity *gold, *predicted;
    if (!starts || !ends) return nf_no_memory(error, w->n * sizeof *starts);
    for (size_t i = 0; i < w->n; i++) {
        if (i) nf_str_append_char(text, ' ');
        starts[i] = text->length;
        nf_str_append(text, w->words[i], w->sizes[i]);
        ends[i] = text->length;
    }
    if (text->failed) return nf_no_memory(error, 0);
    NF_TRY(entities_of(arena, analysis, w->gold, w->n, scheme, &gold, &n_gold, error));
    NF_TRY(
        entities_of(arena, analysis, w->predicted, w->n, scheme, &predicted, &n_predicted, error));
    const nf_analysed_text at = {w->file, nf_str_text(text), w->line, text->length, starts, ends};
    return nf_analysis_add(analysis, &at, gold, n_gold, predicted, n_predicted, error);
}

nerfit_status nf_file_evaluation_add_words(nf_file_evaluation *e, const nf_labelled_words *w,
                                           nf_scheme scheme, nerfit_error *error) {
    nf_arena arena = {0};
    nf_str text = {0};
    nerfit_status status = nf_scorer_add(e->scorer, w->gold, w->predicted, w->n, error);
    if (status == NERFIT_OK) status = add_words(&arena, &e->analysis, w, scheme, &text, error);
    nf_str_free(&text);
    nf_arena_free(&arena);
    return status == NERFIT_OK ? status : nf_fail_within(error, status, "%s:%ld", w->file, w->line);
}
