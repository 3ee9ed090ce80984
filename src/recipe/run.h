/* The inside of a training run: its state, which the files run_*.c work on one after another, and
 * what each of them does. train.c says in which order. */
#ifndef NF_RECIPE_RUN_H
#define NF_RECIPE_RUN_H

#include <stdio.h>

#include "recipe/label_sets.h"
#include "recipe/pretrained.h"
#include "recipe/train_data.h"
#include "train/prompted.h"

enum { NF_SPLIT_TRAIN, NF_SPLIT_VALIDATION, NF_SPLIT_TEST, NF_SPLITS };

typedef struct nf_run {
    const nf_train_options *options; /* with the recipe's defaults, once the texts are read */
    nf_train_options own_options;
    const nf_train_options *as_given; /* without the recipe's defaults */
    const nf_train_data *data;
    const nf_log *log;
    nf_stage_observer observer;
    void *user;
    nerfit_error *err;
    nf_train_function train; /* nf_train_run */
    nf_arena arena;
    nf_backend *be;
    const char *model_folder, *model_base, *sentence_folder; /* NULL: none */
    nf_model *model;
    nf_descriptions read_descriptions;   /* ent2emb's file */
    const nf_descriptions *descriptions; /* ent2emb, where it holds descriptions; NULL: none */
    nf_embeddings own_embeddings;
    const nf_embeddings *embeddings; /* NULL: none */
    bool own_descriptions;           /* sentence_folder's encoder embedded them */
    bool same_space;                 /* and it was the encoder itself */
    bool is_short;                   /* for review.h */
    nf_pretrained pretrained;        /* what the recipe nerfit begins with */
    nf_label_set labels;
    const char **prompts;  /* [labels.n_types] what a model of the recipe gliner reads; else NULL */
    nf_prompter *prompter; /* likewise */
    nf_annotated_sets others; /* of it: what is rehearsed, or what is pre-trained on */
    nf_examples of_others;
    nf_corpus own[NF_SPLITS];
    nf_corpus weighed; /* the training texts, where weights or sources leave some out */
    const nf_corpus *corpora[NF_SPLITS]; /* NULL: none */
    nf_corpus unlabelled, taught;        /* self-training's texts; with the teacher's entities */
    const nf_corpus
        *learned; /* the training texts with those that a teacher tagged; NULL: there are
                                 none */
    nf_examples examples[NF_SPLITS];
    nf_workspace *ws;
    json_t *history;              /* of both stages */
    FILE *metrics;                /* metrics.jsonl, while a stage runs */
    nerfit_status metrics_status; /* of writing it */
    nerfit_error metrics_error;
    uint64_t fingerprint; /* of texts and descriptions, as they were given */
    json_t *finished;     /* resumed: what the finished stages left; NULL: they are not */
    bool done;            /* and nothing is left to do */
    bool has_adapter;     /* adapter/ is beside best/ */
    int lock;             /* on output_dir; -1: none */
    json_t *identity;     /* what the stages learn from: run_identity.c */
    json_t *best;         /* of the last stage: best_metric, best_model_checkpoint, ... */
} nf_run;

/* Whether this process writes: one alone, or rank 0. */
static inline bool nf_run_writes(const nf_run *r) {
    return nf_comm_rank(r->data->comm) == 0;
}

/* ---- run_data.c: what a run reads */
nerfit_status nf_run_read_corpora(nf_run *r);
/* r->descriptions, before any model is looked for. An error if the annotations use a label that
 * ent2emb lacks. */
nerfit_status nf_run_read_types(nf_run *r);
/* The folders of the encoder, and of the sentence encoder: as given, or the encoder itself if it is
 * one. */
nerfit_status nf_run_find_models(nf_run *r);
/* Descriptions take a sentence encoder; without one it is the original's default, if it can be
 * had. */
nerfit_status nf_run_need_sentence_encoder(nf_run *r);
/* Whether two folders hold the same encoder. */
bool nf_run_same_encoder(nf_run *r, const char *a, const char *b);
/* The entity types: ent2emb's, in its order; without it the data's. */
nerfit_status nf_run_make_labels(nf_run *r);
/* What the stages learn from. */
static inline const nf_corpus *nf_run_learned(const nf_run *r) {
    return r->learned ? r->learned : r->corpora[NF_SPLIT_TRAIN];
}
/* Tokens of the longest example. */
nerfit_status nf_run_length_limit(nf_run *r, size_t *limit);
nerfit_status nf_run_make_examples(nf_run *r);
/* The labels that the annotations use, as r->labels. */
nerfit_status nf_run_labels_of_corpora(nf_run *r);

/* ---- run_self_training.c: texts without annotations */
nerfit_status nf_run_read_unlabelled(nf_run *r);
/* Trains the teacher and sets r->learned; labels are made. Nothing, without such texts. */
nerfit_status nf_run_self_training(nf_run *r);

