#include "recipe/options_table.h"

#include <string.h>

#include "base/ascii.h"
#include "recipe/embeddings.h"
#include "recipe/few_steps.h"
#include "tensor/backends.h"

#define AT(field) offsetof(nf_train_options, field)
#define SCHEDULERS                                                                                 \
    "linear|cosine|cosine_with_restarts|polynomial|constant|constant_with_warmup|inverse_sqrt"

const char nf_options_peft[] = "peft_config", nf_options_chosen[] = "chosen_by_recipe";
static const char DATA[] = "Data and models", STAGES[] = "Training",
                  MACHINE[] = "The run and the machine";
#define PEFT nf_options_peft

/* rows that say nothing of the last field have it false */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#define BOOL NF_OPTION_BOOL
#define INT NF_OPTION_INT
#define REAL NF_OPTION_REAL
#define TEXT NF_OPTION_TEXT
#define PATH NF_OPTION_PATH
#define CHOICE NF_OPTION_CHOICE
#define NAMES NF_OPTION_NAMES
#define PATHS NF_OPTION_PATHS
#define MODEL NF_OPTION_MODEL
#define WEIGHTS NF_OPTION_WEIGHTS

const nf_option nf_options[] = {
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
    {"unlabelled_annotations", PATH, false, AT(unlabelled_annotations), NULL, 0, 0, NULL, DATA,
     "Self-training of the recipe nerfit: texts like the training texts that nobody annotated, a "
     "text "
     "a line (of other formats, by the file's ending, the texts alone are read). A first model, in "
     "teacher/, tags at most 1000 of them; the run's model then learns from these, too."},
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
    {"source_weights", WEIGHTS, false, AT(source_weights), NULL, 0, 0, NULL, DATA,
     "What texts and entities count in the loss by their source, beside their own weights: "
     "silver=0.3,llm=0.5 (in a config file also a mapping); 0 leaves them out, other sources count "
     "1."},
    {"ent2emb", PATH, false, AT(ent2emb), NULL, 0, 0, NULL, DATA,
     "What each label means: safetensors of embeddings, or JSON/YAML of label: description."},
    {"label_text", CHOICE, false, AT(label_text), "auto", 0, 0, NF_LABEL_TEXTS, DATA,
     "What of a label the sentence encoder reads: its description, its name, or the mean of both "
     "embeddings, in which the description counts three times; auto: mean (recipe original: "
     "description)."},
    {"st_model_name", MODEL, false, AT(st_model_name), NULL, 0, 0, NULL, DATA,
     "The sentence encoder for descriptions: a folder or a name; without it, model_name serves if "
     "it is "
     "one, else sentence-transformers/LaBSE."},
    {"llm", TEXT, false, AT(llm), "no", 0, 0, NULL, DATA,
     "Language model that writes the descriptions if ent2emb is not given, by litellm's name "
     "(gpt-4o-mini, anthropic/..., ollama/...); \"no\" for none."},
    {"recipe", CHOICE, false, AT(recipe), "nerfit", 0, 0, "original|nerfit|gliner", DATA,
     "nerfit: words are compared with their types' descriptions in both stages, and decoded by a "
     "CRF; "
     "options that are not given follow from the number of texts. original: the contrastive stage, "
     "then token classification, as the original package does. gliner: GLiNER models are trained "
     "further on labels that they read as texts; theirs unless another is given."},
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
     "Must be false: a frozen adapter cannot be trained.", true},
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
     "Of the recipe nerfit's head (its vectors and biases), of all that stands on a GLiNER model's "
     "encoder, and of word shapes."},
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
     "Accepted for the original's sake: batches are made in no time.", true},

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
    {"focal_loss_alpha", REAL, false, AT(focal_loss_alpha), "0.75", -1, 1, NULL, STAGES,
     "Recipe gliner: weight of what is an entity, 1 - alpha of what is not; below 0: all count "
     "alike."},
    {"focal_loss_gamma", REAL, false, AT(focal_loss_gamma), "2", 0, 100, NULL, STAGES,
     "Recipe gliner: how much less counts what is told well already (focal loss); 0: nothing."},
    {"focal_loss_prob_margin", REAL, false, AT(focal_loss_prob_margin), "0", 0, 0.999, NULL, STAGES,
     "Recipe gliner: probabilities of what is no entity count from here on."},
    {"loss_reduction", CHOICE, false, AT(loss_reduction), "sum", 0, 0, "sum|mean", STAGES,
     "Recipe gliner: the loss of a batch is the sum over its spans, or their mean."},
    {"negatives", REAL, false, AT(negatives), "1", 0, 1, NULL, STAGES,
     "Recipe gliner: share of what masking chooses that is kept in the loss."},
    {"masking", CHOICE, false, AT(masking), "none", 0, 0, "none|global|label|span", STAGES,
     "Recipe gliner: which negatives are left out at random: none, any, those of labels that a "
     "text "
     "has not, or of spans that are no entity."},
    {"labels_encoder", MODEL, false, AT(labels_encoder), NULL, 0, 0, NULL, STAGES,
     "Recipe gliner, of an encoder that becomes a GLiNER model: a sentence encoder that reads "
     "labels by "
     "themselves (bi-encoder); without it they are read in the text's prompt."},
    {"span_mode", CHOICE, false, AT(span_mode), "auto", 0, 0,
     "auto|markerV0|marker|markerV1|token_level", STAGES,
     "Recipe gliner, likewise: what scores spans, by gliner's names; auto: markerV0, or "
     "token_level where "
     "its head can begin with a description head (nerfit pretrain's, with labels_encoder)."},
    {"hidden_size", INT, false, AT(hidden_size), "0", 0, 65536, NULL, STAGES,
     "Recipe gliner, likewise: size of words' and labels' vectors; 0: the encoder's."},
    {"max_width", INT, false, AT(max_width), "12", 1, 1000, NULL, STAGES,
     "Recipe gliner, likewise: words of the longest span."},
    {"rehearsal_annotations", PATHS, false, AT(rehearsal_annotations), NULL, 0, 0, NULL, STAGES,
     "Recipe gliner: annotated texts of other label sets that are trained on beside one's own, so "
     "that "
     "the model keeps finding what it found before: folders of label sets (corpora/open-types) and "
     "manifests, as in pretrain_annotations."},
    {"rehearsal", REAL, false, AT(rehearsal), "0.5", 0, 0.95, NULL, STAGES,
     "Recipe gliner: share of a batch's texts that come from rehearsal_annotations. Where the "
     "number of "
     "steps is not given it grows so that one's own texts are seen as often as without."},
    {"freeze_components", NAMES, false, AT(freeze_components), NULL, 0, 0, NULL, STAGES,
     "Recipe gliner: encoders that stay as they are, by gliner's names: text_encoder, "
     "labels_encoder (of "
     "a bi-encoder; what it makes of a label is then computed once)."},
    {"characters", BOOL, false, AT(characters), "false", 0, 0, NULL, STAGES,
     "Recipe gliner: each character of a script without spaces (Han, kana, Thai, Lao, Khmer, "
     "Myanmar) is "
     "a word, in training and in what the model is used for."},
    {"word_shape", BOOL, false, AT(word_shape), "false", 0, 0, NULL, STAGES,
     "Add a table of word shapes (small, Capitalised, CAPITALS, digits ...) to the encoder's "
     "embeddings: for "
     "encoders that do not tell capitals from small letters. transformers does not know it."},
    {"report_to", TEXT, false, AT(report_to), "none", 0, 0, NULL, MACHINE,
     "Trackers that Python's Trainer tells: tensorboard, wandb, mlflow, all. In the program "
     "metrics.jsonl has every number.",
     true},
    {"backend", CHOICE, false, AT(backend), "auto", 0, 0, NF_BACKEND_CHOICES, MACHINE,
     NF_BACKEND_HELP "."},
    {"precision", CHOICE, false, AT(precision), "auto", 0, 0, NF_PRECISION_CHOICES_TRAINING,
     MACHINE, "Of matrix products; auto: bf16 if bf16 or fp16 is set and the CPU has it."},
    {"gradient_sums", CHOICE, false, AT(gradient_sums), "f32", 0, 0, "f32|bf16", MACHINE,
     "How gradients travel between the processes of a training under mpirun."},
    {"threads", INT, false, AT(threads), "0", 0, 1024, NULL, MACHINE, "CPU threads; 0: all cores."},
    {"resume_from_checkpoint", TEXT, false, AT(resume_from_checkpoint), NULL, 0, 0, NULL, MACHINE,
     "true: go on from output_dir's newest checkpoint, or behind what is finished there; or a "
     "checkpoint's "
     "folder."},
    {"overwrite_output_dir", BOOL, false, AT(overwrite_output_dir), "false", 0, 0, NULL, MACHINE,
     "Start anew in an output_dir that holds an earlier run."},
};
const size_t nf_n_options = sizeof nf_options / sizeof *nf_options;
_Static_assert(sizeof nf_options / sizeof *nf_options <= NF_OPTIONS_MOST, "a bit for each");

