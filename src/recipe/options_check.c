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
