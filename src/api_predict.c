/* nerfit.h: models, prediction, scores, tokens, sentence embeddings. */
#include <stdlib.h>
#include <string.h>

#include "api_backend.h"
#include "api_corpus.h"
#include "api_net.h"
#include "api_report.h"
#include "base/file.h"
#include "base/str.h"
#include "data/annotations.h"
#include "data/formats/conll.h"
#include "model/adapter.h"
#include "model/sentence.h"
#include "infer/stream.h"
#include "infer/tag_corpus.h"
#include "tensor/backends.h"
#include "text/tokenizer.h"
#include "train/pretrained.h"

struct nerfit_model {
    nf_backend *be;
    nf_model *model;
    nf_decode decode;
    nf_calibration calibration;
    nf_log log;
};

struct nerfit_session {
    const nerfit_model *model;
    nf_backend *be; /* this thread's */
    nf_tagger *tagger;
    nf_arena arena; /* of the last predictions */
};

struct nerfit_encoder {
    nf_backend *be;
    nf_sentence_encoder *encoder;
};

void nerfit_free(void *memory) {
    free(memory);
}

/* ---------------------------------------------------------------- models */

nerfit_status nf_backend_named(nf_backend **be, const nerfit_model_options *options,
                               nerfit_error *error) {
    const char *name = options && options->precision ? options->precision : "auto";
    nf_backend_options chosen = {.threads = options ? options->threads : 0};
    *be = NULL;
    if (!nf_precision_find(name, &chosen.precision))
        return nf_fail(error, NERFIT_ARGUMENT,
                       "precision \"%s\" is not one of auto, f32, bf16, int8", name);
    return nf_backend_create(be, options ? options->backend : NULL, &chosen, error);
}

const char *nerfit_backend_name(size_t index, const char **description) {
    const nf_backend_kind *kind = nf_backend_kind_at(index);
    if (description) *description = kind ? kind->description : NULL;
    return kind ? kind->name : NULL;
}

static nerfit_status find_decoder(nf_decode *out, const nerfit_model_options *options,
                                  nerfit_error *error) {
    const char *name = options && options->decoder ? options->decoder : "auto";
    if (nf_decode_find(name, out)) return NERFIT_OK;
    return nf_fail(error, NERFIT_ARGUMENT,
                   "decoder \"%s\" is not one of auto, labels, viterbi, crf", name);
}

static nf_log log_of(const nerfit_model_options *options) {
    return options ? (nf_log){options->log, options->log_user} : (nf_log){0};
}

