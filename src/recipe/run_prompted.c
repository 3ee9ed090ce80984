/* The recipe gliner: a model that reads labels in its prompt, or by an encoder of their own, is trained on
 * further texts, by the same loss that it was made with, and saved as what it was. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "model/gliner.h"
#include "recipe/run.h"

nerfit_status nf_run_choose_recipe(nf_run *r, nf_train_options *options) {
    const nf_train_services *s = r->data->services;
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
    if (!prompted && given && options->recipe == NF_RECIPE_GLINER && nf_directory_exists(folder))
        return nf_fail_at(r->err, NERFIT_ARGUMENT, folder, 0, 0,
                          "is no GLiNER model (gliner_config.json), which recipe gliner takes");
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

nerfit_status nf_run_make_prompter(nf_run *r) {
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
    return nf_prompter_new(&r->prompter, r->model, &r->labels, r->prompts,
                           (size_t)r->options->max_length, r->err);
}

/* ---------------------------------------------------------------- training */

static nf_gliner_loss loss_of(const nf_train_options *o) {
    return (nf_gliner_loss){.alpha = o->focal_loss_alpha,
                            .gamma = o->focal_loss_gamma,
                            .margin = o->focal_loss_prob_margin,
                            .smoothing = o->label_smoothing_factor[1],
                            .negatives = o->negatives,
                            .masking = (nf_gliner_masking)o->masking,
                            .mean = o->loss_reduction == NF_LOSS_MEAN};
}

nerfit_status nf_run_prompted(nf_run *r, nf_task **task) {
    const nf_train_options *o = r->options;
    *nf_gliner_head_loss(r->model->head) = loss_of(o);
    nf_head_train(r->model->head, true);
    NF_TRY(r->model->kind->set_labels(r->model, r->labels.types, (const char *const *)r->prompts,
                                      r->labels.n_types, r->err));
    NF_TRY(nf_run_start_training(r, 1, true));
    NF_TRY(nf_task_new(task, r->model, &r->labels, &r->examples[NF_SPLIT_TRAIN],
                       r->corpora[NF_SPLIT_VALIDATION] ? &r->examples[NF_SPLIT_VALIDATION] : NULL,
                       o->label_smoothing_factor[1], r->err));
    nf_prompter_serve(r->prompter, *task);
    return o->max_steps[1] != 0 ? nf_run_stage(r, 1, *task) : NERFIT_OK;
}
