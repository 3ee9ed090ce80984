#include "train/train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "data/annotations.h"
#include "model/adapter.h"
#include "model/description_file.h"
#include "predict/report.h"
#include "train/card.h"
#include "train/checkpoint.h"
#include "train/defaults.h"
#include "train/pretrained.h"
#include "train/pretraining.h"
#include "train/report_page.h"
#include "train/review.h"

enum { TRAIN, VALIDATION, TEST, N_SPLITS };

typedef struct run {
    const nf_train_options *options; /* with the recipe's defaults, once the texts are read */
    nf_train_options own_options;
    const nf_train_data *data;
    const nf_log *log;
    nf_stage_observer observer;
    void *user;
    nerfit_error *err;
    nf_arena arena;
    nf_backend *be;
    const char *model_folder, *model_base, *sentence_folder; /* NULL: none */
    nf_model *model;
    nf_embeddings own_embeddings;
    const nf_embeddings *embeddings; /* NULL: none */
    bool own_descriptions; /* sentence_folder's encoder embedded them */
    bool same_space;       /* and it was the encoder itself */
    bool is_short; /* for review.h */
    nf_pretrained pretrained; /* what the recipe nerfit begins with */
    nf_label_set labels;
    nf_corpus own[N_SPLITS];
    const nf_corpus *corpora[N_SPLITS]; /* NULL: none */
    nf_examples examples[N_SPLITS];
    nf_workspace *ws;
    json_t *history; /* of both stages */
    FILE *metrics;
} run;

nerfit_status nf_train_backend(const nf_train_options *o, nf_backend **out, nerfit_error *err) {
    nf_precision precision = (nf_precision)o->precision;
    if (o->backend == NF_BACKEND_REF) return nf_backend_ref(out, sizeof(float), err);
    return nf_backend_cpu(out, precision, (int)o->threads, err);
}

/* ---------------------------------------------------------------- data */

static nerfit_status read_corpora(run *r) {
    const nf_train_options *o = r->options;
    const char *const paths[] = {o->train_annotations, o->val_annotations, o->test_annotations};
    const nf_corpus *const ready[] = {r->data->train, r->data->validation, r->data->test};
    nf_format format;
    if (!nf_format_find(o->annotation_format, &format))
        return nf_fail(r->err, NERFIT_ARGUMENT,
                       "annotation_format: \"%s\" is not one of auto, jsonl, json, brackets, "
                       "conll, seq",
                       o->annotation_format);
    for (int i = 0; i < N_SPLITS; i++) {
        if (ready[i]) r->corpora[i] = ready[i];
        else if (paths[i]) {
            NF_TRY(nf_annotations_read(&r->own[i], paths[i], format, r->log, r->err));
            r->corpora[i] = &r->own[i];
        }
    }
    if (!r->corpora[TRAIN])
        return nf_fail(r->err, NERFIT_ARGUMENT, "train_annotations is missing");
    if (r->corpora[TRAIN]->n_documents == 0)
        return nf_fail(r->err, NERFIT_ARGUMENT, "there are no training texts in %s",
                       paths[TRAIN] ? paths[TRAIN] : "train_annotations");
    if (r->corpora[TRAIN]->n_spans == 0)
        return nf_fail(r->err, NERFIT_ARGUMENT, "no training text has an entity; expected "
                       "annotations such as [time : two hours]");
    return NERFIT_OK;
}

static nerfit_status find_model(run *r, const char *name, bool sentence, const char **folder,
                                const char **base) {
    const nf_train_services *s = r->data->services;
    *folder = name;
    *base = NULL;
    return s ? s->find_model(s->user, &r->arena, name, sentence, folder, base, r->err) : NERFIT_OK;
}

/* The folders of the encoder, and of the sentence encoder: as given, or the encoder itself if it is
 * one. */
static nerfit_status find_models(run *r) {
    const nf_train_options *o = r->options;
    const char *base;
    bool embedded = r->data->embeddings ||
                    (o->ent2emb && nf_path_has_ending(o->ent2emb, ".safetensors"));
    NF_TRY(find_model(r, o->model_name, !embedded && !o->st_model_name, &r->model_folder,
                      &r->model_base));
    if (o->recipe == NF_RECIPE_NERFIT)
        NF_TRY(nf_pretrained_find(&r->pretrained, r->model_folder, o->pretrained, r->log, r->err));
    r->sentence_folder = r->data->sentence_encoder;
    if (embedded) return NERFIT_OK;
    if (o->st_model_name)
        return find_model(r, o->st_model_name, true, &r->sentence_folder, &base);
    r->sentence_folder = r->pretrained.sentence_encoder;
    const char *modules = nf_path_join(&r->arena, r->model_folder, "modules.json");
    if (!r->sentence_folder && modules && nf_file_exists(modules))
        r->sentence_folder = r->model_folder;
    return NERFIT_OK;
}

/* Descriptions take a sentence encoder; without one it is the original's default, if it can be had. */
static nerfit_status need_sentence_encoder(run *r) {
    static const char DEFAULT[] = "sentence-transformers/LaBSE";
    const char *base;
    if (r->sentence_folder || !r->data->services) return NERFIT_OK; /* nf_embeddings says what is missing */
    nf_log_info(r->log, "st_model_name is not given, and model_name is no sentence encoder: %s embeds the "
                "descriptions, as in the original package", DEFAULT);
    nerfit_status status = find_model(r, DEFAULT, true, &r->sentence_folder, &base);
    return status == NERFIT_OK
               ? NERFIT_OK
               : nf_fail_within(r->err, status, "st_model_name is not given, and its default cannot be had");
}

/* 0 or 1 by the folder that it stands in; -1: neither. */
static int stage_of_checkpoint(run *r, const char *folder) {
    static const char *const stages[] = {"stage1", "stage2"};
    char *whole = realpath(folder, NULL); /* "checkpoint-5/", "checkpoint-5" in the stage's folder */
    const char *parent = whole ? nf_path_parent(&r->arena, whole) : NULL;
    size_t length = parent ? strlen(parent) : 0;
    int found = -1;
    for (int s = 0; s < 2; s++)
        if (length > 6 && strcmp(parent + length - 6, stages[s]) == 0) found = s;
    free(whole);
    return found;
}

