/* The stages of both recipes, over the loop of stage.c. */
#include "recipe/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "model/adapter.h"
#include "heads/contrastive_head.h"
#include "heads/description_file.h"
#include "model/gliner.h"
#include "model/word_shape.h"
#include "train/checkpoint.h"

nf_stage_options nf_run_stage_options(const nf_train_options *o, int s, bool has_validation) {
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
                             !nf_text_ends_with(o->metric_for_best_model[s],
                                                strlen(o->metric_for_best_model[s]), "loss"));
    return out;
}

/* Writes metrics.jsonl as things happen, and passes on what the caller wants to know. A run whose
 * metrics cannot be written stops there, with a checkpoint to go on from. */
static bool observe(void *user, const nf_stage_report *report) {
    nf_run *r = user;
    if (report->entry && nf_run_write_metrics(r, report->stage, report->entry) != NERFIT_OK)
        return false;
    return !r->observer || r->observer(r->user, report);
}

nf_precision nf_run_precision(const nf_run *r, int s) {
    const nf_train_options *o = r->options;
    bool chosen = o->precision != NF_PRECISION_AUTO, mixed = o->bf16[s] || o->fp16[s];
    return chosen || mixed ? r->be->precision : NF_PRECISION_F32;
}

static void set_precision(nf_run *r, int s) {
    const nf_train_options *o = r->options;
    r->model->net.precision = nf_run_precision(r, s);
    if (o->precision == NF_PRECISION_AUTO && o->fp16[s] && !o->bf16[s])
        nf_log_info(r->log, "stage %d: fp16 means mixed precision; on this machine: %s", s + 1,
                    r->be->precision == NF_PRECISION_BF16 ? "bf16" : "f32 (it has no bf16)");
}

static void set_sums(nf_run *r) {
    bool bf16 = r->options->gradient_sums, alone = nf_comm_size(r->data->comm) == 1;
    if (r->data->comm) r->data->comm->bf16 = bf16 && !alone;
    if (bf16 && alone) nf_log_info(r->log, "gradient_sums: one process has no sums to send");
}

nerfit_status nf_run_stage(nf_run *r, int s, nf_task *task) {
    set_sums(r);
    nf_stage stage = {.number = s + 1,
                      .folder = nf_run_stage_folder(r, s),
                      .task = task,
                      .ws = r->ws,
                      .log = r->log,
                      .run = r->identity,
                      .comm = r->data->comm,
                      .observer = observe,
                      .user = r};
    if (!stage.folder) return nf_no_memory(r->err, 0);
    stage.options = nf_run_stage_options(r->options, s, task->validation != NULL);
    if (r->options->load_best_model_at_end[s] && !stage.options.load_best_model_at_end)
        nf_log_info(r->log, "stage %d: without evaluations the last model is taken", s + 1);
    NF_TRY(nf_directory_make(stage.folder, r->err));
    const char *checkpoint = nf_run_checkpoint_of(r, s);
    nerfit_status status = NERFIT_OK;
    if (checkpoint) {
        status = nf_checkpoint_resume(&stage, checkpoint, r->err);
        if (status == NERFIT_OK) nf_log_info(r->log, "going on from %s", checkpoint);
    }
    if (status == NERFIT_OK) status = nf_run_begin_metrics(r, s + 1, stage.state.log_history);
    if (status == NERFIT_OK) status = nf_stage_run(&stage, r->err);
    if (status == NERFIT_CANCELLED && r->metrics_status != NERFIT_OK) {
        *r->err = r->metrics_error;
        status = r->metrics_status;
    }
    size_t i;
    json_t *entry;
    json_array_foreach(stage.state.log_history, i, entry) {
        json_t *copy = json_deep_copy(entry);
        json_object_set_new(copy, "stage", json_integer(s + 1));
        json_array_append_new(r->history, copy);
    }
    json_decref(r->best);
    r->best = status == NERFIT_OK ? nf_checkpoint_summary(&stage) : NULL;
    nf_stage_free(&stage);
    return status;
}