/* ---- run_prompted.c: the recipe gliner */
/* Where none is given: gliner for GLiNER models. Another one is an error for them. */
nerfit_status nf_run_choose_recipe(nf_run *r, nf_train_options *options);
/* r->labels and prompts: names, or ent2emb's descriptions. */
nerfit_status nf_run_prompt_labels(nf_run *r);
/* What makes the examples: r->prompter. */
nerfit_status nf_run_make_prompter(nf_run *r);
nerfit_status nf_run_prompted(nf_run *r, nf_task **task);
/* An encoder becomes a GLiNER folder, start/, with which the run goes on: run_gliner_start.c. */
nerfit_status nf_run_start_gliner(nf_run *r);
/* rehearsal_annotations, if there are some. */
nerfit_status nf_run_read_rehearsed(nf_run *r);
/* Pre-training of such a model, on the label sets of pretrain_annotations. */
nerfit_status nf_run_pretrain_prompted(nf_run *r, nf_train_result *result);

/* ---- run_output.c: the folder it writes */
bool nf_run_resumes(const nf_train_options *o);
/* An earlier run is not overwritten unasked. */
nerfit_status nf_run_check_output(nf_run *r);
char *nf_run_stage_folder(nf_run *r, int s);
/* A checkpoint to go on from, of this stage; NULL: from the start. */
const char *nf_run_checkpoint_of(nf_run *r, int s);
/* A folder that is to appear whole, and with nothing of an earlier run's in it: written under
 * another name... */
nerfit_status nf_run_begin_folder(nf_run *r, const char *parent, const char *name,
                                  const char **unfinished);
/* ... and renamed. */
nerfit_status nf_run_end_folder(nf_run *r, const char *unfinished, const char *parent,
                                const char *name);
nerfit_status nf_run_save_record(nf_run *r, const char *name, json_t *value);
nerfit_status nf_run_open_output(nf_run *r);
/* Opens metrics.jsonl for a stage (1 or 2). Of a resumed one it holds what trainer_state.json has
 * of it, and of the stages before: no step that is done again stands there twice. `history`: the
 * stage's so far (NULL: none). */
nerfit_status nf_run_begin_metrics(nf_run *r, int stage, const json_t *history);
/* Adds a line. An error also goes to r->metrics_status and r->metrics_error. */
nerfit_status nf_run_write_metrics(nf_run *r, int stage, const json_t *entry);

/* ---- run_identity.c: whose checkpoint it is */
/* Sets r->identity; texts and labels are read. */
nerfit_status nf_run_make_identity(nf_run *r);
/* An error if what the run would go on from was made of other labels, texts, weights or options. */
nerfit_status nf_run_check_resumed(nf_run *r);
/* Where label_text is not given, a run that is resumed stays with what it began with: descriptions, if
 * there was no such option then. */
nerfit_status nf_run_keep_label_text(nf_run *r);

/* ---- run_stages.c: the stages of both recipes */
nf_stage_options nf_run_stage_options(const nf_train_options *o, int s, bool has_validation);
/* Of a stage's products: what the whole run was told, else bf16 where the stage's bf16 or fp16 asks
 * for it and the backend has it. */
nf_precision nf_run_precision(const nf_run *r, int s);
/* Where stage 1 of the run that is resumed ended, if it did and none of its checkpoints is asked for
 * by name; NULL otherwise. */
const char *nf_run_finished_stage1(nf_run *r);
/* The limit of entities' probabilities that the recipe nerfit's model gets. */
double nf_run_least_probability(nf_run *r);
nerfit_status nf_run_stage(nf_run *r, int s, nf_task *task);
/* A model that is an adapter is gone on with as it is: options of another are an error, and the log is
 * told which it is. */
nerfit_status nf_run_check_adapter(nf_run *r);
/* What is trained in the stage, in its precision: adapters and the head, or everything. */
nerfit_status nf_run_start_training(nf_run *r, int s, bool adapters);
/* What the head has learned beside what it was learned with. */
nerfit_status nf_run_save_head(nf_run *r, const char *folder);
nerfit_status nf_run_contrastive(nf_run *r);
nerfit_status nf_run_classification(nf_run *r, nf_task **task);
/* What pre-training left of the head. Its projection is of the sentence encoder that it was trained
 * with: other vectors, as far as one can tell, need another. */
nerfit_status nf_run_load_head(nf_run *r);
/* With an adapter to train, a changed encoder must be in a folder that the adapter can name. */
nerfit_status nf_run_keep_base(nf_run *r);
/* Both stages; stage 2 goes on with stage 1's encoder, projection and shared vectors. */
nerfit_status nf_run_description(nf_run *r, nf_task **task);

/* ---- run_finished.c: the end of the stages; s: the last one, 0 or 1 */
/* Where the run resumes, sets r->finished and r->done. */
nerfit_status nf_run_find_finished(nf_run *r, int s);
/* What the finished stages left takes the place of training. */
nerfit_status nf_run_take_finished(nf_run *r, nf_train_result *result);
/* Once best/ is in its place, and again when all is done. */
nerfit_status nf_run_save_finished(nf_run *r, int s, bool done, const nf_train_result *result);
/* Before stages are trained: what is there is of others. */
nerfit_status nf_run_forget_finished(nf_run *r);

/* ---- run_report.c: the review of the finished model */
/* Calibrates the finished model, looks at its mistakes, and writes the report. */
nerfit_status nf_run_review(nf_run *r, nf_train_result *result);

#endif
