#include "recipe/defaults.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "recipe/few_steps.h"
#include "train/stage_state.h"

/* Up to here a run is counted in steps, above in epochs: at this size, 500 steps of 8 are 2.7. */
enum { FEW_TEXTS = 1500, EPOCHS = 3 };

typedef struct chooser {
    nf_train_options *out;
    const nf_train_options *given;
    const nf_train_size *size;
    const nf_log *log;
    nerfit_error *err;
} chooser;

static bool is_given(const chooser *c, const char *name) {
    return nf_train_options_given(c->given, name);
}

/* Sets an option that was not given, from text. */
static NERFIT_PRINTF(3, 4) nerfit_status
    choose(chooser *c, const char *name, const char *format, ...) {
    char text[96];
    va_list arguments;
    if (is_given(c, name)) return NERFIT_OK;
    va_start(arguments, format);
    nf_print_list(text, sizeof text, format, arguments);
    va_end(arguments);
    return nf_train_options_set(c->out, name, text, NULL, 0, c->err);
}

/* A GLiNER model knows how to find entities already: gliner's own rates for fine-tuning it. */
static nerfit_status choose_rates(chooser *c, bool few) {
    bool lora = c->given->peft_lora;
    if (c->given->recipe != NF_RECIPE_GLINER)
        return choose(c, "learning_rate", lora ? "1e-3" : few ? "1e-4" : "2e-4");
    NF_TRY(choose(c, "learning_rate", lora ? "2e-4" : "1e-5"));
    return choose(c, "head_learning_rate", "5e-5");
}

/* How many times as many texts are trained on for a part of each batch to be others' texts. */
static double texts_beside(const nf_train_options *o) {
    bool rehearses = o->recipe == NF_RECIPE_GLINER && o->rehearsal_annotations.count > 0;
    return rehearses ? 1.0 / (1.0 - o->rehearsal) : 1.0;
}

/* Steps, batch and learning rates. */
static nerfit_status choose_steps(chooser *c) {
    bool few = c->size->n_texts <= FEW_TEXTS;
    double beside = texts_beside(c->given);
    size_t steps = (size_t)ceil((double)nf_few_steps(c->size->n_texts) * beside);
    NF_TRY(choose(c, "per_device_train_batch_size", few ? "8" : "16"));
    NF_TRY(choose_rates(c, few));
    NF_TRY(choose(c, "lr_scheduler_type", "linear"));
    if (!is_given(c, "warmup_steps")) {
        NF_TRY(choose(c, "warmup_steps", "0"));
        NF_TRY(choose(c, "warmup_ratio", "0.1"));
    }
    if (is_given(c, "num_train_epochs")) return choose(c, "max_steps", "-1");
    if (few) return choose(c, "max_steps", "0,%zu", steps);
    NF_TRY(choose(c, "num_train_epochs", "%g", EPOCHS * beside));
    return choose(c, "max_steps", "0,-1");
}

/* Optimizer steps of stage 2. */
static int64_t steps_of(const chooser *c, int s) {
    const nf_train_options *o = c->out;
    if (o->max_steps[s] >= 0) return o->max_steps[s];
    return nf_stage_steps(nf_stage_steps_per_epoch(c->size->n_texts,
                                                   (size_t)o->per_device_train_batch_size[s],
                                                   (size_t)o->gradient_accumulation_steps[s]),
                          o->num_train_epochs[s]);
}

static int64_t share_of(int64_t steps, int64_t parts) {
    int64_t share = (steps + parts - 1) / parts;
    return share < 1 ? 1 : share;
}

/* Evaluations and checkpoints: with validation texts the best of five models of stage 2 is
 * taken. */
static nerfit_status choose_evaluations(chooser *c) {
    static const char *const names[] = {"no", "steps", "epoch"};
    nf_train_options *o = c->out;
    int64_t steps[] = {steps_of(c, 0), steps_of(c, 1)};
    NF_TRY(choose(c, "logging_steps", "%" PRId64 ",%" PRId64, share_of(steps[0], 20),
                  share_of(steps[1], 20)));
    NF_TRY(choose(c, "metric_for_best_model", "overall_f1"));
    NF_TRY(choose(c, "eval_steps", "%" PRId64 ",%" PRId64, share_of(steps[0], 5),
                  share_of(steps[1], 5)));
    bool saves = nf_train_options_given(c->given, "save_steps"); /* who says how often says that */
    if (!c->size->has_validation) {
        NF_TRY(choose(c, "save_strategy", saves ? "no,steps" : "no"));
        return choose(c, "load_best_model_at_end", "false");
    }
    /* stage 1's best model is taken only where that is asked for: it then needs checkpoints too */
    NF_TRY(choose(c, "save_strategy", "%s,%s",
                  names[o->load_best_model_at_end[0] ? o->eval_strategy[0] : NF_CHOICE_NO],
                  saves ? "steps" : names[o->eval_strategy[1]]));
    NF_TRY(choose(c, "save_steps", "%" PRId64 ",%" PRId64, o->eval_steps[0], o->eval_steps[1]));
    bool together =
        o->eval_strategy[1] != NF_CHOICE_NO && o->save_strategy[1] == o->eval_strategy[1] &&
        (o->eval_strategy[1] != NF_CHOICE_STEPS || o->save_steps[1] % o->eval_steps[1] == 0);
    return choose(c, "load_best_model_at_end", together ? "false,true" : "false");
}

