/* The recipe gliner: a model that reads labels in its prompt, or by an encoder of their own, is trained on
 * further texts, by the same loss that it was made with, and saved as what it was. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "model/gliner.h"
#include "recipe/fingerprint.h"
#include "recipe/run.h"

nerfit_status nf_run_choose_recipe(nf_run *r, nf_train_options *options) {
    const nf_train_services *s = r->data->services;
    static const char *const of_making[] = {"labels_encoder", "span_mode", "hidden_size",
                                            "max_width"};
    const char *folder = options->model_name, *base;
    if (!nf_directory_exists(folder) && s && !nf_train_options_given(options, "recipe"))
        NF_TRY(s->find_model(s->user, &r->arena, folder, false, &folder, &base, r->err));
    const nf_model_kind *kind = nf_model_kind_of(folder);
    bool prompted = nf_model_reads_labels(kind), given = nf_train_options_given(options, "recipe");
    if (prompted && !given) {
        nf_log_info(r->log, "%s is a GLiNER model: recipe gliner", folder);
        options->recipe = NF_RECIPE_GLINER;
    }
    if (prompted && options->recipe != NF_RECIPE_GLINER)
        return nf_fail_at(r->err, NERFIT_ARGUMENT, folder, 0, 0,
                          "is a GLiNER model, which the recipe gliner trains; leave out recipe");
    for (size_t i = 0; i < NF_COUNT(of_making) && prompted; i++)
        if (nf_train_options_given(options, of_making[i]))
            nf_log_warning(r->log, "%s has no effect: %s is a GLiNER model already", of_making[i],
                           folder);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- labels */

static nerfit_status keep_prompts(nf_run *r, const nf_descriptions *d) {
    size_t n = r->labels.n_types;
    r->prompts = nf_arena_calloc(&r->arena, n + 1, sizeof *r->prompts);
    if (!r->prompts) return nf_no_memory(r->err, n * sizeof *r->prompts);
    for (size_t i = 0; i < n; i++) {
        r->prompts[i] = nf_arena_strdup(&r->arena, d ? d->texts[i] : r->labels.types[i]);
        if (!r->prompts[i]) return nf_no_memory(r->err, 0);
    }
    return NERFIT_OK;
}

nerfit_status nf_run_prompt_labels(nf_run *r) {
    const nf_train_options *o = r->options;
    const nf_descriptions *d = r->descriptions;
    if (r->data->embeddings || nf_embeddings_is_file(o->ent2emb))
        return nf_fail(
            r->err, NERFIT_ARGUMENT,
            "ent2emb: the recipe gliner reads labels as texts: their names, or a JSON or "
            "YAML file of label: description; not embeddings");
    NF_TRY(d ? nf_label_set_make(&r->labels, d->labels, d->count, r->err)
             : nf_run_labels_of_corpora(r));
    return keep_prompts(r, d);
}

static nerfit_status check_trainable(nf_run *r) {
    const nf_gliner *g = r->model->gliner;
    const char *path = g->config.path;
    if (g->config.relations)
        return nf_fail_at(r->err, NERFIT_UNSUPPORTED, path, 0, 0,
                          "\"relations_layer\": models of relations are not trained");
    if (g->precomputed)
        return nf_fail_at(
            r->err, NERFIT_UNSUPPORTED, path, 0, 0,
            "\"precomputed_prompts_mode\": a model whose labels are in its weights is "
            "not trained; train the one that it was made of");
    return NERFIT_OK;
}

/* The prompter without label sets; what is not trained is known before they are added. */
static nerfit_status begin_prompter(nf_run *r) {
    const nf_names *frozen = &r->options->freeze_components;
    NF_TRY(check_trainable(r));
    for (size_t i = 0; i < frozen->count; i++)
        NF_TRY(nf_gliner_freeze(r->model, frozen->items[i], r->err));
    r->model->gliner->characters |= r->options->characters;
    return nf_prompter_new(&r->prompter, r->model, (size_t)r->options->max_length, r->err);
}

/* A type of the user's own is called as it will be in use. */
static nerfit_status add_own_labels(nf_run *r) {
    size_t n = r->labels.n_types;
    nf_called *called = nf_arena_calloc(&r->arena, n + 1, sizeof *called);
    if (!called) return nf_no_memory(r->err, n * sizeof *called);
    for (size_t i = 0; i < n; i++) called[i] = (nf_called){.texts = &r->prompts[i], .n_names = 1};
    return nf_prompter_add(r->prompter, &r->labels, called, true, r->err);
}

/* A label set of r->others, with all that its types are called. */
static nerfit_status add_other(nf_run *r, const nf_annotated_set *set, size_t index) {
    size_t n = set->labels.n_types;
    nf_called *called = nf_arena_calloc(&r->arena, n + 1, sizeof *called);
    if (!called) return nf_no_memory(r->err, n * sizeof *called);
    for (size_t i = 0; i < n; i++) {
        nf_type_texts texts;
        NF_TRY(
            nf_type_texts_of(&texts, &r->arena, &set->descriptions, set->labels.types[i], r->err));
        called[i] =
            (nf_called){texts.texts, texts.n_names, texts.n_descriptions, texts.n_descriptions > 0};
    }
    nerfit_status status = nf_prompter_add(r->prompter, &set->labels, called, false, r->err);
    if (status == NERFIT_OK)
        status = nf_prompted_examples_make(&r->of_others, r->prompter, index, &set->corpus, r->log,
                                           r->err);
    return status == NERFIT_OK ? NERFIT_OK : nf_fail_within(r->err, status, "%s", set->path);
}

