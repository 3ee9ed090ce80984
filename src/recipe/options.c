#include "recipe/options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yaml.h>

#include "base/ascii.h"
#include "base/file.h"
#include "base/number.h"
#include "base/yaml.h"
#include "tensor/backends.h"

typedef enum option_type { BOOL, INT, REAL, TEXT, PATH, CHOICE, NAMES, PATHS, MODEL } option_type;

typedef struct option {
    const char *name;
    option_type type;
    bool pair;
    size_t offset;
    const char *fallback; /* as text; NULL: not given */
    double least, most;   /* of INT and REAL */
    const char *choices;  /* of CHOICE: separated by '|'; of PATH: words that are no path */
    const char *group;
    const char *help;
} option;

#define AT(field) offsetof(nf_train_options, field)
#define SCHEDULERS                                                                                 \
    "linear|cosine|cosine_with_restarts|polynomial|constant|constant_with_warmup|inverse_sqrt"
/* Of training_args.json: what the recipe chose, beside all values. */
static const char CHOSEN[] = "chosen_by_recipe";
static const char DATA[] = "Data and models", PEFT[] = "peft_config", STAGES[] = "Training",
                  MACHINE[] = "The run and the machine";

static const option table[] = {
    {"model_name", MODEL, false, AT(model_name), NULL, 0, 0, NULL, DATA,
     "The encoder to train: a folder (config.json, model.safetensors, tokenizer), or a name on "
     "Hugging "
     "Face's hub (owner/name, name@revision)."},
    {"train_annotations", PATH, false, AT(train_annotations), NULL, 0, 0, NULL, DATA,
     "File of annotated texts to learn from."},
    {"val_annotations", PATH, false, AT(val_annotations), NULL, 0, 0, NULL, DATA,
     "File of annotated texts to evaluate on while training; chooses the best checkpoint."},
    {"test_annotations", PATH, false, AT(test_annotations), NULL, 0, 0, NULL, DATA,
     "File of annotated texts to score the final model on."},
    {"annotation_format", TEXT, false, AT(annotation_format), "auto", 0, 0, NULL, DATA,
     "Format of the annotated files; auto tells it by ending and content. nerfit data formats "
     "lists them all."},
    {"overlap", TEXT, false, AT(overlap), "error", 0, 0, NULL, DATA,
     "Of entities that share words, which no recipe can learn: error, or the longest or first is "
     "kept."},
    {"tagging", TEXT, false, AT(tagging), "auto", 0, 0, NULL, DATA,
     "How labels of words are written: auto, iob1, iob2, bioes, bilou, or none (no prefix)."},
    {"offsets", TEXT, false, AT(offsets), "auto", 0, 0, NULL, DATA,
     "What the entities' offsets count: auto (as the format has it), code_points, utf16 or bytes."},
    {"word_column", TEXT, false, AT(word_column), NULL, 0, 0, NULL, DATA,
     "Of tables of words: the words' column, by number (-1: the last) or by its name in the "
     "header; found by content if not given."},
    {"label_column", TEXT, false, AT(label_column), NULL, 0, 0, NULL, DATA,
     "The labels' column, likewise."},
    {"ent2emb", PATH, false, AT(ent2emb), NULL, 0, 0, NULL, DATA,
     "What each label means: safetensors of embeddings, or JSON/YAML of label: description."},
    {"st_model_name", MODEL, false, AT(st_model_name), NULL, 0, 0, NULL, DATA,
     "The sentence encoder for descriptions: a folder or a name; without it, model_name serves if "
     "it is "
     "one, else sentence-transformers/LaBSE."},
    {"llm", TEXT, false, AT(llm), "no", 0, 0, NULL, DATA,
     "Language model that writes the descriptions if ent2emb is not given, by litellm's name "
     "(gpt-4o-mini, anthropic/..., ollama/...); \"no\" for none."},
    {"recipe", CHOICE, false, AT(recipe), "nerfit", 0, 0, "original|nerfit", DATA,
     "nerfit: words are compared with their types' descriptions in both stages, and decoded by a "
     "CRF; "
     "options that are not given follow from the number of texts. original: the contrastive stage, "
     "then token classification, as the original package does."},
    {"pretrained", PATH, false, AT(pretrained), "auto", 0, 0, "auto|none", DATA,
     "What the recipe nerfit begins with: a folder that nerfit pretrain wrote, none, or auto: what "
     "comes "
     "with nerfit for this encoder, if anything."},
    {"pretrain_annotations", PATHS, false, AT(pretrain_annotations), NULL, 0, 0, NULL, DATA,
     "For nerfit pretrain: files of annotated texts, each with a label set of its own; folders of "
     "NAME.txt (or another format's ending) with NAME.yaml beside it; and manifests (YAML), which "
     "list files with their descriptions."},
    {"pretrain_ent2emb", PATHS, false, AT(pretrain_ent2emb), NULL, 0, 0, NULL, DATA,
     "Descriptions of the files among pretrain_annotations: a JSON or YAML file for each, in the "
     "same order. Folders and manifests have their own."},
    {"output_dir", PATH, false, AT(output_dir), "output_dir", 0, 0, NULL, DATA,
     "Folder that receives the run: stage1/, stage2/, best/ and its records."},
    {"max_length", INT, false, AT(max_length), "0", 0, 1e6, NULL, DATA,
     "Tokens of the longest piece a text is trained in; 0: as many as the encoder takes."},

    {"peft_lora", BOOL, false, AT(peft_lora), "false", 0, 0, NULL, PEFT,
     "Train low-rank adapters instead of all weights."},
    {"lora_r", INT, false, AT(lora_r), "8", 1, 4096, NULL, PEFT, "Rank of the adapters."},
    {"lora_alpha", REAL, false, AT(lora_alpha), "8", 0, 1e6, NULL, PEFT,
     "Scale of the adapters: alpha / r, or alpha / sqrt(r) with use_rslora."},
    {"lora_dropout", REAL, false, AT(lora_dropout), "0", 0, 0.999, NULL, PEFT,
     "Dropout on the adapters' input."},
    {"use_dora", BOOL, false, AT(use_dora), "false", 0, 0, NULL, PEFT,
     "Weight-decomposed adapters (DoRA)."},
    {"use_rslora", BOOL, false, AT(use_rslora), "false", 0, 0, NULL, PEFT,
     "Rank-stabilised scale (rsLoRA)."},
    {"inference_mode", BOOL, false, AT(inference_mode), "false", 0, 0, NULL, PEFT,
     "Must be false: a frozen adapter cannot be trained."},
    {"target_modules", NAMES, false, AT(target_modules), NULL, 0, 0, NULL, PEFT,
     "Names of the layers to adapt, or all-linear; default: PEFT's, query and value."},
    {"modules_to_save", NAMES, false, AT(modules_to_save), NULL, 0, 0, NULL, PEFT,
     "Further modules to train in full and save with the adapter."},

    {"per_device_train_batch_size", INT, true, AT(per_device_train_batch_size), "8", 1, 65536, NULL,
     STAGES, "Texts a training batch."},
    {"per_device_eval_batch_size", INT, true, AT(per_device_eval_batch_size), "16", 1, 65536, NULL,
     STAGES, "Texts an evaluation batch."},
    {"learning_rate", REAL, true, AT(learning_rate), "1e-4", 0, 10, NULL, STAGES,
     "Peak learning rate; with the recipe nerfit, of the encoder."},
    {"head_learning_rate", REAL, true, AT(head_learning_rate), "1e-3", 0, 10, NULL, STAGES,
     "Of the recipe nerfit's head (its vectors and biases), and of word shapes."},
    {"projection_learning_rate", REAL, true, AT(projection_learning_rate), "1e-4", 0, 10, NULL,
     STAGES, "Of the recipe nerfit's projection of descriptions, which must move slowly."},
    {"decoder_learning_rate", REAL, true, AT(decoder_learning_rate), "1e-2", 0, 10, NULL, STAGES,
     "Of the recipe nerfit's CRF."},
    {"weight_decay", REAL, true, AT(weight_decay), "1e-2", 0, 10, NULL, STAGES,
     "Decoupled weight decay, of all but biases and norms."},
    {"lr_scheduler_type", CHOICE, true, AT(lr_scheduler_type), "cosine", 0, 0, SCHEDULERS, STAGES,
     "Course of the learning rate after warm-up."},
    {"lr_num_cycles", REAL, true, AT(lr_num_cycles), "0", 0, 1e4, NULL, STAGES,
     "Cycles of the cosine schedules; 0: transformers' default."},
    {"lr_power", REAL, true, AT(lr_power), "0", 0, 100, NULL, STAGES,
     "Power of the polynomial schedule; 0: transformers' default."},
    {"lr_end", REAL, true, AT(lr_end), "0", 0, 10, NULL, STAGES,
     "Final rate of the polynomial schedule; 0: transformers' default."},
    {"lr_timescale", REAL, true, AT(lr_timescale), "0", 0, 1e9, NULL, STAGES,
     "Time scale of inverse_sqrt; 0: transformers' default."},
    {"warmup_steps", INT, true, AT(warmup_steps), "500", 0, 1e9, NULL, STAGES,
     "Steps in which the learning rate rises from 0; 0: warmup_ratio counts."},
    {"warmup_ratio", REAL, true, AT(warmup_ratio), "0", 0, 1, NULL, STAGES,
     "Share of all steps to warm up in, if warmup_steps is 0."},
    {"max_steps", INT, true, AT(max_steps), "1500", -1, 1e9, NULL, STAGES,
     "Optimizer steps; -1: num_train_epochs counts; 0: the stage is left out."},
    {"num_train_epochs", REAL, true, AT(num_train_epochs), "3", 0, 1e6, NULL, STAGES,
     "Passes over the data, if max_steps is -1."},
    {"gradient_accumulation_steps", INT, true, AT(gradient_accumulation_steps), "1", 1, 65536, NULL,
     STAGES, "Batches an optimizer step."},
    {"max_grad_norm", REAL, true, AT(max_grad_norm), "1.0", 0, 1e9, NULL, STAGES,
     "Largest norm of the gradient; 0: no limit."},
    {"seed", INT, true, AT(seed), "123", 0, 9e15, NULL, STAGES,
     "Of the order of texts, of dropout and of new weights."},
    {"adam_beta1", REAL, true, AT(adam_beta1), "0.9", 0, 0.999999, NULL, STAGES, "AdamW's beta 1."},
    {"adam_beta2", REAL, true, AT(adam_beta2), "0.999", 0, 0.99999999, NULL, STAGES,
     "AdamW's beta 2."},
    {"adam_epsilon", REAL, true, AT(adam_epsilon), "1e-8", 0, 1, NULL, STAGES, "AdamW's epsilon."},
    {"label_smoothing_factor", REAL, true, AT(label_smoothing_factor), "0", 0, 0.999, NULL, STAGES,
     "Label smoothing of stage 2 (stage 1 has no use for it)."},
    {"bf16", BOOL, true, AT(bf16), "false", 0, 0, NULL, STAGES,
     "Mixed precision: products in bf16, where the CPU has it."},
    {"fp16", BOOL, true, AT(fp16), "true", 0, 0, NULL, STAGES,
     "Mixed precision; on a CPU the same as bf16."},
    {"eval_strategy", CHOICE, true, AT(eval_strategy), "steps", 0, 0, "no|steps|epoch", STAGES,
     "When to evaluate."},
    {"eval_steps", INT, true, AT(eval_steps), "250", 1, 1e9, NULL, STAGES,
     "Steps between evaluations."},
    {"logging_strategy", CHOICE, true, AT(logging_strategy), "steps", 0, 0, "no|steps|epoch",
     STAGES, "When to log the loss."},
    {"logging_steps", INT, true, AT(logging_steps), "250", 1, 1e9, NULL, STAGES,
     "Steps between log entries."},
    {"save_strategy", CHOICE, true, AT(save_strategy), "no,steps", 0, 0, "no|steps|epoch", STAGES,
     "When to write checkpoints."},
    {"save_steps", INT, true, AT(save_steps), "250", 1, 1e9, NULL, STAGES,
     "Steps between checkpoints."},
    {"save_total_limit", INT, true, AT(save_total_limit), "1", 0, 1e9, NULL, STAGES,
     "Checkpoints to keep, the best one apart; 0: all."},
    {"load_best_model_at_end", BOOL, true, AT(load_best_model_at_end), "false,true", 0, 0, NULL,
     STAGES, "Go on with the best checkpoint instead of the last; needs evaluations."},
    {"metric_for_best_model", TEXT, true, AT(metric_for_best_model), "loss,overall_f1", 0, 0, NULL,
     STAGES, "Evaluation metric that tells which checkpoint is best."},
    {"greater_is_better", CHOICE, true, AT(greater_is_better), "auto", 0, 0, "auto|true|false",
     STAGES, "Whether a larger metric is better; auto: unless its name ends in loss."},
    {"early_stopping_patience", INT, true, AT(early_stopping_patience), "0", 0, 1e9, NULL, STAGES,
     "Stop after so many evaluations without a better metric; 0: never."},
    {"early_stopping_threshold", REAL, true, AT(early_stopping_threshold), "0", 0, 1e9, NULL,
     STAGES, "How much better counts as better."},
    {"dataloader_num_workers", INT, true, AT(dataloader_num_workers), "4", 0, 1024, NULL, STAGES,
     "Accepted for the original's sake; has no effect: batches are made in no time."},

    {"calibration", CHOICE, false, AT(calibration), "auto", 0, 0,
     "auto|none|validation|cross-validation", STAGES,
     "What entities' scores are made probabilities with: the validation texts, or the training "
     "texts, "
     "each tagged by a model trained without it (calibration_folds trainings more); auto: "
     "validation "
     "texts if there are some, else three folds if the recipe nerfit chose a short training, and "
     "neither "
     "with fewer than 30 entities found."},
    {"calibration_folds", INT, false, AT(calibration_folds), "5", 2, 100, NULL, STAGES,
     "Parts of the training texts for calibration: cross-validation."},

    {"least_probability", REAL, false, AT(least_probability), "0.5", 0, 1, NULL, STAGES,
     "Entities that the recipe nerfit's model finds less probable than this are left out."},
    {"word_shape", BOOL, false, AT(word_shape), "false", 0, 0, NULL, STAGES,
     "Add a table of word shapes (small, Capitalised, CAPITALS, digits ...) to the encoder's "
     "embeddings: for "
     "encoders that do not tell capitals from small letters. transformers does not know it."},
    {"report_to", TEXT, false, AT(report_to), "none", 0, 0, NULL, MACHINE,
     "Accepted for the original's sake; metrics.jsonl has every number."},
    {"backend", CHOICE, false, AT(backend), "auto", 0, 0, NF_BACKEND_CHOICES, MACHINE,
     NF_BACKEND_HELP "."},
    {"precision", CHOICE, false, AT(precision), "auto", 0, 0, NF_PRECISION_CHOICES_TRAINING,
     MACHINE, "Of matrix products; auto: bf16 if bf16 or fp16 is set and the CPU has it."},
    {"threads", INT, false, AT(threads), "0", 0, 1024, NULL, MACHINE, "CPU threads; 0: all cores."},
    {"resume_from_checkpoint", TEXT, false, AT(resume_from_checkpoint), NULL, 0, 0, NULL, MACHINE,
     "true: go on from output_dir's newest checkpoint, or behind what is finished there; or a "
     "checkpoint's "
     "folder."},
    {"overwrite_output_dir", BOOL, false, AT(overwrite_output_dir), "false", 0, 0, NULL, MACHINE,
     "Start anew in an output_dir that holds an earlier run."},
};
enum { N_OPTIONS = sizeof table / sizeof *table };
_Static_assert(N_OPTIONS <= 128, "nf_train_options.given has a bit for each");