static nerfit_status choose_adapter(chooser *c) {
    if (!c->given->peft_lora) return NERFIT_OK;
    NF_TRY(choose(c, "lora_r", "16"));
    NF_TRY(choose(c, "lora_alpha", "16"));
    return choose(c, "target_modules", "all-linear");
}

/* ---------------------------------------------------------------- what is said */

static void tell_steps(const chooser *c, int s) {
    const nf_train_options *o = c->out;
    char amount[64];
    if (o->max_steps[s] >= 0)
        snprintf(amount, sizeof amount, "%" PRId64 " steps", o->max_steps[s]);
    else
        nf_print(amount, sizeof amount, "%g epochs", o->num_train_epochs[s]);
    nf_log_info(c->log,
                "stage %d: %s of %" PRId64 " texts a batch, learning rates %g (encoder), %g "
                "(head), %g (projection), %g (decoder)%s",
                s + 1, amount, o->per_device_train_batch_size[s], o->learning_rate[s],
                o->head_learning_rate[s], o->projection_learning_rate[s],
                o->decoder_learning_rate[s],
                is_given(c, "max_steps") || is_given(c, "num_train_epochs") ? ""
                : c->size->n_texts <= FEW_TEXTS ? "; steps: " NF_FEW_STEPS_TEXT
                                                : "; above 1500 texts epochs count");
}

static void tell(const chooser *c) {
    const nf_train_options *o = c->out;
    bool gliner = c->given->recipe == NF_RECIPE_GLINER;
    nf_log_info(c->log, "recipe %s, %zu texts: what was not given follows from their number",
                gliner ? "gliner" : "nerfit", c->size->n_texts);
    if (gliner)
        nf_log_info(c->log, "labels are read from the prompt; stage 1 does not exist");
    else if (o->max_steps[0] == 0 && !is_given(c, "max_steps"))
        nf_log_info(c->log,
                    "stage 1: left out: stage 2 learns from the same texts and descriptions "
                    "(max_steps: [N, M] runs it)");
    else if (o->max_steps[0] != 0)
        tell_steps(c, 0);
    if (o->max_steps[1] != 0) tell_steps(c, 1);
    nf_log_info(c->log, "%s",
                !c->size->has_validation ? "no validation texts: the last model is taken"
                : o->load_best_model_at_end[1]
                    ? "validation texts: the best model by their score is taken"
                    : "the last model is taken");
}

nerfit_status nf_train_defaults(nf_train_options *out, const nf_train_options *given,
                                const nf_train_size *size, const nf_log *log, nerfit_error *err) {
    *out = *given;
    out->arena = (nf_arena){0};
    if (given->recipe == NF_RECIPE_ORIGINAL) return NERFIT_OK;
    chooser c = {out, given, size, log, err};
    nerfit_status status = choose_adapter(&c);
    if (status == NERFIT_OK) status = choose_steps(&c);
    if (status == NERFIT_OK) status = choose_evaluations(&c);
    if (status == NERFIT_OK)
        tell(&c);
    else
        nf_train_options_free(out);
    return status;
}

bool nf_train_is_short(const nf_train_options *given, const nf_train_size *size) {
    return given->recipe == NF_RECIPE_NERFIT && size->n_texts <= FEW_TEXTS &&
           !nf_train_options_given(given, "max_steps") &&
           !nf_train_options_given(given, "num_train_epochs");
}

nerfit_status nf_pretraining_defaults(nf_train_options *out, const nf_train_options *given,
                                      const nf_log *log, nerfit_error *err) {
    static const struct {
        const char *name, *text;
    } settings[] = {
        {"max_steps", "700"},
        {"per_device_train_batch_size", "16"},
        {"projection_learning_rate", "1e-3"},
        {"lr_scheduler_type", "linear"},
        {"warmup_steps", "0"},
        {"warmup_ratio", "0.1"},
        {"save_strategy", "no"},
        {"load_best_model_at_end", "false"},
        {"eval_strategy", "no"},
    };
    const nf_train_size size = {0};
    *out = *given;
    out->arena = (nf_arena){0};
    chooser c = {out, given, &size, log, err};
    nerfit_status status = choose_adapter(&c);
    bool gliner = given->recipe == NF_RECIPE_GLINER;
    if (status == NERFIT_OK)
        status = choose(&c, "learning_rate", given->peft_lora ? "1e-3" : gliner ? "5e-5" : "2e-4");
    if (status == NERFIT_OK && gliner) status = choose(&c, "head_learning_rate", "5e-4");
    if (status == NERFIT_OK && !gliner) status = choose(&c, "pretrained", "none");
    for (size_t i = 0; i < sizeof settings / sizeof *settings && status == NERFIT_OK; i++)
        status = choose(&c, settings[i].name, "%s", settings[i].text);
    if (status == NERFIT_OK)
        status = choose(&c, "logging_steps", "%" PRId64, share_of(out->max_steps[0], 20));
    if (status == NERFIT_OK)
        nf_log_info(log,
                    "pre-training: %" PRId64 " steps of %" PRId64 " texts, learning rates %g "
                    "(encoder%s), %g (head), %g (projection)",
                    out->max_steps[0], out->per_device_train_batch_size[0], out->learning_rate[0],
                    given->peft_lora ? "'s adapter" : "", out->head_learning_rate[0],
                    out->projection_learning_rate[0]);
    else
        nf_train_options_free(out);
    return status;
}
