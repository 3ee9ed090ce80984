#include "recipe/train.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "model/adapter.h"
#include "eval/report.h"
#include "report/card.h"
#include "recipe/defaults.h"
#include "recipe/fingerprint.h"
#include "recipe/pretraining.h"
#include "recipe/review.h"
#include "recipe/run.h"
#include "tensor/backends.h"

nerfit_status nf_train_backend(const nf_train_options *o, nf_backend **out, nerfit_error *err) {
    const nf_backend_kind *kind = o->backend ? nf_backend_kind_at((size_t)o->backend - 1) : NULL;
    const nf_backend_options options = {(nf_precision)o->precision, (int)o->threads};
    return nf_backend_create(out, kind ? kind->name : NULL, &options, err);
}

/* Scores the final model on the test data, or the validation data. */
static nerfit_status final_report(nf_run *r, nf_task *task, nf_train_result *result) {
    int split = r->corpora[NF_SPLIT_TEST] ? NF_SPLIT_TEST : NF_SPLIT_VALIDATION;
    if (!r->corpora[split]) return NERFIT_OK;
    nf_stage stage = {.number = 2, .task = task, .ws = r->ws, .log = r->log};
    stage.options = nf_run_stage_options(r->options, 1, true);
    task->validation = &r->examples[split];
    json_t *metrics;
    NF_TRY(nf_stage_evaluate(&stage, &metrics, r->err));
    json_decref(metrics);
    result->report_of = split == NF_SPLIT_TEST ? "test" : "validation";
    nf_str text = {0};
    nf_report_text(nf_task_last_report(task), &text);
    result->report = nf_report_json(nf_task_last_report(task));
    result->report_text = text.data;
    return result->report && !text.failed ? NERFIT_OK : nf_no_memory(r->err, 0);
}

static nerfit_status write_card(nf_run *r, const char *folder, const nf_train_result *result) {
    const nf_train_options *o = r->options;
    static const char *const recipes[] = {"original", "nerfit", "gliner"};
    bool words = o->recipe != NF_RECIPE_ORIGINAL;
    const nf_model_card card = {.trained = !o->peft_lora ? "in full"
                                           : o->use_dora ? "with DoRA adapters"
                                                         : "with LoRA adapters",
                                .recipe = recipes[o->recipe],
                                .units = words ? "words" : "sub-words",
                                .steps = {o->max_steps[0], o->max_steps[1]},
                                .rates = {o->learning_rate[0], o->learning_rate[1]},
                                .labels = &r->labels,
                                .report = result->report,
                                .report_of = result->report_of};
    return nf_model_card_write(&card, folder, r->err);
}

static nerfit_status save_model(nf_run *r, nf_train_result *result) {
    const char *output = r->options->output_dir;
    const char *best = nf_path_join(&r->arena, output, "best"), *unfinished;
    if (!best || !(result->model_folder = strdup(best))) return nf_no_memory(r->err, 0);
    nf_workspace_free(r->ws); /* its memory is better used for saving */
    r->ws = NULL;
    NF_TRY(nf_model_fold(r->model, r->err));
    NF_TRY(nf_network_end_training(&r->model->net, r->err));
    nf_model_remove_learner(r->model);
    /* merging takes it away; in a folder of another kind than transformers' it has no place of its own */
    r->has_adapter = r->model->adapter && !r->model->kind;
    if (r->model->adapter && r->model->kind) NF_TRY(nf_adapter_merge(r->model, r->err));
    if (r->has_adapter) {
        NF_TRY(nf_run_begin_folder(r, output, "adapter", &unfinished));
        NF_TRY(nf_adapter_save(r->model, unfinished, r->err));
        NF_TRY(nf_run_end_folder(r, unfinished, output, "adapter"));
        NF_TRY(nf_adapter_merge(r->model, r->err));
    }
    NF_TRY(nf_run_begin_folder(r, output, "best", &unfinished));
    NF_TRY(nf_model_save(r->model, unfinished, r->err));
    if (r->model->encoder.embedding.shapes)
        nf_log_info(
            r->log,
            "the model's table of word shapes is nerfit's own: transformers runs %s without it, "
            "with other results",
            best);
    NF_TRY(write_card(r, unfinished, result));
    NF_TRY(nf_run_end_folder(r, unfinished, output, "best"));
    return nf_run_save_finished(r, 1, false, result);
}