static nerfit_status add_others(nf_run *r, size_t first) {
    size_t texts = 0, spans = 0, types = 0;
    for (size_t i = 0; i < r->others.count; i++) {
        const nf_annotated_set *set = &r->others.items[i];
        NF_TRY(add_other(r, set, first + i));
        texts += set->corpus.n_documents;
        spans += set->corpus.n_spans;
        types += set->labels.n_types;
    }
    nf_prompted_examples_tell(&r->of_others, r->log);
    if (r->others.count)
        nf_log_info(r->log, "%zu label sets: %zu texts, %zu entities of %zu types", r->others.count,
                    texts, spans, types);
    return NERFIT_OK;
}

nerfit_status nf_run_make_prompter(nf_run *r) {
    NF_TRY(begin_prompter(r));
    NF_TRY(add_own_labels(r));
    return add_others(r, 1);
}

nerfit_status nf_run_read_rehearsed(nf_run *r) {
    const nf_train_options *o = r->options;
    const nf_sets_named named = {"rehearsal_annotations", &o->rehearsal_annotations, NULL, NULL};
    if (o->recipe != NF_RECIPE_GLINER || o->rehearsal_annotations.count == 0) return NERFIT_OK;
    return nf_annotated_sets_read(&r->others, o, &named, r->log, r->err);
}

/* ---------------------------------------------------------------- training */

static nf_gliner_loss loss_of(const nf_train_options *o, int stage) {
    return (nf_gliner_loss){.alpha = o->focal_loss_alpha,
                            .gamma = o->focal_loss_gamma,
                            .margin = o->focal_loss_prob_margin,
                            .smoothing = o->label_smoothing_factor[stage],
                            .negatives = o->negatives,
                            .masking = (nf_gliner_masking)o->masking,
                            .mean = o->loss_reduction == NF_LOSS_MEAN};
}

static nerfit_status start(nf_run *r, int stage) {
    *nf_gliner_head_loss(r->model->head) = loss_of(r->options, stage);
    nf_head_train(r->model->head, true);
    return nf_run_start_training(r, stage, true);
}

nerfit_status nf_run_prompted(nf_run *r, nf_task **task) {
    const nf_train_options *o = r->options;
    NF_TRY(r->model->kind->set_labels(r->model, r->labels.types, (const char *const *)r->prompts,
                                      r->labels.n_types, r->err));
    NF_TRY(start(r, 1));
    NF_TRY(nf_task_new(task, r->model, &r->labels, &r->examples[NF_SPLIT_TRAIN],
                       r->corpora[NF_SPLIT_VALIDATION] ? &r->examples[NF_SPLIT_VALIDATION] : NULL,
                       o->label_smoothing_factor[1], r->err));
    NF_TRY(nf_prompter_serve(r->prompter, *task, r->of_others.count ? &r->of_others : NULL,
                             o->rehearsal, r->err));
    return o->max_steps[1] != 0 ? nf_run_stage(r, 1, *task) : NERFIT_OK;
}

/* ---------------------------------------------------------------- pre-training */

static nerfit_status pretrain_stage(nf_run *r) {
    nf_task *task;
    NF_TRY(start(r, 0));
    NF_TRY(nf_task_new(&task, r->model, NULL, &r->of_others, NULL,
                       r->options->label_smoothing_factor[0], r->err));
    nerfit_status status = nf_prompter_serve(r->prompter, task, NULL, 0.0, r->err);
    if (status == NERFIT_OK) status = nf_run_stage(r, 0, task);
    task->free(task);
    return status;
}

static nerfit_status pretrain_model(nf_run *r) {
    NF_TRY(nf_run_find_models(r));
    NF_TRY(nf_run_start_gliner(r));
    const nf_model_source source = {.folder = r->model_folder, .base = r->model_base};
    NF_TRY(nf_model_load_from(&r->model, &source, r->be, r->log, r->err));
    NF_TRY(nf_run_check_adapter(r));
    NF_TRY(begin_prompter(r));
    NF_TRY(add_others(r, 0));
    NF_TRY(nf_run_open_output(r));
    NF_TRY(nf_workspace_new(&r->ws, r->be, r->err));
    return pretrain_stage(r);
}

nerfit_status nf_run_pretrain_prompted(nf_run *r, nf_train_result *result) {
    const nf_train_options *o = r->options;
    const nf_sets_named named = {"pretrain_annotations", &o->pretrain_annotations,
                                 "pretrain_ent2emb", &o->pretrain_ent2emb};
    NF_TRY(nf_annotated_sets_read(&r->others, o, &named, r->log, r->err));
    r->fingerprint = NF_HASH_START;
    NF_TRY(nf_annotated_sets_fingerprint(&r->others, &r->fingerprint, r->err));
    NF_TRY(nf_fingerprint_models(&r->fingerprint, o, r->err));
    NF_TRY(nf_run_find_finished(r, 0));
    r->done = r->finished != NULL;
    return r->done ? nf_run_take_finished(r, result) : pretrain_model(r);
}