/* What the recipe nerfit takes where defaults.c chooses, for the help. */
static const struct {
    const char *name, *text;
} of_nerfit[] = {
    {"per_device_train_batch_size", "8, or 16 above 1500 texts"},
    {"learning_rate", "1e-4; 2e-4 above 1500 texts; 1e-3 for adapters"},
    {"lr_scheduler_type", "linear"},
    {"warmup_steps", "0"},
    {"warmup_ratio", "0.1"},
    {"max_steps",
     "0 in stage 1; 20 for every 8 texts, 200 to 500, in stage 2; 3 epochs above 1500 texts"},
    {"eval_steps", "a fifth of the steps"},
    {"save_strategy", "that of evaluations in stage 2, no without validation texts"},
    {"save_steps", "eval_steps"},
    {"load_best_model_at_end", "true in stage 2, with validation texts"},
    {"metric_for_best_model", "overall_f1"},
    {"logging_steps", "a twentieth of the steps"},
    {"lora_r", "16"},
    {"lora_alpha", "16"},
    {"target_modules", "all-linear"},
    {"least_probability", "0.5; 0.35 below 3 entities a type without pre-training"},
};

static const char *default_of_nerfit(const option *o) {
    for (size_t i = 0; i < sizeof of_nerfit / sizeof *of_nerfit; i++)
        if (strcmp(of_nerfit[i].name, o->name) == 0) return of_nerfit[i].text;
    return NULL;
}