static nf_net net_of(const nerfit_model_options *options) {
    return (nf_net){options ? options->transfer : NULL, options ? options->transfer_user : NULL,
                    log_of(options)};
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

nerfit_status nerfit_model_load(nerfit_model **out, const char *folder,
                                const nerfit_model_options *options, nerfit_error *error) {
    *out = NULL;
    nerfit_model *model = calloc(1, sizeof *model);
    if (!model) return nf_no_memory(error, sizeof *model);
    nf_log log = model->log = log_of(options);
    nf_net net = net_of(options);
    nf_arena arena = {0};
    const char *base = NULL, *sentences = options ? options->sentence_encoder : NULL, *none;
    nerfit_status status = find_decoder(&model->decode, options, error);
    if (status == NERFIT_OK) status = nf_backend_named(&model->be, options, error);
    if (status == NERFIT_OK)
        status = nf_net_folder(&net, &arena, folder, NF_HUB_MODEL, &folder, &base, error);
    if (status == NERFIT_OK && sentences)
        status = nf_net_folder(&net, &arena, sentences, NF_HUB_SENTENCE, &sentences, &none, error);
    if (status == NERFIT_OK) status = refuse_run(folder, error);
    if (status == NERFIT_OK)
        status = nf_model_load_over(&model->model, folder, base, model->be, &log, error);
    if (status == NERFIT_OK) status = nf_calibration_load(&model->calibration, folder, error);
    if (status == NERFIT_OK) status = nf_adapter_merge(model->model, error);
    if (status == NERFIT_OK && options && options->labels)
        status = nf_pretrained_label(model->model, folder, options->labels, sentences, &log, error);
    if (status == NERFIT_OK) status = nf_network_prepare(&model->model->net, false, error);
    if (status == NERFIT_OK) status = warn_of_int8(model, folder, &log, error);
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

/* ---------------------------------------------------------------- prediction */

nerfit_status nerfit_session_new(nerfit_session **out, const nerfit_model *model,
                                 nerfit_error *error) {
    *out = NULL;
    nerfit_session *session = calloc(1, sizeof *session);
    if (!session) return nf_no_memory(error, sizeof *session);
    session->model = model;
    nerfit_status status = model->be->fork(model->be, &session->be, error);
    if (status == NERFIT_OK)
        status = nf_tagger_new(&session->tagger, model->model, session->be, error);
    if (status == NERFIT_OK) status = nf_tagger_decode(session->tagger, model->decode, error);
    if (status == NERFIT_OK) nf_tagger_set_calibration(session->tagger, &model->calibration);
    if (status == NERFIT_OK)
        *out = session;
    else
        nerfit_session_free(session);
    return status;
}

void nerfit_session_free(nerfit_session *session) {
    if (!session) return;
    nf_tagger_free(session->tagger);
    if (session->be) session->be->free(session->be);
    nf_arena_free(&session->arena);
    free(session);
}

nerfit_status nerfit_session_set_threshold(nerfit_session *session, const char *label,
                                           double threshold, nerfit_error *error) {
    return nf_tagger_set_threshold(session->tagger, label, threshold, error);
}

void nerfit_session_reset_thresholds(nerfit_session *session) {
    nf_tagger_reset_thresholds(session->tagger);
}

static nerfit_status hand_out(nerfit_session *session, const nf_tagged *tagged,
                              nerfit_prediction *out, nerfit_error *error) {
    nerfit_entity *entities =
        nf_arena_calloc(&session->arena, tagged->n_entities + 1, sizeof *entities);
    nerfit_token *tokens = nf_arena_calloc(&session->arena, tagged->n_tokens + 1, sizeof *tokens);
    if (!entities || !tokens) return nf_no_memory(error, tagged->n_tokens * sizeof *tokens);
    for (size_t i = 0; i < tagged->n_entities; i++) {
        const nf_entity *e = &tagged->entities[i];
        entities[i] =
            (nerfit_entity){e->start, e->end, e->byte_start, e->byte_end, e->label, e->score};
    }
    for (size_t i = 0; i < tagged->n_tokens; i++) {
        const nf_tagged_token *t = &tagged->tokens[i];
        tokens[i] = (nerfit_token){t->start, t->end, t->id, session->model->model->labels[t->label],
                                   (double)t->score};
    }
    *out = (nerfit_prediction){entities, tagged->n_entities, tokens, tagged->n_tokens};
    return NERFIT_OK;
}

nerfit_status nerfit_predict(nerfit_session *session, const char *const *texts, const size_t *sizes,
                             size_t count, const nerfit_prediction **predictions,
                             nerfit_error *error) {
    nf_arena_free(&session->arena);
    nf_text *list = nf_arena_calloc(&session->arena, count + 1, sizeof *list);
    nf_tagged *tagged = nf_arena_calloc(&session->arena, count + 1, sizeof *tagged);
    nerfit_prediction *out = nf_arena_calloc(&session->arena, count + 1, sizeof *out);
    if (!list || !tagged || !out) return nf_no_memory(error, count * sizeof *out);
    for (size_t i = 0; i < count; i++)
        list[i] = (nf_text){texts[i], sizes ? sizes[i] : strlen(texts[i])};
    NF_TRY(nf_tagger_tag(session->tagger, list, count, tagged, error));
    for (size_t i = 0; i < count; i++) NF_TRY(hand_out(session, &tagged[i], &out[i], error));
    *predictions = out;
    return NERFIT_OK;
}

nerfit_status nerfit_predict_stream(nerfit_session *session, const nerfit_stream *given,
                                    size_t *count, nerfit_error *error) {
    const char *input = given->input ? given->input : "text";
    const char *output = given->output ? given->output : "jsonl";
    nf_stream stream = {.read = given->read,
                        .write = given->write,
                        .user = given->user,
                        .name = given->name ? given->name : "input",
                        .log = &session->model->log};
    nf_annotation_options options = {.log = &session->model->log};
    const nf_annotation_texts columns = {.word_column = given->word_column,
                                         .label_column = given->label_column};
    NF_TRY(nf_annotation_options_find(&options, &columns, error));
    NF_TRY(nf_format_choose(input, NF_FORMATS_PARSED, "input", &options.format, error));
    stream.input = &options;
    if (!nf_stream_output_find(output, &stream.output))
        return nf_fail(error, NERFIT_ARGUMENT,
                       "output \"%s\" is not one of jsonl, conll, brackets, tokens, html", output);
    return nf_stream_tag(session->tagger, &stream, count, error);
}

/* ---------------------------------------------------------------- scores */

static nerfit_status find_mode(const char *mode, nf_scheme *scheme, nerfit_error *error) {
    static const struct {
        const char *name;
        nf_scheme scheme;
    } modes[] = {{"default", NF_SCHEME_NONE}, {"iob1", NF_SCHEME_IOB1},  {"iob2", NF_SCHEME_IOB2},
                 {"ioe1", NF_SCHEME_IOE1},    {"ioe2", NF_SCHEME_IOE2},  {"bioes", NF_SCHEME_BIOES},
                 {"iobes", NF_SCHEME_BIOES},  {"bilou", NF_SCHEME_BILOU}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(mode ? mode : "default", modes[i].name) == 0) {
            *scheme = modes[i].scheme;
            return NERFIT_OK;
        }
    return nf_fail(error, NERFIT_ARGUMENT,
                   "mode \"%s\" is not one of default, iob1, iob2, ioe1, ioe2, bioes, bilou", mode);
}

typedef struct scoring {
    const nf_tag_set *tags;
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
        predicted[count++] = nf_tag_set_name(s->tags, label, before);
        before = label;
    }
    return count;
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
    if (status == NERFIT_OK) n = scored_labels(s, tagged, gold, predicted);
    if (status == NERFIT_OK)
        status = nf_scorer_add(s->evaluation.scorer, gold, predicted, n, error);
    if (status == NERFIT_OK)
        status = nf_analysis_add_tagged(&s->evaluation.analysis, d, tagged, error);
    if (status != NERFIT_OK) nf_fail_within(error, status, "%s:%ld", d->file, d->line);
    nf_arena_free(&arena);
    return status;
}

static nerfit_status evaluate(nerfit_session *session, const nf_corpus *corpus, const char *mode,
                              bool words, nerfit_report *report, nerfit_error *error) {
    nf_scheme scheme;
    NF_TRY(find_mode(mode, &scheme, error));
    if (corpus->n_documents && corpus->n_spans == 0)
        nf_log_warning(&session->model->log,
                       "%s: none of its %zu texts has an entity: scores on it say nothing; is this "
                       "the right format?",
                       corpus->documents[0].file, corpus->n_documents);
    scoring s = {.tags = nf_tagger_tags(session->tagger), .words = words};
    NF_TRY(nf_file_evaluation_begin(&s.evaluation, scheme, error));
    nerfit_status status = nf_tag_corpus(session->tagger, corpus, score_document, &s, error);
    if (status == NERFIT_OK) status = nf_file_evaluation_report(&s.evaluation, report, error);
    nf_file_evaluation_end(&s.evaluation);
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
    if (status == NERFIT_OK) status = evaluate(session, &corpus, mode, words, report, error);
    nf_corpus_free(&corpus);
    return status;
}

nerfit_status nerfit_evaluate_corpus(nerfit_session *session, const nerfit_corpus *corpus,
                                     const char *mode, bool words, nerfit_report *report,
                                     nerfit_error *error) {
    *report = (nerfit_report){0};
    return evaluate(session, &corpus->corpus, mode, words, report, error);
}

static char *label_text(nf_arena *arena, const nf_conll_row *row) {
    return nf_arena_copy(arena, row->label, row->label_size);
}

/* The first difference between two files' words. */
static nerfit_status same_words(const nf_conll *gold, const nf_conll *predicted,
                                const char *gold_name, const char *predicted_name,
                                nerfit_error *error) {
    size_t start = 0, p_start = 0;
    for (size_t s = 0; s < gold->n_sentences && s < predicted->n_sentences; s++) {
        size_t n = gold->ends[s] - start, p_n = predicted->ends[s] - p_start;
        for (size_t i = 0; i < n && i < p_n; i++) {
            const nf_conll_row *a = &gold->rows[start + i], *b = &predicted->rows[p_start + i];
            if (a->word_size != b->word_size || memcmp(a->word, b->word, a->word_size) != 0)
                return nf_fail_at(error, NERFIT_ARGUMENT, predicted_name, b->line, 0,
                                  "the word \"%.*s\" is \"%.*s\" in %s:%ld", (int)b->word_size,
                                  b->word, (int)a->word_size, a->word, gold_name, a->line);
        }
        if (n != p_n)
            return nf_fail_at(error, NERFIT_ARGUMENT, predicted_name, predicted->rows[p_start].line,
                              0,
                              "text %zu has %zu words, that of %s:%ld has %zu: expected the same "
                              "breaks between texts",
                              s + 1, p_n, gold_name, gold->rows[start].line, n);
        start = gold->ends[s];
        p_start = predicted->ends[s];
    }
    if (gold->n_sentences == predicted->n_sentences) return NERFIT_OK;
    return nf_fail_at(error, NERFIT_ARGUMENT, predicted_name, 0, 0,
                      "has %zu texts of %zu words in all; %s has %zu of %zu",
                      predicted->n_sentences, predicted->n_rows, gold_name, gold->n_sentences,
                      gold->n_rows);
}

static nerfit_status score_rows(nf_file_evaluation *e, nf_scheme scheme, const nf_conll *gold,
                                const nf_conll *predicted, const char *gold_name,
                                const char *predicted_name, nerfit_error *error) {
    NF_TRY(same_words(gold, predicted, gold_name, predicted_name, error));
    nf_arena arena = {0};
    const char **texts = nf_arena_calloc(&arena, 3 * gold->n_rows + 1, sizeof *texts);
    size_t *sizes = nf_arena_calloc(&arena, gold->n_rows + 1, sizeof *sizes);
    nerfit_status status = texts && sizes ? NERFIT_OK : nf_no_memory(error, gold->n_rows);
    for (size_t s = 0, start = 0; s < gold->n_sentences && status == NERFIT_OK; s++) {
        size_t n = gold->ends[s] - start;
        const char **g = texts, **p = texts + gold->n_rows, **words = p + gold->n_rows;
        for (size_t i = 0; i < n && status == NERFIT_OK; i++) {
            const nf_conll_row *a = &gold->rows[start + i], *b = &predicted->rows[start + i];
            g[i] = label_text(&arena, a);
            p[i] = label_text(&arena, b);
            words[i] = a->word;
            sizes[i] = a->word_size;
            if (!g[i] || !p[i]) status = nf_no_memory(error, 0);
        }
        nf_labelled_words row = {words, sizes, g, p, n, gold_name, gold->rows[start].line};
        if (status == NERFIT_OK) status = nf_file_evaluation_add_words(e, &row, scheme, error);
        start = gold->ends[s];
    }
    nf_arena_free(&arena);
    return status;
}

nerfit_status nerfit_score_files(const char *gold_path, const char *predicted_path,
                                 const char *mode, nerfit_report *report, nerfit_error *error) {
    return nerfit_score_files_with(gold_path, predicted_path, mode, NULL, NULL, report, error);
}

static nerfit_status read_rows(nf_conll *out, nf_file *file, const char *path,
                               const nerfit_read_options *given, nerfit_error *error) {
    nf_annotation_options options = {0};
    if (given) {
        const nf_annotation_texts texts = {.tagging = given->tagging,
                                           .word_column = given->word_column,
                                           .label_column = given->label_column};
        NF_TRY(nf_annotation_options_find(&options, &texts, error));
    }
    NF_TRY(nf_file_open(file, path, error));
    return nf_conll_parse(out, file->data, file->size, path, &options, error);
}

nerfit_status nerfit_score_files_with(const char *gold_path, const char *predicted_path,
                                      const char *mode, const nerfit_read_options *gold_options,
                                      const nerfit_read_options *predicted_options,
                                      nerfit_report *report, nerfit_error *error) {
    *report = (nerfit_report){0};
    nf_scheme scheme;
    NF_TRY(find_mode(mode, &scheme, error));
    nf_file files[2] = {{0}, {0}};
    nf_conll gold = {0}, predicted = {0};
    nf_file_evaluation e = {0};
    nerfit_status status = read_rows(&gold, &files[0], gold_path, gold_options, error);
    if (status == NERFIT_OK)
        status = read_rows(&predicted, &files[1], predicted_path, predicted_options, error);
    if (status == NERFIT_OK) status = nf_file_evaluation_begin(&e, scheme, error);
    if (status == NERFIT_OK)
        status = score_rows(&e, scheme, &gold, &predicted, gold_path, predicted_path, error);
    if (status == NERFIT_OK) status = nf_file_evaluation_report(&e, report, error);
    nf_file_evaluation_end(&e);
    nf_conll_free(&gold);
    nf_conll_free(&predicted);
    nf_file_close(&files[0]);
    nf_file_close(&files[1]);
    return status;
}

/* ---------------------------------------------------------------- tokens, embeddings */

nerfit_status nerfit_tokenizer_load(nerfit_tokenizer **out, const char *folder,
                                    nerfit_error *error) {
    nf_net net = {0};
    nf_arena arena = {0};
    *out = NULL;
    nerfit_status status =
        nf_net_folder(&net, &arena, folder, NF_HUB_TOKENIZER, &folder, NULL, error);
    if (status == NERFIT_OK) status = nf_tokenizer_load((nf_tokenizer **)out, folder, error);
    nf_arena_free(&arena);
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

nerfit_status nerfit_encoder_load(nerfit_encoder **out, const char *folder,
                                  const nerfit_model_options *options, nerfit_error *error) {
    *out = NULL;
    nerfit_encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder) return nf_no_memory(error, sizeof *encoder);
    nf_log log = log_of(options);
    nf_net net = net_of(options);
    nf_arena arena = {0};
    nerfit_status status = nf_backend_named(&encoder->be, options, error);
    if (status == NERFIT_OK)
        status = nf_net_folder(&net, &arena, folder, NF_HUB_SENTENCE, &folder, NULL, error);
    if (status == NERFIT_OK)
        status = nf_sentence_encoder_load(&encoder->encoder, folder, encoder->be, &log, error);
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