/* Unless it is there already, because it embedded the descriptions. */
static nerfit_status load_model(nf_run *r) {
    const nf_model_source source = {.folder = r->model_folder, .base = r->model_base};
    return r->model ? NERFIT_OK : nf_model_load_from(&r->model, &source, r->be, r->log, r->err);
}

/* Both stages, and the model that they make. */
static nerfit_status train_model(nf_run *r, nf_train_result *result) {
    const nf_train_options *o = r->options;
    nf_task *task = NULL;
    bool changed = false;
    if (o->recipe == NF_RECIPE_GLINER) NF_TRY(nf_run_start_gliner(r));
    NF_TRY(load_model(r));
    if (o->recipe == NF_RECIPE_NERFIT)
        NF_TRY(nf_pretrained_apply(&r->pretrained, r->model, &changed, r->err));
    NF_TRY(nf_run_check_adapter(r));
    NF_TRY(nf_run_make_examples(r));
    NF_TRY(nf_run_open_output(r));
    if (changed && o->peft_lora) NF_TRY(nf_run_keep_base(r));
    NF_TRY(nf_workspace_new(&r->ws, r->be, r->err));
    nerfit_status status = NERFIT_OK;
    if (o->recipe == NF_RECIPE_NERFIT) {
        status = nf_run_description(r, &task);
    } else if (o->recipe == NF_RECIPE_GLINER) {
        status = nf_run_prompted(r, &task);
    } else {
        if (o->max_steps[0] != 0) NF_TRY(nf_run_contrastive(r));
        status = nf_run_classification(r, &task);
    }
    if (status == NERFIT_OK && nf_run_writes(r)) status = final_report(r, task, result);
    if (task) task->free(task);
    NF_TRY(status);
    return nf_run_writes(r) ? save_model(r, result) : NERFIT_OK;
}

/* The model that is finished already; what follows computes with it as if the stages had just
 * ended. */
static nerfit_status take_model(nf_run *r, nf_train_result *result) {
    NF_TRY(nf_run_open_output(r));
    NF_TRY(nf_run_take_finished(r, result));
    return nf_run_save_finished(r, 1, false, result);
}

/* As transformers writes it: of the last stage, with the log of both. */
static json_t *trainer_state(nf_run *r) {
    json_t *state = r->best ? json_copy(r->best) : json_object();
    if (json_object_set(state, "log_history", r->history) == 0) return state;
    json_decref(state);
    return NULL;
}

/* Of what the options name by path, or not at all. */
static nerfit_status take_fingerprint(nf_run *r) {
    r->fingerprint = NF_HASH_START;
    for (int i = 0; i < NF_SPLITS; i++) {
        const char split = (char)i;
        r->fingerprint = nf_fingerprint_bytes(r->fingerprint, &split, 1);
        if (r->corpora[i]) NF_TRY(nf_fingerprint_corpus(&r->fingerprint, r->corpora[i], r->err));
    }
    if (r->unlabelled.n_documents)
        NF_TRY(nf_fingerprint_corpus(&r->fingerprint, &r->unlabelled, r->err));
    NF_TRY(nf_annotated_sets_fingerprint(&r->others, &r->fingerprint, r->err));
    NF_TRY(nf_fingerprint_models(&r->fingerprint, r->options, r->err));
    return nf_fingerprint_descriptions(&r->fingerprint, r->data, r->options->ent2emb, r->err);
}