static bool same_names(const nf_names *given, char *const *own, size_t n_own) {
    bool same = given->count == n_own;
    for (size_t i = 0; i < given->count && same; i++) {
        bool found = false;
        for (size_t k = 0; k < n_own; k++) found |= strcmp(given->items[i], own[k]) == 0;
        same = found;
    }
    return same;
}

nerfit_status nf_run_check_adapter(nf_run *r) {
    const nf_train_options *o = r->as_given;
    if (!o->peft_lora || !r->model->adapter) return NERFIT_OK;
    const nf_adapter_config *c = &r->model->adapter->config;
    const struct {
        const char *name;
        bool same;
    } options[] = {
        {"lora_r", (size_t)o->lora_r == c->r},
        {"lora_alpha", o->lora_alpha == c->lora_alpha},
        {"lora_dropout", o->lora_dropout == c->lora_dropout},
        {"use_dora", o->use_dora == c->use_dora},
        {"use_rslora", o->use_rslora == c->use_rslora},
        {"target_modules", !c->target_regex && same_names(&o->target_modules, c->target_modules,
                                                          c->n_target_modules)},
    };
    nf_str differing = {0};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (nf_train_options_given(o, options[i].name) && !options[i].same)
            nf_str_appendf(&differing, "%s%s", differing.length ? ", " : "", options[i].name);
    nerfit_status status = NERFIT_OK;
    if (differing.length)
        status =
            nf_fail(r->err, NERFIT_ARGUMENT,
                    "model_name is an adapter (%s), which is gone on with as it is: leave out %s, "
                    "or give a whole model (a run's best/) to begin another adapter on",
                    r->model_folder, nf_str_text(&differing));
    else
        nf_log_info(r->log, "goes on with the adapter %s: r %zu, alpha %g%s%s", r->model_folder,
                    c->r, c->lora_alpha, c->use_dora ? ", DoRA" : "",
                    c->use_rslora ? ", rsLoRA" : "");
    nf_str_free(&differing);
    return status;
}

/* What is trained: adapters and the head, or everything. */
nerfit_status nf_run_start_training(nf_run *r, int s, bool adapters) {
    const nf_train_options *o = r->options;
    set_precision(r, s);
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
    if (o->word_shape) NF_TRY(nf_word_shape_add(r->model, r->err));
    if (!o->peft_lora) nf_model_train_encoder(r->model, true);
    if (r->model->encoder.embedding.shapes) r->model->encoder.embedding.shapes->trained = true;
    if (r->model->gliner) nf_gliner_keep_frozen(r->model);
    NF_TRY(nf_network_start_training(&r->model->net, r->err));
    return nf_network_prepare(&r->model->net, true, r->err);
}

static const char FINISHED[] = "finished", STATE[] = "trainer_state.json";

/* What the head has learned beside what it was learned with. */
nerfit_status nf_run_save_head(nf_run *r, const char *folder) {
    const nf_head *learner = r->model->learner;
    const char *sentences = r->own_descriptions ? r->sentence_folder : NULL;
    if (!learner || !learner->kind->save) return NERFIT_OK;
    char *path = sentences ? realpath(sentences, NULL) : NULL;
    nerfit_status status = learner->kind->save(learner, folder, path, r->err);
    free(path);
    return status;
}

/* The values that stage 1 ends with: stage 2 starts from them, in this process or in one that
 * resumes. */
static nerfit_status save_stage1(nf_run *r) {
    const char *parent = nf_run_stage_folder(r, 0), *unfinished;
    if (!nf_run_writes(r)) return NERFIT_OK;
    NF_TRY(nf_run_begin_folder(r, parent, FINISHED, &unfinished));
    NF_TRY(nf_checkpoint_save_values(r->model, unfinished, false, r->err));
    if (r->model->adapter)
        NF_TRY(nf_adapter_save(r->model, unfinished, r->err));
    else
        NF_TRY(nf_model_save(r->model, unfinished, r->err));
    NF_TRY(nf_run_save_head(r, unfinished));
    const char *path = nf_path_join(&r->arena, unfinished, STATE);
    json_t *state = json_pack("{s:O, s:O}", "log_history", r->history, "run", r->identity);
    nerfit_status status =
        path && state ? nf_json_save(state, path, r->err) : nf_no_memory(r->err, 0);
    json_decref(state);
    NF_TRY(status);
    return nf_run_end_folder(r, unfinished, parent, FINISHED);
}