/* " Default: x." and its like. */
static void append_defaults(nf_str *out, const option *o) {
    const char *nerfit = default_of_nerfit(o);
    if (nerfit && !o->fallback)
        nf_str_appendf(out, " Recipe nerfit: %s.", nerfit);
    else if (nerfit)
        nf_str_appendf(out, " Default: %s (recipe original: %s).", nerfit, o->fallback);
    else if (o->fallback)
        nf_str_appendf(out, " Default: %s.", o->fallback);
}

/* Where a value comes from, for messages. */
typedef struct origin {
    const char *file;
    long line;
    const char *folder; /* relative paths count from it; NULL: left as they are */
} origin;

static nerfit_status wrong(nerfit_error *err, const origin *from, const option *o, const char *text,
                           const char *expected) {
    if (from->file)
        return nf_fail_at(err, NERFIT_ARGUMENT, from->file, from->line, 0, "%s: \"%s\" is not %s",
                          o->name, text, expected);
    return nf_fail(err, NERFIT_ARGUMENT, "%s: \"%s\" is not %s", o->name, text, expected);
}

/* ---------------------------------------------------------------- values */

static bool parse_bool(const char *text, bool *out) {
    static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no",
                                                                                "off", "0"};
    for (size_t i = 0; i < 4; i++) {
        if (nf_ascii_same(text, yes[i])) return *out = true, true;
        if (nf_ascii_same(text, no[i])) return *out = false, true;
    }
    return false;
}