static bool resumes(const nf_train_options *o) {
    return o->resume_from_checkpoint && strcmp(o->resume_from_checkpoint, "false") != 0;
}

/* A checkpoint that is asked for by name must be one: a run that starts anew instead would overwrite
 * what there is. */
static nerfit_status check_checkpoint(run *r) {
    const char *wanted = r->options->resume_from_checkpoint;
    if (!resumes(r->options) || strcmp(wanted, "true") == 0) return NERFIT_OK;
    if (!nf_directory_exists(wanted))
        return nf_fail_at(r->err, NERFIT_ARGUMENT, wanted, 0, 0,
                          "is not a folder (resume_from_checkpoint: true, false or a checkpoint's "
                          "folder)");
    if (stage_of_checkpoint(r, wanted) < 0)
        return nf_fail_at(r->err, NERFIT_ARGUMENT, wanted, 0, 0,
                          "is not a checkpoint's folder; expected one in a run's stage1 or stage2");
    return NERFIT_OK;
}

/* What a run reads to its end, a cross-validation's trainings last, must not be where it writes. */
static nerfit_status check_apart(run *r, const char *input) {
    static const char *const names[] = {"stage1", "stage2", "best", "adapter", "base"};
    char *whole = input ? realpath(input, NULL) : NULL;
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && whole && status == NERFIT_OK; i++) {
        const char *folder = nf_path_join(&r->arena, r->options->output_dir, names[i]);
        char *own = folder ? realpath(folder, NULL) : NULL;
        size_t length = own ? strlen(own) : 0;
        if (own && strncmp(whole, own, length) == 0 && strchr("/", whole[length]))
            status = nf_fail_at(r->err, NERFIT_ARGUMENT, input, 0, 0,
                                "is to be read, and output_dir's %s/ is to be written anew; choose "
                                "another output_dir", names[i]);
        free(own);
    }
    free(whole);
    return status;
}

/* An earlier run is not overwritten unasked. */
static nerfit_status check_output(run *r) {
    const nf_train_options *o = r->options;
    const char *best = nf_path_join(&r->arena, o->output_dir, "best");
    if (!best) return nf_no_memory(r->err, 0);
    NF_TRY(check_checkpoint(r));
    const char *const inputs[] = {r->model_folder, r->sentence_folder, r->pretrained.adapter};
    for (size_t i = 0; i < 3; i++) NF_TRY(check_apart(r, inputs[i]));
    if (nf_directory_exists(best) && !o->overwrite_output_dir && !resumes(o))
        return nf_fail_at(r->err, NERFIT_ARGUMENT, o->output_dir, 0, 0,
                          "holds an earlier run; choose another output_dir, or give "
                          "overwrite_output_dir or resume_from_checkpoint");
    return NERFIT_OK;
}

/* Descriptions by the language model. */
static nerfit_status describe_labels(run *r) {
    const nf_train_options *o = r->options;
    const nf_train_services *s = r->data->services;
    const char *file = nf_path_join(&r->arena, o->output_dir, "descriptions.yaml");
    nf_descriptions descriptions = {0};
    if (!file) return nf_no_memory(r->err, 0);
    if (!s || !s->describe)
        return nf_fail(r->err, NERFIT_UNSUPPORTED,
                       "llm: no language model is asked here; give descriptions in ent2emb (nerfit "
                       "describe writes them)");
    NF_TRY(check_output(r)); /* both before it costs anything */
    NF_TRY(need_sentence_encoder(r));
    NF_TRY(nf_directory_make(o->output_dir, r->err));
    nerfit_status status = s->describe(s->user, o->llm, r->corpora, N_SPLITS, (uint64_t)o->seed[0],
                                       file, &descriptions, r->err);
    if (status == NERFIT_OK)
        status = nf_embeddings_describe(&r->own_embeddings, &descriptions, file, r->sentence_folder,
                                        r->be, r->log, r->err);
    nf_descriptions_free(&descriptions);
    return status;
}

static bool same_file(run *r, const char *a, const char *b, const char *name) {
    const char *paths[] = {nf_path_join(&r->arena, a, name), nf_path_join(&r->arena, b, name)};
    nf_file files[2] = {{0}, {0}};
    bool same = paths[0] && paths[1] && nf_file_open(&files[0], paths[0], NULL) == NERFIT_OK;
    same = same && nf_file_open(&files[1], paths[1], NULL) == NERFIT_OK;
    same = same && files[0].size == files[1].size &&
           memcmp(files[0].data, files[1].data, files[0].size) == 0;
    for (int i = 0; i < 2; i++) nf_file_close(&files[i]);
    return same;
}

/* Whether two folders hold the same encoder. */
static bool same_encoder(run *r, const char *a, const char *b) {
    return strcmp(a, b) == 0 ||
           (same_file(r, a, b, "config.json") && same_file(r, a, b, "model.safetensors"));
}

/* ent2emb, from memory or from its file; none if neither is there. */
static nerfit_status read_embeddings(run *r) {
    const nf_train_options *o = r->options;
    if (r->data->embeddings) {
        r->embeddings = r->data->embeddings;
        r->own_descriptions = r->sentence_folder != NULL;
        r->same_space =
            r->own_descriptions && same_encoder(r, r->sentence_folder, r->model_folder);
        return NERFIT_OK;
    }
    bool described = r->data->descriptions ||
                     (o->ent2emb && !nf_path_has_ending(o->ent2emb, ".safetensors"));
    if (described) NF_TRY(need_sentence_encoder(r));
    if (r->data->descriptions)
        NF_TRY(nf_embeddings_describe(&r->own_embeddings, r->data->descriptions, "ent2emb",
                                      r->sentence_folder, r->be, r->log, r->err));
    else if (o->ent2emb)
        NF_TRY(nf_embeddings_read(&r->own_embeddings, o->ent2emb, r->sentence_folder, r->be, r->log,
                                  r->err));
    else if (strcmp(o->llm, "no") != 0 &&
             (o->max_steps[0] != 0 || o->recipe == NF_RECIPE_NERFIT))
        NF_TRY(describe_labels(r));
    else return NERFIT_OK;
    r->embeddings = &r->own_embeddings;
    r->own_descriptions =
        r->data->descriptions || !o->ent2emb || !nf_path_has_ending(o->ent2emb, ".safetensors");
    r->same_space = r->own_descriptions && same_encoder(r, r->sentence_folder, r->model_folder);
    return NERFIT_OK;
}