/* What the recipe nerfit takes where defaults.c chooses, for the help. */
static const struct {
    const char *name, *text;
} of_nerfit[] = {
    {"per_device_train_batch_size", "8, or 16 above 1500 texts"},
    {"learning_rate", "1e-4; 2e-4 above 1500 texts; 1e-3 for adapters"},
    {"lr_scheduler_type", "linear"},
    {"warmup_steps", "0"},
    {"warmup_ratio", "0.1"},
    {"max_steps", "0 in stage 1; " NF_FEW_STEPS_TEXT ", in stage 2; 3 epochs above 1500 texts"},
    {"eval_steps", "a fifth of the steps"},
    {"save_strategy", "steps in stage 2 with save_steps, else that of evaluations, no without "
                      "validation texts"},
    {"save_steps", "eval_steps"},
    {"load_best_model_at_end", "true in stage 2, with validation texts"},
    {"metric_for_best_model", "overall_f1"},
    {"logging_steps", "a twentieth of the steps"},
    {"lora_r", "16"},
    {"lora_alpha", "16"},
    {"target_modules", "all-linear"},
    {"least_probability", "0.5; 0.35 below 3 entities a type without pre-training"},
};

const char *nf_option_of_nerfit(const nf_option *o) {
    for (size_t i = 0; i < sizeof of_nerfit / sizeof *of_nerfit; i++)
        if (strcmp(of_nerfit[i].name, o->name) == 0) return of_nerfit[i].text;
    return NULL;
}

bool nf_option_is_chosen(const nf_option *o) {
    return nf_option_of_nerfit(o) || o->offset == AT(num_train_epochs);
}

int64_t nf_option_choice(const char *choices, const char *text) {
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

bool nf_option_is_list(const nf_option *o) {
    return o->type == NF_OPTION_NAMES || o->type == NF_OPTION_PATHS || o->type == NF_OPTION_WEIGHTS;
}

bool nf_option_is_nested(const nf_option *o) {
    return o->group == nf_options_peft && o->offset != AT(peft_lora);
}

const nf_option *nf_option_find(const char *name) {
    const char *dot = strchr(name, '.');
    const char *last =
        dot && strncmp(name, nf_options_peft, (size_t)(dot - name)) == 0 ? dot + 1 : name;
    for (size_t i = 0; i < nf_n_options; i++) {
        const char *a = nf_options[i].name, *b = last;
        while (*a && (*a == *b || (*a == '_' && *b == '-'))) a++, b++;
        if (*a == *b) return &nf_options[i];
    }
    return NULL;
}