static nerfit_status parse_range(const option *o, const char *text, const origin *from, double *out,
                                 nerfit_error *err) {
    char expected[128];
    const char *kind = o->type == INT ? "whole number" : "number";
    nf_print(expected, sizeof expected, "a %s from %g to %g", kind, o->least, o->most);
    if (!nf_number_parse(text, out) || *out < o->least || *out > o->most ||
        (o->type == INT && *out != floor(*out)))
        return wrong(err, from, o, text, expected);
    return NERFIT_OK;
}

static int64_t find_choice(const char *choices, const char *text) {
    size_t length = strlen(text);
    int64_t index = 0;
    for (const char *at = choices; at; index++) {
        const char *bar = strchr(at, '|');
        size_t size = bar ? (size_t)(bar - at) : strlen(at);
        if (size == length && nf_ascii_same_n(at, text, size)) return index;
        at = bar ? bar + 1 : NULL;
    }
    return -1;
}

static bool is_list(const option *o) {
    return o->type == NAMES || o->type == PATHS;
}

static char *copy_text(nf_train_options *options, const option *o, const char *text,
                       const origin *from) {
    bool is_path = (o->type == PATH && !(o->choices && find_choice(o->choices, text) >= 0)) ||
                   o->type == PATHS || o->type == MODEL;
    if (is_path && from->folder) {
        char *path = nf_path_join(&options->arena, from->folder, text);
        /* "owner/name" beside the config file is a folder only if it is there */
        bool name = o->type == MODEL && strchr("./~", text[0]) == NULL;
        if (!path || !name || nf_directory_exists(path)) return path;
    }
    return nf_arena_strdup(&options->arena, text);
}

static nerfit_status set_one(nf_train_options *options, const option *o, size_t index,
                             const char *text, const origin *from, nerfit_error *err) {
    char *field = (char *)options + o->offset;
    double number;
    switch (o->type) {
    case BOOL:
        if (!parse_bool(text, (bool *)(void *)field + index))
            return wrong(err, from, o, text, "true or false");
        return NERFIT_OK;
    case INT:
        NF_TRY(parse_range(o, text, from, &number, err));
        ((int64_t *)(void *)field)[index] = (int64_t)number;
        return NERFIT_OK;
    case REAL:
        return parse_range(o, text, from, (double *)(void *)field + index, err);
    case CHOICE: {
        int64_t choice = find_choice(o->choices, text);
        char expected[256];
        snprintf(expected, sizeof expected, "one of %s", o->choices);
        if (choice < 0) return wrong(err, from, o, text, expected);
        ((int64_t *)(void *)field)[index] = choice;
        return NERFIT_OK;
    }
    default: {
        char *copy = copy_text(options, o, text, from);
        if (!copy) return nf_no_memory(err, strlen(text));
        ((char **)(void *)field)[index] = copy;
        return NERFIT_OK;
    }
    }
}

