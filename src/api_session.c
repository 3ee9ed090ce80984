/* nerfit.h: sessions, prediction, evaluation. */
#include "api_session.h"
#include "api_options.h"

#include <stdlib.h>
#include <string.h>

#include "api_corpus.h"
#include "api_report.h"
#include "data/annotations.h"
#include "data/formats/format.h"
#include "infer/label_rules.h"
#include "infer/stream.h"
#include "infer/tag_corpus.h"

nerfit_status nerfit_session_new(nerfit_session **out, const nerfit_model *model,
                                 nerfit_error *error) {
    *out = NULL;
    nerfit_session *session = calloc(1, sizeof *session);
    if (!session) return nf_no_memory(error, sizeof *session);
    session->model = model;
    nerfit_status status = model->be->fork(model->be, &session->be, error);
    if (status == NERFIT_OK)
        status = nf_tagger_new(&session->tagger, model->model, session->be, error);
    if (status == NERFIT_OK)
        status = nf_rules_make(&session->rules, model->model, model->decode, error);
    if (status == NERFIT_OK) {
        session->rules.calibration = model->calibration;
        *out = session;
    } else {
        nerfit_session_free(session);
    }
    return status;
}

void nerfit_session_free(nerfit_session *session) {
    if (!session) return;
    nf_tagger_free(session->tagger);
    nf_rules_free(&session->rules);
    nf_lists_free(session->lists);
    if (session->be) session->be->free(session->be);
    nf_arena_free(&session->arena);
    free(session);
}

nerfit_status nerfit_session_set_threshold(nerfit_session *session, const char *label,
                                           double threshold, nerfit_error *error) {
    return nf_rules_set_threshold(&session->rules, label, threshold, error);
}

void nerfit_session_reset_thresholds(nerfit_session *session) {
    nf_rules_reset_thresholds(&session->rules);
}