/* What the stage logged, for the run's own history. Earlier versions did not keep it. */
static nerfit_status load_stage1_history(nf_run *r, const char *finished) {
    const char *path = nf_path_join(&r->arena, finished, STATE);
    json_t *state;
    if (!path) return nf_no_memory(r->err, 0);
    if (!nf_file_exists(path)) return NERFIT_OK;
    NF_TRY(nf_json_load(&state, path, r->err));
    int failed = json_array_extend(r->history, json_object_get(state, "log_history"));
    json_decref(state);
    return failed ? nf_fail_at(r->err, NERFIT_FORMAT, path, 0, 0, "has no \"log_history\"")
                  : NERFIT_OK;
}

const char *nf_run_finished_stage1(nf_run *r) {
    const char *wanted = r->options->resume_from_checkpoint, *parent = nf_run_stage_folder(r, 0);
    if (!nf_run_resumes(r->options) || !parent) return NULL;
    if (strcmp(wanted, "true") != 0) {
        if (nf_run_checkpoint_of(r, 0)) return NULL;
        char *whole = realpath(wanted, NULL); /* RUN/stage2/checkpoint-N */
        const char *stage2 = whole ? nf_path_parent(&r->arena, whole) : NULL;
        const char *run = stage2 ? nf_path_parent(&r->arena, stage2) : NULL;
        parent = run ? nf_path_join(&r->arena, run, "stage1") : parent;
        free(whole);
    }
    const char *finished = parent ? nf_path_join(&r->arena, parent, FINISHED) : NULL;
    return finished && nf_directory_exists(finished) ? finished : NULL;
}

static nerfit_status take_stage1(nf_run *r, bool *taken) {
    const char *finished = nf_run_finished_stage1(r);
    *taken = finished != NULL;
    if (!finished) return NERFIT_OK;
    nf_log_info(r->log, "stage 1 is finished; its result is taken from %s", finished);
    NF_TRY(load_stage1_history(r, finished));
    return nf_checkpoint_load_values(r->model, finished, r->err);
}

/* The training of what the model has now. */
static nerfit_status new_task(nf_run *r, int stage, nf_task **task) {
    const nf_examples *validation =
        r->corpora[NF_SPLIT_VALIDATION] ? &r->examples[NF_SPLIT_VALIDATION] : NULL;
    return nf_task_new(task, r->model, &r->labels, &r->examples[NF_SPLIT_TRAIN], validation,
                       r->options->label_smoothing_factor[stage], r->err);
}

nerfit_status nf_run_contrastive(nf_run *r) {
    const nf_train_options *o = r->options;
    bool taken;
    NF_TRY(nf_model_add_projection(r->model, r->embeddings->size, (uint64_t)o->seed[0], r->err));
    NF_TRY(nf_run_start_training(r, 0, true));
    NF_TRY(take_stage1(r, &taken));
    if (!taken) {
        nf_task *task;
        NF_TRY(nf_contrastive_head_set_types(r->model->learner, r->embeddings->vectors,
                                             r->embeddings->count, r->err));
        NF_TRY(new_task(r, 0, &task));
        nerfit_status status = nf_run_stage(r, 0, task);
        task->free(task);
        NF_TRY(status);
        NF_TRY(save_stage1(r));
    }
    nf_model_remove_learner(r->model);
    return nf_network_end_training(&r->model->net, r->err);
}

nerfit_status nf_run_classification(nf_run *r, nf_task **task) {
    const nf_train_options *o = r->options;
    NF_TRY(nf_model_add_classifier(r->model, r->labels.labels, r->labels.n_labels,
                                   (uint64_t)o->seed[1], r->err));
    NF_TRY(nf_run_start_training(r, 1, true));
    NF_TRY(new_task(r, 1, task));
    return o->max_steps[1] != 0 ? nf_run_stage(r, 1, *task) : NERFIT_OK;
}