static nerfit_status set_values(nf_train_options *options, const option *o, char *const *values,
                                size_t count, const origin *from, nerfit_error *err) {
    size_t row = (size_t)(o - table);
    options->given[row / 64] |= (uint64_t)1 << row % 64;
    if (is_list(o)) {
        nf_names *names = (nf_names *)(void *)((char *)options + o->offset);
        names->items = nf_arena_calloc(&options->arena, count + 1, sizeof *names->items);
        if (!names->items) return nf_no_memory(err, 0);
        for (size_t i = 0; i < count; i++)
            if (!(names->items[i] = copy_text(options, o, values[i], from)))
                return nf_no_memory(err, 0);
        names->count = count;
        return NERFIT_OK;
    }
    if (count == 0 || count > (o->pair ? 2u : 1u)) {
        char given[32];
        snprintf(given, sizeof given, "%zu values", count);
        return wrong(err, from, o, given,
                     o->pair ? "one value or a pair (stage 1, stage 2)" : "one value");
    }
    for (size_t stage = 0; stage < (o->pair ? 2u : 1u); stage++)
        NF_TRY(set_one(options, o, stage, values[count == 2 ? stage : 0], from, err));
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- names */

/* "peft_config.lora_r" and "lora_r" are the same; so are names with "-" for "_". */
static const option *find_option(const char *name) {
    const char *dot = strchr(name, '.');
    const char *last = dot && strncmp(name, PEFT, (size_t)(dot - name)) == 0 ? dot + 1 : name;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const char *a = table[i].name, *b = last;
        while (*a && (*a == *b || (*a == '_' && *b == '-'))) a++, b++;
        if (*a == *b) return &table[i];
    }
    return NULL;
}

/* What other libraries call it, and what to do about it here. */
static const struct {
    const char *name, *advice;
} known_elsewhere[] = {
    {"r", "lora_r"},
    {"alpha", "lora_alpha"},
    {"lora", "peft_lora"},
    {"use_lora", "peft_lora"},
    {"lr", "learning_rate"},
    {"epochs", "num_train_epochs"},
    {"num_epochs", "num_train_epochs"},
    {"steps", "max_steps"},
    {"batch_size", "per_device_train_batch_size"},
    {"train_batch_size", "per_device_train_batch_size"},
    {"eval_batch_size", "per_device_eval_batch_size"},
    {"evaluation_strategy", "eval_strategy"},
    {"model", "model_name"},
    {"model_name_or_path", "model_name"},
    {"train_file", "train_annotations"},
    {"train_dataset", "train_annotations"},
    {"validation_file", "val_annotations"},
    {"eval_dataset", "val_annotations"},
    {"test_file", "test_annotations"},
    {"labels", "ent2emb"},
    {"descriptions", "ent2emb"},
    {"output", "output_dir"},
    {"max_seq_length", "max_length"},
    {"num_workers", "threads"},
    {"dtype", "precision"},
    {"scheduler", "lr_scheduler_type"},
    {"warmup", "warmup_ratio"},
    {"dropout", "lora_dropout"},
    {"disable_tqdm", NULL},
    {"no_cuda", NULL},
    {"use_cpu", NULL},
    {"optim", NULL},
    {"optim_args", NULL},
    {"gradient_checkpointing", NULL},
    {"torch_compile", NULL},
    {"push_to_hub", NULL},
    {"tf32", NULL},
    {"logging_dir", NULL},
    {"run_name", NULL},
    {"remove_unused_columns", NULL},
    {"group_by_length", NULL},
    {"task_type", NULL},
    {"bias", NULL},
};

static nerfit_status unknown(nerfit_error *err, const char *name, const origin *from) {
    char advice[160] = "";
    nf_nearest nearest = {0};
    for (size_t i = 0; i < N_OPTIONS; i++) nf_nearest_see(&nearest, name, table[i].name);
    if (nearest.name) snprintf(advice, sizeof advice, "; did you mean \"%s\"?", nearest.name);
    for (size_t i = 0; i < sizeof known_elsewhere / sizeof *known_elsewhere; i++) {
        if (strcmp(known_elsewhere[i].name, name) != 0) continue;
        const char *here = known_elsewhere[i].advice;
        snprintf(advice, sizeof advice,
                 here ? "; here it is \"%s\"" : "; it has no counterpart here", here);
    }
    if (from->file)
        return nf_fail_at(err, NERFIT_ARGUMENT, from->file, from->line, 0,
                          "unknown option \"%s\"%s", name, advice);
    return nf_fail(err, NERFIT_ARGUMENT, "unknown option \"%s\"%s", name, advice);
}

/* "a", "a,b", "(a, b)", "[a, b]"; `values` has room for one more than the text has commas. */
static size_t split(char *text, char **values) {
    size_t length = strlen(text), count = 0;
    bool wrapped = length >= 2 && ((text[0] == '(' && text[length - 1] == ')') ||
                                   (text[0] == '[' && text[length - 1] == ']'));
    if (wrapped) {
        text[length - 1] = '\0';
        text++;
    }
    for (char *save, *part = strtok_r(text, ",", &save); part; part = strtok_r(NULL, ",", &save)) {
        while (*part == ' ') part++;
        char *end = part + strlen(part);
        while (end > part && end[-1] == ' ') *--end = '\0';
        values[count++] = part;
    }
    return count;
}