/* The labels that the annotations use. */
static nerfit_status labels_of_corpora(run *r) {
    size_t count = 0, most = 0;
    for (int i = 0; i < N_SPLITS; i++) most += r->corpora[i] ? r->corpora[i]->n_labels : 0;
    const char **types = nf_arena_calloc(&r->arena, most + 1, sizeof *types);
    if (!types) return nf_no_memory(r->err, most);
    for (int i = 0; i < N_SPLITS; i++)
        for (size_t k = 0; r->corpora[i] && k < r->corpora[i]->n_labels; k++) {
            size_t j = 0;
            while (j < count && strcmp(types[j], r->corpora[i]->labels[k]) != 0) j++;
            if (j == count) types[count++] = r->corpora[i]->labels[k];
        }
    return nf_label_set_make(&r->labels, types, count, r->err);
}

/* The recipe nerfit without ent2emb: the labels' names say something, if there is a sentence encoder
 * to read them. */
static nerfit_status describe_names(run *r) {
    const char *folder = r->sentence_folder;
    size_t n = r->labels.n_types;
    if (!folder) {
        nf_log_info(r->log, "neither ent2emb nor a sentence encoder: types are told apart by the "
                            "examples alone");
        return NERFIT_OK;
    }
    const char **texts = nf_arena_calloc(&r->arena, n + 1, sizeof *texts);
    if (!texts) return nf_no_memory(r->err, n);
    for (size_t i = 0; i < n; i++) {
        texts[i] = nf_label_phrase(&r->arena, r->labels.types[i]);
        if (!texts[i]) return nf_no_memory(r->err, 0);
    }
    nf_log_info(r->log, "ent2emb is missing: the labels' names serve as descriptions");
    const nf_descriptions names = {.labels = r->labels.types, .texts = texts, .count = n};
    NF_TRY(nf_embeddings_describe(&r->own_embeddings, &names, "labels", folder, r->be, r->log,
                                  r->err));
    r->embeddings = &r->own_embeddings;
    r->own_descriptions = true;
    r->same_space = same_encoder(r, folder, r->model_folder);
    return NERFIT_OK;
}

/* The entity types: ent2emb's, in its order; without it the data's. */
static nerfit_status make_labels(run *r) {
    const nf_train_options *o = r->options;
    NF_TRY(read_embeddings(r));
    if (!r->embeddings && o->recipe == NF_RECIPE_NERFIT) {
        NF_TRY(labels_of_corpora(r));
        NF_TRY(describe_names(r));
        if (r->embeddings) return NERFIT_OK;
    }
    if (!r->embeddings && o->max_steps[0] != 0)
        return nf_fail(r->err, NERFIT_ARGUMENT,
                       "ent2emb is missing: stage 1 takes a description or an embedding of "
                       "every label, or an llm that describes them (max_steps: [0, N] leaves stage 1 "
                       "out)");
    if (!r->embeddings) return r->labels.n_types ? NERFIT_OK : labels_of_corpora(r);
    bool in_memory = r->data->embeddings || r->data->descriptions || !o->ent2emb;
    NF_TRY(nf_label_set_make(&r->labels, r->embeddings->types, r->embeddings->count, r->err));
    for (int i = 0; i < N_SPLITS; i++)
        for (size_t k = 0; r->corpora[i] && k < r->corpora[i]->n_labels; k++)
            if (nf_label_set_type(&r->labels, r->corpora[i]->labels[k]) < 0)
                return nf_fail_at(r->err, NERFIT_ARGUMENT, in_memory ? "ent2emb" : o->ent2emb, 0,
                                  0, "has nothing for label \"%s\", which the annotations use",
                                  r->corpora[i]->labels[k]);
    return NERFIT_OK;
}

/* Tokens of the longest example. */
static nerfit_status length_limit(run *r, size_t *limit) {
    size_t wanted = (size_t)r->options->max_length;
    *limit = nf_model_max_length(r->model);
    if (wanted > *limit)
        return nf_fail(r->err, NERFIT_ARGUMENT,
                       "max_length %zu is more than the %zu tokens the encoder takes", wanted,
                       *limit);
    if (wanted) *limit = wanted;
    if (!r->model->tokenizer)
        return nf_fail_at(r->err, NERFIT_FORMAT, r->model_folder, 0, 0,
                          "has no tokenizer (tokenizer.json, vocab.txt, or vocab.json and "
                          "merges.txt)");
    return NERFIT_OK;
}