/* Stage 1: the description head without types of its own. */
static nerfit_status run_description_stage1(nf_run *r) {
    const nf_embeddings *e = r->embeddings;
    bool taken;
    nf_description_head *head = nf_description_head_of(r->model->learner);
    NF_TRY(nf_type_columns_make(&head->own, r->be, e->vectors, e->count, e->size, r->err));
    NF_TRY(nf_run_start_training(r, 0, true));
    NF_TRY(take_stage1(r, &taken));
    if (!taken) {
        nf_task *task;
        NF_TRY(new_task(r, 0, &task));
        nerfit_status status = nf_run_stage(r, 0, task);
        task->free(task);
        NF_TRY(status);
        NF_TRY(save_stage1(r));
    }
    return nf_network_end_training(&r->model->net, r->err);
}

/* What pre-training left of the head. Its projection is of the sentence encoder that it was trained
 * with: other vectors, as far as one can tell, need another. */
nerfit_status nf_run_load_head(nf_run *r) {
    const nf_pretrained *p = &r->pretrained;
    const char *theirs = p->builtin ? r->model_folder : p->sentence_encoder;
    if (!p->head) return NERFIT_OK;
    bool projected =
        !r->own_descriptions || !theirs || nf_run_same_encoder(r, r->sentence_folder, theirs);
    NF_TRY(r->model->learner->kind->load(r->model->learner, p->head, &projected, r->err));
    if (r->embeddings && !projected)
        nf_log_warning(r->log,
                       "%s: pre-trained with another sentence encoder than ent2emb's; a new "
                       "projection is learned",
                       p->name);
    return NERFIT_OK;
}

/* With an adapter to train, a changed encoder must be in a folder that the adapter can name. */
nerfit_status nf_run_keep_base(nf_run *r) {
    const char *base = nf_path_join(&r->arena, r->options->output_dir, "base");
    if (!base) return nf_no_memory(r->err, 0);
    nf_log_info(r->log, "the adapter's base model, with what pre-training left merged, is in %s",
                base);
    nf_model_remove_classifier(r->model);
    const char *output = r->options->output_dir, *unfinished;
    r->model->folder = base;
    if (!nf_run_writes(r)) return NERFIT_OK;
    NF_TRY(nf_run_begin_folder(r, output, "base", &unfinished));
    NF_TRY(nf_model_save(r->model, unfinished, r->err));
    NF_TRY(nf_run_end_folder(r, unfinished, output, "base"));
    return NERFIT_OK;
}

/* The best path names an entity wherever that is likelier than any other reading, even at a
 * probability of 0.2; and a sample of k mentions a type has no text without an entity, so that
 * models find too much. With next to nothing learned, probabilities are low all over. */
double nf_run_least_probability(nf_run *r) {
    const nf_train_options *o = r->options;
    bool given = nf_train_options_given(o, "least_probability");
    bool few = r->corpora[NF_SPLIT_TRAIN]->n_spans < 3 * r->labels.n_types;
    return !given && few && !r->pretrained.head ? 0.35 : o->least_probability;
}

/* Both stages; stage 2 goes on with stage 1's encoder, projection and shared vectors. */
nerfit_status nf_run_description(nf_run *r, nf_task **task) {
    const nf_train_options *o = r->options;
    const nf_embeddings *e = r->embeddings;
    bool identity = r->same_space && e && e->size == r->model->encoder.hidden;
    nf_model_remove_classifier(r->model);
    if (r->model->adapter && !o->peft_lora) NF_TRY(nf_adapter_merge(r->model, r->err));
    NF_TRY(nf_model_add_description_head(r->model, e ? e->size : 0, identity, (uint64_t)o->seed[0],
                                         r->err));
    NF_TRY(nf_run_load_head(r));
    r->model->decoding.least = nf_run_least_probability(r);
    if (o->max_steps[0] != 0) NF_TRY(run_description_stage1(r));
    NF_TRY(nf_model_add_types(r->model, r->labels.labels, r->labels.n_types, e ? e->vectors : NULL,
                              (uint64_t)o->seed[1], r->err));
    NF_TRY(nf_run_start_training(r, 1, true));
    NF_TRY(new_task(r, 1, task));
    return o->max_steps[1] != 0 ? nf_run_stage(r, 1, *task) : NERFIT_OK;
}