static nerfit_status set_text(nf_train_options *options, const option *o, const char *text,
                              const origin *from, nerfit_error *err) {
    if (!o->pair && !is_list(o)) {
        char *value = (char *)(uintptr_t)text;
        return set_values(options, o, &value, 1, from, err);
    }
    size_t most = 1;
    for (const char *at = text; *at; at++) most += *at == ',';
    char *copy = strdup(text), **values = calloc(most, sizeof *values);
    nerfit_status status = copy && values
                               ? set_values(options, o, values, split(copy, values), from, err)
                               : nf_no_memory(err, strlen(text));
    free(values);
    free(copy);
    return status;
}

nerfit_status nf_train_options_set(nf_train_options *options, const char *name, const char *text,
                                   const char *file, long line, nerfit_error *err) {
    origin from = {.file = file, .line = line};
    const option *o = find_option(name);
    return o ? set_text(options, o, text, &from, err) : unknown(err, name, &from);
}

nerfit_status nf_train_options_init(nf_train_options *options, nerfit_error *err) {
    *options = (nf_train_options){.recipe = NF_RECIPE_ORIGINAL};
    origin from = {0};
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (table[i].fallback) NF_TRY(set_text(options, &table[i], table[i].fallback, &from, err));
    memset(options->given, 0, sizeof options->given);
    return NERFIT_OK;
}

/* Whether defaults.c chooses it where it is not given: then it matters who gave it. */
static bool is_chosen(const option *o) {
    return default_of_nerfit(o) || o->offset == AT(num_train_epochs);
}

bool nf_train_options_given(const nf_train_options *options, const char *name) {
    const option *o = find_option(name);
    size_t row = o ? (size_t)(o - table) : 0;
    return o && (options->given[row / 64] >> row % 64 & 1);
}

json_t *nf_train_options_given_names(const nf_train_options *options) {
    json_t *names = json_array();
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (options->given[i / 64] >> i % 64 & 1)
            json_array_append_new(names, json_string(table[i].name));
    return names;
}

void nf_train_options_free(nf_train_options *options) {
    nf_arena_free(&options->arena);
}

/* ---------------------------------------------------------------- YAML */

typedef struct yaml_reader {
    nf_train_options *options;
    yaml_document_t document;
    const char *path, *folder;
    bool seen[N_OPTIONS];
    yaml_node_t *values[N_OPTIONS]; /* as they stand in the file */
    yaml_node_t *chosen;            /* the mapping CHOSEN; NULL: none */
    nerfit_error *err;
} yaml_reader;

static long line_of(const yaml_node_t *node) {
    return (long)node->start_mark.line + 1;
}

static nerfit_status bad_yaml(yaml_reader *in, const yaml_node_t *node, const char *what) {
    return nf_fail_at(in->err, NERFIT_FORMAT, in->path, line_of(node),
                      (long)node->start_mark.column + 1, "%s", what);
}

static const char *scalar(const yaml_node_t *node) {
    return (const char *)node->data.scalar.value;
}

static bool is_null(const yaml_node_t *node) {
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*scalar(node) || !strcmp(scalar(node), "null") || !strcmp(scalar(node), "~") ||
            !strcmp(scalar(node), "None"));
}

static nerfit_status read_mapping(yaml_reader *in, yaml_node_t *node, bool nested);

static nerfit_status read_value(yaml_reader *in, const option *o, yaml_node_t *value) {
    origin from = {in->path, line_of(value), in->folder};
    if (value->type == YAML_SCALAR_NODE) {
        bool choice =
            o->choices && find_choice(o->choices, scalar(value)) >= 0; /* "None" may be one */
        if (is_null(value) && !choice) return NERFIT_OK;               /* not given */
        return set_text(in->options, o, scalar(value), &from, in->err);
    }
    if (value->type != YAML_SEQUENCE_NODE)
        return bad_yaml(in, value, "expected a value or a list, not a mapping");
    size_t count = 0,
           most = (size_t)(value->data.sequence.items.top - value->data.sequence.items.start);
    char **values = calloc(most + 1, sizeof *values);
    nerfit_status status = values ? NERFIT_OK : nf_no_memory(in->err, most * sizeof *values);
    for (; status == NERFIT_OK && count < most; count++) {
        yaml_node_t *element =
            yaml_document_get_node(&in->document, value->data.sequence.items.start[count]);
        values[count] = (char *)(uintptr_t)scalar(element);
        if (element->type != YAML_SCALAR_NODE)
            status = bad_yaml(in, element, "expected a list of plain values");
    }
    if (status == NERFIT_OK) status = set_values(in->options, o, values, count, &from, in->err);
    free(values);
    return status;
}

static nerfit_status read_pair(yaml_reader *in, yaml_node_t *key, yaml_node_t *value, bool nested) {
    if (key->type != YAML_SCALAR_NODE) return bad_yaml(in, key, "expected the name of an option");
    origin from = {in->path, line_of(key), in->folder};
    if (!nested && strcmp(scalar(key), PEFT) == 0) {
        if (value->type == YAML_SCALAR_NODE && is_null(value)) return NERFIT_OK;
        return read_mapping(in, value, true);
    }
    if (!nested && strcmp(scalar(key), CHOSEN) == 0) {
        in->chosen = value;
        return NERFIT_OK;
    }
    const option *o = find_option(scalar(key));
    if (!o) return unknown(in->err, scalar(key), &from);
    if (in->seen[o - table]) return bad_yaml(in, key, "this option is there twice");
    in->seen[o - table] = true;
    in->values[o - table] = value;
    return read_value(in, o, value);
}