nerfit_status nerfit_session_set_rules(nerfit_session *session, const char *path,
                                       nerfit_error *error) {
    nf_lists *lists = NULL;
    size_t n = 0;
    if (path) NF_TRY(nf_lists_read(&lists, path, &session->model->log, error));
    const char *const *labels = lists ? nf_lists_labels(lists, &n) : NULL;
    nerfit_status status = nf_rules_set_lists(&session->rules, lists, labels, n, error);
    if (status != NERFIT_OK) {
        nf_lists_free(lists);
        return status;
    }
    nf_lists_free(session->lists);
    session->lists = lists;
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- what belongs to a call */

/* The call's own rules, if it has some. */
typedef struct session_call {
    nf_tagging_call call;
    nf_rules rules;
    nf_log log;
    const nerfit_label_list *text_labels; /* one a text; NULL: none */
    nf_label_rules labelled;              /* of these */
} session_call;

static nerfit_status session_make_rules(session_call *c, nerfit_session *session, nf_decode decode,
                                        const nerfit_call_options *options, nerfit_error *error) {
    const nf_model *model = session->model->model;
    if (!options->n_labels) return nf_rules_make(&c->rules, model, decode, error);
    /* entities that are handed out keep the names */
    const nf_label_names labels = {options->labels, options->labels, options->n_labels};
    return nf_rules_make_labels(&c->rules, model, decode, &labels, &session->arena, error);
}

static nerfit_status session_own_rules(session_call *c, nerfit_session *session,
                                       const nerfit_call_options *options, nerfit_error *error) {
    nf_decode decode = session->model->decode;
    if (options->decoder && !nf_decode_find(options->decoder, &decode))
        return nf_fail(error, NERFIT_ARGUMENT,
                       "decoder \"%s\" is not one of auto, labels, viterbi, crf", options->decoder);
    if ((options->nested || options->multi_label) &&
        !nf_model_reads_labels(session->model->model->kind))
        return nf_fail_at(error, NERFIT_ARGUMENT, session->model->model->folder, 0, 0,
                          "labels words, so that its entities neither overlap nor have several "
                          "labels; nested and multi_label are for GLiNER models");
    if (options->characters && !nf_model_reads_labels(session->model->model->kind))
        return nf_fail_at(error, NERFIT_ARGUMENT, session->model->model->folder, 0, 0,
                          "finds words by its tokenizer; characters is for GLiNER models, which "
                          "take a run of a script without spaces as one word");
    NF_TRY(session_make_rules(c, session, decode, options, error));
    NF_TRY(nf_rules_take(&c->rules, &session->rules, error));
    c->rules.spans = (nf_span_rules){options->nested, options->multi_label};
    c->rules.characters |= options->characters;
    if (options->n_thresholds) nf_rules_reset_thresholds(&c->rules);
    for (size_t i = 0; i < options->n_thresholds; i++)
        NF_TRY(nf_rules_set_threshold(&c->rules, options->thresholds[i].label,
                                      options->thresholds[i].threshold, error));
    c->call.rules = &c->rules;
    return NERFIT_OK;
}

/* `given` may be NULL, or of a program that was made with an earlier, shorter struct. */
static nerfit_status session_call_begin(session_call *c, nerfit_session *session,
                                        const nerfit_call_options *given, nerfit_error *error) {
    nerfit_call_options options;
    *c = (session_call){.log = session->model->log};
    c->call = (nf_tagging_call){.rules = &session->rules, .log = &c->log};
    NF_TRY(nf_options_take(&options, sizeof options, given, "nerfit_call_options", error));
    c->call.go_on = options.go_on;
    c->call.user = options.user;
    if (options.log) c->log = (nf_log){options.log, options.user};
    c->text_labels = options.text_labels;
    bool own = options.decoder || options.n_thresholds || options.n_labels || options.nested ||
               options.multi_label || options.characters;
    return own ? session_own_rules(c, session, &options, error) : NERFIT_OK;
}

static void session_call_end(session_call *c) {
    nf_label_rules_free(&c->labelled);
    nf_rules_free(&c->rules);
}

/* Labels that the texts bring. */
static nerfit_status session_text_rules(session_call *c, nerfit_session *session, nf_text *texts,
                                        size_t count, nerfit_error *error) {
    c->labelled.model = session->model->model;
    c->labelled.be = session->be;
    c->labelled.base = c->call.rules;
    for (size_t i = 0; i < count && c->text_labels; i++) {
        const nerfit_label_list *own = &c->text_labels[i];
        nerfit_status status = NERFIT_OK;
        if (own->count)
            status =
                nf_label_rules_find(&c->labelled, own->labels, own->count, &texts[i].rules, error);
        if (status != NERFIT_OK) return nf_fail_within(error, status, "text %zu", i + 1);
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- prediction */

static nerfit_status hand_out(nerfit_session *session, const nf_rules *rules, const nf_text *text,
                              const nf_tagged *tagged, nerfit_prediction *out,
                              nerfit_error *error) {
    const nf_tag_set *tags = &rules->tags;
    char *const *labels = rules->labels;
    bool own = text->rules != NULL; /* whose names go with the call */
    nerfit_entity *entities =
        nf_arena_calloc(&session->arena, tagged->n_entities + 1, sizeof *entities);
    nerfit_token *tokens = nf_arena_calloc(&session->arena, tagged->n_tokens + 1, sizeof *tokens);
    if (!entities || !tokens) return nf_no_memory(error, tagged->n_tokens * sizeof *tokens);
    nf_utf8_place at = {text->text, text->size, 0, 0};
    for (size_t i = 0; i < tagged->n_entities; i++) {
        const nf_entity *e = &tagged->entities[i];
        nf_utf8_go_to(&at, e->start);
        size_t byte_start = at.byte;
        nf_utf8_go_to(&at, e->end);
        const char *name = tags->types[e->type];
        if (own && !(name = nf_arena_strdup(&session->arena, name))) return nf_no_memory(error, 0);
        entities[i] = (nerfit_entity){e->start, e->end, byte_start, at.byte, name, e->score};
    }
    for (size_t i = 0; i < tagged->n_tokens; i++) {
        const nf_tagged_token *t = &tagged->tokens[i];
        const char *name = labels[t->label];
        if (own && !(name = nf_arena_strdup(&session->arena, name))) return nf_no_memory(error, 0);
        tokens[i] = (nerfit_token){t->start, t->end, t->id, name, (double)t->score};
    }
    *out = (nerfit_prediction){entities, tagged->n_entities, tokens, tagged->n_tokens};
    return NERFIT_OK;
}

/* The labels outlive the call's rules: they are the model's, or in the session's arena. */
static nerfit_status session_predict(nerfit_session *session, const nf_tagging_call *call,
                                     const nf_text *texts, size_t count,
                                     const nerfit_prediction **predictions, nerfit_error *error) {
    nf_tagged *tagged = nf_arena_calloc(&session->arena, count + 1, sizeof *tagged);
    nerfit_prediction *out = nf_arena_calloc(&session->arena, count + 1, sizeof *out);
    if (!tagged || !out) return nf_no_memory(error, count * sizeof *out);
    NF_TRY(nf_tagger_tag(session->tagger, call, texts, count, tagged, error));
    for (size_t i = 0; i < count; i++)
        NF_TRY(hand_out(session, nf_text_rules(&texts[i], call), &texts[i], &tagged[i], &out[i],
                        error));
    *predictions = out;
    return NERFIT_OK;
}

nerfit_status nerfit_predict_with(nerfit_session *session, const nerfit_call_options *options,
                                  const char *const *texts, const size_t *sizes, size_t count,
                                  const nerfit_prediction **predictions, nerfit_error *error) {
    session_call c;
    nf_arena_free(&session->arena);
    nf_text *list = nf_arena_calloc(&session->arena, count + 1, sizeof *list);
    if (!list) return nf_no_memory(error, count * sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = (nf_text){.text = texts[i], .size = sizes ? sizes[i] : strlen(texts[i])};
    nerfit_status status = session_call_begin(&c, session, options, error);
    if (status == NERFIT_OK) status = session_text_rules(&c, session, list, count, error);
    if (status == NERFIT_OK)
        status = session_predict(session, &c.call, list, count, predictions, error);
    session_call_end(&c);
    return status;
}

nerfit_status nerfit_predict(nerfit_session *session, const char *const *texts, const size_t *sizes,
                             size_t count, const nerfit_prediction **predictions,
                             nerfit_error *error) {
    return nerfit_predict_with(session, NULL, texts, sizes, count, predictions, error);
}

nerfit_status nerfit_predict_stream_with(nerfit_session *session,
                                         const nerfit_call_options *options,
                                         const nerfit_stream *stream_given, size_t *count,
                                         nerfit_error *error) {
    nerfit_stream own, *given = &own;
    NF_TRY(nf_options_take(&own, sizeof own, stream_given, "nerfit_stream", error));
    const char *input = given->input ? given->input : "text";
    const char *output = given->output ? given->output : "jsonl";
    session_call c;
    nf_stream stream = {.read = given->read,
                        .write = given->write,
                        .user = given->user,
                        .name = given->name ? given->name : "input",
                        .output = nf_output_find(output)};
    if (!stream.output)
        return nf_fail(error, NERFIT_ARGUMENT,
                       "output \"%s\" is not one of jsonl, conll, brackets, tokens, redacted, "
                       "html",
                       output);
    if (given->pseudonyms && strcmp(output, "redacted") != 0)
        return nf_fail(error, NERFIT_ARGUMENT,
                       "pseudonyms stand in redacted texts; output \"%s\" has none", output);
    const nf_annotation_texts columns = {.word_column = given->word_column,
                                         .label_column = given->label_column};
    nerfit_status status = session_call_begin(&c, session, options, error);
    nf_annotation_options read = {.log = &c.log};
    stream.input = &read;
    if (status == NERFIT_OK) status = nf_annotation_options_find(&read, &columns, error);
    if (status == NERFIT_OK)
        status = nf_format_choose(input, NF_FORMATS_PARSED, "input", &read.format, error);
    if (status == NERFIT_OK && given->pseudonyms)
        status = nf_pseudonyms_open(&stream.pseudonyms, given->pseudonyms, error);
    if (status == NERFIT_OK)
        status = nf_stream_tag(session->tagger, &c.call, &stream, count, error);
    nf_pseudonyms_close(stream.pseudonyms);
    session_call_end(&c);
    return status;
}

nerfit_status nerfit_predict_stream(nerfit_session *session, const nerfit_stream *stream,
                                    size_t *count, nerfit_error *error) {
    return nerfit_predict_stream_with(session, NULL, stream, count, error);
}

/* ---------------------------------------------------------------- evaluation */

typedef struct scoring {
    const nf_rules *rules;
    nf_file_evaluation evaluation;
    bool words; /* a label a word; else a label a sub-word */
} scoring;

/* Labels as the scorer reads them, of every sub-word or of the first one of every word; returns how
 * many. */
static size_t scored_labels(const scoring *s, const nf_tagged *tagged, const char **gold,
                            const char **predicted) {
    size_t count = 0;
    int32_t before = NF_TAG_LEFT_OUT;
    for (size_t i = 0; i < tagged->n_tokens; i++) {
        const nf_tagged_token *token = &tagged->tokens[i];
        if (s->words && !token->starts_word) continue;
        int32_t label = token->left_out ? NF_TAG_LEFT_OUT : token->label;
        gold[count] = gold[i];
        predicted[count] =
            s->rules->lists ? predicted[i] : nf_tag_set_name(&s->rules->tags, label, before);
        before = label;
        count++;
    }
    return count;
}

/* Where lists of the user have the last word, sub-words have the labels of the entities that are left. */
static nerfit_status labels_by_lists(const scoring *s, const nf_document *d,
                                     const nf_tagged *tagged, nf_arena *arena,
                                     const char **predicted, nerfit_error *error) {
    nf_document found = *d;
    nf_span *spans = nf_arena_calloc(arena, tagged->n_entities + 1, sizeof *spans);
    if (!spans) return nf_no_memory(error, tagged->n_entities * sizeof *spans);
    for (size_t i = 0; i < tagged->n_entities; i++) {
        const nf_entity *e = &tagged->entities[i];
        spans[i] =
            (nf_span){.start = e->start, .end = e->end, .label = s->rules->tags.types[e->type]};
    }
    found.spans = spans;
    found.n_spans = tagged->n_entities;
    return nf_tagger_gold(&found, tagged, arena, predicted, error);
}

static nerfit_status score_document(void *user, const nf_document *d, const nf_tagged *tagged,
                                    nerfit_error *error) {
    scoring *s = user;
    size_t n = tagged->n_tokens;
    nf_arena arena = {0};
    const char **gold = nf_arena_calloc(&arena, n + 1, sizeof *gold);
    const char **predicted = nf_arena_calloc(&arena, n + 1, sizeof *predicted);
    nerfit_status status = gold && predicted ? NERFIT_OK : nf_no_memory(error, n);
    if (status == NERFIT_OK) status = nf_tagger_gold(d, tagged, &arena, gold, error);
    if (status == NERFIT_OK && s->rules->lists)
        status = labels_by_lists(s, d, tagged, &arena, predicted, error);
    if (status == NERFIT_OK) n = scored_labels(s, tagged, gold, predicted);
    if (status == NERFIT_OK)
        status = nf_scorer_add(s->evaluation.scorer, gold, predicted, n, error);
    if (status == NERFIT_OK)
        status = nf_analysis_add_tagged(&s->evaluation.analysis, d, &s->rules->tags, tagged, error);
    if (status != NERFIT_OK) nf_fail_within(error, status, "%s:%ld", d->file, d->line);
    nf_arena_free(&arena);
    return status;
}

/* A GLiNER model without labels looks for those of the data, as gliner's evaluate() does. */
static nerfit_status session_labels_of_data(session_call *c, nerfit_session *session,
                                            const nf_corpus *corpus, nerfit_error *error) {
    const nf_rules *given = c->call.rules;
    if (given->spans.nested || given->spans.multi_label)
        return nf_fail(error, NERFIT_UNSUPPORTED,
                       "nested and multi_label: scores by labels of words have no place for "
                       "entities that overlap; evaluate without them");
    if (!nf_rules_lack_labels(given) || !corpus->n_labels) return NERFIT_OK;
    nf_log_info(&c->log, "no labels are named: those of the data are looked for (%zu)",
                corpus->n_labels);
    c->labelled =
        (nf_label_rules){.model = session->model->model, .be = session->be, .base = given};
    return nf_label_rules_find(&c->labelled, corpus->labels, corpus->n_labels, &c->call.rules,
                               error);
}

static size_t count_label(const nf_corpus *corpus, const char *label) {
    size_t count = 0;
    for (size_t i = 0; i < corpus->n_documents; i++)
        for (size_t k = 0; k < corpus->documents[i].n_spans; k++)
            count += corpus->documents[i].spans[k].label == label;
    return count;
}

/* Whether the model, or a list beside it, finds entities of a label. */
static bool rules_know(const nf_rules *rules, const char *label) {
    bool known = nf_tag_set_type(&rules->tags, label) >= 0;
    for (size_t i = 0; i < rules->n_list_labels && !known; i++)
        known = strcmp(rules->list_labels[i], label) == 0;
    return known;
}

/* Labels of the data that nobody can find, the first ten by name. */
static nerfit_status tell_lacking_labels(const nf_log *log, const nf_rules *rules,
                                         const nf_corpus *corpus, nerfit_error *error) {
    enum { MOST_SHOWN = 10 };
    nf_str names = {0};
    size_t lacking = 0;
    for (size_t i = 0; i < corpus->n_labels; i++) {
        if (rules_know(rules, corpus->labels[i]) || lacking++ >= MOST_SHOWN) continue;
        nf_str_appendf(&names, "%s\"%s\" (%zu annotated)", lacking > 1 ? ", " : "",
                       corpus->labels[i], count_label(corpus, corpus->labels[i]));
    }
    if (lacking > MOST_SHOWN) nf_str_appendf(&names, " and %zu more", lacking - MOST_SHOWN);
    if (lacking && !names.failed)
        nf_log_warning(log, "the model has no label %s; %s as missed", nf_str_text(&names),
                       lacking > 1 ? "they count" : "it counts");
    nerfit_status status = names.failed ? nf_no_memory(error, 0) : NERFIT_OK;
    nf_str_free(&names);
    return status;
}

static nerfit_status session_evaluate(nerfit_session *session, const nerfit_call_options *options,
                                      const nf_corpus *corpus, const char *mode, bool words,
                                      nerfit_report *report, nerfit_error *error) {
    nf_scheme scheme;
    session_call c;
    *report = (nerfit_report){0};
    NF_TRY(nf_scoring_mode_find(mode, &scheme, error));
    nerfit_status status = session_call_begin(&c, session, options, error);
    if (status == NERFIT_OK) status = session_labels_of_data(&c, session, corpus, error);
    scoring s = {.rules = c.call.rules, .words = words};
    if (status == NERFIT_OK && corpus->n_documents && corpus->n_spans == 0)
        nf_log_warning(&c.log,
                       "%s: none of its %zu texts has an entity: scores on it say nothing; is this "
                       "the right format?",
                       corpus->documents[0].file, corpus->n_documents);
    if (status == NERFIT_OK) status = tell_lacking_labels(&c.log, s.rules, corpus, error);
    if (status == NERFIT_OK) status = nf_file_evaluation_begin(&s.evaluation, scheme, error);
    if (status == NERFIT_OK)
        status = nf_tag_corpus(session->tagger, &c.call, corpus, score_document, &s, error);
    if (status == NERFIT_OK) status = nf_file_evaluation_report(&s.evaluation, report, error);
    nf_file_evaluation_end(&s.evaluation);
    session_call_end(&c);
    return status;
}

nerfit_status nerfit_evaluate(nerfit_session *session, const char *path, const char *format_name,
                              const char *mode, bool words, nerfit_report *report,
                              nerfit_error *error) {
    *report = (nerfit_report){0};
    const nf_format *format;
    NF_TRY(nf_format_choose(format_name, NF_FORMATS_READ, "format", &format, error));
    nf_corpus corpus = {0};
    nerfit_status status = nf_annotations_read(&corpus, path, format, &session->model->log, error);
    if (status == NERFIT_OK)
        status = session_evaluate(session, NULL, &corpus, mode, words, report, error);
    nf_corpus_free(&corpus);
    return status;
}

nerfit_status nerfit_evaluate_with(nerfit_session *session, const nerfit_call_options *options,
                                   const nerfit_corpus *corpus, const char *mode, bool words,
                                   nerfit_report *report, nerfit_error *error) {
    return session_evaluate(session, options, &corpus->corpus, mode, words, report, error);
}

nerfit_status nerfit_evaluate_corpus(nerfit_session *session, const nerfit_corpus *corpus,
                                     const char *mode, bool words, nerfit_report *report,
                                     nerfit_error *error) {
    return nerfit_evaluate_with(session, NULL, corpus, mode, words, report, error);
}
