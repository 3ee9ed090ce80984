/* Every option of a training run, in one table: name, type, default, help, range, and whether it is
 * one value or a pair (stage 1, stage 2). The table drives the YAML config, the command line's
 * flags, --help and the man page. Names are those of transformers' TrainingArguments and of the
 * original package; defaults are the original's where it has one. The recipe nerfit has defaults of
 * its own, which take the place of those that were not given (defaults.h). */
#ifndef NF_RECIPE_OPTIONS_H
#define NF_RECIPE_OPTIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"

typedef struct nf_names {
    char **items;
    size_t count;
} nf_names;

/* Choices are indices into the table's list, in the order of these enums. */
enum { NF_RECIPE_ORIGINAL, NF_RECIPE_NERFIT, NF_RECIPE_GLINER };
enum { NF_LOSS_SUM, NF_LOSS_MEAN };
enum { NF_CHOICE_NO, NF_CHOICE_STEPS, NF_CHOICE_EPOCH };
enum { NF_CHOICE_AUTO, NF_CHOICE_TRUE, NF_CHOICE_FALSE };
enum {
    NF_CALIBRATION_AUTO,
    NF_CALIBRATION_OFF,
    NF_CALIBRATION_VALIDATION,
    NF_CALIBRATION_CROSS_VALIDATION
};

/* Texts are NULL when not given. Pairs are [0] stage 1, [1] stage 2. */
typedef struct nf_train_options {
    nf_arena arena;
    uint64_t given[2]; /* a bit for each row of the table: set by the user */
    /* data and models */
    char *model_name, *train_annotations, *val_annotations, *test_annotations;
    char *unlabelled_annotations;
    char *annotation_format, *overlap, *tagging, *offsets, *word_column, *label_column;
    nf_names source_weights; /* "source=weight" */
    char *ent2emb, *st_model_name, *llm, *output_dir;
    int64_t recipe;
    char *pretrained; /* NULL or "auto": the built-in one, if it is of this encoder; "none" */
    nf_names pretrain_annotations, pretrain_ent2emb;
    int64_t max_length;
    /* adapters */
    bool peft_lora;
    int64_t lora_r;
    double lora_alpha, lora_dropout;
    bool use_dora, use_rslora, inference_mode;
    nf_names target_modules, modules_to_save;
    /* stages */
    int64_t per_device_train_batch_size[2], per_device_eval_batch_size[2];
    double learning_rate[2], head_learning_rate[2], projection_learning_rate[2],
        decoder_learning_rate[2], weight_decay[2];
    int64_t lr_scheduler_type[2];
    double lr_num_cycles[2], lr_power[2], lr_end[2], lr_timescale[2];
    int64_t warmup_steps[2];
    double warmup_ratio[2];
    int64_t max_steps[2];
    double num_train_epochs[2];
    int64_t gradient_accumulation_steps[2];
    double max_grad_norm[2];
    int64_t seed[2];
    double adam_beta1[2], adam_beta2[2], adam_epsilon[2];
    double label_smoothing_factor[2];
    bool bf16[2], fp16[2];
    int64_t eval_strategy[2], logging_strategy[2], save_strategy[2];
    int64_t eval_steps[2], logging_steps[2], save_steps[2], save_total_limit[2];
    bool load_best_model_at_end[2];
    char *metric_for_best_model[2];
    int64_t greater_is_better[2];
    int64_t early_stopping_patience[2];
    double early_stopping_threshold[2];
    int64_t dataloader_num_workers[2];
    int64_t calibration, calibration_folds;
    double least_probability;
    int64_t label_text; /* nf_label_text */
    /* the recipe gliner's loss, by gliner's names; masking: nf_gliner_masking */
    double focal_loss_alpha, focal_loss_gamma, focal_loss_prob_margin, negatives;
    int64_t loss_reduction, masking;
    /* what it makes of an encoder; 0: the encoder's, auto */
    int64_t hidden_size, max_width, span_mode;
    char *labels_encoder;
    /* and what it learns, beside what */
    nf_names rehearsal_annotations, freeze_components;
    double rehearsal;
    bool characters;
    bool word_shape;
    char *report_to;
    /* the machine */
    int64_t backend;       /* 0: auto; else one more than its index in tensor/backends.h */
    int64_t precision;     /* nf_precision */
    int64_t gradient_sums; /* 0: f32, 1: bf16 */
    int64_t threads;
    char *resume_from_checkpoint;
    bool overwrite_output_dir;
} nf_train_options;

nerfit_status nf_train_options_init(nf_train_options *options, nerfit_error *err);
void nf_train_options_free(nf_train_options *options);

/* Sets an option from text. A pair is "5e-5" (both stages) or "5e-5,1e-5", also in brackets or
 * parentheses; a list is "query,value". `file` and `line` (may be NULL, 0) say where it stands. */
nerfit_status nf_train_options_set(nf_train_options *options, const char *name, const char *text,
                                   const char *file, long line, nerfit_error *err);
/* Whether an option was set after nf_train_options_init. */
bool nf_train_options_given(const nf_train_options *options, const char *name);
/* The names of those that were. */
json_t *nf_train_options_given_names(const nf_train_options *options);
/* Adds a file's annotated texts to the corpus, read as the options say. */
struct nf_corpus;
struct nf_source_weights;
nerfit_status nf_train_options_read(const nf_train_options *options, struct nf_corpus *corpus,
                                    const char *path, const nf_log *log, nerfit_error *err);
/* source_weights as numbers, in the arena. */
nerfit_status nf_train_options_sources(const nf_train_options *options,
                                       struct nf_source_weights *sources, nf_arena *arena,
                                       nerfit_error *err);
/* Reads a YAML config. Relative paths in it count from its folder. */
nerfit_status nf_train_options_load(nf_train_options *options, const char *path, nerfit_error *err);
/* Checks that what every run needs is there. */
nerfit_status nf_train_options_check_needed(const nf_train_options *options, nerfit_error *err);
/* Checks what no single option shows, and tells of options without effect. has_validation: whether
 * the run has validation texts. */
nerfit_status nf_train_options_check(const nf_train_options *options, bool has_validation,
                                     const nf_log *log, nerfit_error *err);
/* Tells of options that were `given` and that others leave without effect: each names what it takes. */
void nf_train_options_tell_unused(const nf_train_options *options, const nf_train_options *given,
                                  bool has_validation, const nf_log *log);
/* For training_args.json: every option with its value. */
json_t *nf_train_options_to_json(const nf_train_options *options);
/* What a run leaves in training_args.json: the same of the options it used, paths whole, and under
 * "chosen_by_recipe" those that were not given and that the recipe chose. nf_train_options_load
 * reads it as the config of the same run. */
json_t *nf_train_options_record(const nf_train_options *used, const nf_train_options *given);
/* The table itself: an array of {"name", "type", "pair", "group", "default", "help"}, with "least"
 * and "most" of numbers, "choices" of choices, and "within" of options that stand in a mapping of
 * the config file; "chosen": the recipe nerfit's own default, of options that it chooses where they
 * are not given. Types: bool, int, real, text, path, choice, names, paths. NULL when out of
 * memory. */
json_t *nf_train_options_table(const nf_train_options *defaults);
/* A row of the table; choices: "a|b", or NULL; false past the last one. */
bool nf_train_options_row(size_t index, const char **name, const char **choices, const char **help);
/* Help texts: a paragraph an option, wrapped at `width`, of "train", "pretrain" or "fewshot"; or the
 * man page's roff. */
void nf_train_options_help(nf_str *out, const char *command, int width);
void nf_train_options_man(nf_str *out);

#endif