static nerfit_status make_examples(run *r) {
    size_t limit;
    NF_TRY(length_limit(r, &limit));
    r->model->decoding.words = NF_WORDS_TOKENIZER;
    if (r->options->recipe == NF_RECIPE_NERFIT)
        r->model->decoding.words = nf_examples_words(r->corpora[TRAIN]);
    if (r->model->decoding.words == NF_WORDS_BLANKS)
        nf_log_info(r->log, "words: between blanks, where the entities' edges lie");
    for (int i = 0; i < N_SPLITS; i++)
        if (r->corpora[i])
            NF_TRY(nf_examples_make(&r->examples[i], r->corpora[i], &r->labels,
                                    r->model->tokenizer, limit, r->model->decoding.words, r->log,
                                    r->err));
    nf_log_info(r->log, "%zu training texts (%zu entities), %zu for validation, %zu for test; %zu "
                "entity types", r->corpora[TRAIN]->n_documents, r->corpora[TRAIN]->n_spans,
                r->corpora[VALIDATION] ? r->corpora[VALIDATION]->n_documents : 0,
                r->corpora[TEST] ? r->corpora[TEST]->n_documents : 0, r->labels.n_types);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- stages */

static bool ends_in_loss(const char *metric) {
    size_t length = strlen(metric);
    return length >= 4 && strcmp(metric + length - 4, "loss") == 0;
}

static nf_stage_options stage_options(const nf_train_options *o, int s, bool has_validation) {
    nf_stage_options out = {
        .train_batch_size = (size_t)o->per_device_train_batch_size[s],
        .eval_batch_size = (size_t)o->per_device_eval_batch_size[s],
        .accumulation = (size_t)o->gradient_accumulation_steps[s],
        .learning_rate = o->learning_rate[s],
        .rates = {[NF_GROUP_HEAD] = o->head_learning_rate[s],
                  [NF_GROUP_PROJECTION] = o->projection_learning_rate[s],
                  [NF_GROUP_DECODER] = o->decoder_learning_rate[s]},
        .weight_decay = o->weight_decay[s],
        .adam_beta1 = o->adam_beta1[s],
        .adam_beta2 = o->adam_beta2[s],
        .adam_epsilon = o->adam_epsilon[s],
        .max_grad_norm = o->max_grad_norm[s],
        .scheduler = (nf_schedule_kind)o->lr_scheduler_type[s],
        .schedule = {.num_cycles = o->lr_num_cycles[s],
                     .power = o->lr_power[s],
                     .lr_end = o->lr_end[s],
                     .lr_initial = o->learning_rate[s],
                     .timescale = o->lr_timescale[s]},
        .warmup_ratio = o->warmup_ratio[s],
        .warmup_steps = o->warmup_steps[s],
        .max_steps = o->max_steps[s],
        .num_train_epochs = o->num_train_epochs[s],
        .seed = (uint64_t)o->seed[s],
        .eval_strategy = has_validation ? (nf_strategy)o->eval_strategy[s] : NF_STRATEGY_NO,
        .logging_strategy = (nf_strategy)o->logging_strategy[s],
        .save_strategy = (nf_strategy)o->save_strategy[s],
        .eval_steps = o->eval_steps[s],
        .logging_steps = o->logging_steps[s],
        .save_steps = o->save_steps[s],
        .save_total_limit = o->save_total_limit[s],
        .metric_for_best_model = o->metric_for_best_model[s],
        .early_stopping_patience = o->early_stopping_patience[s],
        .early_stopping_threshold = o->early_stopping_threshold[s],
    };
    out.load_best_model_at_end =
        o->load_best_model_at_end[s] && out.eval_strategy != NF_STRATEGY_NO;
    out.greater_is_better = o->greater_is_better[s] == NF_CHOICE_TRUE ||
                            (o->greater_is_better[s] == NF_CHOICE_AUTO &&
                             !ends_in_loss(o->metric_for_best_model[s]));
    return out;
}

/* Writes metrics.jsonl as things happen, and passes on what the caller wants to know. */
static bool observe(void *user, const nf_stage_report *report) {
    run *r = user;
    if (report->entry && r->metrics) {
        char *line = nf_json_text(report->entry, JSON_COMPACT);
        if (line) fprintf(r->metrics, "{\"stage\":%d,%s\n", report->stage, line + 1);
        fflush(r->metrics);
        free(line);
    }
    return !r->observer || r->observer(r->user, report);
}

static void set_precision(run *r, int s) {
    const nf_train_options *o = r->options;
    bool mixed = o->bf16[s] || o->fp16[s];
    if (o->precision != NF_PRECISION_AUTO || strcmp(r->be->name, "cpu") != 0) return;
    if (!mixed) r->be->precision = NF_PRECISION_F32;
    if (o->fp16[s] && !o->bf16[s])
        nf_log_info(r->log, "stage %d: fp16 means mixed precision; on this CPU: %s", s + 1,
                    r->be->precision == NF_PRECISION_BF16 ? "bf16" : "f32 (it has no bf16)");
}

static char *stage_folder(run *r, int s) {
    return nf_path_join(&r->arena, r->options->output_dir, s == 0 ? "stage1" : "stage2");
}

/* A checkpoint to go on from, of this stage; NULL: from the start. */
static const char *checkpoint_of(run *r, int s) {
    const char *wanted = r->options->resume_from_checkpoint, *folder = stage_folder(r, s);
    if (!wanted || !folder || strcmp(wanted, "false") == 0) return NULL;
    if (strcmp(wanted, "true") == 0) return nf_checkpoint_newest(&r->arena, folder);
    return stage_of_checkpoint(r, wanted) == s ? wanted : NULL;
}

static nerfit_status run_stage(run *r, int s, nf_task *task) {
    nf_stage stage = {.number = s + 1,
                      .folder = stage_folder(r, s),
                      .task = task,
                      .ws = r->ws,
                      .log = r->log,
                      .observer = observe,
                      .user = r};
    if (!stage.folder) return nf_no_memory(r->err, 0);
    stage.options = stage_options(r->options, s, task->validation != NULL);
    if (r->options->load_best_model_at_end[s] && !stage.options.load_best_model_at_end)
        nf_log_info(r->log, "stage %d: without evaluations the last model is taken", s + 1);
    NF_TRY(nf_directory_make(stage.folder, r->err));
    const char *checkpoint = checkpoint_of(r, s);
    nerfit_status status = NERFIT_OK;
    if (checkpoint) {
        status = nf_checkpoint_resume(&stage, checkpoint, r->err);
        if (status == NERFIT_OK) nf_log_info(r->log, "going on from %s", checkpoint);
    }
    if (status == NERFIT_OK) status = nf_stage_run(&stage, r->err);
    size_t i;
    json_t *entry;
    json_array_foreach(stage.state.log_history, i, entry) {
        json_t *copy = json_deep_copy(entry);
        json_object_set_new(copy, "stage", json_integer(s + 1));
        json_array_append_new(r->history, copy);
    }
    nf_stage_free(&stage);
    return status;
}

/* What is trained: adapters and the head, or everything. */
static nerfit_status start_training(run *r, bool adapters) {
    const nf_train_options *o = r->options;
    if (o->peft_lora && adapters && !r->model->adapter) {
        nf_adapter_config config = {.r = (size_t)o->lora_r,
                                    .lora_alpha = o->lora_alpha,
                                    .lora_dropout = o->lora_dropout,
                                    .use_dora = o->use_dora,
                                    .use_rslora = o->use_rslora,
                                    .target_modules = o->target_modules.items,
                                    .n_target_modules = o->target_modules.count,
                                    .modules_to_save = o->modules_to_save.items,
                                    .n_modules_to_save = o->modules_to_save.count};
        NF_TRY(nf_adapter_add(r->model, &config, (uint64_t)o->seed[0], r->err));
    }
    if (!o->peft_lora) nf_model_train_encoder(r->model, true);
    NF_TRY(nf_network_start_training(&r->model->net, r->err));
    NF_TRY(nf_network_prepare(&r->model->net, true, r->err));
    nf_safetensors_forget(r->model->weights);
    return NERFIT_OK;
}

static const char FINISHED[] = "finished";

/* What the head has learned beside what it was learned with. */
static nerfit_status save_head(run *r, const char *folder) {
    const char *sentences = r->own_descriptions ? r->sentence_folder : NULL;
    char *path = sentences ? realpath(sentences, NULL) : NULL;
    nerfit_status status = nf_description_file_save(r->model, folder, path, false, r->err);
    free(path);
    return status;
}

/* A folder that is to appear whole, and with nothing of an earlier run's in it: written under
 * another name... */
static nerfit_status begin_folder(run *r, const char *parent, const char *name,
                                  const char **unfinished) {
    char temporary[64];
    snprintf(temporary, sizeof temporary, ".%s.tmp", name);
    *unfinished = parent ? nf_path_join(&r->arena, parent, temporary) : NULL;
    if (!*unfinished) return nf_no_memory(r->err, 0);
    NF_TRY(nf_directory_remove(*unfinished, r->err));
    return nf_directory_make(*unfinished, r->err);
}

/* ... and renamed. */
static nerfit_status end_folder(run *r, const char *unfinished, const char *parent,
                                const char *name) {
    const char *folder = nf_path_join(&r->arena, parent, name);
    if (!folder) return nf_no_memory(r->err, 0);
    NF_TRY(nf_directory_remove(folder, r->err));
    return nf_file_rename(unfinished, folder, r->err);
}

/* The values that stage 1 ends with: stage 2 starts from them, in this process or in one that
 * resumes. */
static nerfit_status save_stage1(run *r) {
    const char *parent = stage_folder(r, 0), *unfinished;
    NF_TRY(begin_folder(r, parent, FINISHED, &unfinished));
    NF_TRY(nf_checkpoint_save_values(r->model, unfinished, false, r->err));
    if (r->model->adapter) NF_TRY(nf_adapter_save(r->model, unfinished, r->err));
    else NF_TRY(nf_model_save(r->model, unfinished, r->err));
    if (r->model->description_head) NF_TRY(save_head(r, unfinished));
    return end_folder(r, unfinished, parent, FINISHED);
}

static nerfit_status run_contrastive(run *r) {
    const nf_train_options *o = r->options;
    const char *finished = nf_path_join(&r->arena, stage_folder(r, 0), FINISHED);
    NF_TRY(nf_model_add_projection(r->model, r->embeddings->size, (uint64_t)o->seed[0], r->err));
    set_precision(r, 0);
    NF_TRY(start_training(r, true));
    if (resumes(o) && finished && nf_directory_exists(finished)) {
        nf_log_info(r->log, "stage 1 is finished; its result is taken from %s", finished);
        NF_TRY(nf_checkpoint_load_values(r->model, finished, r->err));
    } else {
        nf_task *task;
        NF_TRY(nf_task_contrastive(&task, r->model, &r->examples[TRAIN],
                                   r->corpora[VALIDATION] ? &r->examples[VALIDATION] : NULL,
                                   r->embeddings->vectors, r->embeddings->count, r->embeddings->size,
                                   r->err));
        nerfit_status status = run_stage(r, 0, task);
        task->free(task);
        NF_TRY(status);
        NF_TRY(save_stage1(r));
    }
    nf_model_remove_projection(r->model);
    return nf_network_end_training(&r->model->net, r->err);
}

static nerfit_status run_classification(run *r, nf_task **task) {
    const nf_train_options *o = r->options;
    NF_TRY(nf_model_add_classifier(r->model, r->labels.labels, r->labels.n_labels,
                                   (uint64_t)o->seed[1], r->err));
    set_precision(r, 1);
    NF_TRY(start_training(r, true));
    NF_TRY(nf_task_classification(task, r->model, &r->examples[TRAIN],
                                  r->corpora[VALIDATION] ? &r->examples[VALIDATION] : NULL,
                                  o->label_smoothing_factor[1], r->err));
    return o->max_steps[1] != 0 ? run_stage(r, 1, *task) : NERFIT_OK;
}

/* ---------------------------------------------------------------- the recipe nerfit */

static const nf_examples *validation_of(run *r) {
    return r->corpora[VALIDATION] ? &r->examples[VALIDATION] : NULL;
}

/* Stage 1: the description head without types of its own. */
static nerfit_status run_description_stage1(run *r) {
    const nf_train_options *o = r->options;
    const nf_embeddings *e = r->embeddings;
    const char *finished = nf_path_join(&r->arena, stage_folder(r, 0), FINISHED);
    set_precision(r, 0);
    NF_TRY(nf_type_columns_make(&r->model->type_columns, r->be, e->vectors, e->count, e->size,
                                r->err));
    NF_TRY(start_training(r, true));
    if (resumes(r->options) && finished && nf_directory_exists(finished)) {
        nf_log_info(r->log, "stage 1 is finished; its result is taken from %s", finished);
        NF_TRY(nf_checkpoint_load_values(r->model, finished, r->err));
    } else {
        nf_task *task;
        NF_TRY(nf_task_description(&task, r->model, &r->model->type_columns, &r->labels,
                                   &r->examples[TRAIN], validation_of(r),
                                   o->label_smoothing_factor[0], r->err));
        nerfit_status status = run_stage(r, 0, task);
        task->free(task);
        NF_TRY(status);
        NF_TRY(save_stage1(r));
    }
    return nf_network_end_training(&r->model->net, r->err);
}

/* What pre-training left of the head. Its projection is of the sentence encoder that it was trained
 * with: other vectors, as far as one can tell, need another. */
static nerfit_status load_head(run *r) {
    const nf_pretrained *p = &r->pretrained;
    const char *theirs = p->builtin ? r->model_folder : p->sentence_encoder;
    if (!p->head) return NERFIT_OK;
    bool projected = !r->own_descriptions || !theirs || same_encoder(r, r->sentence_folder, theirs);
    NF_TRY(nf_description_file_load(r->model, p->head, &projected, r->err));
    if (r->embeddings && !projected)
        nf_log_warning(r->log, "%s: pre-trained with another sentence encoder than ent2emb's; a new "
                       "projection is learned", p->name);
    return NERFIT_OK;
}

/* With an adapter to train, a changed encoder must be in a folder that the adapter can name. */
static nerfit_status keep_base(run *r) {
    const char *base = nf_path_join(&r->arena, r->options->output_dir, "base");
    if (!base) return nf_no_memory(r->err, 0);
    nf_log_info(r->log, "the adapter's base model, with what pre-training left merged, is in %s", base);
    nf_model_remove_classifier(r->model);
    const char *output = r->options->output_dir, *unfinished;
    NF_TRY(begin_folder(r, output, "base", &unfinished));
    NF_TRY(nf_model_save(r->model, unfinished, r->err));
    NF_TRY(end_folder(r, unfinished, output, "base"));
    r->model->folder = base;
    return NERFIT_OK;
}

/* The best path names an entity wherever that is likelier than any other reading, even at a probability
 * of 0.2; and a sample of k mentions a type has no text without an entity, so that models find too much.
 * With next to nothing learned, probabilities are low all over. */
static double least_probability(run *r) {
    const nf_train_options *o = r->options;
    bool given = nf_train_options_given(o, "least_probability");
    bool few = r->corpora[TRAIN]->n_spans < 3 * r->labels.n_types;
    return !given && few && !r->pretrained.head ? 0.35 : o->least_probability;
}

/* Both stages; stage 2 goes on with stage 1's encoder, projection and shared vectors. */
static nerfit_status run_description(run *r, nf_task **task) {
    const nf_train_options *o = r->options;
    const nf_embeddings *e = r->embeddings;
    bool identity = r->same_space && e && e->size == r->model->encoder.hidden;
    nf_model_remove_classifier(r->model);
    if (r->model->adapter && !o->peft_lora) NF_TRY(nf_adapter_merge(r->model, r->err));
    NF_TRY(nf_model_add_description_head(r->model, e ? e->size : 0, identity, (uint64_t)o->seed[0],
                                         r->err));
    NF_TRY(load_head(r));
    r->model->decoding.least = least_probability(r);
    if (o->max_steps[0] != 0) NF_TRY(run_description_stage1(r));
    NF_TRY(nf_model_add_types(r->model, r->labels.labels, r->labels.n_types, e ? e->vectors : NULL,
                              (uint64_t)o->seed[1], r->err));
    set_precision(r, 1);
    NF_TRY(start_training(r, true));
    NF_TRY(nf_task_description(task, r->model, &r->model->type_columns, &r->labels,
                               &r->examples[TRAIN], validation_of(r), o->label_smoothing_factor[1],
                               r->err));
    return o->max_steps[1] != 0 ? run_stage(r, 1, *task) : NERFIT_OK;
}

/* ---------------------------------------------------------------- results */

/* Scores the final model on the test data, or the validation data. */
static nerfit_status final_report(run *r, nf_task *task, nf_train_result *result) {
    int split = r->corpora[TEST] ? TEST : VALIDATION;
    if (!r->corpora[split]) return NERFIT_OK;
    nf_stage stage = {.number = 2, .task = task, .ws = r->ws, .log = r->log};
    stage.options = stage_options(r->options, 1, true);
    task->validation = &r->examples[split];
    json_t *metrics;
    NF_TRY(nf_stage_evaluate(&stage, &metrics, r->err));
    json_decref(metrics);
    result->report_of = split == TEST ? "test" : "validation";
    nf_str text = {0};
    nf_report_text(nf_task_last_report(task), &text);
    result->report = nf_report_json(nf_task_last_report(task));
    result->report_text = text.data;
    return result->report && !text.failed ? NERFIT_OK : nf_no_memory(r->err, 0);
}

static nerfit_status save_record(run *r, const char *name, json_t *value) {
    const char *path = nf_path_join(&r->arena, r->options->output_dir, name);
    nerfit_status status = path && value ? nf_json_save(value, path, r->err)
                                         : nf_no_memory(r->err, 0);
    json_decref(value);
    return status;
}

static nerfit_status save_model(run *r, nf_train_result *result) {
    const char *output = r->options->output_dir;
    const char *best = nf_path_join(&r->arena, output, "best"), *unfinished;
    if (!best || !(result->model_folder = strdup(best))) return nf_no_memory(r->err, 0);
    nf_workspace_free(r->ws); /* its memory is better used for saving */
    r->ws = NULL;
    if (r->model->description_head) NF_TRY(nf_model_fold_description_head(r->model, r->err));
    NF_TRY(nf_network_end_training(&r->model->net, r->err));
    nf_model_remove_description_head(r->model);
    if (r->model->adapter) {
        NF_TRY(begin_folder(r, output, "adapter", &unfinished));
        NF_TRY(nf_adapter_save(r->model, unfinished, r->err));
        NF_TRY(end_folder(r, unfinished, output, "adapter"));
        NF_TRY(nf_adapter_merge(r->model, r->err));
    }
    NF_TRY(begin_folder(r, output, "best", &unfinished));
    NF_TRY(nf_model_save(r->model, unfinished, r->err));
    NF_TRY(nf_model_card_write(unfinished, r->options, &r->labels, result->report,
                               result->report_of, r->err));
    return end_folder(r, unfinished, output, "best");
}

/* ---------------------------------------------------------------- the report */

static json_t *count_json(const nf_corpus *corpus) {
    if (!corpus) return json_null();
    return json_pack("{s:I, s:I}", "texts", (json_int_t)corpus->n_documents, "entities",
                     (json_int_t)corpus->n_spans);
}

static json_t *calibration_json(const nf_review *review) {
    const nf_calibration *c = &review->calibration;
    if (!review->calibrated_on) return json_null();
    return json_pack("{s:f, s:f, s:I, s:s, s:f, s:f}", "temperature", c->temperature, "shift",
                     c->shift, "entities", (json_int_t)c->n_entities, "from", review->calibrated_on,
                     "error_before", review->error_before, "error_after", review->error_after);
}

/* What report.html shows, and report.json holds: see report_page.h. */
static nerfit_status make_page(run *r, const nf_review *review, const nf_train_result *result,
                               json_t **page) {
    nf_train_options defaults;
    NF_TRY(nf_train_options_init(&defaults, r->err));
    *page = json_pack("{s:s, s:o, s:o, s:O, s:O?, s:s?, s:{s:o, s:o, s:o}, s:I, s:o}", "model",
                      result->model_folder, "options", nf_train_options_to_json(r->options),
                      "defaults", nf_train_options_to_json(&defaults), "history", r->history,
                      "report", result->report, "report_of", result->report_of, "data", "train",
                      count_json(r->corpora[TRAIN]), "validation",
                      count_json(r->corpora[VALIDATION]), "test", count_json(r->corpora[TEST]),
                      "types", (json_int_t)r->labels.n_types, "fit", calibration_json(review));
    nf_train_options_free(&defaults);
    return *page ? NERFIT_OK : nf_no_memory(r->err, 0);
}

static nerfit_status write_page(run *r, const json_t *page, nf_train_result *result) {
    const char *path = nf_path_join(&r->arena, r->options->output_dir, "report.html");
    nf_str html = {0};
    nf_report_page_html(page, &html);
    nerfit_status status = path && !html.failed && (result->page = strdup(path))
                               ? nf_file_write(path, html.data, html.length, r->err)
                               : nf_no_memory(r->err, 0);
    nf_str_free(&html);
    return status;
}

/* Calibrates the finished model, looks at its mistakes, and writes the report. */
static nerfit_status review(run *r, bool adapter, nf_train_result *result) {
    nf_model_free(r->model); /* it is loaded anew, as its users will */
    r->model = NULL;
    nf_review review = {.options = r->options,
                        .folder = result->model_folder,
                        .adapter_folder =
                            adapter ? nf_path_join(&r->arena, r->options->output_dir, "adapter") : NULL,
                        .be = r->be,
                        .train = r->corpora[TRAIN],
                        .validation = r->corpora[VALIDATION],
                        .shown = r->corpora[TEST] ? r->corpora[TEST] : r->corpora[VALIDATION],
                        .embeddings = r->embeddings,
                        .sentence_encoder = r->own_descriptions ? r->sentence_folder : NULL,
                        .is_short = r->is_short,
                        .encoder = r->model_folder,
                        .services = r->data->services,
                        .log = r->log,
                        .observer = r->observer,
                        .user = r->user};
    json_t *page = NULL;
    nerfit_status status = nf_review_run(&review, r->err);
    if (status == NERFIT_OK && result->report)
        status = nf_analysis_json(&review.analysis, result->report, r->err);
    if (status == NERFIT_OK) status = make_page(r, &review, result, &page);
    if (status == NERFIT_OK) status = write_page(r, page, result);
    nf_review_free(&review);
    return status == NERFIT_OK ? save_record(r, "report.json", page) : (json_decref(page), status);
}

static nerfit_status open_output(run *r) {
    const nf_train_options *o = r->options;
    const char *metrics = nf_path_join(&r->arena, o->output_dir, "metrics.jsonl");
    if (!metrics) return nf_no_memory(r->err, 0);
    NF_TRY(check_output(r));
    if (!resumes(o)) {
        /* checkpoints of the earlier run must not be taken for this one's */
        for (int s = 0; s < 2; s++) NF_TRY(nf_directory_remove(stage_folder(r, s), r->err));
    }
    NF_TRY(nf_directory_make(o->output_dir, r->err));
    r->metrics = fopen(metrics, resumes(o) ? "ae" : "we");
    if (!r->metrics) return nf_fail_at(r->err, NERFIT_IO, metrics, 0, 0, "cannot be written");
    return save_record(r, "training_args.json", nf_train_options_to_json(o));
}

static nerfit_status train(run *r, nf_train_result *result) {
    nf_task *task = NULL;
    NF_TRY(nf_train_options_check_needed(r->options, r->err));
    NF_TRY(read_corpora(r));
    const nf_train_size size = {r->corpora[TRAIN]->n_documents, r->corpora[VALIDATION] != NULL};
    r->is_short = nf_train_is_short(r->options, &size);
    NF_TRY(nf_train_defaults(&r->own_options, r->options, &size, r->log, r->err));
    const nf_train_options *o = r->options = &r->own_options;
    NF_TRY(nf_train_options_check(o, r->log, r->err));
    NF_TRY(nf_review_check(o, r->corpora[TRAIN], r->corpora[VALIDATION], r->err));
    NF_TRY(nf_train_backend(o, &r->be, r->err));
    NF_TRY(find_models(r));
    NF_TRY(make_labels(r));
    bool changed;
    NF_TRY(nf_model_load_over(&r->model, r->model_folder, r->model_base, r->be, r->log, r->err));
    NF_TRY(nf_pretrained_apply(&r->pretrained, r->model, &changed, r->err));
    NF_TRY(make_examples(r));
    NF_TRY(open_output(r));
    if (changed && o->peft_lora) NF_TRY(keep_base(r));
    NF_TRY(nf_workspace_new(&r->ws, r->be, r->err));
    nerfit_status status = NERFIT_OK;
    if (o->recipe == NF_RECIPE_NERFIT) {
        status = run_description(r, &task);
    } else {
        if (o->max_steps[0] != 0) NF_TRY(run_contrastive(r));
        status = run_classification(r, &task);
    }
    if (status == NERFIT_OK) status = final_report(r, task, result);
    if (task) task->free(task);
    NF_TRY(status);
    bool adapter = r->model->adapter != NULL; /* saving merges it */
    NF_TRY(save_model(r, result));
    NF_TRY(review(r, adapter, result));
    return save_record(r, "trainer_state.json", json_pack("{s:O}", "log_history", r->history));
}

/* ---------------------------------------------------------------- pre-training */

/* The encoder (or an adapter of it) with the head's shared part, in a folder that model_name takes. */
static nerfit_status save_pretrained(run *r, nf_train_result *result) {
    const char *output = r->options->output_dir, *unfinished;
    const char *best = nf_path_join(&r->arena, output, "best");
    if (!best || !(result->model_folder = strdup(best))) return nf_no_memory(r->err, 0);
    NF_TRY(nf_network_end_training(&r->model->net, r->err));
    NF_TRY(begin_folder(r, output, "best", &unfinished));
    if (r->model->adapter) NF_TRY(nf_adapter_save(r->model, unfinished, r->err));
    else NF_TRY(nf_model_save(r->model, unfinished, r->err));
    NF_TRY(save_head(r, unfinished));
    return end_folder(r, unfinished, output, "best");
}

static nerfit_status pretrain_with(run *r, nf_pretraining *p, nf_train_result *result) {
    const nf_train_options *o = r->options;
    size_t size;
    NF_TRY(find_models(r));
    NF_TRY(need_sentence_encoder(r));
    const char *sentences = r->sentence_folder;
    if (!sentences)
        return nf_fail(r->err, NERFIT_ARGUMENT,
                       "pre-training takes a sentence encoder for the descriptions: give its folder in "
                       "st_model_name");
    NF_TRY(nf_pretraining_embed(p, sentences, r->be, r->log, &size, r->err));
    NF_TRY(nf_model_load_over(&r->model, r->model_folder, r->model_base, r->be, r->log, r->err));
    bool changed;
    NF_TRY(nf_pretrained_apply(&r->pretrained, r->model, &changed, r->err));
    size_t limit;
    NF_TRY(length_limit(r, &limit));
    NF_TRY(nf_pretraining_encode(p, r->model, limit, r->log, r->err));
    NF_TRY(open_output(r));
    if (changed && o->peft_lora) NF_TRY(keep_base(r));
    NF_TRY(nf_workspace_new(&r->ws, r->be, r->err));
    nf_model_remove_classifier(r->model);
    if (r->model->adapter && !o->peft_lora) NF_TRY(nf_adapter_merge(r->model, r->err));
    bool identity = size == r->model->encoder.hidden && same_encoder(r, sentences, r->model_folder);
    NF_TRY(nf_model_add_description_head(r->model, size, identity, (uint64_t)o->seed[0], r->err));
    r->own_descriptions = true;
    NF_TRY(load_head(r));
    set_precision(r, 0);
    NF_TRY(start_training(r, true));
    nf_task *task;
    NF_TRY(nf_task_pretraining(&task, p, r->model, o->label_smoothing_factor[0], r->err));
    nerfit_status status = run_stage(r, 0, task);
    task->free(task);
    NF_TRY(status);
    NF_TRY(save_pretrained(r, result));
    return save_record(r, "trainer_state.json", json_pack("{s:O}", "log_history", r->history));
}

static nerfit_status pretrain(run *r, nf_train_result *result) {
    nf_pretraining *p;
    NF_TRY(nf_train_options_check_needed(r->options, r->err));
    NF_TRY(nf_pretraining_defaults(&r->own_options, r->options, r->log, r->err));
    r->options = &r->own_options;
    NF_TRY(nf_train_options_check(r->options, r->log, r->err));
    NF_TRY(nf_train_backend(r->options, &r->be, r->err));
    NF_TRY(nf_pretraining_read(&p, r->options, r->log, r->err));
    nerfit_status status = pretrain_with(r, p, result);
    nf_pretraining_free(p);
    return status;
}

/* ---------------------------------------------------------------- runs */

static nerfit_status run_all(nerfit_status (*work)(run *r, nf_train_result *result),
                             const nf_train_options *options, const nf_train_data *data,
                             const nf_log *log, nf_stage_observer observer, void *user,
                             nf_train_result *result, nerfit_error *err) {
    static const nf_train_data none = {0};
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    *result = (nf_train_result){0};
    run r = {.options = options, .data = data ? data : &none, .log = log, .observer = observer,
             .user = user, .err = err};
    r.history = json_array();
    nerfit_status status = r.history ? work(&r, result) : nf_no_memory(err, 0);
    if (r.metrics) fclose(r.metrics);
    json_decref(r.history);
    nf_workspace_free(r.ws);
    nf_model_free(r.model);
    for (int i = 0; i < N_SPLITS; i++) {
        nf_examples_free(&r.examples[i]);
        nf_corpus_free(&r.own[i]);
    }
    nf_label_set_free(&r.labels);
    nf_embeddings_free(&r.own_embeddings);
    nf_pretrained_free(&r.pretrained);
    nf_train_options_free(&r.own_options);
    if (r.be) r.be->free(r.be);
    nf_arena_free(&r.arena);
    clock_gettime(CLOCK_MONOTONIC, &to);
    result->seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    if (status != NERFIT_OK) nf_train_result_free(result);
    return status;
}

nerfit_status nf_train_run(const nf_train_options *options, const nf_train_data *data,
                           const nf_log *log, nf_stage_observer observer, void *user,
                           nf_train_result *result, nerfit_error *err) {
    return run_all(train, options, data, log, observer, user, result, err);
}

nerfit_status nf_pretrain_run(const nf_train_options *options, const nf_train_data *data,
                              const nf_log *log, nf_stage_observer observer, void *user,
                              nf_train_result *result, nerfit_error *err) {
    return run_all(pretrain, options, data, log, observer, user, result, err);
}

void nf_train_result_free(nf_train_result *result) {
    free(result->model_folder);
    free(result->report_text);
    free(result->page);
    json_decref(result->report);
    *result = (nf_train_result){0};
}