static nerfit_status read_mapping(yaml_reader *in, yaml_node_t *node, bool nested) {
    if (node->type != YAML_MAPPING_NODE)
        return bad_yaml(in, node, "expected a mapping of options to values");
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++)
        NF_TRY(read_pair(in, yaml_document_get_node(&in->document, pair->key),
                         yaml_document_get_node(&in->document, pair->value), nested));
    return NERFIT_OK;
}

static bool is_same(yaml_reader *in, const yaml_node_t *a, const yaml_node_t *b) {
    if (a->type != b->type || a->type == YAML_MAPPING_NODE) return false;
    if (a->type == YAML_SCALAR_NODE) return strcmp(scalar(a), scalar(b)) == 0;
    yaml_node_item_t *i = a->data.sequence.items.start, *j = b->data.sequence.items.start;
    for (; i < a->data.sequence.items.top && j < b->data.sequence.items.top; i++, j++)
        if (!is_same(in, yaml_document_get_node(&in->document, *i),
                     yaml_document_get_node(&in->document, *j)))
            return false;
    return i == a->data.sequence.items.top && j == b->data.sequence.items.top;
}

/* A run's record holds every option. What the recipe chose counts as not given, so that a run that
 * is repeated from it is the same; but for what was edited since. */
static nerfit_status forget_chosen(yaml_reader *in) {
    if (!in->chosen) return NERFIT_OK;
    if (in->chosen->type != YAML_MAPPING_NODE)
        return bad_yaml(in, in->chosen, "expected a mapping of options to values");
    for (yaml_node_pair_t *pair = in->chosen->data.mapping.pairs.start;
         pair < in->chosen->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(&in->document, pair->key);
        const option *o = key->type == YAML_SCALAR_NODE ? find_option(scalar(key)) : NULL;
        if (!o) return bad_yaml(in, key, "expected the name of an option");
        size_t row = (size_t)(o - table);
        if (in->values[row] &&
            is_same(in, in->values[row], yaml_document_get_node(&in->document, pair->value)))
            in->options->given[row / 64] &= ~((uint64_t)1 << row % 64);
    }
    return NERFIT_OK;
}

nerfit_status nf_train_options_load(nf_train_options *options, const char *path,
                                    nerfit_error *err) {
    nf_file file;
    NF_TRY(nf_file_open(&file, path, err));
    nerfit_status depth = nf_yaml_check_depth(file.data, file.size, path, err);
    if (depth != NERFIT_OK) {
        nf_file_close(&file);
        return depth;
    }
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        nf_file_close(&file);
        return nf_no_memory(err, 0);
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)file.data, file.size);
    yaml_reader in = {.options = options, .path = path, .err = err};
    in.folder = nf_path_parent(&options->arena, path);
    nerfit_status status = NERFIT_OK;
    if (!in.folder) {
        status = nf_no_memory(err, 0);
    } else if (!yaml_parser_load(&parser, &in.document)) {
        status = nf_fail_at(err, NERFIT_FORMAT, path, (long)parser.problem_mark.line + 1,
                            (long)parser.problem_mark.column + 1, "is not valid YAML: %s",
                            parser.problem ? parser.problem : "cannot be read");
    } else {
        yaml_node_t *root = yaml_document_get_root_node(&in.document);
        if (!root)
            status = nf_fail_at(err, NERFIT_FORMAT, path, 1, 0, "is empty");
        else
            status = read_mapping(&in, root, false);
        if (status == NERFIT_OK) status = forget_chosen(&in);
        yaml_document_delete(&in.document);
    }
    yaml_parser_delete(&parser);
    nf_file_close(&file);
    return status;
}

/* ---------------------------------------------------------------- checks */

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
    if (strcmp(o->report_to, "none") != 0)
        nf_log_warning(log, "report_to: %s has no effect; see metrics.jsonl", o->report_to);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- output */

static json_t *value_to_json(const nf_train_options *options, const option *o, size_t index) {
    const char *field = (const char *)options + o->offset;
    switch (o->type) {
    case BOOL:
        return json_boolean(((const bool *)(const void *)field)[index]);
    case INT:
        return json_integer((json_int_t)((const int64_t *)(const void *)field)[index]);
    case REAL:
        return json_real(((const double *)(const void *)field)[index]);
    case CHOICE: {
        const char *at = o->choices;
        for (int64_t i = ((const int64_t *)(const void *)field)[index]; i > 0; i--)
            at = strchr(at, '|') + 1;
        return json_stringn(at, strcspn(at, "|"));
    }
    case NAMES:
    case PATHS: {
        const nf_names *names = (const nf_names *)(const void *)field;
        if (!names->items && o->type == PATHS) return json_null(); /* not given */
        json_t *list = json_array();
        for (size_t i = 0; i < names->count; i++)
            json_array_append_new(list, json_string(names->items[i]));
        return list;
    }
    default: {
        const char *text = ((char *const *)(const void *)field)[index];
        return text ? json_string(text) : json_null();
    }
    }
}

static json_t *values_to_json(const nf_train_options *options, const option *o) {
    json_t *value = value_to_json(options, o, 0);
    return o->pair ? json_pack("[o, o]", value, value_to_json(options, o, 1)) : value;
}

static bool stands_in_mapping(const option *o) {
    return o->group == PEFT && o->offset != AT(peft_lora);
}

json_t *nf_train_options_to_json(const nf_train_options *options) {
    json_t *out = json_object(), *peft = json_object();
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const option *o = &table[i];
        json_object_set_new(stands_in_mapping(o) ? peft : out, o->name, values_to_json(options, o));
    }
    json_object_set_new(out, PEFT, peft);
    return out;
}

