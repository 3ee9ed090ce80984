/* What no single option shows. */
#include <string.h>

#include "recipe/options_table.h"

static nerfit_status check_stage(const nf_train_options *o, int s, bool has_validation,
                                 nerfit_error *err) {
    if (o->max_steps[s] < 0 && o->num_train_epochs[s] <= 0)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "stage %d: max_steps is -1 and num_train_epochs is 0: nothing to do", s + 1);
    if (o->max_steps[s] == 0 || !o->load_best_model_at_end[s]) return NERFIT_OK;
    if (!has_validation) return NERFIT_OK; /* the last model is taken; the run says so */
    if (o->eval_strategy[s] == NF_CHOICE_NO) {
        if (!nf_train_options_given(o, "load_best_model_at_end")) return NERFIT_OK;
        return nf_fail(err, NERFIT_ARGUMENT,
                       "stage %d: load_best_model_at_end needs evaluations to choose by, and "
                       "eval_strategy is \"no\"; give eval_strategy, or load_best_model_at_end: "
                       "false",
                       s + 1);
    }
    if (o->save_strategy[s] != o->eval_strategy[s])
        return nf_fail(err, NERFIT_ARGUMENT,
                       "stage %d: load_best_model_at_end needs save_strategy and eval_strategy to "
                       "be the same",
                       s + 1);
    if (o->eval_strategy[s] == NF_CHOICE_STEPS && o->save_steps[s] % o->eval_steps[s] != 0)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "stage %d: load_best_model_at_end needs save_steps (%lld) to be a multiple "
                       "of eval_steps (%lld)",
                       s + 1, (long long)o->save_steps[s], (long long)o->eval_steps[s]);
    return NERFIT_OK;
}

nerfit_status nf_train_options_check_needed(const nf_train_options *o, nerfit_error *err) {
    const struct {
        const char *name, *value;
    } needed[] = {{"model_name", o->model_name}, {"output_dir", o->output_dir}};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!needed[i].value) return nf_fail(err, NERFIT_ARGUMENT, "%s is missing", needed[i].name);
    return NERFIT_OK;
}

void nf_train_options_tell_unused(const nf_train_options *o, const nf_train_options *given,
                                  bool has_validation, const nf_log *log) {
    bool gliner = o->recipe == NF_RECIPE_GLINER, evaluates = false, saves = false, epochs = false;
    bool eval_steps = false, save_steps = false, ratio = false;
    for (int s = 0; s < 2; s++) {
        if (o->max_steps[s] == 0) continue;
        evaluates |= has_validation && o->eval_strategy[s] != NF_CHOICE_NO;
        eval_steps |= has_validation && o->eval_strategy[s] == NF_CHOICE_STEPS;
        saves |= o->save_strategy[s] != NF_CHOICE_NO;
        save_steps |= o->save_strategy[s] == NF_CHOICE_STEPS;
        epochs |= o->max_steps[s] < 0;
        ratio |= o->warmup_steps[s] == 0;
    }
    const struct {
        bool has;
        const char *takes, *names[9];
    } rows[] = {
        {o->peft_lora,
         "peft_lora: true",
         {"lora_r", "lora_alpha", "lora_dropout", "use_dora", "use_rslora", "target_modules",
          "modules_to_save"}},
        {gliner,
         "the recipe gliner",
         {"focal_loss_alpha", "focal_loss_gamma", "focal_loss_prob_margin", "loss_reduction",
          "negatives", "masking", "freeze_components", "characters"}},
        {gliner,
         "the recipe gliner",
         {"rehearsal_annotations", "labels_encoder", "span_mode", "hidden_size", "max_width"}},
        {o->rehearsal_annotations.count > 0, "rehearsal_annotations", {"rehearsal"}},
        {evaluates,
         "evaluations: val_annotations and an eval_strategy",
         {"metric_for_best_model", "greater_is_better", "early_stopping_patience",
          "early_stopping_threshold"}},
        {eval_steps, "val_annotations and eval_strategy: steps", {"eval_steps"}},
        {save_steps, "save_strategy: steps", {"save_steps"}},
        {saves, "a save_strategy", {"save_total_limit"}},
        {epochs, "max_steps: -1", {"num_train_epochs"}},
        {ratio, "warmup_steps: 0", {"warmup_ratio"}},
        {o->calibration == NF_CALIBRATION_CROSS_VALIDATION,
         "calibration: cross-validation",
         {"calibration_folds"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (const char *const *name = rows[i].names; !rows[i].has && *name; name++)
            if (nf_train_options_given(given, *name))
                nf_log_warning(log, "%s has no effect here: it takes %s", *name, rows[i].takes);
}

nerfit_status nf_train_options_check(const nf_train_options *o, bool has_validation,
                                     const nf_log *log, nerfit_error *err) {
    NF_TRY(nf_train_options_check_needed(o, err));
    if (o->peft_lora && o->inference_mode)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "inference_mode: true freezes the adapter; expected false for training");
    for (int s = 0; s < 2; s++) NF_TRY(check_stage(o, s, has_validation, err));
    if (o->label_smoothing_factor[0] > 0 &&
        o->label_smoothing_factor[1] != o->label_smoothing_factor[0])
        nf_log_warning(log, "label_smoothing_factor has no effect in stage 1");
    for (size_t i = 0; i < nf_n_options; i++)
        if (nf_options[i].no_effect && nf_train_options_given(o, nf_options[i].name))
            nf_log_warning(log, "%s has no effect", nf_options[i].name);
    return NERFIT_OK;
}