static nerfit_status train(nf_run *r, nf_train_result *result) {
    NF_TRY(nf_train_options_check_needed(r->options, r->err));
    NF_TRY(nf_run_read_corpora(r));
    NF_TRY(nf_run_read_types(r));
    nf_train_options chosen = *r->options; /* borrowed, but for the recipe */
    NF_TRY(nf_run_choose_recipe(r, &chosen));
    r->options = &chosen;
    NF_TRY(nf_run_read_unlabelled(r));
    NF_TRY(nf_run_read_rehearsed(r));
    const nf_train_size size = {r->corpora[NF_SPLIT_TRAIN]->n_documents + r->unlabelled.n_documents,
                                r->corpora[NF_SPLIT_VALIDATION] != NULL};
    r->is_short = nf_train_is_short(r->options, &size);
    NF_TRY(nf_train_defaults(&r->own_options, r->options, &size, r->log, r->err));
    NF_TRY(nf_run_keep_label_text(r));
    const nf_train_options *o = r->options = &r->own_options;
    NF_TRY(nf_train_options_check(o, size.has_validation, r->log, r->err));
    nf_train_options_tell_unused(o, r->as_given, size.has_validation, r->log);
    if (o->max_steps[0] == 0 && o->max_steps[1] == 0)
        nf_log_warning(r->log, "max_steps is 0 for both stages: nothing is trained");
    NF_TRY(nf_review_check(o, r->corpora[NF_SPLIT_TRAIN], r->corpora[NF_SPLIT_VALIDATION], r->err));
    NF_TRY(take_fingerprint(r));
    NF_TRY(nf_run_find_finished(r, 1));
    if (r->done) return nf_run_take_finished(r, result);
    NF_TRY(nf_train_backend(o, &r->be, r->err));
    NF_TRY(nf_run_find_models(r));
    NF_TRY(nf_run_make_labels(r));
    if (!r->finished) NF_TRY(nf_run_self_training(r));
    NF_TRY(r->finished ? take_model(r, result) : train_model(r, result));
    if (!nf_run_writes(r)) return NERFIT_OK;
    NF_TRY(nf_run_review(r, result));
    NF_TRY(nf_run_save_record(r, "trainer_state.json", trainer_state(r)));
    return nf_run_save_finished(r, 1, true, result);
}

/* The encoder (or an adapter of it) with the head's shared part, in a folder that model_name
 * takes. */
static nerfit_status save_pretrained(nf_run *r, nf_train_result *result) {
    const char *output = r->options->output_dir, *unfinished;
    const char *best = nf_path_join(&r->arena, output, "best");
    if (!best || !(result->model_folder = strdup(best))) return nf_no_memory(r->err, 0);
    NF_TRY(nf_network_end_training(&r->model->net, r->err));
    if (r->model->adapter && r->model->kind) NF_TRY(nf_adapter_merge(r->model, r->err));
    NF_TRY(nf_run_begin_folder(r, output, "best", &unfinished));
    if (r->model->adapter)
        NF_TRY(nf_adapter_save(r->model, unfinished, r->err));
    else
        NF_TRY(nf_model_save(r->model, unfinished, r->err));
    NF_TRY(nf_run_save_head(r, unfinished));
    return nf_run_end_folder(r, unfinished, output, "best");
}

static nerfit_status end_pretraining(nf_run *r, nf_train_result *result) {
    if (!nf_run_writes(r)) return NERFIT_OK;
    NF_TRY(save_pretrained(r, result));
    NF_TRY(nf_run_save_record(r, "trainer_state.json", trainer_state(r)));
    return nf_run_save_finished(r, 0, true, result);
}

static nerfit_status pretrain_with(nf_run *r, nf_pretraining *p, nf_train_result *result) {
    const nf_train_options *o = r->options;
    size_t size;
    NF_TRY(nf_run_find_models(r));
    NF_TRY(nf_run_need_sentence_encoder(r));
    const char *sentences = r->sentence_folder;
    if (!sentences)
        return nf_fail(
            r->err, NERFIT_ARGUMENT,
            "pre-training takes a sentence encoder for the descriptions: give its folder in "
            "st_model_name");
    NF_TRY(nf_pretraining_embed(p, sentences, r->be, r->log, &size, r->err));
    NF_TRY(nf_model_load_from(&r->model,
                              &(nf_model_source){.folder = r->model_folder, .base = r->model_base},
                              r->be, r->log, r->err));
    bool changed;
    NF_TRY(nf_pretrained_apply(&r->pretrained, r->model, &changed, r->err));
    size_t limit;
    NF_TRY(nf_run_length_limit(r, &limit));
    NF_TRY(nf_pretraining_encode(p, r->model, limit, r->log, r->err));
    NF_TRY(nf_run_open_output(r));
    if (changed && o->peft_lora) NF_TRY(nf_run_keep_base(r));
    NF_TRY(nf_workspace_new(&r->ws, r->be, r->err));
    nf_model_remove_classifier(r->model);
    if (r->model->adapter && !o->peft_lora) NF_TRY(nf_adapter_merge(r->model, r->err));
    bool identity =
        size == r->model->encoder.hidden && nf_run_same_encoder(r, sentences, r->model_folder);
    NF_TRY(nf_model_add_description_head(r->model, size, identity, (uint64_t)o->seed[0], r->err));
    r->own_descriptions = true;
    NF_TRY(nf_run_load_head(r));
    NF_TRY(nf_run_start_training(r, 0, true));
    nf_task *task;
    NF_TRY(nf_task_pretraining(&task, p, r->model, o->label_smoothing_factor[0], r->err));
    nerfit_status status = nf_run_stage(r, 0, task);
    task->free(task);
    NF_TRY(status);
    return end_pretraining(r, result);
}

