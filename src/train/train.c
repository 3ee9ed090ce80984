#include "train/train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "data/annotations.h"
#include "model/adapter.h"
#include "predict/report.h"
#include "train/card.h"
#include "train/checkpoint.h"

enum { TRAIN, VALIDATION, TEST, N_SPLITS };

typedef struct run {
    const nf_train_options *options;
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
    if (embedded) return NERFIT_OK;
    if (o->st_model_name)
        return find_model(r, o->st_model_name, true, &r->sentence_folder, &base);
    const char *modules = nf_path_join(&r->arena, r->model_folder, "modules.json");
    if (modules && nf_file_exists(modules)) r->sentence_folder = r->model_folder;
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

static bool resumes(const nf_train_options *o) {
    return o->resume_from_checkpoint && strcmp(o->resume_from_checkpoint, "false") != 0;
}

/* An earlier run is not overwritten unasked. */
static nerfit_status check_output(run *r) {
    const nf_train_options *o = r->options;
    const char *best = nf_path_join(&r->arena, o->output_dir, "best");
    if (!best) return nf_no_memory(r->err, 0);
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

/* ent2emb, from memory or from its file; none if neither is there. */
static nerfit_status read_embeddings(run *r) {
    const nf_train_options *o = r->options;
    if (r->data->embeddings) {
        r->embeddings = r->data->embeddings;
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
    else if (strcmp(o->llm, "no") != 0 && o->max_steps[0] != 0) NF_TRY(describe_labels(r));
    else return NERFIT_OK;
    r->embeddings = &r->own_embeddings;
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

/* The entity types: ent2emb's, in its order; without it (and so without stage 1) the data's. */
static nerfit_status make_labels(run *r) {
    const nf_train_options *o = r->options;
    NF_TRY(read_embeddings(r));
    if (!r->embeddings && o->max_steps[0] != 0)
        return nf_fail(r->err, NERFIT_ARGUMENT,
                       "ent2emb is missing: stage 1 takes a description or an embedding of "
                       "every label, or an llm that describes them (max_steps: [0, N] leaves stage 1 "
                       "out)");
    if (!r->embeddings) return labels_of_corpora(r);
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

static nerfit_status make_examples(run *r) {
    size_t limit = nf_model_max_length(r->model), wanted = (size_t)r->options->max_length;
    if (wanted > limit)
        return nf_fail(r->err, NERFIT_ARGUMENT,
                       "max_length %zu is more than the %zu tokens the encoder takes", wanted,
                       limit);
    if (wanted) limit = wanted;
    if (!r->model->tokenizer)
        return nf_fail_at(r->err, NERFIT_FORMAT, r->model_folder, 0, 0,
                          "has no tokenizer (tokenizer.json, vocab.txt, or vocab.json and "
                          "merges.txt)");
    for (int i = 0; i < N_SPLITS; i++)
        if (r->corpora[i])
            NF_TRY(nf_examples_make(&r->examples[i], r->corpora[i], &r->labels,
                                    r->model->tokenizer, limit, r->log, r->err));
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
    const char *parent = nf_path_parent(&r->arena, wanted);
    size_t length = parent ? strlen(parent) : 0;
    return length >= 6 && strcmp(parent + length - 6, s == 0 ? "stage1" : "stage2") == 0 ? wanted
                                                                                         : NULL;
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

/* The values that stage 1 ends with, in a folder of its own that appears whole: stage 2 starts from
 * them, in this process or in one that resumes. */
static nerfit_status save_stage1(run *r) {
    const char *folder = nf_path_join(&r->arena, stage_folder(r, 0), FINISHED);
    const char *unfinished = nf_path_join(&r->arena, stage_folder(r, 0), ".finished.tmp");
    if (!folder || !unfinished) return nf_no_memory(r->err, 0);
    NF_TRY(nf_directory_remove(unfinished, r->err));
    NF_TRY(nf_directory_make(unfinished, r->err));
    NF_TRY(nf_checkpoint_save_values(r->model, unfinished, false, r->err));
    if (r->model->adapter) NF_TRY(nf_adapter_save(r->model, unfinished, r->err));
    else NF_TRY(nf_model_save(r->model, unfinished, r->err));
    NF_TRY(nf_directory_remove(folder, r->err));
    return nf_file_rename(unfinished, folder, r->err);
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
    const char *best = nf_path_join(&r->arena, output, "best");
    const char *adapter = nf_path_join(&r->arena, output, "adapter");
    if (!best || !adapter || !(result->model_folder = strdup(best))) return nf_no_memory(r->err, 0);
    nf_workspace_free(r->ws); /* its memory is better used for saving */
    r->ws = NULL;
    NF_TRY(nf_network_end_training(&r->model->net, r->err));
    if (r->model->adapter) {
        NF_TRY(nf_adapter_save(r->model, adapter, r->err));
        NF_TRY(nf_adapter_merge(r->model, r->err));
    }
    NF_TRY(nf_model_save(r->model, best, r->err));
    return nf_model_card_write(best, r->options, &r->labels, result->report, result->report_of,
                               r->err);
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
    const nf_train_options *o = r->options;
    nf_task *task = NULL;
    NF_TRY(nf_train_options_check(o, r->log, r->err));
    NF_TRY(read_corpora(r));
    NF_TRY(nf_train_backend(o, &r->be, r->err));
    NF_TRY(find_models(r));
    NF_TRY(make_labels(r));
    NF_TRY(nf_model_load_over(&r->model, r->model_folder, r->model_base, r->be, r->log, r->err));
    NF_TRY(make_examples(r));
    NF_TRY(open_output(r));
    NF_TRY(nf_workspace_new(&r->ws, r->be, r->err));
    if (o->max_steps[0] != 0) NF_TRY(run_contrastive(r));
    nerfit_status status = run_classification(r, &task);
    if (status == NERFIT_OK) status = final_report(r, task, result);
    if (task) task->free(task);
    NF_TRY(status);
    NF_TRY(save_model(r, result));
    return save_record(r, "trainer_state.json", json_pack("{s:O}", "log_history", r->history));
}

nerfit_status nf_train_run(const nf_train_options *options, const nf_train_data *data,
                           const nf_log *log, nf_stage_observer observer, void *user,
                           nf_train_result *result, nerfit_error *err) {
    static const nf_train_data none = {0};
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    *result = (nf_train_result){0};
    run r = {.options = options, .data = data ? data : &none, .log = log, .observer = observer,
             .user = user, .err = err};
    r.history = json_array();
    nerfit_status status = r.history ? train(&r, result) : nf_no_memory(err, 0);
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
    if (r.be) r.be->free(r.be);
    nf_arena_free(&r.arena);
    clock_gettime(CLOCK_MONOTONIC, &to);
    result->seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    if (status != NERFIT_OK) nf_train_result_free(result);
    return status;
}

void nf_train_result_free(nf_train_result *result) {
    free(result->model_folder);
    free(result->report_text);
    json_decref(result->report);
    *result = (nf_train_result){0};
}