/* As it would be read from another folder. */
static json_t *whole_path(const option *o, const json_t *value) {
    const char *path = json_string_value(value);
    char *here = NULL;
    bool word = o->choices && path && find_choice(o->choices, path) >= 0;
    bool is_path = (o->type == PATH && !word) || o->type == PATHS ||
                   (o->type == MODEL && path && nf_directory_exists(path));
    if (!path || !is_path || path[0] == '/' || !(here = getcwd(NULL, 0)))
        return json_incref((json_t *)(uintptr_t)value);
    json_t *whole = json_sprintf("%s/%s", here, strncmp(path, "./", 2) == 0 ? path + 2 : path);
    free(here);
    return whole;
}

static json_t *whole_paths(const option *o, json_t *value) {
    size_t i;
    json_t *element, *list = json_is_array(value) && o->type == PATHS ? json_array() : NULL;
    json_array_foreach(list ? value : NULL, i, element)
        json_array_append_new(list, whole_path(o, element));
    json_t *out = list ? list : whole_path(o, value);
    json_decref(value);
    return out;
}

json_t *nf_train_options_record(const nf_train_options *used, const nf_train_options *given) {
    json_t *out = nf_train_options_to_json(used), *chosen = json_object();
    bool recipe = used->recipe == NF_RECIPE_NERFIT;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const option *o = &table[i];
        json_t *place = stands_in_mapping(o) ? json_object_get(out, PEFT) : out;
        json_object_set_new(place, o->name, whole_paths(o, values_to_json(used, o)));
        json_t *value = json_object_get(place, o->name), *before = values_to_json(given, o);
        bool changed = !json_equal(before, value);
        if (recipe && !nf_train_options_given(given, o->name) && (is_chosen(o) || changed))
            json_object_set(chosen, o->name, value);
        json_decref(before);
    }
    json_object_set_new(out, CHOSEN, chosen);
    return out;
}

static json_t *choices_to_json(const char *choices) {
    json_t *list = json_array();
    for (const char *at = choices; at;) {
        size_t size = strcspn(at, "|");
        json_array_append_new(list, json_stringn(at, size));
        at = at[size] ? at + size + 1 : NULL;
    }
    return list;
}

json_t *nf_train_options_table(const nf_train_options *defaults) {
    static const char *const types[] = {"bool",   "int",   "real",  "text", "path",
                                        "choice", "names", "paths", "path"};
    json_t *list = json_array();
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const option *o = &table[i];
        json_t *row = json_pack("{s:s, s:s, s:b, s:s, s:o, s:s}", "name", o->name, "type",
                                types[o->type], "pair", o->pair, "group", o->group, "default",
                                values_to_json(defaults, o), "help", o->help);
        if (o->type == INT || o->type == REAL) {
            json_object_set_new(row, "least", json_real(o->least));
            json_object_set_new(row, "most", json_real(o->most));
        }
        if (o->type == CHOICE) json_object_set_new(row, "choices", choices_to_json(o->choices));
        if (stands_in_mapping(o)) json_object_set_new(row, "within", json_string(PEFT));
        if (is_chosen(o)) {
            const char *text = default_of_nerfit(o);
            json_object_set_new(row, "chosen", json_string(text ? text : o->fallback));
        }
        if (json_array_append_new(list, row) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static void wrap(nf_str *out, const char *text, int indent, int width) {
    int column = indent;
    for (const char *word = text; *word;) {
        size_t length = strcspn(word, " ");
        if (column + (int)length > width && column > indent) {
            nf_str_appendf(out, "\n%*s", indent, "");
            column = indent;
        }
        nf_str_append(out, word, length);
        column += (int)length + 1;
        word += length;
        if (*word == ' ') {
            word++;
            if (column + (int)strcspn(word, " ") <= width) nf_str_append_char(out, ' ');
        }
    }
    nf_str_append_char(out, '\n');
}

static void describe(nf_str *out, const option *o) {
    static const char *const kinds[] = {"true|false", "N",     "X",     "TEXT", "PATH",
                                        "",           "NAMES", "PATHS", "MODEL"};
    nf_str_appendf(out, "--%s %s", o->name, o->type == CHOICE ? o->choices : kinds[o->type]);
}

void nf_train_options_help(nf_str *out, int width) {
    const char *group = NULL;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const option *o = &table[i];
        if (o->group != group)
            nf_str_appendf(out, "\n%s%s:\n", o->group == PEFT ? "Adapters (" : "",
                           o->group == PEFT
                               ? "in a config file, all but the first under peft_config)"
                               : o->group);
        group = o->group;
        nf_str_append_text(out, "  ");
        describe(out, o);
        nf_str_append_text(out, "\n      ");
        nf_str text = {0};
        nf_str_append_text(&text, o->help);
        append_defaults(&text, o);
        if (o->pair) nf_str_append_text(&text, " One value, or stage 1,stage 2.");
        wrap(out, nf_str_text(&text), 6, width);
        nf_str_free(&text);
    }
}

void nf_train_options_man(nf_str *out) {
    const char *group = NULL;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const option *o = &table[i];
        if (o->group != group) nf_str_appendf(out, ".SS %s\n", o->group);
        group = o->group;
        nf_str_append_text(out, ".TP\n.B ");
        describe(out, o);
        nf_str_appendf(out, "\n%s", o->help);
        append_defaults(out, o);
        if (o->pair) nf_str_append_text(out, " One value, or stage 1,stage 2.");
        nf_str_append_char(out, '\n');
    }
}