static nerfit_status pretrain(nf_run *r, nf_train_result *result) {
    nf_pretraining *p;
    NF_TRY(nf_train_options_check_needed(r->options, r->err));
    nf_train_options chosen = *r->options; /* borrowed, but for the recipe */
    NF_TRY(nf_run_choose_recipe(r, &chosen));
    r->options = &chosen;
    NF_TRY(nf_pretraining_defaults(&r->own_options, r->options, r->log, r->err));
    r->options = &r->own_options;
    NF_TRY(nf_train_options_check(r->options, false, r->log, r->err));
    NF_TRY(nf_train_backend(r->options, &r->be, r->err));
    if (r->options->recipe == NF_RECIPE_GLINER) {
        NF_TRY(nf_run_pretrain_prompted(r, result));
        return r->done ? NERFIT_OK : end_pretraining(r, result);
    }
    NF_TRY(nf_pretraining_read(&p, r->options, r->log, r->err));
    nerfit_status status = nf_pretraining_fingerprint(p, &r->fingerprint, r->err);
    if (status == NERFIT_OK) status = nf_fingerprint_models(&r->fingerprint, r->options, r->err);
    if (status == NERFIT_OK) status = nf_run_find_finished(r, 0);
    r->done = r->finished != NULL; /* nothing follows the stage */
    if (status == NERFIT_OK)
        status = r->done ? nf_run_take_finished(r, result) : pretrain_with(r, p, result);
    nf_pretraining_free(p);
    return status;
}

static nerfit_status run_all(nerfit_status (*work)(nf_run *r, nf_train_result *result),
                             const nf_train_options *options, const nf_train_data *data,
                             const nf_log *log, nf_stage_observer observer, void *user,
                             nf_train_result *result, nerfit_error *err) {
    static const nf_train_data none = {0};
    double began = nf_clock_now();
    *result = (nf_train_result){0};
    nf_run r = {.options = options,
                .as_given = options,
                .lock = -1,
                .data = data ? data : &none,
                .log = log,
                .observer = observer,
                .user = user,
                .err = err,
                .train = nf_train_run};
    r.history = json_array();
    nerfit_status status = r.history ? work(&r, result) : nf_no_memory(err, 0);
    if (r.metrics) fclose(r.metrics);
    json_decref(r.history);
    json_decref(r.finished);
    json_decref(r.identity);
    nf_directory_unlock(r.lock);
    json_decref(r.best);
    nf_workspace_free(r.ws);
    nf_model_free(r.model);
    for (int i = 0; i < NF_SPLITS; i++) {
        nf_examples_free(&r.examples[i]);
        nf_corpus_free(&r.own[i]);
    }
    nf_corpus_free(&r.weighed);
    nf_corpus_free(&r.unlabelled);
    nf_corpus_free(&r.taught);
    nf_label_set_free(&r.labels);
    nf_prompter_free(r.prompter);
    nf_examples_free(&r.of_others);
    nf_annotated_sets_free(&r.others);
    nf_embeddings_free(&r.own_embeddings);
    nf_descriptions_free(&r.read_descriptions);
    nf_pretrained_free(&r.pretrained);
    nf_train_options_free(&r.own_options);
    if (r.be) r.be->free(r.be);
    nf_arena_free(&r.arena);
    result->seconds = nf_clock_now() - began;
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
